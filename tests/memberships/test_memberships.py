"""Membership life: leaving, dying, coming back, corrections, and the counts of any day."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.cadres.appointments import Appointment, AppointmentBasis, EndReason, Post
from app.models.groups.groups import Participation
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit
from app.models.members.members import MemberStatus
from app.models.memberships.transfers import Transfer
from app.services.kernel import changes
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, counted, utc_now, writing
from tests.helpers.when_run import WhenRun
from tests.memberships.memberships import Her, ago, open_branch, row_of, stored

DAY = timedelta(days=1)


class TestDeparture:
    def test_ends_her_membership_on_the_eve(
        self, her: Her, officer: Api, unit_id: UnitIds, database: Database
    ) -> None:
        branch = f"/v1/units/{unit_id['phuongvi-1']}"
        before = officer.get(branch).json()["member_count"]
        body = {"reason": "works_far_away", "effective_on": ago(10), "note": "Đi Bình Dương"}
        made = her.does("departures", body)
        assert (made["valid_from"], made["valid_to"], made["left_by"]) == (
            ago(400),
            ago(11),
            "departure",
        )
        assert (made["reason"], made["note"]) == ("works_far_away", "Đi Bình Dương")
        assert (made["branch_name"], made["member_id"]) == ("Chi hội khu 1", her.id)
        row = row_of(database, her.id)
        assert (row.status, row.branch_id) == (MemberStatus.left, unit_id["phuongvi-1"])
        assert officer.get(branch).json()["member_count"] == before - 1
        assert officer.get(f"{branch}?as_of={ago(10)}").json()["member_count"] == before - 1
        assert officer.get(f"{branch}?as_of={ago(11)}").json()["member_count"] == before

    def test_today_by_default_and_once(self, her: Her, database: Database) -> None:
        assert her.does("departures", {"reason": "resigned"})["valid_to"] == ago(1)
        before = stored(database)
        again = her.act("departures", {"reason": "resigned"})
        assert "đã rời Hội" in refused(again, 409, "member_state")["detail"]
        pointed(again, "/member_id", "state_conflict", status=409)
        refused(her.act("death", {"died_on": ago(0)}), 409, "member_state")
        assert stored(database) == before

    def test_on_the_day_she_came_leaves_no_day(self, her: Her) -> None:
        made = her.does("departures", {"reason": "other", "effective_on": ago(400)})
        assert (made["valid_from"], made["valid_to"]) == (ago(400), ago(401))

    @pytest.mark.parametrize(
        ("body", "pointer", "code"),
        [
            (
                {"reason": "resigned", "effective_on": WhenRun(ago, -1)},
                "/effective_on",
                "date_in_future",
            ),
            (
                {"reason": "resigned", "effective_on": WhenRun(ago, 401)},
                "/effective_on",
                "before_membership",
            ),
            (
                {"reason": "resigned", "effective_on": "1899-12-31"},
                "/effective_on",
                "date_too_early",
            ),
            ({"effective_on": WhenRun(ago, 1)}, "/reason", "required"),
            ({"reason": "bored"}, "/reason", "not_in_list"),
            ({"reason": "resigned", "note": "x" * 501}, "/note", "too_long"),
            ({"reason": "resigned", "left_on": WhenRun(ago, 1)}, "/left_on", "unknown_field"),
        ],
    )
    def test_refuses_what_cannot_be(
        self, her: Her, database: Database, body: Json, pointer: str, code: str
    ) -> None:
        before = stored(database)
        pointed(her.act("departures", body), pointer, code)
        assert (stored(database), her.status) == (before, "active")

    def test_ends_what_depends_on_it(
        self, her: Her, officer: Api, unit_id: UnitIds, database: Database
    ) -> None:
        moving = her.does("transfers", {"to_branch_id": unit_id["tienluong-1"]})
        group = {"level": "group", "name": "Tổ 1", "parent_id": unit_id["phuongvi-1"]}
        answer = officer.post(
            "/v1/units", json=group | {"opened_on": ago(300), "group_kind": "team"}
        )
        since = local_today() - timedelta(days=100)
        facts: Json = {"member_id": UUID(her.id), "valid_from": since}
        facts |= {"created_at": utc_now(), "updated_at": utc_now()}
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            province_id = unit_id["phutho"]
            group_id = answer.json()["id"]
            session.add(Participation(group_id=group_id, province_id=province_id, **facts))
            session.add(
                Appointment(
                    unit_id=unit_id["phuongvi-1"],
                    province_id=province_id,
                    post=Post.branch_deputy,
                    basis=AppointmentBasis.elected,
                    **facts,
                )
            )
        her.does("departures", {"reason": "married_away", "effective_on": ago(5)})
        with writing(database) as session:
            transfer = session.get_one(Transfer, UUID(moving["id"]))
            took_part = session.exec(
                select(Participation).where(col(Participation.member_id) == UUID(her.id))
            ).one()
            held = session.exec(
                select(Appointment).where(col(Appointment.member_id) == UUID(her.id))
            ).one()
        assert (transfer.state, transfer.due_on) == ("cancelled", None)
        assert took_part.valid_to == local_today() - timedelta(days=6)
        assert (held.valid_to, held.reason) == (
            local_today() - timedelta(days=6),
            EndReason.left_union,
        )

    @pytest.mark.parametrize("kind", ["departures", "death", "readmissions"])
    def test_needs_the_right_and_the_sight(
        self, api: Api, her: Her, unit_id: UnitIds, database: Database, kind: str
    ) -> None:
        body = {
            "departures": {"reason": "resigned"},
            "death": {"died_on": ago(0)},
            "readmissions": {"branch_id": unit_id["tienluong-1"]},
        }[kind]
        before = stored(database)
        path = f"{her.path}/{kind}"
        refused(api.as_("tienluong-1").post(path, json=body), 404, "not_found")
        # The branch in the body is looked for before the member.
        first = "units:read" if kind == "readmissions" else "members:read"
        for username, right in (("auditor", "members:write"), ("member", first)):
            answer = api.as_(username).post(path, json=body)
            assert refused(answer, 403, "forbidden")["required_right"] == right
        assert stored(database) == before

    @pytest.mark.race
    def test_one_of_two_at_once_wins(self, her: Her, database: Database) -> None:
        start = Barrier(2)

        def depart(reason: str) -> Response:
            start.wait()
            return her.act("departures", {"reason": reason})

        with ThreadPoolExecutor(2) as pool:
            answers = [*pool.map(depart, ("resigned", "inactive"))]
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        [won] = [answer for answer in answers if answer.status_code == 201]
        assert her.spells()[-1]["reason"] == won.json()["reason"]


class TestDeath:
    def test_the_day_she_died_is_the_first_without_her(self, her: Her, database: Database) -> None:
        made = her.does("death", {"died_on": ago(3), "note": "Ốm nặng"})
        assert (made["valid_to"], made["left_by"], made["reason"]) == (ago(4), "death", None)
        row = row_of(database, her.id)
        assert (row.status, row.phone) == (MemberStatus.deceased, "+84912345678")
        before = stored(database)
        back = {"branch_id": her.record["branch_id"]}
        assert "qua đời" in refused(her.act("readmissions", back), 409, "member_state")["detail"]
        refused(her.act("death", {"died_on": ago(3)}), 409, "member_state")
        assert stored(database) == before

    @pytest.mark.parametrize(
        ("day", "code"),
        [
            (WhenRun(ago, -1), "date_in_future"),
            (WhenRun(ago, 401), "before_membership"),
            ("1968", "date_invalid"),
        ],
    )
    def test_refuses_an_impossible_day(self, her: Her, day: str, code: str) -> None:
        pointed(her.act("death", {"died_on": day}), "/died_on", code)
        assert her.status == "active"


class TestReadmission:
    @pytest.fixture
    def left(self, her: Her) -> Her:
        her.does("departures", {"reason": "works_far_away", "effective_on": ago(100)})
        return her

    def test_begins_another_spell(self, left: Her, unit_id: UnitIds, database: Database) -> None:
        branch = unit_id["phuongvi-2"]
        body = {"branch_id": branch, "effective_on": ago(50), "note": "Về quê"}
        made = left.does("readmissions", body)
        assert (made["joined_by"], made["valid_to"], made["note"]) == (
            "readmission",
            None,
            "Về quê",
        )
        assert left.days() == [
            (unit_id["phuongvi-1"], ago(400), ago(101)),
            (branch, ago(50), None),
        ]
        row = row_of(database, left.id)
        assert (row.status, row.branch_id) == (MemberStatus.active, branch)
        refused(left.act("readmissions", body), 409, "member_state")

    def test_comes_back_to_ones_only_branch_without_naming_it(
        self, api: Api, left: Her, unit_id: UnitIds
    ) -> None:
        path, body = f"/v1/members/{left.id}/readmissions", {"effective_on": ago(50)}
        pointed(api.as_("phuongvi").post(path, json=body), "/branch_id", "required")
        assert api.as_("phuongvi-1").post(path, json=body).status_code == 201
        assert left.days()[-1] == (unit_id["phuongvi-1"], ago(50), None)

    def test_from_the_day_she_left_at_the_earliest(self, left: Her, unit_id: UnitIds) -> None:
        body = {"branch_id": unit_id["phuongvi-1"]}
        early = left.act("readmissions", body | {"effective_on": ago(101)})
        pointed(early, "/effective_on", "membership_overlap")
        assert left.status == "left"
        left.does("readmissions", body | {"effective_on": ago(100)})

    def test_only_to_a_branch_that_takes_her(
        self, api: Api, left: Her, unit_id: UnitIds, database: Database
    ) -> None:
        gone = open_branch(left.officer, unit_id["phuongvi"], ago(60))
        early = left.act("readmissions", {"branch_id": gone, "effective_on": ago(61)})
        refused(early, 409, "unit_not_open_yet")
        pointed(early, "/effective_on", "unit_not_open", status=409)
        left.officer.post(f"/v1/units/{gone}/close", json={"effective_on": ago(19)})
        before = stored(database)
        late = left.act("readmissions", {"branch_id": gone, "effective_on": ago(30)})
        refused(late, 409, "unit_closed")
        pointed(late, "/branch_id", "unit_not_open", status=409)
        for branch, code in ((unit_id["tienluong-1"], "unit_unknown"), (999_999, "unit_unknown")):
            pointed(left.act("readmissions", {"branch_id": branch}), "/branch_id", code)
        commune = {"branch_id": unit_id["phuongvi"]}
        pointed(left.act("readmissions", commune), "/branch_id", "unit_level_wrong")
        assert stored(database) == before

    def test_elsewhere_by_who_knows_her(
        self, api: Api, left: Her, unit_id: UnitIds, database: Database
    ) -> None:
        elsewhere = api.as_("tienluong-1")
        path, body = f"{left.path}/readmissions", {"branch_id": unit_id["tienluong-1"]}
        before = stored(database)
        refused(elsewhere.post(path, json=body), 404, "not_found")
        for born in ("1980-05-18", "1980-05", "1980"):
            wrong = {"full_name": "Hà Thị Mơ", "birth_date": born}
            refused(elsewhere.post(path, json=body | wrong), 404, "not_found")
        assert stored(database) == before
        known = {"full_name": "ha thi mo", "birth_date": "1980-05-17"}
        assert elsewhere.post(path, json=body | known).status_code == 201
        assert elsewhere.get(left.path).json()["status"] == "active"
        refused(left.officer.get(left.path), 404, "not_found")
        # Her old branch still sees the spell that was its own.
        assert left.days() == [(unit_id["phuongvi-1"], ago(400), ago(101))]


class TestList:
    def test_of_one_out_of_sight_is_not_found(self, api: Api, her: Her) -> None:
        path = f"{her.path}/memberships"
        assert api.as_("phuongvi-1").get(path).json()["items"] == her.spells()
        refused(api.as_("phuongvi-2").get(path), 404, "not_found")
        refused(api.as_("phutho").get(f"/v1/members/{uuid4()}/memberships"), 404, "not_found")
        answer = refused(api.as_("admin").get(path), 403, "forbidden")
        assert answer["required_right"] == "members:read"

    def test_pages_in_order_at_the_same_price(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        costs, whole = [], her.spells()
        for days, to in ((300, "phuongvi-2"), (200, "phuongvi-3"), (200, "phuongvi-4")):
            her.does("transfers", {"to_branch_id": unit_id[to], "effective_on": ago(days)})
            with counted(database) as statements:
                whole = her.spells()
            costs.append(len(statements))
        assert len(set(costs)) == 1
        assert [item["valid_from"] for item in whole] == [ago(400), ago(300), ago(200), ago(200)]
        pages, url = [], f"{her.path}/memberships?limit=1"
        while url:
            answer = her.officer.get(url)
            pages += answer.json()["items"]
            url = answer.headers.get("link", "").partition(">")[0].lstrip("<")
        assert pages == whole
        text = her.officer.get(f"{her.path}/memberships", headers={"accept": "text/csv"}).text
        assert len(text.splitlines()) == 5


class TestRaces:
    @pytest.mark.race
    def test_a_readmission_waits_its_turn_for_both_branches(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        """Whoever moves units has her old branch and takes the new one next."""
        her.does("departures", {"reason": "works_far_away", "effective_on": ago(100)})
        old, new = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
        assert old < new
        alone = sa.select(col(Unit.id)).with_for_update(key_share=True)
        with ThreadPoolExecutor(1) as pool:
            with writing(database) as session:
                session.execute(alone.where(col(Unit.id) == old))
                coming = pool.submit(her.act, "readmissions", {"branch_id": new})
                time.sleep(0.2)
                session.execute(alone.where(col(Unit.id) == new))
            assert coming.result().status_code == 201
