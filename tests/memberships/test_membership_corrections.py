"""Membership life: leaving, dying, coming back, corrections, and the counts of any day."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.clock import local_today
from app.db import Database
from app.models.cadres.appointments import Appointment, EndReason
from app.models.groups.groups import Participation
from app.models.members.members import MemberStatus
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, writing
from tests.helpers.when_run import WhenRun
from tests.memberships.memberships import Her, ago, open_branch, row_of, stored


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


class TestCorrection:
    @pytest.fixture
    def moved(self, her: Her, unit_id: UnitIds) -> Her:
        """phuongvi-1 until 201 days ago, phuongvi-2 since."""
        her.does("transfers", {"to_branch_id": unit_id["phuongvi-2"], "effective_on": ago(200)})
        return her

    @pytest.mark.parametrize(
        ("place", "body"),
        [(1, {"valid_from": WhenRun(ago, 150)}), (0, {"valid_to": WhenRun(ago, 151)})],
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
            (1, {"valid_from": WhenRun(ago, 401)}, "/valid_from", "membership_overlap"),
            (1, {"valid_from": WhenRun(ago, -1)}, "/valid_from", "date_in_future"),
            (1, {"valid_from": "1899-12-31"}, "/valid_from", "date_too_early"),
            (1, {"valid_to": WhenRun(ago, 5)}, "/valid_to", "membership_lasts"),
            (0, {"valid_to": None}, "/valid_to", "ended_by_transfer"),
            (0, {"valid_to": WhenRun(ago, 402)}, "/valid_to", "dates_reversed"),
            (0, {"valid_to": WhenRun(ago, 0)}, "/valid_to", "date_in_future"),
            (0, {"valid_from": WhenRun(ago, 199)}, "/valid_from", "dates_reversed"),
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
            ("departures", {"reason": "moved_away", "effective_on": WhenRun(ago, 100)}),
            ("death", {"died_on": WhenRun(ago, 100)}),
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
            assert ends(database, table, row) == local_today() - timedelta(days=101)
        # A later end gives nothing back.
        her.corrected(0, {"valid_to": ago(31)})
        for table, row in ((Participation, in_team), (Appointment, post)):
            assert ends(database, table, row) == local_today() - timedelta(days=101)
        with writing(database) as session:
            assert session.get_one(Appointment, UUID(post)).reason == reason

    @pytest.mark.parametrize(
        ("place", "body"),
        [(1, {"valid_from": WhenRun(ago, 250)}), (0, {"valid_to": WhenRun(ago, 251)})],
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
            assert ends(database, table, row) == local_today() - timedelta(days=251)
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
        her.officer.post(f"/v1/units/{branch}/close", json={"effective_on": ago(24)})
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

    @pytest.mark.parametrize("joined_on", [WhenRun(ago, 300), WhenRun(ago, 500), None])
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
        assert ends(database, Participation, in_team) == local_today() - timedelta(days=51)
        assert ends(database, Appointment, post) == local_today() - timedelta(days=101)
        assert row_of(database, her.id).status is MemberStatus.left
        with writing(database) as session:
            held = session.get_one(Appointment, UUID(post))
        assert held.reason is EndReason.mistake

    def test_takes_what_rested_on_a_transfer_and_no_more(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        of_commune = appoint(her, unit_id["phuongvi"], ago(300), "committee_member")
        new = unit_id["phuongvi-2"]
        her.does("transfers", {"to_branch_id": new, "effective_on": ago(200)})
        in_team = join(her, open_team(her.officer, new), ago(50))
        post = appoint(her, new, ago(100))
        assert her.annul(1).is_success
        assert ends(database, Participation, in_team) == local_today() - timedelta(days=51)
        assert ends(database, Appointment, post) == local_today() - timedelta(days=101)
        assert ends(database, Appointment, of_commune) is None

    @pytest.mark.parametrize(
        ("kind", "body", "status"),
        [
            ("death", {"died_on": WhenRun(ago, 20), "note": "Ốm nặng"}, "deceased"),
            ("departures", {"reason": "resigned", "effective_on": WhenRun(ago, 20)}, "left"),
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
        assert her.officer.post(path, json={"effective_on": ago(61)}).is_success
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
        assert her.officer.post(
            f"/v1/units/{branch}/close", json={"effective_on": ago(49)}
        ).is_success
        before = stored(database)
        refused(her.annul(2), 409, "unit_closed")
        assert stored(database) == before
