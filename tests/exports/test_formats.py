"""Exports in csv and xlsx are what lists are in these formats, and harmless in a spreadsheet."""

import csv
import io

import pytest
from python_calamine import CalamineWorkbook

from app.workbooks import streaming
from tests.exports.asking import Work, content, exported
from tests.helpers.client import Api
from tests.kernel.changes import done

FORMULA = '=HYPERLINK("http://x.vn","Bấm")'


def of_list(api: Api, form: str, headings: str) -> list[list[str]]:
    answer = api.get(f"/v1/members?format={form}&headings={headings}&restricted=false")
    assert answer.status_code == 200, answer.text
    return table(form, answer.content)


def table(form: str, data: bytes) -> list[list[str]]:
    if form == "csv":
        return [*csv.reader(io.StringIO(data.decode("utf-8-sig")))]
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return [[str(cell) for cell in row] for row in book.get_sheet_by_index(0).to_python()]


def columns(rows: list[list[str]], leave: str) -> list[list[str]]:
    """In the order of ids, without a column that lists alone have."""
    head, *others = rows
    keep = [place for place, name in enumerate(head) if name != leave]
    return [[row[place] for place in keep] for row in [head, *sorted(others)]]


def test_they_are_as_lists_are(officer: Api, work: Work) -> None:
    somebody = done(officer.get("/v1/members?limit=1"))["items"][0]["id"]
    done(officer.patch(f"/v1/members/{somebody}", json={"address": FORMULA}))
    for form in ("csv", "xlsx"):
        for headings, leave in (("vi", "Trường lấy theo hôm nay"), ("api", "not_dated")):
            body = {"kinds": ["member"], "format": form, "headings": headings}
            [file] = exported(officer, work, **body)["files"]
            assert file["name"] == f"member.{form}"
            found = table(form, content(officer, file))
            assert columns(found, leave) == columns(of_list(officer, form, headings), leave)
            assert len(found) == file["rows"] + 1
            cells = {cell for row in found for cell in row}
            # A spreadsheet computes nothing: in csv the cell is text by its apostrophe.
            assert ("'" + FORMULA if form == "csv" else FORMULA) in cells


def test_columns_of_the_manifest_are_those_of_the_file(officer: Api, work: Work) -> None:
    body = {"kinds": ["member"], "fields": {"member": ["branch_id", "phone"]}}
    [for_people] = exported(officer, work, **body, format="csv")["files"]
    assert for_people["columns"] == ["id", "branch_id", "branch_name", "phone"]
    [for_programs] = exported(officer, work, **body, format="csv", headings="api")["files"]
    assert for_programs["columns"] == ["id", "branch_id", "phone"]
    assert table("csv", content(officer, for_programs))[0] == for_programs["columns"]


def test_nested_values_are_one_cell(officer: Api, work: Work) -> None:
    """All kinds there are can be a sheet."""
    for form in ("csv", "xlsx"):
        for file in exported(officer, work, format=form)["files"]:
            rows = table(form, content(officer, file))
            assert len(rows[0]) == len(file["columns"])
            assert len(rows) == file["rows"] + 1


def test_csv_begins_with_a_byte_order_mark(officer: Api, work: Work) -> None:
    [file] = exported(officer, work, kinds=["unit"], format="csv")["files"]
    assert content(officer, file).startswith(b"\xef\xbb\xbf")


def test_what_does_not_fit_on_a_sheet_goes_on_in_the_next(
    officer: Api, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert streaming.MOST_ROWS == 1_048_576
    monkeypatch.setattr(streaming, "MOST_ROWS", 11)
    body = {"kinds": ["member"], "format": "xlsx", "headings": "api"}
    [file] = exported(officer, work, **body)["files"]
    book = CalamineWorkbook.from_filelike(io.BytesIO(content(officer, file)))
    sheets = [book.get_sheet_by_index(n).to_python() for n in range(len(book.sheet_names))]
    assert len(sheets) == -(-file["rows"] // 10) > 1
    # Each begins with the names of its columns, and none of the rows is lost or there twice.
    assert all(sheet[0] == file["columns"] for sheet in sheets)
    ids = [row[0] for sheet in sheets for row in sheet[1:]]
    assert len(set(ids)) == len(ids) == file["rows"]
