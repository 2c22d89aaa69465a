"""Targets of a transfer: every branch that takes members, for any officer.

The target may be out of the officer's scope. The data shown (name, commune and province) is public.
"""

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.models.memberships.transfers import TransferTarget, TransferTargetQuery
from app.services.kernel.access import Actor, Db, require_somewhere
from app.services.kernel.keyset import Pages, fields_of, pages
from app.services.units.reading import BY_NAME
from app.text import name_key


def list_targets(db: Db, actor: Actor, query: TransferTargetQuery) -> Pages:
    """Open branches by name, for an actor who may transfer members."""
    require_somewhere(db, actor, Right.members_write)
    commune, province = aliased(Unit), aliased(Unit)
    statement: AnySelect = (
        sa.select(
            col(Unit.id),
            col(Unit.name),
            col(Unit.commune_id),
            col(commune.name).label("commune_name"),
            col(province.name).label("province_name"),
            col(Unit.sort_key),
        )
        .join(commune, col(commune.id) == col(Unit.commune_id), isouter=True)
        .join(province, col(province.id) == col(Unit.province_id))
        .where(
            col(Unit.level) == UnitLevel.branch,
            col(Unit.closed_on).is_(None),
            col(Unit.opened_on) <= local_today(),
        )
    )
    if query.commune is not None:
        statement = statement.where(col(Unit.commune_id) == query.commune)
    for word in name_key(query.q or "").split():
        names = (col(Unit.name_key), col(commune.name_key))
        statement = statement.where(
            sa.or_(*(name.contains(word, autoescape=True) for name in names))
        )
    return pages(statement, BY_NAME, fields_of(TransferTarget))
