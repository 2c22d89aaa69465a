"""Days of joining become partial dates; going down a year or a month becomes its first day."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlmodel import col, select

from app.db import Database
from app.models.members.members import Member
from tests.conftest import ROOT, make_settings
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, made
from tests.helpers.client import Api, writing

DAYS = ("1985", "1985-03", "1985-03-08", None)


def test_days_keep_what_is_known_of_them(api: Api, database: Database, unit_id: Ids) -> None:
    head = api.as_("phuongvi-1")
    for day in DAYS:
        body: Json = {"branch_id": unit_id["phuongvi-1"], "full_name": "Khổng Thị Năm"}
        made(head.post("/v1/members", json=body | {"birth_date": "1950", "joined_on": day}))
    url = database.writer.url.render_as_string(hide_password=False)
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.attributes["url"] = url
    config.attributes["vault"] = make_settings(url).vault()
    database.close()
    command.downgrade(config, "0021")
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    named = sa.text("SELECT joined_on FROM member WHERE full_name = 'Khổng Thị Năm'")
    with engine.connect() as connection:
        days = {day and str(day) for day in connection.execute(named).scalars()}
    assert days == {"1985-01-01", "1985-03-01", "1985-03-08", None}
    command.upgrade(config, "head")
    engine.dispose()
    again = Database(make_settings(url))
    with writing(again) as session:
        hers = select(Member.joined_on).where(col(Member.full_name) == "Khổng Thị Năm")
        assert set(session.exec(hers)) == days
        others = select(Member.joined_on).where(col(Member.joined_on).is_not(None))
        assert all(len(day or "") == len("1985-03-08") for day in session.exec(others))
    again.close()
