"""The public page of an event, which Zalo and Facebook show as a card."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Path, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.engine import Connection

from app.api.http.conditional import MISSING
from app.api.http.pages import page, text_of
from app.api.http.pages import when as time_of
from app.api.http.routing import Router
from app.errors import Problem
from app.models.events.sharing import ShareRead
from app.services.events import sharing

public = Router(prefix="/p", tags=["calendars"], public=True)
CodePath = Annotated[str, Path(description="The code of the page.")]

_SHARED = "public, max-age=300"


@public.get(
    "/{code}",
    any_query=True,
    response_model=str,
    response_class=HTMLResponse,
    responses=MISSING,
)
def get_event_page(db: Connection, request: Request, code: CodePath) -> Response:
    """The page of a public event, to be shared: title, time and place, nothing about people.

    With Open Graph tags. What others add to its address (`fbclid`, `utm_source`) is ignored.
    """
    try:
        event = sharing.by_code(db, code)
    except Problem:
        if "text/html" not in request.headers.get("accept", "").lower():
            raise  # a program, and no browser
        body = ["<h1>Không tìm thấy trang này</h1>", "<p>Sự kiện không còn được chia sẻ.</p>"]
        return page(request, "Không tìm thấy", body, status=404, cache=_SHARED)
    when = [time_of(each.starts_at, each.ends_at) for each in event.sessions]
    told = " · ".join(filter(None, [*when[:1], event.place, event.text]))
    meta = event.open_graph | {"og:description": told}
    return page(request, event.title, _body(event, when), meta=meta, cache=_SHARED)


def _body(event: ShareRead, when: list[str]) -> Iterator[str]:
    yield text_of("h1", event.title)
    if event.cancelled:
        yield text_of("p", "Sự kiện này đã huỷ.", "warning")
    yield text_of("p", event.hosts)
    yield text_of("p", event.text if event.text != event.hosts else None)
    yield "<ul>"
    for time, sitting in zip(when, event.sessions, strict=True):
        yield text_of("li", " · ".join(filter(None, [time, sitting.place])))
    yield "</ul>"
