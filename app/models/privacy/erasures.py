"""Erasure of one person's identity: what it would do, what is in its way, and the receipt of it."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import (
    Input,
    ListQuery,
    Names,
    Output,
    Page,
    Parameters,
    UnitId,
    Uuid,
    json_type,
    line,
    new_id,
    str_enum,
)
from app.models.kernel.jobs import Jobs


class PrivacyJob(Jobs):
    sweep = "erasure_sweep"
    anonymisation = "anonymisation"


class Fate(StrEnum):
    """What happens to the rows of a table: kept, kept without identifying data, or deleted."""

    kept = "kept"
    wiped = "wiped"
    deleted = "deleted"


class ErasureReason(StrEnum):
    request = "request"
    anonymisation = "anonymisation"


class ErasureObstacle(StrEnum):
    """An obstacle to an erasure."""

    in_union = "in_union"
    open_post = "open_post"
    grants_in_force = "grants_in_force"
    legal_hold = "legal_hold"
    own_record = "own_record"


class Erasure(SQLModel, table=True):
    """The receipt of an erasure: who did it, when, on which request, how many rows a table.

    It holds nothing that identifies the person. Insert-only. The units are hers at the erasure, so
    that their officers find it.
    """

    __tablename__ = "erasure"
    __table_args__ = (
        sa.UniqueConstraint("member_id", name="uq_erasure_member_id"),
        sa.Index("ix_erasure_province_id_id", "province_id", "id"),
        sa.Index("ix_erasure_anonymisation_id", "anonymisation_id"),
        sa.Index(
            "ix_erasure_unswept",
            "erased_at",
            sqlite_where=sa.text("swept_at IS NULL"),
            postgresql_where=sa.text("swept_at IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="RESTRICT", sa_type=Uuid)
    province_id: int
    commune_id: int | None = None
    branch_id: int
    reason: ErasureReason = Field(sa_type=str_enum(ErasureReason))
    request_id: UUID | None = Field(
        default=None, foreign_key="privacy_request.id", ondelete="RESTRICT", sa_type=Uuid
    )
    anonymisation_id: UUID | None = Field(
        default=None, foreign_key="anonymisation.id", ondelete="RESTRICT", sa_type=Uuid
    )
    effects: list[dict[str, Any]] = Field(sa_type=json_type)
    digest: str = Field(max_length=64)
    # Two people: one acknowledged the request (or approved the run), the other performed it.
    approved_by: UUID = Field(sa_type=Uuid)
    erased_by: UUID = Field(sa_type=Uuid)
    erased_at: datetime
    # When the database gave up what it still held of deleted rows.
    swept_at: datetime | None = None


# -- what clients send

Digest = Annotated[str, Constraint(pattern=r"^[0-9a-f]{32}$")]


class ErasureCreate(Input):
    """`dry_run` true: what would happen, and nothing is changed. Then the same with `dry_run`
    false, the `digest` of that answer, and the `request_id` of her request to be erased."""

    dry_run: bool
    request_id: Annotated[UUID, Names("privacy_request", of_parent=True)] | None = None
    digest: Digest | None = None


class ErasureQuery(ListQuery):
    """Newest first."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


# -- what clients get


class Effect(Output):
    """What becomes of so many `rows` of hers in one table: of which `columns`, and what stays."""

    table: str
    fate: Fate
    rows: int
    columns: list[str]
    vi: str
    en: str


class ObstacleRead(Output):
    """`count`: how many of them; `vi`, `en`: what to do first."""

    code: ErasureObstacle
    count: int
    vi: str
    en: str


class ErasureRead(Output):
    """Of a dry run `id`, who and when are null, and `digest` is what to confirm it by; of an
    erasure there are no obstacles. `swept_at`: since then the database's files hold nothing of
    what was deleted; null while that waits for its job."""

    id: UUID | None
    member_id: UUID
    dry_run: bool
    reason: ErasureReason
    request_id: UUID | None
    anonymisation_id: UUID | None
    effects: list[Effect]
    obstacles: list[ObstacleRead]
    digest: str
    approved_by: UUID | None
    erased_by: UUID | None
    erased_at: AwareDatetime | None
    swept_at: AwareDatetime | None


class ErasurePage(Page):
    items: list[ErasureRead]


# -- erased long after they left


class AnonymisationState(StrEnum):
    proposed = "proposed"
    approved = "approved"
    done = "done"
    cancelled = "cancelled"


class AnonymisationPolicy(SQLModel, table=True):
    """From when on a unit's leavers are anonymised: so many months after they left. Insert-only:
    the newest of a unit that is in force, else the one of the unit above."""

    __tablename__ = "anonymisation_policy"
    __table_args__ = (sa.Index("ix_anonymisation_policy_unit_id", "unit_id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    unit_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    months: int
    most: int
    decision_number: str = Field(max_length=60)
    valid_from: date
    made_by: UUID = Field(sa_type=Uuid)
    made_at: datetime


class Anonymisation(SQLModel, table=True):
    """One run over the leavers of a unit: proposed by one officer, approved by another, done in
    chunks that are each final."""

    __tablename__ = "anonymisation"
    __table_args__ = (
        sa.Index("ix_anonymisation_unit_id", "unit_id"),
        sa.Index("ix_anonymisation_state", "state"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    unit_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    policy_id: UUID = Field(
        foreign_key="anonymisation_policy.id", ondelete="RESTRICT", sa_type=Uuid
    )
    left_before: date
    most: int
    state: AnonymisationState = Field(sa_type=str_enum(AnonymisationState))
    found: int
    done: int = 0
    proposed_by: UUID = Field(sa_type=Uuid)
    proposed_at: datetime
    decided_by: UUID | None = Field(default=None, sa_type=Uuid)
    decided_at: datetime | None = None
    finished_at: datetime | None = None


class PolicyCreate(Input):
    """`most`: members a run at most."""

    unit_id: UnitId
    months: Annotated[int, Constraint(ge=12, le=1_200)]
    most: Annotated[int, Constraint(ge=1, le=100_000)]
    decision_number: Annotated[str, *line(60)]


class PolicyRead(Output):
    id: UUID
    unit_id: int
    months: int
    most: int
    decision_number: str
    valid_from: date
    made_by: UUID
    made_at: AwareDatetime


class PolicyPage(Page):
    items: list[PolicyRead]


class LeaversQuery(Parameters):
    unit: UnitId = Field(description="Only what stands in this unit or below it.")


class LeaversOf(Output):
    unit_id: int
    name: str
    people: int


class Leavers(Output):
    """Who would be anonymised today: those who left before `left_before` and whom nothing holds.

    `held`: as long gone, but something stands in the way. `by_unit`: by the branches they left.
    """

    unit_id: int
    policy: PolicyRead
    left_before: date
    people: int
    held: int
    this_run: int
    oldest_left_on: date | None
    by_unit: list[LeaversOf]


class AnonymisationCreate(Input):
    """`most`: no more than so many, and no more than the policy allows."""

    unit_id: UnitId
    most: Annotated[int, Constraint(ge=1, le=100_000)] | None = None


class AnonymisationQuery(ListQuery):
    """Newest first."""

    state: AnonymisationState | None = Field(default=None, description="Only this state.")
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


class AnonymisationRead(Output):
    """`found`: so many when it was proposed; `done`: so many are anonymised."""

    id: UUID
    unit_id: int
    policy_id: UUID
    left_before: date
    most: int
    state: AnonymisationState
    found: int
    done: int
    proposed_by: UUID
    proposed_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    finished_at: AwareDatetime | None


class AnonymisationPage(Page):
    items: list[AnonymisationRead]
