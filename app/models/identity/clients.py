"""The secrets of programs, and how much programs ask."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import Day, Input, ListQuery, Output, Page, Revised, Uuid, new_id


class ClientSecret(Revised, table=True):
    """A secret of a program, stored as its SHA-256; good until it is revoked or `valid_to` is over.

    Where it was last used is written now and then, with the counts of requests.
    """

    __tablename__ = "client_secret"
    __table_args__ = (
        sa.Index("ix_client_secret_account_id", "account_id"),
        sa.Index("ix_client_secret_valid_to", "valid_to"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=Uuid)
    digest: str = Field(max_length=64)
    valid_to: date | None = None
    # Who was shown it; null = made on the server itself.
    created_by: UUID | None = Field(default=None, sa_type=Uuid)
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    last_used_from: str | None = Field(default=None, max_length=64)


class ClientUsage(SQLModel, table=True):
    """How often a program asked for one operation on one day. `refused`: those of its requests that
    were answered with an error. `bytes`: of the bodies of all answers, before compression."""

    __tablename__ = "client_usage"
    __table_args__ = (sa.Index("ix_client_usage_day", "day"),)

    account_id: UUID = Field(
        foreign_key="account.id", ondelete="CASCADE", primary_key=True, sa_type=Uuid
    )
    day: date = Field(primary_key=True)
    operation: str = Field(primary_key=True, max_length=64)
    requests: int
    refused: int
    bytes: int = Field(sa_type=sa.BigInteger)


class CredentialCreate(Input):
    """`valid_to`: the last day of the new secret. `other_valid_to`: that of the one there is, so that
    both are good while the program is given the new one."""

    valid_to: Day | None = None
    other_valid_to: Day | None = None


class CredentialRead(Output):
    """A secret that is good. `last_used_at`, `last_used_from`: when and from which address it was used
    last, up to some seconds ago."""

    id: UUID
    created_at: datetime
    valid_to: date | None
    last_used_at: datetime | None
    last_used_from: str | None
    revision: int


class CredentialList(Output):
    """The oldest first."""

    items: list[CredentialRead]


class CredentialIssued(CredentialRead):
    """The only answer that ever shows the secret."""

    client_secret: str | None


class UsageQuery(ListQuery):
    """Days in Vietnam, both inclusive."""

    from_: Day | None = Constraint(default=None, alias="from", description="Not before this day.")
    to: Day | None = Constraint(default=None, description="Not after this day.")


class UsageRead(Output):
    """What a program did on a day, by operation (`operation`: its id in the contract; `sign_in`: asking
    for a token). `refused`: answered with an error. `bytes`: sent in answers, before compression."""

    day: date
    operation: str
    requests: int
    refused: int
    bytes: int


class UsagePage(Page):
    """The last day first."""

    items: list[UsageRead]
