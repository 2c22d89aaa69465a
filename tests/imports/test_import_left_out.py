"""Wrong cells that rows are written without: chosen once for a column or an error of a list."""

import io

import openpyxl
import pytest

from app.db import Database
from tests.helpers.answers import Json, pointed
from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api
from tests.imports import test_import_appointments as cadres
from tests.imports import test_import_decisions as reviews
from tests.imports import test_import_households as households
from tests.imports.test_import_returns import fetched
from tests.imports.test_imports import (
    HEADER,
    Work,
    applied,
    everyone,
    previewed,
    rows_of,
    summary,
    women,
    xlsx,
)


def changed(api: Api, work: Work, item: Json, **body: object) -> Json:
    answer = api.patch(f"/v1/imports/{item['id']}", json=body)
    assert answer.status_code == 200, answer.text
    work()
    return done(api.get(f"/v1/imports/{item['id']}"))


@pytest.fixture
def wrong() -> bytes:
    """Three women: a phone that is none, a citizen id of five digits, and a name that is missing."""
    rows = women(4)
    rows[1][3], rows[2][4], rows[3][0] = "12", "12345", ""
    return xlsx([*HEADER, "Ghi chú"], [[*row, "giữ nguyên"] for row in rows])


@pytest.mark.parametrize(
    ("chosen", "written"),
    [
        ({"fields": ["phone"]}, 2),
        ({"codes": ["citizen_id_invalid"]}, 2),
        ({"fields": ["phone"], "codes": ["citizen_id_invalid"]}, 3),
        ({"fields": ["address"], "codes": ["date_unread"]}, 1),
    ],
)
def test_only_the_cells_that_were_chosen_are_left_out(
    officer: Api, work: Work, unit_id: Ids, wrong: bytes, chosen: Json, written: int
) -> None:
    item = previewed(officer, work, unit_id["phuongvi"], wrong)
    assert item["summary"] == summary(created=1, error=3)
    item = changed(officer, work, item, leave_out=chosen)
    assert item["summary"] == summary(created=written, error=4 - written)
    assert item["options"]["leave_out"] == {"fields": [], "codes": []} | chosen


def test_the_row_is_written_without_the_cell_which_goes_back_with_a_sign(
    officer: Api, database: Database, work: Work, unit_id: Ids, wrong: bytes
) -> None:
    before = everyone(database)
    item = previewed(officer, work, unit_id["phuongvi"], wrong)
    item = changed(officer, work, item, leave_out={"fields": ["phone", "citizen_id"]})
    row = rows_of(officer, item["id"])[1]
    assert (row["outcome"], "phone" in row["values"]) == ("created", False)
    [problem] = row["problems"]
    assert problem | {"level": "warning", "left_out": True, "value": "12"} == problem
    applied(officer, work, item["id"])
    new = [m for key, m in everyone(database).items() if key not in before]
    assert sorted(bool(member["phone"]) for member in new) == [False, True, True]
    sheet = openpyxl.load_workbook(io.BytesIO(fetched(officer, item["id"]))).worksheets[0]
    header = [cell.value for cell in sheet[1]]
    told = dict(zip(header, [cell.value for cell in sheet[3]], strict=True))
    assert told["Điện thoại"] == "12"
    assert told["Kết quả"] == "Đã thêm mới"
    assert "Ô này không được ghi." in str(told["Gợi ý"])
    # Sent once more nothing is left to do, but for the row without a name.
    again = previewed(officer, work, unit_id["phuongvi"], wrong)
    assert again["summary"] == summary(same=3, error=1)


def test_a_record_keeps_what_a_wrong_cell_would_have_changed(
    officer: Api, database: Database, work: Work, unit_id: Ids
) -> None:
    unit = unit_id["phuongvi"]
    item = previewed(officer, work, unit, xlsx(HEADER, women(1)))
    applied(officer, work, item["id"])
    [sent] = rows_of(officer, item["id"])
    member = done(officer.get(f"/v1/members/{sent['entity_id']}"))
    rows = [[member["id"], *women(1)[0][:3], "12", "", "Khu chợ"]]
    header = ["Mã", *HEADER, "Địa chỉ"]
    item = previewed(officer, work, unit, xlsx(header, rows))
    assert item["summary"] == summary(error=1)
    both = {"leave_out": {"fields": ["phone"]}, "empty_cells": "clear"}
    item = changed(officer, work, item, **both)
    assert item["summary"] == summary(updated=1)
    applied(officer, work, item["id"])
    now = done(officer.get(f"/v1/members/{sent['entity_id']}"))
    assert (now["phone"], now["address"]) == (member["phone"], "Khu chợ")


def test_what_the_rules_refuse_is_left_out_too(officer: Api, work: Work, unit_id: Ids) -> None:
    """Not the cell is wrong, but what it says beside another: she joined before she was born."""
    header = ["Họ và tên", "Ngày sinh", "Chi hội", "Ngày vào Hội"]
    rows = [["Khổng Thị Hà", "17/05/1968", "Chi hội khu 1", "08/03/1950"]]
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(header, rows))
    assert item["summary"] == summary(error=1)
    item = changed(officer, work, item, leave_out={"fields": ["joined_on"]})
    [row] = rows_of(officer, item["id"])
    assert row["outcome"] == "created"
    assert (row["values"]["joined_on"], row["problems"][0]["left_out"]) == (None, True)
    # A decision about the row compares it anew, and the cell stays out.
    path = f"/v1/imports/{item['id']}/rows/2"
    row = done(officer.patch(path, json={"decision": "create"}))
    assert (row["values"]["joined_on"], row["problems"][0]["left_out"]) == (None, True)


def test_what_a_row_needs_is_never_left_out(officer: Api, work: Work, unit_id: Ids) -> None:
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(1)))
    path = f"/v1/imports/{item['id']}"
    for chosen, where, code in (
        ({"fields": ["phone", "full_name"]}, "fields/1", "never_left_out"),
        ({"fields": ["branch"]}, "fields/0", "never_left_out"),
        ({"fields": ["nothing"]}, "fields/0", "not_in_list"),
        ({"codes": ["required"]}, "codes/0", "never_left_out"),
        ({"codes": ["row_struck_out"]}, "codes/0", "never_left_out"),
        ({"codes": ["no_such_code"]}, "codes/0", "not_in_list"),
    ):
        answer = officer.patch(path, json={"leave_out": chosen})
        pointed(answer, f"/leave_out/{where}", code)
    pointed(officer.patch(path, json={"accept": ["no_such_code"]}), "/accept/0", "not_in_list")
    after = done(officer.get(path))
    assert (after["revision"], after["options"]) == (item["revision"], item["options"])


class TestOtherLists:
    """One mechanism: the same choice for lists of households, of cadres and of review results."""

    def test_of_households(self, officer: Api, work: Work, unit_id: Ids) -> None:
        rows = [households.row(1, "Khổng Văn Hà", **{"Từ ngày": "bao giờ"})]
        content = xlsx(households.HEADER, rows)
        item = households.previewed(officer, work, unit_id["phuongvi"], content)
        self.is_written_without(officer, work, item, "opened_on")

    def test_of_cadres(self, officer: Api, database: Database, work: Work, unit_id: Ids) -> None:
        [member] = cadres.women(database, unit_id, 1)
        rows = [cadres.row(member, **{"Ngày quyết định": "bao giờ"})]
        content = xlsx(cadres.HEADER, rows)
        item = cadres.previewed(officer, work, unit_id["phuongvi"], content)
        self.is_written_without(officer, work, item, "decided_on")

    def test_of_review_results(self, officer: Api, work: Work, unit_id: Ids) -> None:
        reviews.homes(officer, unit_id)
        rows = [reviews.row("0003", "Hà Thị Cúc", **{"Điểm B1": "cao"})]
        content = xlsx(reviews.HEADER, rows)
        item = reviews.previewed(officer, work, unit_id["phuongvi"], content)
        self.is_written_without(officer, work, item, "income_points")

    @staticmethod
    def is_written_without(api: Api, work: Work, item: Json, field: str) -> None:
        assert item["summary"] == summary(error=1), rows_of(api, item["id"])
        item = changed(api, work, item, leave_out={"fields": [field]})
        [row] = rows_of(api, item["id"])
        assert row["outcome"] == "created", row["problems"]
        assert [p["field"] for p in row["problems"] if p["left_out"]] == [field]
        assert row["values"].get(field) is None
        applied(api, work, item["id"])
        assert rows_of(api, item["id"])[0]["done"]
