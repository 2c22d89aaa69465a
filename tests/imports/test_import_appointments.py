"""Lists of cadres: one row a post, whose holder is beyond doubt, known again, taken back."""

import io
from datetime import timedelta
from typing import Any
from uuid import UUID

import openpyxl
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.base import new_id
from app.models.cadres.appointments import Appointment
from app.models.kernel.access import Role
from app.models.kernel.changes import Change, ChangeSource
from app.models.members.members import Member
from tests.helpers.answers import Json, refused
from tests.helpers.cadres import (
    Ids,
    account,
    appoint,
    done,
    forbidden,
    free_members,
    grants_of,
    made,
    post_of,
)
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed
from tests.helpers.tables import OF_IMPORTS, changed, everything
from tests.imports.test_import_households import codes
from tests.imports.test_imports import Work, applied, rows_of, summary, xlsx

HEADER = ["Họ và tên", "Ngày sinh", "Đơn vị", "Chức vụ", "Hình thức", "Chế độ", "Số quyết định"]
HEADER += ["Ngày quyết định", "Đại hội lần thứ", "Nhiệm kỳ", "Giữ chức từ ngày", "Đến ngày"]


def row(member: Member, **more: str) -> list[str]:
    """A row of HEADER, by its headers."""
    told = {"Họ và tên": member.full_name, "Ngày sinh": member.birth_date}
    told |= {"Đơn vị": "Phượng Vĩ", "Chức vụ": "Uỷ viên BCH", "Hình thức": "Bầu"}
    told |= {"Số quyết định": "12/QĐ-BTV", "Giữ chức từ ngày": "10/03/2026"}
    return [(told | more).get(header, "") for header in HEADER]


def previewed(api: Api, work: Work, unit: int, content: bytes) -> Json:
    answer = api.post(
        f"/v1/imports?kind=appointments&unit={unit}",
        content=content,
        headers={"content-disposition": 'attachment; filename="cb.xlsx"'},
    )
    assert answer.status_code == 201, answer.text
    work()
    return done(api.get(answer.headers["location"]))


def stored(database: Database) -> dict[UUID, dict[str, Any]]:
    with writing(database) as session:
        return {post.id: post.model_dump() for post in session.exec(select(Appointment)).all()}


def women(database: Database, unit_id: Ids, count: int) -> list[Member]:
    return free_members(database, unit_id["phuongvi-1"])[:count]


class TestNew:
    def test_a_row_is_a_post_of_a_member(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        first, second = women(database, unit_id, 2)
        deputy = {"Đơn vị": "Chi hội khu 1", "Chức vụ": "Chi hội phó", "Chế độ": "Phụ cấp"}
        rows = [
            row(first, **{"Đại hội lần thứ": "3", "Đến ngày": "01/03/2031"}),
            row(second, **{"Ngày sinh": second.birth_date[:4]}, **deputy),
        ]
        before = stored(database)
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        told = rows_of(officer, item["id"])
        assert item["summary"] == summary(created=2), told
        assert codes(told[0]) == [("I", "term_incomplete")]
        assert stored(database) == before
        applied(officer, work, item["id"])
        told = rows_of(officer, item["id"])
        hers, others = (done(officer.get(f"/v1/appointments/{each['entity_id']}")) for each in told)
        assert (hers["member"]["id"], hers["unit"]["id"]) == (str(first.id), unit_id["phuongvi"])
        assert (hers["post"], hers["basis"], hers["payment"]) == (
            "committee_member",
            "elected",
            "none",
        )
        assert (hers["decision_number"], hers["term"]) == ("12/QĐ-BTV", None)
        assert (hers["valid_from"], hers["valid_to"]) == ("2026-03-10", "2031-03-01")
        assert (others["member"]["id"], others["post"]) == (str(second.id), "branch_deputy")
        assert (others["unit"]["id"], others["payment"]) == (unit_id["phuongvi-1"], "allowance")
        with writing(database) as session:
            logged = session.exec(
                select(Change).where(
                    col(Change.entity) == "appointment", col(Change.entity_id) == hers["id"]
                )
            ).one()
        assert logged.source is ChangeSource.import_
        assert logged.source_ref == f"import {item['id']} row 2: cb.xlsx"

    def test_years_stand_for_the_term_that_the_unit_has(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        first, second = women(database, unit_id, 2)
        term = {"congress_number": 27, "starts_on": "2026-01-15", "ends_on": "2031-01-14"}
        made(appoint(officer, first, unit_id["phuongvi"], "standing_member", term=term))
        rows = [row(second, **{"Nhiệm kỳ": "2026-2031"})]
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        applied(officer, work, item["id"])
        [told] = rows_of(officer, item["id"])
        assert told["problems"] == []
        post = done(officer.get(f"/v1/appointments/{told['entity_id']}"))
        assert (post["term"], post["valid_to"]) == (term, "2031-01-14")

    def test_the_role_comes_with_the_post(
        self, officer: Api, api: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        head = account(database, "phuongvi-1")
        assert head.member_id is not None
        with writing(database) as session:
            member = session.get_one(Member, head.member_id)
        known = {grant.id for grant in grants_of(database, head.id)}
        rows = [row(member, **{"Chức vụ": "Phó Chủ tịch"})]
        province = api.as_("phutho")
        item = previewed(province, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        assert item["summary"] == summary(created=1), rows_of(province, item["id"])
        applied(province, work, item["id"])
        [told] = rows_of(province, item["id"])
        [grant] = [each for each in grants_of(database, head.id) if each.id not in known]
        assert (grant.role, grant.unit_id) == (Role.commune_officer, unit_id["phuongvi"])
        assert grant.appointment_id == UUID(told["entity_id"])
        assert province.post(f"/v1/imports/{item['id']}/undo").status_code == 202
        work()
        assert {each.id for each in grants_of(database, head.id)} == known

    def test_the_example_of_the_template_is_taken(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        answer = officer.get("/v1/imports/template?kind=appointments")
        sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[0]
        header = [str(cell.value) for cell in sheet[1]]
        example = [str(cell.value or "") for cell in sheet[2]]
        example[header.index("Mã")] = ""
        # The post of the example has a holder in every branch, until it is ended.
        branch = unit_id["phuongvi-1"]
        ended = post_of(officer, branch, "branch_head")
        api_url = f"/v1/appointments/{ended['id']}"
        done(
            officer.post(
                f"{api_url}/end", json={"reason": "mistake", "effective_on": ended["valid_from"]}
            )
        )
        head = women(database, unit_id, 1)[0]
        with writing(database) as session:
            stands = session.get_one(Member, head.id)
            example[header.index("Họ và tên *")] = stands.full_name
            example[header.index("Ngày sinh")] = stands.birth_date
        example[header.index("Số định danh cá nhân")] = ""
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(header, [example]))
        assert item["summary"] == summary(created=1), rows_of(officer, item["id"])

    def test_errors_say_column_code_and_what_to_write(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        member = women(database, unit_id, 1)[0]
        stranger = Member(**member.model_dump() | {"full_name": "Khổng Thị Không"})
        holder = post_of(officer, unit_id["phuongvi"], "chair")
        rows = [
            row(member, **{"Chức vụ": "Trưởng thôn", "Đơn vị": "Xã Đâu Đó", "Hình thức": ""}),
            row(stranger),
            row(member, **{"Chức vụ": "Chi hội trưởng"}),
            row(member, **{"Chức vụ": "Chủ tịch"}),
            row(member, **{"Đến ngày": "01/01/2026"}),
            row(member, **{"Giữ chức từ ngày": "01/01/1950"}),
        ]
        before = stored(database)
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        assert item["summary"] == summary(error=6)
        told = rows_of(officer, item["id"])
        assert sorted(codes(told[0])) == [
            ("C", "unit_unknown"),
            ("D", "code_unknown"),
            ("E", "required"),
        ]
        assert codes(told[1]) == [("A", "member_not_found")]
        assert codes(told[2]) == [("D", "post_level_wrong")]
        assert codes(told[3]) == [("D", "post_taken")]
        assert holder["member"]["full_name"] in told[3]["problems"][0]["text_vi"]
        assert told[3]["problems"][0]["hint_vi"]
        assert codes(told[4]) == [("L", "dates_reversed")]
        assert codes(told[5]) == [("K", "unit_not_open")]
        applied(officer, work, item["id"])
        assert stored(database) == before

    def test_who_is_not_beyond_doubt_waits_for_a_decision(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        member = women(database, unit_id, 1)[0]
        twin = member.model_dump() | {"id": new_id(), "phone": None, "citizen_id": None}
        with database.writing() as session:
            attributed(session).add(Member(**twin))
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, [row(member)]))
        [told] = rows_of(officer, item["id"])
        assert (told["outcome"], codes(told)) == ("duplicate", [("A", "member_ambiguous")])
        assert {each["member_id"] for each in told["candidates"]} >= {
            str(member.id),
            str(twin["id"]),
        }
        url = f"/v1/imports/{item['id']}/rows/2"
        assert done(officer.patch(url, json={"decision": "update"}))["outcome"] == "created"
        again = [[str(member.id), *row(member)]]
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(["Mã hội viên", *HEADER], again))
        assert item["summary"] == summary(created=1)


class TestAgain:
    def test_the_same_file_changes_nothing_and_a_corrected_row_only_itself(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit, rows = unit_id["phuongvi"], [row(each) for each in women(database, unit_id, 3)]
        applied(officer, work, previewed(officer, work, unit, xlsx(HEADER, rows))["id"])
        before = stored(database)
        again = previewed(officer, work, unit, xlsx(HEADER, rows))
        assert again["summary"] == summary(same=3)
        rows[1][HEADER.index("Số quyết định")] = "13/QĐ-BTV"
        rows[1][HEADER.index("Đến ngày")] = "01/03/2031"
        again = previewed(officer, work, unit, xlsx(HEADER, rows))
        assert again["summary"] == summary(same=2, updated=1), rows_of(officer, again["id"])
        [told] = rows_of(officer, again["id"], "&outcome=updated")
        assert told["changed"] == ["decision_number", "valid_to"]
        applied(officer, work, again["id"])
        after = stored(database)
        [changed] = [i for i in after if after[i] != before[i]]
        assert (str(changed), after[changed]["decision_number"]) == (
            told["entity_id"],
            "13/QĐ-BTV",
        )
        assert str(after[changed]["valid_to"]) == "2031-03-01"

    def test_a_post_entered_at_the_form_is_the_same(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        [member] = women(database, unit_id, 1)
        since = {"valid_from": "2026-03-10", "decision_number": "12/QĐ-BTV"}
        known = made(appoint(officer, member, unit_id["phuongvi"], **since))
        rows = [row(member), row(member, **{"Giữ chức từ ngày": ""})]
        for each in rows:
            item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, [each]))
            [told] = rows_of(officer, item["id"])
            assert (told["outcome"], told["entity_id"]) == ("same", known["id"])

    def test_by_its_id_another_person_or_post_is_refused(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        first, second = women(database, unit_id, 2)
        known = made(appoint(officer, first, unit_id["phuongvi"]))
        rows = [
            [known["id"], *row(second, **{"Chức vụ": "Uỷ viên Ban Thường vụ"})],
            ["00000000-0000-7000-8000-000000000000", *row(second)],
        ]
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(["Mã", *HEADER], rows))
        other, unknown = rows_of(officer, item["id"])
        assert sorted(codes(other)) == [("B", "act_needed"), ("E", "act_needed")]
        assert codes(unknown) == [("A", "appointment_unknown")]

    def test_what_was_exported_is_the_same_when_it_comes_in(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        term = {"congress_number": 27, "starts_on": "2026-01-15", "ends_on": "2031-01-14"}
        [member] = women(database, unit_id, 1)
        made(appoint(officer, member, unit_id["phuongvi"], term=term))
        count = len(done(officer.get("/v1/appointments?limit=200"))["items"])
        for form in ("xlsx", "csv", "ndjson"):
            content = officer.get(f"/v1/appointments?format={form}").content
            item = previewed(officer, work, unit_id["phuongvi"], content)
            wrong = rows_of(officer, item["id"], "&outcome=error")
            assert item["summary"] == summary(same=count), wrong[:1]

    def test_one_post_ends_and_the_next_begins_in_two_goes(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        [member] = women(database, unit_id, 1)
        known = post_of(officer, unit_id["phuongvi-1"], "branch_head")
        today = local_today()
        last, first = today - timedelta(days=1), today
        of = {"Đơn vị": "Chi hội khu 1", "Chức vụ": "Chi hội trưởng"}
        rows = [
            ["", *row(member, **of, **{"Giữ chức từ ngày": first.isoformat()})],
            [known["id"], *["" for _ in HEADER]],
        ]
        ends = ["Mã", *HEADER].index("Đến ngày")
        rows[1][ends] = last.isoformat()
        for name in ("Chức vụ", "Hình thức"):
            shown = {"Chức vụ": "Chi hội trưởng", "Hình thức": "Bầu"}[name]
            rows[1][["Mã", *HEADER].index(name)] = shown
        content = xlsx(["Mã", *HEADER], rows)
        for outcomes in (["error", "updated"], ["created", "same"]):
            item = previewed(officer, work, unit_id["phuongvi"], content)
            told = rows_of(officer, item["id"])
            assert [each["outcome"] for each in told] == outcomes, told
            applied(officer, work, item["id"])
        now = post_of(officer, unit_id["phuongvi-1"], "branch_head")
        assert now["member"]["id"] == str(member.id)


class TestScope:
    def test_nobody_imports_into_what_is_not_hers(
        self, api: Api, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        [member] = women(database, unit_id, 1)
        content = xlsx(HEADER, [row(member)])
        url = f"/v1/imports?kind=appointments&unit={unit_id['phuongvi']}"
        forbidden(api.as_("auditor").post(url, content=content), "appointments:write")
        own = f"/v1/imports?kind=appointments&unit={unit_id['phuongvi-1']}"
        forbidden(api.as_("phuongvi-1").post(own, content=content), "appointments:write")
        rows = [row(member, **{"Đơn vị": "Phú Thọ"})]
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        assert codes(rows_of(officer, item["id"])[0]) == [("C", "unit_unknown")]
        assert done(api.as_("phuongvi-1").get("/v1/imports?kind=appointments"))["items"] == []
        refused(api.as_("phuongvi-1").get(f"/v1/imports/{item['id']}"), 404, "not_found")

    def test_nobody_appoints_herself(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        own = account(database, "phuongvi")
        with writing(database) as session:
            member = session.get_one(Member, own.member_id)
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, [row(member)]))
        assert codes(rows_of(officer, item["id"])[0]) == [("D", "own_appointment")]


class TestUndo:
    def test_while_nobody_has_touched_them(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit, rows = unit_id["phuongvi"], [row(each) for each in women(database, unit_id, 2)]
        before = stored(database)
        first = previewed(officer, work, unit, xlsx(HEADER, rows))
        applied(officer, work, first["id"])
        whole = everything(database, *OF_IMPORTS)
        rows[0][HEADER.index("Đến ngày")] = "01/03/2031"
        rows[0][HEADER.index("Chế độ")] = "Chuyên trách"
        second = previewed(officer, work, unit, xlsx(HEADER, rows))
        applied(officer, work, second["id"])
        body = refused(officer.post(f"/v1/imports/{first['id']}/undo"), 409, "import_touched")
        assert [each["code"] for each in body["obstacles"]] == ["record_changed"]
        assert officer.post(f"/v1/imports/{second['id']}/undo").status_code == 202
        work()
        assert changed(whole, everything(database, *OF_IMPORTS)) == {}
        assert len(stored(database)) == len(before) + 2

    def test_new_ones_leave_nothing_behind_and_come_again(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit = unit_id["phuongvi"]
        content = xlsx(HEADER, [row(each) for each in women(database, unit_id, 2)])
        before = everything(database, *OF_IMPORTS)
        item = previewed(officer, work, unit, content)
        applied(officer, work, item["id"])
        assert officer.post(f"/v1/imports/{item['id']}/undo").status_code == 202
        work()
        assert changed(before, everything(database, *OF_IMPORTS)) == {}
        assert previewed(officer, work, unit, content)["summary"] == summary(created=2)


def test_two_rows_for_one_seat_leave_the_first(
    officer: Api, database: Database, unit_id: Ids, work: Work
) -> None:
    first, second = women(database, unit_id, 2)
    branch = unit_id["phuongvi-1"]
    holder = post_of(officer, branch, "branch_head")
    over = {"reason": "mistake", "effective_on": holder["valid_from"]}
    done(officer.post(f"/v1/appointments/{holder['id']}/end", json=over))
    of = {"Đơn vị": "Chi hội khu 1", "Chức vụ": "Chi hội trưởng"}
    item = previewed(officer, work, branch, xlsx(HEADER, [row(first, **of), row(second, **of)]))
    assert item["summary"] == summary(created=2)
    item = applied(officer, work, item["id"])
    assert item["summary"] == summary(created=1, error=1)
    assert codes(rows_of(officer, item["id"])[1])[0][1] == "post_taken"
    now = post_of(officer, branch, "branch_head")
    assert now["member"]["id"] == str(first.id)
