"""Files that would cost more than their size, be read in part, or be taken for others."""

import io
import time
from collections.abc import Callable

import openpyxl
import pytest
import xlsxwriter
import xlwt

from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api
from tests.imports.test_imports import (
    HEADER,
    Work,
    applied,
    previewed,
    rows_of,
    send,
    summary,
    women,
    xlsx,
)
from tests.workbooks.test_workbooks_files import ods

# Composing so many takes half a minute: each pair of marks changes places with all before it.
MARKS = "\u0301" * 30_000 + "\u0323" * 30_000


def refusal(api: Api, work: Work, unit: int, content: bytes) -> str:
    """The code for which a file is refused, at once or by the job."""
    answer = send(api, unit, content)
    if answer.status_code == 422:
        return str(answer.json()["type"].rpartition(":")[2])
    work()
    item = done(api.get(answer.headers["location"]))
    assert item["state"] == "refused"
    return str(item["problem"]["code"])


def _sheets_far_apart() -> bytes:
    """Two sheets of two cells each, whose corners are four million cells apart."""
    book = openpyxl.Workbook()
    for _ in range(2):
        sheet = book.create_sheet()
        sheet["A1"] = sheet["AC150000"] = "x"
    return _saved(book)


def _merged_over_each_other() -> bytes:
    book = openpyxl.load_workbook(io.BytesIO(xlsx(HEADER, women(40))))
    for last in range(32, 42):
        book.worksheets[0].merge_cells(f"E2:E{last}")
    return _saved(book)


# Of a cell that Excel takes, and cells enough for more text than any list has.
LONG = "Khổng Thị " * 3_000
MANY = 200_000_000 // len(LONG) + 1


def _one_text_in_many_cells() -> bytes:
    """Stored once, named by each of the cells."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        for number in range(1, MANY + 1):
            sheet.write_string(number, 0, LONG)
    return out.getvalue()


def _one_text_in_many_old_cells() -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet("a")
    for at, name in enumerate(HEADER):
        sheet.write(0, at, name)
    for number in range(1, MANY + 1):
        sheet.write(number, 0, LONG)
    book.save(out := io.BytesIO())
    return out.getvalue()


def _text_cell(text: str, repeated: int = 1) -> str:
    return (
        f'<table:table-cell office:value-type="string" table:number-columns-repeated="{repeated}">'
        f"<text:p>{text}</text:p></table:table-cell>"
    )


def _ods(row: str, repeated: int) -> bytes:
    head = "".join(map(_text_cell, HEADER))
    return ods(
        f"<table:table-row>{head}</table:table-row>"
        f'<table:table-row table:number-rows-repeated="{repeated}">{row}</table:table-row>'
    )


def _saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (_sheets_far_apart, "import_too_many_rows"),
        (_merged_over_each_other, "import_damaged"),
        (_one_text_in_many_cells, "import_zip_bomb"),
        (_one_text_in_many_old_cells, "import_zip_bomb"),
        (lambda: _ods(_text_cell(LONG), MANY), "import_zip_bomb"),
        (lambda: _ods(_text_cell(LONG, 100), MANY // 100 + 1), "import_zip_bomb"),
        (lambda: _ods(_text_cell('<text:s text:c="200000001"/>'), 1), "import_zip_bomb"),
        (lambda: xlsx(HEADER, [[f"a{MARKS[14_990:45_000]}"]]), "import_damaged"),
        (f"{','.join(HEADER)}\na{MARKS}".encode, "import_damaged"),
        (lambda: b"a,b\na\xff" + b"\xec" * 30_000 + b"\xf2" * 30_000, "import_damaged"),
        (f'{{"full_name": "a{MARKS}"}}'.encode, "import_damaged"),
    ],
    ids=[
        *(
            "sheets",
            "merged",
            "shared text",
            "xls",
            "ods rows",
            "ods columns",
            "ods spaces",
            "xlsx",
        ),
        *("csv", "windows-1258", "ndjson"),
    ],
)
def test_what_grows_beyond_its_size_is_refused(
    officer: Api, work: Work, unit_id: Ids, make: Callable[[], bytes], code: str
) -> None:
    started = time.process_time()
    assert refusal(officer, work, unit_id["phuongvi"], make()) == code
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "content",
    [
        '{"full_name": "Khổng Thị Hoà", "full_name": "Khổng Thị Lan", "birth_date": "1968"}'.encode(),
        "Họ và tên,Năm sinh\nKhổng Thị Hoà,1968\nKhổng Thị Lan,1969,".encode() + b"\xe1\xbb",
    ],
    ids=["a name said twice", "utf-8 cut off"],
)
def test_what_would_be_read_in_part_is_refused(
    officer: Api, work: Work, unit_id: Ids, content: bytes
) -> None:
    assert refusal(officer, work, unit_id["phuongvi"], content) == "import_damaged"


def test_a_long_cell_is_wrong_at_once(officer: Api, work: Work, unit_id: Ids) -> None:
    """Half a minute each, where a pattern is tried from every place of a text to its end."""
    [name, born, branch, phone, card] = women(1)[0]
    gap = " " * 30_000
    rows: list[list[str | None]] = [
        [f"{name}{gap}1", born, branch, phone, card],
        [name, f"17{gap}x", branch, phone, card],
        [name, f"17{'/1' * 15_000}", branch, phone, card],
        [f"I. Khu {'-,' * 15_000}x", None, None, None, None],
        [f"{gap}{name}", f"{gap}{born}", f"{branch}{gap}", f"{phone}{gap}", card],
    ]
    started = time.process_time()
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
    assert time.process_time() - started < 10
    found = rows_of(officer, item["id"])
    assert [p["code"] for p in found[2]["problems"]] == ["too_long"]
    # Spaces are no part of a text, however many.
    assert (found[-1]["outcome"], found[-1]["name"]) == ("created", name)
    assert found[-1]["values"]["phone"] == f"+84{phone[1:]}"


def test_a_name_on_a_list_is_short(officer: Api) -> None:
    body = {"full_name": "Khổng Thị Hoà", "birth_date": "1968", "joined_on": None}
    started = time.process_time()
    answer = officer.post("/v1/members", json=body | {"ethnicity": f"a{MARKS}"})
    assert time.process_time() - started < 10
    assert answer.status_code == 422
    assert {each["pointer"] for each in answer.json()["errors"]} >= {"/ethnicity"}


def test_a_record_that_an_undone_import_corrected_is_still_there(
    officer: Api, head: Api, work: Work, unit_id: Ids
) -> None:
    """A head who names it by its id, out of her scope, makes no second record of it."""
    member = done(officer.get(f"/v1/members?unit={unit_id['phuongvi-2']}&limit=1"))["items"][0]
    row = [member["id"], member["full_name"], member["birth_date"], "", "Chỗ mới"]
    content = xlsx(["Mã", *HEADER[:3], "Địa chỉ"], [row])
    item = previewed(officer, work, unit_id["phuongvi"], content)
    assert item["summary"] == summary(updated=1)
    applied(officer, work, item["id"])
    assert officer.post(f"/v1/imports/{item['id']}/undo").status_code == 202
    work()
    [of_head] = rows_of(head, previewed(head, work, unit_id["phuongvi-1"], content)["id"])
    assert of_head["outcome"] == "error"
    assert [each["code"] for each in of_head["problems"]] == ["member_unknown"]


def test_a_row_wider_than_its_header_is_not_stored_as_it_stands(
    officer: Api, work: Work, unit_id: Ids
) -> None:
    """A separator in a cell without quotes moves what stands behind it by a column."""
    lines = [",".join(map(str, row)) for row in [HEADER, *women(3)]]
    [name, born, branch, phone, card] = women(1, start=5)[0]
    content = "\n".join([*lines, f"{name},{born},{branch},{phone},,{card}"]).encode()
    item = previewed(officer, work, unit_id["phuongvi"], content)
    assert item["summary"] == summary(created=3, error=1)
    row = rows_of(officer, item["id"])[-1]
    assert [each["code"] for each in row["problems"] if each["level"] == "error"] == ["row_shifted"]
    applied(officer, work, item["id"])
    assert done(officer.get(f"/v1/members?q={name}&unit={unit_id['phuongvi']}"))["items"] == []
