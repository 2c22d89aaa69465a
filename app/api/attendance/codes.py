"""Codes that are read with a phone: cards of members, the changing code of a session."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import BaseModel
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.attendance.verdicts import verdict
from app.api.http.conditional import entity
from app.api.http.deps import ActorDep
from app.api.http.ids import MemberPath, SessionPath
from app.api.http.pictures import qr_code
from app.api.http.routing import Router
from app.json_values import json_bytes
from app.models.attendance.attendance import CaptureVerdict, CheckIn
from app.models.attendance.cards import (
    CardRead,
    CardRevocation,
    CodeQuery,
    Picture,
    PictureQuery,
    SessionCodeRead,
)
from app.services.attendance import cards, code_keys, codes
from app.services.attendance import check_in as check_ins
from app.services.members.own import own_id

router = Router(prefix="/v1", tags=["attendance"])
public = Router(tags=["attendance"], public=True)
JSON = "application/json"
# A code is a key to a meeting: no cache keeps it.
_PRIVATE = {"Cache-Control": "no-store"}
_PICTURES = {Picture.png: "image/png", Picture.svg: "image/svg+xml"}
PICTURES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The code; with `format`, as a picture.",
        "content": {media_type: {} for media_type in _PICTURES.values()},
    }
}
ISSUED: dict[int | str, dict[str, Any]] = {
    200: {"model": CardRead, "description": "She has a good card: this one."}
}


class CardKeys(BaseModel):
    keys: list[dict[str, Any]]


@public.get("/.well-known/card-keys.json", response_model=CardKeys)
def get_card_keys(db: Connection) -> CardKeys:
    """Public keys that verify cards of members without a network (RFC 8037, Ed25519): all that have
    ever signed one, the newest first."""
    return CardKeys(keys=codes.public_keys(code_keys.ring_of(db)))


@router.post(
    "/members/{member_id}/card", status_code=201, response_model=CardRead, responses=ISSUED
)
def issue_card(
    session: Session, actor: ActorDep, request: Request, member_id: MemberPath
) -> Response:
    """Issue a member's card. She has one that is good at a time: revoke it to issue another."""
    person = cards.access(session, actor, member_id)
    item, is_new = cards.issue(session, person)
    return _card(request, item, is_new=is_new)


@router.get("/members/{member_id}/card", response_model=CardRead, responses=PICTURES)
def get_card(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    query: Annotated[PictureQuery, Query()],
) -> Response:
    """A member's card, or its QR code to print; 404 when none was issued."""
    cards.access(db, actor, member_id)
    return _shown(request, cards.read(db, member_id), query.format)


@router.post("/members/{member_id}/card/revoke", response_model=CardRead)
def revoke_card(
    session: Session, actor: ActorDep, request: Request, member_id: MemberPath, body: CardRevocation
) -> Response:
    """Revoke a lost or stolen card: it is refused from now on."""
    cards.access(session, actor, member_id)
    return entity(request, cards.revoke(session, member_id, body), derived=True)


@router.post("/me/card", status_code=201, response_model=CardRead, responses=ISSUED)
def issue_own_card(session: Session, actor: ActorDep, request: Request) -> Response:
    """My card, to hold up at a meeting; issued if I have none that is good."""
    person = cards.own(session, own_id(actor))
    item, is_new = cards.issue(session, person)
    return _card(request, item, is_new=is_new)


@router.get("/me/card", response_model=CardRead, responses=PICTURES)
def get_own_card(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[PictureQuery, Query()]
) -> Response:
    """My card, or its QR code; 404 when none was issued."""
    return _shown(request, cards.read(db, own_id(actor)), query.format)


@router.get("/sessions/{session_id}/code", response_model=SessionCodeRead, responses=PICTURES)
def get_session_code(
    db: Connection, actor: ActorDep, session_id: SessionPath, query: Annotated[CodeQuery, Query()]
) -> Response:
    """The code to show at a session, changing every 30 seconds; or one to print.

    Members read it with their own phones (POST /v1/me/check-ins).
    """
    code = cards.session_code(db, actor, session_id, printed=query.printed)
    if query.format is Picture.json:
        return Response(json_bytes(code.model_dump()), 200, _PRIVATE, JSON)
    return _picture(code.token, query.format)


@router.post("/me/check-ins", response_model=CaptureVerdict)
def check_in(session: Session, actor: ActorDep, body: CheckIn) -> Response:
    """I am here: by the code on the screen of the session. One phone checks in one member.

    Read without a network it may be sent later; then it is flagged `unverified_time`.
    """
    answer = check_ins.check_in(session, actor, own_id(actor), body)
    return Response(json_bytes(verdict(answer)), media_type=JSON)


def _card(request: Request, item: Mapping[str, Any], *, is_new: bool) -> Response:
    return entity(request, item, status=201 if is_new else 200, derived=True)


def _shown(request: Request, item: Mapping[str, Any], kind: Picture) -> Response:
    if kind is Picture.json or item["token"] is None:
        return entity(request, item, derived=True)
    return _picture(item["token"], kind)


def _picture(token: str, kind: Picture) -> Response:
    drawn = qr_code(token, "png" if kind is Picture.png else "svg")
    return Response(drawn, 200, _PRIVATE, _PICTURES[kind])
