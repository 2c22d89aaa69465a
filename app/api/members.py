"""Members."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.conditional import TAGGED, chosen_fields, entity, expected_revision
from app.api.deps import ActorDep
from app.api.paging import STREAMED, Key, Row, listing
from app.api.routing import Router, short_read
from app.models.base import Fields
from app.models.members import MemberCreate, MemberPage, MemberQuery, MemberRead, MemberUpdate
from app.services import member_list, members

router = Router(prefix="/v1/members", tags=["members"])


@router.get("", response_model=MemberPage, responses=STREAMED)
def list_members(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[MemberQuery, Query()]
) -> Response:
    """Members in my scope in Vietnamese name order: given name, family name, middle names."""

    def fetch(db: Connection, after: Key | None, limit: int) -> list[Row]:
        return member_list.list_members(db, actor, query, after, limit)  # type: ignore[return-value]  # a narrower key

    return listing(request, db, query, MemberRead, fetch)


@router.post(
    "",
    status_code=201,
    response_model=MemberRead,
    responses={200: {"model": MemberRead, "description": "Made by this very request before."}},
)
def create_member(
    session: Session, actor: ActorDep, request: Request, body: MemberCreate
) -> Response:
    """Admit a person to a branch. With her own `id`, sending it twice makes one member."""
    member, is_new = members.create(session, actor, body)
    item = members.read(actor, member)
    return entity(request, item, status=201 if is_new else 200, location=f"/v1/members/{member.id}")


@router.get("/{member_id}", response_model=MemberRead, responses=TAGGED)
@short_read
def get_member(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: UUID,
    query: Annotated[Fields, Query()],
) -> Response:
    """One member; what I may not see is null and named in `masked`."""
    fields = chosen_fields(query.fields, MemberRead)
    return entity(request, members.get_member(db, actor, member_id), fields=fields)


@router.patch("/{member_id}", response_model=MemberRead)
def update_member(
    session: Session, actor: ActorDep, request: Request, member_id: UUID, body: MemberUpdate
) -> Response:
    """Correct a member's record (JSON merge patch)."""
    item = members.update(session, actor, member_id, body, expected_revision(request))
    return entity(request, item)
