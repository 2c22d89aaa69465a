"""What the capabilities say is there when a process has installed them, and refused when it has not."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.db import Database
from app.main import create_app
from app.models.households.households import Household
from app.models.kernel.access import Right
from app.models.kernel.changes import Change
from app.models.poverty.flows import PovertyStay
from app.models.support.visits import HouseholdVisit
from app.problem_texts import BadTexts
from app.services import capabilities
from app.services.kernel import manifest
from app.services.kernel.manifest import Capability
from app.services.kernel.offers import News, Without
from app.services.kernel.refusals import BadCapability
from app.services.poverty import account
from tests.conftest import make_settings
from tests.helpers.client import Api, writing
from tests.helpers.homes import decide, home

ROOT = Path(__file__).parents[2]


# One service is imported, as a script of an operator might.
_ALONE = """
import sys
from app.config import Settings
from app.db import Database
from app.models.households.households import Household
from app.models.kernel.changes import ChangeSource
from app.services import capabilities
from app.services.kernel import changes, jobs
from sqlmodel import select

def database():
    return Database(
        Settings(
            environment="test",
            database_url=sys.argv[1],
            jwt_secret="a-secret-of-the-tests-0123456789abcdef",
            data_keys="data-keys-of-the-tests-0123456789abcdef",
        )
    )
"""
_CHANGED = """
with database().writing() as session:
    changes.attribute(session, changes.Origin(ChangeSource.cli))
    session.exec(select(Household)).one().ethnic_minority = True
"""


def run(database: Database, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _ALONE + program, database.settings.database_url],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def counted_as_minority(database: Database) -> list[bool]:
    with database.reading() as db:
        return list(db.execute(sa.select(col(PovertyStay.minority))).scalars())


class TestAProcessThatImportsOneService:
    @pytest.fixture(autouse=True)
    def poor(self, database: Database, unit_id: dict[str, int]) -> None:
        """A poor household, counted as none of a minority."""
        household_id = home(database, unit_id["phuongvi-1"])
        decide(database, household_id, "poor", "2024-01-01")
        assert counted_as_minority(database) == [False]

    def test_writes_nothing_before_it_installs(self, database: Database) -> None:
        done = run(database, _CHANGED)
        assert done.returncode == 1
        refusal = "NotInstalled: no capabilities: call app.services.capabilities.install() first"
        assert refusal in done.stderr
        with writing(database) as session:
            household = session.exec(select(Household)).one()
            assert (household.ethnic_minority, household.revision) == (False, 2)

    def test_keeps_the_account_of_poverty_once_it_has(self, database: Database) -> None:
        done = run(database, "capabilities.install()" + _CHANGED)
        assert (done.returncode, done.stderr) == (0, "")
        assert counted_as_minority(database) == [True]
        with writing(database) as session:
            logged = session.exec(select(Change).order_by(col(Change.id).desc())).first()
            assert logged is not None
            assert (logged.entity, logged.after) == ("household", {"ethnic_minority": True})

    def test_does_jobs_once_it_has(
        self, api: Api, database: Database, unit_id: dict[str, int]
    ) -> None:
        officer = api.as_("phuongvi")
        sent = officer.post(
            f"/v1/imports?kind=members&unit={unit_id['phuongvi-1']}",
            content="Họ và tên,Ngày sinh\nNguyễn Thị Hoa,17/05/1968\n".encode(),
            headers={"content-disposition": 'attachment; filename="ds.csv"'},
        )
        import_id = sent.json()["id"]
        assert run(database, "print(jobs.work_off(database()))").returncode == 1
        done = run(database, "capabilities.install()\nprint(jobs.work_off(database()))")
        assert (done.stdout, done.stderr) == ("1\n", "")
        assert officer.get(f"/v1/imports/{import_id}").json()["state"] == "ready"


class TestInstalling:
    def test_again_changes_nothing(self) -> None:
        tracked = manifest.manifest().tracked
        capabilities.install()
        capabilities.install()
        assert manifest.manifest().tracked == tracked

    def test_others_take_the_place_of_those_before(self) -> None:
        known = ("kernel", "identity", "units")
        few = [each for each in capabilities.CAPABILITIES if each.name in known]
        try:
            capabilities.install(few)
            of_identity = {"account", "client_secret", "device", "external_login", "grant"}
            assert set(manifest.manifest().by_entity) == {*of_identity, "unit"}
            assert not any(sa.event.contains(Session, *each) for each in account.LISTENERS)
        finally:
            capabilities.install()
        assert "household" in manifest.manifest().by_entity
        assert all(sa.event.contains(Session, *each) for each in account.LISTENERS)


def changed(name: str, **fields: Any) -> tuple[Capability, ...]:
    """The capabilities, one of them with other fields."""
    return tuple(
        replace(each, **fields) if each.name == name else each for each in capabilities.CAPABILITIES
    )


def of(name: str) -> Capability:
    return next(each for each in capabilities.CAPABILITIES if each.name == name)


def news_of(name: str) -> News:
    news = of(name).events
    assert isinstance(news, News)
    return news


class TestAServerDoesNotStart:
    """The file that does not hold together is named, and what was installed stays."""

    def refused(self, wrong: tuple[Capability, ...]) -> str:
        before = manifest.manifest()
        with pytest.raises(BadCapability) as refusal:
            create_app(make_settings("sqlite:///nowhere.db"), wrong)
        assert manifest.manifest() is before
        return str(refusal.value)

    def test_with_a_table_that_nobody_owns(self) -> None:
        owned = tuple(model for model in of("support").owned if model is not HouseholdVisit)
        told = self.refused(changed("support", owned=owned))
        assert told == "app/models/support/visits.py: nobody owns the table household_visit"

    def test_with_a_table_of_two_owners(self) -> None:
        told = self.refused(changed("audit", owned=(HouseholdVisit,)))
        assert told == (
            "app/services/audit/capability.py, app/services/support/capability.py:"
            " the table household_visit has more than one owner"
        )

    def test_with_one_entity_for_two_tables(self) -> None:
        """The later declaration would silently replace the earlier one."""
        same = dict(of("households").tracked)
        same[Household] = replace(same[Household], entity="support")
        told = self.refused(changed("households", tracked=same, events=Without("it is tried")))
        assert told == (
            "app/services/households/capability.py, app/services/support/capability.py:"
            " the entity support is declared more than once"
        )

    def test_with_a_capability_that_stands_twice(self) -> None:
        told = self.refused((*capabilities.CAPABILITIES, of("notices")))
        assert "the capability notices is declared more than once" in told

    def test_with_a_tracked_table_without_holdings(self) -> None:
        holdings = tuple(
            each for each in of("support").holdings if each.model is not HouseholdVisit
        )
        told = self.refused(changed("support", holdings=holdings))
        assert told == (
            "app/services/support/capability.py:"
            " holdings say nothing of the tracked table household_visit"
        )

    def test_with_a_table_that_names_units_and_does_not_say_what_their_end_does(self) -> None:
        assert self.refused(changed("memberships", unit_ends={})) == (
            "app/services/memberships/capability.py: unit_ends say nothing of the table transfer"
        )

    def test_with_a_right_that_is_not_there(self) -> None:
        right = cast(Right, "support_red")
        visits = replace(of("support").tracked[HouseholdVisit], read_right=right)
        tracked = dict(of("support").tracked) | {HouseholdVisit: visits}
        told = self.refused(changed("support", tracked=tracked))
        assert told == (
            "app/services/support/capability.py: 'support_red' is no right"
            " (app/models/kernel/access.py)"
        )

    @pytest.mark.parametrize(
        ("capability", "field", "part", "name"),
        [
            ("support", "work", "Work", "right"),
            ("support", "operations", "OperationKind", "right"),
            ("support", "figures", "FigureRows", "right"),
            ("households", "sync", "SyncKind", "right"),
            ("imports", "import_kinds", "KindOfList", "right"),
        ],
    )
    def test_with_a_right_that_is_not_there_in_what_it_offers(
        self, capability: str, field: str, part: str, name: str
    ) -> None:
        first, *others = getattr(of(capability), field)
        assert type(first).__name__ == part
        wrong = (replace(first, **{name: "support_red"}), *others)
        told = self.refused(changed(capability, **{field: wrong}))
        assert f"app/services/{capability}/capability.py: 'support_red' is no right" in told

    def test_with_a_job_of_a_right_that_is_not_there(self) -> None:
        jobs = of("poverty").jobs
        wrong = {kind: replace(work, right=cast(Right, "x")) for kind, work in jobs.items()}
        assert "'x' is no right" in self.refused(changed("poverty", jobs=wrong))

    def test_with_what_two_of_them_call_the_same(self) -> None:
        for field in ("work", "sync", "operations", "due", "notices", "import_kinds"):
            named = [
                each
                for each in capabilities.CAPABILITIES
                if isinstance(getattr(each, field), tuple)
            ]
            first = next(part for each in named for part in getattr(each, field))
            told = self.refused(changed("audit", **{field: (first,)}))
            assert f"{field}: " in told
            assert "is declared more than once" in told
        assert "labels: full_name is declared" in self.refused(
            changed("audit", labels={"full_name": ("Tên", "Name")})
        )

    def test_with_an_entity_of_which_the_feed_says_nothing(self) -> None:
        support, *others = news_of("support").kinds
        file = "app/services/support/capability.py: events"
        fewer = self.refused(changed("support", events=News(kinds=tuple(others))))
        assert f"{file} say nothing of the entity {support.entity}" in fewer
        assert f"{file} say nothing of the entity escape_path" in fewer
        [unit] = news_of("units").kinds
        other = self.refused(changed("support", events=News(kinds=(unit,))))
        assert f"{file} name unit, which is no entity of it" in other
        twice = News(kinds=(unit, unit))
        assert "events say twice what unit tells" in self.refused(changed("units", events=twice))

    def test_with_a_job_that_nobody_does(self) -> None:
        told = self.refused(changed("poverty", jobs={}))
        assert told == "app/models/poverty/work.py: nobody does the job poverty_simulation"

    def test_with_a_text_without_a_code(self, tmp_path: Path) -> None:
        texts = tmp_path / "pumps.yaml"
        texts.write_text("problems:\n  409: {title: {vi: a, en: a}}\n")
        before = manifest.manifest()
        with pytest.raises(BadTexts, match=r"pumps\.yaml"):
            create_app(make_settings("sqlite:///nowhere.db"), changed("audit", problems=(texts,)))
        assert manifest.manifest() is before


@pytest.mark.parametrize("capability", capabilities.CAPABILITIES, ids=lambda each: each.name)
def test_offers_something_or_says_why_not(capability: Capability) -> None:
    for name in ("work", "figures", "sync", "events", "operations"):
        offered = getattr(capability, name)
        because = isinstance(offered, Without) and offered.because
        assert isinstance(offered, tuple | News) or because, name
