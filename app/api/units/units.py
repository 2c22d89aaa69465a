"""The dated tree of units."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field
from sqlalchemy.engine import Connection

from app.api.http.conditional import chosen_fields, entity
from app.api.http.deps import ActorDep
from app.api.http.ids import UnitPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.base import Day, Fields
from app.models.kernel.lineage import Lineage
from app.models.kernel.units import (
    ChildrenQuery,
    UnitDetail,
    UnitPage,
    UnitQuery,
    UnitRead,
)
from app.services.units import reading

router = Router(prefix="/v1/units", tags=["units"])


class AsOf(Fields):
    """`as_of`: the tree of that day; default today."""

    as_of: Day | None = Field(default=None, description="The day asked about; today by default.")


@router.get("", response_model=UnitPage, responses=STREAMED)
def list_units(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[UnitQuery, Query()]
) -> Response:
    """Units in my scope, by name. A code is resolved by date: the same code names other places."""
    return listing(request, db, query, UnitRead, reading.list_units(db, actor, query))


@router.get("/{unit_id}", response_model=UnitDetail)
def get_unit(
    db: Connection,
    actor: ActorDep,
    request: Request,
    unit_id: UnitPath,
    query: Annotated[AsOf, Query()],
) -> Response:
    """A unit with its ancestors, predecessors and successors."""
    fields = chosen_fields(query.fields, UnitDetail)
    return entity(
        request, reading.get_unit(db, actor, unit_id, query.as_of), fields=fields, derived=True
    )


@router.get("/{unit_id}/children", response_model=UnitPage, responses=STREAMED)
def list_children(
    db: Connection,
    actor: ActorDep,
    request: Request,
    unit_id: UnitPath,
    query: Annotated[ChildrenQuery, Query()],
) -> Response:
    """The units directly below, on the day asked."""
    reading.get_unit(db, actor, unit_id, query.as_of)
    below = UnitQuery(**query.model_dump(), parent=unit_id)
    return listing(request, db, query, UnitRead, reading.list_units(db, actor, below))


@router.get("/{unit_id}/lineage", response_model=Lineage)
def get_lineage(db: Connection, actor: ActorDep, unit_id: UnitPath) -> Lineage:
    """All its parents, names and codes by date, what it came from and what it became."""
    return reading.lineage(db, actor, unit_id)
