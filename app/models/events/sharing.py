"""What of an event may be shared with everyone."""

from pydantic import AwareDatetime

from app.models.base import Output


class ShareSession(Output):
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    place: str | None


class ShareRead(Output):
    """The card of an event for Zalo, Facebook and the like. `page` is the address of a page that
    shows it, which is what to share; `open_graph` are its meta tags. `sessions` are the next to
    come, twelve at most, else the last one. Never a word about people."""

    title: str
    text: str
    image: str | None
    starts_at: AwareDatetime | None
    place: str | None
    hosts: str
    cancelled: bool
    sessions: list[ShareSession]
    page: str
    open_graph: dict[str, str]
