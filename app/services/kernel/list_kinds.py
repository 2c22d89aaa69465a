"""A kind of list that can be imported from a file: a part of the manifest of the records' owner.

Reading, preview, jobs and returned files are the same for all kinds (services/imports).
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session

from app.db import Database
from app.models.imports.imports import Duplicates, EmptyCells, RowDecision, RowOutcome
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.problem_texts import FieldCode
from app.services.kernel.access import Actor, Db
from app.text import clean
from app.workbooks import headers
from app.workbooks.tables import Kind

Json = dict[str, Any]
SET = 1_000


@dataclass(frozen=True, slots=True)
class WithoutCells:
    """Whose wrong cells rows are written without: those of these fields, those with these codes.

    `optional` are the fields that a row may do without.
    """

    fields: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()

    def __contains__(self, problem: Mapping[str, Any]) -> bool:
        field, chosen = problem["field"], problem["code"] in self.codes
        return (
            problem["level"] == "error"
            and field in self.optional
            and (chosen or field in self.fields)
        )


def spoken(text: str) -> str:
    """What distinguishes cells, where somebody chose what they mean."""
    return clean(text).casefold()


@dataclass(frozen=True, slots=True)
class Frame:
    """What all rows of an import share. `columns` is field to (letter, header); `meanings` is, by
    field and by what is `spoken`, the id of a unit or the code of a list."""

    unit: Unit
    columns: Mapping[str, tuple[str, str]]
    duplicates: Duplicates = Duplicates.hold
    empty_cells: EmptyCells = EmptyCells.keep
    accept: frozenset[str] = frozenset()
    leave_out: WithoutCells = WithoutCells()
    meanings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    # A row of a known record says what changes and no more.
    partial: bool = False

    def meaning(self, field_: str, written: str) -> Any:
        """What somebody chose that this text means; None where nobody did."""
        return self.meanings.get(field_, {}).get(spoken(written))


@dataclass(slots=True)
class Given:
    """A row as the file has it. `values` as `workbooks.rows.TakenRow` has them; `earlier` is the
    record that the very same row made or met before."""

    number: int
    values: Json
    problems: list[Json]
    fingerprint: str
    decision: RowDecision | None = None
    accepted: frozenset[str] = frozenset()


@dataclass(slots=True)
class RowPlan:
    """What a row would do. `writes` are the fields of a new record, or those that change (JSON).
    `external_id` is what another system calls the record, where that is not on record yet. `checked`: the
    writes as the schema has them, for who writes them at once."""

    outcome: RowOutcome
    unit_id: int | None = None
    entity_id: UUID | None = None
    entity_revision: int | None = None
    problems: list[Json] = field(default_factory=list)
    writes: Json = field(default_factory=dict)
    candidates: list[Json] = field(default_factory=list)
    external_id: str | None = None
    checked: Any = None

    @property
    def wrong_fields(self) -> frozenset[str]:
        """Fields with an error; a warning keeps no row out."""
        return frozenset(each["field"] for each in self.problems if each["level"] == "error")


@dataclass(frozen=True, slots=True)
class RowsDue:
    """A row that is to be written now. `ref` is its origin for the change log; `checked` as a RowPlan has
    it, None where `writes` come from a stored row."""

    number: int
    outcome: RowOutcome
    unit_id: int | None
    entity_id: UUID
    entity_revision: int | None
    writes: Json
    ref: str
    checked: Any = None


@dataclass(frozen=True, slots=True)
class Done:
    """A row that was written; `entity_revision` is what it left behind."""

    number: int
    outcome: RowOutcome
    entity_id: UUID
    entity_revision: int
    ref: str


# (digest of a row, its unit) to the record it stood for, and whether nothing came after it.
Earlier = Callable[[Db, Sequence[tuple[int, str]]], Mapping[tuple[int, str], tuple[UUID, bool]]]


@dataclass(frozen=True, slots=True)
class KindOfList:
    """`right` is needed over the unit. `entity`: what a row becomes, as the change log calls it.

    `plan` compares rows with what is on record and writes nothing. `write` writes due rows in the
    transaction at hand and gives back what it had to refuse, by number; `finish` does what is done
    once all are written. `obstacles` are codes by number of what cannot be undone any more;
    `take_back` undoes, in the transaction at hand. `hold` keeps these records from other writers until
    its end, so that nothing comes in the way between the two. `masks`: the rights that sensitive fields need.
    `together`: rows depend on each other, so that all are planned and written at once.
    """

    name: Kind
    entity: str
    right: Right
    masks: Mapping[str, Right]
    plan: Callable[[Db, Actor, Frame, Sequence[Given], Earlier], list[RowPlan]]
    write: Callable[[Session, Actor, Sequence[RowsDue]], Mapping[int, Json]]
    finish: Callable[[Database, Sequence[UUID]], None]
    hold: Callable[[Session, Sequence[UUID]], object]
    obstacles: Callable[[Db, Sequence[Done]], Mapping[int, FieldCode]]
    take_back: Callable[[Session, Actor, Sequence[Done]], None]
    # The file that lists the names of its columns.
    folder: Path = headers.FOLDER
    together: bool = False
    # The row of the list of the API whose file can be sent as an import again.
    listed: type[BaseModel] | None = None

    @property
    def at_once(self) -> int:
        """So many rows are written, or taken back, in one transaction."""
        return sys.maxsize if self.together else SET

    @property
    def columns(self) -> Path:
        return self.folder / f"{self.name}.json"
