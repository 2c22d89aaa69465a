"""Addresses of other systems that events are sent to, how far each has come, and its secrets."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING, BeforeValidator
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import (
    Input,
    ListQuery,
    Names,
    Output,
    Page,
    Revised,
    Sealed,
    UnitId,
    Uuid,
    json_type,
    line,
    new_id,
    str_enum,
)
from app.models.feed.events import NewsKindName
from app.models.webhooks.attempts import WebhookError

MOST_KINDS: Final = 60
MOST_HOURS: Final = 168


class WebhookState(StrEnum):
    enabled = "enabled"
    # Nothing is sent, and nothing is lost: it goes on where it stood.
    paused = "paused"


class WebhookPause(StrEnum):
    """Why nothing is sent. `asked`: somebody has paused it. `refused`: the receiver has not taken an
    event for three days. `gone`: it has answered 410. `account`: the account is disabled. `no_rights`:
    it may read none of what it follows any more. `more_rights`: it has got rights since somebody last
    confirmed the webhook; what it had before has no event, so export anew, then resume.
    `start_over`: the log no longer has what comes next."""

    asked = "asked"
    refused = "refused"
    gone = "gone"
    account = "account"
    no_rights = "no_rights"
    more_rights = "more_rights"
    start_over = "start_over"


class WebhookSigning(StrEnum):
    """`hmac_sha256`: a secret that both sides have (`whsec_`). `ed25519`: the receiver has a public key
    (`whpk_`) by which it can verify, and not sign."""

    hmac_sha256 = "hmac_sha256"
    ed25519 = "ed25519"


class WebhookEndpoint(Revised, table=True):
    """Where events are sent that an account may read. `skipped_through`: up to which place of the log
    somebody has last had it skip. `confirmed`: the rights of the account when somebody who holds them
    all, or the account itself, set it up."""

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        sa.Index("ix_webhook_endpoint_account_id_id", "account_id", "id"),
        sa.Index("ix_webhook_endpoint_unit_id", "unit_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=Uuid)
    url: str = Field(max_length=500)
    unit_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    kinds: list[str] = Field(sa_type=json_type)
    description: str = Field(max_length=200)
    state: WebhookState = Field(sa_type=str_enum(WebhookState))
    reason: WebhookPause | None = Field(default=None, sa_type=str_enum(WebhookPause))
    paused_at: datetime | None = None
    rotated_at: datetime | None = None
    skipped_through: int | None = Field(default=None, sa_type=sa.BigInteger)
    confirmed: dict[str, list[str]] = Field(sa_type=json_type)


class WebhookPosition(SQLModel, table=True):
    """How far an endpoint has come. All up to `seq` was sent or is not for it; `sent_seq` is the place
    of the last event that it was sent, or had to skip.

    `lease` names the sender that is at it, until `lease_until`. `acts` counts what people did to the
    endpoint: a sender that meets another number than it began with begins again. `failing_seq` is the
    event that is refused, since `failing_since`. While `replay_to` is set, what stands after
    `replay_after` is sent again up to there.
    """

    __tablename__ = "webhook_position"

    endpoint_id: UUID = Field(
        primary_key=True, foreign_key="webhook_endpoint.id", ondelete="CASCADE", sa_type=Uuid
    )
    seq: int = Field(sa_type=sa.BigInteger)
    epoch: UUID = Field(sa_type=Uuid)
    sent_seq: int = Field(sa_type=sa.BigInteger)
    acts: int = 0
    lease: UUID | None = Field(default=None, sa_type=Uuid)
    lease_until: datetime | None = None
    next_at: datetime
    failing_seq: int | None = Field(default=None, sa_type=sa.BigInteger)
    failing_since: datetime | None = None
    failures: int = 0
    last_error: WebhookError | None = Field(default=None, sa_type=str_enum(WebhookError))
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    replay_after: int | None = Field(default=None, sa_type=sa.BigInteger)
    replay_to: int | None = Field(default=None, sa_type=sa.BigInteger)
    replay_sent: int | None = Field(default=None, sa_type=sa.BigInteger)


class WebhookSecret(SQLModel, table=True):
    """What events to an endpoint are signed with, until `expires_at`. Of ed25519 `secret` is the private
    key, which nobody is shown."""

    __tablename__ = "webhook_secret"
    __table_args__ = (sa.Index("ix_webhook_secret_endpoint_id", "endpoint_id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    endpoint_id: UUID = Field(foreign_key="webhook_endpoint.id", ondelete="CASCADE", sa_type=Uuid)
    signing: WebhookSigning = Field(sa_type=str_enum(WebhookSigning))
    secret: str = Field(sa_type=Sealed("webhook_secret"))
    public_key: str | None = Field(default=None, max_length=80)
    created_at: datetime
    expires_at: datetime | None = None


# -- what clients send


def _whole(value: object) -> object:
    """pydantic would take `true` for 1."""
    if isinstance(value, bool):
        raise ValueError("wrong_type")
    return value


WebhookUrl = Annotated[
    str,
    *line(500, 10),
    Constraint(examples=["https://so-noi-vu.example.vn/hoiso"]),
]
WebhookKinds = Annotated[list[NewsKindName], Constraint(max_length=MOST_KINDS)]
Seq = Annotated[int, Constraint(ge=0, le=2**63 - 1), BeforeValidator(_whole)]


class WebhookCreate(Input):
    """`account_id`: the program whose events are sent; by default the account that asks, which is one
    then. `unit_id`: only what stood in it or below it; `kinds`: only events of these; else all that the
    account may read. `after`: the `seq` from which on it is sent, by default what happens from now on."""

    id: UUID | None = None
    account_id: Annotated[UUID, Names("account", anywhere=True)] | None = None
    url: WebhookUrl
    unit_id: UnitId | None = None
    kinds: WebhookKinds = []
    description: Annotated[str, *line(200, 0)] = ""
    signing: WebhookSigning = WebhookSigning.hmac_sha256
    after: Seq | None = None


class WebhookUpdate(Input):
    """What is left out stays. A null `unit_id`: all units of the account."""

    url: WebhookUrl | MISSING = MISSING
    unit_id: UnitId | None | MISSING = MISSING
    kinds: WebhookKinds | MISSING = MISSING
    description: Annotated[str, *line(200, 0)] | MISSING = MISSING


class WebhookRotation(Input):
    """For `overlap_hours` events have the signatures of both, then that of the new secret alone."""

    signing: WebhookSigning | None = None
    overlap_hours: Annotated[int, Constraint(ge=0, le=MOST_HOURS)] = 24


class WebhookSkip(Input):
    """`through`: the `seq` up to which nothing is sent any more."""

    through: Seq


class WebhookReplay(Input):
    """Both inclusive. `to_seq`: no further than it has been sent; by default as far as that."""

    from_seq: Seq
    to_seq: Seq | None = None


class WebhookQuery(ListQuery):
    """My own webhooks, and those of the programs that I may see."""

    account: UUID | None = Constraint(default=None, description="Only those of this account.")
    state: WebhookState | None = Constraint(default=None, description="Only this state.")


# -- what they get


class WebhookKey(Output):
    """`public_key`: of ed25519, as `whpk_`. `expires_at`: until then events have its signature, too."""

    signing: WebhookSigning
    public_key: str | None
    created_at: datetime
    expires_at: datetime | None


class WebhookWaiting(Output):
    """The event that is not taken: its place, since when, how often it was tried and when again."""

    seq: int
    since: datetime
    failures: int
    next_at: datetime
    error: WebhookError | None


class WebhookReplaying(Output):
    """What is sent again: after `after`, up to `to_seq`."""

    after: int
    to_seq: int


class WebhookRead(Output):
    """`seq`: all events up to there were sent, or are not for it. `keys`: the newest first. `reason` and
    `paused_at` are those of a paused one. Success and failure do not hide each other."""

    id: UUID
    account_id: UUID
    username: str
    url: str
    unit_id: int | None
    kinds: list[str]
    description: str
    state: WebhookState
    reason: WebhookPause | None
    paused_at: datetime | None
    keys: list[WebhookKey]
    seq: int
    epoch: UUID
    skipped_through: int | None
    waiting: WebhookWaiting | None
    replaying: WebhookReplaying | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    revision: int
    created_at: datetime


class WebhookShown(WebhookRead):
    """The only answer that ever shows the `secret` (`whsec_`); of ed25519 it is null, and `keys` has the
    public key."""

    secret: str | None


class WebhookPage(Page):
    """The newest first."""

    items: list[WebhookRead]
