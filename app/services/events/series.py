"""Sessions by a rule: those it gives are made, and what it no longer gives is taken away.

A session stays itself when the rule changes: it is paired with one of the new starts, with its
answers, and what people did to it alone (cancelled, moved, another place) is kept.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_day, utc_now
from app.models.events.events import (
    Event,
    EventSession,
    EventState,
    SessionCreate,
    SessionState,
)
from app.models.events.rsvps import Rsvp
from app.models.events.sessions import Generated, GivenSession, Recurrence
from app.services.events import notices, pictures, rooms, sessions
from app.services.events.notices import EventNotice
from app.services.events.recurrence import Frequency, Occurrences
from app.services.events.scope import access_event
from app.services.kernel.access import Actor

_SHARED = ("mode", "place", "join_url", "late_after", "online_minutes")
_PERIODS: dict[Frequency, Callable[[datetime], Any]] = {
    Frequency.daily: local_day,
    Frequency.weekly: lambda start: local_day(start).isocalendar()[:2],
    Frequency.monthly: lambda start: (local_day(start).year, local_day(start).month),
    Frequency.yearly: lambda start: local_day(start).year,
}


def repeat(session: Session, actor: Actor, event_id: UUID, rule: Occurrences) -> Generated:
    """Make the sessions of a rule the event's; the same rule again changes nothing.

    Sessions to come that it does not give are deleted from a draft, and cancelled otherwise.
    """
    event = access_event(session, actor, event_id)
    sessions.ensure_not_over(event)
    change = _Change(rule, event.recurrence)
    change.pair(sessions.of_event(session, event.id))
    made = [_made(event, rule.given, start) for start in change.unpaired]
    _drop(session, event, change)
    change.apply()
    session.flush()
    sessions.follow_times(session, event, change.moved)
    if made:
        sessions.add_made(session, event, made, "/rule")
    else:
        sessions.renumber(session, event.id)
    event.recurrence = rule.given.model_dump(mode="json")
    session.flush()
    if made or change.moved or change.gone or change.restored:
        notices.tell_of_event(session, actor, event, EventNotice.event_changed)
    return _told(session, event, change, created=len(made))


def _made(event: Event, given: Recurrence, start: datetime) -> EventSession:
    body = SessionCreate.model_construct(
        id=None,
        title=None,
        starts_at=start,
        ends_at=start + _lasts(given),
        **given.model_dump(include=set(_SHARED)),
    )
    made = sessions.new_session(event, body, "")
    made.generated_for = start
    return made


def _lasts(given: Recurrence) -> timedelta:
    return given.ends_at - given.starts_at


@dataclass
class _Change:
    """What a rule means for the sessions that are there."""

    rule: Occurrences
    stored: dict[str, Any] | None
    pairs: list[tuple[EventSession, datetime]] = field(default_factory=list)
    taken_in: int = 0
    gone: list[EventSession] = field(default_factory=list)
    moved: list[EventSession] = field(default_factory=list)
    restored: int = 0
    unpaired: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.before = None if self.stored is None else Recurrence.model_validate(self.stored)
        self.now = utc_now()

    def pair(self, there: Sequence[EventSession]) -> None:
        """Pair sessions with starts: at the same moment, on the same day, and where it still is by
        the week, month or year, in the same one."""
        self.unpaired = list(self.rule.starts)
        entered = [sitting for sitting in sessions.counted(there) if sitting.generated_for is None]
        rest = [sitting for sitting in there if sitting.generated_for is not None]
        rest = self._match(rest, lambda start: start)
        rest = self._match(rest, local_day)
        self.taken_in = len(entered) - len(self._match(entered, lambda start: start))
        if self.before is not None and f"FREQ={self.rule.frequency}" in self.before.rule:
            open_ = [sitting for sitting in rest if self.may_change(sitting)]
            left = self._match(open_, _PERIODS[self.rule.frequency])
            rest = [sitting for sitting in rest if sitting in left or sitting not in open_]
        self.gone = [sitting for sitting in rest if self.may_change(sitting)]

    def _match(
        self, candidates: Iterable[EventSession], key: Callable[[datetime], Any]
    ) -> list[EventSession]:
        """Pair those of one key in their order; those that are left."""
        left = []
        for sitting in candidates:
            own = key(sitting.generated_for or sitting.starts_at)
            start = next((each for each in self.unpaired if key(each) == own), None)
            if start is None:
                left.append(sitting)
            else:
                self.unpaired.remove(start)
                self.pairs.append((sitting, start))
        return left

    def may_change(self, sitting: EventSession) -> bool:
        """It is still to come."""
        open_ = sitting.state in (SessionState.planned, SessionState.cancelled)
        return open_ and sitting.starts_at >= self.now

    def apply(self) -> None:
        for sitting, start in self.pairs:
            by_hand = sitting.generated_for is None
            if by_hand:
                sitting.generated_for = sitting.starts_at
            elif self.may_change(sitting):
                self._follow(sitting, start)

    def _follow(self, sitting: EventSession, start: datetime) -> None:
        """The new rule, but where somebody has changed this session alone."""
        given, before = self.rule.given, self.before or self.rule.given
        for name in _SHARED:
            if getattr(sitting, name) == getattr(before, name):
                setattr(sitting, name, getattr(given, name))
        lasts = sitting.ends_at - sitting.starts_at
        lasts = _lasts(given) if lasts == _lasts(before) else lasts
        if sitting.starts_at == sitting.generated_for != start:
            sitting.starts_at, sitting.local_date = start, local_day(start)
            self.moved.append(sitting)
        sitting.ends_at = sitting.starts_at + lasts
        sitting.generated_for = start
        if sitting.cancelled_by_rule:
            sitting.state, sitting.reason = SessionState.planned, None
            sitting.cancelled_by_rule = False
            self.restored += 1


def _drop(session: Session, event: Event, change: _Change) -> None:
    """Those of `gone` that are cancelled already stay as they are."""
    change.gone = [each for each in change.gone if each.state is SessionState.planned]
    if event.state is EventState.draft:
        # The foreign keys would delete what is in them past the change log.
        gone = [sitting.id for sitting in change.gone]
        pictures.forget(session, gone)
        rooms.forget(session, gone)
    for sitting in change.gone:
        if event.state is EventState.draft:
            session.delete(sitting)
        else:
            sitting.state, sitting.cancelled_by_rule = SessionState.cancelled, True
            sitting.reason = "Đổi lịch lặp lại"
    session.flush()


def _told(session: Session, event: Event, change: _Change, *, created: int) -> Generated:
    there = sessions.of_event(session, event.id)
    of_rule = [sitting for sitting in there if sitting.generated_for in set(change.rule.starts)]
    draft = event.state is EventState.draft
    return Generated(
        rule=change.rule.given.rule,
        sessions=len(sessions.counted(of_rule)),
        created=created,
        taken_in=change.taken_in,
        kept=len(change.pairs) - len(change.moved) - change.taken_in - change.restored,
        moved=len(change.moved),
        restored=change.restored,
        removed=len(change.gone) if draft else 0,
        cancelled=0 if draft else len(change.gone),
        still_cancelled=[_given(each) for each in of_rule if not sessions.counted([each])],
        still_moved=[
            _given(each)
            for each in sessions.counted(of_rule)
            if each.starts_at != each.generated_for
        ],
        answers_moved=_answers(session, change.moved),
        answers_left=0 if draft else _answers(session, change.gone),
        beside=len(sessions.counted(there)) - len(sessions.counted(of_rule)),
        cut_after=local_day(change.rule.starts[-1]) if change.rule.cut else None,
    )


def _given(sitting: EventSession) -> GivenSession:
    return GivenSession(
        session_id=sitting.id,
        rule_starts_at=sitting.generated_for or sitting.starts_at,
        starts_at=sitting.starts_at,
    )


def _answers(session: Session, sittings: Iterable[EventSession]) -> int:
    ids = [sitting.id for sitting in sittings]
    statement = sa.select(sa.func.count()).where(col(Rsvp.session_id).in_(ids))
    found: int = session.execute(statement).scalar_one()
    return found
