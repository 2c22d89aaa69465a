"""Poverty: the standards of the law, assessments under them, decisions of the commune."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity
from app.api.http.deps import ActorDep
from app.api.http.ids import HouseholdPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.base import ListQuery
from app.models.poverty.lists import (
    AssessmentItem,
    AssessmentItemPage,
    AssessmentQuery,
    DecisionItem,
    DecisionItemPage,
    DecisionQuery,
)
from app.models.poverty.poverty import (
    AssessmentCreate,
    AssessmentPage,
    AssessmentRead,
    DifferencePage,
    DifferenceQuery,
    DifferenceRead,
    StandardQuery,
    StatusAnnul,
    StatusCreate,
    StatusPage,
    StatusRead,
)
from app.models.poverty.standards import StandardList
from app.services.poverty import assessments, lists, standards, statuses

router = Router(prefix="/v1", tags=["poverty"])
AssessmentPath = Annotated[UUID, Path(description="Id of the assessment.")]
StatusPath = Annotated[UUID, Path(description="Id of the decision.")]


@router.get("/poverty-standards", response_model=StandardList)
def list_poverty_standards(
    db: Connection, actor: ActorDep, query: Annotated[StandardQuery, Query()]
) -> StandardList:
    """The poverty standard in force `on` a day, with the lines of the province of a `unit`; without
    `on` all standards, the oldest first. What no source confirms is named in `unconfirmed`."""
    province = standards.province_of(db, actor, query.unit, query.on)
    items = standards.listed(standards.of(db), query.on, province)
    return StandardList(items=items)


@router.get("/assessments", response_model=AssessmentItemPage, responses=STREAMED)
def list_unit_assessments(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[AssessmentQuery, Query()]
) -> Response:
    """The assessments of all households of a unit made in a period, the newest first."""
    found = lists.list_assessments(db, actor, query)
    return listing(request, db, query, AssessmentItem, found)


@router.get("/poverty-decisions", response_model=DecisionItemPage, responses=STREAMED)
def list_poverty_decisions(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[DecisionQuery, Query()]
) -> Response:
    """The decisions on all households of a unit that took effect in a period, the newest first."""
    found = lists.list_decisions(db, actor, query)
    return listing(request, db, query, DecisionItem, found)


@router.get(
    "/households/{household_id}/assessments", response_model=AssessmentPage, responses=STREAMED
)
def list_assessments(
    db: Connection,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """What was found at a household, the newest first, with the class and why."""
    return listing(
        request, db, query, AssessmentRead, assessments.list_assessments(db, actor, household_id)
    )


@router.post(
    "/households/{household_id}/assessments",
    status_code=201,
    response_model=AssessmentRead,
    responses={200: {"model": AssessmentRead, "description": "Made by this very request before."}},
)
def create_assessment(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    body: AssessmentCreate,
) -> Response:
    """Record a visit or a survey: the class comes back with the reason for each indicator.

    It is never changed: a new one with `corrects_id` replaces it. With an answer missing the class
    is `undetermined`, and `missing` names it. It decides nothing: the commune does.
    """
    made, is_new = assessments.create(session, actor, household_id, body)
    item = assessments.read(session, made)
    location = f"/v1/assessments/{made.id}" if is_new else None
    status = 201 if is_new else 200
    return entity(request, item, status=status, derived=True, location=location)


@router.get("/assessments/{assessment_id}", response_model=AssessmentRead)
def get_assessment(
    db: Connection, actor: ActorDep, request: Request, assessment_id: AssessmentPath
) -> Response:
    """One assessment, with the reasons as they were given then."""
    item = assessments.get_assessment(db, actor, assessment_id)
    return entity(request, item, derived=True)


@router.get(
    "/households/{household_id}/poverty-status", response_model=StatusPage, responses=STREAMED
)
def list_poverty_statuses(
    db: Connection,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """The decisions on a household, the newest first; annulled ones say so."""
    return listing(request, db, query, StatusRead, statuses.list_statuses(db, actor, household_id))


@router.post(
    "/households/{household_id}/poverty-status",
    status_code=201,
    response_model=StatusRead,
    responses={200: {"model": StatusRead, "description": "Made by this very request before."}},
)
def recognise_poverty_status(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    body: StatusCreate,
) -> Response:
    """Record a decision of the commune People's Committee; the open one ends on the day before."""
    status, is_new = statuses.recognise(session, actor, household_id, body)
    item = statuses.read(session, status)
    return entity(request, item, status=201 if is_new else 200)


@router.post(
    "/households/{household_id}/poverty-status/{status_id}/annul", response_model=StatusRead
)
def annul_poverty_status(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    status_id: StatusPath,
    body: StatusAnnul,
) -> Response:
    """The decision was withdrawn or entered by mistake: it never counted; what it ended goes on."""
    status = statuses.annul(session, actor, household_id, status_id, body.note)
    return entity(request, statuses.read(session, status))


@router.get("/poverty-status/differences", response_model=DifferencePage, responses=STREAMED)
def list_poverty_differences(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[DifferenceQuery, Query()]
) -> Response:
    """The cadre's inbox: households whose last assessment differs from the decision in force."""
    return listing(request, db, query, DifferenceRead, statuses.list_differences(db, actor, query))
