"""The rows of an import: the contents of a file, their errors, their effects."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import (
    Input,
    ListQuery,
    Output,
    Page,
    Sealed,
    UnitId,
    Uuid,
    json_type,
    new_id,
    str_enum,
)
from app.models.imports.choices import FieldName
from app.models.imports.imports import RowDecision, RowOutcome
from app.models.kernel.sensitive import About, Logged
from app.models.kernel.units import UnitRef


class ImportRow(SQLModel, table=True):
    """One row of a file. `number` is that of Excel (of ndjson: the line); it counts on from one
    sheet to the next.

    `content` is JSON: the values of the row, its errors, its candidates. `entity_id` is the record
    it matches, or the id that a new record will have: a row applied twice makes one record.
    `entity_revision` is the record's revision that the row was compared with, and once `done_at`
    the one it left behind. `digest` is of the row's fingerprint, to know it when it comes back.
    """

    __tablename__ = "import_row"
    __table_args__ = (
        sa.Index("uq_import_row_number", "import_id", "round", "number", unique=True),
        sa.Index("ix_import_row_outcome", "import_id", "round", "outcome", "number"),
        sa.Index("ix_import_row_digest", "digest"),
        sa.Index("ix_import_row_entity_id", "entity_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    import_id: UUID = Field(foreign_key="import.id", ondelete="CASCADE", sa_type=Uuid)
    round: int
    number: int
    outcome: RowOutcome = Field(sa_type=str_enum(RowOutcome))
    unit_id: int | None = None
    entity_id: UUID | None = Field(default=None, sa_type=Uuid)
    entity_revision: int | None = None
    digest: int = Field(sa_type=sa.BigInteger)
    content: str | None = Field(default=None, sa_type=Sealed("import_row"))
    decision: RowDecision | None = Field(default=None, sa_type=str_enum(RowDecision))
    # Fields whose proposed value somebody has confirmed.
    accepted: list[str] | None = Field(default=None, sa_type=json_type)
    done_at: datetime | None = None
    undone_at: datetime | None = None


class RowQuery(ListQuery):
    outcome: RowOutcome | None = Field(default=None, description="Only rows of this outcome.")
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


class RowUpdate(Input):
    """`accept`: fields whose proposed value is right. `decision`: of a possible duplicate, whether
    she is somebody new (`create`), the record it may be (`update`), or left out (`skip`); `create` and
    `update` also write a row that is struck out, or whose note says that she is gone."""

    decision: RowDecision | None | MISSING = MISSING
    accept: Annotated[list[FieldName], Constraint(max_length=60)] | MISSING = MISSING


class RowProblemRead(Output):
    """One wrong cell: its column, its text, the error, a hint.

    `value` is null where I may not see the field. `level`: `error`, or `warning` for what is
    stored all the same. `left_out`: the row is written without the cell. `proposal` is taken once it
    is accepted.
    """

    level: Literal["error", "warning"]
    field: str
    column: str | None
    header: str | None
    value: str | None
    code: str
    text_vi: str
    text_en: str
    hint_vi: str | None
    hint_en: str | None
    proposal: str | None
    left_out: bool


class RowCandidate(Output):
    """A candidate for the row: a member, a household; out of my scope only the unit to ask."""

    member_id: UUID | None
    household_id: UUID | None
    full_name: str | None
    score: int
    masked: bool
    unit: UnitRef


class RowRead(Output):
    """`number` counts the rows from one sheet of the file to the next; `row` is that of Excel in
    `sheet` (of ndjson: the line). Both are null once the file was deleted, `sheet` also in a file
    without sheets.

    `entity_id` is the record the row matches; null while there is none. `entity` is what it is
    of, as the change log calls it.

    `values` are those that are written, or would be once what is wrong or waits is settled: of a
    known record only those that change. Null where I may not see the field.
    """

    about: ClassVar[About] = About(None, ids=("entity_id",))

    entity: str
    number: int
    sheet: str | None
    row: int | None
    outcome: RowOutcome
    unit_id: int | None
    entity_id: UUID | None
    name: str | None
    changed: list[str]
    values: Annotated[dict[str, Any], Logged()]
    problems: list[RowProblemRead]
    candidates: list[RowCandidate]
    decision: RowDecision | None
    accepted: list[str]
    done: bool


class RowPage(Page):
    items: list[RowRead]
