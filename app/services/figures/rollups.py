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

import sqlalchemy as sa
from dateutil.relativedelta import relativedelta
from sqlmodel import col

from app.clock import local_today
from app.db import chunks
from app.models.figures.rollups import FigureDay, FigureKept
from app.models.kernel.units import Unit, UnitLevel
from app.services.figures import once
from app.services.figures.definitions import Figure
from app.services.figures.periods import Days
from app.services.figures.places import Parts, PeriodPlaces, moved
from app.services.figures.series import Series, stored_in
from app.services.figures.stale import TREE, Changed, changed, folded
from app.services.kernel.access import Db

_DAY = timedelta(days=1)
# The months before this one whose last days are kept, beside today.
MONTHS = 36
# So many units go into one statement; where more are to be counted, all are.
_MOST_LEFT = 10_000
# What stands in these is stored added up.
UPPER = (UnitLevel.central, UnitLevel.province, UnitLevel.district, UnitLevel.commune)


def kept_days() -> list[date]:
    """Today and the last days of the months before."""
    this_month = local_today().replace(day=1)
    ends = [this_month - relativedelta(months=ago) - _DAY for ago in range(MONTHS)]
    return [local_today(), *ends]


@dataclass(frozen=True, slots=True)
class KeptFigures:
    """Figures that are stored, of the periods with these numbers: `cells` of each without the units
    that are `left` to be counted."""

    series: Series
    numbers: Sequence[int]
    cells: Sequence[dict[tuple[int, str], Decimal | None]]
    left: Sequence[int]


@dataclass(frozen=True, slots=True)
class Others:
    """Figures of the same rows that are counted live in these periods."""

    figures: Sequence[Figure]
    numbers: Sequence[int]


@dataclass(slots=True)
class _Wanted:
    """Of each period the kept days that it is the sum of."""

    series: Series
    days: dict[int, list[date]]
    left: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.series.name


def read(
    db: Db,
    figures: Sequence[Figure],
    asked: Parts,
    stretches: Sequence[Days],
    standing: PeriodPlaces,
) -> tuple[list[KeptFigures], list[Others]]:
    """What is stored and still right, and what is to be counted in all parts."""
    wanted = _wanted(figures, stretches)
    _drop_unkept(db, wanted)
    kept: list[KeptFigures] = []
    if any(each.days for each in wanted):
        since = changed(db, folded(db))
        _find_left(since, wanted, standing)
        some = [each for each in wanted if each.days]
        added_up = {} if since.units.get(TREE) else _added_up(db, some, asked, stretches)
        kept = _stored(db, some, asked, added_up, standing)
    return kept, [*_others(figures, wanted, len(stretches))]


def _wanted(figures: Sequence[Figure], stretches: Sequence[Days]) -> list[_Wanted]:
    """A period is of one series alone: the first of January is a year too."""
    found: list[_Wanted] = []
    taken: dict[str, set[int]] = defaultdict(set)
    for series in stored_in(figures):
        others = taken[series.figures[0].code]
        days = {n: ends for n, ends in _days(series, stretches).items() if n not in others}
        others |= days.keys()
        found.append(_Wanted(series, days))
    return found


def _others(figures: Sequence[Figure], wanted: Sequence[_Wanted], periods: int) -> Iterator[Others]:
    kept = {
        (figure.code, number)
        for each in wanted
        for figure in each.series.figures
        for number in each.days
    }
    alike: dict[tuple[str, tuple[int, ...]], list[Figure]] = defaultdict(list)
    for figure in figures:
        if figure.rows is not None:
            left = tuple(n for n in range(periods) if (figure.code, n) not in kept)
            alike[figure.rows_name, left].append(figure)
    for (_, numbers), group in alike.items():
        if numbers:
            yield Others(group, numbers)


def _days(series: Series, stretches: Sequence[Days]) -> dict[int, list[date]]:
    kept = set(kept_days())
    found: dict[int, list[date]] = {}
    for number, days in enumerate(stretches):
        ends = _ends(series, days)
        if ends and kept.issuperset(ends):
            found[number] = ends
    return found


def _ends(series: Series, days: Days) -> list[date]:
    if series.is_of_day:
        return [days.last]
    if series.months is None:
        return _month_ends(days)
    is_stored = series.has(days.last) and series.period(days.last).first == days.first
    return [days.last] if is_stored else []


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
        keys = {figure.key for figure in each.series.figures}
        each.days = {
            number: ends
            for number, ends in each.days.items()
            if all(keys <= kept.get((each.name, day), set()) for day in ends)
        }


def _all_days(wanted: Iterable[_Wanted]) -> list[date]:
    return sorted({day for each in wanted for ends in each.days.values() for day in ends})


def _find_left(since: Changed, wanted: Sequence[_Wanted], standing: PeriodPlaces) -> None:
    for each in wanted:
        source = each.series.source
        concerned = None if since.has_many(source) else since.concerns(source)
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
) -> list[KeptFigures]:
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
    for each in wanted:
        for number, part_id, figures in _counted_twice(db, each, added_up, standing):
            sums[each.name, number, part_id].subtract(figures)
    return [
        KeptFigures(
            each.series,
            [*each.days],
            [
                {
                    (part_id, figure.code): Decimal(sums[each.name, number, part_id][figure.key])
                    for part_id in asked.ids
                    for figure in each.series.figures
                }
                for number in each.days
            ],
            each.left,
        )
        for each in wanted
    ]


def _counted_twice(
    db: Db, wanted: _Wanted, added_up: Mapping[int, set[int]], standing: PeriodPlaces
) -> Iterator[tuple[int, int, dict[str, int]]]:
    """Of parts whose sums are not stored: how much too often what their units add up to has keys."""
    parts = [
        part_id
        for part_id in standing.part_ids
        if not added_up.get(part_id, set()) >= wanted.days.keys()
    ]
    if wanted.series.months is None or not parts:
        return
    numbers: dict[date, list[int]] = defaultdict(list)
    for number, ends in wanted.days.items():
        numbers[ends[0]].append(number)
    for tree, part_id, day, figure, times in once.overlaps_in(
        db, wanted.name, [*numbers], standing, parts
    ):
        for number in numbers[day]:
            if standing.trees[number] == tree and number not in added_up.get(part_id, ()):
                yield number, part_id, {figure: times}


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
