"""One database for all tests that only read it: making one for each is most of their time."""

from collections.abc import Iterator

import pytest
from sqlmodel import func, select

from app.db import Database
from app.models.changes import Change
from tests.client import writing
from tests.conftest import make_settings
from tests.databases import Clones


def _changes(database: Database) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(Change)).one()


@pytest.fixture(scope="session")
def untouched(clones: Clones) -> Iterator[Database]:
    with clones.clone() as url:
        database = Database(make_settings(url))
        before = _changes(database)
        yield database
        assert _changes(database) == before, "a test of a Reading class has written"
        database.close()


class Reading:
    """Base of test classes that change nothing but sessions."""

    @pytest.fixture
    def database(self, untouched: Database) -> Database:
        return untouched
