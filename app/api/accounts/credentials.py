"""The secrets of a program, and how much it asks."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity
from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.problems import problem_response
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.models.identity.clients import (
    CredentialCreate,
    CredentialIssued,
    CredentialList,
    UsagePage,
    UsageQuery,
    UsageRead,
)
from app.services.accounts import credentials

router = Router(prefix="/v1/accounts", tags=["accounts"])
ProgramPath = Annotated[UUID, Path(description="Id of the account of a program.")]
CredentialPath = Annotated[UUID, Path(description="Id of the secret.")]


@router.get(
    "/{account_id}/credentials",
    response_model=CredentialList,
    responses={409: problem_response()},
)
def list_credentials(
    db: Connection, actor: ActorDep, request: Request, account_id: ProgramPath
) -> CredentialList:
    """The secrets of a program that are good, and when and from where each was last used."""
    meter = server_of(request).usage
    return credentials.list_credentials(db, actor, meter, account_id)


@router.post("/{account_id}/credentials", status_code=201, response_model=CredentialIssued)
def add_credential(
    session: Session,
    actor: ActorDep,
    request: Request,
    account_id: ProgramPath,
    body: CredentialCreate,
) -> Response:
    """A second secret, shown this once, so that the program changes over without a break; a third is 409.

    Needs every right the account holds, as a reset does.
    """
    issued = credentials.add(session, actor, account_id, body)
    return entity(request, issued, status=201, shown_once=("client_secret",))


@router.delete("/{account_id}/credentials/{credential_id}", status_code=204)
def revoke_credential(
    session: Session,
    actor: ActorDep,
    request: Request,
    account_id: ProgramPath,
    credential_id: CredentialPath,
) -> None:
    """End a secret and the sign-ins it opened, at once, everywhere within 5 seconds."""
    signin = server_of(request).signin
    credentials.revoke(session, signin, actor, account_id, credential_id)


@router.get(
    "/{account_id}/usage", response_model=UsagePage, responses={**STREAMED, 409: problem_response()}
)
def list_usage(
    db: Connection,
    actor: ActorDep,
    request: Request,
    account_id: ProgramPath,
    query: Annotated[UsageQuery, Query()],
) -> Response:
    """How often a program asked for what, by day and operation, the last day first.

    Written every ten seconds: a server that is killed loses what it counted in its last ones.
    """
    meter = server_of(request).usage
    found = credentials.list_usage(db, actor, meter, account_id, query)
    return listing(request, db, query, UsageRead, found)
