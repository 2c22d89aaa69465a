"""The page of a unit."""

from typing import Annotated

from fastapi import Query, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.ids import UnitPath
from app.api.http.routing import Router
from app.json_values import json_bytes
from app.models.figures.overview import Overview
from app.models.kernel.hierarchy import InHierarchy
from app.services.figures import overview

router = Router(prefix="/v1", tags=["figures"])


@router.get("/units/{unit_id}/overview", response_model=Overview)
def get_unit_overview(
    db: Connection, actor: ActorDep, unit_id: UnitPath, query: Annotated[InHierarchy, Query()]
) -> Response:
    """A unit's page in one answer: its figures of today, their last 12 months, the units below by
    size, and what needs attention: vacant posts, branches without a meeting, families without a
    visit, figures that do not agree."""
    found = overview.overview(db, actor, unit_id, query)
    return Response(json_bytes(found.model_dump()), media_type="application/json")
