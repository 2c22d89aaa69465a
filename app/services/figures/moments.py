"""A moment of the database: what several questions of one answer need of it is read once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.db import one_moment
from app.models.figures.rollups import FigureFold
from app.models.kernel.changes import FeedHead
from app.models.kernel.units import Unit, UnitEdge
from app.services.figures.series import Series
from app.services.figures.stale import Changed, changed
from app.services.kernel.access import Db


class Moment:
    def __init__(self, db: Db) -> None:
        self.db = db
        self._moves: dict[tuple[date, date], list[date]] = {}
        self._concerned: dict[str, set[int] | None] = {}

    @property
    def watermark(self) -> int:
        """The last place of the change log."""
        return self._places[0]

    @cached_property
    def _places(self) -> tuple[int, int]:
        head, folded = self.db.execute(
            sa.select(col(FeedHead.seq), col(FigureFold.seq)).join(FigureFold, sa.true())
        ).one()
        return head, folded

    @cached_property
    def changed(self) -> Changed:
        """What the log has after the last fold."""
        return changed(self.db, self._places[1])

    def concerned(self, series: Series) -> set[int] | None:
        """The units whose rows may have changed since the last fold; None for too many changes."""
        name, source = series.rows_name, series.source
        if name not in self._concerned:
            many = self.changed.has_many(source)
            self._concerned[name] = None if many else self.changed.concerns(source)
        return self._concerned[name]

    def moves(self, after: date, until: date) -> list[date]:
        """The days in between on which a unit came under another."""
        if after >= until:
            return []
        if (after, until) not in self._moves:
            began = col(UnitEdge.valid_from)
            rows = self.db.execute(
                sa.select(began)
                .distinct()
                .join(Unit, col(Unit.id) == col(UnitEdge.unit_id))
                .where(began > after, began <= until, began > col(Unit.opened_on))
            )
            self._moves[after, until] = sorted(rows.scalars())
        return self._moves[after, until]


@contextmanager
def one(db: Connection) -> Iterator[Moment]:
    """All that is read is of one snapshot."""
    with one_moment(db):
        yield Moment(db)
