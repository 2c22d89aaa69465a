"""Escape paths: plans, steps, checks, and what is due."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.ids import HouseholdPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.base import ListQuery
from app.models.support.escape_paths import (
    CheckDone,
    PathClose,
    PathCreate,
    PathItem,
    PathPage,
    PathQuery,
    PathRead,
    StepUpdate,
    TaskPage,
    TaskQuery,
    TaskRead,
)
from app.services.kernel.access import Actor
from app.services.support import escape_paths, escape_tasks

router = Router(prefix="/v1", tags=["support"])
CheckPath = Annotated[UUID, Path(description="Id of the check.")]
PathPath = Annotated[UUID, Path(description="Id of the escape path.")]
StepPath = Annotated[UUID, Path(description="Id of the step.")]


@router.get("/escape-paths", response_model=PathPage, responses=STREAMED)
def list_escape_paths(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[PathQuery, Query()]
) -> Response:
    """Ways out of poverty of the households in my scope, the newest first."""
    return listing(request, db, query, PathItem, escape_paths.list_paths(db, actor, query))


@router.get("/households/{household_id}/escape-paths", response_model=PathPage, responses=STREAMED)
def list_household_paths(
    db: Connection,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """The paths of one household, the newest first."""
    return listing(
        request, db, query, PathItem, escape_paths.list_of_household(db, actor, household_id)
    )


@router.post(
    "/households/{household_id}/escape-paths",
    status_code=201,
    response_model=PathRead,
    responses={200: {"model": PathRead, "description": "Made by this very request before."}},
)
def open_escape_path(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    body: PathCreate,
) -> Response:
    """Open a path: steps, each with a person in charge, and the branch in charge of the household."""
    path_id, is_new = escape_paths.open_path(session, actor, household_id, body)
    return _shown(session, actor, request, path_id, status=201 if is_new else 200)


def _shown(
    session: Session, actor: Actor, request: Request, path_id: UUID, status: int = 200
) -> Response:
    item = escape_paths.get_path(session, actor, path_id)
    location = f"/v1/escape-paths/{path_id}" if status == 201 else None
    return entity(request, item, status=status, location=location, derived=True)


@router.get("/escape-paths/{path_id}", response_model=PathRead)
def get_escape_path(
    db: Connection, actor: ActorDep, request: Request, path_id: PathPath
) -> Response:
    """One path with its steps and checks."""
    item = escape_paths.get_path(db, actor, path_id)
    return entity(request, item, derived=True)


@router.patch("/escape-steps/{step_id}", response_model=PathRead)
def update_escape_step(
    session: Session, actor: ActorDep, request: Request, step_id: StepPath, body: StepUpdate
) -> Response:
    """Change a step, or say when it was done (JSON merge patch). `If-Match` is of the step."""
    expected = expected_revisions(request)
    path_id = escape_paths.update_step(session, actor, step_id, body, expected)
    return _shown(session, actor, request, path_id)


@router.post("/escape-paths/{path_id}/close", response_model=PathRead)
def close_escape_path(
    session: Session, actor: ActorDep, request: Request, path_id: PathPath, body: PathClose
) -> Response:
    """Say what came of it. After an escape the household is looked at 6, 12 and 18 months later."""
    path_id = escape_paths.close(session, actor, path_id, body)
    return _shown(session, actor, request, path_id)


@router.post("/escape-checks/{check_id}/done", response_model=PathRead)
def record_escape_check(
    session: Session, actor: ActorDep, request: Request, check_id: CheckPath, body: CheckDone
) -> Response:
    """Record what a look at an escaped household has found."""
    path_id = escape_paths.check(session, actor, check_id, body)
    return _shown(session, actor, request, path_id)


@router.get("/escape-tasks", response_model=TaskPage, responses=STREAMED)
def list_escape_tasks(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[TaskQuery, Query()]
) -> Response:
    """What is to be seen to: steps and checks that are due, and households that are poor again."""
    return listing(request, db, query, TaskRead, escape_tasks.list_tasks(db, actor, query))
