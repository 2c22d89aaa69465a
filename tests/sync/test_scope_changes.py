"""What a phone drops and gets when rights, places and people change."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import col

from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.models.events.events import EventSession
from app.models.households.households import HouseholdPerson, Relation
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Feed
from app.services.kernel import following
from app.services.kernel.offers import DAYS_ON_A_PHONE
from app.services.sync.cursors import Cursor
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, writing
from tests.helpers.homes import home
from tests.helpers.meetings import made
from tests.helpers.phone import Phone, differing, fresh_slice
from tests.kernel.changes import done, head
from tests.reorganisations.branches import Branches
from tests.reorganisations.elsewhere import to_another_province
from tests.sync.acts import granted, move_unit

NAMED = {"birth_date": "1980", "joined_on": "2015"}


@pytest.fixture
def phone(head: Api) -> Phone:
    made = Phone(head)
    made.pull()
    return made


@pytest.fixture
def of_commune(officer: Api) -> Phone:
    made = Phone(officer)
    made.pull()
    return made


def ops(items: list[Json], kind: str = "member") -> dict[str, str]:
    return {str(item["id"]): item["op"] for item in items if item["kind"] == kind}


def in_branch(phone: Phone, branch_id: int) -> set[str]:
    return {key for key, row in phone.rows["member"].items() if row["branch_id"] == branch_id}


class TestGrants:
    def test_one_that_begins_brings_what_is_older_than_the_cursor(
        self, phone: Phone, database: Database, unit_id: UnitIds
    ) -> None:
        before = set(phone.rows["member"])
        granted(database, "phuongvi-1", unit_id["phuongvi-2"], "branch_head")
        came = phone.pull()
        assert phone.slice == fresh_slice(phone.api)
        assert set(ops(came)) == in_branch(phone, unit_id["phuongvi-2"])
        assert before <= set(phone.rows["member"])

    def test_one_that_ends_by_its_date_takes_with_it_what_nothing_else_covers(
        self, phone: Phone, database: Database, unit_id: UnitIds
    ) -> None:
        end = granted(database, "phuongvi-1", unit_id["phuongvi-2"], "branch_head")
        phone.pull()
        lost = in_branch(phone, unit_id["phuongvi-2"])
        end(-1)
        gone = phone.pull()
        assert ops(gone) == dict.fromkeys(lost, "left_scope")
        assert phone.slice == fresh_slice(phone.api)

    def test_what_another_grant_covers_stays(
        self, phone: Phone, database: Database, unit_id: UnitIds
    ) -> None:
        end = granted(database, "phuongvi-1", unit_id["phuongvi"], "commune_officer")
        phone.pull()
        assert phone.slice == fresh_slice(phone.api)
        end(-1)
        items = phone.pull()
        assert phone.slice == fresh_slice(phone.api)
        assert phone.rows["member"]
        kept = in_branch(phone, unit_id["phuongvi-1"])
        assert not {key for key, op in ops(items).items() if op == "left_scope"} & kept

    def test_rights_over_the_same_unit_send_what_changed(
        self, phone: Phone, database: Database, unit_id: UnitIds
    ) -> None:
        some = next(iter(phone.rows["member"].values()))
        assert "ethnicity" in some["masked"]
        end = granted(database, "phuongvi-1", unit_id["phuongvi-1"], "commune_officer")
        items = phone.pull()
        assert "ethnicity" not in phone.rows["member"][some["id"]]["masked"]
        assert {item["op"] for item in items} == {"upsert"}
        end(-1)
        phone.pull()
        assert phone.rows["member"][some["id"]] == some
        assert phone.slice == fresh_slice(phone.api)

    def test_all_of_them_end(self, phone: Phone, database: Database) -> None:
        with writing(database) as session:
            account_id = sa.select(col(Account.id)).where(col(Account.username) == "phuongvi-1")
            session.execute(
                sa.update(Grant)
                .where(col(Grant.account_id).in_(account_id))
                .values(valid_to=local_today() - timedelta(days=1))
            )
        phone.pull()
        assert phone.records == {}

    def test_a_walk_that_the_next_change_interrupts(
        self, phone: Phone, database: Database, unit_id: UnitIds
    ) -> None:
        end = granted(database, "phuongvi-1", unit_id["phuongvi"], "commune_officer")
        phone.max_bytes = 10_000
        phone.take(phone.ask().json())
        end(-1)
        phone.pull()
        assert phone.slice == fresh_slice(phone.api)

    def test_ids_of_what_came_after_the_grant_ended_are_not_told(
        self, phone: Phone, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        end = granted(database, "phuongvi-1", unit_id["tienluong-1"], "branch_head")
        phone.pull()
        end(-1)
        phone.pull()
        body = NAMED | {"full_name": "Lò Thị Kín", "branch_id": unit_id["tienluong-1"]}
        done(api.as_("tienluong").post("/v1/members", json=body))
        assert phone.pull() == []

    def test_of_a_phone_that_keeps_one_unit(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        end = granted(database, "phuongvi-1", unit_id["phuongvi-2"], "branch_head")
        phone = Phone(head, unit=unit_id["phuongvi-2"])
        phone.pull()
        assert phone.rows["member"]
        end(-1)
        phone.pull()
        assert phone.records == {}


class TestMoves:
    def test_to_another_branch(
        self, phone: Phone, of_commune: Phone, api: Api, unit_id: UnitIds
    ) -> None:
        target = Phone(api.as_("phuongvi-2"))
        target.pull()
        somebody = min(phone.rows["member"])
        move(api.as_("phuongvi"), somebody, unit_id["phuongvi-2"])
        assert ops(phone.pull())[somebody] == "left_scope"
        assert ops(target.pull())[somebody] == "entered_scope"
        assert ops(of_commune.pull())[somebody] == "upsert"
        for each in (phone, target, of_commune):
            assert differing(each, fresh_slice(each.api)) == []

    def test_there_and_back(self, phone: Phone, api: Api, unit_id: UnitIds) -> None:
        somebody = min(phone.rows["member"])
        move(api.as_("phuongvi"), somebody, unit_id["phuongvi-2"])
        move(api.as_("phuongvi"), somebody, unit_id["phuongvi-1"])
        assert ops(phone.pull())[somebody] == "upsert"

    def test_out_of_what_was_lost(
        self, phone: Phone, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        """She moved on after the grant had ended: nothing that is read now says where she was."""
        end = granted(database, "phuongvi-1", unit_id["phuongvi-2"], "branch_head")
        phone.pull()
        somebody = min(in_branch(phone, unit_id["phuongvi-2"]))
        end(-1)
        move(api.as_("phuongvi"), somebody, unit_id["phuongvi-3"])
        phone.pull()
        assert phone.slice == fresh_slice(phone.api)


def move(officer: Api, member_id: str, branch_id: int) -> None:
    body = {"to_branch_id": branch_id, "reason": "Chuyển nhà"}
    transfer = done(officer.post(f"/v1/members/{member_id}/transfers", json=body))
    done(officer.post(f"/v1/transfers/{transfer['id']}/accept", json={}))


class TestPeople:
    def test_who_leaves_the_union(self, phone: Phone, officer: Api) -> None:
        somebody = min(phone.rows["member"])
        left = {"reason": "moved_away"}
        done(officer.post(f"/v1/members/{somebody}/departures", json=left))
        assert ops(phone.pull())[somebody] == "left_scope"
        assert phone.slice == fresh_slice(phone.api)

    def test_two_records_of_one_person(self, phone: Phone, officer: Api, unit_id: UnitIds) -> None:
        body = NAMED | {"full_name": "Hà Thị Đôi", "branch_id": unit_id["phuongvi-1"]}
        kept, lost = (done(officer.post("/v1/members", json=body))["id"] for _ in range(2))
        phone.pull()
        merged = {"other_id": lost, "reason": "Nhập hai lần"}
        merge = done(officer.post(f"/v1/members/{kept}/merges", json=merged))
        assert ops(phone.pull())[lost] == "delete"
        assert kept in phone.rows["member"]
        assert phone.slice == fresh_slice(phone.api)
        done(officer.post(f"/v1/merges/{merge['id']}/undo"))
        assert ops(phone.pull())[lost] == "upsert"
        assert phone.slice == fresh_slice(phone.api)

    def test_restricted_and_no_longer(self, phone: Phone, officer: Api) -> None:
        somebody = min(phone.rows["member"])
        path = f"/v1/members/{somebody}/processing-limits"
        counted = planned(phone)
        limit = done(officer.post(path, json={"kind": "restriction", "note": "Chị yêu cầu"}))
        assert ops(phone.pull())[somebody] == "left_scope"
        assert planned(phone) == counted - 1
        assert phone.slice == fresh_slice(phone.api)
        done(officer.post(f"/v1/processing-limits/{limit['id']}/lift", json={"note": "xong"}))
        assert ops(phone.pull())[somebody] == "upsert"

    def test_erased(self, phone: Phone, officer: Api, api: Api) -> None:
        somebody = min(phone.rows["member"])
        path = f"/v1/members/{somebody}"
        province = api.as_("phutho")
        done(officer.post(f"{path}/departures", json={"reason": "moved_away"}))
        asked = {"kind": "erase", "channel": "in_person", "note": "Chị yêu cầu"}
        request = done(officer.post(f"{path}/privacy-requests", json=asked))
        done(officer.post(f"/v1/privacy/requests/{request['id']}/acknowledge"))
        tried = done(province.post(f"{path}/erasure", json={"dry_run": True}))
        body = {"dry_run": False, "request_id": request["id"], "digest": tried["digest"]}
        done(province.post(f"{path}/erasure", json=body))
        items = phone.pull()
        assert ops(items)[somebody] == "delete"
        assert [item["row"] for item in items if item["id"] == somebody] == [None]


def planned(phone: Phone) -> int:
    rows: int = done(phone.api.get("/v1/sync/plan?kinds=member"))["rows"]
    return rows


class TestReorganisations:
    @pytest.mark.parametrize("ago", [0, 20])
    def test_a_branch_that_is_merged_and_taken_back(
        self,
        phone: Phone,
        of_commune: Phone,
        api: Api,
        database: Database,
        unit_id: UnitIds,
        ago: int,
    ) -> None:
        heir = Phone(api.as_("phuongvi-2"))
        heir.pull()
        phones = (phone, of_commune, heir)
        people = set(phone.rows["member"])
        branches = Branches(api, database, unit_id)
        day = (local_today() - timedelta(days=ago)).isoformat()
        draft = branches.draft(
            {"op": "merge", "unit_ids": [branches.gone, branches.heir], "into_id": branches.heir}
        )
        draft = done(
            branches.drafter.patch(f"/v1/reorganisations/{draft['id']}", json={"effective_on": day})
        )
        branches.apply(draft)
        for each in phones:
            each.pull()
            assert differing(each, fresh_slice(each.api)) == []
        assert people <= set(heir.rows["member"])
        done(branches.revert(draft))
        for each in phones:
            each.pull()
            assert differing(each, fresh_slice(each.api)) == []
        assert not people & set(heir.rows["member"])

    def test_a_branch_that_goes_to_another_commune(
        self, phone: Phone, of_commune: Phone, api: Api, unit_id: UnitIds
    ) -> None:
        other = Phone(api.as_("tienluong"))
        other.pull()
        people = set(phone.rows["member"])
        for each in (phone, of_commune, other):
            each.max_bytes = 20_000
        done(move_unit(api, unit_id["phuongvi-1"], unit_id["tienluong"]))
        for each in (phone, of_commune, other):
            each.pull()
            assert differing(each, fresh_slice(each.api)) == []
        assert people <= set(other.rows["member"])
        assert not people & set(of_commune.rows["member"])
        assert people == set(phone.rows["member"])

    @pytest.mark.parametrize("max_bytes", [None, 10_000], ids=["one-page", "small-pages"])
    def test_what_has_left_a_branch_after_it_went_elsewhere(
        self,
        of_commune: Phone,
        api: Api,
        database: Database,
        unit_id: UnitIds,
        max_bytes: int | None,
    ) -> None:
        """Its change is in the log of the other commune, and the branch does not have it any more."""
        went = [unit_id["phuongvi-1"], unit_id["phuongvi-2"]]
        household = home(database, went[0])
        of_commune.pull()
        moved = [min(in_branch(of_commune, branch)) for branch in went]
        edited = min(in_branch(of_commune, unit_id["phuongvi-3"]))
        other = api.as_("tienluong")
        for branch, somebody in zip(went, moved, strict=True):
            done(move_unit(api, branch, unit_id["tienluong"]))
            done(of_commune.api.patch(f"/v1/members/{edited}", json={"address": f"Tổ {branch}"}))
            to = {"to_branch_id": unit_id["tienluong-1"]}
            asked = other.post(f"/v1/members/{somebody}/transfers", json=to)
            assert asked.status_code == 201, asked.text
        to = {"branch_id": unit_id["tienluong-1"]}
        done(other.post(f"/v1/households/{household}/move", json=to))
        of_commune.max_bytes = max_bytes or of_commune.max_bytes
        items = of_commune.pull()
        assert differing(of_commune, fresh_slice(of_commune.api)) == []
        assert {*moved, str(household)} <= {str(item["id"]) for item in items}
        assert of_commune.pull() == []

    @pytest.mark.parametrize("beside", [True, False])
    def test_a_unit_above_that_goes_to_another_province(
        self,
        phone: Phone,
        of_commune: Phone,
        api: Api,
        database: Database,
        unit_id: UnitIds,
        beside: bool,
    ) -> None:
        """Its change is in the log of the commune, and the records of its branches say the province."""
        of_one = Phone(of_commune.api, unit=unit_id["phuongvi-2"])
        untouched = Phone(api.as_("tienluong-1"))
        for each in (of_one, untouched):
            each.pull()
        if beside:  # changes of her own on the same page
            somebody = min(phone.rows["member"])
            done(of_commune.api.patch(f"/v1/members/{somebody}", json={"address": "Khu 9"}))
        province = to_another_province(api, database, unit_id, unit_id["phuongvi"])
        for each in (phone, of_commune, of_one):
            kept = {*each.rows["member"]}
            each.max_bytes = 20_000
            items = each.pull()
            assert not {"left_scope", "delete"} & {*ops(items).values()}
            assert {row["province_id"] for row in each.rows["member"].values()} == {province}
            assert {*each.rows["member"]} == kept
        assert differing(phone, fresh_slice(phone.api)) == []
        assert differing(of_commune, fresh_slice(of_commune.api)) == []
        assert differing(of_one, fresh_slice(of_one.api, unit=unit_id["phuongvi-2"])) == []
        for each in (phone, of_commune, of_one):
            assert each.pull() == []
        assert untouched.pull() == []


class TestRestored:
    def test_a_cursor_of_before_goes_on(
        self, phone: Phone, officer: Api, database: Database
    ) -> None:
        with writing(database) as session:
            following.next_epoch(session)
        somebody = min(phone.rows["member"])
        done(officer.patch(f"/v1/members/{somebody}", json={"address": "Khu 9"}))
        assert set(ops(phone.pull())) == {somebody}
        assert phone.started_over == []

    def test_one_of_what_was_lost_starts_over_once(
        self, phone: Phone, officer: Api, database: Database
    ) -> None:
        with writing(database) as session:
            epoch = following.next_epoch(session)
            epoch.began_after -= 1
        phone.pull()
        assert phone.started_over == ["ahead_of_log"]
        assert phone.slice == fresh_slice(phone.api)
        phone.pull()
        assert phone.started_over == ["ahead_of_log"]

    def test_what_follows_is_no_longer_kept(
        self, phone: Phone, officer: Api, database: Database
    ) -> None:
        somebody = min(phone.rows["member"])
        for number in range(3):
            done(officer.patch(f"/v1/members/{somebody}", json={"address": f"Khu {number}"}))
        last = head(database)
        with writing(database) as session:
            session.execute(sa.delete(Feed).where(col(Feed.seq) < last))
        phone.pull()
        assert phone.started_over == ["expired"]
        assert phone.slice == fresh_slice(phone.api)


class TestDays:
    """Some rows are others on the next day, though nobody has changed them."""

    def test_who_left_a_household_as_of_yesterday_and_what_is_too_old(
        self, head: Api, app: FastAPI, database: Database, unit_id: UnitIds
    ) -> None:
        household = home(database, unit_id["phuongvi-1"])
        meeting = made(head)["id"]
        phone = Phone(head)
        phone.pull()
        before = len(phone.rows["household"][str(household)]["people"])
        yesterday = local_today() - timedelta(days=1)
        with writing(database) as session:
            session.execute(
                sa.update(HouseholdPerson)
                .where(
                    col(HouseholdPerson.household_id) == household,
                    col(HouseholdPerson.relation) == Relation.child,
                )
                .values(valid_to=yesterday)
            )
            session.execute(
                sa.update(EventSession)
                .where(col(EventSession.event_id) == UUID(meeting))
                .values(local_date=yesterday - timedelta(days=DAYS_ON_A_PHONE))
            )
        assert phone.pull() == []  # the log has nothing
        sealer = serving(app).cursors
        assert phone.cursor is not None
        cursor = replace(Cursor.opened(phone.cursor, sealer), day=yesterday)
        phone.cursor = cursor.sealed(sealer)
        items = phone.pull()
        assert set(ops(items, "session").values()) == {"left_scope"}
        assert ops(items, "event") == {meeting: "left_scope"}
        assert len(phone.rows["household"][str(household)]["people"]) < before
        assert phone.slice == fresh_slice(head)
