"""Code lists on a day, and what codes became: for forms, and for readers of our exports."""

from typing import Annotated

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, figures, listing
from app.api.http.routing import Router
from app.models.kernel.code_lists import CodeLists
from app.models.meta.crosswalks import (
    CodeListQuery,
    CodeRow,
    CrosswalkList,
    CrosswalkPage,
    CrosswalkQuery,
    CrosswalkRow,
)
from app.services.meta import code_lists, crosswalks

router = Router(prefix="/v1/code-lists", tags=["members"])
ListPath = Annotated[CrosswalkList, Path(description="The list.")]


@router.get("", response_model=CodeLists, responses=STREAMED)
def list_code_lists(
    db: Connection,
    actor: ActorDep,  # noqa: ARG001  # the guard itself
    request: Request,
    query: Annotated[CodeListQuery, Query()],
) -> Response:
    """Every coded field of a member, and the kinds of events: the codes in both languages, where they
    come from and since when they hold. `as_of` has the editions of that day. As a file it has a row
    for each code."""
    lists = code_lists.lists_on(query.as_of)
    return figures(request, db, query, lists, CodeRow, code_lists.rows_of(lists))


@router.get("/{code_list}/crosswalk", response_model=CrosswalkPage, responses=STREAMED)
def list_crosswalk(
    db: Connection,
    actor: ActorDep,
    request: Request,
    code_list: ListPath,
    query: Annotated[CrosswalkQuery, Query()],
) -> Response:
    """What the codes of one edition of a list became in another, with the documents that say so; of
    units, between two days. Codes of units are those of the units that I may read."""
    found = crosswalks.between(db, actor, code_list, query)
    beside = {"earlier": found.earlier.model_dump(), "later": found.later.model_dump()}
    return listing(request, db, query, CrosswalkRow, found.rows, beside=beside)
