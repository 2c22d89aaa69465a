"""Bulk upsert: lines of JSON that come in and are written set by set, each with its verdict."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import BeforeValidator, StringConstraints
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import Output, Parameters, Sealed, UnitId, Uuid, new_id
from app.models.imports.choices import Code
from app.models.imports.imports import Duplicates, EmptyCells
from app.models.kernel.following import separated

# A row's number holds its chunk and its line: `chunk * LINES + line`, within 31 bits.
LINES = 2**20
CHUNKS = 2**11 - 1


class BulkSet(SQLModel, table=True):
    """Lines that were written in one transaction, with the verdicts they got.

    `digest` is of the lines as they came: under the same `chunk` the same lines are done, and others
    refused. `verdicts` is NDJSON, packed (zlib, base64); null once its time was over. `settled`: what
    follows the commit, who may be twice on record, is done.
    """

    __tablename__ = "bulk_set"
    __table_args__ = (sa.Index("uq_bulk_set_number", "import_id", "chunk", "number", unique=True),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    import_id: UUID = Field(foreign_key="import.id", ondelete="CASCADE", sa_type=Uuid)
    chunk: int
    number: int
    first_line: int
    lines: int
    digest: str = Field(max_length=32)
    verdicts: str | None = Field(default=None, sa_type=Sealed("bulk_verdicts"))
    # It is the last of its chunk.
    is_last: bool = False
    settled: bool = False


BatchName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


class BulkChunk(Parameters):
    """`batch` is the client's name for what belongs together: undone as one, and known again."""

    batch: BatchName = Constraint(description="The client's name of the batch.")
    chunk: Annotated[int, Constraint(ge=0, le=CHUNKS)] = Constraint(
        default=0, description="The number of the chunk in its batch, in any order."
    )


class BulkQuery(Parameters):
    """Without `batch`, each request is a batch of its own: sent again, it is compared again."""

    unit: UnitId = Constraint(description="The unit whose records these are, with all below it.")
    batch: BatchName | None = Constraint(
        default=None,
        description="The client's name of the batch. A chunk that was sent before changes nothing and gets"
        " the verdicts it got; one that broke off goes on.",
    )
    chunk: Annotated[int, Constraint(ge=0, le=CHUNKS)] = Constraint(
        default=0, description="The number of the chunk in its batch, in any order."
    )
    dry_run: bool = Constraint(default=False, description="Give the verdicts and write nothing.")
    duplicates: Duplicates = Constraint(
        default=Duplicates.hold,
        description="What becomes of lines that may be somebody on record: `hold` (needs_decision),"
        " `create`, `update` (the likeliest in scope).",
    )
    empty_cells: EmptyCells = Constraint(
        default=EmptyCells.keep,
        description="What null and an empty text say: `keep` nothing, `clear` that the field is empty.",
    )
    accept: Annotated[list[Code], BeforeValidator(separated), Constraint(max_length=50)] = (
        Constraint(
            default_factory=list,
            description="Codes of problems whose proposal is right in all lines, separated by commas.",
        )
    )


class BulkOutcome(StrEnum):
    """`needs_decision`: it may be somebody on record, see `candidates`; send it again with
    `decision`: `create`, `update` or `skip`."""

    created = "created"
    updated = "updated"
    unchanged = "unchanged"
    needs_decision = "needs_decision"
    refused = "refused"
    skipped = "skipped"


class LineProblem(Output):
    """`value` is what a warning says was taken, or what is proposed instead of an error."""

    field: str
    code: str
    reason: str
    hint: str | None
    value: Any


class LineCandidate(Output):
    """A record that the line may be of; null out of scope, where `unit_id` is the unit to ask."""

    id: UUID | None
    score: int
    unit_id: int


class BulkVerdict(Output):
    """What became of one line. `revision` is that of the record now."""

    line: int
    verdict: BulkOutcome
    id: UUID | None
    revision: int | None
    warnings: list[LineProblem]
    problems: list[LineProblem]
    candidates: list[LineCandidate]


class BulkSummary(Output):
    """The last line of an answer: the counts of the chunk, and the import that the batch is. `done` is
    false while lines of the chunk are missing."""

    done: bool
    import_id: UUID | None
    batch: str | None
    chunk: int
    lines: int
    created: int
    updated: int
    unchanged: int
    needs_decision: int
    refused: int
    skipped: int
