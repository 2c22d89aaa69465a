"""Names of units beside their ids, looked up once a file."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect, Database, chunks
from app.models.kernel.units import Unit
from app.services.kernel.headings import UNIT_NAMES


class UnitNames:
    """Fills in the names of the units that rows name by their ids. `columns` are those of a file."""

    def __init__(self, database: Database, columns: Iterable[str]) -> None:
        wanted = set(columns)
        self._columns = {of: name for of, name in UNIT_NAMES.items() if {of, name} <= wanted}
        self._database = database
        self._names: dict[int, str] = {}

    def beside(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        wanted = [(of, name) for of, name in self._columns.items() if rows and name not in rows[0]]
        if not wanted:
            return rows
        self._look_up({row[of] for row in rows for of, _ in wanted} - {None} - self._names.keys())
        return [{**row, **{name: self._names.get(row[of]) for of, name in wanted}} for row in rows]

    def _look_up(self, ids: set[int]) -> None:
        if not ids:
            return
        with self._database.reading() as db:
            for some in chunks(sorted(ids)):
                names: AnySelect = sa.select(col(Unit.id), col(Unit.name)).where(
                    col(Unit.id).in_(some)
                )
                self._names |= {row.id: row.name for row in db.execute(names)}
