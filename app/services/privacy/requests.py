"""The register of requests about personal data: deadlines, assignee, answer."""

from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.errors import Problem, invalid, not_found
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account, AccountStatus
from app.models.members.members import Member
from app.models.privacy.consents import Evidence, EvidenceKind
from app.models.privacy.limits import LimitKind
from app.models.privacy.requests import (
    OPEN_REQUESTS,
    Channel,
    OwnRequestCreate,
    PrivacyRequest,
    RequestAssign,
    RequestComplete,
    RequestCreate,
    RequestExtend,
    RequestRefuse,
    RequestState,
)
from app.models.privacy.rules import RequestKind
from app.services.kernel.access import Actor, Expected, ensure_revision, require_somewhere
from app.services.kernel.actors import grants_of
from app.services.kernel.created_once import created_once, holds
from app.services.members import persons
from app.services.members.own import herself, own_id
from app.services.notices import inbox
from app.services.privacy import consents, limits, rules

_ABOUT_A_PURPOSE = (RequestKind.withdraw, RequestKind.object)
_LIMITS = {RequestKind.restrict: LimitKind.restriction, RequestKind.object: LimitKind.objection}


# -- asking


def create(
    session: Session, actor: Actor, member_id: UUID, body: RequestCreate
) -> tuple[PrivacyRequest, bool]:
    """Register a request made on paper, by phone or in person."""
    persons.hold_alone(session, [member_id])
    person = persons.access_member(
        session, actor, member_id, Right.privacy_record, restricted_too=True
    )
    received = body.received_on or local_today()
    return _register(session, actor, person, body, body.channel, received, body.with_processors)


def create_own(
    session: Session, actor: Actor, body: OwnRequestCreate
) -> tuple[PrivacyRequest, bool]:
    """Ask for something of my own data; the deadlines run from today."""
    member_id = own_id(actor)
    persons.hold_alone(session, [member_id])
    person = persons.access_member(
        session, herself(actor), member_id, Right.privacy_record, restricted_too=True
    )
    return _register(session, actor, person, body, Channel.app, local_today(), False)


def _register(
    session: Session,
    actor: Actor,
    person: Any,
    body: OwnRequestCreate,
    channel: Channel,
    received_on: date,
    with_processors: bool,
) -> tuple[PrivacyRequest, bool]:
    _ensure_purpose(session, body)
    sent = {
        "kind": body.kind,
        "purpose": body.purpose,
        "note": body.note,
        "channel": channel,
        "with_processors": with_processors,
    }
    # Without the day: what is sent again may come on another one.
    request, is_new = created_once(
        session,
        PrivacyRequest,
        body.id,
        partial(_made, session, actor, person, body, sent, received_on),
        same=holds(sent | {"member_id": person.id}),
    )
    if is_new:
        kind, right = WAITING.name, Right.privacy_manage
        inbox.ask(session, actor, kind, request.id, right, person.branch_id)
    return request, is_new


WAITING = inbox.waiting(
    "privacy_request_waits",
    "Yêu cầu về dữ liệu cá nhân chờ xử lý",
    "A request about personal data waits for you",
    "/v1/privacy/requests/{entity_id}",
    sa.select(col(PrivacyRequest.id), col(Member.branch_id).label("waits_for"))
    .join(Member, col(Member.id) == col(PrivacyRequest.member_id))
    .where(col(PrivacyRequest.state).in_(OPEN_REQUESTS)),
    Right.privacy_manage,
)


def _made(
    session: Session,
    actor: Actor,
    person: Any,
    body: OwnRequestCreate,
    sent: dict[str, Any],
    received_on: date,
) -> PrivacyRequest:
    _ensure_no_other(session, person.id, body)
    due = rules.of(session).due(body.kind, received_on, with_processors=sent["with_processors"])
    now = utc_now()
    return PrivacyRequest(
        **sent,
        member_id=person.id,
        province_id=person.province_id,
        state=RequestState.received,
        received_on=received_on,
        rules=due.version,
        answer_due_on=due.answer_on,
        due_on=due.on,
        requested_by=actor.account_id,
        created_at=now,
        updated_at=now,
    )


def _ensure_purpose(session: Session, body: OwnRequestCreate) -> None:
    if body.kind not in _ABOUT_A_PURPOSE:
        if body.purpose is not None:
            raise invalid("purpose_without_objection", "/purpose")
        return
    if body.purpose is None:
        raise invalid("required", "/purpose")
    if body.kind is RequestKind.withdraw:
        rules.of(session).ensure_asked_for(body.purpose, "/purpose")
    else:
        rules.of(session).find_purpose(body.purpose, "/purpose")


def _ensure_no_other(session: Session, member_id: UUID, body: OwnRequestCreate) -> None:
    other = session.execute(
        sa.select(col(PrivacyRequest.id))
        .where(
            col(PrivacyRequest.member_id) == member_id,
            col(PrivacyRequest.kind) == body.kind,
            col(PrivacyRequest.purpose).is_not_distinct_from(body.purpose),
            col(PrivacyRequest.state).in_(OPEN_REQUESTS),
        )
        .limit(1)
    ).scalar_one_or_none()
    if other is not None:
        raise Problem("privacy_request_open", extra={"request_id": str(other)})


# -- answering


def _access(
    session: Session, actor: Actor, request_id: UUID, expected: Expected
) -> tuple[PrivacyRequest, Any]:
    whose = sa.select(col(PrivacyRequest.member_id)).where(col(PrivacyRequest.id) == request_id)
    member_id = session.execute(whose).scalar_one_or_none()
    if member_id is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    persons.hold_alone(session, [member_id])
    person = persons.access_member(
        session, actor, member_id, Right.privacy_manage, restricted_too=True
    )
    request = session.get_one(PrivacyRequest, request_id, with_for_update=True)
    ensure_revision(request.revision, expected)
    return request, person


def _ensure_open(request: PrivacyRequest) -> None:
    if request.state not in OPEN_REQUESTS:
        raise Problem("privacy_request_state", status=request.state)


def acknowledge(
    session: Session, actor: Actor, request_id: UUID, expected: Expected
) -> PrivacyRequest:
    """Acknowledge the receipt; the actor becomes the assignee, unless there is one."""
    request, _ = _access(session, actor, request_id, expected)
    _ensure_open(request)
    if request.state is RequestState.received:
        request.state = RequestState.acknowledged
        request.acknowledged_by = actor.account_id
        request.acknowledged_at = utc_now()
        request.assigned_to = request.assigned_to or actor.account_id
        session.flush()
    return request


def assign(
    session: Session, actor: Actor, request_id: UUID, body: RequestAssign, expected: Expected
) -> PrivacyRequest:
    """Assign the request to another officer who may answer it."""
    request, person = _access(session, actor, request_id, expected)
    _ensure_open(request)
    known = sa.select(col(Account.id)).where(
        col(Account.id) == body.account_id, col(Account.status) == AccountStatus.active
    )
    right = Right.privacy_manage
    grants = grants_of(session, body.account_id) if session.execute(known).first() else ()
    if not any(right in grant.rights and grant.reach.contains(person) for grant in grants):
        raise invalid("assignee_unknown", "/account_id")
    request.assigned_to = body.account_id
    session.flush()
    return request


def extend(
    session: Session, actor: Actor, request_id: UUID, body: RequestExtend, expected: Expected
) -> PrivacyRequest:
    """Extend the deadline, once, for a reason given to the member."""
    request, _ = _access(session, actor, request_id, expected)
    _ensure_open(request)
    most = rules.of(session).deadlines_of(request.rules).extension_days
    if request.state is RequestState.extended or body.days > most:
        raise invalid("extension_too_long", "/days", max=str(most))
    request.due_on += timedelta(days=body.days)
    request.state = RequestState.extended
    request.acknowledged_by = request.acknowledged_by or actor.account_id
    request.acknowledged_at = request.acknowledged_at or utc_now()
    request.extended_by = actor.account_id
    request.extension_reason = body.reason
    session.flush()
    return request


def complete(
    session: Session, actor: Actor, request_id: UUID, body: RequestComplete, expected: Expected
) -> PrivacyRequest:
    """It is done: a consent is taken back, a restriction or an objection is in force from now on.
    An erasure is done by itself, and closes its request."""
    request, person = _access(session, actor, request_id, expected)
    if request.state is RequestState.done and request.answer == body.answer:
        return request
    _ensure_open(request)
    if request.kind is RequestKind.erase:
        raise Problem("erasure_by_itself")
    if request.kind is RequestKind.withdraw:
        assert request.purpose is not None  # noqa: S101  # it was required
        evidence = Evidence(kind=_EVIDENCE[request.channel], reference=f"request {request.id}")
        consents.withdraw_purpose(session, actor, request.member_id, request.purpose, evidence)
    if limit := _LIMITS.get(request.kind):
        limits.impose(session, actor, person, limit, request.purpose, request.id)
    close(session, actor, request, RequestState.done, body.answer)
    return request


_EVIDENCE = {
    Channel.app: EvidenceKind.app,
    Channel.paper: EvidenceKind.paper,
    Channel.message: EvidenceKind.message,
    Channel.in_person: EvidenceKind.verbal_witnessed,
    Channel.phone: EvidenceKind.verbal_witnessed,
}


def refuse(
    session: Session, actor: Actor, request_id: UUID, body: RequestRefuse, expected: Expected
) -> PrivacyRequest:
    """Refuse the request, for a reason that the law allows."""
    request, _ = _access(session, actor, request_id, expected)
    if request.state is RequestState.refused and (request.refusal_reason, request.answer) == (
        body.reason,
        body.answer,
    ):
        return request
    _ensure_open(request)
    if body.reason is body.reason.other and body.answer is None:
        raise invalid("required", "/answer")
    request.refusal_reason = body.reason
    close(session, actor, request, RequestState.refused, body.answer)
    return request


def cancel_own(
    session: Session, actor: Actor, request_id: UUID, expected: Expected
) -> PrivacyRequest:
    """I ask for it no longer; once more changes nothing."""
    member_id = own_id(actor)
    persons.hold_alone(session, [member_id])
    request = session.get(PrivacyRequest, request_id, with_for_update=True)
    if request is None or request.member_id != member_id:
        raise not_found()
    ensure_revision(request.revision, expected)
    if request.state is not RequestState.cancelled:
        _ensure_open(request)
        close(session, actor, request, RequestState.cancelled, None)
    return request


def find_to_erase(session: Session, member_id: UUID, request_id: UUID | None) -> PrivacyRequest:
    """Her open request to be erased; 409 when she has not asked for it."""
    found = None if request_id is None else session.get(PrivacyRequest, request_id)
    if (
        found is None
        or found.member_id != member_id
        or found.kind is not RequestKind.erase
        or found.state not in OPEN_REQUESTS
    ):
        raise Problem("erasure_not_asked")
    return found


def close(
    session: Session,
    actor: Actor,
    request: PrivacyRequest,
    state: RequestState,
    answer: str | None,
) -> None:
    request.state = state
    request.answer = answer
    request.closed_by = actor.account_id
    request.closed_at = utc_now()
    session.flush()
