"""What is written down when the standing of households is shown (services/access_log)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from fastapi import Request
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.paging import Noted
from app.api.http.server import server_of
from app.models.kernel.access_log import ReadHow
from app.services.households import households
from app.services.kernel.access import Actor

# The households of some rows whose standing was shown with these fields (None: with all).
Shown = Callable[[Sequence[Mapping[str, Any]], Collection[str] | None], Sequence[UUID]]


def note_standing(
    request: Request,
    db: Connection | Session,
    actor: Actor,
    household_ids: Sequence[UUID],
    how: ReadHow = ReadHow.detail,
) -> None:
    """The standing of these households, and so of the members in them, was shown."""
    log = server_of(request).access_log
    log.note(actor, households.told_of(db, household_ids), how)


def standing_noted(request: Request, db: Connection, actor: Actor, shown: Shown) -> Noted:
    """For a list: notes each page. A file goes out after the request has given its connection back."""

    def noted(
        rows: Sequence[Mapping[str, Any]], how: ReadHow, fields: Collection[str] | None = None
    ) -> None:
        ids = shown(rows, fields)
        if ids and how is ReadHow.export:
            with server_of(request).database.reading() as own:
                note_standing(request, own, actor, ids, how)
        elif ids:
            note_standing(request, db, actor, ids, how)

    return noted
