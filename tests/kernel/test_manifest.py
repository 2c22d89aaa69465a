"""What the capabilities say is there when a process has installed them, and refused when it has not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.db import Database
from app.models.households.households import Household
from app.models.kernel.changes import Change
from app.models.poverty.flows import PovertyStay
from app.services import capabilities
from app.services.kernel import manifest
from app.services.poverty import account
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
        few = [each for each in capabilities.CAPABILITIES if each.name in ("kernel", "identity")]
        try:
            capabilities.install(few)
            assert set(manifest.manifest().by_entity) == {"account", "grant"}
            assert not any(sa.event.contains(Session, *each) for each in account.LISTENERS)
        finally:
            capabilities.install()
        assert "household" in manifest.manifest().by_entity
        assert all(sa.event.contains(Session, *each) for each in account.LISTENERS)
