"""Attendance of sessions: captures in, who came and the counts out."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.attendance.verdicts import verdict
from app.api.http.deps import ActorDep
from app.api.http.ids import SessionPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.api.http.uploads import FILE_BODY, UploadDep
from app.json_values import json_bytes
from app.models.attendance.attendance import (
    Annulment,
    AttendeePage,
    AttendeeQuery,
    AttendeeRead,
    CaptureBatch,
    CapturePage,
    CaptureQuery,
    CaptureRead,
    CaptureVerdicts,
    Identification,
)
from app.models.attendance.counts import SessionCountQuery, SessionCounts
from app.models.attendance.lists import AttendanceItem, AttendanceItemPage, AttendanceQuery
from app.models.attendance.online_reports import OnlineReport
from app.services.attendance import (
    acts,
    batch,
    lists,
    online_reports,
)
from app.services.attendance import (
    counts as attendance_counts,
)
from app.services.attendance.online_reports import Reported

router = Router(prefix="/v1", tags=["attendance"])
CapturePath = Annotated[UUID, Path(description="Id of the capture.")]
JSON = "application/json"


@router.post("/sessions/{session_id}/captures", response_model=CaptureVerdicts)
def capture(
    session: Session, actor: ActorDep, session_id: SessionPath, body: CaptureBatch
) -> Response:
    """What phones and lists noted, up to 500 items: a verdict for each, in their order.

    What was noted offline is stored whatever happened meanwhile, and flagged; for a session that
    is not known (yet) it is held until it is. The same id again gets the same answer.
    """
    answers = batch.store(session, actor, session_id, body)
    return Response(json_bytes({"items": [verdict(answer) for answer in answers]}), media_type=JSON)


def _report(upload: UploadDep) -> list[Reported]:
    """A long report is read before the transaction, in which others would wait."""
    return online_reports.read(upload.content)


@router.post(
    "/sessions/{session_id}/online-report", response_model=OnlineReport, openapi_extra=FILE_BODY
)
def take_online_report(
    session: Session,
    actor: ActorDep,
    session_id: SessionPath,
    report: Annotated[list[Reported], Depends(_report)],
) -> Response:
    """The report of participants of Zoom, Google Meet or Teams, as it was downloaded (CSV): the body, or
    `file` of a form.

    Names are looked for on the roster, with or without marks; of several of one name, or none, the
    line waits to be identified. Minutes of several lines add up. The same file again changes
    nothing.
    """
    taken = online_reports.take(session, actor, session_id, report)
    items = [
        {**verdict(each.answer), "line": each.line.number, "name": each.line.names[0]}
        for each in taken
    ]
    return Response(json_bytes({**online_reports.figures(taken), "items": items}), media_type=JSON)


@router.get("/sessions/{session_id}/captures", response_model=CapturePage, responses=STREAMED)
def list_captures(
    db: Connection,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    query: Annotated[CaptureQuery, Query()],
) -> Response:
    """The ledger of a session, annulled captures too; who is meant where I may know her."""
    found = lists.list_captures(db, actor, session_id, query)
    return listing(request, db, query, CaptureRead, found)


@router.post("/captures/{capture_id}/annul", response_model=CaptureRead)
def annul_capture(
    session: Session, actor: ActorDep, capture_id: CapturePath, body: Annulment
) -> Response:
    """It was a mistake: kept, and counted no more; the attendance follows from the others."""
    item = acts.annul(session, actor, capture_id, body)
    return Response(json_bytes(item), media_type=JSON)


@router.post("/captures/{capture_id}/identify", response_model=CaptureRead)
def identify_capture(
    session: Session, actor: ActorDep, capture_id: CapturePath, body: Identification
) -> Response:
    """Say who was meant, of a capture that is `pending_identity`."""
    item = acts.identify(session, actor, capture_id, body)
    return Response(json_bytes(item), media_type=JSON)


@router.get("/sessions/{session_id}/attendance", response_model=SessionCounts)
def count_attendance(
    db: Connection,
    actor: ActorDep,
    session_id: SessionPath,
    query: Annotated[SessionCountQuery, Query()],
) -> Response:
    """The counts of a session: people, rate, head count, gap, by mode, unit and room.

    A caller who may not read attendance for a host gets the counts of their own units.
    """
    counts = attendance_counts.count(db, actor, session_id, query.level)
    return Response(json_bytes(counts.model_dump()), media_type=JSON)


@router.get("/attendance", response_model=AttendanceItemPage, responses=STREAMED)
def list_attendance(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[AttendanceQuery, Query()]
) -> Response:
    """Who of a unit attended what over a period, by day."""
    found = lists.list_attendance(db, actor, query)
    return listing(request, db, query, AttendanceItem, found)


@router.get("/sessions/{session_id}/attendees", response_model=AttendeePage, responses=STREAMED)
def list_attendees(
    db: Connection,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    query: Annotated[AttendeeQuery, Query()],
) -> Response:
    """Who attended, by name: those who were members of my units on that day."""
    found = lists.list_attendees(db, actor, session_id, query)
    return listing(request, db, query, AttendeeRead, found)
