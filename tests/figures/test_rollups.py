"""Roll-ups: exact whatever happened since the fold, and whether or not it ran."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import Session, col, func, select

from app.clock import local_today
from app.db import Database
from app.models.attendance.attendance import Attendance
from app.models.events.events import EventSession, SessionState
from app.models.figures.rollups import FigureDay, FigureKept
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import Member, MemberKind
from app.models.members.spells import Membership
from app.services.attendance.figure_rows import HOSTED
from app.services.figures import counting, folding, recounting, rollups, stale
from app.services.kernel import changes, sequencer
from tests.figures.test_figures import asked
from tests.figures.test_recount import Facts, Naive
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import members_of
from tests.helpers.client import Api, counted, utc_now, writing
from tests.helpers.homes import attributed, decide, home
from tests.helpers.soak import seeds

DAY = timedelta(days=1)
CODES = ",".join(
    f"members.{name}"
    for name in ("total", "women", "honorary", "core", "party", "minority", "age_over_59")
)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 3 years of months one is enough."""
    monkeypatch.setattr(rollups, "MONTHS", 1)


def stored(database: Database) -> int:
    with writing(database) as session:
        of_units = select(func.count()).where(col(FigureDay.whole).is_(False))
        return session.exec(of_units).one()


def stored_units(database: Database, day: date) -> int:
    with writing(database) as session:
        of_day = select(func.count()).where(
            col(FigureDay.day) == day,
            col(FigureDay.rows) == "members.members",
            col(FigureDay.whole).is_(False),
        )
        return session.exec(of_day).one()


def month_end() -> date:
    """The last day of the month before this one."""
    return local_today().replace(day=1) - DAY


def figures(api: Api, unit: int, day: date | None = None, **more: str) -> dict[str, Any]:
    day = day or local_today()
    items = asked(api, unit, CODES, period=f"{day}..{day}", **more)
    return {
        f"{each['indicator']} {each['line']} {each['unit_id']}": each["value"] for each in items
    }


def naive(database: Database, unit: int, day: date) -> Json:
    with writing(database) as session:
        found = Naive(session).of(unit, day, day)
    return {f"{code} total {unit}": found[code] for code in CODES.split(",")}


def remove(session: Session, row: Attendance) -> None:
    key = (col(Attendance.session_id) == row.session_id, col(Attendance.member_id) == row.member_id)
    session.connection().execute(sa.delete(Attendance).where(*key))
    changes.record_deleted(session, Attendance, [row.model_dump()])
    host = session.get_one(EventSession, row.session_id).host_id
    stale.mark(session, HOSTED, [host])


def rows_read(database: Database, api: Api, unit: int, day: date) -> bool:
    """Whether an answer counted memberships."""
    with counted(database) as statements:
        figures(api, unit, day)
    return any("JOIN member ON" in text for text in statements)


class TestFold:
    def test_counts_each_branch_once(self, database: Database, api: Api, unit_id: UnitIds) -> None:
        with writing(database) as session:
            of_branches = select(func.count()).where(col(Unit.level) == UnitLevel.branch)
            branches = session.exec(of_branches).one()
        done = folding.fold(database)
        assert done == stored(database) >= branches * 2
        assert folding.fold(database) == 0
        officer = api.as_("camkhe")
        for name in ("camkhe", "phuongvi", "phuongvi-1"):
            for day in (local_today(), month_end()):
                assert not rows_read(database, officer, unit_id[name], day)
        assert rows_read(database, officer, unit_id["camkhe"], month_end() - DAY)

    def test_a_change_has_its_branches_counted_anew(
        self, database: Database, api: Api, unit_id: UnitIds
    ) -> None:
        folding.fold(database)
        officer, branch, other = api.as_("camkhe"), unit_id["phuongvi-1"], unit_id["phuongvi-2"]
        before = figures(officer, branch)
        her = members_of(database, branch)[0]
        with writing(database) as session:
            attributed(session)
            member = session.get_one(Member, her)
            member.core, member.kind = not member.core, MemberKind.honorary
        assert figures(officer, branch) != before
        assert figures(officer, branch) == naive(database, branch, local_today())
        assert rows_read(database, officer, branch, local_today())
        assert not rows_read(database, officer, other, local_today())
        assert folding.fold(database) > 0
        assert not rows_read(database, officer, branch, local_today())
        assert figures(officer, branch) == naive(database, branch, local_today())

    def test_a_change_of_a_record_reaches_where_she_once_was(
        self, database: Database, api: Api, unit_id: UnitIds
    ) -> None:
        """She is counted in her former branch by today's record on days before she was entered."""
        first, second = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
        officer = api.as_("phuongvi")
        her = members_of(database, first)[0]
        to = {"to_branch_id": second}
        assert officer.post(f"/v1/members/{her}/transfers", json=to).status_code == 201
        folding.fold(database)
        before = figures(officer, first, month_end())
        with writing(database) as session:
            attributed(session)
            member = session.get_one(Member, her)
            member.core = not member.core
        after = figures(officer, first, month_end())
        assert after != before
        assert after == naive(database, first, month_end())

    def test_more_changes_than_it_looks_at_are_counted(
        self,
        database: Database,
        api: Api,
        unit_id: UnitIds,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        folding.fold(database)
        monkeypatch.setattr(stale, "_MOST_CHANGES", 3)
        branch = unit_id["phuongvi-1"]
        for her in members_of(database, branch)[:4]:
            with writing(database) as session:
                attributed(session)
                session.get_one(Member, her).core = True
        officer = api.as_("phuongvi")
        assert figures(officer, branch) == naive(database, branch, local_today())
        folding.fold(database)
        assert figures(officer, branch) == naive(database, branch, local_today())

    def test_more_branches_than_one_statement_takes_are_counted(
        self,
        database: Database,
        api: Api,
        unit_id: UnitIds,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        folding.fold(database)
        some = [members_of(database, unit_id[f"phuongvi-{number}"])[0] for number in (1, 2)]
        with writing(database) as session:
            attributed(session)
            for her in some:
                member = session.get_one(Member, her)
                member.core = not member.core
        monkeypatch.setattr(rollups, "_MOST_LEFT", 1)
        with counted(database) as statements:
            found = figures(api.as_("phuongvi"), unit_id["phuongvi"])
        assert found == naive(database, unit_id["phuongvi"], local_today())
        assert not any("some_parts" in text for text in statements)

    def test_a_new_rule_is_counted_until_it_is_stored(
        self, database: Database, api: Api, unit_id: UnitIds
    ) -> None:
        folding.fold(database)
        with writing(database) as session:
            of_members = col(FigureKept.rows) == "members.members"
            session.execute(
                sa.update(FigureKept).where(of_members).values(figures=["members.total/1"])
            )
            session.execute(sa.update(FigureDay).values(figures={"members.total/1": 1}))
        unit, officer = unit_id["camkhe"], api.as_("camkhe")
        assert figures(officer, unit) == naive(database, unit, local_today())
        folding.fold(database)
        assert figures(officer, unit) == naive(database, unit, local_today())
        assert not rows_read(database, officer, unit, local_today())

    def test_days_that_are_over_are_dropped(self, database: Database, unit_id: UnitIds) -> None:
        folding.fold(database)
        before = stored(database)
        with writing(database) as session:
            key = {"rows": "members.members", "day": local_today() - 3 * DAY}
            if key["day"] in rollups.kept_days():
                key["day"] = local_today() - 4 * DAY
            row = key | {"whole": False, "unit_id": unit_id["phuongvi-1"], "figures": {}}
            session.connection().execute(sa.insert(FigureDay), [row])
            session.connection().execute(sa.insert(FigureKept), [key | {"figures": []}])
        folding.fold(database)
        assert stored(database) == before


@pytest.mark.drawn
@pytest.mark.parametrize("seed", seeds(1))
def test_every_read_is_exact_between_any_facts_and_folds(
    api: Api, database: Database, unit_id: UnitIds, seed: int
) -> None:
    facts = Facts(database, seed)
    officer = api.as_("phutho")
    with writing(database) as session:
        session.execute(sa.update(Member).values(created_at=utc_now()))
    folding.fold(database)
    for turn in range(4):
        with writing(database) as session:
            attributed(session)
            facts.records(session)
            if turn == 1:
                facts.spells(session)
        if facts.rng.random() < 0.5:
            folding.fold(database)
        for name in ("phutho", "phuongvi", "phuongvi-1", "tienluong-2"):
            for day in (local_today(), month_end()):
                expected = naive(database, unit_id[name], day)
                assert figures(officer, unit_id[name], day) == expected, (turn, name, day)
        split = figures(officer, unit_id["camkhe"], by="child")
        for code in CODES.split(","):
            parts = [value for key, value in split.items() if key.startswith(f"{code} child")]
            assert split[f"{code} total {unit_id['camkhe']}"] == sum(parts)
    assert recounting.check(database, repair=False) == []


@pytest.mark.drawn
@pytest.mark.parametrize("seed", seeds(1))
def test_all_rows_are_exact_between_any_facts_and_folds(
    api: Api, database: Database, unit_id: UnitIds, seed: int
) -> None:
    """Those of months too, and of units above the branches."""
    facts = Facts(database, seed)
    officer = api.as_("phutho")
    with writing(database) as session:
        session.execute(sa.update(Member).values(created_at=utc_now()))
    facts.all()
    folding.fold(database)
    first = month_end().replace(day=1)
    for turn in range(3):
        if turn == 2:
            folding.fold(database)
        for name in ("phutho", "phuongvi", "phuongvi-1"):
            for since, until in (
                (first, month_end()),
                (first, local_today()),
                (local_today(), local_today()),
            ):
                with writing(database) as session:
                    expected = Naive(session).of(unit_id[name], since, until)
                codes = ",".join(expected)
                items = asked(officer, unit_id[name], codes, period=f"{since}..{until}")
                found = {each["indicator"]: each["value"] for each in items}
                rounded = {code: each and round(each, 2) for code, each in expected.items()}
                assert found == rounded, (turn, name, since, until)
        with writing(database) as session:
            attributed(session)
            facts.posts(session)
            spells = list(
                session.exec(select(Membership).where(col(Membership.valid_to).is_(None)))
            )
            for spell in facts.rng.sample(spells, 9):
                spell.annulled_at = utc_now()
            for sitting in facts.rng.sample(list(session.exec(select(EventSession))), 4):
                sitting.state = facts.rng.choice([SessionState.held, SessionState.cancelled])
            for row in facts.rng.sample(list(session.exec(select(Attendance))), 9):
                remove(session, row)
        decide(database, home(database, facts.rng.choice(facts.branches)), "poor", str(first))
    assert recounting.check(database, repair=False) == []


def test_a_poor_household_counts_at_once_and_where_it_was(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    """The log of a decision stands where the household is today; its stays stand where it was."""
    folding.fold(database)
    officer, first = api.as_("phuongvi"), month_end().replace(day=1)
    household = home(database, unit_id["phuongvi-1"])
    decide(database, household, "poor", str(first))

    def poor(name: str, day: date) -> Any:
        return asked(officer, unit_id[name], "poverty.poor", period=f"{day}..{day}")[0]["value"]

    body = {"branch_id": unit_id["phuongvi-2"], "effective_on": local_today().isoformat()}
    there = officer.post(f"/v1/households/{household}/move", json=body)
    assert there.status_code == 200, there.text
    for turn in range(2):
        found = [
            poor(name, day)
            for name in ("phuongvi", "phuongvi-1", "phuongvi-2")
            for day in (month_end(), local_today())
        ]
        assert found == [1, 1, 1, 0, 0, 1], turn
        folding.fold(database)
        assert recounting.check(database, repair=False) == []


def test_the_sums_follow_a_branch_that_moves(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    folding.fold(database)
    officer, branch = api.as_("camkhe"), unit_id["phuongvi-1"]
    body = {"parent_id": unit_id["tienluong"], "effective_on": local_today().isoformat()}
    before = {
        name: figures(officer, unit_id[name])[f"members.total total {unit_id[name]}"]
        for name in ("phuongvi", "tienluong", "camkhe", "phuongvi-1")
    }
    then = {
        name: figures(officer, unit_id[name], month_end())[f"members.total total {unit_id[name]}"]
        for name in before
    }
    assert officer.post(f"/v1/units/{branch}/moves", json=body).status_code == 200
    hers = before["phuongvi-1"]
    moved = {
        "phuongvi": before["phuongvi"] - hers,
        "tienluong": before["tienluong"] + hers,
        "camkhe": before["camkhe"],
    }
    for turn in range(2):
        for name, expected in moved.items():
            code = f"members.total total {unit_id[name]}"
            assert figures(officer, unit_id[name])[code] == expected, (turn, name)
            assert figures(officer, unit_id[name], month_end())[code] == then[name], (turn, name)
        folding.fold(database)
        assert recounting.check(database, repair=False) == []


@pytest.mark.race
def test_readers_are_exact_beside_writers_and_folds(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    """Each writer makes one woman honorary and another regular, in one transaction: the sum of both
    never changes, and no reader may see it otherwise."""
    branches = [unit_id[name] for name in ("phuongvi-1", "phuongvi-2", "tienluong-1")]
    pairs = [members_of(database, branch)[:2] for branch in branches]
    with writing(database) as session:
        attributed(session)
        for one, _ in pairs:
            session.get_one(Member, one).kind = MemberKind.honorary
    folding.fold(database)
    officer = api.as_("camkhe")
    expected = figures(officer, unit_id["camkhe"])

    def swap(pair: list[UUID]) -> None:
        for _ in range(6):
            with writing(database) as session:
                attributed(session)
                one, other = (session.get_one(Member, each) for each in pair)
                one.kind, other.kind = other.kind, one.kind

    def fold(_: int) -> None:
        for _ in range(4):
            folding.fold(database)

    def read(_: int) -> list[dict[str, Any]]:
        return [figures(officer, unit_id["camkhe"]) for _ in range(8)]

    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(read, n) for n in range(2)]
        others = [pool.submit(swap, pair) for pair in pairs] + [pool.submit(fold, 0)]
        seen = [found for reader in readers for found in reader.result()]
        for other in others:
            other.result()
    key = f"members.honorary total {unit_id['camkhe']}"
    assert {found[key] for found in seen} == {expected[key]}
    assert {found[f"members.total total {unit_id['camkhe']}"] for found in seen} == {
        expected[f"members.total total {unit_id['camkhe']}"]
    }
    folding.fold(database)
    assert recounting.check(database, repair=False) == []


def test_a_change_that_comes_while_it_looks_is_taken_in_by_the_next_fold(
    api: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = unit_id["phuongvi-1"]
    folding.fold(database)
    looked = stale.changed

    def honorary() -> None:
        with database.writing() as session:
            attributed(session)
            session.get_one(Member, members_of(database, branch)[0]).kind = MemberKind.honorary
        sequencer.settle(database)

    def looking(session: Session, since: int) -> stale.Changed:
        found = looked(session, since)
        monkeypatch.setattr(folding, "changed", looked)
        if not database.on_sqlite:  # there nobody writes beside the fold
            honorary()
        return found

    monkeypatch.setattr(folding, "changed", looking)
    folding.fold(database)
    for _ in range(2):
        assert figures(api.as_("camkhe"), branch) == naive(database, branch, local_today())
        assert recounting.check(database, repair=False) == []
        folding.fold(database)


class TestCheck:
    def test_a_wrong_figure_is_found_and_repaired_only_when_told(
        self, database: Database, api: Api, unit_id: UnitIds
    ) -> None:
        folding.fold(database)
        branch = unit_id["phuongvi-1"]
        assert recounting.check(database, repair=False) == []
        with writing(database) as session:
            row = session.get_one(FigureDay, ("members.members", month_end(), False, branch))
            row.figures = row.figures | {"members.total/1": 7}
        above = [unit_id[name] for name in ("phuongvi-1", "phuongvi", "camkhe", "phutho")]
        wrong = [recounting.Wrong("members.members", month_end(), unit) for unit in sorted(above)]
        for repair in (False, True):
            assert recounting.check(database, repair=repair) == wrong
        assert recounting.check(database, repair=False) == []
        officer = api.as_("phuongvi")
        assert figures(officer, branch, month_end()) == naive(database, branch, month_end())
        assert folding.fold(database) == stored_units(database, month_end())
        assert recounting.check(database, repair=False) == []

    def test_a_change_that_was_not_logged_is_found(
        self, database: Database, unit_id: UnitIds
    ) -> None:
        folding.fold(database)
        with writing(database) as session:
            of_branch = col(Membership.branch_id) == unit_id["phuongvi-2"]
            session.execute(sa.update(Membership).where(of_branch).values(annulled_at=utc_now()))
        found = recounting.check(database, repair=False)
        assert {each.unit_id for each in found} == {unit_id["phuongvi-2"]}
        assert {each.day for each in found} <= set(rollups.kept_days())


def test_without_a_fold_everything_is_counted(
    api: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit, officer = unit_id["camkhe"], api.as_("camkhe")
    assert stored(database) == 0
    live = figures(officer, unit)
    folding.fold(database)
    monkeypatch.setattr(counting, "live", None)
    assert figures(officer, unit) == live
