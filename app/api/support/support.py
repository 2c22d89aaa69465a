"""Support of households: programmes, help given, visits, loans."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.ids import HouseholdPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.errors import FieldError
from app.models.base import ListQuery
from app.models.support.loans import (
    LoanFigureCreate,
    LoanFigurePage,
    LoanFigureRead,
    LoanFigureUpdate,
    LoanQuery,
)
from app.models.support.support import (
    ProgrammePage,
    ProgrammeQuery,
    ProgrammeRead,
    Support,
    SupportCreate,
    SupportPage,
    SupportQuery,
    SupportRead,
    SupportRefuse,
    SupportSaved,
)
from app.models.support.visits import VisitCreate, VisitPage, VisitRead
from app.services.kernel.access import Actor
from app.services.support import loans, programmes, support, visits

router = Router(prefix="/v1", tags=["support"])
LoanFigurePath = Annotated[UUID, Path(description="Id of the figure.")]
SupportPath = Annotated[UUID, Path(description="Id of the support.")]


def _again(model: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "description": "Made by this very request before."}}


@router.get("/support-programmes", response_model=ProgrammePage, responses=STREAMED)
def list_programmes(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ProgrammeQuery, Query()]
) -> Response:
    """What households may be given; with `household`, whether it is for this one, and if not why."""
    return listing(request, db, query, ProgrammeRead, programmes.list_programmes(db, actor, query))


@router.get("/support", response_model=SupportPage, responses=STREAMED)
def list_support(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[SupportQuery, Query()]
) -> Response:
    """Help proposed, given or refused in my scope, the newest first."""
    return listing(request, db, query, SupportRead, support.list_support(db, actor, query))


@router.get("/support/{support_id}", response_model=SupportRead)
def get_support(
    db: Connection, actor: ActorDep, request: Request, support_id: SupportPath
) -> Response:
    """One help, proposed, given or refused."""
    return entity(request, support.get_support(db, actor, support_id))


@router.get("/households/{household_id}/support", response_model=SupportPage, responses=STREAMED)
def list_household_support(
    db: Connection,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """All that one household was given or is to be given, the newest first."""
    return listing(
        request, db, query, SupportRead, support.list_of_household(db, actor, household_id)
    )


@router.post(
    "/households/{household_id}/support",
    status_code=201,
    response_model=SupportSaved,
    responses=_again(SupportSaved),
)
def create_support(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    body: SupportCreate,
) -> Response:
    """Propose help for a household; somebody else approves it.

    `warnings` name earlier help for the same, and a programme that is not for this household.
    """
    item, is_new, found = support.propose(session, actor, household_id, body)
    return _saved(request, actor, item, found, status=201 if is_new else 200)


def _saved(
    request: Request, actor: Actor, item: Support, found: list[FieldError], status: int = 200
) -> Response:
    shown = support.shown(actor, item)
    language = request_context.get().language
    return entity(
        request, shown | {"warnings": support.warnings_of(found, language)}, status=status
    )


@router.post("/support/{support_id}/approve", response_model=SupportSaved)
def approve_support(
    session: Session, actor: ActorDep, request: Request, support_id: SupportPath
) -> Response:
    """Approve what somebody else has proposed: from now on it counts as given."""
    return _saved(request, actor, *support.approve(session, actor, support_id))


@router.post("/support/{support_id}/refuse", response_model=SupportRead)
def refuse_support(
    session: Session,
    actor: ActorDep,
    request: Request,
    support_id: SupportPath,
    body: SupportRefuse,
) -> Response:
    """Refuse a proposal, for a reason."""
    item = support.refuse(session, actor, support_id, body.reason)
    return entity(request, support.shown(actor, item))


@router.post("/support/{support_id}/cancel", response_model=SupportRead)
def cancel_support(
    session: Session, actor: ActorDep, request: Request, support_id: SupportPath
) -> Response:
    """Take a proposal back, or say that what was approved has not been given."""
    return entity(request, support.shown(actor, support.cancel(session, actor, support_id)))


@router.get("/households/{household_id}/visits", response_model=VisitPage, responses=STREAMED)
def list_visits(
    db: Connection,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """Visits to a household, the last recorded first."""
    return listing(request, db, query, VisitRead, visits.list_visits(db, actor, household_id))


@router.post(
    "/households/{household_id}/visits",
    status_code=201,
    response_model=VisitRead,
    responses=_again(VisitRead),
)
def create_visit(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    body: VisitCreate,
) -> Response:
    """Record a visit: who came, where help is missing, what was seen."""
    visit, is_new = visits.create(session, actor, household_id, body)
    return entity(request, visits.read(visit), status=201 if is_new else 200)


@router.get("/loan-figures", response_model=LoanFigurePage, responses=STREAMED)
def list_loan_figures(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[LoanQuery, Query()]
) -> Response:
    """What banks and funds report of units and their groups, the newest day first."""
    return listing(request, db, query, LoanFigureRead, loans.list_figures(db, actor, query))


@router.post(
    "/loan-figures",
    status_code=201,
    response_model=LoanFigureRead,
    responses=_again(LoanFigureRead),
)
def create_loan_figure(
    session: Session, actor: ActorDep, request: Request, body: LoanFigureCreate
) -> Response:
    """Enter what a bank or fund reports as of a day, with its source."""
    figure, is_new = loans.create(session, actor, body)
    return entity(request, loans.read(figure), status=201 if is_new else 200)


@router.patch("/loan-figures/{loan_figure_id}", response_model=LoanFigureRead)
def update_loan_figure(
    session: Session,
    actor: ActorDep,
    request: Request,
    loan_figure_id: LoanFigurePath,
    body: LoanFigureUpdate,
) -> Response:
    """Correct a figure (JSON merge patch)."""
    expected = expected_revisions(request)
    figure = loans.update(session, actor, loan_figure_id, body, expected)
    return entity(request, loans.read(figure))
