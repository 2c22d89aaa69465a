"""Lists that go back and come again: each error marked, and only what was corrected changes."""

import csv
import io
from datetime import timedelta
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import openpyxl
import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.imports.imports import Import
from app.models.kernel.changes import Change
from app.models.kernel.units import Unit
from app.models.members.members import Member
from tests.helpers.answers import pointed, refused
from tests.helpers.cadres import Ids, done, forbidden
from tests.helpers.client import Api, writing
from tests.imports.test_imports import (
    HEADER,
    XLSX,
    Work,
    applied,
    csv_file,
    everyone,
    previewed,
    rows_of,
    summary,
    women,
    xlsx,
)


def sheet_of(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]


def grid(content: bytes) -> list[list[Any]]:
    return [list(row) for row in sheet_of(content).iter_rows(values_only=True)]


def fetched(api: Api, import_id: str, what: str = "file") -> bytes:
    answer = api.get(f"/v1/imports/{import_id}/{what}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == XLSX
    assert ".xlsx" in answer.headers["content-disposition"]
    content: bytes = answer.content
    return content


class TestFileName:
    """It names the files that go back: RFC 6266, and RFC 8187 for what is no ASCII."""

    def test_with_a_line_break_is_refused(self, officer: Api, unit_id: Ids) -> None:
        path = f"/v1/imports?kind=members&unit={unit_id['phuongvi']}&file_name="
        content, headers = csv_file(HEADER, women(1)), {"content-type": "text/csv"}
        for name, code in (
            ("a%0D%0AX-Evil:%201.csv", "line_break"),
            ("a%07.csv", "control_character"),
        ):
            answer = officer.post(path + name, content=content, headers=headers)
            pointed(answer, "/file_name", code)

    @pytest.mark.parametrize(
        ("stored", "plain", "whole"),
        [
            ("a\r\nX-Evil: 1.csv", "aX-Evil: 1", None),
            ("Hội viên\u202excod.xlsx", "Hi vinxcod", "Hội viênxcod"),
            ('x"; filename="y%.csv', "x; filename=y", 'x"; filename="y%'),
        ],
        ids=["line break", "direction", "quote"],
    )
    def test_as_stored_before_breaks_no_download(
        self,
        officer: Api,
        database: Database,
        unit_id: Ids,
        work: Work,
        stored: str,
        plain: str,
        whole: str | None,
    ) -> None:
        item = previewed(
            officer, work, unit_id["phuongvi"], csv_file(HEADER, women(1)), name="a.csv"
        )
        with writing(database) as session:
            session.execute(sa.update(Import).values(file_name=stored))
        for what in ("file", "errors-file"):
            answer = officer.get(f"/v1/imports/{item['id']}/{what}")
            assert answer.status_code == 200
            assert "x-evil" not in answer.headers
            name, _, encoded = answer.headers["content-disposition"].partition(
                "; filename*=UTF-8''"
            )
            assert name.startswith(f'attachment; filename="{plain}-')
            assert name.endswith('.xlsx"')
            if whole is None:
                assert encoded == ""
            else:
                assert unquote(encoded).startswith(f"{whole}-")


def changes_of(database: Database, import_id: str) -> int:
    with writing(database) as session:
        found = session.exec(
            select(Change.id).where(col(Change.source_ref).like(f"import {import_id}%"))
        )
        return len(found.all())


def with_errors(good: int, bad: int) -> list[list[str]]:
    rows = women(good + bad)
    for row in rows[good:]:
        row[3] = "12"
    return rows


class TestFileBack:
    def test_is_theirs_with_a_verdict_on_each_row(
        self, officer: Api, unit_id: Ids, work: Work
    ) -> None:
        content = xlsx(HEADER, with_errors(2, 1))
        item = previewed(officer, work, unit_id["phuongvi"], content, name="Hội viên.xlsx")
        seen = grid(fetched(officer, item["id"]))
        assert seen[0][:5] == HEADER
        assert seen[0][5:9] == ["Kết quả", "Lỗi", "Gợi ý", "Mã"]
        assert [row[5] for row in seen[1:]] == ["Sẽ thêm mới", "Sẽ thêm mới", "Lỗi"]
        assert "Điện thoại" in seen[3][6]
        assert [row[8] for row in seen[1:]] == [None, None, None]
        applied(officer, work, item["id"])
        seen = grid(fetched(officer, item["id"]))
        assert [row[5] for row in seen[1:]] == ["Đã thêm mới", "Đã thêm mới", "Lỗi"]
        members = [row["entity_id"] for row in rows_of(officer, item["id"])]
        assert [row[8] for row in seen[1:]] == [*members[:2], None]

    def test_29_errors_are_29_rows_and_once_corrected_29_members(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit = unit_id["phuongvi"]
        item = previewed(officer, work, unit, xlsx(HEADER, with_errors(40, 29)))
        assert item["summary"] == summary(created=40, error=29)
        applied(officer, work, item["id"])
        book = openpyxl.load_workbook(io.BytesIO(fetched(officer, item["id"], "errors-file")))
        sheet = book.worksheets[0]
        assert sheet.max_row == 30
        for number in range(2, 31):
            sheet.cell(number, 4).value = f"0986{number:06}"
        corrected = io.BytesIO()
        book.save(corrected)
        before = everyone(database)
        again = previewed(officer, work, unit, corrected.getvalue(), name="loi.xlsx")
        assert again["summary"] == summary(created=29)
        applied(officer, work, again["id"])
        after = everyone(database)
        assert len(after) == len(before) + 29
        assert all(after[known] == row for known, row in before.items())

    def test_whole_again_changes_only_what_was_corrected(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit = unit_id["phuongvi"]
        item = previewed(officer, work, unit, xlsx(HEADER, with_errors(5, 2)))
        applied(officer, work, item["id"])
        book = openpyxl.load_workbook(io.BytesIO(fetched(officer, item["id"])))
        sheet = book.worksheets[0]
        sheet.cell(7, 4).value = "0986000007"
        sheet.cell(8, 4).value = "0986000008"
        sheet.cell(2, 4).value = "0986000002"
        corrected = io.BytesIO()
        book.save(corrected)
        before = everyone(database)
        again = previewed(officer, work, unit, corrected.getvalue())
        assert again["summary"] == summary(created=2, updated=1, same=4)
        applied(officer, work, again["id"])
        after = everyone(database)
        changed = {i for i in after if after[i] != before.get(i)}
        assert len(changed) == 3
        assert changes_of(database, again["id"]) == 2 * 2 + 1

    def test_the_very_same_file_again_changes_nothing_whatever_happened_since(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit, content = unit_id["phuongvi"], xlsx(HEADER, women(4))
        item = previewed(officer, work, unit, content)
        applied(officer, work, item["id"])
        first = rows_of(officer, item["id"])[0]["entity_id"]
        done(officer.patch(f"/v1/members/{first}", json={"phone": "0911000111"}))
        before = everyone(database)
        again = previewed(officer, work, unit, content)
        assert again["summary"] == summary(same=4)
        assert rows_of(officer, again["id"])[0]["entity_id"] == first
        applied(officer, work, again["id"])
        assert everyone(database) == before
        assert changes_of(database, again["id"]) == 0

    def test_sent_again_after_an_undo_makes_them_again(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit, content = unit_id["phuongvi"], xlsx(HEADER, women(3))
        item = previewed(officer, work, unit, content)
        applied(officer, work, item["id"])
        back = fetched(officer, item["id"])
        assert officer.post(f"/v1/imports/{item['id']}/undo").status_code == 202
        work()
        for each in (content, back):
            again = previewed(officer, work, unit, each)
            assert again["summary"] == summary(created=3)

    def test_of_another_is_given_to_who_may_see_all_that_is_in_it(
        self, api: Api, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        head = api.as_("phuongvi-1")
        header = [*HEADER, "Dân tộc"]
        rows = [[*row, "Kinh"] for row in with_errors(1, 1)]
        item = previewed(officer, work, unit_id["phuongvi-1"], xlsx(header, rows))
        forbidden(head.get(f"/v1/imports/{item['id']}/file"), "members:ethnicity")
        fetched(officer, item["id"])
        fetched(api.as_("phutho"), item["id"])
        taken = done(officer.get("/v1/export-log"))["items"]
        assert f"/v1/imports/{item['id']}/file" in [export["path"] for export in taken]

    def test_the_template_is_taken_as_it_is(
        self, officer: Api, api: Api, unit_id: Ids, work: Work
    ) -> None:
        answer = officer.get("/v1/imports/template?kind=members")
        assert answer.headers["content-type"] == XLSX
        item = previewed(officer, work, unit_id["phuongvi"], answer.content)
        assert item["problem"]["code"] == "import_no_rows"
        forbidden(api.as_("auditor").get("/v1/imports/template"), "members:write")


class TestCorrections:
    def test_a_lost_zero_is_proposed_and_taken_once_it_is_accepted(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        rows = women(3)
        # Of another year than her birth: who has the card has to say whose it is.
        rows[0][4], rows[1][4] = "25160001234", "25161001234"
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        assert item["summary"] == summary(created=1, error=2)
        url = f"/v1/imports/{item['id']}"
        pointed(
            officer.patch(f"{url}/rows/4", json={"accept": ["citizen_id"]}),
            "/accept/0",
            "nothing_proposed",
        )
        row = done(officer.patch(f"{url}/rows/2", json={"accept": ["citizen_id"]}))
        assert (row["outcome"], row["accepted"]) == ("created", ["citizen_id"])
        assert done(officer.get(url))["summary"] == summary(created=2, error=1)
        # In all rows; and what was decided of one row is kept.
        answer = officer.patch(url, json={"accept": ["citizen_id_zero_lost"]})
        assert answer.json()["state"] == "reading"
        work()
        assert done(officer.get(url))["summary"] == summary(created=3)
        assert rows_of(officer, item["id"])[0]["accepted"] == ["citizen_id"]
        applied(officer, work, item["id"])
        assert {m["citizen_id"] for m in everyone(database).values()} >= {
            "025160001234",
            "025161001234",
        }

    def test_columns_are_corrected_and_remembered_for_the_unit(
        self, officer: Api, unit_id: Ids, work: Work
    ) -> None:
        header = ["Họ và tên", "Ngày sinh", "Chi hội", "Ghi thêm", "Số CCCD"]
        content = xlsx(header, women(2))
        item = previewed(officer, work, unit_id["phuongvi"], content)
        url = f"/v1/imports/{item['id']}"
        answer = officer.patch(url, json={"mapping": {"occupation": "D", "citizen_id": None}})
        assert answer.status_code == 200, answer.text
        work()
        columns = {c["letter"]: c for c in done(officer.get(url))["columns"]}
        assert (columns["D"]["field"], columns["D"]["reason"]) == ("occupation", "chosen")
        assert columns["E"]["field"] is None
        again = previewed(officer, work, unit_id["phuongvi"], content)
        columns = {c["letter"]: c for c in again["columns"]}
        assert (columns["D"]["field"], columns["D"]["reason"]) == ("occupation", "remembered")
        assert columns["E"]["field"] is None
        other = previewed(officer, work, unit_id["phuongvi-1"], content)
        assert {c["letter"]: c["field"] for c in other["columns"]}["E"] == "citizen_id"

    def test_unknown_fields_columns_and_options_are_refused(
        self, officer: Api, unit_id: Ids, work: Work
    ) -> None:
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(1)))
        url = f"/v1/imports/{item['id']}"
        for body, pointer in (
            ({"mapping": {"shoe_size": "A"}}, "/mapping/shoe_size"),
            ({"mapping": {"phone": "ZZ"}}, "/mapping/phone"),
            ({"duplicates": "merge"}, "/duplicates"),
        ):
            pointed(officer.patch(url, json=body), pointer, "not_in_list")
        answer = officer.patch(url, json={}, headers={"if-match": '"99"'})
        refused(answer, 412, "stale_revision")

    def test_another_sheet_is_read(self, officer: Api, unit_id: Ids, work: Work) -> None:
        book = openpyxl.Workbook()
        first, second = book.active, book.create_sheet("Khu 2")
        assert first is not None
        for sheet, rows in ((first, women(3)), (second, women(2, "Chi hội khu 2", 10))):
            for row in [HEADER, *rows]:
                sheet.append(row)
        made = io.BytesIO()
        book.save(made)
        item = previewed(officer, work, unit_id["phuongvi"], made.getvalue())
        assert (item["sheet"], item["summary"]) == (None, summary(created=5))
        url = f"/v1/imports/{item['id']}"
        officer.patch(url, json={"sheet": "Khu 2"})
        work()
        item = done(officer.get(url))
        assert (item["sheet"], item["summary"]) == ("Khu 2", summary(created=2))
        officer.patch(url, json={"sheet": "Khu 3"})
        work()
        item = done(officer.get(url))
        assert (item["state"], item["problem"]["code"]) == ("refused", "import_sheet_unknown")
        officer.patch(url, json={"sheet": None})
        work()
        assert done(officer.get(url))["summary"] == summary(created=5)

    def test_two_previews_at_once_leave_the_last(
        self, officer: Api, unit_id: Ids, work: Work
    ) -> None:
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(3)))
        url = f"/v1/imports/{item['id']}"
        officer.patch(url, json={"mapping": {"phone": None}})
        officer.patch(url, json={"mapping": {"phone": "D"}})
        assert work() == 2
        item = done(officer.get(url))
        assert (item["state"], item["summary"]) == ("ready", summary(created=3))
        assert len(rows_of(officer, item["id"])) == 3


class TestDuplicates:
    def test_somebody_on_record_is_held_until_it_is_decided(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        known = next(
            m for m in everyone(database).values() if m["branch_id"] == unit_id["phuongvi-1"]
        )
        rows = [
            [known["full_name"], known["birth_date"], "Chi hội khu 1", "0911222333", ""],
            *women(1),
        ]
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        assert item["summary"] == summary(created=1, duplicate=1)
        [row] = rows_of(officer, item["id"], "&outcome=duplicate")
        assert row["candidates"][0]["member_id"] == str(known["id"])
        url = f"/v1/imports/{item['id']}/rows/2"
        row = done(officer.patch(url, json={"decision": "update"}))
        assert (row["outcome"], row["entity_id"]) == ("updated", str(known["id"]))
        assert done(officer.patch(url, json={"decision": "skip"}))["outcome"] == "skipped"
        assert done(officer.patch(url, json={"decision": None}))["outcome"] == "duplicate"
        count = len(everyone(database))
        item = applied(officer, work, item["id"])
        assert item["summary"] == summary(created=1, duplicate=1)
        assert len(everyone(database)) == count + 1

    def test_made_all_the_same_they_are_pairs_in_the_inbox(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        known = next(
            m for m in everyone(database).values() if m["branch_id"] == unit_id["phuongvi-1"]
        )
        rows = [[known["full_name"], known["birth_date"], "Chi hội khu 1", "", ""]]
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        officer.patch(f"/v1/imports/{item['id']}", json={"duplicates": "create"})
        work()
        item = applied(officer, work, item["id"])
        assert item["summary"] == summary(created=1)
        [row] = rows_of(officer, item["id"])
        pairs = done(officer.get("/v1/duplicates"))["items"]
        assert {row["entity_id"], str(known["id"])} in [
            {pair["member_id"], pair["other_id"]} for pair in pairs
        ]

    def test_rows_that_say_the_same_person_twice_count_once(
        self, officer: Api, unit_id: Ids, work: Work
    ) -> None:
        rows = women(2)
        rows.append(rows[0])
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        assert item["summary"] == summary(created=2, duplicate=1)
        [row] = rows_of(officer, item["id"], "&outcome=duplicate")
        assert [p["code"] for p in row["problems"]] == ["row_repeated"]


class TestClosedRecords:
    def test_of_who_was_erased_or_is_restricted_say_so_and_stay(
        self, api: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        head = api.as_("phuongvi-1")
        table = list(
            csv.reader(
                io.StringIO(
                    head.get("/v1/members?format=csv&headings=api").content.decode("utf-8-sig")
                )
            )
        )
        address = table[0].index("address")
        rows = [[*row[:address], "Khu mới", *row[address + 1 :]] for row in table[1:4]]
        erased, restricted, changed = (UUID(row[0]) for row in rows)
        item = previewed(head, work, unit_id["phuongvi-1"], csv_file(table[0], rows))
        assert item["summary"] == summary(updated=3)
        with writing(database) as session:
            # Behind the import's back, with no new revision: what is checked is the record.
            for member_id, values in (
                (erased, {"erased_on": local_today()}),
                (restricted, {"restricted": True}),
            ):
                session.execute(
                    sa.update(Member).where(col(Member.id) == member_id).values(**values)
                )
        before = everyone(database)
        done_ = applied(head, work, item["id"])
        assert done_["summary"] == summary(updated=1, error=2)
        told = {
            row["entity_id"]: row["problems"][-1]["code"]
            for row in rows_of(head, item["id"], "&outcome=error")
        }
        assert sorted(told.values()) == ["row_of_erased", "row_of_restricted"]
        after = everyone(database)
        assert after[changed]["address"] == "Khu mới"
        assert [after[each] for each in (erased, restricted)] == (
            [before[each] for each in (erased, restricted)]
        )
        again = previewed(head, work, unit_id["phuongvi-1"], csv_file(table[0], rows))
        assert again["summary"] == summary(same=1, error=2)


class TestWhatOthersSee:
    def test_of_another_s_file_nothing_without_the_rights_to_all_of_it(
        self, api: Api, officer: Api, unit_id: Ids, work: Work
    ) -> None:
        head = api.as_("phuongvi-1")
        content = csv_file(
            [*HEADER[:3], "Tôn giáo"], [["Khổng Thị Lạ", "1970", "Chi hội khu 1", "Đạo Xyz"]]
        )
        item = previewed(officer, work, unit_id["phuongvi-1"], content, name="ds.csv")
        path = f"/v1/imports/{item['id']}"
        shown = done(head.get(path))
        assert all(column["examples"] == [] for column in shown["columns"])
        for answer in (
            head.get(f"{path}/rows"),
            head.get(f"{path}/file"),
            head.patch(path, json={"mapping": {"religion": None}}),
            head.post(f"{path}/apply", json={}),
        ):
            assert answer.status_code == 403, answer.text
            assert answer.json()["required_right"] in ("members:ethnicity", "members:religion")

    def test_candidates_are_told_to_who_had_the_row_compared(
        self, api: Api, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        elsewhere = {
            "branch_id": unit_id["tienluong-1"],
            "full_name": "Khổng Thị Xa Xôi",
            "birth_date": "1970-02-03",
            "joined_on": None,
        }
        province = api.as_("phutho")
        assert province.post("/v1/members", json=elsewhere).status_code == 201
        row = ["Khổng Thị Xa Xôi", "03/02/1970", "Chi hội khu 1"]
        item = previewed(province, work, unit_id["phuongvi"], csv_file(HEADER[:3], [row]))
        [hers] = rows_of(province, item["id"])
        assert [each["full_name"] for each in hers["candidates"]] == ["Khổng Thị Xa Xôi"]
        [theirs] = rows_of(officer, item["id"])
        assert theirs["candidates"] == []
        assert "Xa Xôi" not in str(grid(fetched(officer, item["id"]))[1][len(row) :])

    def test_a_row_that_is_another_s_twin_stays_one_when_it_is_looked_at(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        twice = [["Khổng Thị Sinh", "03/02/1970", "Chi hội khu 1"]] * 2
        item = previewed(officer, work, unit_id["phuongvi-1"], csv_file(HEADER[:3], twice))
        assert item["summary"] == summary(created=1, duplicate=1)
        number = rows_of(officer, item["id"], "&outcome=duplicate")[0]["number"]
        done(officer.patch(f"/v1/imports/{item['id']}/rows/{number}", json={}))
        again = done(officer.get(f"/v1/imports/{item['id']}"))
        assert again["summary"] == summary(created=1, duplicate=1)

    def test_two_rows_for_one_record_correct_it_once(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        known = next(
            m for m in everyone(database).values() if m["branch_id"] == unit_id["phuongvi-1"]
        )
        rows = [
            [known["full_name"], known["birth_date"], "Chi hội khu 1", "0987000001"],
            [known["full_name"].upper(), known["birth_date"][:4], "Chi hội khu 1", "0987000002"],
        ]
        item = previewed(officer, work, unit_id["phuongvi-1"], csv_file(HEADER[:4], rows))
        done(officer.patch(f"/v1/imports/{item['id']}", json={"duplicates": "update"}))
        work()
        found = done(officer.get(f"/v1/imports/{item['id']}"))["summary"]
        assert found["updated"] <= 1
        before = everyone(database)[known["id"]]["revision"]
        applied(officer, work, item["id"])
        assert everyone(database)[known["id"]]["revision"] <= before + 1

    def test_an_odd_digit_is_no_code(self, officer: Api, unit_id: Ids, work: Work) -> None:
        content = csv_file(HEADER[:3], [["Khổng Thị Dê", "1960", "²"]])
        item = previewed(officer, work, unit_id["phuongvi"], content)
        assert (item["state"], item["summary"]["error"]) == ("ready", 1)


class TestExports:
    @pytest.mark.parametrize("form", ["csv", "xlsx", "ndjson"])
    def test_what_was_exported_is_the_same_when_it_comes_in(
        self, officer: Api, database: Database, unit_id: Ids, work: Work, form: str
    ) -> None:
        content = officer.get(f"/v1/members?format={form}").content
        item = previewed(officer, work, unit_id["phuongvi"], content, name=f"ds.{form}")
        count = len(
            [m for m in everyone(database).values() if m["commune_id"] == unit_id["phuongvi"]]
        )
        wrong = rows_of(officer, item["id"], "&outcome=error")
        assert item["summary"] == summary(same=count), wrong[:2]

    def test_masked_fields_are_left_as_they_are(
        self, api: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        head = api.as_("phuongvi-1")
        table = list(
            csv.reader(
                io.StringIO(
                    head.get("/v1/members?format=csv&headings=api").content.decode("utf-8-sig")
                )
            )
        )
        address, ethnicity = table[0].index("address"), table[0].index("ethnicity")
        before = everyone(database)
        for row in table[1:]:
            row[address] = "Khu 1, xã Phượng Vĩ"
            row[ethnicity] = "Mường"
        content = csv_file(table[0], table[1:])
        item = previewed(head, work, unit_id["phuongvi-1"], content, name="ds.csv")
        assert item["summary"]["error"] == 0
        [problem] = rows_of(head, item["id"])[0]["problems"]
        assert (problem["level"], problem["field"], problem["code"]) == (
            "warning",
            "ethnicity",
            "masked_field",
        )
        back = grid(fetched(head, item["id"]))
        assert not any(row[-2] for row in back[1:])
        assert all("Bạn không được xem" in row[-1] for row in back[1:])
        applied(head, work, item["id"])
        after = everyone(database)
        for row in table[1:]:
            member = after[UUID(row[0])]
            assert member["ethnicity"] == before[member["id"]]["ethnicity"]
            assert member["address"] == "Khu 1, xã Phượng Vĩ"


def test_a_closed_unit_takes_no_import(
    officer: Api, database: Database, unit_id: Ids, work: Work
) -> None:
    unit = unit_id["phuongvi-4"]
    ready = [
        previewed(officer, work, unit_id[of], xlsx(HEADER, women(2, "Chi hội khu 4")))
        for of in ("phuongvi-4", "phuongvi")
    ]
    before = everyone(database)
    with writing(database) as session:
        yesterday = local_today() - timedelta(days=1)
        session.execute(sa.update(Unit).where(col(Unit.id) == unit).values(closed_on=yesterday))
    url = f"/v1/imports/{ready[0]['id']}"
    refused(officer.post(f"{url}/apply", json={}), 409, "unit_closed")
    item = applied(officer, work, ready[1]["id"])
    assert item["summary"] == summary(error=2)
    [first, _] = rows_of(officer, item["id"])
    assert [problem["code"] for problem in first["problems"]] == ["unit_not_open"]
    assert first["entity_id"] is None
    assert everyone(database) == before
    again = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(2, "Chi hội khu 4")))
    assert again["summary"] == summary(error=2)
