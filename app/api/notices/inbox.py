"""My inbox."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.notices.notifications import NotificationPage, NotificationQuery, NotificationRead
from app.services.notices import inbox

router = Router(prefix="/v1/me", tags=["calendars"])
NotificationPath = Annotated[UUID, Path(description="Id of the notification.")]


@router.get("/notifications", response_model=NotificationPage, responses=STREAMED)
def list_notifications(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[NotificationQuery, Query()]
) -> Response:
    """My inbox, the newest first: what I am invited to, what has changed, what waits for me.

    What I may no longer know of, and what was decided meanwhile, is not shown.
    """
    found = inbox.list_notifications(actor, query, request_context.get().language)
    return listing(request, db, query, NotificationRead, found)


@router.post("/notifications/{notification_id}/read", status_code=204)
def read_notification(session: Session, actor: ActorDep, notification_id: NotificationPath) -> None:
    """I have seen it."""
    inbox.mark_read(session, actor, notification_id)
