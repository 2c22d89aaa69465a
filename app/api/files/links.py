"""Links to files: opened without a token, until they end."""

from typing import Annotated

from fastapi import Path, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.conditional import MISSING
from app.api.http.kept_files import FILE, FileResponse, sent
from app.api.http.ranges import ASKED
from app.api.http.routing import Router
from app.services.files import links

public = Router(prefix="/v1/file-links", tags=["files"], public=True)
LinkPath = Annotated[str, Path(min_length=20, max_length=100, description="The link's secret.")]


@public.get(
    "/{secret}",
    response_class=FileResponse,
    responses=FILE | MISSING,
    head=True,
    openapi_extra=ASKED,
)
def open_file_link(db: Connection, request: Request, secret: LinkPath) -> Response:
    """The file of a link. One that has ended, or whose file was deleted, is a 404."""
    answer = sent(request, links.opened(db, secret))
    # Pages of other origins show it: who has the link may read it.
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer
