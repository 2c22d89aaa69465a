"""Pages of a list: none of its rows is lost or there twice, in any order and on both databases."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection
from sqlmodel.sql.sqltypes import UTCDateTime

from app.db import AnySelect, Database
from app.models.base import Uuid, key_text
from app.services.kernel.keyset import Entry, Key, Order, Pages, each, in_memory, merged, pages
from tests.conftest import make_settings
from tests.helpers.databases import ON_POSTGRESQL, Clones
from tests.helpers.soak import longer

THINGS = sa.Table(
    "keyset_thing",
    sa.MetaData(),
    sa.Column("id", Uuid, primary_key=True),
    sa.Column("name", key_text, nullable=False),
    sa.Column("score", sa.Integer, nullable=False),
    sa.Column("day", sa.Date),
    sa.Column("at", UTCDateTime),
    sa.Column("place", sa.Integer),
    sa.Index("ix_keyset_thing_name_score", "name", "score"),
)
C = THINGS.c
NAMES = ("name", "score", "day", "at", "place")
NULLABLE = {"day", "at", "place"}
# Few values of each: many rows stand in the same place.
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["", "a", "B", "ấ", "b"]),
            "score": st.integers(0, 2),
            "day": st.sampled_from([None, date(2024, 2, 29), date(2025, 1, 1)]),
            "at": st.sampled_from(
                [
                    None,
                    datetime(2024, 1, 1, 0, 0, 0, 1, UTC),
                    datetime(2024, 1, 1, 0, 0, 0, 2, UTC),
                ]
            ),
            "place": st.sampled_from([None, -1, 7]),
        }
    ),
    max_size=12,
).map(lambda rows: [row | {"id": UUID(int=number + 1)} for number, row in enumerate(rows)])
# A column, whether it descends, whether its nulls come first.
Part = tuple[str, bool, bool]
PARTS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.booleans(), st.booleans()),
    max_size=3,
    unique_by=lambda part: part[0],
)


def ordered(name: str, descending: bool, nulls_first: bool) -> sa.ColumnElement[Any]:
    column = C[name].desc() if descending else C[name]
    if name not in NULLABLE:
        return column
    return column.nulls_first() if nulls_first else column.nulls_last()


def sorted_by(rows: list[dict[str, Any]], parts: list[Part]) -> list[UUID]:
    """By Python alone: the last column first, each sort stable."""
    for name, descending, nulls_first in reversed(parts):
        nulls = [row for row in rows if row[name] is None]
        others = [row for row in rows if row[name] is not None]
        # Text as its bytes.
        values = {
            row["id"]: str.encode(row[name]) if name == "name" else row[name] for row in others
        }
        others.sort(key=lambda row: values[row["id"]], reverse=descending)
        rows = nulls + others if nulls_first else others + nulls
    return [row["id"] for row in rows]


def order_of(parts: Iterable[Part]) -> Order:
    return Order(*(ordered(*part) for part in parts))


def fill(db: Connection, rows: list[dict[str, Any]]) -> None:
    db.execute(sa.delete(THINGS))
    if rows:
        db.execute(sa.insert(THINGS), rows)


def read_through(db: Connection, listed: Pages, limit: int) -> list[Entry]:
    """All entries, page by page."""
    entries: list[Entry] = []
    after: Key | None = None
    while found := listed(db, after, limit):
        assert len(found) <= limit
        entries += found
        after = found[-1][0]
    return entries


def ids(entries: Iterable[Entry]) -> list[UUID]:
    return [item["id"] for _, item in entries]


def sql(statement: AnySelect) -> str:
    return str(statement.compile(dialect=sqlite.dialect()))


@pytest.fixture(scope="module")
def db(clones: Clones) -> Iterator[Connection]:
    with clones.clone() as url:
        database = Database(make_settings(url))
        with database.writer.connect() as connection, connection.begin():
            THINGS.create(connection)
            yield connection
        database.close()


class TestPages:
    @settings(max_examples=longer(60))
    @given(rows=ROWS, parts=PARTS, last_descends=st.booleans(), limit=st.integers(1, 5))
    def test_hold_every_row_once_in_any_order(
        self,
        db: Connection,
        rows: list[dict[str, Any]],
        parts: list[Part],
        last_descends: bool,
        limit: int,
    ) -> None:
        parts = [*parts, ("id", last_descends, False)]
        fill(db, rows)
        listed = pages(sa.select(THINGS), order_of(parts))
        found = read_through(db, listed, limit)
        assert ids(found) == sorted_by(rows, parts)
        assert [item for _, item in found] == [dict(item) for _, item in listed(db, None, 99)]

    @settings(max_examples=longer(25))
    @given(rows=ROWS, parts=PARTS, limit=st.integers(1, 5))
    def test_of_walks_with_rows_in_common_hold_every_row_once(
        self, db: Connection, rows: list[dict[str, Any]], parts: list[Part], limit: int
    ) -> None:
        parts = [*parts, ("id", False, False)]
        fill(db, rows)
        order = order_of(parts)
        everything = sa.select(THINGS)
        walks = [
            order.within(everything, C.score, 0),
            order.within(everything, C.score, 1),
            order.walk(everything.where(C.score > 0)),
        ]
        listed = merged(walks, order)
        assert ids(read_through(db, listed, limit)) == sorted_by(rows, parts)

    def test_of_no_walk_are_empty(self, db: Connection) -> None:
        assert merged([], Order(C.id))(db, None, 5) == []

    @settings(max_examples=longer(25))
    @given(rows=ROWS, limit=st.integers(1, 5))
    def test_are_full_though_rows_are_left_out(
        self, db: Connection, rows: list[dict[str, Any]], limit: int
    ) -> None:
        fill(db, rows)
        shown = each(lambda row: None if row.score == 1 else row._asdict())
        listed = pages(sa.select(THINGS), Order(C.id), shown)
        expected = [row["id"] for row in rows if row["score"] != 1]
        assert ids(read_through(db, listed, limit)) == expected
        assert ids(listed(db, None, limit)) == expected[:limit]

    def test_see_what_was_added_behind_and_not_what_was_added_before(self, db: Connection) -> None:
        one, two, three, four = ({"id": UUID(int=n), "name": str(n), "score": 0} for n in range(4))
        fill(db, [two, three])
        listed = pages(sa.select(THINGS), Order(C.name, C.id))
        first = listed(db, None, 1)
        db.execute(sa.insert(THINGS), [one, four])
        db.execute(sa.delete(THINGS).where(C.id == two["id"]))
        assert ids(first) == [two["id"]]
        assert ids(listed(db, first[-1][0], 9)) == [three["id"], four["id"]]

    @given(st.lists(st.integers(), unique=True), st.integers(1, 5))
    def test_of_a_computed_list(self, numbers: list[int], limit: int) -> None:
        listed = in_memory([((number,), {"id": number}) for number in numbers])
        unused: Any = None
        found = read_through(unused, listed, limit)
        assert [item["id"] for _, item in found] == sorted(numbers)


class TestOrder:
    def test_is_one_comparison_of_rows_where_it_can_be(self, db: Connection) -> None:
        """A range of the index on both columns, and no sort."""
        statement = Order(C.name, C.score).walk(sa.select(THINGS))(("a", 1), 5)
        assert "(keyset_thing.name, keyset_thing.score) > (?, ?)" in sql(statement)
        newest = Order(C.name.desc(), C.score.desc())
        statement = newest.walk(sa.select(THINGS))(("a", 1), 5)
        assert "(keyset_thing.name, keyset_thing.score) < (?, ?)" in sql(statement)
        assert plan(db, statement) == "ix_keyset_thing_name_score"

    def test_within_a_value_begins_with_its_column(self, db: Connection) -> None:
        walk = Order(C.score).within(sa.select(THINGS), C.name, "a")
        statement = walk((1,), 5)
        assert "(keyset_thing.name, keyset_thing.score) > (?, ?)" in sql(statement)
        assert "ORDER BY keyset_thing.name ASC, keyset_thing.score ASC" in sql(statement)
        assert plan(db, statement) == "ix_keyset_thing_name_score"

    def test_of_mixed_directions_lets_an_index_find_the_place(self, db: Connection) -> None:
        statement = Order(C.name.desc(), C.score).walk(sa.select(THINGS))(("a", 1), 5)
        assert "keyset_thing.name <= ? AND (keyset_thing.name < ? OR" in sql(statement)
        assert plan(db, statement) == "ix_keyset_thing_name_score"

    def test_says_where_nulls_stand(self) -> None:
        with pytest.raises(ValueError, match=r"keyset_thing\.day may be null"):
            Order(C.day, C.id)

    def test_refuses_a_place_of_another_order(self) -> None:
        with pytest.raises(ValueError, match="zip"):
            Order(C.name, C.score).walk(sa.select(THINGS))(("a",), 5)


def plan(db: Connection, statement: AnySelect) -> str:
    """The index by which the place is found."""
    text = str(statement.compile(db, compile_kwargs={"literal_binds": True}))
    if not ON_POSTGRESQL:
        steps = " ".join(row.detail for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
        found = re.search(r"SEARCH keyset_thing USING INDEX (\w+)", steps)
    else:
        db.exec_driver_sql("SET LOCAL enable_seqscan = off")
        db.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        steps = "\n".join(row[0] for row in db.exec_driver_sql(f"EXPLAIN {text}"))
        found = re.search(r"using (\w+) on keyset_thing.*\n +Index Cond: .*name", steps)
    assert found is not None, steps
    return found.group(1)
