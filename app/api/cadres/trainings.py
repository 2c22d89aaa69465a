"""Training and qualifications of cadres."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.ids import MemberPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.cadres.trainings import (
    TrainingCreate,
    TrainingItem,
    TrainingItemPage,
    TrainingPage,
    TrainingQuery,
    TrainingRead,
    TrainingUpdate,
    UnitTrainingQuery,
)
from app.services.cadres import trainings

router = Router(prefix="/v1", tags=["cadres"])
TrainingPath = Annotated[UUID, Path(description="Id of the training.")]


@router.get("/trainings", response_model=TrainingItemPage, responses=STREAMED)
def list_unit_trainings(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[UnitTrainingQuery, Query()]
) -> Response:
    """Courses, degrees and certificates of all members of a unit, over a period."""
    found = trainings.list_of_unit(db, actor, query)
    return listing(request, db, query, TrainingItem, found)


@router.get("/members/{member_id}/trainings", response_model=TrainingPage, responses=STREAMED)
def list_trainings(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    query: Annotated[TrainingQuery, Query()],
) -> Response:
    """Courses, degrees and certificates of a member."""
    found = trainings.list_trainings(db, actor, member_id, query)
    return listing(request, db, query, TrainingRead, found)


@router.post(
    "/members/{member_id}/trainings",
    status_code=201,
    response_model=TrainingRead,
    responses={200: {"model": TrainingRead, "description": "Made by this very request before."}},
)
def create_training(
    session: Session, actor: ActorDep, request: Request, member_id: MemberPath, body: TrainingCreate
) -> Response:
    """Enter a course, degree or certificate. With its own `id`, sending it twice makes one."""
    training, is_new = trainings.create(session, actor, member_id, body)
    return entity(request, trainings.read(training), status=201 if is_new else 200)


@router.patch("/trainings/{training_id}", response_model=TrainingRead)
def update_training(
    session: Session,
    actor: ActorDep,
    request: Request,
    training_id: TrainingPath,
    body: TrainingUpdate,
) -> Response:
    """Correct an entry (JSON merge patch)."""
    expected = expected_revisions(request)
    training = trainings.update(session, actor, training_id, body, expected)
    return entity(request, trainings.read(training))


@router.delete("/trainings/{training_id}", status_code=204)
def delete_training(session: Session, actor: ActorDep, training_id: TrainingPath) -> None:
    """Remove an entry that should not be there; the change log keeps what it was."""
    trainings.delete(session, actor, training_id)
