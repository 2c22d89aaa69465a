"""Consents: given, refused, withdrawn, each to one purpose and with its evidence."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.base import table_of
from app.models.members.members import Member
from app.models.privacy.consents import Consent
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.client import Api, counted, writing
from tests.helpers.rows import member_of

PAPER = {"kind": "paper", "reference": "Phiếu 12/2026"}


def body(**changed: Any) -> Json:
    return {
        "purpose": "contact",
        "decision": "given",
        "evidence": PAPER,
        "recorded_on": local_today().isoformat(),
    } | changed


@pytest.fixture
def her_id(database: Database) -> str:
    return member_of(database, "member")


@pytest.fixture
def path(her_id: str) -> str:
    return f"/v1/members/{her_id}/consents"


def stored(database: Database, her_id: str) -> list[Consent]:
    with writing(database) as session:
        of_hers = select(Consent).where(col(Consent.member_id) == UUID(her_id))
        return list(session.exec(of_hers.order_by(col(Consent.id))))


class TestRecord:
    def test_keeps_the_decision_the_text_and_the_evidence(
        self, api: Api, path: str, her_id: str, database: Database
    ) -> None:
        head = api.as_("phuongvi-1")
        answer = head.post(path, json=body())
        assert answer.status_code == 201, answer.text
        item = answer.json()
        assert item | {"id": None, "recorded_by": None} == {
            "id": None,
            "member_id": her_id,
            "purpose": "contact",
            "text": "2026-01",
            "decision": "given",
            "state": "given",
            "current": True,
            "evidence": "paper",
            "evidence_reference": "Phiếu 12/2026",
            "note": None,
            "representative": None,
            "representative_relation": None,
            "recorded_on": local_today().isoformat(),
            "recorded_by": None,
            "withdrawn_on": None,
            "withdrawal_evidence": None,
            "withdrawal_note": None,
            "superseded_at": None,
            "revision": 1,
        }
        assert head.get(path).json()["items"] == [item]
        assert [str(row.id) for row in stored(database, her_id)] == [item["id"]]

    def test_a_later_answer_supersedes_and_keeps_the_first(
        self, api: Api, path: str, her_id: str, database: Database
    ) -> None:
        head = api.as_("phuongvi-1")
        first = head.post(path, json=body()).json()
        second = head.post(path, json=body(decision="refused")).json()
        listed = head.get(path).json()["items"]
        assert [(i["id"], i["current"], i["state"]) for i in listed] == [
            (second["id"], True, "refused"),
            (first["id"], False, "given"),
        ]
        earlier = body(recorded_on=(local_today() - timedelta(days=1)).isoformat())
        pointed(head.post(path, json=earlier), "/recorded_on", "before_last_answer")
        assert len(stored(database, her_id)) == 2

    def test_the_same_body_again_is_one_answer(
        self, api: Api, path: str, her_id: str, database: Database
    ) -> None:
        head, sent = api.as_("phuongvi-1"), body(id=str(uuid4()))
        answers = [head.post(path, json=sent) for _ in range(2)]
        assert [a.status_code for a in answers] == [201, 200]
        refused(head.post(path, json=sent | {"decision": "refused"}), 409, "id_taken")
        assert len(stored(database, her_id)) == 1

    @pytest.mark.parametrize(
        ("changed", "pointer", "code"),
        [
            ({"purpose": "nothing"}, "/purpose", "purpose_unknown"),
            ({"purpose": "membership"}, "/purpose", "consent_not_needed"),
            ({"evidence": {"kind": "paper"}}, "/evidence/reference", "required"),
            ({"recorded_on": "2999-01-01"}, "/recorded_on", "date_in_future"),
            ({"decision": None}, "/decision", "not_null"),
        ],
    )
    def test_what_is_no_proof(
        self, api: Api, path: str, changed: Json, pointer: str, code: str
    ) -> None:
        pointed(api.as_("phuongvi-1").post(path, json=body(**changed)), pointer, code)

    def test_of_a_minor_needs_her_representative(
        self, api: Api, path: str, her_id: str, database: Database
    ) -> None:
        born = f"{local_today().year - 17}"
        with writing(database) as session:
            member = session.get_one(Member, UUID(her_id))
            session.connection().execute(
                table_of(Member)
                .update()
                .where(col(Member.id) == member.id)
                .values(birth_date=born, birth_year=int(born))
            )
        head = api.as_("phuongvi-1")
        pointed(head.post(path, json=body()), "/representative", "representative_needed")
        guardian = {"full_name": "Hà Thị Mẹ", "relation": "mẹ"}
        made = head.post(path, json=body(representative=guardian))
        assert (made.status_code, made.json()["representative"]) == (201, "Hà Thị Mẹ")

    def test_is_for_who_holds_the_right_over_her(
        self, api: Api, path: str, her_id: str, database: Database
    ) -> None:
        refused(api.as_("auditor").post(path, json=body()), 403, "forbidden")
        assert api.as_("admin").post(path, json=body()).status_code == 403
        refused(api.as_("tienluong").post(path, json=body()), 404, "not_found")
        assert stored(database, her_id) == []

    def test_is_logged_without_its_words(self, api: Api, path: str) -> None:
        made = api.as_("phuongvi-1").post(path, json=body()).json()
        changes = api.as_("phuongvi").get(f"/v1/changes?kinds=consent&entity_id={made['id']}")
        [change] = changes.json()["items"]
        assert change["after"]["evidence_reference"] == "set"
        assert change["after"]["decision"] == "given"
        assert "Phiếu 12" not in changes.text


class TestWithdraw:
    def test_ends_what_was_given(self, api: Api, path: str) -> None:
        head = api.as_("phuongvi-1")
        made = head.post(path, json=body()).json()
        act = f"/v1/consents/{made['id']}/withdraw"
        stale = head.post(act, json={"evidence": PAPER}, headers={"if-match": '"9"'})
        refused(stale, 412, "stale_revision")
        first = head.post(act, json={"evidence": PAPER})
        assert first.status_code == 200
        assert (first.json()["state"], first.json()["withdrawn_on"]) == (
            "withdrawn",
            local_today().isoformat(),
        )
        assert head.post(act, json={"evidence": PAPER}).json() == first.json()

    def test_only_what_holds(self, api: Api, path: str) -> None:
        head = api.as_("phuongvi-1")
        made = head.post(path, json=body(decision="refused")).json()
        act = f"/v1/consents/{made['id']}/withdraw"
        refused(head.post(act, json={"evidence": PAPER}), 409, "consent_state")
        refused(api.as_("tienluong").post(act, json={"evidence": PAPER}), 404, "not_found")


class TestOwn:
    def test_i_say_yes_to_the_text_i_was_shown_and_take_it_back(
        self, api: Api, her_id: str, database: Database
    ) -> None:
        me = api.as_("member")
        said = {"purpose": "photo", "decision": "given", "text": "2020-01"}
        pointed(me.post("/v1/me/consents", json=said), "/text", "consent_text_outdated")
        made = me.post("/v1/me/consents", json=said | {"text": "2026-01"})
        assert made.status_code == 201, made.text
        assert made.json()["evidence"] == "app"
        back = me.post(f"/v1/me/consents/{made.json()['id']}/withdraw")
        assert (back.status_code, back.json()["state"]) == (200, "withdrawn")
        assert me.get("/v1/me/consents").json()["items"] == [back.json()]
        [row] = stored(database, her_id)
        assert row.withdrawn_on == local_today()

    def test_not_those_of_others(self, api: Api, database: Database) -> None:
        head = api.as_("phuongvi-1")
        other = head.get("/v1/members?limit=1").json()["items"][0]["id"]
        made = head.post(f"/v1/members/{other}/consents", json=body()).json()
        refused(api.as_("member").post(f"/v1/me/consents/{made['id']}/withdraw"), 404, "not_found")


class TestStandings:
    def test_say_whom_one_may_ask_and_add_up(self, api: Api, path: str, her_id: str) -> None:
        head = api.as_("phuongvi-1")
        others = [i["id"] for i in head.get("/v1/members?limit=5").json()["items"]]
        others = [id_ for id_ in others if id_ != her_id][:2]
        head.post(path, json=body())
        head.post(f"/v1/members/{others[0]}/consents", json=body(decision="refused"))
        people = head.get("/v1/privacy/consents/count?purpose=contact").json()
        assert {k: people[k] for k in ("given", "refused", "withdrawn", "objected")} == {
            "given": 1,
            "refused": 1,
            "withdrawn": 0,
            "objected": 0,
        }
        assert people["people"] == sum(
            people[k] for k in ("given", "refused", "withdrawn", "missing", "objected")
        )
        given = head.get("/v1/privacy/consents?purpose=contact&state=given").json()["items"]
        assert [i["member_id"] for i in given] == [her_id]
        everyone = head.get("/v1/privacy/consents?purpose=contact&limit=200").json()["items"]
        assert len(everyone) == people["people"]
        refused(
            api.as_("tienluong-1").get("/v1/privacy/consents?purpose=x"), 422, "validation_failed"
        )

    def test_who_objects_is_asked_no_more(self, api: Api, path: str, her_id: str) -> None:
        head, officer = api.as_("phuongvi-1"), api.as_("phuongvi")
        head.post(path, json=body())
        made = officer.post(
            f"/v1/members/{her_id}/processing-limits",
            json={"kind": "objection", "purpose": "contact"},
        )
        assert made.status_code == 201, made.text
        given = head.get("/v1/privacy/consents?purpose=contact&state=given").json()["items"]
        objected = head.get("/v1/privacy/consents?purpose=contact&state=objected").json()["items"]
        assert (given, [i["member_id"] for i in objected]) == ([], [her_id])

    def test_pages_cost_the_same(self, api: Api, database: Database) -> None:
        officer = api.as_("phuongvi")
        costs = []
        for limit in (1, 50):
            officer.get("/v1/privacy/consents?purpose=contact&limit=1")
            with counted(database) as statements:
                officer.get(f"/v1/privacy/consents?purpose=contact&limit={limit}")
            costs.append(len(statements))
        assert costs[0] == costs[1] <= 4

    def test_pages_follow_each_other(self, api: Api) -> None:
        officer = api.as_("phuongvi")
        seen: list[str] = []
        url: str | None = "/v1/privacy/consents?purpose=contact&limit=60"
        while url:
            page = officer.get(url)
            seen += [i["member_id"] for i in page.json()["items"]]
            cursor = page.json()["next_cursor"]
            first = "/v1/privacy/consents?purpose=contact&limit=60"
            url = cursor and f"{first}&cursor={cursor}"
        total = officer.get("/v1/privacy/consents/count?purpose=contact").json()["people"]
        assert len(seen) == len(set(seen)) == total
