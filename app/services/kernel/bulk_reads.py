"""Who was shown the records of whole units at once: one note for an export, not one a record."""

from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass
from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session

from app.db import insert_many
from app.models.kernel.access_log import BulkRead


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkReading:
    """An account was shown records as they were when the log had come to `seq`."""

    export_id: UUID
    account_id: UUID
    day: date
    at: datetime
    seq: int


def note(session: Session, reading: BulkReading, shown: Mapping[tuple[int, str], Set[str]]) -> None:
    """By unit and entity, which sensitive fields of those that stood in the unit were shown."""
    rows = [
        {**asdict(reading), "unit_id": unit_id, "entity": entity, "fields": ",".join(sorted(names))}
        for (unit_id, entity), names in shown.items()
    ]
    insert_many(session, BulkRead, rows)
