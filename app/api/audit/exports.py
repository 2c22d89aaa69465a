"""Exports: which lists left the server as files."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.audit.exports import ExportPage, ExportRead
from app.models.base import ListQuery
from app.services.audit import exports

router = Router(prefix="/v1/export-log", tags=["export log"])


@router.get("", response_model=ExportPage, responses=STREAMED)
def list_exports(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ListQuery, Query()]
) -> Response:
    """Lists taken as files: mine, and with `changes:read` those of accounts in my scope."""
    return listing(request, db, query, ExportRead, exports.list_exports(actor))
