"""Liveness, readiness, metrics and the published signing keys: the routes outside /v1."""

import hmac
import ipaddress
from typing import Any

from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ProgrammingError

from app.api.http.outages import busy_is_503
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.config import Environment
from app.db import Database, ReplicaState
from app.errors import Problem
from app.services.kernel import sequencer

router = Router(tags=["health"], public=True)


class Health(BaseModel):
    status: str


class Readiness(Health):
    """`replica`: whether reads go to it, or why it is left out; null where none is set."""

    replica: ReplicaState | None


class JwkSet(BaseModel):
    keys: list[dict[str, Any]]


@router.get("/health/live", response_model=Health)
async def live() -> Health:
    """The process runs."""
    return Health(status="ok")


@router.get("/health/ready", response_model=Readiness)
def ready(db: Connection, request: Request) -> Readiness:
    """The database answers and its schema is there, and all work in the background that this
    process promises is done; `broken` names what is not. A disk that is full or read-only is named.
    Ready without its replica too: the primary answers, and `replica` says why."""
    try:
        sequencer.ensure_there(db)
    except ProgrammingError as error:  # no such table: not migrated yet
        raise Problem("unavailable", retry_after=5) from error
    database = server_of(request).database
    _ensure_writing(database)
    broken = [name for each in server_of(request).promises for name in each.broken()]
    if broken:
        raise Problem("work_undone", retry_after=5, extra={"broken": broken})
    replica = database.replica
    return Readiness(status="ok", replica=replica.state if replica else None)


def _ensure_writing(database: Database) -> None:
    """While the disk was full or read-only at the last attempt, try again: nobody else may."""
    if database.storage.fault is not None:
        with busy_is_503():
            database.try_to_write()


@router.get("/.well-known/jwks.json", response_model=JwkSet)
async def get_jwks(request: Request) -> JwkSet:
    """Public keys that verify our access tokens (RFC 7517); none while HS256 signs them."""
    return JwkSet(**server_of(request).signin.keyring.jwks())


@router.get("/metrics", include_in_schema=False)
async def get_metrics(request: Request) -> Response:
    """Prometheus metrics, with the token of HOISO_METRICS_TOKEN; without one, for this machine, and
    in production for nobody."""
    settings = server_of(request).settings
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if settings.metrics_token:
        token = settings.metrics_token.get_secret_value()
        allowed = hmac.compare_digest(given.encode(), token.encode())
    else:
        # A proxy of this machine that names no client could ask for anybody.
        allowed = settings.environment is not Environment.production and _is_loopback(request)
    if not allowed:
        raise Problem("not_found")
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _is_loopback(request: Request) -> bool:
    # Behind a proxy every peer is local: then only a token opens the metrics.
    if request.client is None or "x-forwarded-for" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
