"""Lists of households: one row a household, under the rules of the form, known again, taken back."""

import io
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import openpyxl
import sqlalchemy as sa
from sqlmodel import col, select

from app.db import Database
from app.models.households.households import (
    Household,
    HouseholdEvent,
    HouseholdPerson,
    HouseholdPlace,
)
from app.models.kernel.changes import Change, ChangeSource
from app.models.members.members import Member
from tests.helpers.answers import Json, refused
from tests.helpers.cadres import Ids, done, forbidden, free_members, made
from tests.helpers.client import Api, writing
from tests.helpers.tables import OF_IMPORTS, changed, everything
from tests.imports.test_imports import Work, applied, rows_of, send, summary, xlsx

HEADER = ["Số hộ", "Họ tên chủ hộ", "Năm sinh", "Giới tính", "Chi hội", "Địa chỉ", "Khu vực"]
HEADER += ["Hộ DTTS", "Hộ có công", "Hộ không có KNLĐ", "Từ ngày", "Hội đánh giá"]
_BRANCH = "Chi hội khu 1"


def row(number: int, name: str, birth: str = "1970", **more: str) -> list[str]:
    """A row of HEADER, by its headers."""
    told = {"Số hộ": f"H{number:04}", "Họ tên chủ hộ": name, "Năm sinh": birth}
    told |= {"Giới tính": "Nam", "Chi hội": _BRANCH, "Địa chỉ": "Khu 1", "Từ ngày": "01/03/2024"}
    return [(told | more).get(header, "") for header in HEADER]


def homes(count: int) -> list[list[str]]:
    words = ("Hà", "Liên", "Mận", "Đào", "Nga")
    return [row(n, f"Khổng Văn {words[n]}") for n in range(count)]


def previewed(api: Api, work: Work, unit: int, content: bytes) -> Json:
    answer = api.post(f"/v1/imports?kind=households&unit={unit}", content=content, headers=_named())
    assert answer.status_code == 201, answer.text
    work()
    return done(api.get(answer.headers["location"]))


def _named() -> Mapping[str, str]:
    return {
        "content-type": "application/octet-stream",
        "content-disposition": 'attachment; filename="ho.xlsx"',
    }


def stored(database: Database) -> dict[UUID, dict[str, Any]]:
    with writing(database) as session:
        return {home.id: home.model_dump() for home in session.exec(select(Household)).all()}


def standing(database: Database) -> list[int]:
    """How many rows there are of what a household consists of, and members who are in one."""
    counted = [
        sa.select(sa.func.count()).select_from(model)
        for model in (Household, HouseholdPlace, HouseholdPerson, HouseholdEvent)
    ]
    inside = sa.select(sa.func.count()).where(col(Member.household_id).is_not(None))
    with writing(database) as session:
        return [session.execute(query).scalar_one() for query in (*counted, inside)]


def codes(item: Json) -> list[tuple[str | None, str]]:
    return [(problem["column"], problem["code"]) for problem in item["problems"]]


class TestNew:
    def test_a_row_is_a_household_with_its_head(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        head = free_members(database, unit_id["phuongvi-1"])[0]
        rows = [
            row(1, head.full_name, head.birth_date, **{"Hộ có công": "x"}),
            row(2, "Khổng Văn Hùng", **{"Khu vực": "Thành thị", "Hội đánh giá": "khá"}),
        ]
        before = standing(database)
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        assert item["summary"] == summary(created=2), rows_of(officer, item["id"])
        assert standing(database) == before
        item = applied(officer, work, item["id"])
        assert item["summary"] == summary(created=2)
        hers, his = (
            done(officer.get(f"/v1/households/{each['entity_id']}"))
            for each in rows_of(officer, item["id"])
        )
        assert (hers["head_id"], hers["code"], hers["merit"]) == (str(head.id), "H0001", True)
        assert (hers["opened_on"], hers["branch_id"]) == ("2024-03-01", unit_id["phuongvi-1"])
        assert [p["member_id"] for p in hers["people"]] == [str(head.id)]
        assert (his["head_name"], his["female_headed"]) == ("Khổng Văn Hùng", False)
        assert (his["area_type"], his["union_label"], his["revision"]) == ("urban", "well_off", 1)
        assert his["people"][0]["birth_date"] == "1970"
        with writing(database) as session:
            assert session.get_one(Member, head.id).household_id == UUID(hers["id"])
            logged = session.exec(
                select(Change).where(
                    col(Change.entity) == "household", col(Change.entity_id) == his["id"]
                )
            ).one()
        assert logged.source is ChangeSource.import_
        assert logged.source_ref == f"import {item['id']} row 3: ho.xlsx"

    def test_the_template_comes_with_an_example_that_is_taken(
        self, officer: Api, unit_id: Ids, work: Work
    ) -> None:
        answer = officer.get("/v1/imports/template?kind=households")
        book = openpyxl.load_workbook(io.BytesIO(answer.content))
        sheet = book.worksheets[0]
        header = [str(cell.value) for cell in sheet[1]]
        example = [str(cell.value or "") for cell in sheet[2]]
        example[header.index("Mã")] = ""
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(header, [example]))
        assert item["summary"] == summary(created=1), rows_of(officer, item["id"])
        assert item["missing_fields"] == []

    def test_errors_say_column_code_and_what_to_write(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        rows = [
            row(1, "", "31/02/1960", **{"Chi hội": "Khu 99", "Hội đánh giá": "tốt lắm"}),
            row(2, "Khổng Văn Hùng", **{"Từ ngày": "01/01/2090"}),
            row(3, "Khổng Văn Dũng", **{"Từ ngày": "01/01/1901"}),
            row(4, ""),
            row(5, "Khổng Văn 5"),
        ]
        before = stored(database)
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        assert item["summary"] == summary(error=5)
        first, future, early, nameless, odd = rows_of(officer, item["id"])
        assert (codes(nameless), codes(odd)) == ([("B", "required")], [("B", "name_has_digits")])
        assert sorted(codes(first)) == [
            ("B", "required"),
            ("C", "date_unread"),
            ("E", "unit_unknown"),
            ("L", "code_unknown"),
        ]
        assert codes(future) == [("K", "date_in_future")]
        assert codes(early) == [("K", "unit_not_open")]
        assert {p["code"]: p["hint_vi"] for p in first["problems"]}["date_unread"]
        applied(officer, work, item["id"])
        assert stored(database) == before

    def test_who_is_in_another_household_is_refused(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        head, wife = free_members(database, unit_id["phuongvi-1"])[:2]
        people = [
            {"member_id": str(head.id), "relation": "head"},
            {"member_id": str(wife.id), "relation": "other"},
        ]
        body = {"branch_id": unit_id["phuongvi-1"], "opened_on": "2024-01-01", "people": people}
        made(officer.post("/v1/households", json=body))
        rows = [row(1, wife.full_name, wife.birth_date)]
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        [told] = rows_of(officer, item["id"])
        assert (told["outcome"], codes(told)) == ("error", [("B", "person_in_household")])

    def test_a_name_alone_that_a_member_has_waits_for_a_decision(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        head = free_members(database, unit_id["phuongvi-1"])[0]
        item = previewed(
            officer, work, unit_id["phuongvi"], xlsx(HEADER, [row(1, head.full_name, "")])
        )
        [told] = rows_of(officer, item["id"])
        assert (told["outcome"], codes(told)) == ("duplicate", [("B", "head_may_be_known")])
        assert str(head.id) in [each["member_id"] for each in told["candidates"]]
        url = f"/v1/imports/{item['id']}/rows/2"
        assert done(officer.patch(url, json={"decision": "create"}))["outcome"] == "created"
        assert done(officer.patch(url, json={"decision": "skip"}))["outcome"] == "skipped"
        assert done(officer.patch(url, json={"decision": "update"}))["outcome"] == "created"
        applied(officer, work, item["id"])
        [told] = rows_of(officer, item["id"])
        home = done(officer.get(f"/v1/households/{told['entity_id']}"))
        assert home["head_id"] in [each["member_id"] for each in told["candidates"]]


class TestAgain:
    def test_the_same_file_changes_nothing_and_a_corrected_row_only_itself(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit, rows = unit_id["phuongvi"], homes(3)
        item = previewed(officer, work, unit, xlsx(HEADER, rows))
        applied(officer, work, item["id"])
        before = stored(database)
        again = previewed(officer, work, unit, xlsx(HEADER, rows))
        assert again["summary"] == summary(same=3)
        rows[1][HEADER.index("Hộ DTTS")] = "x"
        again = previewed(officer, work, unit, xlsx(HEADER, rows))
        assert again["summary"] == summary(same=2, updated=1), rows_of(officer, again["id"])
        assert rows_of(officer, again["id"], "&outcome=updated")[0]["changed"] == [
            "ethnic_minority"
        ]
        applied(officer, work, again["id"])
        after = stored(database)
        [changed] = [i for i in after if after[i] != before[i]]
        assert after[changed]["ethnic_minority"] is True
        assert after[changed]["code"] == rows[1][0]

    def test_by_its_id_what_only_an_act_changes_is_refused(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit = unit_id["phuongvi"]
        item = previewed(officer, work, unit, xlsx(HEADER, homes(2)))
        applied(officer, work, item["id"])
        ids = [each["entity_id"] for each in rows_of(officer, item["id"])]
        rows = [
            [ids[0], *row(0, "Khổng Văn Khác", **{"Địa chỉ": "Khu 2"})],
            [ids[1], *row(77, "Khổng Văn Liên")],
            ["00000000-0000-7000-8000-000000000000", *row(9, "Khổng Văn Không")],
        ]
        again = previewed(officer, work, unit, xlsx(["Mã", *HEADER], rows))
        head, code, unknown = rows_of(officer, again["id"])
        assert sorted(codes(head)) == [("C", "act_needed"), ("G", "act_needed")]
        assert (code["outcome"], code["changed"]) == ("updated", ["code"])
        assert codes(unknown) == [("A", "household_unknown")]
        applied(officer, work, again["id"])
        assert stored(database)[UUID(ids[1])]["code"] == "H0077"

    def test_the_same_code_with_another_head_is_held(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit = unit_id["phuongvi"]
        applied(officer, work, previewed(officer, work, unit, xlsx(HEADER, homes(1)))["id"])
        item = previewed(officer, work, unit, xlsx(HEADER, [row(0, "Khổng Văn Khác")]))
        [told] = rows_of(officer, item["id"])
        assert (told["outcome"], codes(told)) == ("duplicate", [("A", "household_may_be_known")])
        [home] = stored(database)
        assert told["candidates"][0]["household_id"] == str(home)
        url = f"/v1/imports/{item['id']}/rows/2"
        assert done(officer.patch(url, json={"decision": "create"}))["outcome"] == "created"
        applied(officer, work, item["id"])
        assert len(stored(database)) == 2

    def test_a_namesake_of_another_birth_is_another(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit = unit_id["phuongvi"]
        item = previewed(officer, work, unit, xlsx(HEADER, homes(1)))
        applied(officer, work, item["id"])
        rows = [
            row(50, "Khổng Văn Hà", "1945", **{"Số hộ": ""}),
            row(51, "Khổng Văn Hà", "05/1970", **{"Số hộ": ""}),
        ]
        item = previewed(officer, work, unit, xlsx(HEADER, rows))
        other, same = rows_of(officer, item["id"])
        assert other["outcome"] == "created"
        assert (same["outcome"], codes(same)) == ("duplicate", [("B", "household_may_be_known")])

    def test_in_one_file_as_in_the_next(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        """One code in the commune, in any of its branches; one head by name, unless she was born on
        another day."""
        rows = [
            row(1, "Khổng Văn Hà", "1970"),
            row(1, "Khổng Văn Khác", "1980", **{"Chi hội": "Chi hội khu 2"}),
            row(3, "Khổng Văn Hà", "05/1970"),
            row(4, "Khổng Văn Hà", "1945"),
            row(5, "Khổng Văn Hà", ""),
        ]
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        told = rows_of(officer, item["id"])
        assert [each["outcome"] for each in told] == [
            *("created", "duplicate", "duplicate", "created", "duplicate")
        ]
        assert codes(told[1]) == codes(told[2]) == codes(told[4]) == [(None, "row_repeated")]
        url = f"/v1/imports/{item['id']}/rows/3"
        assert done(officer.patch(url, json={"decision": "create"}))["outcome"] == "created"
        applied(officer, work, item["id"])
        assert len(stored(database)) == 3

    def test_rows_of_one_head_count_once(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        head = free_members(database, unit_id["phuongvi-1"])[0]
        rows = [row(n, head.full_name, head.birth_date) for n in (1, 2)]
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        assert item["summary"] == summary(created=1, duplicate=1)

    def test_what_was_exported_is_the_same_when_it_comes_in(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit, head = unit_id["phuongvi"], free_members(database, unit_id["phuongvi-1"])[0]
        rows = [*homes(4), row(7, head.full_name, head.birth_date, **{"Hộ có công": "x"})]
        applied(officer, work, previewed(officer, work, unit, xlsx(HEADER, rows))["id"])
        for form in ("xlsx", "csv", "ndjson"):
            content = officer.get(f"/v1/households?format={form}").content
            item = previewed(officer, work, unit, content)
            assert item["summary"] == summary(same=5), rows_of(officer, item["id"])[:1]

    def test_what_she_may_not_see_she_does_not_change(
        self, api: Api, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        head, unit = api.as_("phuongvi-1"), unit_id["phuongvi-1"]
        item = previewed(officer, work, unit, xlsx(HEADER, homes(1)))
        applied(officer, work, item["id"])
        [told] = rows_of(officer, item["id"])
        rows = [[told["entity_id"], *row(0, "Khổng Văn Hà", **{"Hộ DTTS": "x"})]]
        item = previewed(head, work, unit, xlsx(["Mã", *HEADER], rows))
        [told] = rows_of(head, item["id"])
        assert (told["outcome"], codes(told)) == ("same", [("I", "masked_field")])


class TestScope:
    def test_nobody_imports_into_what_is_not_hers(
        self, api: Api, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        content = xlsx(HEADER, homes(1))
        url = "/v1/imports?kind=households&unit="
        answer = api.as_("auditor").post(f"{url}{unit_id['phuongvi']}", content=content)
        forbidden(answer, "members:write")
        head = api.as_("phuongvi-1")
        answer = head.post(f"{url}{unit_id['phuongvi-2']}", content=content)
        assert answer.status_code == 422, answer.text
        rows = [row(1, "Khổng Văn Hùng", **{"Chi hội": "Chi hội khu 2"})]
        item = previewed(head, work, unit_id["phuongvi-1"], xlsx(HEADER, rows))
        assert codes(rows_of(head, item["id"])[0]) == [("E", "unit_unknown")]

    def test_a_household_of_another_branch_is_not_told_of(
        self, api: Api, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        rows = [row(1, "Khổng Văn Hùng", **{"Chi hội": "Chi hội khu 2"})]
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        applied(officer, work, item["id"])
        [home] = stored(database)
        head = api.as_("phuongvi-1")
        rows = [[str(home), *row(1, "Khổng Văn Hùng")], ["", *row(1, "Khổng Văn Hùng")]]
        item = previewed(head, work, unit_id["phuongvi-1"], xlsx(["Mã", *HEADER], rows))
        known, new = rows_of(head, item["id"])
        assert codes(known) == [("A", "household_unknown")]
        assert (new["outcome"], new["candidates"]) == ("created", [])


class TestUndo:
    def test_while_nobody_has_touched_them(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit, rows = unit_id["phuongvi"], homes(2)
        first = previewed(officer, work, unit, xlsx(HEADER, rows))
        applied(officer, work, first["id"])
        whole = everything(database, *OF_IMPORTS)
        rows[0][HEADER.index("Hội đánh giá")] = "giàu"
        second = previewed(officer, work, unit, xlsx(HEADER, rows))
        assert second["summary"] == summary(updated=1, same=1), rows_of(officer, second["id"])
        applied(officer, work, second["id"])
        body = refused(officer.post(f"/v1/imports/{first['id']}/undo"), 409, "import_touched")
        assert [each["code"] for each in body["obstacles"]] == ["record_changed"]
        assert officer.post(f"/v1/imports/{second['id']}/undo").status_code == 202
        work()
        assert changed(whole, everything(database, *OF_IMPORTS)) == {}

    def test_new_ones_leave_nothing_behind_and_come_again(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit, head = unit_id["phuongvi"], free_members(database, unit_id["phuongvi-1"])[0]
        content = xlsx(HEADER, [*homes(2), row(7, head.full_name, head.birth_date)])
        before = everything(database, *OF_IMPORTS)
        item = previewed(officer, work, unit, content)
        applied(officer, work, item["id"])
        assert officer.post(f"/v1/imports/{item['id']}/undo").status_code == 202
        work()
        assert changed(before, everything(database, *OF_IMPORTS)) == {}
        assert done(officer.get(f"/v1/imports/{item['id']}"))["state"] == "undone"
        assert previewed(officer, work, unit, content)["summary"] == summary(created=3)

    def test_not_once_somebody_has_come_into_one(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, homes(1)))
        applied(officer, work, item["id"])
        [told] = rows_of(officer, item["id"])
        child = {"full_name": "Khổng Văn Con", "relation": "child", "effective_on": "2024-05-01"}
        done(officer.post(f"/v1/households/{told['entity_id']}/people", json=child))
        body = refused(officer.post(f"/v1/imports/{item['id']}/undo"), 409, "import_touched")
        assert [each["code"] for each in body["obstacles"]] == ["record_changed"]


def test_a_household_that_changed_after_the_preview_is_refused_in_its_row(
    officer: Api, database: Database, unit_id: Ids, work: Work
) -> None:
    unit, rows = unit_id["phuongvi"], homes(2)
    applied(officer, work, previewed(officer, work, unit, xlsx(HEADER, rows))["id"])
    for each in rows:
        each[HEADER.index("Hộ có công")] = "x"
    item = previewed(officer, work, unit, xlsx(HEADER, rows))
    changed = rows_of(officer, item["id"])[0]["entity_id"]
    done(officer.patch(f"/v1/households/{changed}", json={"code": "H9"}))
    item = applied(officer, work, item["id"])
    assert item["summary"] == summary(updated=1, error=1)
    assert codes(rows_of(officer, item["id"])[0])[0][1] == "record_changed"


def test_other_kinds_know_nothing_of_it(officer: Api, unit_id: Ids, work: Work) -> None:
    send(officer, unit_id["phuongvi"], xlsx(HEADER, homes(1)))
    work()
    assert len(done(officer.get("/v1/imports?kind=members"))["items"]) == 1
    assert done(officer.get("/v1/imports?kind=households"))["items"] == []
