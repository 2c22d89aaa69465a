"""The statements behind lists of members, built once a shape and then only bound.

A page is read from one walk of an index for each unit of the scope, merged. A search reads a few
branches or communes in the same walk, names and all; above them it goes through the dictionary of
names, and from each name that fits to those who bear it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.db import AnySelect
from app.models.base import Uuid
from app.models.groups.groups import Participation
from app.models.members.members import Member, NameEntry, NameWord
from app.services.members.patterns import Sizes, fits
from app.services.members.record import COLUMNS
from app.services.members.scope import Area, WalkOf, through
from app.services.units.units import CURRENT_MEMBERS, valid_on
from app.statements import UNITS, InThisOrder, among

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
    "external": col(Member.id).in_(sa.bindparam("external", type_=Uuid, expanding=True)),
    "group": col(Member.id).in_(
        sa.select(col(Participation.member_id)).where(
            col(Participation.group_id) == sa.bindparam("group"),
            valid_on(Participation, sa.bindparam("today", type_=sa.Date)),
        )
    ),
    "household": col(Member.household_id) == sa.bindparam("household"),
}


class PagePlan(Enum):
    picked = auto()  # from the few that a filter picks
    walk = auto()  # through each unit
    names = auto()  # through each unit by the names in its index
    dictionary = auto()  # through the names of the dictionary, to who bears them


class NamesFrom(Enum):
    """Which names of the dictionary are read."""

    every = auto()
    begun = auto()  # with a word that begins so
    word = auto()  # with the whole word: they stand in their order


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides the text of a statement; everything else is bound to it."""

    plan: PagePlan
    columns: tuple[str, ...]  # in which level columns the units stand; none: everybody
    is_one: bool  # one unit, or several
    around: str | None  # the level column of the unit whose bearers of a name are looked up
    filters: tuple[str, ...]
    sizes: Sizes  # how many patterns there are
    picked: tuple[str, ...]  # what the few are picked by
    names_from: NamesFrom
    continued: bool
    sqlite: bool


# What walking through the names of a unit costs, by its level. A scope that costs more, or holds
# a unit above the communes, goes through the dictionary: eight communes are walked in 1 ms, but of
# a province's 500,000 members only so many bear a name that fits and live in one of the eight.
_COSTS = {"branch_id": 1, "commune_id": 10}
MOST_COST = 80


def plan(area: Area, picked: Mapping[str, Any], *, searching: bool) -> PagePlan:
    if picked:
        return PagePlan.picked
    if not searching:
        return PagePlan.walk
    costs = [_COSTS.get(column, MOST_COST + 1) * len(ids) for column, ids in area.units.items()]
    return PagePlan.names if costs and sum(costs) <= MOST_COST else PagePlan.dictionary


def bound(area: Area) -> dict[str, Any]:
    """The units of a scope, as all plans bind them."""
    several = {} if area.is_one else {f"units_{name}": [*ids] for name, ids in area.units.items()}
    return {"unit": area.around[1], **several}


@lru_cache(maxsize=256)
def page(shape: Shape) -> AnySelect:
    """One page. `unit IN (...) ORDER BY name` walks the national index (127 ms measured at 19
    million); as one limited walk a unit, merged, it costs 0.64 ms."""
    if shape.plan is PagePlan.picked:
        return _of_the_picked(shape)
    if shape.plan is PagePlan.dictionary:
        return _by_dictionary(shape)
    walk = partial(_walk if shape.plan is PagePlan.walk else _searching_walk, shape)
    units = {column: _UNIT if shape.is_one else _units(column) for column in shape.columns}
    if shape.is_one or not units or not shape.sqlite:
        found = through(units, walk, is_one=shape.is_one, sqlite=shape.sqlite)
        return found.limit(_LIMIT)
    return _narrow_first(through(units, _narrow(walk), is_one=False, sqlite=True).limit(_LIMIT))


def _narrow(walk: WalkOf) -> WalkOf:
    return lambda column, unit: walk(column, unit).with_only_columns(
        col(Member.id), col(Member.sort_key)
    )


def _narrow_first(nearest: AnySelect) -> AnySelect:
    """On SQLite: who is shown is found before the columns are read, or an export would sort all
    columns of all units for each thousand rows."""
    found = nearest.subquery("nearest")
    return (
        sa.select(*COLUMNS, found.c.sort_key)
        .select_from(InThisOrder(found, Member, col(Member.id) == found.c.id))
        .order_by(found.c.sort_key, found.c.id)
    )


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
            sa.select(*COLUMNS, col(Member.sort_key))
            .select_from(InThisOrder(entry, Member, col(Member.id) == col(entry.id)))
            .where(*within, *fits(entry.search_key, shape.sizes), *_conditions(shape))
            .order_by(*order)
            .limit(_LIMIT)
        )
    walked = sa.select(col(entry.id), col(entry.sort_key), col(entry.search_key))
    names = _fenced(walked.where(*within).order_by(*order).correlate_except(entry))
    who = sa.select(*COLUMNS).where(col(Member.id) == names.c.id, *_conditions(shape))
    return _one_by_one(names, shape, who.offset(_FENCE), names.c.id)


def _by_dictionary(shape: Shape) -> AnySelect:
    """From each name that fits, in order, to those of the scope who bear it: they are looked up in
    the unit around it.

    The order must name the dictionary's column: by the member's own the early stop is lost.
    """
    order, within = _place(Member, shape.around, _UNIT, shape)
    if not shape.is_one and shape.columns:
        # Added to nothing, so that no walk of each unit's index is made for each name.
        within.append(_in_units(shape, lambda column: getattr(Member, column) + _NOTHING))
    name: Any = NameWord if shape.names_from is NamesFrom.word else NameEntry
    further = [col(name.sort_key) >= _AFTER_KEY] if shape.continued else []
    if shape.names_from is NamesFrom.word:
        further.append(col(NameWord.word) == sa.bindparam("word_from", type_=sa.String))
    if shape.sqlite:
        if shape.names_from is NamesFrom.begun:
            with_word = sa.select(col(NameWord.sort_key)).where(*_BEGUN)
            further.append(col(NameEntry.sort_key).in_(with_word))
        bears = col(Member.sort_key) == col(name.sort_key)
        return (
            sa.select(*COLUMNS, col(name.sort_key))
            .select_from(InThisOrder(name, Member, bears))
            .where(
                *further,
                *fits(col(name.search_key), shape.sizes),
                *within,
                *_conditions(shape),
            )
            .order_by(col(name.sort_key), col(Member.id))
            .limit(_LIMIT)
        )
    if shape.names_from is NamesFrom.begun:
        names = _fenced(_with_begun(continued=shape.continued))
    else:
        read = sa.select(col(name.sort_key), col(name.search_key)).where(*further)
        names = _fenced(read.order_by(col(name.sort_key)))
    who = (
        sa.select(*COLUMNS)
        .where(*_bears(names, shape), *within, *_conditions(shape))
        .order_by(*order)
        .limit(_LIMIT)
    )
    return _one_by_one(names, shape, who)


def _bears(names: Any, shape: Shape) -> list[sa.ColumnElement[bool]]:
    """In the nation from the first to the last who bears the name: only its own index has them, in the
    order they stand in. By an equal key PostgreSQL 18 skips through the index of provinces as well, and
    then reads and sorts all who bear a common name (15,000 pages of two million members, not 70)."""
    if shape.around is not None:
        return [col(Member.sort_key) == names.c.sort_key]
    place = sa.tuple_(col(Member.sort_key), col(Member.id))
    return [
        place >= sa.tuple_(names.c.sort_key, _FIRST_ID),
        place <= sa.tuple_(names.c.sort_key, _LAST_ID),
    ]


_FIRST_ID: sa.ColumnElement[UUID] = sa.literal(UUID(int=0), Uuid)
_LAST_ID: sa.ColumnElement[UUID] = sa.literal(UUID(int=2**128 - 1), Uuid)


def _with_begun(*, continued: bool) -> AnySelect:
    further = [col(NameWord.sort_key) >= _AFTER_KEY] if continued else []
    names = sa.select(col(NameWord.sort_key), col(NameWord.search_key))
    # Two words of one name may begin alike.
    return names.where(*_BEGUN, *further).distinct().order_by(*_NAME_ORDER)


_BEGUN = (
    col(NameWord.word) >= sa.bindparam("word_from", type_=sa.String),
    col(NameWord.word) < sa.bindparam("word_to", type_=sa.String),
)
_NAME_ORDER = (col(NameWord.sort_key), col(NameWord.search_key))


def _of_the_picked(shape: Shape) -> AnySelect:
    order, after = _place(Member, None, None, shape)
    picked = [condition for name, condition in PICKED.items() if name in shape.picked]
    of_scope = [_in_units(shape, lambda column: getattr(Member, column))] if shape.columns else []
    return (
        sa.select(*COLUMNS, col(Member.sort_key))
        .where(*picked, *of_scope, *after)
        .where(*fits(col(Member.search_key), shape.sizes), *_conditions(shape))
        .order_by(*order)
        .limit(_LIMIT)
    )


def _in_units(shape: Shape, value: Callable[[str], Any]) -> sa.ColumnElement[bool]:
    if shape.is_one:
        return sa.and_(value(shape.columns[0]) == _UNIT)
    return sa.or_(
        *(among(value(column), _units(column), sqlite=shape.sqlite) for column in shape.columns)
    )


def _units(column: str) -> sa.BindParameter[Any]:
    return sa.bindparam(f"units_{column}", type_=UNITS)


_NOTHING: sa.ColumnElement[int] = sa.literal_column("0")
_UNIT = sa.bindparam("unit", type_=sa.Integer)
_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_AFTER_KEY = sa.bindparam("after_key", type_=sa.String)
_AFTER_ID = sa.bindparam("after_id", type_=Uuid)


def _place(
    model: Any, column: str | None, unit: Any, shape: Shape
) -> tuple[list[Any], list[sa.ColumnElement[bool]]]:
    """The order of a walk through a unit, and the conditions that say where it runs."""
    order: list[Any] = [col(model.sort_key), col(model.id)]
    within = []
    if shape.continued:
        # By all of the order, with the unit, both databases would begin at the first of the unit.
        within.append(sa.tuple_(*order) > sa.tuple_(_AFTER_KEY, _AFTER_ID))
    if column is not None:
        level = getattr(model, column)
        within.append(level == unit)
        order = [level, *order]
    return order, within


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
        .where(_of_unknown_number(sa.and_(*fits(names.c.search_key, shape.sizes))))
        .order_by(names.c.sort_key, each.c.id if tie is None else tie)
        .limit(_LIMIT)
    )


def _of_unknown_number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """PostgreSQL takes half of the rows to fit. From many patterns together it guesses that one
    name fits, and then reads all who bear any of a thousand names to sort them (11,000 pages)."""
    return sa.case((condition, sa.true()), else_=sa.false())
