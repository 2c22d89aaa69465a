"""Posts: who holds which since when, and the rights that follow."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import col, func, select

from app.clock import local_today
from app.db import Database
from app.models.cadres.appointments import Appointment, EndReason
from app.models.kernel.changes import Change, ChangeSource
from app.models.members.members import Member, MemberStatus
from tests.cadres.appointments import day, ended, items, rights
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import (
    Ids,
    account,
    appoint,
    appointment,
    done,
    forbidden,
    free_members,
    made,
    post_of,
)
from tests.helpers.client import Api, as_written, writing

TERM = {"congress_number": 1, "starts_on": "2025-07-01", "ends_on": "2030-06-30"}


def count(database: Database, model: type[Any]) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(model)).one()


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
            "reason": None,
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
        assert (item["valid_from"], item["valid_to"]) == (local_today().isoformat(), None)
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
            ({"valid_from": "1899-12-31"}, "/valid_from", "date_too_early"),
            ({"valid_to": "3000-01-01"}, "/valid_to", "date_too_late"),
            ({"valid_from": "2025-02-29"}, "/valid_from", "date_invalid"),
            ({"post": "queen"}, "/post", "not_in_list"),
            ({"basis": "born"}, "/basis", "not_in_list"),
            ({"payment": "gold"}, "/payment", "not_in_list"),
            ({"title": ""}, "/title", "too_short"),
            ({"reason": "resigned"}, "/reason", "unknown_field"),
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
        for name, right in (
            ("phuongvi-1", "appointments:write"),
            ("auditor", "appointments:write"),
            ("admin", "members:read"),
            ("member", "members:read"),
        ):
            answer = appoint(api.as_(name), member, unit_id["phuongvi-1"], "branch_deputy")
            forbidden(answer, right)
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
        done(officer.post(f"/v1/units/{branch}/close", json={"effective_on": day(-9)}))
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
        ended(officer, chair["id"], effective_on=day(5))
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
        told = refused(appoint(officer, chosen, unit_id["phuongvi"], "chair"), 409, "post_taken")
        assert told["appointment_id"] == post_of(officer, unit_id["phuongvi"], "chair")["id"]
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

    @pytest.mark.race
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
        assert done(corrected)["ended_on"] == day(-3)

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
            "ended_on": day(-1),
            "reason": "retired",
            "ended_note": "Theo nguyện vọng",
            "revision": 2,
        }
        stored = appointment(database, head["id"])
        assert stored.valid_to == local_today() - timedelta(days=1)
        assert stored.reason is EndReason.retired
        now = items(officer.get(f"/v1/appointments?unit={unit_id['phuongvi-1']}"))
        assert now == []
        ever = items(officer.get(f"/v1/appointments?unit={unit_id['phuongvi-1']}&all=true"))
        assert [one["id"] for one in ever] == [head["id"]]
        again = officer.post(f"/v1/appointments/{head['id']}/end", json={"reason": "retired"})
        assert as_written(day(-1)) in refused(again, 409, "appointment_ended")["detail"]

    def test_dates(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        item = made(
            appoint(officer, member, unit_id["phuongvi"], valid_from=day(-5), valid_to=day(5))
        )
        path = f"/v1/appointments/{item['id']}/end"
        for sent, pointer, code in (
            ({"effective_on": day(-6), "reason": "resigned"}, "/effective_on", "dates_reversed"),
            ({"effective_on": day(7), "reason": "resigned"}, "/effective_on", "too_large"),
            ({"effective_on": day(1), "reason": "tired"}, "/reason", "not_in_list"),
            ({"effective_on": day(1)}, "/reason", "required"),
        ):
            pointed(officer.post(path, json=sent), pointer, code)
        assert appointment(database, item["id"]).reason is None
        kept = ended(officer, item["id"], effective_on=day(6), reason="term_ended")
        assert (kept["valid_to"], kept["ended_on"]) == (day(5), day(5))
        never = made(appoint(officer, member, unit_id["phuongvi"], "staff"))
        gone = ended(officer, never["id"], effective_on=day(0), reason="mistake")
        assert (gone["valid_from"], gone["valid_to"]) == (day(0), day(-1))
        coming = made(appoint(officer, member, unit_id["phuongvi"], "staff", valid_from=day(9)))
        assert ended(officer, coming["id"])["ended_on"] == day(8)

    def test_until_it_has_ended_it_may_end_sooner(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("camkhe")
        chair = post_of(officer, unit_id["phuongvi"], "chair")
        ended(officer, chair["id"], effective_on="2099-01-01", reason="term_ended")
        path = f"/v1/appointments/{chair['id']}/end"
        later = officer.post(path, json={"effective_on": "2099-01-02", "reason": "resigned"})
        pointed(later, "/effective_on", "too_large")
        now = ended(officer, chair["id"], reason="dismissed")
        assert (now["ended_on"], now["reason"]) == (day(-1), "dismissed")
        assert rights(api, "phuongvi") == []
        again = officer.post(path, json={"effective_on": day(-1), "reason": "resigned"})
        refused(again, 409, "appointment_ended")

    def test_one_that_the_calendar_has_ended_may_be_told_why(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        past = {"valid_from": day(-50), "valid_to": day(-20)}
        item = made(appoint(officer, member, unit_id["phuongvi"], **past))
        told = ended(officer, item["id"], reason="term_ended")
        assert (told["valid_to"], told["ended_on"]) == (day(-20), day(-20))
