"""The commune cadre's first week: her list goes in as it is, comes back with each error marked, is
corrected and sent again, and only what she corrected changes."""

import io
import random
from typing import Any

import openpyxl
import pytest

from app.db import Database
from tests.data import make_workbooks
from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api
from tests.helpers.soak import seeds
from tests.imports.test_import_returns import changes_of, fetched
from tests.imports.test_imports import Work, applied, everyone, previewed, rows_of, summary


def test_the_ugly_workbook(officer: Api, database: Database, unit_id: Ids, work: Work) -> None:
    unit, before = unit_id["phuongvi"], everyone(database)
    content = make_workbooks.everything()
    item = previewed(officer, work, unit, content, name="DS hội viên.xlsx")
    # What was decoded is reported; and nothing is written.
    assert (item["sheet"], item["summary"]) == ("DS hội viên", summary(created=2, error=4))
    assert {column["encoding"] for column in item["columns"]} == {"unicode", "tcvn3"}
    assert "encoding_decoded" in {note["code"] for note in item["notes"]}
    assert everyone(database) == before
    # Exactly its errors.
    wrong = rows_of(officer, item["id"], "&outcome=error")
    letters = "ABCDEFGHIJ"
    assert {
        (row["number"], letters.index(p["column"]), p["code"])
        for row in wrong
        for p in row["problems"]
        if p["level"] == "error"
    } == make_workbooks.ERRORS
    item = applied(officer, work, item["id"])
    assert item["summary"] == summary(created=2, error=4)
    members = {m["full_name"]: m for m in everyone(database).values() if m["id"] not in before}
    assert members.keys() == {"Nguyễn Thị Hoà", "Hoàng Thị Nguyệt"}
    assert members["Nguyễn Thị Hoà"]["branch_id"] == unit_id["phuongvi-1"]
    assert members["Hoàng Thị Nguyệt"]["branch_id"] == unit_id["phuongvi-2"]
    assert members["Nguyễn Thị Hoà"]["phone"] == "+84912345678"

    # It comes back as it was, each error marked, and is corrected where it is marked.
    book = openpyxl.load_workbook(io.BytesIO(fetched(officer, item["id"])))
    sheet = book["DS hội viên"]
    assert sheet["A1"].value == "HỘI LHPN XÃ CẨM KHÊ"
    for number, place, _ in make_workbooks.ERRORS:
        assert sheet.cell(number, place + 1).comment is not None
    corrections: dict[tuple[int, int], Any] = {
        (9, 6): "025170001235",
        (10, 5): "0912345681",
        (10, 7): "08/03/2010",
        (13, 7): "25/12/1999",
        (15, 4): "1960",
    }
    for (row, column), value in corrections.items():
        sheet.cell(row, column).value = value
    corrected = io.BytesIO()
    book.save(corrected)
    known = everyone(database)
    again = previewed(officer, work, unit, corrected.getvalue(), name="DS hội viên.xlsx")
    assert again["summary"] == summary(created=4, same=2), rows_of(officer, again["id"])
    applied(officer, work, again["id"])
    after = everyone(database)
    assert len(after) == len(known) + 4
    assert {i: row for i, row in after.items() if i in known} == known
    assert changes_of(database, again["id"]) == 2 * 4

    # Sent once more, nothing is left to do.
    last = previewed(officer, work, unit, fetched(officer, again["id"]))
    assert last["summary"] == summary(same=6)


def test_every_book_is_read_and_none_breaks(officer: Api, unit_id: Ids, work: Work) -> None:
    for name, make in make_workbooks.BOOKS.items():
        item = previewed(officer, work, unit_id["phuongvi-1"], make())
        assert item["state"] in ("ready", "refused"), name
        if item["state"] == "ready":
            rows = rows_of(officer, item["id"])
            assert sum(item["summary"].values()) == len(rows), name


@pytest.mark.drawn
@pytest.mark.parametrize("seed", seeds(2))
def test_any_list_exported_shuffled_and_restyled_is_the_same(
    officer: Api, database: Database, unit_id: Ids, work: Work, seed: int
) -> None:
    rng = random.Random(seed)
    content = officer.get("/v1/members?format=xlsx").content
    grid = list(openpyxl.load_workbook(io.BytesIO(content)).worksheets[0].values)
    header, rows = grid[0], grid[1:]
    order = list(range(len(header)))
    rng.shuffle(order)
    rng.shuffle(rows)
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for _ in range(rng.randint(0, 3)):
        sheet.append(["DANH SÁCH HỘI VIÊN"])
    for row in [header, *rows]:
        sheet.append([row[place] for place in order])
    for letter in "ABCDEFGH":
        sheet.column_dimensions[letter].width = rng.randint(5, 40)
    saved = io.BytesIO()
    book.save(saved)
    before = everyone(database)
    item = previewed(officer, work, unit_id["phuongvi"], saved.getvalue())
    assert item["summary"] == summary(same=len(rows)), rows_of(officer, item["id"])[:2]
    applied(officer, work, item["id"])
    assert everyone(database) == before
    assert changes_of(database, item["id"]) == 0
    assert done(officer.get(f"/v1/imports/{item['id']}"))["state"] == "applied"
