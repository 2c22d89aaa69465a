"""What a reorganisation had left in the province of before goes to that of its member."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from app.db import Database
from tests.conftest import ROOT, make_settings
from tests.helpers.client import writing


def test_rows_go_to_the_province_of_their_record(database: Database) -> None:
    with writing(database) as session:
        stale = "UPDATE member_identifier SET province_id = 999 WHERE kind = 'phone'"
        number = session.execute(sa.text(stale)).rowcount  # type: ignore[attr-defined]  # a CursorResult
        rest = session.execute(
            sa.text("SELECT count(*) FROM member_identifier WHERE province_id = 999")
        ).scalar_one()
    assert number == rest > 100
    url = database.writer.url.render_as_string(hide_password=False)
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.attributes["url"] = url
    config.attributes["vault"] = make_settings(url).vault()
    database.close()
    command.downgrade(config, "0036")
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    run = "UPDATE appointment SET province_id = NULL"
    with engine.begin() as connection:
        posts = connection.execute(sa.text(run)).rowcount
    assert posts > 5
    command.upgrade(config, "head")
    differ = (
        "SELECT count(*) FROM {} r JOIN member m ON m.id = r.member_id"
        " WHERE r.province_id IS NULL OR r.province_id <> m.province_id"
    )
    with engine.connect() as connection:
        for table in ("member_identifier", "appointment"):
            assert connection.execute(sa.text(differ.format(table))).scalar_one() == 0
            count = sa.text(f"SELECT count(*) FROM {table}")  # of this list
            assert connection.execute(count).scalar_one() >= posts
    assert not {c["name"]: c["nullable"] for c in sa.inspect(engine).get_columns("appointment")}[
        "province_id"
    ]
    engine.dispose()
