"""What a phone keeps: how much it is, and what has changed since it last asked."""

from typing import Annotated

import orjson
from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.noting import will_show
from app.api.http.paging import JSON
from app.api.http.problems import problem_response
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.json_values import json_bytes
from app.models.kernel.access_log import ReadHow
from app.models.sync.pull import (
    PlanQuery,
    SyncChecksums,
    SyncDialect,
    SyncItem,
    SyncPage,
    SyncPlan,
    SyncQuery,
)
from app.services.sync import checksums, plan, pull, watermelon

router = Router(prefix="/v1/sync", tags=["sync"])


@router.get("/plan", response_model=SyncPlan, refuses_old_apps=True)
def get_sync_plan(
    db: Connection, actor: ActorDep, query: Annotated[PlanQuery, Query()]
) -> SyncPlan:
    """What a phone of mine would keep, before anything is loaded: units, kinds, rows and about how
    many bytes. What I may not read is not counted, nor are restricted records."""
    return plan.plan(db, actor, query)


@router.get(
    "/changes",
    response_model=SyncPage,
    responses={409: problem_response()},
    numbered=True,
    refuses_old_apps=True,
)
def pull_changes(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[SyncQuery, Query()]
) -> Response:
    """Everything at first, then what has changed: rows to keep and rows to drop, parents first. Send
    the `cursor` of each page with the next request; the same cursor again gives the same again.
    409 `start_over`, with the `reason`: begin without a cursor, and drop what is kept.
    """
    pulled = pull.pull(db, actor, query, server_of(request).cursors)
    will_show(SyncItem, pulled.page.shown, ReadHow.list)
    is_flat = query.dialect is SyncDialect.watermelon
    items = pulled.page.items
    page = {
        "items": [] if is_flat else [orjson.Fragment(item) for item in items],
        "cursor": pulled.cursor,
        "checkpoint": pulled.checkpoint,
        "changes": watermelon.changes_of(items) if is_flat else None,
        "timestamp": pulled.seq if is_flat else None,
    }
    return Response(json_bytes(page), 200, media_type=JSON)


@router.get("/checksums", response_model=SyncChecksums)
def get_sync_checksums(
    db: Connection, actor: ActorDep, query: Annotated[PlanQuery, Query()]
) -> SyncChecksums:
    """Sums of what a phone of mine should keep, by kind and unit. Where one differs, load that again:
    `GET /v1/sync/changes?kinds=...&unit=...` to its checkpoint, in place of what is kept of them; the
    cursor of the phone stays as it is.
    """
    return checksums.checksums(db, actor, query)
