"""What the capabilities say is there when a process has installed them, and refused when it has not."""

import os
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa
from sqlmodel import Session

from app.db import Database
from app.services import capabilities
from app.services.kernel import manifest
from app.services.poverty import account

ROOT = Path(__file__).parents[2]


def run(program: str, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, url],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


class TestAProcess:
    """`python -c` that imports one service alone."""

    def test_that_installs_nothing_writes_nothing(self, database: Database) -> None:
        done = run(
            """
import sys
from app.config import Settings
from app.db import Database
from app.services.households import acts

settings = Settings(
    environment="test",
    database_url=sys.argv[1],
    jwt_secret="a-secret-of-the-tests-0123456789abcdef",
    data_keys="data-keys-of-the-tests-0123456789abcdef",
)
with Database(settings).writing():
    print("written")
""",
            database.settings.database_url,
        )
        assert done.returncode == 1
        assert done.stdout == ""
        assert (
            "NotInstalled: no capabilities: call app.services.capabilities.install()" in done.stderr
        )


def test_the_account_of_poverty_follows_every_session() -> None:
    assert all(sa.event.contains(Session, *listener) for listener in account.LISTENERS)


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
