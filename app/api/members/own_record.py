"""The member's own record: its fields, her memberships, the corrections she asks for."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import chosen_fields, entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.ids import CorrectionPath
from app.api.http.kept_files import FILE, FileResponse, sent
from app.api.http.paging import STREAMED, listing
from app.api.http.ranges import ASKED
from app.api.http.routing import Router
from app.models.base import Fields, ListQuery
from app.models.files.files import FileQuery
from app.models.members.corrections import (
    CorrectionCreate,
    CorrectionPage,
    CorrectionRead,
    OwnUpdate,
)
from app.models.members.members import MemberRead
from app.models.members.own import OwnBranchRead
from app.models.members.spells import MembershipPage, MembershipRead
from app.services.members import corrections, photos, record, spells
from app.services.members.own import branch, herself, own_id, update

router = Router(prefix="/v1/me", tags=["own record"])


@router.get("/member", response_model=MemberRead)
def get_own_record(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[Fields, Query()]
) -> Response:
    """My whole record, nothing masked; 404 `no_own_record` when my account is not linked to one."""
    fields = chosen_fields(query.fields, MemberRead)
    return entity(request, record.get_member(db, herself(actor), own_id(actor)), fields=fields)


@router.get(
    "/member/photo", response_class=FileResponse, responses=FILE, head=True, openapi_extra=ASKED
)
def get_own_photo(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[FileQuery, Query()]
) -> Response:
    """The photo of my record; 404 when there is none."""
    mine = record.get_member(db, herself(actor), own_id(actor))
    return sent(request, photos.of_record(db, mine, query.size))


@router.patch("/member", response_model=MemberRead)
def update_own_record(
    session: Session, actor: ActorDep, request: Request, body: OwnUpdate
) -> Response:
    """Correct my contact data, at once. For all else there is POST /v1/me/corrections."""
    return entity(request, update(session, actor, body, expected_revisions(request)))


@router.get("/branch", response_model=OwnBranchRead)
def get_own_branch(db: Connection, actor: ActorDep) -> OwnBranchRead:
    """My branch, commune and province, and how to reach the head of my branch."""
    return branch(db, actor)


@router.get("/memberships", response_model=MembershipPage, responses=STREAMED)
def list_own_memberships(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ListQuery, Query()]
) -> Response:
    """The branches I have been a member of, oldest first."""
    found = spells.list_of_member(db, herself(actor), own_id(actor))
    return listing(request, db, query, MembershipRead, found)


@router.get("/corrections", response_model=CorrectionPage, responses=STREAMED)
def list_own_corrections(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ListQuery, Query()]
) -> Response:
    """The corrections I have asked for, oldest first, and what became of them."""
    return listing(request, db, query, CorrectionRead, corrections.list_own(actor))


@router.post(
    "/corrections",
    status_code=201,
    response_model=CorrectionRead,
    responses={200: {"model": CorrectionRead, "description": "Made by this very request before."}},
)
def ask_for_correction(
    session: Session, actor: ActorDep, request: Request, body: CorrectionCreate
) -> Response:
    """Ask for other values in my record; an officer decides."""
    item, is_new = corrections.create(session, actor, body)
    return entity(request, item, status=201 if is_new else 200, derived=True)


@router.post("/corrections/{correction_id}/cancel", response_model=CorrectionRead, if_match=True)
def cancel_correction(
    session: Session, actor: ActorDep, request: Request, correction_id: CorrectionPath
) -> Response:
    """Ask for it no longer, as long as nobody has decided."""
    item = corrections.cancel(session, actor, correction_id, expected_revisions(request))
    return entity(request, item, derived=True)
