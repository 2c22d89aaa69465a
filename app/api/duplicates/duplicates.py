"""The inbox of suspected duplicates (trùng): pairs of records that may be one person."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import chosen_fields, entity
from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.base import Fields
from app.models.duplicates.duplicates import (
    PairCount,
    PairCountQuery,
    PairDecision,
    PairPage,
    PairQuery,
    PairRead,
)
from app.services.duplicates import inbox

router = Router(prefix="/v1/duplicates", tags=["duplicates"])
PairPath = Annotated[UUID, Path(description="Id of the pair.")]


@router.get("", response_model=PairPage, responses=STREAMED)
def list_duplicates(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[PairQuery, Query()]
) -> Response:
    """Pairs with a record in my scope, the likeliest first; of the other no more than I may see."""
    return listing(request, db, query, PairRead, inbox.list_pairs(db, actor, query))


@router.get("/count", response_model=PairCount)
def count_duplicates(
    db: Connection, actor: ActorDep, query: Annotated[PairCountQuery, Query()]
) -> PairCount:
    """How many pairs with a record in my scope, or of a `unit`, wait and were found distinct."""
    return PairCount.model_validate(inbox.count_pairs(db, actor, query))


@router.get("/{pair_id}", response_model=PairRead)
def get_duplicate(
    db: Connection,
    actor: ActorDep,
    request: Request,
    pair_id: PairPath,
    query: Annotated[Fields, Query()],
) -> Response:
    """One pair."""
    fields = chosen_fields(query.fields, PairRead)
    return _answer(request, inbox.get_pair(db, actor, pair_id), fields)


@router.post("/{pair_id}/distinct", response_model=PairRead)
def set_distinct(
    session: Session, actor: ActorDep, request: Request, pair_id: PairPath, body: PairDecision
) -> Response:
    """They are two people: never suggested again. Both records must be mine to write."""
    inbox.set_distinct(session, actor, pair_id, body)
    return _answer(request, inbox.get_pair(session, actor, pair_id))


@router.post("/{pair_id}/reopen", response_model=PairRead)
def reopen_duplicate(
    session: Session, actor: ActorDep, request: Request, pair_id: PairPath
) -> Response:
    """Takes back that they are two people: the pair is in the inbox again."""
    inbox.reopen(session, actor, pair_id)
    return _answer(request, inbox.get_pair(session, actor, pair_id))


def _answer(
    request: Request, item: Mapping[str, Any], fields: frozenset[str] | None = None
) -> Response:
    return entity(request, item, fields=fields, derived=True)
