"""Kinds of lists whose rows go one by one through the functions that serve a form.

How a row is planned differs from kind to kind; writing it and taking it back does not.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session

from app.db import Database, chunks
from app.models.imports.imports import RowOutcome
from app.problem_texts import FieldCode
from app.services.imports import writing
from app.services.kernel.access import Actor, Db, Expected
from app.services.kernel.list_kinds import Done, Json, RowsDue
from app.services.kernel.references import named_elsewhere

C = TypeVar("C", bound=BaseModel)
U = TypeVar("U", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindOfForm(Generic[C, U]):
    """The functions of one form, and its two bodies.

    `field` gets a refusal that names no field, `places` are fields by pointer (`planning.Planner`).
    A new record is in use, and stays, when `in_use` says so or any table but `own_tables` names it.
    """

    model: type[Any]
    create: type[C]
    update: type[U]
    enter: Callable[[Session, Actor, C], object]
    correct: Callable[[Session, Actor, UUID, U, Expected], object]
    withdraw: Callable[[Session, Actor, UUID], None]
    restore: Callable[[Session, Actor, UUID, Mapping[str, Any]], None]
    hold: Callable[[Session, Sequence[UUID]], object]
    in_use: Callable[[Db, Sequence[UUID]], set[UUID]]
    own_tables: Collection[str]
    field: str
    places: Mapping[str, str]

    def write(self, session: Session, actor: Actor, rows: Sequence[RowsDue]) -> dict[int, Json]:
        """Write rows one by one; what has changed since the preview is refused, by number."""

        def one(row: RowsDue) -> None:
            if row.outcome is RowOutcome.created:
                body = self.create.model_validate(row.writes | {"id": str(row.entity_id)})
                self.enter(session, actor, body)
            else:
                changed = self.update.model_validate(row.writes)
                seen = row.entity_revision
                expected = None if seen is None else frozenset((seen,))
                self.correct(session, actor, row.entity_id, changed, expected)

        return writing.write_each(session, rows, one, self.field, self.places)

    def finish(self, database: Database, ids: Sequence[UUID]) -> None:
        """Nothing is left to be done: each row was complete when it was written."""

    def obstacles(self, db: Db, rows: Sequence[Done]) -> dict[int, FieldCode]:
        """What has happened since to the records of these rows, by number."""
        codes = writing.touched(db, self.model, rows)
        created = [r for r in rows if r.outcome is RowOutcome.created and r.number not in codes]
        key = f"{self.model.__tablename__}.id"
        for chunk in chunks(created):
            ids = [row.entity_id for row in chunk]
            used = self.in_use(db, ids) | named_elsewhere(db, key, self.own_tables, ids)
            codes |= {row.number: "record_in_use" for row in chunk if row.entity_id in used}
        return codes

    def take_back(self, session: Session, actor: Actor, rows: Sequence[Done]) -> None:
        """Undo the rows without obstacles: delete new records, reverse corrections."""

        def one(row: Done) -> None:
            if row.outcome is RowOutcome.created:
                self.withdraw(session, actor, row.entity_id)
            else:
                before = writing.before(session, self.model, row)
                self.restore(session, actor, row.entity_id, before)

        writing.undo_each(session, rows, one)
