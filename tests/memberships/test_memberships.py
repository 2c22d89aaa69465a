"""Membership life: leaving, dying, coming back, corrections, and the counts of any day."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import col, func, select

from app.clock import local_today
from app.db import Database
from app.models.cadres.appointments import Appointment, AppointmentBasis, EndReason, Post
from app.models.groups.groups import Participation
from app.models.kernel.changes import Change, ChangeSource
from app.models.kernel.units import Unit
from app.models.members.members import Member, MemberIdentifier, MemberKind, MemberStatus
from app.models.members.spells import DepartureReason, Membership
from app.models.memberships.transfers import Transfer
from app.services.kernel import changes
from app.services.members import batches
from tests.helpers.client import Api, as_written, counted, utc_now, writing
from tests.helpers.reading import Reading

UnitIds = dict[str, int]
Json = dict[str, Any]
TODAY = local_today()
DAY = timedelta(days=1)


def ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def refused(answer: Response, status: int, code: str) -> Json:
    body: Json = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    return body


def pointed(answer: Response, pointer: str, code: str, *, status: int = 422) -> None:
    assert answer.status_code == status, answer.text
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)


def stored(database: Database) -> tuple[int, ...]:
    with writing(database) as session:
        return tuple(
            session.exec(select(func.count()).select_from(table)).one()
            for table in (Membership, Transfer, Change)
        )


def row_of(database: Database, member_id: str) -> Member:
    with writing(database) as session:
        return session.get_one(Member, UUID(member_id))


def open_branch(api: Api, parent: int, opened_on: str) -> int:
    body = {"level": "branch", "name": "Chi hội khu 9", "parent_id": parent}
    answer = api.post("/v1/units", json=body | {"opened_on": opened_on})
    assert answer.status_code == 201, answer.text
    branch: int = answer.json()["id"]
    return branch


def open_team(api: Api, branch: int) -> int:
    body = {"level": "group", "group_kind": "team", "name": "Tổ 1", "parent_id": branch}
    answer = api.post("/v1/units", json=body | {"opened_on": ago(350)})
    assert answer.status_code == 201, answer.text
    team: int = answer.json()["id"]
    return team


def join(her: "Her", group: int, since: str) -> str:
    """She takes part in a group; the id of her participation."""
    body = {"member_id": her.id, "valid_from": since}
    answer = her.officer.post(f"/v1/groups/{group}/participations", json=body)
    assert answer.status_code == 201, answer.text
    participation: str = answer.json()["id"]
    return participation


def appoint(her: "Her", unit: int, since: str, post: str = "branch_deputy") -> str:
    """She has a post; the id of her appointment."""
    body = {"member_id": her.id, "unit_id": unit, "post": post, "basis": "elected"}
    answer = her.officer.post("/v1/appointments", json=body | {"valid_from": since})
    assert answer.status_code == 201, answer.text
    appointment: str = answer.json()["id"]
    return appointment


def ends(database: Database, table: type[Participation | Appointment], row_id: str) -> date | None:
    with writing(database) as session:
        row: Any = session.get_one(table, UUID(row_id))
    last: date | None = row.valid_to
    return last


class Her:
    """One member, seen and handled by an officer of her commune."""

    def __init__(self, officer: Api, record: Json) -> None:
        self.officer = officer
        self.id: str = record["id"]
        self.record = record
        self.path = f"/v1/members/{self.id}"

    def spells(self) -> list[Json]:
        items: list[Json] = self.officer.get(f"{self.path}/memberships").json()["items"]
        return [item for item in items if item["annulled_at"] is None]

    def days(self) -> list[tuple[int, str, str | None]]:
        return [(s["branch_id"], s["valid_from"], s["valid_to"]) for s in self.spells()]

    @property
    def status(self) -> str:
        status: str = self.officer.get(self.path).json()["status"]
        return status

    def act(self, kind: str, body: Json) -> Response:
        return self.officer.post(f"{self.path}/{kind}", json=body)

    def does(self, kind: str, body: Json) -> Json:
        answer = self.act(kind, body)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    def correct(self, place: int, body: Json) -> Response:
        return self.officer.patch(f"/v1/memberships/{self.spells()[place]['id']}", json=body)

    def corrected(self, place: int, body: Json) -> None:
        answer = self.correct(place, body)
        assert answer.status_code == 200, answer.text

    def annul(self, place: int) -> Response:
        spell = self.spells()[place]["id"]
        return self.officer.post(f"/v1/memberships/{spell}/annul", json={"note": "Ghi nhầm"})


@pytest.fixture
def officer(api: Api) -> Api:
    return api.as_("phuongvi")


@pytest.fixture
def her(officer: Api, unit_id: UnitIds) -> Her:
    """A member of phuongvi-1 since 400 days."""
    body = {
        "branch_id": unit_id["phuongvi-1"],
        "full_name": "Hà Thị Mơ",
        "birth_date": "1980-05-17",
    }
    answer = officer.post("/v1/members", json=body | {"joined_on": ago(400), "phone": "0912345678"})
    assert answer.status_code == 201, answer.text
    return Her(officer, answer.json())


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
            ({"reason": "resigned", "effective_on": ago(-1)}, "/effective_on", "date_in_future"),
            (
                {"reason": "resigned", "effective_on": ago(401)},
                "/effective_on",
                "before_membership",
            ),
            (
                {"reason": "resigned", "effective_on": "1899-12-31"},
                "/effective_on",
                "date_too_early",
            ),
            ({"effective_on": ago(1)}, "/reason", "required"),
            ({"reason": "bored"}, "/reason", "not_in_list"),
            ({"reason": "resigned", "note": "x" * 501}, "/note", "too_long"),
            ({"reason": "resigned", "left_on": ago(1)}, "/left_on", "unknown_field"),
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
        since = TODAY - timedelta(days=100)
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
        assert took_part.valid_to == TODAY - timedelta(days=6)
        assert (held.valid_to, held.ended_reason) == (
            TODAY - timedelta(days=6),
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
        for username, right in (("auditor", "members:write"), ("member", "members:read")):
            answer = api.as_(username).post(path, json=body)
            assert refused(answer, 403, "forbidden")["required_right"] == right
        assert stored(database) == before

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
        [(ago(-1), "date_in_future"), (ago(401), "before_membership"), ("1968", "date_invalid")],
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
        left.officer.post(f"/v1/units/{gone}/close", json={"closed_on": ago(20)})
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


class TestCorrection:
    @pytest.fixture
    def moved(self, her: Her, unit_id: UnitIds) -> Her:
        """phuongvi-1 until 201 days ago, phuongvi-2 since."""
        her.does("transfers", {"to_branch_id": unit_id["phuongvi-2"], "effective_on": ago(200)})
        return her

    @pytest.mark.parametrize(
        ("place", "body"), [(1, {"valid_from": ago(150)}), (0, {"valid_to": ago(151)})]
    )
    def test_the_day_of_a_transfer_moves_on_both_sides(
        self, moved: Her, unit_id: UnitIds, place: int, body: Json
    ) -> None:
        moved.corrected(place, body)
        assert moved.days() == [
            (unit_id["phuongvi-1"], ago(400), ago(151)),
            (unit_id["phuongvi-2"], ago(150), None),
        ]
        [transfer] = moved.officer.get(f"{moved.path}/transfers").json()["items"]
        assert transfer["effective_on"] == ago(150)

    @pytest.mark.parametrize(
        ("place", "body", "pointer", "code"),
        [
            (1, {"valid_from": ago(401)}, "/valid_from", "membership_overlap"),
            (1, {"valid_from": ago(-1)}, "/valid_from", "date_in_future"),
            (1, {"valid_from": "1899-12-31"}, "/valid_from", "date_too_early"),
            (1, {"valid_to": ago(5)}, "/valid_to", "membership_lasts"),
            (0, {"valid_to": None}, "/valid_to", "ended_by_transfer"),
            (0, {"valid_to": ago(402)}, "/valid_to", "dates_reversed"),
            (0, {"valid_to": ago(0)}, "/valid_to", "date_in_future"),
            (0, {"valid_from": ago(199)}, "/valid_from", "dates_reversed"),
            (0, {"valid_from": None}, "/valid_from", "not_null"),
            (0, {"reason": "resigned"}, "/reason", "not_a_departure"),
            (0, {"branch_id": 1}, "/branch_id", "unknown_field"),
        ],
    )
    def test_refuses_what_cannot_have_been(
        self, moved: Her, database: Database, place: int, body: Json, pointer: str, code: str
    ) -> None:
        days, before = moved.days(), stored(database)
        pointed(moved.correct(place, body), pointer, code)
        assert (moved.days(), stored(database)) == (days, before)

    def test_up_to_no_day_at_all_and_back(self, moved: Her, unit_id: UnitIds) -> None:
        moved.corrected(1, {"valid_from": ago(400)})
        assert moved.days() == [
            (unit_id["phuongvi-1"], ago(400), ago(401)),
            (unit_id["phuongvi-2"], ago(400), None),
        ]
        moved.corrected(0, {"valid_to": ago(1)})
        assert moved.days()[1] == (unit_id["phuongvi-2"], ago(0), None)

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("departures", {"reason": "moved_away", "effective_on": ago(100)}),
            ("death", {"died_on": ago(100)}),
        ],
    )
    def test_takes_back_a_departure_or_a_death(
        self, moved: Her, database: Database, kind: str, body: Json
    ) -> None:
        moved.does(kind, body)
        moved.corrected(1, {"valid_to": None})
        spell = moved.spells()[1]
        assert (spell["valid_to"], spell["left_by"], spell["reason"]) == (None, None, None)
        assert row_of(database, moved.id).status is MemberStatus.active

    def test_of_day_and_reason_of_a_departure(self, her: Her, unit_id: UnitIds) -> None:
        her.does("departures", {"reason": "moved_away", "effective_on": ago(100), "note": "cũ"})
        her.corrected(0, {"valid_to": ago(51), "reason": "expelled", "note": None})
        spell = her.spells()[0]
        assert (spell["valid_to"], spell["reason"], spell["note"]) == (ago(51), "expelled", None)
        her.does("readmissions", {"branch_id": unit_id["phuongvi-2"], "effective_on": ago(20)})
        for body, pointer in (
            ({"valid_to": ago(20)}, "/valid_to"),
            ({"valid_to": None}, "/valid_to"),
        ):
            pointed(her.correct(0, body), pointer, "membership_overlap")
        pointed(her.correct(1, {"valid_from": ago(51)}), "/valid_from", "membership_overlap")
        her.corrected(1, {"valid_from": ago(50)})
        assert [days[1:] for days in her.days()] == [(ago(400), ago(51)), (ago(50), None)]

    @pytest.mark.parametrize(
        ("kind", "day", "reason"),
        [("departures", "effective_on", "left_union"), ("death", "died_on", "deceased")],
    )
    def test_of_an_earlier_end_ends_posts_and_groups_earlier(
        self, her: Her, unit_id: UnitIds, database: Database, kind: str, day: str, reason: str
    ) -> None:
        in_team = join(her, open_team(her.officer, unit_id["phuongvi-1"]), ago(300))
        post = appoint(her, unit_id["phuongvi-1"], ago(300))
        body = {"reason": "resigned"} if kind == "departures" else {}
        her.does(kind, body | {day: ago(50)})
        her.corrected(0, {"valid_to": ago(101)})
        for table, row in ((Participation, in_team), (Appointment, post)):
            assert ends(database, table, row) == TODAY - timedelta(days=101)
        # A later end gives nothing back.
        her.corrected(0, {"valid_to": ago(31)})
        for table, row in ((Participation, in_team), (Appointment, post)):
            assert ends(database, table, row) == TODAY - timedelta(days=101)
        with writing(database) as session:
            assert session.get_one(Appointment, UUID(post)).ended_reason == reason

    @pytest.mark.parametrize(
        ("place", "body"), [(1, {"valid_from": ago(250)}), (0, {"valid_to": ago(251)})]
    )
    def test_of_an_earlier_transfer_ends_posts_and_groups_of_the_branch_earlier(
        self, her: Her, unit_id: UnitIds, database: Database, place: int, body: Json
    ) -> None:
        in_team = join(her, open_team(her.officer, unit_id["phuongvi-1"]), ago(300))
        post = appoint(her, unit_id["phuongvi-1"], ago(300))
        of_commune = appoint(her, unit_id["phuongvi"], ago(300), "committee_member")
        her.does("transfers", {"to_branch_id": unit_id["phuongvi-2"], "effective_on": ago(200)})
        kept = appoint(her, unit_id["phuongvi-2"], ago(150))
        her.corrected(place, body)
        for table, row in ((Participation, in_team), (Appointment, post)):
            assert ends(database, table, row) == TODAY - timedelta(days=251)
        for row in (of_commune, kept):
            assert ends(database, Appointment, row) is None

    def test_of_a_departure_she_has_come_back_from_ends_nothing_of_now(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        her.does("departures", {"reason": "resigned", "effective_on": ago(100)})
        her.does("readmissions", {"branch_id": unit_id["phuongvi-1"], "effective_on": ago(80)})
        in_team = join(her, open_team(her.officer, unit_id["phuongvi-1"]), ago(60))
        post = appoint(her, unit_id["phuongvi-1"], ago(60))
        her.corrected(0, {"valid_to": ago(151)})
        assert ends(database, Participation, in_team) is None
        assert ends(database, Appointment, post) is None

    def test_not_before_the_branch_opened_nor_after_it_closed(
        self, her: Her, unit_id: UnitIds
    ) -> None:
        branch = open_branch(her.officer, unit_id["phuongvi"], ago(60))
        her.does("transfers", {"to_branch_id": branch, "effective_on": ago(50)})
        answer = her.correct(1, {"valid_from": ago(61)})
        refused(answer, 409, "unit_not_open_yet")
        pointed(answer, "/valid_from", "unit_not_open", status=409)
        her.does("departures", {"reason": "other", "effective_on": ago(30)})
        her.officer.post(f"/v1/units/{branch}/close", json={"closed_on": ago(25)})
        for body in ({"valid_to": ago(24)}, {"valid_to": None}):
            answer = her.correct(1, body)
            refused(answer, 409, "unit_closed")
            pointed(answer, "/valid_to", "unit_not_open", status=409)
        her.corrected(1, {"valid_to": ago(25)})

    def test_needs_the_right_over_both_branches(
        self, api: Api, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        api.as_("camkhe").post(
            f"{her.path}/transfers",
            json={"to_branch_id": unit_id["tienluong-1"], "effective_on": ago(200)},
        )
        first, second = api.as_("camkhe").get(f"{her.path}/memberships").json()["items"]
        before = stored(database)
        cases = [
            ("phuongvi-1", first, {"valid_to": ago(150)}, 403),
            ("tienluong-1", second, {"valid_from": ago(150)}, 403),
            ("auditor", second, {"note": "x"}, 403),
            ("phuongvi-1", second, {"note": "x"}, 404),
            ("phuongvi-2", first, {"note": "x"}, 404),
        ]
        for username, spell, body, status in cases:
            answer = api.as_(username).patch(f"/v1/memberships/{spell['id']}", json=body)
            code = "forbidden" if status == 403 else "not_found"
            problem = refused(answer, status, code)
            assert problem.get("required_right") == ("members:write" if status == 403 else None)
        answer = api.as_("tienluong-1").post(
            f"/v1/memberships/{second['id']}/annul", json={"note": "Nhầm"}
        )
        refused(answer, 403, "forbidden")
        assert stored(database) == before
        unknown = api.as_("camkhe").patch(f"/v1/memberships/{uuid4()}", json={"note": "x"})
        refused(unknown, 404, "not_found")
        # What is hers alone, each side corrects alone.
        path = f"/v1/memberships/{first['id']}"
        answer = api.as_("phuongvi-1").patch(path, json={"valid_from": ago(390)})
        assert answer.json()["valid_from"] == ago(390)

    def test_of_a_stale_revision_is_refused(self, her: Her) -> None:
        path = f"/v1/memberships/{her.spells()[0]['id']}"
        tag = her.officer.patch(path, json={"note": "một"}).headers["etag"]
        her.officer.patch(path, json={"note": "hai"}, headers={"if-match": tag})
        stale = her.officer.patch(path, json={"note": "ba"}, headers={"if-match": tag})
        assert refused(stale, 412, "stale_revision")["current_revision"] == 3
        assert her.spells()[0]["note"] == "hai"

    @pytest.mark.parametrize("joined_on", [ago(300), ago(500), None])
    def test_the_first_day_follows_the_join_date(
        self, her: Her, unit_id: UnitIds, joined_on: str | None
    ) -> None:
        her.officer.patch(her.path, json={"joined_on": joined_on})
        opened = her.officer.get(f"/v1/units/{unit_id['phuongvi-1']}").json()["opened_on"]
        assert her.days()[0][1] == (joined_on or opened)
        # Once somebody has said otherwise, that stands.
        her.corrected(0, {"valid_from": ago(250)})
        her.officer.patch(her.path, json={"joined_on": ago(350)})
        assert her.days()[0][1] == ago(250)

    def test_the_join_date_leaves_another_branch_its_past(
        self, api: Api, moved: Her, database: Database
    ) -> None:
        days = moved.days()
        joined = moved.officer.get(moved.path).json()["joined_on"]
        head = api.as_("phuongvi-2")
        for day in (ago(350), ago(20)):
            assert head.patch(moved.path, json={"joined_on": day}).json()["joined_on"] == day
            assert moved.days() == days
        # Who writes in both branches says it of both.
        head.patch(moved.path, json={"joined_on": joined})
        moved.officer.patch(moved.path, json={"joined_on": ago(350)})
        assert moved.days()[0][1] == ago(350)

    def test_the_join_date_is_not_after_she_left_her_first_branch(self, moved: Her) -> None:
        answer = moved.officer.patch(moved.path, json={"joined_on": ago(199)})
        pointed(answer, "/joined_on", "joined_after_leaving")
        assert moved.officer.get(moved.path).json()["joined_on"] == ago(400)
        assert moved.officer.patch(moved.path, json={"joined_on": ago(200)}).is_success
        assert moved.days()[0][1:] == (ago(200), ago(201))


class TestAnnulment:
    def test_of_a_transfer_puts_her_back(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        old, new = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
        her.does("transfers", {"to_branch_id": new, "effective_on": ago(200)})
        her.does("transfers", {"to_branch_id": unit_id["tienluong-1"]})
        answer = her.annul(1)
        assert answer.json()["annulled_at"] is not None
        assert (answer.json()["note"], answer.status_code) == ("Ghi nhầm", 200)
        assert her.days() == [(old, ago(400), None)]
        spell = her.spells()[0]
        assert (spell["left_by"], spell["to_branch_id"]) == (None, None)
        row = row_of(database, her.id)
        # The way on from the branch she never was in has lost its ground.
        assert (row.status, row.branch_id) == (MemberStatus.active, old)
        states = [t["state"] for t in her.officer.get(f"{her.path}/transfers").json()["items"]]
        assert states == ["cancelled", "accepted"]
        branch = f"/v1/units/{new}?as_of={ago(100)}"
        assert (
            her.officer.get(branch).json()["member_count"]
            == her.officer.get(f"/v1/units/{new}?as_of={ago(201)}").json()["member_count"]
        )

    def test_of_a_spell_changed_meanwhile_is_refused(self, her: Her, database: Database) -> None:
        spell = her.spells()[0]
        path = f"/v1/memberships/{spell['id']}/annul"
        before = stored(database)
        stale = her.officer.post(path, json={"note": "Nhầm"}, headers={"if-match": '"9"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale_revision")
        assert stale.json()["current_revision"] == spell["revision"]
        assert stored(database) == before
        known = {"if-match": f'"{spell["revision"]}"'}
        first = her.officer.post(path, json={"note": "Nhầm"}, headers=known)
        again = her.officer.post(path, json={"note": "Nhầm"}, headers=known)
        assert (first.status_code, again.status_code) == (200, 200)
        assert again.json() == first.json()

    def test_of_an_admission_leaves_her_in_no_branch(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        path = f"/v1/memberships/{her.spells()[0]['id']}/annul"
        counts = [
            her.officer.get(f"/v1/units/{unit_id['phuongvi-1']}?as_of={ago(n)}").json()
            for n in (401, 399)
        ]
        assert counts[0]["member_count"] + 1 == counts[1]["member_count"]
        pointed(her.officer.post(path, json={}), "/note", "required")
        first = her.officer.post(path, json={"note": "Trùng hồ sơ"})
        assert (her.spells(), her.status) == ([], "left")
        after = her.officer.get(f"/v1/units/{unit_id['phuongvi-1']}?as_of={ago(399)}").json()
        assert after["member_count"] == counts[0]["member_count"]
        before = stored(database)
        again = her.officer.post(path, json={"note": "Lần nữa"})
        assert (again.status_code, again.json()) == (200, first.json())
        note = her.officer.patch(path.removesuffix("/annul"), json={"note": "x"})
        refused(note, 409, "membership_annulled")
        assert stored(database) == before
        # She may still come, for the first time.
        made = her.does("readmissions", {"branch_id": unit_id["phuongvi-1"]})
        assert made["joined_by"] == "admission"

    def test_takes_what_rested_on_an_admission(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        team = open_team(her.officer, unit_id["phuongvi-1"])
        in_team = join(her, team, ago(50))
        post = appoint(her, unit_id["phuongvi-1"], ago(100))
        assert her.annul(0).is_success
        # Never was, so never held: not one day is left of either.
        assert ends(database, Participation, in_team) == TODAY - timedelta(days=51)
        assert ends(database, Appointment, post) == TODAY - timedelta(days=101)
        assert row_of(database, her.id).status is MemberStatus.left
        with writing(database) as session:
            held = session.get_one(Appointment, UUID(post))
        assert held.ended_reason is EndReason.mistake

    def test_takes_what_rested_on_a_transfer_and_no_more(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        of_commune = appoint(her, unit_id["phuongvi"], ago(300), "committee_member")
        new = unit_id["phuongvi-2"]
        her.does("transfers", {"to_branch_id": new, "effective_on": ago(200)})
        in_team = join(her, open_team(her.officer, new), ago(50))
        post = appoint(her, new, ago(100))
        assert her.annul(1).is_success
        assert ends(database, Participation, in_team) == TODAY - timedelta(days=51)
        assert ends(database, Appointment, post) == TODAY - timedelta(days=101)
        assert ends(database, Appointment, of_commune) is None

    @pytest.mark.parametrize(
        ("kind", "body", "status"),
        [
            ("death", {"died_on": ago(20), "note": "Ốm nặng"}, "deceased"),
            ("departures", {"reason": "resigned", "effective_on": ago(20)}, "left"),
        ],
    )
    def test_of_a_transfer_keeps_how_she_left_since(
        self, her: Her, unit_id: UnitIds, kind: str, body: Json, status: str
    ) -> None:
        her.does("transfers", {"to_branch_id": unit_id["phuongvi-2"], "effective_on": ago(200)})
        ended = her.does(kind, body)
        assert her.annul(1).is_success
        assert (her.days(), her.status) == ([(unit_id["phuongvi-1"], ago(400), ago(21))], status)
        [spell] = her.spells()
        told = ("left_by", "reason", "note")
        assert [spell[name] for name in told] == [ended[name] for name in told]
        assert spell["to_branch_id"] is None
        path = f"/v1/units/{unit_id['phuongvi-1']}/movement?from={ago(300)}"
        counted = her.officer.get(path).json()
        assert counted["died"] + counted["left"] == 1
        assert counted["transferred_out"] == 0

    def test_only_of_the_last(self, her: Her, unit_id: UnitIds, database: Database) -> None:
        her.does("transfers", {"to_branch_id": unit_id["phuongvi-2"]})
        before = stored(database)
        refused(her.annul(0), 409, "membership_not_last")
        assert stored(database) == before

    def test_back_to_a_branch_that_has_closed_after_she_died(
        self, her: Her, unit_id: UnitIds
    ) -> None:
        branch = open_branch(her.officer, unit_id["phuongvi"], ago(300))
        her.does("transfers", {"to_branch_id": branch, "effective_on": ago(200)})
        her.does("transfers", {"to_branch_id": unit_id["phuongvi-2"], "effective_on": ago(100)})
        her.does("death", {"died_on": ago(60)})
        path = f"/v1/units/{branch}/close"
        assert her.officer.post(path, json={"closed_on": ago(62)}).is_success
        refused(her.annul(2), 409, "unit_closed")  # on the day before she was still alive
        her.corrected(2, {"valid_to": ago(62)})
        assert her.annul(2).is_success
        assert her.days()[1] == (branch, ago(200), ago(62))
        assert her.status == "deceased"

    def test_not_back_to_a_branch_that_has_closed(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        branch = open_branch(her.officer, unit_id["phuongvi"], ago(300))
        her.does("transfers", {"to_branch_id": branch, "effective_on": ago(200)})
        her.does("transfers", {"to_branch_id": unit_id["phuongvi-2"], "effective_on": ago(100)})
        assert her.officer.post(f"/v1/units/{branch}/close", json={"closed_on": ago(50)}).is_success
        before = stored(database)
        refused(her.annul(2), 409, "unit_closed")
        assert stored(database) == before


class TestUnits:
    def test_one_closes_after_what_is_recorded_of_its_members(
        self, her: Her, unit_id: UnitIds
    ) -> None:
        branch = open_branch(her.officer, unit_id["phuongvi"], ago(300))
        her.does("transfers", {"to_branch_id": branch, "effective_on": ago(200)})
        her.does("transfers", {"to_branch_id": unit_id["phuongvi-2"], "effective_on": ago(100)})
        path = f"/v1/units/{branch}/close"
        early = her.officer.post(path, json={"closed_on": ago(102)})
        assert as_written(ago(101)) in refused(early, 409, "unit_date_conflict")["detail"]
        assert her.officer.post(path, json={"closed_on": ago(101)}).is_success

    def test_a_branch_taken_to_another_province_takes_all_along(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        branch, province = unit_id["phuongvi-1"], unit_id["camkhe"]  # any other unit will do
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            batches.carry(session, [branch], {"province_id": province})
        with writing(database) as session:
            spells = session.exec(select(Membership.branch_id, Membership.province_id)).all()
            digests = session.exec(
                select(MemberIdentifier.member_id, MemberIdentifier.province_id)
            ).all()
            there = set(session.exec(select(Member.id).where(col(Member.branch_id) == branch)))
        assert {found == province for place, found in spells if place == branch} == {True}
        assert {found == province for place, found in spells if place != branch} == {False}
        carried = {member_id for member_id, found in digests if found == province}
        assert carried == {member_id for member_id, _ in digests} & there
        assert UUID(her.id) in carried


class TestRaces:
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


class TestMovement:
    def test_adds_up_and_tells_what_happened(
        self, her: Her, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        new = unit_id["phuongvi-2"]
        her.does("transfers", {"to_branch_id": new, "effective_on": ago(200)})
        her.does("departures", {"reason": "inactive", "effective_on": ago(100)})
        her.does("readmissions", {"branch_id": new, "effective_on": ago(50)})
        her.does("death", {"died_on": ago(10)})
        officer = api.as_("camkhe")

        def told(unit: str, first: int, last: int) -> Json:
            query = f"from={ago(first)}&to={ago(last)}"
            answer = officer.get(f"/v1/units/{unit_id[unit]}/movement?{query}")
            assert answer.status_code == 200, answer.text
            found: Json = answer.json()
            return found

        commune = told("phuongvi", 250, 0)
        assert commune["unit"] == {
            "id": unit_id["phuongvi"],
            "level": "commune",
            "name": "Xã Phượng Vĩ",
        }
        assert (commune["from"], commune["to"]) == (ago(250), ago(0))
        flows = ("admitted", "readmitted", "transferred_in", "transferred_out", "left", "died")
        assert {name: commune[name] for name in flows} == {
            "admitted": 1,
            "readmitted": 1,
            "transferred_in": 0,
            "transferred_out": 0,
            "left": 1,
            "died": 1,
        }
        assert commune["transferred_within"] == 1
        assert commune["by_reason"] == {r.value: int(r == "inactive") for r in DepartureReason}
        assert commune["closing"] == commune["opening"] - 1
        # Both days belong to the period, and an act to its own day.
        branch = told("phuongvi-2", 200, 100)
        assert (branch["transferred_in"], branch["left"]) == (1, 1)
        assert branch["closing"] == branch["opening"]
        assert told("phuongvi-2", 199, 101) == branch | {
            "from": ago(199),
            "to": ago(101),
            "transferred_in": 0,
            "left": 0,
            "by_reason": dict.fromkeys(branch["by_reason"], 0),
            "opening": branch["opening"] + 1,
            "closing": branch["opening"] + 1,
        }
        assert told("phuongvi-1", 200, 200)["transferred_out"] == 1
        assert told("camkhe", 250, 0)["transferred_within"] == 1
        everywhere = api.as_("phutho").get(
            f"/v1/units/{unit_id['phutho']}/movement?from={ago(250)}"
        )
        assert everywhere.json()["died"] == 1

    def test_honorary_members_are_told_apart(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        path = f"/v1/units/{unit_id['phuongvi-1']}/movement?from={ago(400)}"
        before = her.officer.get(path).json()
        assert before["admitted"] == 1
        her.officer.patch(her.path, json={"kind": MemberKind.honorary})
        after = her.officer.get(path).json()
        honorary = before["of_which_honorary"]
        assert after == before | {
            "of_which_honorary": honorary | {"closing": honorary["closing"] + 1}
        }

    def test_a_branch_moved_or_closed_is_no_movement(
        self, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        officer = api.as_("phutho")
        period = f"movement?from={ago(30)}"
        paths = [f"/v1/units/{unit_id[name]}/{period}" for name in ("phuongvi", "tienluong")]
        losing, gaining = (officer.get(path).json() for path in paths)
        branch = unit_id["phuongvi-4"]
        size = officer.get(f"/v1/units/{branch}").json()["member_count"]
        body = {"parent_id": unit_id["tienluong"], "effective_on": ago(10)}
        assert officer.post(f"/v1/units/{branch}/moves", json=body).is_success
        after = [officer.get(path).json() for path in paths]
        assert [(m["opening"], m["closing"]) for m in after] == [
            (losing["opening"] - size, losing["closing"] - size),
            (gaining["opening"] + size, gaining["closing"] + size),
        ]
        assert [m["transferred_in"] + m["transferred_out"] for m in after] == [0, 0]
        # A period that ends before: where the branch stood then.
        query = f"movement?from={ago(30)}&to={ago(11)}"
        then = officer.get(f"/v1/units/{unit_id['phuongvi']}/{query}").json()
        assert (then["opening"], then["closing"]) == (losing["opening"], losing["closing"])
        merged = f"/v1/units/{unit_id['phuongvi-4']}"
        for member in officer.get(f"/v1/members?branch={branch}&limit=200").json()["items"]:
            to = {"to_branch_id": unit_id["tienluong-1"], "effective_on": ago(5)}
            made = officer.post(f"/v1/members/{member['id']}/transfers", json=to)
            assert made.status_code == 201
        assert officer.post(f"{merged}/close", json={"closed_on": ago(6)}).is_success
        last = officer.get(paths[1]).json()
        assert (last["opening"], last["closing"]) == (after[1]["opening"], after[1]["closing"])
        assert (last["transferred_within"], last["transferred_in"]) == (size, 0)

    def test_of_any_day_a_unit_counts_its_members(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        her.does("transfers", {"to_branch_id": unit_id["tienluong-1"], "effective_on": ago(0)})
        costs: set[int] = set()
        listed: list[Json] = []
        for day in (ago(401), ago(400), ago(0)):
            with counted(database) as statements:
                listed = her.officer.get(f"/v1/units?as_of={day}").json()["items"]
            costs.add(len(statements))
            for unit in listed:
                one = her.officer.get(f"/v1/units/{unit['id']}?as_of={day}").json()
                assert one["member_count"] == unit["member_count"]
                path = f"/v1/units/{unit['id']}/movement?from={day}&to={day}"
                assert her.officer.get(path).json()["closing"] == unit["member_count"]
        today = her.officer.get("/v1/units").json()["items"]
        assert {u["id"]: u["member_count"] for u in today} == {
            u["id"]: u["member_count"] for u in listed
        }
        assert costs == {4}  # who asks, her grants, the page, the counts


class TestMovementRefusals(Reading):
    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("", "/from", "required"),
            (f"from={ago(1)}&to={ago(2)}", "/to", "dates_reversed"),
            (f"from={ago(-1)}", "/to", "dates_reversed"),
            (f"from={ago(1)}&to={ago(-1)}", "/to", "date_in_future"),
            ("from=1899-12-31", "/from", "date_too_early"),
            ("from=2025", "/from", "date_invalid"),
            (f"from={ago(1)}&unit=1", "/unit", "unknown_field"),
        ],
    )
    def test_of_a_period(
        self, officer: Api, unit_id: UnitIds, query: str, pointer: str, code: str
    ) -> None:
        answer = officer.get(f"/v1/units/{unit_id['phuongvi']}/movement?{query}")
        pointed(answer, pointer, code)

    def test_out_of_sight_is_not_found(self, api: Api, unit_id: UnitIds) -> None:
        for unit in (unit_id["tienluong"], unit_id["phutho"], 999_999):
            answer = api.as_("phuongvi").get(f"/v1/units/{unit}/movement?from={ago(9)}")
            refused(answer, 404, "not_found")
        answer = api.as_("admin").get(f"/v1/units/{unit_id['phuongvi']}/movement?from={ago(9)}")
        assert refused(answer, 403, "forbidden")["required_right"] == "members:read"
        answer = api.as_("member").get(f"/v1/units/{unit_id['phuongvi']}/movement?from={ago(9)}")
        assert refused(answer, 403, "forbidden")["required_right"] == "units:read"

    def test_costs_the_same_for_a_branch_and_a_province(
        self, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        officer, costs = api.as_("phutho"), []
        for unit in ("phuongvi-1", "phutho"):
            with counted(database) as statements:
                officer.get(f"/v1/units/{unit_id[unit]}/movement?from=2020-01-01")
            costs.append(len(statements))
        # Who asks, her grants, the unit; at one moment (BEGIN, COMMIT) two stocks and two flows.
        assert costs == [9, 9]


class TestMovementOfAGroup:
    def test_is_refused(self, officer: Api, unit_id: UnitIds) -> None:
        body = {"level": "group", "name": "Tổ 1", "parent_id": unit_id["phuongvi-1"]}
        group = officer.post(
            "/v1/units", json=body | {"opened_on": ago(9), "group_kind": "team"}
        ).json()["id"]
        answer = officer.get(f"/v1/units/{group}/movement?from={ago(9)}")
        pointed(answer, "/unit_id", "unit_level_wrong")
