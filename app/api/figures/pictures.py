"""Pictures of figures."""

from typing import Annotated, Any, Final

from fastapi import Path, Query, Response
from sqlalchemy.engine import Connection

from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.routing import Router
from app.models.figures.pictures import FigurePictureQuery
from app.services.figures import drawing, pictures

router = Router(prefix="/v1", tags=["figures"])
_SVG: Final = "image/svg+xml"
DRAWN: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The picture.", "content": {_SVG: {"schema": {"type": "string"}}}}
}
# Opened by itself, it may do nothing.
_HEADERS = {"Content-Security-Policy": "default-src 'none'; sandbox"}


@router.get("/figures/{indicator}/picture", response_class=Response, responses=DRAWN)
def get_figure_picture(
    db: Connection,
    actor: ActorDep,
    indicator: Annotated[str, Path(max_length=80, description="Code of the figure.")],
    query: Annotated[FigurePictureQuery, Query()],
) -> Response:
    """A figure as a picture (SVG) with its finding as the title, in the language of `Accept-Language`.

    The numbers are those of `GET /v1/figures`, and stand in its `desc` too. `form=bands` is of
    figures that others divide (`members.total`), `form=flow` of those that others feed (`poverty.poor`).
    """
    found = pictures.content(db, actor, indicator, query, request_context.get().language)
    return Response(drawing.svg(found, query.width), headers=_HEADERS, media_type=_SVG)
