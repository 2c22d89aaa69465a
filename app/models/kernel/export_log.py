"""The log of the lists that left the server as files."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.base import Uuid, json_type, new_id, str_enum


class ExportFormat(StrEnum):
    csv = "csv"
    xlsx = "xlsx"
    ndjson = "ndjson"
    parquet = "parquet"
    # A page to print.
    html = "html"


class ExportRecord(SQLModel, table=True):
    """Who took which list, in which format, how many rows. `finished_at` null = broken off."""

    __tablename__ = "export_record"
    __table_args__ = (
        sa.Index("ix_export_record_account_id", "account_id"),
        sa.Index("ix_export_record_at", "at"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: UUID = Field(sa_type=Uuid)
    at: datetime
    request_id: str = Field(max_length=64)
    path: str = Field(max_length=200)
    filters: dict[str, Any] = Field(sa_type=json_type)
    fields: list[str] = Field(sa_type=json_type)
    format: ExportFormat = Field(sa_type=str_enum(ExportFormat))
    rows: int | None = None
    finished_at: datetime | None = None
