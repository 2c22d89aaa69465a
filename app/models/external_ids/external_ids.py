"""External identifiers: what other systems call our members, households and units, with their days.

Each kind of record has its own table, so that what is true of every table about members is true of
this one: it moves, merges and is erased with the record (docs/decisions/0059).
"""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field as Constraint
from pydantic import model_validator
from sqlmodel import Field

from app.models.base import (
    Day,
    HouseholdId,
    Input,
    ListQuery,
    MemberId,
    Output,
    Page,
    Revised,
    Sealed,
    UnitId,
    Uuid,
    line,
    new_id,
)


def _indexes(owner: str) -> tuple[sa.Index, ...]:
    table, valid = f"{owner}_external_id", sa.text("valid_to IS NULL")
    return (
        sa.Index(
            f"uq_{table}_valid", "key", unique=True, sqlite_where=valid, postgresql_where=valid
        ),
        sa.Index(f"ix_{table}_{owner}_id", f"{owner}_id"),
        sa.Index(f"ix_{table}_import_id", "import_id"),
    )


class _ExternalId(Revised):
    """`key` is the keyed digest of `system|value`, by which it is found. It outlives the value of a person
    who was erased: what another system goes on sending of her is known, and refused."""

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    system: str = Field(max_length=40)
    value: str | None = Field(default=None, sa_type=Sealed("external_id"))
    key: int = Field(sa_type=sa.BigInteger)
    valid_from: date
    valid_to: date | None = None
    # The list or batch that brought it, which takes it back when it is undone.
    import_id: UUID | None = Field(default=None, sa_type=Uuid)


class MemberExternalId(_ExternalId, table=True):
    __tablename__ = "member_external_id"
    __table_args__ = _indexes("member")

    member_id: UUID = Field(foreign_key="member.id", ondelete="RESTRICT", sa_type=Uuid)
    province_id: int


class HouseholdExternalId(_ExternalId, table=True):
    __tablename__ = "household_external_id"
    __table_args__ = _indexes("household")

    household_id: UUID = Field(foreign_key="household.id", ondelete="RESTRICT", sa_type=Uuid)
    province_id: int


class UnitExternalId(_ExternalId, table=True):
    __tablename__ = "unit_external_id"
    __table_args__ = _indexes("unit")

    unit_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")


class _OfOne(Input):
    @model_validator(mode="after")
    def _names_one(self) -> Self:
        named = (getattr(self, name) for name in ("member_id", "household_id", "unit_id"))
        if sum(each is not None for each in named) != 1:
            raise ValueError("external_id_of_one")
        return self


class ExternalIdCreate(_OfOne):
    """The identifier of one record: of `member_id`, `household_id` or `unit_id`. Sent again, it is the
    one that is there."""

    member_id: MemberId | None = None
    household_id: HouseholdId | None = None
    unit_id: UnitId | None = None
    system: Annotated[str, Constraint(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    value: Annotated[str, *line(120)]
    valid_from: Day | None = None


class ExternalIdQuery(ListQuery):
    """Of one record, those that are valid first."""

    member: UUID | None = Constraint(default=None, description="Those of this member.")
    household: UUID | None = Constraint(default=None, description="Those of this household.")
    unit: UnitId | None = Constraint(default=None, description="Those of this unit.")


class ExternalIdRead(Output):
    """`external_id` is `system|value`, as lists and bulk lines write it. Valid while `valid_to` is null."""

    id: UUID
    member_id: UUID | None
    household_id: UUID | None
    unit_id: int | None
    external_id: str
    system: str
    value: str
    valid_from: date
    valid_to: date | None
    revision: int


class ExternalIdPage(Page):
    items: list[ExternalIdRead]


class ExternalSystemRead(Output):
    code: str
    vi: str
    en: str
    provinces: list[str]


class ExternalSystems(Output):
    items: list[ExternalSystemRead]
