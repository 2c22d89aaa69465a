"""Exports: which lists left the server as files."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.audit.exports import ExportPage, ExportRead
from app.models.base import ListQuery
from app.services.audit import exports
from app.services.kernel.keyset import Entry, Key

router = Router(prefix="/v1/exports", tags=["exports"])


@router.get("", response_model=ExportPage, responses=STREAMED)
def list_exports(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ListQuery, Query()]
) -> Response:
    """Lists taken as files: mine, and with `changes:read` those of accounts in my scope."""

    def fetch(db: Connection, after: Key | None, limit: int) -> Sequence[Entry]:
        return exports.list_exports(db, actor, after, limit)

    return listing(request, db, query, ExportRead, fetch)
