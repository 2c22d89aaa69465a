"""Posts end with a membership, a stay in a branch, a unit. Tokens in use know of it within 5 seconds."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today
from app.db import chunks
from app.models.cadres.appointments import (
    Appointment,
    EndReason,
)
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit
from app.models.members.spells import Left
from app.services.identity import accounts, grants, sessions
from app.services.kernel.access import Db
from app.services.kernel.actors import reach_of
from app.services.kernel.reach import Reach
from app.services.kernel.tracking import PATH
from app.services.members import persons
from app.services.members.following import Ending
from app.services.units.followers import Concerned, Handover, count_of
from app.services.units.rows import find_many, unit_of

_DAY = timedelta(days=1)
_WHY = {
    None: EndReason.mistake,
    Left.transfer: EndReason.transferred,
    Left.departure: EndReason.left_union,
    Left.death: EndReason.deceased,
}


def follow_ending(session: Session, ending: Ending) -> None:
    """End every post of a member, and all grants of her account.

    She may still read her own record; after her death the account is disabled.
    """
    member_id, reason = ending.member_id, _WHY[ending.by]
    account = accounts.hold_of_member(session, member_id)
    _end_those(session, col(Appointment.member_id) == member_id, ending.on, reason)
    if account is None:
        return
    grants.end_all_of(session, account.id, ending.on - _DAY)
    if reason is EndReason.deceased:
        sessions.shut_out(session, account)
    else:
        grants.void_code(session, account, _branch_of(session, member_id))


def end_in_branch(
    session: Session, member_id: UUID, branch_id: int, on: date, reason: EndReason
) -> None:
    """End what a member held in the branch she has moved out of; she is in another already.

    Where that is in another commune (district, province), what she held in the old one ends with
    what she held in the branch; the officers of her new branch manage her account.
    """
    branch = _branch_of(session, member_id)
    left = _left(session, unit_of(session, branch_id), branch)
    account = accounts.hold_of_member(session, member_id)
    inside = sa.select(col(Unit.id)).where(left.predicate(Unit))
    hers = sa.and_(col(Appointment.member_id) == member_id, col(Appointment.unit_id).in_(inside))
    _end_those(session, hers, on, reason)
    if account is None:
        return
    grants.end_left(session, account.id, left, branch, on - _DAY)
    grants.void_code(session, account, branch)
    if left.contains(unit_of(session, account.unit_id)):
        accounts.hand_over(account, branch.id)
        session.flush()


def end_handed(session: Session, handover: Handover) -> None:
    """Who goes on in another branch, while hers stays, holds nothing in that one any more. What she
    holds above it is not touched: it is the branch that changed, not her."""
    for branch in find_many(session, handover.from_ids):
        if handover.only is None or branch.closed_on is not None:
            continue
        left, heir = reach_of(session, branch), unit_of(session, handover.to_id)
        inside = sa.select(col(Unit.id)).where(left.predicate(Unit))
        for chunk in chunks(sorted(handover.only.member_ids)):
            theirs = col(Appointment.member_id).in_(chunk)
            held = sa.and_(theirs, col(Appointment.unit_id).in_(inside))
            _end_those(session, held, handover.since, EndReason.reorganised)
            of_members = sa.select(col(Account.id)).where(col(Account.member_id).in_(chunk))
            for account_id in session.execute(of_members.order_by(col(Account.id))).scalars():
                grants.end_left(session, account_id, left, heir, handover.since - _DAY)


def _branch_of(session: Session, member_id: UUID) -> Unit:
    return unit_of(session, persons.lock(session, member_id).branch_id)


def _left(session: Session, old: Unit, new: Unit) -> Reach:
    """The largest unit that has the old branch below it and not the new one."""
    ids = ((getattr(old, name), getattr(new, name)) for name in PATH)
    largest = next((was for was, now in ids if was not in (None, now)), old.id)
    return reach_of(session, unit_of(session, largest))


def counts_in(db: Db, concerned: Concerned) -> dict[str, int]:
    """Posts and roles that end with their units."""
    today = local_today()

    def lasting(model: type[Any]) -> int:
        held = sa.or_(col(model.valid_to).is_(None), col(model.valid_to) >= today)
        return count_of(db, model.unit_id, concerned.closed, held)

    return {"posts_ending": lasting(Appointment), "grants_ending": lasting(Grant)}


def end_all_in(session: Session, unit_ids: Sequence[int], on: date) -> None:
    """Units have closed: from `on` nobody holds a post of one, nor any role over one."""
    # Before those of posts follow their posts: what ends with its unit reads the past of it.
    grants.end_over(session, unit_ids, on - _DAY)
    _end_those(session, col(Appointment.unit_id).in_(unit_ids), on, EndReason.reorganised)


def _end_those(
    session: Session, those: sa.ColumnElement[bool], on: date, reason: EndReason
) -> None:
    last = col(Appointment.valid_to)
    still_held = sa.or_(last.is_(None), sa.and_(last >= on, last >= col(Appointment.valid_from)))
    held = select(Appointment).where(those, still_held)
    posts = session.exec(held.order_by(col(Appointment.id)).with_for_update()).all()
    for post in posts:
        set_end(post, on, reason, None)
    session.flush()
    grants.cut_with(session, posts)


def set_end(post: Appointment, on: date, reason: EndReason, note: str | None) -> None:
    post.valid_to = max(on, post.valid_from) - _DAY
    post.reason, post.ended_note = reason, note
