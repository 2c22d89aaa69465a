"""Posts: who holds which since when, and the rights that follow."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
import time_machine
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import col, func, select

from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.models.cadres.appointments import Appointment, EndReason
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change, ChangeSource
from app.models.kernel.sessions import AuthSession, RevokedReason
from app.models.members.members import Member, MemberStatus
from tests.helpers.cadres import (
    Ids,
    Json,
    account,
    appoint,
    appointment,
    done,
    forbidden,
    free_members,
    grants_of,
    invited,
    made,
    pointed,
    post_of,
    refused,
)
from tests.helpers.client import Api, as_written, counted, writing
from tests.helpers.reading import Reading

TODAY = local_today()
TERM = {"congress_number": 1, "starts_on": "2025-07-01", "ends_on": "2030-06-30"}


def day(offset: int) -> str:
    return (TODAY + timedelta(days=offset)).isoformat()


def count(database: Database, model: type[Any]) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(model)).one()


def ended(api: Api, appointment_id: str, **more: object) -> Json:
    body = {"reason": "resigned"} | more
    return done(api.post(f"/v1/appointments/{appointment_id}/end", json=body))


def items(answer: Response) -> list[Json]:
    found: list[Json] = done(answer)["items"]
    return found


def everything(api: Api, path: str) -> list[Json]:
    """All pages of a list."""
    found: list[Json] = []
    cursor = ""
    while True:
        page = done(api.get(f"{path}{'&' if '?' in path else '?'}limit=3{cursor}"))
        assert len(page["items"]) <= 3
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


class TestRequiresLogin(Reading):
    def test_every_endpoint(self, api: Api) -> None:
        one = f"/v1/appointments/{uuid4()}"
        for method, path in (
            ("GET", "/v1/posts"),
            ("GET", "/v1/appointments"),
            ("POST", "/v1/appointments"),
            ("GET", one),
            ("PATCH", one),
            ("POST", f"{one}/end"),
            ("GET", "/v1/units/1/appointments"),
        ):
            refused(api.request(method, path), 401, "not_authenticated")


class TestListPosts(Reading):
    def test_says_where_each_exists_and_what_comes_with_it(self, api: Api) -> None:
        posts = {item["post"]: item for item in done(api.as_("member").get("/v1/posts"))["items"]}
        assert posts["chair"] == {
            "post": "chair",
            "name_vi": "Chủ tịch",
            "name_en": "Chair",
            "levels": ["central", "province", "district", "commune"],
            "single": True,
            "expected": True,
            "roles": {
                "province": "province_officer",
                "district": "district_officer",
                "commune": "commune_officer",
            },
        }
        assert posts["branch_head"]["roles"] == {"branch": "branch_head"}
        assert (posts["vice_chair"]["single"], posts["committee_member"]["roles"]) == (False, {})
        assert len(posts) == 9


class TestCreateAppointment:
    def test_puts_a_member_in_a_post(self, api: Api, database: Database, unit_id: Ids) -> None:
        member, officer = free_members(database, unit_id["phuongvi-2"])[0], api.as_("phuongvi")
        answer = appoint(
            officer,
            member,
            unit_id["phuongvi"],
            "standing_member",
            title="Uỷ viên phụ trách gia đình",
            payment="part_time",
            decision_number="12/QĐ-BTV",
            decided_on="2025-07-01",
            term=TERM,
            valid_from="2025-07-02",
        )
        item = made(answer)
        assert answer.headers["location"] == f"/v1/appointments/{item['id']}"
        stored = appointment(database, item["id"])
        assert (stored.member_id, stored.province_id) == (member.id, unit_id["phutho"])
        assert (stored.valid_from, stored.valid_to) == (date(2025, 7, 2), date(2030, 6, 30))
        assert item == {
            "id": str(stored.id),
            "unit": {"id": unit_id["phuongvi"], "level": "commune", "name": "Xã Phượng Vĩ"},
            "post": "standing_member",
            "member": {
                "id": str(member.id),
                "full_name": member.full_name,
                "branch": {
                    "id": unit_id["phuongvi-2"],
                    "level": "branch",
                    "name": "Chi hội khu 2",
                },
            },
            "title": "Uỷ viên phụ trách gia đình",
            "basis": "elected",
            "acting": False,
            "payment": "part_time",
            "decision_number": "12/QĐ-BTV",
            "decided_on": "2025-07-01",
            "term": TERM,
            "valid_from": "2025-07-02",
            "valid_to": "2030-06-30",
            "ended_on": None,
            "ended_reason": None,
            "ended_note": None,
            "vacant": False,
            "vacant_since": None,
            "revision": 1,
        }
        assert done(officer.get(answer.headers["location"])) == item
        with writing(database) as session:
            logged = session.exec(select(Change).where(col(Change.entity_id) == item["id"])).one()
        assert (logged.entity, logged.source) == ("appointment", ChangeSource.api)
        assert logged.after is not None
        assert logged.after["post"] == "standing_member"

    def test_begins_today_and_is_open_unless_told(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        member = free_members(database, unit_id["phuongvi-2"])[0]
        item = made(appoint(api.as_("phuongvi"), member, unit_id["phuongvi"]))
        assert (item["valid_from"], item["valid_to"]) == (TODAY.isoformat(), None)
        assert (item["payment"], item["acting"], item["term"]) == ("none", False, None)
        other = free_members(database, unit_id["phuongvi-2"])[0]
        stays = appoint(api.as_("phuongvi"), other, unit_id["phuongvi"], term=TERM, valid_to=None)
        assert made(stays)["valid_to"] is None

    def test_sent_twice_with_an_id_makes_one(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        first, other = free_members(database, unit_id["phuongvi-2"])[:2]
        officer, mine = api.as_("phuongvi"), str(uuid4())
        item = made(appoint(officer, first, unit_id["phuongvi"], id=mine, term=TERM))
        before = count(database, Appointment)
        again = appoint(officer, first, unit_id["phuongvi"], id=mine, term=TERM)
        assert (again.status_code, again.json()) == (200, item)
        for differing in (
            appoint(officer, first, unit_id["phuongvi"], id=mine),
            appoint(officer, first, unit_id["phuongvi"], id=mine, term=TERM, title="Khác"),
            appoint(officer, other, unit_id["phuongvi"], id=mine, term=TERM),
            appoint(
                api.as_("tienluong"), self._there(database, unit_id), unit_id["tienluong"], id=mine
            ),
        ):
            refused(differing, 409, "id_taken")
        assert count(database, Appointment) == before

    def _there(self, database: Database, unit_id: Ids) -> Member:
        return free_members(database, unit_id["tienluong-1"])[0]

    def test_a_post_is_of_its_levels(self, api: Api, database: Database, unit_id: Ids) -> None:
        member, officer = free_members(database, unit_id["phuongvi-2"])[0], api.as_("phutho")
        for unit, post in (
            ("phuongvi-2", "chair"),
            ("phuongvi", "branch_head"),
            ("camkhe", "branch_deputy"),
            ("phutho", "team_head"),
        ):
            pointed(appoint(officer, member, unit_id[unit], post), "/post", "post_level_wrong")

    @pytest.mark.parametrize(
        ("sent", "pointer", "code"),
        [
            ({"term": TERM | {"ends_on": "2025-07-01"}}, "/term/ends_on", "dates_reversed"),
            ({"term": TERM | {"ends_on": "2024-06-30"}}, "/term/ends_on", "dates_reversed"),
            ({"term": {"starts_on": "2025-07-01"}}, "/term/congress_number", "required"),
            ({"valid_from": "2026-01-02", "valid_to": "2026-01-01"}, "/valid_to", "dates_reversed"),
            ({"term": TERM, "valid_from": "2030-07-01"}, "/term/ends_on", "dates_reversed"),
            ({"valid_from": "1899-12-31"}, "/valid_from", "too_small"),
            ({"valid_to": "3000-01-01"}, "/valid_to", "too_large"),
            ({"valid_from": "2025-02-29"}, "/valid_from", "date_invalid"),
            ({"post": "queen"}, "/post", "not_in_list"),
            ({"basis": "born"}, "/basis", "not_in_list"),
            ({"payment": "gold"}, "/payment", "not_in_list"),
            ({"title": ""}, "/title", "too_short"),
            ({"ended_reason": "resigned"}, "/ended_reason", "unknown_field"),
            ({"unit_id": 999_999}, "/unit_id", "unit_unknown"),
            ({"member_id": str(uuid4())}, "/member_id", "member_unknown"),
        ],
    )
    def test_fields_wrong(
        self,
        api: Api,
        database: Database,
        unit_id: Ids,
        sent: Json,
        pointer: str,
        code: str,
    ) -> None:
        member, before = free_members(database, unit_id["phuongvi-2"])[0], count(database, Change)
        body = {"member_id": str(member.id), "unit_id": unit_id["phuongvi"], "basis": "elected"}
        answer = api.as_("phuongvi").post(
            "/v1/appointments", json=body | {"post": "committee_member"} | sent
        )
        errors = refused(answer, 422, "validation_failed")["errors"]
        assert (pointer, code) in [(error["pointer"], error["code"]) for error in errors]
        assert count(database, Change) == before

    def test_a_member_or_unit_out_of_sight_is_like_none(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phuongvi")
        hers = free_members(database, unit_id["phuongvi-1"])[0]
        foreign = free_members(database, unit_id["tienluong-1"])[0]
        pointed(appoint(officer, foreign, unit_id["phuongvi"]), "/member_id", "member_unknown")
        pointed(appoint(officer, hers, unit_id["tienluong"]), "/unit_id", "unit_unknown")
        pointed(appoint(officer, hers, unit_id["camkhe"]), "/unit_id", "unit_unknown")

    def test_who_may_not(self, api: Api, database: Database, unit_id: Ids) -> None:
        member, before = free_members(database, unit_id["phuongvi-1"])[0], count(database, Change)
        for name in ("phuongvi-1", "auditor", "admin", "member"):
            answer = appoint(api.as_(name), member, unit_id["phuongvi-1"], "branch_deputy")
            forbidden(answer, "appointments:write")
        assert count(database, Change) == before

    def test_only_who_is_in_the_union(self, api: Api, database: Database, unit_id: Ids) -> None:
        gone, dead, moving = free_members(database, unit_id["phuongvi-2"])[:3]
        for member, status in (
            (gone, MemberStatus.left),
            (dead, MemberStatus.deceased),
            (moving, MemberStatus.transferring),
        ):
            with writing(database) as session:
                session.execute(
                    sa.update(Member).where(col(Member.id) == member.id).values(status=status)
                )
        officer = api.as_("phuongvi")
        refused(appoint(officer, gone, unit_id["phuongvi"]), 409, "member_state")
        refused(appoint(officer, dead, unit_id["phuongvi"]), 409, "member_state")
        assert made(appoint(officer, moving, unit_id["phuongvi"]))["post"] == "committee_member"

    def test_only_while_the_unit_is_open(self, api: Api, database: Database, unit_id: Ids) -> None:
        member, officer = free_members(database, unit_id["phuongvi-1"])[0], api.as_("phuongvi")
        body = {
            "level": "branch",
            "name": "Chi hội 9",
            "parent_id": unit_id["phuongvi"],
            "opened_on": day(-100),
        }
        branch = made(officer.post("/v1/units", json=body))["id"]
        early = appoint(officer, member, branch, "branch_deputy", valid_from=day(-101))
        refused(early, 409, "unit_not_open_yet")
        done(officer.post(f"/v1/units/{branch}/close", json={"closed_on": day(-10)}))
        refused(appoint(officer, member, branch, "branch_deputy"), 409, "unit_closed")
        over = appoint(officer, member, branch, "branch_deputy", valid_from=day(-50))
        refused(over, 409, "unit_closed")
        then = {"valid_from": day(-100), "valid_to": day(-10)}
        assert made(appoint(officer, member, branch, "branch_deputy", **then))["vacant"] is False

    def test_a_single_post_has_one_holder_at_a_time(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        member, officer = free_members(database, unit_id["phuongvi-2"])[0], api.as_("camkhe")
        chair = post_of(officer, unit_id["phuongvi"], "chair")
        before = count(database, Change)
        for more in ({}, {"acting": True}, {"valid_from": "2000-01-01"}, {"valid_from": day(900)}):
            answer = appoint(officer, member, unit_id["phuongvi"], "chair", **more)
            told = refused(answer, 409, "post_taken")["detail"]
            assert chair["member"]["full_name"] in told
            assert "Chủ tịch" in told
            assert "Xã Phượng Vĩ" in told
            assert as_written(chair["valid_from"]) in told
        english = officer.post(
            "/v1/appointments",
            json={
                "member_id": str(member.id),
                "unit_id": unit_id["phuongvi"],
                "post": "chair",
                "basis": "appointed",
            },
            headers={"accept-language": "en"},
        )
        assert "has held the post chair of Xã Phượng Vĩ" in english.json()["detail"]
        assert count(database, Change) == before
        first = date.fromisoformat(chair["valid_from"])
        past = {"valid_from": "2001-01-01", "valid_to": (first - timedelta(days=1)).isoformat()}
        assert made(appoint(officer, member, unit_id["phuongvi"], "chair", **past))["id"]

    def test_the_day_after_the_last_one_another_may_begin(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        member, officer = free_members(database, unit_id["phuongvi-2"])[0], api.as_("camkhe")
        chair = post_of(officer, unit_id["phuongvi"], "chair")
        ended(officer, chair["id"], ended_on=day(5))
        touching = appoint(officer, member, unit_id["phuongvi"], "chair", valid_from=day(4))
        refused(touching, 409, "post_taken")
        next_one = made(appoint(officer, member, unit_id["phuongvi"], "chair", valid_from=day(5)))
        assert next_one["valid_from"] == day(5)

    def test_an_acting_chair_keeps_the_post_until_she_is_ended(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        acting, chosen = free_members(database, unit_id["phuongvi-2"])[:2]
        officer = api.as_("camkhe")
        ended(officer, post_of(officer, unit_id["phuongvi"], "chair")["id"])
        stand_in = made(appoint(officer, acting, unit_id["phuongvi"], "chair", acting=True))
        refused(appoint(officer, chosen, unit_id["phuongvi"], "chair"), 409, "post_taken")
        ended(officer, stand_in["id"])
        assert made(appoint(officer, chosen, unit_id["phuongvi"], "chair"))["acting"] is False

    def test_several_vice_chairs_but_nobody_twice_in_one_post(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        first, second = free_members(database, unit_id["phuongvi-2"])[:2]
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        for member in (first, second):
            made(appoint(officer, member, commune, "vice_chair"))
        assert len(items(officer.get(f"/v1/appointments?unit={commune}&post=vice_chair"))) == 3
        told = refused(appoint(officer, first, commune, "vice_chair"), 409, "already_in_post")
        assert first.full_name in told["detail"]
        head = post_of(officer, unit_id["phuongvi-1"], "branch_head")["member"]["id"]
        again = appoint(officer, head, unit_id["phuongvi-1"], "branch_head")
        refused(again, 409, "already_in_post")
        # Different posts at the same time are usual.
        assert made(appoint(officer, first, commune, "committee_member"))["id"]

    def test_a_man_may_lead_a_branch(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-2"]
        ended(officer, post_of(officer, branch, "branch_head")["id"])
        body = {
            "branch_id": branch,
            "full_name": "Nguyễn Văn Nam",
            "birth_date": "1970",
            "gender": "male",
            "kind": "honorary",
            "joined_on": None,
        }
        man = made(officer.post("/v1/members", json=body))
        assert made(appoint(officer, man["id"], branch, "branch_head"))["member"]["id"] == man["id"]

    def test_of_two_chairs_at_once_one_is_refused(
        self, app: FastAPI, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, commune = api.as_("camkhe"), unit_id["phuongvi"]
        ended(officer, post_of(officer, commune, "chair")["id"])
        candidates = free_members(database, unit_id["phuongvi-2"])[:4]
        start = threading.Barrier(len(candidates))

        def run(member: Member) -> Response:
            mine = Api(app, officer.headers)
            start.wait()
            return appoint(mine, member, commune, "chair")

        with ThreadPoolExecutor(len(candidates)) as pool:
            answers = list(pool.map(run, candidates))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert len(items(officer.get(f"/v1/appointments?unit={commune}&post=chair"))) == 1


class TestGetAppointment(Reading):
    def test_one_in_scope(self, api: Api, unit_id: Ids) -> None:
        chair = post_of(api.as_("phuongvi"), unit_id["phuongvi"], "chair")
        path = f"/v1/appointments/{chair['id']}"
        for name in ("phutho", "camkhe", "phuongvi", "auditor"):
            assert done(api.as_(name).get(path)) == chair
        refused(api.as_("tienluong").get(path), 404, "not_found")
        refused(api.as_("phuongvi-1").get(path), 404, "not_found")
        for name in ("admin", "member"):
            forbidden(api.as_(name).get(path), "appointments:read")
        refused(api.as_("phuongvi").get(f"/v1/appointments/{uuid4()}"), 404, "not_found")

    def test_the_tag_answers_304(self, api: Api, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        path = f"/v1/appointments/{post_of(officer, unit_id['phuongvi'], 'chair')['id']}"
        tag = officer.get(path).headers["etag"]
        again = officer.get(path, headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")


class TestListAppointments(Reading):
    def test_the_officers_of_the_demo_are_its_cadres(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        for name, post in (
            ("phuongvi", "chair"),
            ("tienluong", "chair"),
            ("phuongvi-4", "branch_head"),
        ):
            officer, item = account(database, name), post_of(api.as_(name), unit_id[name], post)
            assert item["member"]["id"] == str(officer.member_id)
            assert item["member"]["full_name"] == officer.display_name
            [grant] = grants_of(database, officer.id)
            assert str(grant.appointment_id) == item["id"]

    def test_each_sees_the_posts_of_her_units(self, api: Api, unit_id: Ids) -> None:
        def seen(name: str) -> list[tuple[int, str]]:
            found = items(api.as_(name).get("/v1/appointments?limit=200"))
            return [(item["unit"]["id"], item["post"]) for item in found]

        commune = [
            (unit_id["phuongvi"], "chair"),
            (unit_id["phuongvi"], "vice_chair"),
            *((unit_id[f"phuongvi-{n}"], "branch_head") for n in range(1, 5)),
        ]
        assert seen("phuongvi") == commune
        assert seen("phuongvi-1") == [(unit_id["phuongvi-1"], "branch_head")]
        assert len(seen("tienluong")) == 5
        for name in ("phutho", "camkhe", "auditor"):
            assert seen(name) == sorted(seen(name), key=lambda place: place[0])
            assert len(seen(name)) == 11
        for name in ("admin", "member"):
            forbidden(api.as_(name).get("/v1/appointments"), "appointments:read")

    def test_pages_hold_every_post_once(self, api: Api) -> None:
        officer = api.as_("phutho")
        assert everything(officer, "/v1/appointments") == items(
            officer.get("/v1/appointments?limit=200")
        )

    def test_filters(self, api: Api, unit_id: Ids) -> None:
        officer = api.as_("phutho")

        def found(query: str) -> int:
            return len(items(officer.get(f"/v1/appointments?limit=200&{query}")))

        chair = post_of(officer, unit_id["phuongvi"], "chair")
        assert found(f"unit={unit_id['phuongvi']}") == 6
        assert found(f"unit={unit_id['camkhe']}") == 11
        assert found(f"unit={unit_id['phuongvi-3']}") == 1
        assert found("post=chair") == 2
        assert found("payment=salaried") == 2
        assert found("payment=part_time") == 1
        assert found("payment=allowance&post=chair") == 0
        assert found(f"member={chair['member']['id']}") == 1
        assert found(f"member={uuid4()}") == 0
        assert found("in_force_on=2000-01-01") == 0
        assert found("in_force_on=2025-01-01&post=chair") == 2
        assert found("all=true") == 11

    def test_parameters_wrong(self, api: Api, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        for query, pointer, code in (
            ("expiring_within=90", "/expiring_within", "wrong_format"),
            ("expiring_within=99999d", "/expiring_within", "wrong_format"),
            ("expiring_within=-1d", "/expiring_within", "wrong_format"),
            ("post=queen", "/post", "not_in_list"),
            ("vacant=true", "/vacant", "unknown_field"),
            ("sort=post", "/sort", "unknown_field"),
            ("all=true&in_force_on=2025-01-01", "/in_force_on", "not_together"),
            ("all=true&expiring_within=9d", "/expiring_within", "not_together"),
            (f"unit={unit_id['tienluong']}", "/unit", "unit_unknown"),
        ):
            pointed(officer.get(f"/v1/appointments?{query}"), pointer, code)

    def test_as_csv(self, api: Api) -> None:
        answer = api.as_("phuongvi").get("/v1/appointments", headers={"accept": "text/csv"})
        lines = answer.text.removeprefix("\ufeff").splitlines()
        assert lines[0].startswith("id,unit")
        assert len(lines) == 7

    @pytest.mark.parametrize("path", ["/v1/appointments?limit=200", "/v1/appointments?limit=2"])
    def test_costs_the_same_for_two_as_for_all(
        self, api: Api, database: Database, path: str
    ) -> None:
        officer = api.as_("phutho")
        officer.get("/v1/me")
        with counted(database) as statements:
            done(officer.get(path))
        asked = [one for one in statements if "FROM appointment" in one]
        assert len(asked) == 1
        assert len(statements) - len(asked) == statements_to_know_her(api, database)


def statements_to_know_her(api: Api, database: Database) -> int:
    """What it takes to know who is asking, which the tests do not cache."""
    officer = api.as_("phutho")
    with counted(database) as statements:
        done(officer.get("/v1/posts"))
    return len(statements)


class TestListUnitAppointments(Reading):
    def test_the_unit_and_all_below_it(self, api: Api, unit_id: Ids) -> None:
        officer = api.as_("camkhe")
        path = f"/v1/units/{unit_id['phuongvi']}/appointments"
        same = items(officer.get(f"/v1/appointments?unit={unit_id['phuongvi']}"))
        assert items(officer.get(path)) == same
        assert [item["post"] for item in items(officer.get(f"{path}?post=chair"))] == ["chair"]
        refused(api.as_("tienluong").get(path), 404, "not_found")
        refused(officer.get("/v1/units/999999/appointments"), 404, "not_found")
        forbidden(api.as_("admin").get(path), "appointments:read")
        pointed(officer.get(f"{path}?unit=1"), "/unit", "unknown_field")


class TestHolderWhoMoved:
    def test_where_she_stands_is_for_whom_she_is_in_sight(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        moved = account(database, "phuongvi-1")
        transfer(api.as_("camkhe"), moved, unit_id["tienluong-1"])
        path = f"/v1/appointments?all=true&unit={unit_id['phuongvi-1']}"
        [here] = items(api.as_("phuongvi").get(path))
        [there] = items(api.as_("camkhe").get(path))
        assert here["member"] == there["member"] | {"branch": None}
        assert there["member"]["branch"]["id"] == unit_id["tienluong-1"]
        one = done(api.as_("phuongvi").get(f"/v1/appointments/{here['id']}"))
        assert one == here
        hers = items(api.as_("phuongvi-1").get("/v1/me/appointments"))
        assert [each["member"]["branch"]["id"] for each in hers] == [unit_id["tienluong-1"]]


class TestVacancies:
    def test_the_radar_shows_what_nobody_holds(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phutho")
        path = f"/v1/units/{unit_id['phutho']}/appointments?vacant=true"

        def vacant(query: str = "") -> list[tuple[int, str, str | None]]:
            found = everything(officer, path + query)
            assert all(item["vacant"] and item["member"] is None for item in found)
            assert all(item["id"] is None for item in found)
            return [(item["unit"]["id"], item["post"], item["vacant_since"]) for item in found]

        at_first = [
            (unit_id["phutho"], "chair", None),
            (unit_id["phutho"], "vice_chair", None),
            (unit_id["camkhe"], "chair", None),
            (unit_id["camkhe"], "vice_chair", None),
            (unit_id["tienluong"], "vice_chair", None),
        ]
        assert vacant() == at_first
        ended(officer, post_of(officer, unit_id["tienluong-3"], "branch_head")["id"])
        ended(officer, post_of(officer, unit_id["phuongvi"], "chair")["id"], ended_on=day(-30))
        later = post_of(officer, unit_id["tienluong"], "chair")["id"]
        ended(officer, later, ended_on=day(1))  # she still holds it today
        assert vacant("&post=branch_head") == [(unit_id["tienluong-3"], "branch_head", day(0))]
        assert sorted(vacant("&post=chair")) == sorted(
            [
                *(row for row in at_first if row[1] == "chair"),
                (unit_id["phuongvi"], "chair", day(-30)),
            ]
        )
        member = free_members(database, unit_id["phuongvi-2"])[0]
        made(appoint(officer, member, unit_id["phuongvi"], "chair", acting=True))
        assert (unit_id["phuongvi"], "chair", day(-30)) not in vacant()

    def test_a_mistake_was_never_held(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, member = api.as_("phutho"), free_members(database, unit_id["phuongvi-2"])[0]
        wrong = made(appoint(officer, member, unit_id["tienluong"], "vice_chair"))
        path = f"/v1/units/{unit_id['tienluong']}/appointments?vacant=true"
        assert items(officer.get(path)) == []
        ended(officer, wrong["id"], reason="mistake")
        [item] = items(officer.get(path))
        assert (item["post"], item["vacant_since"], item["revision"]) == ("vice_chair", None, None)

    def test_is_bounded_by_scope_and_by_what_is_open(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        commune = f"/v1/units/{unit_id['tienluong']}/appointments?vacant=true"
        assert [item["post"] for item in items(api.as_("tienluong").get(commune))] == ["vice_chair"]
        refused(api.as_("phuongvi").get(commune), 404, "not_found")
        own = f"/v1/units/{unit_id['phuongvi']}/appointments?vacant=true"
        assert items(api.as_("phuongvi").get(own)) == []
        officer = api.as_("phuongvi")
        body = {
            "level": "branch",
            "name": "Chi hội 9",
            "parent_id": unit_id["phuongvi"],
            "opened_on": day(-9),
        }
        branch = made(officer.post("/v1/units", json=body))["id"]
        assert [item["unit"]["id"] for item in items(officer.get(own))] == [branch]
        done(officer.post(f"/v1/units/{branch}/close", json={"closed_on": day(-1)}))
        assert items(officer.get(own)) == []

    def test_other_filters_make_no_sense(self, api: Api, unit_id: Ids) -> None:
        path = f"/v1/units/{unit_id['phuongvi']}/appointments?vacant=true"
        officer = api.as_("phuongvi")
        for name, value in (
            ("payment", "salaried"),
            ("member", str(uuid4())),
            ("all", "true"),
            ("in_force_on", "2025-01-01"),
            ("expiring_within", "90d"),
        ):
            pointed(officer.get(f"{path}&{name}={value}"), f"/{name}", "not_together")

    def test_costs_the_same_for_two_as_for_all(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phutho")
        path = f"/v1/units/{unit_id['phutho']}/appointments?vacant=true"
        taken = []
        for limit in (2, 200):
            with counted(database) as statements:
                done(officer.get(f"{path}&limit={limit}"))
            taken.append(len(statements))
        assert taken[0] == taken[1]
        # Besides who is asking: the unit, and the list.
        assert taken[0] == statements_to_know_her(api, database) + 2

    def test_whose_end_is_near(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        first, second, third, fourth = free_members(database, unit_id["phuongvi-2"])[:4]

        def ending(within: int) -> set[str]:
            path = f"/v1/units/{unit_id['phuongvi']}/appointments?expiring_within={within}d"
            return {item["member"]["id"] for item in items(officer.get(path))}

        # The commune's chair and her deputy have outlived their term (until June 2026).
        overdue = ending(0)
        assert len(overdue) == 2
        for member, last in ((first, 90), (second, 91), (third, 0)):
            made(appoint(officer, member, unit_id["phuongvi"], valid_to=day(last)))
        past = {"congress_number": 20, "starts_on": "2015-01-01", "ends_on": day(-1)}
        made(appoint(officer, fourth, unit_id["phuongvi"], term=past, valid_to=day(400)))
        overdue.add(str(fourth.id))
        assert ending(0) == overdue | {str(third.id)}
        assert ending(90) == overdue | {str(first.id), str(third.id)}
        assert ending(91) == overdue | {str(first.id), str(second.id), str(third.id)}


class TestUpdateAppointment:
    def test_corrects_what_is_written(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        item = made(appoint(officer, member, unit_id["phuongvi"], term=TERM))
        changes = {
            "title": "Uỷ viên",
            "basis": "appointed",
            "payment": "salaried",
            "decision_number": "9/QĐ",
            "decided_on": "2025-06-01",
        }
        answer = officer.patch(f"/v1/appointments/{item['id']}", json=changes)
        assert done(answer) == item | changes | {"revision": 2}
        emptied = {"title": None, "decision_number": None, "term": None}
        assert done(officer.patch(f"/v1/appointments/{item['id']}", json=emptied)) == (
            item | changes | emptied | {"revision": 3}
        )
        same = officer.patch(f"/v1/appointments/{item['id']}", json={"basis": "appointed"})
        assert done(same)["revision"] == 3

    def test_a_term_is_merged_and_the_post_follows_its_end(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        item = made(appoint(officer, member, unit_id["phuongvi"], term=TERM))
        path = f"/v1/appointments/{item['id']}"
        shorter = done(officer.patch(path, json={"term": {"ends_on": "2029-12-31"}}))
        assert shorter["term"] == TERM | {"ends_on": "2029-12-31"}
        assert shorter["valid_to"] == "2029-12-31"
        own_end = done(officer.patch(path, json={"valid_to": "2029-01-01"}))
        assert own_end["term"]["ends_on"] == "2029-12-31"
        longer = done(officer.patch(path, json={"term": {"ends_on": "2030-12-31"}}))
        assert longer["valid_to"] == "2029-01-01"
        wrong = officer.patch(path, json={"term": {"ends_on": "2025-06-30"}})
        pointed(wrong, "/term/ends_on", "dates_reversed")
        assert done(officer.get(path)) == longer
        open_one = made(appoint(officer, member, unit_id["phuongvi"], "staff"))
        alone = officer.patch(
            f"/v1/appointments/{open_one['id']}", json={"term": {"ends_on": "2030-12-31"}}
        )
        pointed(alone, "/term/congress_number", "required")

    def test_dates_keep_the_rules(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, commune = api.as_("camkhe"), unit_id["phuongvi"]
        member = free_members(database, unit_id["phuongvi-2"])[0]
        chair = post_of(officer, commune, "chair")
        ended(officer, chair["id"])
        new = made(appoint(officer, member, commune, "chair"))
        path = f"/v1/appointments/{new['id']}"
        refused(officer.patch(path, json={"valid_from": day(-1)}), 409, "post_taken")
        pointed(officer.patch(path, json={"valid_to": day(-1)}), "/valid_to", "dates_reversed")
        pointed(officer.patch(path, json={"valid_from": None}), "/valid_from", "not_null")
        late = officer.patch(path, json={"valid_from": "1990-01-01"})
        refused(late, 409, "unit_not_open_yet")
        back = officer.patch(f"/v1/appointments/{chair['id']}", json={"valid_to": None})
        pointed(back, "/valid_to", "not_null")
        again = officer.patch(f"/v1/appointments/{chair['id']}", json={"valid_to": day(0)})
        refused(again, 409, "post_taken")
        assert done(officer.get(path)) == new
        corrected = officer.patch(f"/v1/appointments/{chair['id']}", json={"valid_to": day(-3)})
        assert done(corrected)["ended_on"] == day(-2)

    def test_a_stale_tag_is_refused(self, api: Api, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        path = f"/v1/appointments/{post_of(officer, unit_id['phuongvi'], 'vice_chair')['id']}"
        tag = officer.get(path).headers["etag"]
        headers = {"if-match": tag}
        assert done(officer.patch(path, json={"title": "Một"}, headers=headers))["revision"] == 2
        refused(officer.patch(path, json={"title": "Hai"}, headers=headers), 412, "stale_revision")
        assert done(officer.get(path))["title"] == "Một"

    def test_who_may_not(self, api: Api, database: Database, unit_id: Ids) -> None:
        head = post_of(api.as_("phuongvi"), unit_id["phuongvi-1"], "branch_head")
        path, before = f"/v1/appointments/{head['id']}", appointment(database, head["id"])
        for method, url, body in (
            ("PATCH", path, {"title": "x"}),
            ("POST", f"{path}/end", {"reason": "dismissed"}),
        ):
            for name in ("phuongvi-1", "auditor"):
                forbidden(api.as_(name).request(method, url, json=body), "appointments:write")
            for name in ("admin", "member"):
                forbidden(api.as_(name).request(method, url, json=body), "appointments:read")
            refused(api.as_("tienluong").request(method, url, json=body), 404, "not_found")
            gone = url.replace(head["id"], str(uuid4()))
            refused(api.as_("phuongvi").request(method, gone, json=body), 404, "not_found")
        assert appointment(database, head["id"]) == before

    def test_nobody_gives_herself_a_post_or_more_days_in_it(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        chair, commune = account(database, "phuongvi"), unit_id["phuongvi"]
        mine, above = api.as_("phuongvi"), api.as_("camkhe")
        path = f"/v1/appointments/{post_of(above, commune, 'chair')['id']}"
        done(above.patch(path, json={"valid_to": day(30)}))
        before = appointment(database, path.rpartition("/")[2])
        for sent in (
            {"valid_to": "2999-12-31"},
            {"valid_to": None},
            {"valid_from": (before.valid_from - timedelta(days=1)).isoformat()},
            {"term": TERM, "valid_to": day(31)},
        ):
            refused(mine.patch(path, json=sent), 409, "own_appointment")
        hers = str(chair.member_id)
        refused(appoint(mine, hers, commune, "vice_chair"), 409, "own_appointment")
        assert appointment(database, before.id) == before
        assert done(mine.patch(path, json={"valid_to": day(29), "title": "Bà"}))["title"] == "Bà"
        # What is below her is not her own unit: there she decides.
        assert made(appoint(mine, hers, unit_id["phuongvi-1"], "branch_deputy"))["member"]

    def test_who_answers_for_the_unit_above_may(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        chair = account(database, "phuongvi")
        role = {"unit_id": unit_id["camkhe"], "role": "district_officer"}
        made(api.as_("phutho").post(f"/v1/accounts/{chair.id}/grants", json=role))
        mine = api.as_("phuongvi")
        path = f"/v1/appointments/{post_of(mine, unit_id['phuongvi'], 'chair')['id']}"
        assert done(mine.patch(path, json={"valid_to": day(31)}))["valid_to"] == day(31)


class TestEndAppointment:
    def test_today_means_not_held_today(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        head = post_of(officer, unit_id["phuongvi-1"], "branch_head")
        item = ended(officer, head["id"], reason="retired", note="Theo nguyện vọng")
        assert item == head | {
            "valid_to": day(-1),
            "ended_on": day(0),
            "ended_reason": "retired",
            "ended_note": "Theo nguyện vọng",
            "revision": 2,
        }
        stored = appointment(database, head["id"])
        assert stored.valid_to == TODAY - timedelta(days=1)
        assert stored.ended_reason is EndReason.retired
        now = items(officer.get(f"/v1/appointments?unit={unit_id['phuongvi-1']}"))
        assert now == []
        ever = items(officer.get(f"/v1/appointments?unit={unit_id['phuongvi-1']}&all=true"))
        assert [one["id"] for one in ever] == [head["id"]]
        again = officer.post(f"/v1/appointments/{head['id']}/end", json={"reason": "retired"})
        assert as_written(day(0)) in refused(again, 409, "appointment_ended")["detail"]

    def test_dates(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        item = made(
            appoint(officer, member, unit_id["phuongvi"], valid_from=day(-5), valid_to=day(5))
        )
        path = f"/v1/appointments/{item['id']}/end"
        for sent, pointer, code in (
            ({"ended_on": day(-6), "reason": "resigned"}, "/ended_on", "dates_reversed"),
            ({"ended_on": day(7), "reason": "resigned"}, "/ended_on", "too_large"),
            ({"ended_on": day(1), "reason": "tired"}, "/reason", "not_in_list"),
            ({"ended_on": day(1)}, "/reason", "required"),
        ):
            pointed(officer.post(path, json=sent), pointer, code)
        assert appointment(database, item["id"]).ended_reason is None
        kept = ended(officer, item["id"], ended_on=day(6), reason="term_ended")
        assert (kept["valid_to"], kept["ended_on"]) == (day(5), day(6))
        never = made(appoint(officer, member, unit_id["phuongvi"], "staff"))
        gone = ended(officer, never["id"], ended_on=day(0), reason="mistake")
        assert (gone["valid_from"], gone["valid_to"]) == (day(0), day(-1))
        coming = made(appoint(officer, member, unit_id["phuongvi"], "staff", valid_from=day(9)))
        assert ended(officer, coming["id"])["ended_on"] == day(9)

    def test_until_it_has_ended_it_may_end_sooner(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("camkhe")
        chair = post_of(officer, unit_id["phuongvi"], "chair")
        ended(officer, chair["id"], ended_on="2099-01-01", reason="term_ended")
        path = f"/v1/appointments/{chair['id']}/end"
        later = officer.post(path, json={"ended_on": "2099-01-02", "reason": "resigned"})
        pointed(later, "/ended_on", "too_large")
        now = ended(officer, chair["id"], reason="dismissed")
        assert (now["ended_on"], now["ended_reason"]) == (day(0), "dismissed")
        assert rights(api, "phuongvi") == []
        again = officer.post(path, json={"ended_on": day(-1), "reason": "resigned"})
        refused(again, 409, "appointment_ended")

    def test_one_that_the_calendar_has_ended_may_be_told_why(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        past = {"valid_from": day(-50), "valid_to": day(-20)}
        item = made(appoint(officer, member, unit_id["phuongvi"], **past))
        told = ended(officer, item["id"], reason="term_ended")
        assert (told["valid_to"], told["ended_on"]) == (day(-20), day(-19))


def rights(api: Api, username: str) -> list[str]:
    found: list[str] = done(api.as_(username).get("/v1/me"))["rights"]
    return found


class TestRightsFollowThePost:
    def test_a_chairs_term_ends_and_her_rights_end_that_minute(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, commune = api.as_("camkhe"), unit_id["phuongvi"]
        last = TODAY + timedelta(days=30)
        chair = post_of(officer, commune, "chair")
        path = f"/v1/appointments/{chair['id']}"
        done(officer.patch(path, json={"valid_to": last.isoformat()}))

        def at(day: date, hour: int, minute: int) -> Response:
            # Days are days in Vietnam: seven hours ahead of UTC.
            local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
            with time_machine.travel(local - timedelta(hours=7), tick=False):
                return api.as_("phuongvi").get("/v1/members?limit=1")

        assert done(at(last, 23, 59))["items"]
        forbidden(at(last + timedelta(days=1), 0, 0), "members:read")

    def test_ended_today_they_end_now(self, api: Api, database: Database, unit_id: Ids) -> None:
        chair_herself, officer = api.as_("phuongvi"), api.as_("camkhe")
        assert done(chair_herself.get("/v1/members?limit=1"))["items"]
        chair = post_of(officer, unit_id["phuongvi"], "chair")
        ended(officer, chair["id"], reason="dismissed")
        forbidden(chair_herself.get("/v1/members?limit=1"), "members:read")
        [grant] = grants_of(database, account(database, "phuongvi").id)
        assert grant.valid_to == TODAY - timedelta(days=1)

    def test_the_cached_token_is_forgotten_too(
        self,
        api: Api,
        app: FastAPI,
        database: Database,
        unit_id: Ids,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(serving(app).signin.settings, "token_recheck_seconds", 4.0)
        chair_herself, officer = api.as_("phuongvi"), api.as_("camkhe")
        chair = post_of(officer, unit_id["phuongvi"], "chair")
        assert done(chair_herself.get("/v1/members?limit=1"))["items"]
        ended(officer, chair["id"])
        forbidden(chair_herself.get("/v1/members?limit=1"), "members:read")

    def test_ended_later_they_end_then(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer = api.as_("camkhe")
        chair = post_of(officer, unit_id["phuongvi"], "chair")
        ended(officer, chair["id"], ended_on=day(3))
        [grant] = grants_of(database, account(database, "phuongvi").id)
        assert grant.valid_to == TODAY + timedelta(days=2)
        assert done(api.as_("phuongvi").get("/v1/members?limit=1"))["items"]

    def test_a_new_post_brings_its_role_and_a_mistake_takes_it_back(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, holder = api.as_("phuongvi"), account(database, "member")
        head = post_of(officer, unit_id["phuongvi-1"], "branch_head")
        ended(officer, head["id"], ended_on=day(-1))
        assert rights(api, "member") == []
        mine = made(
            appoint(
                officer,
                str(holder.member_id),
                unit_id["phuongvi-1"],
                "branch_head",
                valid_to=day(10),
            )
        )
        grant = grants_of(database, holder.id)[-1]
        assert (str(grant.appointment_id), grant.role.value) == (mine["id"], "branch_head")
        assert (grant.valid_from, grant.valid_to) == (TODAY, TODAY + timedelta(days=10))
        assert grant.granted_by == account(database, "phuongvi").id
        assert "members:write" in rights(api, "member")
        [shown] = [
            one for one in done(api.as_("member").get("/v1/me"))["grants"] if one["appointment_id"]
        ]
        assert shown["appointment_id"] == mine["id"]
        path = f"/v1/appointments/{mine['id']}"
        done(officer.patch(path, json={"valid_to": day(20), "valid_from": day(-1)}))
        grant = grants_of(database, holder.id)[-1]
        assert grant.valid_from == TODAY - timedelta(days=1)
        assert grant.valid_to == TODAY + timedelta(days=20)
        done(officer.patch(path, json={"valid_from": day(0)}))
        ended(officer, mine["id"], reason="mistake")
        assert [one.appointment_id for one in grants_of(database, holder.id)] == [None]
        assert rights(api, "member") == []

    def test_a_post_without_a_role_brings_none(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        holder = account(database, "member")
        before = grants_of(database, holder.id)
        made(appoint(api.as_("phuongvi"), str(holder.member_id), unit_id["phuongvi"]))
        assert grants_of(database, holder.id) == before

    def test_whoever_invited_her_may_hold_the_way_in_still(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        """The admin invited her; the commune says whose account it is, after a reset of its own."""
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        new = invited(api.as_("admin"), "lan", unit_id["phuongvi"])
        link = {"member_id": str(member.id)}
        path = f"/v1/accounts/{new['id']}"
        refused(officer.patch(path, json=link), 409, "reset_first")
        done(officer.post(f"{path}/reset"))
        assert done(officer.patch(path, json=link))["member_id"] == str(member.id)
        # Invited by a branch's officer above: the admin cannot take over her account again.
        told = refused(api.as_("admin").post(f"{path}/reset"), 403, "grant_exceeds_own")
        assert told["required_right"] == "members:citizen_id"
        assert made(appoint(officer, member, unit_id["phuongvi"], "vice_chair"))["id"]
        assert [grant.role.value for grant in grants_of(database, new["id"])] == ["commune_officer"]

    def test_nobody_appoints_to_more_than_she_holds(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        """The account was armed by a commune officer; the post is of the district."""
        member = free_members(database, unit_id["phuongvi-2"])[0]
        above, officer = api.as_("camkhe"), api.as_("phuongvi")
        new = invited(officer, "lan", unit_id["phuongvi"], member_id=str(member.id))
        answer = appoint(above, member, unit_id["camkhe"], "chair")
        refused(answer, 409, "reset_first")
        assert items(above.get(f"/v1/appointments?member={member.id}")) == []
        assert grants_of(database, new["id"]) == []

    def test_a_grant_of_a_post_is_not_ended_by_itself(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        holder = account(database, "phuongvi-1")
        [grant] = grants_of(database, holder.id)
        path = f"/v1/accounts/{holder.id}/grants/{grant.id}"
        told = refused(api.as_("phuongvi").delete(path), 409, "grant_follows_post")
        assert told["appointment_id"] == str(grant.appointment_id)
        assert grants_of(database, holder.id) == [grant]


class TestAccountsOfMembers:
    def test_a_new_account_gets_the_roles_of_her_posts(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        past = {"valid_from": day(-50), "valid_to": day(-20)}
        made(appoint(officer, member, unit_id["phuongvi"], "vice_chair", **past))
        held = made(appoint(officer, member, unit_id["phuongvi"], "vice_chair"))
        made(appoint(officer, member, unit_id["phuongvi"]))
        new = invited(officer, "lan", unit_id["phuongvi"], member_id=str(member.id))
        assert new["member_id"] == str(member.id)
        [grant] = grants_of(database, new["id"])
        assert (str(grant.appointment_id), grant.role.value) == (held["id"], "commune_officer")
        assert [one["appointment_id"] for one in new["grants"]] == [held["id"]]

    def test_sent_twice_it_is_one_account(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        made(appoint(officer, member, unit_id["phuongvi"], "vice_chair"))
        body = {
            "id": str(uuid4()),
            "username": "lan",
            "display_name": "Lan",
            "unit_id": unit_id["phuongvi"],
            "member_id": str(member.id),
        }
        first = made(officer.post("/v1/accounts", json=body))
        again = done(officer.post("/v1/accounts", json=body))
        assert again == first | {"code": None, "code_expires_at": None}
        other = free_members(database, unit_id["phuongvi-2"])[0]
        changed = body | {"member_id": str(other.id)}
        refused(officer.post("/v1/accounts", json=changed), 409, "id_taken")

    def test_a_post_given_in_the_same_moment_is_not_missed(
        self, app: FastAPI, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phuongvi")
        for number, member in enumerate(free_members(database, unit_id["phuongvi-2"])[:4]):
            new = invited(officer, f"lan{number}", unit_id["phuongvi"])
            start = threading.Barrier(2)

            def link(new: Json = new, member: Member = member, start: Any = start) -> Response:
                mine = Api(app, officer.headers)
                start.wait()
                body = {"member_id": str(member.id)}
                return mine.patch(f"/v1/accounts/{new['id']}", json=body)

            def give(member: Member = member, start: Any = start) -> Response:
                mine = Api(app, officer.headers)
                start.wait()
                return appoint(mine, member, unit_id["phuongvi"], "vice_chair")

            with ThreadPoolExecutor(2) as pool:
                linked, given = pool.submit(link), pool.submit(give)
            done(linked.result())
            post = made(given.result())
            [grant] = grants_of(database, new["id"])
            assert str(grant.appointment_id) == post["id"]

    def test_a_member_has_one_account(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, owner = api.as_("phuongvi"), account(database, "member")
        body = {
            "username": "lan",
            "display_name": "Lan",
            "unit_id": unit_id["phuongvi"],
            "member_id": str(owner.member_id),
        }
        refused(officer.post("/v1/accounts", json=body), 409, "member_has_account")
        new = invited(officer, "lan", unit_id["phuongvi"])
        link = officer.patch(f"/v1/accounts/{new['id']}", json={"member_id": str(owner.member_id)})
        refused(link, 409, "member_has_account")
        assert account(database, "lan").member_id is None

    def test_an_account_never_becomes_anothers(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, owner = api.as_("phuongvi"), account(database, "member")
        path, other = f"/v1/accounts/{owner.id}", free_members(database, unit_id["phuongvi-1"])[0]
        refused(officer.patch(path, json={"member_id": str(other.id)}), 409, "account_linked")
        same = done(officer.patch(path, json={"member_id": str(owner.member_id)}))
        assert same["member_id"] == str(owner.member_id)
        assert account(database, "member").member_id == owner.member_id

    def test_whose_account_it_may_be(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        foreign = free_members(database, unit_id["tienluong-1"])[0]
        body = {"username": "lan", "display_name": "Lan", "unit_id": unit_id["phuongvi"]}
        unseen = officer.post("/v1/accounts", json=body | {"member_id": str(foreign.id)})
        pointed(unseen, "/member_id", "member_unknown")
        by_admin = api.as_("admin").post("/v1/accounts", json=body | {"member_id": str(member.id)})
        pointed(by_admin, "/member_id", "member_unknown")
        program = officer.post(
            "/v1/accounts", json=body | {"member_id": str(member.id), "kind": "client"}
        )
        refused(program, 409, "wrong_account_kind")
        new = invited(officer, "lan", unit_id["phuongvi"])
        same = done(officer.patch(f"/v1/accounts/{new['id']}", json={"member_id": None}))
        assert (same["member_id"], same["revision"]) == (None, new["revision"])

    def test_nobody_links_her_own(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, stranger = api.as_("camkhe"), free_members(database, unit_id["tienluong-2"])[0]
        own = account(database, "camkhe")
        link = officer.patch(f"/v1/accounts/{own.id}", json={"member_id": str(stranger.id)})
        refused(link, 409, "own_account")
        assert account(database, "camkhe") == own
        refused(officer.get("/v1/me/member"), 404, "no_own_record")
        linked = account(database, "phuongvi")
        unlink = api.as_("phuongvi").patch(f"/v1/accounts/{linked.id}", json={"member_id": None})
        refused(unlink, 409, "own_account")
        assert account(database, "phuongvi") == linked

    def test_a_wrong_link_is_taken_back_with_what_came_by_it(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        head = account(database, "phuongvi-1")
        by_hand = {"unit_id": unit_id["phuongvi-2"], "role": "auditor"}
        made(api.as_("phuongvi").post(f"/v1/accounts/{head.id}/grants", json=by_hand))
        handed_on = {
            "member_id": str(head.member_id),
            "unit_id": unit_id["phuongvi-3"],
            "rights": ["members:read"],
            "valid_to": day(9),
        }
        made(api.as_("phuongvi").post("/v1/delegations", json=handed_on))
        path, empty = f"/v1/accounts/{head.id}", {"member_id": None}
        forbidden(api.as_("auditor").patch(path, json=empty), "accounts:write")
        refused(api.as_("tienluong").patch(path, json=empty), 404, "not_found")
        told = refused(api.as_("admin").patch(path, json=empty), 403, "grant_exceeds_own")
        assert told["required_right"] == "members:citizen_id"
        assert account(database, "phuongvi-1") == head
        shown = done(api.as_("phuongvi").patch(path, json=empty))
        assert shown["member_id"] is None
        assert [one["role"] for one in shown["grants"]] == ["auditor"]
        refused(api.as_("phuongvi-1").get("/v1/me/member"), 404, "no_own_record")
        # Her posts are hers still, and bring their roles to the account that is.
        new = invited(api.as_("phuongvi"), "lan", unit_id["phuongvi"])
        link = {"member_id": str(head.member_id)}
        right = done(api.as_("phuongvi").patch(f"/v1/accounts/{new['id']}", json=link))
        assert [one["role"] for one in right["grants"]] == ["branch_head"]

    def test_a_delegation_is_no_role_to_grant(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        path = f"/v1/accounts/{account(database, 'member').id}/grants"
        body = {"unit_id": unit_id["phuongvi-1"], "role": "delegate"}
        pointed(api.as_("phuongvi").post(path, json=body), "/role", "not_in_list")


class TestWhatEndsWithSomethingElse:
    def test_a_closed_unit_has_no_cadres_and_no_officers(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        body = {
            "level": "branch",
            "name": "Chi hội 9",
            "parent_id": unit_id["phuongvi"],
            "opened_on": day(-100),
        }
        branch = made(officer.post("/v1/units", json=body))["id"]
        new = invited(officer, "lan", branch, member_id=str(member.id))
        held = made(appoint(officer, member, branch, "branch_head", valid_from=day(-50)))
        coming = made(appoint(officer, member, branch, "branch_deputy", valid_from=day(50)))
        helper = account(database, "member")
        role = {"unit_id": branch, "role": "auditor"}
        made(officer.post(f"/v1/accounts/{helper.id}/grants", json=role))
        later = role | {"role": "branch_head", "valid_from": day(20)}
        made(officer.post(f"/v1/accounts/{helper.id}/grants", json=later))
        kept = grants_of(database, helper.id)[0]
        assert "members:write" in rights(api, "lan")
        done(officer.post(f"/v1/units/{branch}/close", json={"closed_on": day(-3)}))
        head = done(officer.get(f"/v1/appointments/{held['id']}"))
        assert (head["valid_to"], head["ended_reason"]) == (day(-3), "reorganised")
        deputy = done(officer.get(f"/v1/appointments/{coming['id']}"))
        assert (deputy["valid_from"], deputy["valid_to"]) == (day(50), day(49))
        [grant] = grants_of(database, new["id"])
        assert grant.valid_to == TODAY - timedelta(days=3)
        assert rights(api, "lan") == []
        # One of today had not begun by the last day, nor had the one of later: they never were.
        assert grants_of(database, helper.id) == [kept]

    def test_leaving_the_union_ends_all_her_posts_and_rights(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, chair = api.as_("camkhe"), account(database, "phuongvi")
        assert chair.member_id is not None
        also = made(appoint(officer, str(chair.member_id), unit_id["phuongvi"], "staff"))
        left = {"reason": "moved_away"}
        made(officer.post(f"/v1/members/{chair.member_id}/departures", json=left))
        hers = items(officer.get(f"/v1/appointments?all=true&member={chair.member_id}"))
        assert {(one["post"], one["ended_reason"]) for one in hers} == {
            ("chair", "left_union"),
            ("staff", "left_union"),
        }
        assert [one["valid_to"] for one in hers] == [day(-1), day(-1)]
        assert done(officer.get(f"/v1/appointments/{also['id']}"))["ended_on"] == day(0)
        assert rights(api, "phuongvi") == []

    def test_leaving_the_branch_ends_those_of_the_branch(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, head = api.as_("phuongvi"), account(database, "phuongvi-1")
        assert head.member_id is not None
        made(appoint(officer, str(head.member_id), unit_id["phuongvi"]))
        team = {
            "level": "group",
            "group_kind": "team",
            "name": "Tổ 1",
            "parent_id": unit_id["phuongvi-1"],
            "opened_on": day(-9),
        }
        group = made(officer.post("/v1/units", json=team))["id"]
        made(appoint(officer, str(head.member_id), group, "team_head"))
        moved = {"to_branch_id": unit_id["phuongvi-2"], "reason": "Lấy chồng"}
        made(officer.post(f"/v1/members/{head.member_id}/transfers", json=moved))
        hers = items(officer.get(f"/v1/appointments?member={head.member_id}"))
        assert [one["post"] for one in hers] == ["committee_member"]
        assert rights(api, "phuongvi-1") == []
        with writing(database) as session:
            grants = session.exec(select(Grant).where(col(Grant.account_id) == head.id)).all()
        assert [grant.valid_to for grant in grants] == [TODAY - timedelta(days=1)]

    def test_expelled_she_keeps_no_right_by_hand_or_by_delegation(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, expelled = api.as_("phuongvi"), account(database, "member")
        made(delegated(officer, expelled, unit_id["phuongvi"]))
        role = {"unit_id": unit_id["phuongvi-1"], "role": "branch_head", "valid_from": day(-9)}
        made(officer.post(f"/v1/accounts/{expelled.id}/grants", json=role))
        assert "members:write" in rights(api, "member")
        departure = {"reason": "expelled"}
        made(officer.post(f"/v1/members/{expelled.member_id}/departures", json=departure))
        her = api.as_("member")
        other = free_members(database, unit_id["phuongvi-1"])[0]
        forbidden(her.get("/v1/members"), "members:read")
        patch = her.patch(f"/v1/members/{other.id}", json={"address": "Khu 1"})
        forbidden(patch, "members:read")
        # The delegation of today had not begun by yesterday: it never was.
        assert {one.valid_to for one in grants_of(database, expelled.id)} == {
            TODAY - timedelta(days=1)
        }
        assert len(grants_of(database, expelled.id)) == 2
        assert done(her.get("/v1/me/member"))["status"] == "left"
        assert account(database, "member").status == "active"

    def test_in_another_commune_she_holds_nothing_of_the_old_one(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        moving, above = account(database, "member"), api.as_("camkhe")
        stays = made(delegated(above, moving, unit_id["camkhe"], rights=["units:read"]))
        made(delegated(api.as_("phuongvi"), moving, unit_id["phuongvi"]))
        made(delegated(above, moving, unit_id["tienluong-2"]))
        role = {"unit_id": unit_id["phuongvi-2"], "role": "auditor"}
        made(above.post(f"/v1/accounts/{moving.id}/grants", json=role))
        transfer(above, moving, unit_id["tienluong-1"])
        shown = done(api.as_("member").get("/v1/me"))
        assert [one["id"] for one in shown["grants"]] == [stays["id"]]
        assert shown["unit"]["id"] == unit_id["tienluong-1"]
        with writing(database) as session:
            logged = session.exec(
                select(Change).where(
                    col(Change.entity_id) == str(moving.id), col(Change.operation) == "moved"
                )
            ).one()
        assert (logged.before, logged.after) == (
            {"unit_id": unit_id["phuongvi-1"]},
            {"unit_id": unit_id["tienluong-1"]},
        )

    def test_within_the_commune_she_keeps_what_reaches_her(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        moving, officer = account(database, "member"), api.as_("phuongvi")
        stays = made(delegated(officer, moving, unit_id["phuongvi"]))
        made(delegated(officer, moving, unit_id["phuongvi-1"]))
        made(delegated(officer, moving, unit_id["phuongvi-3"]))
        role = {"unit_id": unit_id["phuongvi-3"], "role": "auditor"}
        made(officer.post(f"/v1/accounts/{moving.id}/grants", json=role))
        transfer(officer, moving, unit_id["phuongvi-2"])
        shown = done(api.as_("member").get("/v1/me"))["grants"]
        assert [(one["id"], one["role"]) for one in shown] == [
            (stays["id"], "delegate"),
            (shown[1]["id"], "auditor"),
        ]

    def test_a_chair_who_moves_to_another_commune_is_its_chair_no_more(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        chair, above = account(database, "phuongvi"), api.as_("camkhe")
        district = made(appoint(above, str(chair.member_id), unit_id["camkhe"]))
        transfer(above, chair, unit_id["tienluong-1"])
        hers = items(above.get(f"/v1/appointments?all=true&member={chair.member_id}"))
        assert {one["post"]: one["ended_reason"] for one in hers} == {
            "chair": "transferred",
            "committee_member": None,
        }
        assert done(above.get(f"/v1/appointments/{district['id']}"))["ended_on"] is None
        assert rights(api, "phuongvi") == []

    def test_nobody_signs_in_for_the_dead(self, api: Api, database: Database, unit_id: Ids) -> None:
        dead, her = account(database, "phuongvi-1"), api.as_("phuongvi-1")
        made(
            api.as_("phuongvi").post(
                f"/v1/members/{dead.member_id}/death", json={"died_on": day(0)}
            )
        )
        refused(her.get("/v1/me"), 401, "invalid_token")
        assert account(database, "phuongvi-1").status == "disabled"
        with writing(database) as session:
            reasons = session.exec(
                select(AuthSession.revoked_reason).where(col(AuthSession.account_id) == dead.id)
            ).all()
        assert set(reasons) == {RevokedReason.account_disabled}

    @pytest.mark.parametrize("armed_by", ["phuongvi", "camkhe"])
    def test_a_code_of_who_sees_her_no_more_is_void(
        self, api: Api, database: Database, unit_id: Ids, armed_by: str
    ) -> None:
        member = free_members(database, unit_id["phuongvi-2"])[0]
        new = invited(api.as_(armed_by), "lan", unit_id["phuongvi"], member_id=str(member.id))
        lan = account(database, "lan")
        transfer(api.as_("camkhe"), lan, unit_id["phuongvi-3"])
        assert account(database, "lan").code_digest == lan.code_digest
        transfer(api.as_("camkhe"), lan, unit_id["tienluong-1"])
        by_code = {"grant_type": "password", "username": "lan", "password": new["code"]}
        answer = api.post("/v1/auth/token", data=by_code)
        if armed_by == "camkhe":
            assert done(answer)["scope"] == ""
            return
        refused(answer, 401, "bad_credentials")
        stored = account(database, "lan")
        assert (stored.code_digest, stored.code_expires_at) == (None, None)
        path = f"/v1/accounts/{new['id']}/reset"
        refused(api.as_("phuongvi").post(path), 404, "not_found")
        code = done(api.as_("tienluong").post(path))["code"]
        assert done(api.post("/v1/auth/token", data=by_code | {"password": code}))["scope"] == ""

    def test_at_once_with_a_transfer_and_a_reset(
        self, app: FastAPI, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-2"]
        for number, member in enumerate(free_members(database, branch)[:6]):
            new = invited(officer, f"lan{number}", branch, member_id=str(member.id))
            moved = {"to_branch_id": unit_id["phuongvi-3"], "reason": "Lấy chồng"}
            calls: list[tuple[str, Json]] = [
                (
                    "/v1/appointments",
                    {
                        "member_id": str(member.id),
                        "unit_id": branch,
                        "post": "branch_deputy",
                        "basis": "elected",
                    },
                ),
                (f"/v1/members/{member.id}/transfers", moved),
                (f"/v1/accounts/{new['id']}/reset", {}),
            ]
            start = threading.Barrier(len(calls))

            def send(call: tuple[str, Json], start: threading.Barrier = start) -> Response:
                mine = Api(app, officer.headers)
                start.wait()
                return mine.post(call[0], json=call[1]) if call[1] else mine.post(call[0])

            with ThreadPoolExecutor(len(calls)) as pool:
                answers = list(pool.map(send, calls))
            assert [answer.status_code for answer in answers] == [201, 201, 200]


def delegated(api: Api, deputy: Account, unit: int, **more: object) -> Response:
    body = {"member_id": str(deputy.member_id), "unit_id": unit, "valid_to": day(300)}
    body["rights"] = ["units:read", "members:read"]
    return api.post("/v1/delegations", json=body | more)


def transfer(api: Api, moving: Account, branch: int) -> None:
    body = {"to_branch_id": branch, "reason": "Lấy chồng"}
    answer = api.post(f"/v1/members/{moving.member_id}/transfers", json=body)
    assert made(answer)["state"] == "accepted"


class TestHeadOfABranch:
    def test_is_who_holds_the_post(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-2"]

        def head() -> Json | None:
            found = items(officer.get("/v1/branches"))
            shown: Json | None = next(one["head"] for one in found if one["id"] == branch)
            return shown

        ended(officer, post_of(officer, branch, "branch_head")["id"])
        assert head() is None
        member = free_members(database, branch)[0]
        made(appoint(officer, member, branch, "branch_head"))
        expected = {"account_id": None, "member_id": str(member.id), "name": member.full_name}
        assert head() == expected
        new = invited(officer, "lan", branch, member_id=str(member.id))
        assert head() == expected | {"account_id": new["id"]}
