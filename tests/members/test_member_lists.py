"""Members: who sees whom, in which order, and what a record may become."""

import csv
import io
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import Response
from sqlmodel import Session, col, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account
from app.models.kernel.changes import ChangeSource
from app.models.members.members import Member, MemberKind, MemberStatus
from app.services.kernel import changes
from app.text import search_key, sort_key
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, utc_now, writing
from tests.helpers.reading import Reading
from tests.members.members import CSV, HEAD_MASKED, NDJSON, count_of, error_of, everyone

AUDITOR_MASKED = ["phone", "citizen_id", "id_card", *HEAD_MASKED]


def change_member(database: Database, member_id: str, **values: Any) -> None:
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        member = session.get_one(Member, UUID(member_id))
        for name, value in values.items():
            setattr(member, name, value)
        session.flush()


def insert_named(session: Session, like: Member, full_name: str) -> None:
    """Another member of the same branch, in the order her name gives her."""
    values = like.model_dump(exclude={"id", "full_name", "sort_key", "search_key", "status"})
    keys: dict[str, Any] = {"sort_key": sort_key(full_name), "search_key": search_key(full_name)}
    session.add(Member(full_name=full_name, **keys, **values))


class TestListMembers(Reading):
    def test_requires_sign_in(self, api: Api) -> None:
        answer = api.get("/v1/members")
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer ")

    def test_a_branch_head_sees_her_branch_and_all_of_it(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        shown = everyone(head)
        with writing(database) as session:
            ids = session.exec(
                select(Member.id).where(col(Member.branch_id) == unit_id["phuongvi-1"])
            ).all()
        assert {item["id"] for item in shown} == set(map(str, ids))
        assert {item["branch_id"] for item in shown} == {unit_id["phuongvi-1"]}

    def test_a_commune_officer_sees_her_four_branches(self, officer: Api, unit_id: UnitIds) -> None:
        branches = {item["branch_id"] for item in everyone(officer)}
        assert branches == {unit_id[f"phuongvi-{number}"] for number in (1, 2, 3, 4)}

    @pytest.mark.parametrize("username", ["camkhe", "phutho", "auditor"])
    def test_district_and_province_see_all(
        self, api: Api, database: Database, username: str
    ) -> None:
        assert len(everyone(api.as_(username))) == count_of(database) == 400

    @pytest.mark.parametrize(
        ("username", "masked"),
        [
            ("phuongvi-1", HEAD_MASKED),
            ("phuongvi", []),
            ("camkhe", []),
            ("phutho", []),
            ("auditor", AUDITOR_MASKED),
        ],
    )
    def test_sensitive_fields_are_masked_by_right(
        self, api: Api, username: str, masked: list[str]
    ) -> None:
        items = everyone(api.as_(username))
        assert all(item["masked"] == masked for item in items)
        assert all(item[name] is None for item in items for name in masked)
        for name in {"phone", "ethnicity", "religion"} - set(masked):
            assert any(item[name] is not None for item in items)

    @pytest.mark.parametrize("username", ["admin", "member"])
    @pytest.mark.parametrize(
        "path", ["/v1/members", "/v1/members/0192f0c1-7c4e-7000-8000-000000000001"]
    )
    def test_admin_and_member_may_not_and_are_told_who_grants_it(
        self, api: Api, username: str, path: str
    ) -> None:
        answer = api.as_(username).get(path)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (403, "forbidden")
        assert problem["required_right"] == "members:read"
        assert "province_officer" in {role for unit in problem["units"] for role in unit["roles"]}
        assert "items" not in problem

    def test_admin_may_not_even_with_csv(self, api: Api) -> None:
        answer = api.as_("admin").get("/v1/members", headers=CSV)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


class TestGrants:
    def test_two_grants_are_one_list_without_doubles(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            account = session.exec(
                select(Account).where(col(Account.username) == "phuongvi-1")
            ).one()
            for unit in ("phuongvi-3", "phuongvi", "tienluong-2"):
                role = Role.commune_officer if unit == "phuongvi" else Role.branch_head
                grant = Grant(
                    account_id=account.id,
                    unit_id=unit_id[unit],
                    role=role,
                    valid_from=date(2024, 1, 1),
                    created_at=utc_now(),
                    updated_at=utc_now(),
                )
                session.add(grant)
        items = everyone(api.as_("phuongvi-1"), limit=7)
        assert len({item["id"] for item in items}) == len(items)
        expected = {unit_id[f"phuongvi-{n}"] for n in (1, 2, 3, 4)} | {unit_id["tienluong-2"]}
        assert {item["branch_id"] for item in items} == expected
        keys = [(sort_key(item["full_name"]), item["id"]) for item in items]
        assert keys == sorted(keys)
        masks = {item["branch_id"]: item["masked"] for item in items}
        assert masks[unit_id["phuongvi-1"]] == []
        assert masks[unit_id["tienluong-2"]] == HEAD_MASKED

    def test_a_grant_of_yesterday_shows_nothing_today(self, api: Api, database: Database) -> None:
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            account = session.exec(
                select(Account).where(col(Account.username) == "phuongvi-1")
            ).one()
            grant = session.exec(select(Grant).where(col(Grant.account_id) == account.id)).one()
            grant.valid_to = local_today() - timedelta(days=1)
        answer = api.as_("phuongvi-1").get("/v1/members")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


class TestFilters(Reading):
    def test_unit_of_every_level_is_what_lies_below_it(self, api: Api, unit_id: UnitIds) -> None:
        province = api.as_("phutho")
        everybody = everyone(province)
        for name, level in (
            ("phuongvi-2", "branch_id"),
            ("tienluong", "commune_id"),
            ("phutho", "province_id"),
        ):
            wanted = {i["id"] for i in everybody if i[level] == unit_id[name]}
            assert {i["id"] for i in everyone(province, f"/v1/members?unit={unit_id[name]}")} == (
                wanted
            )
        assert len(everyone(province, f"/v1/members?unit={unit_id['camkhe']}")) == 400

    @pytest.mark.parametrize(
        ("username", "unit"),
        [("phuongvi-1", "phutho"), ("phuongvi-1", "camkhe"), ("phuongvi-1", "phuongvi")],
    )
    def test_a_unit_around_the_scope_is_out_of_sight(
        self, api: Api, unit_id: UnitIds, username: str, unit: str
    ) -> None:
        error = error_of(api.as_(username).get(f"/v1/members?unit={unit_id[unit]}"))
        assert (error["in"], error["pointer"], error["code"]) == ("query", "/unit", "unit_unknown")

    @pytest.mark.parametrize("parameter", ["unit", "branch", "commune"])
    def test_a_foreign_unit_reads_like_one_that_does_not_exist(
        self, officer: Api, unit_id: UnitIds, parameter: str
    ) -> None:
        foreign = unit_id["tienluong" if parameter == "commune" else "tienluong-1"]
        one = officer.get(f"/v1/members?{parameter}={foreign}")
        none = officer.get(f"/v1/members?{parameter}=2147483647")
        assert error_of(one) == error_of(none)
        assert error_of(one)["pointer"] == f"/{parameter}"
        assert error_of(one)["code"] == "unit_unknown"

    def test_branch_and_commune_check_the_level(self, officer: Api, unit_id: UnitIds) -> None:
        error = error_of(officer.get(f"/v1/members?branch={unit_id['phuongvi']}"))
        assert error["code"] == "unit_level_wrong"
        error = error_of(officer.get(f"/v1/members?commune={unit_id['phuongvi-1']}"))
        assert error["code"] == "unit_level_wrong"

    def test_branch_checks_the_level_of_the_callers_own_unit_as_well(
        self, head: Api, unit_id: UnitIds
    ) -> None:
        error = error_of(head.get(f"/v1/members?commune={unit_id['phuongvi-1']}"))
        assert (error["pointer"], error["code"]) == ("/commune", "unit_level_wrong")

    def test_filters_intersect(self, api: Api, unit_id: UnitIds) -> None:
        province = api.as_("phutho")
        ids = unit_id
        both = everyone(
            province, f"/v1/members?commune={ids['phuongvi']}&branch={ids['phuongvi-3']}"
        )
        assert {item["branch_id"] for item in both} == {ids["phuongvi-3"]}
        apart = province.get(f"/v1/members?commune={ids['phuongvi']}&branch={ids['tienluong-1']}")
        assert apart.json() == {"items": [], "next_cursor": None}

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("status=retired", "/status", "not_in_list"),
            ("kind=vip", "/kind", "not_in_list"),
            ("limit=0", "/limit", "too_small"),
            ("limit=201", "/limit", "too_large"),
            ("limit=ten", "/limit", "wrong_type"),
            ("unit=0", "/unit", "too_small"),
            ("unit=2147483648", "/unit", "too_large"),
            ("branch=x", "/branch", "wrong_type"),
            ("sort=name", "/sort", "unknown_field"),
            ("as_off=2024-01-01", "/as_off", "unknown_field"),
            ("fields=name", "/fields", "not_in_list"),
            ("fields=", "/fields", "not_in_list"),
            ("fields=id,password", "/fields", "not_in_list"),
            ("fields=sort_key", "/fields", "not_in_list"),
        ],
    )
    def test_a_bad_parameter_is_named(self, head: Api, query: str, pointer: str, code: str) -> None:
        error = error_of(head.get(f"/v1/members?{query}"))
        assert (error["in"], error["pointer"], error["code"]) == ("query", pointer, code)


class TestStatusAndKind:
    def test_without_status_only_those_in_the_union_today(
        self, head: Api, database: Database
    ) -> None:
        members = everyone(head)
        for item, status in zip(members, MemberStatus, strict=False):
            change_member(database, item["id"], status=status)
        gone = {members[2]["id"], members[3]["id"]}
        assert {item["id"] for item in everyone(head)} == {i["id"] for i in members} - gone
        for number, status in enumerate(MemberStatus):
            found = everyone(head, f"/v1/members?status={status.value}")
            assert members[number]["id"] in {item["id"] for item in found}
            assert {item["status"] for item in found} == {status.value}

    def test_kind(self, head: Api, database: Database, someone: Json) -> None:
        change_member(database, someone["id"], kind=MemberKind.honorary)
        honorary = everyone(head, "/v1/members?kind=honorary")
        assert someone["id"] in {item["id"] for item in honorary}
        assert {item["kind"] for item in honorary} == {"honorary"}
        regular = everyone(head, "/v1/members?kind=regular&status=active")
        assert {item["kind"] for item in regular} == {"regular"}
        assert len(honorary) + len(regular) == len(everyone(head))

    def test_who_has_left_is_still_found(
        self, head: Api, database: Database, someone: Json
    ) -> None:
        change_member(database, someone["id"], status=MemberStatus.left)
        shown = head.get(f"/v1/members/{someone['id']}").json()
        assert (shown["status"], shown["revision"]) == ("left", 2)


class TestOrderAndPages(Reading):
    def test_given_name_then_surname_then_middle_names(self, officer: Api) -> None:
        items = everyone(officer)
        keys = [(sort_key(item["full_name"]), item["id"]) for item in items]
        assert keys == sorted(keys)
        given = [item["full_name"].split()[-1] for item in items]
        assert given != [item["full_name"].split()[0] for item in items]
        assert len(set(given)) > 20

    @pytest.mark.parametrize("username", ["phuongvi-1", "phuongvi", "camkhe", "phutho"])
    def test_paging_gives_each_member_once_in_the_order_of_one_page(
        self, api: Api, username: str
    ) -> None:
        caller = api.as_(username)
        paged = everyone(caller, limit=23)
        assert [i["id"] for i in paged] == [i["id"] for i in everyone(caller)]
        assert len({i["id"] for i in paged}) == len(paged)

    def test_the_last_page_says_so(self, head: Api) -> None:
        total = len(everyone(head))
        exact = head.get(f"/v1/members?limit={total}")
        assert exact.json()["next_cursor"] is None
        assert "link" not in exact.headers
        short = head.get(f"/v1/members?limit={total - 1}")
        last = head.get(f"/v1/members?limit={total - 1}&cursor={short.json()['next_cursor']}")
        assert len(last.json()["items"]) == 1
        assert last.json()["next_cursor"] is None

    def test_the_link_repeats_the_filters(self, head: Api, unit_id: UnitIds) -> None:
        answer = head.get(f"/v1/members?status=active&limit=3&unit={unit_id['phuongvi-1']}")
        link = answer.headers["link"]
        assert link.endswith('>; rel="next"')
        for part in ("status=active", "limit=3", f"unit={unit_id['phuongvi-1']}", "cursor="):
            assert part in link

    def test_a_cursor_opens_no_other_scope(self, head: Api, api: Api, unit_id: UnitIds) -> None:
        cursor = api.as_("tienluong").get("/v1/members?limit=1").json()["next_cursor"]
        shown = head.get(f"/v1/members?cursor={cursor}").json()["items"]
        assert {item["branch_id"] for item in shown} == {unit_id["phuongvi-1"]}


class TestChangingLists:
    def test_vietnamese_letters_and_tones_decide(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        wanted = [
            "Nguyễn Thị An",
            "Phạm Thị An",
            "Phạm Văn An",
            "Trần Thị Ân",
            "Trần Thị Dung",
            "Trần Thị Đào",
            "Trần Thị Lan",
            "Trần Thị Lán",
            "Trần Thị Lương",
        ]
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            branch = unit_id["phuongvi-4"]
            rows = session.exec(select(Member).where(col(Member.branch_id) == branch)).all()
            for row in rows:
                row.status = MemberStatus.left
            for name in reversed(wanted):
                insert_named(session, rows[0], name)
        shown = everyone(api.as_("phuongvi-4"), limit=2)
        assert [item["full_name"] for item in shown] == wanted

    def test_members_of_one_name_are_each_shown_once(
        self, head: Api, database: Database, someone: Json
    ) -> None:
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            like = session.get_one(Member, UUID(someone["id"]))
            for _ in range(25):
                insert_named(session, like, "Nguyễn Thị Hoa")
        items = everyone(head, limit=4)
        assert len({item["id"] for item in items}) == len(items) == len(everyone(head))
        assert sum(item["full_name"] == "Nguyễn Thị Hoa" for item in items) >= 25

    def test_whoever_was_there_is_shown_once_while_others_are_admitted(
        self, officer: Api, database: Database, someone: Json
    ) -> None:
        before = {item["id"] for item in everyone(officer)}
        seen: list[str] = []
        path = "/v1/members?limit=20"
        names = ["An", "Hoa", "Xuyến"]
        while True:
            answer = officer.get(path)
            seen += [item["id"] for item in answer.json()["items"]]
            with writing(database) as session:
                changes.attribute(session, changes.Origin(ChangeSource.cli))
                like = session.get_one(Member, UUID(someone["id"]))
                for name in names:
                    insert_named(session, like, f"Nguyễn Thị {name}")
            if "link" not in answer.headers:
                break
            path = answer.headers["link"].split(">")[0].lstrip("<")
        assert before <= set(seen)
        assert len(seen) == len(set(seen))
        assert len(everyone(officer)) > len(before)

    def test_the_member_at_the_cursor_may_go(self, head: Api, database: Database) -> None:
        everybody = [item["id"] for item in everyone(head)]
        first = head.get("/v1/members?limit=5").json()
        change_member(database, everybody[4], status=MemberStatus.left)
        change_member(database, everybody[5], status=MemberStatus.left)
        second = head.get(f"/v1/members?limit=5&cursor={first['next_cursor']}").json()
        assert [item["id"] for item in second["items"]] == everybody[6:11]


class TestFields(Reading):
    def test_only_the_chosen_in_the_schemas_order(self, head: Api) -> None:
        item = head.get("/v1/members?limit=1&fields=full_name, id").json()["items"][0]
        assert list(item) == ["id", "full_name"]

    def test_a_masked_field_stays_masked(self, api: Api) -> None:
        items = everyone(api.as_("auditor"), "/v1/members?fields=phone,masked")
        assert {(item["phone"], *item["masked"]) for item in items} == {(None, *AUDITOR_MASKED)}

    def test_of_one_member(self, head: Api, someone: Json) -> None:
        answer = head.get(f"/v1/members/{someone['id']}?fields=full_name,phone")
        assert answer.json() == {"full_name": someone["full_name"], "phone": someone["phone"]}
        error = error_of(head.get(f"/v1/members/{someone['id']}?fields=nope"))
        assert (error["pointer"], error["code"]) == ("/fields", "not_in_list")
        assert "full_name" in error["allowed"]


class TestWholeLists(Reading):
    def test_csv_holds_every_member_of_the_list_in_its_order(
        self, officer: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.api.http.paging._CHUNK", 30)
        answer = officer.get("/v1/members?limit=1&headings=api", headers=CSV)
        assert answer.content.startswith(b"\xef\xbb\xbf")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        name = f"members-{local_today().isoformat()}.csv"
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        listed = everyone(officer)
        assert [row["id"] for row in rows] == [item["id"] for item in listed]
        assert list(rows[0]) == list(listed[0])
        for row, item in zip(rows, listed, strict=True):
            assert row["full_name"] == item["full_name"]
            assert row["joined_on"] == (item["joined_on"] or "")
            # A number that begins with + is a formula to a spreadsheet.
            assert row["phone"] == ("" if item["phone"] is None else "'" + item["phone"])

    def test_csv_of_chosen_fields_and_filters(self, api: Api, unit_id: UnitIds) -> None:
        path = f"/v1/members?fields=masked,full_name&branch={unit_id['tienluong-2']}"
        answer = api.as_("auditor").get(path, headers=CSV)
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        listed = everyone(api.as_("tienluong-2"))
        assert rows[0] == ["Họ và tên", "Trường bị che"]
        assert rows[1:] == [[i["full_name"], " ".join(AUDITOR_MASKED)] for i in listed]

    def test_ndjson_is_the_list_line_by_line(
        self, officer: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.api.http.paging._CHUNK", 50)
        answer = officer.get("/v1/members", headers=NDJSON)
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = [Response(200, content=line).json() for line in answer.content.splitlines()]
        assert lines == everyone(officer)

    def test_ndjson_masks_too(self, api: Api) -> None:
        answer = api.as_("auditor").get("/v1/members?fields=phone,masked", headers=NDJSON)
        lines = set(answer.content.splitlines())
        masked = ",".join(f'"{name}"' for name in AUDITOR_MASKED)
        assert lines == {f'{{"phone":null,"masked":[{masked}]}}'.encode()}

    def test_an_empty_list_is_a_header_and_nothing(self, head: Api) -> None:
        answer = head.get("/v1/members?status=deceased&fields=id", headers=CSV)
        assert answer.content == "\ufeffMã\r\n".encode()
        assert head.get("/v1/members?status=deceased", headers=NDJSON).content == b""

    def test_a_bad_filter_is_told_before_the_stream_begins(
        self, head: Api, unit_id: UnitIds
    ) -> None:
        path = f"/v1/members?unit={unit_id['tienluong']}"
        for accept in (CSV, NDJSON):
            assert error_of(head.get(path, headers=accept))["code"] == "unit_unknown"


class TestCells:
    def test_none_is_a_formula(self, head: Api, database: Database) -> None:
        # Names of this kind are refused at the door; old imports may have let them in.
        names = ["=1+1", "+84 Lan", "-Lan", "@SUM(A1)", "\tLan", "\rLan", "Lan=1"]
        ids = [item["id"] for item in everyone(head)]
        named = dict(zip(ids, names, strict=False))
        for member_id, name in named.items():
            change_member(database, member_id, full_name=name)
        answer = head.get("/v1/members?fields=id,full_name", headers=CSV)
        text = answer.content.decode("utf-8-sig")
        rows = dict(row for row in csv.reader(io.StringIO(text, newline="")))
        shown = [rows[member_id] for member_id in named]
        assert shown == [*(f"'{name}" for name in names[:-1]), "Lan=1"]

    def test_quotes_commas_and_line_ends_stay_in_their_cell(
        self, head: Api, database: Database, someone: Json
    ) -> None:
        name = 'Lan "Út", khu\n1'
        change_member(database, someone["id"], full_name=name)
        answer = head.get("/v1/members?fields=id,full_name", headers=CSV)
        text = answer.content.decode("utf-8-sig")
        rows = dict(row for row in csv.reader(io.StringIO(text, newline="")))
        assert rows[someone["id"]] == name
        assert len(rows) == len(everyone(head)) + 1
