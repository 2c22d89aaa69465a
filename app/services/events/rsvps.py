"""Answers to invitations (RSVP): given by the member, or entered by a cadre for her.

An answer is an intention and never an attendance: nothing here is read when people are counted.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.errors import Problem, invalid, not_found
from app.models.base import Uuid
from app.models.events.events import EventState, SessionState, UnitRole
from app.models.events.rsvps import (
    OwnRsvp,
    OwnRsvpRead,
    Rsvp,
    RsvpAnswer,
    RsvpCount,
    RsvpQuery,
    RsvpRead,
    RsvpSet,
)
from app.models.groups.groups import Participation
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitClosure, UnitLevel
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.services.events.scope import see_session, units_of
from app.services.groups import groups
from app.services.kernel.access import (
    Actor,
    Db,
    Expected,
    ensure,
    ensure_revision,
    require_somewhere,
    visible,
)
from app.services.kernel.keyset import Order, Pages, pages
from app.services.members import persons
from app.services.members.own import own_id
from app.services.units.units import valid_on

_READ = sa.select(
    *(
        col(Member.full_name) if name == "full_name" else getattr(Rsvp, name)
        for name in RsvpRead.model_fields
    )
).join(Member, col(Member.id) == col(Rsvp.member_id))

# -- answering


def answer_own(
    session: Session, actor: Actor, session_id: UUID, body: OwnRsvp, expected: Expected = None
) -> dict[str, Any]:
    """Her own answer to a session that invites a unit of hers, until it was held."""
    member_id = own_id(actor)
    sitting = see_session(session, actor, session_id)
    rsvp = _answer(session, actor, sitting, member_id, body, expected, pointer="")
    return {name: getattr(rsvp, name) for name in OwnRsvpRead.model_fields}


def own(db: Db, actor: Actor, session_id: UUID) -> dict[str, Any]:
    """Her answer; 404 when there is none."""
    see_session(db, actor, session_id)
    statement = sa.select(*(getattr(Rsvp, name) for name in OwnRsvpRead.model_fields)).where(
        col(Rsvp.session_id) == session_id, col(Rsvp.member_id) == own_id(actor)
    )
    row = db.execute(statement).one_or_none()
    if row is None:
        raise not_found()
    return dict(row._mapping)


def answer_for(
    session: Session, actor: Actor, session_id: UUID, body: RsvpSet, expected: Expected = None
) -> dict[str, Any]:
    """Enter a member's answer, by an officer who may write events in a unit of hers."""
    sitting = see_session(session, actor, session_id)
    # Locked alone from the start: two requests with shared locks on her would wait for each other.
    person = persons.find_member(session, actor, body.member_id, pointer="/member_id", alone=True)
    ensure(session, actor, Right.events_write, person, seen_with=Right.members_read)
    rsvp = _answer(session, actor, sitting, person.id, body, expected, pointer="/member_id")
    row = session.execute(_READ.where(col(Rsvp.id) == rsvp.id)).one()
    return dict(row._mapping)


def id_of(db: Db, session_id: UUID, member_id: UUID) -> UUID | None:
    """A member's answer to a session, once there is one."""
    statement = sa.select(col(Rsvp.id)).where(
        col(Rsvp.session_id) == session_id, col(Rsvp.member_id) == member_id
    )
    return db.execute(statement).scalar_one_or_none()


def _answer(
    session: Session,
    actor: Actor,
    sitting: Any,
    member_id: UUID,
    body: OwnRsvp,
    expected: Expected,
    *,
    pointer: str,
) -> Rsvp:
    # Of two answers at once one comes second and changes the first.
    person = persons.lock_alone(session, member_id)
    if sitting.event_state is EventState.draft:
        raise Problem("event_state", status=sitting.event_state)
    if sitting.state is not SessionState.planned:
        raise Problem("session_state", status=sitting.state)
    _ensure_invited(session, sitting, person, pointer)
    existing = session.exec(
        select(Rsvp).where(col(Rsvp.session_id) == sitting.id, col(Rsvp.member_id) == member_id)
    ).one_or_none()
    ensure_revision(0 if existing is None else existing.revision, expected)
    now = utc_now()
    rsvp = existing or Rsvp(
        session_id=sitting.id,
        member_id=member_id,
        province_id=person.province_id,
        branch_id=person.branch_id,
        answer=body.answer,
        by_herself=True,
        answered_at=now,
        created_at=now,
        updated_at=now,
    )
    by_herself = actor.member_id == member_id
    if existing is not None and (existing.answer, existing.reason, existing.by_herself) == (
        body.answer,
        body.reason,
        by_herself,
    ):
        return existing
    rsvp.province_id = person.province_id
    rsvp.commune_id = person.commune_id
    rsvp.branch_id = person.branch_id
    rsvp.answer = body.answer
    rsvp.reason = body.reason
    rsvp.by_herself = by_herself
    rsvp.answered_at = now
    session.add(rsvp)
    session.flush()
    return rsvp


def _ensure_invited(session: Session, sitting: Any, person: Any, pointer: str) -> None:
    """Whether she belongs to an invited unit, or takes part in an invited group."""
    invited = {
        unit.unit_id
        for unit in units_of(session, sitting.event_id)
        if unit.role is UnitRole.invited
    }
    hers = {person.province_id, person.commune_id, person.branch_id}
    if person.status in persons.IN_UNION and not invited.isdisjoint(hers):
        return
    if invited.isdisjoint(groups.ids_of_member(session, person.id, local_today())):
        raise invalid("not_invited", pointer)


# -- reading


def list_answers(db: Db, actor: Actor, session_id: UUID, query: RsvpQuery) -> Pages:
    """Answers of members I may see, in the order they were first given."""
    see_session(db, actor, session_id)
    require_somewhere(db, actor, Right.members_read)
    statement = _READ.where(
        col(Rsvp.session_id) == session_id, visible(Member, actor, Right.members_read)
    )
    if query.answer is not None:
        statement = statement.where(col(Rsvp.answer) == query.answer)
    if query.branch is not None:
        statement = statement.where(col(Member.branch_id) == query.branch)
    return pages(statement, Order(col(Rsvp.id)))


def of_ids(db: Db, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Answers as lists have them, in no order; the caller knows that the actor sees them."""
    return [dict(row._mapping) for row in db.execute(_READ.where(col(Rsvp.id).in_(ids)))]


def count(db: Db, actor: Actor, session_id: UUID) -> RsvpCount:
    """How many of those I may see have answered what, and how many are invited at all."""
    sitting = see_session(db, actor, session_id)
    require_somewhere(db, actor, Right.members_read)
    day = min(sitting.local_date, local_today())
    roster = invited_members(db, sitting.event_id, day).subquery("roster")
    statement = (
        sa.select(col(Rsvp.answer), sa.func.count())
        .join(Member, col(Member.id) == col(Rsvp.member_id))
        # Whoever has died or left since comes no more, whatever the answer was.
        .where(
            col(Rsvp.session_id) == session_id,
            col(Rsvp.member_id).in_(
                sa.select(sa.literal_column("roster.member_id", Uuid)).select_from(roster)
            ),
            visible(Member, actor, Right.members_read),
        )
        .group_by(col(Rsvp.answer))
    )
    given = {row[0]: row[1] for row in db.execute(statement)}
    invited = _invited(db, actor, sitting.event_id, day)
    answers = {answer.value: given.get(answer, 0) for answer in RsvpAnswer}
    return RsvpCount(
        session_id=session_id,
        local_date=sitting.local_date,
        **answers,
        invited=invited,
        unanswered=max(invited - sum(answers.values()), 0),
    )


def _invited(db: Db, actor: Actor, event_id: UUID, day: Any) -> int:
    """People of the invited units on a day, each once, in my scope as it is today."""
    return db.execute(
        sa.select(sa.func.count())
        .select_from(invited_members(db, event_id, day).subquery("roster"))
        .join(Member, col(Member.id) == sa.literal_column("roster.member_id", Uuid))
        .where(visible(Member, actor, Right.members_read))
    ).scalar_one()


def invited_members(db: Db, event_id: UUID, day: Any) -> Any:
    """A statement: `member_id` of everybody in the invited units on a day, each once."""
    invited = [unit for unit in units_of(db, event_id) if unit.role is UnitRole.invited]
    group_ids = [unit.unit_id for unit in invited if unit.level is UnitLevel.group]
    unit_ids = [unit.unit_id for unit in invited if unit.level is not UnitLevel.group]
    branches = (
        sa.select(col(UnitClosure.descendant_id))
        .join(Unit, col(Unit.id) == col(UnitClosure.descendant_id))
        .where(
            col(UnitClosure.ancestor_id).in_(unit_ids),
            col(Unit.level) == UnitLevel.branch,
            valid_on(UnitClosure, day),
        )
    )
    members = sa.select(col(Membership.member_id)).where(
        col(Membership.branch_id).in_(branches),
        col(Membership.annulled_at).is_(None),
        valid_on(Membership, day),
    )
    participants = sa.select(col(Participation.member_id)).where(
        col(Participation.group_id).in_(group_ids), valid_on(Participation, day)
    )
    return sa.union(members, participants)
