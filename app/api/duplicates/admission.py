"""A person at the door: who on record may be the same, and her admission to a branch."""

from fastapi import Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity
from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.preferences import prefers
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.models.duplicates.duplicates import MatchRequest, MatchResult, MemberCreated
from app.models.members.members import MemberCreate
from app.services.duplicates import pairs
from app.services.members import checks, record

router = Router(prefix="/v1/members", tags=["members"])


@router.post(
    "",
    status_code=201,
    response_model=MemberCreated,
    responses={200: {"model": MemberCreated, "description": "Made by this very request before."}},
)
def create_member(
    session: Session, actor: ActorDep, request: Request, body: MemberCreate
) -> Response:
    """Admit a person to a branch. With her own `id`, sending it twice makes one member.

    `warnings` name what looks wrong and is stored all the same. `duplicates` are who on record may
    be the same person; each pair is in the inbox (`/v1/duplicates`). With
    `Prefer: duplicates=reject` nothing is stored then: 409 `duplicate_suspected` with `candidates`.
    """
    reject = prefers(request, "duplicates") == "reject"
    member, is_new, found, compared = pairs.admit(session, actor, body, reject=reject)
    item, doubts = record.read(session, actor, member, is_new=is_new)
    doubts = [
        *checks.name_doubts(body.typed_name),
        *doubts,
        *pairs.doubts(found, compared=compared),
    ]
    warnings = checks.warnings(doubts, request_context.get().language)
    item |= {"warnings": warnings, "duplicates": found}
    status, location = 201 if is_new else 200, f"/v1/members/{member.id}"
    answer = entity(request, item, status=status, location=location)
    answer.headers["Preference-Applied"] = f"duplicates={'reject' if reject else 'flag'}"
    return answer


@router.post("/match", response_model=MatchResult)
def match_member(
    db: Connection, actor: ActorDep, request: Request, body: MatchRequest
) -> MatchResult:
    """Who on record may be this person: a read, by POST because an address is no place for her data.

    A `citizen_id` alone finds who has exactly this number, for those who may read it. Out of my scope
    the answer holds only the unit to ask, only for those who enter people, and only of people named
    in full: by an identity number, or by the name with the whole date of birth or the phone. 429
    after too many questions.
    """
    found = pairs.match(db, server_of(request).database, actor, body)
    return MatchResult.model_validate({"candidates": found})
