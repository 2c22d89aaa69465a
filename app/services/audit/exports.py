"""Reading the log of exports: which list left as a file, who took it, how many rows."""

from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.audit.exports import ExportRead
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account
from app.models.kernel.export_log import ExportRecord
from app.models.kernel.units import Unit
from app.services.kernel.access import Actor, visible
from app.services.kernel.export_log import UNTOLD
from app.services.kernel.keyset import Order, Pages, each, pages

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


def list_exports(actor: Actor) -> Pages:
    """My own, and those by accounts that units in my scope look after; the newest first."""
    own = col(ExportRecord.account_id) == actor.account_id
    statement = _READ.where(sa.or_(own, visible(Unit, actor, Right.changes_read)))
    return pages(statement, Order(col(ExportRecord.id).desc()), each(partial(_item, actor)))


def _item(actor: Actor, row: Any) -> dict[str, Any]:
    filters = dict(row.filters)
    # What was searched for is the name of a member: not for who may read changes alone.
    if "q" in filters and not _may_read_names(actor, row):
        filters["q"] = UNTOLD
    unit = {"id": row.unit_id, "level": row.level, "name": row.name}
    values = {**row._mapping, "unit": unit, "filters": filters}
    return {name: values[name] for name in ExportRead.model_fields}


def _may_read_names(actor: Actor, row: Any) -> bool:
    return row.account_id == actor.account_id or actor.covers(Right.members_read, row)
