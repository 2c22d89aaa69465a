"""What units chose for their lists, taken for the next list of the same shape: shown, and forgotten."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.imports.memory import MemoryPage, MemoryQuery, MemoryRead
from app.services.imports import memory

router = Router(prefix="/v1/import-memories", tags=["imports"])
MemoryPath = Annotated[UUID, Path(description="Id of what was chosen.")]


@router.get("", response_model=MemoryPage, responses=STREAMED)
def list_import_memories(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[MemoryQuery, Query()]
) -> Response:
    """What was chosen for lists of one shape, and is taken for the next: of units I may write to."""
    return listing(request, db, query, MemoryRead, memory.list_memories(db, actor, query))


@router.delete("/{memory_id}", status_code=204, if_match=True)
def forget_import_memory(
    session: Session, actor: ActorDep, request: Request, memory_id: MemoryPath
) -> None:
    """Forget what was chosen: the next list of this shape is asked about again."""
    memory.forget(session, actor, memory_id, expected_revisions(request))
