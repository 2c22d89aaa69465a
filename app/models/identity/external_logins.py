"""Logins of OpenID Connect providers that open an account here."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import StringConstraints
from sqlmodel import Field, SQLModel

from app.models.base import Input, Output, Revised, Uuid, key_text, line, new_id


class ExternalLogin(Revised, table=True):
    """That who signs in at a provider under this subject enters this account."""

    __tablename__ = "external_login"
    __table_args__ = (
        sa.UniqueConstraint("issuer", "subject", name="uq_external_login_issuer_subject"),
        sa.UniqueConstraint("account_id", "issuer", name="uq_external_login_account_id_issuer"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=Uuid)
    issuer: str = Field(max_length=300, sa_type=key_text)
    subject: str = Field(max_length=255, sa_type=key_text)
    # Who linked it, and may have the login.
    linked_by: UUID | None = Field(default=None, sa_type=Uuid)


class UsedNonce(SQLModel, table=True):
    """A nonce with which somebody has signed in: good for nothing more. After `expires_at` it would
    be refused anyway."""

    __tablename__ = "used_nonce"
    __table_args__ = (sa.Index("ix_used_nonce_expires_at", "expires_at"),)

    digest: str = Field(primary_key=True, max_length=64)
    expires_at: datetime


# OpenID Connect Core, 2: at most 255 ASCII characters, compared exactly.
Subject = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[!-~]+$")]


class ExternalLoginCreate(Input):
    """`issuer`: one of `GET /v1/auth/providers`; `subject`: the `sub` by which it names the person."""

    issuer: Annotated[str, *line(300)]
    subject: Subject


class ExternalLoginRead(Output):
    """A login that opens the account. Its subject is shown to nobody."""

    id: UUID
    issuer: str
    provider: str | None
    created_at: datetime
    revision: int


class ExternalLoginList(Output):
    items: list[ExternalLoginRead]


class ProviderRead(Output):
    """What an app needs to send somebody to a provider with code and PKCE. The addresses are null while
    the provider is away."""

    issuer: str
    name: str
    client_id: str
    scopes: str
    authorization_endpoint: str | None
    token_endpoint: str | None


class ProviderList(Output):
    items: list[ProviderRead]


class NonceRead(Output):
    """`nonce` goes to the provider and comes back in its token; `nonce_proof` stays in the app until it
    hands the token in. Both are good for `expires_in` seconds and one sign-in."""

    nonce: str
    nonce_proof: str
    expires_in: int
