"""Who read whose record: one row a reader, a member and a day."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.base import Uuid, str_enum


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


class BulkRead(SQLModel, table=True):
    """That an account was shown rows of whole units in one export: those of an entity which stood in
    the unit when the log had come to `seq`, with these sensitive fields."""

    __tablename__ = "bulk_read"
    __table_args__ = (
        sa.Index("ix_bulk_read_unit_id_entity", "unit_id", "entity"),
        sa.Index("ix_bulk_read_day", "day"),
    )

    export_id: UUID = Field(primary_key=True, sa_type=Uuid)
    unit_id: int = Field(primary_key=True)
    entity: str = Field(primary_key=True, max_length=32)
    account_id: UUID = Field(sa_type=Uuid)
    day: date
    at: datetime
    seq: int = Field(sa_type=sa.BigInteger)
    fields: str = Field(max_length=200)
