"""Pledges."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity
from app.api.http.deps import ActorDep
from app.api.http.ids import MemberPath
from app.api.http.paging import STREAMED, listing
from app.api.http.pending import ACCEPTED, accepted
from app.api.http.routing import Router
from app.models.kernel.jobs import JobRead
from tests.helpers.trial.models.trial.pledges import (
    PledgeCreate,
    PledgePage,
    PledgeQuery,
    PledgeRead,
    PledgeTotalCreate,
)
from tests.helpers.trial.services.trial import pledges

router = Router(prefix="/v1", tags=["pledges"])
PledgePath = Annotated[UUID, Path(description="Id of the pledge.")]
_AGAIN: dict[int | str, dict[str, Any]] = {
    200: {"model": PledgeRead, "description": "Made by this very request before."}
}


@router.get("/pledges", response_model=PledgePage, responses=STREAMED)
def list_pledges(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[PledgeQuery, Query()]
) -> Response:
    """What members of my scope have pledged, the oldest first."""
    return listing(request, db, query, PledgeRead, pledges.list_pledges(db, actor, query))


@router.post(
    "/members/{member_id}/pledges", status_code=201, response_model=PledgeRead, responses=_AGAIN
)
def create_pledge(
    session: Session, actor: ActorDep, request: Request, member_id: MemberPath, body: PledgeCreate
) -> Response:
    """Write down what a member pledges."""
    pledge, is_new = pledges.create(session, actor, member_id, body)
    return entity(request, pledges.read(pledge), status=201 if is_new else 200)


@router.post("/pledges/{pledge_id}/end", response_model=PledgeRead)
def end_pledge(
    session: Session, actor: ActorDep, request: Request, pledge_id: PledgePath
) -> Response:
    """End a pledge with today."""
    return entity(request, pledges.read(pledges.end(session, actor, pledge_id)))


@router.post("/pledge-totals", status_code=202, response_model=JobRead, responses=ACCEPTED)
def count_pledges(session: Session, actor: ActorDep, body: PledgeTotalCreate) -> Response:
    """Count the open pledges of a branch, in a job."""
    return accepted(actor, pledges.ask_total(session, actor, body))
