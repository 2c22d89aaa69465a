"""Fixtures of the tests of identity."""

import pytest
from fastapi import FastAPI

from app.db import Database
from app.services.identity.signin import Signin
from tests.conftest import make_settings
from tests.helpers.serving import sign_in_with
from tests.identity.auth import Swap


@pytest.fixture
def swap(app: FastAPI, database: Database) -> Swap:
    """Put other settings of signing in (limits, keys, hashing) under the app."""

    def put(**overrides: object) -> Signin:
        return sign_in_with(app, make_settings(database.settings.database_url, **overrides))

    return put


@pytest.fixture(autouse=True)
def signin(swap: Swap) -> Signin:
    """Limits count in memory: each test starts from nothing."""
    return swap()
