"""The statements behind lists of members, built once a shape and then only bound.

A page is read from one walk of an index for each unit of the scope, merged. A search reads a
branch or commune in the same walk, names and all; above the communes it goes through the
dictionary of names, and from each name that fits to those who bear it.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.db import AnySelect
from app.models.base import Uuid
from app.models.groups.groups import Participation
from app.models.members.members import Member, NameEntry, NameWord
from app.services.members.record import COLUMNS
from app.services.units.units import CURRENT_MEMBERS, valid_on

# Filters that compare one column with one value.
EQUAL = (
    "status",
    "kind",
    "gender",
    "core",
    "party",
    "ethnicity",
    "religion",
    "education",
    "qualification",
    "restricted",
)


# What narrows a list to a few people: they are found first, and then put in order.
PICKED: dict[str, sa.ColumnElement[bool]] = {
    "numbered": col(Member.id).in_(sa.bindparam("numbered", type_=Uuid, expanding=True)),
    "group": col(Member.id).in_(
        sa.select(col(Participation.member_id)).where(
            col(Participation.group_id) == sa.bindparam("group"),
            valid_on(Participation, sa.bindparam("today", type_=sa.Date)),
        )
    ),
    "household": col(Member.household_id) == sa.bindparam("household"),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides the text of a statement; everything else is bound to it."""

    columns: tuple[str | None, ...]
    filters: tuple[str, ...]
    groups: tuple[int, ...]  # how many patterns each group of words has
    tiers: tuple[int, ...]  # how many patterns each tier of marks has
    rank: int
    picked: tuple[str, ...]  # what the few are picked by
    by_word: bool  # read the names that have one rare word
    continued: bool
    sqlite: bool


# Scopes whose whole index a search walks; above them it goes through the dictionary.
WALKED = ("branch_id", "commune_id")


@lru_cache(maxsize=512)
def page(shape: Shape) -> AnySelect:
    """One page. `unit IN (...) ORDER BY name` walks the national index (127 ms measured at 19
    million); as one limited walk a unit, merged, it costs 0.64 ms."""
    if shape.picked:
        return _of_the_picked(shape)
    arms = [_arm(shape, number, column) for number, column in enumerate(shape.columns)]
    if len(arms) == 1:
        return arms[0]
    merged = sa.union_all(*(sa.select(arm.subquery()) for arm in arms)).subquery()
    return sa.select(merged).order_by(merged.c.sort_key, merged.c.id).limit(_LIMIT)


def _arm(shape: Shape, number: int, column: str | None) -> AnySelect:
    unit = sa.bindparam(f"unit_{number}", type_=sa.Integer)
    if not shape.groups:
        return _walk(shape, column, unit)
    if column in WALKED:
        return _searching_walk(shape, column, unit)
    return _by_dictionary(shape, column, unit)


def _walk(shape: Shape, column: str | None, unit: Any) -> AnySelect:
    """The row comparison pins each walk to its own (level, sort_key, id) index."""
    order, within = _place(Member, column, unit, shape)
    return (
        sa.select(*COLUMNS, col(Member.sort_key))
        .where(*within, *_conditions(shape))
        .order_by(*order)
        .limit(_LIMIT)
    )


def _searching_walk(shape: Shape, column: str, unit: Any) -> AnySelect:
    """The index holds the search key: rows are fetched of those who fit, and no more than shown."""
    entry = aliased(Member)
    order, within = _place(entry, column, unit, shape)
    if shape.sqlite:
        return (
            sa.select(*COLUMNS, col(entry.sort_key))
            .select_from(_InThisOrder(entry, Member, col(Member.id) == col(entry.id)))
            .where(*within, *_fits(entry, shape), *_conditions(shape))
            .order_by(*order)
            .limit(_LIMIT)
        )
    walked = sa.select(col(entry.id), col(entry.sort_key), col(entry.search_key))
    names = _fenced(walked.where(*within).order_by(*order))
    who = sa.select(*COLUMNS).where(col(Member.id) == names.c.id, *_conditions(shape))
    return _one_by_one(names, shape, who.offset(_FENCE), names.c.id)


def _by_dictionary(shape: Shape, column: str | None, unit: Any) -> AnySelect:
    """From each name that fits, in order, to those of the scope who bear it.

    The order must name the dictionary's column: by the member's own the early stop is lost.
    """
    further = [col(NameEntry.sort_key) >= _AFTER_KEY] if shape.continued else []
    order, within = _place(Member, column, unit, shape)
    if shape.sqlite:
        if shape.by_word:
            with_word = sa.select(col(NameWord.sort_key)).where(*_HAS_WORD)
            further.append(col(NameEntry.sort_key).in_(with_word))
        bears = col(Member.sort_key) == col(NameEntry.sort_key)
        return (
            sa.select(*COLUMNS, col(NameEntry.sort_key))
            .select_from(_InThisOrder(NameEntry, Member, bears))
            .where(*further, *_fits(NameEntry, shape), *within, *_conditions(shape))
            .order_by(col(NameEntry.sort_key), col(Member.id))
            .limit(_LIMIT)
        )
    if shape.by_word:
        # Two words of one name may begin alike.
        names = _fenced(_with_word(continued=shape.continued).distinct().order_by(*_NAME_ORDER))
    else:
        read = sa.select(col(NameEntry.sort_key), col(NameEntry.search_key)).where(*further)
        names = _fenced(read.order_by(col(NameEntry.sort_key)))
    who = (
        sa.select(*COLUMNS)
        .where(col(Member.sort_key) == names.c.sort_key, *within, *_conditions(shape))
        .order_by(*order)
        .limit(_LIMIT)
    )
    return _one_by_one(names, shape, who)


def _with_word(*, continued: bool) -> AnySelect:
    further = [col(NameWord.sort_key) >= _AFTER_KEY] if continued else []
    names = sa.select(col(NameWord.sort_key), col(NameWord.search_key))
    return names.where(*_HAS_WORD, *further)


_HAS_WORD = (
    col(NameWord.word) >= sa.bindparam("word_from", type_=sa.String),
    col(NameWord.word) < sa.bindparam("word_to", type_=sa.String),
)
_NAME_ORDER = (col(NameWord.sort_key), col(NameWord.search_key))


def _of_the_picked(shape: Shape) -> AnySelect:
    of_scope = [
        col(Member.id).is_not(None) if column is None else getattr(Member, column) == unit
        for column, unit in (
            (column, sa.bindparam(f"unit_{number}", type_=sa.Integer))
            for number, column in enumerate(shape.columns)
        )
    ]
    order, after = _place(Member, None, None, shape)
    picked = [condition for name, condition in PICKED.items() if name in shape.picked]
    return (
        sa.select(*COLUMNS, col(Member.sort_key))
        .where(*picked, sa.or_(*of_scope), *after)
        .where(*_fits(Member, shape), *_conditions(shape))
        .order_by(*order)
        .limit(_LIMIT)
    )


_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_AFTER_KEY = sa.bindparam("after_key", type_=sa.String)
_AFTER_ID = sa.bindparam("after_id", type_=Uuid)


def _place(
    model: Any, column: str | None, unit: Any, shape: Shape
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


def _fits(names: Any, shape: Shape) -> list[sa.ColumnElement[bool]]:
    """The stored key has all the words typed, and the marks of its rank but not of a higher one."""
    key = names.search_key
    fits: list[sa.ColumnElement[bool]] = [
        sa.or_(*(key.like(sa.bindparam(f"word_{n}_{m}")) for m in range(size)))
        for n, size in enumerate(shape.groups)
    ]
    tiers = [
        sa.and_(*(key.like(sa.bindparam(f"tier_{n}_{m}")) for m in range(size)))
        for n, size in enumerate(shape.tiers)
    ]
    # A tier need not lie within the next: initials in order, and a whole last word out of order.
    own, above = tiers[shape.rank : shape.rank + 1], tiers[: shape.rank]
    return [*fits, *own, *map(sa.not_, above)]


def _conditions(shape: Shape) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [
        getattr(Member, name) == sa.bindparam(name) for name in EQUAL if name in shape.filters
    ]
    if "status" in shape.filters:
        conditions.append(col(Member.erased_on).is_(None))  # who is in the union never is
    else:
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
    """A subquery that PostgreSQL runs as it stands: it moves nothing across an OFFSET.

    The words are compared outside of it. Inside, their number would be guessed, and where the
    guess is low all the names are read and sorted to show the first fifty (35 ms against 1).
    """
    return statement.offset(_FENCE).subquery("name")


def _one_by_one(names: Any, shape: Shape, who: AnySelect, tie: Any = None) -> AnySelect:
    """On PostgreSQL: for one name that fits after another whoever bears it, until the page is
    full."""
    each = who.lateral("who")
    return (
        sa.select(*each.c, names.c.sort_key)
        .select_from(names.join(each, sa.true()))
        .where(*_fits(names.c, shape))
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
