"""The feed: what systems follow that keep copies of what is here."""

from functools import partial
from typing import Annotated, Any

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.feed import streaming
from app.api.http.deps import ActorDep
from app.api.http.noting import will_show
from app.api.http.paging import JSON
from app.api.http.pending import Awaited
from app.api.http.problems import problem_response
from app.api.http.routing import Router
from app.json_values import json_bytes
from app.models.feed.events import (
    BroughtRow,
    EventData,
    FeedPage,
    FeedQuery,
    FeedRows,
    FeedRowsQuery,
)
from app.models.kernel.access_log import ReadHow
from app.services.feed import feed, rows
from app.services.kernel.access import Actor

router = Router(prefix="/v1/feed", tags=["feed"])


@router.get(
    "",
    response_model=FeedPage,
    responses={
        200: {"content": {streaming.MEDIA_TYPE: {"schema": {"type": "string"}}}},
        409: problem_response(),
        429: problem_response(),
    },
    numbered=True,
)
def read_feed(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[FeedQuery, Query()]
) -> Response:
    """What has happened in my units, each event with what the row said by then and what I may see of
    it now. Apply the events in their order; the `seq` and `epoch` of a page are the next `after` and
    `epoch`. Events may come twice, never out of order: keep what has the higher `revision`.
    `Prefer: wait=60` holds an empty page back until there is an event, for so many seconds at most.
    `Accept: text/event-stream` sends each event as it comes: its `seq` is the `id`, with which
    `Last-Event-ID` goes on.
    409 `start_over`, with the `reason`: export anew, and go on from the `seq` and `epoch` it names.
    """
    if streaming.is_asked_for(request):
        last = streaming.place_of(request)
        begun = query if last is None else query.model_copy(update={"after": last})
        first = _page(db, actor, begun)
        return streaming.EventStream(request, first, partial(_next_page, query=query))
    return _answer(db, actor, query)


@router.get("/rows", response_model=FeedRows, numbered=True)
def list_feed_rows(
    db: Connection, actor: ActorDep, query: Annotated[FeedRowsQuery, Query()]
) -> Response:
    """The rows of a kind in my units as they are now, shaped as in events: what a follower begins with.
    Read a page of the feed first and keep its place, then the rows of each kind, then follow from that
    place. Events that say less than a row does already have a lower `revision`.
    """
    page = rows.page(db, actor, query)
    will_show(BroughtRow, page["items"], ReadHow.list)
    return Response(json_bytes(page), 200, media_type=JSON)


def _answer(db: Connection, actor: Actor, query: FeedQuery) -> Response:
    page = _page(db, actor, query)
    if page["items"] or page["more"]:
        return Response(json_bytes(page), 200, media_type=JSON)
    answer = Awaited(json_bytes(page), 200, media_type=JSON)
    answer.seq = page["seq"]
    answer.again = partial(_answer, query=query)
    return answer


def _next_page(
    db: Connection, actor: Actor, before: streaming.Page, query: FeedQuery
) -> streaming.Page:
    place = {"after": before["seq"], "epoch": before["epoch"]}
    return _page(db, actor, query.model_copy(update=place))


def _page(db: Connection, actor: Actor, query: FeedQuery) -> dict[str, Any]:
    page = feed.page(db, actor, query)
    will_show(EventData, [event["data"] for event in page["items"]], ReadHow.list)
    return page
