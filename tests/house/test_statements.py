"""A statement has few texts: lists of values are padded, and mean the same."""

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import Database
from app.db.statements import insert_new
from app.models.members.members import NameEntry
from app.statements import few_texts, padded
from tests.helpers.client import counted, writing

NUMBERS = sa.table("numbers", sa.column("number", sa.Integer))
NUMBER = NUMBERS.c.number


@pytest.mark.parametrize(
    ("number", "length"),
    [
        (0, 0),
        *((1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (9, 16), (513, 1_024), (1_024, 1_024)),
        *((1_025, 2_048), (2_049, 3_072), (30_000, 30_720)),
    ],
)
def test_a_list_grows_to_the_next_length_by_its_last_value(number: int, length: int) -> None:
    values = list(range(number))
    assert [*padded(values)] == values + values[-1:] * (length - number)


@pytest.fixture
def texts() -> list[str]:
    return []


@pytest.fixture
def connection(texts: list[str]) -> Iterator[Connection]:
    engine = sa.create_engine("sqlite://")
    few_texts(engine)
    sa.event.listen(engine, "before_cursor_execute", lambda *args: texts.append(args[2]))
    with engine.connect() as made:
        made.exec_driver_sql("CREATE TABLE numbers (number INTEGER)")
        made.execute(sa.insert(NUMBERS), [{"number": number} for number in range(100)])
        texts.clear()
        yield made
    engine.dispose()


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5, 64, 65])
def test_padded_lists_have_the_same_values(connection: Connection, number: int) -> None:
    wanted = list(range(number))
    found = sa.select(NUMBER).order_by(NUMBER)
    inside = connection.execute(found.where(NUMBER.in_(wanted))).scalars().all()
    outside = connection.execute(found.where(NUMBER.not_in(wanted))).scalars().all()
    pairs = sa.tuple_(NUMBER, NUMBER).in_([(each, each) for each in wanted])
    assert [*inside] == wanted
    assert [*outside] == list(range(number, 100))
    assert [*connection.execute(found.where(pairs)).scalars()] == wanted


def test_lists_of_all_lengths_have_few_texts(connection: Connection, texts: list[str]) -> None:
    for number in range(1, 1_025):
        connection.execute(sa.select(NUMBER).where(NUMBER.in_(list(range(number)))))
    lengths = {len(re.findall(r"\?", text)) for text in texts}
    assert lengths == {1 << power for power in range(11)}
    assert len(texts) == 1_024
    assert len(set(texts)) == 11


def test_new_rows_of_any_number_have_few_texts(database: Database) -> None:
    with counted(database) as sent, writing(database) as session:
        for number in range(1, 10):
            rows = [
                {"sort_key": f"{number} {each}", "search_key": f"{each}"} for each in range(number)
            ]
            new = insert_new(session, NameEntry, rows, returning="sort_key")
            assert new == {row["sort_key"] for row in rows}
            further = {"sort_key": f"{number} further", "search_key": "further"}
            mixed = [*rows, further]
            assert insert_new(session, NameEntry, mixed, returning="sort_key") == {
                further["sort_key"]
            }
    texts = {text for text in sent if text.startswith("INSERT INTO name_entry")}
    assert len(texts) == 5  # of 1, 2, 4, 8 and 16 rows
