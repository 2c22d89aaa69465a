"""One unit opened, changed, moved or closed."""

from typing import Any

from fastapi import Request, Response
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.ids import UnitPath
from app.api.http.routing import Router
from app.models.kernel.units import (
    Unit,
    UnitClose,
    UnitCreate,
    UnitDetail,
    UnitMove,
    UnitUpdate,
)
from app.services.reorganisations import acts
from app.services.units import reading

router = Router(prefix="/v1/units", tags=["units"])


@router.post("", status_code=201, response_model=UnitDetail)
def create_unit(session: Session, actor: ActorDep, request: Request, body: UnitCreate) -> Response:
    """Open a unit under a parent."""
    unit = acts.create(session, actor, body)
    return _detail(session, actor, request, unit, status=201, location=f"/v1/units/{unit.id}")


def _detail(
    session: Session, actor: ActorDep, request: Request, unit: Unit, **answer: Any
) -> Response:
    return entity(request, reading.get_unit(session, actor, unit.id, None), derived=True, **answer)


@router.patch("/{unit_id}", response_model=UnitDetail)
def update_unit(
    session: Session, actor: ActorDep, request: Request, unit_id: UnitPath, body: UnitUpdate
) -> Response:
    """Change the contacts, or name and code from `effective_on` on (the old ones stay dated)."""
    unit = acts.update(session, actor, unit_id, body, expected_revisions(request))
    return _detail(session, actor, request, unit)


@router.post("/{unit_id}/close", response_model=UnitDetail)
def close_unit(
    session: Session, actor: ActorDep, request: Request, unit_id: UnitPath, body: UnitClose
) -> Response:
    """Close a unit after its last day. It must be empty; its successors are recorded."""
    return _detail(session, actor, request, acts.close(session, actor, unit_id, body))


@router.post("/{unit_id}/moves", response_model=UnitDetail)
def move_unit(
    session: Session, actor: ActorDep, request: Request, unit_id: UnitPath, body: UnitMove
) -> Response:
    """Put the unit, with all below it, under another parent from a day on."""
    return _detail(session, actor, request, acts.move(session, actor, unit_id, body))
