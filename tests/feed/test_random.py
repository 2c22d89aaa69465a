"""Random acts of a union: what the feed says right after each it says ever after, and a follower that is
killed again and again ends with the rows that there are."""

from random import Random
from typing import Any

import orjson
import sqlalchemy as sa

from app.db import Database
from app.json_values import json_bytes
from app.models.base import table_of
from app.services.feed.states import fields_of, rows_now
from app.services.kernel import sequencer
from app.services.kernel.manifest import manifest
from tests.feed.follower import end, events, told
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api
from tests.sync.acts import Acts

ACTS = 60
RECORDS = {"member": "/v1/members", "household": "/v1/households"}
# What says for whom an event is may change since, and not what the row was.
HIDING = {"withheld", "erased"}
# A unit that moves is one event: who keeps rows sets the units above theirs by the tree.
ABOVE = {"province_id", "commune_id"}


class Follower:
    """Keeps rows as the guide says. Killed on a page, it has applied a part of it, and begins that
    page again."""

    def __init__(self, api: Api, random: Random) -> None:
        self.api = api
        self.random = random
        self.place: dict[str, Any] = {"after": 0}
        self.rows: dict[tuple[str, str], Json] = {}
        self.killed = 0
        # Of these the guide says to read what hangs on them.
        self.came_again: set[str] = set()

    def follow(self, *, kills: int) -> None:
        more = True
        while more:
            page = told(self.api, **self.place, limit=self.random.randint(1, 200))
            if self.killed < kills and self.random.random() < 0.5:
                self.killed += 1
                cut = self.random.randint(0, len(page["items"]))
                self._apply(page["items"][:cut])
                continue
            self._apply(page["items"])
            self.place = {"after": page["seq"], "epoch": page["epoch"]}
            more = page["more"]

    def _apply(self, items: list[Json]) -> None:
        for data in (each["data"] for each in items):
            key = data["entity"], data["entity_id"]
            if data["state"] is None:
                self._drop(*key)
            else:
                if key[0] == "member" and key not in self.rows and data["operation"] != "created":
                    self.came_again.add(data["entity_id"])
                self.rows[key] = data["state"]

    def _drop(self, entity: str, id_: str) -> None:
        """With a member go the rows about her."""
        self.rows.pop((entity, id_), None)
        if entity == "member":
            about_her = [key for key, row in self.rows.items() if row.get("member_id") == id_]
            for key in about_her:
                del self.rows[key]


def test_a_killed_follower_ends_with_the_rows_that_there_are(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    acts, random = Acts(api, database, unit_id, seed=5), Random(5)
    follower, province = Follower(api.as_("phutho"), random), api.as_("phutho")
    begun = place = end(province)
    once: dict[str, Json] = {}
    for _ in range(ACTS):
        acts.one()
        found = events(province, place)
        once |= {each["id"]: each["data"] for each in found}
        ensure_as_the_api(province, found)
        place = max([place, *(each["data"]["seq"] for each in found)])
        if random.random() < 0.2:
            follower.follow(kills=90)
    follower.follow(kills=100)
    again = {each["id"]: each["data"] for each in events(province, begun, limit=37)}
    assert again.keys() == once.keys()
    for id_, data in again.items():
        if not {data["operation"], once[id_]["operation"]} & HIDING:
            assert data == once[id_]
    assert follower.killed > 20
    expected = compared(there(database), follower.came_again)
    assert compared(follower.rows, follower.came_again) == expected


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


def compared(rows: dict[tuple[str, str], Json], came_again: set[str]) -> dict[Any, Json]:
    return {
        key: {name: value for name, value in row.items() if name not in ABOVE}
        for key, row in rows.items()
        if row.get("member_id") not in came_again
    }
