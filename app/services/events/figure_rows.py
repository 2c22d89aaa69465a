"""What figures count of events: the sessions that took place."""

from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import AnySelect
from app.models.events.events import Event, EventSession, EventUnit, SessionState, UnitRole
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.services.figures import stale
from app.services.kernel.offers import Day, FigureRows
from app.statements import DaysBetween

TOOK_PLACE = (SessionState.held, SessionState.closed)
# What is marked where an event has other hosts: the log has it where its first host is.
EVENT_HOSTS: Final = "event_hosts"


def mark_hosts(session: Session, event_id: UUID) -> None:
    """Before and after the units of the event change."""
    hosts = sa.select(col(EventUnit.unit_id)).where(
        col(EventUnit.event_id) == event_id, col(EventUnit.role) == UnitRole.host
    )
    stale.mark(session, EVENT_HOSTS, session.execute(hosts).scalars())


def _sessions(first: Day, last: Day) -> AnySelect:
    return (
        sa.select(
            col(EventSession.host_id).label("unit_id"),
            col(EventSession.event_id).label("key"),
            col(EventSession.id).label("row_id"),
            col(EventSession.local_date).label("day"),
            sa.func.coalesce(col(EventSession.title), col(Event.title)).label("title"),
            col(EventSession.mode),
        )
        .join(Event, col(Event.id) == col(EventSession.event_id))
        .where(
            col(EventSession.state).in_(TOOK_PLACE),
            col(EventSession.local_date).between(first, last),
        )
    )


def _others(first: date, last: date) -> AnySelect:
    """Those of the period that did not take place, or not yet, by their state."""
    return sa.select(
        col(EventSession.host_id).label("unit_id"),
        sa.cast(col(EventSession.state), sa.String).label("reason"),
    ).where(
        col(EventSession.state).not_in(TOOK_PLACE),
        col(EventSession.local_date).between(first, last),
    )


def _branches(_: Day, last: Day) -> AnySelect:
    """Branches that stand on the day, with the days since the last session they held: since they
    were opened, where there was none."""
    held = (
        sa.select(sa.func.max(col(EventSession.local_date)))
        .join(EventUnit, col(EventUnit.event_id) == col(EventSession.event_id))
        .where(
            col(EventUnit.unit_id) == col(Unit.id),
            col(EventUnit.role) == UnitRole.host,
            col(EventSession.state).in_(TOOK_PLACE),
            col(EventSession.local_date) <= last,
        )
        .scalar_subquery()
    )
    since = sa.func.coalesce(held, col(Unit.opened_on))
    return sa.select(
        col(Unit.id).label("unit_id"),
        col(Unit.id).label("key"),
        col(Unit.id).label("row_id"),
        held.label("day"),
        col(Unit.name).label("title"),
        DaysBetween(last, since).label("days_without"),
    ).where(
        col(Unit.level) == UnitLevel.branch,
        col(Unit.opened_on) <= last,
        sa.or_(col(Unit.closed_on).is_(None), col(Unit.closed_on) >= last),
    )


def _hosts_of(session_ids: Sequence[UUID]) -> AnySelect:
    """Of the events of these sessions."""
    hosts: AnySelect = sa.select(col(EventUnit.unit_id)).distinct()
    return hosts.join(EventSession, col(EventSession.event_id) == col(EventUnit.event_id)).where(
        col(EventSession.id).in_(session_ids), col(EventUnit.role) == UnitRole.host
    )


FIGURES: Final = (
    FigureRows(
        name="branches",
        entity="unit",
        right=Right.events_read,
        select=_branches,
        rolled_up={"unit": None, "event_session": _hosts_of, EVENT_HOSTS: None},
        once=True,
    ),
    FigureRows(
        name="sessions",
        entity="event",
        right=Right.events_read,
        select=_sessions,
        excluded=_others,
        rolled_up={"event_session": None, EVENT_HOSTS: None},
    ),
)
