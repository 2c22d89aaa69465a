"""Corrections members have asked for, before the officers who decide."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import MATCHED, TAGGED, entity, expected_revision
from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.models.kernel.access_log import ReadHow
from app.models.members.corrections import (
    CorrectionPage,
    CorrectionQuery,
    CorrectionRead,
    CorrectionRefuse,
)
from app.services.kernel.keyset import Entry, Key
from app.services.members import corrections

router = Router(prefix="/v1/correction-requests", tags=["members"])


@router.get("", response_model=CorrectionPage, responses=STREAMED)
def list_correction_requests(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[CorrectionQuery, Query()]
) -> Response:
    """Corrections asked for by members I may correct, oldest first."""

    def fetch(db: Connection, after: Key | None, limit: int) -> Sequence[Entry]:
        return corrections.list_requests(db, actor, query, after, limit)

    def noted(
        rows: Sequence[Mapping[str, Any]], how: ReadHow, fields: Collection[str] | None = None
    ) -> None:
        if fields is None or "changes" in fields:
            _note(request, actor, rows, how)

    return listing(request, db, query, CorrectionRead, fetch, noted)


def _note(
    request: Request, actor: ActorDep, rows: Sequence[Mapping[str, Any]], how: ReadHow
) -> None:
    """What she asks for is hers as much as what is recorded."""
    shown = [{**row["changes"], "id": row["member_id"]} for row in rows]
    server_of(request).access_log.note(actor, shown, how)


@router.get("/{correction_id}", response_model=CorrectionRead, responses=TAGGED)
def get_correction_request(
    db: Connection, actor: ActorDep, request: Request, correction_id: UUID
) -> Response:
    """One of them; values I may not see are null and named in `masked`."""
    return _answer(request, actor, corrections.get_request(db, actor, correction_id))


def _answer(request: Request, actor: ActorDep, item: Mapping[str, Any]) -> Response:
    _note(request, actor, [item], ReadHow.detail)
    # With her name and branch, which change without the request.
    return entity(request, item, derived=True)


@router.post("/{correction_id}/approve", response_model=CorrectionRead, responses=MATCHED)
def approve_correction(
    session: Session, actor: ActorDep, request: Request, correction_id: UUID
) -> Response:
    """Change the record as asked, with my rights: 403 for a field I may not see.

    409 `correction_superseded` names the `fields` that were changed since she asked.
    """
    expected = expected_revision(request)
    return _answer(request, actor, corrections.approve(session, actor, correction_id, expected))


@router.post("/{correction_id}/refuse", response_model=CorrectionRead, responses=MATCHED)
def refuse_correction(
    session: Session,
    actor: ActorDep,
    request: Request,
    correction_id: UUID,
    body: CorrectionRefuse,
) -> Response:
    """Leave the record as it is; the member reads my answer."""
    expected = expected_revision(request)
    item = corrections.refuse(session, actor, correction_id, body, expected)
    return _answer(request, actor, item)
