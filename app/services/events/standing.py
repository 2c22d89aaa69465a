"""Where the session stands to which a row belongs: for whoever logs such rows."""

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.events.events import EventSession
from app.services.kernel.tracking import PATH, Row, Units, on_path

_PATH = sa.select(col(EventSession.host_id), *(getattr(EventSession, name) for name in PATH)).where(
    col(EventSession.id) == sa.bindparam("session_id")
)
of_host = on_path("host_id")


def of_session(session: Session, row: Row) -> Units:
    """Where the session stands that the row names."""
    host = session.connection().execute(_PATH, {"session_id": row["session_id"]}).one()
    return of_host(session, dict(host._mapping))
