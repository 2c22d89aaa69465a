"""The logins of providers that open an account."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity
from app.api.http.deps import ActorDep
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.models.identity.external_logins import (
    ExternalLoginCreate,
    ExternalLoginList,
    ExternalLoginRead,
)
from app.services.accounts import external_logins

router = Router(prefix="/v1/accounts", tags=["accounts"])
PersonPath = Annotated[UUID, Path(description="Id of the account.")]
LoginPath = Annotated[UUID, Path(description="Id of the link.")]


@router.get("/{account_id}/external-logins", response_model=ExternalLoginList)
def list_external_logins(
    db: Connection, actor: ActorDep, request: Request, account_id: PersonPath
) -> ExternalLoginList:
    """With which providers somebody may sign in to an account."""
    providers = server_of(request).signin.providers
    return external_logins.list_logins(db, actor, providers, account_id)


@router.post("/{account_id}/external-logins", status_code=201, response_model=ExternalLoginRead)
def link_external_login(
    session: Session,
    actor: ActorDep,
    request: Request,
    account_id: PersonPath,
    body: ExternalLoginCreate,
) -> Response:
    """Let the person whom a provider names by this subject sign in to the account.

    Needs every right the account holds, as a reset does; a reset removes the links.
    """
    signin = server_of(request).signin
    linked = external_logins.link(session, signin, actor, account_id, body)
    return entity(request, linked, status=201)


@router.delete("/{account_id}/external-logins/{login_id}", status_code=204)
def unlink_external_login(
    session: Session,
    actor: ActorDep,
    request: Request,
    account_id: PersonPath,
    login_id: LoginPath,
) -> None:
    """The login no longer opens the account; the sign-ins it opened end, everywhere within 5 seconds."""
    signin = server_of(request).signin
    external_logins.unlink(session, signin, actor, account_id, login_id)
