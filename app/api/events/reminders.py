"""Reminders of sessions."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity
from app.api.http.deps import ActorDep
from app.api.http.ids import SessionPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.base import ListQuery
from app.models.events.reminders import ReminderCreate, ReminderPage, ReminderRead
from app.services.events import reminders

router = Router(prefix="/v1", tags=["calendars"])
ReminderPath = Annotated[UUID, Path(description="Id of the reminder.")]


@router.get("/sessions/{session_id}/reminders", response_model=ReminderPage, responses=STREAMED)
def list_reminders(
    db: Connection,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """Reminders of a session: sent, or to be sent."""
    found = reminders.list_reminders(db, actor, session_id)
    return listing(request, db, query, ReminderRead, found)


@router.post(
    "/sessions/{session_id}/reminders",
    status_code=201,
    response_model=ReminderRead,
    responses={200: {"model": ReminderRead, "description": "Made by this very request before."}},
)
def create_reminder(
    session: Session,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    body: ReminderCreate,
) -> Response:
    """Remind the invited members, at once or at `send_at`: in the inbox of those who have an
    account and have not declined. There is no message to phones.
    """
    reminder, is_new = reminders.create(session, actor, session_id, body)
    return entity(request, reminders.read(reminder), status=201 if is_new else 200)


@router.delete("/reminders/{reminder_id}", status_code=204)
def delete_reminder(session: Session, actor: ActorDep, reminder_id: ReminderPath) -> None:
    """Take back a reminder that was not sent yet."""
    reminders.delete(session, actor, reminder_id)
