"""What followers of the feed read: each event with what the row said by then, by rights of now."""

from uuid import uuid4

import pytest
from sqlmodel import select

from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.models.kernel.access_log import AccessRead
from app.services.kernel.manifest import manifest
from tests.feed.follower import end, events, told
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.cadres import account, done, forbidden, made
from tests.helpers.client import Api, writing


@pytest.fixture
def someone(head: Api) -> Json:
    found: Json = head.get("/v1/members?limit=1").json()["items"][0]
    return found


@pytest.fixture
def begun(officer: Api) -> int:
    return end(officer)


def family(officer: Api, branch: int) -> str:
    person = {"full_name": "Hà Thị Na", "birth_date": "1980", "gender": "female"}
    body = {"branch_id": branch, "people": [person | {"relation": "head"}]}
    id_: str = made(officer.post("/v1/households", json=body))["id"]
    return id_


class TestEvents:
    def test_say_what_the_row_was_by_then(self, officer: Api, someone: Json, begun: int) -> None:
        path = f"/v1/members/{someone['id']}"
        patches = ({"address": "Khu 1"}, {"phone": "0912345678"}, {"address": "Khu 2"})
        answers = [officer.patch(path, json=patch).json() for patch in patches]
        page = told(officer, after=begun, kinds="member")
        assert [each["type"] for each in page["items"]] == ["member.updated"] * 3
        for event, answer in zip(page["items"], answers, strict=True):
            data = event["data"]
            assert data["state"] == {name: answer[name] for name in data["state"]}
            assert answer.keys() - data["state"].keys() == {"revision", "masked", "warnings"}
            assert (data["revision"], data["masked"]) == (answer["revision"], [])
            assert data["unit_path"] == [
                answer["province_id"],
                *(each for each in data["unit_path"][1:-2]),
                answer["commune_id"],
                answer["branch_id"],
            ]
        seqs = [event["data"]["seq"] for event in page["items"]]
        assert begun < seqs[0] < seqs[1] < seqs[2] <= page["seq"]
        assert (page["more"], page["passed_over"]) == (False, 0)

    def test_are_shaped_as_cloud_events(self, officer: Api, someone: Json, begun: int) -> None:
        path = f"/v1/members/{someone['id']}"
        for address in ("Khu 1", "Khu 2"):
            officer.patch(path, json={"address": address})
        first, second = events(officer, begun)
        assert first["specversion"] == "1.0"
        assert first["source"] == second["source"]
        assert first["source"].startswith("urn:uuid:")
        assert first["id"] != second["id"]
        assert first["subject"] == first["data"]["entity_id"] == someone["id"]
        assert first["time"] <= second["time"]

    def test_come_page_by_page(self, officer: Api, unit_id: UnitIds, begun: int) -> None:
        for number in range(5):
            body = {"branch_id": unit_id["phuongvi-1"], "full_name": f"Lò Thị Hoa {'I' * number}"}
            made(officer.post("/v1/members", json=body | {"birth_date": "1980", "joined_on": None}))
        whole = events(officer, begun)
        assert {each["type"] for each in whole} == {"member.created", "membership.created"}
        assert events(officer, begun, limit=3) == whole
        page = told(officer, after=begun, limit=3)
        assert (len(page["items"]), page["more"]) == (3, True)
        assert page["seq"] == page["items"][-1]["data"]["seq"]

    def test_of_a_unit(self, officer: Api, someone: Json, unit_id: UnitIds, begun: int) -> None:
        officer.patch(f"/v1/members/{someone['id']}", json={"address": "Khu 9"})
        assert len(events(officer, begun, unit=unit_id["phuongvi-1"])) == 1
        assert events(officer, begun, unit=unit_id["phuongvi-2"]) == []
        pointed(officer.get(f"/v1/feed?unit={unit_id['tienluong']}"), "/unit", "unit_unknown")


class TestRights:
    def test_what_they_hide_is_not_there(
        self, officer: Api, head: Api, someone: Json, begun: int
    ) -> None:
        body = {"phone": "0912345678", "religion": "catholic", "citizen_id": "025188001234"}
        officer.patch(f"/v1/members/{someone['id']}", json=body)
        [of_head] = events(head, begun)
        [of_officer] = events(officer, begun)
        answer = head.get(f"/v1/members/{someone['id']}").json()
        hidden = of_head["data"]["masked"]
        assert sorted(hidden) == sorted(answer["masked"]) != []
        state = of_head["data"]["state"]
        assert state == {name: answer[name] for name in state}
        assert state.keys().isdisjoint(hidden)
        assert of_officer["data"]["state"]["citizen_id"] == "025188001234"

    def test_what_is_outside_is_neither_told_nor_counted(
        self, api: Api, officer: Api, someone: Json, begun: int
    ) -> None:
        officer.patch(f"/v1/members/{someone['id']}", json={"address": "Khu 9"})
        page = told(api.as_("tienluong-1"), after=begun)
        assert (page["items"], page["passed_over"]) == ([], 0)

    def test_kinds_without_the_right_are_not_counted(
        self, api: Api, officer: Api, unit_id: UnitIds, begun: int
    ) -> None:
        """How many families get help is shown to nobody by a number either."""
        household = family(officer, unit_id["phuongvi-1"])
        for _ in range(3):
            body = {"kind": "gift", "given_on": local_today().isoformat(), "value_vnd": 500_000}
            made(officer.post(f"/v1/households/{household}/support", json=body))
        page = told(api.as_("auditor"), after=begun, limit=2)
        told_kinds = {each["data"]["entity"] for each in page["items"]}
        assert "household" in told_kinds
        assert "support" not in told_kinds
        assert (page["passed_over"], page["more"], len(page["items"])) == (0, True, 2)
        rest = told(api.as_("auditor"), after=page["seq"])
        assert (rest["items"], rest["passed_over"], rest["more"]) == ([], 0, False)
        assert "support" in {each["data"]["entity"] for each in events(officer, begun)}

    def test_what_has_moved_away_since_is_counted(
        self, api: Api, officer: Api, unit_id: UnitIds, begun: int
    ) -> None:
        household = family(officer, unit_id["phuongvi-1"])
        body = {"branch_id": unit_id["phuongvi-2"], "address": "Khu 3"}
        done(officer.post(f"/v1/households/{household}/move", json=body))
        page = told(api.as_("phuongvi-1"), after=begun)
        assert [each["type"] for each in page["items"]] == ["household.left"]
        # The family and its one person, as they were before.
        assert page["passed_over"] == 2

    def test_a_kind_without_the_right_is_named(self, api: Api) -> None:
        forbidden(api.as_("auditor").get("/v1/feed?kinds=member,support"), "support:read")
        refused(api.as_("auditor").get("/v1/feed?kinds=grant"), 422, "validation_failed")

    def test_what_is_read_is_noted(
        self, api: Api, officer: Api, someone: Json, database: Database, begun: int
    ) -> None:
        officer.patch(f"/v1/members/{someone['id']}", json={"phone": "0912345678"})
        serving(api.app).access_log.flush()
        reader = api.as_("phutho")
        reader_id = account(database, "phutho").id
        assert len(events(reader, begun)) == 1
        serving(api.app).access_log.flush()
        with writing(database) as session:
            rows = session.exec(select(AccessRead)).all()
        [noted] = [row for row in rows if row.account_id == reader_id]
        assert (str(noted.member_id), "phone" in noted.fields) == (someone["id"], True)


class TestStartingOver:
    def test_a_place_of_tomorrow(self, officer: Api, begun: int) -> None:
        problem = refused(officer.get(f"/v1/feed?after={begun + 1}"), 409, "start_over")
        assert (problem["reason"], problem["seq"]) == ("ahead", begun)

    def test_a_place_of_another_installation(self, officer: Api, begun: int) -> None:
        asked = officer.get(f"/v1/feed?after={begun}&epoch={uuid4()}")
        assert refused(asked, 409, "start_over")["reason"] == "other_epoch"

    @pytest.mark.parametrize("after", ["-1", "x", str(2**63), "1.5", ""])
    def test_what_is_no_place(self, officer: Api, after: str) -> None:
        assert officer.get(f"/v1/feed?after={after}").status_code == 422


def test_each_capability_says_what_followers_are_told() -> None:
    told_of = manifest().news
    for capability in manifest().capabilities:
        events = capability.events
        entities = {each.entity for each in capability.tracked.values()}
        said = getattr(events, "untold", {}).keys() | (entities & told_of.keys())
        assert said == entities or getattr(events, "because", None), capability.name
