"""Transfers: who may ask and answer, what each answer does, and what silence does."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.changes import Feed
from app.models.kernel.units import Unit
from app.models.members.members import MemberIdentifier, MemberStatus
from app.services.kernel import sequencer
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, writing
from tests.memberships.transfers import (
    TACIT_DAYS,
    ago,
    member_row,
    people,
    spells,
    stored,
    transfer_row,
)


class TestActs:
    def test_two_officers_transfer_a_member(
        self,
        api: Api,
        source: Api,
        target: Api,
        mover: Json,
        requested: Json,
        unit_id: UnitIds,
        database: Database,
    ) -> None:
        path = f"/v1/transfers/{requested['id']}"
        old, new = unit_id["phuongvi-1"], unit_id["tienluong-1"]
        counts = people(source, old), people(target, new)
        consent = source.post(f"{path}/consent").json()
        assert (consent["state"], consent["due_on"]) == (
            "consented",
            (local_today() + timedelta(days=TACIT_DAYS)).isoformat(),
        )
        assert people(source, old) == counts[0]
        accepted = target.post(f"{path}/accept").json()
        assert (accepted["state"], accepted["effective_on"]) == ("accepted", ago(0))
        assert accepted["consented_by"] not in (None, accepted["accepted_by"])
        [(_, since, _)] = spells(database, mover["id"])[:1]
        assert spells(database, mover["id"]) == [
            (old, since, local_today() - timedelta(days=1)),
            (new, local_today(), None),
        ]
        assert (people(source, old), people(target, new)) == (counts[0] - 1, counts[1] + 1)
        refused(source.get(f"/v1/members/{mover['id']}"), 404, "not_found")
        seen = target.get(f"/v1/members/{mover['id']}").json()
        assert (seen["status"], seen["branch_id"], seen["commune_id"]) == (
            "active",
            new,
            unit_id["tienluong"],
        )

    def test_every_act_in_every_state(
        self, source: Api, target: Api, path: str, to_target: Json, proof: Json, database: Database
    ) -> None:
        """What each state makes of each act by the side that may do it."""
        acts = {
            "consent": (source, None),
            "refuse": (source, {"reason": "Còn nợ quỹ"}),
            "cancel": (target, None),
            "accept": (target, None),
        }
        ways: dict[str, list[str]] = {
            "requested": [],
            "refused": ["refuse"],
            "cancelled": ["cancel"],
            "consented": ["consent"],  # the last act of the last state moves her
        }
        outcome = {
            ("requested", "consent"): "consented",
            ("requested", "refuse"): "refused",
            ("requested", "cancel"): "cancelled",
            ("consented", "consent"): "consented",
            ("consented", "accept"): "accepted",
            ("consented", "refuse"): "refused",
            ("consented", "cancel"): "cancelled",
            ("refused", "refuse"): "refused",
            ("cancelled", "cancel"): "cancelled",
        }

        def do(transfer_id: str, act: str) -> Response:
            who, body = acts[act]
            return who.post(f"/v1/transfers/{transfer_id}/{act}", json=body)

        for state, way in ways.items():
            for act in acts:
                made = target.post(path, json=to_target | proof)
                assert made.status_code == 201, (state, act, made.text)
                transfer_id = made.json()["id"]
                for step in way:
                    do(transfer_id, step)
                assert transfer_row(database, transfer_id).state == state
                before = stored(database)
                answer = do(transfer_id, act)
                expected = outcome.get((state, act))
                if expected is None:
                    refused(answer, 409, "transfer_state")
                    assert stored(database) == before
                else:
                    assert (answer.status_code, answer.json()["state"]) == (200, expected)
                    if expected == state:
                        assert stored(database) == before
                row = transfer_row(database, transfer_id)
                if row.state in ("requested", "consented"):
                    target.post(f"/v1/transfers/{transfer_id}/cancel")

    def test_accepted_again_is_the_same_answer(
        self, target: Api, consented: Json, database: Database
    ) -> None:
        path = f"/v1/transfers/{consented['id']}/accept"
        first = target.post(path)
        before = stored(database)
        second = target.post(path)
        assert first.json() == second.json()
        assert (first.headers["etag"], stored(database)) == (second.headers["etag"], before)
        refused(target.post(path.replace("accept", "cancel")), 403, "forbidden")
        body = {"reason": "Muộn"}
        answer = target.post(path.replace("accept", "refuse"), json=body)
        assert "tiếp nhận" in refused(answer, 409, "transfer_state")["detail"]

    @pytest.mark.parametrize(("act", "who"), [("consent", "target"), ("accept", "source")])
    def test_the_other_side_may_not_answer_for_this_one(
        self,
        source: Api,
        target: Api,
        requested: Json,
        unit_id: UnitIds,
        act: str,
        who: str,
        database: Database,
    ) -> None:
        before = stored(database)
        asking = source if who == "source" else target
        body = refused(asking.post(f"/v1/transfers/{requested['id']}/{act}"), 403, "forbidden")
        assert body["required_right"] == "members:write"
        assert stored(database) == before

    def test_only_the_side_that_asked_cancels(
        self, source: Api, target: Api, mover: Json, consented: Json, database: Database
    ) -> None:
        path = f"/v1/transfers/{consented['id']}/cancel"
        assert refused(target.post(path), 403, "forbidden")["required_right"] == "members:write"
        body = source.post(path).json()
        assert (body["state"], body["due_on"]) == ("cancelled", None)
        assert body["closed_at"] is not None
        row = member_row(database, mover["id"])
        assert (row.status, row.branch_id) == (MemberStatus.active, mover["branch_id"])

    @pytest.mark.parametrize("side", ["source", "target"])
    def test_either_side_refuses_with_a_reason(
        self,
        source: Api,
        target: Api,
        mover: Json,
        consented: Json,
        side: str,
        database: Database,
    ) -> None:
        path = f"/v1/transfers/{consented['id']}/refuse"
        refusing, other = (source, target) if side == "source" else (target, source)
        pointed(refusing.post(path, json={}), "/reason", "required")
        pointed(refusing.post(path, json={"reason": "  "}), "/reason", "too_short")
        body = refusing.post(path, json={"reason": "Chưa xong việc"}).json()
        assert (body["state"], body["refused_side"]) == ("refused", side)
        assert (body["refusal_reason"], body["due_on"]) == ("Chưa xong việc", None)
        assert member_row(database, mover["id"]).status is MemberStatus.active
        assert len(spells(database, mover["id"])) == 1
        before = stored(database)
        again = refusing.post(path, json={"reason": "Chưa xong việc"})
        assert (again.status_code, again.json()) == (200, body)
        refused(other.post(path, json={"reason": "Cũng không"}), 409, "transfer_state")
        assert stored(database) == before

    @pytest.mark.parametrize("act", ["consent", "accept", "refuse", "cancel"])
    def test_out_of_sight_is_not_found(
        self, api: Api, consented: Json, act: str, database: Database
    ) -> None:
        before, stranger = stored(database), api.as_("tienluong-2")
        body = {"reason": "x"} if act == "refuse" else None
        for transfer_id in (consented["id"], uuid4()):
            answer = stranger.post(f"/v1/transfers/{transfer_id}/{act}", json=body)
            refused(answer, 404, "not_found")
        auditor = api.as_("auditor").post(f"/v1/transfers/{consented['id']}/{act}", json=body)
        assert refused(auditor, 403, "forbidden")["required_right"] == "members:write"
        admin = api.as_("admin").post(f"/v1/transfers/{consented['id']}/{act}", json=body)
        assert refused(admin, 403, "forbidden")["required_right"] == "members:read"
        assert stored(database) == before

    def test_a_day_given_is_kept_however_late_it_is_accepted(
        self, source: Api, target: Api, mover: Json, path: str, to_target: Json, database: Database
    ) -> None:
        made = source.post(path, json=to_target | {"effective_on": ago(40)}).json()
        assert made["effective_on"] == ago(40)
        accepted = target.post(f"/v1/transfers/{made['id']}/accept").json()
        assert accepted["effective_on"] == ago(40)
        old, new = spells(database, mover["id"])
        assert old[2] == local_today() - timedelta(days=41)
        assert new[1:] == (local_today() - timedelta(days=40), None)

    @pytest.mark.parametrize("act", ["consent", "accept"])
    def test_a_restricted_record_goes_nowhere(
        self, api: Api, mover: Json, path: str, to_target: Json, database: Database, act: str
    ) -> None:
        """Who answers for the restriction consents; who gets her does not."""
        officer, head, target = (
            api.as_(name) for name in ("phuongvi", "phuongvi-1", "tienluong-1")
        )
        proof = {name: mover[name] for name in ("full_name", "birth_date")}
        asker, body = (head, to_target) if act == "accept" else (target, to_target | proof)
        asked = asker.post(path, json=body).json()
        limit = {"kind": "restriction"}
        assert officer.post(f"/v1/members/{mover['id']}/processing-limits", json=limit).is_success
        before = stored(database)
        answers = target if act == "accept" else head
        refused(answers.post(f"/v1/transfers/{asked['id']}/{act}"), 409, "member_restricted")
        assert stored(database) == before

    def test_a_target_that_has_closed_meanwhile_accepts_nobody(
        self, api: Api, source: Api, path: str, unit_id: UnitIds, database: Database
    ) -> None:
        officer = api.as_("tienluong")
        new = {"level": "branch", "name": "Chi hội khu 9", "parent_id": unit_id["tienluong"]}
        branch = officer.post("/v1/units", json=new | {"opened_on": ago(20)}).json()["id"]
        made = source.post(path, json={"to_branch_id": branch}).json()
        assert officer.post(f"/v1/units/{branch}/close", json={"effective_on": ago(0)}).is_success
        before = stored(database)
        refused(officer.post(f"/v1/transfers/{made['id']}/accept"), 409, "unit_closed")
        assert stored(database) == before

    def test_what_she_is_found_by_goes_with_her_to_another_province(
        self, source: Api, target: Api, mover: Json, path: str, unit_id: UnitIds, database: Database
    ) -> None:
        source.patch(f"/v1/members/{mover['id']}", json={"phone": "0912345678"})
        elsewhere = unit_id["camkhe"]  # any other unit will do for another province
        with writing(database) as session:
            session.execute(
                sa.update(Unit)
                .where(col(Unit.id) == unit_id["tienluong-1"])
                .values(province_id=elsewhere)
            )
        made = source.post(path, json={"to_branch_id": unit_id["tienluong-1"]}).json()
        target.post(f"/v1/transfers/{made['id']}/accept")
        with writing(database) as session:
            found = session.exec(
                select(MemberIdentifier.province_id).where(
                    col(MemberIdentifier.member_id) == UUID(mover["id"])
                )
            ).all()
        assert set(found) == {elsewhere}
        assert member_row(database, mover["id"]).province_id == elsewhere

    def test_the_feed_tells_who_lost_and_who_gained_her(
        self, target: Api, mover: Json, consented: Json, unit_id: UnitIds, database: Database
    ) -> None:
        target.post(f"/v1/transfers/{consented['id']}/accept")
        sequencer.settle(database)
        with writing(database) as session:
            told = session.exec(
                select(Feed.operation, Feed.branch_id)
                .where(col(Feed.entity) == "member", col(Feed.entity_id) == mover["id"])
                .order_by(col(Feed.seq).desc())
                .limit(2)
            ).all()
        assert [*reversed(told)] == [
            ("left_scope", unit_id["phuongvi-1"]),
            ("entered_scope", unit_id["tienluong-1"]),
        ]
        for head in ("phuongvi-1", "tienluong-1"):
            seen = Api(target.app).as_(head).get("/v1/changes?kinds=transfer").json()["items"]
            assert {item["entity_id"] for item in seen} == {consented["id"]}


class TestRaces:
    def at_once(self, *calls: Any) -> list[Response]:
        start = Barrier(len(calls))

        def call(one: Any) -> Response:
            start.wait()
            answer: Response = one()
            return answer

        with ThreadPoolExecutor(len(calls)) as pool:
            return [*pool.map(call, calls)]

    def test_two_acceptances_move_her_once(
        self, target: Api, mover: Json, consented: Json, database: Database
    ) -> None:
        path = f"/v1/transfers/{consented['id']}/accept"
        one, two = self.at_once(*[lambda: target.post(path)] * 2)
        assert (one.status_code, two.status_code) == (200, 200)
        assert one.json() == two.json()
        assert len(spells(database, mover["id"])) == 2
        assert transfer_row(database, consented["id"]).revision == 2

    def test_acceptance_or_cancellation_wins(
        self, source: Api, target: Api, mover: Json, consented: Json, database: Database
    ) -> None:
        path = f"/v1/transfers/{consented['id']}"
        answers = self.at_once(
            lambda: target.post(f"{path}/accept"), lambda: source.post(f"{path}/cancel")
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        moved = answers[0].status_code == 200
        assert transfer_row(database, consented["id"]).state == (
            "accepted" if moved else "cancelled"
        )
        assert len(spells(database, mover["id"])) == (2 if moved else 1)
        assert member_row(database, mover["id"]).status is MemberStatus.active

    def test_one_of_two_requests_wins(
        self, source: Api, mover: Json, path: str, unit_id: UnitIds, database: Database
    ) -> None:
        answers = self.at_once(
            *(
                lambda to=to: source.post(path, json={"to_branch_id": unit_id[to]})
                for to in ("tienluong-1", "tienluong-2")
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        [lost] = [answer for answer in answers if answer.status_code == 409]
        refused(lost, 409, "transfer_under_way")

    @pytest.mark.race
    def test_one_request_sent_twice_at_once_is_one_transfer(
        self, source: Api, path: str, to_target: Json, database: Database
    ) -> None:
        body = to_target | {"id": str(uuid4())}
        answers = self.at_once(*[lambda: source.post(path, json=body)] * 2)
        assert sorted(answer.status_code for answer in answers) == [200, 201]
        assert answers[0].json() == answers[1].json()
        assert stored(database)[0] == 1

    @pytest.mark.race
    def test_one_id_sent_for_two_members_at_once_is_one_transfer(
        self, source: Api, to_target: Json, database: Database
    ) -> None:
        two = source.get("/v1/members?limit=2").json()["items"]
        body = to_target | {"id": str(uuid4())}
        answers = self.at_once(
            *(
                lambda member=member: source.post(
                    f"/v1/members/{member['id']}/transfers", json=body
                )
                for member in two
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        [lost] = [answer for answer in answers if answer.status_code == 409]
        refused(lost, 409, "id_taken")
        assert sorted(member_row(database, member["id"]).status for member in two) == [
            "active",
            "transferring",
        ]
