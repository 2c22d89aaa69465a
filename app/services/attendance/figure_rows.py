"""What figures count of attendance: who came, by the branch of that day and by who held the session."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.attendance.attendance import Attendance, Capture, CaptureState
from app.models.events.events import EventSession
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.services.events.figure_rows import EVENT_HOSTS
from app.services.kernel.offers import Day, FigureRows

# What is marked where the facts of a host's sessions change.
HOSTED: Final = "attendance_hosted"


def _rows(unit_id: Any, first: Day, last: Day) -> AnySelect:
    name = sa.select(col(Member.full_name)).where(col(Member.id) == col(Attendance.member_id))
    return sa.select(
        col(unit_id).label("unit_id"),
        col(Attendance.member_id).label("key"),
        col(Attendance.session_id).label("row_id"),
        col(Attendance.local_date).label("day"),
        name.scalar_subquery().label("title"),
        col(Attendance.on_roster),
        col(Attendance.mode),
    ).where(col(Attendance.local_date).between(first, last))


def _attended(first: Day, last: Day) -> AnySelect:
    return _rows(Attendance.branch_id, first, last).where(col(Attendance.branch_id).is_not(None))


def _hosted(first: Day, last: Day) -> AnySelect:
    return (
        _rows(EventSession.host_id, first, last)
        .join(EventSession, col(EventSession.id) == col(Attendance.session_id))
        .where(col(Attendance.branch_id).is_not(None))
    )


def _nobody_known(first: date, last: date) -> AnySelect:
    """Of sessions the unit held: who is not identified yet, and who was no member that day."""
    of_host: sa.Label[int] = col(EventSession.host_id).label("unit_id")
    of_period = col(EventSession.local_date).between(first, last)
    pending: AnySelect = (
        sa.select(of_host, sa.literal("pending_identity").label("reason"))
        .join(Capture, col(Capture.session_id) == col(EventSession.id))
        .where(of_period, col(Capture.state) == CaptureState.pending_identity)
    )
    strangers: AnySelect = (
        sa.select(of_host, sa.literal("no_member_that_day").label("reason"))
        .join(Attendance, col(Attendance.session_id) == col(EventSession.id))
        .where(of_period, col(Attendance.branch_id).is_(None))
    )
    every = pending.union_all(strangers).subquery("nobody_known")
    return sa.select(*every.c)


def _branches_of(session_ids: Sequence[UUID]) -> AnySelect:
    """From where people came to any of them."""
    branches: AnySelect = sa.select(col(Attendance.branch_id)).distinct()
    return branches.where(
        col(Attendance.session_id).in_(session_ids), col(Attendance.branch_id).is_not(None)
    )


FIGURES: Final = (
    FigureRows(
        name="attended",
        entity="member",
        right=Right.attendance_read,
        select=_attended,
        rolled_up={"attendance": None, "event_session": _branches_of},
    ),
    FigureRows(
        name="hosted",
        entity="member",
        right=Right.attendance_read,
        select=_hosted,
        excluded=_nobody_known,
        rolled_up={HOSTED: None, EVENT_HOSTS: None, "event_session": None},
    ),
)
