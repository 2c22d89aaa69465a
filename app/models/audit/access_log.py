"""Who read whose record: one row a reader, a member and a day."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.base import Output, Page, Uuid, str_enum
from app.models.kernel.accounts import AccountKind
from app.models.kernel.units import UnitRef


class ReadHow(StrEnum):
    detail = "detail"
    list = "list"
    export = "export"


class AccessRead(SQLModel, table=True):
    """That an account was shown a member's sensitive fields, how often on one day and which."""

    __tablename__ = "access_read"
    __table_args__ = (sa.Index("ix_access_read_day", "day"),)

    member_id: UUID = Field(primary_key=True, sa_type=Uuid)
    day: date = Field(primary_key=True)
    account_id: UUID = Field(primary_key=True, sa_type=Uuid)
    how: ReadHow = Field(primary_key=True, sa_type=str_enum(ReadHow))
    fields: str = Field(max_length=200)
    times: int
    last_at: datetime


class AccessLogEntry(Output):
    """That somebody was shown sensitive `fields` of the member on a day: in her record (`detail`),
    in a list or search (`list`), or in a file (`export`). `times`: so often that day."""

    day: date
    last_at: datetime
    how: ReadHow
    times: int
    fields: list[str]
    account_id: UUID
    reader: str
    kind: AccountKind
    unit: UnitRef


class AccessLogPage(Page):
    """The last day first."""

    items: list[AccessLogEntry]
