"""Who is on the roster of a session, and who stays away."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.ids import SessionPath, UnitPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.attendance.rosters import (
    AbsenteePage,
    AbsenteeQuery,
    AbsenteeRead,
    RosterPage,
    RosterQuery,
    RosterRead,
)
from app.services.attendance import rosters

router = Router(prefix="/v1", tags=["attendance"])


@router.get("/sessions/{session_id}/roster", response_model=RosterPage, responses=STREAMED)
def list_roster(
    db: Connection,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    query: Annotated[RosterQuery, Query()],
) -> Response:
    """Everybody invited who was a member of my units on that day, by name: who came, who was absent
    (`state=absent`), and what each had answered."""
    found = rosters.list_roster(db, actor, session_id, query)
    return listing(request, db, query, RosterRead, found)


@router.get("/units/{unit_id}/absentees", response_model=AbsenteePage, responses=STREAMED)
def list_absentees(
    db: Connection,
    actor: ActorDep,
    request: Request,
    unit_id: UnitPath,
    query: Annotated[AbsenteeQuery, Query()],
) -> Response:
    """Who missed the last meetings of her branch, several in succession: whom to visit."""
    found = rosters.list_absentees(db, actor, unit_id, query)
    return listing(request, db, query, AbsenteeRead, found)
