"""Processes that die in the middle of a reorganisation."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from app.db import Database
from tests.conftest import ROOT

# For each line a process of its own does the job, or what is due, and is killed when it comes back from the
# call that the line names; answers how the process ended.
_SERVER = """
import os, signal, sys
from importlib import import_module
from uuid import UUID
from app.db import Database
from app.services import capabilities
from app.services.kernel import jobs
from app.services.reorganisations import scheduling
from tests.conftest import make_settings

def dying(call):
    def called(*args, **kwargs):
        call(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
    return called

def work(job):
    database = Database(make_settings(sys.argv[1]))
    if job == "due":
        scheduling.apply_due(database)
    else:
        jobs.perform(database, UUID(job))

capabilities.install()
for line in sys.stdin:
    if (process := os.fork()) == 0:
        job, _, place = line.strip().partition(" ")
        if place:
            module, _, name = place.rpartition(".")
            owner = import_module(f"app.services.{module}")
            setattr(owner, name, dying(getattr(owner, name)))
        work(job)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


class Servers:
    def __init__(self, database: Database) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, database.settings.database_url],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def serve(self, job: UUID | None = None) -> None:
        """Do the job, or what is due, to its end."""
        assert self._serve(job) == 0

    def die(self, place: str, job: UUID | None = None) -> None:
        """The same, killed at this place."""
        assert self._serve(job, place) == -signal.SIGKILL

    def _serve(self, job: UUID | None, place: str = "") -> int:
        assert self.process.stdin
        assert self.process.stdout
        print(job or "due", place, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())


@contextmanager
def servers_of(database: Database) -> Iterator[Servers]:
    found = Servers(database)
    try:
        yield found
    finally:
        found.process.communicate()
