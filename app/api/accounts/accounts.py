"""Accounts and their grants."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.models.kernel.access import GrantCreate
from app.models.kernel.accounts import (
    AccountCreate,
    AccountInvited,
    AccountPage,
    AccountQuery,
    AccountRead,
    AccountUpdate,
)
from app.services.accounts import accounts, reading

router = Router(prefix="/v1/accounts", tags=["accounts"])
AccountPath = Annotated[UUID, Path(description="Id of the account.")]
GrantPath = Annotated[UUID, Path(description="Id of the grant.")]
_SECRETS = ("code", "client_secret")


@router.get("", response_model=AccountPage, responses=STREAMED)
def list_accounts(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[AccountQuery, Query()]
) -> Response:
    """Accounts looked after by the units in my scope, by user name."""
    return listing(request, db, query, AccountRead, reading.list_accounts(db, actor, query))


@router.post(
    "",
    status_code=201,
    response_model=AccountInvited,
    responses={200: {"model": AccountInvited, "description": "Made by this very request before."}},
)
def create_account(
    session: Session, actor: ActorDep, request: Request, body: AccountCreate
) -> Response:
    """Invite a person (a one-time code, shown this once) or register a client (its secret).

    With its own `id`, sending it twice makes one account; the second answer shows no secret.
    """
    invited, is_new = accounts.create(session, server_of(request).signin, actor, body)
    return entity(
        request,
        invited,
        status=201 if is_new else 200,
        location=f"/v1/accounts/{invited.id}",
        shown_once=_SECRETS,
        derived=True,
    )


@router.get("/{account_id}", response_model=AccountRead)
def get_account(
    db: Connection, actor: ActorDep, request: Request, account_id: AccountPath
) -> Response:
    """One account within my scope."""
    return entity(request, reading.get_account(db, actor, account_id), derived=True)


@router.patch("/{account_id}", response_model=AccountRead)
def update_account(
    session: Session,
    actor: ActorDep,
    request: Request,
    account_id: AccountPath,
    body: AccountUpdate,
) -> Response:
    """Change the name shown, or link the account to a member, which also gives it the roles of the
    member's posts. Null removes a wrong link. Nobody links or unlinks their own account.
    """
    signin, expected = server_of(request).signin, expected_revisions(request)
    return entity(
        request, accounts.update(session, signin, actor, account_id, body, expected), derived=True
    )


@router.post("/{account_id}/disable", response_model=AccountRead)
def disable_account(
    session: Session, actor: ActorDep, request: Request, account_id: AccountPath
) -> Response:
    """Shut the account out: its sessions end now, everywhere within 5 seconds."""
    signin = server_of(request).signin
    return entity(request, accounts.disable(session, signin, actor, account_id), derived=True)


@router.post("/{account_id}/enable", response_model=AccountRead)
def enable_account(
    session: Session, actor: ActorDep, request: Request, account_id: AccountPath
) -> Response:
    """Let a disabled account in again; needs every right the account holds."""
    return entity(request, accounts.enable(session, actor, account_id), derived=True)


@router.post("/{account_id}/reset", response_model=AccountInvited)
def reset_account(
    session: Session, actor: ActorDep, request: Request, account_id: AccountPath
) -> Response:
    """A new one-time code or secret, shown this once; needs every right the account holds."""
    signin = server_of(request).signin
    invited = accounts.reset(session, signin, actor, account_id)
    return entity(request, invited, shown_once=_SECRETS, derived=True)


@router.post("/{account_id}/grants", status_code=201, response_model=AccountRead)
def add_grant(
    session: Session, actor: ActorDep, request: Request, account_id: AccountPath, body: GrantCreate
) -> Response:
    """Give the account a role over a unit: never more than I hold there myself.

    When the officer who invited or last reset the account holds less than the role, reset it first.
    """
    signin = server_of(request).signin
    return entity(
        request,
        accounts.add_grant(session, signin, actor, account_id, body),
        status=201,
        derived=True,
    )


@router.delete("/{account_id}/grants/{grant_id}", response_model=AccountRead)
def end_grant(
    session: Session,
    actor: ActorDep,
    request: Request,
    account_id: AccountPath,
    grant_id: GrantPath,
) -> Response:
    """Take a role away from now on."""
    signin = server_of(request).signin
    return entity(
        request, accounts.end_grant(session, signin, actor, account_id, grant_id), derived=True
    )
