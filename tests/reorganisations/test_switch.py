"""While a reorganisation is done: who reads, who writes, and a process that dies in the middle."""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from httpx2 import Response

from app.clock import local_today, utc_now
from app.db import Database
from app.models.base import new_id
from app.models.reorganisations.reorganisations import Reorganisation, ReorganisationState
from app.services.units.carrying import carry, hold_for_change
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.cadres import account, done, free_members
from tests.helpers.captures import hold
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed, home
from tests.helpers.tables import changed, everything
from tests.reorganisations.branches import Branches
from tests.reorganisations.killed import Servers, servers_of
from tests.reorganisations.waiting import impatient
from tests.units.units import ago, unit_row


@pytest.fixture
def servers(database: Database) -> Iterator[Servers]:
    with servers_of(database) as found:
        yield found


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
    for place in ("units.followers.handed_over", "reorganisations.applying.concern"):
        servers.die(place)
        assert changed(before, everything(database)) == {}
    servers.serve()
    found = done(world.decider.get(f"/v1/reorganisations/{draft}"))
    assert found["state"] == "applied"
    assert unit_row(database, world.gone).closed_on is not None
    assert (world.count(world.gone), world.count(world.gone, ago(1))) == (0, size)


def new_member(branch: int) -> Json:
    body: Json = {"full_name": "Hà Thị Mới", "gender": "female", "birth_date": "1990"}
    return body | {"branch_id": branch, "joined_on": ago(0)}


def test_meanwhile_others_read_and_writers_are_told(world: Branches, database: Database) -> None:
    if database.on_sqlite:
        pytest.skip("writers go one by one")
    head, other = world.api.as_("phuongvi-1"), world.api.as_("tienluong-1")
    with impatient(database), writing(database) as session:
        hold_for_change(session, [world.gone])
        answer = head.post("/v1/members", json=new_member(world.gone))
        refused(answer, 409, "unit_being_reorganised")
        assert answer.headers["Retry-After"] == "5"
        assert head.get(f"/v1/units/{world.gone}").status_code == 200
        assert head.get("/v1/members?limit=1").status_code == 200
        assert other.post("/v1/members", json=new_member(world.id["tienluong-1"])).is_success
    assert head.post("/v1/members", json=new_member(world.gone)).is_success


def test_meanwhile_no_writer_waits_long_for_what_goes_along(
    world: Branches, database: Database
) -> None:
    if database.on_sqlite:
        pytest.skip("writers go one by one")
    head, officer = world.api.as_("phuongvi-1"), world.api.as_("phuongvi")
    member = f"/v1/members/{free_members(database, world.gone)[0].id}"
    household = f"/v1/households/{home(database, world.gone)}"
    sitting = f"/v1/sessions/{hold(database, [world.gone])}"
    event = f"/v1/events/{done(head.get(sitting))['event_id']}"
    counted = {"id": str(new_id()), "kind": "head_count", "count": 9}
    present = {"items": [counted | {"occurred_at": utc_now().isoformat()}]}
    training = {"kind": "professional", "name": "Kế toán"}
    writes: list[Callable[[], Response]] = [
        lambda: head.patch(member, json={"address": "Khu 9"}),
        lambda: officer.post(f"{member}/trainings", json=training),
        lambda: officer.patch(household, json={"merit": True}),
        lambda: head.patch(event, json={"title": "Họp chi hội"}),
        lambda: head.post(f"{sitting}/captures", json=present),
    ]
    province = unit_row(database, world.gone).province_id
    paths = {world.gone: {"province_id": province, "commune_id": world.id["tienluong"]}}
    before = everything(database)
    with impatient(database), writing(database) as session:
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
