"""`python -m benchmarks.many_routes serve` is `hoiso serve` with the routes of a grown product.

A request must not pay for the routes it does not use, and that shows only where there are many.
Hội Số's own come last, as the worst place of a router that tries one after another.
"""

from fastapi import APIRouter, FastAPI

from app import cli, main
from app.api.http.dispatch import include
from app.api.http.routing import Router
from app.config import Settings

ROUTES = 160
RESOURCES = ("events", "households", "transfers", "appointments", "imports", "exports", "webhooks")
PATHS = ("", "/{key}", "/{key}/history", "/{key}/items", "/{key}/items/{item_id}", "/summary")


async def nothing() -> None:
    """Never called: its routes are there to be passed over."""


def other_resource(number: int) -> Router:
    resource = RESOURCES[number % len(RESOURCES)]
    router = Router(prefix=f"/v1/{resource}-{number}", tags=[resource], public=True)
    for path in PATHS:
        router.add_api_route(path, nothing, methods=["GET"])
    return router


def create_app(settings: Settings | None = None) -> FastAPI:
    app = main.create_app(settings)
    own = APIRouter()
    own.routes.extend(app.router.routes)
    app.router.routes.clear()
    number = 0
    while len(app.router.routes) + len(own.routes) < ROUTES:
        include(app, other_resource(number))
        number += 1
    include(app, own)
    return app


if __name__ == "__main__":
    cli.create_app = create_app  # type: ignore[attr-defined, assignment]  # the name `serve` looks up
    cli.app()
