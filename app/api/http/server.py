"""What one running server has: made at the start, the same for every request."""

from dataclasses import dataclass, field

from fastapi import FastAPI, Request

from app.api.http.waiting import WhoWait
from app.config import Settings
from app.db import REQUEST_LOCK_SECONDS, Database
from app.security.sealing import Sealer
from app.services.identity.signin import Signin
from app.services.identity.usage import UsageMeter
from app.services.kernel.access_log import AccessLog
from app.services.kernel.background import Background
from app.services.kernel.limits import RateLimits, limits_in


@dataclass(frozen=True, slots=True)
class Server:
    settings: Settings
    database: Database
    access_log: AccessLog
    usage: UsageMeter
    signin: Signin
    limits: RateLimits
    # Seals the places in lists that cursors hold.
    cursors: Sealer
    # Keys the digests of requests that may be sent again.
    idempotency_key: bytes
    # What works in the background while it serves.
    promises: list[Background] = field(default_factory=list)
    # Who waits for the change log.
    waiting: WhoWait = field(default_factory=WhoWait)

    @classmethod
    def of(cls, settings: Settings) -> "Server":
        database = Database(settings, REQUEST_LOCK_SECONDS)
        limits = limits_in(settings.rate_limit_storage)
        signin = Signin(settings, limits)
        return cls(
            settings=settings,
            database=database,
            access_log=AccessLog(database),
            usage=UsageMeter(database),
            signin=signin,
            limits=limits,
            cursors=Sealer(signin.keyring.secret_for(b"cursor")),
            idempotency_key=signin.keyring.secret_for(b"idempotency"),
        )


class Application(FastAPI):
    """An application, and the server that answers its requests."""

    # An attribute, as each request asks for it several times: `app.state` is slow.
    server: Server


def serve_with(app: FastAPI, server: Server) -> None:
    """From now on, requests to this application are answered by this server."""
    assert isinstance(app, Application)  # noqa: S101  # create_app makes no other
    app.server = server


def serving(app: FastAPI) -> Server:
    """The server that answers the requests to an application."""
    assert isinstance(app, Application)  # noqa: S101  # create_app makes no other
    return app.server


def server_of(request: Request) -> Server:
    """The server that answers a request."""
    app: Application = request.scope["app"]
    return app.server


def address_of(request: Request) -> str:
    """Where a request comes from, as far as that is known."""
    return request.client.host if request.client else "unknown"
