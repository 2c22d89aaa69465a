"""The change log: who changed what, when, where, and every value a field ever had."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.problems import problem_response
from app.api.http.routing import Router
from app.models.kernel.changes import (
    ChangePage,
    ChangeQuery,
    ChangeRead,
    EntityHistory,
    HistoryQuery,
)
from app.services.audit import history

router = Router(prefix="/v1/changes", tags=["changes"])


@router.get(
    "", response_model=ChangePage, responses={**STREAMED, 409: problem_response()}, numbered=True
)
def list_changes(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ChangeQuery, Query()]
) -> Response:
    """Changes in my scope in their one gapless order. Read the pages; the last one's `seq` and
    `epoch` are the next `after` and `epoch`. `since_time` begins at an instant instead. A follower
    that cannot go on is answered 409 `start_over`, with the `reason`, and `seq` and `epoch` to go
    on from after an export.
    """
    following, pages = history.list_changes(db, actor, query)
    return listing(request, db, query, ChangeRead, pages, beside=following.newest.members())


@router.get("/history", response_model=EntityHistory, numbered=True)
def get_history(
    db: Connection, actor: ActorDep, query: Annotated[HistoryQuery, Query()]
) -> EntityHistory:
    """Every value each field of one entity ever had, with when and by whom."""
    return history.history(db, actor, query.entity, query.entity_id)
