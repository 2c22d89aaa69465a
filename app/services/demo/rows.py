"""Writing rows of the demo: many at once, with their changes in the log; and the units."""

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, SQLModel

from app.db import insert_many, on_sqlite
from app.models.base import Revised
from app.models.kernel.units import IdentifierScheme, Unit, UnitClosure, UnitEdge, UnitIdentifier
from app.services.demo.homes import Values
from app.services.demo.plan import DemoPlan, DemoUnit
from app.services.kernel import changes
from app.text import name_key, unit_sort_key


def write_rows(session: Session, model: type[SQLModel], rows: list[Values], now: datetime) -> None:
    tracked = issubclass(model, Revised)
    if tracked:
        rows = [row | {"revision": 1, "created_at": now, "updated_at": now} for row in rows]
    insert_many(session, model, rows)
    if tracked:
        changes.record_created(session, model, rows)


def write_units(session: Session, planned: DemoPlan, now: datetime) -> None:
    units = planned.units
    write_rows(session, Unit, [_unit_row(unit) for unit in units], now)
    write_rows(session, UnitEdge, [row for unit in units for row in _edge_rows(unit)], now)
    write_rows(session, UnitClosure, [row for unit in units for row in closure_rows(unit)], now)
    write_rows(
        session, UnitIdentifier, [row for unit in units for row in _identifier_rows(unit)], now
    )
    if not on_sqlite(session):
        # We chose the ids ourselves; the next unit must get the one after them.
        sequence = sa.func.pg_get_serial_sequence("unit", "id")
        session.connection().execute(
            sa.select(sa.func.setval(sequence, max(unit.id for unit in units)))
        )


def _unit_row(unit: DemoUnit) -> Values:
    return {
        "id": unit.id,
        "level": unit.level,
        "name": unit.name,
        "name_key": name_key(unit.name),
        "sort_key": unit_sort_key(unit.name),
        "code": unit.code,
        "area_type": unit.area_type,
        "parent_id": unit.parent and unit.parent.id,
        **unit.path_ids,
        "opened_on": unit.opened_on,
        "closed_on": None,
        "phone": None,
        "email": None,
        "address": None,
    }


def _edge_rows(unit: DemoUnit) -> Iterator[Values]:
    if unit.parent:
        yield {
            "unit_id": unit.id,
            "parent_id": unit.parent.id,
            "valid_from": max(unit.opened_on, unit.parent.opened_on),
            "valid_to": None,
        }


def closure_rows(unit: DemoUnit) -> Iterator[Values]:
    since = unit.opened_on
    for depth, ancestor in enumerate(unit.path):
        since = max(since, ancestor.opened_on)
        yield {
            "ancestor_id": ancestor.id,
            "descendant_id": unit.id,
            "depth": depth,
            "valid_from": since,
            "valid_to": None,
        }


def _identifier_rows(unit: DemoUnit) -> Iterator[Values]:
    values = {IdentifierScheme.name: unit.name, IdentifierScheme.gso: unit.code}
    for scheme, value in values.items():
        if value:
            yield {
                "unit_id": unit.id,
                "scheme": scheme,
                "value": value,
                "value_key": name_key(value),
                "valid_from": unit.opened_on,
                "valid_to": None,
            }
