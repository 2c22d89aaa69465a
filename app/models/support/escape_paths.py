"""Escape paths (lộ trình thoát nghèo): steps, who is in charge of them, the result."""

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING
from pydantic import Field as Constraint
from sqlmodel import Field

from app.models.base import (
    Day,
    Input,
    ListQuery,
    MemberId,
    Output,
    Page,
    Revised,
    UnitId,
    Uuid,
    line,
    new_id,
    str_enum,
)
from app.models.households.households import Note
from app.models.kernel.access import Right
from app.models.kernel.hierarchy import ListInHierarchy
from app.models.kernel.sensitive import About
from app.models.members.fields import PastDay
from app.models.poverty.poverty import IndicatorCode


class PathState(StrEnum):
    """`escaped` and `improved` are what the movement counts (domain facts, 3.4)."""

    open = "open"
    escaped = "escaped"
    improved = "improved"
    stopped = "stopped"


class CheckOutcome(StrEnum):
    holding = "holding"
    at_risk = "at_risk"
    relapsed = "relapsed"


class EscapePath(Revised, table=True):
    """A plan for one household. `helper_id`: the branch that has taken it on."""

    __tablename__ = "escape_path"
    __table_args__ = (
        sa.Index("ix_escape_path_household_id", "household_id"),
        sa.Index("ix_escape_path_helper_id_id", "helper_id", "id"),
        sa.Index(
            "uq_escape_path_open",
            "household_id",
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    household_id: UUID = Field(foreign_key="household.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    helper_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    opened_on: date
    target_on: date
    state: PathState = Field(sa_type=str_enum(PathState))
    closed_on: date | None = None
    note: str | None = Field(default=None, max_length=500)
    account_id: UUID | None = Field(default=None, sa_type=Uuid)


class EscapeStep(Revised, table=True):
    """One thing to be done, by somebody named: a member, or anybody by name."""

    __tablename__ = "escape_step"
    __table_args__ = (
        sa.Index("ix_escape_step_path_id", "path_id", "due_on"),
        sa.Index(
            "ix_escape_step_undone",
            "due_on",
            sqlite_where=sa.text("done_on IS NULL"),
            postgresql_where=sa.text("done_on IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    path_id: UUID = Field(foreign_key="escape_path.id", ondelete="CASCADE", sa_type=Uuid)
    household_id: UUID = Field(foreign_key="household.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    title: str = Field(max_length=200)
    deprivation: str | None = Field(default=None, max_length=40)
    responsible: str | None = Field(default=None, max_length=120)
    responsible_member_id: UUID | None = Field(
        default=None, foreign_key="member.id", ondelete="SET NULL", sa_type=Uuid
    )
    due_on: date
    done_on: date | None = None
    note: str | None = Field(default=None, max_length=500)


class EscapeCheck(Revised, table=True):
    """A look at a household so many months after it escaped."""

    __tablename__ = "escape_check"
    __table_args__ = (
        sa.UniqueConstraint("path_id", "months", name="uq_escape_check_months"),
        sa.Index(
            "ix_escape_check_undone",
            "due_on",
            sqlite_where=sa.text("done_on IS NULL"),
            postgresql_where=sa.text("done_on IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    path_id: UUID = Field(foreign_key="escape_path.id", ondelete="CASCADE", sa_type=Uuid)
    household_id: UUID = Field(foreign_key="household.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    months: int
    due_on: date
    done_on: date | None = None
    outcome: CheckOutcome | None = Field(default=None, sa_type=str_enum(CheckOutcome))
    note: str | None = Field(default=None, max_length=500)


# -- what clients send

Title = Annotated[str, *line(200)]
Name = Annotated[str, *line(120)]


class StepInput(Input):
    """`responsible` by name, or `responsible_member_id`: exactly one."""

    id: UUID | None = None
    title: Title
    deprivation: IndicatorCode | None = None
    responsible: Name | None = None
    responsible_member_id: MemberId | None = None
    due_on: Day
    note: Note | None = None


class PathCreate(Input):
    """`helper_id`: by default the household's own branch. `opened_on`: today by default."""

    id: UUID | None = None
    helper_id: UnitId | None = None
    opened_on: PastDay | None = None
    target_on: Day
    note: Note | None = None
    steps: Annotated[list[StepInput], Constraint(min_length=1, max_length=30)]


class StepUpdate(Input):
    """A JSON merge patch; `done_on` marks it as done. Who is `responsible` by name takes the place
    of a `responsible_member_id`, and the other way round."""

    title: Title | MISSING = MISSING
    responsible: Name | MISSING = MISSING
    responsible_member_id: MemberId | MISSING = MISSING
    due_on: Day | MISSING = MISSING
    done_on: PastDay | None | MISSING = MISSING
    note: Note | None | MISSING = MISSING


class PathClose(Input):
    """`effective_on` becomes the last day of the path, today by default. `escaped` needs the commune's
    decision: the household is no longer poor or near-poor.
    """

    state: PathState
    effective_on: PastDay | None = None
    note: Note | None = None


class CheckDone(Input):
    outcome: CheckOutcome
    done_on: PastDay | None = None
    note: Note | None = None


class PathQuery(ListQuery, ListInHierarchy):
    """The newest first. `unit`: of the households in it."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    state: PathState | None = Field(default=None, description="Only this state.")


class TaskQuery(ListQuery):
    """What is due by `due_to` (today by default), the longest overdue first."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    due_to: Day | None = Field(
        default=None, description="What is due by this day; today by default."
    )


# -- what clients get


class StepRead(Output):
    id: UUID
    title: str
    deprivation: str | None
    responsible: str | None
    responsible_member_id: UUID | None
    due_on: date
    done_on: date | None
    note: str | None
    revision: int


class CheckRead(Output):
    id: UUID
    months: int
    due_on: date
    done_on: date | None
    outcome: CheckOutcome | None
    note: str | None
    revision: int


class PathItem(Output):
    """`steps_done` of `steps_total`; `relapsed`: recognised as poor or near-poor again since."""

    about: ClassVar = About("household", ("household_id",), row=Right.poverty_read)

    id: UUID
    household_id: UUID
    head_name: str
    branch_id: int
    female_headed: bool
    helper_id: int
    opened_on: date
    target_on: date
    state: PathState
    closed_on: date | None
    note: str | None
    steps_total: int
    steps_done: int
    relapsed: bool
    revision: int


class PathRead(PathItem):
    steps: list[StepRead]
    checks: list[CheckRead]


class PathPage(Page):
    items: list[PathItem]


class TaskKind(StrEnum):
    step = "step"
    check = "check"
    relapse = "relapse"
    responsible = "responsible"


class TaskRead(Output):
    """A task that is due. Of a relapse `due_on` is the day since when it is poor again; a step whose
    `responsible` member has died or left needs another one, whenever it is due."""

    about: ClassVar = About("household", ("household_id",), row=Right.poverty_read)

    kind: TaskKind
    id: UUID
    path_id: UUID
    household_id: UUID
    head_name: str
    branch_id: int
    title: str
    responsible: str | None
    due_on: date


class TaskPage(Page):
    items: list[TaskRead]
