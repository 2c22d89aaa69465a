"""What was decided for a day to come, and whose deciders may no longer do it when the day is there."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.db import Database
from app.models.kernel.access import Grant
from app.services.kernel import due, following
from app.services.reorganisations import scheduling
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import account, done, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed
from tests.reorganisations.sides import Sides
from tests.reorganisations.test_reorganisations import on_the_day
from tests.units.units import ago, moved, opened, unit_row


class Ahead:
    """Two branches will be one: drafted by the commune, decided on by the district."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        self.api, self.database, self.id = api, database, unit_id
        self.gone, self.heir = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
        merge: Json = {"op": "merge", "unit_ids": [self.gone, self.heir], "into_id": self.heir}
        body: Json = {"effective_on": ago(-30), "operations": [merge]}
        self.drafted = made(api.as_("phuongvi").post("/v1/reorganisations", json=body))
        assert self.decide("camkhe")["state"] == "scheduled"

    @property
    def path(self) -> str:
        return f"/v1/reorganisations/{self.drafted['id']}"

    def decide(self, by: str) -> Json:
        officer = self.api.as_(by)
        digest = {"digest": done(officer.get(f"{self.path}/preview"))["digest"]}
        return done(officer.post(f"{self.path}/apply", json=digest))

    def found(self) -> Json:
        return done(self.api.as_("phutho").get(self.path))

    def told(self, *usernames: str) -> list[bool]:
        return [told(self.api.as_(each), self.drafted) for each in usernames]


def told(api: Api, draft: Json) -> bool:
    """It has the notice, with a sentence in words."""
    items = done(api.get("/v1/me/notifications"))["items"]
    ours = [each for each in items if each["kind"] == "reorganisation_returned"]
    assert all(each["entity_id"] == draft["id"] and "duyệt lại" in each["text"] for each in ours)
    return len(ours) == 1


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds) -> Ahead:
    return Ahead(api, database, unit_id)


def shut_out(world: Ahead) -> None:
    decider = account(world.database, "camkhe").id
    done(world.api.as_("admin").post(f"/v1/accounts/{decider}/disable"))


def end_grant(world: Ahead) -> None:
    decider = account(world.database, "camkhe").id
    with writing(world.database) as session:
        attributed(session).execute(sa.delete(Grant).where(col(Grant.account_id) == decider))


def move_away(world: Ahead) -> None:
    """No unit that the draft names is changed: another one takes all of them along."""
    province = world.api.as_("phutho")
    elsewhere = opened(province, "district", world.id["phutho"], "Huyện Hạ Hòa")
    moved(province, world.id["phuongvi"], elsewhere, ago(0))


@pytest.mark.parametrize("lose", [shut_out, end_grant, move_away])
def test_it_is_not_done_by_who_has_lost_the_right(
    world: Ahead, database: Database, monkeypatch: pytest.MonkeyPatch, lose: Callable[[Ahead], None]
) -> None:
    lose(world)
    on_the_day(monkeypatch)
    assert scheduling.apply_due(database) == 0
    assert unit_row(database, world.gone).closed_on is None
    found = world.found()
    shown = [found[name] for name in ("state", "returned_because", "decided_by", "decided_at")]
    assert shown == ["draft", "right_lost", None, None]
    assert world.told("phuongvi", "phutho", "tienluong") == [True, True, False]
    assert scheduling.apply_due(database) == 0
    again = world.decide("phutho")
    assert (again["state"], again["returned_because"]) == ("scheduled", None)
    assert world.told("phuongvi", "phutho") == [False, False]
    assert scheduling.apply_due(database) == 1
    assert unit_row(database, world.gone).closed_on is not None


def test_after_a_restore_it_asks_for_rights_as_well(
    world: Ahead, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_grant(world)
    on_the_day(monkeypatch)
    with writing(database) as session:
        following.next_epoch(session).began_at += timedelta(days=30)
    assert scheduling.apply_due(database) == 0
    assert world.found()["state"] == "scheduled"
    with writing(database) as session:
        assert due.go_on(session, [scheduling.DUE], "the tests", [])
    assert scheduling.apply_due(database) == 0
    assert world.found()["returned_because"] == "right_lost"


def test_the_officers_of_all_sides_are_asked_for_theirs(
    api: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = Sides(api, database, unit_id)
    draft = sides.draft(effective_on=ago(-30))
    done(sides.confirm(draft, sides.one))
    assert done(sides.confirm(draft, sides.other))["state"] == "scheduled"
    sides.ended("phuongvi")
    sides.grant("phuongvi-2", unit_id["phuongvi"])
    on_the_day(monkeypatch)
    assert scheduling.apply_due(database) == 0
    found = done(sides.other.get(f"/v1/reorganisations/{draft['id']}"))
    assert (found["returned_because"], found["confirmations"]) == ("right_lost", [])
    assert unit_row(database, unit_id["phuongvi-1"]).parent_id == unit_id["phuongvi"]
    assert [told(each, draft) for each in (sides.other, api.as_("phuongvi-2"))] == [True, True]


def operations_in_the_log(api: Api, draft: Json) -> list[Any]:
    found = done(api.get("/v1/changes?kinds=reorganisation&limit=200"))["items"]
    return [
        each["after"].get("operations")
        for each in found
        if UUID(each["entity_id"]) == UUID(draft["id"]) and each["operation"] == "created"
    ]


def test_the_log_names_its_people_to_who_may_see_people(
    api: Api, database: Database, world: Ahead
) -> None:
    assert operations_in_the_log(api.as_("phutho"), world.drafted) == [world.drafted["operations"]]
    assert operations_in_the_log(api.as_("admin"), world.drafted) == [None]
