"""Reading the dated tree: lists, one unit, and what became of it.

Reading "as of" a day takes the edges, names and codes valid on that day. The columns on `unit`
itself are today's.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import local_today
from app.errors import not_found
from app.models.external_ids.external_ids import UnitExternalId
from app.models.kernel.access import Right
from app.models.kernel.lineage import IdentifierRead, Lineage, ParentRead
from app.models.kernel.units import (
    IdentifierScheme,
    SuccessionRead,
    Unit,
    UnitClosure,
    UnitDetail,
    UnitEdge,
    UnitIdentifier,
    UnitLevel,
    UnitQuery,
    UnitRead,
    UnitRef,
)
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.services.kernel.access import Actor, Db, require_somewhere, visible
from app.services.kernel.external_ids import records_of
from app.services.kernel.keyset import Order, Pages, pages
from app.services.kernel.offers import RowsOfDay, SyncKind
from app.services.units.successions import lineage_steps, steps
from app.services.units.units import CURRENT_MEMBERS, area_on, counts_on, valid_on
from app.text import name_key


def identifier_on(
    scheme: IdentifierScheme, day: date, what: Any = UnitIdentifier.value
) -> sa.ScalarSelect[Any]:
    """The value valid on the day, or for a unit closed before it the last one it had."""
    return (
        sa.select(what)
        .where(
            col(UnitIdentifier.unit_id) == col(Unit.id),
            col(UnitIdentifier.scheme) == scheme,
            col(UnitIdentifier.valid_from) <= day,
        )
        .order_by(col(UnitIdentifier.valid_from).desc())
        .limit(1)
        .scalar_subquery()
    )


def _columns(day: date | None) -> list[Any]:
    """The columns of UnitRead, as they are today or as they were on a day."""
    name: Any = col(Unit.name)
    code: Any = col(Unit.code)
    parent: Any = col(Unit.parent_id)
    area: Any = col(Unit.area_type)
    if day is not None:
        name = identifier_on(IdentifierScheme.name, day).label("name")
        code = identifier_on(IdentifierScheme.gso, day).label("code")
        area = area_on(day).label("area_type")
        parent = (
            sa.select(col(UnitEdge.parent_id))
            .where(col(UnitEdge.unit_id) == col(Unit.id), col(UnitEdge.valid_from) <= day)
            .order_by(col(UnitEdge.valid_from).desc())
            .limit(1)
            .scalar_subquery()
            .label("parent_id")
        )
    return [
        col(Unit.id),
        col(Unit.level),
        name,
        code,
        area,
        col(Unit.group_kind),
        parent,
        col(Unit.opened_on),
        col(Unit.closed_on),
        col(Unit.phone),
        col(Unit.email),
        col(Unit.address),
        col(Unit.revision),
        col(Unit.sort_key),
        col(Unit.province_id),
        col(Unit.district_id),
        col(Unit.commune_id),
        col(Unit.branch_id),
    ]


_CONTACT = ("phone", "email", "address")
BY_NAME = Order(col(Unit.sort_key), col(Unit.id))


def list_units(db: Db, actor: Actor, query: UnitQuery, *, itself: bool = False) -> Pages:
    """Units in scope that existed on the day asked, by name in Vietnamese order. `itself`: also the unit
    that the others are under."""
    day = query.as_of or local_today()
    statement = sa.select(*_columns(query.as_of)).where(
        readable(db, actor, query.as_of), col(Unit.opened_on) <= day
    )
    if not query.include_closed:
        statement = statement.where(
            sa.or_(col(Unit.closed_on).is_(None), col(Unit.closed_on) >= day)
        )
    if query.level:
        statement = statement.where(col(Unit.level).in_(query.level))
    if query.parent is not None:
        below = standing(UnitEdge, col(UnitEdge.unit_id), day, closed=query.include_closed)
        statement = statement.where(
            col(Unit.id).in_(below.where(col(UnitEdge.parent_id) == query.parent))
        )
    if query.under is not None:
        below = standing(
            UnitClosure, col(UnitClosure.descendant_id), day, closed=query.include_closed
        )
        statement = statement.where(
            col(Unit.id).in_(
                below.where(
                    col(UnitClosure.ancestor_id) == query.under,
                    col(UnitClosure.depth) >= (0 if itself else 1),
                )
            )
        )
    if query.external_id is not None:
        known = records_of(db, UnitExternalId, "unit_id", [query.external_id])
        statement = statement.where(col(Unit.id).in_([*known.values()]))
    if query.code is not None:
        # Of a unit that has closed, the code it closed with.
        having = standing(
            UnitIdentifier, col(UnitIdentifier.unit_id), day, closed=query.include_closed
        )
        statement = statement.where(
            col(Unit.id).in_(
                having.where(
                    col(UnitIdentifier.scheme) == IdentifierScheme.gso,
                    col(UnitIdentifier.value) == query.code,
                )
            )
        )
    if words := name_key(query.q or "").split():
        statement = statement.where(_named(words, query.as_of))
    return pages(statement, BY_NAME, lambda db, rows: _read(db, actor, rows, query.as_of))


def readable(db: Db, actor: Actor, as_of: date | None) -> sa.ColumnElement[bool]:
    """Units in scope today; of a past day also those that stood in a unit, closed since, of which the
    actor reads the past. 403 for who reads neither."""
    then = _stood_then(actor, Right.units_read, as_of)
    if then is None:
        require_somewhere(db, actor, Right.units_read)
        return visible(Unit, actor, Right.units_read)
    return sa.or_(visible(Unit, actor, Right.units_read), col(Unit.id).in_(then))


def _stood_then(actor: Actor, right: Right, as_of: date | None) -> sa.Select[int] | None:
    """What stood on the day in the closed units over which the actor held the right then."""
    reaches = [] if as_of is None else actor.past_reach(right, as_of)
    if not reaches:
        return None
    return sa.select(col(UnitClosure.descendant_id)).where(
        col(UnitClosure.ancestor_id).in_([each for reach in reaches for each in reach.unit_ids]),
        valid_on(UnitClosure, as_of),
    )


def _named(words: Sequence[str], as_of: date | None) -> sa.ColumnElement[bool]:
    """Units whose name of today, or of the day asked, has all the words in it."""
    if as_of is None:
        return sa.and_(*(col(Unit.name_key).contains(word, autoescape=True) for word in words))
    named = identifier_on(IdentifierScheme.name, as_of, UnitIdentifier.value_key)
    return sa.and_(*(named.contains(word, autoescape=True) for word in words))


def standing(model: type[Any], unit_id: Any, day: date, *, closed: bool) -> sa.Select[Any]:
    """Units by where they stood on the day; a unit closed before it, where it stood last."""
    if not closed:
        return sa.select(unit_id).where(valid_on(model, day))
    below = aliased(Unit)
    last = sa.and_(col(below.closed_on) < day, col(model.valid_to) == col(below.closed_on))
    return (
        sa.select(unit_id)
        .join(below, col(below.id) == unit_id)
        .where(sa.or_(valid_on(model, day), last))
    )


def _read(db: Db, actor: Actor, rows: Sequence[Any], as_of: date | None) -> list[dict[str, Any]]:
    """Rows as UnitRead: with the member counts of the day where the actor may count members, and
    without the contact of today for who reads the past alone."""
    if as_of is None:
        counts = member_counts(db, rows)
    else:
        counts = _member_counts_on(db, [row.id for row in rows], as_of)
    then = _counted_then(db, actor, [row.id for row in rows], as_of)
    shown = UnitRead.model_fields.keys()
    items = []
    for row in rows:
        values = row._mapping
        countable = row.id in then or actor.covers(Right.members_read, row)
        own = {"member_count": counts.get(row.id, 0) if countable else None}
        if not actor.covers(Right.units_read, row):
            own |= dict.fromkeys(_CONTACT)
        items.append({name: own[name] if name in own else values[name] for name in shown})
    return items


def _counted_then(
    db: Db, actor: Actor, unit_ids: Sequence[int], as_of: date | None
) -> Collection[int]:
    """Those whose people of that day the actor may count because the unit they stood in has closed."""
    then = _stood_then(actor, Right.members_read, as_of)
    if then is None:
        return ()
    return set(db.execute(then.where(col(UnitClosure.descendant_id).in_(unit_ids))).scalars())


def member_counts(db: Db, units: Iterable[Any]) -> dict[int, int]:
    """People in the union today under each of the units; one query a level."""
    by_level: dict[UnitLevel, list[Any]] = {}
    for unit in units:
        by_level.setdefault(unit.level, []).append(unit)
    counts: dict[int, int] = {}
    for level, group in by_level.items():
        counts |= _counts_of_level(db, level, [unit.id for unit in group])
    return counts


def _member_counts_on(db: Db, unit_ids: Sequence[int], day: date) -> dict[int, int]:
    """People in the branches that stood under each of the units on a day, by their spells."""
    rows = db.execute(
        sa.select(col(UnitClosure.ancestor_id), sa.func.count())
        .join(Membership, col(Membership.branch_id) == col(UnitClosure.descendant_id))
        .where(
            col(UnitClosure.ancestor_id).in_(unit_ids),
            valid_on(UnitClosure, day),
            counts_on(day),
        )
        .group_by(col(UnitClosure.ancestor_id))
    )
    return {row[0]: row[1] for row in rows}


def _counts_of_level(db: Db, level: UnitLevel, ids: Sequence[int]) -> dict[int, int]:
    current = col(Member.status).in_(CURRENT_MEMBERS)
    if level is UnitLevel.central:
        total = db.execute(sa.select(sa.func.count()).select_from(Member).where(current))
        return dict.fromkeys(ids, total.scalar_one())
    if level is UnitLevel.district:
        # Members carry no district: they are counted through its communes.
        rows = db.execute(
            sa.select(col(Unit.district_id), sa.func.count())
            .join(Member, col(Member.commune_id) == col(Unit.id))
            .where(col(Unit.district_id).in_(ids), col(Unit.level) == UnitLevel.commune, current)
            .group_by(col(Unit.district_id))
        )
    else:
        columns = {
            UnitLevel.province: col(Member.province_id),
            UnitLevel.commune: col(Member.commune_id),
            UnitLevel.branch: col(Member.branch_id),
        }
        if level not in columns:
            return {}
        column = columns[level]
        rows = db.execute(
            sa.select(column, sa.func.count()).where(column.in_(ids), current).group_by(column)
        )
    return {unit_id: count for unit_id, count in rows if unit_id is not None}


def get_unit(db: Db, actor: Actor, unit_id: int, as_of: date | None) -> UnitDetail:
    """A unit with its ancestors of the day asked and what came before and after it."""
    row = _visible_row(db, actor, unit_id, as_of)
    [item] = _read(db, actor, [row], as_of)
    day = as_of or local_today()
    return UnitDetail(
        **item,
        ancestors=_ancestors(db, unit_id, min(day, row.closed_on or day)),
        predecessors=[SuccessionRead(**step) for step in steps(db, unit_id, forward=False)],
        successors=[SuccessionRead(**step) for step in steps(db, unit_id, forward=True)],
    )


def _visible_row(db: Db, actor: Actor, unit_id: int, as_of: date | None) -> Any:
    row = db.execute(
        sa.select(*_columns(as_of)).where(col(Unit.id) == unit_id, readable(db, actor, as_of))
    ).one_or_none()
    if row is None or (as_of is not None and row.opened_on > as_of):
        raise not_found()
    return row


def _ancestors(db: Db, unit_id: int, day: date) -> list[UnitRef]:
    rows = db.execute(
        sa.select(
            col(Unit.id), col(Unit.level), identifier_on(IdentifierScheme.name, day).label("name")
        )
        .join(UnitClosure, col(UnitClosure.ancestor_id) == col(Unit.id))
        .where(
            col(UnitClosure.descendant_id) == unit_id,
            col(UnitClosure.depth) > 0,
            valid_on(UnitClosure, day),
        )
        .order_by(col(UnitClosure.depth).desc())
    )
    return [UnitRef.model_validate(row) for row in rows]


def lineage(db: Db, actor: Actor, unit_id: int) -> Lineage:
    """Everything the unit ever was: parents, names, codes, and what it came from and became."""
    row = _visible_row(db, actor, unit_id, None)
    parents = db.execute(
        sa.select(
            col(UnitEdge.valid_from),
            col(UnitEdge.valid_to),
            col(Unit.id),
            col(Unit.level),
            col(Unit.name),
        )
        .join(Unit, col(Unit.id) == col(UnitEdge.parent_id))
        .where(col(UnitEdge.unit_id) == unit_id)
        .order_by(col(UnitEdge.valid_from))
    )
    identifiers = db.execute(
        sa.select(
            col(UnitIdentifier.scheme),
            col(UnitIdentifier.value),
            col(UnitIdentifier.valid_from),
            col(UnitIdentifier.valid_to),
        )
        .where(col(UnitIdentifier.unit_id) == unit_id)
        .order_by(col(UnitIdentifier.scheme), col(UnitIdentifier.valid_from))
    )
    before, after = (
        lineage_steps(db, unit_id, forward=forward, countable=actor.covers(Right.members_read, row))
        for forward in (False, True)
    )
    return Lineage(
        unit=UnitRef.model_validate(row),
        parents=[
            ParentRead(
                unit=UnitRef.model_validate(parent),
                valid_from=parent.valid_from,
                valid_to=parent.valid_to,
            )
            for parent in parents
        ],
        identifiers=[IdentifierRead.model_validate(each) for each in identifiers],
        predecessors=before,
        successors=after,
    )


def _of_ids(db: Connection, actor: Actor, ids: Sequence[int]) -> list[dict[str, Any]]:
    rows = db.execute(sa.select(*_columns(None)).where(col(Unit.id).in_(ids))).all()
    return _read(db, actor, rows, None)


SYNC = SyncKind(
    name="unit",
    entity="unit",
    right=Right.units_read,
    schema=UnitRead,
    model=Unit,
    place=Unit,
    rows=_of_ids,
    # The phone counts the members that it has.
    derived=frozenset({"member_count"}),
    parents={"unit": "parent_id"},
    past=RowsOfDay(
        schema=UnitRead,
        pages=lambda db, actor, unit_id, day: list_units(
            db, actor, UnitQuery(under=unit_id, as_of=day), itself=True
        ),
    ),
)
