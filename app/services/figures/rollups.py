"""Roll-ups that are always exact: figures of units are stored, and counted anew once anything they
depend on has changed.

The change log says what has changed. A stored figure is used while no entry after the place of the
last fold concerns its unit, and none that waits for its place; of all other units a reader takes away
what is stored and counts the rows. So a reader is exact in its own snapshot, whether or not the fold
runs; it is only faster when it does.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import sqlalchemy as sa
from dateutil.relativedelta import relativedelta
from sqlmodel import Session, col

from app.clock import local_today
from app.db import chunks, insert_many
from app.models.base import new_id
from app.models.figures.definitions import FigureKind
from app.models.figures.rollups import FigureDay, FigureFold, FigureKept, FigureStale
from app.models.kernel.changes import Feed, Outbox
from app.models.kernel.units import Unit, UnitLevel
from app.services.figures.definitions import Figure
from app.services.figures.periods import Days
from app.services.figures.places import Parts, PeriodPlaces, moved
from app.services.kernel.access import Db
from app.services.kernel.offers import FigureRows

_DAY = timedelta(days=1)
# The months before this one whose last days are kept, beside today.
MONTHS = 36
# Of more changes than this, whose units are still to be found, a reader counts everything: the next
# fold is near.
_MOST_CHANGES = 2_000
# So many units go into one statement; where more are to be counted, all are.
_MOST_LEFT = 10_000
# What stands in these is stored added up.
UPPER = (UnitLevel.central, UnitLevel.province, UnitLevel.district, UnitLevel.commune)


def kept_days() -> list[date]:
    """Today and the last days of the months before."""
    this_month = local_today().replace(day=1)
    ends = [this_month - relativedelta(months=ago) - _DAY for ago in range(MONTHS)]
    return [local_today(), *ends]


def month_of(day: date) -> Days:
    """What is stored of a kept day: a stock of it, a flow since the first of its month."""
    return Days(day.replace(day=1), day)


# -- what has changed since


@dataclass(frozen=True, slots=True)
class Changed:
    """What the log has after the last fold, and what waits for its place in it."""

    db: Db
    since: int
    # Of each entity the units where its changes stand.
    units: Mapping[str, set[int]]
    marks: Sequence[UUID]

    def concerns(self, source: FigureRows) -> set[int] | None:
        """The units whose rows may have changed; None: too much has."""
        found: set[int] = set()
        for entity, units_of in (source.rolled_up or {}).items():
            found |= self.units.get(entity, set())
            if units_of is None or entity not in self.units:
                continue
            ids = set(self._ids(entity))
            if len(ids) >= _MOST_CHANGES:
                return None
            for chunk in chunks([UUID(id_) for id_ in ids]):
                found |= set(self.db.execute(units_of(chunk)).scalars())
        return found

    def _ids(self, entity: str) -> Iterator[str]:
        for table, later in _LOG:
            of_entity = sa.select(col(table.entity_id)).where(
                later(self.since), col(table.entity) == entity
            )
            yield from self.db.execute(of_entity.limit(_MOST_CHANGES)).scalars()


_LOG = (
    (Feed, lambda since: col(Feed.seq) > since),
    (Outbox, lambda _: sa.true()),
)
_PLACES = ("unit_id", "province_id", "district_id", "commune_id", "branch_id")


def changed(db: Db, since: int) -> Changed:
    units: dict[str, set[int]] = defaultdict(set)
    for table, later in _LOG:
        rows = db.execute(
            sa.select(col(table.entity), *(getattr(table, name) for name in _PLACES))
            .distinct()
            .where(later(since))
        )
        for entity, unit_id, *above in rows:
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


# Beside the entities: units under which the tree may be another.
TREE = "unit and all above"


def folded(db: Db) -> int:
    return int(db.execute(sa.select(col(FigureFold.seq))).scalar_one())


# -- read


@dataclass(frozen=True, slots=True)
class Group:
    """Figures of the same rows, and the periods (by their numbers) in which they are counted alike:
    `cells` of each as far as they are stored, and the units that are `left` to be counted."""

    figures: Sequence[Figure]
    numbers: Sequence[int]
    cells: Sequence[dict[tuple[int, str], Decimal | None]] = ()
    left: Sequence[int] = ()


@dataclass(slots=True)
class _Wanted:
    """Figures of the same rows that add up, and of each period the kept days that it is the sum of."""

    figures: list[Figure]
    days: dict[int, list[date]]
    left: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.figures[0].rows_name

    @property
    def source(self) -> FigureRows:
        source = self.figures[0].rows
        assert source is not None  # noqa: S101  # they count rows
        return source


def read(
    db: Db,
    figures: Sequence[Figure],
    asked: Parts,
    stretches: Sequence[Days],
    standing: PeriodPlaces,
) -> tuple[list[Group], list[Group]]:
    """What is stored and still right, and what is to be counted in all parts."""
    by_rows: dict[tuple[str, bool], list[Figure]] = defaultdict(list)
    for figure in figures:
        if figure.rows is not None:
            by_rows[figure.rows_name, figure.adds_up].append(figure)
    wanted = [
        _Wanted(group, _days(group[0], stretches)) for (_, kept), group in by_rows.items() if kept
    ]
    _drop_unkept(db, wanted)
    groups: list[Group] = []
    if any(each.days for each in wanted):
        since = changed(db, folded(db))
        _find_left(since, wanted, standing)
        some = [each for each in wanted if each.days]
        added_up = {} if since.units.get(TREE) else _added_up(db, some, asked, stretches)
        groups = _stored(db, some, asked, added_up, standing)
    stored = {each.name: each for each in wanted if each.days}
    every = range(len(stretches))
    others = [
        Group(group, numbers)
        for (name, kept), group in by_rows.items()
        if (numbers := [n for n in every if not kept or n not in _days_of(stored, name)])
    ]
    return groups, others


def _days_of(stored: Mapping[str, _Wanted], name: str) -> Mapping[int, list[date]]:
    return stored[name].days if name in stored else {}


def _days(figure: Figure, stretches: Sequence[Days]) -> dict[int, list[date]]:
    kept = set(kept_days())
    found: dict[int, list[date]] = {}
    for number, days in enumerate(stretches):
        ends = [days.last] if figure.told.kind is FigureKind.stock else _month_ends(days)
        if ends and kept.issuperset(ends):
            found[number] = ends
    return found


def _month_ends(days: Days) -> list[date]:
    """The last days of the months that the period is made of; none where it begins within one."""
    if days.first.day != 1:
        return []
    ends: list[date] = []
    first = days.first
    while first <= days.last:
        after = first + relativedelta(months=1)
        ends.append(min(after - _DAY, days.last))
        first = after
    return ends


def _drop_unkept(db: Db, wanted: Sequence[_Wanted]) -> None:
    """The periods of which a day is not stored, or by another rule."""
    names, days = [each.name for each in wanted], _all_days(wanted)
    rows = db.execute(
        sa.select(col(FigureKept.rows), col(FigureKept.day), col(FigureKept.figures)).where(
            col(FigureKept.rows).in_(names), col(FigureKept.day).in_(days)
        )
    )
    kept = {(name, day): set(figures) for name, day, figures in rows}
    for each in wanted:
        keys = {figure.key for figure in each.figures}
        each.days = {
            number: ends
            for number, ends in each.days.items()
            if all(keys <= kept.get((each.name, day), set()) for day in ends)
        }


def _all_days(wanted: Iterable[_Wanted]) -> list[date]:
    return sorted({day for each in wanted for ends in each.days.values() for day in ends})


def _find_left(since: Changed, wanted: Sequence[_Wanted], standing: PeriodPlaces) -> None:
    for each in wanted:
        concerned = since.concerns(each.source)
        if concerned is None or len(concerned) > _MOST_LEFT:
            each.days = {}
        else:
            each.left = sorted(concerned)
    # Most of what has changed stands elsewhere.
    every = sorted({unit_id for each in wanted for unit_id in each.left})
    table = standing.parts
    here: set[int] = set()
    for chunk in chunks(every):
        inside = sa.select(table.c.id).where(table.c.id.in_(chunk))
        here |= set(since.db.execute(inside).scalars())
    for each in wanted:
        each.left = [unit_id for unit_id in each.left if unit_id in here]


def _stored(
    db: Db,
    wanted: Sequence[_Wanted],
    asked: Parts,
    added_up: Mapping[int, set[int]],
    standing: PeriodPlaces,
) -> list[Group]:
    sums: dict[tuple[str, int, int], Counter[str]] = defaultdict(Counter)
    of_day: dict[tuple[str, date], list[int]] = defaultdict(list)
    for each in wanted:
        for number, ends in each.days.items():
            for day in ends:
                of_day[each.name, day].append(number)
    for part_id, name, day, figures in _whole_rows(db, wanted, sorted(added_up)):
        for number in of_day[name, day]:
            if number in added_up[part_id]:
                sums[name, number, part_id].update(figures)
    left = {each.name: set(each.left) for each in wanted}
    for tree, part_id, unit_id, name, day, figures in _own_rows(db, wanted, added_up, standing):
        for number in of_day[name, day]:
            if standing.trees[number] != tree:
                continue
            whole = number in added_up.get(part_id, ())
            is_left = unit_id in left[name]
            if whole and is_left:
                sums[name, number, part_id].subtract(figures)
            elif not whole and not is_left:
                sums[name, number, part_id].update(figures)
    return [
        Group(
            each.figures,
            [*each.days],
            [
                {
                    (part_id, figure.code): Decimal(sums[each.name, number, part_id][figure.key])
                    for part_id in asked.ids
                    for figure in each.figures
                }
                for number in each.days
            ],
            each.left,
        )
        for each in wanted
    ]


def _added_up(
    db: Db, wanted: Sequence[_Wanted], asked: Parts, stretches: Sequence[Days]
) -> dict[int, set[int]]:
    """Of each part whose sums are stored the periods that they are right for: in the tree of each of
    its days the part has the same units."""
    upper = db.execute(
        sa.select(col(Unit.id)).where(col(Unit.id).in_(asked.ids), col(Unit.level).in_(UPPER))
    ).scalars()
    ids = list(upper)
    if not ids or not wanted:
        return {}
    numbers = {number for each in wanted for number in each.days}
    right = {number for number in numbers if stretches[number].fixed is None}
    days = _all_days(wanted)
    moves = moved(db, days[0], days[-1])
    for each in wanted:
        for number, ends in each.days.items():
            if any(ends[0] < move <= stretches[number].last for move in moves):
                right.discard(number)
    return dict.fromkeys(ids, right) if right else {}


def _whole_rows(
    db: Db, wanted: Sequence[_Wanted], unit_ids: Sequence[int]
) -> Iterator[tuple[int, str, date, dict[str, int]]]:
    if not unit_ids:
        return
    rows = sa.select(
        col(FigureDay.unit_id), col(FigureDay.rows), col(FigureDay.day), col(FigureDay.figures)
    ).where(
        col(FigureDay.rows).in_([each.name for each in wanted]),
        col(FigureDay.day).in_(_all_days(wanted)),
        col(FigureDay.whole).is_(True),
    )
    for chunk in chunks(unit_ids):
        for row in db.execute(rows.where(col(FigureDay.unit_id).in_(chunk))):
            yield tuple(row)


def _own_rows(
    db: Db, wanted: Sequence[_Wanted], added_up: Mapping[int, set[int]], standing: PeriodPlaces
) -> Iterator[tuple[int, int, int, str, date, dict[str, int]]]:
    """Of parts whose sums are not stored for each period all units; of the others, what is to be
    taken away."""
    numbers = {number for each in wanted for number in each.days}
    whole = [part_id for part_id, right in added_up.items() if right >= numbers]
    table = standing.parts
    which = table.c.part_id.not_in(whole)
    left = sorted({unit_id for each in wanted for unit_id in each.left})
    rows = (
        sa.select(
            table.c.tree,
            table.c.part_id,
            col(FigureDay.unit_id),
            col(FigureDay.rows),
            col(FigureDay.day),
            col(FigureDay.figures),
        )
        .join(FigureDay, col(FigureDay.unit_id) == table.c.id)
        .where(
            col(FigureDay.rows).in_([each.name for each in wanted]),
            col(FigureDay.day).in_(_all_days(wanted)),
            col(FigureDay.whole).is_(False),
        )
    )
    if set(standing.part_ids) - set(whole):
        for row in db.execute(rows.where(which)):
            yield tuple(row)
    if whole:
        of_whole = rows.where(table.c.part_id.in_(whole))
        for chunk in chunks(left):
            for row in db.execute(of_whole.where(table.c.id.in_(chunk))):
                yield tuple(row)
