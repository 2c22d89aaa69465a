"""The change log: who changed what, when, where, and every value a field ever had."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.deps import ActorDep
from app.api.paging import STREAMED, Key, Row, listing
from app.api.routing import Router
from app.models.access_log import ReadHow
from app.models.changes import (
    ChangePage,
    ChangeQuery,
    ChangeRead,
    EntityHistory,
    EntityName,
    HistoryQuery,
)
from app.services import history, sequencer

router = Router(prefix="/v1/changes", tags=["changes"])


@router.get("", response_model=ChangePage, responses=STREAMED)
def list_changes(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ChangeQuery, Query()]
) -> Response:
    """Changes in my scope in their one gapless order. Poll with `since` = the last `seq` seen."""
    sequencer.settle(request.app.state.database)

    def fetch(db: Connection, after: Key | None, limit: int) -> list[Row]:
        start = query.since if after is None else int(str(after[0]))
        found = history.list_changes(db, actor, query, start, limit)
        return [((change.seq,), change.model_dump()) for change in found]

    def noted(
        rows: Sequence[Mapping[str, Any]], how: ReadHow, fields: Collection[str] | None = None
    ) -> None:
        sides = [side for side in ("before", "after") if fields is None or side in fields]
        values = [
            {**_known(row[side]), "id": UUID(row["entity_id"])}
            for row in rows
            if row["entity"] == EntityName.member
            for side in sides
        ]
        request.app.state.access_log.note(actor, values, how)

    return listing(request, db, query, ChangeRead, fetch, noted)


def _known(values: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return values or {}


@router.get("/history", response_model=EntityHistory)
def get_history(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[HistoryQuery, Query()]
) -> EntityHistory:
    """Every value each field of one entity ever had, with when and by whom."""
    sequencer.settle(request.app.state.database)
    found = history.history(db, actor, query.entity.value, query.id)
    if query.entity is EntityName.member:
        values = {field.field: field.values[-1].value for field in found.fields}
        told = [{**values, "id": UUID(found.entity_id)}]
        request.app.state.access_log.note(actor, told, ReadHow.detail)
    return found
