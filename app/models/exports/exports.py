"""Exports of whole records: what was asked for, and the files that came of it."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import (
    Headings,
    Input,
    ListQuery,
    Name,
    Output,
    Page,
    UnitId,
    Uuid,
    json_type,
    new_id,
    str_enum,
)
from app.models.kernel.jobs import JobProblem, JobProgress, Jobs
from app.models.members.fields import PastDay

MOST_KINDS: Final = 40
MOST_FIELDS: Final = 200


class ExportJob(Jobs):
    export = "export"


class ExportKind(Name):
    """A kind of records that can be exported."""


class ExportState(StrEnum):
    making = "making"
    ready = "ready"
    failed = "failed"
    # Its files are deleted.
    expired = "expired"


class BulkFormat(StrEnum):
    """`ndjson`: a record a line, for programs. `csv`, `xlsx`: as lists are in these formats. `parquet`:
    Apache Parquet, for programs that count."""

    ndjson = "ndjson"
    csv = "csv"
    xlsx = "xlsx"
    parquet = "parquet"


class BulkExport(SQLModel, table=True):
    """What one account asked for. `position`: the rights it was made with, and how far the log had
    come then; null until it is ready."""

    __tablename__ = "bulk_export"
    __table_args__ = (
        sa.Index("ix_bulk_export_account_id_id", "account_id", "id"),
        sa.Index("ix_bulk_export_job_id", "job_id"),
        sa.Index("ix_bulk_export_expires_at", "expires_at"),
        sa.Index("ix_bulk_export_unit_id", "unit_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=Uuid)
    job_id: UUID = Field(sa_type=Uuid)
    unit_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    kinds: list[str] = Field(sa_type=json_type)
    fields: dict[str, list[str]] = Field(sa_type=json_type)
    format: BulkFormat = Field(sa_type=str_enum(BulkFormat))
    headings: Headings = Field(sa_type=str_enum(Headings))
    position: list[Any] | None = Field(default=None, sa_type=json_type)
    # The position of the export before, of which this one tells the difference.
    since: list[Any] | None = Field(default=None, sa_type=json_type)
    # The past day that it is of; None: it is of the moment.
    as_of: date | None = None
    created_at: datetime
    ready_at: datetime | None = None
    expires_at: datetime | None = None


class ExportFile(SQLModel, table=True):
    """One file of an export. Its bytes are those of the file `file_id`."""

    __tablename__ = "export_file"
    __table_args__ = (sa.Index("ix_export_file_export_id", "export_id"),)

    file_id: UUID = Field(primary_key=True, sa_type=Uuid)
    export_id: UUID = Field(foreign_key="bulk_export.id", ondelete="CASCADE", sa_type=Uuid)
    # Of what it has rows.
    kind: str = Field(max_length=40)
    name: str = Field(max_length=60)
    columns: list[str] = Field(sa_type=json_type)
    rows: int
    bytes: int = Field(sa_type=sa.BigInteger)
    sha256: str = Field(max_length=64)


class ExportOp(StrEnum):
    """What a row of an export with `since` tells, as in `SyncOp`."""

    upsert = "upsert"
    entered_scope = "entered_scope"
    left_scope = "left_scope"
    delete = "delete"


class ExportDeletion(Output):
    """A record that is not there for me any more: it is gone (`delete`), or stands in no unit of mine, or
    is no longer on lists (`left_scope`). `kept_id`: the record that it was merged into."""

    op: ExportOp
    kind: str
    id: UUID | int
    kept_id: UUID | None


class ExportCreate(Input):
    """`kinds`: all that I may read, if none are named. `unit`: only what stands in it or below it.
    `fields`: of a kind only these, beside `id`. `headings` are those of csv and xlsx: Vietnamese with
    the names of units beside their ids (`vi`), or names of fields (`api`). `since`: the `watermark` of an
    export of mine of the same kinds and unit; only what is different since is in the files. `as_of`: as the
    lists of members and units are of a past day; no other kind has one, and there is no `watermark`."""

    kinds: Annotated[list[ExportKind], Constraint(max_length=MOST_KINDS)] = []
    unit: UnitId | None = None
    fields: dict[
        ExportKind, Annotated[list[str], Constraint(min_length=1, max_length=MOST_FIELDS)]
    ] = {}
    format: BulkFormat = BulkFormat.ndjson
    headings: Headings = Headings.vi
    since: Annotated[str, Constraint(max_length=20_000)] | None = None
    as_of: PastDay | None = None


class ExportFileRead(Output):
    """`sha256` of the file in hexadecimal digits; `path` goes behind the address of the server."""

    kind: str
    name: str
    columns: list[str]
    rows: int
    bytes: int
    sha256: str
    path: str


class BulkExportRead(Output):
    """The manifest of an export. All files are of one moment: they have every change up to `seq` of
    the change log, in its `epoch`, and none after it. Until it is ready there are no files, and
    `seq`, `epoch`, `watermark`, `ready_at` and `expires_at` are null. `problem`: why it has failed.

    `watermark`: `since` of the next export. Where this one was made `since` another, each row says in
    `op` whether it was there before (`upsert`, new ones too) or is an old one that has come into my units or rights
    (`entered_scope`), and the file `deletion` has what to drop, children first.
    """

    id: UUID
    state: ExportState
    kinds: list[str]
    unit_id: int | None
    format: BulkFormat
    as_of: date | None
    created_at: AwareDatetime
    ready_at: AwareDatetime | None
    expires_at: AwareDatetime | None
    seq: int | None
    epoch: UUID | None
    watermark: str | None
    progress: JobProgress
    files: list[ExportFileRead]
    problem: JobProblem | None


class BulkExportItem(Output):
    """One of my exports; its files are in its manifest."""

    id: UUID
    kinds: list[str]
    unit_id: int | None
    format: BulkFormat
    as_of: date | None
    created_at: AwareDatetime
    ready_at: AwareDatetime | None
    expires_at: AwareDatetime | None


class BulkExportQuery(ListQuery):
    pass


class BulkExportPage(Page):
    """The newest first."""

    items: list[BulkExportItem]
