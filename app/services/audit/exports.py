"""The audit of exports: which list left as a file, who took it, how many rows she got."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect, Database
from app.models.audit.exports import ExportFormat, ExportRecord
from app.models.base import Uuid, new_id
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit
from app.services.kernel.access import Actor, Db, visible
from app.services.kernel.sequencer import outliving_outages
from app.text import digits, search_key

_UNTOLD = "…"
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


def _kept(name: str, value: Any) -> Any:
    """As it was asked, but no phone or citizen id: the audit is no place to read them."""
    is_search = name == "q" and isinstance(value, str)
    return _UNTOLD if is_search and len(digits(value)) >= _DIGITS_OF_AN_IDENTIFIER else value


def forget_searches(session: Session, names: Iterable[str]) -> int:
    """Leave untold what was searched for where it is, or begins, one of these names; returns how
    many exports that were."""
    told = [_words(name) for name in names]
    connection = session.connection()
    searched = col(ExportRecord.filters)["q"].as_string()
    rows = connection.execute(
        sa.select(col(ExportRecord.id), col(ExportRecord.filters)).where(
            searched.is_not(None), searched != _UNTOLD
        )
    ).all()
    forgotten = [
        row for row in rows if any(_begins(_words(row.filters["q"]), name) for name in told)
    ]
    for row in forgotten:
        connection.execute(
            sa.update(ExportRecord)
            .where(col(ExportRecord.id) == row.id)
            .values(filters={**row.filters, "q": _UNTOLD})
        )
    return len(forgotten)


def _words(text: str) -> list[str]:
    return [part.partition("=")[0] for part in search_key(text).split()]


def _begins(typed: Sequence[str], name: Sequence[str]) -> bool:
    return bool(typed) and all(any(word.startswith(part) for word in name) for part in typed)


def finish(database: Database, export_id: UUID, rows: int) -> None:
    """The last row has been read; one whose end is never told was broken off."""
    with outliving_outages("export_record"), database.writing() as session:
        session.connection().execute(_FINISH, {"id_": export_id, "n": rows, "now": utc_now()})


_FINISH = (
    sa.update(ExportRecord)
    .where(col(ExportRecord.id) == sa.bindparam("id_", type_=Uuid))
    .values(rows=sa.bindparam("n"), finished_at=sa.bindparam("now"))
)
_READ: AnySelect = (
    sa.select(
        col(ExportRecord.id),
        col(ExportRecord.at),
        col(ExportRecord.account_id),
        col(Account.username),
        col(ExportRecord.path),
        col(ExportRecord.filters),
        col(ExportRecord.fields),
        col(ExportRecord.format),
        col(ExportRecord.rows),
        col(ExportRecord.finished_at),
        col(ExportRecord.request_id),
        col(Unit.id).label("unit_id"),
        col(Unit.level),
        col(Unit.name),
        col(Unit.province_id),
        col(Unit.district_id),
        col(Unit.commune_id),
        col(Unit.branch_id),
    )
    .join(Account, col(Account.id) == col(ExportRecord.account_id))
    .join(Unit, col(Unit.id) == col(Account.unit_id))
)


def list_exports(
    db: Db, actor: Actor, after: tuple[Any, ...] | None, limit: int
) -> list[tuple[tuple[UUID], dict[str, Any]]]:
    """My own, and those by accounts that units in my scope look after; the newest first."""
    own = col(ExportRecord.account_id) == actor.account_id
    statement = _READ.where(sa.or_(own, visible(Unit, actor, Right.changes_read)))
    if after is not None:
        statement = statement.where(col(ExportRecord.id) < sa.literal(after[0], Uuid()))
    rows = db.execute(statement.order_by(col(ExportRecord.id).desc()).limit(limit)).all()
    return [((row.id,), _item(actor, row)) for row in rows]


def _item(actor: Actor, row: Any) -> dict[str, Any]:
    shown = ("id", "at", "account_id", "username", "path", "fields", "format", "rows")
    filters = dict(row.filters)
    # What was searched for is the name of a member: not for who may read changes alone.
    if "q" in filters and not _may_read_names(actor, row):
        filters["q"] = _UNTOLD
    return {name: getattr(row, name) for name in shown} | {
        "unit": {"id": row.unit_id, "level": row.level, "name": row.name},
        "filters": filters,
        "finished_at": row.finished_at,
        "request_id": row.request_id,
    }


def _may_read_names(actor: Actor, row: Any) -> bool:
    return row.account_id == actor.account_id or actor.covers(Right.members_read, row)
