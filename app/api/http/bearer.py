"""The account behind the bearer token of a request."""

import asyncio
import time
from functools import partial
from uuid import UUID

from fastapi import Request

from app.api.http.context import request_context
from app.api.http.outages import busy_is_503
from app.api.http.server import address_of, server_of
from app.clock import utc_now
from app.errors import Problem
from app.models.kernel.accounts import AccountKind
from app.security.tokens import BadToken
from app.services.identity import refreshing
from app.services.identity.bound_devices import told_of_session
from app.services.identity.signin import AccessClaims
from app.services.kernel import actors
from app.services.kernel.access import Actor, Db


def token_of(request: Request) -> str:
    """The token, not yet looked at; 401 where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not token or scheme.lower() != "bearer":
        raise Problem("not_authenticated")
    return token


def claims_of(request: Request, token: str) -> AccessClaims:
    """What a token of ours says that is good now; 401 otherwise."""
    try:
        return server_of(request).signin.verify(token, utc_now())
    except BadToken as error:
        raise Problem("invalid_token", extra={"reason": error.reason}) from error


def verified(request: Request, token: str) -> Actor:
    """The account with its grants of now, read from the database and kept for the next requests."""
    now, signin = utc_now(), server_of(request).signin
    claims = claims_of(request, token)
    database = server_of(request).database
    with busy_is_503():
        actor, told = database.read_primary(partial(_actor_or_told, claims.session_id))
    if told is not None:
        raise told
    if actor is None or actor.account_id != claims.account_id:
        raise Problem("invalid_token", extra={"reason": "revoked"})
    if actor.unseen_token == claims.token_id:
        with busy_is_503(), database.writing() as session:
            refreshing.seen(session, claims.session_id, claims.token_id)
    trusted = min(signin.settings.token_recheck_seconds, (claims.expires_at - now).total_seconds())
    signin.verified.put(token, actor, time.monotonic() + trusted)
    return actor


async def asked_anew(request: Request) -> Actor:
    """Who is asking, for what leaves after a wait: token, account and grants are asked for again,
    whatever was kept of them. 401 when one of them has ended."""
    actor = await asyncio.to_thread(verified, request, token_of(request))
    if actor.must_change_password:
        raise Problem("password_change_required")
    note_program(request, actor)
    request_context.get().actor = actor
    return actor


def note_program(request: Request, actor: Actor) -> None:
    """A program is counted by who it is; 403 where it asks from a network that is not its own."""
    if actor.kind is not AccountKind.client:
        return
    request_context.get().program = actor
    address = address_of(request)
    if actor.networks is not None and not actor.networks.have(address):
        raise Problem("network_not_allowed", address=address)


def _actor_or_told(session_id: UUID, db: Db) -> tuple[Actor | None, Problem | None]:
    """The actor, or what a phone gets whose device was revoked."""
    actor = actors.load_actor(db, session_id)
    return actor, None if actor is not None else told_of_session(db, session_id)
