"""Delegations of rights to a deputy."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity
from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.models.accounts.delegations import (
    DelegationCreate,
    DelegationPage,
    DelegationQuery,
    DelegationRead,
)
from app.services.accounts import delegations

router = Router(prefix="/v1/delegations", tags=["access"])
DelegationPath = Annotated[UUID, Path(description="Id of the delegation.")]


@router.get("", response_model=DelegationPage, responses=STREAMED)
def list_delegations(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[DelegationQuery, Query()]
) -> Response:
    """What I have handed on and what was handed on to me, in force or coming."""
    return listing(request, db, query, DelegationRead, delegations.list_delegations(actor))


@router.post(
    "",
    status_code=201,
    response_model=DelegationRead,
    responses={200: {"model": DelegationRead, "description": "Made by this very request before."}},
)
def create_delegation(
    session: Session, actor: ActorDep, request: Request, body: DelegationCreate
) -> Response:
    """Hand some of my rights over a unit on to a deputy, for a year at most.

    They come from one grant of my own and are in force only while it is. Nothing that was handed
    on to me, no accounts and no appointments can be handed on.
    """
    given, is_new = delegations.create(session, server_of(request).signin, actor, body)
    return entity(request, given, status=201 if is_new else 200, derived=True)


@router.delete("/{delegation_id}", status_code=204)
def end_delegation(
    session: Session, actor: ActorDep, request: Request, delegation_id: DelegationPath
) -> None:
    """Revoke a delegation at once: open to its giver and to officers who may grant over the unit."""
    delegations.end(session, server_of(request).signin, actor, delegation_id)
