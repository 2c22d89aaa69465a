"""Transfers: who may ask and answer, what each answer does, and what silence does."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import col, func, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.changes import Change, ChangeSource, Feed
from app.models.kernel.units import Unit
from app.models.members.members import Member, MemberIdentifier, MemberStatus
from app.models.members.spells import Membership
from app.models.memberships.transfers import Transfer
from app.services.kernel import sequencer, upkeep
from app.services.memberships import transfers
from app.text import search_words
from tests.helpers.client import Api, as_written, counted, writing

UnitIds = dict[str, int]
Json = dict[str, Any]
TODAY = local_today()
TACIT_DAYS = 15


def ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def refused(answer: Response, status: int, code: str) -> Json:
    body: Json = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    return body


def pointed(answer: Response, pointer: str, code: str, *, status: int = 422) -> None:
    """The one field that is wrong, in a 422 or beside a conflict."""
    assert answer.status_code == status, answer.text
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)


def spells(database: Database, member_id: str) -> list[tuple[int, date, date | None]]:
    """Her spells that count, in order: branch, first day, last day."""
    with writing(database) as session:
        rows = session.exec(
            select(Membership)
            .where(col(Membership.member_id) == UUID(member_id))
            .where(col(Membership.annulled_at).is_(None))
            .order_by(col(Membership.id))
        ).all()
    return [(row.branch_id, row.valid_from, row.valid_to) for row in rows]


def member_row(database: Database, member_id: str) -> Member:
    with writing(database) as session:
        return session.get_one(Member, UUID(member_id))


def transfer_row(database: Database, transfer_id: str) -> Transfer:
    with writing(database) as session:
        return session.get_one(Transfer, UUID(transfer_id))


def stored(database: Database) -> tuple[int, ...]:
    """How much is written: the same before and after whatever is refused."""
    with writing(database) as session:
        return tuple(
            session.exec(select(func.count()).select_from(table)).one()
            for table in (Transfer, Membership, Change)
        )


def people(api: Api, unit_id: int) -> int:
    count: int = api.get(f"/v1/units/{unit_id}").json()["member_count"]
    return count


@pytest.fixture
def source(api: Api) -> Api:
    """Head of the branch the member is in."""
    return api.as_("phuongvi-1")


@pytest.fixture
def target(api: Api) -> Api:
    """Head of a branch of another commune."""
    return api.as_("tienluong-1")


@pytest.fixture
def her(source: Api) -> Json:
    found: Json = source.get("/v1/members?limit=1").json()["items"][0]
    return found


@pytest.fixture
def path(her: Json) -> str:
    return f"/v1/members/{her['id']}/transfers"


@pytest.fixture
def proof(her: Json) -> Json:
    return {"full_name": her["full_name"], "birth_date": her["birth_date"]}


@pytest.fixture
def to_target(unit_id: UnitIds) -> Json:
    return {"to_branch_id": unit_id["tienluong-1"]}


@pytest.fixture
def requested(target: Api, path: str, to_target: Json, proof: Json) -> Json:
    """Asked for by the target: the source has not answered yet."""
    answer = target.post(path, json=to_target | proof)
    assert answer.status_code == 201, answer.text
    body: Json = answer.json()
    return body


@pytest.fixture
def consented(source: Api, path: str, to_target: Json) -> Json:
    """Asked for by the source: the target has not answered yet."""
    answer = source.post(path, json=to_target)
    assert answer.status_code == 201, answer.text
    body: Json = answer.json()
    return body


class TestRequest:
    def test_by_the_source_is_its_consent(
        self, source: Api, her: Json, path: str, to_target: Json, database: Database
    ) -> None:
        before = spells(database, her["id"])
        answer = source.post(path, json=to_target | {"reason": "Theo chồng"})
        assert answer.status_code == 201
        body = answer.json()
        assert answer.headers["location"] == f"/v1/transfers/{body['id']}"
        assert (body["state"], body["requested_side"]) == ("consented", "source")
        assert (body["member_id"], body["full_name"]) == (her["id"], her["full_name"])
        assert (body["from_branch_id"], body["to_branch_id"]) == (
            her["branch_id"],
            to_target["to_branch_id"],
        )
        assert (body["reason"], body["effective_on"]) == ("Theo chồng", None)
        assert body["consented_at"] == body["requested_at"]
        assert body["consented_by"] is not None
        assert (body["accepted_at"], body["closed_at"]) == (None, None)
        assert body["due_on"] == (TODAY + timedelta(days=TACIT_DAYS)).isoformat()
        row = member_row(database, her["id"])
        assert (row.status, row.branch_id) == (MemberStatus.transferring, her["branch_id"])
        assert spells(database, her["id"]) == before

    def test_by_the_target_waits_for_the_source(
        self, target: Api, her: Json, requested: Json, database: Database
    ) -> None:
        assert (requested["state"], requested["requested_side"]) == ("requested", "target")
        assert (requested["consented_by"], requested["consented_at"]) == (None, None)
        assert requested["due_on"] == (TODAY + timedelta(days=TACIT_DAYS)).isoformat()
        assert member_row(database, her["id"]).status is MemberStatus.transferring
        # To have asked is not to see her.
        refused(target.get(f"/v1/members/{her['id']}"), 404, "not_found")
        assert requested.keys() & {"phone", "birth_date", "address", "citizen_id"} == set()

    def test_by_an_officer_of_both_is_done_at_once(
        self, api: Api, her: Json, path: str, unit_id: UnitIds, database: Database
    ) -> None:
        officer = api.as_("phuongvi")
        old, new = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
        counts = people(officer, old), people(officer, new), people(officer, unit_id["phuongvi"])
        [(_, since, _)] = spells(database, her["id"])
        answer = officer.post(path, json={"to_branch_id": new, "effective_on": ago(30)})
        assert answer.status_code == 201
        body = answer.json()
        assert (body["state"], body["effective_on"]) == ("accepted", ago(30))
        assert body["consented_by"] == body["accepted_by"]
        assert body["due_on"] is None
        assert spells(database, her["id"]) == [
            (old, since, TODAY - timedelta(days=31)),
            (new, TODAY - timedelta(days=30), None),
        ]
        row = member_row(database, her["id"])
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
        her: Json,
        recorded: str,
        too_little: list[str],
        enough: str,
    ) -> None:
        source.patch(f"/v1/members/{her['id']}", json={"birth_date": recorded})
        name = " ".join(bare for bare, _ in search_words(her["full_name"])).upper()
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
        her: Json,
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
            answer = target.post(f"/v1/members/{her['id']}/readmissions", json=back)
            refused(answer, 404, "not_found")
        # Right or wrong, of her or of nobody: it is not told any more.
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
            (ago(-1), "date_in_future"),
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
        self, source: Api, her: Json, path: str, to_target: Json, database: Database
    ) -> None:
        [(_, since, _)] = spells(database, her["id"])
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
        officer.post(f"/v1/units/{branch}/close", json={"closed_on": ago(10)})
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
        self, source: Api, her: Json, path: str, to_target: Json, act: str, database: Database
    ) -> None:
        body = {"reason": "resigned"} if act == "departures" else {"died_on": ago(0)}
        assert source.post(f"/v1/members/{her['id']}/{act}", json=body).status_code == 201
        before = stored(database)
        answer = source.post(path, json=to_target)
        refused(answer, 409, "member_state")
        pointed(answer, "/member_id", "state_conflict", status=409)
        assert stored(database) == before


class TestActs:
    def test_two_officers_transfer_a_member(
        self,
        api: Api,
        source: Api,
        target: Api,
        her: Json,
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
            (TODAY + timedelta(days=TACIT_DAYS)).isoformat(),
        )
        assert people(source, old) == counts[0]
        accepted = target.post(f"{path}/accept").json()
        assert (accepted["state"], accepted["effective_on"]) == ("accepted", ago(0))
        assert accepted["consented_by"] not in (None, accepted["accepted_by"])
        [(_, since, _)] = spells(database, her["id"])[:1]
        assert spells(database, her["id"]) == [
            (old, since, TODAY - timedelta(days=1)),
            (new, TODAY, None),
        ]
        assert (people(source, old), people(target, new)) == (counts[0] - 1, counts[1] + 1)
        refused(source.get(f"/v1/members/{her['id']}"), 404, "not_found")
        seen = target.get(f"/v1/members/{her['id']}").json()
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
        self, source: Api, target: Api, her: Json, consented: Json, database: Database
    ) -> None:
        path = f"/v1/transfers/{consented['id']}/cancel"
        assert refused(target.post(path), 403, "forbidden")["required_right"] == "members:write"
        body = source.post(path).json()
        assert (body["state"], body["due_on"]) == ("cancelled", None)
        assert body["closed_at"] is not None
        row = member_row(database, her["id"])
        assert (row.status, row.branch_id) == (MemberStatus.active, her["branch_id"])

    @pytest.mark.parametrize("side", ["source", "target"])
    def test_either_side_refuses_with_a_reason(
        self,
        source: Api,
        target: Api,
        her: Json,
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
        assert member_row(database, her["id"]).status is MemberStatus.active
        assert len(spells(database, her["id"])) == 1
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
        self, source: Api, target: Api, her: Json, path: str, to_target: Json, database: Database
    ) -> None:
        made = source.post(path, json=to_target | {"effective_on": ago(40)}).json()
        assert made["effective_on"] == ago(40)
        accepted = target.post(f"/v1/transfers/{made['id']}/accept").json()
        assert accepted["effective_on"] == ago(40)
        old, new = spells(database, her["id"])
        assert old[2] == TODAY - timedelta(days=41)
        assert new[1:] == (TODAY - timedelta(days=40), None)

    def test_a_target_that_has_closed_meanwhile_accepts_nobody(
        self, api: Api, source: Api, path: str, unit_id: UnitIds, database: Database
    ) -> None:
        officer = api.as_("tienluong")
        new = {"level": "branch", "name": "Chi hội khu 9", "parent_id": unit_id["tienluong"]}
        branch = officer.post("/v1/units", json=new | {"opened_on": ago(20)}).json()["id"]
        made = source.post(path, json={"to_branch_id": branch}).json()
        assert officer.post(f"/v1/units/{branch}/close", json={"closed_on": ago(1)}).is_success
        before = stored(database)
        refused(officer.post(f"/v1/transfers/{made['id']}/accept"), 409, "unit_closed")
        assert stored(database) == before

    def test_what_she_is_found_by_goes_with_her_to_another_province(
        self, source: Api, target: Api, her: Json, path: str, unit_id: UnitIds, database: Database
    ) -> None:
        source.patch(f"/v1/members/{her['id']}", json={"phone": "0912345678"})
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
                    col(MemberIdentifier.member_id) == UUID(her["id"])
                )
            ).all()
        assert set(found) == {elsewhere}
        assert member_row(database, her["id"]).province_id == elsewhere

    def test_the_feed_tells_who_lost_and_who_gained_her(
        self, target: Api, her: Json, consented: Json, unit_id: UnitIds, database: Database
    ) -> None:
        target.post(f"/v1/transfers/{consented['id']}/accept")
        sequencer.settle(database)
        with writing(database) as session:
            told = session.exec(
                select(Feed.operation, Feed.branch_id)
                .where(col(Feed.entity) == "member", col(Feed.entity_id) == her["id"])
                .order_by(col(Feed.seq).desc())
                .limit(2)
            ).all()
        assert [*reversed(told)] == [
            ("left_scope", unit_id["phuongvi-1"]),
            ("entered_scope", unit_id["tienluong-1"]),
        ]
        for head in ("phuongvi-1", "tienluong-1"):
            seen = Api(target.app).as_(head).get("/v1/changes?entity=transfer").json()["items"]
            assert {item["entity_id"] for item in seen} == {consented["id"]}


class TestReading:
    def test_both_sides_see_it_and_nobody_else(
        self, api: Api, source: Api, target: Api, consented: Json, path: str
    ) -> None:
        one = f"/v1/transfers/{consented['id']}"
        for who in (source, target, *map(api.as_, ("phuongvi", "tienluong", "auditor"))):
            assert who.get(one).json() == consented
            assert who.get("/v1/transfers").json()["items"] == [consented]
            assert who.get(path).json()["items"] == [consented]
        stranger = api.as_("phuongvi-2")
        assert stranger.get("/v1/transfers").json() == {"items": [], "next_cursor": None}
        refused(stranger.get(one), 404, "not_found")
        refused(stranger.get(path), 404, "not_found")
        refused(stranger.get(f"/v1/members/{uuid4()}/transfers"), 404, "not_found")
        for url in (one, path, "/v1/transfers"):
            answer = api.as_("admin").get(url)
            assert refused(answer, 403, "forbidden")["required_right"] == "members:read"

    @pytest.mark.parametrize(
        "act", ["accept", "refuse", "cancel", "departures"], ids=lambda act: f"after_{act}"
    )
    def test_what_is_corrected_afterwards_is_told_to_who_sees_her(
        self, source: Api, target: Api, her: Json, consented: Json, path: str, act: str
    ) -> None:
        url = f"/v1/transfers/{consented['id']}"
        member = f"/v1/members/{her['id']}"
        corrections = [{"full_name": "Hà Thị Một", "birth_date": "1961"}]
        corrections += [{"full_name": "Hà Thị Hai", "birth_date": "1962"}]

        def told(who: Api) -> list[tuple[str, int]]:
            found = [who.get(url).json()]
            for listed in ("/v1/transfers", path):
                found += who.get(listed).json()["items"]
            return [(item["full_name"], item["birth_year"]) for item in found]

        # While it is under way both sides must know who is meant.
        assert source.patch(member, json=corrections[0]).is_success
        assert told(source) == told(target) == [("Hà Thị Một", 1961)] * 3
        seeing, other = (target, source) if act == "accept" else (source, target)
        done = {
            "accept": lambda: target.post(f"{url}/accept"),
            "refuse": lambda: target.post(f"{url}/refuse", json={"reason": "Không"}),
            "cancel": lambda: source.post(f"{url}/cancel"),
            "departures": lambda: source.post(f"{member}/departures", json={"reason": "resigned"}),
        }
        assert done[act]().is_success
        assert seeing.patch(member, json=corrections[1]).is_success
        assert told(seeing) == [("Hà Thị Hai", 1962)] * 3
        assert told(other) == [("Hà Thị Một", 1961)] * 3
        if act == "refuse":
            again = other.post(f"{url}/refuse", json={"reason": "Không"}).json()
            assert again["full_name"] == "Hà Thị Một"

    def test_its_tag_is_its_revision(self, source: Api, target: Api, consented: Json) -> None:
        one = f"/v1/transfers/{consented['id']}"
        tag = source.get(one).headers["etag"]
        assert source.get(one, headers={"if-none-match": tag}).status_code == 304
        target.post(f"{one}/accept")
        assert source.get(one, headers={"if-none-match": tag}).status_code == 200

    def test_by_unit_state_and_direction(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        made: dict[tuple[str, str], str] = {}
        ways = [
            ("phuongvi-1", "phuongvi-2"),
            ("phuongvi-1", "tienluong-1"),
            ("tienluong-2", "phuongvi-2"),
        ]
        for start, end in ways:
            head = api.as_(start)
            for member in head.get("/v1/members?limit=200").json()["items"]:
                body = {"to_branch_id": unit_id[end]}
                answer = head.post(f"/v1/members/{member['id']}/transfers", json=body)
                if answer.status_code == 201:
                    made[start, end] = answer.json()["id"]
                    break
        one, two, three = (made[way] for way in ways)
        api.as_("tienluong-1").post(f"/v1/transfers/{two}/accept")

        def ids(who: Api, query: str) -> list[str]:
            answer = who.get(f"/v1/transfers?{query}")
            assert answer.status_code == 200, answer.text
            return [item["id"] for item in answer.json()["items"]]

        phuongvi, tienluong = unit_id["phuongvi"], unit_id["tienluong"]
        assert ids(officer, "") == [three, two, one]
        assert ids(officer, f"unit={phuongvi}&direction=out") == [two, one]
        assert ids(officer, f"unit={phuongvi}&direction=in") == [three, one]
        assert ids(officer, f"unit={tienluong}") == [three, two]
        assert ids(officer, "state=accepted") == [two]
        assert ids(officer, f"unit={tienluong}&direction=in&state=consented") == []
        assert ids(api.as_("tienluong"), "direction=in") == [two]
        assert ids(api.as_("tienluong"), "direction=out") == [three]
        assert ids(api.as_("phuongvi-2"), f"unit={unit_id['phuongvi-2']}") == [three, one]
        for query, pointer, code in (
            ("unit=999999", "/unit", "unit_unknown"),
            ("direction=up", "/direction", "not_in_list"),
            ("state=new", "/state", "not_in_list"),
            ("order=old", "/order", "unknown_field"),
        ):
            pointed(officer.get(f"/v1/transfers?{query}"), pointer, code)
        pages, url = [], "/v1/transfers?limit=1"
        while url:
            answer = officer.get(url)
            pages += [item["id"] for item in answer.json()["items"]]
            url = answer.headers.get("link", "").partition(">")[0].lstrip("<")
        assert pages == [three, two, one]

    def test_a_list_costs_the_same_whatever_it_holds(
        self, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        officer, auditor = api.as_("phuongvi"), api.as_("auditor")
        costs = []
        for _ in range(2):
            members = api.as_("phuongvi-1").get("/v1/members?limit=6").json()["items"]
            for member in members:
                url = f"/v1/members/{member['id']}/transfers"
                officer.post(url, json={"to_branch_id": unit_id["phuongvi-2"]})
            with counted(database) as statements:
                assert auditor.get("/v1/transfers").status_code == 200
            costs.append(len(statements))
        assert costs == [3, 3]  # who asks, her grants, the page


class TestTargets:
    URL = "/v1/transfers/targets"

    def test_are_all_open_branches_in_sight_or_not(
        self, api: Api, source: Api, unit_id: UnitIds
    ) -> None:
        officer = api.as_("tienluong")
        new = {"level": "branch", "name": "Chi hội khu 9", "parent_id": unit_id["tienluong"]}
        branch = officer.post("/v1/units", json=new | {"opened_on": ago(20)}).json()["id"]
        items = source.get(self.URL).json()["items"]
        branches = {id_ for name, id_ in unit_id.items() if "-" in name}
        assert {item["id"] for item in items} == branches | {branch}
        assert [item["name"] for item in items] == sorted(item["name"] for item in items)
        assert items[-1] == {
            "id": branch,
            "name": "Chi hội khu 9",
            "commune_id": unit_id["tienluong"],
            "commune_name": "Xã Tiên Lương",
            "province_name": officer.get(f"/v1/units/{branch}").json()["ancestors"][0]["name"],
        }
        officer.post(f"/v1/units/{branch}/close", json={"closed_on": ago(1)})
        assert {item["id"] for item in source.get(self.URL).json()["items"]} == branches

    def test_are_found_and_named_in_a_transfer(
        self, source: Api, path: str, unit_id: UnitIds
    ) -> None:
        def ids(query: str) -> list[int]:
            return [item["id"] for item in source.get(f"{self.URL}?{query}").json()["items"]]

        of_commune = [unit_id[f"tienluong-{number}"] for number in (1, 2, 3, 4)]
        assert ids("q=tien luong") == ids(f"commune={unit_id['tienluong']}") == of_commune
        assert ids("q=Khu 2 Tiên Lương") == [unit_id["tienluong-2"]]
        assert ids(f"q=khu 2&commune={unit_id['phuongvi']}") == [unit_id["phuongvi-2"]]
        assert ids("q=%25") == ids("commune=999999") == []
        answer = source.post(path, json={"to_branch_id": ids("q=khu 2 tien luong")[0]})
        assert answer.json()["to_branch_name"] == "Chi hội khu 2"

    def test_come_in_pages_at_the_same_price(self, source: Api, database: Database) -> None:
        pages, costs, url = [], [], f"{self.URL}?limit=3"
        while url:
            with counted(database) as statements:
                answer = source.get(url)
            costs.append(len(statements))
            pages += answer.json()["items"]
            url = answer.headers.get("link", "").partition(">")[0].lstrip("<")
        assert pages == source.get(self.URL).json()["items"]
        assert costs == [3, 3, 3]  # who asks, her grants, the page

    def test_are_for_who_may_transfer_somebody(self, api: Api) -> None:
        for username in ("auditor", "member", "admin"):
            body = refused(api.as_(username).get(self.URL), 403, "forbidden")
            assert body["required_right"] == "members:write"
        pointed(api.as_("camkhe").get(f"{self.URL}?under=1"), "/under", "unknown_field")


class TestTacitApproval:
    def due(self, database: Database, transfer_id: str, days: int = 0) -> None:
        """So much time has passed that it is due since `days`."""
        with writing(database) as session:
            session.execute(
                sa.update(Transfer)
                .where(col(Transfer.id) == UUID(transfer_id))
                .values(due_on=TODAY - timedelta(days=days))
            )

    def test_silence_is_consent_and_then_acceptance(
        self, target: Api, her: Json, requested: Json, unit_id: UnitIds, database: Database
    ) -> None:
        assert transfers.approve_due(database) == 0
        self.due(database, requested["id"], -1)
        assert transfers.approve_due(database) == 0  # due tomorrow
        self.due(database, requested["id"])
        assert transfers.approve_due(database) == 1
        row = transfer_row(database, requested["id"])
        assert (row.state, row.consented_by) == ("consented", None)
        assert row.consented_at is not None
        # The target, too, has the whole time.
        assert row.due_on == TODAY + timedelta(days=TACIT_DAYS)
        assert transfers.approve_due(database) == 0
        assert member_row(database, her["id"]).status is MemberStatus.transferring
        self.due(database, requested["id"], 3)
        assert transfers.approve_due(database) == 1
        row = transfer_row(database, requested["id"])
        assert (row.state, row.accepted_by, row.due_on) == ("accepted", None, None)
        assert (row.effective_on, member_row(database, her["id"]).branch_id) == (
            TODAY,
            unit_id["tienluong-1"],
        )
        before = stored(database)
        assert transfers.approve_due(database) == 0
        assert stored(database) == before
        with writing(database) as session:
            last = session.exec(
                select(Change)
                .where(col(Change.entity) == "transfer")
                .order_by(col(Change.id).desc())
                .limit(1)
            ).one()
        assert (last.source, last.source_ref, last.account_id) == (
            ChangeSource.job,
            "tacit_approval",
            None,
        )
        # A late answer finds it done.
        path = f"/v1/transfers/{requested['id']}/accept"
        assert target.post(path).json()["state"] == "accepted"

    def test_what_can_no_longer_be_done_is_refused_with_the_reason(
        self, api: Api, source: Api, her: Json, path: str, unit_id: UnitIds, database: Database
    ) -> None:
        officer = api.as_("tienluong")
        new = {"level": "branch", "name": "Chi hội khu 9", "parent_id": unit_id["tienluong"]}
        branch = officer.post("/v1/units", json=new | {"opened_on": ago(20)}).json()["id"]
        made = source.post(path, json={"to_branch_id": branch}).json()
        officer.post(f"/v1/units/{branch}/close", json={"closed_on": ago(1)})
        self.due(database, made["id"])
        assert transfers.approve_due(database) == 1
        body = source.get(f"/v1/transfers/{made['id']}").json()
        assert (body["state"], body["refused_side"]) == ("refused", None)
        assert "Chi hội khu 9" in body["refusal_reason"]
        assert member_row(database, her["id"]).status is MemberStatus.active
        assert transfers.approve_due(database) == 0

    def test_one_that_fails_does_not_hold_up_the_others(
        self,
        requested: Json,
        consented_elsewhere: str,
        database: Database,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.due(database, requested["id"], 2)
        self.due(database, consented_elsewhere, 1)
        with writing(database) as session:
            spoiled = "UPDATE transfer SET requested_side = 'nobody' WHERE state = 'requested'"
            session.execute(sa.text(spoiled))
        assert transfers.approve_due(database) == 1
        assert transfer_row(database, consented_elsewhere).state == "accepted"
        [line] = [line for line in capsys.readouterr().out.splitlines() if "tacit" in line]
        assert '"level":"error"' in line
        assert requested["id"] in line
        # The rest of what is due is done as well.
        upkeep.do_due(database)
        with writing(database) as session:
            mended = "UPDATE transfer SET requested_side = 'target' WHERE requested_side = 'nobody'"
            session.execute(sa.text(mended))
        assert transfer_row(database, requested["id"]).state == "requested"
        assert transfers.approve_due(database) == 1

    def test_switched_off_it_waits_for_ever(
        self, requested: Json, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.due(database, requested["id"])
        monkeypatch.setattr(database.settings, "transfer_tacit_days", 0)
        assert transfers.approve_due(database) == 0
        assert transfer_row(database, requested["id"]).state == "requested"

    def test_many_workers_at_once_approve_once(
        self, requested: Json, her: Json, database: Database
    ) -> None:
        self.due(database, requested["id"])
        start = Barrier(3)

        def work(_: int) -> int:
            start.wait()
            return transfers.approve_due(database)

        with ThreadPoolExecutor(3) as pool:
            assert sum(pool.map(work, range(3))) == 1
        assert transfer_row(database, requested["id"]).state == "consented"
        assert len(spells(database, her["id"])) == 1

    def test_the_worker_and_a_server_on_sqlite_do_it(
        self,
        requested: Json,
        consented_elsewhere: str,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(upkeep, "FIRST_AFTER_SECONDS", 0)
        self.due(database, requested["id"])
        upkeep.do_due(database)
        assert transfer_row(database, requested["id"]).state == "consented"
        self.due(database, consented_elsewhere)
        with upkeep.in_server(database):
            if database.on_sqlite:
                for _ in range(100):
                    if transfer_row(database, consented_elsewhere).state == "accepted":
                        break
                    time.sleep(0.05)
        expected = "accepted" if database.on_sqlite else "consented"
        assert transfer_row(database, consented_elsewhere).state == expected

    @pytest.fixture
    def consented_elsewhere(self, api: Api, unit_id: UnitIds) -> str:
        head = api.as_("phuongvi-3")
        member = head.get("/v1/members?limit=1").json()["items"][0]
        body = {"to_branch_id": unit_id["tienluong-3"]}
        made = head.post(f"/v1/members/{member['id']}/transfers", json=body)
        transfer_id: str = made.json()["id"]
        return transfer_id


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
        self, target: Api, her: Json, consented: Json, database: Database
    ) -> None:
        path = f"/v1/transfers/{consented['id']}/accept"
        one, two = self.at_once(*[lambda: target.post(path)] * 2)
        assert (one.status_code, two.status_code) == (200, 200)
        assert one.json() == two.json()
        assert len(spells(database, her["id"])) == 2
        assert transfer_row(database, consented["id"]).revision == 2

    def test_acceptance_or_cancellation_wins(
        self, source: Api, target: Api, her: Json, consented: Json, database: Database
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
        assert len(spells(database, her["id"])) == (2 if moved else 1)
        assert member_row(database, her["id"]).status is MemberStatus.active

    def test_one_of_two_requests_wins(
        self, source: Api, her: Json, path: str, unit_id: UnitIds, database: Database
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

    def test_one_request_sent_twice_at_once_is_one_transfer(
        self, source: Api, path: str, to_target: Json, database: Database
    ) -> None:
        body = to_target | {"id": str(uuid4())}
        answers = self.at_once(*[lambda: source.post(path, json=body)] * 2)
        assert sorted(answer.status_code for answer in answers) == [200, 201]
        assert answers[0].json() == answers[1].json()
        assert stored(database)[0] == 1

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
