"""A place to back up from and to restore into."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import SQLModel
from typer.testing import CliRunner

from app import cli
from app.api.http.server import Server, serve_with
from app.config import Settings, get_settings
from app.db import Database
from app.services.backups import restoring
from app.services.backups.files import BackupRefused
from app.services.kernel.access_log import AccessLog
from tests.conftest import make_settings
from tests.helpers.client import Api
from tests.helpers.databases import ON_POSTGRESQL, Clones

KEY = "backup-key-of-the-tests-0123456789abcdef"
OTHER_KEY = "another-key-of-the-tests-0123456789abcd"


def settings_of(url: str, **overrides: object) -> Settings:
    return make_settings(url, **{"backup_keys": KEY} | overrides)


@contextmanager
def empty_database(clones: Clones, folder: Path) -> Iterator[str]:
    """The address of a database without any table."""
    if clones.server is None:
        yield f"sqlite:///{folder / 'restored.db'}"
        return
    name = f"hoiso_restored_{uuid4().hex[:12]}"
    with clones.admin() as run:
        run(f"CREATE DATABASE {name}")
    yield sa.make_url(clones.server).set(database=name).render_as_string(hide_password=False)
    with clones.admin() as run:
        run(f"DROP DATABASE {name} WITH (FORCE)")


def restore(url: str, file: Path, **overrides: object) -> None:
    settings = settings_of(url, **overrides)
    restoring.restore(settings, file, quietly, losses_accepted_by="the tests")


def refused(url: str, file: Path, **overrides: object) -> str:
    """Why it cannot be restored, in one sentence; the database is as empty as before."""
    with pytest.raises(BackupRefused) as caught:
        restore(url, file, **overrides)
    assert tables_of(url) == []
    assert left_in(file.parent) == set()
    [line] = str(caught.value).splitlines()
    return line


def tables_of(url: str, *, swept: bool = True) -> list[str]:
    """`swept`: nothing is left of what was being restored."""
    if url.startswith("sqlite") and not Path(url.removeprefix("sqlite:///")).exists():
        return []
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        names = inspector.get_table_names()
        if ON_POSTGRESQL:
            assert ("hoiso_restoring" not in inspector.get_schema_names()) is swept
    engine.dispose()
    return names


def left_in(folder: Path) -> set[str]:
    """What was being made in a folder, and is not there for good."""
    return {each.name for each in folder.iterdir() if each.name.startswith(".hoiso")}


def everything(database: Database) -> dict[str, list[Any]]:
    """All rows of all tables, as they are stored."""
    with database.reading() as db:
        return {
            table.name: sorted(map(tuple, db.execute(_stored(table))), key=repr)
            for table in SQLModel.metadata.sorted_tables
        }


def _stored(table: sa.Table) -> Any:
    return sa.select(*(sa.type_coerce(c, sa.types.NullType()) for c in table.columns))


def quietly(*_: object) -> None:
    """No progress bar."""


def served(shared: Server, app: FastAPI, database: Database) -> Api:
    """Requests to this database from now on."""
    serve_with(app, replace(shared, database=database, access_log=AccessLog(database)))
    shared.signin.verified.clear()
    return Api(app)


def give_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the commands."""
    for name in ("data_keys", "backup_keys", "jwt_secret"):
        secret = getattr(settings_of("sqlite:///none"), name).get_secret_value()
        monkeypatch.setenv(f"HOISO_{name.upper()}", secret)


def said(monkeypatch: pytest.MonkeyPatch, url: str, *arguments: object, code: int = 0) -> str:
    """What a command prints; on standard error when it ends with another code than 0."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("HOISO_DATABASE_URL", url)
    get_settings.cache_clear()
    result = CliRunner().invoke(cli.app, list(map(str, arguments)))
    get_settings.cache_clear()
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr
