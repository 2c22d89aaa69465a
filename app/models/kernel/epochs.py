"""Epochs: the runs of numbers of the change log, the first one and another for each restore."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.base import Uuid


class Epoch(SQLModel, table=True):
    """A run of numbers. It shares those up to `began_after` with the run before; the others of that
    run were lost, and are given again.

    `taken_at` is of the backup that was restored, where that is known. `losses_accepted_by`: who
    decided that it was restored without the journal of erasures. Until `went_on_at` what was due when
    it began is not done; `went_on_by`: who decided that it is.
    """

    __tablename__ = "epoch"
    __table_args__ = (sa.UniqueConstraint("id", name="uq_epoch_id"),)

    number: int = Field(primary_key=True)
    id: UUID = Field(sa_type=Uuid)
    began_after: int = Field(sa_type=sa.BigInteger)
    began_at: datetime
    taken_at: datetime | None = None
    losses_accepted_by: str | None = Field(default=None, max_length=200)
    went_on_at: datetime | None = None
    went_on_by: str | None = Field(default=None, max_length=200)
