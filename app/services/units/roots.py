"""The unit above all others, which nobody over it can open."""

from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.models.kernel.units import (
    IdentifierScheme,
    Unit,
    UnitClosure,
    UnitIdentifier,
    UnitLevel,
)
from app.services.kernel.access import Db
from app.text import name_key, unit_sort_key


def plant(
    session: Session, *, level: UnitLevel, name: str, code: str | None, opened_on: date
) -> int:
    """Open it with its name and its code; its id."""
    now = utc_now()
    unit = Unit(
        level=level,
        name=name,
        name_key=name_key(name),
        sort_key=unit_sort_key(name),
        code=code,
        opened_on=opened_on,
        created_at=now,
        updated_at=now,
    )
    session.add(unit)
    session.flush()
    own = f"{level.value}_id"
    if hasattr(unit, own):
        setattr(unit, own, unit.id)
    session.add(
        UnitClosure(ancestor_id=unit.id, descendant_id=unit.id, valid_from=opened_on, depth=0)
    )
    session.add(_identifier(unit.id, IdentifierScheme.name, name, opened_on))
    if code:
        session.add(_identifier(unit.id, IdentifierScheme.gso, code, opened_on))
    session.flush()
    return unit.id


def all_open(db: Db) -> list[int]:
    """The units that have none above them."""
    found = sa.select(col(Unit.id)).where(
        col(Unit.parent_id).is_(None), col(Unit.closed_on).is_(None)
    )
    return list(db.execute(found).scalars())


def _identifier(unit_id: int, scheme: IdentifierScheme, value: str, since: date) -> UnitIdentifier:
    return UnitIdentifier(
        unit_id=unit_id, scheme=scheme, value=value, value_key=name_key(value), valid_from=since
    )
