"""Branches (chi hội)."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.kernel.units import BranchPage, BranchQuery, BranchRead
from app.services.units import branches

router = Router(prefix="/v1/branches", tags=["units"])


@router.get("", response_model=BranchPage, responses=STREAMED)
def list_branches(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[BranchQuery, Query()]
) -> Response:
    """Open branches in my scope with their members, head and last activity."""
    return listing(request, db, query, BranchRead, branches.list_branches(db, actor, query))
