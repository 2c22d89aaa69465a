"""Consents: members' answers to each purpose of using their data."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.ids import MemberPath
from app.api.http.paging import STREAMED, is_file, listing
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.models.base import ListQuery
from app.models.privacy.consents import (
    ConsentCount,
    ConsentCountQuery,
    ConsentCreate,
    ConsentPage,
    ConsentQuery,
    ConsentRead,
    ConsentStanding,
    OwnConsentCreate,
    StandingPage,
    Withdrawal,
)
from app.models.privacy.rules import PurposeList
from app.services.members.own import herself, own_id
from app.services.privacy import consents, rules

router = Router(prefix="/v1", tags=["privacy"])
own = Router(prefix="/v1/me/consents", tags=["own record"])
ConsentPath = Annotated[UUID, Path(description="Id of the consent.")]
_AGAIN: dict[int | str, dict[str, Any]] = {
    200: {"model": ConsentRead, "description": "Recorded by this very request before."}
}


@router.get("/privacy/purposes", response_model=PurposeList)
async def list_purposes(actor: ActorDep, request: Request) -> PurposeList:  # noqa: ARG001  # the guard itself
    """What members' data is used for, the words she is shown, and which of it needs consent."""
    return rules.rule_book(server_of(request).settings.privacy_rules_dir).purposes


@router.get("/members/{member_id}/consents", response_model=ConsentPage, responses=STREAMED)
def list_consents(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """All her answers to each purpose, the latest first."""
    return listing(request, db, query, ConsentRead, consents.list_of_member(db, actor, member_id))


@router.post(
    "/members/{member_id}/consents", status_code=201, response_model=ConsentRead, responses=_AGAIN
)
def create_consent(
    session: Session, actor: ActorDep, request: Request, member_id: MemberPath, body: ConsentCreate
) -> Response:
    """Record her answer to a purpose, with the evidence; it supersedes the earlier one.

    A minor, or a member who may be one, needs her legal representative.
    """
    consent, is_new = consents.create(session, actor, member_id, body)
    return entity(request, consents.read(consent), status=201 if is_new else 200)


@router.post("/consents/{consent_id}/withdraw", response_model=ConsentRead, if_match=True)
def withdraw_consent(
    session: Session, actor: ActorDep, request: Request, consent_id: ConsentPath, body: Withdrawal
) -> Response:
    """She takes her consent back; what was done until then stays lawful."""
    expected = expected_revisions(request)
    return entity(
        request, consents.read(consents.withdraw(session, actor, consent_id, body, expected))
    )


@router.get("/privacy/consents", response_model=StandingPage, responses=STREAMED)
def list_consent_standings(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ConsentQuery, Query()]
) -> Response:
    """Where each member stands towards a purpose, in name order: `state=given` are those whose
    data may be used for it. Who objects is `objected`, whatever she consented to before.

    A file leaves out restricted records, unless `privacy:manage` is held over all that is asked.
    """
    as_file = is_file(request, query)
    found = consents.list_standings(db, actor, query, as_file=as_file)
    return listing(request, db, query, ConsentStanding, found)


@router.get("/privacy/consents/count", response_model=ConsentCount)
def count_consents(
    db: Connection, actor: ActorDep, query: Annotated[ConsentCountQuery, Query()]
) -> ConsentCount:
    """How many members stand where towards a purpose, in people."""
    return consents.count(db, actor, query)


@own.get("", response_model=ConsentPage, responses=STREAMED)
def list_own_consents(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ListQuery, Query()]
) -> Response:
    """My answers to each purpose, the latest first."""
    me, mine = herself(actor), own_id(actor)
    return listing(request, db, query, ConsentRead, consents.list_of_member(db, me, mine))


@own.post("", status_code=201, response_model=ConsentRead, responses=_AGAIN)
def create_own_consent(
    session: Session, actor: ActorDep, request: Request, body: OwnConsentCreate
) -> Response:
    """Say yes or no to a purpose, to the text I was shown (`text` of GET /v1/privacy/purposes)."""
    consent, is_new = consents.create_own(session, actor, body)
    return entity(request, consents.read(consent), status=201 if is_new else 200)


@own.post("/{consent_id}/withdraw", response_model=ConsentRead, if_match=True)
def withdraw_own_consent(
    session: Session, actor: ActorDep, request: Request, consent_id: ConsentPath
) -> Response:
    """I take my consent back, at once and without a reason."""
    consent = consents.withdraw_own(session, actor, consent_id, expected_revisions(request))
    return entity(request, consents.read(consent))
