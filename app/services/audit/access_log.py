"""Reading the access log: who was shown the sensitive data of a member or a household."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.kernel.access import Right
from app.models.kernel.access_log import AccessRead
from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit
from app.services.households import households
from app.services.kernel.access import Actor, Db
from app.services.kernel.access_log import AccessLog
from app.services.kernel.keyset import Order, Pages, each, pages
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
)


def list_of_member(db: Db, actor: Actor, log: AccessLog, member_id: UUID) -> Pages:
    """Who was shown a member's sensitive data, the last day first; what waits is written before."""
    persons.access_member(db, actor, member_id, Right.members_read)
    persons.access_member(db, actor, member_id, Right.changes_read)
    return _reads(log, member_id)


def list_of_household(db: Db, actor: Actor, log: AccessLog, household_id: UUID) -> Pages:
    """Who was shown a household's poverty data, the last day first: its rows carry its own id."""
    households.access(db, actor, household_id, Right.poverty_read)
    households.access(db, actor, household_id, Right.changes_read)
    return _reads(log, household_id)


def _reads(log: AccessLog, read_id: UUID) -> Pages:
    log.flush()
    return pages(_READ.where(col(AccessRead.member_id) == read_id), _LAST_DAY_FIRST, each(_item))


_LAST_DAY_FIRST = Order(col(AccessRead.day).desc(), col(AccessRead.account_id), col(AccessRead.how))


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
