"""A commune goes to another province: what hangs on its members and households follows after the commit."""

from collections.abc import Callable, Iterator
from datetime import date
from uuid import UUID

import pytest
from httpx2 import Response

from app.db import Database
from app.models.kernel.access import Role
from app.models.kernel.units import UnitLevel
from app.models.reorganisations.reorganisations import Reorganisation, ReorganisationState
from app.services.kernel.manifest import manifest
from app.services.kernel.provinces import hanging
from app.services.reorganisations.scheduling import apply_due
from app.services.units.roots import plant
from tests.helpers.answers import Json, UnitIds
from tests.helpers.branch_world import BranchWorld, live_on
from tests.helpers.cadres import account, done, free_members, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed
from tests.helpers.tables import changed, everything
from tests.kernel.test_provinces import provinces
from tests.reorganisations.branches import OWN
from tests.reorganisations.killed import Servers, servers_of
from tests.reorganisations.sides import granted
from tests.reorganisations.waiting import impatient
from tests.units.units import ago, unit_row

# What is another when it was done and taken back: logs, what is derived, and the reorganisation itself.
AFTERWARDS = OWN | {"change", "feed", "feed_head", "outbox", "figure_stale"}


class World(BranchWorld):
    """A commune with rows in each table, another province, and two officers of both."""

    def __init__(
        self, api: Api, database: Database, unit_id: UnitIds, work: Callable[[], int]
    ) -> None:
        super().__init__(api, database, unit_id, work)
        live_on(self)
        self.commune = unit_id["phuongvi"]
        with writing(database) as session:
            self.other = plant(
                attributed(session),
                level=UnitLevel.province,
                name="Tỉnh Lào Cai",
                code=None,
                opened_on=date(1991, 10, 1),
            )
        given = [("camkhe", unit_id["phutho"]), ("camkhe", self.other), ("phutho", self.other)]
        rows = [granted(database, name, unit, Role.province_officer) for name, unit in given]
        with writing(database) as session:
            attributed(session).add_all(rows)
        move = {"op": "move", "unit_id": self.commune, "parent_id": self.other}
        body: Json = {"effective_on": ago(0), "operations": [move]}
        draft = made(api.as_("camkhe").post("/v1/reorganisations", json=body))
        self.id, self.path = UUID(draft["id"]), f"/v1/reorganisations/{draft['id']}"

    def wait_for_its_day(self) -> None:
        """It was decided on, and its day has come."""
        decider = account(self.database, "phutho").id
        with writing(self.database) as session:
            row = attributed(session).get_one(Reorganisation, self.id)
            row.state, row.decided_by = ReorganisationState.scheduled, decider

    def confirm(self) -> Response:
        digest = done(self.province.get(f"{self.path}/preview"))["digest"]
        return self.province.post(f"{self.path}/confirm", json={"digest": digest})

    def open_branch(self) -> int:
        branch = {"level": "branch", "name": "Chi hội mới", "parent_id": self.commune}
        opened = made(self.province.post("/v1/units", json=branch | {"opened_on": ago(0)}))
        return int(opened["id"])

    def move_on(self, member: str) -> None:
        """She and a household, into a branch that has just opened."""
        to = self.open_branch()
        body = {"to_branch_id": to, "reason": "Chuyển nhà"}
        asked = made(self.province.post(f"/v1/members/{member}/transfers", json=body))
        assert asked["state"] == "accepted"
        home = {"branch_id": to, "effective_on": ago(0)}
        done(self.province.post(f"{self.household}/move", json=home))

    def hand_over(self, unit: int, to: int, **people: list[str]) -> None:
        part: Json = {"op": "transfer", "from_id": unit, "to_id": to, **people}
        body: Json = {"effective_on": ago(0), "operations": [part]}
        draft = made(self.api.as_("camkhe").post("/v1/reorganisations", json=body))
        path = f"/v1/reorganisations/{draft['id']}"
        digest = done(self.province.get(f"{path}/preview"))["digest"]
        done(self.province.post(f"{path}/apply", json={"digest": digest}))

    @property
    def state(self) -> str:
        return str(done(self.province.get(self.path))["state"])

    @property
    def behind(self) -> list[int]:
        with writing(self.database) as session:
            return session.get_one(Reorganisation, self.id).behind or []

    def left(self) -> set[str]:
        """The tables with rows of another province than that of their record."""
        found = provinces(self.database)
        return {name for name, rows in found.items() if any(a != b for a, b in rows.values())}


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds, work: Callable[[], int]) -> World:
    return World(api, database, unit_id, work)


@pytest.fixture
def servers(database: Database) -> Iterator[Servers]:
    with servers_of(database) as found:
        yield found


HANGING = {"reorganisation", *(str(model.__tablename__) for model, _ in hanging(manifest()))}


def test_killed_after_the_switch_it_goes_on_where_it_was(world: World, servers: Servers) -> None:
    """Who moves on meanwhile, to where nobody is behind, takes all of hers along."""
    [her, *_] = free_members(world.database, world.near)
    world.wait_for_its_day()
    before = everything(world.database)
    servers.die("reorganisations.applying.concern")
    assert changed(before, everything(world.database)) == {}
    servers.die("kernel.provinces.catch_up")
    assert world.state == "applied"
    assert unit_row(world.database, world.branch).province_id == world.other
    assert world.left() > {"member_identifier", "household_person", "training"}
    assert set(world.behind) > {world.branch, world.near}
    world.move_on(str(her.id))
    switched = everything(world.database)
    servers.serve()
    assert world.left() == set()
    assert world.behind == []
    assert changed(switched, everything(world.database)).keys() <= HANGING


def test_handed_over_before_they_have_followed(world: World, servers: Servers) -> None:
    """To a branch that has just opened, where nobody is behind."""
    [her, *_] = free_members(world.database, world.near)
    world.wait_for_its_day()
    servers.die("kernel.provinces.catch_up")
    to = world.open_branch()
    assert to not in world.behind
    world.hand_over(world.near, to, member_ids=[str(her.id)])
    world.hand_over(world.branch, to, household_ids=[world.household[-36:]])
    servers.serve()
    assert (world.left(), world.behind) == (set(), [])


def test_the_housekeeping_leaves_one_that_a_job_holds(world: World, servers: Servers) -> None:
    if world.database.on_sqlite:
        pytest.skip("writers go one by one")
    world.wait_for_its_day()
    servers.die("kernel.provinces.catch_up")
    behind = world.behind
    with impatient(world.database), writing(world.database) as session:
        session.get_one(Reorganisation, world.id, with_for_update=True)
        apply_due(world.database)
    assert world.behind == behind
    apply_due(world.database)
    assert (world.left(), world.behind) == (set(), [])


def test_taken_back_before_they_have_followed(world: World, servers: Servers) -> None:
    before = everything(world.database)
    world.wait_for_its_day()
    servers.die("kernel.provinces.catch_up")
    done(world.province.post(f"{world.path}/revert", json={}))
    servers.serve()
    assert world.behind == []
    assert changed(before, everything(world.database)).keys() <= AFTERWARDS
    assert world.left() == set()


def test_a_job_that_is_killed_does_it_once(
    world: World, servers: Servers, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its preparation, before its commit, and while the rows follow; and one that takes it back."""
    if database.on_sqlite:
        pytest.skip("the number of people is bounded")
    monkeypatch.setattr(database.settings, "reorganisation_at_once_members", 10)
    asked = world.confirm()
    assert asked.status_code == 202, asked.text
    job = UUID(asked.headers["Location"][-36:])
    waiting = everything(database)
    for place in ("drafts.plan_held", "applying.concern"):
        servers.die(f"reorganisations.{place}", job)
    assert changed(waiting, everything(database)).keys() <= {"job"}
    servers.die("kernel.provinces.catch_up", job)
    assert (world.state, world.left() == set()) == ("applied", False)
    servers.serve(job)
    told = done(world.province.get(f"/v1/jobs/{job}"))
    assert (told["state"], told["result"]) == ("done", {"state": "applied"})
    assert told["progress"]["done"] == told["progress"]["total"]
    assert (world.left(), world.behind) == (set(), [])
    back = world.province.post(f"{world.path}/revert", json={})
    assert back.status_code == 202, back.text
    job = UUID(back.headers["Location"][-36:])
    servers.die("kernel.provinces.catch_up", job)
    assert world.state == "reverted"
    servers.serve(job)
    assert done(world.province.get(f"/v1/jobs/{job}"))["result"] == {"state": "reverted"}
    assert (world.left(), world.behind) == (set(), [])
    assert changed(waiting, everything(database)).keys() <= AFTERWARDS | {"job"}
