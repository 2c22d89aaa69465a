"""Accounts for the heads of many branches in one act, and the sheet their codes are printed on.

Each account is made as `accounts.create` makes one: nobody invites whom she could not invite singly.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.clock import local_today
from app.db import AnySelect, chunks, vault_of
from app.errors import Problem, not_found
from app.models.accounts.invitations import HeadInvitation, HeadInvitations, InvitationOutcome
from app.models.cadres.appointments import POSTS, Appointment
from app.models.kernel.access import Grant, Right
from app.models.kernel.accounts import Account, AccountCreate, AccountKind
from app.models.kernel.units import Unit, UnitLevel, UnitRef
from app.models.members.members import Member
from app.problem_texts import ProblemCode
from app.services.accounts import accounts
from app.services.identity import accounts as rows
from app.services.identity import grants
from app.services.identity.signin import Signin
from app.services.kernel.access import Actor, Db, ensure
from app.services.kernel.actors import reach_of
from app.services.kernel.tracking import PATH
from app.services.members import persons
from app.services.units.rows import hold_units
from app.services.units.units import ensure_open, find_target, find_visible, valid_on
from app.text import fold

# In one transaction; a larger unit asks again.
MOST: Final = 500
# What is refused to one account may be granted to the next; a busy server is busy for all.
_OF_ONE_HEAD: Final = frozenset({403, 404, 409, 422})
_LEADERS: Final = [post for post, facts in POSTS.items() if facts.leads]
_PREFIX: Final = re.compile(r"^(?:chi hoi (?:phu nu )?|xa |phuong |thi tran |dac khu )")


def invite_heads(session: Session, signin: Signin, actor: Actor, unit_id: int) -> HeadInvitations:
    """An account for every head of a branch in this unit who has none."""
    unit = find_target(session, actor, unit_id, Right.accounts_write, pointer="/unit_id")
    ensure_open(unit, local_today(), pointer="/unit_id")
    heads = _heads(session, unit)
    waiting = [head for head in heads if head.account_id is None]
    now = waiting[:MOST]
    # In the order in which every other act locks them (decision 0025).
    hold_units(session, sorted({head.unit_id for head in now}))
    persons.hold_alone(session, {head.member_id for head in now})
    names = _Usernames(session, now)
    left = {head.member_id for head in waiting[MOST:]}
    items = [
        _invite(session, signin, actor, head, names) if head.account_id is None else _known(head)
        for head in heads
        if head.member_id not in left
    ]
    counts = {each: sum(item.outcome is each for item in items) for each in InvitationOutcome}
    return HeadInvitations(
        items=items,
        invited=counts[InvitationOutcome.invited],
        has_account=counts[InvitationOutcome.has_account],
        refused=counts[InvitationOutcome.refused],
        left=len(left),
        without_head=_open_branches(session, unit) - len({head.unit_id for head in heads}),
        sheet_url=f"/v1/units/{unit.id}/sign-in-codes",
    )


def _heads(session: Session, unit: Unit) -> Sequence[Any]:
    commune = aliased(Unit)
    statement: AnySelect = (
        sa.select(
            col(Appointment.member_id),
            col(Member.full_name),
            col(Unit.id).label("unit_id"),
            col(Unit.name).label("unit_name"),
            col(commune.name).label("commune_name"),
            col(Account.id).label("account_id"),
            col(Account.username),
        )
        .join(Unit, col(Unit.id) == col(Appointment.unit_id))
        .join(Member, col(Member.id) == col(Appointment.member_id))
        .join(commune, col(commune.id) == col(Unit.commune_id), isouter=True)
        .join(Account, col(Account.member_id) == col(Member.id), isouter=True)
        .where(
            col(Unit.level) == UnitLevel.branch,
            reach_of(session, unit).predicate(Unit),
            col(Appointment.post).in_(_LEADERS),
            valid_on(Appointment, local_today()),
        )
        .order_by(col(Unit.commune_id), col(Unit.sort_key), col(Unit.id), col(Appointment.id))
    )
    return session.execute(statement).all()


def _open_branches(session: Session, unit: Unit) -> int:
    counted: AnySelect = sa.select(sa.func.count()).where(
        col(Unit.level) == UnitLevel.branch,
        reach_of(session, unit).predicate(Unit),
        col(Unit.closed_on).is_(None),
    )
    return int(session.execute(counted.select_from(Unit)).scalar_one())


def _known(head: Any) -> HeadInvitation:
    return _item(head, InvitationOutcome.has_account, head.account_id, head.username)


def _invite(
    session: Session, signin: Signin, actor: Actor, head: Any, names: "_Usernames"
) -> HeadInvitation:
    """Who cannot be invited keeps nobody else from it; what is no fault of hers ends the act."""
    username = names.next(head)
    try:
        body = AccountCreate(
            username=username,
            display_name=head.full_name,
            unit_id=head.unit_id,
            member_id=head.member_id,
        )
        with session.begin_nested():
            made, _ = accounts.create(session, signin, actor, body, printable=True)
    except ValidationError:
        return _item(head, InvitationOutcome.refused, None, None, "validation_failed")
    except Problem as problem:
        if problem.status not in _OF_ONE_HEAD:
            raise
        return _item(head, InvitationOutcome.refused, None, None, problem.code)
    return _item(head, InvitationOutcome.invited, made.id, username)


def _item(
    head: Any,
    outcome: InvitationOutcome,
    account_id: UUID | None,
    username: str | None,
    problem: ProblemCode | None = None,
) -> HeadInvitation:
    return HeadInvitation(
        unit=UnitRef(id=head.unit_id, level=UnitLevel.branch, name=head.unit_name),
        member_id=head.member_id,
        full_name=head.full_name,
        outcome=outcome,
        account_id=account_id,
        username=username,
        problem=problem,
    )


class _Usernames:
    """Names to sign in with, of the commune and the branch: phuongvi.khu1, phuongvi.khu1-2."""

    def __init__(self, session: Session, heads: Iterable[Any]) -> None:
        begun = sorted({f"{_slug(head.commune_name or '')}." for head in heads})
        self.taken: set[str] = set()
        for prefix in begun:
            named = sa.select(col(Account.username)).where(
                col(Account.username) >= prefix, col(Account.username) < f"{prefix}~"
            )
            self.taken |= set(session.execute(named).scalars())

    def next(self, head: Any) -> str:
        plain = f"{_slug(head.commune_name or '')}.{_slug(head.unit_name)}".strip(".")[:60]
        number, name = 1, plain
        while name in self.taken:
            number += 1
            name = f"{plain}-{number}"
        self.taken.add(name)
        return name


def _slug(name: str) -> str:
    return re.sub("[^a-z0-9]", "", _PREFIX.sub("", fold(name)))


# -- the sheet


@dataclass(frozen=True, slots=True)
class CodeLine:
    """`code` is None when it was used (`is_used`), or is good no more."""

    unit: str
    full_name: str
    username: str
    code: str | None
    expires_at: datetime | None
    is_used: bool


@dataclass(frozen=True, slots=True)
class CodeSheet:
    unit: str
    lines: Sequence[CodeLine]


def sheet_of(db: Db, actor: Actor, unit_id: int) -> CodeSheet:
    """The accounts of members in this unit that the actor herself invited or last reset: nobody
    else was shown their codes. A code is left out where she holds less than the account today."""
    unit = find_visible(db, actor, unit_id)
    if unit is None:
        raise not_found()
    ensure(db, actor, Right.accounts_write, unit, seen_with=Right.units_read)
    statement: AnySelect = (
        sa.select(
            *(getattr(Account, name) for name in _SHOWN),
            col(Unit.name).label("unit_name"),
            col(Member.full_name),
            col(Member.province_id),
            col(Member.commune_id),
            col(Member.branch_id),
        )
        .join(Unit, col(Unit.id) == col(Account.unit_id))
        .join(Member, col(Member.id) == col(Account.member_id))
        .where(
            col(Account.kind) == AccountKind.person,
            col(Account.armed_by) == actor.account_id,
            reach_of(db, unit).predicate(Unit),
        )
        .order_by(col(Unit.commune_id), col(Unit.sort_key), col(Account.username))
    )
    found = db.execute(statement).all()
    beyond = _beyond(db, actor, found)
    vault = vault_of(db)
    return CodeSheet(
        unit.name,
        [
            CodeLine(
                row.unit_name,
                row.full_name,
                row.username,
                None if row.id in beyond else rows.code_to_print(row, vault),
                row.code_expires_at,
                is_used=row.password_hash is not None,
            )
            for row in found
        ],
    )


_SHOWN: Final = ("id", "username", "password_hash", "code_digest", "code_expires_at")


def _beyond(db: Db, actor: Actor, found: Sequence[Any]) -> set[UUID]:
    """The accounts that hold more than the actor does today, as for a reset (decision 0008)."""
    beyond = {
        row.id for row in found if not all(actor.owns(right, row) for right in grants.OF_HER_RECORD)
    }
    for some in chunks([row.id for row in found]):
        held: AnySelect = (
            sa.select(
                col(Grant.account_id),
                col(Grant.role),
                col(Grant.rights),
                *(getattr(Unit, name) for name in ("id", "level", *PATH)),
            )
            .join(Unit, col(Unit.id) == col(Grant.unit_id))
            .where(
                col(Grant.account_id).in_(some),
                sa.or_(col(Grant.valid_to).is_(None), col(Grant.valid_to) >= local_today()),
            )
        )
        beyond |= {
            row.account_id
            for row in db.execute(held)
            if not all(actor.owns(right, row) for right in grants.rights_of(row))
        }
    return beyond
