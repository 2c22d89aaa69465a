"""Kinds of lists: what an import asks of whoever knows members, posts, households.

A capability names those it takes in its manifest; reading, previews, files and jobs are the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from sqlmodel import Session

from app.db import Database
from app.errors import FieldError
from app.models.imports.imports import Duplicates, EmptyCells, RowDecision, RowOutcome
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.problem_texts import FieldCode
from app.services.kernel.access import Actor, Db
from app.services.kernel.manifest import manifest
from app.workbooks import headers
from app.workbooks.rows import RowProblem
from app.workbooks.tables import CellProblem, Kind

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """What all rows of an import share. `columns` is field to (letter, header)."""

    unit: Unit
    columns: Mapping[str, tuple[str, str]]
    duplicates: Duplicates = Duplicates.hold
    empty_cells: EmptyCells = EmptyCells.keep
    accept: frozenset[str] = frozenset()


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
    """What a row would do. `writes` are the fields of a new record, or those that change (JSON)."""

    outcome: RowOutcome
    unit_id: int | None = None
    entity_id: UUID | None = None
    entity_revision: int | None = None
    problems: list[Json] = field(default_factory=list)
    writes: Json = field(default_factory=dict)
    candidates: list[Json] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RowsDue:
    """A row that is to be written now. `ref` tells the change log where it comes from."""

    number: int
    outcome: RowOutcome
    unit_id: int | None
    entity_id: UUID
    entity_revision: int | None
    writes: Json
    ref: str


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
    """`right` is needed over the unit. `labels`: the kind, for messages.

    `plan` compares rows with what is on record and writes nothing. `write` writes due rows in the
    transaction at hand and gives back what it had to refuse, by number; `finish` does what is done
    once all are written. `obstacles` are codes by number of what cannot be undone any more;
    `take_back` undoes, in the transaction at hand. `masks`: the rights that sensitive fields need.
    """

    name: Kind
    right: Right
    masks: Mapping[str, Right]
    plan: Callable[[Db, Actor, Frame, Sequence[Given], Earlier], list[RowPlan]]
    write: Callable[[Session, Actor, Sequence[RowsDue]], Mapping[int, Json]]
    finish: Callable[[Database, Sequence[UUID]], None]
    obstacles: Callable[[Db, Sequence[Done]], Mapping[int, FieldCode]]
    take_back: Callable[[Session, Actor, Sequence[Done]], None]

    @property
    def columns(self) -> Path:
        """The file that says what its columns are called."""
        return headers.FOLDER / f"{self.name}.json"


def all_kinds() -> Mapping[str, KindOfList]:
    """Every kind of list that a capability takes, by its name."""
    return cast(Mapping[str, KindOfList], manifest().import_kinds)


def kind_of(name: str) -> KindOfList:
    return all_kinds()[name]


# -- problems as they are kept


def wrong(
    code: FieldCode,
    field_: str,
    place: tuple[str | None, str | None] = (None, None),
    *,
    written: str = "",
    proposal: str | None = None,
    level: str = "error",
    **params: Any,
) -> Json:
    """One wrong cell as JSON; `place` is (letter, header)."""
    letter, header = place
    return {
        "level": level,
        "field": field_,
        "letter": letter,
        "header": header,
        "written": written,
        "code": code,
        "params": {name: value for name, value in params.items() if value is not None},
        "proposal": proposal,
    }


def of_file(problem: RowProblem) -> Json:
    """A problem of the file's own as JSON."""
    found = problem.problem
    place = (problem.letter, problem.header)
    return wrong(
        found.code,
        problem.field,
        place,
        written=problem.written,
        proposal=found.proposal,
        **found.params,
    )


def as_cell(problem: Json, index: int | None, header: str) -> RowProblem:
    """The same, for the file that goes back."""
    cell = CellProblem(problem["code"], problem["params"], problem["proposal"])
    return RowProblem(problem["field"], index, problem["letter"], header, problem["written"], cell)


def texts(problem: Json) -> dict[str, str | None]:
    """`text_vi`, `text_en`, `hint_vi`, `hint_en`."""
    told: dict[str, str | None] = {}
    params = {"form": "17/05/1968"} | problem["params"]
    for language in ("vi", "en"):
        said = FieldError("body", "", problem["code"], params).render(language)
        told[f"text_{language}"] = said["detail"]
        told[f"hint_{language}"] = said.get("hint")
    return told
