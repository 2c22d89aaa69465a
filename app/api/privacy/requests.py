"""The register of what people ask of their own data, with the deadlines of the law."""

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
from app.api.http.server import server_of
from app.models.base import ListQuery
from app.models.privacy.requests import (
    OwnRequestCreate,
    RequestAssign,
    RequestComplete,
    RequestCount,
    RequestCountQuery,
    RequestCreate,
    RequestExtend,
    RequestPage,
    RequestQuery,
    RequestRead,
    RequestRefuse,
)
from app.models.privacy.rules import PrivacyRules, RetentionList
from app.services.privacy import request_lists, requests, retention, rules

router = Router(prefix="/v1", tags=["privacy"])
own = Router(prefix="/v1/me/privacy-requests", tags=["own record"])
RequestPath = Annotated[UUID, Path(description="Id of the request about personal data.")]
_AGAIN: dict[int | str, dict[str, Any]] = {
    200: {"model": RequestRead, "description": "Registered by this very request before."}
}


@router.get("/privacy/rules", response_model=PrivacyRules)
async def get_privacy_rules(actor: ActorDep, request: Request) -> PrivacyRules:  # noqa: ARG001  # the guard itself
    """The deadlines and the days that do not count, each with its source."""
    return rules.rule_book(server_of(request).settings.privacy_rules_dir).published


@router.get("/privacy/retention", response_model=RetentionList)
async def list_retention(actor: ActorDep, request: Request) -> RetentionList:  # noqa: ARG001  # the guard itself
    """How long what is kept on this server, why, and which setting changes it."""
    return retention.periods(server_of(request).settings)


@router.get("/privacy/requests", response_model=RequestPage, responses=STREAMED)
def list_privacy_requests(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[RequestQuery, Query()]
) -> Response:
    """What members in my scope ask of their data, what is due first before what is due later."""
    return listing(request, db, query, RequestRead, request_lists.list_requests(db, actor, query))


@router.get("/privacy/requests/count", response_model=RequestCount)
def count_privacy_requests(
    db: Connection, actor: ActorDep, query: Annotated[RequestCountQuery, Query()]
) -> RequestCount:
    """How many are open, overdue, due soon, done, refused: of members in my scope or in a unit."""
    return request_lists.count(db, actor, query)


@router.get("/privacy/requests/{request_id}", response_model=RequestRead)
def get_privacy_request(
    db: Connection, actor: ActorDep, request: Request, request_id: RequestPath
) -> Response:
    """One of them."""
    item = request_lists.get_request(db, actor, request_id)
    return entity(request, item, derived=True)


@router.post(
    "/members/{member_id}/privacy-requests",
    status_code=201,
    response_model=RequestRead,
    responses=_AGAIN,
)
def create_privacy_request(
    session: Session, actor: ActorDep, request: Request, member_id: MemberPath, body: RequestCreate
) -> Response:
    """Register what she asked for on paper, by phone or in person; the deadlines are computed.

    `withdraw` and `object` are about one `purpose`. 409 `privacy_request_open` while one of the
    same kind waits.
    """
    made, is_new = requests.create(session, actor, member_id, body)
    item = request_lists.read(session, made)
    return entity(request, item, status=201 if is_new else 200, derived=True)


@router.post(
    "/privacy/requests/{request_id}/acknowledge", response_model=RequestRead, if_match=True
)
def acknowledge_privacy_request(
    session: Session, actor: ActorDep, request: Request, request_id: RequestPath
) -> Response:
    """Acknowledge the receipt of a request; I become its assignee, unless it has one."""
    expected = expected_revisions(request)
    made = requests.acknowledge(session, actor, request_id, expected)
    return entity(request, request_lists.read(session, made), derived=True)


@router.post("/privacy/requests/{request_id}/assign", response_model=RequestRead, if_match=True)
def assign_privacy_request(
    session: Session,
    actor: ActorDep,
    request: Request,
    request_id: RequestPath,
    body: RequestAssign,
) -> Response:
    """Give it to another officer, who must hold `privacy:manage` over the member."""
    expected = expected_revisions(request)
    made = requests.assign(session, actor, request_id, body, expected)
    return entity(request, request_lists.read(session, made), derived=True)


@router.post("/privacy/requests/{request_id}/extend", response_model=RequestRead, if_match=True)
def extend_privacy_request(
    session: Session,
    actor: ActorDep,
    request: Request,
    request_id: RequestPath,
    body: RequestExtend,
) -> Response:
    """More days, once, for a reason; at most as many as the rules allow."""
    expected = expected_revisions(request)
    made = requests.extend(session, actor, request_id, body, expected)
    return entity(request, request_lists.read(session, made), derived=True)


@router.post("/privacy/requests/{request_id}/complete", response_model=RequestRead, if_match=True)
def complete_privacy_request(
    session: Session,
    actor: ActorDep,
    request: Request,
    request_id: RequestPath,
    body: RequestComplete,
) -> Response:
    """It is done, by this very call where it is a withdrawal, a restriction or an objection.

    An erasure is done by POST /v1/members/{id}/erasure, which closes its request.
    """
    expected = expected_revisions(request)
    made = requests.complete(session, actor, request_id, body, expected)
    return entity(request, request_lists.read(session, made), derived=True)


@router.post("/privacy/requests/{request_id}/refuse", response_model=RequestRead, if_match=True)
def refuse_privacy_request(
    session: Session,
    actor: ActorDep,
    request: Request,
    request_id: RequestPath,
    body: RequestRefuse,
) -> Response:
    """It is not done, for a reason; `other` needs its words in `answer`."""
    expected = expected_revisions(request)
    made = requests.refuse(session, actor, request_id, body, expected)
    return entity(request, request_lists.read(session, made), derived=True)


@own.get("", response_model=RequestPage, responses=STREAMED)
def list_own_privacy_requests(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ListQuery, Query()]
) -> Response:
    """What I have asked for, by when it is due, and the answer."""
    return listing(request, db, query, RequestRead, request_lists.list_own(actor))


@own.post("", status_code=201, response_model=RequestRead, responses=_AGAIN)
def create_own_privacy_request(
    session: Session, actor: ActorDep, request: Request, body: OwnRequestCreate
) -> Response:
    """Ask for something of my own data: see it, correct, take a consent back, restrict, object,
    erase. The answer holds the due dates.
    """
    made, is_new = requests.create_own(session, actor, body)
    item = request_lists.read(session, made)
    return entity(request, item, status=201 if is_new else 200, derived=True)


@own.post("/{request_id}/cancel", response_model=RequestRead, if_match=True)
def cancel_own_privacy_request(
    session: Session, actor: ActorDep, request: Request, request_id: RequestPath
) -> Response:
    """Ask for it no longer, as long as it is open."""
    made = requests.cancel_own(session, actor, request_id, expected_revisions(request))
    return entity(request, request_lists.read(session, made), derived=True)
