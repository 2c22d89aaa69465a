"""What phones sent and waits for the decision of an officer."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.json_values import json_bytes
from app.models.sync.operations import (
    InboxAccept,
    InboxDecline,
    InboxItem,
    InboxPage,
    InboxQuery,
    OperationRead,
    PushedOperation,
)
from app.services.sync import inbox, verdicts

router = Router(prefix="/v1/sync/inbox", tags=["sync"])
EntryPath = Annotated[UUID, Path(description="Id of what waits.")]


@router.get("", response_model=InboxPage, responses=STREAMED)
def list_sync_inbox(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[InboxQuery, Query()]
) -> Response:
    """What waits for my decision, the oldest first: fields that two have changed, and what was noted by
    somebody who has lost the unit since. Values I may not see are null and named in `masked`."""
    return listing(request, db, query, InboxItem, inbox.list_entries(db, actor, query))


@router.get("/{entry_id}", response_model=InboxItem)
def get_sync_inbox_item(
    db: Connection, actor: ActorDep, request: Request, entry_id: EntryPath
) -> Response:
    """One of them, with what is recorded now; its ETag is that of the record."""
    return entity(request, inbox.get_entry(db, actor, entry_id))


@router.post(
    "/{entry_id}/accept",
    response_model=OperationRead,
    if_match=True,
    carries_out_operations=True,
)
def accept_sync_inbox_item(
    session: Session, actor: ActorDep, request: Request, entry_id: EntryPath, body: InboxAccept
) -> Response:
    """Write what was sent, or some of its fields, with my rights; the same again changes nothing.

    What was noted by somebody who has lost the unit is recorded as hers. 412 when the record has been
    changed since (`If-Match`); 409 `operation_decided` when it was declined.
    """
    expected = expected_revisions(request)
    return _answer(inbox.accept(session, actor, entry_id, body, expected))


@router.post("/{entry_id}/decline", response_model=OperationRead)
def decline_sync_inbox_item(
    session: Session, actor: ActorDep, entry_id: EntryPath, body: InboxDecline
) -> Response:
    """The present values stay; who sent the others reads my reason."""
    return _answer(inbox.decline(session, actor, entry_id, body))


def _answer(row: PushedOperation) -> Response:
    found = verdicts.read(row, request_context.get().language)
    return Response(json_bytes(found), media_type="application/json")
