"""How an endpoint runs: its transaction and its idempotency.

The type of an endpoint's first parameter states what it needs:
- `db: Connection`: it reads, on an autocommit connection;
- `session: Session`: it writes, in one transaction that is committed before the answer leaves;
- `database: Database`: a coroutine that opens its own, by `in_thread` (sign-in: neither a lock nor
  a thread of the endpoints is held while a password is hashed).
"""

import inspect
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

from app.api.http.conditional import ShownOnce
from app.api.http.context import origin, request_context
from app.api.http.noting import note_answer, will_show
from app.api.http.outages import busy, busy_is_503
from app.api.http.pending import Awaited, Pending, settled, with_news
from app.api.http.server import Server, server_of
from app.api.http.threads import Threads
from app.db import ENDPOINT_THREADS, Database
from app.errors import Problem
from app.models.base import Input
from app.models.kernel.access_log import ReadHow
from app.models.kernel.idempotency import IdempotentAnswer
from app.services.kernel import changes, idempotency, sequencer
from app.services.kernel.access import Actor
from app.services.kernel.manifest import manifest
from app.services.kernel.named import ensure_seen, places_of

T = TypeVar("T")
Endpoint = Callable[..., Any]
_threads = Threads(ENDPOINT_THREADS, "endpoint")


def need_of(endpoint: Endpoint) -> type | None:
    """`Connection`, `Session` or `Database`; None when the endpoint uses no database."""
    parameters = inspect.signature(endpoint).parameters.values()
    return next((p.annotation for p in parameters if p.annotation in _RUNNERS), None)


def placed(endpoint: Endpoint, status: int, *, short_read: bool, numbered: bool) -> Endpoint:
    """The endpoint as FastAPI calls it: without its database parameter, in its own thread.

    `status` is what it answers by default. A `short_read` takes microseconds at any size of the
    database: one row by its key, nothing longer. On SQLite it runs in the event loop itself,
    since the way to a thread and back costs more than the read. On PostgreSQL it waits for a
    socket, so it goes to a thread as all others do. One that is `numbered` reads the change log.
    """
    need = need_of(endpoint)
    if need is None:
        return endpoint
    signature = inspect.signature(endpoint)
    parameters = list(signature.parameters.values())
    [name] = [p.name for p in parameters if p.annotation is need]
    shown = [p for p in parameters if p.name != name]
    named = _body_with_ids(shown)
    wants_request = any(p.annotation is Request for p in shown)
    if not wants_request:
        shown.append(
            inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
        )
    run = _RUNNERS[need]

    async def run_placed(**values: Any) -> Any:
        request: Request = values["request"] if wants_request else values.pop("request")
        # Read already by FastAPI where the endpoint has a body; part of what a retry repeats.
        body = await request.body() if need is Session else b""

        def call(connection: Connection | Session | Database) -> Any:
            request_context.get().shown = []  # a read that was cut is done again
            if named is not None and not isinstance(connection, Database):
                ensure_seen(connection, values["actor"], values[named], manifest().named)
            answer = endpoint(**{name: connection}, **values)
            if isinstance(answer, BaseModel):
                will_show(type(answer), [answer], ReadHow.detail)
            return answer

        made = _Call(request, server_of(request), body, status, values.get("actor"), numbered)
        if need is Database:
            answer = await run(made, call)
        elif short_read and made.server.database.on_sqlite:
            answer = run(made, call)
        else:
            answer = await _threads.run(partial(run, made, call))
        if isinstance(answer, Pending):
            answer = await settled(request, answer)
        elif isinstance(answer, Awaited):
            answer = await with_news(request, answer)
        note_answer(request)
        return answer

    run_placed.__name__ = endpoint.__name__
    run_placed.__doc__ = endpoint.__doc__
    run_placed.__module__ = endpoint.__module__
    run_placed.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]  # read by inspect
    return run_placed


def _body_with_ids(parameters: Iterable[inspect.Parameter]) -> str | None:
    """The parameter that is a body whose ids name something (services/kernel/named.py)."""
    for parameter in parameters:
        body = parameter.annotation
        if isinstance(body, type) and issubclass(body, Input) and places_of(body):
            return parameter.name
    return None


async def in_thread(work: Callable[[], T], threads: Threads = _threads) -> T:
    """The result of work on the database, done in a thread of the endpoints; 503 when it is away.

    What takes long has `threads` of its own, for the others would wait.
    """
    with busy_is_503():
        return await threads.run(work)


@dataclass(slots=True)  # a frozen one is made in three times the time
class _Call:
    """One request on its way into an endpoint; `status` is what the route answers by default."""

    request: Request
    server: Server
    body: bytes
    status: int
    actor: Actor | None
    numbered: bool


def _read(call: _Call, endpoint: Callable[[Connection], Any]) -> Any:
    try:
        if call.numbered:
            sequencer.settle(call.server.database)
        return call.server.database.read(endpoint)
    except (OperationalError, PoolTimeout) as error:
        raise busy(error) from error


def _write(call: _Call, endpoint: Callable[[Session], Any]) -> Response:
    key = call.request.headers.get("idempotency-key")
    with busy_is_503():
        if key is None or call.actor is None:
            with call.server.database.writing() as session:
                changes.attribute(session, origin(call.actor))
                return _response(endpoint(session), call.status)
        digest = _digest(call)
        with (
            idempotency.claimed(call.actor.account_id, key),
            call.server.database.writing() as session,
        ):
            changes.attribute(session, origin(call.actor))
            return _once(call, call.actor, (key, digest), session, endpoint)


def _digest(call: _Call) -> str:
    url, method = call.request.url, call.request.method
    secret = call.server.idempotency_key
    return idempotency.digest(secret, method, url.path, url.query, call.body)


def _once(
    call: _Call,
    actor: Actor,
    sent: tuple[str, str],
    session: Session,
    endpoint: Callable[[Session], Any],
) -> Response:
    """Run the endpoint and keep its answer, or give the answer kept from the first time.

    `sent` is the key of the request, and the digest of what came under it.
    """
    key, digest = sent
    answer = idempotency.stored(session, actor.account_id, key, digest)
    if answer is not None:
        return _replayed(call.request, session, answer, actor)
    response = _response(endpoint(session), call.status)
    idempotency.store(
        session,
        actor=actor,
        key=key,
        request_digest=digest,
        status=response.status_code,
        headers={k: v for k, v in response.headers.items() if k != "content-length"},
        body=response.kept if isinstance(response, ShownOnce) else bytes(response.body),
    )
    if (lost_since := idempotency.lost_since(session)) is not None:
        response.headers["Idempotency-Lost-Since"] = lost_since.isoformat()
    return response


def _replayed(
    request: Request, session: Session, answer: IdempotentAnswer, actor: Actor
) -> Response:
    """The stored answer; 409 if the account's grants have changed since it was given."""
    if answer.grants_digest != idempotency.grants_digest(actor):
        known = {"answered": answer.status, "location": answer.headers.get("location")}
        raise Problem("idempotency_rights_changed", answered=answer.status, extra=known)
    body = idempotency.body_of(session, answer)
    if body:
        schema = request.scope["route"].response_model
        will_show(schema, [json.loads(body)], ReadHow.detail)
    return Response(body, answer.status, {**answer.headers, "Idempotent-Replayed": "true"})


def _manage(call: _Call, endpoint: Callable[[Database], Any]) -> Any:
    """A coroutine: it goes to threads by itself."""
    return endpoint(call.server.database)


_RUNNERS: dict[type, Callable[..., Any]] = {Connection: _read, Session: _write, Database: _manage}


def _response(result: Any, status: int) -> Response:
    if isinstance(result, Response):
        return result
    if result is None:
        return Response(status_code=status)
    return Response(result.model_dump_json(), status, media_type="application/json")
