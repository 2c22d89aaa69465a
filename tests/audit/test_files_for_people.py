"""Files for people: headings and names they read, nothing a spreadsheet runs, and read again the same."""

import csv
import io
from datetime import date, datetime
from io import BytesIO

import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl.utils import get_column_letter

from app.workbooks.formulas import guarded, unguarded
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, done, made
from tests.helpers.client import Api
from tests.imports.test_imports import Work, rows_of

TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def cells(content: bytes, form: str) -> list[list[object]]:
    if form == "csv":
        return [list(row) for row in csv.reader(io.StringIO(content.decode("utf-8-sig")))]
    sheet = openpyxl.load_workbook(BytesIO(content)).worksheets[0]
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def fetched(api: Api, path: str, form: str) -> bytes:
    answer = api.get(f"{path}{'&' if '?' in path else '?'}format={form}")
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.fixture
def someone(officer: Api, unit_id: Ids) -> Json:
    return made(
        officer.post(
            "/v1/members",
            json={
                "branch_id": unit_id["phuongvi-1"],
                "full_name": "H'Hen Niê",
                "given_name": "H'Hen",
                "birth_date": "1968-05",
                "joined_on": "1990-03-08",
                "phone": "0912345678",
                "citizen_id": "025168001234",
                "ethnicity": "11",
                "address": "a;=1+1",
                "occupation": "＝1+1",
            },
        )
    )


class TestColumns:
    @pytest.mark.parametrize("form", ["csv", "xlsx"])
    def test_are_called_in_vietnamese_with_names_beside_ids(
        self, officer: Api, someone: Json, form: str
    ) -> None:
        head, *rows = cells(fetched(officer, "/v1/members?q=h'hen", form), form)
        assert head[:3] == ["Mã", "Họ và tên", "Tên gọi"]
        row = dict(zip(head, rows[0], strict=True))
        at = head.index("Mã chi hội")
        assert head[at : at + 2] == ["Mã chi hội", "Chi hội"]
        assert (row["Chi hội"], row["Xã"]) == ("Chi hội khu 1", "Xã Phượng Vĩ")
        assert row["Tên gọi"] == "H'Hen"

    def test_are_called_as_fields_for_programs(self, officer: Api, someone: Json) -> None:
        content = fetched(officer, "/v1/members?q=h'hen&headings=api", "csv")
        head, row = cells(content, "csv")
        item = done(officer.get(f"/v1/members/{someone['id']}"))
        assert head == list(item)
        assert dict(zip(head, row, strict=True))["branch_id"] == str(someone["branch_id"])
        lines = fetched(officer, "/v1/members?q=h'hen", "ndjson").splitlines()
        assert len(lines) == 1
        assert b"branch_name" not in lines[0]

    def test_that_are_chosen_bring_their_names(self, officer: Api, someone: Json) -> None:
        content = fetched(officer, "/v1/members?q=h'hen&fields=full_name,branch_id", "csv")
        assert cells(content, "csv") == [
            ["Họ và tên", "Mã chi hội", "Chi hội"],
            ["H'Hen Niê", str(someone["branch_id"]), "Chi hội khu 1"],
        ]


class TestCells:
    def test_codes_and_partial_dates_are_text_and_days_are_days(
        self, officer: Api, someone: Json
    ) -> None:
        book = openpyxl.load_workbook(BytesIO(fetched(officer, "/v1/members?q=h'hen", "xlsx")))
        sheet = book.worksheets[0]
        head = [cell.value for cell in sheet[1]]
        row = dict(zip(head, sheet[2], strict=True))
        texts = {"Số điện thoại": "+84912345678", "Số định danh cá nhân": "025168001234"}
        for name, value in (texts | {"Dân tộc": "11", "Ngày sinh": "1968-05"}).items():
            assert (row[name].value, row[name].data_type) == (value, "s")
            assert row[name].number_format == "@"
        joined = row["Ngày vào Hội"]
        assert isinstance(joined.value, datetime | date)
        assert (joined.value.strftime("%d/%m/%Y"), joined.number_format) == (
            "08/03/1990",
            "dd/mm/yyyy",
        )
        assert sheet.freeze_panes == "A2"
        for place, heading in enumerate(head, 1):
            assert sheet.column_dimensions[get_column_letter(place)].width >= len(str(heading))
        assert row["Địa chỉ"].data_type == "s"

    def test_no_cell_of_csv_is_a_formula_however_it_is_split(
        self, officer: Api, someone: Json
    ) -> None:
        head, row = cells(fetched(officer, "/v1/members?q=h'hen", "csv"), "csv")
        said = dict(zip(head, row, strict=True))
        assert said["Địa chỉ"] == "a;'=1+1"
        assert said["Nghề nghiệp"] == "'＝1+1"
        assert said["Số điện thoại"] == "'+84912345678"

    @given(st.text(alphabet="a'=+-@＝＋－＠; \t\n,", max_size=12))
    @example("'=1")
    @example("a;=1+1\n@x")
    def test_what_was_made_harmless_is_read_as_it_was(self, text: str) -> None:
        mark = guarded(text)
        assert unguarded(mark) == text
        for part in mark.replace("\t", ";").replace("\n", ";").split(";"):
            assert part.strip()[:1] not in tuple("=+-@＝＋－＠")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("members", "/v1/members"),
        ("households", "/v1/households"),
        ("appointments", "/v1/appointments"),
    ],
)
def test_our_own_file_read_again_changes_nothing(
    officer: Api, unit_id: Ids, someone: Json, work: Work, kind: str, path: str, form: str
) -> None:
    people = [{"member_id": someone["id"], "relation": "head"}]
    body = {"branch_id": unit_id["phuongvi-1"], "people": people, "address": "-Khu 1;=2"}
    made(officer.post("/v1/households", json=body))
    content = fetched(officer, f"{path}?unit={unit_id['phuongvi']}", form)
    answer = officer.post(
        f"/v1/imports?kind={kind}&unit={unit_id['phuongvi']}",
        content=content,
        headers={"content-type": TYPES[form]},
    )
    assert answer.status_code == 201, answer.text
    work()
    item = done(officer.get(answer.headers["location"]))
    wrong = [row for row in rows_of(officer, item["id"]) if row["outcome"] != "same"]
    assert wrong == []
    assert item["summary"]["same"] == len(cells(content, form)) - 1 > 0
