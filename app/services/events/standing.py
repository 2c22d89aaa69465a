"""The units of the session of a row, for the change log of tables that name a session."""

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.events.events import EventSession
from app.services.kernel.tracking import PATH, Row, Units, on_path

_PATH = sa.select(col(EventSession.host_id), *(getattr(EventSession, name) for name in PATH)).where(
    col(EventSession.id) == sa.bindparam("session_id")
)
of_host = on_path("host_id")


def of_session(session: Session, row: Row) -> Units:
    """The units of the session that the row names."""
    host = session.connection().execute(_PATH, {"session_id": row["session_id"]}).one()
    return of_host(session, dict(host._mapping))
