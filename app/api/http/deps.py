"""Who is asking: the one dependency of a protected route."""

import asyncio
import time
from typing import Annotated

from fastapi import Depends, Request

from app.api.http.bearer import note_program, token_of, verified
from app.api.http.context import request_context
from app.api.http.routing import route_of
from app.api.http.server import server_of
from app.errors import Problem
from app.services.kernel.access import Actor


async def current_actor(request: Request) -> Actor:
    """The account behind the bearer token.

    A token once verified is trusted for `token_recheck_seconds`: then it is verified again and
    the account, its session and its grants are read again, so a revocation takes < 5 s.
    """
    context = request_context.get()
    if context.actor is not None:
        return context.actor
    token = token_of(request)
    actor = server_of(request).signin.verified.get(token, time.monotonic())
    if actor is None:
        actor = await asyncio.to_thread(verified, request, token)
    if actor.must_change_password and not route_of(request).before_password:
        raise Problem("password_change_required")
    note_program(request, actor)
    context.actor = actor
    return actor


ActorDep = Annotated[Actor, Depends(current_actor)]
