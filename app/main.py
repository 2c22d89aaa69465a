"""The application: its middleware, its errors, its routes. Nothing is decided here."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from pydantic import SecretStr
from starlette.middleware.cors import CORSMiddleware

from app import logs, memory
from app.api.http import contract, error_handlers, tus
from app.api.http.compression import Compression
from app.api.http.dispatch import include, index_routes
from app.api.http.docs import serve_contract, serve_pages
from app.api.http.middleware import Kernel
from app.api.http.routers import routers_of
from app.api.http.server import Application, Server, serve_with, serving
from app.config import Environment, Settings, get_settings
from app.models.kernel.external_ids import systems_of
from app.security.secret_texts import new_secret
from app.services.capabilities import CAPABILITIES, install
from app.services.identity import app_versions
from app.services.kernel import job_workers, replicas, sequencer, upkeep
from app.services.kernel.manifest import Capability
from app.services.members import merged
from app.services.poverty import standards
from app.services.privacy import rules
from app.services.webhooks import senders

VERSION = "0.4.0"


def create_app(
    settings: Settings | None = None, capabilities: Sequence[Capability] = CAPABILITIES
) -> FastAPI:
    install(capabilities)
    settings = settings or get_settings()
    logs.configure(settings.log_level)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        memory.settle()
        server = serving(app)
        with (
            closing(server.database),
            sequencer.background(server.database) as numbering,
            upkeep.in_server(server.database) as upkeeping,
            job_workers.in_server(server.database) as jobs,
            senders.in_server(server.database) as sending,
            replicas.background(server.database),
            server.access_log,
            server.usage,
        ):
            noting = server.access_log.background
            server.promises[:] = [numbering, upkeeping, jobs, sending.background, noting]
            yield

    app = Application(
        title="Hội Số",
        version=VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # Behind a proxy a redirect could send a token on over plain HTTP.
        redirect_slashes=False,
        telemetry=_telemetry(settings),
    )
    serve_with(app, Server.of(settings))
    # Read before the first request, so that an inconsistent file is reported at start.
    standards.catalogue(settings.poverty_dir)
    rules.rule_book(settings.privacy_rules_dir)
    app_versions.app_versions(settings.app_versions_file)
    systems_of(settings.external_systems_file)
    app.openapi = lambda: contract.openapi(app)  # type: ignore[method-assign]  # FastAPI's documented hook
    app.add_middleware(
        Kernel,
        log_requests=settings.log_requests,
        https_only=settings.environment is Environment.production,
    )
    app.add_middleware(Compression)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PATCH", "DELETE"],
            allow_headers=[
                "authorization",
                "content-type",
                "idempotency-key",
                "if-match",
                "if-none-match",
                "if-range",
                "prefer",
                "range",
                *tus.SENT,
            ],
            expose_headers=[
                "accept-ranges",
                "content-disposition",
                "content-location",
                "content-range",
                "etag",
                "idempotency-lost-since",
                "idempotent-replayed",
                "link",
                "location",
                "preference-applied",
                "retry-after",
                "x-request-id",
                *tus.ANSWERED,
            ],
        )
    error_handlers.install(app, kept_of=merged.seen_kept_of)
    for capability in capabilities:
        for router in routers_of(capability):
            include(app, router)
    serve_contract(app)
    if settings.shows_docs:
        serve_pages(app)
    index_routes(app)
    return app


def contract_app(capabilities: Sequence[Capability] = CAPABILITIES) -> FastAPI:
    """The application for its contract alone: no file is read or written, and no setting of
    this machine is asked for."""
    settings = Settings(
        _env_prefix="HOISO_CONTRACT_",  # type: ignore[call-arg]  # of pydantic-settings
        environment=Environment.test,
        jwt_secret=SecretStr(new_secret()),
        data_keys=SecretStr(new_secret()),
        database_url="sqlite:///nowhere.db",
    )
    return create_app(settings, capabilities)


def _telemetry(settings: Settings) -> TelemetryConfig:
    """FastAPI's own OpenTelemetry, exporting by the standard OTEL_* variables when asked to."""
    on = settings.telemetry
    return {"tracing": on, "metrics": on, "logs": False, "auto_configure": on}
