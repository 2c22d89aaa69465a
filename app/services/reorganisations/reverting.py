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
from app.services.kernel import changes, provinces
from app.services.kernel.access import Actor, Db
from app.services.kernel.manifest import manifest
from app.services.kernel.tracking import PATH
from app.services.kernel.unit_ends import unit_columns
from app.services.units import followers, undoing
from app.services.units.tree import below

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
    ensure_possible(session, row)
    _ensure_no_other_child(session, opened, [int(unit_id) for unit_id in undo["units"]])
    revived = list(_ended(session, undo["ended"]))
    _forget(session, row, opened)
    with changes.holding_from(session, row.effective_on):
        undoing.take_back(session, undo, opened, row.effective_on)
    # What followed stands where it stood: what still names a unit that it opened has come since.
    _ensure_unused(session, opened)
    undoing.remove(session, opened)
    for model, now, before in revived:
        changes.revise(session, model, now, before)
    row.state, row.undo = ReorganisationState.reverted, None
    row.reverted_by, row.reverted_at = actor.account_id, utc_now()
    session.flush()


def concerned(db: Db, row: Reorganisation) -> followers.Concerned:
    """What goes back, with all that stands below it."""
    units = [int(unit_id) for unit_id in (row.undo or {})["units"]]
    return followers.Concerned(sorted(below(db, units, row.effective_on)), ())


def ensure_possible(session: Session, row: Reorganisation) -> None:
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
    if children(session, opened).keys() - {*moved, *opened}:
        raise Problem("opened_unit_used", extra={"kind": "unit"})


def children(db: Db, unit_ids: Collection[int]) -> dict[int, int]:
    """The units directly under these, each with the one that it stands under."""
    found: dict[int, int] = {}
    for chunk in chunks(sorted(unit_ids)):
        rows = db.execute(
            sa.select(col(Unit.id), col(Unit.parent_id)).where(col(Unit.parent_id).in_(chunk))
        )
        found |= {row.id: row.parent_id for row in rows}
    return found


def _ensure_unused(session: Session, opened: Collection[int]) -> None:
    """No row names a unit that it opened, or stands below one."""
    for column in _naming():
        if _named(session, column, opened):
            raise Problem("opened_unit_used", extra={"kind": column.table.name})


def reorganised_again(db: Db, unit_ids: Collection[int], but: Collection[UUID]) -> set[int]:
    """Those of these units that another reorganisation has changed, or is planned to."""
    found: set[int] = set()
    for chunk in chunks(sorted(unit_ids)):
        rows = db.execute(
            sa.select(col(ReorganisedUnit.unit_id), col(Reorganisation.id))
            .join(Reorganisation, col(Reorganisation.id) == col(ReorganisedUnit.reorganisation_id))
            .where(
                col(ReorganisedUnit.unit_id).in_(chunk),
                col(Reorganisation.state).in_((*_OPEN, ReorganisationState.applied)),
            )
        )
        found |= {row.unit_id for row in rows if row.id not in but}
    return found


def used(db: Db, unit_ids: Collection[int]) -> set[int]:
    """Those of these units that a row names, or that one stands below."""
    return {unit_id for column in _naming() for unit_id in _named(db, column, unit_ids)}


def _naming() -> Iterator[sa.Column[int]]:
    """The columns that name a unit, but for those of the tree itself, of logs, of what is derived and
    goes with a unit that is deleted, and the province of rows that have that of a record."""
    following = {model for model, _ in provinces.hanging(manifest())}
    for model, owner in manifest().owners.items():
        if model is Unit or model in _OWN or owner.name == _LOGS:
            continue
        columns = table_of(model).c
        names = unit_columns(model)
        if any(_goes_with_it(columns[name]) for name in names):
            # Its path goes with the unit that it stands in.
            found = {n for n in names if columns[n].foreign_keys and not _goes_with_it(columns[n])}
        else:
            found = {*names, *(name for name in PATH if name in columns)}
        if model in following:
            found -= {"province_id"}
        yield from (columns[name] for name in sorted(found))


def _goes_with_it(column: sa.Column[int]) -> bool:
    return any(key.ondelete == "CASCADE" for key in column.foreign_keys)


def _named(db: Db, column: sa.Column[int], unit_ids: Collection[int]) -> set[int]:
    found: set[int] = set()
    for chunk in chunks(sorted(unit_ids)):
        found |= set(db.execute(sa.select(column).where(column.in_(chunk)).distinct()).scalars())
    return found


def _forget(session: Session, row: Reorganisation, opened: Collection[int]) -> None:
    """No other one, which was taken back or withdrawn before, names units that never were."""
    for chunk in chunks(sorted(opened)):
        session.execute(sa.delete(ReorganisedUnit).where(col(ReorganisedUnit.unit_id).in_(chunk)))
        inside = select(Reorganisation).where(col(Reorganisation.unit_id).in_(chunk))
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
                raise followers.changed_since(entity)
            yield model, dict(row._mapping), dict(row._mapping) | _typed(model, values)


def _typed(model: type[SQLModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """The log holds JSON."""
    typed = {}
    for name, value in values.items():
        of_column: Any = model.model_fields[name].annotation
        typed[name] = TypeAdapter(of_column).validate_python(value)
    return typed
