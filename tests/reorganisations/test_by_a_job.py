"""A reorganisation of many people is decided in the request, and done by a job."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import Session

from app.db import Database
from app.models.reorganisations.reorganisations import Reorganisation
from app.services.kernel import jobs
from app.services.reorganisations import deciding, scheduling
from app.services.reorganisations.planning import Plan
from app.services.units.tree import lock_tree
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.cadres import done, made
from tests.helpers.client import Api, writing
from tests.helpers.tables import changed, everything
from tests.reorganisations.branches import OWN
from tests.reorganisations.waiting import impatient
from tests.units.units import ago

Work = Callable[[], int]


class Merger:
    """A commune with its four branches goes into the other one."""

    def __init__(self, api: Api, unit_id: UnitIds) -> None:
        self.drafter, self.decider = api.as_("camkhe"), api.as_("phutho")
        self.gone, self.heir = unit_id["phuongvi"], unit_id["tienluong"]
        merge = {"op": "merge", "unit_ids": [self.gone], "into_id": self.heir}
        body: Json = {"effective_on": ago(0), "operations": [merge]}
        self.path = (
            f"/v1/reorganisations/{made(self.drafter.post('/v1/reorganisations', json=body))['id']}"
        )

    def act(self, name: str, **headers: str) -> Response:
        body = {}
        if name == "apply":
            body = {"digest": done(self.decider.get(f"{self.path}/preview"))["digest"]}
        return self.decider.post(f"{self.path}/{name}", json=body, headers=headers)

    def accepted(self, name: str) -> str:
        """Where its job is."""
        answer = self.act(name)
        assert answer.status_code == 202, answer.text
        assert answer.json()["state"] == ("scheduled" if name == "apply" else "applied")
        return answer.headers["Location"]

    def job(self, where: str) -> Json:
        return done(self.decider.get(where))

    @property
    def state(self) -> str:
        return str(done(self.decider.get(self.path))["state"])


@pytest.fixture
def merger(
    api: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
) -> Merger:
    if database.on_sqlite:
        pytest.skip("the number of people is bounded")
    monkeypatch.setattr(database.settings, "reorganisation_at_once_members", 10)
    return Merger(api, unit_id)


def test_is_decided_at_once_and_done_by_a_job(
    merger: Merger, database: Database, work: Work
) -> None:
    before = everything(database)
    asked = merger.accepted("apply")
    found = merger.job(asked)
    assert (found["kind"], found["state"]) == ("reorganisation_apply", "queued")
    assert merger.state == "scheduled"
    assert changed(before, everything(database)).keys() <= OWN | {"job", "change", "feed", "outbox"}
    refused(merger.act("apply"), 409, "reorganisation_state")
    assert work() == 1
    job = merger.job(asked)
    assert (job["state"], job["result"]) == ("done", {"state": "applied"})
    assert job["progress"] == {"done": 4, "total": 4}
    assert merger.state == "applied"


def test_is_taken_back_by_a_job(merger: Merger, database: Database, work: Work) -> None:
    before = everything(database)
    merger.accepted("apply")
    work()
    asked = merger.accepted("revert")
    merger.accepted("revert")
    assert merger.state == "applied"
    assert work() == 2
    assert merger.job(asked)["result"] == {"state": "reverted"}
    logs = {"job", "change", "feed", "feed_head", "outbox", "figure_stale"}
    assert changed(before, everything(database)).keys() <= OWN | logs
    assert merger.act("revert").json()["state"] == "reverted"


def test_what_others_did_before_is_not_done_again(
    merger: Merger, database: Database, work: Work
) -> None:
    asked = merger.accepted("apply")
    assert scheduling.apply_due(database) == 1
    work()
    assert merger.job(asked)["result"] == {"state": "applied"}


def test_on_its_day_no_statement_is_cut_off(
    merger: Merger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The housekeeping does what was decided for a day: it would be cut off anew each time."""
    limits = []
    do = deciding.do

    def noting(session: Session, row: Reorganisation, made: Plan) -> None:
        limits.append(session.execute(sa.text("SHOW statement_timeout")).scalar_one())
        do(session, row, made)

    monkeypatch.setattr(deciding, "do", noting)
    merger.accepted("apply")
    assert scheduling.apply_due(database) == 1
    assert limits == ["0"]


def test_what_has_changed_since_is_a_draft_again(
    merger: Merger, work: Work, unit_id: UnitIds
) -> None:
    asked = merger.accepted("apply")
    closed = {"effective_on": ago(0), "kind": "abolish"}
    branch = merger.decider.post(f"/v1/units/{unit_id['tienluong-1']}/close", json=closed)
    assert branch.status_code in (200, 409), branch.text
    work()
    assert merger.job(asked)["result"] == {"state": merger.state}


def test_of_few_people_it_is_done_at_once(
    merger: Merger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database.settings, "reorganisation_at_once_members", 1_000)
    assert done(merger.act("apply"))["state"] == "applied"
    assert done(merger.act("revert"))["state"] == "reverted"


def test_another_change_of_the_tree_waits_briefly(merger: Merger, database: Database) -> None:
    branch = {"level": "branch", "name": "Chi hội mới", "parent_id": merger.heir}
    with impatient(database), writing(database) as session:
        lock_tree(session)
        answer = merger.decider.post("/v1/units", json=branch | {"opened_on": ago(0)})
        refused(answer, 409, "unit_being_reorganised")
        asked = merger.act("apply")
        refused(asked, 409, "unit_being_reorganised")
        assert scheduling.apply_due(database) == 0
    assert merger.state == "draft"
    assert jobs.work_off(database) == 0
