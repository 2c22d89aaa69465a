"""Devices: the phones on which an account keeps records and sends them later."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING, StringConstraints
from sqlmodel import Field

from app.models.base import (
    DeviceInstant,
    Input,
    ListQuery,
    Output,
    Page,
    Revised,
    UnitId,
    Uuid,
    line,
    new_id,
    str_enum,
)
from app.models.kernel.units import UnitRef


class Platform(StrEnum):
    android = "android"
    ios = "ios"


class Device(Revised, table=True):
    """The app of one account on one phone, under an id that the app has made.

    Two accounts on one phone are two devices: what one of them keeps is not the other's.
    `last_seen_at` is written with sign-ins, refreshes and reports only.
    """

    __tablename__ = "device"
    __table_args__ = (sa.Index("ix_device_account_id", "account_id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=Uuid)
    name: str = Field(max_length=120)
    platform: Platform = Field(sa_type=str_enum(Platform))
    app_version: str = Field(max_length=40)
    last_seen_at: datetime
    revoked_at: datetime | None = None
    wipe_requested_at: datetime | None = None
    wiped_at: datetime | None = None
    # What the phone last reported of itself (services/identity/sync_health).
    unsent: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    unsent_since: datetime | None = None
    last_success_at: datetime | None = None
    last_error_at: datetime | None = None
    last_error: str | None = Field(default=None, max_length=60)
    reported_at: datetime | None = None


DeviceName = Annotated[str, *line(120)]
VERSION_PATTERN = r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,3}(?:[-+][0-9A-Za-z.+-]{1,12})?"
AppVersion = Annotated[str, StringConstraints(max_length=40, pattern=rf"^{VERSION_PATTERN}$")]


class DeviceEnrol(Input):
    """`id` is made by the app and kept beside what it stores for this account."""

    id: UUID
    name: DeviceName
    platform: Platform
    app_version: AppVersion


class DeviceUpdate(Input):
    name: DeviceName | MISSING = MISSING


class DeviceRevoke(Input):
    """`wipe`: the phone has to delete what it keeps for this account, records that were not sent
    as well."""

    wipe: bool = False


class DeviceWiped(Input):
    """`token`: the last refresh token of the device, or an access token."""

    token: Annotated[str, Field(min_length=1, max_length=5000)]


class DeviceReport(Input):
    """What a phone says of its own queue. Times are of its clock, `sent_at` as well: only what lies
    between them counts. `last_error` is a word of the app's own (`no_network`, `storage_full`), about
    nobody."""

    sent_at: DeviceInstant
    unsent: Annotated[int, Field(ge=0, le=1_000_000)]
    unsent_since: DeviceInstant | None = None
    last_success_at: DeviceInstant | None = None
    last_error_at: DeviceInstant | None = None
    last_error: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,60}$")] | None = None
    app_version: AppVersion | None = None


class DeviceState(StrEnum):
    """`revoked`: it may no longer be used."""

    enrolled = "enrolled"
    revoked = "revoked"


class DeviceQuery(ListQuery):
    """My own devices, and those of the accounts that I may see."""

    account: UUID | None = Field(default=None, description="Only devices of this account.")
    unit: UnitId | None = Field(
        default=None, description="Only of accounts looked after in this unit or below it."
    )
    state: DeviceState | None = Field(default=None, description="Only this state.")


class DeviceOwner(Output):
    """The account that uses a device."""

    id: UUID
    username: str
    display_name: str


class DeviceRead(Output):
    """`unit` looks after the account. `current`: the device that asks. `signed_in`: it can go on
    without a password. `app_supported_until`: from the next day on an app of this version enrols and pulls
    no longer. `wiped_at`: when the phone confirmed that it had deleted what it kept. `unsent`
    and what follows is what the phone reported at `reported_at`; success and error do not hide each other."""

    id: UUID
    account: DeviceOwner
    unit: UnitRef
    name: str
    platform: Platform
    app_version: str
    app_supported_until: date | None
    state: DeviceState
    enrolled_at: datetime
    last_seen_at: datetime
    signed_in: bool
    current: bool
    revoked_at: datetime | None
    wipe_requested_at: datetime | None
    wiped_at: datetime | None
    unsent: int
    unsent_since: datetime | None
    last_success_at: datetime | None
    last_error_at: datetime | None
    last_error: str | None
    reported_at: datetime | None
    revision: int


class DevicePage(Page):
    items: list[DeviceRead]


class HealthQuery(ListQuery):
    unit: UnitId | None = Field(default=None, description="Only this unit and those below it.")


class UnitHealth(Output):
    """What the phones of one unit's accounts have not sent, the oldest of it since `unsent_since`.

    `last_seen_at`: when the last of them was heard from. `failing`: on so many the last try failed."""

    unit: UnitRef
    devices: int
    unsent: int
    unsent_since: datetime | None
    last_seen_at: datetime
    failing: int
    text_vi: str
    text_en: str


class HealthPage(Page):
    items: list[UnitHealth]
