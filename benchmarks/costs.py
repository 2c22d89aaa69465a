"""What acts cost beside the time: processor time here and in the server of the database, and its pages."""

import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from app.db import Database
from benchmarks.load import process_tree

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of SQLite all is here."""

    seconds: float
    cpu: float
    server_cpu: float
    pages: int
    log_bytes: int


@dataclass(slots=True)
class Meter:
    database: Database
    costs: dict[str, list[Cost]] = field(default_factory=lambda: defaultdict(list))

    def take(self, name: str, act: Callable[[], Made]) -> Made:
        before, begun, cpu = self._server(), time.perf_counter(), time.process_time()
        made = act()
        seconds, spent = time.perf_counter() - begun, time.process_time() - cpu
        if not self.database.on_sqlite:
            time.sleep(1)  # the statistics of a session come a moment after its commit
        server, pages, written = (
            now - then for now, then in zip(self._server(), before, strict=True)
        )
        self.costs[name].append(Cost(seconds, spent, server, round(pages), round(written)))
        return made

    def _server(self) -> tuple[float, float, float]:
        if self.database.on_sqlite:
            return 0.0, 0.0, 0.0
        with self.database.reading() as db:
            row = db.execute(_STATISTICS).one()
            pid = db.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        return _cpu_seconds(pid), float(row.pages), float(row.written)


_STATISTICS = sa.text(
    "SELECT blks_hit + blks_read AS pages, pg_current_wal_lsn() - '0/0' AS written"
    " FROM pg_stat_database WHERE datname = current_database()"
)


def _cpu_seconds(backend: int) -> float:
    """Of all processes of the server of a backend, those that have ended among them."""
    server = int(_numbers(backend)[0])
    own, *running = (_numbers(pid) for pid in process_tree(server))
    ticks = sum(own[_CPU]) + sum(sum(each[_CPU][:2]) for each in running)
    return ticks / os.sysconf("SC_CLK_TCK")


# The CPU of a process in user and system mode, then that of those that it waited for.
_CPU = slice(10, 14)


def _numbers(pid: int) -> list[int]:
    """What the kernel says of a process, from its parent on (proc(5): stat)."""
    after_state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1:]
    return [int(each) for each in after_state]
