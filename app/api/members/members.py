"""Members."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import chosen_fields, entity, expected_revisions
from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.ids import MemberPath
from app.api.http.kept_files import FILE, FileResponse, linked, sent
from app.api.http.paging import STREAMED, figures, is_file, listing
from app.api.http.ranges import ASKED
from app.api.http.routing import Router
from app.models.files.files import FileLinkCreate, FileLinkRead, FileQuery
from app.models.members.lists import (
    CountRow,
    MemberAsOf,
    MemberCount,
    MemberCountQuery,
    MemberQuery,
)
from app.models.members.members import (
    MemberOnDay,
    MemberPage,
    MemberSaved,
    MemberUpdate,
)
from app.services.members import checks, counts, lists, past, photos, record

router = Router(prefix="/v1/members", tags=["members"])


@router.get("", response_model=MemberPage, responses=STREAMED)
def list_members(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[MemberQuery, Query()]
) -> Response:
    """Members in my scope in Vietnamese name order: given name, family name, middle names.

    `q` finds them as one types: first those whose given name is the last word, then those who have
    the word elsewhere, then what begins so; where tone marks were typed, those who have them first.
    A file leaves out restricted records, unless `privacy:manage` is held over all that is asked.

    Of a past day (`as_of`): who was in the union on it, in her branch and with her record of then, as
    far as I may read them today; in the order of their names of today.
    """
    asked = lists.as_file(db, actor, query) if is_file(request, query) else query
    return listing(request, db, query, MemberOnDay, lists.list_members(actor, asked))


@router.get("/count", response_model=MemberCount, responses=STREAMED)
def count_members(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[MemberCountQuery, Query()]
) -> Response:
    """Members in my scope, or of a `unit` below it, counted in people, by one of their fields.

    Of a past day (`as_of`) those who were in the union on it, in their units of that day, or of
    another (`hierarchy`).

    By ethnicity, religion or party, a caller who may not read them of everybody counted gets
    `rounded` figures: each a multiple of 5, above or below at random, and null under 10; the same
    people give the same figures. A past day is a 403 then: the figures of successive days would
    reveal who came and went. What this cannot hide: what nearly all of a unit have in common, and
    roughly how many there are, the better the more often somebody asks while other members come and
    go.
    """
    found = counts.count_members(db, actor, query)
    return figures(request, db, query, found, CountRow, counts.rows(found))


@router.get("/{member_id}", response_model=MemberOnDay, short_read=True)
def get_member(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    query: Annotated[MemberAsOf, Query()],
) -> Response:
    """One member, today or `as_of` a day; what I may not see is null and named in `masked`.

    An id that was merged away gives the record that was kept, with its own `id`. She is found by who
    may read her record today, wherever she stood then; a day before she was in the union is a 404.
    """
    fields = chosen_fields(query.fields, MemberOnDay)
    item = past.member_on(db, actor, member_id, query.as_of)
    answer = entity(request, item, fields=fields, derived=query.as_of is not None)
    if item["id"] != member_id:
        answer.headers["Content-Location"] = f"/v1/members/{item['id']}"
    return answer


@router.get(
    "/{member_id}/photo",
    response_class=FileResponse,
    responses=FILE,
    head=True,
    openapi_extra=ASKED,
)
def get_member_photo(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    query: Annotated[FileQuery, Query()],
) -> Response:
    """The picture that `photo` of the record names (`files/` and its id), for all who may read the
    record; 404 when it names none that was sent here."""
    return sent(request, photos.of_record(db, record.get_member(db, actor, member_id), query.size))


@router.post("/{member_id}/photo/links", status_code=201, response_model=FileLinkRead)
def create_photo_link(
    db: Connection, actor: ActorDep, member_id: MemberPath, body: FileLinkCreate
) -> Response:
    """A link to the photo for a page that cannot send my token. It ends by itself, with the photo, and
    not with my rights."""
    found = record.get_member(db, actor, member_id)
    return linked(db, photos.of_record(db, found, body.size), body)


@router.patch("/{member_id}", response_model=MemberSaved)
def update_member(
    session: Session, actor: ActorDep, request: Request, member_id: MemberPath, body: MemberUpdate
) -> Response:
    """Correct a member's record (JSON merge patch); `warnings` as for a new one."""
    item, doubts = record.update(session, actor, member_id, body, expected_revisions(request))
    warnings = checks.warnings(doubts, request_context.get().language)
    return entity(request, item | {"warnings": warnings})
