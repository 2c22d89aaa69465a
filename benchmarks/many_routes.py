"""`python -m benchmarks.many_routes serve` is `hoiso serve` with as many routes again.

A request must not pay for the routes it does not use, and that shows only where there are many.
Hội Số's own come last, as the worst place of a router that tries one after another.
"""

from fastapi import FastAPI

from app import cli, main
from app.api.http.dispatch import index_routes
from app.api.http.routing import Router, routes_of
from app.config import Settings

RESOURCES = ("events", "households", "transfers", "appointments", "imports", "exports", "webhooks")
PATHS = ("", "/{key}", "/{key}/history", "/{key}/items", "/{key}/items/{item_id}", "/summary")


async def nothing() -> None:
    """Never called: its routes are there to be passed over."""


def other_resource(number: int) -> Router:
    resource = RESOURCES[number % len(RESOURCES)]
    router = Router(prefix=f"/v1/{resource}-{number}", tags=[resource], public=True)
    for path in PATHS:
        router.get(path)(nothing)
    return router


def create_app(settings: Settings | None = None) -> FastAPI:
    app = main.create_app(settings)
    resources = len(routes_of(app)) // len(PATHS) + 1
    others = [route for number in range(resources) for route in other_resource(number).routes]
    app.router.routes[:0] = others
    index_routes(app)
    return app


if __name__ == "__main__":
    cli.create_app = create_app  # type: ignore[attr-defined, assignment]  # the name `serve` looks up
    cli.app()
