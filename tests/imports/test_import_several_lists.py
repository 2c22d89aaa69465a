"""Several lists in one file: in sheets, below each other, in another order of columns."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import openpyxl
import pytest
from sqlmodel import select

from app.db import Database
from app.models.kernel.changes import Change
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api
from tests.imports.test_imports import applied, previewed, rows_of, summary

Work = Callable[[], int]
Lines = Sequence[Sequence[Any]]


def workbook(sheets: Mapping[str, Lines]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, lines in sheets.items():
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(line)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


# Khu 2 has its columns in another order, one of another name, one more, and a wrong phone; she of
# the last sheet stands in the first as well.
SHEETS: Mapping[str, Lines] = {
    "Ghi chú": [["Cập nhật ngày 12/3"], ["Còn thiếu khu 3"]],
    "Khu 1": [
        ["DANH SÁCH HỘI VIÊN"],
        ["Họ và tên", "Ngày sinh", "Điện thoại"],
        ["Khổng Thị Hà", "17/05/1968", "0987000001"],
        ["Khổng Thị Liên", "18/05/1969", "0987000002"],
        ["Khổng Thị Xoan", "18/05/1972", None],
    ],
    "Khu 2": [
        ["Điện thoại", "Họ tên hội viên", "Ngày sinh", "Nghề nghiệp"],
        ["0987000003", "Khổng Thị Mận", "19/05/1970", "Làm ruộng"],
        ["098", "Khổng Thị Nga", "20/05/1971", "Giáo viên"],
    ],
    "Khu 1 (bổ sung)": [["Họ và tên", "Ngày sinh"], ["Khổng Thị Hà", "17/05/1968"]],
}


@pytest.fixture
def item(officer: Api, work: Work, unit_id: Ids) -> Json:
    return previewed(officer, work, unit_id["phuongvi"], workbook(SHEETS))


def test_all_sheets_are_read_each_of_its_branch(officer: Api, item: Json, unit_id: Ids) -> None:
    assert item["lists"] == [
        {"sheet": "Khu 1", "header_row": 2, "rows": 3, "branch": "Khu 1"},
        {"sheet": "Khu 2", "header_row": 1, "rows": 2, "branch": "Khu 2"},
        {"sheet": "Khu 1 (bổ sung)", "header_row": 1, "rows": 1, "branch": "Khu 1"},
    ]
    assert (item["sheet"], item["rows_read"]) == (None, 6)
    assert {(each["reason"], each["sheet"], each["count"]) for each in item["rows_left_out"]} == {
        ("title_lines", "Khu 1", 1),
        ("header", "Khu 1", 1),
        ("header", "Khu 2", 1),
        ("header", "Khu 1 (bổ sung)", 1),
        ("sheet_without_list", "Ghi chú", 2),
    }
    rows = rows_of(officer, item["id"])
    assert [(row["number"], row["sheet"], row["row"]) for row in rows] == [
        (3, "Khu 1", 3),
        (4, "Khu 1", 4),
        (5, "Khu 1", 5),
        (7, "Khu 2", 2),
        (8, "Khu 2", 3),
        (10, "Khu 1 (bổ sung)", 2),
    ]
    branches = [unit_id[f"phuongvi-{number}"] for number in (1, 1, 1, 2, 2, 1)]
    assert [row["unit_id"] for row in rows] == branches
    assert rows[3]["values"]["phone"] == "+84987000003"
    assert rows[3]["values"]["occupation"] == "Làm ruộng"


def test_a_wrong_cell_is_named_where_it_stands(officer: Api, item: Json) -> None:
    rows = rows_of(officer, item["id"])
    [wrong] = rows[4]["problems"]
    assert (wrong["field"], wrong["column"]) == ("phone", "A")
    [repeated] = rows[5]["problems"]
    assert (repeated["code"], repeated["text_vi"]) == (
        "row_repeated",
        "Trùng với dòng 3 (Khu 1) của tệp này.",
    )


def test_the_workbook_goes_back_with_a_verdict_in_each_sheet(officer: Api, item: Json) -> None:
    answer = officer.get(f"/v1/imports/{item['id']}/file")
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == ["Ghi chú", "Khu 1", "Khu 2", "Khu 1 (bổ sung)"]
    first, second = book["Khu 1"], book["Khu 2"]
    assert [cell.value for cell in first[2]][3:] == ["Kết quả", "Lỗi", "Gợi ý", "Mã"]
    assert first["D3"].value == "Sẽ thêm mới"
    assert [cell.value for cell in second[1]][4:] == ["Kết quả", "Lỗi", "Gợi ý", "Mã"]
    assert [second.cell(number, 5).value for number in (2, 3)] == ["Sẽ thêm mới", "Lỗi"]
    assert [cell.coordinate for row in second.iter_rows() for cell in row if cell.comment] == ["A3"]
    assert [cell.value for row in book["Ghi chú"].iter_rows() for cell in row] == [
        "Cập nhật ngày 12/3",
        "Còn thiếu khu 3",
    ]


def test_what_goes_back_is_read_again_without_a_change(
    officer: Api, item: Json, work: Work, unit_id: Ids, database: Database
) -> None:
    applied(officer, work, item["id"])
    back = officer.get(f"/v1/imports/{item['id']}/file").content
    again = previewed(officer, work, unit_id["phuongvi"], back)
    rows = rows_of(officer, again["id"])
    assert [row["outcome"] for row in rows[:4]] == ["same"] * 4
    assert [(each["sheet"], each["rows"]) for each in again["lists"]] == [
        (each["sheet"], each["rows"]) for each in item["lists"]
    ]
    with database.writing() as session:
        refs = set(session.exec(select(Change.source_ref)).all())
    assert f"import {item['id']} row 2 (Khu 2): ds.xlsx" in refs


def test_the_rows_in_error_can_be_sent_again_alone(
    officer: Api, item: Json, work: Work, unit_id: Ids
) -> None:
    book = openpyxl.load_workbook(
        io.BytesIO(officer.get(f"/v1/imports/{item['id']}/errors-file").content)
    )
    sheet = book.active
    assert sheet is not None
    assert [row[0] for row in sheet.iter_rows(values_only=True)] == [
        "Điện thoại",
        "Khu 2",
        "098",
    ]
    sheet["A3"] = "0987000009"
    made = io.BytesIO()
    book.save(made)
    corrected = previewed(officer, work, unit_id["phuongvi"], made.getvalue())
    [row] = rows_of(officer, corrected["id"])
    assert (row["outcome"], row["unit_id"]) == ("created", unit_id["phuongvi-2"])


def test_a_hidden_sheet_is_read_only_when_it_is_chosen(
    officer: Api, work: Work, unit_id: Ids
) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(SHEETS)))
    book["Khu 2"].sheet_state = "hidden"
    made = io.BytesIO()
    book.save(made)
    item = previewed(officer, work, unit_id["phuongvi"], made.getvalue())
    assert (item["sheet"], item["rows_read"]) == (None, 4)
    assert ("sheet_hidden", "Khu 2", 3) in {
        (each["reason"], each["sheet"], each["count"]) for each in item["rows_left_out"]
    }
    officer.patch(f"/v1/imports/{item['id']}", json={"sheet": "Khu 2"})
    work()
    assert done(officer.get(f"/v1/imports/{item['id']}"))["rows_read"] == 2


def test_lists_below_each_other_have_columns_of_their_own(
    officer: Api, work: Work, unit_id: Ids
) -> None:
    lines: Lines = [
        ["CHI HỘI KHU 1"],
        ["STT", "Họ và tên", "Ngày sinh", "Điện thoại"],
        [1, "Khổng Thị Hà", "17/05/1968", "0987000001"],
        [None, "Cộng: 1"],
        [],
        ["CHI HỘI KHU 2"],
        ["STT", "Điện thoại", "Họ và tên", "Ngày sinh"],
        [1, "0987000002", "Khổng Thị Mận", "19/05/1970"],
        [2, "098", "Khổng Thị Nga", "20/05/1971"],
    ]
    item = previewed(officer, work, unit_id["phuongvi"], workbook({"Sheet1": lines}))
    assert item["lists"] == [
        {"sheet": "Sheet1", "header_row": 2, "rows": 1, "branch": "CHI HỘI KHU 1"},
        {"sheet": "Sheet1", "header_row": 7, "rows": 2, "branch": "CHI HỘI KHU 2"},
    ]
    rows = rows_of(officer, item["id"])
    assert [(row["number"], row["row"], row["unit_id"]) for row in rows] == [
        (3, 3, unit_id["phuongvi-1"]),
        (8, 8, unit_id["phuongvi-2"]),
        (9, 9, unit_id["phuongvi-2"]),
    ]
    assert rows[1]["values"]["phone"] == "+84987000002"
    assert [each["column"] for each in rows[2]["problems"]] == ["B"]
    left_out = {each["reason"]: each["rows"] for each in item["rows_left_out"]}
    assert item["rows_read"] + sum(map(len, left_out.values())) == len(lines)
    item = applied(officer, work, item["id"])
    assert item["summary"] == summary(created=2, error=1)
    back = openpyxl.load_workbook(
        io.BytesIO(officer.get(f"/v1/imports/{item['id']}/file").content)
    ).active
    assert back is not None
    assert [back.cell(number, 5).value for number in (2, 3, 7, 8, 9)] == [
        "Kết quả",
        "Đã thêm mới",
        "Kết quả",
        "Đã thêm mới",
        "Lỗi",
    ]
