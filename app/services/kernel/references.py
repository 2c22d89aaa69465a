"""Which records others refer to, by the foreign keys of all tables."""

from collections.abc import Collection, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import SQLModel

from app.services.kernel.access import Db


def named_elsewhere(db: Db, key: str, own: Collection[str], ids: Sequence[UUID]) -> set[UUID]:
    """Which of these records (`key`: "member.id") other tables than its `own` refer to."""
    columns = [
        each.parent
        for table in SQLModel.metadata.sorted_tables
        if table.name not in own
        for each in table.foreign_keys
        if each.target_fullname == key
    ]
    if not columns:
        return set()
    named = [sa.select(column.label("id")).where(column.in_(ids)) for column in columns]
    return set(db.execute(sa.union(*named)).scalars())
