"""Going back to a minute on PostgreSQL: a base backup and its archived log, as the guide says."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.clock import utc_now
from app.db import Database
from app.models.kernel.changes import ChangeSource
from app.models.kernel.epochs import Epoch
from app.models.kernel.units import Unit
from app.services.kernel import changes, following, sequencer
from tests.conftest import ROOT, make_settings
from tests.helpers.client import PASSWORD
from tests.system.clusters import Cluster, cluster_in
from tests.system.running import HOISO, SETTINGS

pytestmark = [pytest.mark.needs("postgresql"), pytest.mark.timeout(240)]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with cluster_in("hoiso-point-in-time-") as made:
        yield made


def hoiso(url: str, folder: Path, *arguments: str) -> str:
    env = os.environ | SETTINGS | {"HOISO_DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", HOISO, *arguments],
        env=env | {"HOISO_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    return done.stdout


def rename(database: Database, name: str) -> None:
    """A change as any other, in the log."""
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        unit = session.execute(sa.select(Unit).order_by(col(Unit.id)).limit(1)).scalar_one()
        unit.address = name


def address(database: Database) -> str | None:
    with database.reading() as db:
        return db.execute(sa.select(col(Unit.address)).order_by(col(Unit.id)).limit(1)).scalar_one()


def test_what_was_committed_before_the_minute_is_there_and_nothing_after(
    cluster: Cluster, tmp_path: Path
) -> None:
    data = cluster.folder / "data"
    with (data / "postgresql.conf").open("a") as file:
        file.write(cluster.of_guide("ini", "archive_mode"))
    cluster.start(data)
    hoiso(cluster.url, tmp_path, "migrate")
    hoiso(cluster.url, tmp_path, "demo", "--scale", "small", "--password", PASSWORD)
    base = cluster.folder / "base"
    cluster.copy(base)
    with closing(Database(make_settings(cluster.url))) as database:
        rename(database, "before the mistake")
        time.sleep(1.1)  # the target is a second
        minute = utc_now()
        time.sleep(1.1)
        rename(database, "the mistake")
        with database.writing() as session:
            session.execute(sa.select(sa.func.pg_switch_wal()))
        sequencer.settle(database)
        with database.reading() as db:
            ahead = following.newest(db)
    cluster.stop(data)

    with (base / "postgresql.auto.conf").open("a") as file:
        given = cluster.of_guide("ini", "recovery_target_time")
        file.write(given.replace("2026-12-03 09:41:00+07", f"{minute:%Y-%m-%d %H:%M:%S+00}"))
    (base / "recovery.signal").touch()
    began = time.monotonic()
    cluster.start(base)
    assert "epoch" in hoiso(cluster.url, tmp_path, "new-epoch")
    sys.stdout.write(f"recovered and reopened in {time.monotonic() - began:.1f} s\n")
    with closing(Database(make_settings(cluster.url))) as database:
        assert address(database) == "before the mistake"
        with database.reading() as db:
            found = sa.select(col(Epoch.began_after)).order_by(col(Epoch.number).desc())
            assert db.execute(found.limit(1)).scalar_one() < ahead.seq
