"""What an import says of rows that are none of the list, may not count, or would be written."""

import io
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import openpyxl
from openpyxl.styles import Font

from app.models.imports.rows import RowRead
from app.models.kernel.access_log import ReadHow
from app.services.kernel.shown import Shown, shown
from tests.helpers.cadres import Ids
from tests.helpers.client import Api
from tests.imports.test_imports import previewed

Work = Callable[[], int]
HEADER = ["Họ và tên", "Ngày sinh", "Ghi chú"]


def two_sheets() -> bytes:
    """Khu 1 with a title, a row struck out, one whose note says she died; Khu 2 with two rows."""
    book = openpyxl.Workbook()
    first, second = book.active, book.create_sheet("Khu 2")
    assert first is not None
    first.title = "Khu 1"
    for row in (
        ["DANH SÁCH HỘI VIÊN", None, None],
        HEADER,
        ["Khổng Thị Hà", "17/05/1968", None],
        ["Khổng Thị Liên", "18/05/1968", None],
        ["Khổng Thị Mận", "19/05/1968", "đã mất"],
        ["Cộng: 3", None, None],
    ):
        first.append(row)
    for cell in first[4]:
        cell.font = Font(strike=True)
    for row in (HEADER, ["Khổng Thị Đào", "20/05/1968", None], ["Khổng Thị Nga", "1969", None]):
        second.append(row)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def test_every_row_of_the_file_is_read_or_left_out(officer: Api, work: Work, unit_id: Ids) -> None:
    item = previewed(officer, work, unit_id["phuongvi"], two_sheets())
    assert item["rows_read"] == 5
    title, total, header, second = (
        {"reason": "title_lines", "sheet": "Khu 1", "count": 1, "rows": [1]},
        {"reason": "total", "sheet": "Khu 1", "count": 1, "rows": [6]},
        {"reason": "header", "sheet": "Khu 1", "count": 1, "rows": [2]},
        {"reason": "header", "sheet": "Khu 2", "count": 1, "rows": [1]},
    )
    assert item["rows_left_out"] == [title, total, header, second]
    address = f"/v1/imports/{item['id']}"
    officer.patch(address, json={"sheet": "khu 1"})
    work()
    chosen = officer.get(address).json()
    assert (chosen["sheet"], chosen["rows_read"]) == ("Khu 1", 3)
    left = {"reason": "sheet_not_read", "sheet": "Khu 2", "count": 3, "rows": [1, 2, 3]}
    assert chosen["rows_left_out"] == [title, total, header, left]
    assert "Trang tính Khu 2 còn 3 dòng chưa đọc." in " ".join(
        note["text_vi"] for note in chosen["notes"]
    )


def test_a_row_that_may_not_count_waits(officer: Api, work: Work, unit_id: Ids) -> None:
    item = previewed(officer, work, unit_id["phuongvi"], two_sheets())
    address = f"/v1/imports/{item['id']}/rows"
    rows = officer.get(address).json()["items"]
    assert [row["outcome"] for row in rows[:3]] == ["created", "error", "error"]
    assert [[each["code"] for each in row["problems"]] for row in rows[:3]] == [
        [],
        ["row_struck_out"],
        ["row_says_gone"],
    ]
    decided = officer.patch(f"{address}/4", json={"decision": "create"}).json()
    assert decided["outcome"] == "created"
    assert [each["level"] for each in decided["problems"]] == ["warning"]


def test_the_values_that_would_be_written_are_shown(officer: Api, work: Work, unit_id: Ids) -> None:
    item = previewed(officer, work, unit_id["phuongvi"], two_sheets())
    rows = officer.get(f"/v1/imports/{item['id']}/rows?fields=values").json()["items"]
    assert rows[0].keys() == {"values"}
    assert rows[0]["values"]["full_name"] == "Khổng Thị Hà"
    assert rows[0]["values"]["birth_date"] == "1968-05-17"


def test_what_a_row_would_write_to_a_record_is_noted() -> None:
    known, values = uuid4(), {"phone": "+84987000001", "address": "Khu 1"}
    row = {"entity": "member", "entity_id": known, "values": values}
    assert shown(RowRead, [row], ReadHow.list) == [
        Shown("member", [known], frozenset({"phone"}), ReadHow.list)
    ]
    assert shown(RowRead, [row | {"entity_id": None}], ReadHow.list) == []


def test_rows_below_a_signature_are_of_the_list(officer: Api, work: Work, unit_id: Ids) -> None:
    """Three cells a woman, with a signature of the first page between them."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in (
        ["STT", "Họ và tên", "Năm sinh", "Chi hội", "Điện thoại"],
        [1, "Khổng Thị Hà", 1968, "Khu 1", None],
        [None, "Người lập biểu", None, None, "Chủ tịch"],
        [None, "Hà Thị Lý", None, None, "Trần Thị Ngà"],
        [2, "Khổng Thị Liên", 1969, None, None],
        [None, "Khổng Thị Mận", 1970, None, None],
        [None, "Chủ tịch", None, None, "0912345678"],
        [None, "Hà Thị Lý", None, None, None],
    ):
        sheet.append(row)
    made = io.BytesIO()
    book.save(made)
    item = previewed(officer, work, unit_id["phuongvi"], made.getvalue())
    rows = officer.get(f"/v1/imports/{item['id']}/rows").json()["items"]
    # What may be somebody is a row, in error where she has no name.
    assert [row["number"] for row in rows] == [2, 5, 6, 7]
    left = {each["reason"]: each["rows"] for each in item["rows_left_out"]}
    assert left == {"header": [1], "signature": [3, 4, 8]}


def test_rows_of_a_group_are_of_the_branch_above_it(officer: Api, work: Work, unit_id: Ids) -> None:
    book = made_of(
        ["Họ và tên", "Ngày sinh", "Nghề nghiệp"],
        ["A. CHI HỘI KHU 1 - Chi hội trưởng: Hà Thị Lý", None, None],
        ["Tổ 1 (1 hội viên)", None, None],
        ["Khổng Thị Hà", "17/05/1968", "Làm ruộng"],
        ["B. CHI HỘI KHU 2", None, None],
        ["Tổ 1 (1 hội viên)", None, None],
        ["Khổng Thị Mận", "18/05/1968", "Làm ruộng"],
        ["C. CHI HỘI KHU 77", None, None],
        ["Tổ 1 (1 hội viên)", None, None],
        ["Khổng Thị Đào", "19/05/1968", "Làm ruộng"],
    )
    item = previewed(officer, work, unit_id["phuongvi"], book)
    rows = officer.get(f"/v1/imports/{item['id']}/rows").json()["items"]
    here = [unit_id["phuongvi-1"], unit_id["phuongvi-2"], None]
    assert [row["unit_id"] for row in rows] == here
    assert [row["outcome"] for row in rows] == ["created", "created", "error"]
    assert [(p["field"], p["code"]) for p in rows[2]["problems"]] == [("branch", "unit_unknown")]


def test_a_branch_is_taken_from_the_address_where_nothing_else_says_one(
    officer: Api, work: Work, unit_id: Ids
) -> None:
    book = made_of(
        ["Ho va ten", "Nam sinh", "Noi o"],
        ["Khong Thi Ha", 1968, "Khu 1"],
        ["Khong Thi Lien", 1969, "Số 5, khu 2, xã Phượng Vĩ"],
        ["Khong Thi Man", 1970, "Khu 1, xã Tiên Lương"],
        ["Khong Thi Dao", 1971, "5"],
        ["Khong Thi Nga", 1972, None],
    )
    item = previewed(officer, work, unit_id["phuongvi"], book)
    rows = officer.get(f"/v1/imports/{item['id']}/rows").json()["items"]
    here = [unit_id["phuongvi-1"], unit_id["phuongvi-2"], None, None, None]
    assert [row["unit_id"] for row in rows] == here
    said = [[(p["field"], p["code"], p["level"]) for p in row["problems"]] for row in rows]
    taken = [("branch", "branch_of_address", "warning")]
    assert said == [taken, taken, *[[("branch", "required", "error")]] * 3]
    assert "khu 1" in str(rows[0]["problems"]).casefold()


def made_of(*lines: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    for line in lines:
        book.active.append(line)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()
