"""What followers read of rows that are gone: merged, deleted, moved away, restricted, erased."""

from collections.abc import Callable

import pytest

from app.clock import local_today
from app.db import Database
from tests.feed.follower import end, events
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import done, made
from tests.helpers.client import Api
from tests.helpers.homes import home

NUMBER = "025188001234"


@pytest.fixture
def province(api: Api) -> Api:
    return api.as_("phutho")


@pytest.fixture
def begun(province: Api) -> int:
    return end(province)


@pytest.fixture
def admitted(province: Api, unit_id: UnitIds) -> Callable[..., Json]:
    def admit(branch: str = "phuongvi-1", **more: object) -> Json:
        body = {"branch_id": unit_id[branch], "full_name": "Lò Thị Hoa", "birth_date": "1980"}
        return made(province.post("/v1/members", json={**body, "joined_on": None, **more}))

    return admit


def of(api: Api, begun: int, entity_id: str) -> list[Json]:
    return [each["data"] for each in events(api, begun) if each["subject"] == entity_id]


def operations(found: list[Json]) -> list[str]:
    return [each["operation"] for each in found]


class TestMerges:
    def test_a_record_that_went_says_into_which(
        self, province: Api, begun: int, admitted: Callable[..., Json]
    ) -> None:
        gone, kept = admitted(citizen_id=NUMBER), admitted(branch="phuongvi-2")
        body = {"other_id": gone["id"], "reason": "Trùng", "memberships": "kept"}
        merge = made(province.post(f"/v1/members/{kept['id']}/merges", json=body))
        first, last = of(province, begun, gone["id"])
        assert first["state"]["citizen_id"] == NUMBER
        assert (last["operation"], last["state"]) == ("deleted", None)
        assert (last["merged_into"], last["previous"]["citizen_id"]) == (kept["id"], NUMBER)
        assert last["previous"]["id"] == gone["id"]
        done(province.post(f"/v1/merges/{merge['id']}/undo"))
        found = of(province, begun, gone["id"])
        assert operations(found) == ["created", "deleted", "created"]
        assert [each["merged_into"] for each in found] == [None] * 3
        assert found[0]["state"] == found[2]["state"] == found[1]["previous"]

    def test_who_does_not_see_the_kept_one_is_told_of_the_deletion_alone(
        self, api: Api, province: Api, begun: int, admitted: Callable[..., Json]
    ) -> None:
        gone, kept = admitted(), admitted(branch="phuongvi-2")
        body = {"other_id": gone["id"], "reason": "Trùng", "memberships": "kept"}
        made(province.post(f"/v1/members/{kept['id']}/merges", json=body))
        [last] = of(api.as_("phuongvi-1"), begun, gone["id"])
        assert last["operation"] == "deleted"
        assert (last["merged_into"], last["previous"]) == (None, None)


class TestMoves:
    def test_is_one_event_to_who_sees_both_ends(
        self, api: Api, province: Api, begun: int, admitted: Callable[..., Json], unit_id: UnitIds
    ) -> None:
        member = admitted()
        body = {"to_branch_id": unit_id["phuongvi-2"], "reason": "Chuyển nhà"}
        asked = made(province.post(f"/v1/members/{member['id']}/transfers", json=body))
        done(province.post(f"/v1/transfers/{asked['id']}/accept", json={}))
        first, moved = of(province, begun, member["id"])
        assert (first["operation"], moved["operation"]) == ("created", "moved")
        assert first["state"]["branch_id"] == unit_id["phuongvi-1"]
        assert moved["state"]["branch_id"] == unit_id["phuongvi-2"]
        assert moved["previous_unit_path"] == first["unit_path"]
        assert moved["unit_path"][-1] == unit_id["phuongvi-2"]
        # Who has lost her reads her no more, not even as she was.
        [left] = of(api.as_("phuongvi-1"), begun, member["id"])
        assert (left["operation"], left["state"]) == ("left", None)
        assert left["previous_unit_path"] is None
        [entered] = of(api.as_("phuongvi-2"), begun, member["id"])
        assert (entered["operation"], entered["previous_unit_path"]) == ("entered", None)
        masked = dict.fromkeys(entered["masked"])
        assert entered["state"].items() <= moved["state"].items()
        assert moved["state"].keys() - entered["state"].keys() == masked.keys()

    def test_a_unit_is_one_event_with_both_paths(
        self, province: Api, begun: int, unit_id: UnitIds
    ) -> None:
        branch, old, new = (unit_id[name] for name in ("phuongvi-1", "phuongvi", "tienluong"))
        body = {"parent_id": new, "effective_on": local_today().isoformat()}
        done(province.post(f"/v1/units/{branch}/moves", json=body))
        [found] = events(province, begun, kinds="unit")
        assert found["type"] == "unit.moved"
        data = found["data"]
        assert (data["previous_unit_path"][-2:], data["unit_path"][-2:]) == (
            [old, branch],
            [new, branch],
        )
        assert (data["effective_on"], data["state"]["parent_id"]) == (body["effective_on"], new)


class TestRestrictedAndErased:
    def test_a_restricted_record_is_withheld_until_it_is_lifted(
        self, province: Api, begun: int, admitted: Callable[..., Json]
    ) -> None:
        member = admitted()
        path = f"/v1/members/{member['id']}/processing-limits"
        limit = made(province.post(path, json={"kind": "restriction", "note": "Chị yêu cầu"}))
        found = of(province, begun, member["id"])
        assert operations(found) == ["withheld", "withheld"]
        assert [each["state"] for each in found] == [None, None]
        [spell] = [
            each["data"]
            for each in events(province, begun)
            if each["data"]["entity"] == "membership"
        ]
        assert (spell["operation"], spell["state"]) == ("withheld", None)
        done(province.post(f"/v1/processing-limits/{limit['id']}/lift", json={"note": "xong"}))
        found = of(province, begun, member["id"])
        assert operations(found) == ["created", "updated", "updated"]
        assert [each["state"]["restricted"] for each in found] == [False, True, False]

    def test_of_an_erased_person_nothing_is_said_at_any_place(
        self, api: Api, province: Api, begun: int, admitted: Callable[..., Json]
    ) -> None:
        member, gone = admitted(), admitted(branch="phuongvi-2")
        body = {"other_id": gone["id"], "reason": "Trùng", "memberships": "kept"}
        made(province.post(f"/v1/members/{member['id']}/merges", json=body))
        before = events(province, begun)
        erase(api, member["id"])
        found = events(province, begun)
        assert [each["id"] for each in found[: len(before)]] == [each["id"] for each in before]
        for each in found:
            if each["subject"] in (member["id"], gone["id"]):
                assert each["type"] == "member.erased"
            assert (each["data"]["state"], each["data"]["previous"]) == (None, None), each
            assert "Lò Thị Hoa" not in str(each)


def erase(api: Api, member_id: str) -> None:
    province, path = api.as_("phutho"), f"/v1/members/{member_id}"
    made(province.post(f"{path}/departures", json={"reason": "moved_away"}))
    asked = {"kind": "erase", "channel": "in_person", "note": "Chị yêu cầu"}
    request = made(province.post(f"{path}/privacy-requests", json=asked))
    done(api.as_("camkhe").post(f"/v1/privacy/requests/{request['id']}/acknowledge"))
    tried = done(province.post(f"{path}/erasure", json={"dry_run": True}))
    body = {"dry_run": False, "request_id": request["id"], "digest": tried["digest"]}
    done(province.post(f"{path}/erasure", json=body))


class TestSupport:
    def test_a_child_is_hidden_from_who_reads_the_family_since_it_moved(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        """As by the API: who it is stays with those whose work the help was."""
        family = home(database, unit_id["phuongvi-1"], child_born=str(local_today().year - 10))
        people = done(api.as_("phuongvi").get(f"/v1/households/{family}"))["people"]
        [child] = [p["person_id"] for p in people if p["birth_date"] != "1980"]
        today = local_today().isoformat()
        help_ = {
            "kind": "sponsorship",
            "programme": "godmother",
            "given_on": today,
            "quantity": 12,
            "quantity_unit": "month",
            "value_vnd": 1,
            "child_id": child,
            "guardian_consent_on": today,
        }
        help_id = made(api.as_("phuongvi-1").post(f"/v1/households/{family}/support", json=help_))
        moved = {"branch_id": unit_id["tienluong-1"], "effective_on": today}
        done(api.as_("phutho").post(f"/v1/households/{family}/move", json=moved))
        begun = end(api.as_("phutho"))
        done(api.as_("phutho").post(f"/v1/support/{help_id['id']}/approve"))
        for name, hidden in (("tienluong", True), ("phutho", False)):
            officer = api.as_(name)
            [event] = of(officer, begun, help_id["id"])
            [row] = done(officer.get(f"/v1/households/{family}/support"))["items"]
            assert event["masked"] == row["masked"]
            assert bool(row["masked"]) is hidden
            assert event["state"].get("child_id") == (None if hidden else child)
