"""Who is asking: the one dependency of a protected route."""

import asyncio
import time
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from app.api.http.context import request_context
from app.api.http.outages import busy_is_503
from app.api.http.routing import route_of
from app.api.http.server import address_of, server_of
from app.clock import utc_now
from app.errors import Problem
from app.models.kernel.accounts import AccountKind
from app.security.tokens import BadToken
from app.services.identity import refreshing
from app.services.identity.bound_devices import told_of_session
from app.services.identity.signin import Signin
from app.services.kernel import actors
from app.services.kernel.access import Actor, Db


async def current_actor(request: Request) -> Actor:
    """The account behind the bearer token.

    A token once verified is trusted for `token_recheck_seconds`: then it is verified again and
    the account, its session and its grants are read again, so a revocation takes < 5 s.
    """
    context = request_context.get()
    if context.actor is not None:
        return context.actor
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not token or scheme.lower() != "bearer":
        raise Problem("not_authenticated")
    signin = server_of(request).signin
    actor = signin.verified.get(token, time.monotonic())
    if actor is None:
        actor = await asyncio.to_thread(_verify, request, signin, token)
    if actor.must_change_password and not route_of(request).before_password:
        raise Problem("password_change_required")
    if actor.kind is AccountKind.client:
        context.program = actor
        _ensure_from_there(actor, address_of(request))
    context.actor = actor
    return actor


def _ensure_from_there(program: Actor, address: str) -> None:
    if program.networks is not None and not program.networks.have(address):
        raise Problem("network_not_allowed", address=address)


def _verify(request: Request, signin: Signin, token: str) -> Actor:
    now = utc_now()
    try:
        claims = signin.verify(token, now)
    except BadToken as error:
        raise Problem("invalid_token", extra={"reason": error.reason}) from error
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


def _actor_or_told(session_id: UUID, db: Db) -> tuple[Actor | None, Problem | None]:
    """The actor, or what a phone gets whose device was revoked."""
    actor = actors.load_actor(db, session_id)
    return actor, None if actor is not None else told_of_session(db, session_id)


ActorDep = Annotated[Actor, Depends(current_actor)]
