"""The fold takes many short transactions: between any two of them every figure is exact, and nothing that
is done there is lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from app.clock import local_today
from app.db import Database
from app.models.figures.rollups import FigureFold, FigureStale
from app.services.figures import folding, recounting, rollups, stale
from app.services.figures.stored import Stored
from app.services.kernel import sequencer
from tests.figures.test_figures import asked
from tests.figures.test_once import CODES as ONCE
from tests.figures.test_once import LIVE, change
from tests.figures.test_recount import Facts, Naive
from tests.figures.test_rollups import CODES
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, counted, writing

UNITS = ("phutho", "phuongvi", "phuongvi-1")
EVERY = (*CODES.split(","), *ONCE)


class Stepped(Database):
    """The same database, all its changes numbered; `between` is called before each transaction but the
    first, with how many there were."""

    def __init__(self, database: Database, between: Callable[[int], None]) -> None:
        sequencer.settle(database)
        self.__dict__.update(vars(database))
        self.database, self.between, self.transactions = database, between, 0

    @contextmanager
    def writing(self) -> Iterator[Session]:
        if self.transactions:
            self.between(self.transactions)
        self.transactions += 1
        with self.database.writing() as session:
            yield session


class Killed(Exception):
    pass


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 3 years of months one is enough, and all that is stale is counted a day at a time."""
    monkeypatch.setattr(rollups, "MONTHS", 1)
    monkeypatch.setattr(folding, "FEW_UNITS", 0)


@pytest.fixture
def facts(api: Api, database: Database) -> Facts:
    """They are folded, and have changed since."""
    facts = Facts(database, 7)
    facts.all()
    folding.fold(database)
    change(database, facts)
    return facts


def expected(database: Database, unit_id: UnitIds) -> Json:
    today = local_today()
    with writing(database) as session:
        naive = Naive(session)
    of_units = {name: naive.of(unit_id[name], today.replace(day=1), today) for name in UNITS}
    return {name: {code: every[code] for code in EVERY} for name, every in of_units.items()}


def answered(api: Api, unit_id: UnitIds) -> Json:
    officer, period = api.as_("phutho"), f"{local_today():%Y-%m}"
    return {
        name: {
            each["indicator"]: each["value"]
            for each in asked(officer, unit_id[name], ",".join(EVERY), period=period)
            if each["line"] == "total"
        }
        for name in UNITS
    }


def place(database: Database) -> int:
    with writing(database) as session:
        return session.exec(select(FigureFold.seq)).one()


def marks(database: Database) -> set[UUID]:
    with writing(database) as session:
        return set(session.exec(select(FigureStale.id)))


def is_right(database: Database, api: Api, unit_id: UnitIds) -> None:
    assert answered(api, unit_id) == expected(database, unit_id)
    assert recounting.check(database, repair=False) == []


def is_all_stored(database: Database, api: Api, unit_id: UnitIds) -> None:
    is_right(database, api, unit_id)
    with counted(database) as statements:
        answered(api, unit_id)
    assert not [each for each in statements if any(text in each for text in LIVE)]


def length(database: Database, facts: Facts) -> int:
    """How many transactions a fold has that finds something in every series."""
    whole = Stepped(database, lambda _: None)
    folding.fold(whole)
    change(database, facts)
    return whole.transactions


def test_readers_and_writers_between_two_transactions(
    api: Api, database: Database, unit_id: UnitIds, facts: Facts
) -> None:
    """What changes once its unit has been counted is counted by the next fold."""
    steps = length(database, facts)
    looks = {1, steps // 2, steps - 5}

    def between(done: int) -> None:
        if done not in looks:
            return
        is_right(database, api, unit_id)
        change(database, facts)

    stepped = Stepped(database, between)
    assert folding.fold(stepped) > 0
    assert stepped.transactions > max(looks)
    is_right(database, api, unit_id)
    assert folding.fold(database) > 0
    is_all_stored(database, api, unit_id)
    assert folding.fold(database) == 0


def test_a_fold_that_is_killed_has_lost_nothing(
    api: Api, database: Database, unit_id: UnitIds, facts: Facts
) -> None:
    steps = length(database, facts)
    was, marked = place(database), marks(database)
    for at in (2, steps // 2, steps - 5):

        def between(done: int, at: int = at) -> None:
            if done == at:
                raise Killed

        with pytest.raises(Killed):
            folding.fold(Stepped(database, between))
        assert (place(database), marks(database)) == (was, marked)
        is_right(database, api, unit_id)
    assert folding.fold(database) > 0
    assert place(database) > was
    assert marks(database) == set()
    is_all_stored(database, api, unit_id)


def test_a_mark_that_is_made_meanwhile_stays(
    api: Api, database: Database, unit_id: UnitIds, facts: Facts
) -> None:
    made: set[UUID] = set()

    def between(done: int) -> None:
        before = marks(database)
        with writing(database) as session:
            stale.mark(session, "membership", [unit_id["phuongvi-1"]])
        if done == 1:
            made.update(marks(database) - before)

    folding.fold(Stepped(database, between))
    assert made
    assert made <= marks(database)
    folding.fold(database)
    assert marks(database) == set()
    is_all_stored(database, api, unit_id)


def test_two_folds_at_once(api: Api, database: Database, unit_id: UnitIds, facts: Facts) -> None:
    """The slower one ends where the other has been."""
    folds: list[int] = []

    def between(done: int) -> None:
        if done == 3:
            folds.append(folding.fold(database))
            change(database, facts)

    slower = folding.fold(Stepped(database, between))
    assert folds[0] > slower
    is_right(database, api, unit_id)
    folding.fold(database)
    is_all_stored(database, api, unit_id)


def test_what_is_dropped_meanwhile_is_counted_in_all_units(
    api: Api, database: Database, unit_id: UnitIds, facts: Facts
) -> None:
    def between(done: int) -> None:
        if done == 1:
            with writing(database) as session:
                for model in ("figure_day", "figure_shared", "figure_kept"):
                    session.connection().execute(sa.text(f"DELETE FROM {model}"))

    folding.fold(Stepped(database, between))
    is_all_stored(database, api, unit_id)


def test_each_series_and_day_is_a_transaction(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    folding.fold(database)
    with writing(database) as session:
        stale.mark(session, "membership", [unit_id["phuongvi-1"]])
        of_members = sa.text("SELECT count(*) FROM figure_kept WHERE rows LIKE 'members.%'")
        kept = session.execute(of_members).scalar_one()
    stepped = Stepped(database, lambda _: None)
    folding.fold(stepped)
    looked_and_moved, nothing_missing = 2, 1
    assert stepped.transactions - looked_and_moved - nothing_missing >= kept > 0


class Counting:
    """Calls `act` at the first count, with the database as it is then."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, where: Any, act: Callable[[], None]
    ) -> None:
        self.count, self.act, self.times = where.count_alone, act, 0
        monkeypatch.setattr(where, "count_alone", self)

    def __call__(self, *args: Any) -> Stored:
        found: Stored = self.count(*args)
        self.times += 1
        if self.times == 1:
            self.act()
        return found


def test_nobody_waits_while_days_are_counted_that_are_missing(
    api: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changes after its unit was counted is taken in by the next fold."""
    facts = Facts(database, 7)
    facts.all()
    counting = Counting(monkeypatch, folding, lambda: change(database, facts))
    folding.fold(database)
    assert counting.times > 1
    is_right(database, api, unit_id)
    folding.fold(database)
    is_all_stored(database, api, unit_id)


def test_a_fold_that_was_overtaken_stores_none_of_its_counts(
    api: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one has taken in a change, mark and all, that its count lacks."""
    facts = Facts(database, 7)
    facts.all()

    def overtake() -> None:
        change(database, facts)
        folding.fold(database)

    Counting(monkeypatch, folding, overtake)
    assert folding.fold(database) == 0
    is_all_stored(database, api, unit_id)


def test_a_fold_that_was_killed_while_it_counted_is_done_again(
    api: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill() -> None:
        raise Killed

    Counting(monkeypatch, folding, kill)
    with pytest.raises(Killed):
        folding.fold(database)
    is_right(database, api, unit_id)
    folding.fold(database)
    is_all_stored(database, api, unit_id)


def test_nobody_waits_for_the_check(
    api: Api, database: Database, unit_id: UnitIds, facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    folding.fold(database)
    Counting(monkeypatch, recounting, lambda: change(database, facts))
    is_right(database, api, unit_id)
