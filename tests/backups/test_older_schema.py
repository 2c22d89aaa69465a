"""A backup of an older version is restored by a newer one, which brings it to the schema of today."""

from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlmodel import SQLModel

from app.clock import local_today
from app.db import Database
from app.models.figures.rollups import FigureDay, FigureKept, FigureStale
from app.services.backups import backing_up
from app.services.kernel import due, following
from app.services.kernel.manifest import manifest
from tests.backups.backups import everything, quietly, restore, settings_of
from tests.conftest import ROOT
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, done, made
from tests.helpers.client import Api, writing
from tests.http.test_sweep import day
from tests.migrations.test_migrations import described

# The last revision before there were epochs.
OLD = "0026"
# What that version has no place for, or counts anew; all else is as it was.
NEW = {
    *("epoch", "reorganisation_side"),
    *("figure_day", "figure_fold", "figure_kept", "figure_shared", "figure_stale"),
}
OF_THE_RESTORE = {"feed_head", "notification", "auth_session"}


def config_of(url: str) -> Config:
    made = Config(ROOT / "alembic.ini")
    made.set_main_option("script_location", str(ROOT / "alembic"))
    made.attributes["url"], made.attributes["vault"] = url, settings_of(url).vault()
    return made


def schema_of(url: str) -> tuple[dict[str, Any], list[Any]]:
    """What the database says of its tables, and the rules that are no part of a table's model."""
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    rules = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name",
        "postgresql": "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        # Whether a column may be null is said of the column; how that is called is left to it.
        " WHERE contype <> 'n' AND connamespace = current_schema()::regnamespace ORDER BY conname",
    }
    with engine.connect() as connection:
        found = connection.exec_driver_sql(rules[engine.dialect.name]).all()
    return described(engine), [tuple(row) for row in found]


def poor_household(officer: Api) -> None:
    [head] = done(officer.get("/v1/members?limit=1"))["items"]
    formed = {"branch_id": head["branch_id"], "opened_on": "2021-01-01"}
    people = [{"member_id": head["id"], "relation": "head"}]
    home = made(officer.post("/v1/households", json=formed | {"people": people}))
    decided = {"class": "poor", "decision_number": "1/QĐ", "decided_on": day(-20)}
    path = f"/v1/households/{home['id']}/poverty-status"
    made(officer.post(path, json=decided | {"valid_from": day(-20)}))


def figures_of(unit_id: int) -> list[SQLModel]:
    figures: Json = {"rows": "members", "day": local_today(), "figures": []}
    return [
        FigureDay(**figures, unit_id=unit_id, whole=True),
        FigureKept(**figures),
        FigureStale(unit_id=unit_id, entity="member"),
    ]


def test_down_with_its_data_and_up_by_the_restore(
    api: Api, database: Database, unit_id: Ids, empty: str, tmp_path: Path
) -> None:
    """Every revision since then is undone and done again with rows in its tables."""
    renamed = {"op": "rename", "unit_id": unit_id["phuongvi-1"], "name": "Chi hội khu 1"}
    draft: Json = {"effective_on": day(0), "operations": [renamed]}
    officer = api.as_("phuongvi")
    made(officer.post("/v1/reorganisations", json=draft))
    poor_household(officer)
    with writing(database) as session:
        following.next_epoch(session)
        session.add_all(figures_of(unit_id["phuongvi-1"]))
    rows, schema = everything(database), schema_of(database.settings.database_url)
    for name in ("poverty_flow", "poverty_stay"):
        assert rows[name] != [], name
    url = database.settings.database_url
    database.close()

    command.downgrade(config_of(url), OLD)
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    assert not sa.inspect(engine).has_table("epoch")
    file = tmp_path / "hoiso.backup"
    assert backing_up.back_up(settings_of(url), file, quietly).header.revision == OLD
    restore(empty, file)

    tables, rules = schema_of(empty)
    assert {name: each for name, each in tables.items() if each != schema[0][name]} == {}
    assert set(rules) ^ set(schema[1]) == set()
    with closing(Database(settings_of(empty))) as restored:
        after = everything(restored)
        for name in rows.keys() - NEW - OF_THE_RESTORE:
            assert after[name] == rows[name], name
        with restored.reading() as db:
            first, second = following.epochs(db)
            assert (first.number, second.number, second.began_after) == (1, 2, len(rows["feed"]))
            assert set(due.waiting(db, manifest().due)) == {each.kind for each in manifest().due}
