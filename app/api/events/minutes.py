"""Minutes (biên bản) of sessions."""

from fastapi import Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.ids import SessionPath
from app.api.http.routing import Router
from app.models.events.minutes import MinutesRead, MinutesUpdate
from app.services.events import minutes

router = Router(prefix="/v1/sessions/{session_id}/minutes", tags=["events"])


@router.get("", response_model=MinutesRead)
def get_minutes(
    db: Connection, actor: ActorDep, request: Request, session_id: SessionPath
) -> Response:
    """What was said and decided; 404 before anything was written."""
    return entity(request, minutes.get(db, actor, session_id))


@router.patch("", response_model=MinutesRead)
def update_minutes(
    session: Session,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    body: MinutesUpdate,
) -> Response:
    """Write the minutes (JSON merge patch; the first one begins them) until they are signed."""
    expected = expected_revisions(request)
    return entity(request, minutes.update(session, actor, session_id, body, expected))


@router.post("/sign", response_model=MinutesRead, if_match=True)
def sign_minutes(
    session: Session, actor: ActorDep, request: Request, session_id: SessionPath
) -> Response:
    """The head signs them off, once the session was held: nothing of them changes after that. The
    right must be hers, not handed on to her."""
    return entity(request, minutes.sign(session, actor, session_id, expected_revisions(request)))
