"""Files of exports go when their time is over, and sooner where somebody in them is erased.

An export that is being made has no `ready_at`; with `expires_at` it is no good any more.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.models.exports.exports import BulkExport, ExportFile
from app.models.kernel.changes import ChangeSource
from app.services.exports.orders import ENTITY
from app.services.files import stored
from app.services.kernel import changes
from app.services.kernel.holdings import Forgotten, Person

# How long the files are kept.
KEPT: Final = timedelta(hours=24)
_CHUNK: Final = 100


def begin(session: Session, export_id: UUID) -> None:
    """It is made from what is there from now on."""
    this = sa.update(BulkExport).where(col(BulkExport.id) == export_id)
    session.connection().execute(this.values(expires_at=None))


def end(session: Session, export_id: UUID, position: list[Any], now: datetime) -> bool:
    """It is ready; false where somebody was erased since it began."""
    this = (col(BulkExport.id) == export_id, col(BulkExport.expires_at).is_(None))
    ready = {"position": position, "ready_at": now, "expires_at": now + KEPT}
    return (
        session.connection().execute(sa.update(BulkExport).where(*this).values(ready)).rowcount == 1
    )


def forget_expired(session: Session) -> int:
    """Delete the files of exports that are over; returns of how many."""
    changes.attribute(session, changes.Origin(ChangeSource.job, source_ref="exports"))
    over = col(BulkExport.expires_at) <= utc_now()
    return _give_up(session, over, _CHUNK)


def forget_about(session: Session, people: Sequence[Person]) -> Forgotten:
    """Delete the files of all exports: nothing says who is in one, and each can be made anew. Those
    that are being made begin again: marked first, since one of them may be ready in between."""
    if people:
        making = sa.update(BulkExport).where(col(BulkExport.ready_at).is_(None))
        session.connection().execute(making.values(expires_at=utc_now()))
    return {ExportFile: _give_up(session, sa.true(), None) if people else 0}


def _give_up(session: Session, which: sa.ColumnElement[bool], most: int | None) -> int:
    has_files = sa.exists().where(col(ExportFile.export_id) == col(BulkExport.id))
    found = sa.select(col(BulkExport.id)).where(which, has_files).limit(most).with_for_update()
    ids = list(session.execute(found).scalars())
    for export_id in ids:
        stored.give_up_all(session, ENTITY, export_id)
    session.execute(sa.delete(ExportFile).where(col(ExportFile.export_id).in_(ids)))
    session.execute(
        sa.update(BulkExport).where(col(BulkExport.id).in_(ids)).values(expires_at=utc_now())
    )
    return len(ids)
