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
from app.models.files.files import StoredFile
from app.models.kernel.changes import ChangeSource
from app.models.kernel.jobs import Job
from app.services.exports.orders import ENTITY
from app.services.files import stored
from app.services.kernel import changes
from app.services.kernel.holdings import Forgotten, Person
from app.services.kernel.jobs import UNFINISHED

# How long the files are kept.
KEPT: Final = timedelta(hours=24)
_CHUNK: Final = 100


def begin(session: Session, export_id: UUID) -> bool:
    """It is made from what is there from now on, without the files of an attempt that was broken off.
    False where it is ready, or gone: nobody needs it made."""
    this = (col(BulkExport.id) == export_id, col(BulkExport.ready_at).is_(None))
    begun = sa.update(BulkExport).where(*this).values(expires_at=None)
    if session.connection().execute(begun).rowcount != 1:
        return False
    stored.give_up_all(session, ENTITY, export_id)
    return True


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
    return _give_up(session, sa.or_(over, _FAILED), _CHUNK)


_FAILED = sa.and_(
    col(BulkExport.ready_at).is_(None),
    ~sa.exists().where(col(Job.id) == col(BulkExport.job_id), col(Job.state).in_(UNFINISHED)),
)


def forget_about(session: Session, people: Sequence[Person]) -> Forgotten:
    """Delete the files of all exports: nothing says who is in one, and each can be made anew. Those
    that are being made begin again: marked first, since one of them may be ready in between."""
    if people:
        making = sa.update(BulkExport).where(col(BulkExport.ready_at).is_(None))
        session.connection().execute(making.values(expires_at=utc_now()))
    return {ExportFile: _give_up(session, sa.true(), None) if people else 0}


def _give_up(session: Session, which: sa.ColumnElement[bool], most: int | None) -> int:
    """Files that were written already by an export that is being made are among them."""
    has_files = sa.exists().where(
        col(StoredFile.used_by) == col(BulkExport.id), col(StoredFile.used_as) == ENTITY
    )
    found = sa.select(col(BulkExport.id)).where(which, has_files).limit(most).with_for_update()
    ids = list(session.execute(found).scalars())
    for export_id in ids:
        stored.give_up_all(session, ENTITY, export_id)
    session.execute(sa.delete(ExportFile).where(col(ExportFile.export_id).in_(ids)))
    session.execute(
        sa.update(BulkExport).where(col(BulkExport.id).in_(ids)).values(expires_at=utc_now())
    )
    return len(ids)
