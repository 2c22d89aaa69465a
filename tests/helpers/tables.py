"""The whole database, compared before and after: an act that is undone leaves nothing behind."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import RowMapping
from sqlmodel import SQLModel

from app.db import Database
from tests.helpers.client import writing

# What happened stays in the logs; answers and jobs are of requests, and not of the union.
LOGS = {"change", "feed", "feed_head", "outbox", "access_read", "export_record"}
OF_REQUESTS = {"idempotent_answer", "job", "auth_session", "refresh_token"}
# What is to be counted anew.
MARKS = {"figure_stale"}
# An index of names: one that nobody has any more finds nobody, and an erasure takes it out.
INDEXES = {"name_entry", "name_word"}
# The import or the merge itself is kept.
OF_IMPORTS = ("import", "import_row", "import_part", "import_memory")
# They count changes.
COUNTED = {"revision", "updated_at"}
Tables = dict[str, set[tuple[Any, ...]]]


def everything(database: Database, *without: str) -> Tables:
    """Every row of every table, but for `without`; sealed columns as they are read."""
    found: Tables = {}
    with writing(database) as session:
        for table in SQLModel.metadata.sorted_tables:
            if table.name in {*LOGS, *OF_REQUESTS, *MARKS, *INDEXES, *without}:
                continue
            columns = [column for column in table.c if column.name not in COUNTED]
            rows = session.execute(sa.select(*columns)).mappings()
            found[table.name] = {_plain(row) for row in rows}
    return found


def _plain(row: RowMapping) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(name), repr(value)) for name, value in row.items()))


def changed(before: Tables, after: Tables) -> dict[str, tuple[set[Any], set[Any]]]:
    """The rows that are gone and those that came, by table."""
    return {
        name: (before[name] - after[name], after[name] - before[name])
        for name in before
        if before[name] != after[name]
    }
