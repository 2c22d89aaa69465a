"""Corrections members have asked for, before the officers who decide."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.ids import CorrectionPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.members.corrections import (
    CorrectionPage,
    CorrectionQuery,
    CorrectionRead,
    CorrectionRefuse,
)
from app.services.members import corrections

router = Router(prefix="/v1/correction-requests", tags=["members"])


@router.get("", response_model=CorrectionPage, responses=STREAMED)
def list_correction_requests(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[CorrectionQuery, Query()]
) -> Response:
    """Corrections asked for by members I may correct, oldest first."""
    return listing(request, db, query, CorrectionRead, corrections.list_requests(db, actor, query))


@router.get("/{correction_id}", response_model=CorrectionRead)
def get_correction_request(
    db: Connection, actor: ActorDep, request: Request, correction_id: CorrectionPath
) -> Response:
    """One of them; values I may not see are null and named in `masked`."""
    return _answer(request, corrections.get_request(db, actor, correction_id))


def _answer(request: Request, item: Mapping[str, Any]) -> Response:
    # With her name and branch, which change without the request.
    return entity(request, item, derived=True)


@router.post("/{correction_id}/approve", response_model=CorrectionRead, if_match=True)
def approve_correction(
    session: Session, actor: ActorDep, request: Request, correction_id: CorrectionPath
) -> Response:
    """Change the record as asked, with my rights: 403 for a field I may not see.

    409 `correction_superseded` names the `fields` that were changed since she asked.
    """
    expected = expected_revisions(request)
    return _answer(request, corrections.approve(session, actor, correction_id, expected))


@router.post("/{correction_id}/refuse", response_model=CorrectionRead, if_match=True)
def refuse_correction(
    session: Session,
    actor: ActorDep,
    request: Request,
    correction_id: CorrectionPath,
    body: CorrectionRefuse,
) -> Response:
    """Leave the record as it is; the member reads my answer."""
    expected = expected_revisions(request)
    item = corrections.refuse(session, actor, correction_id, body, expected)
    return _answer(request, item)
