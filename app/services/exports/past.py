"""Exports of a past day: of the kinds whose lists know it."""

from collections.abc import Iterator, Sequence
from datetime import date

from sqlalchemy.engine import Connection

from app.errors import FieldError, Problem
from app.services.kernel.access import Actor
from app.services.kernel.keyset import Item, Key
from app.services.kernel.offers import RowsOfDay, SyncKind


def of_day(kinds: Sequence[SyncKind], asked: Sequence[str]) -> list[SyncKind]:
    """Those that have a past; 422 names the others, if they were asked for."""
    errors = [
        FieldError("body", f"/kinds/{place}", "kind_not_dated")
        for kind in kinds
        for place, name in enumerate(asked)
        if name == kind.name and kind.past is None
    ]
    if errors:
        raise Problem("validation_failed", errors=errors, count=len(errors))
    return [kind for kind in kinds if kind.past is not None]


def pages_of_day(
    db: Connection, actor: Actor, past: RowsOfDay, unit_id: int | None, day: date, size: int
) -> Iterator[list[Item]]:
    """The rows of the list of that day."""
    pages = past.pages(db, actor, unit_id, day)
    after: Key | None = None
    while True:
        entries = pages(db, after, size)
        yield [item for _, item in entries]
        if len(entries) < size:
            return
        after = entries[-1][0]
