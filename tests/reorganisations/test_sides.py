"""Reorganisations that the officers of all sides confirm, where nobody holds the right above them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Role
from app.models.kernel.accounts import Account, AccountStatus
from app.models.kernel.changes import Change
from app.models.kernel.units import UnitLevel
from app.services.reorganisations import scheduling
from app.services.units.roots import plant
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.cadres import account, done, forbidden, made
from tests.helpers.client import Api
from tests.helpers.tables import changed, everything
from tests.reorganisations.sides import Sides, confirmed
from tests.reorganisations.test_reorganisations import OWN, kinds, on_the_day
from tests.units.units import ago, opened, unit_row


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds) -> Sides:
    return Sides(api, database, unit_id)


class TestAgreed:
    def test_the_last_side_applies_it(self, world: Sides, database: Database) -> None:
        branch, commune = world.id["phuongvi-1"], world.id["tienluong"]
        draft = world.draft()
        assert (draft["state"], draft["unit_id"]) == ("draft", world.id["camkhe"])
        assert confirmed(draft) == {world.id["phuongvi"]: False, commune: False}
        before = everything(database, "reorganisation")
        first = done(world.confirm(draft, world.one))
        assert (first["state"], first["decided_by"]) == ("draft", None)
        assert confirmed(first) == {world.id["phuongvi"]: True, commune: False}
        assert changed(before, everything(database, "reorganisation")).keys() <= {"change"}
        last = done(world.confirm(draft, world.other))
        assert (last["state"], confirmed(last)) == (
            "applied",
            {world.id["phuongvi"]: True, commune: True},
        )
        officers = [account(database, name).id for name in ("phuongvi", "tienluong")]
        assert last["decided_by"] == str(officers[1])
        assert [each["account_id"] for each in last["confirmations"]] == [str(x) for x in officers]
        row = unit_row(database, branch)
        assert (row.parent_id, row.commune_id) == (commune, commune)
        assert done(world.other.get(f"/v1/units/{branch}"))["parent_id"] == commune

    def test_each_confirmation_is_in_the_change_log(self, world: Sides, database: Database) -> None:
        draft = world.applied()
        with database.reading() as db:
            found = db.execute(
                sa.select(col(Change.account_id), col(Change.after))
                .where(col(Change.entity) == "reorganisation", col(Change.entity_id) == draft["id"])
                .order_by(col(Change.id))
            ).all()
        of_agreement = [row for row in found if "agreement" in (row.after or {})]
        numbers = [len(row.after["agreement"]["confirmations"]) for row in of_agreement]
        assert numbers == [0, 1, 2]
        assert [row.account_id for row in of_agreement[1:]] == [
            account(database, name).id for name in ("phuongvi", "tienluong")
        ]

    def test_the_other_side_is_asked(self, world: Sides, api: Api) -> None:
        draft = world.draft()
        assert kinds(world.other) == ["reorganisation_waits"]
        [notice] = done(world.other.get("/v1/me/notifications"))["items"]
        assert (notice["entity_id"], notice["unit"]["id"]) == (draft["id"], world.id["tienluong"])
        assert kinds(api.as_("phuongvi-1")) == []

        def waits(officer: Api) -> bool:
            work = done(officer.get("/v1/me/work"))["items"]
            return draft["id"] in [each["id"] for each in work]

        assert waits(world.one)
        assert waits(world.other)
        done(world.confirm(draft, world.other))
        assert waits(world.one)
        assert not waits(world.other)

    def test_it_waits_for_its_day(
        self, world: Sides, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        draft = world.draft(effective_on=ago(-30))
        done(world.confirm(draft, world.one))
        assert done(world.confirm(draft, world.other))["state"] == "scheduled"
        on_the_day(monkeypatch)
        assert scheduling.apply_due(database) == 1
        assert unit_row(database, world.id["phuongvi-1"]).parent_id == world.id["tienluong"]

    def test_of_two_trees_that_meet_nowhere(self, world: Sides, database: Database) -> None:
        """A commune goes to another province: the officers of both agree, its own are not asked."""
        world.grant("phutho", world.id["phutho"], Role.province_officer)
        with world.granting() as session:
            since = local_today() - timedelta(days=900)
            other = plant(
                session, level=UnitLevel.province, name="Tỉnh Lào Cai", code="15", opened_on=since
            )
        world.grant("camkhe", other, Role.province_officer)
        here, there = world.api.as_("phutho"), world.api.as_("camkhe")
        move = {"op": "move", "unit_id": world.id["phuongvi"], "parent_id": other}
        draft = world.draft(here, operations=[move])
        assert confirmed(draft) == {world.id["camkhe"]: False, other: False}
        refused(world.one.get(f"/v1/reorganisations/{draft['id']}"), 404, "not_found")
        done(world.confirm(draft, there))
        assert unit_row(database, world.id["phuongvi"]).parent_id == world.id["camkhe"]
        assert done(world.confirm(draft, here))["state"] == "applied"
        assert unit_row(database, world.id["phuongvi-1"]).province_id == other


class TestNotYet:
    def test_a_side_without_an_officer_keeps_it_waiting(
        self, world: Sides, database: Database
    ) -> None:
        world.grant("camkhe", world.id["camkhe"], Role.district_officer)
        third = opened(world.api.as_("camkhe"), "commune", world.id["camkhe"], "Xã Minh Tân")
        world.ended("camkhe")
        rename = {"op": "rename", "unit_id": third, "name": "Xã Minh Tân Mới"}
        draft = world.draft(operations=[*world.given()["operations"], rename])
        done(world.confirm(draft, world.one))
        waiting = done(world.confirm(draft, world.other))
        assert waiting["state"] == "draft"
        assert [unit for unit, is_confirmed in confirmed(waiting).items() if not is_confirmed] == [
            third
        ]
        answer = refused(
            world.one.post(f"/v1/reorganisations/{draft['id']}/apply", json={"digest": "x"}),
            409,
            "sides_confirm",
        )
        assert third not in [each["unit"]["id"] for each in answer["units"]]
        world.grant("camkhe", third)
        assert done(world.confirm(draft, world.api.as_("camkhe")))["state"] == "applied"
        assert unit_row(database, third).name == "Xã Minh Tân Mới"

    @pytest.mark.parametrize("changed_", ["effective_on", "decree", "operations"])
    def test_a_change_asks_all_sides_again(self, world: Sides, changed_: str) -> None:
        draft = world.draft()
        digest = world.preview(draft)["digest"]
        done(world.confirm(draft, world.one))
        noted = done(
            world.other.patch(f"/v1/reorganisations/{draft['id']}", json={"note": "Đã xem"})
        )
        assert len(noted["confirmations"]) == 1
        rename = {"op": "rename", "unit_id": world.id["phuongvi-1"], "name": "Chi hội Đồi"}
        values = {
            "effective_on": ago(1),
            "decree": "Số 9/NQ",
            "operations": [*draft["operations"], rename],
        }
        path = f"/v1/reorganisations/{draft['id']}"
        again = done(world.other.patch(path, json={changed_: values[changed_]}))
        assert again["confirmations"] == []
        refused(world.confirm(draft, world.other, digest), 409, "preview_stale")
        assert done(world.confirm(draft, world.other))["state"] == "draft"
        assert done(world.confirm(draft, world.one))["state"] == "applied"

    def test_what_was_confirmed_of_other_units_does_not_count(
        self, world: Sides, database: Database
    ) -> None:
        draft = world.draft()
        digest = world.preview(draft)["digest"]
        done(world.confirm(draft, world.one))
        renamed = {"name": "Chi hội Đồi", "effective_on": ago(0)}
        done(world.one.patch(f"/v1/units/{world.id['phuongvi-1']}", json=renamed))
        refused(world.confirm(draft, world.other, digest), 409, "preview_stale")
        assert done(world.confirm(draft, world.other))["state"] == "draft"
        assert unit_row(database, world.id["phuongvi-1"]).parent_id == world.id["phuongvi"]
        assert done(world.confirm(draft, world.one))["state"] == "applied"

    def test_once_more_changes_nothing(self, world: Sides, database: Database) -> None:
        draft = world.draft()
        first = done(world.confirm(draft, world.one))
        before = everything(database)
        assert done(world.confirm(draft, world.one)) == first
        assert everything(database) == before

    def test_sent_again_it_has_the_same_answer(self, world: Sides) -> None:
        draft = world.draft()
        done(world.confirm(draft, world.one))
        sent = {"digest": world.preview(draft)["digest"]}
        path, key = f"/v1/reorganisations/{draft['id']}/confirm", {"Idempotency-Key": "xac-nhan-1"}
        first = world.other.post(path, json=sent, headers=key)
        again = world.other.post(path, json=sent, headers=key)
        assert (first.status_code, again.json()) == (200, first.json())
        assert again.headers["Idempotent-Replayed"] == "true"
        refused(world.other.post(path, json=sent), 409, "reorganisation_state")

    @pytest.mark.parametrize("how", ["grant", "account"])
    def test_who_is_no_officer_any_more_has_not_confirmed(
        self, world: Sides, database: Database, how: str
    ) -> None:
        draft = world.draft()
        done(world.confirm(draft, world.one))
        if how == "grant":
            world.ended("phuongvi")
        else:
            officer = account(database, "phuongvi").id
            with world.granting() as session:
                session.get_one(Account, officer).status = AccountStatus.disabled
        waiting = done(world.confirm(draft, world.other))
        assert (waiting["state"], len(waiting["confirmations"])) == ("draft", 1)
        assert confirmed(waiting)[world.id["phuongvi"]] is False
        world.grant("camkhe", world.id["phuongvi"])
        assert done(world.confirm(draft, world.api.as_("camkhe")))["state"] == "applied"

    def test_one_person_does_not_decide_for_all(self, world: Sides, database: Database) -> None:
        world.grant("phuongvi", world.id["tienluong"])
        draft = world.draft()
        for _ in range(2):
            alone = done(world.confirm(draft, world.one))
            assert (alone["state"], {*confirmed(alone).values()}) == ("draft", {True})
        assert unit_row(database, world.id["phuongvi-1"]).parent_id == world.id["phuongvi"]
        assert done(world.confirm(draft, world.other))["state"] == "applied"

    def test_who_speaks_for_all_decides_on_what_another_drafted(self, world: Sides) -> None:
        world.grant("phuongvi", world.id["tienluong"])
        draft = world.draft(world.other)
        assert done(world.confirm(draft, world.one))["state"] == "applied"

    def test_an_account_that_the_first_made_is_no_other_person(
        self, world: Sides, database: Database
    ) -> None:
        draft = world.draft()
        done(world.confirm(draft, world.one))
        first, second = (account(database, name).id for name in ("phuongvi", "camkhe"))
        world.grant("camkhe", world.id["tienluong"])
        with world.granting() as session:
            session.get_one(Account, second).armed_by = first
        refused(world.confirm(draft, world.api.as_("camkhe")), 409, "second_person_needed")
        assert unit_row(database, world.id["phuongvi-1"]).parent_id == world.id["phuongvi"]

    @pytest.mark.race
    def test_of_the_last_two_one_applies_it(self, world: Sides, database: Database) -> None:
        draft = world.draft()
        digest = world.preview(draft)["digest"]
        with ThreadPoolExecutor(2) as threads:
            answers = list(
                threads.map(lambda by: world.confirm(draft, by, digest), (world.one, world.other))
            )
        states = sorted(done(each)["state"] for each in answers)
        assert states == ["applied", "draft"]
        found = done(world.one.get(f"/v1/reorganisations/{draft['id']}"))
        assert len(found["confirmations"]) == 2
        assert unit_row(database, world.id["phuongvi-1"]).parent_id == world.id["tienluong"]


class TestTakenBack:
    def test_a_confirmation(self, world: Sides) -> None:
        draft = world.draft()
        path = f"/v1/reorganisations/{draft['id']}/confirm"
        done(world.confirm(draft, world.one))
        for _ in range(2):
            assert done(world.one.delete(path))["confirmations"] == []
        assert done(world.confirm(draft, world.other))["state"] == "draft"
        assert done(world.confirm(draft, world.one))["state"] == "applied"

    def test_one_of_what_waits_for_its_day(self, world: Sides, database: Database) -> None:
        draft = world.draft(effective_on=ago(-30))
        done(world.confirm(draft, world.one))
        done(world.confirm(draft, world.other))
        back = done(world.one.delete(f"/v1/reorganisations/{draft['id']}/confirm"))
        assert (back["state"], back["decided_by"], back["decided_at"]) == ("draft", None, None)
        assert len(back["confirmations"]) == 1
        assert done(world.confirm(draft, world.one))["state"] == "scheduled"

    def test_the_whole_by_all_sides(self, world: Sides, database: Database) -> None:
        before = everything(database, *OWN, "reorganisation_side")
        draft = world.applied()
        applied = everything(database, "reorganisation", "change")
        assert done(world.revert(draft, world.other))["state"] == "applied"
        assert everything(database, "reorganisation", "change") == applied
        taken_back = world.other.delete(f"/v1/reorganisations/{draft['id']}/confirm")
        assert len(done(taken_back)["confirmations"]) == 2
        done(world.revert(draft, world.one))
        assert done(world.revert(draft, world.other))["state"] == "reverted"
        after = everything(database, *OWN, "reorganisation_side")
        assert changed(before, after) == {}
        assert done(world.revert(draft, world.one))["state"] == "reverted"

    def test_by_officers_of_what_it_opened(self, world: Sides, database: Database) -> None:
        """Those of the units that were merged are officers no more."""
        opening: Json = {"op": "open", "key": "new", "level": "commune", "name": "Xã Mới"}
        opening |= {"parent_id": world.id["camkhe"], "area_type": "rural"}
        olds = [world.id["phuongvi"], world.id["tienluong"]]
        merge = {"op": "merge", "unit_ids": olds, "into_id": "new"}
        draft = world.draft(operations=[opening, merge])
        assert confirmed(draft).keys() == {*olds}
        done(world.confirm(draft, world.one))
        new = done(world.confirm(draft, world.other))["opened"]["new"]
        forbidden(world.revert(draft, world.one), "units:read")
        for name in ("camkhe", "phutho"):
            world.grant(name, new)
        officers = [world.api.as_(name) for name in ("camkhe", "phutho")]
        for _ in range(2):
            assert done(world.revert(draft, officers[0]))["state"] == "applied"
        assert unit_row(database, new).closed_on is None
        answer = world.revert(draft, officers[1])
        assert refused(answer, 409, "opened_unit_used")["kind"] == "access_grant"


class TestWhoMay:
    def test_where_somebody_holds_the_right_above_they_decide(
        self, world: Sides, database: Database
    ) -> None:
        draft = world.draft()
        done(world.confirm(draft, world.one))
        world.grant("phutho", world.id["phutho"], Role.province_officer)
        before = everything(database)
        decided = refused(world.confirm(draft, world.other), 409, "decided_above")
        assert [each["unit"]["id"] for each in decided["units"]] == [world.id["phutho"]]
        path = f"/v1/reorganisations/{draft['id']}/apply"
        digest = {"digest": world.preview(draft)["digest"]}
        refused(world.other.post(path, json=digest), 409, "decided_above")
        assert everything(database) == before
        answer = world.one.post("/v1/reorganisations", json=world.given())
        pointed(answer, "/operations/0/to_id", "unit_unknown")
        officer = world.api.as_("phutho")
        assert done(officer.post(path, json=digest))["state"] == "applied"
        refused(world.revert(draft, world.one), 409, "decided_above")
        assert done(world.revert(draft, officer))["state"] == "reverted"

    def test_a_draft_names_an_own_side(self, world: Sides, api: Api) -> None:
        body = world.given()
        for stranger in ("phuongvi-1", "auditor"):
            forbidden(api.as_(stranger).post("/v1/reorganisations", json=body), "units:write")
        foreign = [world.id["tienluong-1"], world.id["tienluong"]]
        renames = [{"op": "rename", "unit_id": unit, "name": "Xã"} for unit in foreign]
        answer = world.one.post("/v1/reorganisations", json=body | {"operations": renames})
        errors = refused(answer, 422, "validation_failed")["errors"]
        assert {each["code"] for each in errors} == {"unit_unknown"}

    @pytest.mark.parametrize("act", ["rename", "retire_level"])
    def test_the_unit_above_them_is_not_theirs_to_change(
        self, world: Sides, database: Database, act: str
    ) -> None:
        district = world.id["camkhe"]
        acts: dict[str, Json] = {
            "rename": {"op": "rename", "unit_id": district, "name": "Huyện Mới"},
            "retire_level": {
                "op": "retire_level",
                "level": "district",
                "under_id": world.id["phutho"],
            },
        }
        body = world.given(operations=[*world.given()["operations"], acts[act]])
        before = everything(database)
        answer = world.one.post("/v1/reorganisations", json=body)
        assert answer.status_code == 422, answer.text
        assert everything(database) == before

    def test_groups_of_another_side_are_unknown(self, world: Sides) -> None:
        group = opened(world.other, "group", world.id["tienluong"], "CLB Gia đình hạnh phúc")
        move = {"op": "move", "unit_id": group, "parent_id": world.id["phuongvi"]}
        body = world.given(operations=[*world.given()["operations"], move])
        answer = world.one.post("/v1/reorganisations", json=body)
        pointed(answer, "/operations/1/unit_id", "unit_unknown")
        nobody = {"op": "rename", "unit_id": 9_999, "name": "Xã"}
        answer = world.one.post("/v1/reorganisations", json=body | {"operations": [nobody]})
        pointed(answer, "/operations/0/unit_id", "unit_unknown")

    def test_others_do_not_find_it(self, world: Sides, api: Api) -> None:
        world.grant("camkhe", world.id["camkhe"], Role.district_officer)
        third = opened(api.as_("camkhe"), "commune", world.id["camkhe"], "Xã Minh Tân")
        world.ended("camkhe")
        world.grant("phutho", third)
        draft, stranger = world.draft(), api.as_("phutho")
        path = f"/v1/reorganisations/{draft['id']}"
        refused(stranger.get(path), 404, "not_found")
        refused(stranger.get(f"{path}/preview"), 404, "not_found")
        refused(stranger.post(f"{path}/confirm", json={"digest": "x"}), 404, "not_found")
        refused(stranger.delete(f"{path}/confirm"), 404, "not_found")
        assert done(stranger.get("/v1/reorganisations"))["items"] == []
        for officer in (world.one, world.other):
            listed = done(officer.get("/v1/reorganisations"))["items"]
            assert [each["id"] for each in listed] == [draft["id"]]
        refused(api.as_("phuongvi-2").get(path), 404, "not_found")
        forbidden(api.as_("admin").post(f"{path}/confirm", json={"digest": "x"}), "units:write")


class TestShown:
    def test_units_of_all_sides_and_people_of_none(self, world: Sides) -> None:
        group = opened(world.other, "group", world.id["tienluong-1"], "Tổ 1", group_kind="team")
        heir = {"from_id": world.id["tienluong-2"], "to_id": world.id["phuongvi-2"]}
        members = done(world.other.get(f"/v1/members?branch={world.id['tienluong-2']}"))["items"]
        part = {"op": "transfer", "member_ids": [members[0]["id"]]} | heir
        whole = {"op": "merge", "into_id": world.id["phuongvi-1"]}
        whole |= {"unit_ids": [world.id["tienluong-1"]]}
        draft = world.draft(world.other, operations=[part, whole])
        assert (draft["masked"], len(draft["operations"][0]["member_ids"])) == ([], 1)
        path = f"/v1/reorganisations/{draft['id']}"
        own, foreign = world.other.get(path), world.one.get(path)
        assert done(foreign)["masked"] == ["/operations/0/member_ids"]
        assert done(foreign)["operations"][0]["member_ids"] is None
        assert own.headers["ETag"] != foreign.headers["ETag"]
        mine, theirs = world.preview(draft, world.other), world.preview(draft, world.one)
        assert mine["digest"] == theirs["digest"]
        assert (theirs["consequences"], theirs["totals"]) == (None, None)
        units = {each["unit"] for each in theirs["units"]}
        assert {world.id["tienluong-1"], world.id["phuongvi-1"]} <= units
        assert (group in units, group in {each["unit"] for each in mine["units"]}) == (False, True)

    def test_of_the_other_side_no_details_of_what_prevents_it(self, world: Sides) -> None:
        close = {"op": "close", "unit_id": world.id["tienluong-1"]}
        draft = world.draft(operations=[*world.given()["operations"], close])
        [mine] = world.preview(draft, world.one)["problems"]
        [theirs] = world.preview(draft, world.other)["problems"]
        assert (mine["operation"], mine["code"]) == (theirs["operation"], theirs["code"])
        assert mine["detail"] == mine["title"]
        assert theirs["detail"] != theirs["title"]
        answer = world.confirm(draft, world.one)
        assert refused(answer, 409, "reorganisation_prevented")["problems"] == [mine]

    def test_other_drafts_of_the_other_side_are_not_named(self, world: Sides) -> None:
        draft = world.draft()
        renames = {"op": "rename", "unit_id": world.id["tienluong"], "name": "Xã"}
        own = made(
            world.other.post(
                "/v1/reorganisations", json=world.given(operations=[renames], decree="Số 1")
            )
        )
        extra = {"op": "rename", "unit_id": world.id["tienluong"], "name": "Xã Mới"}
        path = f"/v1/reorganisations/{draft['id']}"
        done(world.one.patch(path, json={"operations": [*draft["operations"], extra]}))
        assert world.preview(draft, world.one)["overlaps"] == []
        assert world.preview(draft, world.other)["overlaps"] == [own["id"]]
