"""Making an export, whatever happens meanwhile: broken off, killed, begun again, swept."""

import os
import signal
import subprocess
import sys
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.db import Database
from app.errors import Problem
from app.models.exports.exports import BulkExport, ExportFile
from app.models.files.files import StoredFile
from app.models.kernel.access_log import BulkRead
from app.models.kernel.jobs import Job, JobState
from app.services.exports import keeping, making
from app.services.files import keeping as swept
from app.services.kernel import upkeep
from tests.conftest import ROOT
from tests.exports.asking import Work, content, exported, rows_of
from tests.helpers.client import Api, writing
from tests.kernel.changes import done

_DIES = """
import os, signal, sys
from app.db import Database
from app.services import capabilities
from app.services.exports import making
from app.services.kernel import jobs
from tests.conftest import make_settings

capabilities.install()
left = int(sys.argv[2])

def dying(work):
    def call(*given):
        global left
        result = work(*given)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

making._Making._write = dying(making._Making._write)
making._Making.finish = dying(making._Making.finish)
making.made = dying(making.made)
jobs.work_off(Database(make_settings(sys.argv[1], files_dir=sys.argv[3])))
"""


def counted(database: Database, model: Any) -> int:
    with writing(database) as session:
        count: int = session.execute(sa.select(sa.func.count()).select_from(model)).scalar_one()
    return count


def begun_again(database: Database, work: Work) -> None:
    """As by a worker that finds the job unfinished."""
    with writing(database) as session:
        session.execute(sa.update(Job).values(state=JobState.queued))
    work()


def test_a_file_has_its_row_while_others_are_written(
    officer: Api, database: Database, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export may take longer than an object without a row is left in peace."""
    write = making._Making._write
    unnamed = []

    def written(self: making._Making, *given: Any) -> None:
        write(self, *given)
        with writing(database) as session:
            its = sa.select(col(StoredFile.object_id)).where(
                col(StoredFile.used_by) == self.order.id
            )
            objects = session.execute(its).scalars().all()
            assert len(objects) == len(self.files)
            unnamed.append(swept.unnamed(session, objects))

    monkeypatch.setattr(making._Making, "_write", written)
    manifest = exported(officer, work, kinds=["unit", "member"])
    assert unnamed == [set(), set()]
    for file in manifest["files"]:
        content(officer, file)


def test_what_is_ready_is_not_made_again(officer: Api, database: Database, work: Work) -> None:
    """The worker died between the commit of the export and the end of its job."""
    first = exported(officer, work, kinds=["unit", "member"])
    begun_again(database, work)
    again = done(officer.get(f"/v1/exports/{first['id']}"))
    assert again == first
    for file in again["files"]:
        content(officer, file)
    assert counted(database, StoredFile) == counted(database, ExportFile) == 2
    assert counted(database, BulkRead) == 1
    assert len(done(officer.get("/v1/export-log"))["items"]) == 1


@pytest.mark.parametrize("calls", [1, 3, 4])
def test_a_worker_that_is_killed(officer: Api, database: Database, work: Work, calls: int) -> None:
    """After the first file, before the commit of all, and after it."""
    asked = done(officer.post("/v1/exports", json={"kinds": ["unit", "member"]}))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    where = (database.settings.database_url, str(calls), str(database.settings.files_dir))
    command = [sys.executable, "-c", _DIES, *where]
    died = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    state = done(officer.get(f"/v1/exports/{asked['id']}"))["state"]
    assert state == ("ready" if calls == 4 else "making")
    begun_again(database, work)
    manifest = done(officer.get(f"/v1/exports/{asked['id']}"))
    assert manifest["state"] == "ready"
    assert rows_of(officer, manifest, "unit")
    assert rows_of(officer, manifest, "member")
    # Nothing of the attempt that died is left.
    assert counted(database, StoredFile) == 2
    assert len(done(officer.get("/v1/export-log"))["items"]) == 1


def test_what_failed_leaves_no_files(
    officer: Api, database: Database, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise Problem("account_gone")

    monkeypatch.setattr(making._Making, "finish", refused)
    asked = done(officer.post("/v1/exports", json={"kinds": ["unit"]}))
    work()
    assert done(officer.get(f"/v1/exports/{asked['id']}"))["state"] == "failed"
    assert counted(database, StoredFile) == 1
    upkeep.do_due(database)
    assert counted(database, StoredFile) == 0
    manifest = done(officer.get(f"/v1/exports/{asked['id']}"))
    assert (manifest["state"], manifest["problem"]["code"]) == ("failed", "account_gone")


def test_one_that_is_being_made_keeps_its_files(
    officer: Api, database: Database, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = making._Making._write

    def meanwhile(self: making._Making, *given: Any) -> None:
        write(self, *given)
        with self.task.writing() as session:
            assert keeping.forget_expired(session) == 0

    monkeypatch.setattr(making._Making, "_write", meanwhile)
    manifest = exported(officer, work, kinds=["unit", "member"])
    assert rows_of(officer, manifest, "member")


def test_waiting_for_one_whose_job_is_forgotten(
    officer: Api, database: Database, work: Work
) -> None:
    """Jobs are kept for some days, exports for longer."""
    manifest = exported(officer, work, kinds=["unit"])
    with writing(database) as session:
        old = sa.select(col(BulkExport.job_id)).where(col(BulkExport.id) == UUID(manifest["id"]))
        session.execute(sa.delete(Job).where(col(Job.id).in_(old)))
    answer = officer.get(f"/v1/exports/{manifest['id']}", headers={"prefer": "wait=5"})
    again = done(answer)
    assert answer.headers["preference-applied"] == "wait=5"
    assert (again["state"], again["files"]) == ("ready", manifest["files"])
