"""A world for each test: the small demo (two communes, eight branches) in a database of its own.

`HOISO_TEST_DATABASE=sqlite|postgresql` chooses the database; see tests/helpers/databases.py.
"""

import atexit
import gc
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from sqlmodel import Session, col, func, select

from app import jobs as delivery
from app.api.http.server import Server, serve_with, serving
from app.config import Environment, Settings
from app.db import Database
from app.main import create_app
from app.models.kernel.changes import Change
from app.models.kernel.units import Unit, UnitLevel
from app.security.passwords import PasswordHasher
from app.services.capabilities import install
from app.services.demo import demo
from app.services.demo.plan import Scale
from app.services.identity.usage import UsageMeter
from app.services.kernel import jobs, sequencer
from app.services.kernel.access_log import AccessLog
from tests.helpers import second_turn, soak
from tests.helpers.budget import Budget
from tests.helpers.client import PASSWORD, Api, writing
from tests.helpers.databases import ON_POSTGRESQL, Clones, in_memory, postgresql_server
from tests.helpers.engines import share_compiled
from tests.helpers.when_run import resolve_parameters

ROOT = Path(__file__).parent.parent
soak.load_profile()
# What the command and the server do first.
install()
# Files that tests send; each database has its own ids.
FILES = TemporaryDirectory(prefix="hoiso-files-", dir=in_memory())
atexit.register(FILES.cleanup)


# They bring databases of their own, or another server.
BESIDE_THE_CLONES = {
    *("test_cli", "test_cli_refusals", "test_migrations", "test_demo", "test_guides"),
    *("test_point_in_time", "test_replica", "test_online_migration", "test_s3"),
}


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(
        config, "workerinput"
    ):  # the workers of xdist report to the one that started them
        config.pluginmanager.register(Budget.of_project(), "budget")
    if second_turn.FOLDER and not ON_POSTGRESQL:
        config.pluginmanager.register(second_turn.Notes(Path(second_turn.FOLDER)), "second-turn")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a soak only what has a long form; on PostgreSQL's turn what asks it something new."""
    kept = [item for item in items if soak.TIMES == 1 or soak.has_long_form(item)]
    if ON_POSTGRESQL:
        kept = second_turn.of([item for item in kept if _asks_a_database(item)])
    chosen = set(kept)
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = kept


def _asks_a_database(item: pytest.Item) -> bool:
    """All other tests say the same as on SQLite's turn."""
    asks = "clones" in getattr(item, "fixturenames", ()) or item.path.stem in BESIDE_THE_CLONES
    return asks and not item.get_closest_marker("alike_on_both")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    resolve_parameters(item)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    soak.repeat_races(metafunc)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """pytest looks five times for what was never closed, each time through all that is there: what is
    still used after the first time is out of the way of the others.
    """
    gc.collect()
    gc.freeze()


def make_settings(url: str, **overrides: object) -> Settings:
    """Those of the tests; without overrides they are read once, and copied for each database."""
    if overrides:
        return _read_settings(database_url=url, **overrides)
    return _usual_settings().model_copy(update={"database_url": url}, deep=True)


@cache
def _usual_settings() -> Settings:
    return _read_settings(database_url="sqlite:///nowhere.db")


def _read_settings(**given: object) -> Settings:
    values: dict[str, object] = {
        "environment": Environment.test,
        "jwt_secret": "a-secret-of-the-tests-0123456789abcdef",
        "data_keys": "data-keys-of-the-tests-0123456789abcdef",
        "argon2_memory_kib": 8,
        "argon2_rounds": 1,
        "login_attempts_per_address": "100000 per minute",
        "log_requests": False,
        "pool_size": 4,
        "files_dir": Path(FILES.name),
        # Tests do jobs in their own thread (`work`), or start a server with a process of its own.
        "serve_jobs": False,
        # Tests change grants and look at once; the cache has tests of its own.
        "token_recheck_seconds": 0.0,
    }
    return Settings.model_validate(values | given)


def migrate(url: str) -> None:
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.attributes["url"] = url
    config.attributes["vault"] = make_settings(url).vault()
    command.upgrade(config, "head")
    delivery.migrate(url)


def fill(url: str) -> None:
    migrate(url)
    database = Database(make_settings(url))
    hasher = PasswordHasher(memory_kib=8, rounds=1)
    with Session(database.writer, autoflush=False, expire_on_commit=False) as session:
        demo.load(
            session,
            scale=Scale.small,
            password_hash=hasher.hash(PASSWORD),
            progress=lambda *_: None,
        )
        session.commit()
    sequencer.settle(database)
    database.close()


@pytest.fixture(scope="session")
def clones() -> Iterator[Clones]:
    with TemporaryDirectory(prefix="hoiso-databases-", dir=in_memory()) as name:
        folder = Path(name)
        if not ON_POSTGRESQL:
            yield Clones(folder, None, fill)
            return
        with postgresql_server() as server:
            made = Clones(folder, server, fill)
            yield made
            made.close()


@pytest.fixture(scope="session")
def shared_app(clones: Clones) -> FastAPI:
    """Built once: routes are the same for every test, only the database changes."""
    with clones.clone() as url:
        app = create_app(make_settings(url))
        serving(app).database.close()
    # What lives to the end is out of the collector's way: walking it was a sixth of a run.
    gc.collect()
    gc.freeze()
    return app


@pytest.fixture(scope="session")
def shared_server(shared_app: FastAPI) -> Server:
    """What the shared application was made with: each test begins with it again."""
    return serving(shared_app)


@pytest.fixture
def database(clones: Clones) -> Iterator[Database]:
    with clones.clone() as url:
        made = share_compiled(Database(make_settings(url)))
        yield made
        made.close()


def _changes(database: Database) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(Change)).one()


@pytest.fixture(scope="session")
def untouched(clones: Clones) -> Iterator[Database]:
    """One database for all tests that change nothing but sessions."""
    with clones.clone() as url:
        database = share_compiled(Database(make_settings(url)))
        before = _changes(database)
        yield database
        database.close()
        # A test may have restarted the server: connections of before are none any more.
        with closing(Database(make_settings(url))) as again:
            assert _changes(again) == before, "a test of a Reading class has written"


@pytest.fixture
def app(shared_app: FastAPI, shared_server: Server, database: Database) -> FastAPI:
    server = replace(
        shared_server,
        database=database,
        access_log=AccessLog(database),
        usage=UsageMeter(database),
    )
    serve_with(shared_app, server)
    server.signin.verified.clear()
    # Every test has the same accounts: the mistakes of one must not lock out the next.
    server.limits._limiter.storage.reset()
    return shared_app


@pytest.fixture
def api(app: FastAPI) -> Api:
    return Api(app)


@pytest.fixture
def trusted_tokens(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is trusted for a minute, as a server trusts it for seconds: for tests that send
    thousands of requests and ask about what comes after it."""
    monkeypatch.setattr(serving(app).signin.settings, "token_recheck_seconds", 60.0)


@pytest.fixture
def officer(api: Api) -> Api:
    """Of the commune Phượng Vĩ."""
    return api.as_("phuongvi")


@pytest.fixture
def head(api: Api) -> Api:
    """Of the branch khu 1 of Phượng Vĩ."""
    return api.as_("phuongvi-1")


@pytest.fixture
def work(database: Database) -> Callable[[], int]:
    """Does all jobs that wait, in this thread; says how many."""
    return lambda: jobs.work_off(database)


@pytest.fixture(scope="session")
def units_of_the_demo(untouched: Database) -> dict[str, int]:
    return units_by_name(untouched)


@pytest.fixture
def unit_id(units_of_the_demo: dict[str, int]) -> dict[str, int]:
    """In every clone they are the same."""
    return dict(units_of_the_demo)


def units_by_name(database: Database) -> dict[str, int]:
    """Ids of the world's units by account name: phutho, camkhe, phuongvi, phuongvi-1, ..."""
    with database.writing() as session:
        units = session.exec(select(Unit).order_by(col(Unit.id))).all()
    slugs = {"Xã Phượng Vĩ": "phuongvi", "Xã Tiên Lương": "tienluong"}
    ids: dict[str, int] = {}
    commune = {unit.id: slugs[unit.name] for unit in units if unit.name in slugs}
    for unit in units:
        assert unit.id is not None
        if unit.level is UnitLevel.province:
            ids["phutho"] = unit.id
        elif unit.level is UnitLevel.district:
            ids["camkhe"] = unit.id
        elif unit.level is UnitLevel.commune and unit.id in commune:
            ids[commune[unit.id]] = unit.id
        elif unit.level is UnitLevel.branch and unit.commune_id is not None:
            ids[f"{commune[unit.commune_id]}-{unit.name.split()[-1]}"] = unit.id
    return ids
