"""A backup or a restore that is killed or finds no room: nothing half done, and the next one works."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.clock import utc_now
from app.db import Database
from app.security import sealed_files
from app.services.backups import backing_up, files
from app.services.backups.files import BackupKeys, BackupRefused, Header
from app.services.backups.refusing import said_plainly
from app.services.backups.scratch import scratch_folder
from tests.backups.backups import KEY, left_in, quietly, refused, restore, settings_of, tables_of
from tests.conftest import ROOT
from tests.helpers.databases import ON_POSTGRESQL

# A backup and a restore, each in a process that is killed when it is half way.
KILLED = """
import os, signal, sys
from pathlib import Path
from app.services.backups import backing_up, restoring
from app.services.capabilities import install
from tests.backups.backups import settings_of

def kill(what, *_):
    if what in ("sealing", "restoring"):
        os.kill(os.getpid(), signal.SIGKILL)

install()
for work, url, file in (
    (backing_up.back_up, sys.argv[1], sys.argv[2]),
    (restoring.restore, sys.argv[3], sys.argv[4]),
):
    more = {"losses_accepted_by": "the tests"} if work is restoring.restore else {}
    child = os.fork()
    if child == 0:
        work(settings_of(url), Path(file), kill, **more)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, work
"""


class TestKilled:
    def test_the_next_one_works_and_nothing_is_left(
        self, database: Database, backup: Path, empty: str, tmp_path: Path
    ) -> None:
        url, folder = database.settings.database_url, tmp_path / "other disk"
        folder.mkdir()
        file = folder / "hoiso.backup"
        run = [sys.executable, "-c", KILLED, url, str(file), empty, str(backup)]
        subprocess.run(run, cwd=ROOT, timeout=120, check=True)

        assert len(left_in(folder)) == 1
        assert not file.exists()
        backing_up.back_up(settings_of(url), file, quietly)
        assert [each.name for each in folder.iterdir()] == [file.name]
        if not ON_POSTGRESQL:
            assert left_in(Path(url.removeprefix("sqlite:///")).parent) == set()

        assert tables_of(empty, swept=False) == []
        assert len(left_in(tmp_path)) == (0 if ON_POSTGRESQL else 1)
        restore(empty, backup)
        assert "member" in tables_of(empty)
        assert left_in(tmp_path) == set()

    def test_what_is_at_work_is_not_swept(self, tmp_path: Path) -> None:
        with scratch_folder(tmp_path) as one, scratch_folder(tmp_path) as other:
            assert one.is_dir()
            assert other.is_dir()
        assert list(tmp_path.iterdir()) == []


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system lets no file of this process grow further."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TestNoRoom:
    def test_for_the_backup(self, database: Database, tmp_path: Path) -> None:
        settings = settings_of(database.settings.database_url)
        size = 20_000 if ON_POSTGRESQL else 2_000_000
        with files_of_at_most(size), pytest.raises(BackupRefused) as caught:
            backing_up.back_up(settings, tmp_path / "hoiso.backup", quietly)
        assert str(caught.value).startswith("no backup has been made: ")
        assert "\n" not in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    def test_for_the_database(
        self, backup: Path, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On PostgreSQL its server says so."""

        def full(*_: Any) -> None:
            raise psycopg.errors.DiskFull("could not extend file: No space left on device")

        monkeypatch.setattr(psycopg.Copy, "write", full)
        with files_of_at_most(1_000_000):
            told = refused(empty, backup)
        assert told.startswith("nothing has been restored: ")
        assert [each.name for each in tmp_path.iterdir()] == [backup.name]


class TestPaths:
    """Names that are taken, or lead elsewhere."""

    @pytest.mark.parametrize("kind", ["folder", "link to nothing", "no folder"])
    def test_of_the_backup(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "hoiso.backup"
        if kind == "folder":
            path.mkdir()
        elif kind == "link to nothing":
            path.symlink_to(tmp_path / "nothing")
        else:
            path = tmp_path / "nothing" / "hoiso.backup"
        before = sorted(tmp_path.rglob("*"))
        header = Header(
            key=sealed_files.name_of(KEY), salt=b"salt", taken_at=utc_now(), database="sqlite"
        )
        with (
            pytest.raises(BackupRefused, match=r"exists already|No such file"),
            said_plainly("no backup has been made"),
            files.created(path, BackupKeys([KEY]), header),
        ):
            pass
        assert sorted(tmp_path.rglob("*")) == before

    @pytest.mark.skipif(ON_POSTGRESQL, reason="of SQLite's file")
    @pytest.mark.parametrize("target", ["there", "not there"])
    def test_a_database_that_is_a_link(self, backup: Path, tmp_path: Path, target: str) -> None:
        """What it leads to is restored, and it goes on leading there."""
        real, link = tmp_path / "disk" / "real.db", tmp_path / "hoiso.db"
        real.parent.mkdir()
        if target == "there":
            real.touch()
        link.symlink_to(real)
        restore(f"sqlite:///{link}", backup)
        assert (link.is_symlink(), link.resolve()) == (True, real)
        assert "member" in tables_of(f"sqlite:///{real}")

    @pytest.mark.skipif(ON_POSTGRESQL, reason="of SQLite's file")
    @pytest.mark.parametrize("kind", ["folder", "text"])
    def test_what_is_no_database(self, backup: Path, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "hoiso.db"
        if kind == "folder":
            path.mkdir()
        else:
            path.write_text("a text that is there")
        with pytest.raises(BackupRefused, match=r"is no file|is not a database"):
            restore(f"sqlite:///{path}", backup)
        assert path.is_dir() if kind == "folder" else path.read_text() == "a text that is there"
        assert left_in(tmp_path) == set()
