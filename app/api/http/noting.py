"""What an answer shows is noted in the access log, once the answer is certain to be given."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from app.api.http.context import request_context
from app.api.http.server import server_of
from app.models.kernel.access_log import ReadHow
from app.services.kernel.shown import Shown, shown

Row = Mapping[str, Any] | BaseModel


def will_show(
    schema: Any,
    rows: Sequence[Row],
    how: ReadHow,
    *,
    chosen: Collection[str] | None = None,
    query: BaseModel | None = None,
) -> None:
    """The answer at hand has these rows; `chosen`: these fields of them, where not all.

    `schema` is what its route answers, which may be no schema at all.
    """
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        found = shown(schema, rows, how, chosen=chosen, query=query)
        request_context.get().shown += found


def note_answer(request: Request) -> None:
    """The answer leaves, its transaction is over: what it shows is noted."""
    context = request_context.get()
    note(request, context.shown)
    context.shown = []


def note(request: Request, found: Sequence[Shown]) -> None:
    actor = request_context.get().actor
    if actor is not None and found:
        server_of(request).access_log.note(actor, found)
