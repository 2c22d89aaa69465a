"""The official flow tables of any unit and period, and who went from which class to which."""

from collections import Counter
from collections.abc import Sequence
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
    FlowBy,
    FlowQuery,
    FlowStanding,
    FlowTable,
    PovertyStay,
    TransitionQuery,
)
from app.services.kernel.access import Actor, Db, forbidden, require_somewhere
from app.services.kernel.keyset import Pages, in_memory
from app.services.poverty import published
from app.services.poverty.flow_sums import Figures, figures_of, line_of
from app.services.poverty.tree_flows import figures_in
from app.services.units import hierarchy
from app.services.units.hierarchy import UnitTree
from app.services.units.units import find_visible

_DAY = timedelta(days=1)
# In a branch a figure by these would reveal the origin of a family.
_OF_ORIGIN = (FlowBy.ethnicity, FlowBy.minority)


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


def _ensure_tree(db: Db, actor: Actor, unit: Unit, tree: UnitTree | None, last: date) -> None:
    if tree is not None:
        hierarchy.ensure_held(db, actor, Right.poverty_read, [unit.id], tree, last)


# -- flow tables


def list_flows(db: Connection, actor: Actor, query: FlowQuery) -> Pages:
    """The total of both tables, then their parts: exact, or as published (`published`)."""
    unit, in_full = access_unit(db, actor, query.unit)
    if query.by in _OF_ORIGIN and not actor.covers(Right.members_ethnicity, unit):
        raise forbidden(db, actor, Right.members_ethnicity, unit.id)
    tree = hierarchy.chosen(query.hierarchy)
    edition = None
    with one_moment(db):
        if in_full:
            first, last = _period(query)
            _ensure_tree(db, actor, unit, tree, last)
            lines, names = _lines(_Sums(db, unit, first, last, tree), query.by)
        else:
            lines, names, first, last, edition = published.tables(db, actor, unit, query)
    shown = [
        {
            "table": table,
            "unit_id": unit.id,
            "first_day": first,
            "last_day": last,
            "part": part,
            "part_name": None if part is None else names.get(part),
            **figures,
            "rounded": not in_full,
            "edition": edition,
        }
        for (table, part), figures in lines.items()
    ]
    return in_memory(((place,), line) for place, line in enumerate(shown))


Lines = dict[tuple[FlowTable, str | None], dict[str, int]]


class _Sums(NamedTuple):
    """The sums of a unit over a period: as it was on each day, or in one tree."""

    db: Db
    unit: Unit
    first: date
    last: date
    tree: UnitTree | None

    def whole(self, by: str) -> Figures:
        """Of the unit, in all (`by` is empty) or divided."""
        if self.tree is not None:
            parts = hierarchy.placed([self.unit.id], self.tree)
            return figures_in(self.db, parts, by, self.first, self.last)
        nation = self.unit.level is UnitLevel.central
        ids = _provinces(self.db) if nation else [self.unit.id]
        branches = self.unit.level is UnitLevel.branch
        return figures_of(self.db, ids, by, self.first, self.last, branches=branches)

    def apart(self, unit_ids: Sequence[int]) -> Figures:
        """Of the units directly below it, each by itself."""
        if self.tree is not None:
            parts = hierarchy.placed(unit_ids, self.tree)
            return figures_in(self.db, parts, "", self.first, self.last, apart=True)
        branches = self.unit.level is UnitLevel.commune
        return figures_of(
            self.db, unit_ids, "", self.first, self.last, apart=True, branches=branches
        )

    def children(self) -> dict[str, str]:
        """Names of the units directly below it, by id, in their order."""
        if self.tree is None:
            return _stood_below(self.db, self.unit, self.first, self.last)
        found = hierarchy.children(self.db, self.unit.id, self.tree, self.first - _DAY, self.last)
        return {str(each.id): each.name for each in found}


def _lines(sums: _Sums, by: FlowBy | None) -> tuple[Lines, dict[str, str]]:
    totals = sums.whole("")
    lines: Lines = {(table, None): line_of(totals, table, "") for table in FlowTable}
    if by is None:
        return lines, {}
    if by is FlowBy.unit:
        names = sums.children()
        parts = sums.apart([int(id_) for id_ in names])
        ordered = list(names)
    else:
        names = {item.code: item.vi for item in ETHNIC_GROUPS.items}
        parts = sums.whole(by.value)
        ordered = sorted({part for _, part, _, _ in parts})
    for part in ordered:
        for table in FlowTable:
            lines[table, part] = line_of(parts, table, part)
    return lines, names


def _provinces(db: Db) -> list[int]:
    provinces = sa.select(col(Unit.id)).where(col(Unit.level) == UnitLevel.province)
    return list(db.execute(provinces).scalars())


def _stood_below(db: Db, unit: Unit, first: date, last: date) -> dict[str, str]:
    """Names of what stood directly under it in the period or on its eve, by id."""
    rows = db.execute(
        sa.select(col(Unit.id), col(Unit.name), col(Unit.sort_key))
        .join(UnitClosure, col(UnitClosure.descendant_id) == col(Unit.id))
        .where(
            col(UnitClosure.ancestor_id) == unit.id,
            col(UnitClosure.depth) == 1,
            col(Unit.level) != UnitLevel.group,
            col(UnitClosure.valid_from) <= last,
            sa.or_(col(UnitClosure.valid_to).is_(None), col(UnitClosure.valid_to) >= first - _DAY),
        )
        .distinct()
    )
    return {str(row.id): row.name for row in sorted(rows, key=lambda r: (r.sort_key, r.id))}


# -- transitions


def list_transitions(db: Connection, actor: Actor, query: TransitionQuery) -> Pages:
    """Households by where they stood on two days, in one statement."""
    unit, in_full = access_unit(db, actor, query.unit)
    if not in_full:
        raise forbidden(db, actor, Right.poverty_read, unit.id)
    first, last = _period(query)
    one, other = aliased(PovertyStay), aliased(PovertyStay)
    tree = hierarchy.chosen(query.hierarchy)
    _ensure_tree(db, actor, unit, tree, last)
    then, later = (_standing(stay, unit, day, tree) for stay, day in ((one, first), (other, last)))
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
    rows = [
        {"before": a, "after": b, "households": households[a, b], "people": people[a, b]}
        for a, b in keys
    ]
    return in_memory(((place,), row) for place, row in enumerate(rows))


def _standing_of(poverty_class: Any) -> FlowStanding:
    return FlowStanding.neither if poverty_class is None else FlowStanding(poverty_class)


def _standing(stay: Any, unit: Unit, day: date, tree: UnitTree | None) -> sa.ColumnElement[bool]:
    """Stays in the unit on the day, as it was then or in one tree."""
    return sa.and_(
        _here(stay, unit, tree),
        stay.valid_from <= day,
        sa.or_(stay.valid_to.is_(None), stay.valid_to >= day),
    )


def _here(stay: Any, unit: Unit, tree: UnitTree | None) -> sa.ColumnElement[bool]:
    if tree is not None:
        return col(stay.branch_id).in_(sa.select(hierarchy.placed([unit.id], tree).c.id))
    if unit.level is UnitLevel.central:
        return sa.true()
    return col(getattr(stay, f"{unit.level.value}_id")) == unit.id
