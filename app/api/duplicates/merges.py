"""Merges (gộp) of two records of one person, and their undo."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import chosen_fields, entity
from app.api.http.deps import ActorDep
from app.api.http.ids import MemberPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.models.base import Fields, ListQuery
from app.models.duplicates.merges import MergeCreate, MergePage, MergeRead
from app.services.duplicates import merges, undoing

router = Router(prefix="/v1", tags=["duplicates"])
MergePath = Annotated[UUID, Path(description="Id of the merge.")]


@router.post(
    "/members/{member_id}/merges",
    status_code=201,
    response_model=MergeRead,
    responses={200: {"model": MergeRead, "description": "They were merged so already."}},
)
def merge_members(
    session: Session, actor: ActorDep, request: Request, member_id: MemberPath, body: MergeCreate
) -> Response:
    """Make another record part of this one: both must be mine to merge (`members:merge`).

    Memberships, posts, training, groups and requests of both are hers then; the other id finds
    this record for ever. 409 `merge_blocked` names in `obstacles` all that stands in the way.
    """
    days = server_of(request).settings.merge_undo_days
    merge, is_new = merges.merge(session, actor, member_id, body, days)
    status, location = (201, f"/v1/merges/{merge.id}") if is_new else (200, None)
    return entity(request, merges.read(merge), status=status, location=location, derived=True)


@router.get("/members/{member_id}/merges", response_model=MergePage, responses=STREAMED)
def list_member_merges(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """What was merged into a member's record, in its order; undone merges too."""
    return listing(request, db, query, MergeRead, merges.list_of_member(db, actor, member_id))


@router.get("/merges/{merge_id}", response_model=MergeRead)
def get_merge(
    db: Connection,
    actor: ActorDep,
    request: Request,
    merge_id: MergePath,
    query: Annotated[Fields, Query()],
) -> Response:
    """One merge."""
    fields = chosen_fields(query.fields, MergeRead)
    item = merges.get_merge(db, actor, merge_id)
    return entity(request, item, fields=fields, derived=True)


@router.post("/merges/{merge_id}/undo", response_model=MergeRead)
def undo_merge(
    session: Session, actor: ActorDep, request: Request, merge_id: MergePath
) -> Response:
    """Both records as they were, until `undo_until`.

    What others have written of her since stays with the kept record. 409 `undo_blocked` names in
    `obstacles` what was built on the merge and stands in the way.
    """
    return entity(request, merges.read(undoing.undo(session, actor, merge_id)), derived=True)
