"""What figures count of events: the sessions that took place."""

from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.events.events import Event, EventSession, SessionState
from app.models.kernel.access import Right
from app.services.kernel.offers import FigureRows

TOOK_PLACE = (SessionState.held, SessionState.closed)


def _sessions(first: date, last: date) -> AnySelect:
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


FIGURES: Final = (
    FigureRows(
        name="sessions",
        entity="event",
        right=Right.events_read,
        select=_sessions,
        excluded=_others,
    ),
)
