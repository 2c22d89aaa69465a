"""A year of meetings for the demo: every branch meets each month, some partly online; each commune
holds a training and launches the contest. About 70 % come, fewer of those who work shifts.

Everything is drawn from a seed. `Crowd` also decides who comes in the benchmarks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col

from app.clock import VIETNAM, local_day, local_today, utc_now
from app.db import chunks
from app.models.attendance.attendance import (
    Attendance,
    AttendanceMode,
    AttendanceOutcome,
    Capture,
    CaptureKind,
    CaptureState,
)
from app.models.attendance.counts import FrozenCount
from app.models.base import new_id
from app.models.events.events import (
    Event,
    EventSession,
    EventSessionUnit,
    EventState,
    EventUnit,
    SessionMode,
    SessionState,
    UnitRole,
)
from app.models.kernel.accounts import Account
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.services.attendance.facts import fact_id
from app.services.demo.homes import Values
from app.services.kernel import changes
from app.services.kernel.tracking import PATH
from app.text import name_key

MONTHS: Final = 12
_SHIFT_WORK: Final = "Công nhân"
# How likely somebody comes, before her own habits: together about 70 % of a branch.
_COMES: Final = 0.76
_COMES_FROM_SHIFTS: Final = 0.48
_ONLINE: Final = 0.18
_LASTS: Final = timedelta(hours=2)
# The month of Tết, and that of the spring planting.
_QUIET_MONTHS: Final = {1: 0.93, 2: 0.88}


class Crowd:
    """Who comes to a meeting: each by her own habit, the same from month to month."""

    def __init__(self, *seed: object) -> None:
        self._rng = Random("/".join(map(str, seed)))

    def habit(self, occupation: str | None) -> float:
        """Her chance to come: some always do, some hardly ever."""
        mean = _COMES_FROM_SHIFTS if occupation == _SHIFT_WORK else _COMES
        return self._rng.betavariate(4 * mean, 4 * (1 - mean))

    def came(self, habits: Sequence[float], month: int, part: float = 1.0) -> list[int]:
        """The places of those who came. `part`: of an occasion that few are asked to."""
        factor = part * _QUIET_MONTHS.get(month, 1.0)
        draw = self._rng.random
        return [place for place, habit in enumerate(habits) if draw() < habit * factor]

    def chance(self, probability: float) -> bool:
        return self._rng.random() < probability

    def between(self, low: int, high: int) -> int:
        return self._rng.randint(low, high)


@dataclass(frozen=True, slots=True)
class _Kind:
    title: str
    kind: str
    part: float = 1.0


MEETING: Final = _Kind("Sinh hoạt chi hội hằng tháng", "meeting")
TRAINING: Final = _Kind("Tập huấn kỹ năng số cho cán bộ, hội viên nòng cốt", "training", 0.12)
CONTEST: Final = _Kind(
    "Phát động cuộc thi Ứng dụng CNTT trong tổ chức sinh hoạt Hội", "contest", 0.2
)


@dataclass(frozen=True, slots=True)
class _Person:
    id: UUID
    branch_id: int
    since: date
    habit: float


def hold(session: Session, commune: Any, branches: Sequence[Any], seed: int) -> int:
    """The past twelve months of a commune that has members and no events; returns how many
    participations."""
    days = _days(local_today())
    crowd = Crowd(seed, "meetings", commune.id)
    people = _people(session, commune.id, crowd)
    book = _Book(crowd, _accounts(session, [commune.id, *(unit.id for unit in branches)]))
    for branch in branches:
        book.year(branch, people.get(branch.id, []), days)
    everybody = [person for branch in branches for person in people.get(branch.id, [])]
    book.occasion(commune, everybody, TRAINING, days[len(days) // 2] + timedelta(days=3))
    book.occasion(commune, everybody, CONTEST, days[-2] + timedelta(days=5))
    book.write(session)
    return len(book.rows[Attendance])


def _days(today: date) -> list[date]:
    """The second Saturday of the last twelve months that had it already."""
    days: list[date] = []
    month = today.replace(day=1)
    while len(days) < MONTHS:
        saturday = month + timedelta(days=(5 - month.weekday()) % 7 + 7)
        if saturday < today:
            days.append(saturday)
        month = (month - timedelta(days=1)).replace(day=1)
    return days[::-1]


def _people(session: Session, commune_id: int, crowd: Crowd) -> dict[int, list[_Person]]:
    rows = session.execute(
        sa.select(
            col(Member.id),
            col(Member.branch_id),
            col(Member.occupation),
            col(Membership.valid_from),
        )
        .join(Membership, col(Membership.member_id) == col(Member.id))
        .where(col(Member.commune_id) == commune_id, col(Membership.valid_to).is_(None))
        .order_by(col(Member.branch_id), col(Member.sort_key), col(Member.id))
    )
    found: dict[int, list[_Person]] = {}
    for row in rows:
        person = _Person(row.id, row.branch_id, row.valid_from, crowd.habit(row.occupation))
        found.setdefault(row.branch_id, []).append(person)
    return found


def _accounts(session: Session, unit_ids: Sequence[int]) -> dict[int, UUID]:
    """The first account of a unit captures its meetings."""
    rows = session.execute(
        sa.select(col(Account.unit_id), col(Account.id))
        .where(col(Account.unit_id).in_(unit_ids))
        .order_by(col(Account.id).desc())
    )
    return {int(row.unit_id): row.id for row in rows}


class _Book:
    """Rows of the meetings of a commune, until they are written."""

    def __init__(self, crowd: Crowd, heads: Mapping[int, UUID]) -> None:
        self.crowd = crowd
        self.heads = heads
        self.now = utc_now()
        self.rows: dict[type[SQLModel], list[Values]] = {model: [] for model in _ORDER}

    def year(self, branch: Any, people: Sequence[_Person], days: Sequence[date]) -> None:
        event = self._event(branch, MEETING)
        hour = self.crowd.between(18, 20)
        for number, day in enumerate(days, 1):
            hybrid = self.crowd.chance(0.15)
            mode = SessionMode.hybrid if hybrid else SessionMode.in_person
            self._session(event, branch, number, _at(day, hour), mode, people, MEETING)

    def occasion(self, commune: Any, people: Sequence[_Person], kind: _Kind, day: date) -> None:
        event = self._event(commune, kind)
        mode = SessionMode.hybrid if kind is CONTEST else SessionMode.in_person
        self._session(event, commune, 1, _at(day, 8), mode, people, kind)

    def _event(self, host: Any, kind: _Kind) -> Values:
        event = {
            "id": new_id(),
            "title": kind.title,
            "title_key": name_key(kind.title),
            "kind": kind.kind,
            "state": EventState.closed,
            "place": f"Nhà văn hoá {host.name.removeprefix('Chi hội ')}",
            "is_public": kind is CONTEST,
            "host_id": host.id,
            "host_unit_ids": [host.id],
            "invited_unit_ids": [host.id],
            "documents": [],
            **dict.fromkeys(("tag", "organiser", "agenda", "summary", "image_url", "reason")),
            "recurrence": None,
            **_path_of(host),
            **self._revised(),
        }
        self.rows[Event].append(event)
        self.rows[EventUnit] += [
            {"event_id": event["id"], "role": role, "unit_id": host.id, **_path_of(host)}
            for role in UnitRole
        ]
        return event

    def _session(
        self,
        event: Values,
        host: Any,
        number: int,
        starts: datetime,
        mode: SessionMode,
        people: Sequence[_Person],
        kind: _Kind,
    ) -> None:
        day = local_day(starts)
        sitting = {
            "id": new_id(),
            "event_id": event["id"],
            "host_id": host.id,
            "number": number,
            "title": None,
            "starts_at": starts,
            "ends_at": starts + _LASTS,
            "local_date": day,
            "mode": mode,
            "place": event["place"],
            "join_url": None if mode is SessionMode.in_person else "https://meet.example/hoi",
            "state": SessionState.closed,
            "reason": None,
            "late_after": 30,
            "online_minutes": None,
            "held_at": starts,
            "closed_at": starts + _LASTS,
            "generated_for": None,
            **_path_of(host),
            **self._revised(),
        }
        self.rows[EventSession].append(sitting)
        self.rows[EventSessionUnit] += [
            {
                "session_id": sitting["id"],
                "role": role,
                "unit_id": host.id,
                "starts_at": starts,
                **_path_of(host),
            }
            for role in UnitRole
        ]
        roster = [person for person in people if person.since <= day]
        came = self.crowd.came([person.habit for person in roster], day.month, kind.part)
        self._captured(sitting, host, [roster[place] for place in came], len(roster))

    def _captured(
        self, sitting: Values, host: Any, came: Sequence[_Person], roster_size: int
    ) -> None:
        hybrid = sitting["mode"] is SessionMode.hybrid
        district = host.district_id
        there = 0
        for person in came:
            online = hybrid and self.crowd.chance(_ONLINE)
            there += not online
            kind = CaptureKind.online if online else CaptureKind.roster
            at = sitting["starts_at"] + timedelta(seconds=self.crowd.between(-900, 1_500))
            capture = self._capture(sitting, host, kind, at) | {
                "member_id": person.id,
                "outcome": AttendanceOutcome.new,
            }
            self.rows[Capture].append(capture)
            self.rows[Attendance].append(
                {
                    "session_id": sitting["id"],
                    "member_id": person.id,
                    "local_date": sitting["local_date"],
                    "province_id": host.province_id,
                    "district_id": district,
                    "commune_id": host.commune_id or host.id,
                    "branch_id": person.branch_id,
                    "on_roster": True,
                    "mode": AttendanceMode.online if online else AttendanceMode.in_person,
                    "room_id": None,
                    "attended_at": at,
                    "capture_id": capture["id"],
                    "revision": 1,
                    "id": fact_id(sitting["id"], person.id),
                }
            )
        guests = self.crowd.between(0, 2)
        heads = there + guests + self.crowd.between(0, 3)
        at = sitting["starts_at"] + timedelta(minutes=30)
        self.rows[Capture].append(
            self._capture(sitting, host, CaptureKind.head_count, at)
            | {"count": heads, "guests": guests}
        )
        self.rows[FrozenCount].append(
            {
                "session_id": sitting["id"],
                "number": 0,
                "on": sitting["local_date"],
                "counted_at": sitting["closed_at"],
                "captures": len(came) + 1,
                "people": len(came),
                "non_members": 0,
                "guests": guests,
                "head_count": heads,
                "roster_size": roster_size,
            }
        )

    def _capture(self, sitting: Values, host: Any, kind: CaptureKind, at: datetime) -> Values:
        return {
            **_EMPTY_CAPTURE,
            "id": new_id(),
            "session_id": sitting["id"],
            "province_id": host.province_id,
            "kind": kind,
            "occurred_at": at,
            "happened_at": at,
            "received_at": sitting["closed_at"],
            # Most communes have nobody who signs in: a head of one of their branches does it.
            "account_id": self.heads.get(host.id) or next(iter(self.heads.values())),
        }

    def _revised(self) -> Values:
        return {"revision": 1, "created_at": self.now, "updated_at": self.now}

    def write(self, session: Session) -> None:
        for model, rows in self.rows.items():
            for chunk in chunks(rows):
                session.connection().execute(sa.insert(model), chunk)
                if model in (Event, EventSession):
                    changes.record_created(session, model, chunk)


_ORDER: Final = (Event, EventUnit, EventSession, EventSessionUnit, Capture, Attendance, FrozenCount)
_EMPTY_CAPTURE: Final[Values] = {
    **dict.fromkeys(
        ("room_id", "member_id", "name", "name_key", "count", "guests", "card_id", "minutes")
    ),
    **dict.fromkeys(("photo", "note", "skew", "device")),
    **dict.fromkeys(("annulled_at", "annulled_by", "reason")),
    "state": CaptureState.stored,
    "outcome": AttendanceOutcome.none,
    "is_guest": False,
    "by_herself": False,
    "flags": [],
    "digest": 0,
}


def _path_of(unit: Any) -> Values:
    path = {name: getattr(unit, name) for name in PATH}
    return path | {f"{unit.level.value}_id": unit.id}


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), VIETNAM)
