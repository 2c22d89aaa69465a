"""Rules for every writer of a grant: nobody gives more than they hold, the grant of a post follows
the post, and what was handed on from a grant ends with it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.errors import Problem
from app.models.cadres.appointments import Appointment, role_of
from app.models.kernel.access import READS_PAST, ROLE_RIGHTS, Grant, Right, Role
from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit
from app.services.identity.armers import armers
from app.services.identity.signin import Signin
from app.services.kernel.access import Actor, Db, HeldGrant, owned
from app.services.kernel.actors import grants_of, reach_of
from app.services.kernel.created_once import created_once
from app.services.kernel.reach import Reach
from app.services.kernel.tracking import PATH

_UNIT = sa.select(*(getattr(Unit, name) for name in ("id", "level", *PATH))).where(
    col(Unit.id) == sa.bindparam("unit_id")
)
# A member's own record shows all of these to anyone who can sign in to her account.
OF_HER_RECORD = frozenset(
    {
        Right.members_read,
        Right.members_phone,
        Right.members_citizen_id,
        Right.members_ethnicity,
        Right.members_religion,
        Right.members_party,
    }
)


def rights_of(grant: Any) -> frozenset[Right]:
    """Those of its role, and of a delegation those it hands on; of a grant, or a row of one."""
    return ROLE_RIGHTS[grant.role] | frozenset(map(Right, grant.rights or ()))


def open_grants(account_id: UUID) -> Any:
    """Grants of an account that are in force today or will be."""
    return select(Grant).where(
        col(Grant.account_id) == account_id,
        sa.or_(col(Grant.valid_to).is_(None), col(Grant.valid_to) >= local_today()),
    )


def hold(session: Session, grant_id: UUID) -> Grant | None:
    """The grant, kept from every other writer until the commit."""
    return session.get(Grant, grant_id, with_for_update=True)


def keep(session: Session, grant_id: UUID) -> bool:
    """Whether the grant is there, and stays until the commit."""
    return session.get(Grant, grant_id, with_for_update={"read": True}) is not None


def given_to(session: Session, account_id: UUID) -> Sequence[Grant]:
    """The grants an officer gave an account: neither of its posts nor handed on to it."""
    statement = select(Grant).where(
        col(Grant.account_id) == account_id,
        col(Grant.appointment_id).is_(None),
        col(Grant.parent_id).is_(None),
    )
    return session.exec(statement.order_by(col(Grant.id))).all()


# -- giving


def new(
    account_id: UUID,
    unit_id: int,
    role: Role,
    valid_from: date,
    *,
    valid_to: date | None = None,
    granted_by: UUID | None = None,
    appointment_id: UUID | None = None,
    rights: list[Right] | None = None,
) -> Grant:
    now = utc_now()
    return Grant(
        account_id=account_id,
        unit_id=unit_id,
        role=role,
        valid_from=valid_from,
        valid_to=valid_to,
        granted_by=granted_by,
        appointment_id=appointment_id,
        rights=rights,
        created_at=now,
        updated_at=now,
    )


def handing_on(parent: HeldGrant, rights: Iterable[Right], given: Grant) -> Grant:
    """A grant of some rights of another, and in force only while that is."""
    given.parent_id, given.rights = parent.id, sorted(set(rights))
    return given


def give(session: Session, grant: Grant) -> None:
    session.add(grant)
    session.flush()


def give_once(
    session: Session,
    given_id: UUID | None,
    make: Callable[[], Grant],
    *,
    same: Callable[[Grant], bool],
) -> tuple[Grant, bool]:
    """The grant, and whether it is new (see `created_once`)."""
    return created_once(session, Grant, given_id, make, same=same)


# -- the guards


def ensure_holds(actor: Actor, rights: Iterable[Right], unit: Unit, role: Role) -> None:
    """The actor holds over the unit, by a role of their own, the rights about to be granted."""
    for right in sorted(rights):
        if not actor.owns(right, unit):
            raise Problem(
                "grant_exceeds_own",
                role=role,
                right=right,
                extra={"required_right": right.value},
            )


def ensure_armer_holds(
    session: Session,
    actor: Actor,
    account: Any,
    rights: Iterable[Right],
    unit: Unit,
    role: Role,
) -> None:
    """Officers who issued what opens the account (`id`, `armed_by`) may still know it, so must hold
    the rights too.
    """
    for armer in sorted(armers(session, account) - {actor.account_id}):
        if not _armer_holds(session, armer, rights, unit):
            raise Problem("reset_first", role=role, unit=unit.name)


def _armer_holds(
    session: Session, armed_by: UUID | None, rights: Iterable[Right], unit: Unit
) -> bool:
    if armed_by is None:
        return True
    held = grants_of(session, armed_by)
    return all(owned(held, right, unit) for right in rights)


def void_code(session: Session, account: Account, branch: Unit) -> None:
    """The member is in this branch now: an unused one-time code is void, unless the officer who
    issued it may read there what the account shows.
    """
    if account.code_digest is None:
        return
    if not _armer_holds(session, account.armed_by, OF_HER_RECORD, branch):
        account.code_digest = account.code_expires_at = None
        session.flush()


# -- ending


def remove(session: Session, grant: Grant) -> None:
    """Delete a grant and, before it, what was handed on from it: each is logged."""
    for handed_on in session.exec(select(Grant).where(col(Grant.parent_id) == grant.id)):
        session.delete(handed_on)
    session.flush()
    session.delete(grant)
    session.flush()


def end_handed_on(session: Session, account_id: UUID) -> None:
    """Nothing that the account has handed on is in force any more."""
    own = sa.select(col(Grant.id)).where(col(Grant.account_id) == account_id)
    handed = select(Grant).where(col(Grant.parent_id).in_(own)).order_by(col(Grant.id))
    for grant in session.exec(handed.with_for_update()).all():
        remove(session, grant)


def _cut(session: Session, grant: Grant, last_day: date) -> None:
    """In force no longer than that day; gone when it had not begun by then."""
    if last_day < grant.valid_from:
        remove(session, grant)
    elif grant.valid_to is None or grant.valid_to > last_day:
        grant.valid_to = last_day
        session.flush()


def end_over(session: Session, unit_ids: Sequence[int], last_day: date) -> None:
    """No grant over a unit outlives it; who holds one today counts in its days afterwards, who has
    lost it before does not. Delegations go first: they may hang on another of them."""
    over = select(Grant).where(
        col(Grant.unit_id).in_(unit_ids),
        sa.or_(col(Grant.valid_to).is_(None), col(Grant.valid_to) > last_day),
    )
    handed_on_first = over.order_by(col(Grant.parent_id).is_(None), col(Grant.id))
    for grant in session.exec(handed_on_first.with_for_update()).all():
        is_held = grant.valid_to is None or grant.valid_to >= local_today()
        if grant.valid_from <= last_day and is_held:
            grant.reads_past = grant.role in READS_PAST
        _cut(session, grant, last_day)


def end_all_of(session: Session, account_id: UUID, last_day: date) -> None:
    """An account holds nothing after that day, and counts in no unit that closed before."""
    for grant in _lock_open(session, account_id):
        _cut(session, grant, last_day)
    _end_past(session, account_id)


def _end_past(session: Session, account_id: UUID) -> None:
    past = select(Grant).where(col(Grant.account_id) == account_id, col(Grant.reads_past))
    for grant in session.exec(past.order_by(col(Grant.id)).with_for_update()).all():
        grant.reads_past = False
    session.flush()


def end_left(session: Session, account_id: UUID, left: Reach, branch: Unit, last_day: date) -> None:
    """The member is in this branch and has left `left`: roles over units in it end, and so do
    delegations that do not cover her new branch. The grant of a post ends with the post.
    """
    for grant in _lock_open(session, account_id):
        if grant.appointment_id is not None:
            continue
        unit: Any = session.execute(_UNIT, {"unit_id": grant.unit_id}).one()
        is_away = grant.role is Role.delegate and not reach_of(session, unit).contains(branch)
        if is_away or left.contains(unit):
            _cut(session, grant, last_day)


def remove_as_member(session: Session, account_id: UUID) -> None:
    """The account is no member's any more: nothing follows posts, nothing is delegated to it, and
    what its member once held counts no longer."""
    for grant in _lock_open(session, account_id):
        if grant.appointment_id is not None or grant.parent_id is not None:
            remove(session, grant)
    _end_past(session, account_id)


def _lock_open(session: Session, account_id: UUID) -> Sequence[Grant]:
    mine = open_grants(account_id).order_by(col(Grant.id)).with_for_update()
    found: Sequence[Grant] = session.exec(mine).all()
    return found


# -- the grant of a post


def follow(session: Session, actor: Actor, post: Appointment, unit: Unit) -> None:
    """Bring the grant of a post in line with it: its role over the unit, for as long as it is held.

    It is there only where the post brings a role and its holder has an account. More days than
    before are given, so the guards apply; fewer are not.
    """
    role = role_of(post.post, unit.level)
    account = account_of(session, post.member_id)
    if role is None or account is None:
        return
    grant = session.exec(select(Grant).where(col(Grant.appointment_id) == post.id)).one_or_none()
    if post.valid_to is not None and post.valid_to < post.valid_from:
        if grant is not None:
            remove(session, grant)
        return
    if grant is None or not _within(post, grant):
        rights = ROLE_RIGHTS[role]
        ensure_holds(actor, rights, unit, role)
        ensure_armer_holds(session, actor, account, rights, unit, role)
    if grant is None:
        grant = new(
            account.id,
            post.unit_id,
            role,
            post.valid_from,
            granted_by=actor.account_id,
            appointment_id=post.id,
        )
        session.add(grant)
    grant.valid_from, grant.valid_to = post.valid_from, post.valid_to
    session.flush()


def _within(post: Appointment, grant: Grant) -> bool:
    """The post is held on no day that its grant does not cover already."""
    ends = grant.valid_to is None or (post.valid_to is not None and post.valid_to <= grant.valid_to)
    return ends and post.valid_from >= grant.valid_from


def cut_with(session: Session, posts: Sequence[Appointment]) -> None:
    """Posts have ended earlier: so do their grants."""
    last_days = {post.id: post.valid_to for post in posts}
    followers = select(Grant).where(col(Grant.appointment_id).in_(list(last_days)))
    for grant in session.exec(followers).all():
        assert grant.appointment_id is not None  # noqa: S101  # as selected
        if (last_day := last_days[grant.appointment_id]) is not None:
            _cut(session, grant, last_day)


def remove_with(session: Session, appointment_id: UUID) -> None:
    """A post was entered by mistake: the grant that came with it never was."""
    followers = select(Grant).where(col(Grant.appointment_id) == appointment_id)
    for grant in session.exec(followers).all():
        remove(session, grant)


def handed_on(db: Db, appointment_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these grants whose holder has delegated rights of them."""
    deputy = sa.orm.aliased(Grant)
    return set(
        db.execute(
            sa.select(col(Grant.appointment_id))
            .join(deputy, col(deputy.parent_id) == col(Grant.id))
            .where(col(Grant.appointment_id).in_(appointment_ids))
        ).scalars()
    )


def account_of(session: Session, member_id: UUID) -> Any:
    """The account (`id`, `armed_by`) that a member signs in with, or None."""
    return session.execute(
        sa.select(col(Account.id), col(Account.armed_by)).where(col(Account.member_id) == member_id)
    ).one_or_none()


def forget_tokens(session: Session, signin: Signin, account_id: UUID) -> None:
    """What an account holds has changed: for itself, and for whom it has handed rights on to."""
    own = sa.select(col(Grant.id)).where(col(Grant.account_id) == account_id)
    deputies = sa.select(col(Grant.account_id)).where(col(Grant.parent_id).in_(own))
    for changed in (account_id, *session.execute(deputies).scalars()):
        signin.forget(account_id=changed)
