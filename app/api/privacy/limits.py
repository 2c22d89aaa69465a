"""Limits on what may be done with a member's data: restrictions, objections, legal holds."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.ids import MemberPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.privacy.limits import (
    LegalHoldCreate,
    LimitLift,
    LimitPage,
    LimitQuery,
    LimitRead,
    RestrictionCreate,
)
from app.services.members.own import herself, own_id
from app.services.privacy import limits

router = Router(prefix="/v1", tags=["privacy"])
own = Router(prefix="/v1/me", tags=["own record"])
LimitPath = Annotated[UUID, Path(description="Id of the processing limit.")]
_AGAIN: dict[int | str, dict[str, Any]] = {
    200: {"model": LimitRead, "description": "Set by this very request before."}
}


@router.get("/members/{member_id}/processing-limits", response_model=LimitPage, responses=STREAMED)
def list_processing_limits(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    query: Annotated[LimitQuery, Query()],
) -> Response:
    """What limits the use of her data, oldest first, those that are over too."""
    found = limits.list_of_member(db, actor, member_id, query)
    return listing(request, db, query, LimitRead, found)


@router.post(
    "/members/{member_id}/processing-limits",
    status_code=201,
    response_model=LimitRead,
    responses=_AGAIN,
)
def create_processing_limit(
    session: Session,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    body: RestrictionCreate,
) -> Response:
    """A `restriction`: her record is kept and shown (`restricted`), but changed by nobody without
    `privacy:manage` and left out of files. An `objection`: it is not used for one purpose."""
    limit, is_new = limits.create(session, actor, member_id, body)
    return entity(request, limits.read(limit), status=201 if is_new else 200)


@router.post(
    "/members/{member_id}/legal-holds", status_code=201, response_model=LimitRead, responses=_AGAIN
)
def create_legal_hold(
    session: Session,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    body: LegalHoldCreate,
) -> Response:
    """Her record may not be erased: a case or a decision needs it."""
    limit, is_new = limits.hold(session, actor, member_id, body)
    return entity(request, limits.read(limit), status=201 if is_new else 200)


@router.post("/processing-limits/{limit_id}/lift", response_model=LimitRead, if_match=True)
def lift_processing_limit(
    session: Session, actor: ActorDep, request: Request, limit_id: LimitPath, body: LimitLift
) -> Response:
    """It no longer holds; yesterday was its last day."""
    expected = expected_revisions(request)
    limit = limits.lift(session, actor, limit_id, body, expected)
    return entity(request, limits.read(limit))


@own.get("/processing-limits", response_model=LimitPage, responses=STREAMED)
def list_own_processing_limits(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[LimitQuery, Query()]
) -> Response:
    """What limits the use of my data, oldest first."""
    me, mine = herself(actor), own_id(actor)
    return listing(request, db, query, LimitRead, limits.list_of_member(db, me, mine, query))
