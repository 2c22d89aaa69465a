"""Statements keep few texts, however many values they are about.

Each text is compiled, cached and prepared: once an engine by SQLAlchemy, once a connection by the
drivers. A text for every number of values fills those caches with what is never asked again.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

T = TypeVar("T")
# From here on lists grow by this much: doubled once more they would pass what SQLite can bind.
_STEP = 1_024
# Longer lists are sent as they are: a statement can bind 32,766 values (SQLite), 65,535 (PostgreSQL).
_MOST = 30_720


def few_texts(engine: Engine) -> None:
    """Lists of values (`IN`) that this engine sends have one of a few lengths."""
    dialect = engine.dialect
    compiler = type("PaddedCompiler", (_PaddedLists, dialect.statement_compiler), {})
    dialect.statement_compiler = compiler


class _PaddedLists(SQLCompiler):
    """SQLAlchemy has no public hook between a list and the text it makes of it."""

    def _literal_execute_expanding_parameter(
        self, name: str, parameter: Any, values: Sequence[Any], **options: Any
    ) -> Any:
        return super()._literal_execute_expanding_parameter(  # type: ignore[no-untyped-call]  # it is private
            name, parameter, padded(values), **options
        )


def padded(values: Sequence[T]) -> Sequence[T]:
    """The values with the last one repeated, up to the next length: 1, 2, 4, 8, ... 1,024, 2,048,
    3,072, ... 30,720. Twice in a list is in it all the same."""
    more = _length(len(values)) - len(values)
    return [*values, *[values[-1]] * more] if more else values


def _length(number: int) -> int:
    if number > _MOST:
        return number
    if number <= _STEP:
        return 1 << (number - 1).bit_length() if number else 0
    return -(-number // _STEP) * _STEP


# -- many units as one parameter

UNITS: Any = sa.ARRAY(sa.Integer).with_variant(sa.JSON(), "sqlite")
# A statement of the rows of one unit, in order and limited.
OfUnit = Callable[[sa.ColumnElement[int]], sa.Select[*tuple[Any, ...]]]


def of_each(
    units: sa.BindParameter[Any], of_unit: OfUnit, key: sa.Column[Any], *, sqlite: bool
) -> sa.Select[*tuple[Any, ...]]:
    """What a statement finds in each of these units, in no order: one text for any number of them.

    `key`: the primary key of the rows; SQLite has no LATERAL, and finds them again by it.
    """
    if not sqlite:
        unit = sa.func.unnest(units).table_valued("id", name="each_unit").render_derived()
        found = of_unit(unit.c.id).lateral("found")
        return sa.select(*found.c).select_from(unit.join(found, sa.true()))
    unit = sa.func.json_each(units).table_valued("value", name="each_unit")
    statement = of_unit(unit.c.value)
    # Not `key` with its own unit alone: its table is in both statements.
    keys = statement.with_only_columns(key).correlate(unit)
    found_again = InThisOrder(unit, key.table, key.in_(keys))
    return sa.select(*statement.selected_columns).select_from(found_again)


def among(
    value: sa.ColumnElement[int], units: sa.BindParameter[Any], *, sqlite: bool
) -> sa.ColumnElement[bool]:
    """The value is one of these units."""
    if not sqlite:
        return value == sa.any_(units)
    unit = sa.func.json_each(units).table_valued("value")
    return value.in_(sa.select(unit.c.value))


def one_of_ids(
    key: sa.ColumnElement[UUID], ids: Sequence[UUID], *, sqlite: bool
) -> sa.ColumnElement[bool]:
    """The key is one of these ids, however many, as one parameter. Without an index on SQLite."""
    if not sqlite:
        return key == sa.any_(sa.bindparam(None, list(ids), sa.ARRAY(sa.Uuid)))
    given = sa.bindparam(None, [id_.hex for id_ in ids], sa.JSON())
    each_id = sa.func.json_each(given).table_valued("value")
    return sa.func.lower(sa.func.hex(key)).in_(sa.select(each_id.c.value))


class InThisOrder(sa.Join):
    """A join whose left side SQLite reads first; its planner would rather read all members."""

    inherit_cache = True


@compiles(InThisOrder, "sqlite")
def _cross_join(join: InThisOrder, compiler: Any, **options: Any) -> str:
    text: str = compiler.visit_join(join, **options)
    return text.replace(" JOIN ", " CROSS JOIN ", 1)


class NotByIndex(sa.sql.functions.ReturnTypeFromArgs[Any]):
    """A column that SQLite compares, but does not look up: of several conditions that have an index
    each it reads all rows and sorts them, where one index would give them in order; and it reads all of a
    large table to look the column's up for each row, where an index of that one would find the few."""

    inherit_cache = True


@compiles(NotByIndex, "sqlite")
def _with_a_sign(element: NotByIndex, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


@compiles(NotByIndex)
def _as_it_is(element: NotByIndex, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


# -- days


class DayAfter(sa.sql.functions.GenericFunction[date]):
    """The day after a date."""

    type = sa.Date()
    inherit_cache = True


@compiles(DayAfter, "sqlite")
def _day_after_as_text(element: DayAfter, compiler: SQLCompiler, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)}, '+1 day')"


@compiles(DayAfter)
def _day_after(element: DayAfter, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} + 1)"


class DayBefore(sa.sql.functions.GenericFunction[date]):
    """The day before a date."""

    type = sa.Date()
    inherit_cache = True


@compiles(DayBefore, "sqlite")
def _day_before_as_text(element: DayBefore, compiler: SQLCompiler, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)}, '-1 day')"


@compiles(DayBefore)
def _day_before(element: DayBefore, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} - 1)"


class DaysBetween(sa.sql.functions.GenericFunction[int]):
    """How many days the first date is after the second."""

    type = sa.Integer()
    inherit_cache = True


@compiles(DaysBetween, "sqlite")
def _days_between_texts(element: DaysBetween, compiler: SQLCompiler, **options: Any) -> str:
    later, earlier = (compiler.process(each, **options) for each in element.clauses)
    return f"CAST(julianday({later}) - julianday({earlier}) AS INTEGER)"


@compiles(DaysBetween)
def _days_between(element: DaysBetween, compiler: SQLCompiler, **options: Any) -> str:
    later, earlier = (compiler.process(each, **options) for each in element.clauses)
    return f"(CAST({later} AS DATE) - CAST({earlier} AS DATE))"
