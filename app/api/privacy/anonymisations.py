"""Leavers: the policies, whom a run would anonymise, the runs."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.pending import ACCEPTED, accepted
from app.api.http.problems import problem_response
from app.api.http.routing import Router
from app.models.base import ListQuery
from app.models.kernel.jobs import JobRead
from app.models.privacy.erasures import (
    AnonymisationCreate,
    AnonymisationPage,
    AnonymisationQuery,
    AnonymisationRead,
    Leavers,
    LeaversQuery,
    PolicyCreate,
    PolicyPage,
    PolicyRead,
)
from app.services.privacy import anonymisations

router = Router(prefix="/v1/privacy", tags=["privacy"])
AnonymisationPath = Annotated[UUID, Path(description="Id of the run.")]


@router.get("/anonymisation-policies", response_model=PolicyPage, responses=STREAMED)
def list_anonymisation_policies(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ListQuery, Query()]
) -> Response:
    """From when on leavers are anonymised, by unit; the newest first, and the newest is in force."""
    return listing(request, db, query, PolicyRead, anonymisations.list_policies(db, actor))


@router.post("/anonymisation-policies", status_code=201, response_model=PolicyRead)
def create_anonymisation_policy(
    session: Session, actor: ActorDep, body: PolicyCreate
) -> PolicyRead:
    """How many months after leaving, by which decision, and at most how many people a run.

    The law sets no period: the union decides. A unit without a policy has that of the unit above.
    """
    return anonymisations.create_policy(session, actor, body)


@router.get("/leavers", response_model=Leavers, responses={409: problem_response()})
def preview_leavers(
    db: Connection, actor: ActorDep, query: Annotated[LeaversQuery, Query()]
) -> Leavers:
    """Whom a run over the unit would anonymise today, how many are held back, by unit.

    409 `no_policy` when neither the unit nor one above has one.
    """
    return anonymisations.preview(db, actor, query)


@router.get("/anonymisations", response_model=AnonymisationPage, responses=STREAMED)
def list_anonymisations(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[AnonymisationQuery, Query()]
) -> Response:
    """Runs over units in my scope, the newest first."""
    found = anonymisations.list_runs(db, actor, query)
    return listing(request, db, query, AnonymisationRead, found)


@router.get("/anonymisations/{anonymisation_id}", response_model=AnonymisationRead)
def get_anonymisation(
    db: Connection, actor: ActorDep, anonymisation_id: AnonymisationPath
) -> AnonymisationRead:
    """One run: who proposed it, who approved it, how far it is."""
    return anonymisations.get_run(db, actor, anonymisation_id)


@router.post("/anonymisations", status_code=201, response_model=AnonymisationRead)
def propose_anonymisation(
    session: Session, actor: ActorDep, body: AnonymisationCreate
) -> AnonymisationRead:
    """Propose a run. Nothing is wiped before another officer approves it."""
    return anonymisations.propose(session, actor, body)


@router.post(
    "/anonymisations/{anonymisation_id}/approve",
    status_code=202,
    response_model=JobRead,
    responses=ACCEPTED,
)
def approve_anonymisation(
    session: Session, actor: ActorDep, anonymisation_id: AnonymisationPath
) -> Response:
    """Approve what another officer has proposed: it begins, as a job. It cannot be undone."""
    return accepted(actor, anonymisations.approve(session, actor, anonymisation_id))


@router.post("/anonymisations/{anonymisation_id}/cancel", response_model=AnonymisationRead)
def cancel_anonymisation(
    session: Session, actor: ActorDep, anonymisation_id: AnonymisationPath
) -> AnonymisationRead:
    """It is not to be; of a run that has begun, no more of it. Who is anonymised stays so."""
    return anonymisations.cancel(session, actor, anonymisation_id)
