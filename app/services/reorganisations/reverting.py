"""Taking a reorganisation back, until something later depends on it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlmodel import Session, SQLModel, col, select

from app.clock import utc_now
from app.db import chunks
from app.errors import Problem
from app.models.base import table_of
from app.models.kernel.changes import Change
from app.models.kernel.units import (
    Unit,
    UnitClosure,
    UnitEdge,
    UnitIdentifier,
    UnitSuccession,
)
from app.models.reorganisations.reorganisations import (
    Reorganisation,
    ReorganisationState,
    ReorganisedUnit,
)
from app.services.kernel import changes
from app.services.kernel.access import Actor
from app.services.kernel.manifest import manifest
from app.services.kernel.tracking import PATH
from app.services.kernel.unit_ends import unit_columns
from app.services.units import undoing

# What the tree is made of, and the reorganisations themselves.
_OWN: tuple[type[Any], ...] = (
    *(UnitEdge, UnitClosure, UnitIdentifier, UnitSuccession),
    *(Reorganisation, ReorganisedUnit),
)
# Its tables log what happened, and where.
_LOGS = "kernel"
_OPEN = (ReorganisationState.draft, ReorganisationState.scheduled)


def revert(session: Session, actor: Actor, row: Reorganisation) -> None:
    """The units are as they were, with all that is in them; those it opened never were.

    409 that names what depends on it: a later reorganisation, or what is recorded in a unit that it
    opened.
    """
    undo: Mapping[str, Any] = row.undo or {}
    opened = sorted((row.opened or {}).values())
    _ensure_last(session, row)
    _ensure_no_other_child(session, opened, [int(unit_id) for unit_id in undo["units"]])
    revived = list(_ended(session, undo["ended"]))
    _forget(session, row, opened)
    undoing.take_back(session, undo, opened, row.effective_on)
    # What followed stands where it stood: what still names a unit that it opened has come since.
    _ensure_unused(session, opened)
    undoing.remove(session, opened)
    for model, now, before in revived:
        changes.revise(session, model, now, before)
    row.state, row.undo = ReorganisationState.reverted, None
    row.reverted_by, row.reverted_at = actor.account_id, utc_now()
    session.flush()


def _ensure_last(session: Session, row: Reorganisation) -> None:
    """No later reorganisation of one of its units stands, and none is planned."""
    own = sa.select(col(ReorganisedUnit.unit_id)).where(
        col(ReorganisedUnit.reorganisation_id) == row.id
    )
    stands = sa.and_(
        col(Reorganisation.state) == ReorganisationState.applied,
        col(Reorganisation.applied_at) > row.applied_at,
    )
    later = session.execute(
        sa.select(col(Reorganisation.id), col(Reorganisation.effective_on))
        .join(ReorganisedUnit, col(ReorganisedUnit.reorganisation_id) == col(Reorganisation.id))
        .where(
            col(ReorganisedUnit.unit_id).in_(own),
            sa.or_(stands, col(Reorganisation.state).in_(_OPEN)),
            col(Reorganisation.id) != row.id,
        )
        .order_by(col(Reorganisation.id))
        .limit(1)
    ).first()
    if later is not None:
        raise Problem(
            "reorganised_again",
            date=later.effective_on.isoformat(),
            extra={"reorganisation_id": str(later.id)},
        )


def _ensure_no_other_child(
    session: Session, opened: Collection[int], moved: Collection[int]
) -> None:
    """No other unit stands under one that it opened than those it put there itself."""
    others = sa.select(col(Unit.id)).where(
        col(Unit.parent_id).in_(opened), col(Unit.id).not_in([*moved, *opened])
    )
    if session.execute(others.limit(1)).first() is not None:
        raise Problem("opened_unit_used", extra={"kind": "unit"})


def _ensure_unused(session: Session, opened: Collection[int]) -> None:
    """No row names a unit that it opened, or stands below one."""
    if not opened:
        return
    for model, owner in manifest().owners.items():
        names = {*unit_columns(model), *(name for name in PATH if name in model.model_fields)}
        if model is Unit or model in _OWN or owner.name == _LOGS or not names:
            continue
        table = table_of(model)
        there = sa.or_(*(table.c[name].in_(opened) for name in sorted(names)))
        if session.execute(sa.select(sa.literal(1)).where(there).limit(1)).first() is not None:
            raise Problem("opened_unit_used", extra={"kind": table.name})


def _forget(session: Session, row: Reorganisation, opened: Collection[int]) -> None:
    """No other one, which was taken back or withdrawn before, names units that never were."""
    session.execute(sa.delete(ReorganisedUnit).where(col(ReorganisedUnit.unit_id).in_(opened)))
    inside = select(Reorganisation).where(col(Reorganisation.unit_id).in_(opened))
    for other in session.exec(inside).all():
        other.unit_id = row.unit_id
    session.flush()


def _ended(
    session: Session, change_ids: Sequence[str]
) -> Iterator[tuple[type[SQLModel], Mapping[str, Any], Mapping[str, Any]]]:
    """What it ended, as it is now and as it was; 409 when it was changed or removed since."""
    for chunk in chunks(change_ids):
        ids = [UUID(each) for each in chunk]
        found = session.connection().execute(
            sa.select(
                col(Change.entity), col(Change.entity_id), col(Change.revision), col(Change.before)
            )
            .where(col(Change.id).in_(ids))
            .order_by(col(Change.id).desc())
        )
        before: dict[tuple[str, str], dict[str, Any]] = {}
        revisions: dict[tuple[str, str], int] = {}
        for change in found:
            key = (change.entity, change.entity_id)
            revisions.setdefault(key, change.revision)
            before[key] = before.get(key, {}) | (change.before or {})
        for (entity, entity_id), values in before.items():
            model, _ = manifest().by_entity[entity]
            table = table_of(model)
            found_now = session.execute(sa.select(table).where(table.c.id == UUID(entity_id)))
            row = found_now.one_or_none()
            if row is None or row.revision != revisions[entity, entity_id]:
                raise Problem("ended_row_changed", extra={"kind": entity})
            yield model, dict(row._mapping), dict(row._mapping) | _typed(model, values)


def _typed(model: type[SQLModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """The log holds JSON."""
    typed = {}
    for name, value in values.items():
        of_column: Any = model.model_fields[name].annotation
        typed[name] = TypeAdapter(of_column).validate_python(value)
    return typed
