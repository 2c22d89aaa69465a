"""The caller's own account."""

from fastapi import Request, Response
from sqlalchemy.engine import Connection

from app.api.http.context import origin
from app.api.http.deps import ActorDep
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.db import Database
from app.models.kernel.accounts import AccountKind, Me, PasswordChange
from app.services.accounts import reading
from app.services.identity import credentials, sessions
from app.services.kernel import changes

router = Router(prefix="/v1/me", tags=["auth"])


@router.get("", response_model=Me, before_password=True)
def get_me(db: Connection, actor: ActorDep) -> Me:
    """Who I am, my grants of today and the rights they give."""
    return reading.get_me(db, actor)


@router.post("/password", status_code=204, before_password=True)
def change_password(
    database: Database, actor: ActorDep, request: Request, body: PasswordChange
) -> Response:
    """Set a new password by the old one or a one-time code; my other devices are signed out.

    `Idempotency-Key` has no effect here: sent again after it worked, it is refused, because the
    current password is the new one by then.
    """
    server = server_of(request)
    name = actor.username
    found = database.read(
        lambda db: credentials.find_ways_in(db, username=name, kind=AccountKind.person)
    )
    replacement = credentials.check_replacement(
        server.signin, actor, found, current=body.current_password, new=body.new_password
    )
    with database.writing() as session:
        changes.attribute(session, origin(actor))
        sessions.change_password(session, server.signin, actor, replacement)
    return Response(status_code=204)
