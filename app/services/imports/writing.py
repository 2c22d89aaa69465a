"""Rows written one by one by the functions that serve a form, each in a savepoint of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col

from app.db import AnySelect, chunks
from app.errors import Problem
from app.models.imports.imports import RowOutcome
from app.models.kernel.changes import Change
from app.problem_texts import FieldCode
from app.services.imports.refusals import of_problem
from app.services.kernel import changes
from app.services.kernel.access import Db
from app.services.kernel.list_kinds import Done, Json, RowsDue
from app.services.kernel.manifest import tracked_of


def write_each(
    session: Session,
    rows: Sequence[RowsDue],
    write: Callable[[RowsDue], None],
    field: str,
    places: Mapping[str, str],
) -> dict[int, Json]:
    """Write rows in the order of their units, which is the order of locks; those refused, by number.

    Corrections go first: a post that one of them ends is free for the next holder. `field` gets a
    refusal that names no field.
    """
    refused: dict[int, Json] = {}
    origin = changes.origin_of(session)
    for row in sorted(rows, key=_turn):
        changes.attribute(session, replace(origin, source_ref=row.ref))
        try:
            with session.begin_nested():
                write(row)
                session.flush()
        except Problem as problem:
            if problem.passes:
                raise
            refused[row.number] = of_problem(problem, field, places)[0]
    changes.attribute(session, origin)
    return refused


def _turn(row: RowsDue) -> tuple[int, bool, int]:
    return row.unit_id or 0, row.outcome is RowOutcome.created, row.number


def undo_each(session: Session, rows: Sequence[Done], undo: Callable[[Done], None]) -> None:
    """Undo rows, the last first; each change carries the row it undoes as its origin."""
    origin = changes.origin_of(session)
    for row in reversed(rows):
        changes.attribute(session, replace(origin, source_ref=row.ref))
        undo(row)
        session.flush()
    changes.attribute(session, origin)


def before(session: Session, model: type[SQLModel], row: Done) -> dict[str, Any]:
    """The former values of the fields that a row changed, from the change log."""
    statement: AnySelect = sa.select(col(Change.before)).where(
        col(Change.entity) == tracked_of(model).entity,
        col(Change.entity_id) == str(row.entity_id),
        col(Change.revision) == row.entity_revision,
    )
    return dict(session.execute(statement).scalars().first() or {})


def touched(db: Db, model: type[Any], rows: Sequence[Done]) -> dict[int, FieldCode]:
    """Rows whose record is gone or is no longer as they left it, by number."""
    revisions: dict[UUID, int] = {}
    ids = [row.entity_id for row in rows]
    for chunk in chunks(ids):
        found = sa.select(col(model.id), col(model.revision)).where(col(model.id).in_(chunk))
        revisions |= {row.id: row.revision for row in db.execute(found)}
    codes: dict[int, FieldCode] = {}
    for row in rows:
        if row.entity_id not in revisions:
            codes[row.number] = "record_gone"
        elif revisions[row.entity_id] != row.entity_revision:
            codes[row.number] = "record_changed"
    return codes
