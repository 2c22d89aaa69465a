"""In which units branches count: in the tree as it was, as it is, or as it was on a day.

Facts keep the branch they happened in. In the tree of a day that branch may have closed, or may not
have opened yet. It then counts in one other unit: what closed in the one that took it over whole,
what had not opened in the one it came from. Where there is no such unit, or several, it stands under
the parent it had last, or first. So every branch counts exactly once at every level above it.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect
from app.errors import invalid
from app.models.base import Day
from app.models.kernel.access import Right
from app.models.kernel.units import (
    LEVELS_BUT_GROUP,
    Unit,
    UnitClosure,
    UnitEdge,
    UnitLevel,
    UnitRef,
    UnitSuccession,
)
from app.services.kernel.access import Actor, Db, forbidden, visible
from app.services.units.units import valid_on

_OF_DAY: TypeAdapter[date] = TypeAdapter(Day)


class UnitTree(NamedTuple):
    """The tree of a day. `followed`: what has closed is counted in what took it over; otherwise, as
    it was, under the parent it had last."""

    day: date
    followed: bool


def as_was(day: date) -> UnitTree:
    """The tree at the end of a period."""
    return UnitTree(day, followed=False)


def chosen(hierarchy: str | None) -> UnitTree | None:
    """The tree that a query asks for; None: as it was. 422 for anything else, and for days to come."""
    if hierarchy in (None, "as_was"):
        return None
    today = local_today()
    if hierarchy == "as_is":
        return UnitTree(today, followed=True)
    try:
        day = _OF_DAY.validate_python(hierarchy)
    except ValidationError:
        raise invalid("hierarchy_invalid", "/hierarchy", place="query") from None
    if day > today:
        raise invalid("date_in_future", "/hierarchy", place="query")
    return UnitTree(day, followed=True)


# -- what stands where


def placed(unit_ids: Sequence[int] | sa.Select[int], tree: UnitTree) -> sa.CTE:
    """All units that count in each of these, the unit itself included: `id`, and it as `part_id`."""
    return _placed(unit_ids, tree, _elsewhere(tree))


def _placed(unit_ids: Sequence[int] | sa.Select[int], tree: UnitTree, elsewhere: sa.CTE) -> sa.CTE:
    # By their own names: a unit that is not in the tree of the day has no line in it.
    themselves: AnySelect = sa.select(col(Unit.id).label("id"), col(Unit.id).label("part_id"))
    standing = sa.select(col(UnitClosure.descendant_id), col(UnitClosure.ancestor_id)).where(
        col(UnitClosure.ancestor_id).in_(unit_ids), valid_on(UnitClosure, tree.day)
    )
    there = themselves.where(col(Unit.id).in_(unit_ids)).union(standing).cte()
    found = sa.select(there.c.id, there.c.part_id).cte(recursive=True)
    return found.union(
        sa.select(elsewhere.c.id, found.c.part_id).join(found, found.c.id == elsewhere.c.place_id)
    )


def placed_of(
    unit_ids: Sequence[int] | AnySelect, part_ids: Sequence[int] | AnySelect, tree: UnitTree
) -> sa.CTE:
    """As `placed` in these parts, of these units alone: looked up from them to the top, which in a large
    tree costs what they are."""
    elsewhere = _elsewhere_rows(tree).subquery()
    these: AnySelect = sa.select(col(Unit.id).label("id"), col(Unit.id).label("place_id"))
    found = these.where(col(Unit.id).in_(unit_ids)).cte(recursive=True)
    found = found.union(
        sa.select(found.c.id, elsewhere.c.place_id).join(
            elsewhere, elsewhere.c.id == found.c.place_id
        )
    )
    above = (
        sa.select(found.c.id, col(UnitClosure.ancestor_id).label("part_id"))
        .join(UnitClosure, col(UnitClosure.descendant_id) == found.c.place_id)
        .where(col(UnitClosure.ancestor_id).in_(part_ids), valid_on(UnitClosure, tree.day))
    )
    there = sa.select(found.c.id, found.c.place_id).where(found.c.place_id.in_(part_ids))
    return above.union(there).cte()


def placed_beside(unit_id: int, children: Sequence[int], tree: UnitTree) -> sa.CTE:
    """The `id` of all units that count in the unit and in none of these directly below it."""
    others = (
        sa.select(col(UnitEdge.unit_id))
        .where(col(UnitEdge.parent_id) == unit_id, valid_on(UnitEdge, tree.day))
        .where(col(UnitEdge.unit_id).not_in(children))
    )
    below = sa.select(col(UnitClosure.descendant_id)).where(
        col(UnitClosure.ancestor_id).in_(others), valid_on(UnitClosure, tree.day)
    )
    itself: AnySelect = sa.select(col(Unit.id).label("id")).where(col(Unit.id) == unit_id)
    there = itself.union(below).cte()
    elsewhere = _elsewhere(tree)
    found = sa.select(there.c.id).cte(recursive=True)
    return found.union(
        sa.select(elsewhere.c.id)
        .join(found, found.c.id == elsewhere.c.place_id)
        .where(elsewhere.c.id.not_in(children))
    )


def by_level(unit_ids: Sequence[int], level: UnitLevel, tree: UnitTree) -> sa.CTE:
    """The units that count in one of these, each with the unit of the level it counts in, or null."""
    elsewhere = _elsewhere(tree)
    every = _placed(unit_ids, tree, elsewhere)
    of_level = (
        sa.select(every.c.id)
        .join(Unit, col(Unit.id) == every.c.id)
        .where(col(Unit.level) == level, every.c.id.not_in(_in_another(elsewhere)))
    )
    parts = _placed(of_level, tree, elsewhere)
    return (
        sa.select(every.c.id, parts.c.part_id)
        .select_from(every.outerjoin(parts, parts.c.id == every.c.id))
        .distinct()
        .cte()
    )


def _in_another(elsewhere: sa.CTE) -> sa.Select[int]:
    """Those that count in another unit of their kind, and are no part of their own."""
    return sa.select(elsewhere.c.id).where(elsewhere.c.in_another)


def children(db: Db, unit_id: int, tree: UnitTree, first: date, last: date) -> list[UnitRef]:
    """The units directly below a unit, by name: of the tree, and what stood there on another day
    between these two."""
    elsewhere = _elsewhere(tree)
    below = sa.select(col(UnitEdge.unit_id)).where(
        col(UnitEdge.parent_id) == unit_id, valid_on(UnitEdge, tree.day)
    )
    others = sa.select(elsewhere.c.id).where(
        elsewhere.c.place_id == unit_id, sa.not_(elsewhere.c.in_another)
    )
    rows = db.execute(
        sa.select(col(Unit.id), col(Unit.level), col(Unit.name))
        .where(
            sa.or_(
                col(Unit.id).in_(below),
                sa.and_(
                    col(Unit.id).in_(others),
                    col(Unit.opened_on) <= last,
                    sa.or_(col(Unit.closed_on).is_(None), col(Unit.closed_on) >= first),
                ),
            ),
            col(Unit.level).in_(LEVELS_BUT_GROUP),
        )
        .order_by(col(Unit.sort_key), col(Unit.id))
    )
    return [UnitRef(id=row.id, level=UnitLevel(row.level), name=row.name) for row in rows]


def ensure_held(
    db: Db, actor: Actor, right: Right, unit_ids: Sequence[int], tree: UnitTree, last: date
) -> None:
    """403 where the tree is one of another day, and a unit that is in it is today of others, and was
    so on the last day of what is counted: that the actor held it in between gives her none of that."""
    if not tree.followed or tree.day >= local_today():
        return
    every = placed(unit_ids, tree)
    stood = sa.select(col(UnitClosure.descendant_id)).where(
        col(UnitClosure.ancestor_id).in_(unit_ids), valid_on(UnitClosure, last)
    )
    others = (
        sa.select(every.c.id)
        .join(Unit, col(Unit.id) == every.c.id)
        .where(
            sa.not_(visible(Unit, actor, right)),
            # What had closed by then counts in another one, which is asked about itself.
            sa.or_(col(Unit.closed_on).is_(None), col(Unit.closed_on) >= tree.day),
            every.c.id.not_in(stood),
        )
    )
    if db.execute(others.limit(1)).first() is not None:
        raise forbidden(db, actor, right, unit_ids[0])


def _elsewhere(tree: UnitTree) -> sa.CTE:
    """Of a walk down the tree: SQLite would look for them again at each of its steps."""
    found: sa.CTE = _elsewhere_rows(tree).cte().prefix_with("MATERIALIZED")
    return found


def _elsewhere_rows(tree: UnitTree) -> Any:
    """The units that are not in the tree of the day, each with the one it counts in (`place_id`), and
    whether that is another unit of its kind (`in_another`) or its parent."""
    closed = col(Unit.closed_on) < tree.day
    if not tree.followed:
        parent = _parent(col(UnitEdge.valid_from).desc())
        never = sa.false().label("in_another")
        return sa.select(col(Unit.id), parent.label("place_id"), never).where(closed)
    heir = _only(UnitSuccession.to_unit_id).where(
        col(UnitSuccession.from_unit_id) == col(Unit.id),
        col(UnitSuccession.effective_on) > col(Unit.closed_on),
        col(UnitSuccession.effective_on) <= tree.day,
    )
    origin = _only(UnitSuccession.from_unit_id).where(
        col(UnitSuccession.to_unit_id) == col(Unit.id),
        col(UnitSuccession.effective_on) == col(Unit.opened_on),
    )
    went = _counted_in(heir, col(UnitEdge.valid_from).desc()).where(closed)
    came = _counted_in(origin, col(UnitEdge.valid_from).asc()).where(col(Unit.opened_on) > tree.day)
    return went.union_all(came)


def _counted_in(other: AnySelect, order: sa.ColumnElement[Any]) -> AnySelect:
    other_id = other.correlate(Unit).scalar_subquery()
    return sa.select(
        col(Unit.id),
        sa.func.coalesce(other_id, _parent(order)).label("place_id"),
        other_id.is_not(None).label("in_another"),
    )


def _only(unit_id: Any) -> AnySelect:
    """The one unit that the successions name; null where they name several, or none."""
    least, most = sa.func.min(col(unit_id)), sa.func.max(col(unit_id))
    known = sa.func.count() == sa.func.count(col(unit_id))
    return sa.select(sa.case((sa.and_(least == most, known), least))).select_from(UnitSuccession)


def _parent(order: sa.ColumnElement[Any]) -> sa.ScalarSelect[int]:
    return (
        sa.select(col(UnitEdge.parent_id))
        .where(col(UnitEdge.unit_id) == col(Unit.id))
        .order_by(order)
        .limit(1)
        .correlate(Unit)
        .scalar_subquery()
    )
