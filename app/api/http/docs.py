"""The contract and its pages, from local files: they work without the internet."""

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

_CONTRACT = "/openapi.json"
_TITLE = "Hội Số"
_POLICY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "worker-src blob:; frame-ancestors 'none'"
}


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_POLICY)
        return response


def serve_contract(app: FastAPI) -> None:
    """It is published: everywhere, and to everybody."""

    @app.get(_CONTRACT, include_in_schema=False)
    async def contract() -> JSONResponse:
        return JSONResponse(app.openapi(), headers=_POLICY)


def serve_pages(app: FastAPI) -> None:
    files = Path(fastapi_offline.__file__).parent / "static"
    app.mount("/docs/static", _Files(directory=files), name="docs-static")

    @app.get("/docs", include_in_schema=False)
    async def swagger() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url=_CONTRACT,
            title=_TITLE,
            swagger_js_url="/docs/static/swagger-ui-bundle.js",
            swagger_css_url="/docs/static/swagger-ui.css",
            swagger_favicon_url="/docs/static/favicon.png",
            swagger_ui_parameters={"docExpansion": "none", "filter": True, "tagsSorter": "alpha"},
        )
        page.headers.update(_POLICY)
        return page

    @app.get("/redoc", include_in_schema=False)
    async def redoc() -> HTMLResponse:
        page = get_redoc_html(
            openapi_url=_CONTRACT,
            title=_TITLE,
            redoc_js_url="/docs/static/redoc.standalone.js",
            redoc_favicon_url="/docs/static/favicon.png",
            with_google_fonts=False,
        )
        page.headers.update(_POLICY)
        return page
