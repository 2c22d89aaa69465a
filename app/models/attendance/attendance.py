"""Attendance as a ledger: captures are the reports of phones and lists, attendance is what follows.

A capture is kept as it came and never changed (annulled at most); from all captures of a person at
a session follows one fact, which belongs to her units of that day.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime, StringConstraints
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import (
    DeviceInstant,
    Input,
    Instant,
    ListQuery,
    Names,
    Output,
    Page,
    Uuid,
    json_type,
    key_text,
    line,
    lines,
    str_enum,
)
from app.models.kernel.items import ALONE, Batch, ItemProblem
from app.models.members.fields import PersonName
from app.models.members.members import MemberKind


class CaptureKind(StrEnum):
    """How somebody, or a number of people, was noted."""

    qr = "qr"
    roster = "roster"
    head_count = "head_count"
    paper = "paper"
    online = "online"
    proxy = "proxy"


class CaptureState(StrEnum):
    """`held`: its session is not known yet; `pending_identity`: nobody knows yet who is meant."""

    stored = "stored"
    pending_identity = "pending_identity"
    held = "held"
    annulled = "annulled"


class AttendanceOutcome(StrEnum):
    """What a capture made of the attendance of its session."""

    new = "new"
    already = "already"
    pending_identity = "pending_identity"
    none = "none"


class Flag(StrEnum):
    """What is unusual about a capture that is stored all the same."""

    late = "late"
    after_close = "after_close"
    before_start = "before_start"
    came_late = "came_late"
    cancelled = "cancelled"
    skewed = "skewed"
    moved = "moved"
    not_on_roster = "not_on_roster"
    not_a_member = "not_a_member"
    member_unknown = "member_unknown"
    room_unknown = "room_unknown"
    too_short = "too_short"
    ambiguous = "ambiguous"
    printed_code = "printed_code"
    unverified_time = "unverified_time"


class AttendanceMode(StrEnum):
    in_person = "in_person"
    online = "online"
    proxy = "proxy"


class Capture(SQLModel, table=True):
    """One item of the ledger. `id` is the phone's: sent again, it is the same item.

    `session_id` refers to nothing: a capture may come before its session. `occurred_at` is the
    device's time, `happened_at` the same by our clock; `digest` is of what was sent.
    """

    __tablename__ = "capture"
    __table_args__ = (
        sa.Index("ix_capture_session_id_member_id", "session_id", "member_id"),
        # The few of a session that name nobody: head counts, guests, who is still to be found out.
        sa.Index(
            "ix_capture_nameless",
            "session_id",
            "kind",
            sqlite_where=sa.text("member_id IS NULL"),
            postgresql_where=sa.text("member_id IS NULL"),
        ),
        # One device, one member.
        sa.Index(
            "ix_capture_by_herself",
            "session_id",
            "device",
            sqlite_where=sa.text("by_herself"),
            postgresql_where=sa.text("by_herself"),
        ),
        sa.Index(
            "ix_capture_open",
            "session_id",
            "state",
            sqlite_where=sa.text("state IN ('held', 'pending_identity')"),
            postgresql_where=sa.text("state IN ('held', 'pending_identity')"),
        ),
    )

    id: UUID = Field(primary_key=True, sa_type=Uuid)
    session_id: UUID = Field(sa_type=Uuid)
    province_id: int
    room_id: UUID | None = Field(default=None, sa_type=Uuid)
    kind: CaptureKind = Field(sa_type=str_enum(CaptureKind))
    state: CaptureState = Field(sa_type=str_enum(CaptureState))
    outcome: AttendanceOutcome = Field(sa_type=str_enum(AttendanceOutcome))
    member_id: UUID | None = Field(default=None, sa_type=Uuid)
    # A guest, or somebody still to be found among the members.
    name: str | None = Field(default=None, max_length=120)
    name_key: str | None = Field(default=None, sa_type=key_text)
    is_guest: bool = False
    count: int | None = None
    guests: int | None = None
    card_id: UUID | None = Field(default=None, sa_type=Uuid)
    minutes: int | None = None
    photo: str | None = Field(default=None, max_length=500)
    note: str | None = Field(default=None, max_length=500)
    occurred_at: datetime
    happened_at: datetime
    received_at: datetime
    # Seconds the device's clock was ahead of ours; null where the device did not report it.
    skew: int | None = None
    account_id: UUID = Field(sa_type=Uuid)
    device: str | None = Field(default=None, max_length=120)
    # With her own phone and the code of the session, and not by a head.
    by_herself: bool = False
    flags: list[str] = Field(sa_type=json_type)
    digest: int = Field(sa_type=sa.BigInteger)
    annulled_at: datetime | None = None
    annulled_by: UUID | None = Field(default=None, sa_type=Uuid)
    reason: str | None = Field(default=None, max_length=500)


class Attendance(SQLModel, table=True):
    """That a person attended a session: one row however often she was captured.

    `id` is what the change log and phones call it; it follows from the session and the person. The units are those of the branch she was a member of on `local_date`, and stay so; without a
    branch she was no member that day. `attended_at`, `mode` and `room_id` are of the earliest
    capture that counts.
    """

    __tablename__ = "attendance"
    __table_args__ = (
        # The counts of a session are read from its key alone.
        sa.PrimaryKeyConstraint(
            "session_id",
            "member_id",
            postgresql_include=["branch_id", "mode", "room_id", "on_roster"],
        ),
        sa.Index("uq_attendance_id", "id", unique=True),
        sa.Index("ix_attendance_member_id_local_date", "member_id", "local_date", "session_id"),
        sa.Index("ix_attendance_branch_id_local_date", "branch_id", "local_date"),
        sa.Index("ix_attendance_commune_id_local_date", "commune_id", "local_date"),
        sa.Index("ix_attendance_province_id_id", "province_id", "id"),
        {"sqlite_with_rowid": False},
    )

    session_id: UUID = Field(foreign_key="event_session.id", ondelete="CASCADE", sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    local_date: date
    province_id: int
    district_id: int | None = None
    commune_id: int | None = None
    branch_id: int | None = None
    on_roster: bool
    mode: AttendanceMode = Field(sa_type=str_enum(AttendanceMode))
    room_id: UUID | None = Field(default=None, sa_type=Uuid)
    attended_at: datetime
    capture_id: UUID = Field(sa_type=Uuid)
    revision: int = 1
    id: UUID = Field(sa_type=Uuid)


# -- what clients send

MOST_ITEMS = 500
# Looked for among those invited and those in scope: who is neither is to be identified later.
PersonPresent = Annotated[UUID, Names("member", of_parent=True)]
Count = Annotated[int, Constraint(ge=0, le=100_000)]
DeviceName = Annotated[str, *line(120)]
Note = Annotated[str, *lines(500)]
Token = Annotated[str, StringConstraints(max_length=300)]


class CaptureItem(Input):
    """One thing a phone noted; `occurred_at` by its own clock. Who is meant:

    - `member_id`: a member (`roster`, `paper`, `online`, `proxy`: she is represented);
    - `token`: what was read from a card (`qr`);
    - `name`: a name as written, to be found on the roster (`paper`, `online`, `roster`, `proxy`);
      with `is_guest`, a guest, who is counted separately;
    - `count`: all people in the room or hall (`head_count`), of whom `guests` are no members.

    `joined_at` and `left_at`, or `minutes`: how long somebody was online. `photo`: a reference to
    the picture of the paper list.
    """

    id: UUID
    kind: CaptureKind
    occurred_at: DeviceInstant
    member_id: PersonPresent | None = None
    token: Token | None = None
    name: PersonName | None = None
    is_guest: bool = False
    count: Count | None = None
    guests: Count | None = None
    room_id: Annotated[UUID, Names("room", of_parent=True)] | None = None
    joined_at: Instant | None = None
    left_at: Instant | None = None
    minutes: Annotated[int, Constraint(ge=0, le=72 * 60)] | None = None
    photo: Annotated[str, *line(500)] | None = None
    note: Note | None = None


class CaptureNote(CaptureItem):
    """One thing a phone noted at this session, sent as an operation of its own."""

    session_id: UUID


class CaptureBatch(Batch):
    """At most 500 items. `sent_at` is the device's clock at the moment of sending: by it the times
    of its items are put right."""

    items: Annotated[list[Annotated[CaptureItem, ALONE]], Constraint(min_length=1)]
    device_id: DeviceName | None = None
    sent_at: DeviceInstant | None = None


class CheckIn(Input):
    """My own attendance: the code on the screen of the session, read with my phone. `device_id` is
    the app's own name for this phone; `sent_at` its clock at the moment of sending."""

    id: UUID
    token: Token
    occurred_at: DeviceInstant
    device_id: DeviceName
    sent_at: DeviceInstant | None = None


class Annulment(Input):
    reason: Note


class Identification(Input):
    """Who was meant."""

    member_id: PersonPresent


class AttendeeQuery(ListQuery):
    """By name."""

    mode: AttendanceMode | None = Field(
        default=None, description="Only held, or attended, in this way."
    )
    room: UUID | None = Field(default=None, description="Only in this room (điểm cầu).")


class CaptureQuery(ListQuery):
    """In the order they came."""

    state: CaptureState | None = Field(default=None, description="Only this state.")
    kind: CaptureKind | None = Field(default=None, description="Only this kind.")
    member: UUID | None = Field(default=None, description="Only of this member.")


# -- what clients get


class Verdict(StrEnum):
    """`held`: kept until its session is known here.

    `refused`: not kept; `problem` gives the reason.
    """

    stored = "stored"
    held = "held"
    refused = "refused"


class CaptureVerdict(Output):
    """What became of one item; `id` is null where none could be read.

    `attendance`: `new`, `already` (known by another capture), `pending_identity` (nobody knows yet
    who is meant) or `none` (it names nobody). `first_seen_at`: since when she counts as present.
    """

    id: UUID | None
    verdict: Verdict
    attendance: AttendanceOutcome
    member_id: UUID | None
    first_seen_at: AwareDatetime | None
    flags: list[Flag]
    problem: ItemProblem | None


class CaptureVerdicts(Output):
    """A verdict for each item, in the order of the request."""

    items: list[CaptureVerdict]


class CaptureRead(Output):
    """A capture as it was kept. `member_id` is null where it is not yet known, or not for the
    caller to know."""

    id: UUID
    session_id: UUID
    room_id: UUID | None
    kind: CaptureKind
    state: CaptureState
    attendance: AttendanceOutcome
    member_id: UUID | None
    name: str | None
    is_guest: bool
    count: int | None
    guests: int | None
    minutes: int | None
    photo: str | None
    note: str | None
    occurred_at: AwareDatetime
    happened_at: AwareDatetime
    received_at: AwareDatetime
    skew: int | None
    account_id: UUID
    device: str | None
    by_herself: bool
    flags: list[Flag]
    annulled_at: AwareDatetime | None
    annulled_by: UUID | None
    reason: str | None


class CapturePage(Page):
    items: list[CaptureRead]


class AttendeeRead(Output):
    """Somebody who attended; `branch_id` is her branch on that day, null for no member of any. `id`
    names the attendance of this person at this session."""

    id: UUID
    member_id: UUID
    full_name: str
    kind: MemberKind
    branch_id: int | None
    branch_name: str | None
    on_roster: bool
    mode: AttendanceMode
    room_id: UUID | None
    attended_at: AwareDatetime


class AttendeePage(Page):
    items: list[AttendeeRead]
