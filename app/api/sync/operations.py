"""Operations that phones wrote while they were offline."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.context import origin, request_context
from app.api.http.deps import ActorDep
from app.api.http.endpoints import in_thread
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.api.http.threads import Threads
from app.db import Database
from app.json_values import json_bytes
from app.models.sync.operations import (
    OperationBatch,
    OperationPage,
    OperationQuery,
    OperationRead,
    OperationVerdicts,
)
from app.services.sync import push

router = Router(prefix="/v1/sync/operations", tags=["sync"])
# A batch takes seconds: it has threads of its own, for all other requests would wait.
_threads = Threads(4, "push")
OperationPath = Annotated[UUID, Path(description="Id that the phone gave the operation.")]


@router.post("", response_model=OperationVerdicts)
async def push_operations(
    database: Database, actor: ActorDep, request: Request, body: OperationBatch
) -> Response:
    """What a phone wrote while it was offline, up to 500 operations: a verdict for each, in their order.

    Each is done by the rules of the API's own operation, in a transaction of its own. The same again
    gets the same answer (`duplicate` for what was done), for 400 days; another body under the same
    `op_id` is a 422, and nothing of the batch is done. What is refused is acknowledged: send the next ones.
    """
    language = request_context.get().language
    sealer = server_of(request).cursors
    work = partial(push.take, database, sealer, actor, origin(actor), body, language)
    return Response(
        json_bytes({"items": await in_thread(work, _threads)}), media_type="application/json"
    )


@router.get("", response_model=OperationPage, responses=STREAMED)
def list_operations(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[OperationQuery, Query()]
) -> Response:
    """The operations of my account, from all of its phones, in the order they came."""
    found = push.list_own(actor, query, request_context.get().language)
    return listing(request, db, query, OperationRead, found)


@router.get("/{op_id}", response_model=OperationRead)
def get_operation(db: Connection, actor: ActorDep, op_id: OperationPath) -> Response:
    """What became of an operation of my account, whichever phone sent it."""
    found = push.get_own(db, actor, op_id, request_context.get().language)
    return Response(json_bytes(found), media_type="application/json")
