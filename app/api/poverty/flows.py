"""Poverty in figures: the official flow tables, and who went from which class to which."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity
from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.problems import problem_response
from app.api.http.routing import Router
from app.models.poverty.editions import EditionCreate, EditionPage, EditionQuery, EditionRead
from app.models.poverty.flows import (
    FlowPage,
    FlowQuery,
    FlowRead,
    TransitionPage,
    TransitionQuery,
    TransitionRead,
)
from app.services.poverty import editions, flows

router = Router(prefix="/v1/poverty-status", tags=["poverty figures"])
editions_router = Router(prefix="/v1/poverty-editions", tags=["poverty figures"])


@router.get("", response_model=FlowPage, responses={**STREAMED, 409: problem_response()})
def list_poverty_flows(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[FlowQuery, Query()]
) -> Response:
    """The flow tables of poor and near-poor households of a unit over a period.

    They balance for any unit and period. `hierarchy=as_was` takes the units as they were on each
    day, `as_is` and a day one tree for the whole period. A caller who may read units but
    not their poverty gets published figures of a province or the nation: whole years, rounded.
    """
    return listing(request, db, query, FlowRead, flows.list_flows(db, actor, query))


@router.get("/transitions", response_model=TransitionPage, responses=STREAMED)
def list_poverty_transitions(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[TransitionQuery, Query()]
) -> Response:
    """How many households went from which class to which between two days."""
    return listing(request, db, query, TransitionRead, flows.list_transitions(db, actor, query))


@editions_router.get("", response_model=EditionPage, responses=STREAMED)
def list_poverty_editions(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[EditionQuery, Query()]
) -> Response:
    """Which figures of provinces have been published, the newest first."""
    return listing(request, db, query, EditionRead, editions.list_editions(db, actor, query))


@editions_router.post("", status_code=201, response_model=EditionRead)
def publish_poverty_edition(
    session: Session, actor: ActorDep, request: Request, body: EditionCreate
) -> Response:
    """Publish a province's flow tables of all years to `last_year`, rounded, for everybody.

    An edition is never changed. Corrections come with the next one, of another calendar year.
    """
    edition = editions.publish(session, actor, body)
    return entity(request, editions.read(session, edition), status=201)
