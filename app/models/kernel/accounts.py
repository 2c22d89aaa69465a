"""Accounts: who may sign in. A person with a password, or a client program with a secret."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING, StringConstraints
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
    json_type,
    key_text,
    line,
    new_id,
    str_enum,
)
from app.models.kernel.access import GrantCreate, GrantRead
from app.models.kernel.networks import Contact, Networks, Purpose
from app.models.kernel.units import UnitRef


class AccountKind(StrEnum):
    person = "person"
    client = "client"


class AccountStatus(StrEnum):
    invited = "invited"
    active = "active"
    disabled = "disabled"


class Account(Revised, table=True):
    """`unit_id` is the unit whose officers (and those above) look after the account."""

    __tablename__ = "account"
    __table_args__ = (
        sa.UniqueConstraint("username", name="uq_account_username"),
        sa.Index("uq_account_member_id", "member_id", unique=True),
        sa.Index("ix_account_unit_id", "unit_id"),
        # Programs alone end by a day.
        sa.Index(
            "ix_account_valid_to",
            "valid_to",
            sqlite_where=sa.text("valid_to IS NOT NULL"),
            postgresql_where=sa.text("valid_to IS NOT NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    kind: AccountKind = Field(default=AccountKind.person, sa_type=str_enum(AccountKind))
    username: str = Field(max_length=64, sa_type=key_text)
    display_name: str = Field(max_length=120)
    status: AccountStatus = Field(sa_type=str_enum(AccountStatus))
    unit_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    member_id: UUID | None = Field(
        default=None, foreign_key="member.id", ondelete="SET NULL", sa_type=Uuid
    )
    password_hash: str | None = Field(default=None, max_length=300)
    # A one-time code (invitation or reset), stored hashed; using it forces a new password.
    code_digest: str | None = Field(default=None, max_length=64)
    code_expires_at: datetime | None = None
    # Who was shown that code, or the newest secret, and may have used it; null = made on the server itself.
    armed_by: UUID | None = Field(default=None, sa_type=Uuid)
    # Of a program: what it is for, whom to ask about it, from where it may come (null = anywhere) and its last day.
    purpose: str | None = Field(default=None, max_length=200)
    contact: str | None = Field(default=None, max_length=200)
    networks: list[str] | None = Field(default=None, sa_type=json_type)
    valid_to: date | None = None


Username = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        min_length=3,
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]*$",
    ),
]
DisplayName = Annotated[str, *line(120)]
NewPassword = Annotated[str, Field(min_length=10, max_length=200)]


class AccountQuery(ListQuery):
    """`unit`: accounts looked after by this unit or one below it."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    status: AccountStatus | None = Field(default=None, description="Only this status.")
    kind: AccountKind | None = Field(default=None, description="Only this kind.")
    member: UUID | None = Field(default=None, description="Only the account of this member.")
    q: Annotated[str, Field(max_length=64)] | None = Field(
        default=None,
        description="Part of the user name.",
    )


class AccountCreate(Input):
    """A program (`client`) has a `purpose` and a `contact`, and may have `networks` it comes from (else
    anywhere) and a last day (`valid_to`); a person has none of them."""

    id: UUID | None = None
    kind: AccountKind = AccountKind.person
    username: Username
    display_name: DisplayName
    unit_id: UnitId
    member_id: MemberId | None = None
    purpose: Purpose | None = None
    contact: Contact | None = None
    networks: Networks | None = None
    valid_to: Day | None = None
    grants: Annotated[list[GrantCreate], Field(max_length=20)] = []


class AccountUpdate(Input):
    """`member_id` links an account that is nobody's; null takes a wrong link back. `networks` null:
    the program may come from anywhere."""

    display_name: DisplayName | MISSING = MISSING
    member_id: MemberId | None | MISSING = MISSING
    purpose: Purpose | MISSING = MISSING
    contact: Contact | MISSING = MISSING
    networks: Networks | None | MISSING = MISSING
    valid_to: Day | None | MISSING = MISSING


class AccountRead(Output):
    """`grants`: of today and later. `past_grants`: those that ended with their units, whose figures up to
    `valid_to` the account still reads. `purpose` to `valid_to` are of a program."""

    id: UUID
    kind: AccountKind
    username: str
    display_name: str
    status: AccountStatus
    unit: UnitRef
    member_id: UUID | None
    purpose: str | None
    contact: str | None
    networks: list[str] | None
    valid_to: date | None
    grants: list[GrantRead]
    past_grants: list[GrantRead]
    revision: int


class AccountInvited(AccountRead):
    """The only answer that ever shows the one-time code (person) or the secret (client)."""

    code: str | None
    code_expires_at: datetime | None
    client_secret: str | None


class AccountPage(Page):
    items: list[AccountRead]


class Me(Output):
    """`past_grants`: those that ended with their units, whose figures up to `valid_to` I still read."""

    id: UUID
    kind: AccountKind
    username: str
    display_name: str
    unit: UnitRef
    member_id: UUID | None
    grants: list[GrantRead]
    past_grants: list[GrantRead]
    rights: list[str]
    must_change_password: bool


class PasswordChange(Input):
    """`current_password` is the old password, or the one-time code of an invitation or reset."""

    current_password: Annotated[str, Field(min_length=1, max_length=200)]
    new_password: NewPassword
