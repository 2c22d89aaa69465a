"""The log of exports: each list that leaves the server as a file is written down first."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import Database
from app.models.base import Uuid, new_id
from app.models.kernel.export_log import ExportFormat, ExportRecord
from app.services.kernel.access import Actor
from app.services.kernel.background import outliving_outages
from app.services.kernel.holdings import Forgotten, Person
from app.text import digits, search_key, words_of_key

# In place of a search that names a person.
UNTOLD = "…"
_DIGITS_OF_AN_IDENTIFIER = 4


def begin(
    database: Database,
    actor: Actor,
    *,
    request_id: str,
    path: str,
    filters: Mapping[str, Any],
    fields: Sequence[str],
    format_: ExportFormat,
) -> UUID:
    """Written, and committed, before the first byte leaves."""
    export_id = new_id()
    row = {
        "id": export_id,
        "account_id": actor.account_id,
        "at": utc_now(),
        "request_id": request_id,
        "path": path[:200],
        "filters": {name: _kept(name, value) for name, value in filters.items()},
        "fields": list(fields),
        "format": format_,
    }
    with database.writing() as session:
        session.connection().execute(sa.insert(ExportRecord), row)
    return export_id


def note(
    session: Session,
    account_id: UUID,
    *,
    request_id: str,
    path: str,
    filters: Mapping[str, Any],
    fields: Sequence[str],
    format_: ExportFormat,
    rows: int,
) -> None:
    """What a job has made ready, in its transaction."""
    now = utc_now()
    row = {
        "id": new_id(),
        "account_id": account_id,
        "at": now,
        "request_id": request_id,
        "path": path[:200],
        "filters": dict(filters),
        "fields": list(fields),
        "format": format_,
        "rows": rows,
        "finished_at": now,
    }
    session.connection().execute(sa.insert(ExportRecord), row)


def _kept(name: str, value: Any) -> Any:
    """As it was asked, but no phone or citizen id: the audit is no place to read them."""
    is_search = name == "q" and isinstance(value, str)
    return UNTOLD if is_search and len(digits(value)) >= _DIGITS_OF_AN_IDENTIFIER else value


def forget_about(session: Session, people: Sequence[Person]) -> Forgotten:
    """Leave untold what was searched for where it is, or begins, a name of one of these people."""
    told = [_words(name) for person in people for name in person.names]
    connection = session.connection()
    searched = col(ExportRecord.filters)["q"].as_string()
    rows = connection.execute(
        sa.select(col(ExportRecord.id), col(ExportRecord.filters)).where(
            searched.is_not(None), searched != UNTOLD
        )
    ).all()
    forgotten = [
        row for row in rows if any(_begins(_words(row.filters["q"]), name) for name in told)
    ]
    for row in forgotten:
        connection.execute(
            sa.update(ExportRecord)
            .where(col(ExportRecord.id) == row.id)
            .values(filters={**row.filters, "q": UNTOLD})
        )
    return {ExportRecord: len(forgotten)}


def _words(text: str) -> list[str]:
    return [*words_of_key(search_key(text))]


def _begins(typed: Sequence[str], name: Sequence[str]) -> bool:
    return bool(typed) and all(any(word.startswith(part) for word in name) for part in typed)


def finish(database: Database, export_id: UUID, rows: int) -> None:
    """Note that the last row has been read; an export without this note was broken off."""
    with outliving_outages("export_record"), database.writing() as session:
        session.connection().execute(_FINISH, {"id_": export_id, "n": rows, "now": utc_now()})


_FINISH = (
    sa.update(ExportRecord)
    .where(col(ExportRecord.id) == sa.bindparam("id_", type_=Uuid))
    .values(rows=sa.bindparam("n"), finished_at=sa.bindparam("now"))
)
