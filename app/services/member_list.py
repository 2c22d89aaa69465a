"""Lists of members: what any scope, filter and search come down to, in name order.

A page is read from one walk of an index for each unit of the scope, merged. A search reads a
branch or commune in the same walk, names and all; above the communes it goes through the
dictionary of names, and from each name that fits to those who bear it.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.clock import local_today
from app.db import AnySelect
from app.errors import invalid
from app.models.base import Uuid
from app.models.groups import Participation
from app.models.member_lists import MemberQuery
from app.models.members import Member, NameEntry
from app.models.units import UnitLevel
from app.services import member_scope, member_search
from app.services.access import Actor, Db, Reach
from app.services.member_search import Typed
from app.services.members import COLUMNS, MASKS, shown
from app.services.units import CURRENT_MEMBERS, find_filter, valid_on

# Where a row stands: its sort key and its id; where tone marks were typed, before them whether
# they are as typed (0) or not (1).
Key = tuple[str, UUID] | tuple[int, str, UUID]
# Filters that compare one column with one value.
_EQUAL = (
    "status",
    "kind",
    "gender",
    "core",
    "party",
    "ethnicity",
    "religion",
    "education",
    "qualification",
)
_NO_WORDS = Typed((), (), "")


@dataclass(frozen=True, slots=True)
class _Shape:
    """What decides the text of a statement; everything else is bound to it."""

    columns: tuple[str | None, ...]
    filters: tuple[str, ...]
    groups: tuple[int, ...]  # how many patterns each group of words has
    marked: int
    rank: int | None
    picked: bool
    continued: bool
    sqlite: bool


def list_members(
    db: Db, actor: Actor, query: MemberQuery, after: tuple[Any, ...] | None, limit: int
) -> list[tuple[Key, dict[str, Any]]]:
    """Members in name order; where tone marks were typed, those who have them come first."""
    _ensure_ranges(query)
    typed = _NO_WORDS if query.q is None else member_search.read(query.q)
    walks = member_scope.walks(_scope(db, actor, query))
    picked = _picked(db, actor, query, typed)
    if not walks or (picked is not None and not picked):
        return []
    filters = _filters(query)
    parameters = filters | _patterns(typed) | {"picked": sorted(picked or ())}
    parameters |= {f"unit_{n}": unit_id for n, (_, unit_id) in enumerate(walks)}
    rows: list[tuple[Key, dict[str, Any]]] = []
    for rank in (0, 1) if typed.marked else (None,):
        begun = after is not None and (rank is None or after[0] == rank)
        if len(rows) == limit or (after is not None and rank is not None and after[0] > rank):
            continue
        shape = _Shape(
            columns=tuple(column for column, _ in walks),
            filters=tuple(filters),
            groups=tuple(map(len, typed.words)),
            marked=len(typed.marked),
            rank=rank,
            picked=picked is not None,
            continued=begun,
            sqlite=_on_sqlite(db),
        )
        bound = parameters | {"limit": limit - len(rows)}
        if after is not None and begun:
            bound |= {"after_key": after[-2], "after_id": after[-1]}
        found = db.execute(_page(shape), bound).all()
        for row, item in zip(found, shown(actor, found), strict=True):
            key = (row[-1], row[0])  # the sort key ends a row, her id begins it
            rows.append((key if rank is None else (rank, *key), item))
    return rows


def _on_sqlite(db: Db) -> bool:
    connection = db.connection() if isinstance(db, Session) else db
    return connection.dialect.name == "sqlite"


# -- what was asked


def _scope(db: Db, actor: Actor, query: MemberQuery) -> tuple[Reach, ...]:
    """Whoever filters by a field may read it of everyone she then sees."""
    asked = [right for name, right in MASKS.items() if getattr(query, name, None) is not None]
    scope = member_scope.held(db, actor, asked)
    for pointer, level, unit_id in (
        ("/unit", None, query.unit),
        ("/branch", UnitLevel.branch, query.branch),
        ("/commune", UnitLevel.commune, query.commune),
    ):
        if unit_id is not None:
            scope = member_scope.narrowed(db, actor, scope, unit_id, pointer, level)
    return scope


def _ensure_ranges(query: MemberQuery) -> None:
    if query.age_from is not None and query.age_to is not None and query.age_to < query.age_from:
        raise invalid("range_reversed", "/age_to", place="query")
    if query.joined_from and query.joined_to and query.joined_to < query.joined_from:
        raise invalid("dates_reversed", "/joined_to", place="query")


def _filters(query: MemberQuery) -> dict[str, Any]:
    """The filters asked for, by the name of their condition, with what to bind to it."""
    year = local_today().year
    filters = {name: getattr(query, name) for name in (*_EQUAL, "joined_from", "joined_to")}
    filters["born_by"] = None if query.age_from is None else year - query.age_from
    filters["born_since"] = None if query.age_to is None else year - query.age_to
    return {name: value for name, value in filters.items() if value is not None}


def _patterns(typed: Typed) -> dict[str, str]:
    words = {
        f"word_{n}_{m}": pattern
        for n, group in enumerate(typed.words)
        for m, pattern in enumerate(group)
    }
    return words | {f"marked_{n}": pattern for n, pattern in enumerate(typed.marked)}


def _picked(db: Db, actor: Actor, query: MemberQuery, typed: Typed) -> set[UUID] | None:
    """The few among whom a number, a group or a household narrows the list; None = anybody."""
    few: list[set[UUID]] = []
    if typed.number:
        few.append(member_search.find_by_number(db, actor, typed.number))
    if query.group is not None:
        group = find_filter(db, actor, query.group, pointer="/group")
        if group.level is not UnitLevel.group:
            raise invalid("unit_level_wrong", "/group", place="query", expected="group")
        parameters = {"group": group.id, "today": local_today()}
        few.append(set(db.execute(_PARTICIPANTS, parameters).scalars()))
    if query.household is not None:
        few.append(set(db.execute(_HOUSEHOLD, {"household": query.household}).scalars()))
    return set.intersection(*few) if few else None


_PARTICIPANTS = sa.select(col(Participation.member_id)).where(
    col(Participation.group_id) == sa.bindparam("group"),
    valid_on(Participation, sa.bindparam("today", type_=sa.Date)),
)
_HOUSEHOLD = sa.select(col(Member.id)).where(col(Member.household_id) == sa.bindparam("household"))


# -- statements, built once a shape and then only bound


@lru_cache(maxsize=512)
def _page(shape: _Shape) -> AnySelect:
    """One page. `unit IN (...) ORDER BY name` walks the national index (127 ms measured at 19
    million); as one limited walk a unit, merged, it costs 0.64 ms."""
    if shape.picked:
        return _of_the_picked(shape)
    arms = [_arm(shape, number, column) for number, column in enumerate(shape.columns)]
    if len(arms) == 1:
        return arms[0]
    merged = sa.union_all(*(sa.select(arm.subquery()) for arm in arms)).subquery()
    return sa.select(merged).order_by(merged.c.sort_key, merged.c.id).limit(_LIMIT)


def _arm(shape: _Shape, number: int, column: str | None) -> AnySelect:
    unit = sa.bindparam(f"unit_{number}", type_=sa.Integer)
    if not shape.groups:
        return _walk(shape, column, unit)
    if column in ("branch_id", "commune_id"):
        return _searching_walk(shape, column, unit)
    return _by_dictionary(shape, column, unit)


def _walk(shape: _Shape, column: str | None, unit: Any) -> AnySelect:
    """The row comparison pins each walk to its own (level, sort_key, id) index."""
    order, within = _place(Member, column, unit, shape)
    return (
        sa.select(*COLUMNS, col(Member.sort_key))
        .where(*within, *_conditions(shape))
        .order_by(*order)
        .limit(_LIMIT)
    )


def _searching_walk(shape: _Shape, column: str, unit: Any) -> AnySelect:
    """The index holds the search key: rows are fetched of those who fit, and no more than shown."""
    entry = aliased(Member)
    order, within = _place(entry, column, unit, shape)
    fits = [*within, *_fits(entry, shape)]
    if shape.sqlite:
        return (
            sa.select(*COLUMNS, col(entry.sort_key))
            .select_from(_InThisOrder(entry, Member, col(Member.id) == col(entry.id)))
            .where(*fits, *_conditions(shape))
            .order_by(*order)
            .limit(_LIMIT)
        )
    names = _fenced(sa.select(col(entry.id), col(entry.sort_key)).where(*fits).order_by(*order))
    who = sa.select(*COLUMNS).where(col(Member.id) == names.c.id, *_conditions(shape))
    return _one_by_one(names, who.offset(_FENCE), names.c.id)


def _by_dictionary(shape: _Shape, column: str | None, unit: Any) -> AnySelect:
    """From each name that fits, in order, to those of the scope who bear it.

    The order must name the dictionary's column: by the member's own the early stop is lost.
    """
    fits = _fits(NameEntry, shape)
    if shape.continued:
        fits.append(col(NameEntry.sort_key) >= _AFTER_KEY)
    order, within = _place(Member, column, unit, shape)
    if shape.sqlite:
        bears = col(Member.sort_key) == col(NameEntry.sort_key)
        return (
            sa.select(*COLUMNS, col(NameEntry.sort_key))
            .select_from(_InThisOrder(NameEntry, Member, bears))
            .where(*fits, *within, *_conditions(shape))
            .order_by(col(NameEntry.sort_key), col(Member.id))
            .limit(_LIMIT)
        )
    names = _fenced(
        sa.select(col(NameEntry.sort_key)).where(*fits).order_by(col(NameEntry.sort_key))
    )
    who = (
        sa.select(*COLUMNS)
        .where(col(Member.sort_key) == names.c.sort_key, *within, *_conditions(shape))
        .order_by(*order)
        .limit(_LIMIT)
    )
    return _one_by_one(names, who)


def _of_the_picked(shape: _Shape) -> AnySelect:
    of_scope = [
        col(Member.id).is_not(None) if column is None else getattr(Member, column) == unit
        for column, unit in (
            (column, sa.bindparam(f"unit_{number}", type_=sa.Integer))
            for number, column in enumerate(shape.columns)
        )
    ]
    picked = sa.bindparam("picked", type_=Uuid, expanding=True)
    order, after = _place(Member, None, None, shape)
    return (
        sa.select(*COLUMNS, col(Member.sort_key))
        .where(col(Member.id).in_(picked), sa.or_(*of_scope), *after)
        .where(*_fits(Member, shape), *_conditions(shape))
        .order_by(*order)
        .limit(_LIMIT)
    )


_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_AFTER_KEY = sa.bindparam("after_key", type_=sa.String)
_AFTER_ID = sa.bindparam("after_id", type_=Uuid)


def _place(
    model: Any, column: str | None, unit: Any, shape: _Shape
) -> tuple[list[Any], list[sa.ColumnElement[bool]]]:
    """The order of a walk through a unit, and the conditions that say where it runs."""
    order: list[Any] = [col(model.sort_key), col(model.id)]
    after: list[Any] = [_AFTER_KEY, _AFTER_ID]
    within = []
    if column is not None:
        level = getattr(model, column)
        within.append(level == unit)
        order, after = [level, *order], [unit, *after]
    if shape.continued:
        within.append(sa.tuple_(*order) > sa.tuple_(*after))
    return order, within


def _fits(model: Any, shape: _Shape) -> list[sa.ColumnElement[bool]]:
    """The stored key has all the words typed, and their marks in the first rank only."""
    key = col(model.search_key)
    fits: list[sa.ColumnElement[bool]] = [
        sa.or_(*(key.like(sa.bindparam(f"word_{n}_{m}")) for m in range(size)))
        for n, size in enumerate(shape.groups)
    ]
    if shape.marked:
        as_typed = sa.and_(*(key.like(sa.bindparam(f"marked_{n}")) for n in range(shape.marked)))
        fits.append(as_typed if shape.rank == 0 else sa.not_(as_typed))
    return fits


def _conditions(shape: _Shape) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [
        getattr(Member, name) == sa.bindparam(name) for name in _EQUAL if name in shape.filters
    ]
    if "status" not in shape.filters:
        conditions.append(col(Member.status).in_(CURRENT_MEMBERS))
    bounds = {
        "born_by": col(Member.birth_year) <= sa.bindparam("born_by"),
        "born_since": col(Member.birth_year) >= sa.bindparam("born_since"),
        "joined_from": col(Member.joined_on) >= sa.bindparam("joined_from"),
        "joined_to": col(Member.joined_on) <= sa.bindparam("joined_to"),
    }
    return [*conditions, *(bound for name, bound in bounds.items() if name in shape.filters)]


# -- plans that stop early


_FENCE: sa.ColumnElement[int] = sa.literal_column("0")


def _fenced(statement: AnySelect) -> Any:
    """A subquery that PostgreSQL runs as it stands: it never looks behind an OFFSET."""
    return statement.offset(_FENCE).subquery("name")


def _one_by_one(names: Any, who: AnySelect, tie: Any = None) -> AnySelect:
    """On PostgreSQL: for one name after another whoever bears it, until the page is full."""
    each = who.lateral("who")
    return (
        sa.select(*each.c, names.c.sort_key)
        .select_from(names.join(each, sa.true()))
        .order_by(names.c.sort_key, each.c.id if tie is None else tie)
        .limit(_LIMIT)
    )


class _InThisOrder(sa.Join):
    """A join whose left side SQLite reads first; its planner would rather read all members."""

    inherit_cache = True


@compiles(_InThisOrder, "sqlite")
def _cross_join(join: _InThisOrder, compiler: Any, **options: Any) -> str:
    text: str = compiler.visit_join(join, **options)
    return text.replace(" JOIN ", " CROSS JOIN ", 1)
