"""What the statements of one call cost: time and pages in the database, and CPU on both sides."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import Database


@dataclass(frozen=True, slots=True)
class Cost:
    """`ms`: on PostgreSQL what `EXPLAIN ANALYZE` says that the statements took to execute, so that
    nothing is in it that waited for a core on the way; on SQLite the time of the statements (it finds
    most rows later, as they are fetched). `database_cpu_ms`: of the backend, planning and all."""

    ms: float
    pages: int | None
    database_cpu_ms: float | None
    own_cpu_ms: float
    statements: int


@dataclass(slots=True)
class _Sent:
    statements: list[tuple[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    _since: float = 0.0

    def before(self, *args: Any) -> None:
        self.statements.append((args[2], args[3]))
        self._since = time.perf_counter()

    def after(self, *_: Any) -> None:
        self.seconds += time.perf_counter() - self._since


@contextmanager
def _sent(database: Database) -> Iterator[_Sent]:
    found = _Sent()
    sa.event.listen(database.reader, "before_cursor_execute", found.before)
    sa.event.listen(database.reader, "after_cursor_execute", found.after)
    try:
        yield found
    finally:
        sa.event.remove(database.reader, "before_cursor_execute", found.before)
        sa.event.remove(database.reader, "after_cursor_execute", found.after)


def cost_of(database: Database, db: Connection, call: Callable[[Connection], object]) -> Cost:
    """The call is made once as it is, and its statements once more to be explained."""
    backend, own = _cpu_of_backend(database, db), time.process_time()
    with _sent(database) as found:
        call(db)
    own_ms = (time.process_time() - own) * 1_000
    after = _cpu_of_backend(database, db)
    of_backend = None if backend is None or after is None else (after - backend) / 1e6
    if database.on_sqlite:
        return Cost(found.seconds * 1_000, None, None, own_ms, len(found.statements))
    ms, pages = _explained(db, found.statements)
    return Cost(ms, pages, of_backend, own_ms, len(found.statements))


def _explained(db: Connection, statements: list[tuple[str, Any]]) -> tuple[float, int]:
    """Milliseconds of execution, and pages of 8 kB, in memory or not."""
    raw: Any = db.connection.driver_connection
    ms, read = 0.0, 0
    for statement, parameters in statements:
        if not statement.lstrip().startswith(("SELECT", "WITH")):
            continue
        explained = raw.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}", parameters
        )
        [(plan,)] = explained.fetchall()
        found = (json.loads(plan) if isinstance(plan, str) else plan)[0]
        ms += found["Execution Time"]
        read += found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"]
    return ms, read


def _cpu_of_backend(database: Database, db: Connection) -> int | None:
    """Nanoseconds; None where the server is on another machine (proc(5): schedstat, of Linux)."""
    if database.on_sqlite:
        return None
    raw: Any = db.connection.driver_connection
    with suppress(OSError):
        return int(Path(f"/proc/{raw.info.backend_pid}/schedstat").read_text().split()[0])
    return None
