"""Stored answers to requests that carried an Idempotency-Key, kept for a day."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.base import Uuid, json_type


class IdempotentAnswer(SQLModel, table=True):
    __tablename__ = "idempotent_answer"
    __table_args__ = (sa.Index("ix_idempotent_answer_created_at", "created_at"),)

    account_id: UUID = Field(primary_key=True, sa_type=Uuid)
    key: str = Field(primary_key=True, max_length=128)
    request_digest: str = Field(max_length=64)
    # A digest of the account's grants: an account that has lost one does not get the body again.
    grants_digest: str = Field(max_length=64)
    status: int
    headers: dict[str, Any] = Field(sa_type=json_type)
    body: bytes
    created_at: datetime
