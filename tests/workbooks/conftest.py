"""Communes to send lists to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from fastapi import FastAPI

from app.api.http.server import Server, serve_with
from app.db import Database
from app.services.kernel import jobs
from app.services.kernel.access_log import AccessLog
from tests.conftest import make_settings
from tests.helpers.client import Api
from tests.helpers.databases import Clones
from tests.workbooks.wild.books import Communes
from tests.workbooks.wild.measure import Commune


@pytest.fixture(scope="session")
def communes(clones: Clones, shared_app: FastAPI, shared_server: Server) -> Communes:
    """One after another: the application serves the one that was opened last."""

    @contextmanager
    def opened() -> Iterator[Commune]:
        with clones.clone() as url:
            database = Database(make_settings(url))
            log = AccessLog(database)
            serve_with(shared_app, replace(shared_server, database=database, access_log=log))
            yield Commune.of(Api(shared_app).as_("phuongvi"), lambda: jobs.work_off(database))
            database.close()

    return opened
