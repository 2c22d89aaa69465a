"""Women of 18 and over in the areas of branches."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.figures.women import (
    WomenCountCreate,
    WomenCountPage,
    WomenCountQuery,
    WomenCountRead,
    WomenCountUpdate,
)
from app.services.figures import women

router = Router(prefix="/v1", tags=["figures"])
WomenCountPath = Annotated[UUID, Path(description="Id of the count.")]


@router.get("/women-counts", response_model=WomenCountPage, responses=STREAMED)
def list_women_counts(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[WomenCountQuery, Query()]
) -> Response:
    """How many women of 18 and over live in the areas of branches, the newest day first."""
    return listing(request, db, query, WomenCountRead, women.list_counts(db, actor, query))


@router.post(
    "/women-counts",
    status_code=201,
    response_model=WomenCountRead,
    responses={200: {"model": WomenCountRead, "description": "The same count, sent again."}},
)
def create_women_count(
    session: Session, actor: ActorDep, request: Request, body: WomenCountCreate
) -> Response:
    """Enter how many women of 18 and over lived in the area of a branch on a day, members or not:
    the rate of attraction (tỷ lệ thu hút) divides by them."""
    count, is_new = women.create(session, actor, body)
    return entity(request, women.read(count), status=201 if is_new else 200)


@router.patch("/women-counts/{women_count_id}", response_model=WomenCountRead)
def update_women_count(
    session: Session,
    actor: ActorDep,
    request: Request,
    women_count_id: WomenCountPath,
    body: WomenCountUpdate,
) -> Response:
    """Correct a count (JSON merge patch)."""
    expected = expected_revisions(request)
    return entity(request, women.read(women.update(session, actor, women_count_id, body, expected)))
