"""Random acts of a union: what the feed says right after each it says ever after, and a follower that is
killed again and again ends with the rows that there are."""

from collections.abc import Callable
from random import Random
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from app.clock import local_today
from app.db import Database
from app.json_values import json_bytes
from app.models.base import table_of
from app.services.feed.states import fields_of, rows_now
from app.services.kernel import sequencer
from app.services.kernel.manifest import manifest
from tests.feed.follower import answered, end, events, rows, told
from tests.helpers import soak
from tests.helpers.answers import Json, UnitIds
from tests.helpers.branch_world import BranchWorld, live_on
from tests.helpers.cadres import made
from tests.helpers.client import Api
from tests.sync.acts import Acts

ACTS = 60
RECORDS = {"member": "/v1/members", "household": "/v1/households"}
# What says for whom an event is may change since, and not what the row was.
HIDING = {"withheld", "erased"}


class Follower:
    """Keeps rows as the guide says. Killed on a page, it has applied a part of it, and begins that
    page again."""

    def __init__(self, api: Api, random: Random) -> None:
        self.api = api
        self.random = random
        self.place: dict[str, Any] = {}
        self.scope = ""
        self.rows: dict[tuple[str, str], Json] = {}
        self.killed = 0
        self.revisions: dict[tuple[str, str], int] = {}

    def follow(self, *, kills: int) -> None:
        more = True
        while more:
            if not self.place:
                self._begin()
            page = told(self.api, **self.place, limit=self.random.randint(1, 12))
            if page["scope"] != self.scope or any(e["data"]["export_again"] for e in page["items"]):
                self.place = {}
                continue
            if self.killed < kills and self.random.random() < 0.8:
                self.killed += 1
                cut = self.random.randint(0, len(page["items"]))
                self._apply(page["items"][:cut])
                continue
            self._apply(page["items"])
            self.place = {"after": page["seq"], "epoch": page["epoch"]}
            more = page["more"]

    def _begin(self) -> None:
        page = self.api.get("/v1/feed/rows?kind=unit&limit=1").json()
        self.rows, self.revisions, self.scope = {}, {}, page["scope"]
        self.place = {"after": page["seq"], "epoch": page["epoch"]}
        for kind in manifest().news:
            if self.api.get(f"/v1/feed?kinds={kind}&limit=1").is_success:
                for row in rows(self.api, kind):
                    self._keep(row)

    def _apply(self, items: list[Json]) -> None:
        for data in (each["data"] for each in items):
            if data["state"] is None:
                self.rows.pop((data["entity"], data["entity_id"]), None)
            else:
                self._keep(data)
            for dropped in data["drops"]:
                self._drop(dropped, data["entity_id"])
            for row in data["brings"]:
                self._keep(row)
            if data["sets"] is not None:
                self._set(**data["sets"])

    def _keep(self, row: Json) -> None:
        key = row["entity"], row["entity_id"]
        if key not in self.rows or self.revisions[key] <= row["revision"]:
            self.rows[key], self.revisions[key] = row["state"], row["revision"]

    def _drop(self, dropped: Json, id_: str) -> None:
        for key in [*self.rows]:
            if key[0] == dropped["entity"] and self.rows[key][dropped["field"]] == id_:
                del self.rows[key]

    def _set(self, field: str, value: int, units: Json) -> None:
        for key, row in self.rows.items():
            if key[0] != "unit" and row.get(field) == value:
                self.rows[key] = row | {name: units[name] for name in units if name in row}


@pytest.mark.parametrize("seed", soak.seeds(1))
def test_a_killed_follower_ends_with_the_rows_that_there_are(
    api: Api, database: Database, unit_id: UnitIds, work: Callable[[], int], seed: int
) -> None:
    """Of each kind, for readers of a province, a commune and a branch, whatever comes, goes and may not be
    copied meanwhile."""
    province = api.as_("phutho")
    begun = place = end(province)
    readers = [api.as_(name) for name in ("phutho", "phuongvi", "phuongvi-1")]
    followers = [Follower(reader, Random(seed)) for reader in readers]
    world = BranchWorld(api, database, unit_id, work)
    live_on(world)
    visit = {"visited_on": local_today().isoformat(), "visitors": ["Lan"], "note": "Cần sửa mái"}
    made(world.officer.post(f"{world.household}/visits", json=visit))
    acts, random = Acts(api, database, unit_id, seed=seed), Random(seed)
    once: dict[str, Json] = {}
    for _ in range(ACTS):
        acts.one()
        found = events(province, place)
        once |= {each["id"]: each["data"] for each in found}
        ensure_as_the_api(province, found)
        place = max([place, *(each["data"]["seq"] for each in found)])
        if random.random() < 0.2:
            for follower in followers:
                follower.follow(kills=60)
    for follower in followers:
        follower.follow(kills=100)
    again = {each["id"]: each["data"] for each in events(province, begun, limit=37)}
    for id_, data in again.items():
        if id_ in once and not {data["operation"], once[id_]["operation"]} & HIDING:
            assert data == once[id_]
    assert again.keys() >= once.keys()
    assert sum(follower.killed for follower in followers) >= 100
    expected = there(database)
    assert {kind for kind, _ in expected} == manifest().news.keys()
    ensure_equal(followers[0].rows, expected)
    for follower in followers:
        ensure_equal(follower.rows, answered(follower.api))


def ensure_equal(kept: dict[tuple[str, str], Json], expected: dict[tuple[str, str], Json]) -> None:
    assert kept.keys() - expected.keys() == set()
    assert expected.keys() - kept.keys() == set()
    for key, row in expected.items():
        assert kept[key] == row, key


def ensure_as_the_api(province: Api, found: list[Json]) -> None:
    """The newest state of each record is what the API answers now."""
    newest = {(each["data"]["entity"], each["subject"]): each["data"] for each in found}
    for (entity, id_), data in newest.items():
        if entity in RECORDS and data["state"] is not None:
            answer = province.get(f"{RECORDS[entity]}/{id_}").json()
            assert data["state"] == {name: answer[name] for name in data["state"]}, entity
            assert data["revision"] == answer["revision"]


def there(database: Database) -> dict[tuple[str, str], Json]:
    sequencer.settle(database)
    found: dict[tuple[str, str], Json] = {}
    with database.reading() as db:
        for entity in manifest().news:
            key = table_of(manifest().by_entity[entity][0]).c.id
            ids = [str(id_) for id_ in db.execute(sa.select(key)).scalars()]
            for id_, (standing, state) in rows_now(db, entity, ids).items():
                if standing.shared and standing.exists:
                    fields = {name: state[each] for name, each in fields_of(entity).items()}
                    found[entity, id_] = orjson.loads(json_bytes(fields))
    return found
