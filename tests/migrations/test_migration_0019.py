"""Search keys say which word is the given name, for everybody there is; and no more, going down."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlmodel import col, select

from app.db import Database
from app.models.households.households import Household
from app.models.members.members import Member, NameEntry, NameWord
from app.text import name_in_key, search_key, sort_key
from tests.conftest import ROOT, make_settings
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, made
from tests.helpers.client import Api, writing


def test_keys_of_everybody_come_and_go(api: Api, database: Database, unit_id: Ids) -> None:
    head = api.as_("phuongvi-1")
    born: Json = {"branch_id": unit_id["phuongvi-1"], "birth_date": "1970", "joined_on": None}
    for name, given in (("H'Hen Niê", "H'Hen"), ("Y Lơ̆k Niê-Đam", None)):
        body = born | {"full_name": name, "given_name": given}
        member_id = made(head.post("/v1/members", json=body))["id"]
        people = [{"member_id": member_id, "relation": "head"}]
        made(
            head.post("/v1/households", json={"branch_id": unit_id["phuongvi-1"], "people": people})
        )
    url = database.writer.url.render_as_string(hide_password=False)
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.attributes["url"] = url
    config.attributes["vault"] = make_settings(url).vault()
    database.close()
    command.downgrade(config, "0018")
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        keys = {
            row.full_name: (row.sort_key, row.search_key)
            for row in connection.execute(
                sa.text("SELECT full_name, sort_key, search_key FROM member")
            )
        }
        words = connection.execute(sa.text("SELECT word FROM name_word")).scalars().all()
    assert keys["H'Hen Niê"] == (sort_key("H'Hen Niê"), " hhen= nie=0nie{ ")
    assert all("/" not in key for _, key in keys.values())
    assert not [word for word in words if word.startswith("/")]
    command.upgrade(config, "head")
    engine.dispose()
    again = Database(make_settings(url))
    with writing(again) as session:
        members = session.exec(select(Member)).all()
        for member in members:
            assert member.search_key == search_key(member.full_name)
            assert member.sort_key == sort_key(member.full_name)
        for household in session.exec(select(Household)).all():
            assert household.search_key == search_key(household.head_name or "")
        entries = {each.sort_key: each.search_key for each in session.exec(select(NameEntry))}
        assert entries == {member.sort_key: member.search_key for member in members}
        found = session.exec(select(NameWord.sort_key).where(col(NameWord.word) == "lok")).all()
        assert list(found) == [sort_key("Y Lơ̆k Niê-Đam")]
        assert name_in_key(entries[found[0]]) == " i= lok=6lo|k nie=0nie{ dam=0d{am"
    again.close()
