"""What follows from captures: who was meant, what is doubtful, who was there."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.errors import Problem
from app.models.attendance.attendance import (
    AttendanceOutcome,
    Capture,
    CaptureKind,
    CaptureState,
    Flag,
)
from app.models.events.events import EventState, Room, SessionState
from app.services.attendance import facts
from app.services.attendance.drafts import (
    LONG_BEFORE,
    Draft,
)
from app.services.attendance.facts import Sitting, Values
from app.services.attendance.people import by_name, known, valid_cards
from app.services.kernel.access import Actor
from app.services.kernel.device_clocks import is_wrong


def settle(session: Session, actor: Actor, sitting: Sitting, drafts: Sequence[Draft]) -> None:
    """Who is meant, what is unusual, and the facts that follow: no draft is stored here."""
    for draft in drafts:
        _flag(sitting, draft)
    _check_rooms(session, sitting, drafts)
    _identify(session, actor, sitting, [draft for draft in drafts if draft.problem is None])
    _conclude(session, sitting, [draft for draft in drafts if draft.counts and draft.person])


def _flag(sitting: Sitting, draft: Draft) -> None:
    unusual = {
        Flag.late: draft.received_at > sitting.ends_at,
        Flag.after_close: sitting.state is SessionState.closed,
        Flag.cancelled: SessionState.cancelled is sitting.state
        or sitting.event_state is EventState.cancelled,
        Flag.before_start: draft.happened_at < sitting.starts_at - LONG_BEFORE,
        Flag.came_late: sitting.late_after is not None
        and draft.happened_at > sitting.starts_at + timedelta(minutes=sitting.late_after),
        Flag.skewed: is_wrong(draft.occurred_at, draft.skew, draft.received_at),
    }
    draft.flags |= {flag for flag, holds in unusual.items() if holds}


def _check_rooms(session: Session, sitting: Sitting, drafts: Sequence[Draft]) -> None:
    """Flag a room that is not one of the session's, and drop it."""
    if all(draft.room_id is None for draft in drafts):
        return
    rooms = set(
        session.execute(sa.select(col(Room.id)).where(col(Room.session_id) == sitting.id)).scalars()
    )
    for draft in drafts:
        if draft.room_id is not None and draft.room_id not in rooms:
            draft.room_id = None
            draft.flags.add(Flag.room_unknown)


def _identify(session: Session, actor: Actor, sitting: Sitting, drafts: Sequence[Draft]) -> None:
    _check_cards(session, drafts)
    _find_names(session, sitting, drafts)
    named = [draft for draft in drafts if draft.problem is None and draft.member_id is not None]
    proven = {draft.member_id for draft in named if draft.card_id or draft.by_herself}
    people = known(
        session,
        actor,
        sitting,
        {draft.member_id for draft in named if draft.member_id},
        {member_id for member_id in proven if member_id},
    )
    for draft in named:
        draft.person = people.get(draft.member_id) if draft.member_id else None
        if draft.person is None:
            _leave_open(draft, Flag.member_unknown)
        else:
            draft.flags |= draft.person.flags


def _check_cards(session: Session, drafts: Sequence[Draft]) -> None:
    cards = valid_cards(session, {draft.card_id for draft in drafts if draft.card_id})
    for draft in drafts:
        if draft.card_id is None:
            continue
        card = cards.get(draft.card_id)
        if card is None or card.member_id != draft.member_id:
            draft.problem = Problem("code_unknown")
        elif card.revoked_at is not None and card.revoked_at <= draft.happened_at:
            draft.problem = Problem("code_revoked")


def _find_names(session: Session, sitting: Sitting, drafts: Sequence[Draft]) -> None:
    open_ = [
        draft for draft in drafts if draft.name and not draft.is_guest and draft.member_id is None
    ]
    found = by_name(session, sitting, [draft.name for draft in open_ if draft.name])
    for draft in open_:
        matches = found[draft.name or ""]
        if len(matches) == 1:
            draft.member_id = matches[0]
        else:
            _leave_open(draft, Flag.ambiguous if matches else Flag.member_unknown)


def _leave_open(draft: Draft, why: Flag) -> None:
    draft.state = CaptureState.pending_identity
    draft.outcome = AttendanceOutcome.pending_identity
    draft.flags.add(why)


def _conclude(session: Session, sitting: Sitting, drafts: Sequence[Draft]) -> None:
    """Facts of these captures, all of members: the earliest of each, and what each capture made."""
    short = _too_short(session, sitting, drafts)
    earliest: dict[UUID, Draft] = {}
    for draft in drafts:
        if draft.id in short:
            draft.flags.add(Flag.too_short)
            continue
        assert draft.member_id is not None  # noqa: S101  # it has a person
        other = earliest.get(draft.member_id)
        if other is None or _order(draft) < _order(other):
            earliest[draft.member_id] = draft
    new, seen = facts.add(session, [_fact(sitting, draft) for draft in earliest.values()])
    for draft in sorted(drafts, key=lambda draft: draft.at):
        if draft.id in short or draft.member_id is None:
            continue
        draft.outcome = (
            AttendanceOutcome.new if draft.member_id in new else AttendanceOutcome.already
        )
        new.discard(draft.member_id)
        draft.seen_at = seen[draft.member_id]


def _order(draft: Draft) -> tuple[datetime, UUID]:
    return draft.happened_at, draft.id


def _fact(sitting: Sitting, draft: Draft) -> Values:
    assert draft.member_id is not None and draft.person is not None  # noqa: S101, PT018  # only captures that name somebody make facts
    told = {
        "mode": facts.MODES[draft.kind],
        "room_id": draft.room_id,
        "attended_at": draft.happened_at,
        "capture_id": draft.id,
    }
    return facts.fact(sitting, draft.member_id, draft.person.place, told)


def _too_short(session: Session, sitting: Sitting, drafts: Sequence[Draft]) -> set[UUID]:
    """Online captures of people who were not online long enough, all their times added up."""
    if sitting.online_minutes is None:
        return set()
    online = [draft for draft in drafts if draft.kind is CaptureKind.online]
    minutes: dict[UUID | None, list[int | None]] = {draft.member_id: [] for draft in online}
    for member_id, before in session.execute(
        sa.select(col(Capture.member_id), col(Capture.minutes)).where(
            col(Capture.session_id) == sitting.id,
            col(Capture.member_id).in_([each for each in minutes if each]),
            col(Capture.kind) == CaptureKind.online,
            col(Capture.state) == CaptureState.stored,
        )
    ):
        minutes[member_id].append(before)
    for draft in online:
        minutes[draft.member_id].append(draft.minutes)
    return {
        draft.id for draft in online if not facts.online_enough(sitting, minutes[draft.member_id])
    }
