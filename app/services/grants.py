"""What every writer of a grant keeps to: nobody gives more than she holds, the grant of a post
follows the post, and what was handed on from a grant ends with it."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.errors import Problem
from app.models.access import ROLE_RIGHTS, Grant, Right, Role
from app.models.accounts import Account
from app.models.appointments import Appointment, role_of
from app.models.units import Unit
from app.services.access import Actor, grants_of
from app.services.signin import Signin


def rights_of(grant: Grant) -> frozenset[Right]:
    """Those of its role, and of a delegation those it hands on."""
    return ROLE_RIGHTS[grant.role] | frozenset(map(Right, grant.rights or ()))


def open_grants(account_id: UUID) -> Any:
    """Grants of an account that are in force today or will be."""
    return select(Grant).where(
        col(Grant.account_id) == account_id,
        sa.or_(col(Grant.valid_to).is_(None), col(Grant.valid_to) >= local_today()),
    )


# -- the guards


def ensure_holds(actor: Actor, rights: Iterable[Right], unit: Unit, role: Role) -> None:
    """The actor holds over the unit what she is about to give."""
    for right in sorted(rights):
        if not actor.covers(right, unit):
            raise Problem(
                "grant_exceeds_own",
                role=role.value,
                right=right.value,
                extra={"required_right": right.value},
            )


def ensure_armer_holds(
    session: Session,
    actor: Actor,
    armed_by: UUID | None,
    rights: Iterable[Right],
    unit: Unit,
    role: Role,
) -> None:
    """Whoever gave the account its way in may hold it still: the rights must be no news to her."""
    if armed_by is None or armed_by == actor.account_id:
        return
    held = grants_of(session, armed_by)
    for right in rights:
        if not any(right in one.rights and one.reach.contains(unit) for one in held):
            raise Problem("reset_first", role=role.value, unit=unit.name)


# -- ending


def remove(session: Session, grant: Grant) -> None:
    """Delete a grant and, before it, what was handed on from it: each is logged."""
    for handed_on in session.exec(select(Grant).where(col(Grant.parent_id) == grant.id)):
        session.delete(handed_on)
    session.flush()
    session.delete(grant)
    session.flush()


def _cut(session: Session, grant: Grant, last_day: date) -> None:
    """In force no longer than that day; gone when it had not begun by then."""
    if last_day < grant.valid_from:
        remove(session, grant)
    elif grant.valid_to is None or grant.valid_to > last_day:
        grant.valid_to = last_day
        session.flush()


def end_over(session: Session, unit_id: int, last_day: date) -> None:
    """No grant over a unit outlives it. Delegations go first: they may hang on another of them."""
    over = select(Grant).where(
        col(Grant.unit_id) == unit_id,
        sa.or_(col(Grant.valid_to).is_(None), col(Grant.valid_to) > last_day),
    )
    handed_on_first = over.order_by(col(Grant.parent_id).is_(None), col(Grant.id))
    for grant in session.exec(handed_on_first.with_for_update()).all():
        _cut(session, grant, last_day)


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
        ensure_armer_holds(session, actor, account.armed_by, rights, unit, role)
    if grant is None:
        now = utc_now()
        grant = Grant(
            account_id=account.id,
            unit_id=post.unit_id,
            role=role,
            valid_from=post.valid_from,
            granted_by=actor.account_id,
            appointment_id=post.id,
            created_at=now,
            updated_at=now,
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
