"""Fixtures of the tests of search."""

from collections.abc import Iterator

import pytest

from app.db import Database
from tests.conftest import make_settings
from tests.helpers.client import writing
from tests.helpers.databases import Clones
from tests.members.search.member_search import fill


@pytest.fixture(scope="module")
def filled(clones: Clones) -> Iterator[Database]:
    with clones.clone() as url:
        made = Database(make_settings(url))
        with writing(made) as session:
            fill(session)
        yield made
        made.close()


@pytest.fixture
def database(filled: Database) -> Database:
    """One for the whole module: its tests change nothing but sessions."""
    return filled
