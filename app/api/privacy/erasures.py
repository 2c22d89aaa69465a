"""Erasures: what would be wiped, the erasure itself, and the receipts."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.deps import ActorDep
from app.api.http.ids import MemberPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.json_values import json_bytes
from app.models.privacy.erasures import ErasureCreate, ErasurePage, ErasureQuery, ErasureRead
from app.services.privacy import erasures

router = Router(prefix="/v1", tags=["privacy"])
ErasurePath = Annotated[UUID, Path(description="Id of the receipt of an erasure.")]


@router.post("/members/{member_id}/erasure", response_model=ErasureRead)
def erase_member(
    session: Session, actor: ActorDep, member_id: MemberPath, body: ErasureCreate
) -> Response:
    """Wipe who she was wherever it is; no count and no history of a unit changes.

    First with `dry_run: true`: what would be wiped, deleted and kept in which table, what stands in
    the way, and a `digest`. Then with `dry_run: false`, that digest, and the `request_id` of her
    request, which another officer has acknowledged: two people. It cannot be undone.
    """
    item = erasures.erase(session, actor, member_id, body)
    return Response(json_bytes(item), 200, media_type="application/json")


@router.get("/privacy/erasures", response_model=ErasurePage, responses=STREAMED)
def list_erasures(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ErasureQuery, Query()]
) -> Response:
    """The receipts of who stood in my scope, the newest first: what was wiped, when, by whom."""
    return listing(request, db, query, ErasureRead, erasures.list_erasures(db, actor, query))


@router.get("/privacy/erasures/{erasure_id}", response_model=ErasureRead)
def get_erasure(db: Connection, actor: ActorDep, erasure_id: ErasurePath) -> Response:
    """One receipt."""
    item = erasures.get_erasure(db, actor, erasure_id)
    return Response(json_bytes(item), 200, media_type="application/json")
