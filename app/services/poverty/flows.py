"""The official flow tables of any unit and period, and who went from which class to which."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect, one_moment
from app.errors import invalid, not_found
from app.models.kernel.access import Right
from app.models.kernel.code_lists import ETHNIC_GROUPS
from app.models.kernel.units import LEVELS_BUT_GROUP, Unit, UnitClosure, UnitLevel
from app.models.poverty.flows import (
    COLUMNS,
    ENTRIES,
    FlowBy,
    FlowGrain,
    FlowKind,
    FlowQuery,
    FlowStanding,
    FlowTable,
    Hierarchy,
    PovertyFlow,
    PovertyStay,
    TransitionQuery,
)
from app.services.disclosure import withholding
from app.services.kernel.access import Actor, Db, forbidden, require_somewhere
from app.services.kernel.keyset import Pages, in_memory
from app.services.units.units import find_visible, valid_on

_DAY = timedelta(days=1)
_MEASURES = ("households", "people")
# In a branch a figure by these would reveal the origin of a family.
_OF_ORIGIN = (FlowBy.ethnicity, FlowBy.minority)
# (table, part, kind or "opening", measure) -> number
Figures = Counter[tuple[FlowTable, str, str, str]]


class _Stretch(NamedTuple):
    """Days or years whose rows are added up, both ends inclusive."""

    opening: bool
    grain: FlowGrain
    first: date
    last: date


# -- what may be asked


def access_unit(db: Db, actor: Actor, unit_id: int) -> tuple[Unit, bool]:
    """The unit, and whether its figures are shown in full; 404 when it is out of scope."""
    unit = find_visible(db, actor, unit_id)
    if unit is None:
        require_somewhere(db, actor, Right.units_read)
        raise not_found()
    if unit.level is UnitLevel.group:
        raise invalid("unit_level_wrong", "/unit", place="query", expected=LEVELS_BUT_GROUP)
    return unit, actor.covers(Right.poverty_read, unit)


def _period(query: FlowQuery | TransitionQuery) -> tuple[date, date]:
    today = local_today()
    last = query.to or today
    first = query.from_ or date(last.year, 1, 1)
    if last > today:
        raise invalid("date_in_future", "/to", place="query")
    if first > last:
        raise invalid("dates_reversed", "/to", place="query")
    return first, last


def _ensure_far(db: Db, actor: Actor, unit: Unit, *, by_unit: bool) -> None:
    """Unit by unit, what is withheld of one could be had from the others and their sum: outside of
    one's units, of a province or the nation as a whole."""
    if by_unit or unit.level not in (UnitLevel.central, UnitLevel.province):
        raise forbidden(db, actor, Right.poverty_read, unit.id)


def _ensure_whole_years(first: date, last: date) -> None:
    """Figures of successive days would reveal small figures: outside of one's units, whole years
    only.
    """
    begins = (first.month, first.day) == (1, 1)
    ends = (last.month, last.day) == (12, 31) or last == local_today()
    if not (begins and ends):
        raise invalid("period_not_whole_years", "/from", place="query")


# -- flow tables


def list_flows(db: Connection, actor: Actor, query: FlowQuery) -> Pages:
    """The total of both tables, then their parts."""
    unit, in_full = access_unit(db, actor, query.unit)
    if query.by in _OF_ORIGIN and not actor.covers(Right.members_ethnicity, unit):
        raise forbidden(db, actor, Right.members_ethnicity, unit.id)
    first, last = _period(query)
    if not in_full:
        _ensure_far(db, actor, unit, by_unit=query.by is FlowBy.unit)
        _ensure_whole_years(first, last)
    with one_moment(db):
        lines, names = _lines(db, unit, query, first, last)
    shown = [
        {
            "table": table,
            "unit_id": unit.id,
            "first_day": first,
            "last_day": last,
            "part": part,
            "part_name": None if part is None else names.get(part),
            **figures,
        }
        for (table, part), figures in _told(lines, in_full).items()
    ]
    return in_memory(((place,), line) for place, line in enumerate(shown))


Lines = dict[tuple[FlowTable, str | None], dict[str, int]]


def _lines(
    db: Connection, unit: Unit, query: FlowQuery, first: date, last: date
) -> tuple[Lines, dict[str, str]]:
    whole = _provinces(db) if unit.level is UnitLevel.central else [unit.id]
    is_branch = unit.level is UnitLevel.branch
    totals = figures_of(db, whole, query.hierarchy, "", first, last, branches=is_branch)
    lines: Lines = {(table, None): _line(totals, table, "") for table in FlowTable}
    names: dict[str, str] = {}
    if query.by is FlowBy.unit:
        names = _children(db, unit, query.hierarchy, first, last)
        parts = figures_of(
            db,
            [int(id_) for id_ in names],
            query.hierarchy,
            "",
            first,
            last,
            apart=True,
            branches=unit.level is UnitLevel.commune,
        )
        ordered = list(names)
    elif query.by is not None:
        names = {item.code: item.vi for item in ETHNIC_GROUPS.items}
        parts = figures_of(
            db, whole, query.hierarchy, query.by.value, first, last, branches=is_branch
        )
        ordered = sorted({part for _, part, _, _ in parts})
    else:
        return lines, names
    for part in ordered:
        for table in FlowTable:
            lines[table, part] = _line(parts, table, part)
    return lines, names


def figures_of(
    db: Db,
    unit_ids: Sequence[int],
    basis: Hierarchy,
    by: str,
    first: date,
    last: date,
    *,
    apart: bool = False,
    branches: bool = False,
) -> Figures:
    """Opening and flows of the units together, or with `apart` each as a part of its own.

    `branches`: they are branches, whose flows are kept by days alone and once for both bases.
    """
    basis = Hierarchy.as_was if branches else basis
    stretches = _days(first, last) if branches else _stretches(first, last)
    selects = [_sums(unit_ids, basis, by, stretch, apart=apart) for stretch in stretches]
    found: Figures = Counter()
    if not unit_ids:
        return found
    for opening, part, poverty_class, kind, *numbers in db.execute(sa.union_all(*selects)):
        sign = 1 if kind in ENTRIES else -1
        for measure, number in zip(_MEASURES, numbers, strict=True):
            if opening:
                found[poverty_class, str(part), "opening", measure] += sign * number
            else:
                found[poverty_class, str(part), kind.value, measure] += number
    return found


def _sums(
    unit_ids: Sequence[int], basis: Hierarchy, by: str, stretch: _Stretch, *, apart: bool
) -> AnySelect:
    part = col(PovertyFlow.unit_id) if apart else col(PovertyFlow.part)
    return (
        sa.select(
            sa.literal_column("1" if stretch.opening else "0").label("opening"),
            part.label("part"),
            col(PovertyFlow.poverty_class).label("poverty_class"),
            col(PovertyFlow.kind).label("kind"),
            sa.func.sum(col(PovertyFlow.households)),
            sa.func.sum(col(PovertyFlow.people)),
        )
        .where(
            col(PovertyFlow.unit_id).in_(unit_ids),
            col(PovertyFlow.basis) == basis,
            col(PovertyFlow.by) == by,
            col(PovertyFlow.grain) == stretch.grain,
            col(PovertyFlow.starts_on).between(stretch.first, stretch.last),
        )
        .group_by(part, col(PovertyFlow.poverty_class), col(PovertyFlow.kind))
    )


def _days(first: date, last: date) -> Iterator[_Stretch]:
    yield _Stretch(True, FlowGrain.day, date.min, first - _DAY)
    yield _Stretch(False, FlowGrain.day, first, last)


def _stretches(first: date, last: date) -> Iterator[_Stretch]:
    """Whole years by their sum, the rest by days: few rows, however long ago it began."""
    new_year = date(first.year, 1, 1)
    yield _Stretch(True, FlowGrain.year, date.min, new_year - _DAY)
    if first > new_year:
        yield _Stretch(True, FlowGrain.day, new_year, first - _DAY)
    whole_from = first.year if first == new_year else first.year + 1
    whole_to = last.year if (last.month, last.day) == (12, 31) else last.year - 1
    if whole_from > whole_to:
        yield _Stretch(False, FlowGrain.day, first, last)
        return
    begins, ends = date(whole_from, 1, 1), date(whole_to, 12, 31)
    if first < begins:
        yield _Stretch(False, FlowGrain.day, first, begins - _DAY)
    yield _Stretch(False, FlowGrain.year, begins, ends)
    if ends < last:
        yield _Stretch(False, FlowGrain.day, ends + _DAY, last)


def _line(figures: Figures, table: FlowTable, part: str) -> dict[str, int]:
    line: dict[str, int] = {}
    for measure in _MEASURES:
        of = {
            name: figures[table, part, name, measure] for name in ("opening", *map(str, FlowKind))
        }
        of["adjusted"] = of[FlowKind.adjusted_in] - of[FlowKind.adjusted_out]
        of["closing"] = of["opening"] + sum(
            number if FlowKind(kind) in ENTRIES else -number
            for kind, number in of.items()
            if kind in set(FlowKind)
        )
        line |= {f"{name}_{measure}": of[name] for name in COLUMNS}
    return line


def _told(lines: Lines, in_full: bool) -> dict[tuple[FlowTable, str | None], dict[str, Any]]:
    if in_full:
        return {key: dict(line) for key, line in lines.items()}
    told: dict[tuple[FlowTable, str | None], dict[str, Any]] = {}
    hide: dict[tuple[FlowTable, str | None], set[str]] = defaultdict(set)
    for table in FlowTable:
        keys = [key for key in lines if key[0] is table]
        rows = [[lines[key][f"{name}_households"] for name in COLUMNS] for key in keys]
        for place, column in withholding.hidden(rows, has_total=len(rows) > 1):
            hide[keys[place]] |= {f"{COLUMNS[column]}_{measure}" for measure in _MEASURES}
    for key, line in lines.items():
        told[key] = withholding.withheld(line, hide[key])
    return told


def _provinces(db: Db) -> list[int]:
    provinces = sa.select(col(Unit.id)).where(col(Unit.level) == UnitLevel.province)
    return list(db.execute(provinces).scalars())


def _children(db: Db, unit: Unit, basis: Hierarchy, first: date, last: date) -> dict[str, str]:
    """Names of the units directly under it by id: those of the period, or those of today."""
    statement = (
        sa.select(col(Unit.id), col(Unit.name))
        .join(UnitClosure, col(UnitClosure.descendant_id) == col(Unit.id))
        .where(
            col(UnitClosure.ancestor_id) == unit.id,
            col(UnitClosure.depth) == 1,
            col(Unit.level) != UnitLevel.group,
        )
        .distinct()
    )
    if basis is Hierarchy.as_is:
        statement = statement.where(valid_on(UnitClosure, local_today()))
    else:
        statement = statement.where(
            col(UnitClosure.valid_from) <= last,
            sa.or_(col(UnitClosure.valid_to).is_(None), col(UnitClosure.valid_to) >= first - _DAY),
        )
    rows = db.execute(statement.add_columns(col(Unit.sort_key))).all()
    return {str(row.id): row.name for row in sorted(rows, key=lambda r: (r.sort_key, r.id))}


# -- transitions


def list_transitions(db: Connection, actor: Actor, query: TransitionQuery) -> Pages:
    """Households by where they stood on two days, in one statement."""
    unit, in_full = access_unit(db, actor, query.unit)
    first, last = _period(query)
    if not in_full:
        _ensure_far(db, actor, unit, by_unit=False)
        _ensure_whole_years(first, last)
    one, other = aliased(PovertyStay), aliased(PovertyStay)
    then, later = (_standing(stay, unit, day) for stay, day in ((one, first), (other, last)))
    came: AnySelect = (
        sa.select(
            col(one.poverty_class).label("was"),
            col(other.poverty_class).label("is"),
            col(one.people),
            col(other.people),
        )
        .select_from(one)
        .join(other, sa.and_(col(other.household_id) == col(one.household_id), later), isouter=True)
        .where(then)
    )
    known = sa.select(col(one.household_id)).where(then)
    new: AnySelect = sa.select(
        sa.null(), col(other.poverty_class), sa.null(), col(other.people)
    ).where(later, col(other.household_id).not_in(known))
    households: Counter[tuple[FlowStanding, FlowStanding]] = Counter()
    people: Counter[tuple[FlowStanding, FlowStanding]] = Counter()
    pairs = sa.union_all(came, new).subquery("pairs")
    was, now, people_was, people_now = pairs.c
    counted = sa.select(
        was, now, sa.func.count(), sa.func.sum(sa.func.coalesce(people_now, people_was))
    ).group_by(was, now)
    for before, after_, number, heads in db.execute(counted):
        key = _standing_of(before), _standing_of(after_)
        households[key] += number
        people[key] += heads
    keys = [
        (a, b) for a in FlowStanding for b in FlowStanding if (a, b) != (FlowStanding.neither,) * 2
    ]
    figures = [[households[a, b] for b in FlowStanding] for a in FlowStanding]
    hide = set() if in_full else withholding.hidden(figures, has_total=False)
    places = list(FlowStanding)
    rows = [
        {
            "before": a,
            "after": b,
            "households": None if cell in hide else households[a, b],
            "people": None if cell in hide else people[a, b],
        }
        for a, b in keys
        for cell in [(places.index(a), places.index(b))]
    ]
    return in_memory(((place,), row) for place, row in enumerate(rows))


def _standing_of(poverty_class: Any) -> FlowStanding:
    return FlowStanding.neither if poverty_class is None else FlowStanding(poverty_class)


def _standing(stay: Any, unit: Unit, day: date) -> sa.ColumnElement[bool]:
    """Stays in the unit on the day, as it was then."""
    here = sa.true() if unit.level is UnitLevel.central else _column(stay, unit.level) == unit.id
    return sa.and_(
        here,
        stay.valid_from <= day,
        sa.or_(stay.valid_to.is_(None), stay.valid_to >= day),
    )


def _column(stay: Any, level: UnitLevel) -> Any:
    return getattr(stay, f"{level.value}_id")
