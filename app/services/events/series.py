"""Sessions by a rule: those it yields are added, and what it no longer yields is taken away."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session

from app.clock import utc_now
from app.models.events.events import (
    Event,
    EventSession,
    EventState,
    SessionCreate,
    SessionState,
)
from app.models.events.sessions import (
    Generated,
    Recurrence,
)
from app.services.events import recurrence
from app.services.events.scope import (
    access_event,
)
from app.services.events.sessions import (
    MOST_SESSIONS,
    add_made,
    ensure_not_over,
    new_session,
    of_event,
    renumber,
    too_many,
)
from app.services.kernel.access import Actor


def repeat(session: Session, actor: Actor, event_id: UUID, body: Recurrence) -> Generated:
    """Create the sessions of a rule.

    Future sessions of an earlier rule that the new one does not give are deleted from a draft, and
    cancelled otherwise. The same rule again changes nothing.
    """
    event = access_event(session, actor, event_id)
    ensure_not_over(event)
    starts = recurrence.starts(body.rule, body.starts_at)
    if len(starts) > MOST_SESSIONS:
        raise too_many("/rule")
    lasts = body.ends_at - body.starts_at
    shared = body.model_dump(include={"mode", "place", "join_url", "late_after", "online_minutes"})
    there = {
        sitting.generated_for: sitting
        for sitting in of_event(session, event.id)
        if sitting.generated_for is not None
    }
    gone = [sitting for start, sitting in there.items() if start not in set(starts)]
    removed, cancelled = _drop(session, event, gone)
    new = [start for start in starts if start not in there]
    made = [
        new_session(
            event,
            SessionCreate.model_construct(
                id=None, title=None, starts_at=start, ends_at=start + lasts, **shared
            ),
            "",
        )
        for start in new
    ]
    for sitting in made:
        sitting.generated_for = sitting.starts_at
    if made:
        add_made(session, event, made, "/rule")
    else:
        renumber(session, event.id)
    event.recurrence = body.model_dump(mode="json")
    session.flush()
    return Generated(
        rule=body.rule,
        created=len(made),
        kept=len(starts) - len(made),
        removed=removed,
        cancelled=cancelled,
    )


def _drop(session: Session, event: Event, gone: Sequence[EventSession]) -> tuple[int, int]:
    now, removed, cancelled = utc_now(), 0, 0
    for sitting in gone:
        if sitting.state is not SessionState.planned or sitting.starts_at < now:
            continue
        if event.state is EventState.draft:
            session.delete(sitting)
            removed += 1
        else:
            sitting.state = SessionState.cancelled
            sitting.cancelled_reason = "Đổi lịch lặp lại"
            cancelled += 1
    session.flush()
    return removed, cancelled
