"""Attendance as phones keep it: of who was in units of the phone on the day of the session.

So it may name a session that the phone does not have (of another unit, where somebody went), and a member
who has moved away since.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.models.attendance.attendance import Attendance
from app.models.attendance.lists import AttendanceItem
from app.models.events.events import EventSession
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.services.attendance import lists
from app.services.kernel.access import Actor
from app.services.kernel.offers import DAYS_ON_A_PHONE, Follows, SyncKind


def _of_ids(db: Connection, _: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return lists.of_ids(db, ids)


SYNC = SyncKind(
    name="attendance",
    entity="attendance",
    right=Right.attendance_read,
    schema=AttendanceItem,
    model=Attendance,
    place=Attendance,
    joined=lambda rows: rows.join(Member, col(Member.id) == col(Attendance.member_id)).join(
        EventSession, col(EventSession.id) == col(Attendance.session_id)
    ),
    # It may go and come again under the same id.
    came_after=col(EventSession.created_at),
    rows=_of_ids,
    # The phone has its sessions, units and members.
    derived=frozenset({"kind", "branch_name", "event_id", "title"}),
    kept=sa.and_(col(Member.erased_on).is_(None), ~col(Member.restricted)),
    follows=(
        Follows(
            entity="member",
            of=lambda ids: sa.select(col(Attendance.id)).where(col(Attendance.member_id).in_(ids)),
            fields=frozenset({"full_name", "restricted"}),
        ),
    ),
    names={"member": col(Attendance.member_id)},
    day=col(Attendance.local_date),
    days=DAYS_ON_A_PHONE,
)
