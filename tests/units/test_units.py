"""Units: the tree as each role sees it, as of any day, and the acts that change it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from threading import Barrier
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import Session, col, func, select

from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change, ChangeSource
from app.models.kernel.sessions import AuthSession
from app.models.kernel.units import (
    IdentifierScheme,
    Unit,
    UnitClosure,
    UnitEdge,
    UnitIdentifier,
    UnitLevel,
    UnitSuccession,
)
from app.models.members.members import Member, MemberCreate, MemberStatus
from app.services.kernel import changes
from app.services.kernel.access import Actor
from app.services.kernel.actors import load_actor
from app.services.members import record
from tests.conftest import make_settings
from tests.helpers.client import Api, as_written, counted, utc_now, writing
from tests.helpers.databases import Clones
from tests.helpers.reading import Reading
from tests.helpers.serving import give

UnitIds = dict[str, int]
Json = dict[str, Any]
TODAY = local_today()
FOUNDED = date(1997, 1, 1)  # the day the demo's units opened


def ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def names(answer: Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


def ids(answer: Response) -> set[int]:
    assert answer.status_code == 200, answer.text
    return {item["id"] for item in answer.json()["items"]}


def refused(answer: Response, status: int, code: str) -> Json:
    body: Json = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    return body


def pointed(answer: Response, pointer: str, code: str) -> None:
    body = refused(answer, 422, "validation_failed")
    assert [(error["pointer"], error["code"]) for error in body["errors"]] == [(pointer, code)]


def anonymous(problem: Json) -> Json:
    """A problem without what names the request: two that are equal tell nothing apart."""
    return {name: problem[name] for name in problem if name not in ("instance", "request_id")}


def opened(api: Api, level: str, parent_id: int, name: str, **body: Any) -> int:
    body = {"level": level, "parent_id": parent_id, "name": name, "opened_on": "2020-01-01"} | body
    if level == "group":
        body.setdefault("group_kind", "other")
    answer = api.post("/v1/units", json=body)
    assert answer.status_code == 201, answer.text
    unit_id: int = answer.json()["id"]
    return unit_id


def closed(api: Api, unit_id: int, on: str, *successors: int, **body: Any) -> Json:
    body = {"closed_on": on, "successor_ids": successors} | body
    answer = api.post(f"/v1/units/{unit_id}/close", json=body)
    assert answer.status_code == 200, answer.text
    item: Json = answer.json()
    return item


def moved(api: Api, unit_id: int, parent_id: int, on: str) -> Json:
    body = {"parent_id": parent_id, "effective_on": on}
    answer = api.post(f"/v1/units/{unit_id}/moves", json=body)
    assert answer.status_code == 200, answer.text
    item: Json = answer.json()
    return item


def written(database: Database) -> tuple[int, ...]:
    """How much is stored: the same before and after whatever was refused."""
    tables: list[type[Any]] = [Unit, UnitEdge, UnitClosure, UnitIdentifier, UnitSuccession, Change]
    with writing(database) as session:
        return tuple(session.exec(select(func.count()).select_from(t)).one() for t in tables)


def unit_row(database: Database, unit_id: int) -> Unit:
    with writing(database) as session:
        return session.get_one(Unit, unit_id)


def people(database: Database, branch_id: int) -> list[Member]:
    with writing(database) as session:
        return [*session.exec(select(Member).where(col(Member.branch_id) == branch_id))]


def acting(database: Database, username: str) -> Actor:
    """The same as who sends a request, for a service called half-way through one."""
    with database.reading() as db:
        session_id = db.execute(
            select(AuthSession.id).join(Account).where(col(Account.username) == username).limit(1)
        ).scalar_one()
        actor = load_actor(db, session_id)
    assert actor is not None
    return actor


def admitted(session: Session, actor: Actor, branch_id: int) -> Member:
    changes.attribute(session, changes.Origin(ChangeSource.cli))
    body = {"branch_id": branch_id, "full_name": "Hà Thị Mơ", "birth_date": "1980"}
    member, _ = record.create(
        session, actor, MemberCreate.model_validate(body | {"joined_on": None})
    )
    return member


def add_member(database: Database, branch_id: int, **values: Any) -> Member:
    now = utc_now()
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        branch = session.get_one(Unit, branch_id)
        assert branch.province_id is not None
        member = Member(
            province_id=branch.province_id,
            commune_id=branch.commune_id,
            branch_id=branch_id,
            full_name="Hà Thị Mơ",
            sort_key="mo",
            search_key="ha thi mo",
            birth_date="1980",
            birth_year=1980,
            created_at=now,
            updated_at=now,
        )
        for name, value in values.items():
            setattr(member, name, value)
        session.add(member)
    return member


class TestListUnits(Reading):
    @pytest.mark.parametrize(
        ("who", "expected"),
        [
            ("phutho", 12),
            ("auditor", 12),
            ("admin", 12),
            ("camkhe", 11),
            ("phuongvi", 5),
            ("phuongvi-1", 1),
        ],
    )
    def test_each_role_sees_her_unit_and_all_below_it(
        self, api: Api, unit_id: UnitIds, who: str, expected: int
    ) -> None:
        own = unit_id.get(who, unit_id["phutho"])
        found = ids(api.as_(who).get("/v1/units"))
        assert len(found) == expected
        assert own in found

    def test_a_branch_head_sees_neither_her_commune_nor_the_branch_next_door(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        assert ids(api.as_("phuongvi-1").get("/v1/units")) == {unit_id["phuongvi-1"]}

    def test_requires_login(self, api: Api) -> None:
        refused(api.get("/v1/units"), 401, "not_authenticated")

    def test_a_member_has_no_right_to_the_tree(self, api: Api) -> None:
        body = refused(api.as_("member").get("/v1/units"), 403, "forbidden")
        assert body["required_right"] == "units:read"

    def test_an_item_holds_the_unit_as_it_is_today(self, api: Api, unit_id: UnitIds) -> None:
        [item] = api.as_("phutho").get("/v1/units?code=08356").json()["items"]
        assert item.pop("member_count") > 0
        assert item == {
            "id": unit_id["phuongvi"],
            "level": "commune",
            "name": "Xã Phượng Vĩ",
            "code": "08356",
            "area_type": "rural",
            "group_kind": None,
            "parent_id": unit_id["camkhe"],
            "opened_on": "1997-01-01",
            "closed_on": None,
            "phone": None,
            "email": None,
            "address": None,
            "revision": 1,
        }

    @pytest.mark.parametrize(
        ("level", "expected"),
        [
            ("province", ["Tỉnh Phú Thọ"]),
            ("district", ["Huyện Cẩm Khê"]),
            ("commune", ["Xã Phượng Vĩ", "Xã Tiên Lương"]),
            ("central", []),
            ("group", []),
        ],
    )
    def test_by_level(self, api: Api, level: str, expected: list[str]) -> None:
        assert names(api.as_("phutho").get(f"/v1/units?level={level}")) == expected

    def test_by_several_levels(self, api: Api) -> None:
        found = names(api.as_("phutho").get("/v1/units?level=district&level=province"))
        assert found == ["Huyện Cẩm Khê", "Tỉnh Phú Thọ"]

    def test_by_parent_is_one_step_and_under_is_the_whole_subtree(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        communes = {unit_id["phuongvi"], unit_id["tienluong"]}
        assert ids(officer.get(f"/v1/units?parent={unit_id['camkhe']}")) == communes
        below = ids(officer.get(f"/v1/units?under={unit_id['camkhe']}"))
        assert below == set(unit_id.values()) - {unit_id["phutho"], unit_id["camkhe"]}

    def test_filters_narrow_each_other(self, api: Api, unit_id: UnitIds) -> None:
        path = f"/v1/units?under={unit_id['camkhe']}&level=branch&q=khu 3&parent="
        assert ids(api.as_("phutho").get(path + str(unit_id["tienluong"]))) == {
            unit_id["tienluong-3"]
        }

    def test_a_filter_never_widens_the_scope(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        assert ids(officer.get(f"/v1/units?under={unit_id['tienluong']}")) == set()
        assert ids(officer.get(f"/v1/units?parent={unit_id['camkhe']}")) == {unit_id["phuongvi"]}
        assert ids(officer.get("/v1/units?code=08344")) == set()

    def test_by_code(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        assert ids(officer.get("/v1/units?code=08344")) == {unit_id["tienluong"]}
        assert ids(officer.get("/v1/units?code=0834")) == set()

    @pytest.mark.parametrize(
        "q",
        ["Phượng Vĩ", "phuong vi", "PHƯỢNG", "vi phuong", "phượng vỹ", "  phuong   vi ", "ng v"],
    )
    def test_q_finds_with_and_without_marks(self, api: Api, q: str) -> None:
        found = names(api.as_("phutho").get("/v1/units", params={"q": q, "level": "commune"}))
        assert found == ["Xã Phượng Vĩ"]

    @pytest.mark.parametrize("q", ["%", "_", "Phượng Vĩ Tiên", "\\"])
    def test_q_takes_nothing_for_a_wildcard(self, api: Api, q: str) -> None:
        assert names(api.as_("phutho").get("/v1/units", params={"q": q})) == []

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("colour=red", "/colour", "unknown_field"),
            ("level=village", "/level/0", "not_in_list"),
            ("parent=0", "/parent", "too_small"),
            ("under=2147483648", "/under", "too_large"),
            ("parent=abc", "/parent", "wrong_type"),
            ("as_of=2024-02-30", "/as_of", "date_invalid"),
            ("limit=0", "/limit", "too_small"),
            ("limit=201", "/limit", "too_large"),
            ("fields=id,secret", "/fields", "not_in_list"),
            ("cursor=abc", "/cursor", "cursor_invalid"),
            ("code=" + 21 * "0", "/code", "too_long"),
        ],
    )
    def test_refuses_what_it_does_not_know(
        self, api: Api, query: str, pointer: str, code: str
    ) -> None:
        pointed(api.as_("phutho").get(f"/v1/units?{query}"), pointer, code)

    @pytest.mark.parametrize("limit", [1, 5, 11, 12])
    def test_pages_joined_are_the_whole_list(self, api: Api, limit: int) -> None:
        officer = api.as_("phutho")
        whole = officer.get("/v1/units?limit=200").json()
        assert whole["next_cursor"] is None
        answer = officer.get(f"/v1/units?limit={limit}")
        items, pages = answer.json()["items"], 1
        while (cursor := answer.json()["next_cursor"]) is not None:
            answer = officer.get(f"/v1/units?limit={limit}&cursor={cursor}")
            assert len(answer.json()["items"]) <= limit
            items += answer.json()["items"]
            pages += 1
        assert items == whole["items"]
        assert pages == -(-12 // limit)

    def test_a_cursor_is_good_for_its_own_list_only(self, api: Api) -> None:
        officer = api.as_("phutho")
        cursor = officer.get("/v1/units?limit=2").json()["next_cursor"]
        pointed(
            officer.get(f"/v1/units?limit=2&level=branch&cursor={cursor}"),
            "/cursor",
            "cursor_invalid",
        )

    def test_costs_the_same_for_two_units_and_twelve(self, api: Api, database: Database) -> None:
        officer = api.as_("phutho")
        with counted(database) as few:
            officer.get("/v1/units?level=branch&limit=2")
        with counted(database) as many:
            officer.get("/v1/units?level=branch")
        assert len(many) == len(few)

    def test_trims_to_the_fields_asked_for(self, api: Api, unit_id: UnitIds) -> None:
        answer = api.as_("phuongvi-1").get("/v1/units?fields=id,name")
        assert answer.json()["items"] == [{"id": unit_id["phuongvi-1"], "name": "Chi hội khu 1"}]


class TestListUnitsOverTime:
    def test_numbers_in_names_sort_as_numbers(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        for number in (10, 11, 20, 5):
            opened(officer, "branch", unit_id["phuongvi"], f"Chi hội khu {number}")
        found = names(officer.get("/v1/units?level=branch"))
        assert found == [f"Chi hội khu {number}" for number in (1, 2, 3, 4, 5, 10, 11, 20)]
        assert names(officer.get("/v1/units?q=khu 1")) == ["Chi hội khu 1"]

    def test_members_are_counted_where_the_caller_may_count_them(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        add_member(database, unit_id["phuongvi-1"], status=MemberStatus.left)
        with writing(database) as session:
            current = session.exec(
                select(Member).where(col(Member.status) == MemberStatus.active)
            ).all()
        counts = {
            i["id"]: i["member_count"] for i in api.as_("auditor").get("/v1/units").json()["items"]
        }
        assert counts[unit_id["phutho"]] == counts[unit_id["camkhe"]] == len(current)
        for slug in ("phuongvi", "tienluong"):
            in_commune = [member for member in current if member.commune_id == unit_id[slug]]
            assert counts[unit_id[slug]] == len(in_commune)
        for slug in ("phuongvi-1", "tienluong-4"):
            in_branch = [member for member in current if member.branch_id == unit_id[slug]]
            assert counts[unit_id[slug]] == len(in_branch)
        hidden = api.as_("admin").get("/v1/units").json()["items"]
        assert {item["member_count"] for item in hidden} == {None}

    def test_lists_the_day_asked(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        assert ids(officer.get("/v1/units?as_of=1996-12-31")) == set()
        assert ids(officer.get("/v1/units?as_of=1997-01-01")) == set(unit_id.values())
        new = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5", opened_on=ago(10))
        assert new not in ids(officer.get(f"/v1/units?as_of={ago(11)}"))
        assert new in ids(officer.get(f"/v1/units?as_of={ago(10)}"))
        assert new in ids(officer.get("/v1/units"))

    def test_a_closed_unit_is_listed_until_its_last_day_or_when_asked_for(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        new = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        closed(officer, new, ago(10))
        parent, under = f"parent={unit_id['phuongvi']}", f"under={unit_id['camkhe']}"
        for narrowed in ("level=branch", parent, under):
            path = f"/v1/units?{narrowed}"
            assert new not in ids(officer.get(path))
            assert new not in ids(officer.get(f"{path}&as_of={ago(9)}"))
            assert new in ids(officer.get(f"{path}&as_of={ago(10)}"))
            assert new in ids(officer.get(f"{path}&include_closed=true"))
            assert new in ids(officer.get(f"{path}&include_closed=true&as_of={ago(9)}"))
            assert new not in ids(officer.get(f"{path}&include_closed=true&as_of=2019-12-31"))
        elsewhere = f"/v1/units?include_closed=true&parent={unit_id['tienluong']}"
        assert new not in ids(officer.get(elsewhere))

    def test_a_unit_closed_today_is_there_today(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        new = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        closed(officer, new, ago(0))
        assert new in ids(officer.get("/v1/units?level=branch"))
        assert new in ids(officer.get("/v1/branches"))


class TestGetUnit(Reading):
    def test_ancestors_come_from_the_top_down(self, api: Api, unit_id: UnitIds) -> None:
        body = api.as_("phutho").get(f"/v1/units/{unit_id['phuongvi-2']}").json()
        assert body["ancestors"] == [
            {"id": unit_id["phutho"], "level": "province", "name": "Tỉnh Phú Thọ"},
            {"id": unit_id["camkhe"], "level": "district", "name": "Huyện Cẩm Khê"},
            {"id": unit_id["phuongvi"], "level": "commune", "name": "Xã Phượng Vĩ"},
        ]
        assert (body["predecessors"], body["successors"]) == ([], [])
        assert body["parent_id"] == unit_id["phuongvi"]

    def test_the_root_has_no_ancestors(self, api: Api, unit_id: UnitIds) -> None:
        body = api.as_("phutho").get(f"/v1/units/{unit_id['phutho']}").json()
        assert (body["ancestors"], body["parent_id"]) == ([], None)

    def test_a_branch_head_sees_the_line_above_her_branch(self, api: Api, unit_id: UnitIds) -> None:
        body = api.as_("phuongvi-1").get(f"/v1/units/{unit_id['phuongvi-1']}").json()
        assert [unit["name"] for unit in body["ancestors"]][-1] == "Xã Phượng Vĩ"

    @pytest.mark.parametrize("path", ["", "/children", "/lineage"])
    @pytest.mark.parametrize("hidden", ["phuongvi-2", "phuongvi", "tienluong-1"])
    def test_out_of_scope_looks_like_no_such_unit(
        self, api: Api, unit_id: UnitIds, path: str, hidden: str
    ) -> None:
        head = api.as_("phuongvi-1")
        none = refused(head.get(f"/v1/units/999999{path}"), 404, "not_found")
        other = refused(head.get(f"/v1/units/{unit_id[hidden]}{path}"), 404, "not_found")
        assert anonymous(other) == anonymous(none)

    def test_requires_login(self, api: Api, unit_id: UnitIds) -> None:
        refused(api.get(f"/v1/units/{unit_id['phutho']}"), 401, "not_authenticated")

    def test_a_member_has_no_right_to_the_tree(self, api: Api, unit_id: UnitIds) -> None:
        answer = api.as_("member").get(f"/v1/units/{unit_id['phuongvi-1']}")
        assert refused(answer, 403, "forbidden")["required_right"] == "units:read"

    @pytest.mark.parametrize(
        ("path", "pointer", "code"),
        [
            ("/v1/units/0", "/unit_id", "too_small"),
            ("/v1/units/2147483648", "/unit_id", "too_large"),
            ("/v1/units/abc", "/unit_id", "wrong_type"),
            ("/v1/units/1?colour=red", "/colour", "unknown_field"),
            ("/v1/units/1?as_of=yesterday", "/as_of", "date_invalid"),
            ("/v1/units/1/children?parent=1", "/parent", "unknown_field"),
            ("/v1/units/1/children?under=1", "/under", "unknown_field"),
        ],
    )
    def test_refuses_what_it_does_not_know(
        self, api: Api, path: str, pointer: str, code: str
    ) -> None:
        pointed(api.as_("phutho").get(path), pointer, code)


class TestGetUnitOverTime:
    def test_did_not_exist_before_it_opened(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        new = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5", opened_on=ago(9))
        refused(officer.get(f"/v1/units/{new}?as_of={ago(10)}"), 404, "not_found")
        assert officer.get(f"/v1/units/{new}?as_of={ago(9)}").json()["name"] == "Chi hội khu 5"

    def test_after_its_last_day_it_is_what_it_was_on_it(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        new = opened(officer, "commune", unit_id["camkhe"], "Xã Yên Tập", code="08398")
        body = closed(officer, new, ago(10))
        assert body["parent_id"] == unit_id["camkhe"]
        assert [unit["id"] for unit in body["ancestors"]] == [unit_id["phutho"], unit_id["camkhe"]]
        for day in (ago(10), ago(9), ago(0)):
            assert officer.get(f"/v1/units/{new}?as_of={day}").json() == body

    def test_the_tag_changes_with_what_is_counted(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi']}"
        first = officer.get(path)
        same = officer.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        add_member(database, unit_id["phuongvi-1"])
        second = officer.get(path, headers={"if-none-match": first.headers["etag"]})
        assert second.status_code == 200
        assert second.json()["member_count"] == first.json()["member_count"] + 1
        assert second.json()["revision"] == first.json()["revision"]


class TestListChildren(Reading):
    def test_lists_one_level_below_in_natural_order(self, api: Api, unit_id: UnitIds) -> None:
        path = f"/v1/units/{unit_id['tienluong']}/children"
        assert names(api.as_("camkhe").get(path)) == [f"Chi hội khu {n}" for n in (1, 2, 3, 4)]

    def test_pages_and_filters_as_the_list_does(self, api: Api, unit_id: UnitIds) -> None:
        officer, path = api.as_("camkhe"), f"/v1/units/{unit_id['tienluong']}/children"
        first = officer.get(f"{path}?limit=3").json()
        second = officer.get(f"{path}?limit=3&cursor={first['next_cursor']}").json()
        found = [item["name"] for item in first["items"] + second["items"]]
        assert found == [f"Chi hội khu {n}" for n in (1, 2, 3, 4)]
        assert names(officer.get(f"{path}?q=khu 2")) == ["Chi hội khu 2"]
        assert names(officer.get(f"{path}?level=group")) == []


class TestListChildrenOverTime:
    def test_on_the_day_asked(self, api: Api, unit_id: UnitIds) -> None:
        officer, path = api.as_("phutho"), f"/v1/units/{unit_id['tienluong']}/children"
        moved(officer, unit_id["phuongvi-4"], unit_id["tienluong"], ago(10))
        assert len(names(officer.get(f"{path}?as_of={ago(11)}"))) == 4
        assert unit_id["phuongvi-4"] in ids(officer.get(f"{path}?as_of={ago(10)}"))
        refused(officer.get(f"{path}?as_of=1996-12-31"), 404, "not_found")


class TestCreateUnit:
    def test_opens_a_unit_with_all_that_belongs_to_it(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        answer = api.as_("camkhe").post(
            "/v1/units",
            json={
                "level": "commune",
                "name": "  Xã   Yên Tập ",
                "parent_id": unit_id["camkhe"],
                "code": "08398",
                "area_type": "rural",
                "opened_on": "2020-01-01",
                "phone": "0210 3889 000",
                "email": "yentap@example.vn",
                "address": "Khu 3",
            },
        )
        assert answer.status_code == 201, answer.text
        body = answer.json()
        assert answer.headers["location"] == f"/v1/units/{body['id']}"
        assert body == {
            "id": body["id"],
            "level": "commune",
            "name": "Xã Yên Tập",
            "code": "08398",
            "area_type": "rural",
            "group_kind": None,
            "parent_id": unit_id["camkhe"],
            "opened_on": "2020-01-01",
            "closed_on": None,
            "phone": "0210 3889 000",
            "email": "yentap@example.vn",
            "address": "Khu 3",
            "member_count": 0,
            "revision": 1,
            "ancestors": [
                {"id": unit_id["phutho"], "level": "province", "name": "Tỉnh Phú Thọ"},
                {"id": unit_id["camkhe"], "level": "district", "name": "Huyện Cẩm Khê"},
            ],
            "predecessors": [],
            "successors": [],
        }
        assert api.as_("camkhe").get(answer.headers["location"]).json() == body
        with writing(database) as session:
            row = session.get_one(Unit, body["id"])
            assert (row.province_id, row.district_id, row.commune_id, row.branch_id) == (
                unit_id["phutho"],
                unit_id["camkhe"],
                row.id,
                None,
            )
            edges = session.exec(select(UnitEdge).where(col(UnitEdge.unit_id) == row.id)).all()
            assert [(e.parent_id, e.valid_from, e.valid_to) for e in edges] == [
                (unit_id["camkhe"], date(2020, 1, 1), None)
            ]
            identifiers = session.exec(
                select(UnitIdentifier).where(col(UnitIdentifier.unit_id) == row.id)
            ).all()
            assert {(i.scheme, i.value, i.valid_from, i.valid_to) for i in identifiers} == {
                (IdentifierScheme.name, "Xã Yên Tập", date(2020, 1, 1), None),
                (IdentifierScheme.gso, "08398", date(2020, 1, 1), None),
            }

    @pytest.mark.parametrize(
        ("who", "level", "parent"),
        [
            ("phutho", "district", "phutho"),
            ("phutho", "commune", "phutho"),
            ("camkhe", "branch", "camkhe"),
            ("phuongvi", "branch", "phuongvi"),
            ("phuongvi", "group", "phuongvi-1"),
            ("phuongvi", "group", "phuongvi"),
        ],
    )
    def test_levels_may_be_skipped(
        self, api: Api, unit_id: UnitIds, who: str, level: str, parent: str
    ) -> None:
        new = opened(api.as_(who), level, unit_id[parent], "Đơn vị mới")
        body = api.as_(who).get(f"/v1/units/{new}").json()
        assert (body["level"], body["ancestors"][-1]["id"]) == (level, unit_id[parent])

    def test_the_parent_must_have_been_open(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        young = opened(officer, "commune", unit_id["phutho"], "Xã mới", opened_on=ago(20))
        body = {"level": "branch", "name": "Chi hội khu 1", "parent_id": young}
        early = officer.post("/v1/units", json=body | {"opened_on": ago(21)})
        refused(early, 409, "unit_not_open_yet")
        opened(officer, "branch", young, "Chi hội khu 1", opened_on=ago(20))

    @pytest.mark.parametrize("day", [5, 10, 15])
    def test_nothing_opens_under_a_closed_parent_for_it_would_outlive_it(
        self, api: Api, database: Database, unit_id: UnitIds, day: int
    ) -> None:
        officer = api.as_("phutho")
        old = opened(officer, "commune", unit_id["camkhe"], "Xã cũ")
        closed(officer, old, ago(10))
        before = written(database)
        body = {"level": "branch", "name": "Chi hội khu 1", "parent_id": old, "opened_on": ago(day)}
        refused(officer.post("/v1/units", json=body), 409, "unit_closed")
        assert written(database) == before

    def test_not_in_the_future(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        before, officer = written(database), api.as_("phuongvi")
        body = {"level": "branch", "name": "Chi hội khu 5", "parent_id": unit_id["phuongvi"]}
        answer = officer.post("/v1/units", json=body | {"opened_on": ago(-1)})
        pointed(answer, "/opened_on", "date_in_future")
        assert written(database) == before
        opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5", opened_on=ago(0))

    def test_a_code_is_used_again_after_its_first_holder_closed_and_not_a_day_before(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        first = opened(officer, "commune", unit_id["camkhe"], "Xã Yên Tập", code="08398")
        closed(officer, first, ago(10))
        before = written(database)
        body = {"level": "commune", "name": "Xã Phú Khê", "parent_id": unit_id["camkhe"]}
        for day in (ago(10), "2021-06-01", "2010-01-01"):
            answer = officer.post("/v1/units", json=body | {"code": "08398", "opened_on": day})
            refused(answer, 409, "code_taken")
        assert written(database) == before
        second = opened(
            officer, "commune", unit_id["camkhe"], "Xã Phú Khê", code="08398", opened_on=ago(9)
        )
        assert ids(officer.get("/v1/units?code=08398")) == {second}
        assert ids(officer.get(f"/v1/units?code=08398&as_of={ago(10)}")) == {first}

    def test_the_same_key_opens_one_unit(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, key = api.as_("phuongvi"), {"idempotency-key": "open-khu-5"}
        body = {"level": "branch", "name": "Chi hội khu 5", "parent_id": unit_id["phuongvi"]}
        first = officer.post("/v1/units", json=body | {"opened_on": ago(1)}, headers=key)
        before = written(database)
        again = officer.post("/v1/units", json=body | {"opened_on": ago(1)}, headers=key)
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["idempotent-replayed"] == "true"
        assert written(database) == before

    def test_of_two_who_open_with_one_code_one_is_told(self, api: Api, unit_id: UnitIds) -> None:
        officers, start = [api.as_("phutho") for _ in range(4)], Barrier(4)

        def race(officer: Api) -> Response:
            body = {"level": "commune", "name": "Xã", "code": "08398", "opened_on": ago(5)}
            start.wait()
            return officer.post("/v1/units", json=body | {"parent_id": unit_id["camkhe"]})

        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(race, officers))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert {a.json()["code"] for a in answers if a.status_code == 409} == {"code_taken"}
        assert len(ids(api.as_("phutho").get("/v1/units?code=08398"))) == 1


class TestCreateUnitRefuses(Reading):
    @pytest.mark.parametrize(
        ("level", "parent"),
        [
            ("province", "phutho"),
            ("central", "phutho"),
            ("district", "camkhe"),
            ("district", "phuongvi"),
            ("commune", "phuongvi"),
            ("commune", "phuongvi-1"),
            ("branch", "phuongvi-1"),
        ],
    )
    def test_a_unit_stands_under_a_higher_level(
        self, api: Api, database: Database, unit_id: UnitIds, level: str, parent: str
    ) -> None:
        before = written(database)
        body = {"level": level, "name": "Sai", "parent_id": unit_id[parent], "opened_on": ago(1)}
        refused(api.as_("phutho").post("/v1/units", json=body), 409, "unit_level_order")
        assert written(database) == before

    def test_the_parent_must_be_in_sight(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        before, officer = written(database), api.as_("phuongvi")
        body = {"level": "branch", "name": "Chi hội khu 9", "opened_on": ago(1)}
        for parent_id in (unit_id["tienluong"], unit_id["camkhe"], 999_999):
            answer = officer.post("/v1/units", json=body | {"parent_id": parent_id})
            pointed(answer, "/parent_id", "unit_unknown")
        assert written(database) == before

    @pytest.mark.parametrize("who", ["phuongvi-1", "auditor"])
    def test_reading_is_not_writing(
        self, api: Api, database: Database, unit_id: UnitIds, who: str
    ) -> None:
        before = written(database)
        group = {"level": "group", "group_kind": "team", "name": "Tổ 1", "opened_on": ago(1)}
        body = group | {"parent_id": unit_id["phuongvi-1"]}
        problem = refused(api.as_(who).post("/v1/units", json=body), 403, "forbidden")
        assert problem["required_right"] == "units:write"
        granters = [granter["unit"]["id"] for granter in problem["units"]]
        assert granters == [unit_id["phuongvi"], unit_id["camkhe"], unit_id["phutho"]]
        assert written(database) == before

    def test_requires_login(self, api: Api, database: Database) -> None:
        before = written(database)
        refused(api.post("/v1/units", json={}), 401, "not_authenticated")
        assert written(database) == before

    def test_a_code_is_one_units_at_a_time(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        body = {"level": "commune", "name": "Xã khác", "parent_id": unit_id["camkhe"]}
        before = written(database)
        now = officer.post("/v1/units", json=body | {"code": "08356", "opened_on": ago(3)})
        assert "08356" in refused(now, 409, "code_taken")["detail"]
        assert written(database) == before

    @pytest.mark.parametrize(
        ("wrong", "pointer", "code"),
        [
            ({"name": "   "}, "/name", "too_short"),
            ({"name": "a" * 201}, "/name", "too_long"),
            ({"name": "Xã\u0007"}, "/name", "control_character"),
            ({"name": None}, "/name", "not_null"),
            ({"level": "village"}, "/level", "not_in_list"),
            ({"opened_on": "2024-13-01"}, "/opened_on", "date_invalid"),
            ({"opened_on": None}, "/opened_on", "not_null"),
            ({"email": "nobody"}, "/email", "email_invalid"),
            ({"area_type": "suburban"}, "/area_type", "not_in_list"),
            ({"parent_id": 0}, "/parent_id", "too_small"),
            ({"closed_on": "2024-01-01"}, "/closed_on", "unknown_field"),
        ],
    )
    def test_refuses_wrong_values(
        self,
        api: Api,
        database: Database,
        unit_id: UnitIds,
        wrong: Json,
        pointer: str,
        code: str,
    ) -> None:
        before = written(database)
        body = {"level": "branch", "name": "Chi hội", "parent_id": unit_id["phuongvi"]}
        answer = api.as_("phuongvi").post("/v1/units", json=body | {"opened_on": ago(1)} | wrong)
        pointed(answer, pointer, code)
        assert written(database) == before


class TestUpdateUnit:
    def test_changes_and_empties_contacts(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi']}"
        contacts = {"phone": "0210 3889 111", "email": "pv@example.vn", "address": "Khu 1"}
        body = officer.patch(path, json=contacts).json()
        assert {name: body[name] for name in contacts} == contacts
        assert body["revision"] == 2
        body = officer.patch(path, json={"phone": None}).json()
        assert (body["phone"], body["email"], body["address"]) == (None, "pv@example.vn", "Khu 1")
        row = unit_row(database, unit_id["phuongvi"])
        assert (row.phone, row.email, row.address, row.revision) == (
            None,
            "pv@example.vn",
            "Khu 1",
            3,
        )
        assert (row.name, row.code) == ("Xã Phượng Vĩ", "08356")

    def test_a_name_holds_from_its_day_and_the_old_one_until_then(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi-3']}"
        body = officer.patch(
            path, json={"name": "Chi hội Đồng Tâm", "effective_on": ago(10)}
        ).json()
        assert body["name"] == "Chi hội Đồng Tâm"
        for day, name in ((11, "Chi hội khu 3"), (10, "Chi hội Đồng Tâm"), (0, "Chi hội Đồng Tâm")):
            assert officer.get(f"{path}?as_of={ago(day)}").json()["name"] == name
            listed = officer.get(f"/v1/units?level=branch&as_of={ago(day)}")
            assert name in names(listed)
        assert names(officer.get("/v1/units?q=dong tam")) == ["Chi hội Đồng Tâm"]
        below = opened(officer, "group", unit_id["phuongvi-3"], "Tổ 1")
        for day, name in ((11, "Chi hội khu 3"), (10, "Chi hội Đồng Tâm")):
            ancestors = officer.get(f"/v1/units/{below}?as_of={ago(day)}").json()["ancestors"]
            assert ancestors[-1]["name"] == name
        identifiers = officer.get(f"{path}/lineage").json()["identifiers"]
        assert identifiers == [
            {
                "scheme": "name",
                "value": "Chi hội khu 3",
                "valid_from": "1997-01-01",
                "valid_to": ago(11),
            },
            {
                "scheme": "name",
                "value": "Chi hội Đồng Tâm",
                "valid_from": ago(10),
                "valid_to": None,
            },
        ]

    def test_a_name_without_a_day_holds_from_today(self, api: Api, unit_id: UnitIds) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi-3']}"
        officer.patch(path, json={"name": "Chi hội Đồng Tâm"})
        assert officer.get(f"{path}?as_of={ago(1)}").json()["name"] == "Chi hội khu 3"
        assert officer.get(f"{path}?as_of={ago(0)}").json()["name"] == "Chi hội Đồng Tâm"

    @pytest.mark.parametrize("day", [ago(10), "1997-01-01"])
    def test_the_same_day_again_corrects_the_name(
        self, api: Api, unit_id: UnitIds, day: str
    ) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi-3']}"
        officer.patch(path, json={"name": "Chi hội Đồng Tam", "effective_on": day})
        body = officer.patch(path, json={"name": "Chi hội Đồng Tâm", "effective_on": day}).json()
        assert body["name"] == "Chi hội Đồng Tâm"
        values = [i["value"] for i in officer.get(f"{path}/lineage").json()["identifiers"]]
        before = [] if day == "1997-01-01" else ["Chi hội khu 3"]
        assert values == [*before, "Chi hội Đồng Tâm"]

    def test_not_before_the_last_change(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi-3']}"
        officer.patch(path, json={"name": "Chi hội Đồng Tâm", "effective_on": ago(10)})
        before = written(database)
        answer = officer.patch(path, json={"name": "Chi hội khác", "effective_on": ago(11)})
        detail = refused(answer, 409, "unit_date_conflict")["detail"]
        assert as_written(ago(11)) in detail
        assert as_written(ago(10)) in detail
        assert written(database) == before
        assert officer.get(path).json()["name"] == "Chi hội Đồng Tâm"

    def test_a_code_changes_from_its_day_on(self, api: Api, unit_id: UnitIds) -> None:
        officer, path = api.as_("phutho"), f"/v1/units/{unit_id['phuongvi']}"
        body = officer.patch(path, json={"code": "08399", "effective_on": ago(10)}).json()
        assert (body["code"], body["name"]) == ("08399", "Xã Phượng Vĩ")
        for day, code in ((11, "08356"), (10, "08399")):
            assert officer.get(f"{path}?as_of={ago(day)}").json()["code"] == code
            found = officer.get(f"/v1/units?code={code}&as_of={ago(day)}")
            assert ids(found) == {unit_id["phuongvi"]}
        assert ids(officer.get("/v1/units?code=08356")) == set()

    def test_a_unit_may_get_its_first_code_later(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        new = opened(officer, "commune", unit_id["camkhe"], "Xã Phú Khê", opened_on=ago(20))
        officer.patch(f"/v1/units/{new}", json={"code": "08398", "effective_on": ago(20)})
        assert ids(officer.get(f"/v1/units?code=08398&as_of={ago(20)}")) == {new}

    @pytest.mark.parametrize("day", [0, 10])
    def test_a_code_of_another_unit_is_taken(
        self, api: Api, database: Database, unit_id: UnitIds, day: int
    ) -> None:
        officer, path = api.as_("phutho"), f"/v1/units/{unit_id['phuongvi']}"
        officer.patch(path, json={"code": "08399", "effective_on": ago(10)})
        before = written(database)
        answer = officer.patch(path, json={"code": "08344", "effective_on": ago(day)})
        refused(answer, 409, "code_taken")
        assert written(database) == before
        assert officer.get(path).json()["code"] == "08399"

    def test_if_match_refuses_a_revision_nobody_has_seen(self, api: Api, unit_id: UnitIds) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi']}"
        tag = officer.get(path).headers["etag"]
        first = officer.patch(path, json={"phone": "1"}, headers={"if-match": tag})
        assert first.json()["revision"] == 2
        stale = officer.patch(path, json={"phone": "2"}, headers={"if-match": tag})
        assert refused(stale, 412, "stale_revision")["current_revision"] == 2
        assert officer.get(path).json()["phone"] == "1"
        current = first.headers["etag"]
        second = officer.patch(path, json={"phone": "2"}, headers={"if-match": current})
        assert (second.status_code, second.json()["phone"]) == (200, "2")

    def test_a_closed_unit_takes_a_name_for_its_lifetime_only(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        closed(officer, old, ago(10))
        path = f"/v1/units/{old}"
        refused(officer.patch(path, json={"name": "Muộn"}), 409, "unit_closed")
        late = {"name": "Muộn", "effective_on": ago(9)}
        refused(officer.patch(path, json=late), 409, "unit_closed")
        body = officer.patch(path, json={"name": "Kịp", "effective_on": ago(10)}).json()
        assert body["name"] == "Kịp"
        lineage = officer.get(f"{path}/lineage").json()["identifiers"]
        assert [(i["value"], i["valid_to"]) for i in lineage] == [
            ("Chi hội khu 5", ago(11)),
            ("Kịp", ago(10)),
        ]


class TestUpdateUnitRefuses(Reading):
    def test_not_before_the_unit_opened(self, api: Api, unit_id: UnitIds) -> None:
        path = f"/v1/units/{unit_id['phuongvi-3']}"
        body = {"name": "Chi hội khác", "effective_on": "1996-12-31"}
        refused(api.as_("phuongvi").patch(path, json=body), 409, "unit_not_open_yet")

    @pytest.mark.parametrize(
        ("wrong", "pointer", "code"),
        [
            ({"name": None}, "/name", "not_null"),
            ({"code": None}, "/code", "not_null"),
            ({"name": ""}, "/name", "too_short"),
            ({"effective_on": "2024-01-01"}, "/effective_on", "both_needed"),
            ({"name": "Xã", "effective_on": ago(-1)}, "/effective_on", "date_in_future"),
            ({"code": "1", "effective_on": ago(-1)}, "/effective_on", "date_in_future"),
            ({"name": "Xã", "effective_on": None}, "/effective_on", "not_null"),
            ({"email": "nobody"}, "/email", "email_invalid"),
            ({"level": "branch"}, "/level", "unknown_field"),
            ({"parent_id": 1}, "/parent_id", "unknown_field"),
            ({"closed_on": "2024-01-01"}, "/closed_on", "unknown_field"),
        ],
    )
    def test_refuses_wrong_values(
        self,
        api: Api,
        database: Database,
        unit_id: UnitIds,
        wrong: Json,
        pointer: str,
        code: str,
    ) -> None:
        before = written(database)
        answer = api.as_("phutho").patch(f"/v1/units/{unit_id['phuongvi']}", json=wrong)
        pointed(answer, pointer, code)
        assert written(database) == before

    def test_equal_values_change_nothing(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        before = written(database)
        body = {"name": "Xã Phượng Vĩ", "code": "08356", "phone": None}
        answer = api.as_("phutho").patch(f"/v1/units/{unit_id['phuongvi']}", json=body)
        assert (answer.status_code, answer.json()["revision"]) == (200, 1)
        assert written(database) == before

    def test_out_of_scope_is_not_found_and_in_scope_without_the_right_forbidden(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        before, body = written(database), {"phone": "1"}
        officer, head = api.as_("phuongvi"), api.as_("phuongvi-1")
        none = refused(officer.patch("/v1/units/999999", json=body), 404, "not_found")
        for slug in ("tienluong", "camkhe", "tienluong-1"):
            other = officer.patch(f"/v1/units/{unit_id[slug]}", json=body)
            assert anonymous(refused(other, 404, "not_found")) == anonymous(none)
        own = head.patch(f"/v1/units/{unit_id['phuongvi-1']}", json=body)
        assert refused(own, 403, "forbidden")["required_right"] == "units:write"
        assert written(database) == before


class TestCloseUnit:
    def test_closes_after_its_last_day(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        body = closed(officer, old, ago(10))
        assert (body["closed_on"], body["revision"]) == (ago(10), 2)
        assert body["successors"] == [
            {
                "unit": None,
                "kind": "abolish",
                "effective_on": ago(9),
                "decree": None,
                "inferred": False,
            }
        ]
        last = TODAY - timedelta(days=10)
        with writing(database) as session:
            for model, column in (
                (UnitEdge, UnitEdge.unit_id),
                (UnitIdentifier, UnitIdentifier.unit_id),
                (UnitClosure, UnitClosure.descendant_id),
            ):
                rows = session.exec(select(model).where(col(column) == old)).all()
                assert {row.valid_to for row in rows} == {last}  # type: ignore[attr-defined]  # all three have it

    def test_names_its_successors(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        heirs = [unit_id["phuongvi-1"], unit_id["phuongvi-2"]]
        body = closed(
            officer, old, ago(10), *heirs, kind="split", decree="12/QĐ-HPN", inferred=True
        )
        facts = {
            "kind": "split",
            "effective_on": ago(9),
            "decree": "12/QĐ-HPN",
            "inferred": True,
        }
        assert body["successors"] == [
            facts | {"unit": {"id": heir, "level": "branch", "name": f"Chi hội khu {number}"}}
            for number, heir in enumerate(heirs, 1)
        ]
        heir = officer.get(f"/v1/units/{heirs[0]}").json()
        assert heir["predecessors"] == [
            facts | {"unit": {"id": old, "level": "branch", "name": "Chi hội khu 5"}}
        ]

    def test_members_who_left_do_not_keep_it_open(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        member = add_member(database, old, status=MemberStatus.transferring)
        body = {"closed_on": ago(10)}
        refused(officer.post(f"/v1/units/{old}/close", json=body), 409, "unit_in_use")
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            session.get_one(Member, member.id).status = MemberStatus.deceased
        assert closed(officer, old, ago(10))["closed_on"] == ago(10)

    @pytest.mark.parametrize(
        ("day", "status", "code"),
        [
            ("2019-12-31", 409, "unit_not_open_yet"),
            (ago(-1), 422, "validation_failed"),
        ],
    )
    def test_within_its_lifetime_until_today(
        self,
        api: Api,
        database: Database,
        unit_id: UnitIds,
        day: str,
        status: int,
        code: str,
    ) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        before = written(database)
        refused(officer.post(f"/v1/units/{old}/close", json={"closed_on": day}), status, code)
        assert written(database) == before
        assert unit_row(database, old).closed_on is None

    def test_once(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        closed(officer, old, ago(10))
        before = written(database)
        for day in (ago(9), ago(10), ago(11)):
            answer = officer.post(f"/v1/units/{old}/close", json={"closed_on": day})
            refused(answer, 409, "unit_closed")
        assert written(database) == before

    def test_not_before_what_is_recorded_of_the_days_after(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        renamed = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        officer.patch(f"/v1/units/{renamed}", json={"name": "Mới", "effective_on": ago(10)})
        relocated = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 6")
        moved(officer, relocated, unit_id["tienluong"], ago(10))
        joined = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 7")
        body = {"branch_id": joined, "full_name": "Hà Thị Mơ", "birth_date": "1980"}
        she = officer.post("/v1/members", json=body | {"joined_on": ago(10)}).json()["id"]
        left = {"reason": "moved_away", "effective_on": ago(10)}
        assert officer.post(f"/v1/members/{she}/departures", json=left).status_code == 201
        parent = opened(officer, "commune", unit_id["camkhe"], "Xã cũ")
        closed(officer, opened(officer, "branch", parent, "Chi hội khu 1"), ago(10))
        heir = opened(officer, "commune", unit_id["camkhe"], "Xã kế")
        closed(officer, opened(officer, "commune", unit_id["camkhe"], "Xã trước"), ago(11), heir)
        for old in (renamed, relocated, joined, parent, heir):
            path, before = f"/v1/units/{old}/close", written(database)
            answer = officer.post(path, json={"closed_on": ago(11)})
            detail = refused(answer, 409, "unit_date_conflict")["detail"]
            assert as_written(ago(10)) in detail
            assert written(database) == before
            closed(officer, old, ago(10))

    def test_a_successor_is_in_sight_another_and_open_the_day_after(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        ended = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 6")
        closed(officer, ended, ago(10))
        late = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 7", opened_on=ago(8))
        before, path, good = written(database), f"/v1/units/{old}/close", unit_id["phuongvi-1"]

        def attempt(*heirs: int) -> Response:
            return officer.post(path, json={"closed_on": ago(10), "successor_ids": heirs})

        pointed(attempt(good, unit_id["tienluong-1"]), "/successor_ids/1", "unit_unknown")
        pointed(attempt(999_999), "/successor_ids/0", "unit_unknown")
        pointed(attempt(old), "/successor_ids/0", "invalid")
        pointed(attempt(good, good), "/successor_ids/1", "invalid")
        pointed(attempt(0), "/successor_ids/0", "too_small")
        refused(attempt(ended), 409, "unit_closed")
        refused(attempt(late), 409, "unit_not_open_yet")
        assert written(database) == before
        assert unit_row(database, old).closed_on is None


class TestCloseUnitRefuses(Reading):
    def test_not_while_members_or_child_units_are_in_it(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, before = api.as_("phutho"), written(database)
        full = officer.post(f"/v1/units/{unit_id['phuongvi-1']}/close", json={"closed_on": ago(0)})
        assert "0 đơn vị con" in refused(full, 409, "unit_in_use")["detail"]
        parent = officer.post(f"/v1/units/{unit_id['phuongvi']}/close", json={"closed_on": ago(0)})
        assert "4 đơn vị con" in refused(parent, 409, "unit_in_use")["detail"]
        assert written(database) == before

    def test_out_of_scope_is_not_found_and_in_scope_without_the_right_forbidden(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        before, body = written(database), {"closed_on": ago(0)}
        officer, head = api.as_("phuongvi"), api.as_("phuongvi-1")
        refused(
            officer.post(f"/v1/units/{unit_id['tienluong-1']}/close", json=body), 404, "not_found"
        )
        own = head.post(f"/v1/units/{unit_id['phuongvi-1']}/close", json=body)
        assert refused(own, 403, "forbidden")["required_right"] == "units:write"
        assert written(database) == before


class TestFactsOfAClosedUnit:
    @pytest.fixture
    def ended(self, api: Api, unit_id: UnitIds) -> int:
        """A branch whose last day was ten days ago."""
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        closed(officer, old, ago(10))
        return old

    def test_a_member_is_admitted_until_the_last_day(
        self, api: Api, database: Database, unit_id: UnitIds, ended: int
    ) -> None:
        officer, before = api.as_("phuongvi"), people(database, ended)
        body = {"branch_id": ended, "full_name": "Hà Thị Mơ", "birth_date": "1980"}
        for day in (ago(0), ago(10), ago(11), None):
            answer = officer.post("/v1/members", json=body | {"joined_on": day})
            refused(answer, 409, "unit_closed")
        assert people(database, ended) == before == []
        last = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 6")
        closed(officer, last, ago(0))
        answer = officer.post("/v1/members", json=body | {"branch_id": last, "joined_on": ago(0)})
        assert answer.status_code == 201
        assert [str(member.id) for member in people(database, last)] == [answer.json()["id"]]

    def test_a_grant_is_given_until_the_last_day(
        self, api: Api, database: Database, unit_id: UnitIds, ended: int
    ) -> None:
        officer = api.as_("phuongvi")
        with writing(database) as session:
            account_id = session.exec(
                select(Account.id).where(col(Account.username) == "phuongvi-2")
            ).one()
        path = f"/v1/accounts/{account_id}/grants"
        grant = {"unit_id": ended, "role": "branch_head"}
        refused(officer.post(path, json=grant), 409, "unit_closed")
        last = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 6")
        closed(officer, last, ago(0))
        given = officer.post(path, json=grant | {"unit_id": last})
        assert given.status_code == 201
        assert last in [held["unit"]["id"] for held in given.json()["grants"]]

    def test_no_unit_opens_in_it_or_moves_into_it(
        self, api: Api, database: Database, unit_id: UnitIds, ended: int
    ) -> None:
        officer = api.as_("phuongvi")
        group = opened(officer, "group", unit_id["phuongvi-1"], "Tổ 1")
        before = written(database)
        for day in (ago(9), ago(10), ago(11)):
            body: Json = {"level": "group", "group_kind": "team", "name": "Tổ 2"}
            body |= {"parent_id": ended, "opened_on": day}
            refused(officer.post("/v1/units", json=body), 409, "unit_closed")
            move = {"parent_id": ended, "effective_on": day}
            refused(officer.post(f"/v1/units/{group}/moves", json=move), 409, "unit_closed")
        assert written(database) == before

    def test_an_admission_under_way_is_waited_for(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        """Whoever commits first, no member stands in a branch that was closed before."""
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        member = {"branch_id": old, "full_name": "Hà Thị Mơ", "birth_date": "1980"}
        start = Barrier(2)

        def admit() -> Response:
            head = api.as_("phuongvi")
            start.wait()
            return head.post("/v1/members", json=member | {"joined_on": ago(0)})

        def close() -> Response:
            head = api.as_("phuongvi")
            start.wait()
            return head.post(f"/v1/units/{old}/close", json={"closed_on": ago(1)})

        with ThreadPoolExecutor(2) as threads:
            admission, closing = threads.submit(admit), threads.submit(close)
        outcome = (admission.result().status_code, closing.result().status_code)
        row = unit_row(database, old)
        rows = people(database, old)
        assert (outcome, len(rows), row.closed_on is None) == (
            ((201, 409), 1, True) if rows else ((409, 200), 0, False)
        )

    def test_a_closing_waits_for_a_member_not_yet_committed(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        path, actor = f"/v1/units/{old}/close", acting(database, "phuongvi")
        with ThreadPoolExecutor(1) as threads:
            with writing(database) as session:
                admitted(session, actor, old)
                closing = threads.submit(officer.post, path, json={"closed_on": ago(1)})
                with pytest.raises(TimeoutError):
                    closing.result(timeout=0.2)
            answer = closing.result()
        refused(answer, 409, "unit_in_use")
        assert unit_row(database, old).closed_on is None


class TestMoveUnit:
    def test_the_branch_and_all_in_it_stand_elsewhere_from_that_day(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, branch = api.as_("camkhe"), unit_id["phuongvi-4"]
        body = moved(officer, branch, unit_id["tienluong"], ago(10))
        assert (body["parent_id"], body["revision"]) == (unit_id["tienluong"], 2)
        path = f"/v1/units/{branch}"
        for day, parent in ((11, "phuongvi"), (10, "tienluong"), (0, "tienluong")):
            on_day = officer.get(f"{path}?as_of={ago(day)}").json()
            assert on_day["parent_id"] == unit_id[parent]
            assert on_day["ancestors"][-1]["id"] == unit_id[parent]
            for filtered in ("parent", "under"):
                for commune in ("phuongvi", "tienluong"):
                    listed = officer.get(
                        f"/v1/units?{filtered}={unit_id[commune]}&as_of={ago(day)}"
                    )
                    assert (branch in ids(listed)) is (commune == parent)
        assert officer.get(f"{path}/lineage").json()["parents"] == [
            {
                "unit": {"id": unit_id["phuongvi"], "level": "commune", "name": "Xã Phượng Vĩ"},
                "valid_from": "1997-01-01",
                "valid_to": ago(11),
            },
            {
                "unit": {"id": unit_id["tienluong"], "level": "commune", "name": "Xã Tiên Lương"},
                "valid_from": ago(10),
                "valid_to": None,
            },
        ]
        row = unit_row(database, branch)
        assert (row.commune_id, row.district_id) == (unit_id["tienluong"], unit_id["camkhe"])
        found = people(database, branch)
        assert {(m.commune_id, m.province_id) for m in found} == {
            (unit_id["tienluong"], unit_id["phutho"])
        }

    def test_scopes_follow(self, api: Api, unit_id: UnitIds) -> None:
        branch, losing, gaining = unit_id["phuongvi-4"], api.as_("phuongvi"), api.as_("tienluong")
        people = losing.get(f"/v1/members?branch={branch}&limit=200").json()["items"]
        assert people
        moved(api.as_("camkhe"), branch, unit_id["tienluong"], ago(0))
        refused(losing.get(f"/v1/units/{branch}"), 404, "not_found")
        refused(losing.get(f"/v1/members/{people[0]['id']}"), 404, "not_found")
        pointed(losing.get(f"/v1/members?branch={branch}"), "/branch", "unit_unknown")
        assert gaining.get(f"/v1/units/{branch}").json()["member_count"] == len(people)
        now = gaining.get(f"/v1/members?branch={branch}&limit=200").json()["items"]
        assert [item["id"] for item in now] == [item["id"] for item in people]
        assert {item["commune_id"] for item in now} == {unit_id["tienluong"]}
        assert api.as_("phuongvi-4").get(f"/v1/units/{branch}").json()["id"] == branch

    def test_not_into_the_past_of_its_last_move_nor_into_the_future(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, path = api.as_("camkhe"), f"/v1/units/{unit_id['phuongvi-4']}/moves"
        moved(officer, unit_id["phuongvi-4"], unit_id["tienluong"], ago(10))
        before = written(database)
        back = {"parent_id": unit_id["phuongvi"]}
        for day in (ago(10), ago(11)):
            answer = officer.post(path, json=back | {"effective_on": day})
            assert as_written(ago(10)) in refused(answer, 409, "unit_date_conflict")["detail"]
        future = officer.post(path, json=back | {"effective_on": ago(-1)})
        pointed(future, "/effective_on", "date_in_future")
        early = officer.post(path, json=back | {"effective_on": "1996-12-31"})
        refused(early, 409, "unit_not_open_yet")
        assert written(database) == before
        assert moved(officer, unit_id["phuongvi-4"], unit_id["phuongvi"], ago(9))["revision"] == 3

    def test_the_new_parent_must_have_been_open(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        young = opened(officer, "commune", unit_id["phutho"], "Xã mới", opened_on=ago(5))
        path, body = f"/v1/units/{unit_id['phuongvi-4']}/moves", {"parent_id": young}
        early = officer.post(path, json=body | {"effective_on": ago(6)})
        refused(early, 409, "unit_not_open_yet")
        assert moved(officer, unit_id["phuongvi-4"], young, ago(5))["parent_id"] == young

    def test_of_two_moves_at_once_one_comes_after_the_other(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        """A commune goes to another district while one of its branches leaves it."""
        officer = api.as_("phutho")
        other = opened(officer, "district", unit_id["phutho"], "Huyện Yên Lập")
        start = Barrier(2)

        def race(unit: int, parent: int) -> Response:
            mover = api.as_("phutho")
            start.wait()
            body = {"parent_id": parent, "effective_on": ago(5)}
            return mover.post(f"/v1/units/{unit}/moves", json=body)

        with ThreadPoolExecutor(2) as threads:
            commune = threads.submit(race, unit_id["phuongvi"], other)
            branch = threads.submit(race, unit_id["phuongvi-4"], unit_id["tienluong"])
        assert (commune.result().status_code, branch.result().status_code) == (200, 200)
        stays, left = (
            unit_row(database, unit_id["phuongvi-1"]),
            unit_row(database, unit_id["phuongvi-4"]),
        )
        assert (stays.commune_id, stays.district_id) == (unit_id["phuongvi"], other)
        assert (left.commune_id, left.district_id) == (unit_id["tienluong"], unit_id["camkhe"])
        assert unit_id["phuongvi-4"] not in ids(officer.get(f"/v1/units?under={other}"))

    def test_a_member_admitted_meanwhile_moves_too(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, branch_id = api.as_("camkhe"), unit_id["phuongvi-4"]
        body, actor = (
            {"parent_id": unit_id["tienluong"], "effective_on": ago(0)},
            acting(database, "camkhe"),
        )
        with ThreadPoolExecutor(1) as threads:
            with writing(database) as session:
                member = admitted(session, actor, branch_id)
                moving = threads.submit(officer.post, f"/v1/units/{branch_id}/moves", json=body)
                with pytest.raises(TimeoutError):
                    moving.result(timeout=0.2)
            assert moving.result().status_code == 200
        with writing(database) as session:
            assert session.get_one(Member, member.id).commune_id == unit_id["tienluong"]


class TestMoveUnitRefuses(Reading):
    @pytest.mark.parametrize("parent", ["phuongvi-2", "phuongvi-1"])
    def test_keeps_the_order_of_levels(
        self, api: Api, database: Database, unit_id: UnitIds, parent: str
    ) -> None:
        before, body = written(database), {"parent_id": unit_id[parent], "effective_on": ago(1)}
        answer = api.as_("phutho").post(f"/v1/units/{unit_id['phuongvi-1']}/moves", json=body)
        refused(answer, 409, "unit_level_order")
        assert written(database) == before

    def test_where_it_stands_already_changes_nothing(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        before = written(database)
        body = moved(api.as_("camkhe"), unit_id["phuongvi-4"], unit_id["phuongvi"], ago(3))
        assert body["revision"] == 1
        assert written(database) == before

    def test_both_ends_must_be_within_the_callers_right(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        before = written(database)
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-4"]
        for parent_id in (unit_id["tienluong"], unit_id["camkhe"], 999_999):
            body = {"parent_id": parent_id, "effective_on": ago(1)}
            answer = officer.post(f"/v1/units/{branch}/moves", json=body)
            pointed(answer, "/parent_id", "unit_unknown")
        body = {"parent_id": unit_id["phuongvi"], "effective_on": ago(1)}
        other = officer.post(f"/v1/units/{unit_id['tienluong-1']}/moves", json=body)
        refused(other, 404, "not_found")
        auditor = api.as_("auditor").post(f"/v1/units/{branch}/moves", json=body)
        assert refused(auditor, 403, "forbidden")["required_right"] == "units:write"
        assert written(database) == before


@dataclass(frozen=True)
class World:
    """A database in which something has happened, for all the tests of a class to look at."""

    database: Database
    units: UnitIds


@contextmanager
def after(clones: Clones, app: FastAPI, happen: Callable[[Api], UnitIds]) -> Iterator[World]:
    with clones.clone() as url:
        database = Database(make_settings(url))
        give(app, database=database)
        serving(app).signin.verified.clear()
        yield World(database, happen(Api(app).as_("phutho")))
        database.close()


def the_one(officer: Api, query: str) -> int:
    [found] = ids(officer.get(f"/v1/units?{query}"))
    return found


class TestTheCommunesOfCamKhe:
    """Merged on 1/1/2025 by decree: the code of Yên Tập went to a new commune called Phú Khê."""

    DECREE = "1282/NQ-UBTVQH15"

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls, clones: Clones, shared_app: FastAPI) -> Iterator[World]:
        with after(clones, shared_app, cls._merge) as made:
            yield made

    @pytest.fixture
    def database(self, world: World) -> Database:
        return world.database

    @pytest.fixture
    def merged(self, world: World) -> UnitIds:
        return world.units

    @classmethod
    def _merge(cls, officer: Api) -> UnitIds:
        district = the_one(officer, "level=district")
        founded: Json = {"opened_on": "1997-01-01", "area_type": "rural"}
        yentap = opened(officer, "commune", district, "Xã Yên Tập", code="08398", **founded)
        phukhe = opened(officer, "commune", district, "Xã Phú Khê", code="08392", **founded)
        branch = opened(officer, "branch", yentap, "Chi hội khu 1", opened_on="2000-01-01")
        # The new commune takes its code when the old one has laid it down.
        new = opened(officer, "commune", district, "Xã Phú Khê", opened_on="2025-01-01")
        moved(officer, branch, new, "2025-01-01")
        for old in (yentap, phukhe):
            closed(officer, old, "2024-12-31", new, kind="merge", decree=cls.DECREE)
        coded = officer.patch(
            f"/v1/units/{new}", json={"code": "08398", "effective_on": "2025-01-01"}
        )
        assert coded.json()["code"] == "08398"
        made = {"camkhe": district, "yentap": yentap, "phukhe": phukhe, "new": new}
        return made | {"branch": branch}

    @pytest.mark.parametrize(
        ("code", "day", "expected"),
        [
            ("08398", "2024-06-01", "yentap"),
            ("08398", "2024-12-31", "yentap"),
            ("08398", "2025-01-01", "new"),
            ("08398", "2025-03-01", "new"),
            ("08392", "2024-06-01", "phukhe"),
        ],
    )
    def test_a_code_is_resolved_by_date(
        self, api: Api, merged: UnitIds, code: str, day: str, expected: str
    ) -> None:
        found = api.as_("phutho").get(f"/v1/units?code={code}&as_of={day}").json()["items"]
        assert [(item["id"], item["code"]) for item in found] == [(merged[expected], code)]

    def test_a_code_nobody_has_any_more_resolves_to_nothing(
        self, api: Api, merged: UnitIds
    ) -> None:
        assert ids(api.as_("phutho").get("/v1/units?code=08392&as_of=2025-01-01")) == set()
        assert ids(api.as_("phutho").get("/v1/units?code=08398")) == {merged["new"]}

    def test_two_communes_of_one_name_are_told_apart_by_date(
        self, api: Api, merged: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        path = "/v1/units?q=phu khe&level=commune"
        assert ids(officer.get(f"{path}&as_of=2024-12-31")) == {merged["phukhe"]}
        assert ids(officer.get(f"{path}&as_of=2025-01-01")) == {merged["new"]}
        assert ids(officer.get(f"{path}&include_closed=true")) == {merged["phukhe"], merged["new"]}

    def test_lineage_goes_both_ways(self, api: Api, merged: UnitIds) -> None:
        officer = api.as_("phutho")

        def step(name: str, title: str) -> Json:
            return {
                "unit": {"id": merged[name], "level": "commune", "name": title},
                "kind": "merge",
                "effective_on": "2025-01-01",
                "decree": self.DECREE,
                "inferred": False,
            }

        new = officer.get(f"/v1/units/{merged['new']}/lineage").json()
        assert new["predecessors"] == [step("yentap", "Xã Yên Tập"), step("phukhe", "Xã Phú Khê")]
        assert new["successors"] == []
        for old, title, code in (
            ("yentap", "Xã Yên Tập", "08398"),
            ("phukhe", "Xã Phú Khê", "08392"),
        ):
            assert officer.get(f"/v1/units/{merged[old]}/lineage").json() == {
                "unit": {"id": merged[old], "level": "commune", "name": title},
                "parents": [
                    {
                        "unit": {
                            "id": merged["camkhe"],
                            "level": "district",
                            "name": "Huyện Cẩm Khê",
                        },
                        "valid_from": "1997-01-01",
                        "valid_to": "2024-12-31",
                    }
                ],
                "identifiers": [
                    {
                        "scheme": scheme,
                        "value": value,
                        "valid_from": "1997-01-01",
                        "valid_to": "2024-12-31",
                    }
                    for scheme, value in (("gso", code), ("name", title))
                ],
                "predecessors": [],
                "successors": [step("new", "Xã Phú Khê")],
            }

    def test_the_branch_came_along(self, api: Api, merged: UnitIds) -> None:
        officer, path = api.as_("phutho"), f"/v1/units/{merged['branch']}"
        for day, commune in (("2024-12-31", "yentap"), ("2025-01-01", "new")):
            on_day = officer.get(f"{path}?as_of={day}").json()
            assert on_day["ancestors"][-1]["id"] == merged[commune]


class TestGetLineage:
    def test_tells_the_whole_chain_the_nearest_first(self, api: Api, unit_id: UnitIds) -> None:
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        names_of = {
            letter: opened(officer, "branch", commune, f"Chi hội {letter}") for letter in "ABCD"
        }
        closed(officer, names_of["A"], ago(30), names_of["C"])
        closed(officer, names_of["B"], ago(20), names_of["C"], names_of["D"], kind="split")
        closed(officer, names_of["C"], ago(10), names_of["D"], kind="merge")

        def chain(letter: str, way: str) -> list[str]:
            body = officer.get(f"/v1/units/{names_of[letter]}/lineage").json()
            return [step["unit"]["name"].split()[-1] for step in body[way]]

        assert chain("A", "successors") == ["C", "D"]
        assert chain("B", "successors") == ["C", "D", "D"]
        assert chain("D", "predecessors") == ["B", "C", "A", "B"]
        assert chain("A", "predecessors") == chain("D", "successors") == []
        direct = officer.get(f"/v1/units/{names_of['A']}").json()["successors"]
        assert [step["unit"]["id"] for step in direct] == [names_of["C"]]

    def test_a_unit_that_never_changed_has_its_own_line_only(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        root = {"id": unit_id["phutho"], "level": "province", "name": "Tỉnh Phú Thọ"}
        always = {"valid_from": "1997-01-01", "valid_to": None}
        assert api.as_("phutho").get(f"/v1/units/{unit_id['phutho']}/lineage").json() == {
            "unit": root,
            "parents": [],
            "identifiers": [
                {"scheme": "gso", "value": "25"} | always,
                {"scheme": "name", "value": "Tỉnh Phú Thọ"} | always,
            ],
            "predecessors": [],
            "successors": [],
        }


class TestWhenDistrictsWereRetired:
    """From 1/7/2025 communes stand under the province itself; districts are closed, not deleted."""

    LAST, FIRST = "2025-06-30", "2025-07-01"

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls, clones: Clones, shared_app: FastAPI) -> Iterator[World]:
        with after(clones, shared_app, cls._retire) as made:
            yield made

    @pytest.fixture
    def database(self, world: World) -> Database:
        return world.database

    @pytest.fixture
    def retired(self, world: World, unit_id: UnitIds) -> UnitIds:
        return unit_id

    @classmethod
    def _retire(cls, officer: Api) -> UnitIds:
        province, district = the_one(officer, "level=province"), the_one(officer, "level=district")
        for code in ("08356", "08344"):
            moved(officer, the_one(officer, f"code={code}"), province, cls.FIRST)
        closed(officer, district, cls.LAST)
        return {}

    def test_ancestors_of_both_dates(self, api: Api, retired: UnitIds) -> None:
        officer = api.as_("phutho")
        for slug, below in (("phuongvi", []), ("phuongvi-1", ["phuongvi"])):
            path = f"/v1/units/{retired[slug]}"
            for query, line in (
                (f"?as_of={self.LAST}", ["phutho", "camkhe", *below]),
                (f"?as_of={self.FIRST}", ["phutho", *below]),
                ("", ["phutho", *below]),
            ):
                found = officer.get(path + query).json()
                assert [unit["id"] for unit in found["ancestors"]] == [retired[s] for s in line]
                assert found["parent_id"] == retired[line[-1]]

    def test_lists_of_both_dates(self, api: Api, retired: UnitIds) -> None:
        officer, district = api.as_("phutho"), retired["camkhe"]
        everything = set(retired.values()) - {district, retired["phutho"]}
        for query in (f"under={district}", f"under={retired['phutho']}&level=branch"):
            assert ids(officer.get(f"/v1/units?{query}&as_of={self.LAST}")) <= everything
        assert ids(officer.get(f"/v1/units?under={district}&as_of={self.LAST}")) == everything
        assert ids(officer.get(f"/v1/units?under={district}&as_of={self.FIRST}")) == set()
        assert ids(officer.get(f"/v1/units?parent={retired['phutho']}")) == {
            retired["phuongvi"],
            retired["tienluong"],
        }
        assert ids(officer.get("/v1/units?level=district")) == set()
        assert ids(officer.get(f"/v1/units?level=district&as_of={self.LAST}")) == {district}

    def test_columns_of_units_and_members(
        self, api: Api, database: Database, retired: UnitIds
    ) -> None:
        with writing(database) as session:
            units = session.exec(select(Unit)).all()
            everyone = session.exec(select(Member)).all()
        for unit in units:
            own = retired["camkhe"] if unit.level is UnitLevel.district else None
            assert (unit.district_id, unit.province_id) == (own, retired["phutho"])
        communes = {retired["phuongvi"], retired["tienluong"]}
        assert {member.commune_id for member in everyone} == communes
        assert {member.province_id for member in everyone} == {retired["phutho"]}

    def test_the_role_of_the_district_officer_ended_with_it(
        self, api: Api, retired: UnitIds
    ) -> None:
        officer = api.as_("camkhe")
        assert officer.get("/v1/me").json()["grants"] == []
        for path in ("/v1/units?include_closed=true", f"/v1/units/{retired['camkhe']}"):
            assert refused(officer.get(path), 403, "forbidden")["required_right"] == "units:read"
        told = refused(officer.get("/v1/members"), 403, "forbidden")
        assert told["required_right"] == "members:read"

    def test_commune_officers_notice_nothing(self, api: Api, retired: UnitIds) -> None:
        officer = api.as_("phuongvi")
        assert len(ids(officer.get("/v1/units"))) == 5
        branches = officer.get("/v1/branches").json()["items"]
        assert {branch["commune_id"] for branch in branches} == {retired["phuongvi"]}


class TestUntilDistrictsWereRetired:
    def test_the_district_officer_saw_them_all_before(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("camkhe")
        assert len(ids(officer.get("/v1/units"))) == 11
        assert len(officer.get("/v1/branches").json()["items"]) == 8

    def test_the_district_closes_only_when_nothing_is_left_in_it(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        moved(officer, unit_id["phuongvi"], unit_id["phutho"], "2025-07-01")
        path = f"/v1/units/{unit_id['camkhe']}/close"
        half = officer.post(path, json={"closed_on": "2025-06-30"})
        assert "1 đơn vị con" in refused(half, 409, "unit_in_use")["detail"]
        moved(officer, unit_id["tienluong"], unit_id["phutho"], "2025-08-01")
        early = officer.post(path, json={"closed_on": "2025-06-30"})
        assert "31/07/2025" in refused(early, 409, "unit_date_conflict")["detail"]
        assert closed(officer, unit_id["camkhe"], "2025-07-31")["closed_on"] == "2025-07-31"


class TestMembersOfAMovedBranch:
    """Her branch goes to another commune, and she with it: a move of hers, told as one."""

    def test_have_a_new_revision_and_a_change_each(
        self, api: Api, database: Database, unit_id: dict[str, int]
    ) -> None:
        officer = api.as_("phutho")
        listed = officer.get(f"/v1/members?branch={unit_id['phuongvi-4']}&limit=200").json()
        ids = {item["id"] for item in listed["items"]}
        one = listed["items"][0]["id"]
        tag = officer.get(f"/v1/members/{one}").headers["etag"]
        move = {"parent_id": unit_id["tienluong"], "effective_on": "2026-01-01"}
        assert (
            officer.post(f"/v1/units/{unit_id['phuongvi-4']}/moves", json=move).status_code == 200
        )
        after = officer.get(f"/v1/members/{one}", headers={"if-none-match": tag})
        assert after.status_code == 200
        assert after.json()["commune_id"] == unit_id["tienluong"]
        assert after.json()["revision"] == 2
        for member_id in sorted(ids)[:3]:
            moves = officer.get(f"/v1/changes?entity=member&id={member_id}").json()["items"]
            assert [move["operation"] for move in moves] == [
                "created",
                "left_scope",
                "entered_scope",
            ]
            assert moves[-1]["before"] == {"commune_id": unit_id["phuongvi"]}
            assert moves[-1]["after"] == {"commune_id": unit_id["tienluong"]}
        stranger = officer.get(f"/v1/members?branch={unit_id['phuongvi-1']}&limit=1").json()
        assert stranger["items"][0]["revision"] == 1

    def test_are_seen_by_the_other_officer_from_then_on(
        self, api: Api, unit_id: dict[str, int]
    ) -> None:
        [member] = (
            api.as_("phutho")
            .get(f"/v1/members?branch={unit_id['phuongvi-4']}&limit=1")
            .json()["items"]
        )
        move = {"parent_id": unit_id["tienluong"], "effective_on": "2026-01-01"}
        api.as_("phutho").post(f"/v1/units/{unit_id['phuongvi-4']}/moves", json=move)
        assert api.as_("phuongvi").get(f"/v1/members/{member['id']}").status_code == 404
        assert api.as_("tienluong").get(f"/v1/members/{member['id']}").status_code == 200
        left = api.as_("phuongvi").get(f"/v1/changes?entity=member&id={member['id']}").json()
        assert left["items"][-1]["operation"] == "left_scope"


class TestNamesByDate:
    """A name is found, corrected and refused by the days on which it holds."""

    def rename(self, officer: Api, unit: int, name: str, on: str | None = None) -> Response:
        body = {"name": name} | ({"effective_on": on} if on else {})
        return officer.patch(f"/v1/units/{unit}", json=body)

    def test_a_search_of_another_day_is_for_the_names_of_that_day(
        self, api: Api, unit_id: dict[str, int]
    ) -> None:
        officer, unit = api.as_("phutho"), unit_id["phuongvi"]
        assert self.rename(officer, unit, "Xã Phú Khê", "2025-01-01").status_code == 200

        def found(q: str, day: str) -> list[int]:
            answer = officer.get(f"/v1/units?level=commune&q={q}&as_of={day}").json()
            return [item["id"] for item in answer["items"]]

        assert found("phuong vi", "2024-12-31") == [unit]
        assert found("phuong vi", "2025-01-01") == []
        assert found("phu khe", "2024-12-31") == []
        assert found("phu khe", "2025-01-01") == [unit]

    def test_the_same_name_from_another_day_is_refused_and_not_passed_over(
        self, api: Api, unit_id: dict[str, int]
    ) -> None:
        officer, unit = api.as_("phutho"), unit_id["phuongvi"]
        answer = self.rename(officer, unit, "Xã Phượng Vĩ", "2020-01-01")
        assert (answer.status_code, answer.json()["code"]) == (409, "unit_date_conflict")
        assert officer.get(f"/v1/units/{unit}").json()["revision"] == 1

    def test_a_slip_put_right_the_same_day_leaves_no_trace_in_the_periods(
        self, api: Api, unit_id: dict[str, int]
    ) -> None:
        officer, unit = api.as_("phutho"), unit_id["phuongvi"]
        before = officer.get(f"/v1/units/{unit}/lineage").json()["identifiers"]
        assert self.rename(officer, unit, "Xã Phuong Vi").status_code == 200
        assert self.rename(officer, unit, "Xã Phượng Vĩ").status_code == 200
        assert officer.get(f"/v1/units/{unit}/lineage").json()["identifiers"] == before

    def test_markup_and_marks_of_direction_are_no_names(
        self, api: Api, unit_id: dict[str, int]
    ) -> None:
        officer, unit = api.as_("phutho"), unit_id["phuongvi"]
        answer = self.rename(officer, unit, "<b>Xã</b>")
        assert answer.json()["errors"][0]["code"] == "name_has_symbols"
        assert self.rename(officer, unit, "Xã \u202eMới").json()["name"] == "Xã Mới"
        for code in ("=1+1", "-1", "08 398"):
            refused = officer.patch(f"/v1/units/{unit}", json={"code": code})
            assert refused.json()["errors"][0]["code"] == "wrong_format"

    def test_a_merger_names_what_it_merged_into(self, api: Api, unit_id: dict[str, int]) -> None:
        officer = api.as_("phutho")
        made = officer.post(
            "/v1/units",
            json={
                "level": "branch",
                "name": "Chi hội khu 9",
                "parent_id": unit_id["phuongvi"],
                "opened_on": "2025-01-01",
            },
        ).json()
        closing = {"closed_on": "2026-01-01", "kind": "merge"}
        answer = officer.post(f"/v1/units/{made['id']}/close", json=closing)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/successor_ids"
        assert officer.get(f"/v1/units/{made['id']}").json()["closed_on"] is None
