"""The dictionary of distinct names, which searches above the communes go through."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from app.models.members import NameEntry


def remember(session: Session, members: Iterable[Mapping[str, Any]]) -> None:
    """Enter the names (`sort_key`, `search_key`) that are not in it; nobody waits for anybody."""
    rows = {member["sort_key"]: member["search_key"] for member in members}
    if not rows:
        return
    connection = session.connection()
    statement: Any
    if connection.dialect.name == "sqlite":
        statement = sqlite.insert(NameEntry).on_conflict_do_nothing()
    else:
        statement = postgresql.insert(NameEntry).on_conflict_do_nothing()
    # In one order everywhere: two transactions that enter the same names cannot lock each other.
    values = [{"sort_key": key, "search_key": rows[key]} for key in sorted(rows)]
    connection.execute(statement, values)
