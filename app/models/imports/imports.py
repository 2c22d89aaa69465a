"""Imports: lists that came in as files, what each row would do or did, and the files themselves.

A file passes through: `reading` -> `ready` (or `refused`) -> `applying` -> `applied` -> `undoing`
-> `undone`. Nothing is written of it before somebody has seen the preview and applied it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING, AwareDatetime, StringConstraints
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import (
    Input,
    ListQuery,
    Name,
    Output,
    Page,
    Parameters,
    Sealed,
    UnitId,
    Uuid,
    json_type,
    line,
    new_id,
    str_enum,
)
from app.models.imports.choices import (
    Code,
    DayOrder,
    FieldName,
    ImportLeftOut,
    ImportMeaning,
    LeaveOut,
    Meanings,
)
from app.models.imports.steps import NextStep
from app.models.kernel.jobs import JobProblem, JobRead, Jobs
from app.models.kernel.units import UnitRef


class ImportKind(Name):
    """What a list is of."""


class ImportJob(Jobs):
    preview = "import_preview"
    apply = "import_apply"
    undo = "import_undo"


class ImportState(StrEnum):
    reading = "reading"
    refused = "refused"
    ready = "ready"
    applying = "applying"
    applied = "applied"
    undoing = "undoing"
    undone = "undone"


class RowOutcome(StrEnum):
    """What a row would do; once the import is applied, what it did.

    `duplicate`: it may be somebody on record, or another row; it waits for a decision. `skipped`:
    somebody decided to leave it out.
    """

    created = "created"
    updated = "updated"
    same = "same"
    duplicate = "duplicate"
    error = "error"
    skipped = "skipped"


WRITES = (RowOutcome.created, RowOutcome.updated)


class Duplicates(StrEnum):
    """What becomes of rows that may be somebody on record.

    `hold`: nothing, until somebody decides. `create`: new records, each pair goes to the inbox.
    `update`: the likeliest record in scope is corrected.
    """

    hold = "hold"
    create = "create"
    update = "update"


class EmptyCells(StrEnum):
    """`keep`: an empty cell changes nothing. `clear`: it empties the field on record."""

    keep = "keep"
    clear = "clear"


class RowDecision(StrEnum):
    create = "create"
    update = "update"
    skip = "skip"


class Import(SQLModel, table=True):
    """One file. `round` counts its previews: rows of older ones are no longer shown.

    `reading` is what was found in the file, as JSON: sheets, columns with examples, notes.
    `mapping`, `options` and `meanings` (JSON) are what was chosen for this file; what was chosen for
    an earlier one of its shape is in `reading`.
    """

    __tablename__ = "import"
    __table_args__ = (
        sa.Index("ix_import_unit_id_id", "unit_id", "id"),
        sa.Index("ix_import_account_id_id", "account_id", "id"),
        sa.Index(
            "ix_import_kept",
            "updated_at",
            sqlite_where=sa.text("forgotten_at IS NULL"),
            postgresql_where=sa.text("forgotten_at IS NULL"),
        ),
        sa.Index(
            "uq_import_batch",
            "account_id",
            "batch",
            unique=True,
            sqlite_where=sa.text("batch IS NOT NULL"),
            postgresql_where=sa.text("batch IS NOT NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    kind: str = Field(max_length=32)
    unit_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    account_id: UUID = Field(sa_type=Uuid)
    state: ImportState = Field(default=ImportState.reading, sa_type=str_enum(ImportState))
    file_name: str = Field(max_length=200)
    file_size: int
    sheet: str | None = Field(default=None, max_length=200)
    mapping: dict[str, str | None] = Field(sa_type=json_type)
    options: dict[str, Any] = Field(sa_type=json_type)
    meanings: str | None = Field(default=None, sa_type=Sealed("import_meanings"))
    reading: str | None = Field(default=None, sa_type=Sealed("import_reading"))
    summary: dict[str, int] | None = Field(default=None, sa_type=json_type)
    problem: dict[str, Any] | None = Field(default=None, sa_type=json_type)
    round: int = 1
    revision: int = 1
    job_id: UUID | None = Field(default=None, sa_type=Uuid)
    created_at: datetime
    updated_at: datetime
    applied_at: datetime | None = None
    applied_by: UUID | None = Field(default=None, sa_type=Uuid)
    undone_at: datetime | None = None
    # What the account calls a batch that came by `POST /v1/bulk/{kind}`, in chunks.
    batch: str | None = Field(default=None, max_length=64)
    # When the file and the contents of its rows were deleted; their effects stay on record.
    forgotten_at: datetime | None = None


class ImportPart(SQLModel, table=True):
    """A piece of a file, sealed: a list of people is as secret as their records."""

    __tablename__ = "import_part"
    __table_args__ = (
        sa.Index("uq_import_part_import_id_number", "import_id", "number", unique=True),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    import_id: UUID = Field(foreign_key="import.id", ondelete="CASCADE", sa_type=Uuid)
    number: int
    content: str | None = Field(default=None, sa_type=Sealed("import_file"))


# -- what clients send

FileName = Annotated[str, *line(200)]
Letter = Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z]{1,3}$")]


class UploadQuery(Parameters):
    """The kind of the file. `file_name` is used where the request names no other."""

    kind: ImportKind = Field(description="What the list is of.")
    unit: UnitId = Field(description="The unit whose list it is.")
    file_name: FileName | None = Field(
        default=None, description="What the file is called, where the request says nothing else."
    )
    sheet: Annotated[str, *line(200)] | None = Field(
        default=None, description="The sheet to read; without it, all that hold such a list."
    )


class ImportListQuery(ListQuery):
    kind: ImportKind | None = Field(default=None, description="Only this kind.")
    state: ImportState | None = Field(default=None, description="Only this state.")
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


class ImportUpdate(Input):
    """`mapping` is field to column letter, null = not to be read; fields left out stay as they are.

    `accept` names problems whose proposed value is right in all rows, as `citizen_id_zero_lost`.
    `first_day`: a day of which only month or year is written is the first of it. `leave_out`: rows
    are written without these wrong cells, which stay in the file that goes back. `meanings`: by
    field, what cells mean: `{"branch": {"Khu 1": 12}, "education": {"cấp 3": "upper_secondary"}}`.
    """

    sheet: Annotated[str, *line(200)] | None | MISSING = MISSING
    mapping: Annotated[dict[FieldName, Letter | None], Constraint(max_length=150)] | MISSING = (
        MISSING
    )
    duplicates: Duplicates | MISSING = MISSING
    empty_cells: EmptyCells | MISSING = MISSING
    first_day: bool | MISSING = MISSING
    accept: Annotated[list[Code], Constraint(max_length=50)] | MISSING = MISSING
    leave_out: LeaveOut | MISSING = MISSING
    day_order: DayOrder | MISSING = MISSING
    meanings: Annotated[dict[FieldName, Meanings], Constraint(max_length=60)] | MISSING = MISSING


class ImportApply(Input):
    """`atomic`: all rows or none, and none while a row is in error. Otherwise row by row: what is
    in error or waits for a decision is left out."""

    atomic: bool = False


# -- what clients get


class ImportOptions(Output):
    duplicates: Duplicates
    empty_cells: EmptyCells
    first_day: bool
    accept: list[str]
    leave_out: ImportLeftOut
    day_order: DayOrder
    meanings: list[ImportMeaning]


class ImportRemembered(Output):
    """What was taken from what the unit chose for earlier lists (`memory_ids`): columns by their
    letters, options by their names."""

    memory_ids: list[UUID]
    columns: list[str]
    options: list[str]
    meanings: list[ImportMeaning]


class ImportSummary(Output):
    created: int
    updated: int
    same: int
    duplicate: int
    error: int
    skipped: int


class ImportOfUnit(ImportSummary):
    """`unit` is null for rows whose unit is not known."""

    unit: UnitRef | None


class ImportColumn(Output):
    """`encoding` other than `unicode` was decoded. `field` is what it is read as, null = nothing;
    `reason` what spoke for it: `same_name`, `similar_name`, `values`, `remembered`, `chosen`.
    `unread_field` is what it would be read as, had nobody chosen that it is not."""

    letter: str
    header: str
    encoding: str
    examples: list[str]
    field: str | None
    reason: str | None
    unread_field: str | None


class ImportField(Output):
    """A field a column may be read as."""

    field: str
    label: str
    required: bool


class ImportNote(Output):
    """Changes made to the file that keep its contents."""

    code: str
    text_vi: str
    text_en: str


class ImportSheet(Output):
    name: str
    rows: int
    columns: int
    visible: bool


class ImportOfList(Output):
    """One list of the file: its sheet (null in a file without sheets), the row of its header, its
    rows, and the branch that its title or the name of its sheet says."""

    sheet: str | None
    header_row: int | None
    rows: int
    branch: str | None


class RowsLeftOut(Output):
    """Rows of one sheet that are none of the list, by the reason; of `rows` the first 1,000.
    `sheet` is null in a file without sheets. `reason`: `title_lines`, `header`, `numbering`,
    `example`, `section`, `total`, `signature`, `blank`, `sheet_not_read`, `sheet_hidden`,
    `sheet_without_list`."""

    reason: str
    sheet: str | None
    count: int
    rows: list[int]


class CellsLeftOut(Output):
    """Cells that rows are or were written without: of one field, for one error."""

    field: str
    header: str | None
    code: str
    count: int


class ImportItem(Output):
    """An import in a list. `file_kept` is false once the file was deleted."""

    id: UUID
    kind: ImportKind
    state: ImportState
    unit: UnitRef
    account_id: UUID
    file_name: str
    file_size: int
    file_kept: bool
    summary: ImportSummary | None
    revision: int
    created_at: AwareDatetime
    applied_at: AwareDatetime | None
    applied_by: UUID | None
    undone_at: AwareDatetime | None


class ImportRead(ImportItem):
    """`problem` gives the reason of a refused file; `job` is the work on it, the last.

    `rows_read` and the counts of `rows_left_out` add up to the rows of the file (of all its sheets
    that hold anything, each up to its last row); `rows_read` is null until it is read. `next_steps`
    are what may be done now, each with the request that does it: what settles most rows first.

    Of several `lists` the columns and the letters are those of the likeliest, and what the others
    have more; `sheet` is null when lists of several sheets were read.
    """

    sheet: str | None
    sheets: list[ImportSheet]
    header_row: int | None
    lists: list[ImportOfList]
    columns: list[ImportColumn]
    missing_fields: list[str]
    fields_known: list[ImportField]
    rows_read: int | None
    rows_left_out: list[RowsLeftOut]
    cells_left_out: list[CellsLeftOut]
    next_steps: list[NextStep]
    notes: list[ImportNote]
    options: ImportOptions
    remembered: ImportRemembered | None
    by_unit: list[ImportOfUnit]
    problem: JobProblem | None
    job: JobRead | None
    rows_url: str
    workbook_url: str
    errors_only_url: str


class ImportPage(Page):
    items: list[ImportItem]


class TemplateQuery(Parameters):
    kind: ImportKind = Field(default=ImportKind("members"), description="What the list is of.")
