"""Transfers of members between branches (chuyển sinh hoạt)."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import chosen_fields, entity
from app.api.http.deps import ActorDep
from app.api.http.ids import MemberPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.models.base import Fields, ListQuery
from app.models.memberships.transfers import (
    Transfer,
    TransferCreate,
    TransferPage,
    TransferQuery,
    TransferRead,
    TransferRefuse,
    TransferTarget,
    TransferTargetPage,
    TransferTargetQuery,
)
from app.services.memberships import targets, transfer_lists, transfers

router = Router(prefix="/v1", tags=["transfers"])
TransferPath = Annotated[UUID, Path(description="Id of the transfer.")]


@router.post(
    "/members/{member_id}/transfers",
    status_code=201,
    response_model=TransferRead,
    responses={200: {"model": TransferRead, "description": "Made by this very request before."}},
)
def create_transfer(
    session: Session, actor: ActorDep, request: Request, member_id: MemberPath, body: TransferCreate
) -> Response:
    """Ask for a transfer, as officer of either branch; of both, and it is done at once.

    Asked by the source, its consent is given with it. An officer of the target who cannot see the
    member's record names her by `full_name` and `birth_date`, as exact as it is recorded; 429 after
    too many wrong tries.
    """
    days, limits = _tacit_days(request), server_of(request).limits
    transfer, is_new = transfers.request(session, limits, actor, member_id, body, days)
    return _answer(session, actor, request, transfer, status=201 if is_new else 200)


@router.get("/members/{member_id}/transfers", response_model=TransferPage, responses=STREAMED)
def list_member_transfers(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """Transfers of one member, newest first."""
    return listing(
        request, db, query, TransferRead, transfer_lists.list_of_member(db, actor, member_id)
    )


@router.get("/transfers", response_model=TransferPage, responses=STREAMED)
def list_transfers(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[TransferQuery, Query()]
) -> Response:
    """Transfers with their source or their target in my scope, newest first."""
    return listing(
        request, db, query, TransferRead, transfer_lists.list_transfers(db, actor, query)
    )


@router.get("/transfers/targets", response_model=TransferTargetPage, responses=STREAMED)
def list_transfer_targets(
    db: Connection,
    actor: ActorDep,
    request: Request,
    query: Annotated[TransferTargetQuery, Query()],
) -> Response:
    """Where a member can go: all open branches, in my scope or not, by name.

    Each word of `q` stands in the name of the branch or of its commune.
    """
    return listing(request, db, query, TransferTarget, targets.list_targets(db, actor, query))


@router.get("/transfers/{transfer_id}", response_model=TransferRead)
def get_transfer(
    db: Connection,
    actor: ActorDep,
    request: Request,
    transfer_id: TransferPath,
    query: Annotated[Fields, Query()],
) -> Response:
    """One transfer, the same for both sides while it is under way."""
    fields = chosen_fields(query.fields, TransferRead)
    item = transfer_lists.get_transfer(db, actor, transfer_id)
    return entity(request, item, fields=fields, derived=True)


@router.post("/transfers/{transfer_id}/consent", response_model=TransferRead)
def consent_to_transfer(
    session: Session, actor: ActorDep, request: Request, transfer_id: TransferPath
) -> Response:
    """The source consents to what the target asked for."""
    days = _tacit_days(request)
    return _answer(session, actor, request, transfers.consent(session, actor, transfer_id, days))


@router.post("/transfers/{transfer_id}/accept", response_model=TransferRead)
def accept_transfer(
    session: Session, actor: ActorDep, request: Request, transfer_id: TransferPath
) -> Response:
    """The target accepts, after the source has consented: she moves, on `effective_on` or today."""
    return _answer(session, actor, request, transfers.accept(session, actor, transfer_id))


@router.post("/transfers/{transfer_id}/refuse", response_model=TransferRead)
def refuse_transfer(
    session: Session,
    actor: ActorDep,
    request: Request,
    transfer_id: TransferPath,
    body: TransferRefuse,
) -> Response:
    """Either side refuses, with a reason, while the transfer is under way."""
    return _answer(session, actor, request, transfers.refuse(session, actor, transfer_id, body))


@router.post("/transfers/{transfer_id}/cancel", response_model=TransferRead)
def cancel_transfer(
    session: Session, actor: ActorDep, request: Request, transfer_id: TransferPath
) -> Response:
    """The side that asked takes its request back while it is under way."""
    return _answer(session, actor, request, transfers.cancel(session, actor, transfer_id))


def _answer(
    session: Session, actor: ActorDep, request: Request, transfer: Transfer, *, status: int = 200
) -> Response:
    item = transfer_lists.read(session, actor, transfer)
    location = f"/v1/transfers/{transfer.id}" if status == 201 else None
    return entity(request, item, status=status, derived=True, location=location)


def _tacit_days(request: Request) -> int:
    return server_of(request).settings.transfer_tacit_days
