"""The change log as the fleet compares it: read on from where it was read last, and kept."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import Database
from app.models.kernel.changes import Change, Operation
from tests.helpers.client import writing

_COLUMNS = tuple(
    getattr(Change, name)
    for name in ("id", "at", "entity", "entity_id", "operation", "revision", "source_ref")
)


class Ledger:
    """What the log says of operations, of records, and of addresses of members."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.last: UUID | None = None
        self.of_operation: defaultdict[str, list[Any]] = defaultdict(list)
        self.of_record: defaultdict[str, list[Any]] = defaultdict(list)
        self.addresses: dict[str, str | None] = {}

    def read_on(self) -> None:
        for row in self._unread():
            self.last = row.id
            self.of_record[row.entity_id].append(row)
            if row.source_ref is not None:
                self.of_operation[row.source_ref].append(row)
            if row.operation is Operation.erased:  # in what the log said before, too
                self.addresses.pop(row.entity_id, None)
            elif row.entity == "member" and "address" in (row.after or {}):
                self.addresses[row.entity_id] = row.after["address"]

    def _unread(self) -> Sequence[Any]:
        statement = sa.select(*_COLUMNS, col(Change.before), col(Change.after))
        if self.last is not None:
            statement = statement.where(col(Change.id) > self.last)
        with writing(self.database) as session:
            return session.execute(statement.order_by(col(Change.id))).all()
