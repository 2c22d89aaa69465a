"""Captures on their way into the ledger, and the verdicts on them."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app.errors import Problem
from app.models.attendance.attendance import (
    AttendanceOutcome,
    Capture,
    CaptureItem,
    CaptureKind,
    CaptureState,
    CheckIn,
    Flag,
    Verdict,
)
from app.services.attendance.people import CapturedPerson

LONG_BEFORE = timedelta(hours=12)


@dataclass(slots=True)
class Draft:
    """A capture on its way into the ledger; `at` is its place in the batch."""

    id: UUID
    at: int
    kind: CaptureKind
    occurred_at: datetime
    happened_at: datetime
    received_at: datetime
    skew: int | None
    account_id: UUID
    device: str | None
    digest: int
    by_herself: bool = False
    room_id: UUID | None = None
    member_id: UUID | None = None
    name: str | None = None
    is_guest: bool = False
    count: int | None = None
    guests: int | None = None
    card_id: UUID | None = None
    minutes: int | None = None
    photo: str | None = None
    note: str | None = None
    flags: set[Flag] = field(default_factory=set)
    state: CaptureState = CaptureState.stored
    outcome: AttendanceOutcome = AttendanceOutcome.none
    person: CapturedPerson | None = None
    seen_at: datetime | None = None
    problem: Problem | None = None

    @property
    def counts(self) -> bool:
        return self.problem is None and self.state is CaptureState.stored


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict on one item."""

    id: UUID | None
    verdict: Verdict
    attendance: AttendanceOutcome = AttendanceOutcome.none
    member_id: UUID | None = None
    first_seen_at: datetime | None = None
    flags: tuple[str, ...] = ()
    problem: Problem | None = None


def refused(capture_id: UUID | None, problem: Problem) -> Answer:
    return Answer(id=capture_id, verdict=Verdict.refused, problem=problem)


def digest_of(session_id: UUID, item: CaptureItem | CheckIn) -> int:
    content = session_id.bytes + item.model_dump_json(exclude={"sent_at"}).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), signed=True)


KEPT = [
    name
    for name in Capture.model_fields
    if name not in ("session_id", "province_id", "flags", "name_key")
    and name not in ("annulled_at", "annulled_by", "reason")
]
