"""Lists of members: the walks that any scope and filter come down to, in name order."""

from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.errors import invalid
from app.models.access import Right
from app.models.base import Uuid
from app.models.members import Member, MemberQuery
from app.models.units import Unit, UnitLevel
from app.services.access import Actor, Db, Reach, reach_of, require_somewhere
from app.services.members import COLUMNS, shown
from app.services.units import CURRENT_MEMBERS, find_visible


def list_members(
    db: Db, actor: Actor, query: MemberQuery, after: tuple[Any, ...] | None, limit: int
) -> list[tuple[tuple[str, UUID], dict[str, Any]]]:
    """Members in name order: one limited index walk for each unit of the scope, merged."""
    walks = _walks(db, actor, query)
    if not walks:
        return []
    statement = _page_statement(
        tuple(column for column, _ in walks),
        after is not None,
        query.status is not None,
        query.kind is not None,
    )
    parameters: dict[str, Any] = {f"unit_{n}": unit_id for n, (_, unit_id) in enumerate(walks)}
    parameters |= {"limit": limit, "status": query.status, "kind": query.kind}
    if after is not None:
        parameters |= {"after_key": after[0], "after_id": after[1]}
    rows = db.execute(statement, parameters).all()
    # The key of a row: its sort key, which ends it, and its id, which begins it.
    return [((row[-1], row[0]), item) for row, item in zip(rows, shown(actor, rows), strict=True)]


def _walks(db: Db, actor: Actor, query: MemberQuery) -> list[tuple[str | None, int]]:
    """The (level column, unit) pairs that make up scope and filter together."""
    scope = require_somewhere(db, actor, Right.members_read)
    for place, level, unit_id in (
        ("/unit", None, query.unit),
        ("/branch", UnitLevel.branch, query.branch),
        ("/commune", UnitLevel.commune, query.commune),
    ):
        if unit_id is not None:
            scope = _narrowed(db, actor, scope, unit_id, level, place)
    return [walk for reach in scope for walk in _columns_of(reach)]


def _narrowed(
    db: Db,
    actor: Actor,
    scope: tuple[Reach, ...],
    unit_id: int,
    level: UnitLevel | None,
    place: str,
) -> tuple[Reach, ...]:
    """What the scope and one unit have in common: of two nested units the inner one."""
    if len(scope) == 1 and scope[0].unit_id == unit_id and level in (None, scope[0].level):
        return scope
    unit = find_visible(db, actor, unit_id)
    if unit is None:
        raise invalid("unit_unknown", place, place="query")
    if level is not None and unit.level is not level:
        raise invalid("unit_level_wrong", place, place="query", expected=level.value)
    wanted = reach_of(db, unit)
    if any(reach.contains(unit) for reach in scope):
        return (wanted,)
    return tuple(reach for reach in scope if _contains_reach(db, wanted, reach))


def _contains_reach(db: Db, outer: Reach, inner: Reach) -> bool:
    row = db.execute(_UNIT_PATH, {"unit_id": inner.unit_id}).one()
    return outer.contains(row)


_UNIT_PATH = sa.select(
    col(Unit.province_id), col(Unit.district_id), col(Unit.commune_id), col(Unit.branch_id)
).where(col(Unit.id) == sa.bindparam("unit_id"))


def _columns_of(reach: Reach) -> list[tuple[str | None, int]]:
    if reach.level is UnitLevel.central:
        return [(None, 0)]
    if reach.level is UnitLevel.district:
        return [("commune_id", commune) for commune in reach.communes]
    if reach.level is UnitLevel.group:
        return []
    return [(f"{reach.level.value}_id", reach.unit_id)]


@lru_cache(maxsize=512)
def _page_statement(
    columns: tuple[str | None, ...], continued: bool, by_status: bool, by_kind: bool
) -> AnySelect:
    """One page over several units, built once a shape and then only bound.

    `unit IN (...) ORDER BY name` walks the national index (127 ms measured at 19 million); as
    one limited walk a unit, merged, it costs 0.64 ms. The row comparison pins each walk to its
    own (level, sort_key, id) index.
    """
    walks = [
        _walk(number, column, continued, by_status, by_kind)
        for number, column in enumerate(columns)
    ]
    if len(walks) == 1:
        return walks[0]
    merged = sa.union_all(*(sa.select(walk.subquery()) for walk in walks)).subquery()
    return (
        sa.select(merged)
        .order_by(merged.c.sort_key, merged.c.id)
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


def _walk(
    number: int, column: str | None, continued: bool, by_status: bool, by_kind: bool
) -> AnySelect:
    statement: AnySelect = sa.select(*COLUMNS, col(Member.sort_key))
    order: list[Any] = [col(Member.sort_key), col(Member.id)]
    after: list[Any] = [
        sa.bindparam("after_key", type_=sa.String),
        sa.bindparam("after_id", type_=Uuid),
    ]
    if column is not None:
        unit = sa.bindparam(f"unit_{number}", type_=sa.Integer)
        level = getattr(Member, column)
        statement = statement.where(level == unit)
        order, after = [level, *order], [unit, *after]
    if continued:
        statement = statement.where(sa.tuple_(*order) > sa.tuple_(*after))
    if by_status:
        statement = statement.where(col(Member.status) == sa.bindparam("status"))
    else:
        statement = statement.where(col(Member.status).in_(CURRENT_MEMBERS))
    if by_kind:
        statement = statement.where(col(Member.kind) == sa.bindparam("kind"))
    return statement.order_by(*order).limit(sa.bindparam("limit", type_=sa.Integer))
