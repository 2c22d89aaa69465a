"""Reorganisations: drafts, what follows from them, deciding on them, taking them back."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.pending import Pending, answer_when_over
from app.api.http.routing import Router
from app.models.reorganisations.reorganisations import (
    Reorganisation,
    ReorganisationApply,
    ReorganisationCreate,
    ReorganisationItem,
    ReorganisationPage,
    ReorganisationPreview,
    ReorganisationQuery,
    ReorganisationRead,
    ReorganisationUpdate,
)
from app.services.kernel.access import Actor
from app.services.reorganisations import deciding, drafts, reading
from app.services.reorganisations.preview import preview

router = Router(prefix="/v1/reorganisations", tags=["reorganisations"])
_BY_A_JOB: dict[int | str, dict[str, Any]] = {
    202: {
        "model": ReorganisationRead,
        "description": "It takes many people along: the job at `Location` does it.",
    },
}
ReorganisationPath = Annotated[UUID, Path(description="Id of the reorganisation.")]


@router.get("", response_model=ReorganisationPage, responses=STREAMED)
def list_reorganisations(
    db: Connection,
    actor: ActorDep,
    request: Request,
    query: Annotated[ReorganisationQuery, Query()],
) -> Response:
    """Drafts and what was done in my scope, the newest first."""
    found = reading.list_reorganisations(db, actor, query)
    return listing(request, db, query, ReorganisationItem, found)


@router.post(
    "",
    status_code=201,
    response_model=ReorganisationRead,
    responses={
        200: {"model": ReorganisationRead, "description": "Made by this very request before."}
    },
)
def create_reorganisation(
    session: Session, actor: ActorDep, request: Request, body: ReorganisationCreate
) -> Response:
    """Draft what a decree does to units. Nothing changes before another officer applies it."""
    row, is_new = deciding.create(session, actor, body)
    if not is_new:
        return _read(session, actor, request, row)
    location = f"/v1/reorganisations/{row.id}"
    return _read(session, actor, request, row, status=201, location=location)


def _read(
    session: Session, actor: Actor, request: Request, row: Reorganisation, **answer: Any
) -> Response:
    return entity(request, reading.get(session, actor, row.id), **answer)


def _decided(
    session: Session, actor: Actor, request: Request, decided: deciding.Decided
) -> Response:
    """It as it is now; with a job that does it 202, or it as it is after that (`Prefer: wait`)."""
    row, job = decided
    if job is None:
        return _read(session, actor, request, row)

    def done(db: Connection, actor: Actor) -> Response:
        return entity(request, reading.get(db, actor, row.id))

    now = _read(session, actor, request, row, status=202, location=f"/v1/jobs/{job.id}")
    pending = Pending(now.body, 202, dict(now.headers), "application/json")
    return answer_when_over(actor, job.id, pending, done)


@router.get("/{reorganisation_id}", response_model=ReorganisationRead)
def get_reorganisation(
    db: Connection, actor: ActorDep, request: Request, reorganisation_id: ReorganisationPath
) -> Response:
    """One, with its operations."""
    return entity(request, reading.get(db, actor, reorganisation_id))


@router.patch("/{reorganisation_id}", response_model=ReorganisationRead)
def update_reorganisation(
    session: Session,
    actor: ActorDep,
    request: Request,
    reorganisation_id: ReorganisationPath,
    body: ReorganisationUpdate,
) -> Response:
    """Change a draft. `operations` replaces all of them."""
    expected = expected_revisions(request)
    row = drafts.update(session, actor, reorganisation_id, body, expected)
    return _read(session, actor, request, row)


@router.get("/{reorganisation_id}/preview", response_model=ReorganisationPreview)
def preview_reorganisation(
    db: Connection, actor: ActorDep, reorganisation_id: ReorganisationPath
) -> ReorganisationPreview:
    """What would become of each unit, what follows, and what prevents it, by operation.

    `digest` is sent with the decision: what has changed since the preview is refused.
    """
    row = reading.find(db, actor, reorganisation_id)
    made = drafts.plan_of(db, actor, row)
    return preview(db, actor, row, made, request_context.get().language)


@router.post("/{reorganisation_id}/apply", response_model=ReorganisationRead, responses=_BY_A_JOB)
def apply_reorganisation(
    session: Session,
    actor: ActorDep,
    request: Request,
    reorganisation_id: ReorganisationPath,
    body: ReorganisationApply,
) -> Response:
    """Decide on what another officer has drafted: it is done at once, in one transaction.

    Where its day is to come it is `scheduled`, and done by itself on that day. One that takes many people
    along is `scheduled` as well, and done by a job.
    """
    language = request_context.get().language
    decided = deciding.apply(session, actor, reorganisation_id, body, language)
    return _decided(session, actor, request, decided)


@router.post("/{reorganisation_id}/confirm", response_model=ReorganisationRead, responses=_BY_A_JOB)
def confirm_reorganisation(
    session: Session,
    actor: ActorDep,
    request: Request,
    reorganisation_id: ReorganisationPath,
    body: ReorganisationApply,
) -> Response:
    """Agree to a draft as an officer of one side, where nobody above holds the right over all of them.

    The last side that confirms applies it, or schedules it where its day is to come. A change of the
    draft, and of the units, asks all sides again.
    """
    language = request_context.get().language
    decided = deciding.confirm(session, actor, reorganisation_id, body, language)
    return _decided(session, actor, request, decided)


@router.delete("/{reorganisation_id}/confirm", response_model=ReorganisationRead)
def take_back_confirmation(
    session: Session, actor: ActorDep, request: Request, reorganisation_id: ReorganisationPath
) -> Response:
    """Agree no longer: to a draft, to one that waits for its day (a draft again then), or to take back
    what was done."""
    return _read(session, actor, request, deciding.take_back(session, actor, reorganisation_id))


@router.post("/{reorganisation_id}/withdraw", response_model=ReorganisationRead)
def withdraw_reorganisation(
    session: Session, actor: ActorDep, request: Request, reorganisation_id: ReorganisationPath
) -> Response:
    """A draft, or one that waits for its day, is not to be."""
    return _read(session, actor, request, deciding.withdraw(session, actor, reorganisation_id))


@router.post("/{reorganisation_id}/revert", response_model=ReorganisationRead, responses=_BY_A_JOB)
def revert_reorganisation(
    session: Session, actor: ActorDep, request: Request, reorganisation_id: ReorganisationPath
) -> Response:
    """Take back what was done, until something later depends on it, which the refusal names.

    Where the sides decided, an officer of each asks for it, and the last one does it.
    """
    decided = deciding.revert(session, actor, reorganisation_id)
    return _decided(session, actor, request, decided)
