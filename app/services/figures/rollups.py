"""Roll-ups that are always exact: figures of units are stored, and counted anew once anything they
depend on has changed.

The change log says what has changed. A stored figure is used while no entry after the place of the
last fold concerns its unit, and none that waits for its place; of all other units a reader takes away
what is stored and counts the rows. So a reader is exact in its own snapshot, whether or not the fold
runs; it is only faster when it does.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import sqlalchemy as sa
from dateutil.relativedelta import relativedelta
from sqlmodel import col

from app.clock import local_today
from app.db import chunks
from app.models.figures.rollups import FigureDay, FigureKept
from app.models.kernel.units import Unit, UnitLevel, UnitSuccession
from app.services.figures import once
from app.services.figures.definitions import Figure
from app.services.figures.moments import Moment
from app.services.figures.periods import Days
from app.services.figures.places import Parts, PeriodPlaces
from app.services.figures.series import Series, stored_in
from app.services.figures.stale import TREE
from app.services.kernel.access import Db
from app.services.units.hierarchy import UnitTree

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
class Wanted:
    """Figures that are asked of a period."""

    days: Days
    figures: Sequence[Figure]


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
class _Sought:
    """Of each period the kept days that it is the sum of; `keys`: the figures that are asked of it."""

    series: Series
    keys: Mapping[int, Set[str]]
    days: dict[int, list[date]]
    left: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.series.name


def read(
    moment: Moment,
    wanted: Sequence[Wanted],
    asked: Parts,
    standing: PeriodPlaces,
) -> tuple[list[KeptFigures], list[Others]]:
    """What is stored and still right, and what is to be counted in all parts."""
    stretches = [each.days for each in wanted]
    sought = _sought(wanted)
    _drop_unkept(moment.db, sought)
    kept: list[KeptFigures] = []
    if any(each.days for each in sought):
        _find_left(moment, sought, standing)
        some = [each for each in sought if each.days]
        moved = moment.changed.units.get(TREE)
        added_up = {} if moved else _added_up(moment, some, asked, stretches)
        kept = _stored(moment.db, some, asked, added_up, standing) if some else []
    return kept, [*_others(wanted, sought)]


def _figures(wanted: Sequence[Wanted]) -> dict[str, Figure]:
    return {figure.code: figure for each in wanted for figure in each.figures}


def _sought(wanted: Sequence[Wanted]) -> list[_Sought]:
    """A period is of one series alone: the first of January is a year too."""
    found: list[_Sought] = []
    taken: dict[str, set[int]] = defaultdict(set)
    asked = [{figure.key for figure in each.figures} for each in wanted]
    for series in stored_in(_figures(wanted).values()):
        others = taken[series.figures[0].code]
        own = {figure.key for figure in series.figures}
        keys = {n: some & own for n, some in enumerate(asked) if some & own and n not in others}
        days = _days(series, {number: wanted[number].days for number in keys})
        others |= days.keys()
        found.append(_Sought(series, keys, days))
    return found


def _others(wanted: Sequence[Wanted], sought: Sequence[_Sought]) -> Iterator[Others]:
    kept = {
        (figure.code, number)
        for each in sought
        for figure in each.series.figures
        for number in each.days
    }
    left: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(wanted):
        for figure in each.figures:
            if figure.rows is not None and (figure.code, number) not in kept:
                left[figure.code].append(number)
    alike: dict[tuple[str, tuple[int, ...]], list[Figure]] = defaultdict(list)
    figures = _figures(wanted)
    for code, numbers in left.items():
        alike[figures[code].rows_name, tuple(numbers)].append(figures[code])
    for (_, of_all), group in alike.items():
        yield Others(group, of_all)


def _days(series: Series, stretches: Mapping[int, Days]) -> dict[int, list[date]]:
    kept = set(kept_days())
    found: dict[int, list[date]] = {}
    for number, days in stretches.items():
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


def _drop_unkept(db: Db, sought: Sequence[_Sought]) -> None:
    """The periods of which a day is not stored, or by another rule."""
    names, days = [each.name for each in sought], _all_days(sought)
    rows = db.execute(
        sa.select(col(FigureKept.rows), col(FigureKept.day), col(FigureKept.figures)).where(
            col(FigureKept.rows).in_(names), col(FigureKept.day).in_(days)
        )
    )
    kept = {(name, day): set(figures) for name, day, figures in rows}
    for each in sought:
        each.days = {
            number: ends
            for number, ends in each.days.items()
            if all(each.keys[number] <= kept.get((each.name, day), set()) for day in ends)
        }


def _all_days(sought: Iterable[_Sought]) -> list[date]:
    return sorted({day for each in sought for ends in each.days.values() for day in ends})


def _find_left(moment: Moment, sought: Sequence[_Sought], standing: PeriodPlaces) -> None:
    for each in sought:
        concerned = moment.concerned(each.series) if each.days else set()
        if concerned is None or len(concerned) > _MOST_LEFT:
            each.days = {}
        else:
            each.left = sorted(concerned)
    # Most of what has changed stands elsewhere.
    every = sorted({unit_id for each in sought for unit_id in each.left})
    here: set[int] = set()
    for chunk in chunks(every):
        here |= set(moment.db.execute(sa.select(standing.of(chunk).parts.c.id)).scalars())
    for each in sought:
        each.left = [unit_id for unit_id in each.left if unit_id in here]


def _stored(
    db: Db,
    sought: Sequence[_Sought],
    asked: Parts,
    added_up: Mapping[int, set[int]],
    standing: PeriodPlaces,
) -> list[KeptFigures]:
    sums: dict[tuple[str, int, int], Counter[str]] = defaultdict(Counter)
    of_day: dict[tuple[str, date], list[int]] = defaultdict(list)
    for each in sought:
        for number, ends in each.days.items():
            for day in ends:
                of_day[each.name, day].append(number)
    for part_id, name, day, figures in _whole_rows(db, sought, sorted(added_up)):
        for number in of_day[name, day]:
            if number in added_up[part_id]:
                sums[name, number, part_id].update(figures)
    left = {each.name: set(each.left) for each in sought}
    for tree, part_id, unit_id, name, day, figures in _own_rows(db, sought, added_up, standing):
        for number in of_day[name, day]:
            if standing.trees[number] != tree:
                continue
            whole = number in added_up.get(part_id, ())
            is_left = unit_id in left[name]
            if whole and is_left:
                sums[name, number, part_id].subtract(figures)
            elif not whole and not is_left:
                sums[name, number, part_id].update(figures)
    for name, number, part_id, figures in _counted_twice(db, sought, added_up, standing):
        sums[name, number, part_id].subtract(figures)
    return [
        KeptFigures(
            each.series,
            [*each.days],
            [
                {
                    (part_id, figure.code): _value(figure, sums[each.name, number, part_id])
                    for part_id in asked.ids
                    for figure in each.series.figures
                }
                for number in each.days
            ],
            each.left,
        )
        for each in sought
    ]


def _value(figure: Figure, sums: Mapping[str, int]) -> Decimal | None:
    unknown = figure.told.reported and not sums.get(figure.reports_key)
    return None if unknown else Decimal(sums.get(figure.key, 0))


def _counted_twice(
    db: Db, sought: Sequence[_Sought], added_up: Mapping[int, set[int]], standing: PeriodPlaces
) -> Iterator[tuple[str, int, int, dict[str, int]]]:
    """Of parts whose sums are not stored: how much too often what their units add up to has keys."""
    days: dict[str, dict[date, list[int]]] = {}
    for each in sought:
        if each.series.months is not None:
            ends = days.setdefault(each.name, defaultdict(list))
            for number, (end, *_) in each.days.items():
                ends[end].append(number)
    numbers = {number for of in days.values() for some in of.values() for number in some}
    parts = [id_ for id_ in standing.part_ids if not added_up.get(id_, set()) >= numbers]
    if not numbers or not parts:
        return
    for name, tree, part_id, day, figure, times in once.overlaps_in(db, days, standing.only(parts)):
        for number in days[name][day]:
            if standing.trees[number] == tree and number not in added_up.get(part_id, ()):
                yield name, number, part_id, {figure: times}


def _added_up(
    moment: Moment, sought: Sequence[_Sought], asked: Parts, stretches: Sequence[Days]
) -> dict[int, set[int]]:
    """Of each part whose sums are stored the periods that they are right for: in the tree of each of
    its days the part has the same units."""
    ids = asked.at(UPPER)
    if not ids or not sought:
        return {}
    trees = {number: stretches[number].tree for each in sought for number in each.days}
    right = trees.keys() - _followed(moment.db, sought, trees)
    days = _all_days(sought)
    in_trees = [tree.day for tree in trees.values()]
    moves = moment.moves(min(days[0], *in_trees), max(days[-1], *in_trees))
    for each in sought:
        for number, ends in each.days.items():
            of_all = (*ends, trees[number].day)
            if any(min(of_all) < move <= max(of_all) for move in moves):
                right.discard(number)
    return dict.fromkeys(ids, right) if right else {}


def _followed(db: Db, sought: Sequence[_Sought], trees: Mapping[int, UnitTree]) -> set[int]:
    """The periods in whose tree units of which something is stored may count in another one: what had
    not opened, in the one that it came from; what has closed, in the one that it went on in."""
    periods = [
        (each.name, number, ends)
        for each in sought
        for number, ends in each.days.items()
        if trees[number].followed
    ]
    if not periods:
        return set()
    gone = (
        sa.select(col(UnitSuccession.from_unit_id))
        .join(Unit, col(Unit.id) == col(UnitSuccession.from_unit_id))
        .where(col(Unit.closed_on).is_not(None))
    )
    of_gone = sa.select(col(FigureDay.rows), col(FigureDay.day)).where(
        _of_days(sought), col(FigureDay.whole).is_(False), col(FigureDay.unit_id).in_(gone)
    )
    stored = {(row.rows, row.day) for row in db.execute(of_gone.distinct())}
    return {
        number
        for name, number, ends in periods
        if trees[number].day < ends[-1] or any((name, day) in stored for day in ends)
    }


def _whole_rows(
    db: Db, sought: Sequence[_Sought], unit_ids: Sequence[int]
) -> Iterator[tuple[int, str, date, dict[str, int]]]:
    if not unit_ids:
        return
    rows = sa.select(
        col(FigureDay.unit_id), col(FigureDay.rows), col(FigureDay.day), col(FigureDay.figures)
    ).where(_of_days(sought), col(FigureDay.whole).is_(True))
    for chunk in chunks(unit_ids):
        for row in db.execute(rows.where(col(FigureDay.unit_id).in_(chunk))):
            yield tuple(row)


def _own_rows(
    db: Db, sought: Sequence[_Sought], added_up: Mapping[int, set[int]], standing: PeriodPlaces
) -> Iterator[tuple[int, int, int, str, date, dict[str, int]]]:
    """Of parts whose sums are not stored for each period all units; of the others, what is to be
    taken away."""
    numbers = {number for each in sought for number in each.days}
    whole = {part_id for part_id, right in added_up.items() if right >= numbers}
    if others := [part_id for part_id in standing.part_ids if part_id not in whole]:
        yield from _rows_in(db, sought, standing.only(others).parts)
    left = sorted({unit_id for each in sought for unit_id in each.left}) if whole else []
    for chunk in chunks(left):
        for row in _rows_in(db, sought, standing.of(chunk).parts):
            if row[1] in whole:
                yield row


def _rows_in(
    db: Db, sought: Sequence[_Sought], parts: sa.CTE
) -> Iterator[tuple[int, int, int, str, date, dict[str, int]]]:
    rows = (
        sa.select(
            parts.c.tree,
            parts.c.part_id,
            col(FigureDay.unit_id),
            col(FigureDay.rows),
            col(FigureDay.day),
            col(FigureDay.figures),
        )
        .join(FigureDay, col(FigureDay.unit_id) == parts.c.id)
        .where(_of_days(sought), col(FigureDay.whole).is_(False))
    )
    for row in db.execute(rows):
        yield tuple(row)


def _of_days(sought: Sequence[_Sought]) -> sa.ColumnElement[bool]:
    """The rows of each series on its days."""
    alike: dict[tuple[date, ...], list[str]] = defaultdict(list)
    for each in sought:
        alike[tuple(_all_days([each]))].append(each.name)
    return sa.or_(
        *(
            sa.and_(col(FigureDay.rows).in_(names), col(FigureDay.day).in_(days))
            for days, names in alike.items()
        )
    )
