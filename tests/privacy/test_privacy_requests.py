"""The register of requests: received, acknowledged, assigned, extended, done, refused, overdue."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx2 import Response
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.base import table_of
from app.models.kernel.accounts import Account
from app.models.members.members import Member
from app.models.privacy.requests import PrivacyRequest, RequestState
from app.models.privacy.rules import RequestKind
from app.services.privacy import rules as privacy_rules
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, free_members
from tests.helpers.client import Api, counted, writing
from tests.helpers.rows import member_of


@pytest.fixture
def her_id(database: Database) -> str:
    return member_of(database, "member")


@pytest.fixture
def path(her_id: str) -> str:
    return f"/v1/members/{her_id}/privacy-requests"


def registered(who: Api, path: str, kind: str = "access", **more: Any) -> Json:
    answer = who.post(path, json={"kind": kind, "channel": "paper"} | more)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def act(who: Api, item: Json, verb: str, **body: Any) -> Response:
    kwargs = {"json": body} if verb != "acknowledge" else {}
    return who.post(f"/v1/privacy/requests/{item['id']}/{verb}", **kwargs)


def account_id(database: Database, username: str) -> str:
    with writing(database) as session:
        return str(session.exec(select(Account.id).where(col(Account.username) == username)).one())


class TestDeadlines:
    @pytest.mark.parametrize(
        ("kind", "received", "with_processors", "answer_on", "due_on"),
        [
            # A Monday: two working days later is Wednesday.
            ("access", "2026-06-01", False, "2026-06-03", "2026-06-11"),
            # A Thursday: Friday and Monday.
            ("restrict", "2026-06-04", False, "2026-06-08", "2026-06-19"),
            ("restrict", "2026-06-04", True, "2026-06-08", "2026-06-24"),
            # A Saturday counts for nothing.
            ("erase", "2026-06-06", False, "2026-06-09", "2026-06-26"),
            # 30 April and 1 May are free.
            ("object", "2026-04-29", False, "2026-05-05", "2026-05-14"),
        ],
    )
    def test_are_counted_from_the_day_after(
        self, kind: str, received: str, with_processors: bool, answer_on: str, due_on: str
    ) -> None:
        day = date.fromisoformat(received)
        due = privacy_rules.rule_book().due(RequestKind(kind), day, with_processors=with_processors)
        assert (due.answer_on.isoformat(), due.on.isoformat()) == (answer_on, due_on)
        assert due.version == "2026-01"

    def test_are_published_with_their_source(self, officer: Api) -> None:
        rules = officer.get("/v1/privacy/rules").json()
        assert "91/2025" in rules["deadlines_source"]
        assert rules["deadlines"][0]["days"].keys() == set(RequestKind)


class TestRegister:
    def test_computes_the_deadlines(self, officer: Api, path: str, her_id: str) -> None:
        monday = local_today() - timedelta(days=local_today().weekday() + 7)
        item = registered(officer, path, received_on=monday.isoformat(), note="Xin bản sao")
        due = privacy_rules.rule_book().due(RequestKind.access, monday, with_processors=False)
        assert item["member_id"] == her_id
        assert (item["answer_due_on"], item["due_on"]) == (
            due.answer_on.isoformat(),
            due.on.isoformat(),
        )
        assert (item["state"], item["overdue"], item["assigned_to"]) == ("received", True, None)
        assert officer.get(f"/v1/privacy/requests/{item['id']}").json() == item

    def test_twice_is_once(self, officer: Api, path: str, database: Database) -> None:
        body = {"id": str(uuid4()), "kind": "erase", "channel": "in_person"}
        answers = [officer.post(path, json=body) for _ in range(2)]
        assert [a.status_code for a in answers] == [201, 200]
        refused(officer.post(path, json=body | {"kind": "access"}), 409, "id_taken")
        del body["id"]
        other = refused(officer.post(path, json=body), 409, "privacy_request_open")
        assert other["request_id"] == answers[0].json()["id"]
        with writing(database) as session:
            assert len(session.exec(select(PrivacyRequest)).all()) == 1

    @pytest.mark.parametrize(
        ("body", "pointer", "code"),
        [
            ({"kind": "withdraw"}, "/purpose", "required"),
            ({"kind": "object"}, "/purpose", "required"),
            ({"kind": "withdraw", "purpose": "membership"}, "/purpose", "consent_not_needed"),
            ({"kind": "object", "purpose": "x"}, "/purpose", "purpose_unknown"),
            ({"kind": "access", "purpose": "contact"}, "/purpose", "purpose_without_objection"),
            ({"kind": "access", "received_on": "2999-01-01"}, "/received_on", "date_in_future"),
        ],
    )
    def test_what_cannot_be(
        self, officer: Api, path: str, body: Json, pointer: str, code: str
    ) -> None:
        pointed(officer.post(path, json={"channel": "paper"} | body), pointer, code)

    def test_rights(self, api: Api, path: str) -> None:
        item = registered(api.as_("phuongvi-1"), path)  # a branch head takes the paper
        one = f"/v1/privacy/requests/{item['id']}"
        refused(api.as_("phuongvi-1").get(one), 403, "forbidden")
        refused(api.as_("phuongvi-1").post(f"{one}/acknowledge"), 403, "forbidden")
        refused(api.as_("tienluong").get(one), 404, "not_found")
        refused(api.as_("tienluong").post(f"{one}/acknowledge"), 404, "not_found")
        assert api.as_("auditor").get(one).status_code == 200
        refused(api.as_("auditor").post(f"{one}/acknowledge"), 403, "forbidden")
        body = {"kind": "access", "channel": "paper"}
        refused(api.as_("tienluong").post(path, json=body), 404, "not_found")


class TestAnswering:
    def test_acknowledged_assigned_extended_done(
        self, api: Api, officer: Api, path: str, database: Database
    ) -> None:
        item = registered(officer, path)
        mine = act(officer, item, "acknowledge").json()
        assert (mine["state"], mine["assigned_to"]) == (
            "acknowledged",
            account_id(database, "phuongvi"),
        )
        given = act(officer, item, "assign", account_id=account_id(database, "phutho")).json()
        assert given["assigned_to"] == account_id(database, "phutho")
        assert given["assignee"]
        to_her = f"/v1/privacy/requests?assigned_to={given['assigned_to']}"
        assert [i["id"] for i in officer.get(to_her).json()["items"]] == [item["id"]]
        pointed(act(officer, item, "extend", days=16, reason="x"), "/days", "extension_too_long")
        longer = act(officer, item, "extend", days=15, reason="Chờ hồ sơ giấy").json()
        assert date.fromisoformat(longer["due_on"]) == date.fromisoformat(
            item["due_on"]
        ) + timedelta(days=15)
        pointed(act(officer, item, "extend", days=1, reason="x"), "/days", "extension_too_long")
        done = act(officer, item, "complete", answer="Đã gửi bản sao")
        assert (done.status_code, done.json()["state"]) == (200, "done")
        assert act(officer, item, "complete", answer="Đã gửi bản sao").json() == done.json()
        refused(act(officer, item, "refuse", reason="unfounded"), 409, "privacy_request_state")
        assert api.as_("phutho").get(f"/v1/privacy/requests/{item['id']}").json()["answer"]

    @pytest.mark.parametrize("username", ["tienluong", "phuongvi-1", "admin"])
    def test_is_assigned_to_who_may_answer(
        self, officer: Api, path: str, database: Database, username: str
    ) -> None:
        item = registered(officer, path)
        answer = act(officer, item, "assign", account_id=account_id(database, username))
        pointed(answer, "/account_id", "assignee_unknown")

    def test_withdrawal_takes_the_consent_back(self, officer: Api, path: str, her_id: str) -> None:
        said = {
            "purpose": "contact",
            "decision": "given",
            "evidence": {"kind": "paper", "reference": "1"},
            "recorded_on": local_today().isoformat(),
        }
        officer.post(f"/v1/members/{her_id}/consents", json=said)
        item = registered(officer, path, "withdraw", purpose="contact")
        assert act(officer, item, "complete").status_code == 200
        [consent] = officer.get(f"/v1/members/{her_id}/consents").json()["items"]
        assert (consent["state"], consent["withdrawal_evidence"]) == ("withdrawn", "paper")

    def test_restriction_restricts_and_objection_objects(
        self, officer: Api, path: str, her_id: str
    ) -> None:
        for kind, purpose in (("restrict", None), ("object", "contact")):
            item = registered(officer, path, kind, **({"purpose": purpose} if purpose else {}))
            assert act(officer, item, "complete").status_code == 200
        limits = officer.get(f"/v1/members/{her_id}/processing-limits").json()["items"]
        assert [(i["kind"], i["purpose"], i["in_force"]) for i in limits] == [
            ("restriction", None, True),
            ("objection", "contact", True),
        ]
        assert officer.get(f"/v1/members/{her_id}").json()["restricted"] is True

    def test_an_erasure_is_an_act_of_its_own(self, officer: Api, path: str) -> None:
        item = registered(officer, path, "erase")
        refused(act(officer, item, "complete"), 409, "erasure_by_itself")

    def test_refused_for_a_reason(self, officer: Api, path: str) -> None:
        item = registered(officer, path)
        pointed(act(officer, item, "refuse", reason="other"), "/answer", "required")
        answer = act(officer, item, "refuse", reason="not_identified", answer="Thiếu giấy tờ")
        assert (answer.status_code, answer.json()["refusal_reason"]) == (200, "not_identified")

    def test_stale_revision(self, officer: Api, path: str) -> None:
        item = registered(officer, path)
        act(officer, item, "acknowledge")
        stale = officer.post(
            f"/v1/privacy/requests/{item['id']}/complete", json={}, headers={"if-match": '"1"'}
        )
        refused(stale, 412, "stale_revision")


class TestList:
    def test_what_is_overdue_and_due_first(self, officer: Api, path: str) -> None:
        late = (local_today() - timedelta(days=40)).isoformat()
        fresh = registered(officer, path, "access")
        old = registered(officer, path, "erase", received_on=late)
        listed = officer.get("/v1/privacy/requests").json()["items"]
        assert [i["id"] for i in listed] == [old["id"], fresh["id"]]
        overdue = officer.get("/v1/privacy/requests?overdue=true").json()["items"]
        assert [i["id"] for i in overdue] == [old["id"]]
        act(officer, old, "refuse", reason="legal_hold")
        assert officer.get("/v1/privacy/requests?overdue=true").json()["items"] == []
        still = officer.get("/v1/privacy/requests?open=true").json()["items"]
        assert [i["id"] for i in still] == [fresh["id"]]

    def test_counts_add_up_and_stay_in_scope(
        self, api: Api, officer: Api, path: str, unit_id: dict[str, int]
    ) -> None:
        late = (local_today() - timedelta(days=40)).isoformat()
        soon = (local_today() - timedelta(days=9)).isoformat()
        registered(officer, path, "erase", received_on=late)
        act(officer, registered(officer, path, "access", received_on=soon), "acknowledge")
        act(officer, registered(officer, path, "rectify"), "refuse", reason="unfounded")
        counted_ = officer.get("/v1/privacy/requests/count").json()
        assert counted_ == {
            "open": 2,
            "overdue": 1,
            "due_soon": 1,
            "received": 1,
            "acknowledged": 1,
            "extended": 0,
            "done": 0,
            "refused": 1,
            "cancelled": 0,
        }
        one = f"/v1/privacy/requests/count?unit={unit_id['phuongvi-2']}"
        assert officer.get(one).json()["open"] == 0
        assert api.as_("tienluong").get("/v1/privacy/requests/count").json()["refused"] == 0
        refused(api.as_("phuongvi-1").get("/v1/privacy/requests/count"), 403, "forbidden")

    def test_boundaries_of_overdue(self, officer: Api, path: str, database: Database) -> None:
        item = registered(officer, path)
        for due, expected in ((local_today(), False), (local_today() - timedelta(days=1), True)):
            with writing(database) as session:
                session.connection().execute(
                    table_of(PrivacyRequest)
                    .update()
                    .where(col(PrivacyRequest.id) == UUID(item["id"]))
                    .values(
                        due_on=due, answer_due_on=local_today(), state=RequestState.acknowledged
                    )
                )
            assert officer.get(f"/v1/privacy/requests/{item['id']}").json()["overdue"] is expected

    def test_costs_the_same_and_stays_in_scope(
        self, api: Api, officer: Api, path: str, database: Database
    ) -> None:
        members = officer.get("/v1/members?limit=6").json()["items"]
        for member in members:
            registered(officer, f"/v1/members/{member['id']}/privacy-requests")
        costs = []
        for limit in (1, 6):
            with counted(database) as statements:
                page = officer.get(f"/v1/privacy/requests?limit={limit}").json()
            costs.append(len(statements))
            assert len(page["items"]) == limit
        assert costs[0] == costs[1]
        assert api.as_("tienluong").get("/v1/privacy/requests").json()["items"] == []
        csv = officer.get("/v1/privacy/requests?format=csv")
        assert csv.text.count("\n") == 7


class TestOwn:
    def test_i_ask_see_and_cancel(self, api: Api, officer: Api, her_id: str) -> None:
        me = api.as_("member")
        made = me.post("/v1/me/privacy-requests", json={"kind": "access"})
        assert made.status_code == 201, made.text
        item = made.json()
        assert (item["channel"], item["received_on"]) == ("app", local_today().isoformat())
        assert me.get("/v1/me/privacy-requests").json()["items"] == [item]
        assert [i["id"] for i in officer.get("/v1/privacy/requests").json()["items"]] == [
            item["id"]
        ]
        gone = me.post(f"/v1/me/privacy-requests/{item['id']}/cancel")
        assert (gone.status_code, gone.json()["state"]) == (200, "cancelled")
        refused(act(officer, item, "acknowledge"), 409, "privacy_request_state")

    def test_nothing_of_others(self, api: Api, officer: Api) -> None:
        other = officer.get("/v1/members?limit=1").json()["items"][0]["id"]
        item = registered(officer, f"/v1/members/{other}/privacy-requests")
        refused(
            api.as_("member").post(f"/v1/me/privacy-requests/{item['id']}/cancel"),
            404,
            "not_found",
        )
        refused(api.as_("admin").get("/v1/me/privacy-requests"), 404, "no_own_record")


class TestLimits:
    def test_a_restricted_record_is_shown_but_neither_changed_nor_exported(
        self, api: Api, officer: Api, her_id: str, database: Database
    ) -> None:
        head = api.as_("phuongvi-1")
        name = head.get(f"/v1/members/{her_id}").json()["full_name"]
        made = officer.post(
            f"/v1/members/{her_id}/processing-limits", json={"kind": "restriction"}
        ).json()
        assert head.get(f"/v1/members/{her_id}").json()["restricted"] is True
        marked = head.get("/v1/members?restricted=true").json()["items"]
        assert [i["id"] for i in marked] == [her_id]
        refused(
            head.patch(f"/v1/members/{her_id}", json={"occupation": "x"}), 409, "member_restricted"
        )
        refused(
            head.post(f"/v1/members/{her_id}/departures", json={"reason": "other"}),
            409,
            "member_restricted",
        )
        assert her_id not in head.get("/v1/members?format=csv").text
        refused(head.get("/v1/members?format=csv&restricted=true"), 403, "forbidden")
        assert her_id in officer.get("/v1/members?format=csv").text  # privacy:manage
        twice = officer.post(
            f"/v1/members/{her_id}/processing-limits", json={"kind": "restriction"}
        )
        assert refused(twice, 409, "limit_exists")["limit_id"] == made["id"]
        lifted = officer.post(
            f"/v1/processing-limits/{made['id']}/lift", json={"note": "Theo yêu cầu"}
        )
        assert (lifted.status_code, lifted.json()["in_force"]) == (200, False)
        assert head.get(f"/v1/members/{her_id}").json()["restricted"] is False
        assert head.patch(f"/v1/members/{her_id}", json={"occupation": "x"}).status_code == 200
        with writing(database) as session:
            assert session.get_one(Member, UUID(her_id)).full_name == name

    def test_legal_hold_twice_and_by_whom(self, api: Api, officer: Api, her_id: str) -> None:
        path = f"/v1/members/{her_id}/legal-holds"
        sent = {"id": str(uuid4()), "reference": "Vụ án 5/2026"}
        assert [officer.post(path, json=sent).status_code for _ in range(2)] == [201, 200]
        refused(officer.post(path, json={"reference": "Vụ án 5/2026"}), 409, "limit_exists")
        pointed(
            officer.post(path, json={"reference": "2", "valid_to": "2020-01-01"}),
            "/valid_to",
            "date_in_past",
        )
        refused(api.as_("phuongvi-1").post(path, json={"reference": "x"}), 403, "forbidden")
        refused(api.as_("tienluong").post(path, json={"reference": "x"}), 404, "not_found")
        mine = api.as_("member").get("/v1/me/processing-limits").json()["items"]
        assert [i["kind"] for i in mine] == ["legal_hold"]

    @pytest.mark.parametrize(
        ("body", "pointer", "code"),
        [
            ({"kind": "legal_hold"}, "/kind", "not_in_list"),
            ({"kind": "objection"}, "/purpose", "required"),
            ({"kind": "restriction", "purpose": "contact"}, "/purpose", None),
            ({"kind": "restriction", "request_id": str(uuid4())}, "/request_id", "request_unknown"),
        ],
    )
    def test_what_cannot_be(
        self, officer: Api, her_id: str, body: Json, pointer: str, code: str | None
    ) -> None:
        path = f"/v1/members/{her_id}/processing-limits"
        pointed(officer.post(path, json=body), pointer, code or "purpose_without_objection")


def test_a_request_is_of_our_time(officer: Api, database: Database, unit_id: Ids) -> None:
    member = free_members(database, unit_id["phuongvi-1"])[0].id
    body = {"kind": "access", "channel": "paper", "received_on": "0001-01-01"}
    answer = officer.post(f"/v1/members/{member}/privacy-requests", json=body)
    pointed(answer, "/received_on", "date_too_early")
