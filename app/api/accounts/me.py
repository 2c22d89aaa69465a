"""The caller's own account."""

from functools import partial

from fastapi import Request, Response
from sqlalchemy.engine import Connection

from app.api.http.context import origin
from app.api.http.deps import ActorDep
from app.api.http.endpoints import in_thread
from app.api.http.routing import Router
from app.api.http.server import address_of, server_of
from app.db import Database
from app.errors import Problem
from app.models.kernel.accounts import AccountKind, Me, PasswordChange
from app.services.accounts import reading
from app.services.identity import credentials, sessions
from app.services.identity.credentials import Replacement, WaysIn
from app.services.identity.lockout import Source, TriedName
from app.services.identity.signin import Signin
from app.services.kernel import changes
from app.services.kernel.access import Actor

router = Router(prefix="/v1/me", tags=["auth"])


@router.get("", response_model=Me, before_password=True)
def get_me(db: Connection, actor: ActorDep) -> Me:
    """Who I am, my grants of today and the rights they give."""
    return reading.get_me(db, actor)


@router.post("/password", status_code=204, before_password=True)
async def change_password(
    database: Database, actor: ActorDep, request: Request, body: PasswordChange
) -> Response:
    """Set a new password by the old one or a one-time code; my other devices are signed out.

    `Idempotency-Key` has no effect here: sent again after it worked, it is refused, because the
    current password is the new one by then.
    """
    signin = server_of(request).signin
    source = signin.lockout.source(address_of(request))
    with signin.hashing.place():
        account = await in_thread(partial(_tried, database, signin, actor, source))
        proof = await credentials.check_current(signin, account, body.current_password)
        await in_thread(partial(signin.lockout.succeeded, _name(actor, account), source))
        new = await credentials.replacement(signin, actor, account, proof, body.new_password)
    await in_thread(partial(_replaced, database, signin, actor, new))
    return Response(status_code=204)


def _tried(database: Database, signin: Signin, actor: Actor, source: Source) -> WaysIn:
    """The caller's account, and one attempt counted; a client has no password."""
    account = database.read_primary(
        lambda db: credentials.find_ways_in(
            db, kind=AccountKind.person, username=actor.username, source=source
        )
    )
    if account is None:
        raise Problem("wrong_account_kind", kind=AccountKind.person)
    signin.lockout.try_once(_name(actor, account), source, known=True)
    return account


def _name(actor: Actor, account: WaysIn) -> TriedName:
    return credentials.name_of(account, kind=AccountKind.person, username=actor.username)


def _replaced(database: Database, signin: Signin, actor: Actor, replacement: Replacement) -> None:
    with database.writing() as session:
        changes.attribute(session, origin(actor))
        sessions.change_password(session, signin, actor, replacement)
