"""Households go and come with rows in the tables; members stay."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlmodel import col, func, select

from app.db import Database
from app.models.members.members import Member
from tests.conftest import ROOT, make_settings
from tests.helpers.cadres import Ids, free_members, made
from tests.helpers.client import Api, writing


def test_members_outlive_their_households(api: Api, database: Database, unit_id: Ids) -> None:
    head = free_members(database, unit_id["phuongvi-1"])[0]
    people = [{"member_id": str(head.id), "relation": "head"}]
    body = {"branch_id": unit_id["phuongvi-1"], "opened_on": "2024-01-01", "people": people}
    officer = api.as_("phuongvi")
    path = f"/v1/households/{made(officer.post('/v1/households', json=body))['id']}"
    visit = {"assessed_on": "2025-01-01", "answers": {}, "source": "self"}
    first = made(officer.post(f"{path}/assessments", json=visit))
    made(officer.post(f"{path}/assessments", json=visit | {"corrects_id": first["id"]}))
    decision = {"class": "poor", "decision_number": "1", "decided_on": "2025-01-02"}
    decision |= {"valid_from": "2025-01-02", "assessment_id": first["id"]}
    made(officer.post(f"{path}/poverty-status", json=decision))
    url = database.writer.url.render_as_string(hide_password=False)
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.attributes["url"] = url
    config.attributes["vault"] = make_settings(url).vault()
    with writing(database) as session:
        before = session.exec(select(func.count()).select_from(Member)).one()
    database.close()
    command.downgrade(config, "0009-1")
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    assert "household" not in sa.inspect(engine).get_table_names()
    with engine.connect() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(Member)).scalar()
        kept = sa.select(sa.func.count(col(Member.household_id)))
        assert (count, connection.execute(kept).scalar()) == (before, 0)
    command.upgrade(config, "head")
    assert "household" in sa.inspect(engine).get_table_names()
    engine.dispose()
