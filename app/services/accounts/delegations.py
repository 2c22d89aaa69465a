"""Delegations: grants of some rights, drawn on a grant of the giver and in force only while it is.

Nothing is handed on twice, and nothing that would make an officer: no accounts, no posts.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.clock import local_today
from app.db import AnySelect
from app.errors import Problem, invalid, not_found
from app.models.accounts.delegations import MAX_DAYS, DelegationCreate, DelegationRead, Party
from app.models.cadres.appointments import ROLES_OF_POSTS
from app.models.kernel.access import NOT_DELEGABLE, Grant, Right, Role
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.units import LEVELS_BUT_GROUP, Unit, UnitLevel, UnitRef
from app.services.identity import grants
from app.services.identity.signin import Signin
from app.services.kernel.access import Actor, HeldGrant, forbidden, require_somewhere
from app.services.kernel.created_once import holds
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.members import persons
from app.services.units.rows import unit_of
from app.services.units.units import ensure_open, find_target

# People and facts belong to branches: a right over a group reaches nothing.
_Parent = aliased(Grant)
_Giver = aliased(Account)
_Deputy = aliased(Account)
_ROW: AnySelect = (
    sa.select(
        col(Grant.id),
        col(Grant.rights),
        col(Grant.valid_from),
        col(Grant.valid_to),
        col(Grant.revision),
        col(Grant.unit_id),
        col(Unit.level),
        col(Unit.name),
        col(_Parent.valid_from).label("parent_from"),
        col(_Parent.valid_to).label("parent_to"),
        col(_Giver.id).label("giver_id"),
        col(_Giver.member_id).label("giver_member_id"),
        col(_Giver.display_name).label("giver_name"),
        col(_Giver.status).label("giver_status"),
        col(_Deputy.id).label("deputy_id"),
        col(_Deputy.member_id).label("deputy_member_id"),
        col(_Deputy.display_name).label("deputy_name"),
    )
    .join(_Parent, col(_Parent.id) == col(Grant.parent_id))
    .join(Unit, col(Unit.id) == col(Grant.unit_id))
    .join(_Giver, col(_Giver.id) == col(_Parent.account_id))
    .join(_Deputy, col(_Deputy.id) == col(Grant.account_id))
)


def list_delegations(actor: Actor) -> Pages:
    """Given by the actor or to the actor, in force or coming; the oldest first."""
    today, me = local_today(), actor.account_id
    statement = _ROW.where(
        sa.or_(col(_Parent.account_id) == me, col(Grant.account_id) == me),
        col(Grant.valid_to) >= today,
        sa.or_(col(_Parent.valid_to).is_(None), col(_Parent.valid_to) >= today),
    )
    return pages(statement, Order(col(Grant.id)), each(lambda row: _read(row).model_dump()))


def read(session: Session, delegation_id: UUID) -> DelegationRead:
    """One that the actor has just written."""
    return _read(session.execute(_ROW.where(col(Grant.id) == delegation_id)).one())


def _read(row: Any) -> DelegationRead:
    today = local_today()
    in_force = row.valid_from <= today <= row.valid_to and row.parent_from <= today
    in_force = in_force and row.giver_status is not AccountStatus.disabled
    return DelegationRead(
        id=row.id,
        unit=UnitRef(id=row.unit_id, level=row.level, name=row.name),
        rights=[Right(right) for right in row.rights],
        giver=Party(account_id=row.giver_id, member_id=row.giver_member_id, name=row.giver_name),
        deputy=Party(
            account_id=row.deputy_id, member_id=row.deputy_member_id, name=row.deputy_name
        ),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        in_force=in_force and (row.parent_to is None or today <= row.parent_to),
        revision=row.revision,
    )


# -- giving


def create(
    session: Session, signin: Signin, actor: Actor, body: DelegationCreate
) -> tuple[DelegationRead, bool]:
    """Hand rights on to a deputy. The same id with the same content again is no second one."""
    require_somewhere(session, actor, Right.units_read)
    _ensure_in_office(actor)
    unit = find_target(session, actor, body.unit_id, Right.units_read, pointer="/unit_id")
    deputy = _deputy(session, actor, body.member_id)
    given, is_new = grants.give_once(
        session,
        body.id,
        partial(_made, session, actor, deputy, unit, body),
        same=partial(_is_same, actor, deputy.id, body),
    )
    if is_new:
        signin.forget(account_id=deputy.id)
    return read(session, given.id), is_new


def _made(session: Session, actor: Actor, deputy: Any, unit: Unit, body: DelegationCreate) -> Grant:
    if unit.level is UnitLevel.group:
        raise invalid("unit_level_wrong", "/unit_id", expected=LEVELS_BUT_GROUP)
    valid_from = _days(body)
    ensure_open(unit, valid_from)
    parent = _own_grant(actor, unit, body.rights)
    if not grants.keep(session, parent.id):
        raise invalid("right_not_held", "/rights/0")  # taken away in this very moment
    grants.ensure_armer_holds(session, actor, deputy, body.rights, unit, Role.delegate)
    given = grants.new(
        deputy.id,
        body.unit_id,
        Role.delegate,
        valid_from,
        valid_to=body.valid_to,
        granted_by=actor.account_id,
    )
    return grants.handing_on(parent, body.rights, given)


def _ensure_in_office(actor: Actor) -> None:
    """Only holders of posts have deputies: no auditor, no program, no deputy."""
    if actor.kind is not AccountKind.person or not any(
        _is_of_post(grant) for grant in actor.grants
    ):
        raise Problem("only_posts_delegate")


def _is_of_post(grant: HeldGrant) -> bool:
    return grant.role in ROLES_OF_POSTS


def _deputy(session: Session, actor: Actor, member_id: UUID) -> Any:
    """The account of the deputy, who is somebody else."""
    person = persons.find_member(session, actor, member_id, pointer="/member_id")
    persons.ensure_in_union(person)
    account = session.execute(
        sa.select(col(Account.id), col(Account.armed_by)).where(
            col(Account.member_id) == member_id, col(Account.status) != AccountStatus.disabled
        )
    ).one_or_none()
    if account is None:
        raise invalid("member_without_account", "/member_id")
    if account.id == actor.account_id:
        raise invalid("not_yourself", "/member_id")
    return account


def _days(body: DelegationCreate) -> date:
    """The first day, checked against today and the last."""
    today = local_today()
    valid_from = body.valid_from or today
    if valid_from < today:
        raise invalid("date_in_past", "/valid_from")
    if body.valid_to < valid_from:
        raise invalid("dates_reversed", "/valid_to")
    if (body.valid_to - valid_from).days >= MAX_DAYS:
        latest = valid_from + timedelta(days=MAX_DAYS - 1)
        raise invalid("too_large", "/valid_to", max=latest.isoformat())
    return valid_from


def _own_grant(actor: Actor, unit: Unit, rights: Sequence[Right]) -> HeldGrant:
    """The one grant of the actor's own that covers the unit and all the rights."""
    for place, right in enumerate(rights):
        if right in NOT_DELEGABLE:
            raise invalid("right_not_delegable", f"/rights/{place}")
    own = [grant for grant in actor.grants if _is_of_post(grant) and grant.reach.contains(unit)]
    # The one that lasts longest: what is handed on ends with it.
    own.sort(key=lambda grant: grant.valid_to or date.max, reverse=True)
    for grant in own:
        if grant.rights.issuperset(rights):
            return grant
    # The rights of a lesser post are among those of a greater one.
    held = frozenset[Right]().union(*(grant.rights for grant in own))
    missing = next(place for place, right in enumerate(rights) if right not in held)
    raise invalid("right_not_held", f"/rights/{missing}")


def _is_same(actor: Actor, deputy_id: UUID, body: DelegationCreate, existing: Grant) -> bool:
    sent = body.model_dump(include={"unit_id", "valid_from", "valid_to"}, exclude_none=True) | {
        "granted_by": actor.account_id,
        "role": Role.delegate,
        "account_id": deputy_id,
    }
    same_rights = grants.rights_of(existing) == frozenset(body.rights)
    return same_rights and holds(sent)(existing)


# -- ending


def end(session: Session, signin: Signin, actor: Actor, delegation_id: UUID) -> None:
    """Take back what was handed on, at once: the giver, or who grants over the unit."""
    given = grants.hold(session, delegation_id)
    if given is None or given.parent_id is None:
        raise not_found()
    unit = unit_of(session, given.unit_id)
    if given.granted_by != actor.account_id and not actor.covers(Right.accounts_grant, unit):
        if given.account_id != actor.account_id:
            raise not_found()
        raise forbidden(session, actor, Right.accounts_grant, given.unit_id)
    grants.remove(session, given)
    signin.forget(account_id=given.account_id)
