"""Pictures of sessions."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.ids import SessionPath
from app.api.http.kept_files import FILE, FileResponse, linked, sent
from app.api.http.paging import STREAMED, listing
from app.api.http.ranges import ASKED
from app.api.http.routing import Router
from app.models.base import ListQuery
from app.models.events.pictures import PictureCreate, PicturePage, PictureRead, PictureUpdate
from app.models.files.files import FileLinkCreate, FileLinkRead, FileQuery
from app.services.events import pictures

router = Router(prefix="/v1", tags=["events"])
PicturePath = Annotated[UUID, Path(description="Id of the picture.")]


@router.get("/sessions/{session_id}/pictures", response_model=PicturePage, responses=STREAMED)
def list_session_pictures(
    db: Connection,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """The pictures of a session, in their order."""
    return listing(request, db, query, PictureRead, pictures.list_pictures(db, actor, session_id))


@router.post(
    "/sessions/{session_id}/pictures",
    status_code=201,
    response_model=PictureRead,
    responses={200: {"model": PictureRead, "description": "Made by this very request before."}},
)
def create_session_picture(
    session: Session,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    body: PictureCreate,
) -> Response:
    """Add a picture that I have sent to /v1/files, before the session, or after it was closed."""
    picture, is_new = pictures.create(session, actor, session_id, body)
    return entity(request, pictures.read(picture), status=201 if is_new else 200)


@router.patch("/session-pictures/{picture_id}", response_model=PictureRead)
def update_session_picture(
    session: Session,
    actor: ActorDep,
    request: Request,
    picture_id: PicturePath,
    body: PictureUpdate,
) -> Response:
    """Change its place, its caption or who took it (JSON merge patch)."""
    expected = expected_revisions(request)
    picture = pictures.update(session, actor, picture_id, body, expected)
    return entity(request, pictures.read(picture))


@router.delete("/session-pictures/{picture_id}", status_code=204)
def delete_session_picture(session: Session, actor: ActorDep, picture_id: PicturePath) -> None:
    """Remove a picture; its file is deleted for good."""
    pictures.delete(session, actor, picture_id)


@router.get(
    "/session-pictures/{picture_id}/content",
    response_class=FileResponse,
    responses=FILE,
    head=True,
    openapi_extra=ASKED,
)
def get_session_picture(
    db: Connection,
    actor: ActorDep,
    request: Request,
    picture_id: PicturePath,
    query: Annotated[FileQuery, Query()],
) -> Response:
    """The picture itself, for all who may read the session."""
    return sent(request, pictures.content(db, actor, picture_id, query.size))


@router.post("/session-pictures/{picture_id}/links", status_code=201, response_model=FileLinkRead)
def create_session_picture_link(
    db: Connection, actor: ActorDep, picture_id: PicturePath, body: FileLinkCreate
) -> Response:
    """A link to the picture for a page that cannot send my token. It ends by itself, and with the
    picture."""
    return linked(db, pictures.content(db, actor, picture_id, body.size), body)
