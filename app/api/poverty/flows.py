"""Poverty in figures: the official flow tables, and who went from which class to which."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.poverty.flows import (
    FlowPage,
    FlowQuery,
    FlowRead,
    TransitionPage,
    TransitionQuery,
    TransitionRead,
)
from app.services.poverty import flows

router = Router(prefix="/v1/poverty-status", tags=["poverty figures"])


@router.get("", response_model=FlowPage, responses=STREAMED)
def list_poverty_flows(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[FlowQuery, Query()]
) -> Response:
    """The flow tables of poor and near-poor households of a unit over a period.

    They balance for any unit and period. `hierarchy=as_was` takes the units as they were on each
    day, `as_is` the branches of those days in the units of today. A caller who may read units but
    not their poverty gets whole years, with figures under 5 withheld.
    """
    return listing(request, db, query, FlowRead, flows.list_flows(db, actor, query))


@router.get("/transitions", response_model=TransitionPage, responses=STREAMED)
def list_poverty_transitions(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[TransitionQuery, Query()]
) -> Response:
    """How many households went from which class to which between two days."""
    return listing(request, db, query, TransitionRead, flows.list_transitions(db, actor, query))
