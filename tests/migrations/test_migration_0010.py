"""The account of poverty and what households were given go and come; households stay."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlmodel import col

from app.db import Database
from app.models.households.households import Household
from app.models.poverty.flows import PovertyFlow
from app.services.poverty import account
from tests.conftest import ROOT, make_settings
from tests.helpers.cadres import Ids, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import decide, home

TABLES = {
    *("poverty_stay", "poverty_flow", "support", "household_visit", "loan_figure"),
    *("escape_path", "escape_step", "escape_check"),
}


def test_goes_and_comes_with_rows(api: Api, database: Database, unit_id: Ids) -> None:
    household_id = home(database, unit_id["phuongvi-1"])
    decide(database, household_id, "poor", "2024-01-01")
    officer, path = api.as_("phuongvi"), f"/v1/households/{household_id}"
    gift = {"kind": "gift", "deprivation": "water", "given_on": "2024-05-01"}
    made(officer.post(f"{path}/support", json=gift))
    visit = {"visited_on": "2024-05-01", "visitors": ["Bà Lan"], "note": "Giếng cạn."}
    made(officer.post(f"{path}/visits", json=visit))
    steps = [{"title": "Vay vốn", "responsible": "Bà Lan", "due_on": "2030-01-01"}]
    plan = {"target_on": "2030-12-31", "steps": steps}
    made(officer.post(f"{path}/escape-paths", json=plan))
    url = database.writer.url.render_as_string(hide_password=False)
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.attributes["url"] = url
    config.attributes["vault"] = make_settings(url).vault()
    database.close()
    command.downgrade(config, "0010-1")
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    assert not TABLES & set(sa.inspect(engine).get_table_names())
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count(col(Household.id)))).scalar() == 1
    command.upgrade(config, "head")
    assert set(sa.inspect(engine).get_table_names()) >= TABLES
    engine.dispose()
    again = Database(make_settings(url))
    with writing(again) as session:
        account.restate(session, [household_id])
        counted = sa.select(sa.func.sum(col(PovertyFlow.households))).where(
            col(PovertyFlow.unit_id) == unit_id["phutho"], col(PovertyFlow.by) == ""
        )
        assert session.execute(counted).scalar() == 2  # a day and its year
    again.close()
