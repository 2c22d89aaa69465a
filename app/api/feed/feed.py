"""The feed: what systems follow that keep copies of what is here."""

from typing import Annotated

from fastapi import Query, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.noting import will_show
from app.api.http.paging import JSON
from app.api.http.pending import Awaited
from app.api.http.problems import problem_response
from app.api.http.routing import Router
from app.json_values import json_bytes
from app.models.feed.events import EventData, FeedPage, FeedQuery
from app.models.kernel.access_log import ReadHow
from app.services.feed import feed
from app.services.kernel.access import Actor
from app.services.kernel.following import newest

router = Router(prefix="/v1/feed", tags=["feed"])


@router.get("", response_model=FeedPage, responses={409: problem_response()}, numbered=True)
def read_feed(db: Connection, actor: ActorDep, query: Annotated[FeedQuery, Query()]) -> Response:
    """What has happened in my units, each event with what the row said by then and what I may see of
    it now. Apply the events in their order; the `seq` and `epoch` of a page are the next `after` and
    `epoch`. Events may come twice, never out of order: keep what has the higher `revision`.
    `Prefer: wait=60` holds an empty page back until there is an event, for so many seconds at most.
    409 `start_over`, with the `reason`: export anew, and go on from the `seq` and `epoch` it names.
    """
    return _answer(db, actor, query)


def _answer(db: Connection, actor: Actor, query: FeedQuery) -> Response:
    page = feed.page(db, actor, query)
    will_show(EventData, [event["data"] for event in page["items"]], ReadHow.list)
    if page["items"] or page["more"]:
        return Response(json_bytes(page), 200, media_type=JSON)
    answer = Awaited(json_bytes(page), 200, media_type=JSON)
    answer.has_news = lambda db: newest(db).seq > page["seq"]
    answer.again = lambda db: _answer(db, actor, query)
    return answer
