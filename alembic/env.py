"""Runs migrations on the database of the settings, one at a time and alone."""

import sqlalchemy as sa
from alembic import context
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

import app.models  # noqa: F401  # registers every table
from app.config import get_settings
from app.db import keep_vault
from app.models.base import Sealed, Uuid

LOCK = 7_260_441  # any fixed number: two deployments at once migrate one after the other


def render_item(kind: str, item: object, _context: object) -> str | bool:
    """Migrations import neither the app nor sqlmodel: types are written as what they are."""
    if kind != "type":
        return False
    if isinstance(item, Uuid):
        return 'sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")'
    if isinstance(item, Sealed):
        return "sa.Text()"
    if isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, AutoString):
        return f"sa.String({item.impl.length})"
    if isinstance(item, sa.JSON):
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    if isinstance(item, sa.Enum):
        return "sa.String(32)"
    return False


# On SQLite the tables of DBOS (app/jobs.py) stand beside ours; it migrates them itself.
OTHERS = {
    "application_versions",
    "dbos_migrations",
    "notifications",
    "operation_outputs",
    "queues",
    "streams",
    "workflow_events",
    "workflow_events_history",
    "workflow_input",
    "workflow_output",
    "workflow_schedules",
    "workflow_status",
}


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name in OTHERS)


def run() -> None:
    url = context.config.attributes.get("url") or get_settings().database_url
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    # Migrations that seal or open what is stored need the data keys.
    keep_vault(engine, context.config.attributes.get("vault") or get_settings().vault())
    with engine.connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        if on_sqlite:
            # A table that is made anew leaves nothing of its old rows behind.
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
            connection.commit()
        if not on_sqlite:
            # Another deployment may take long, a table in use should not: so in this order.
            connection.execute(sa.select(sa.func.pg_advisory_lock(LOCK)))
            connection.execute(sa.text("SET lock_timeout = '10s'"))
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=SQLModel.metadata,
            render_as_batch=on_sqlite,
            render_item=render_item,
            include_name=include_name,
            compare_type=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
