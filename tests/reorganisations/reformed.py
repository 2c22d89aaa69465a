"""A world for tests of trees: random facts before, during and after random reorganisations."""

from datetime import date, timedelta
from random import Random
from typing import Any

from sqlmodel import Session

from app.clock import local_today
from app.db import Database
from app.models.kernel.changes import ChangeSource
from app.services.kernel import changes
from tests.figures.test_recount import Facts
from tests.groups.test_groups import joined, opened
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import done
from tests.helpers.client import Api
from tests.helpers.homes import decide, home
from tests.reorganisations.test_histories import STEPS, History
from tests.units.units import acting

DAY = timedelta(days=1)


class DecidedFacts(Facts):
    """Without stays that no decision is behind: the roll-up does not have them."""

    def stays(self, session: Session, homes: list[Any]) -> None:
        pass


class Reformed:
    """A district with random facts, before, during and after random reorganisations."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds, seed: int) -> None:
        self.api, self.database, self.id = api.as_("phutho"), database, unit_id
        self.random = Random(seed)
        self.today = local_today()
        facts = DecidedFacts(database, seed)
        for branch in facts.branches:
            household = home(database, branch, people=self.random.randint(1, 5))
            since = self.today - DAY * self.random.randint(STEPS, 400)
            decide(database, household, self.random.choice(["poor", "near_poor"]), str(since))
        self.groups(facts)
        actor = acting(database, "camkhe")
        with Session(database.writer, autoflush=False, expire_on_commit=False) as session:
            changes.attribute(session, changes.Origin(ChangeSource.job))
            history = History(session, actor, unit_id, seed)
            for _ in range(STEPS):
                history.step()
                session.expire_all()
            session.commit()
        assert history.outcomes["done"]
        # Facts of days on which their branch had closed already, or had not opened yet, among them.
        DecidedFacts(database, seed).all()

    def groups(self, facts: Facts) -> None:
        """In some branches, with people of anywhere."""
        for number, branch in enumerate(facts.branches[::3]):
            group = opened(self.api, branch, f"Câu lạc bộ {number}", "club")
            for member_id in facts.some(3):
                joined(self.api, group, str(member_id), valid_from=str(self.today - DAY * STEPS))

    def days(self) -> list[date]:
        """Days of trees: before and during the reorganisations."""
        during = self.today - DAY * self.random.randint(1, STEPS - 1)
        return [self.today - DAY * (STEPS + 2), during]

    def trees(self) -> list[str]:
        return ["as_was", "as_is", *map(str, self.days())]

    def get(self, path: str, **query: Any) -> Json:
        found: Json = done(self.api.get(path, params=query))
        return found
