"""Any list in any layout: each of its rows comes back as a person, or is reported, or stood above."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.answers import Json
from tests.helpers.databases import ON_POSTGRESQL
from tests.helpers.soak import longer
from tests.workbooks.wild.books import Communes
from tests.workbooks.wild.grammar import Drawn, drawn
from tests.workbooks.wild.measure import Commune, rows_left_out
from tests.workbooks.wild.sheets import Book

pytestmark = pytest.mark.skipif(ON_POSTGRESQL, reason="a file is read alike on both databases")
SEEDS = st.integers(0, 10**6)


@pytest.fixture(scope="module")
def commune(communes: Communes) -> Iterator[Commune]:
    with communes() as opened:
        yield opened


def sent(commune: Commune, made: Drawn) -> tuple[Json, list[Json]]:
    item = commune.sent(made.book)
    assert item["state"] == "ready", (made.layout, made.file, item["problem"])
    return item, commune.rows(item["id"])


@given(seed=SEEDS)
@settings(max_examples=longer(12))
def test_every_line_of_the_sheet_is_accounted_for(commune: Commune, seed: int) -> None:
    made = drawn(seed)
    item, rows = sent(commune, made)
    people = {(row["sheet"], row["row"]) for row in rows}
    told = rows_left_out(item)
    assert people & told == set(), (made.layout, made.file)
    assert len({row["number"] for row in rows}) == len(people) == len(rows)
    assert item["rows_read"] == len(rows)
    left_out = sum(each["count"] for each in item["rows_left_out"])
    assert item["rows_read"] + left_out == len(people | told), (made.layout, made.file)
    # A file may end with its last row that holds something.
    named = item["lists"][0]["sheet"] is not None
    lines = {
        (sheet.name if named else None, number): any(cells)
        for sheet in made.sheets
        for number, cells in enumerate(sheet.lines, 1)
    }
    last = {sheet: number for (sheet, number), holds in lines.items() if holds}
    filled = {(sheet, number) for sheet, number in lines if number <= last[sheet]}
    assert filled <= people | told <= lines.keys(), (made.layout, made.file)


@given(seed=SEEDS)
@settings(max_examples=longer(12))
def test_the_rows_read_are_the_rows_written(commune: Commune, seed: int) -> None:
    made = drawn(seed)
    _, rows = sent(commune, made)
    # Which letters are capitals is held by the books.
    assert [(row["row"], row["name"].casefold(), row["unit_id"]) for row in rows] == [
        (row.number, row.stored["full_name"].casefold(), commune.branches[row.stored["branch"]])
        for row in made.book.people
    ], (made.layout, made.file)


@given(seed=SEEDS)
@settings(max_examples=longer(8))
def test_the_workbook_that_goes_back_is_read_as_it_was(commune: Commune, seed: int) -> None:
    made = drawn(seed)
    item, rows = sent(commune, made)
    back = commune.officer.get(f"/v1/imports/{item['id']}/file")
    assert back.status_code == 200, back.text
    again = commune.sent(Book("back.xlsx", back.content, made.book.people))
    said = [(row["row"], row["name"], row["unit_id"], row["values"]) for row in rows]
    assert [
        (row["row"], row["name"], row["unit_id"], row["values"])
        for row in commune.rows(again["id"])
    ] == said, (made.layout, made.file)
    assert again["rows_read"] == item["rows_read"]


def test_a_seed_draws_the_same_again() -> None:
    for seed in range(20):
        first, second = drawn(seed), drawn(seed)
        assert first.book.people == second.book.people
        assert [s.lines for s in first.sheets] == [s.lines for s in second.sheets]
