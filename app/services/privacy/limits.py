"""Limits on what may be done with a member's data: restrictions, objections, legal holds."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.errors import Problem, invalid, not_found
from app.models.kernel.access import Right
from app.models.privacy.limits import (
    LegalHoldCreate,
    LimitKind,
    LimitLift,
    LimitQuery,
    LimitRead,
    ProcessingLimit,
    RestrictionCreate,
)
from app.models.privacy.requests import PrivacyRequest
from app.services.kernel.access import Actor, Db, Expected, ensure_revision, require_somewhere
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.members import persons, record
from app.services.privacy import rules

_COLUMNS = [getattr(ProcessingLimit, name) for name in LimitRead.model_fields if name != "in_force"]


def in_force() -> sa.ColumnElement[bool]:
    today = local_today()
    return sa.and_(
        col(ProcessingLimit.valid_from) <= today,
        sa.or_(col(ProcessingLimit.valid_to).is_(None), col(ProcessingLimit.valid_to) >= today),
    )


def objects(member_id: Any, purpose: Any) -> sa.ColumnElement[bool]:
    """She objects to a purpose. Objections have no end until they are lifted, as of yesterday."""
    return sa.exists(
        sa.select(col(ProcessingLimit.id)).where(
            col(ProcessingLimit.member_id) == member_id,
            col(ProcessingLimit.kind) == LimitKind.objection,
            col(ProcessingLimit.purpose) == purpose,
            col(ProcessingLimit.valid_to).is_(None),
        )
    )


def _item(row: Mapping[str, Any]) -> dict[str, Any]:
    today = local_today()
    ends = row["valid_to"]
    held = row["valid_from"] <= today and (ends is None or ends >= today)
    return {name: held if name == "in_force" else row[name] for name in LimitRead.model_fields}


def read(limit: ProcessingLimit) -> dict[str, Any]:
    return _item(limit.model_dump())


def list_of_member(db: Db, actor: Actor, member_id: UUID, query: LimitQuery) -> Pages:
    """Those of one member, oldest first."""
    persons.access_member(db, actor, member_id, Right.privacy_read, restricted_too=True)
    statement = sa.select(*_COLUMNS).where(col(ProcessingLimit.member_id) == member_id)
    if query.kind is not None:
        statement = statement.where(col(ProcessingLimit.kind) == query.kind)
    if query.in_force is not None:
        held = in_force()
        statement = statement.where(held if query.in_force else sa.not_(held))
    return pages(statement, Order(col(ProcessingLimit.id)), each(lambda row: _item(row._asdict())))


# -- setting


def create(
    session: Session, actor: Actor, member_id: UUID, body: RestrictionCreate
) -> tuple[ProcessingLimit, bool]:
    """Restrict her whole record, or its use for one purpose; the same body again creates no second."""
    person = _manage(session, actor, member_id)
    if body.kind is LimitKind.legal_hold:
        raise invalid("not_in_list", "/kind", allowed=["restriction", "objection"])
    if body.kind is LimitKind.objection:
        if body.purpose is None:
            raise invalid("required", "/purpose")
        rules.of(session).find_purpose(body.purpose, "/purpose")
    elif body.purpose is not None:
        raise invalid("purpose_without_objection", "/purpose")
    if body.request_id is not None:
        _ensure_hers(session, member_id, body.request_id)
    sent = body.model_dump(include={"kind", "purpose", "request_id", "note"})
    return _set(session, actor, person, body.id, sent)


def hold(
    session: Session, actor: Actor, member_id: UUID, body: LegalHoldCreate
) -> tuple[ProcessingLimit, bool]:
    """Keep her record from being erased: a case or a decision needs it."""
    person = _manage(session, actor, member_id)
    if body.valid_to is not None and body.valid_to < local_today():
        raise invalid("date_in_past", "/valid_to")
    sent = body.model_dump(include={"reference", "note", "valid_to"})
    return _set(session, actor, person, body.id, {"kind": LimitKind.legal_hold, **sent})


def impose(
    session: Session,
    actor: Actor,
    person: Any,
    kind: LimitKind,
    purpose: str | None,
    request_id: UUID,
) -> None:
    """What a request of hers asks for; nothing where it is in force already."""
    if _same_in_force(session, person.id, kind, purpose, None) is None:
        sent = {"kind": kind, "purpose": purpose, "request_id": request_id}
        _set(session, actor, person, None, sent)


def _manage(session: Session, actor: Actor, member_id: UUID) -> Any:
    persons.hold_alone(session, [member_id])
    return persons.access_member(
        session, actor, member_id, Right.privacy_manage, restricted_too=True
    )


def _ensure_hers(session: Session, member_id: UUID, request_id: UUID) -> None:
    whose = sa.select(col(PrivacyRequest.member_id)).where(col(PrivacyRequest.id) == request_id)
    if session.execute(whose).scalar_one_or_none() != member_id:
        raise invalid("request_unknown", "/request_id")


def _same_in_force(
    session: Session, member_id: UUID, kind: LimitKind, purpose: str | None, reference: str | None
) -> UUID | None:
    statement = sa.select(col(ProcessingLimit.id)).where(
        col(ProcessingLimit.member_id) == member_id,
        col(ProcessingLimit.kind) == kind,
        in_force(),
        col(ProcessingLimit.purpose).is_not_distinct_from(purpose),
        col(ProcessingLimit.reference).is_not_distinct_from(reference),
    )
    return session.execute(statement.limit(1)).scalar_one_or_none()


def _set(
    session: Session, actor: Actor, person: Any, limit_id: UUID | None, sent: dict[str, Any]
) -> tuple[ProcessingLimit, bool]:
    limit, is_new = created_once(
        session,
        ProcessingLimit,
        limit_id,
        partial(_made, session, actor, person, sent),
        same=holds({**sent, "member_id": person.id}),
    )
    if is_new and limit.kind is LimitKind.restriction:
        record.mark_restricted(session, person.id, restricted=True)
    return limit, is_new


def _made(session: Session, actor: Actor, person: Any, sent: dict[str, Any]) -> ProcessingLimit:
    found = _same_in_force(
        session, person.id, sent["kind"], sent.get("purpose"), sent.get("reference")
    )
    if found is not None:
        raise Problem("limit_exists", extra={"limit_id": str(found)})
    now = utc_now()
    return ProcessingLimit(
        **sent,
        member_id=person.id,
        province_id=person.province_id,
        valid_from=local_today(),
        set_by=actor.account_id,
        created_at=now,
        updated_at=now,
    )


def lift(
    session: Session, actor: Actor, limit_id: UUID, body: LimitLift, expected: Expected
) -> ProcessingLimit:
    """It held until yesterday; once more changes nothing."""
    whose = sa.select(col(ProcessingLimit.member_id)).where(col(ProcessingLimit.id) == limit_id)
    member_id = session.execute(whose).scalar_one_or_none()
    if member_id is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    _manage(session, actor, member_id)
    limit = session.get_one(ProcessingLimit, limit_id, with_for_update=True)
    ensure_revision(limit.revision, expected)
    if limit.lifted_by is not None and limit.lifted_note == body.note:
        return limit
    yesterday = local_today() - timedelta(days=1)
    if limit.valid_to is not None and limit.valid_to <= yesterday:
        raise Problem("limit_lifted", valid_to=limit.valid_to.isoformat())
    limit.valid_to = yesterday
    limit.lifted_by = actor.account_id
    limit.lifted_note = body.note
    session.flush()
    if limit.kind is LimitKind.restriction:
        record.mark_restricted(session, member_id, restricted=False)
    return limit
