"""Figures that count people and households once are stored: exact in every unit and period, with keys
in several units, before and after a fold."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import Session, col, select

from app.clock import local_today
from app.db import Database
from app.models.attendance.attendance import Attendance, AttendanceMode
from app.models.base import new_id
from app.models.events.events import EventSession
from app.models.figures.rollups import FigureShared
from app.models.kernel.units import Unit
from app.models.support.support import Support, SupportState
from app.models.support.visits import HouseholdVisit
from app.services.attendance import facts as attended
from app.services.figures import folding, recounting, rollups, stale
from tests.figures.test_figures import asked
from tests.figures.test_recount import DAY, Facts, Naive
from tests.figures.test_rollups import remove
from tests.helpers.answers import UnitIds
from tests.helpers.captures import hold, members_of
from tests.helpers.client import Api, counted, utc_now, writing
from tests.helpers.homes import attributed, decide, home
from tests.helpers.soak import seeds

ONCE = (
    "attendance.people",
    "support.households",
    "cadres.people",
    *(
        f"poverty.{each}_{how}"
        for each in ("poor", "near_poor")
        for how in ("new", "relapsed", "escaped")
    ),
)
# These depend on changes that the log has elsewhere.
ELSEWHERE = ("attendance.hosted", "support.times", "events.idle_branches", "support.unvisited")
CODES = (*ONCE, *ELSEWHERE)
LIVE = (
    "FROM attendance",
    "FROM support",
    "FROM poverty_stay",
    "FROM appointment",
    "JOIN event_unit",
)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "MONTHS", 1)


def periods() -> list[str]:
    """The month before, and this month, quarter, half-year and year so far."""
    today = local_today()
    before = today.replace(day=1) - DAY
    quarter, half = (today.month + 2) // 3, (today.month + 5) // 6
    names = (f"{before:%Y-%m}", f"{today:%Y-%m}", f"{today.year}-Q{quarter}")
    return [*names, f"{today.year}-H{half}", f"{today.year}"]


def days(api: Api, unit: int, period: str) -> tuple[date, date]:
    line = asked(api, unit, "members.total", period=period)[0]
    return date.fromisoformat(line["first_day"]), date.fromisoformat(line["last_day"])


def found(api: Api, unit: int, period: str, **more: str) -> dict[str, Any]:
    items = asked(api, unit, ",".join(CODES), period=period, **more)
    return {each["indicator"]: each["value"] for each in items if each["line"] == "total"}


def attend(session: Session, session_id: UUID, branch_of: Mapping[UUID, int]) -> None:
    """These members, each from a branch."""
    sitting = session.get_one(EventSession, session_id)
    rows = [
        {
            "id": attended.fact_id(session_id, member_id),
            "session_id": session_id,
            "member_id": member_id,
            "local_date": sitting.local_date,
            "branch_id": branch_id,
            "on_roster": True,
            "mode": AttendanceMode.in_person,
            "attended_at": utc_now(),
            "capture_id": new_id(),
            "revision": 1,
        }
        | {
            name: getattr(session.get_one(Unit, branch_id), name)
            for name in ("province_id", "district_id", "commune_id")
        }
        for member_id, branch_id in branch_of.items()
    ]
    attended.add(session, rows)


def come(facts: Facts, session: Session) -> None:
    """Some more to each session, from branches drawn anew for each."""
    there = {(each.session_id, each.member_id) for each in session.exec(select(Attendance))}
    for sitting in session.exec(select(EventSession)).all():
        new = [each for each in facts.some(8) if (sitting.id, each) not in there]
        attend(session, sitting.id, {each: facts.rng.choice(facts.branches) for each in new})


def change(database: Database, facts: Facts) -> None:
    with writing(database) as session:
        attributed(session)
        come(facts, session)
        for row in facts.rng.sample(list(session.exec(select(Attendance))), 20):
            remove(session, row)
        for support in facts.rng.sample(list(session.exec(select(Support))), 8):
            support.state = facts.rng.choice([*SupportState])
        facts.posts(session)
        household = facts.rng.choice(list(session.exec(select(Support)))).household_id
        session.add(
            HouseholdVisit(
                household_id=household,
                province_id=1,
                visited_on=local_today(),
                visitors=[],
                needs=[],
                created_at=utc_now(),
                updated_at=utc_now(),
            )
        )
        facts.support(session, [household])
    decide(database, home(database, facts.rng.choice(facts.branches)), "poor", str(local_today()))


@pytest.mark.drawn
@pytest.mark.parametrize("seed", seeds(1))
def test_every_period_is_exact_between_any_facts_and_folds(
    api: Api, database: Database, unit_id: UnitIds, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, officer = Facts(database, seed), api.as_("phutho")
    facts.all()
    folding.fold(database)
    of_periods = {each: days(officer, unit_id["phutho"], each) for each in periods()}
    for turn in range(4):
        with writing(database) as session:
            naive = Naive(session)
        for name in ("phutho", "phuongvi", "phuongvi-1"):
            for period, (first, last) in of_periods.items():
                every = naive.of(unit_id[name], first, last)
                expected = {code: every[code] for code in CODES}
                assert found(officer, unit_id[name], period) == expected, (turn, name, period)
        if turn % 2:
            monkeypatch.setattr(folding, "FEW_UNITS", (1_000, 0)[turn // 2])
            folding.fold(database)
            assert recounting.check(database, repair=False) == []
        else:
            change(database, facts)
    with writing(database) as session:
        assert session.exec(select(FigureShared)).first() is not None


def test_many_units_are_counted_a_day_at_a_time(
    api: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list brought in concerns every branch: all that it adds on all days is never in memory."""
    monkeypatch.setattr(rollups, "MONTHS", 4)
    folding.fold(database)
    at_once = []
    for few in (1_000, 0):
        monkeypatch.setattr(folding, "FEW_UNITS", few)
        with writing(database) as session:
            stale.mark(session, "membership", [unit_id["phuongvi-1"], unit_id["phuongvi-2"]])
        with counted(database) as statements:
            folding.fold(database)
        at_once.append(max(text.count(" AS no, ") for text in statements))
    assert at_once == [5, 1]


def test_what_is_stored_is_not_counted_again(
    api: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "MONTHS", 12)
    facts, officer = Facts(database, 1), api.as_("phutho")
    facts.all()
    folding.fold(database)
    for name in ("phutho", "phuongvi", "phuongvi-1"):
        for period in periods():
            with counted(database) as statements:
                found(officer, unit_id[name], period)
            assert not [each for each in statements if any(text in each for text in LIVE)]


def test_who_came_in_two_branches_is_one_woman_of_their_commune(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    """Until she is withdrawn from one of them."""
    officer, commune = api.as_("camkhe"), unit_id["phuongvi"]
    her = members_of(database, unit_id["phuongvi-1"])[0]
    held = {unit_id[name]: hold(database, [unit_id[name]]) for name in ("phuongvi-1", "phuongvi-2")}
    with writing(database) as session:
        attributed(session)
        for branch, session_id in held.items():
            attend(session, session_id, {her: branch})

    def people() -> list[Any]:
        units = [commune, unit_id["phuongvi-1"], unit_id["phuongvi-2"]]
        return [
            asked(officer, each, "attendance.people", period=str(local_today().year))[0]["value"]
            for each in units
        ]

    assert people() == [1, 1, 1]
    folding.fold(database)
    assert people() == [1, 1, 1]
    with writing(database) as session:
        attributed(session)
        hers = select(Attendance).where(col(Attendance.branch_id) == unit_id["phuongvi-2"])
        remove(session, session.exec(hers.where(col(Attendance.member_id) == her)).one())
    for _ in range(2):
        assert people() == [1, 1, 0]
        folding.fold(database)
        assert recounting.check(database, repair=False) == []


def test_a_wrong_place_of_a_key_is_found(api: Api, database: Database, unit_id: UnitIds) -> None:
    facts = Facts(database, 1)
    facts.all()
    folding.fold(database)
    with writing(database) as session:
        session.delete(session.exec(select(FigureShared)).first())
    assert recounting.check(database, repair=True) != []
    folding.fold(database)
    assert recounting.check(database, repair=False) == []
