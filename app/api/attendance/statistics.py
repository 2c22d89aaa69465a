"""Attendance over time: of units, members, events."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.ids import EventPath, MemberPath, UnitPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.json_values import json_bytes
from app.models.attendance.statistics import (
    AttendanceCountQuery,
    AttendanceCounts,
    EventCounts,
    MemberAttendancePage,
    MemberAttendanceRead,
)
from app.models.base import ListQuery
from app.models.kernel.access import Right
from app.services.attendance import statistics
from app.services.members import persons
from app.services.members.own import own_id

router = Router(prefix="/v1", tags=["attendance"])
JSON = "application/json"
# A 4-byte integer on PostgreSQL.


@router.get("/units/{unit_id}/attendance", response_model=AttendanceCounts)
def count_unit_attendance(
    db: Connection,
    actor: ActorDep,
    unit_id: UnitPath,
    query: Annotated[AttendanceCountQuery, Query()],
) -> Response:
    """Attendance of a unit over a period: people, participations and the rate of participation
    (tỷ lệ tham gia sinh hoạt), by branch, commune or month."""
    found = statistics.statistics(db, actor, unit_id, query)
    return Response(json_bytes(found.model_dump(by_alias=True)), media_type=JSON)


@router.get(
    "/members/{member_id}/attendance", response_model=MemberAttendancePage, responses=STREAMED
)
def list_member_attendance(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """The sessions a member attended, the last first."""
    persons.access_member(db, actor, member_id, Right.attendance_read)
    return listing(request, db, query, MemberAttendanceRead, statistics.list_of_member(member_id))


@router.get("/me/attendance", response_model=MemberAttendancePage, responses=STREAMED)
def list_own_attendance(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ListQuery, Query()]
) -> Response:
    """The sessions I attended, the last first."""
    mine = own_id(actor)
    return listing(request, db, query, MemberAttendanceRead, statistics.list_of_member(mine))


@router.get("/events/{event_id}/attendance", response_model=EventCounts)
def count_event_attendance(db: Connection, actor: ActorDep, event_id: EventPath) -> Response:
    """All sessions of an event together: people and participations."""
    found = statistics.count_event(db, actor, event_id)
    return Response(json_bytes(found.model_dump()), media_type=JSON)
