"""Sign-in: sessions (one a device), their rotating refresh tokens, and the token answer."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.base import Output, Uuid, new_id, str_enum


class RevokedReason(StrEnum):
    signed_out = "signed_out"
    refresh_reused = "refresh_reused"
    password_changed = "password_changed"  # noqa: S105  # the name of a reason, no password
    account_disabled = "account_disabled"
    by_officer = "by_officer"
    restored = "restored"
    device_revoked = "device_revoked"


class AuthSession(SQLModel, table=True):
    """One sign-in on one device: the family of all refresh tokens that descend from it."""

    __tablename__ = "auth_session"
    __table_args__ = (sa.Index("ix_auth_session_account_id", "account_id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=Uuid)
    # What the client called itself; the enrolled device, once it has one, is `device_id`.
    device: str | None = Field(default=None, max_length=120)
    device_id: UUID | None = Field(
        default=None, foreign_key="device.id", ondelete="SET NULL", sa_type=Uuid
    )
    user_agent: str | None = Field(default=None, max_length=200)
    # The secret of a program, or the external login, that it was opened with; null = a password or a code.
    key_id: UUID | None = Field(default=None, sa_type=Uuid)
    # Where it signed in, as a keyed digest: others cannot lock the account there.
    network: str | None = Field(default=None, max_length=32)
    # Signed in with a one-time code: good for setting a password, and seeing oneself and one's devices.
    must_change_password: bool = False
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    # The last answer to a refresh, which the phone may not have got: sealed under a key that is not
    # stored, until a token of it is seen. `kept_access_id` is the id of its access token.
    kept_answer: str | None = Field(default=None, sa_type=sa.Text)
    kept_access_id: str | None = Field(default=None, max_length=32)
    revoked_at: datetime | None = None
    revoked_reason: RevokedReason | None = Field(default=None, sa_type=str_enum(RevokedReason))


class RefreshToken(SQLModel, table=True):
    """Stored as SHA-256 only. Used twice, but for a lost answer = stolen: the whole session is
    revoked (RFC 9700)."""

    __tablename__ = "refresh_token"
    __table_args__ = (sa.Index("ix_refresh_token_session_id", "session_id"),)

    digest: str = Field(primary_key=True, max_length=64)
    session_id: UUID = Field(foreign_key="auth_session.id", ondelete="CASCADE", sa_type=Uuid)
    issued_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


class GrantType(StrEnum):
    password = "password"  # noqa: S105  # RFC 6749's name of a grant type
    refresh_token = "refresh_token"  # noqa: S105  # RFC 6749's name of a grant type
    client_credentials = "client_credentials"
    token_exchange = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  # RFC 8693's name


class TokenResponse(Output):
    """RFC 6749, 5.1. `refresh_token` is null for clients; `expires_in` in seconds. `device_id`: the
    enrolled device that the session belongs to; null means that the app has yet to enrol."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str | None
    scope: str
    device_id: UUID | None


class SignInSessionRead(Output):
    """`device`: what the client called itself; `device_id`: the enrolled device (`/v1/devices`)."""

    id: UUID
    device: str | None
    device_id: UUID | None
    user_agent: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


class SessionList(Output):
    items: list[SignInSessionRead]
