"""What units have chosen for lists of one shape, for the next list of that shape."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from sqlmodel import Field, SQLModel

from app.models.base import (
    ListQuery,
    Output,
    Page,
    Sealed,
    UnitId,
    Uuid,
    json_type,
    new_id,
)
from app.models.imports.choices import DayOrder, ImportLeftOut, ImportMeaning
from app.models.imports.imports import ImportKind
from app.models.kernel.units import UnitRef


class ImportMemory(SQLModel, table=True):
    """What was chosen for lists of a unit under one set of headers.

    `shape` is of the headers, whatever their order ("" of what was remembered by headers alone).
    `fields` are by the key of a header, null = not to be read. `options` are those that say how a
    list is written. `meanings`, as JSON: by field and by what is written, what is meant.
    """

    __tablename__ = "import_memory"
    __table_args__ = (sa.Index("uq_import_memory_shape", "unit_id", "kind", "shape", unique=True),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    unit_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    kind: str = Field(max_length=32)
    shape: str = Field(max_length=32)
    headers: list[str] = Field(sa_type=json_type)
    fields: dict[str, str | None] = Field(sa_type=json_type)
    options: dict[str, Any] = Field(sa_type=json_type)
    meanings: str | None = Field(default=None, sa_type=Sealed("import_meanings"))
    revision: int = 1
    updated_by: UUID | None = Field(default=None, sa_type=Uuid)
    updated_at: datetime


class MemoryQuery(ListQuery):
    kind: ImportKind | None = Field(default=None, description="Only this kind.")
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


class RememberedColumn(Output):
    """A column of this header is read as `field`; null = not at all."""

    header: str
    field: str | None


class MemoryRead(Output):
    """What is taken for the next list of this unit under the same `headers`; of `columns` each
    alone, in any list of the unit. Options that nobody chose are null."""

    id: UUID
    kind: ImportKind
    unit: UnitRef
    headers: list[str]
    columns: list[RememberedColumn]
    first_day: bool | None
    day_order: DayOrder | None
    accept: list[str] | None
    leave_out: ImportLeftOut | None
    meanings: list[ImportMeaning]
    revision: int
    updated_by: UUID | None
    updated_at: AwareDatetime


class MemoryPage(Page):
    items: list[MemoryRead]
