"""Sessions to come of units that close: the one heir hosts them, or the draft says who does."""

from typing import Any

import pytest

from app.clock import local_today
from app.db import Database
from app.services.figures import folding, recounting
from tests.figures.test_figures import asked
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.cadres import done
from tests.helpers.client import Api
from tests.helpers.meetings import acted, announced, made, sessions, sitting
from tests.helpers.tables import changed, everything
from tests.reorganisations.branches import OWN, Branches
from tests.units.units import ago


class Meetings(Branches):
    """The first branch has met, and is to meet once more."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        super().__init__(api, database, unit_id)
        head = api.as_("phuongvi-1")
        self.event, _ = announced(head, sessions=[sitting(-3), sitting(7)])
        self.past, self.coming = sessions(head, {"id": self.event})
        acted(head, f"/v1/sessions/{self.past['id']}/hold")

    def hosts(self, session: Json) -> list[int]:
        found = self.sessions_of(self.event)[session["id"]]
        return [host["id"] for host in found["hosts"]]

    def sessions_of(self, event: str) -> dict[str, Json]:
        items = done(self.drafter.get(f"/v1/events/{event}/sessions"))["items"]
        return {each["id"]: each for each in items}

    def calendar(self, unit: int) -> set[str]:
        asked = {"unit": unit, "from": ago(10), "to": ago(-30)}
        found = done(self.drafter.get("/v1/sessions", params=asked))["items"]
        return {each["id"] for each in found}

    def idle(self) -> list[Any]:
        officer = self.api.as_("camkhe")
        units = (self.id["phuongvi"], self.heir)
        return [asked(officer, each, "events.idle_branches")[0]["value"] for each in units]

    def close(self, **body: Any) -> Json:
        """With two successors."""
        operations = [
            {"op": "split", "unit_id": self.gone, "into_ids": [self.heir, self.id["phuongvi-3"]]}
            | {"default_id": self.heir}
            | body
        ]
        return self.draft(*operations)


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds) -> Meetings:
    return Meetings(api, database, unit_id)


def test_they_follow_the_one_heir_and_the_past_stays(world: Meetings, database: Database) -> None:
    head, before = world.api.as_("phuongvi-2"), everything(database, *OWN)
    draft = world.merge()
    seen = world.preview(draft)
    assert (seen["problems"], seen["consequences"]["sessions_to_come"]) == ([], 1)
    world.apply(draft)
    past, coming = world.past["id"], world.coming["id"]
    assert world.calendar(world.heir) == {coming}
    assert past in world.calendar(world.gone)
    assert coming not in world.calendar(world.gone)
    event = done(world.drafter.get(f"/v1/events/{world.event}"))
    assert [host["id"] for host in event["hosts"]] == [world.heir]
    assert [each["id"] for each in event["invited"]] == [world.heir]
    # The head of the heir leads it from now on: she plans a further session, which is hers alone.
    new = head.post(f"/v1/events/{world.event}/sessions", json=sitting(14))
    assert new.status_code == 201, new.text
    assert new.json()["id"] not in world.calendar(world.gone)
    assert refused(world.revert(draft), 409, "ended_row_changed")["kind"] == "event"
    assert before.keys() == everything(database, *OWN).keys()


def test_taken_back_they_are_the_old_branch_s(world: Meetings, database: Database) -> None:
    before = everything(database, *OWN)
    world.apply(draft := world.merge())
    assert changed(before, everything(database, *OWN)).keys() >= {
        *("event", "event_unit", "event_session", "event_session_unit")
    }
    done(world.revert(draft))
    assert changed(before, everything(database, *OWN)) == {}


def test_not_once_one_was_held(world: Meetings) -> None:
    head = world.api.as_("phuongvi-1")
    today, sitting_today = announced(head, sessions=[sitting(0)])
    world.apply(draft := world.merge())
    acted(world.api.as_("phuongvi-2"), f"/v1/sessions/{sitting_today}/hold")
    assert refused(world.revert(draft), 409, "ended_row_changed")["kind"] == "event_session"
    assert world.sessions_of(today)[sitting_today]["state"] == "held"


def test_with_two_heirs_the_draft_says_who_takes_them(world: Meetings) -> None:
    [trouble] = world.preview(world.close())["problems"]
    assert (trouble["operation"], trouble["code"]) == (0, "sessions_to_come")
    day = f"{local_today().year}"
    assert "Sinh hoạt tháng 12 (" in trouble["detail"]
    assert day in trouble["detail"]
    third = world.id["phuongvi-3"]
    world.apply(world.close(sessions_to_id=third))
    assert world.coming["id"] in world.calendar(third)
    assert world.coming["id"] not in world.calendar(world.heir)


def test_a_branch_that_ends_without_an_heir(world: Meetings) -> None:
    """It has nobody any more, but a meeting planned."""
    empty = world.drafter.post(
        "/v1/units",
        json={"level": "branch", "name": "Chi hội trống", "parent_id": world.commune}
        | {"opened_on": ago(20)},
    ).json()["id"]
    event = made(world.drafter, host_unit_ids=[empty], invited_unit_ids=[world.commune])
    path = f"/v1/units/{empty}/close"
    detail = refused(
        world.drafter.post(path, json={"effective_on": ago(0)}), 409, "sessions_to_come"
    )["detail"]
    assert "Chi hội trống còn 1 buổi" in detail
    done(world.drafter.post(path, json={"effective_on": ago(0), "sessions_to_id": world.commune}))
    found = done(world.drafter.get(f"/v1/events/{event['id']}"))
    assert [host["id"] for host in found["hosts"]] == [world.commune]


def test_two_hosts_become_one(world: Meetings) -> None:
    both = [world.gone, world.heir]
    event = made(world.drafter, host_unit_ids=both, invited_unit_ids=[world.commune, *both])
    world.apply(world.merge())
    found = done(world.drafter.get(f"/v1/events/{event['id']}"))
    assert [host["id"] for host in found["hosts"]] == [world.heir]
    assert [each["id"] for each in found["invited"]] == [world.commune, world.heir]


def test_what_was_held_on_the_day_goes_along(world: Meetings) -> None:
    event, today = announced(world.api.as_("phuongvi-1"), sessions=[sitting(0)])
    acted(world.api.as_("phuongvi-1"), f"/v1/sessions/{today}/hold")
    world.apply(draft := world.merge())
    assert today in world.calendar(world.heir)
    done(world.revert(draft))
    assert today in world.calendar(world.gone)
    assert world.sessions_of(event)[today]["state"] == "held"


def test_the_figures_of_the_heir_follow(world: Meetings, database: Database) -> None:
    """She hosts an event that has met: its branch is idle no longer, before and after a fold."""
    folding.fold(database)
    world.apply(world.merge())
    live = world.idle()
    folding.fold(database)
    assert world.idle() == live
    assert recounting.check(database, repair=False) == []
