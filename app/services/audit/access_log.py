"""Reading the access log: who was shown the sensitive data of a member or a household."""

from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.base import Uuid, str_enum
from app.models.kernel.access import Right
from app.models.kernel.access_log import AccessRead, ReadHow
from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit
from app.services.households import households
from app.services.kernel.access import Actor, Db
from app.services.kernel.access_log import AccessLog
from app.services.members import persons

_READ: AnySelect = (
    sa.select(
        col(AccessRead.day),
        col(AccessRead.last_at),
        col(AccessRead.how),
        col(AccessRead.times),
        col(AccessRead.fields),
        col(AccessRead.account_id),
        col(Account.display_name),
        col(Account.kind),
        col(Unit.id).label("unit_id"),
        col(Unit.level),
        col(Unit.name),
    )
    .join(Account, col(Account.id) == col(AccessRead.account_id))
    .join(Unit, col(Unit.id) == col(Account.unit_id))
    .where(col(AccessRead.member_id) == sa.bindparam("member_id"))
)


def list_of_member(
    db: Db,
    actor: Actor,
    log: AccessLog,
    member_id: UUID,
    after: tuple[Any, ...] | None,
    limit: int,
) -> list[tuple[tuple[str, UUID, str], dict[str, Any]]]:
    """Who was shown a member's sensitive data, the last day first; what waits is written before."""
    persons.access_member(db, actor, member_id, Right.members_read)
    persons.access_member(db, actor, member_id, Right.changes_read)
    return _page(db, log, member_id, after, limit)


def list_of_household(
    db: Db,
    actor: Actor,
    log: AccessLog,
    household_id: UUID,
    after: tuple[Any, ...] | None,
    limit: int,
) -> list[tuple[tuple[str, UUID, str], dict[str, Any]]]:
    """Who was shown a household's standing, the last day first: its rows stand under its own id."""
    households.access(db, actor, household_id, Right.poverty_read)
    households.access(db, actor, household_id, Right.changes_read)
    return _page(db, log, household_id, after, limit)


def _page(
    db: Db, log: AccessLog, read_id: UUID, after: tuple[Any, ...] | None, limit: int
) -> list[tuple[tuple[str, UUID, str], dict[str, Any]]]:
    log.flush()
    day, reader, how = col(AccessRead.day), col(AccessRead.account_id), col(AccessRead.how)
    statement = _READ
    if after is not None:
        last = date.fromisoformat(after[0])
        rest = sa.tuple_(reader, how) > sa.tuple_(
            sa.literal(after[1], Uuid()), sa.literal(ReadHow(after[2]), str_enum(ReadHow))
        )
        statement = statement.where(sa.or_(day < last, sa.and_(day == last, rest)))
    rows = db.execute(
        statement.order_by(day.desc(), reader, how).limit(limit), {"member_id": read_id}
    ).all()
    return [((row.day.isoformat(), row.account_id, row.how.value), _item(row)) for row in rows]


def _item(row: Any) -> dict[str, Any]:
    return {
        "day": row.day,
        "last_at": row.last_at,
        "how": row.how,
        "times": row.times,
        "fields": row.fields.split(","),
        "account_id": row.account_id,
        "reader": row.display_name,
        "kind": row.kind,
        "unit": {"id": row.unit_id, "level": row.level, "name": row.name},
    }
