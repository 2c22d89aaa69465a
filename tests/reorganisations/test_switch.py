"""While a reorganisation is done: who reads, who writes, and a process that dies in the middle."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from httpx2 import Response

from app.clock import local_today
from app.db import Database
from app.models.reorganisations.reorganisations import Reorganisation, ReorganisationState
from app.services.units import rows
from app.services.units.carrying import carry, hold_for_change
from tests.conftest import ROOT
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.cadres import account, done, free_members
from tests.helpers.captures import hold
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed, home
from tests.helpers.tables import changed, everything
from tests.reorganisations.branches import Branches
from tests.units.units import ago, unit_row

# For each line a process of its own does what is due, and is killed when it comes back from the call
# that the line names; answers how the process ended.
_SERVER = """
import os, signal, sys
from app.db import Database
from app.services import capabilities
from app.services.reorganisations import applying, scheduling
from app.services.units import followers
from tests.conftest import make_settings

def dying(call):
    def called(*args, **kwargs):
        call(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
    return called

capabilities.install()
for line in sys.stdin:
    if (process := os.fork()) == 0:
        module, _, name = line.strip().partition(".")
        if name:
            owner = {"applying": applying, "followers": followers}[module]
            setattr(owner, name, dying(getattr(owner, name)))
        os._exit(0 if scheduling.apply_due(Database(make_settings(sys.argv[1]))) == 1 else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


class Servers:
    def __init__(self, database: Database) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, database.settings.database_url],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def serve(self, dying: str = "") -> int:
        assert self.process.stdin
        assert self.process.stdout
        print(dying, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())


@pytest.fixture
def servers(database: Database) -> Iterator[Servers]:
    found = Servers(database)
    yield found
    found.process.communicate()


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds) -> Branches:
    return Branches(api, database, unit_id)


def due(world: Branches) -> UUID:
    """A merger that was decided on, and whose day has come."""
    draft = UUID(world.merge()["id"])
    decider = account(world.database, "phutho").id
    with writing(world.database) as session:
        row = attributed(session).get_one(Reorganisation, draft)
        row.state, row.decided_by = ReorganisationState.scheduled, decider
    return draft


def test_killed_it_has_the_old_world_and_then_the_new_one(
    world: Branches, database: Database, servers: Servers
) -> None:
    """In the middle of what branches hand over, and when all but the commit is done."""
    draft, size = due(world), world.count(world.gone)
    before = everything(database)
    for place in ("followers.handed_over", "applying.concern"):
        assert servers.serve(place) == -signal.SIGKILL
        assert changed(before, everything(database)) == {}
    assert servers.serve() == 0
    found = done(world.decider.get(f"/v1/reorganisations/{draft}"))
    assert found["state"] == "applied"
    assert unit_row(database, world.gone).closed_on is not None
    assert (world.count(world.gone), world.count(world.gone, ago(1))) == (0, size)


def new_member(branch: int) -> Json:
    body: Json = {"full_name": "Hà Thị Mới", "gender": "female", "birth_date": "1990"}
    return body | {"branch_id": branch, "joined_on": ago(0)}


def test_meanwhile_others_read_and_writers_are_told(
    world: Branches, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.on_sqlite:
        pytest.skip("writers go one by one")
    monkeypatch.setattr(rows, "_LONGEST_WAIT", "50ms")
    head, other = world.api.as_("phuongvi-1"), world.api.as_("tienluong-1")
    with writing(database) as session:
        hold_for_change(session, [world.gone])
        answer = head.post("/v1/members", json=new_member(world.gone))
        refused(answer, 409, "unit_being_reorganised")
        assert answer.headers["Retry-After"] == "5"
        assert head.get(f"/v1/units/{world.gone}").status_code == 200
        assert head.get("/v1/members?limit=1").status_code == 200
        assert other.post("/v1/members", json=new_member(world.id["tienluong-1"])).is_success
    assert head.post("/v1/members", json=new_member(world.gone)).is_success


def test_meanwhile_no_writer_waits_long_for_what_goes_along(
    world: Branches, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.on_sqlite:
        pytest.skip("writers go one by one")
    monkeypatch.setattr(rows, "_LONGEST_WAIT", "50ms")
    head, officer = world.api.as_("phuongvi-1"), world.api.as_("phuongvi")
    member = f"/v1/members/{free_members(database, world.gone)[0].id}"
    household = f"/v1/households/{home(database, world.gone)}"
    event = (
        f"/v1/events/{done(head.get(f'/v1/sessions/{hold(database, [world.gone])}'))['event_id']}"
    )
    training = {"kind": "professional", "name": "Kế toán"}
    writes: list[Callable[[], Response]] = [
        lambda: head.patch(member, json={"address": "Khu 9"}),
        lambda: officer.post(f"{member}/trainings", json=training),
        lambda: officer.patch(household, json={"merit": True}),
        lambda: head.patch(event, json={"title": "Họp chi hội"}),
    ]
    province = unit_row(database, world.gone).province_id
    paths = {world.gone: {"province_id": province, "commune_id": world.id["tienluong"]}}
    before = everything(database)
    with writing(database) as session:
        carry(attributed(session), paths, set(), local_today())
        for write in writes:
            answer = write()
            refused(answer, 409, "unit_being_reorganised")
            assert answer.headers["Retry-After"] == "5"
        session.rollback()
    assert changed(before, everything(database)) == {}
    for write in writes:
        assert write().is_success


def test_more_members_than_sqlite_may_take_along(
    world: Branches, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = world.count(world.gone)
    monkeypatch.setattr(database.settings, "reorganisation_most_members", size - 1)
    draft = world.merge()
    found = [each["code"] for each in world.preview(draft)["problems"]]
    assert found == (["reorganisation_too_large"] if database.on_sqlite else [])
    monkeypatch.setattr(database.settings, "reorganisation_most_members", size)
    assert world.preview(draft)["problems"] == []
