"""kill -9 while an import is applied: who takes it up goes on, and every row is there once."""

import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.db import Database
from app.models.kernel.changes import Change
from app.models.kernel.jobs import Job, JobState
from app.models.members.members import Member
from app.models.members.spells import Membership
from tests.conftest import ROOT
from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api, writing
from tests.imports.test_imports import HEADER, Work, previewed, summary, women, xlsx

_WORKER = """
import os, signal, sys, time
from app.db import Database
from app.services import capabilities
from app.services.imports import apply
from app.services.kernel import jobs, list_kinds
from tests.conftest import make_settings

capabilities.install()
list_kinds.SET = 40
left = int(sys.argv[2])

def dying(after):
    # Killed before, within and after the commit of a set, as the count of calls has it.
    def call(*args, **kwargs):
        global left
        result = after(*args, **kwargs)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

apply._Apply._write = dying(apply._Apply._write)
apply._Apply._due = dying(apply._Apply._due)
jobs.work_off(Database(make_settings(sys.argv[1])))
"""


@pytest.mark.parametrize("atomic", [False, True])
def test_every_row_is_there_once(
    api: Api, database: Database, unit_id: Ids, work: Work, atomic: bool
) -> None:
    officer = api.as_("phuongvi")
    rows = women(150)
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
    assert item["summary"] == summary(created=150)
    url = f"/v1/imports/{item['id']}"
    assert officer.post(f"{url}/apply", json={"atomic": atomic}).status_code == 202
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for calls in (2, 5):
        command = [sys.executable, "-c", _WORKER, database.settings.database_url, str(calls)]
        died = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert done(officer.get(url))["state"] == "applying"
        _found_running_again(database)
    part = _imported(database, item["id"])
    assert part["member"] == (0 if atomic else 80)
    work()
    item = done(officer.get(url))
    assert (item["state"], item["summary"]) == ("applied", summary(created=150))
    assert _imported(database, item["id"]) == {"member": 150, "membership": 150}
    with writing(database) as session:
        phones = [f"+84{row[3][1:]}" for row in rows]
        named = select(Member).where(col(Member.full_name).like("Khổng%"))
        found = [member for member in session.exec(named).all() if member.phone in phones]
        assert sorted(member.phone or "" for member in found) == sorted(phones)
        ids = [member.id for member in found]
        spells = session.exec(
            select(Membership.member_id).where(col(Membership.member_id).in_(ids))
        ).all()
    assert Counter(spells) == Counter(ids)


def _found_running_again(database: Database) -> None:
    """What a worker that comes back finds unfinished, it does again."""
    with writing(database) as session:
        running = col(Job.state) == JobState.running
        session.execute(sa.update(Job).where(running).values(state=JobState.queued))


def _imported(database: Database, import_id: str) -> dict[str, Any]:
    with writing(database) as session:
        entities = session.exec(
            select(Change.entity).where(col(Change.source_ref).like(f"import {import_id}%"))
        ).all()
    return dict(Counter(entities)) or {"member": 0}
