"""What has changed since the last fold: units whose stored figures are no longer right."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import insert_many
from app.models.base import new_id
from app.models.figures.rollups import FigureStale
from app.models.kernel.changes import Feed, Outbox
from app.services.kernel.access import Db
from app.services.kernel.offers import FigureRows

# Of more changes than this, whose units are still to be found, a reader counts everything: the next
# fold is near.
_MOST_CHANGES = 2_000
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Changed:
    """What the log has after the last fold, and what waits for its place in it."""

    db: Db
    since: int
    # Of each entity the units where its changes stand.
    units: Mapping[str, set[int]]
    marks: Sequence[UUID]

    def concerns(self, source: FigureRows) -> set[int]:
        """The units whose rows may have changed."""
        found: set[int] = set()
        for entity, units_of in (source.rolled_up or {}).items():
            found |= self.units.get(entity, set())
            if units_of is None or entity not in self.units:
                continue
            for ids in self._ids(entity):
                found |= set(self.db.execute(units_of(ids)).scalars())
        return found

    def has_many(self, source: FigureRows) -> bool:
        """Whether a reader would look for the units of too many changes."""
        looked_for = [entity for entity, of in (source.rolled_up or {}).items() if of is not None]
        some = self.units.keys() & set(looked_for)
        return any(self._number(entity) >= _MOST_CHANGES for entity in some)

    def _number(self, entity: str) -> int:
        some = (ids.limit(_MOST_CHANGES).subquery() for ids in self._of(entity))
        of_each = (self.db.execute(sa.select(sa.func.count()).select_from(ids)) for ids in some)
        return sum(each.scalar_one() for each in of_each)

    def _ids(self, entity: str) -> Iterator[list[UUID]]:
        for ids in self._of(entity):
            for chunk in self.db.execute(ids).scalars().partitions(_BATCH):
                yield [UUID(id_) for id_ in chunk]

    def _of(self, entity: str) -> Iterator[sa.Select[str]]:
        for table, later in _LOG:
            of_entity = sa.select(col(table.entity_id)).distinct()
            yield of_entity.where(later(self.since), col(table.entity) == entity)


_LOG = (
    (Feed, lambda since: col(Feed.seq) > since),
    # All of them, by the index: the table itself may have thousands of dead pages (sequencer).
    (Outbox, lambda _: col(Outbox.id) > 0),
)
_PLACES = ("unit_id", "province_id", "district_id", "commune_id", "branch_id")


def changed(db: Db, since: int) -> Changed:
    units: dict[str, set[int]] = defaultdict(set)
    places = (
        sa.select(col(table.entity), *(getattr(table, name) for name in _PLACES)).where(
            later(since)
        )
        for table, later in _LOG
    )
    for entity, unit_id, *above in db.execute(sa.union(*places)):
        units[entity] |= {unit_id}
        if entity == "unit":
            units[TREE] |= {unit_id, *above}
    marks = []
    for mark in db.execute(
        sa.select(col(FigureStale.id), col(FigureStale.entity), col(FigureStale.unit_id))
    ):
        marks.append(mark.id)
        units[mark.entity].add(mark.unit_id)
    return Changed(db, since, {entity: ids - {None} for entity, ids in units.items()}, marks)


def mark(session: Session, entity: str, unit_ids: Iterable[int]) -> None:
    """Have these units counted anew: their derived rows change in this transaction."""
    rows = [{"id": new_id(), "entity": entity, "unit_id": unit_id} for unit_id in sorted(unit_ids)]
    insert_many(session, FigureStale, rows)


def mark_selected(session: Session, entity: str, unit_id: sa.ScalarSelect[int]) -> None:
    """The same of one unit that the database finds."""
    row = sa.insert(FigureStale).values(id=new_id(), entity=entity, unit_id=unit_id)
    session.connection().execute(row)


# Beside the entities: units under which the tree may be another.
TREE = "unit and all above"
