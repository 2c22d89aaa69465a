"""Units that were of an event and are so no more, so that their phones learn what to drop."""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.events.events import EventUnit, EventWithdrawal
from app.services.kernel.tracking import PATH

_COLUMNS = ("event_id", "unit_id", *PATH)


def keep(session: Session, event_id: UUID, staying: Collection[int]) -> None:
    """Keep the units of the event that are not among those that stay: before their rows go. Those that
    are of it again are kept no longer."""
    kept = col(EventWithdrawal.event_id) == event_id
    session.execute(
        sa.delete(EventWithdrawal).where(kept, col(EventWithdrawal.unit_id).in_(staying))
    )
    known = sa.select(col(EventWithdrawal.unit_id)).where(kept)
    leaving = (
        sa.select(*(getattr(EventUnit, name) for name in _COLUMNS))
        .distinct()
        .where(
            col(EventUnit.event_id) == event_id,
            col(EventUnit.unit_id).not_in([*staying]),
            col(EventUnit.unit_id).not_in(known),
        )
    )
    session.execute(sa.insert(EventWithdrawal).from_select(_COLUMNS, leaving))
