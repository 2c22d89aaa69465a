"""A backup of the demo, and an empty database to restore it into."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db import Database
from app.services.backups import backing_up
from app.services.privacy.journal import Journal
from tests.backups.backups import empty_database, quietly, settings_of
from tests.backups.worlds import World
from tests.helpers.client import Api
from tests.helpers.databases import Clones


@pytest.fixture(scope="session")
def backup_of_demo(clones: Clones, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("backup") / "hoiso.backup"
    with clones.clone() as url:
        backing_up.back_up(settings_of(url), file, quietly)
    return file.read_bytes()


@pytest.fixture
def backup(backup_of_demo: bytes, tmp_path: Path) -> Path:
    file = tmp_path / "hoiso.backup"
    file.write_bytes(backup_of_demo)
    return file


@pytest.fixture
def empty(clones: Clones, tmp_path: Path) -> Iterator[str]:
    with empty_database(clones, tmp_path) as url:
        yield url


@pytest.fixture
def journal(database: Database, tmp_path: Path) -> Journal:
    """Kept by the server of this test."""
    database.settings.erasure_journal = tmp_path / "erasures"
    return Journal(tmp_path / "erasures", database.vault)


@pytest.fixture
def world(api: Api, database: Database, journal: Journal, tmp_path: Path, clones: Clones) -> World:
    return World(api, database, journal, tmp_path, clones)
