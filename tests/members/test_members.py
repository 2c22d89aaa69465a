"""Members: who sees whom, in which order, and what a record may become."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import pairwise
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import Session, col, func, select

from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change, ChangeSource
from app.models.kernel.units import Unit
from app.models.members.members import Member, MemberKind, MemberStatus
from app.services.kernel import changes
from app.text import search_key, sort_key
from tests.helpers.client import Api, as_written, counted, utc_now, writing
from tests.helpers.reading import Reading

UnitIds = dict[str, int]
Json = dict[str, Any]
# What each of them may not see.
HEAD_MASKED = ["ethnicity", "religion", "party", "party_joined_on"]
AUDITOR_MASKED = ["phone", "citizen_id", "id_card", *HEAD_MASKED]
CSV, NDJSON = {"accept": "text/csv"}, {"accept": "application/x-ndjson"}


def everyone(api: Api, path: str = "/v1/members", limit: int = 200) -> list[Json]:
    """All pages of a list, by its own links."""
    joined = "&" if "?" in path else "?"
    answer = api.get(f"{path}{joined}limit={limit}")
    items: list[Json] = answer.json()["items"]
    while "link" in answer.headers:
        answer = api.get(answer.headers["link"].split(">")[0].lstrip("<"))
        items += answer.json()["items"]
    return items


def body_of(unit_id: UnitIds, **overrides: Any) -> Json:
    minimum = {
        "branch_id": unit_id["phuongvi-1"],
        "full_name": "Hà Thị Mới",
        "birth_date": "1988",
        "joined_on": None,
    }
    return minimum | overrides


def stored(database: Database, member_id: str) -> Member | None:
    with writing(database) as session:
        return session.get(Member, UUID(member_id))


def count_of(database: Database, model: type[Any] = Member) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(model)).one()


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


def error_of(response: Response) -> Json:
    """The one field error of a 422."""
    assert response.status_code == 422, response.text[:500]
    body = response.json()
    assert body["code"] == "validation_failed"
    [error] = body["errors"]
    found: Json = error
    return found


@pytest.fixture
def head(api: Api) -> Api:
    return api.as_("phuongvi-1")


@pytest.fixture
def officer(api: Api) -> Api:
    return api.as_("phuongvi")


@pytest.fixture
def someone(head: Api) -> Json:
    """A member of the branch phuongvi-1, as her head sees her."""
    found: Json = head.get("/v1/members?limit=1").json()["items"][0]
    return found


@pytest.fixture
def stranger(api: Api) -> Json:
    """A member of another commune."""
    found: Json = api.as_("tienluong").get("/v1/members?limit=1").json()["items"][0]
    return found


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
        answer = officer.get("/v1/members?limit=1", headers=CSV)
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
        assert rows[0] == ["full_name", "masked"]
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
        assert answer.content == b"\xef\xbb\xbfid\r\n"
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


class TestGetMember(Reading):
    def test_requires_sign_in(self, api: Api, someone: Json) -> None:
        answer = api.get(f"/v1/members/{someone['id']}")
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")

    def test_is_what_the_list_shows(self, head: Api, someone: Json) -> None:
        assert head.get(f"/v1/members/{someone['id']}").json() == someone

    @pytest.mark.parametrize("username", ["phuongvi-2", "phuongvi-1", "phuongvi"])
    def test_a_foreign_member_reads_like_none_at_all(
        self, api: Api, stranger: Json, username: str
    ) -> None:
        caller = api.as_(username)
        one = caller.get(f"/v1/members/{stranger['id']}").json()
        none = caller.get(f"/v1/members/{uuid4()}").json()
        for problem in (one, none):
            del problem["request_id"], problem["instance"]
        assert one == none
        assert (one["status"], one["code"]) == (404, "not_found")

    def test_the_next_branch_is_foreign_to_a_head_and_not_to_her_officer(
        self, api: Api, officer: Api, someone: Json
    ) -> None:
        neighbour = api.as_("phuongvi-2").get(f"/v1/members/{someone['id']}")
        assert (neighbour.status_code, neighbour.json()["code"]) == (404, "not_found")
        assert officer.get(f"/v1/members/{someone['id']}").json()["id"] == someone["id"]

    @pytest.mark.parametrize("given", ["7", "me", "00000000-0000-0000-0000-00000000000g"])
    def test_what_is_no_id_is_said_to_be_none(self, head: Api, given: str) -> None:
        error = error_of(head.get(f"/v1/members/{given}"))
        assert (error["in"], error["pointer"], error["code"]) == (
            "path",
            "/member_id",
            "id_invalid",
        )


class TestTags(Reading):
    def test_the_tag_is_the_revision_and_gives_304(self, officer: Api, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        first = officer.get(path)
        assert first.headers["etag"] == '"1"'
        for known in ('"1"', 'W/"1"', '"7", "1"', "*"):
            again = officer.get(path, headers={"if-none-match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == '"1"'
        for other in ('"2"', '"11"', "1-", ""):
            again = officer.get(path, headers={"if-none-match": other})
            assert (again.status_code, again.json()) == (200, first.json())

    def test_callers_of_one_view_share_it_and_others_do_not(self, api: Api, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        names = ("phuongvi", "camkhe", "phutho", "phuongvi-1", "auditor")
        tags = {name: api.as_(name).get(path).headers["etag"] for name in names}
        assert tags["phuongvi"] == tags["camkhe"] == tags["phutho"] == '"1"'
        assert len(set(tags.values())) == 3
        assert all(tag.startswith('"1') for tag in tags.values())
        auditor = api.as_("auditor").get(path, headers={"if-none-match": tags["phutho"]})
        assert auditor.json()["phone"] is None

    def test_chosen_fields_are_another_representation(self, officer: Api, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        tag = officer.get(f"{path}?fields=id,full_name").headers["etag"]
        assert tag != officer.get(f"{path}?fields=id").headers["etag"] != '"1"'
        again = officer.get(f"{path}?fields=full_name,id", headers={"if-none-match": tag})
        assert again.status_code == 304


# What each field refuses, and how it is told.
WRONG: dict[str, list[tuple[object, str]]] = {
    "birth_date": [
        ("1899", "birth_too_early"),
        ("1899-12-31", "birth_too_early"),
        ("0000", "date_invalid"),
        ("00/00/1955", "date_invalid"),
        ("17/05/1968", "date_invalid"),
        ("1968-13", "date_invalid"),
        ("1968-00", "date_invalid"),
        ("1968-5", "date_invalid"),
        ("1968-05-1", "date_invalid"),
        ("2023-02-29", "date_invalid"),
        ("1900-02-29", "date_invalid"),
        ("1968-05-17T00:00", "date_invalid"),
        ("1968-05-17-01", "date_invalid"),
        ("-1968", "date_invalid"),
        ("+1968", "date_invalid"),
        (" 1968", "date_invalid"),
        ("１９６８", "date_invalid"),
        ("68", "date_invalid"),
        ("", "date_invalid"),
        (1968, "wrong_type"),
        (None, "not_null"),
    ],
    "joined_on": [
        ("1968", "date_invalid"),
        ("2023-02-29", "date_invalid"),
        ("2020-01-01T10:00:00", "date_invalid"),
        ("2020-01-01T00:00:00", "date_invalid"),
        ("2020-01-01T00:00:00Z", "date_invalid"),
        ("20200101", "date_invalid"),
        ("86400", "date_invalid"),
        (86400, "date_invalid"),
        (0, "date_invalid"),
        (True, "date_invalid"),
        ("1987-12-31", "joined_before_birth"),
    ],
    "full_name": [
        ("", "name_empty"),
        ("  \u200b ", "name_empty"),
        ("---", "name_empty"),
        ("Y", "name_too_short"),
        ("Y.", "name_too_short"),
        ("Lan\u200bAnh", "name_has_invisible"),
        ("Lan \u202eAnh", "name_has_invisible"),
        ("Lan Anh\u200f", "name_has_invisible"),
        ("Ðào Lan", "name_look_alike"),
        ("Lan 😀", "name_has_symbols"),
        ("Lan 2", "name_has_digits"),
        ("Lan <b>", "name_has_symbols"),
        ("=1+1", "name_has_digits"),
        ("𝐋𝐚𝐧", "name_has_symbols"),
        ("a" * 121, "name_too_long"),
        ("a" * 301, "too_long"),
        (7, "wrong_type"),
        (["Lan"], "wrong_type"),
        (None, "not_null"),
    ],
    "phone": [
        ("12345", "phone_invalid"),
        ("09123456789012", "phone_invalid"),
        ("", "phone_invalid"),
        ("0" * 41, "too_long"),
        (912345678, "wrong_type"),
    ],
    "gender": [
        ("other", "not_in_list"),
        (None, "not_null"),
    ],
    "kind": [
        ("Regular", "not_in_list"),
    ],
    "ethnicity": [
        ("00", "ethnicity_unknown"),
        ("56", "ethnicity_unknown"),
        ("1", "ethnicity_unknown"),
        ("Klingon", "ethnicity_unknown"),
        ("", "ethnicity_unknown"),
        ("x" * 61, "ethnicity_unknown"),
        (1, "wrong_type"),
    ],
    "citizen_id": [
        ("25168001234", "citizen_id_invalid"),
        ("0251680012345", "citizen_id_invalid"),
        ("02516800123a", "citizen_id_invalid"),
        ("０２５１６８００１２３４", "citizen_id_invalid"),
        ("132012345", "citizen_id_invalid"),
        ("", "citizen_id_invalid"),
        ("0" * 21, "too_long"),
        (25168001234, "wrong_type"),
    ],
    "id_card": [
        ("025168001234", "id_card_invalid"),
        ("13201234", "id_card_invalid"),
        (132012345, "wrong_type"),
    ],
    "party": [
        ("yes", "not_in_list"),
    ],
    "party_joined_on": [
        ("2020-05-19", "party_date_alone"),
        ("2020-5-19", "date_invalid"),
    ],
    "education": [
        ("12/12", "not_in_list"),
    ],
    "photo": [
        ("javascript:alert(1)", "wrong_format"),
        ("http://example.org/a.jpg", "wrong_format"),
        ("/etc/passwd", "wrong_format"),
        ("", "wrong_format"),
    ],
    "address": [
        ("", "too_short"),
        ("x" * 301, "too_long"),
    ],
    "core": [
        ("perhaps", "wrong_type"),
        (None, "not_null"),
    ],
    "household_id": [
        ("7", "id_invalid"),
    ],
    "religion": [
        ("jedi", "not_in_list"),
    ],
    "id": [
        ("7", "id_invalid"),
        (7, "id_invalid"),
    ],
    "branch_id": [
        ("x", "wrong_type"),
        (1.5, "wrong_type"),
        (True, "wrong_type"),
        (0, "too_small"),
        (2**31, "too_large"),
        (None, "not_null"),
    ],
    "status": [
        ("left", "unknown_field"),
    ],
    "sort_key": [
        ("a", "unknown_field"),
    ],
    "revision": [
        (9, "unknown_field"),
    ],
    "hasOwnProperty": [
        (1, "unknown_field"),
    ],
}


class TestCreateMember:
    def test_with_the_fewest_fields(self, head: Api, database: Database, unit_id: UnitIds) -> None:
        answer = head.post("/v1/members", json=body_of(unit_id))
        assert answer.status_code == 201
        shown = answer.json()
        assert answer.headers["location"] == f"/v1/members/{shown['id']}"
        assert answer.headers["etag"] == head.get(answer.headers["location"]).headers["etag"]
        assert shown == {
            "id": shown["id"],
            "full_name": "Hà Thị Mới",
            "birth_date": "1988",
            "gender": "female",
            "kind": "regular",
            "status": "active",
            "branch_id": unit_id["phuongvi-1"],
            "commune_id": unit_id["phuongvi"],
            "province_id": unit_id["phutho"],
            "joined_on": None,
            "core": False,
            "phone": None,
            "citizen_id": None,
            "id_card": None,
            "address": None,
            "hometown": None,
            "ethnicity": None,
            "religion": None,
            "party": None,
            "party_joined_on": None,
            "education": None,
            "qualification": None,
            "occupation": None,
            "household_id": None,
            "photo": None,
            "restricted": False,
            "revision": 1,
            "masked": HEAD_MASKED,
            "duplicates": [],
            "warnings": [],
        }
        row = stored(database, shown["id"])
        assert row is not None
        assert (row.sort_key, row.search_key) == (
            sort_key("Hà Thị Mới"),
            " ha=1ha thi=5thi moi=4mo|i ",
        )
        assert row.birth_year == 1988
        assert UUID(shown["id"]).version == 7
        assert shown["id"] in {item["id"] for item in everyone(head)}

    def test_with_every_field(self, officer: Api, database: Database, unit_id: UnitIds) -> None:
        own = str(uuid4())
        sent = body_of(
            unit_id,
            id=own,
            birth_date="1990-02-28",
            gender="male",
            kind="honorary",
            joined_on="2015-03-08",
            core=True,
            phone="0912 345 678",
            citizen_id="025 090 001234",
            id_card="132.012.345",
            address="Khu 1, xã Phượng Vĩ",
            hometown="Xã Tiên Lương",
            ethnicity="Mường",
            religion="catholic",
            party="member",
            party_joined_on="2019-05-19",
            education="upper_secondary",
            qualification="college",
            occupation="Giáo viên mầm non",
            household_id=str(uuid4()),
            photo="members/2026/0192f0c1.jpg",
        )
        shown = officer.post("/v1/members", json=sent).json()
        kept = {
            "phone": "+84912345678",
            "citizen_id": "025090001234",
            "id_card": "132012345",
            "ethnicity": "04",
        }
        assert {name: shown[name] for name in sent} == sent | kept
        assert (shown["masked"], shown["warnings"]) == ([], [])
        row = stored(database, own)
        assert row is not None
        assert {name: getattr(row, name) for name in kept} == kept
        assert (row.joined_on, row.party_joined_on) == (date(2015, 3, 8), date(2019, 5, 19))

    def test_is_in_the_change_log_once(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        shown = head.post("/v1/members", json=body_of(unit_id)).json()
        with writing(database) as session:
            [change] = session.exec(
                select(Change).where(col(Change.entity_id) == shown["id"])
            ).all()
        assert (change.entity, change.operation.value, change.revision) == ("member", "created", 1)

    def test_takes_the_edges_of_time(self, head: Api, unit_id: UnitIds) -> None:
        today = local_today()
        for born, joined in (
            ("1900", None),
            (today.isoformat(), today.isoformat()),
            (f"{today:%Y-%m}", None),
            (str(today.year), today.isoformat()),
            ("2024-02-29", "2024-01-01"),  # partial dates of birth: only the years compare
        ):
            answer = head.post(
                "/v1/members", json=body_of(unit_id, birth_date=born, joined_on=joined)
            )
            assert answer.status_code == 201, answer.text
            assert (answer.json()["birth_date"], answer.json()["joined_on"]) == (born, joined)

    def test_may_have_joined_the_union_before_her_branch_was_opened(
        self, head: Api, unit_id: UnitIds
    ) -> None:
        body = body_of(unit_id, birth_date="1950", joined_on="1970-03-08")
        answer = head.post("/v1/members", json=body)
        assert (answer.status_code, answer.json()["joined_on"]) == (201, "1970-03-08")

    def test_cleans_the_name_as_people_type_it(self, head: Api, unit_id: UnitIds) -> None:
        decomposed = "  Hoa\u0300ng  Thi\u0323   Đi\u0323nh "
        shown = head.post("/v1/members", json=body_of(unit_id, full_name=decomposed)).json()
        assert shown["full_name"] == "Hoàng Thị Định"

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("0912345678", "+84912345678"),
            ("84912345678", "+84912345678"),
            ("912345678", "+84912345678"),
            ("0912.345.678", "+84912345678"),
            ("+84 (0)912-345-678", "+84912345678"),
            ("01662345678", "+84362345678"),
        ],
    )
    def test_normalises_the_phone(self, head: Api, unit_id: UnitIds, typed: str, kept: str) -> None:
        shown = head.post("/v1/members", json=body_of(unit_id, phone=typed)).json()
        assert shown["phone"] == kept

    def test_a_closed_branch_admits_nobody(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        yesterday = local_today() - timedelta(days=1)
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            session.get_one(Unit, unit_id["phuongvi-1"]).closed_on = yesterday
        for joined_on in (None, local_today().isoformat(), "2020-01-01"):
            answer = head.post("/v1/members", json=body_of(unit_id, joined_on=joined_on))
            assert (answer.status_code, answer.json()["code"]) == (409, "unit_closed")
            assert as_written(yesterday) in answer.json()["detail"]
        assert count_of(database) == 400


class TestRefusedToCreate(Reading):
    @pytest.mark.parametrize("missing", ["branch_id", "full_name", "birth_date", "joined_on"])
    def test_says_what_is_missing(
        self, head: Api, database: Database, unit_id: UnitIds, missing: str
    ) -> None:
        sent = body_of(unit_id)
        del sent[missing]
        error = error_of(head.post("/v1/members", json=sent))
        assert (error["pointer"], error["code"]) == (f"/{missing}", "required")
        assert count_of(database) == 400

    @pytest.mark.parametrize("field", WRONG)
    def test_refuses_a_wrong_value_by_name(
        self, officer: Api, database: Database, unit_id: UnitIds, field: str
    ) -> None:
        for value, code in WRONG[field]:
            error = error_of(officer.post("/v1/members", json=body_of(unit_id) | {field: value}))
            found = (error["in"], error["pointer"], error["code"])
            assert found == ("body", f"/{field}", code), value
        assert count_of(database) == 400

    def test_refuses_the_future(self, head: Api, database: Database, unit_id: UnitIds) -> None:
        tomorrow = (local_today() + timedelta(days=1)).isoformat()
        for field, value, code in (
            ("birth_date", tomorrow, "birth_in_future"),
            ("birth_date", "9" * 20, "date_invalid"),
            ("birth_date", "１９６８", "date_invalid"),
            ("birth_date", "1968-0", "date_invalid"),
            ("birth_date", str(local_today().year + 1), "birth_in_future"),
            ("joined_on", tomorrow, "date_in_future"),
        ):
            error = error_of(head.post("/v1/members", json=body_of(unit_id) | {field: value}))
            assert (error["pointer"], error["code"]) == (f"/{field}", code)
        assert count_of(database) == 400

    def test_a_head_admits_to_no_other_branch(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        sent = body_of(unit_id, branch_id=unit_id["phuongvi-2"])
        foreign = error_of(head.post("/v1/members", json=sent))
        none = error_of(head.post("/v1/members", json=sent | {"branch_id": 2**31 - 1}))
        assert foreign == none
        assert (foreign["pointer"], foreign["code"]) == ("/branch_id", "unit_unknown")
        assert count_of(database) == 400

    def test_only_a_branch_has_members(self, officer: Api, unit_id: UnitIds) -> None:
        sent = body_of(unit_id, branch_id=unit_id["phuongvi"])
        error = error_of(officer.post("/v1/members", json=sent))
        assert (error["pointer"], error["code"]) == ("/branch_id", "unit_level_wrong")
        assert "chi hội" in error["hint"]

    @pytest.mark.parametrize(("username", "seen"), [("auditor", True), ("admin", True)])
    def test_who_sees_the_branch_without_the_right_is_told(
        self, api: Api, database: Database, unit_id: UnitIds, username: str, seen: bool
    ) -> None:
        answer = api.as_(username).post("/v1/members", json=body_of(unit_id))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert answer.json()["required_right"] == "members:write"
        names = [granter["unit"]["id"] for granter in answer.json()["units"]]
        assert names == [unit_id["phuongvi"], unit_id["camkhe"], unit_id["phutho"]]
        assert count_of(database) == 400


class TestOwnId:
    def test_sent_twice_is_one_member(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        sent = body_of(unit_id, id=str(uuid4()), phone="0912345678", joined_on="2010-10-20")
        first = head.post("/v1/members", json=sent)
        again = head.post("/v1/members", json=sent | {"phone": "+84 912 345 678"})
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert again.json()["id"] == sent["id"]
        assert again.headers["location"] == first.headers["location"]
        assert again.headers["etag"] == first.headers["etag"]
        assert count_of(database) == 401

    def test_other_content_is_refused_and_nothing_changes(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        sent = body_of(unit_id, id=str(uuid4()))
        head.post("/v1/members", json=sent)
        answer = head.post("/v1/members", json=sent | {"full_name": "Hà Thị Cũ"})
        assert (answer.status_code, answer.json()["code"]) == (409, "id_taken")
        row = stored(database, sent["id"])
        assert row is not None
        assert (row.full_name, row.revision) == ("Hà Thị Mới", 1)
        assert count_of(database) == 401

    def test_of_a_foreign_member_says_no_more_than_taken(
        self, head: Api, database: Database, unit_id: UnitIds, stranger: Json
    ) -> None:
        copied = {
            name: stranger[name]
            for name in ("id", "full_name", "birth_date", "gender", "kind", "joined_on")
        }
        answer = head.post("/v1/members", json=body_of(unit_id) | copied)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "id_taken")
        assert set(problem) == {
            "type", "title", "status", "detail", "code", "instance", "request_id",
        }  # fmt: skip
        assert stranger["full_name"] not in answer.text
        row = stored(database, stranger["id"])
        assert row is not None
        assert row.branch_id == stranger["branch_id"]

    def test_does_not_tell_what_a_masked_field_holds(
        self, head: Api, officer: Api, unit_id: UnitIds
    ) -> None:
        sent = body_of(unit_id, id=str(uuid4()), ethnicity="04", religion="buddhist")
        first = officer.post("/v1/members", json=sent)
        assert first.status_code == 201
        right = head.post("/v1/members", json=sent)
        wrong = head.post("/v1/members", json=sent | {"ethnicity": "01", "religion": "none"})
        assert right.status_code == wrong.status_code == 200
        assert (
            right.json()
            == wrong.json()
            == first.json()
            | {
                "ethnicity": None,
                "religion": None,
                "masked": HEAD_MASKED,
            }
        )

    @pytest.mark.parametrize("differing", [False, True])
    def test_of_two_at_once_one_member_comes(
        self, api: Api, app: FastAPI, database: Database, unit_id: UnitIds, differing: bool
    ) -> None:
        headers = api.as_("phuongvi-1").headers
        sent = body_of(unit_id, id=str(uuid4()))
        bodies = [sent, sent | ({"full_name": "Hà Thị Khác"} if differing else {})]
        start = Barrier(2)

        def post(body: Json) -> Response:
            caller = Api(app, headers)
            start.wait()
            return caller.post("/v1/members", json=body)

        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(post, bodies))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == ([201, 409] if differing else [200, 201])
        if differing:
            codes = {a.json().get("code") for a in answers}
            assert codes == {None, "id_taken"}
        else:
            assert answers[0].json() == answers[1].json()
        assert count_of(database) == 401
        with writing(database) as session:
            logged = session.exec(
                select(func.count()).where(col(Change.entity_id) == sent["id"])
            ).one()
        assert logged == 1


class TestUpdateMember:
    def test_is_a_merge_patch(self, officer: Api, database: Database, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        before = officer.get(path).json()
        answer = officer.patch(
            path,
            json={"full_name": "Lê Thị Ánh", "phone": "0987654321"},
            headers={"content-type": "application/merge-patch+json"},
        )
        after = before | {"full_name": "Lê Thị Ánh", "phone": "+84987654321", "revision": 2}
        assert (answer.status_code, answer.json()) == (200, after | {"warnings": []})
        assert officer.get(path).json() == after
        row = stored(database, someone["id"])
        assert row is not None
        assert (row.sort_key, row.search_key) == (
            sort_key("Lê Thị Ánh"),
            " le=0le{ thi=5thi anh=4anh ",
        )

    def test_null_empties_what_may_be_empty(self, officer: Api, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        filled = {"joined_on": "2020-01-01", "phone": "0912345678", "ethnicity": "02"}
        assert officer.patch(path, json=filled | {"religion": "other"}).json()["revision"] == 2
        empty = {"joined_on": None, "phone": None, "ethnicity": None, "religion": None}
        shown = officer.patch(path, json=empty).json()
        assert {name: shown[name] for name in empty} == empty
        assert shown["revision"] == 3

    def test_joining_before_birth_is_refused_from_either_side(
        self, officer: Api, database: Database, someone: Json
    ) -> None:
        path = f"/v1/members/{someone['id']}"
        officer.patch(path, json={"birth_date": "1970-06", "joined_on": "1990-01-01"})
        for sent in ({"birth_date": "1991"}, {"joined_on": "1969-12-31"}):
            error = error_of(officer.patch(path, json=sent))
            assert (error["pointer"], error["code"]) == ("/joined_on", "joined_before_birth")
        row = stored(database, someone["id"])
        assert row is not None
        assert (row.birth_date, row.birth_year, row.joined_on, row.revision) == (
            "1970-06",
            1970,
            date(1990, 1, 1),
            2,
        )

    def test_what_changes_nothing_keeps_the_revision(
        self, officer: Api, database: Database, someone: Json
    ) -> None:
        path = f"/v1/members/{someone['id']}"
        before = officer.get(path).json()
        logged = count_of(database, Change)
        same = {name: before[name] for name in ("full_name", "birth_date", "phone", "joined_on")}
        for sent in ({}, same):
            answer = officer.patch(path, json=sent)
            assert (answer.status_code, answer.json()) == (200, before | {"warnings": []})
        assert count_of(database, Change) == logged


class TestRefusedToUpdate(Reading):
    @pytest.mark.parametrize("field", ["full_name", "birth_date", "gender", "kind"])
    def test_null_is_refused_where_a_value_must_be(
        self, officer: Api, database: Database, someone: Json, field: str
    ) -> None:
        error = error_of(officer.patch(f"/v1/members/{someone['id']}", json={field: None}))
        assert error["pointer"] == f"/{field}"
        assert error["code"] == "not_null"
        row = stored(database, someone["id"])
        assert row is not None
        assert row.revision == 1

    @pytest.mark.parametrize(
        ("field", "value", "code"),
        [
            ("branch_id", 7, "unknown_field"),
            ("status", "left", "unknown_field"),
            ("id", "0192f0c1-7c4e-7000-8000-000000000001", "unknown_field"),
            ("revision", 5, "unknown_field"),
            ("masked", [], "unknown_field"),
            ("full_name", "Lan 3", "name_has_digits"),
            ("birth_date", "1899", "birth_too_early"),
            ("phone", "1", "phone_invalid"),
            ("ethnicity", "99", "ethnicity_unknown"),
            ("joined_on", "0000-00-00", "date_invalid"),
        ],
    )
    def test_refuses_a_wrong_value_by_name(
        self, officer: Api, database: Database, someone: Json, field: str, value: object, code: str
    ) -> None:
        error = error_of(officer.patch(f"/v1/members/{someone['id']}", json={field: value}))
        assert (error["in"], error["pointer"], error["code"]) == ("body", f"/{field}", code)
        row = stored(database, someone["id"])
        assert row is not None
        assert (row.revision, row.full_name) == (1, someone["full_name"])

    @pytest.mark.parametrize("field", ["ethnicity", "religion"])
    @pytest.mark.parametrize("value", ["01", "none", None])
    def test_what_she_may_not_see_a_head_may_not_overwrite(
        self, head: Api, database: Database, someone: Json, field: str, value: str | None
    ) -> None:
        valid = {"ethnicity": "01", "religion": "none"}[field] if value else None
        before = stored(database, someone["id"])
        sent = {"full_name": "Đã Đổi", field: valid}
        answer = head.patch(f"/v1/members/{someone['id']}", json=sent)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert answer.json()["required_right"] == f"members:{field}"
        [error] = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == (f"/{field}", "masked_field")
        assert stored(database, someone["id"]) == before

    @pytest.mark.parametrize("username", ["phuongvi-2", "tienluong"])
    def test_a_foreign_member_reads_like_none_at_all(
        self, api: Api, database: Database, someone: Json, username: str
    ) -> None:
        caller = api.as_(username)
        for member_id in (someone["id"], str(uuid4())):
            answer = caller.patch(f"/v1/members/{member_id}", json={"birth_date": "1950"})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        row = stored(database, someone["id"])
        assert row is not None
        assert row.revision == 1

    def test_an_auditor_reads_and_does_not_write(
        self, api: Api, database: Database, someone: Json
    ) -> None:
        answer = api.as_("auditor").patch(
            f"/v1/members/{someone['id']}", json={"birth_date": "1950"}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert answer.json()["required_right"] == "members:write"
        row = stored(database, someone["id"])
        assert row is not None
        assert row.birth_date == someone["birth_date"]

    @pytest.mark.parametrize("username", ["admin", "member"])
    def test_who_sees_no_member_is_not_told_which_exist(
        self, api: Api, someone: Json, username: str
    ) -> None:
        caller = api.as_(username)
        for member_id in (someone["id"], str(uuid4())):
            answer = caller.patch(f"/v1/members/{member_id}", json={"birth_date": "1950"})
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
            assert answer.json()["required_right"] == "members:read"

    @pytest.mark.parametrize("given", ["1", "W/1", '"1', "garbage", '"1","2"'])
    def test_what_is_no_tag_is_refused(
        self, officer: Api, database: Database, someone: Json, given: str
    ) -> None:
        answer = officer.patch(
            f"/v1/members/{someone['id']}", json={"birth_date": "1950"}, headers={"if-match": given}
        )
        error = error_of(answer)
        assert (error["in"], error["pointer"], error["code"]) == (
            "header",
            "/if-match",
            "wrong_format",
        )
        row = stored(database, someone["id"])
        assert row is not None
        assert row.revision == 1


class TestIfMatch:
    def test_a_stale_revision_is_told_the_current_one(
        self, officer: Api, database: Database, someone: Json
    ) -> None:
        path = f"/v1/members/{someone['id']}"
        officer.patch(path, json={"birth_date": "1950"}, headers={"if-match": '"1"'})
        for stale in ('"1"', '"3"', '"abc"', '"1-00000000"', '"99999999999999"', '"-2"', '""'):
            answer = officer.patch(path, json={"birth_date": "1960"}, headers={"if-match": stale})
            assert (answer.status_code, answer.json()["code"]) == (412, "stale_revision")
            assert answer.json()["current_revision"] == 2
        row = stored(database, someone["id"])
        assert row is not None
        assert (row.birth_date, row.revision) == ("1950", 2)

    def test_a_star_is_any_revision(self, officer: Api, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        answer = officer.patch(path, json={"birth_date": "1950"}, headers={"if-match": "*"})
        assert (answer.status_code, answer.json()["revision"]) == (200, 2)

    def test_of_two_at_once_one_is_stale(
        self, api: Api, app: FastAPI, database: Database, someone: Json
    ) -> None:
        headers = api.as_("phuongvi").headers | {"if-match": '"1"'}
        start = Barrier(2)

        def patch(year: str) -> Response:
            caller = Api(app, headers)
            start.wait()
            return caller.patch(f"/v1/members/{someone['id']}", json={"birth_date": year})

        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(patch, ["1941", "1942"]))
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        [done] = [answer.json() for answer in answers if answer.status_code == 200]
        row = stored(database, someone["id"])
        assert row is not None
        assert (row.birth_date, row.revision) == (done["birth_date"], 2)

    def test_a_change_changes_the_tag(self, officer: Api, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        before = officer.get(path).headers["etag"]
        changed = officer.patch(path, json={"birth_date": "1950"})
        assert changed.headers["etag"] == '"2"'
        after = officer.get(path, headers={"if-none-match": before})
        assert (after.status_code, after.json()["birth_date"]) == (200, "1950")
        assert after.headers["etag"] == '"2"'

    def test_a_masked_tag_is_good_for_if_match(self, head: Api, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        tag = head.get(path).headers["etag"]
        answer = head.patch(path, json={"birth_date": "1951"}, headers={"if-match": tag})
        assert (answer.status_code, answer.json()["revision"]) == (200, 2)


class TestStatements(Reading):
    """A list of 50 costs the database no more statements than a list of 2."""

    @pytest.fixture(autouse=True)
    def warm_tokens(self, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(serving(app).signin.settings, "token_recheck_seconds", 60.0)

    @pytest.mark.parametrize("username", ["phuongvi-1", "phuongvi", "camkhe", "phutho", "auditor"])
    def test_a_list_is_one_whatever_its_length(
        self, api: Api, database: Database, username: str
    ) -> None:
        caller = api.as_(username)
        caller.get("/v1/me")
        for limit in (2, 50):
            with counted(database) as statements:
                assert len(caller.get(f"/v1/members?limit={limit}").json()["items"]) <= limit
            assert len(statements) == 1, statements

    def test_a_filtered_list_is_the_same_for_2_and_50(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        caller = api.as_("phutho")
        caller.get("/v1/me")
        found = []
        for limit in (2, 50):
            with counted(database) as statements:
                caller.get(f"/v1/members?limit={limit}&unit={unit_id['phuongvi']}")
            found.append(len(statements))
        assert found == [2, 2]

    @pytest.mark.parametrize("username", ["phuongvi-1", "phuongvi", "camkhe", "phutho"])
    def test_one_member_is_one(
        self, api: Api, database: Database, someone: Json, username: str
    ) -> None:
        caller = api.as_(username)
        caller.get("/v1/me")
        with counted(database) as statements:
            assert caller.get(f"/v1/members/{someone['id']}").json()["id"] == someone["id"]
        assert len(statements) == 1, statements

    def test_a_whole_list_is_one_a_chunk(
        self, api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.api.http.paging._CHUNK", 100)
        caller = api.as_("phutho")
        caller.get("/v1/me")
        with counted(database) as statements:
            lines = caller.get("/v1/members", headers=NDJSON).content.splitlines()
        assert len(lines) == 400
        pages = [each for each in statements if "FROM member" in each]
        assert len(pages) == 5, statements  # the fifth finds the end
        audit = [each for each in statements if "export_record" in each]
        assert [each.split()[0] for each in audit] == ["INSERT", "UPDATE"]


def test_every_key_is_in_the_order_people_know() -> None:
    names = ["Lò Thị A", "Hà Thị An", "Hà Thị Bình", "Vì Thị Bình", "Hà Thị Đào"]
    assert all(one < two for one, two in pairwise(map(sort_key, names)))
