"""Two records of one person: merged, found by either id, separated again with nothing lost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import col, func, select

from app.clock import local_today
from app.db import Database
from app.models.attendance.attendance import Attendance, Capture
from app.models.duplicates.merges import FieldChoices, Merge
from app.models.households.households import HouseholdPerson
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change
from app.models.members.members import Member, MemberIdentifier, MemberUpdate
from app.models.members.spells import Membership
from app.services.duplicates import merges
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.cadres import done, forbidden, made
from tests.helpers.captures import counts, hold, send, tapped
from tests.helpers.client import Api, counted, writing
from tests.helpers.tables import everything

NAME = "Đặng Thị Kim Thoa"
REASON = {"reason": "Cùng một người, nhập hai lần"}
DAY = timedelta(days=1)


@pytest.fixture
def district(api: Api) -> Api:
    return api.as_("camkhe")


def admit(api: Api, branch_id: int, **more: object) -> Json:
    body = {"branch_id": branch_id, "full_name": NAME, "birth_date": "1971", "joined_on": None}
    return made(api.post("/v1/members", json=body | more))


@pytest.fixture
def kept(officer: Api, unit_id: UnitIds) -> Json:
    return admit(officer, unit_id["phuongvi-1"], phone="0912345678", joined_on="2010-03-08")


@pytest.fixture
def other(officer: Api, unit_id: UnitIds, kept: Json) -> Json:
    """The same person in the same branch, entered once more."""
    return admit(
        officer,
        unit_id["phuongvi-1"],
        birth_date="1971-04-09",
        phone="0987654321",
        citizen_id="025171000123",
        joined_on="2012-10-20",
        address="Khu 3",
    )


def merge(api: Api, kept: Json, other: Json, **more: object) -> Any:
    body = {"other_id": other["id"]} | REASON | more
    return api.post(f"/v1/members/{kept['id']}/merges", json=body)


def undo(api: Api, merge: Json) -> Any:
    return api.post(f"/v1/merges/{merge['id']}/undo")


def spells(api: Api, member: Json) -> list[Json]:
    found: list[Json] = done(api.get(f"/v1/members/{member['id']}/memberships"))["items"]
    return found


def count(api: Api, unit_id: int, day: date | None = None) -> int:
    at = f"&as_of={day}" if day else ""
    total: int = done(api.get(f"/v1/members/count?unit={unit_id}{at}"))["people"]
    return total


class TestMerge:
    def test_one_record_is_left_with_all_that_both_had(
        self, officer: Api, kept: Json, other: Json, database: Database, unit_id: UnitIds
    ) -> None:
        training = {"kind": "language", "name": "Tiếng Anh"}
        made(officer.post(f"/v1/members/{other['id']}/trainings", json=training))
        before = count(officer, unit_id["phuongvi-1"])
        answer = merge(officer, kept, other, fields={"phone": "other"})
        shown = made(answer)
        assert answer.headers["location"] == f"/v1/merges/{shown['id']}"
        assert (shown["kept_id"], shown["gone_id"]) == (kept["id"], other["id"])
        assert shown["undo_until"] == str(local_today() + 30 * DAY)
        assert shown["fields"] == {
            "birth_date": "other",
            "joined_on": "kept",
            "address": "other",
        }  # nothing of phone and citizen id, which not everybody may read
        record = done(officer.get(f"/v1/members/{kept['id']}"))
        assert record["birth_date"] == "1971-04-09"  # the more exact
        assert (record["phone"], record["address"]) == ("+84987654321", "Khu 3")
        assert (record["citizen_id"], record["joined_on"]) == ("025171000123", "2010-03-08")
        assert (record["status"], record["revision"]) == ("active", 2)
        assert count(officer, unit_id["phuongvi-1"]) == before - 1
        trainings = done(officer.get(f"/v1/members/{kept['id']}/trainings"))["items"]
        assert [each["name"] for each in trainings] == ["Tiếng Anh"]
        with writing(database) as session:
            assert session.get(Member, UUID(other["id"])) is None
            stmt = select(MemberIdentifier.kind, MemberIdentifier.member_id)
            mine = UUID(kept["id"])
            held = [kind for kind, member_id in session.exec(stmt) if member_id == mine]
        assert sorted(held) == ["citizen_id", "phone"]

    def test_lists_and_search_show_her_once(
        self, officer: Api, kept: Json, other: Json, unit_id: UnitIds
    ) -> None:
        path = f"/v1/members?q=dang thi kim thoa&unit={unit_id['phuongvi']}"
        assert len(done(officer.get(path))["items"]) == 2
        made(merge(officer, kept, other))
        assert [each["id"] for each in done(officer.get(path))["items"]] == [kept["id"]]
        by_number = done(officer.get("/v1/members?q=025171000123"))["items"]
        assert [each["id"] for each in by_number] == [kept["id"]]

    def test_the_pair_is_decided_and_leaves_the_inbox(
        self, officer: Api, kept: Json, other: Json
    ) -> None:
        assert len(done(officer.get("/v1/duplicates"))["items"]) == 1
        shown = made(merge(officer, kept, other))
        assert done(officer.get("/v1/duplicates"))["items"] == []
        done(undo(officer, shown))
        [pair] = done(officer.get("/v1/duplicates"))["items"]
        assert (pair["state"], pair["decided_by"]) == ("open", None)

    def test_whom_the_other_was_not_the_kept_is_not(
        self, officer: Api, kept: Json, other: Json, unit_id: UnitIds
    ) -> None:
        third = admit(officer, unit_id["phuongvi-1"], birth_date="1971-04-09")
        for pair in done(officer.get("/v1/duplicates"))["items"]:
            if {pair["member_id"], pair["other_id"]} == {other["id"], third["id"]}:
                done(officer.post(f"/v1/duplicates/{pair['id']}/distinct", json={}))
        shown = made(merge(officer, kept, other))
        assert done(officer.get("/v1/duplicates"))["items"] == []
        done(undo(officer, shown))
        assert len(done(officer.get("/v1/duplicates"))["items"]) == 2

    def test_the_same_merge_again_is_no_second_one(
        self, officer: Api, kept: Json, other: Json, database: Database
    ) -> None:
        first = made(merge(officer, kept, other))
        assert done(merge(officer, kept, other)) == first
        with writing(database) as session:
            assert session.exec(select(func.count()).select_from(Merge)).one() == 1

    def test_is_told_by_the_change_log(
        self, officer: Api, kept: Json, other: Json, database: Database
    ) -> None:
        made(merge(officer, kept, other))
        with writing(database) as session:
            logged = session.execute(
                sa.select(col(Change.entity), col(Change.operation), col(Change.entity_id)).where(
                    col(Change.account_id).is_not(None)
                )
            ).all()
        assert ("member", "deleted", other["id"]) in logged
        assert ("member", "updated", kept["id"]) in logged
        assert [row.operation for row in logged if row.entity == "merge"] == ["created"]
        past = done(officer.get(f"/v1/changes/history?entity=member&entity_id={other['id']}"))[
            "fields"
        ]
        [first] = [each["values"] for each in past if each["field"] == "address"]
        assert first[-1]["value"] == "Khu 3"

    def test_refuses_what_cannot_be(
        self, officer: Api, kept: Json, other: Json, database: Database
    ) -> None:
        pointed(merge(officer, kept, kept), "/other_id", "merge_with_itself")
        pointed(merge(officer, kept, {"id": str(uuid4())}), "/other_id", "member_unknown")
        refused(merge(officer, {"id": str(uuid4())}, other), 404, "not_found")
        pointed(
            merge(officer, kept, other, fields={"joined_on": "x"}),
            "/fields/joined_on",
            "not_in_list",
        )
        assert len(spells(officer, other)) == 1

    def test_an_account_and_a_group_go_with_her(
        self, officer: Api, kept: Json, other: Json, database: Database, unit_id: UnitIds
    ) -> None:
        group = {"parent_id": unit_id["phuongvi-1"], "level": "group", "name": "Tổ 9"}
        group |= {"group_kind": "team", "opened_on": "2020-01-01"}
        team = made(officer.post("/v1/units", json=group))["id"]
        for member in (kept, other):
            body = {"member_id": member["id"], "valid_from": "2021-01-01"}
            made(officer.post(f"/v1/groups/{team}/participations", json=body))
        with writing(database) as session:
            session.execute(
                sa.update(Account)
                .where(col(Account.username) == "auditor")
                .values(member_id=UUID(other["id"]))
            )
        before = everything(database, "merge")
        shown = made(merge(officer, kept, other))
        people = done(officer.get(f"/v1/groups/{team}/participations"))["items"]
        assert [each["member_id"] for each in people] == [kept["id"]]
        with writing(database) as session:
            account = session.exec(select(Account).where(col(Account.username) == "auditor")).one()
            assert account.member_id == UUID(kept["id"])
        done(undo(officer, shown))
        assert everything(database, "merge") == before


class TestRights:
    def test_both_must_be_hers(
        self, api: Api, district: Api, kept: Json, other: Json, unit_id: UnitIds
    ) -> None:
        forbidden(merge(api.as_("phuongvi-1"), kept, other), "members:merge")
        forbidden(merge(api.as_("auditor"), kept, other), "members:merge")
        far = admit(district, unit_id["tienluong-1"])
        pointed(merge(api.as_("phuongvi"), kept, far), "/other_id", "member_unknown")
        refused(merge(api.as_("tienluong"), kept, far), 404, "not_found")
        shown = made(merge(district, kept, far, memberships="kept"))
        # Her other record stood where she may do nothing.
        forbidden(undo(api.as_("phuongvi"), shown), "members:merge")
        refused(undo(api.as_("tienluong"), shown), 404, "not_found")
        forbidden(undo(api.as_("phuongvi-1"), shown), "members:merge")
        done(undo(district, shown))

    def test_a_masked_field_is_not_chosen(
        self, api: Api, officer: Api, kept: Json, other: Json
    ) -> None:
        answer = merge(api.as_("phuongvi-1"), kept, other, fields={"citizen_id": "other"})
        assert answer.status_code == 403


class TestOldId:
    def test_finds_the_kept_record_for_who_may_see_it(
        self, api: Api, officer: Api, kept: Json, other: Json
    ) -> None:
        made(merge(officer, kept, other))
        answer = officer.get(f"/v1/members/{other['id']}")
        assert done(answer)["id"] == kept["id"]
        assert answer.headers["content-location"] == f"/v1/members/{kept['id']}"
        path = f"/v1/members/{other['id']}/memberships?limit=1"
        moved = officer.get(path, follow_redirects=False)
        assert moved.status_code == 307
        assert moved.headers["location"] == path.replace(other["id"], kept["id"])
        assert spells(officer, other) == spells(officer, kept)
        problem = refused(
            officer.patch(f"/v1/members/{other['id']}", json={"address": "x"}), 409, "member_merged"
        )
        assert problem["merged_into"] == kept["id"]
        stranger = api.as_("tienluong")
        for path in (f"/v1/members/{other['id']}", f"/v1/members/{other['id']}/memberships"):
            refused(stranger.get(path), 404, "not_found")

    def test_is_not_given_to_somebody_else(
        self, officer: Api, kept: Json, other: Json, unit_id: UnitIds
    ) -> None:
        made(merge(officer, kept, other))
        body = {"branch_id": unit_id["phuongvi-1"], "full_name": NAME, "birth_date": "1971"}
        answer = officer.post("/v1/members", json=body | {"id": other["id"], "joined_on": None})
        assert refused(answer, 409, "member_merged")["merged_into"] == kept["id"]

    def test_a_chain_leads_to_its_end_and_is_undone_backwards(
        self, officer: Api, kept: Json, other: Json, database: Database, unit_id: UnitIds
    ) -> None:
        third = admit(officer, unit_id["phuongvi-1"])
        before = everything(database, "merge")
        first = made(merge(officer, kept, other))
        second = made(merge(officer, third, kept))
        for old in (other, kept):
            assert done(officer.get(f"/v1/members/{old['id']}"))["id"] == third["id"]
        refused(merge(officer, other, kept), 409, "member_merged")
        assert (
            refused(merge(officer, third, other), 409, "member_merged")["merged_into"]
            == (third["id"])
        )
        [obstacle] = refused(undo(officer, first), 409, "undo_blocked")["obstacles"]
        assert (obstacle["code"], obstacle["merge_id"]) == ("merged_further", second["id"])
        done(undo(officer, second))
        done(undo(officer, first))
        assert everything(database, "merge") == before


class TestRaces:
    """Whatever comes first, each person is on record once and no id is lost."""

    def at_once(self, app: FastAPI, officer: Api, *calls: tuple[Json, Json]) -> list[Response]:
        start = Barrier(len(calls))

        def run(call: tuple[Json, Json]) -> Response:
            mine = Api(app, officer.headers)
            start.wait()
            answer: Response = merge(mine, *call)
            return answer

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(run, calls))

    def test_the_same_pair_twice_is_one_merge(
        self, app: FastAPI, officer: Api, kept: Json, other: Json
    ) -> None:
        answers = self.at_once(app, officer, (kept, other), (kept, other))
        assert sorted(answer.status_code for answer in answers) == [200, 201]
        assert answers[0].json() == answers[1].json()

    def test_of_both_ways_one_is_done(
        self, app: FastAPI, officer: Api, kept: Json, other: Json
    ) -> None:
        answers = self.at_once(app, officer, (kept, other), (other, kept))
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        [problem] = [answer.json() for answer in answers if answer.status_code == 409]
        assert problem["code"] == "member_merged"

    def test_a_chain_at_once_ends_in_one_record_or_is_told(
        self, app: FastAPI, officer: Api, kept: Json, other: Json, unit_id: UnitIds
    ) -> None:
        third = admit(officer, unit_id["phuongvi-1"])
        answers = self.at_once(app, officer, (kept, other), (third, kept))
        statuses = [answer.status_code for answer in answers]
        assert statuses in ([201, 201], [409, 201])
        assert done(officer.get(f"/v1/members/{kept['id']}"))["id"] == third["id"]
        last = kept["id"] if statuses[0] != 201 else third["id"]
        ends = {each["id"] for each in (other, third)} if last == kept["id"] else {third["id"]}
        assert done(officer.get(f"/v1/members/{other['id']}"))["id"] in ends

    @pytest.mark.race
    def test_two_undos_are_one(
        self, app: FastAPI, officer: Api, kept: Json, other: Json, database: Database
    ) -> None:
        before = everything(database, "merge")
        shown = made(merge(officer, kept, other))
        start = Barrier(2)

        def run(_: int) -> Response:
            mine = Api(app, officer.headers)
            start.wait()
            answer: Response = undo(mine, shown)
            return answer

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(run, range(2)))
        assert [answer.status_code for answer in answers] == [200, 200]
        assert everything(database, "merge") == before


class TestMemberships:
    def test_days_in_one_branch_are_joined(self, officer: Api, kept: Json, other: Json) -> None:
        [hers] = spells(officer, kept)
        [theirs] = spells(officer, other)
        made(merge(officer, kept, other))
        one, annulled = sorted(spells(officer, kept), key=lambda each: each["annulled_at"] or "")
        assert (one["id"], one["valid_from"], one["valid_to"]) == (
            hers["id"], min(hers["valid_from"], theirs["valid_from"]), None,
        )  # fmt: skip
        assert annulled["id"] == theirs["id"]
        assert annulled["annulled_at"] is not None

    def test_two_branches_at_once_are_asked_about(
        self, officer: Api, kept: Json, database: Database, unit_id: UnitIds
    ) -> None:
        elsewhere = admit(officer, unit_id["phuongvi-2"])
        before = everything(database, "merge")
        [obstacle] = refused(merge(officer, kept, elsewhere), 409, "merge_blocked")["obstacles"]
        assert obstacle["code"] == "membership_overlap"
        assert obstacle["other_branch_id"] == unit_id["phuongvi-2"]
        assert obstacle["text_vi"]
        assert everything(database, "merge") == before

    @pytest.mark.parametrize("side", ["kept", "other"])
    def test_the_chosen_side_holds(
        self, officer: Api, kept: Json, database: Database, unit_id: UnitIds, side: str
    ) -> None:
        elsewhere = admit(officer, unit_id["phuongvi-2"], joined_on="2024-01-01")
        before = everything(database, "merge")
        day = date(2023, 6, 1)
        counts = [count(officer, unit_id["phuongvi"], at) for at in (None, day)]
        shown = made(merge(officer, kept, elsewhere, memberships=side))
        record = done(officer.get(f"/v1/members/{kept['id']}"))
        assert record["branch_id"] == unit_id["phuongvi-1" if side == "kept" else "phuongvi-2"]
        found = [each for each in spells(officer, kept) if each["annulled_at"] is None]
        if side == "other":
            assert [each["valid_to"] for each in found] == ["2023-12-31", None]
            assert (found[0]["left_by"], found[1]["joined_by"]) == ("transfer", "transfer")
            assert found[0]["to_branch_id"] == found[1]["branch_id"] == unit_id["phuongvi-2"]
        else:
            assert len(found) == 1
        assert count(officer, unit_id["phuongvi"]) == counts[0] - 1
        assert count(officer, unit_id["phuongvi"], day) == counts[1]
        done(undo(officer, shown))
        assert everything(database, "merge") == before
        assert [count(officer, unit_id["phuongvi"], at) for at in (None, day)] == counts

    def test_a_stay_within_another_splits_it(
        self, officer: Api, kept: Json, database: Database, unit_id: UnitIds
    ) -> None:
        away = admit(officer, unit_id["phuongvi-2"], joined_on="2015-01-01")
        left = {"reason": "moved_away", "effective_on": "2018-01-01"}
        made(officer.post(f"/v1/members/{away['id']}/departures", json=left))
        before = everything(database, "merge")
        shown = made(merge(officer, kept, away, memberships="other"))
        found = [each for each in spells(officer, kept) if each["annulled_at"] is None]
        one, two = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
        assert [each["branch_id"] for each in found] == [one, two, one]
        assert [each["valid_to"] for each in found] == ["2014-12-31", "2017-12-31", None]
        assert [each["left_by"] for each in found] == ["transfer", "transfer", None]
        moved = done(officer.get(f"/v1/units/{two}/movement?from=2014-06-01&to=2018-06-01"))
        assert moved["closing"] == (
            moved["opening"] + moved["admitted"] + moved["transferred_in"]
            - moved["transferred_out"] - moved["left"] - moved["died"]
        )  # fmt: skip
        done(undo(officer, shown))
        assert everything(database, "merge") == before

    def test_the_dead_do_not_live_on(self, officer: Api, kept: Json, other: Json) -> None:
        made(officer.post(f"/v1/members/{other['id']}/death", json={"died_on": "2024-02-01"}))
        [obstacle] = refused(merge(officer, kept, other), 409, "merge_blocked")["obstacles"]
        assert obstacle["code"] == "died_before"

    def test_a_transfer_under_way_stands_in_the_way(
        self, api: Api, officer: Api, kept: Json, other: Json, unit_id: UnitIds
    ) -> None:
        path = f"/v1/members/{other['id']}/transfers"
        made(officer.post(path, json={"to_branch_id": unit_id["tienluong-1"]}))
        [obstacle] = refused(merge(officer, kept, other), 409, "merge_blocked")["obstacles"]
        assert obstacle["code"] == "transfer_under_way"


class TestUndo:
    def test_restores_both_exactly(
        self, officer: Api, kept: Json, other: Json, database: Database, unit_id: UnitIds
    ) -> None:
        before = everything(database, "merge")
        people = count(officer, unit_id["phuongvi"])
        shown = made(merge(officer, kept, other, fields={"full_name": "other"}))
        answer = done(undo(officer, shown))
        assert (answer["state"], answer["undo_until"]) == ("undone", None)
        assert everything(database, "merge") == before
        assert count(officer, unit_id["phuongvi"]) == people
        assert done(officer.get(f"/v1/members/{other['id']}"))["id"] == other["id"]
        assert done(undo(officer, shown)) == answer  # the same act again
        again = made(merge(officer, kept, other))
        listed = done(officer.get(f"/v1/members/{kept['id']}/merges"))["items"]
        assert [each["id"] for each in listed] == [shown["id"], again["id"]]
        assert done(officer.get(f"/v1/merges/{again['id']}")) == again

    def test_revisions_only_grow(
        self, officer: Api, kept: Json, other: Json, database: Database
    ) -> None:
        done(undo(officer, made(merge(officer, kept, other))))
        with writing(database) as session:
            told = session.execute(
                sa.select(col(Change.operation), col(Change.revision))
                .where(col(Change.entity_id) == other["id"])
                .order_by(col(Change.revision))
            ).all()
        assert [tuple(row) for row in told] == [("created", 1), ("deleted", 2), ("created", 3)]

    def test_what_was_written_since_stays_and_what_meets_the_merge_is_named(
        self, officer: Api, kept: Json, other: Json
    ) -> None:
        shown = made(merge(officer, kept, other))
        path = f"/v1/members/{kept['id']}"
        done(officer.patch(path, json={"occupation": "Nông dân"}))
        done(officer.patch(path, json={"address": "Khu 9"}))
        [obstacle] = refused(undo(officer, shown), 409, "undo_blocked")["obstacles"]
        assert (obstacle["code"], obstacle["field"]) == ("changed_since", "address")
        done(officer.patch(path, json={"address": "Khu 3"}))
        done(undo(officer, shown))
        record = done(officer.get(path))
        assert (record["occupation"], record["address"]) == ("Nông dân", None)
        assert done(officer.get(f"/v1/members/{other['id']}"))["address"] == "Khu 3"

    def test_a_departure_since_stands_in_the_way(
        self, officer: Api, kept: Json, other: Json
    ) -> None:
        shown = made(merge(officer, kept, other))
        left = {"reason": "moved_away"}
        made(officer.post(f"/v1/members/{kept['id']}/departures", json=left))
        found = refused(undo(officer, shown), 409, "undo_blocked")["obstacles"]
        assert [each["code"] for each in found] == ["memberships_changed"]

    def test_has_its_time(self, officer: Api, kept: Json, other: Json, database: Database) -> None:
        shown = made(merge(officer, kept, other))
        with writing(database) as session:
            session.execute(sa.update(Merge).values(undo_until=local_today() - DAY))
        refused(undo(officer, shown), 409, "undo_too_late")
        assert done(officer.get(f"/v1/merges/{shown['id']}"))["undo_until"] is None
        assert merges.forget_old(database) == 1
        with writing(database) as session:
            assert session.exec(select(Merge.journal)).one() is None
            assert len(session.exec(select(Membership.id)).all()) > 0
        assert done(officer.get(f"/v1/members/{other['id']}"))["id"] == kept["id"]

    def test_the_journal_is_sealed(
        self, officer: Api, kept: Json, other: Json, database: Database
    ) -> None:
        made(merge(officer, kept, other))
        with writing(database) as session:
            [stored] = session.execute(sa.text("SELECT journal FROM merge")).scalars()
        assert "025171000123" not in stored
        assert "Thoa" not in stored

    def test_costs_the_same_however_many_merges(
        self, officer: Api, kept: Json, other: Json, database: Database, unit_id: UnitIds
    ) -> None:
        made(merge(officer, kept, other))
        costs = []
        for _ in range(2):
            with counted(database) as statements:
                done(officer.get(f"/v1/members/{kept['id']}/merges"))
            costs.append(len(statements))
            made(merge(officer, kept, admit(officer, unit_id["phuongvi-1"])))
        assert costs[0] == costs[1]


class TestWhatCameLater:
    """Attendance, invitations, households, consents: with her into the merge, and back."""

    def test_both_attended(
        self, officer: Api, kept: Json, other: Json, database: Database, unit_id: UnitIds
    ) -> None:
        both, alone = (hold(database, [unit_id["phuongvi-1"]]) for _ in range(2))
        for session_id, people in ((both, (kept, other)), (alone, (other,))):
            items = [tapped(each["id"]) for each in people]
            assert [each["attendance"] for each in send(officer, session_id, items)] == (
                ["new"] * len(people)
            )
        before = everything(database, "merge")
        shown = made(merge(officer, kept, other))
        assert [counts(officer, each)["distinct_people"] for each in (both, alone)] == [1, 1]
        with writing(database) as session:
            attended = {row.member_id for row in session.exec(select(Attendance))}
            captured = {row.member_id for row in session.exec(select(Capture))}
        assert attended == captured == {UUID(kept["id"])}
        done(undo(officer, shown))
        assert [counts(officer, each)["distinct_people"] for each in (both, alone)] == [2, 1]
        assert everything(database, "merge") == before

    def test_what_she_said_and_answered(
        self, officer: Api, kept: Json, other: Json, database: Database, unit_id: UnitIds
    ) -> None:
        head = officer
        for member, decision in ((kept, "given"), (other, "refused")):
            said = {
                "purpose": "contact",
                "decision": decision,
                "evidence": {"kind": "paper", "reference": "Phiếu 1"},
                "recorded_on": local_today().isoformat(),
            }
            made(head.post(f"/v1/members/{member['id']}/consents", json=said))
        before = everything(database, "merge")
        shown = made(merge(officer, kept, other))
        consents = done(officer.get(f"/v1/members/{kept['id']}/consents"))["items"]
        assert sorted((each["decision"], each["current"]) for each in consents) == [
            ("given", False),
            ("refused", True),
        ]
        done(undo(officer, shown))
        assert everything(database, "merge") == before

    def test_her_household_is_headed_by_the_one_record(
        self, officer: Api, kept: Json, other: Json, database: Database, unit_id: UnitIds
    ) -> None:
        household = home(officer, unit_id, other)
        before = everything(database, "merge")
        shown = made(merge(officer, kept, other))
        merged = done(officer.get(f"/v1/households/{household['id']}"))
        assert merged["head_id"] == kept["id"]
        assert [person["member_id"] for person in merged["people"]] == [kept["id"]]
        assert done(officer.get(f"/v1/members/{kept['id']}"))["household_id"] == household["id"]
        done(undo(officer, shown))
        assert done(officer.get(f"/v1/households/{household['id']}"))["head_id"] == other["id"]
        assert everything(database, "merge") == before

    def test_who_lived_in_one_household_twice_lived_there_under_both_records(
        self, officer: Api, kept: Json, other: Json, database: Database, unit_id: UnitIds
    ) -> None:
        head = admit(officer, unit_id["phuongvi-1"], full_name="Lò Thị Sương")
        people = f"/v1/households/{home(officer, unit_id, head)['id']}/people"
        came = {"relation": "other", "effective_on": "2024-02-01"}
        done(officer.post(people, json=came | {"member_id": other["id"]}))
        left = {"reason": "moved_out", "effective_on": "2025-02-01"}
        done(officer.post(f"{people}/{other['id']}/leave", json=left))
        back = {"member_id": kept["id"], "relation": "other", "effective_on": "2025-06-01"}
        done(officer.post(people, json=back))
        before = everything(database, "merge")
        shown = made(merge(officer, kept, other))
        with writing(database) as session:
            stays = session.exec(select(HouseholdPerson).order_by(col(HouseholdPerson.valid_from)))
            hers = [
                (s.person_id, str(s.valid_from)) for s in stays if str(s.member_id) == kept["id"]
            ]
        assert hers == [(UUID(kept["id"]), "2024-02-01"), (UUID(kept["id"]), "2025-06-01")]
        done(undo(officer, shown))
        assert everything(database, "merge") == before

    def test_two_households_at_once_stand_in_the_way(
        self, officer: Api, kept: Json, other: Json, unit_id: UnitIds, database: Database
    ) -> None:
        homes = [home(officer, unit_id, member) for member in (kept, other)]
        before = everything(database, "merge")
        body = refused(merge(officer, kept, other), 409, "merge_blocked")
        [obstacle] = body["obstacles"]
        assert obstacle["code"] == "households_overlap"
        assert obstacle["household_ids"] == [each["id"] for each in homes]
        assert everything(database, "merge") == before

    def test_a_restricted_record_is_merged_by_who_answers_for_it_alone(
        self, officer: Api, kept: Json, other: Json, api: Api
    ) -> None:
        made(
            officer.post(
                f"/v1/members/{other['id']}/processing-limits", json={"kind": "restriction"}
            )
        )
        shown = made(merge(officer, kept, other))
        assert done(officer.get(f"/v1/members/{kept['id']}"))["restricted"]
        done(undo(officer, shown))
        assert not done(officer.get(f"/v1/members/{kept['id']}"))["restricted"]
        assert done(officer.get(f"/v1/members/{other['id']}"))["restricted"]


def home(api: Api, unit_id: UnitIds, head: Json) -> Json:
    body = {
        "branch_id": unit_id["phuongvi-1"],
        "opened_on": "2024-01-01",
        "people": [{"member_id": head["id"], "relation": "head"}],
    }
    return made(api.post("/v1/households", json=body))


def test_each_field_of_a_member_can_be_chosen() -> None:
    """What can be corrected in a record is what a merge chooses from."""
    assert set(FieldChoices.model_fields) == set(MemberUpdate.model_fields), (
        "name the field in FieldChoices of app/models/duplicates/merges.py"
    )
