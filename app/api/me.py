"""The caller herself."""

from fastapi import Request
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.deps import ActorDep
from app.api.routing import Router
from app.models.accounts import Me, PasswordChange
from app.services import accounts
from app.services import signin as sign_in

router = Router(prefix="/v1/me", tags=["auth"])


@router.get("", response_model=Me)
def get_me(db: Connection, actor: ActorDep) -> Me:
    """Who I am, my grants of today and the rights they give."""
    return accounts.get_me(db, actor)


@router.post("/password", status_code=204, response_model=None)
def change_password(
    session: Session, actor: ActorDep, request: Request, body: PasswordChange
) -> None:
    """Set a new password by the old one or a one-time code; my other devices are signed out."""
    sign_in.change_password(
        session,
        request.app.state.signin,
        actor,
        current=body.current_password,
        new=body.new_password,
    )
