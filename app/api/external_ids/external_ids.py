"""External identifiers (mã ở hệ thống khác): what other systems call members, households, units."""

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
from app.models.external_ids.external_ids import (
    ExternalIdCreate,
    ExternalIdPage,
    ExternalIdQuery,
    ExternalIdRead,
    ExternalSystemRead,
    ExternalSystems,
)
from app.models.kernel.external_ids import systems_of
from app.services.external_ids import external_ids

router = Router(prefix="/v1", tags=["external ids"])
ExternalIdPath = Annotated[UUID, Path(description="Our id of the identifier.")]


@router.get("/external-systems", response_model=ExternalSystems)
async def list_external_systems(actor: ActorDep, request: Request) -> ExternalSystems:  # noqa: ARG001  # the guard itself
    """The systems that identifiers may be of."""
    known = systems_of(server_of(request).settings.external_systems_file)
    items = [ExternalSystemRead.model_validate(each.model_dump()) for each in known.values()]
    return ExternalSystems(items=items)


@router.get("/external-ids", response_model=ExternalIdPage, responses=STREAMED)
def list_external_ids(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ExternalIdQuery, Query()]
) -> Response:
    """What other systems call one member, household or unit, ended ones included. The other way
    round: `external_id=system|value` of the lists of members, households and units."""
    return listing(request, db, query, ExternalIdRead, external_ids.list_of(db, actor, query))


@router.post(
    "/external-ids",
    status_code=201,
    response_model=ExternalIdRead,
    responses={200: {"model": ExternalIdRead, "description": "It is there already."}},
)
def create_external_id(
    session: Session, actor: ActorDep, request: Request, body: ExternalIdCreate
) -> Response:
    """Say what another system calls a record. Valid for one record of a kind at a time."""
    item, is_new = external_ids.create(session, actor, body)
    return entity(request, item, status=201 if is_new else 200)


@router.delete("/external-ids/{external_id}", status_code=204)
def end_external_id(session: Session, actor: ActorDep, external_id: ExternalIdPath) -> None:
    """The identifier is valid no longer and may be another record's; its days stay on record."""
    external_ids.end(session, actor, external_id)
