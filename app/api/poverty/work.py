"""Review campaigns and simulations."""

from typing import Annotated

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.pending import ACCEPTED, accepted
from app.api.http.routing import Router
from app.models.kernel.jobs import JobRead
from app.models.poverty.work import (
    CampaignPage,
    CampaignQuery,
    CampaignRead,
    CoveragePage,
    CoverageQuery,
    CoverageRead,
    SimulationCreate,
    WorklistPage,
    WorklistQuery,
    WorkRead,
)
from app.services.poverty import campaigns, simulations

router = Router(prefix="/v1", tags=["poverty figures"])
CampaignPath = Annotated[
    str, Path(max_length=7, description="A year (`2026`) or a month (`2026-09`).")
]
StandardPath = Annotated[str, Path(max_length=32, description="Id of the poverty standard.")]


@router.get("/poverty-campaigns", response_model=CampaignPage, responses=STREAMED)
def list_poverty_campaigns(
    db: Connection,
    actor: ActorDep,  # noqa: ARG001  # whoever is signed in
    request: Request,
    query: Annotated[CampaignQuery, Query()],
) -> Response:
    """The yearly review of a year and its monthly ones, with their first and last day."""
    return listing(request, db, query, CampaignRead, campaigns.list_campaigns(db, query))


@router.get(
    "/poverty-campaigns/{campaign}/worklist", response_model=WorklistPage, responses=STREAMED
)
def list_campaign_work(
    db: Connection,
    actor: ActorDep,
    request: Request,
    campaign: CampaignPath,
    query: Annotated[WorklistQuery, Query()],
) -> Response:
    """Households to be reviewed, with what each still needs: an assessment, a decision, or that
    the two agree."""
    return listing(request, db, query, WorkRead, campaigns.worklist(db, actor, campaign, query))


@router.get(
    "/poverty-campaigns/{campaign}/coverage", response_model=CoveragePage, responses=STREAMED
)
def list_campaign_coverage(
    db: Connection,
    actor: ActorDep,
    request: Request,
    campaign: CampaignPath,
    query: Annotated[CoverageQuery, Query()],
) -> Response:
    """How far each branch is with a review."""
    return listing(request, db, query, CoverageRead, campaigns.coverage(db, actor, campaign, query))


@router.post(
    "/poverty-standards/{standard_id}/simulate",
    status_code=202,
    response_model=JobRead,
    responses=ACCEPTED,
)
def simulate_poverty_standard(
    session: Session,
    actor: ActorDep,
    standard_id: StandardPath,
    body: SimulationCreate,
) -> Response:
    """Who of a unit would change class under this standard, or under other lines of it.

    A job; nothing is stored but its result, in which households have ids and no names.
    """
    return accepted(actor, simulations.ask(session, actor, standard_id, body))
