"""Transfers: who may ask and answer, what each answer does, and what silence does."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today
from app.db import Database
from app.models.kernel.units import Unit
from app.models.members.members import MemberStatus
from app.text import search_words
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, as_written, writing
from tests.helpers.when_run import WhenRun
from tests.memberships.transfers import TACIT_DAYS, ago, member_row, people, spells, stored


class TestRequest:
    def test_by_the_source_is_its_consent(
        self, source: Api, mover: Json, path: str, to_target: Json, database: Database
    ) -> None:
        before = spells(database, mover["id"])
        answer = source.post(path, json=to_target | {"reason": "Theo chồng"})
        assert answer.status_code == 201
        body = answer.json()
        assert answer.headers["location"] == f"/v1/transfers/{body['id']}"
        assert (body["state"], body["requested_side"]) == ("consented", "source")
        assert (body["member_id"], body["full_name"]) == (mover["id"], mover["full_name"])
        assert (body["from_branch_id"], body["to_branch_id"]) == (
            mover["branch_id"],
            to_target["to_branch_id"],
        )
        assert (body["reason"], body["effective_on"]) == ("Theo chồng", None)
        assert body["consented_at"] == body["requested_at"]
        assert body["consented_by"] is not None
        assert (body["accepted_at"], body["closed_at"]) == (None, None)
        assert body["due_on"] == (local_today() + timedelta(days=TACIT_DAYS)).isoformat()
        row = member_row(database, mover["id"])
        assert (row.status, row.branch_id) == (MemberStatus.transferring, mover["branch_id"])
        assert spells(database, mover["id"]) == before

    def test_by_the_target_waits_for_the_source(
        self, target: Api, mover: Json, requested: Json, database: Database
    ) -> None:
        assert (requested["state"], requested["requested_side"]) == ("requested", "target")
        assert (requested["consented_by"], requested["consented_at"]) == (None, None)
        assert requested["due_on"] == (local_today() + timedelta(days=TACIT_DAYS)).isoformat()
        assert member_row(database, mover["id"]).status is MemberStatus.transferring
        # To have asked is not to see her.
        refused(target.get(f"/v1/members/{mover['id']}"), 404, "not_found")
        assert requested.keys() & {"phone", "birth_date", "address", "citizen_id"} == set()

    def test_by_an_officer_of_both_is_done_at_once(
        self, api: Api, mover: Json, path: str, unit_id: UnitIds, database: Database
    ) -> None:
        officer = api.as_("phuongvi")
        old, new = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
        counts = people(officer, old), people(officer, new), people(officer, unit_id["phuongvi"])
        [(_, since, _)] = spells(database, mover["id"])
        answer = officer.post(path, json={"to_branch_id": new, "effective_on": ago(30)})
        assert answer.status_code == 201
        body = answer.json()
        assert (body["state"], body["effective_on"]) == ("accepted", ago(30))
        assert body["consented_by"] == body["accepted_by"]
        assert body["due_on"] is None
        assert spells(database, mover["id"]) == [
            (old, since, local_today() - timedelta(days=31)),
            (new, local_today() - timedelta(days=30), None),
        ]
        row = member_row(database, mover["id"])
        assert (row.status, row.branch_id) == (MemberStatus.active, new)
        assert (
            people(officer, old),
            people(officer, new),
            people(officer, unit_id["phuongvi"]),
        ) == (
            counts[0] - 1,
            counts[1] + 1,
            counts[2],
        )

    def test_the_same_id_and_content_again_is_the_same_transfer(
        self, source: Api, target: Api, path: str, to_target: Json, database: Database
    ) -> None:
        body = to_target | {"id": str(uuid4()), "reason": "Chuyển nhà"}
        first = source.post(path, json=body)
        before = stored(database)
        second = source.post(path, json=body)
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json()
        for other in ({"reason": "Khác"}, {"effective_on": ago(1)}):
            refused(source.post(path, json=body | other), 409, "id_taken")
        assert stored(database) == before
        # Long after, when she has gone where the source cannot see her.
        accepted = target.post(f"/v1/transfers/{body['id']}/accept").json()
        again = source.post(path, json=body)
        assert (again.status_code, again.json()) == (200, accepted)

    def test_the_id_of_a_transfer_out_of_sight_is_taken(
        self, api: Api, consented: Json, unit_id: UnitIds, database: Database
    ) -> None:
        stranger = api.as_("phuongvi-2")
        other = stranger.get("/v1/members?limit=1").json()["items"][0]
        before = stored(database)
        answer = stranger.post(
            f"/v1/members/{other['id']}/transfers",
            json={"id": consented["id"], "to_branch_id": unit_id["tienluong-2"]},
        )
        refused(answer, 409, "id_taken")
        assert stored(database) == before

    @pytest.mark.parametrize(
        "changed",
        [
            {"full_name": None},
            {"birth_date": None},
            {"full_name": "Người Khác Hẳn"},
            {"birth_date": "1901"},
            {"full_name": None, "birth_date": None},
        ],
    )
    def test_by_the_target_without_knowing_her_finds_nobody(
        self,
        target: Api,
        path: str,
        to_target: Json,
        proof: Json,
        changed: Json,
        database: Database,
    ) -> None:
        body = {n: v for n, v in (to_target | proof | changed).items() if v is not None}
        before = stored(database)
        answer = target.post(path, json=body)
        unknown = target.post(f"/v1/members/{uuid4()}/transfers", json=body)
        assert refused(answer, 404, "not_found").keys() == unknown.json().keys()
        refused(unknown, 404, "not_found")
        assert stored(database) == before

    @pytest.mark.parametrize(
        ("recorded", "too_little", "enough"),
        [
            ("1975-03-09", ["1975", "1975-03"], "1975-03-09"),
            ("1975-03", ["1975"], "1975-03-09"),
            ("1975", ["1976-03-09"], "1975-03"),
        ],
    )
    def test_a_name_without_marks_and_the_date_as_recorded_are_needed(
        self,
        source: Api,
        target: Api,
        path: str,
        to_target: Json,
        mover: Json,
        recorded: str,
        too_little: list[str],
        enough: str,
    ) -> None:
        source.patch(f"/v1/members/{mover['id']}", json={"birth_date": recorded})
        name = " ".join(bare for bare, _ in search_words(mover["full_name"])).upper()
        for born in too_little:
            body = to_target | {"full_name": name, "birth_date": born}
            refused(target.post(path, json=body), 404, "not_found")
        body = to_target | {"full_name": name, "birth_date": enough}
        answer = target.post(path, json=body)
        assert (answer.status_code, answer.json()["state"]) == (201, "requested")

    def test_a_birthday_cannot_be_found_by_trying(
        self,
        api: Api,
        target: Api,
        mover: Json,
        path: str,
        to_target: Json,
        proof: Json,
        unit_id: UnitIds,
        database: Database,
    ) -> None:
        before = stored(database)
        wrong = to_target | proof | {"birth_date": "1901-01-01"}
        back = {"branch_id": unit_id["tienluong-1"]} | proof | {"birth_date": "1902-01-01"}
        for _ in range(5):
            refused(target.post(path, json=wrong), 404, "not_found")
            answer = target.post(f"/v1/members/{mover['id']}/readmissions", json=back)
            refused(answer, 404, "not_found")
        # Right or wrong, of her or of nobody: it is not said any more.
        for url, body in (
            (path, wrong),
            (path, to_target | proof),
            (f"/v1/members/{uuid4()}/transfers", wrong),
        ):
            answer = target.post(url, json=body)
            refused(answer, 429, "rate_limited")
            assert 0 < int(answer.headers["retry-after"]) <= 3600
        assert stored(database) == before
        # It is neither hers whom one sees, nor another officer's.
        own = target.get("/v1/members?limit=1").json()["items"][0]
        body = {"to_branch_id": unit_id["phuongvi-1"], "full_name": "Ai Đó", "birth_date": "1901"}
        assert target.post(f"/v1/members/{own['id']}/transfers", json=body).status_code == 201
        assert api.as_("tienluong").post(path, json=to_target | proof).status_code == 201

    @pytest.mark.parametrize(
        ("username", "right"),
        [
            ("auditor", "members:write"),
            ("admin", "members:read"),
            ("member", "members:read"),
        ],
    )
    def test_without_the_right_is_told_which(
        self,
        api: Api,
        path: str,
        to_target: Json,
        username: str,
        right: str,
        database: Database,
    ) -> None:
        before = stored(database)
        body = refused(api.as_(username).post(path, json=to_target), 403, "forbidden")
        assert body["required_right"] == right
        assert stored(database) == before

    def test_by_a_third_branch_finds_nobody(
        self, api: Api, path: str, to_target: Json, proof: Json, database: Database
    ) -> None:
        before = stored(database)
        refused(api.as_("phuongvi-2").post(path, json=to_target | proof), 404, "not_found")
        assert stored(database) == before

    @pytest.mark.parametrize(
        ("to", "pointer", "code"),
        [
            ("phuongvi-1", "/to_branch_id", "branch_is_her_own"),
            ("tienluong", "/to_branch_id", "unit_level_wrong"),
            (None, "/to_branch_id", "unit_unknown"),
        ],
    )
    def test_to_what_takes_nobody_is_refused(
        self,
        source: Api,
        path: str,
        unit_id: UnitIds,
        to: str | None,
        pointer: str,
        code: str,
        database: Database,
    ) -> None:
        before = stored(database)
        to_branch_id = unit_id[to] if to else 999_999
        pointed(source.post(path, json={"to_branch_id": to_branch_id}), pointer, code)
        assert stored(database) == before

    @pytest.mark.parametrize(
        ("day", "code"),
        [
            (WhenRun(ago, -1), "date_in_future"),
            ("1899-12-31", "date_too_early"),
            ("0001-01-01", "date_too_early"),
            ("30/06/2025", "date_invalid"),
        ],
    )
    def test_on_an_impossible_day_is_refused(
        self, source: Api, path: str, to_target: Json, day: str, code: str, database: Database
    ) -> None:
        before = stored(database)
        answer = source.post(path, json=to_target | {"effective_on": day})
        pointed(answer, "/effective_on", code)
        assert stored(database) == before

    def test_not_before_she_came_to_her_branch(
        self, source: Api, mover: Json, path: str, to_target: Json, database: Database
    ) -> None:
        [(_, since, _)] = spells(database, mover["id"])
        eve = (since - timedelta(days=1)).isoformat()
        with writing(database) as session:  # the target is older than her membership
            session.execute(
                sa.update(Unit)
                .where(col(Unit.id) == to_target["to_branch_id"])
                .values(opened_on=date(1950, 1, 1))
            )
        answer = source.post(path, json=to_target | {"effective_on": eve})
        pointed(answer, "/effective_on", "before_membership")
        assert as_written(since) in answer.json()["errors"][0]["detail"]
        answer = source.post(path, json=to_target | {"effective_on": since.isoformat()})
        assert answer.status_code == 201

    def test_to_a_branch_closed_or_not_open_yet_names_the_field(
        self, api: Api, source: Api, path: str, unit_id: UnitIds, database: Database
    ) -> None:
        officer = api.as_("phuongvi")
        new = {"level": "branch", "name": "Chi hội khu 9", "parent_id": unit_id["phuongvi"]}
        branch = officer.post("/v1/units", json=new | {"opened_on": ago(20)}).json()["id"]
        answer = source.post(path, json={"to_branch_id": branch, "effective_on": ago(21)})
        refused(answer, 409, "unit_not_open_yet")
        pointed(answer, "/effective_on", "unit_not_open", status=409)
        officer.post(f"/v1/units/{branch}/close", json={"effective_on": ago(9)})
        before = stored(database)
        for body in ({}, {"effective_on": ago(15)}):
            answer = source.post(path, json={"to_branch_id": branch} | body)
            refused(answer, 409, "unit_closed")
            pointed(answer, "/to_branch_id", "unit_not_open", status=409)
        assert stored(database) == before

    def test_twice_is_refused_whoever_asks(
        self,
        source: Api,
        target: Api,
        path: str,
        to_target: Json,
        proof: Json,
        unit_id: UnitIds,
        consented: Json,
        database: Database,
    ) -> None:
        before = stored(database)
        for asking, body in (
            (source, to_target),
            (source, {"to_branch_id": unit_id["phuongvi-2"]}),
            (target, to_target | proof),
        ):
            answer = asking.post(path, json=body)
            assert refused(answer, 409, "transfer_under_way")["transfer_id"] == consented["id"]
            pointed(answer, "/member_id", "state_conflict", status=409)
        assert stored(database) == before

    @pytest.mark.parametrize("act", ["departures", "death"])
    def test_of_one_who_is_not_in_the_union_is_refused(
        self, source: Api, mover: Json, path: str, to_target: Json, act: str, database: Database
    ) -> None:
        body = {"reason": "resigned"} if act == "departures" else {"died_on": ago(0)}
        assert source.post(f"/v1/members/{mover['id']}/{act}", json=body).status_code == 201
        before = stored(database)
        answer = source.post(path, json=to_target)
        refused(answer, 409, "member_state")
        pointed(answer, "/member_id", "state_conflict", status=409)
        assert stored(database) == before
