"""Migrations make exactly the tables the models describe, and take them away again."""

import ast
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

import app.models  # noqa: F401  # registers every table
from app.db import Database, constraint_name
from app.models.kernel.units import Unit
from app.models.members.members import Member
from tests.conftest import ROOT, make_settings
from tests.helpers.databases import Clones

VERSIONS = sorted((ROOT / "alembic" / "versions").glob("*.py"))


@pytest.fixture
def empty(clones: Clones) -> Iterator[str]:
    """The address of a database with nothing in it."""
    with clones.empty() as url:
        yield url


@pytest.fixture
def engine(empty: str) -> Iterator[sa.Engine]:
    made = sa.create_engine(empty, poolclass=sa.pool.NullPool)
    yield made
    made.dispose()


@pytest.fixture
def config(empty: str) -> Config:
    made = Config(ROOT / "alembic.ini")
    made.set_main_option("script_location", str(ROOT / "alembic"))
    made.attributes["url"] = empty
    made.attributes["vault"] = make_settings(empty).vault()
    return made


def tables(engine: sa.Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names())


def excludes(index: Any) -> bool:
    """Of an exclusion constraint: PostgreSQL has them where SQLite has triggers, and only the
    migrations make either."""
    return str(index["name"]).startswith("ex_")


def described(engine: sa.Engine) -> dict[str, Any]:
    """Everything the database itself says of its tables, in a fixed order."""
    inspector = sa.inspect(engine)

    def ordered(items: list[Any]) -> list[str]:
        for item in items:
            options = item.pop("dialect_options", {})
            item |= {key: str(value) for key, value in options.items()}
        return sorted(str(sorted(item.items())) for item in items)

    return {
        name: {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"], c["default"])
                for c in sorted(inspector.get_columns(name), key=lambda column: column["name"])
            ],
            "primary key": inspector.get_pk_constraint(name),
            "foreign keys": ordered(list(inspector.get_foreign_keys(name))),
            "indexes": ordered([i for i in inspector.get_indexes(name) if not excludes(i)]),
            "unique": ordered(list(inspector.get_unique_constraints(name))),
            "checks": ordered(list(inspector.get_check_constraints(name))),
        }
        for name in inspector.get_table_names()
        if name != "alembic_version"
    }


class TestUpAndDown:
    def test_up_makes_every_table_and_down_leaves_none(
        self, config: Config, engine: sa.Engine
    ) -> None:
        command.upgrade(config, "head")
        assert tables(engine) == {*SQLModel.metadata.tables, "alembic_version"}
        command.downgrade(config, "base")
        assert tables(engine) == {"alembic_version"}
        command.upgrade(config, "head")
        assert tables(engine) == {*SQLModel.metadata.tables, "alembic_version"}

    def test_up_twice_is_up_once(self, config: Config, engine: sa.Engine) -> None:
        command.upgrade(config, "head")
        before = described(engine)
        command.upgrade(config, "head")
        assert described(engine) == before

    def test_nothing_is_left_to_generate(self, config: Config) -> None:
        command.upgrade(config, "head")
        command.check(config)  # raises when a model and its table differ

    @pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
    def test_import_nothing_that_may_change(self, path: Path) -> None:
        """What a revision did stays what it did: it has its own copies of what it needs."""
        named = {
            name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        # How a large table is changed; it knows none of ours.
        imported = {name.partition(".")[0] for name in named - {"app.db.phases"}}
        assert imported & {"app", "sqlmodel", "tests"} == set()

    def test_there_is_one_head(self, config: Config) -> None:
        assert len(ScriptDirectory.from_config(config).get_heads()) == 1

    def test_the_order_of_changes_begins_at_nothing(
        self, config: Config, engine: sa.Engine
    ) -> None:
        command.upgrade(config, "head")
        with engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT id, seq FROM feed_head")).all()
        assert [tuple(row) for row in rows] == [(1, 0)]


class TestFileOfSqlite:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "new" / "hoiso.db"

    @pytest.mark.parametrize("first", ["reading", "writing"])
    def test_is_made_by_the_first_connection_and_its_owners_alone(
        self, file: Path, first: str
    ) -> None:
        database = Database(make_settings(f"sqlite:///{file}"))
        assert not file.parent.exists()
        with getattr(database, first)() as db:
            db.execute(sa.text("SELECT 1"))
        with database.writing() as session:
            session.execute(sa.text("CREATE TABLE x (y)"))
        assert {stat.S_IMODE(made.stat().st_mode) for made in file.parent.iterdir()} == {0o600}
        database.close()

    def test_keeps_the_mode_it_has(self, file: Path) -> None:
        file.parent.mkdir()
        file.touch(mode=0o640)
        database = Database(make_settings(f"sqlite:///{file}"))
        with database.writing() as session:
            session.execute(sa.text("CREATE TABLE x (y)"))
        database.close()
        assert stat.S_IMODE(file.stat().st_mode) == 0o640

    def test_without_a_table_is_no_outage(self, file: Path) -> None:
        database = Database(make_settings(f"sqlite:///{file}"))
        with pytest.raises(sa.exc.ProgrammingError, match="no such table"):
            database.read(lambda db: db.execute(sa.text("SELECT 1 FROM member")))
        database.close()

    def test_that_is_locked_is_one(self, file: Path) -> None:
        one, other = (Database(make_settings(f"sqlite:///{file}")) for _ in range(2))
        with other.writing():
            pass

        @sa.event.listens_for(other.writer, "checkout")
        def impatient(connection: Any, *_: object) -> None:
            connection.execute("PRAGMA busy_timeout=0")

        with one.writing() as first:
            first.execute(sa.text("CREATE TABLE x (y)"))
            with (
                pytest.raises(sa.exc.OperationalError, match="locked"),
                other.writing() as session,
            ):
                session.execute(sa.text("CREATE TABLE x (y)"))
        one.close()
        other.close()


class TestSchema:
    def test_is_the_one_of_the_models(
        self, config: Config, engine: sa.Engine, clones: Clones, tmp_path: Path
    ) -> None:
        command.upgrade(config, "head")
        migrated = described(engine)
        command.downgrade(config, "base")
        SQLModel.metadata.create_all(engine)
        created = described(engine)
        assert migrated.keys() == created.keys()
        for name, table in created.items():
            assert migrated[name] == table, name
        SQLModel.metadata.drop_all(engine)

    def test_names_every_constraint(self, config: Config, engine: sa.Engine) -> None:
        command.upgrade(config, "head")
        inspector = sa.inspect(engine)
        for table, model in SQLModel.metadata.tables.items():
            # SQLite writes AUTOINCREMENT into the column, where a key has no name.
            nameless = model.dialect_options["sqlite"]["autoincrement"] and (
                engine.dialect.name == "sqlite"
            )
            name = None if nameless else f"pk_{table}"
            assert inspector.get_pk_constraint(table)["name"] == name
            for key in inspector.get_foreign_keys(table):
                columns = "_".join(key["constrained_columns"])
                assert key["name"] == f"fk_{table}_{columns}_{key['referred_table']}"
            for index in inspector.get_indexes(table):
                assert str(index["name"]).startswith(("ix_", "uq_", "ex_")), index

    def test_indexes_every_foreign_key_that_points_at_much(self, engine: sa.Engine) -> None:
        first = {
            (table.name, next(iter(index.columns)).name)
            for table in SQLModel.metadata.tables.values()
            for index in table.indexes
        }
        for column in ("branch_id", "commune_id", "province_id"):
            assert ("member", column) in first


class TestRefusals:
    """Both databases refuse alike, and by the same names."""

    def test_a_second_primary_key(self, database: Database) -> None:
        with database.reading() as db:
            row = db.execute(sa.select(*sa.inspect(Member).columns).limit(1)).one()
        with (
            pytest.raises(sa.exc.IntegrityError) as refused,
            database.writer.begin() as connection,
        ):
            connection.execute(sa.insert(Member).values(**row._mapping))
        assert constraint_name(refused.value) == "pk_member"

    def test_a_second_username(self, database: Database) -> None:
        columns = "kind, username, display_name, status, unit_id, revision, created_at, updated_at"
        copied = f"INSERT INTO account (id, {columns}) SELECT :id, {columns} FROM account LIMIT 1"
        own = uuid4()
        values = {"id": own.bytes if database.on_sqlite else own}
        with (
            pytest.raises(sa.exc.IntegrityError) as refused,
            database.writer.begin() as connection,
        ):
            connection.execute(sa.text(copied), values)
        assert constraint_name(refused.value) == "uq_account_username"

    def test_a_code_of_two_units_at_once(self, database: Database) -> None:
        copied = (
            "INSERT INTO unit_identifier (unit_id, scheme, valid_from, value, value_key)"
            " SELECT unit_id + 1, scheme, '1990-01-01', value, value_key"
            " FROM unit_identifier WHERE scheme = 'gso' LIMIT 1"
        )
        with (
            pytest.raises(sa.exc.IntegrityError) as refused,
            database.writer.begin() as connection,
        ):
            connection.execute(sa.text(copied))
        assert constraint_name(refused.value) == "uq_unit_identifier_current_code"

    def test_a_member_of_no_branch_and_a_unit_with_members_deleted(
        self, database: Database
    ) -> None:
        for statement in (
            "UPDATE member SET branch_id = 999999",
            "DELETE FROM unit WHERE id = (SELECT branch_id FROM member LIMIT 1)",
        ):
            with pytest.raises(sa.exc.IntegrityError), database.writer.begin() as connection:
                connection.execute(sa.text(statement))
        with database.reading() as db:
            assert db.execute(sa.select(sa.func.count()).select_from(Member)).scalar_one() == 400
            assert db.execute(sa.select(sa.func.count()).select_from(Unit)).scalar_one() == 12

    def test_a_reader_that_writes_on_sqlite(self, database: Database) -> None:
        """PostgreSQL's reader is kept from it by the services, SQLite's by itself."""
        if not database.on_sqlite:
            with database.reading() as db:
                assert db.connection.dbapi_connection.autocommit is True  # type: ignore[union-attr]  # psycopg's own
            return
        with pytest.raises(sa.exc.OperationalError), database.reading() as db:
            db.execute(sa.text("DELETE FROM member"))

    def test_settings_reach_the_database(self, empty: str) -> None:
        database = Database(make_settings(empty, statement_timeout_ms=1234))
        with database.reading() as db:
            if database.on_sqlite:
                found = db.execute(sa.text("PRAGMA query_only")).scalar_one()
                assert found == 1
            else:
                assert db.execute(sa.text("SHOW statement_timeout")).scalar_one() == "1234ms"
                assert db.execute(sa.text("SHOW timezone")).scalar_one() == "UTC"
        with database.writing() as session:
            if database.on_sqlite:
                assert session.execute(sa.text("PRAGMA foreign_keys")).scalar_one() == 1
                assert session.execute(sa.text("PRAGMA journal_mode")).scalar_one() == "wal"
                assert session.execute(sa.text("PRAGMA synchronous")).scalar_one() == 2
            else:
                assert session.execute(sa.text("SHOW statement_timeout")).scalar_one() == "1234ms"
        database.close()
