"""Facts that keep the place of their day (`OfDay`), where a reorganisation of a past day says later that
it was another place: each table of the manifest is asked, one that comes too."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel, col

from app.clock import utc_now
from app.db import Database
from app.models.base import table_of
from app.models.households.households import HouseholdPlace
from app.models.kernel.changes import Change, Feed, Operation
from app.models.kernel.units import UnitClosure
from app.models.members.spells import Membership
from app.services.figures import stale
from app.services.kernel import following, sequencer
from app.services.kernel.manifest import manifest
from app.services.kernel.unit_ends import OfDay
from app.services.support import figure_rows as support_rows
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import done, free_members, made
from tests.helpers.captures import hold, send, tapped
from tests.helpers.client import Api
from tests.helpers.meetings import announced
from tests.helpers.tables import changed, everything
from tests.reorganisations.branches import OWN
from tests.reorganisations.test_histories import holds
from tests.reorganisations.test_split_branches import Split
from tests.units.units import ago

KINDS = ("merge", "split", "part", "move", "merge_above")


class Facts(Split):
    """Facts of the branch from before and after the day of a reorganisation that is recorded late."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        super().__init__(api, database, unit_id)
        self.since, self.far = ago(5), unit_id["tienluong"]
        self.people = [str(each.id) for each in free_members(database, self.gone)]
        for days in (9, 2):
            self.of_people(days)
            self.of_household(days)
        self.answers()

    def of_people(self, days: int) -> None:
        met = hold(self.database, [self.gone], starts_at=utc_now() - timedelta(days=days))
        send(self.drafter, met, [tapped(each) for each in self.people[:5]])

    def of_household(self, days: int) -> None:
        path, api = f"/v1/households/{self.poor}", self.drafter
        found = {"assessed_on": ago(days), "income_per_person": 900_000, "answers": {}}
        made(api.post(f"{path}/assessments", json=found | {"source": "union_visit"}))
        decided: Json = {
            "class": "near_poor" if days == 2 else "poor",
            "decision_number": f"{days}/QĐ",
        }
        decided |= {"decided_on": ago(days), "valid_from": ago(days)}
        made(api.post(f"{path}/poverty-status", json=decided))
        gift = {"kind": "gift", "given_on": ago(days), "value_vnd": 3_000_000}
        made(api.post(f"{path}/support", json=gift))

    def answers(self) -> None:
        _, session_id = announced(self.drafter, host_unit_ids=[self.commune])
        for each in self.people[:5]:
            body = {"member_id": each, "answer": "yes"}
            done(self.drafter.post(f"/v1/sessions/{session_id}/rsvps", json=body))

    def reorganised(self, kind: str) -> Json:
        if kind == "split":
            poor = {"household_id": str(self.poor), "to_id": "b"}
            return self.split(default_id="a", households=[poor], sessions_to_id="a")
        if kind == "move":
            branch = {"unit_ids": [self.gone], "from_id": self.commune, "to_id": self.far}
            return self.draft({"op": "transfer"} | branch)
        if kind == "merge_above":
            both = {"unit_ids": [self.commune, self.far], "into_id": self.far}
            return self.draft({"op": "merge"} | both)
        draft: Json = getattr(self, kind)()
        return draft


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds) -> Facts:
    return Facts(api, database, unit_id)


def of_days() -> Iterator[tuple[type[SQLModel], OfDay, type[Any], str]]:
    """Each table, with the rows that say where its member or household stood."""
    for model, end in manifest().unit_ends.items():
        if isinstance(end, OfDay):
            of_member = "member_id" in table_of(model).c
            stays: type[Any] = Membership if of_member else HouseholdPlace
            yield model, end, stays, "member_id" if of_member else "household_id"


def facts(database: Database, model: type[SQLModel], end: OfDay) -> Iterator[tuple[date, Any]]:
    with database.reading() as db:
        for row in db.execute(sa.select(table_of(model))).mappings():
            yield end.day_of(dict(row)), row


def elsewhere(world: Facts) -> list[str]:
    """Facts whose row names another place than where their member or household stood on the day."""
    above = by(world.database, UnitClosure, "descendant_id")
    wrong = []
    for model, end, stays, owner in of_days():
        stood = by(world.database, stays, owner)
        for day, row in facts(world.database, model, end):
            if row["branch_id"] is None or day < date.fromisoformat(ago(9)):
                continue
            branches = {each.branch_id for each in stood[row[owner]] if holds(each, day)}
            path = {each.ancestor_id for each in above[row["branch_id"]] if holds(each, day)}
            named = {row[name] for name in ("province_id", "commune_id")}
            if row["branch_id"] not in branches or not named <= path:
                wrong.append(f"{model.__tablename__} of {day}: {row['branch_id']} {named}")
    return wrong


def by(database: Database, model: type[Any], column: str) -> dict[Any, list[Any]]:
    found = defaultdict(list)
    with database.reading() as db:
        for row in db.execute(sa.select(table_of(model))):
            found[getattr(row, column)].append(row)
    return found


def test_each_table_has_facts_of_these_days(world: Facts, database: Database) -> None:
    """Else the test below would say nothing of it."""
    for model, end, *_ in of_days():
        days = [day for day, _ in facts(database, model, end)]
        assert any(day >= date.fromisoformat(world.since) for day in days), model


def test_they_are_where_they_were_on_their_day(world: Facts, database: Database) -> None:
    assert elsewhere(world) == []
    before, counted = everything(database, *OWN), supported(world)
    for kind in KINDS:
        world.apply(draft := world.reorganised(kind))
        assert elsewhere(world) == [], kind
        assert supported(world) == counted, kind
        done(world.revert(draft))
        assert elsewhere(world) == [], kind
        assert changed(before, everything(database, *OWN)) == {}, kind


def supported(world: Facts) -> list[int]:
    """As was and as is, in the two communes together."""
    return [
        sum(
            len(done(world.drafter.get("/v1/support", params=asked | {"unit": unit}))["items"])
            for unit in (world.commune, world.far)
        )
        for asked in ({"hierarchy": "as_was"}, {"hierarchy": "as_is"})
    ]


def test_both_branches_are_counted_anew(world: Facts, database: Database) -> None:
    with database.reading() as db:
        seq = following.newest(db).seq
    world.apply(world.reorganised("part"))
    [support] = (each for each in support_rows.FIGURES if each.name == "support")
    with database.reading() as db:
        assert stale.changed(db, seq).concerns(support) >= {world.gone, world.heir}


def test_a_follower_sees_a_fact_leave_and_come(world: Facts, database: Database) -> None:
    """Who reads the log of the branch they left, which stays, learns of it as the other one does."""
    world.apply(world.reorganised("part"))
    sequencer.settle(database)
    with database.reading() as db:
        moved = (
            sa.select(col(Feed.operation), col(Feed.branch_id), sa.func.count())
            .join(Change, col(Change.id) == col(Feed.change_id))
            .where(col(Feed.entity) == "attendance", col(Change.operation) == Operation.moved)
            .group_by(col(Feed.operation), col(Feed.branch_id))
        )
        found = {(row[0], row[1]): row[2] for row in db.execute(moved)}
    assert found == {
        (Operation.left_scope, world.gone): len(world.chosen),
        (Operation.entered_scope, world.heir): len(world.chosen),
    }


def test_a_decision_is_news_where_its_household_stands(world: Facts, database: Database) -> None:
    """Not where it stood when the decision was made: nobody there decides on it any more."""
    path = f"/v1/households/{world.poor}/poverty-status"
    [newest, *_] = done(world.drafter.get(path))["items"]
    world.apply(world.reorganised("merge_above"))
    done(world.drafter.post(f"{path}/{newest['id']}/annul", json={"note": "Nhầm hộ"}))
    sequencer.settle(database)
    with database.reading() as db:
        last = (
            sa.select(col(Feed.commune_id))
            .where(col(Feed.entity) == "poverty_status")
            .order_by(col(Feed.seq).desc())
        )
        assert db.execute(last.limit(1)).scalar_one() == world.far
