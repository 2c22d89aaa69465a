"""What waits for me to act."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.accounts.work import WorkCount, WorkCountQuery, WorkItem, WorkPage, WorkQuery
from app.services.accounts import work

router = Router(prefix="/v1/me/work", tags=["work"])


@router.get("", response_model=WorkPage, responses=STREAMED)
def list_work(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[WorkQuery, Query()]
) -> Response:
    """Everything that waits for me: by kind, the oldest first, with the unit and a link each."""
    return listing(request, db, query, WorkItem, work.list_work(db, actor, query))


@router.get("/count", response_model=WorkCount)
def count_work(
    db: Connection, actor: ActorDep, query: Annotated[WorkCountQuery, Query()]
) -> WorkCount:
    """How much of each kind waits for me, and all of it together: the badge."""
    return work.count_work(db, actor, query)
