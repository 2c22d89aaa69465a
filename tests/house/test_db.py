"""Statements that the two databases word differently mean the same on both."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlmodel import Session, SQLModel, col, select

from app.api.http.server import Server
from app.db import Columns, Database, chunks, engines, insert_new, upsert, wait_for_locks
from app.models import index_foreign_keys
from app.models.members.members import NameEntry, NameWord
from tests.helpers.client import Api, writing
from tests.helpers.databases import ON_POSTGRESQL

Row = dict[str, str]


def row(number: int, search_key: str) -> Row:
    return {"sort_key": f"~{number:04}", "search_key": search_key}


def stored(database: Database) -> list[Row]:
    """The entries of these tests: no name begins with a tilde."""
    with writing(database) as session:
        found = session.exec(
            select(NameEntry)
            .where(col(NameEntry.sort_key).startswith("~"))
            .order_by(col(NameEntry.sort_key))
        )
        return [{"sort_key": each.sort_key, "search_key": each.search_key} for each in found]


@pytest.mark.parametrize(
    ("number", "size", "lengths"),
    [(0, 3, []), (2, 3, [2]), (3, 3, [3]), (7, 3, [3, 3, 1]), (2_500, None, [1_000, 1_000, 500])],
)
def test_chunks_hold_all_in_their_order(number: int, size: int | None, lengths: list[int]) -> None:
    items = range(number)
    parts = [*(chunks(items) if size is None else chunks(items, size))]
    assert [len(part) for part in parts] == lengths
    assert [each for part in parts for each in part] == [*items]


class TestInsertNew:
    def test_leaves_what_is_there_and_says_what_was_not(self, database: Database) -> None:
        with writing(database) as session:
            first = insert_new(session, NameEntry, [row(1, "a"), row(3, "c")], returning="sort_key")
        assert first == {"~0001", "~0003"}
        with writing(database) as session:
            rows = [row(1, "other"), row(2, "b"), row(3, "other")]
            assert insert_new(session, NameEntry, rows, returning="sort_key") == {"~0002"}
        assert stored(database) == [row(1, "a"), row(2, "b"), row(3, "c")]

    def test_says_nothing_when_not_asked(self, database: Database) -> None:
        with writing(database) as session:
            assert insert_new(session, NameEntry, [row(1, "a")]) == set()
            assert insert_new(session, NameEntry, [], returning="sort_key") == set()
        assert stored(database) == [row(1, "a")]

    def test_of_one_key_given_twice_the_first_stays(self, database: Database) -> None:
        with writing(database) as session:
            insert_new(session, NameEntry, [row(1, "a"), row(1, "b")])
        assert stored(database) == [row(1, "a")]

    def test_by_a_key_of_several_columns(self, database: Database) -> None:
        words = [{"word": word, "sort_key": "~0001", "search_key": "a"} for word in ("x", "y")]
        with writing(database) as session:
            assert insert_new(session, NameWord, words[:1], returning="word") == {"x"}
            assert insert_new(session, NameWord, words, returning="word") == {"y"}

    def test_thousands_at_once(self, database: Database) -> None:
        rows = [row(number, "a") for number in range(2_500)]
        with writing(database) as session:
            insert_new(session, NameEntry, rows[::2])
            new = insert_new(session, NameEntry, rows, returning="sort_key")
        assert new == {each["sort_key"] for each in rows[1::2]}
        assert stored(database) == rows


class TestUpsert:
    @staticmethod
    def joined(session: Session, rows: list[Row]) -> None:
        def both(old: Columns, new: Columns) -> dict[str, object]:
            return {"search_key": old["search_key"] + new["search_key"]}

        upsert(session, NameEntry, rows, both)

    def test_inserts_and_changes_by_what_was_and_what_comes(self, database: Database) -> None:
        with writing(database) as session:
            self.joined(session, [row(1, "a"), row(2, "b")])
        with writing(database) as session:
            self.joined(session, [row(2, "c"), row(3, "d")])
        assert stored(database) == [row(1, "a"), row(2, "bc"), row(3, "d")]

    def test_of_one_key_given_twice_both_count(self, database: Database) -> None:
        with writing(database) as session:
            self.joined(session, [row(1, "a"), row(1, "b")])
        assert stored(database) == [row(1, "ab")]

    def test_nothing_is_nothing(self, database: Database) -> None:
        with writing(database) as session:
            self.joined(session, [])
        assert stored(database) == []

    def test_thousands_at_once(self, database: Database) -> None:
        with writing(database) as session:
            self.joined(session, [row(number, "a") for number in range(1_500)])
            self.joined(session, [row(number, "b") for number in range(1_000, 2_500)])
        expected = ["a"] * 1_000 + ["ab"] * 500 + ["b"] * 1_000
        assert stored(database) == [row(number, key) for number, key in enumerate(expected)]


@pytest.mark.skipif(not ON_POSTGRESQL, reason="SQLite has no limits of time")
class TestLimitsOfTime:
    """Of connections: set when one is made, and changed on none, which another gets next."""

    def shown(self, engine: Engine | None, name: str) -> str:
        assert engine is not None
        with engine.connect() as connection:
            return str(connection.exec_driver_sql(f"SHOW {name}").scalar_one())

    def test_are_the_same_after_a_sweep(self, database: Database) -> None:
        database.sweep(["member", "capture"])
        for engine in (database.reader, database.writer):
            assert self.shown(engine, "statement_timeout") == "30s"

    def test_a_request_waits_for_a_lock_less_long_than_a_job(self, database: Database) -> None:
        assert self.shown(database.writer, "lock_timeout") == "15s"
        with closing(Server.of(database.settings).database) as of_server:
            assert self.shown(of_server.writer, "lock_timeout") == "3s"
        unlimited = database.settings.model_copy(update={"statement_timeout_ms": 0})
        with closing(Database(unlimited)) as loading:
            assert self.shown(loading.writer, "lock_timeout") == "0"

    def test_costs_a_request_no_statement(self, head: Api, database: Database) -> None:
        member = head.get("/v1/members?limit=1").json()["items"][0]
        sent: list[str] = []

        def note(_: object, __: object, statement: str, *___: object) -> None:
            sent.append(statement)

        sa.event.listen(database.writer, "before_cursor_execute", note)
        changed = head.patch(f"/v1/members/{member['id']}", json={"address": "Khu 9"})
        sa.event.remove(database.writer, "before_cursor_execute", note)
        assert changed.status_code == 200
        assert [each for each in sent if "FOR NO KEY UPDATE" in each or "FOR UPDATE" in each]
        assert [each for each in sent if "set_config" in each or each.startswith("SET ")] == []

    def test_is_lifted_for_the_rest_of_a_transaction(self, database: Database) -> None:
        with writing(database) as session:
            wait_for_locks(session)
            assert session.execute(sa.text("SHOW lock_timeout")).scalar_one() == "0"
        assert self.shown(database.writer, "lock_timeout") == "15s"

    def test_of_a_sweep_and_of_jobs_are_their_own(self, database: Database) -> None:
        sweeping = engines.without_time_limit(database.settings)
        assert self.shown(sweeping, "statement_timeout") == "0"
        assert self.shown(sweeping, "timezone") == "UTC"
        sweeping.dispose()
        jobs = database.job_engine
        assert self.shown(jobs, "idle_in_transaction_session_timeout") == "1min"
        assert self.shown(jobs, "statement_timeout") == "30s"


@pytest.mark.parametrize("name", ["reader", "writer"])
def test_a_connection_at_work_is_closed_when_it_is_given_back(
    database: Database, name: str
) -> None:
    """A thread that outlives its server leaves none open."""
    ended = Database(database.settings)
    connection = getattr(ended, name).connect()
    given = connection.connection.driver_connection
    ended.close()
    assert connection.execute(sa.select(sa.literal(1))).scalar_one() == 1
    connection.close()
    if ON_POSTGRESQL:
        assert given.closed
    else:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            given.execute("SELECT 1")
    # Whoever asks again gets a new one, which is kept.
    with closing(ended), ended.reading() as again:
        assert again.execute(sa.select(sa.literal(1))).scalar_one() == 1


def test_no_connection_of_a_pool_is_given_a_setting() -> None:
    """In PgBouncer's transaction mode it would be left to whoever comes next."""
    setting = re.compile(r"""["']SET (?!LOCAL)[a-zA-Z_.]+ *(=|TO) """)
    files = (Path(__file__).parents[2] / "app").rglob("*.py")
    assert [path.name for path in files if setting.search(path.read_text())] == []


def test_every_foreign_key_leads_an_index() -> None:
    """Where a person is deleted, the database looks for the rows that point to her."""
    metadata = sa.MetaData(naming_convention=SQLModel.metadata.naming_convention)
    sa.Table("person", metadata, sa.Column("id", sa.Integer, primary_key=True))
    visit = sa.Table(
        "visit",
        metadata,
        sa.Column("person_id", sa.ForeignKey("person.id"), primary_key=True),
        sa.Column("host_id", sa.ForeignKey("person.id"), nullable=False),
        sa.Column("guide_id", sa.ForeignKey("person.id"), nullable=True),
        sa.Column("driver_id", sa.ForeignKey("person.id"), nullable=True),
        sa.Index("ix_visit_driver_id_day", "driver_id", "person_id"),
    )
    index_foreign_keys(metadata)
    found = {
        index.name: str(index.dialect_options["postgresql"]["where"]) for index in visit.indexes
    }
    assert found == {
        "ix_visit_host_id": "None",
        "ix_visit_guide_id": "guide_id IS NOT NULL",
        "ix_visit_driver_id_day": "None",
    }
