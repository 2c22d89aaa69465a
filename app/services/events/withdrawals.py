"""Units that an event had or had invited and does so no more, so that phones learn what to drop."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.events.events import Event, EventState, EventUnit, EventWithdrawal, UnitRole
from app.services.kernel.tracking import PATH

_COLUMNS = ("event_id", "unit_id", *PATH)


def keep(session: Session, event: Event, named: Collection[tuple[UnitRole, int]]) -> None:
    """Keep the units of the event that are no more what they were, before their rows go. One that hosts
    it still and has withdrawn the invitation of its own units is kept: they do not see what it hosts.
    Those that are invited again are kept no longer. Whom a draft invited never had it."""
    hosts, invited = (
        [unit_id for role, unit_id in named if role is of]
        for of in (UnitRole.host, UnitRole.invited)
    )
    kept = col(EventWithdrawal.event_id) == event.id
    session.execute(
        sa.delete(EventWithdrawal).where(kept, col(EventWithdrawal.unit_id).in_(invited))
    )
    is_host = col(EventUnit.role) == UnitRole.host
    stays = sa.or_(
        col(EventUnit.unit_id).in_(invited), sa.and_(is_host, col(EventUnit.unit_id).in_(hosts))
    )
    had = is_host if event.state is EventState.draft else sa.true()
    known = sa.select(col(EventWithdrawal.unit_id)).where(kept)
    leaving = (
        sa.select(*(getattr(EventUnit, name) for name in _COLUMNS))
        .distinct()
        .where(
            col(EventUnit.event_id) == event.id,
            had,
            ~stays,
            col(EventUnit.unit_id).not_in(known),
        )
    )
    session.execute(sa.insert(EventWithdrawal).from_select(_COLUMNS, leaving))
