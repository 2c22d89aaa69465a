"""Leavers: previewed, proposed by one, approved by another, anonymised by a job."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from dateutil.relativedelta import relativedelta
from httpx2 import Response
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.models.privacy.erasures import Erasure
from app.services.kernel.holdings import ERASED_NAME
from app.services.privacy import anonymisations
from tests.helpers.answers import Json, refused
from tests.helpers.client import Api, writing

Ids = dict[str, int]
DECISION = {"months": 24, "most": 100, "decision_number": "05/QĐ-BTV"}


def ok(answer: Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture
def province(api: Api) -> Api:
    return api.as_("phutho")


@pytest.fixture
def officer(api: Api, database: Database, unit_id: Ids) -> Api:
    """Another one who may erase: the data protection officer of the province."""
    admin = api.as_("phutho")
    auditor = ok(admin.get("/v1/accounts?q=auditor"))["items"][0]
    body = {"unit_id": unit_id["phutho"], "role": "data_protection_officer"}
    ok(admin.post(f"/v1/accounts/{auditor['id']}/grants", json=body), 201)
    return api.as_("auditor")


@pytest.fixture
def gone(api: Api, database: Database, unit_id: Ids) -> list[str]:
    """Three who left the first branch, two of them long ago."""
    head = api.as_("phuongvi-1")
    members = (item["id"] for item in ok(head.get("/v1/members?limit=50"))["items"])
    free = list(islice((m for m in members if _only_admitted(head, m)), 3))
    for member_id in free:
        ok(head.post(f"/v1/members/{member_id}/departures", json={"reason": "moved_away"}), 201)
    for member_id, day in zip(free, (long_ago(25), long_ago(30), long_ago(3)), strict=True):
        with writing(database) as session:
            session.execute(
                sa.update(Membership)
                .where(col(Membership.member_id) == UUID(member_id))
                .values(valid_to=day, valid_from=day - timedelta(days=400))
            )
    return free


def _only_admitted(head: Api, member_id: str) -> bool:
    return len(ok(head.get(f"/v1/members/{member_id}/career"))["items"]) == 1


def long_ago(months: int) -> date:
    return local_today() - relativedelta(months=months)


def policy(province: Api, unit_id: Ids, unit: str = "phutho", **changed: Any) -> Json:
    body = {"unit_id": unit_id[unit]} | DECISION | changed
    made: Json = ok(province.post("/v1/privacy/anonymisation-policies", json=body), 201)
    return made


def names(database: Database, ids: list[str]) -> list[str]:
    with writing(database) as session:
        return [session.get_one(Member, UUID(member_id)).full_name for member_id in ids]


class TestPolicy:
    def test_the_nearest_counts(self, province: Api, unit_id: Ids, gone: list[str]) -> None:
        path = f"/v1/privacy/leavers?unit={unit_id['phuongvi-1']}"
        refused(province.get(path), 409, "no_policy")
        policy(province, unit_id)
        assert ok(province.get(path))["people"] == 2
        policy(province, unit_id, "phuongvi", months=27)
        nearer = ok(province.get(path))
        assert (nearer["people"], nearer["left_before"]) == (1, long_ago(27).isoformat())
        newer = policy(province, unit_id, "phuongvi", months=40)
        assert ok(province.get(path))["policy"] == newer
        listed = ok(province.get("/v1/privacy/anonymisation-policies"))["items"]
        assert [item["months"] for item in listed] == [40, 27, 24]

    def test_rights(self, api: Api, unit_id: Ids) -> None:
        body = {"unit_id": unit_id["phuongvi"]} | DECISION
        denied = api.as_("phuongvi").post("/v1/privacy/anonymisation-policies", json=body)
        assert refused(denied, 403, "forbidden")["required_right"] == "privacy:erase"
        short = api.as_("phutho").post(
            "/v1/privacy/anonymisation-policies", json=body | {"months": 11}
        )
        assert short.json()["errors"][0]["pointer"] == "/months"


class TestPreview:
    def test_says_who_would_be_and_who_is_held(
        self, province: Api, unit_id: Ids, gone: list[str]
    ) -> None:
        policy(province, unit_id)
        hold = f"/v1/members/{gone[0]}/legal-holds"
        ok(province.post(hold, json={"reference": "Vụ án 1"}), 201)
        found = ok(province.get(f"/v1/privacy/leavers?unit={unit_id['phuongvi']}"))
        assert (found["people"], found["held"], found["this_run"]) == (1, 1, 1)
        assert found["oldest_left_on"] == long_ago(30).isoformat()
        assert [(u["unit_id"], u["people"]) for u in found["by_unit"]] == [
            (unit_id["phuongvi-1"], 1)
        ]
        wide = ok(province.get(f"/v1/privacy/leavers?unit={unit_id['phutho']}"))
        assert [(u["unit_id"], u["people"]) for u in wide["by_unit"]] == [(unit_id["phuongvi"], 1)]
        none = ok(province.get(f"/v1/privacy/leavers?unit={unit_id['tienluong']}"))
        assert (none["people"], none["oldest_left_on"], none["by_unit"]) == (0, None, [])

    def test_the_very_day_is_not_before(
        self, province: Api, unit_id: Ids, gone: list[str], database: Database
    ) -> None:
        policy(province, unit_id)
        path = f"/v1/privacy/leavers?unit={unit_id['phuongvi-1']}"
        for day, people in ((long_ago(24), 1), (long_ago(24) - timedelta(days=1), 2)):
            with writing(database) as session:
                session.execute(
                    sa.update(Membership)
                    .where(col(Membership.member_id) == UUID(gone[0]))
                    .values(valid_to=day)
                )
            assert ok(province.get(path))["people"] == people


class TestRun:
    def test_one_proposes_another_approves(
        self,
        province: Api,
        officer: Api,
        unit_id: Ids,
        gone: list[str],
        database: Database,
        work: Callable[[], int],
    ) -> None:
        policy(province, unit_id)
        before = names(database, gone)
        counts = [f"/v1/members/count{q}" for q in ("", "?by=branch", "?status=left&by=gender")]
        figures = [ok(province.get(path)) for path in counts]
        run = ok(
            province.post("/v1/privacy/anonymisations", json={"unit_id": unit_id["phuongvi"]}), 201
        )
        assert (run["state"], run["found"], run["done"]) == ("proposed", 2, 0)
        path = f"/v1/privacy/anonymisations/{run['id']}"
        refused(province.post(f"{path}/approve"), 409, "second_person_needed")
        assert names(database, gone) == before
        job = ok(officer.post(f"{path}/approve"), 202)
        assert job["kind"] == "anonymisation"
        assert work() == 1
        done = ok(officer.get(path))
        assert (done["state"], done["done"]) == ("done", 2)
        assert done["decided_by"] != done["proposed_by"]
        assert names(database, gone) == [ERASED_NAME, ERASED_NAME, before[2]]
        assert [ok(province.get(path)) for path in counts] == figures
        with writing(database) as session:
            receipts = session.exec(select(Erasure)).all()
            assert {str(receipt.member_id) for receipt in receipts} == set(gone[:2])
            assert all(receipt.swept_at for receipt in receipts)
        assert ok(officer.get(f"/v1/jobs/{job['id']}"))["result"]["people"] == 2
        refused(officer.post(f"{path}/approve"), 409, "anonymisation_state")
        again = province.post("/v1/privacy/anonymisations", json={"unit_id": unit_id["phuongvi"]})
        refused(again, 409, "nobody_to_anonymise")

    def test_no_more_than_the_cap(
        self,
        province: Api,
        officer: Api,
        unit_id: Ids,
        gone: list[str],
        database: Database,
        work: Callable[[], int],
    ) -> None:
        policy(province, unit_id, most=1)
        body = {"unit_id": unit_id["phuongvi"], "most": 50}
        run = ok(province.post("/v1/privacy/anonymisations", json=body), 201)
        assert (run["most"], run["found"]) == (1, 1)
        ok(officer.post(f"/v1/privacy/anonymisations/{run['id']}/approve"), 202)
        work()
        assert names(database, gone).count(ERASED_NAME) == 1

    def test_who_came_back_meanwhile_is_left_alone(
        self,
        api: Api,
        province: Api,
        officer: Api,
        unit_id: Ids,
        gone: list[str],
        database: Database,
        work: Callable[[], int],
    ) -> None:
        policy(province, unit_id)
        body = {"unit_id": unit_id["phuongvi"]}
        run = ok(province.post("/v1/privacy/anonymisations", json=body), 201)
        ok(officer.post(f"/v1/privacy/anonymisations/{run['id']}/approve"), 202)
        back = {"branch_id": unit_id["phuongvi-1"]}
        ok(api.as_("phuongvi-1").post(f"/v1/members/{gone[0]}/readmissions", json=back), 201)
        work()
        assert [name == ERASED_NAME for name in names(database, gone)] == [False, True, False]
        assert ok(officer.get(f"/v1/privacy/anonymisations/{run['id']}"))["done"] == 1

    def test_goes_on_after_a_crash(
        self,
        province: Api,
        officer: Api,
        unit_id: Ids,
        gone: list[str],
        database: Database,
        work: Callable[[], int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Each chunk is final: begun again, a run does those that are left, and none twice."""
        monkeypatch.setattr(anonymisations, "_CHUNK", 1)
        policy(province, unit_id)
        body = {"unit_id": unit_id["phuongvi"]}
        run = ok(province.post("/v1/privacy/anonymisations", json=body), 201)
        ok(officer.post(f"/v1/privacy/anonymisations/{run['id']}/approve"), 202)
        first = anonymisations._next
        calls: list[int] = []

        def dies(*args: Any) -> Any:
            calls.append(1)
            if len(calls) == 2:
                raise sa.exc.OperationalError("x", None, Exception("gone"))
            return first(*args)

        monkeypatch.setattr(anonymisations, "_next", dies)
        monkeypatch.setattr("app.services.kernel.jobs._PAUSES", (0,))
        work()
        assert ok(officer.get(f"/v1/privacy/anonymisations/{run['id']}"))["done"] == 2
        with writing(database) as session:
            assert len(session.exec(select(Erasure)).all()) == 2

    def test_one_at_a_time_and_cancelled(
        self, api: Api, province: Api, unit_id: Ids, gone: list[str]
    ) -> None:
        policy(province, unit_id)
        body = {"unit_id": unit_id["phuongvi"]}
        run = ok(province.post("/v1/privacy/anonymisations", json=body), 201)
        other = province.post("/v1/privacy/anonymisations", json=body)
        assert refused(other, 409, "anonymisation_open")["anonymisation_id"] == run["id"]
        path = f"/v1/privacy/anonymisations/{run['id']}"
        refused(api.as_("phuongvi").post(f"{path}/cancel"), 403, "forbidden")
        refused(api.as_("tienluong").get(path), 404, "not_found")
        first = ok(province.post(f"{path}/cancel"))
        assert (first["state"], ok(province.post(f"{path}/cancel"))) == ("cancelled", first)
        listed = ok(province.get("/v1/privacy/anonymisations?state=cancelled"))["items"]
        assert listed == [first]
        ok(province.post("/v1/privacy/anonymisations", json=body), 201)
