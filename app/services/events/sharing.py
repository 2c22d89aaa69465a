"""What of an event may be shared with everyone: where and when, and nothing about people."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.clock import utc_now
from app.db import AnySelect
from app.errors import not_found
from app.models.events.events import Event, EventSession, EventState, SessionState, UnitRole
from app.models.events.sharing import ShareRead, ShareSession
from app.services.events.scope import refs, units_of
from app.services.kernel.access import Db

# So many sessions of a series are shown, the next to come.
_MOST_SESSIONS = 12
_CODE_LENGTH = 22


def share(db: Db, event_id: UUID) -> ShareRead:
    """The public view of an event; 404 unless its hosts made it public and it is no draft."""
    row = db.execute(_EVENT, {"event_id": event_id}).one_or_none()
    if row is None:
        raise not_found()
    sessions = _sessions(db, row)
    hosts = refs(units_of(db, event_id), UnitRole.host, row.host_unit_ids)
    named = ", ".join(host["name"] for host in hosts)
    text = row.summary or named
    image = {} if row.image_url is None else {"og:image": row.image_url}
    card = {"og:type": "article", "og:title": row.title, "og:description": text}
    return ShareRead(
        title=row.title,
        text=text,
        image=row.image_url,
        starts_at=sessions[0].starts_at if sessions else None,
        place=sessions[0].place if sessions else row.place,
        hosts=named,
        cancelled=row.state is EventState.cancelled,
        sessions=sessions,
        page=f"/p/{code_of(event_id)}",
        open_graph={**card, **image, "og:locale": "vi_VN"},
    )


def by_code(db: Db, code: str) -> ShareRead:
    """The same by the code in the address of its page; 404 for any other."""
    return share(db, _event_of(code))


_EVENT: AnySelect = sa.select(
    col(Event.id),
    col(Event.title),
    col(Event.summary),
    col(Event.image_url),
    col(Event.place),
    col(Event.state),
    col(Event.host_unit_ids),
).where(
    col(Event.id) == sa.bindparam("event_id"),
    col(Event.is_public),
    col(Event.state) != EventState.draft,
)


def _sessions(db: Db, event: Any) -> list[ShareSession]:
    """The sessions to come; where there are none, the last that were."""
    ends = col(EventSession.ends_at)
    statement: AnySelect = sa.select(
        col(EventSession.starts_at),
        ends,
        sa.func.coalesce(col(EventSession.place), event.place).label("place"),
    ).where(col(EventSession.event_id) == event.id)
    if event.state is not EventState.cancelled:
        statement = statement.where(col(EventSession.state) != SessionState.cancelled)
    coming = statement.where(ends >= utc_now()).order_by(col(EventSession.starts_at))
    rows = db.execute(coming.limit(_MOST_SESSIONS)).all()
    if not rows:
        last = statement.order_by(col(EventSession.starts_at).desc())
        rows = db.execute(last.limit(1)).all()
    return [ShareSession.model_validate(row._asdict()) for row in rows]


# -- addresses


def code_of(event_id: UUID) -> str:
    """The id as the address of a page has it: 22 letters, digits, `-` and `_`."""
    return urlsafe_b64encode(event_id.bytes).rstrip(b"=").decode()


def _event_of(code: str) -> UUID:
    try:
        if len(code) != _CODE_LENGTH:
            raise not_found()
        event_id = UUID(bytes=urlsafe_b64decode(f"{code}=="))
    except ValueError as error:
        raise not_found() from error
    if code_of(event_id) != code:  # one address for one page
        raise not_found()
    return event_id
