"""The application: its middleware, its errors, its routes. Nothing is decided here."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from fastapi.telemetry import TelemetryConfig
from pydantic import SecretStr
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse

from app import logs
from app.api import (
    access,
    accounts,
    appointments,
    auth,
    branches,
    career,
    changes,
    code_lists,
    contract,
    correction_requests,
    delegations,
    escape_paths,
    exports,
    groups,
    health,
    households,
    jobs,
    me,
    members,
    memberships,
    own_record,
    poverty,
    poverty_flows,
    poverty_work,
    problems,
    support,
    trainings,
    transfers,
    units,
)
from app.api.dispatch import include, index_routes
from app.api.middleware import Kernel
from app.config import Environment, Settings, get_settings
from app.db import Database
from app.security import Sealer, new_secret
from app.services.access_log import AccessLog
from app.services.housekeeping import Housekeeper
from app.services.jobs import ServerWorker
from app.services.poverty_standards import catalogue
from app.services.sequencer import Sequencer
from app.services.signin import Signin

VERSION = "0.1.0"


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or get_settings()
    logs.configure(settings.log_level)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        index_routes(app)
        # Start-up objects live for ever: out of the collector's way, p99 falls (measured).
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        database: Database = app.state.database
        with (
            Sequencer(database),
            Housekeeper(database),
            ServerWorker(database),
            app.state.access_log,
        ):
            yield
        database.close()

    app = FastAPI(
        title="Hội Số",
        version=VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs else None,
        # Behind a proxy a redirect could send a token on over plain HTTP.
        redirect_slashes=False,
        telemetry=_telemetry(settings),
    )
    app.state.settings = settings
    app.state.database = Database(settings)
    app.state.access_log = AccessLog(app.state.database)
    # Read before the first request: a file that does not hold together is told at the start.
    catalogue(settings.poverty_dir)
    app.state.signin = Signin(settings)
    app.state.cursors = Sealer(app.state.signin.keyring.secret_for(b"cursor"))
    app.state.idempotency_key = app.state.signin.keyring.secret_for(b"idempotency")
    app.openapi = lambda: contract.openapi(app)  # type: ignore[method-assign]  # FastAPI's documented hook
    app.add_middleware(
        Kernel,
        max_body_bytes=settings.max_body_bytes,
        log_requests=settings.log_requests,
        https_only=settings.environment is Environment.production,
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=[
                "authorization",
                "content-type",
                "idempotency-key",
                "if-match",
                "if-none-match",
            ],
            expose_headers=[
                "content-disposition",
                "etag",
                "idempotent-replayed",
                "link",
                "location",
                "retry-after",
                "x-request-id",
            ],
        )
    problems.install(app)
    include(app, auth.public)
    include(app, auth.router)
    include(app, me.router)
    include(app, own_record.router)
    include(app, access.router)
    include(app, units.router)
    include(app, branches.router)
    include(app, members.router)
    include(app, memberships.router)
    include(app, transfers.router)
    include(app, code_lists.router)
    include(app, groups.router)
    include(app, correction_requests.router)
    include(app, appointments.router)
    include(app, trainings.router)
    include(app, career.router)
    include(app, delegations.router)
    include(app, accounts.router)
    include(app, households.router)
    for module in (poverty, poverty_flows, poverty_work, support, escape_paths):
        include(app, module.router)
    include(app, exports.router)
    include(app, jobs.router)
    include(app, changes.router)
    include(app, health.router)
    if settings.docs:
        _serve_docs(app)
    return app


def contract_app() -> FastAPI:
    """The application for its contract alone: no file is read or written, and no setting of
    this machine is asked for."""
    settings = Settings(
        _env_prefix="HOISO_CONTRACT_",  # type: ignore[call-arg]  # of pydantic-settings
        environment=Environment.test,
        jwt_secret=SecretStr(new_secret()),
        data_keys=SecretStr(new_secret()),
        database_url="sqlite:///nowhere.db",
    )
    return create_app(settings)


def _serve_docs(app: FastAPI) -> None:
    """The docs pages from local files: they work without the internet."""
    files = Path(fastapi_offline.__file__).parent / "static"
    app.mount("/docs/static", StaticFiles(directory=files), name="docs-static")

    @app.get("/docs", include_in_schema=False)
    async def swagger() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Hội Số",
            swagger_js_url="/docs/static/swagger-ui-bundle.js",
            swagger_css_url="/docs/static/swagger-ui.css",
            swagger_favicon_url="/docs/static/favicon.png",
        )

    @app.get("/redoc", include_in_schema=False)
    async def redoc() -> HTMLResponse:
        return get_redoc_html(
            openapi_url="/openapi.json",
            title="Hội Số",
            redoc_js_url="/docs/static/redoc.standalone.js",
            redoc_favicon_url="/docs/static/favicon.png",
            with_google_fonts=False,
        )


def _telemetry(settings: Settings) -> TelemetryConfig:
    """FastAPI's own OpenTelemetry, exporting by the standard OTEL_* variables when asked to."""
    on = settings.telemetry
    return {"tracing": on, "metrics": on, "logs": False, "auto_configure": on}
