"""What the tree was before a change, and taking the change back."""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_jsonable_python
from sqlmodel import Session, SQLModel, col

from app.db import chunks, insert_many
from app.models.kernel.units import (
    AreaType,
    IdentifierScheme,
    Unit,
    UnitClosure,
    UnitEdge,
    UnitIdentifier,
    UnitSuccession,
)
from app.services.kernel import provinces
from app.services.units import followers
from app.services.units.carrying import carry, hold_for_change
from app.services.units.tree import below, moved_paths, relink

_DAY = timedelta(days=1)
_FIELDS = ("parent_id", "name", "name_key", "sort_key", "code", "area_type", "closed_on")
_DATED: tuple[type[Any], ...] = (UnitEdge, UnitIdentifier)


def remember(session: Session, units: Mapping[int, Unit]) -> dict[str, Any]:
    """The units, with their parents, names and codes by date, as JSON."""
    found: dict[str, Any] = {
        "units": {
            str(unit_id): {name: getattr(unit, name) for name in _FIELDS}
            for unit_id, unit in units.items()
        }
    }
    for model in _DATED:
        found[model.__tablename__] = _rows(session, model, units)
    jsonable: dict[str, Any] = to_jsonable_python(found)
    return jsonable


def _rows(session: Session, model: type[Any], unit_ids: Collection[int]) -> list[dict[str, Any]]:
    columns = [getattr(model, name) for name in model.model_fields]
    found: list[dict[str, Any]] = []
    for chunk in chunks(sorted(unit_ids)):
        rows = session.connection().execute(
            sa.select(*columns).where(col(model.unit_id).in_(chunk))
        )
        found += [dict(row._mapping) for row in rows]
    return found


def take_back(
    session: Session, undo: Mapping[str, Any], opened: Collection[int], since: date
) -> None:
    """The tree as it was remembered; units that the change opened stand nowhere, and are to be removed
    once nothing names them. The caller holds the tree's lock, and knows that nothing depends on the
    change.
    """
    stored = {int(unit_id): values for unit_id, values in undo["units"].items()}
    units = hold_for_change(session, [*stored, *opened])
    standing = below(session, units, since - _DAY) - set(opened)
    _take_back_successions(session, undo["successions"])
    for model in _DATED:
        _delete(session, model, model.unit_id, [*units])
        insert_many(session, model, [_typed(model, row) for row in undo[model.__tablename__]])
    for unit_id, values in stored.items():
        if units[unit_id].closed_on is not None:
            units[unit_id].closed_on = _day(values["closed_on"])
    session.flush()
    _delete(session, UnitClosure, UnitClosure.descendant_id, opened)
    paths = moved_paths(session, relink(session, standing))
    for unit_id, values in stored.items():
        area = values["area_type"] and AreaType(values["area_type"])
        changed = values | {"closed_on": _day(values["closed_on"]), "area_type": area}
        for name, value in (changed | {**paths.get(unit_id, {})}).items():
            setattr(units[unit_id], name, value)
    session.flush()
    with provinces.following_together(session):
        carry(session, paths, set(units), since)
        for each in reversed(undo.get("handed", ())):
            handover = followers.Handover(each["from_ids"], each["to_id"], since)
            followers.handed_back(session, handover, each["kept"])
    followers.returned(session, undo.get("inherited", {}))
    followers.moved(session, sorted(stored))


def _take_back_successions(session: Session, ids: Collection[int]) -> None:
    heirs: set[int] = set()
    for chunk in chunks(list(ids)):
        gone = sa.delete(UnitSuccession).where(col(UnitSuccession.id).in_(chunk))
        rows = session.connection().execute(gone.returning(col(UnitSuccession.to_unit_id)))
        heirs |= {row.to_unit_id for row in rows if row.to_unit_id is not None}
    followers.succeeded(session, sorted(heirs))


def remove(session: Session, unit_ids: Collection[int]) -> None:
    """These units never were; what was opened under another goes first."""
    units = hold_for_change(session, unit_ids)
    while units:
        over = {unit.parent_id for unit in units.values()}
        lowest = sorted(units.keys() - over, reverse=True)
        for unit_id in lowest:
            session.delete(units.pop(unit_id))
        session.flush()


def _delete(session: Session, model: type[SQLModel], column: Any, ids: Collection[int]) -> None:
    for chunk in chunks(list(ids)):
        session.connection().execute(sa.delete(model).where(col(column).in_(chunk)))


def _typed(model: type[Any], row: Mapping[str, Any]) -> dict[str, Any]:
    typed = dict(row) | {name: _day(row[name]) for name in ("valid_from", "valid_to")}
    if model is UnitIdentifier:
        typed["scheme"] = IdentifierScheme(row["scheme"])
    return typed


def _day(value: str | None) -> date | None:
    return None if value is None else date.fromisoformat(value)
