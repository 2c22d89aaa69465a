"""Corrections a member asks for: by her, before the officers, and into the record."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.db import Database
from app.models.members.corrections import CorrectionRequest, CorrectionState
from app.models.members.members import Member
from app.services.members.corrections import MOST_PENDING
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.client import Api, counted, writing
from tests.helpers.rows import member_of

Ids = dict[str, int]
NAME = {"full_name": "Hà Thị Lan Hương"}


def asked(her: Api, changes: Json, **body: Any) -> Json:
    answer = her.post("/v1/me/corrections", json={"changes": changes} | body)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


def states(database: Database) -> list[CorrectionState]:
    with writing(database) as session:
        order = select(CorrectionRequest).order_by(col(CorrectionRequest.id))
        return [request.state for request in session.exec(order)]


def record(database: Database, member_id: str) -> Member:
    with writing(database) as session:
        return session.get_one(Member, UUID(member_id))


@pytest.fixture
def her(api: Api) -> Api:
    return api.as_("member")


@pytest.fixture
def her_id(database: Database) -> str:
    return member_of(database, "member")


class TestAskForCorrection:
    def test_waits_and_changes_nothing_yet(self, her: Api, her_id: str, database: Database) -> None:
        before = record(database, her_id)
        item = asked(her, NAME | {"citizen_id": "025188001234"}, note="Theo CCCD mới")
        assert item == {
            "id": item["id"],
            "member_id": her_id,
            "full_name": before.full_name,
            "branch_id": before.branch_id,
            "changes": NAME | {"citizen_id": "025188001234"},
            "note": "Theo CCCD mới",
            "state": "pending",
            "requested_at": item["requested_at"],
            "decided_by": None,
            "decided_at": None,
            "answer": None,
            "revision": 1,
            "masked": [],
        }
        assert her.get("/v1/me/corrections").json()["items"] == [item]
        assert record(database, her_id) == before

    def test_is_sealed_at_rest_and_in_the_log(
        self, her: Api, officer: Api, database: Database
    ) -> None:
        item = asked(her, {"citizen_id": "025188001234"})
        with database.reading() as db:
            statement = sa.text("SELECT asked, before FROM correction_request")
            raw = db.execute(statement).one()
        assert not any("025188001234" in value or "citizen_id" in value for value in raw)
        path = f"/v1/changes?kinds=correction_request&entity_id={item['id']}"
        [change] = officer.get(path).json()["items"]
        assert change["after"]["asked"] == "set"
        assert "before" not in change["after"]
        assert "025188001234" not in officer.get(path).text

    def test_the_same_request_again_is_the_same(self, her: Api, database: Database) -> None:
        body = {"id": str(uuid4()), "changes": NAME}
        first = her.post("/v1/me/corrections", json=body)
        again = her.post("/v1/me/corrections", json=body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        other = body | {"changes": {"full_name": "Hà Thị Khác"}}
        refused(her.post("/v1/me/corrections", json=other), 409, "id_taken")
        assert states(database) == [CorrectionState.pending]

    @pytest.mark.parametrize(
        ("changes", "pointer", "code"),
        [
            ({}, "/changes", "required"),
            ({"full_name": ""}, "/changes/full_name", "name_empty"),
            ({"full_name": None}, "/changes/full_name", "not_null"),
            ({"citizen_id": "123"}, "/changes/citizen_id", "citizen_id_invalid"),
            ({"birth_date": "2999"}, "/changes/birth_date", "birth_in_future"),
            ({"status": "left"}, "/changes/status", "unknown_field"),
            ({"branch_id": 7}, "/changes/branch_id", "unknown_field"),
        ],
    )
    def test_what_cannot_be_is_refused_at_once(
        self, her: Api, changes: Json, pointer: str, code: str, database: Database
    ) -> None:
        pointed(her.post("/v1/me/corrections", json={"changes": changes}), pointer, code)
        assert states(database) == []

    def test_no_more_than_can_be_read(self, her: Api, database: Database) -> None:
        items = [asked(her, NAME, note=str(n)) for n in range(MOST_PENDING)]
        answer = her.post("/v1/me/corrections", json={"changes": NAME})
        assert str(MOST_PENDING) in refused(answer, 409, "corrections_pending")["detail"]
        assert states(database) == [CorrectionState.pending] * MOST_PENDING
        her.post(f"/v1/me/corrections/{items[0]['id']}/cancel")
        again = asked(her, NAME, id=str(uuid4()))
        replay = her.post("/v1/me/corrections", json={"id": again["id"], "changes": NAME})
        assert (replay.status_code, replay.json()) == (200, again)
        refused(her.post("/v1/me/corrections", json={"changes": NAME}), 409, "corrections_pending")

    @pytest.mark.race
    def test_of_several_at_once_one_is_the_last(self, her: Api, database: Database) -> None:
        for n in range(MOST_PENDING - 1):
            asked(her, NAME, note=str(n))
        start = Barrier(6)

        def ask(_: int) -> int:
            start.wait()
            answer = Api(her.app, her.headers).post("/v1/me/corrections", json={"changes": NAME})
            return answer.status_code

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(ask, range(6))) == [201, *[409] * 5]
        assert len(states(database)) == MOST_PENDING


class TestCancelCorrection:
    def test_ends_it(self, her: Api, officer: Api, database: Database) -> None:
        item = asked(her, NAME)
        path = f"/v1/me/corrections/{item['id']}/cancel"
        first = her.post(path)
        assert (first.status_code, first.json()["state"]) == (200, "cancelled")
        assert her.post(path).json() == first.json()
        answer = officer.post(f"/v1/correction-requests/{item['id']}/approve")
        refused(answer, 409, "correction_state")
        assert states(database) == [CorrectionState.cancelled]

    def test_is_hers_alone(self, api: Api, her: Api, head: Api, database: Database) -> None:
        item = asked(her, NAME)
        path = f"/v1/me/corrections/{item['id']}/cancel"
        refused(head.post(path), 404, "not_found")  # a member too, but another one
        refused(api.as_("admin").post(path), 404, "no_own_record")
        refused(her.post(f"/v1/me/corrections/{uuid4()}/cancel"), 404, "not_found")
        assert states(database) == [CorrectionState.pending]


class TestReadRequests:
    def test_each_sees_those_she_may_decide(self, api: Api, her: Api) -> None:
        item = asked(her, NAME)
        one = f"/v1/correction-requests/{item['id']}"
        for who in ("phuongvi-1", "phuongvi", "camkhe", "phutho"):
            seen = api.as_(who)
            assert seen.get("/v1/correction-requests").json()["items"] == [item]
            assert seen.get(one).json() == item
        for who in ("phuongvi-2", "tienluong"):
            stranger = api.as_(who)
            assert stranger.get("/v1/correction-requests").json()["items"] == []
            refused(stranger.get(one), 404, "not_found")
        for path in (one, "/v1/correction-requests"):
            answer = refused(api.as_("auditor").get(path), 403, "forbidden")
            assert answer["required_right"] == "members:write"
        refused(api.as_("admin").get(one), 403, "forbidden")
        refused(api.as_("phuongvi").get(f"/v1/correction-requests/{uuid4()}"), 404, "not_found")

    def test_masks_what_the_reader_may_not_see(self, her: Api, head: Api, officer: Api) -> None:
        item = asked(her, NAME | {"religion": "catholic", "phone": "0912345678"})
        seen = head.get(f"/v1/correction-requests/{item['id']}").json()
        assert seen["changes"] == NAME | {"religion": None, "phone": "+84912345678"}
        assert seen["masked"] == ["religion"]
        assert "catholic" not in head.get("/v1/correction-requests").text
        assert officer.get(f"/v1/correction-requests/{item['id']}").json()["masked"] == []

    def test_is_read_anew_when_she_has_another_name(
        self, her: Api, officer: Api, her_id: str
    ) -> None:
        path = f"/v1/correction-requests/{asked(her, {'birth_date': '1979'})['id']}"
        tag = officer.get(path).headers["etag"]
        unchanged = officer.get(path, headers={"if-none-match": tag})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        officer.patch(f"/v1/members/{her_id}", json=NAME)
        answer = officer.get(path, headers={"if-none-match": tag})
        assert (answer.status_code, answer.json()["full_name"]) == (200, NAME["full_name"])

    def test_filters_pages_and_asks_one_question(
        self, her: Api, officer: Api, unit_id: Ids, database: Database
    ) -> None:
        items = [asked(her, {"full_name": f"Hà Thị {name}"}) for name in ("An", "Bình", "Chi")]
        officer.post(f"/v1/correction-requests/{items[0]['id']}/refuse", json={"answer": "Không"})
        path = "/v1/correction-requests"

        def found(query: str) -> list[str]:
            listed = officer.get(f"{path}?{query}").json()["items"]
            return [item["changes"]["full_name"].split()[-1] for item in listed]

        assert found("state=pending") == ["Bình", "Chi"]
        assert found("state=refused") == ["An"]
        assert found(f"unit={unit_id['phuongvi-1']}") == ["An", "Bình", "Chi"]
        assert found(f"unit={unit_id['phuongvi-2']}") == []
        pointed(officer.get(f"{path}?unit={unit_id['tienluong']}"), "/unit", "unit_unknown")
        first = officer.get(f"{path}?limit=2").json()
        assert found(f"limit=2&cursor={first['next_cursor']}") == ["Chi"]
        with counted(database) as statements:
            officer.get(path)
        assert len([s for s in statements if "FROM correction_request" in s]) == 1


class TestApprove:
    def test_changes_the_record_as_asked(
        self, her: Api, officer: Api, her_id: str, database: Database
    ) -> None:
        changes = NAME | {"citizen_id": "025188001234", "birth_date": "1988-02-01", "party": None}
        item = asked(her, changes)
        path = f"/v1/correction-requests/{item['id']}/approve"
        answer = officer.post(path)
        assert answer.status_code == 200, answer.text
        decided = answer.json()
        assert decided["state"] == "approved"
        assert decided["full_name"] == NAME["full_name"]
        assert officer.post(path).json() == decided  # once more changes nothing
        row = record(database, her_id)
        assert (row.full_name, row.citizen_id, row.birth_year) == (
            *NAME.values(),
            "025188001234",
            1988,
        )
        [mine] = her.get("/v1/me/corrections").json()["items"]
        assert (mine["state"], mine["decided_at"]) == ("approved", decided["decided_at"])
        found = officer.get("/v1/members?q=025188001234").json()["items"]
        assert [member["id"] for member in found] == [her_id]

    def test_a_field_one_may_not_see_one_may_not_approve(
        self, her: Api, head: Api, her_id: str, database: Database
    ) -> None:
        before = record(database, her_id)
        item = asked(her, NAME | {"religion": "catholic"})
        body = refused(head.post(f"/v1/correction-requests/{item['id']}/approve"), 403, "forbidden")
        assert body["required_right"] == "members:religion"
        assert record(database, her_id) == before
        assert states(database) == [CorrectionState.pending]

    def test_does_not_take_back_what_she_changed_since(
        self, her: Api, officer: Api, her_id: str, database: Database
    ) -> None:
        item = asked(her, NAME | {"phone": "0912345678"})
        her.patch("/v1/me/member", json={"phone": "0987654321"})
        before = record(database, her_id)
        body = refused(
            officer.post(f"/v1/correction-requests/{item['id']}/approve"),
            409,
            "correction_superseded",
        )
        assert body["fields"] == ["phone"]
        assert "+84" not in str(body)
        assert record(database, her_id) == before
        assert before.phone == "+84987654321"
        assert states(database) == [CorrectionState.pending]

    def test_what_changed_in_other_fields_is_no_hindrance(
        self, her: Api, officer: Api, her_id: str, database: Database
    ) -> None:
        item = asked(her, NAME | {"joined_on": "2001-03-08", "religion": "none"})
        officer.patch(f"/v1/members/{her_id}", json={"occupation": "Giáo viên"})
        officer.patch(f"/v1/members/{her_id}", json={"joined_on": "2001-03-08"})  # as she asks
        answer = officer.post(f"/v1/correction-requests/{item['id']}/approve")
        assert (answer.status_code, answer.json()["state"]) == (200, "approved")
        row = record(database, her_id)
        assert (row.full_name, row.occupation) == (NAME["full_name"], "Giáo viên")

    def test_tells_nothing_of_a_field_one_may_not_see(
        self, her: Api, head: Api, officer: Api, her_id: str
    ) -> None:
        item = asked(her, {"religion": "catholic"})
        officer.patch(f"/v1/members/{her_id}", json={"religion": "cao_dai"})
        path = f"/v1/correction-requests/{item['id']}/approve"
        body = refused(head.post(path), 403, "forbidden")
        assert body["required_right"] == "members:religion"
        assert refused(officer.post(path), 409, "correction_superseded")["fields"] == ["religion"]

    def test_the_rules_of_the_record_hold(
        self, her: Api, officer: Api, her_id: str, database: Database
    ) -> None:
        before = record(database, her_id)
        item = asked(her, {"joined_on": "1950-01-01"})
        answer = officer.post(f"/v1/correction-requests/{item['id']}/approve")
        pointed(answer, "/joined_on", "joined_before_birth")
        assert record(database, her_id) == before
        assert states(database) == [CorrectionState.pending]

    def test_what_today_would_be_refused_is_asked_anew(
        self, her: Api, officer: Api, her_id: str, database: Database
    ) -> None:
        item = asked(her, NAME)
        with writing(database) as session:
            session.execute(sa.update(CorrectionRequest).values(asked='{"full_name": "1"}'))
        answer = officer.post(f"/v1/correction-requests/{item['id']}/approve")
        refused(answer, 409, "correction_outdated")
        assert states(database) == [CorrectionState.pending]

    def test_needs_the_right_over_her(self, api: Api, her: Api, database: Database) -> None:
        item = asked(her, NAME)
        path = f"/v1/correction-requests/{item['id']}/approve"
        refused(api.as_("tienluong").post(path), 404, "not_found")
        answer = refused(api.as_("auditor").post(path), 403, "forbidden")
        assert answer["required_right"] == "members:write"
        refused(her.post(path), 403, "forbidden")
        assert states(database) == [CorrectionState.pending]

    @pytest.mark.race
    def test_of_two_officers_at_once_one_decides(
        self, api: Api, her: Api, head: Api, officer: Api, database: Database, her_id: str
    ) -> None:
        item = asked(her, NAME)
        path = f"/v1/correction-requests/{item['id']}"
        start = Barrier(2)

        def decide(act: tuple[Api, str, Json]) -> int:
            who, verb, body = act
            start.wait()
            return Api(who.app, who.headers).post(f"{path}/{verb}", json=body).status_code

        acts = [(officer, "approve", {}), (head, "refuse", {"answer": "Chưa đủ giấy tờ"})]
        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(decide, acts)) == [200, 409]
        [state] = states(database)
        changed = record(database, her_id).full_name == NAME["full_name"]
        assert changed == (state is CorrectionState.approved)


class TestIfMatch:
    def test_every_decision_is_about_the_request_as_it_was_read(
        self, her: Api, officer: Api, her_id: str, database: Database
    ) -> None:
        item = asked(her, NAME)
        before = record(database, her_id)
        one = f"/v1/correction-requests/{item['id']}"
        stale = {"if-match": '"7-0a1b2c3d"'}
        answers = (
            officer.post(f"{one}/approve", headers=stale),
            officer.post(f"{one}/refuse", json={"answer": "Không"}, headers=stale),
            her.post(f"/v1/me/corrections/{item['id']}/cancel", headers=stale),
        )
        for answer in answers:
            assert refused(answer, 412, "stale_revision")["current_revision"] == 1
        assert states(database) == [CorrectionState.pending]
        assert record(database, her_id) == before
        tag = officer.get(one).headers["etag"]
        approved = officer.post(f"{one}/approve", headers={"if-match": tag})
        assert (approved.status_code, approved.json()["revision"]) == (200, 2)


class TestRefuse:
    def test_tells_her_why_and_changes_nothing(
        self, her: Api, officer: Api, her_id: str, database: Database
    ) -> None:
        before = record(database, her_id)
        item = asked(her, NAME)
        path = f"/v1/correction-requests/{item['id']}/refuse"
        first = officer.post(path, json={"answer": "Chưa có giấy tờ"})
        assert first.status_code == 200
        assert officer.post(path, json={"answer": "Chưa có giấy tờ"}).json() == first.json()
        refused(officer.post(path, json={"answer": "Khác"}), 409, "correction_state")
        [mine] = her.get("/v1/me/corrections").json()["items"]
        assert (mine["state"], mine["answer"]) == ("refused", "Chưa có giấy tờ")
        assert record(database, her_id) == before

    def test_needs_an_answer(self, her: Api, officer: Api, database: Database) -> None:
        item = asked(her, NAME)
        path = f"/v1/correction-requests/{item['id']}/refuse"
        pointed(officer.post(path, json={}), "/answer", "required")
        pointed(officer.post(path, json={"answer": " "}), "/answer", "too_short")
        assert states(database) == [CorrectionState.pending]
