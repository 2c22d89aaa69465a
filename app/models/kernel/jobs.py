"""Long work that outlives its request: what was asked, how far it is, what came of it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.base import ListQuery, Name, Output, Page, Uuid, json_type, new_id, str_enum
from app.models.kernel.sensitive import FreeForm


class Jobs(StrEnum):
    """Kinds of long work: each capability that has some lists its own in a subclass."""


class JobKind(Name):
    """A kind of long work that one of the capabilities does."""


class JobState(StrEnum):
    queued = "queued"
    running = "running"
    done = "done"
    failed = "failed"


class Job(SQLModel, table=True):
    """One long-running job. `args` and `result` hold ids and figures, never people's data.

    `seen_at` is the last heartbeat of its runner; `attempts` counts how often it was started.
    """

    __tablename__ = "job"
    __table_args__ = (
        sa.Index("ix_job_account_id_id", "account_id", "id"),
        # The few that are not over; all others are found by account.
        sa.Index(
            "ix_job_unfinished",
            "id",
            sqlite_where=sa.text("state IN ('queued', 'running')"),
            postgresql_where=sa.text("state IN ('queued', 'running')"),
        ),
        sa.Index("ix_job_finished_at", "finished_at"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    kind: str = Field(max_length=32)
    state: JobState = Field(default=JobState.queued, sa_type=str_enum(JobState))
    account_id: UUID = Field(sa_type=Uuid)
    session_id: UUID = Field(sa_type=Uuid)
    device: str | None = Field(default=None, max_length=120)
    request_id: str | None = Field(default=None, max_length=64)
    unit_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    args: dict[str, Any] = Field(sa_type=json_type)
    done: int = 0
    total: int | None = None
    result: dict[str, Any] | None = Field(default=None, sa_type=json_type)
    problem: dict[str, Any] | None = Field(default=None, sa_type=json_type)
    attempts: int = 0
    created_at: datetime
    started_at: datetime | None = None
    seen_at: datetime | None = None
    finished_at: datetime | None = None


class JobQuery(ListQuery):
    kind: JobKind | None = Field(default=None, description="Only this kind.")
    state: JobState | None = Field(default=None, description="Only this state.")


class JobProgress(Output):
    """`total` is null while it is not known."""

    done: int
    total: int | None


class JobProblem(Output):
    """Why it failed: a problem (RFC 9457) as an answer would have had it."""

    code: str
    title: str
    detail: str
    errors: list[dict[str, Any]]


class JobRead(Output):
    """`result` when it is done, `problem` when it has failed."""

    id: UUID
    kind: JobKind
    state: JobState
    unit_id: int | None
    progress: JobProgress
    result: Annotated[dict[str, Any] | None, FreeForm()]
    problem: JobProblem | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobPage(Page):
    """The newest first."""

    items: list[JobRead]
