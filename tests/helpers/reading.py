"""Test classes that only read share one database: making one for each test is most of its time."""

import pytest

from app.db import Database


class Reading:
    """Base of test classes that change nothing but sessions."""

    @pytest.fixture
    def database(self, untouched: Database) -> Database:
        return untouched
