"""Lists in a stable order, a page at a time: a page starts after the last row of the one before.

An order ends with a column that is unique in the list, so no page loses or repeats a row, whatever
is added or deleted meanwhile (keyset pagination).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, Protocol, Self

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.engine import Connection
from sqlalchemy.sql import operators

from app.db import AnySelect
from app.statements import UNITS, of_each

# The values that place a row in a list: what a cursor carries (api/http/paging.py).
Key = tuple[Any, ...]
Item = Mapping[str, Any]
Entry = tuple[Key, Item]


class Pages(Protocol):
    """A list: at most `limit` of its entries after a key, in its order."""

    def __call__(self, db: Connection, after: Key | None, limit: int, /) -> Sequence[Entry]: ...


# What a page shows of its rows, each in its place; None leaves a row out.
Items = Callable[[Connection, Sequence[sa.Row[Any]]], Iterable[Item | None]]


# The first rows of a statement after a key, in the order of an index.
Walk = Callable[[Key | None, int], AnySelect]


class Order:
    """The columns a list is ordered by, written as for ORDER BY; the last is unique in the list.

    A statement selects them under their own names. A nullable column states where its nulls come,
    because the databases differ.
    """

    def __init__(self, *columns: sa.SQLColumnExpression[Any]) -> None:
        self._parts = [_Part.of(column) for column in columns]
        self._names = [part.name for part in self._parts]

    def key(self, row: Any) -> Key:
        """The place of a row."""
        return tuple(getattr(row, name) for name in self._names)

    def walk(self, statement: AnySelect) -> Walk:
        """Through all rows of a statement."""
        return partial(_page, statement, self._parts)

    def within(self, statement: AnySelect, column: Any, value: Any) -> Walk:
        """Through those with this value in a column, by an index that begins with the column.

        The comparison has the column too: else PostgreSQL may choose an index without it. SQLite
        finds its place by the comparison that has not: by the other it begins at the first row.
        """
        inside = statement.where(column == value)
        parts = [_Part(column.expression, self._parts[0].descending, None), *self._parts]

        def rows(after: Key | None, limit: int) -> AnySelect:
            if after is None:
                return _page(inside, parts, None, limit)
            further = inside.where(_is_after(self._parts, after))
            return _page(further, parts, (value, *after), limit)

        return rows

    def of_each(
        self,
        unit_ids: Sequence[int],
        of_unit: Callable[[sa.ColumnElement[int]], AnySelect],
        key: sa.Column[Any],
        *,
        sqlite: bool,
    ) -> Walk:
        """What `merged` needs of each of these units: one text for any number of them. The rows
        are in no order, those of several units are there several times (`statements.of_each`)."""
        units: sa.BindParameter[Any] = sa.bindparam(None, list(unit_ids), type_=UNITS)

        def rows(after: Key | None, limit: int) -> AnySelect:
            def page(unit: sa.ColumnElement[int]) -> AnySelect:
                return _page(of_unit(unit), self._parts, after, limit)

            return of_each(units, page, key, sqlite=sqlite)

        return rows

    def merged(self, walks: Iterable[Walk], after: Key | None, limit: int) -> AnySelect:
        """The first rows of several walks, each once, though they may have rows in common."""
        parts = (sa.select(walk(after, limit).subquery()) for walk in walks)
        rows = sa.union_all(*parts).subquery()
        order = [part.clause(rows.c[part.name]) for part in self._parts]
        return sa.select(rows).distinct().order_by(*order).limit(limit)


def _page(
    statement: AnySelect, parts: Sequence["_Part"], after: Key | None, limit: int
) -> AnySelect:
    if after is not None:
        statement = statement.where(_is_after(parts, after))
    return statement.order_by(*(part.clause(part.column) for part in parts)).limit(limit)


def _is_after(parts: Sequence["_Part"], key: Key) -> sa.ColumnElement[bool]:
    placed = list(zip(parts, key, strict=True))
    first, value = placed[0]
    directions = {(part.descending, part.nulls_first) for part in parts}
    if len(placed) > 1 and directions in ({(False, None)}, {(True, None)}):
        # As a comparison of rows it is one range of an index.
        columns = sa.tuple_(*(part.column for part in parts))
        values = sa.tuple_(*(part.literal(value) for part, value in placed))
        return columns < values if first.descending else columns > values
    *others, (last, at_last) = placed
    after = last.is_after(at_last)
    for part, at in reversed(others):
        after = sa.or_(part.is_after(at), sa.and_(part.is_at(at), after))
    if len(placed) == 1 or first.nulls_first is not None:
        return after
    # Implied by the rest, for an index to find the place by.
    return sa.and_(first.is_from(value), after)


@dataclass(frozen=True, slots=True)
class _Part:
    """One column of an order. `nulls_first` is None where it is never null."""

    column: sa.ColumnElement[Any]
    descending: bool
    nulls_first: bool | None

    @classmethod
    def of(cls, column: Any) -> Self:
        ordered = column.expression
        modifiers = set()
        while isinstance(ordered, sa.UnaryExpression) and ordered.modifier in _MODIFIERS:
            modifiers.add(ordered.modifier)
            ordered = ordered.element
        nulls_first = None
        if modifiers & {operators.nulls_first_op, operators.nulls_last_op}:
            nulls_first = operators.nulls_first_op in modifiers
        elif getattr(ordered, "nullable", False):
            raise ValueError(f"{ordered} may be null: nulls_first() or nulls_last()?")
        return cls(ordered, operators.desc_op in modifiers, nulls_first)

    @property
    def name(self) -> str:
        return str(self.column.key)

    def clause(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """The column, or its replacement in another statement, in ORDER BY."""
        ordered = column.desc() if self.descending else column.asc()
        if self.nulls_first is None:
            return ordered
        return ordered.nulls_first() if self.nulls_first else ordered.nulls_last()

    def literal(self, value: Any) -> sa.ColumnElement[Any]:
        return value if isinstance(value, sa.ColumnElement) else sa.literal(value, self.column.type)

    def is_at(self, value: Any) -> sa.ColumnElement[bool]:
        return self.column.is_(None) if value is None else self.column == self.literal(value)

    def is_from(self, value: Any) -> sa.ColumnElement[bool]:
        first = self.literal(value)
        return self.column <= first if self.descending else self.column >= first

    def is_after(self, value: Any) -> sa.ColumnElement[bool]:
        if value is None:
            return self.column.is_not(None) if self.nulls_first else sa.false()
        limit = self.literal(value)
        after = self.column < limit if self.descending else self.column > limit
        return sa.or_(after, self.column.is_(None)) if self.nulls_first is False else after


_MODIFIERS = {
    operators.asc_op,
    operators.desc_op,
    operators.nulls_first_op,
    operators.nulls_last_op,
}


def each(item: Callable[[Any], Item | None]) -> Items:
    """Rows that are shown one by one."""
    return lambda _, rows: map(item, rows)


def fields_of(schema: type[BaseModel]) -> Items:
    """Rows that have the fields of a schema under their names, and perhaps more."""
    names = tuple(schema.model_fields)
    return each(lambda row: {name: getattr(row, name) for name in names})


_as_selected = each(lambda row: dict(row._mapping))


def pages(statement: AnySelect, order: Order, items: Items = _as_selected) -> Pages:
    """The rows of a statement in this order."""
    return paged(order.walk(statement), order, items)


def merged(walks: Sequence[Walk], order: Order, items: Items = _as_selected) -> Pages:
    """The rows of several walks in this order, each row once."""
    return paged(partial(order.merged, walks), order, items) if walks else in_memory(())


def paged(walk: Walk, order: Order, items: Items = _as_selected) -> Pages:
    """The rows of a walk, which is in this order."""

    def page(db: Connection, after: Key | None, limit: int) -> list[Entry]:
        entries: list[Entry] = []
        while True:
            rows = db.execute(walk(after, limit)).all()
            shown = zip(map(order.key, rows), items(db, rows), strict=True)
            entries += [(key, item) for key, item in shown if item is not None]
            if len(rows) < limit or len(entries) >= limit:
                return entries[:limit]
            after = order.key(rows[-1])  # some rows were left out: read on

    return page


def in_memory(entries: Iterable[Entry]) -> Pages:
    """A list that was computed whole, in the order of its keys."""
    ordered = sorted(entries, key=itemgetter(0))

    def page(_: Connection, after: Key | None, limit: int) -> list[Entry]:
        return [entry for entry in ordered if after is None or entry[0] > after][:limit]

    return page
