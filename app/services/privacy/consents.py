"""Consents of members to each purpose.

Silence is no consent, and earlier answers stay on record.
"""

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import AnySelect, on_sqlite
from app.errors import Problem, invalid, not_found
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.models.privacy.consents import (
    Consent,
    ConsentCount,
    ConsentCountQuery,
    ConsentCreate,
    ConsentDecision,
    ConsentQuery,
    ConsentRead,
    ConsentStanding,
    ConsentState,
    Evidence,
    EvidenceKind,
    OwnConsentCreate,
    Withdrawal,
)
from app.services.kernel.access import Actor, Db, Expected, ensure_revision, require_somewhere
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Key, Order, Pages, each, fields_of, in_memory, paged, pages
from app.services.kernel.reach import Reach, within
from app.services.members import persons
from app.services.members import scope as member_scope
from app.services.members.own import herself, own_id
from app.services.privacy import limits, rules
from app.services.privacy.rules import PrivacyRuleBook
from app.services.units.units import CURRENT_MEMBERS

_COMPUTED = ("state", "current")
_COLUMNS = [getattr(Consent, name) for name in ConsentRead.model_fields if name not in _COMPUTED]


def _item(row: Mapping[str, Any]) -> dict[str, Any]:
    state = ConsentState.withdrawn if row["withdrawn_on"] else ConsentState(row["decision"])
    computed = {"state": state, "current": row["superseded_at"] is None}
    return {
        name: computed[name] if name in computed else row[name] for name in ConsentRead.model_fields
    }


def read(consent: Consent) -> dict[str, Any]:
    return _item(consent.model_dump())


def list_of_member(db: Db, actor: Actor, member_id: UUID) -> Pages:
    """All answers of a member, the latest first."""
    persons.access_member(db, actor, member_id, Right.privacy_record, restricted_too=True)
    statement = sa.select(*_COLUMNS).where(col(Consent.member_id) == member_id)
    return pages(statement, Order(col(Consent.id).desc()), each(lambda row: _item(row._asdict())))


# -- recording


def create(
    session: Session, actor: Actor, member_id: UUID, body: ConsentCreate
) -> tuple[Consent, bool]:
    """Record her answer with its evidence; the same body again is no second answer."""
    persons.hold_alone(session, [member_id])
    person = persons.access_member(
        session, actor, member_id, Right.privacy_record, restricted_too=True
    )
    book = rules.of(session)
    purpose = book.ensure_asked_for(body.purpose, "/purpose")
    if body.evidence.reference is None:
        raise invalid("required", "/evidence/reference")
    guardian = body.representative
    if guardian is None and book.needs_representative(person.birth_date, body.recorded_on):
        raise _minor(book, "/representative", body.recorded_on)
    values = {
        "purpose": body.purpose,
        "decision": body.decision,
        "recorded_on": body.recorded_on,
        "representative": guardian and guardian.full_name,
        "representative_relation": guardian and guardian.relation,
        **_evidence(body.evidence),
    }
    return _record(session, actor, person, body.id, values, purpose.text)


def create_own(session: Session, actor: Actor, body: OwnConsentCreate) -> tuple[Consent, bool]:
    """My own answer, to the text that is in force now."""
    member_id = own_id(actor)
    persons.hold_alone(session, [member_id])
    person = persons.access_member(
        session, herself(actor), member_id, Right.privacy_record, restricted_too=True
    )
    book = rules.of(session)
    purpose = book.ensure_asked_for(body.purpose, "/purpose")
    today = local_today()
    values = {
        "purpose": body.purpose,
        "decision": body.decision,
        "recorded_on": today,
        **_evidence(Evidence(kind=EvidenceKind.app, reference=f"session {actor.session_id}")),
    }
    if body.id is not None and session.get(Consent, body.id) is not None:
        # Sent again on another day, or by another sign-in: her own words are the same.
        values |= dict.fromkeys(("recorded_on", "evidence_reference"))
    elif body.text != purpose.text:
        raise invalid("consent_text_outdated", "/text", expected=purpose.text)
    if book.needs_representative(person.birth_date, today):
        raise _minor(book, "/decision", today)
    return _record(session, actor, person, body.id, values, body.text)


def _minor(book: PrivacyRuleBook, pointer: str, on: date) -> Problem:
    age = book.deadlines_on(on).representative_below_age
    return invalid("representative_needed", pointer, age=str(age))


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "evidence": evidence.kind,
        "evidence_reference": evidence.reference,
        "note": evidence.note,
    }


def _record(
    session: Session,
    actor: Actor,
    person: Any,
    consent_id: UUID | None,
    values: dict[str, Any],
    text: str,
) -> tuple[Consent, bool]:
    sent = {name: value for name, value in values.items() if value is not None}
    return created_once(
        session,
        Consent,
        consent_id,
        partial(_made, session, actor, person, values, text),
        same=holds(sent | {"member_id": person.id}),
    )


def _made(
    session: Session, actor: Actor, person: Any, values: dict[str, Any], text: str
) -> Consent:
    """The answer, which supersedes the one before it: answers of one member wait for each other."""
    now = utc_now()
    current = session.exec(
        select(Consent).where(
            col(Consent.member_id) == person.id,
            col(Consent.purpose) == values["purpose"],
            col(Consent.superseded_at).is_(None),
        )
    ).one_or_none()
    if current is not None:
        last = max(current.recorded_on, current.withdrawn_on or current.recorded_on)
        if values["recorded_on"] < last:
            raise invalid("before_last_answer", "/recorded_on", date=last.isoformat())
        current.superseded_at = now
        session.flush()  # before the new one: the database holds no two that are current
    return Consent(
        **values,
        member_id=person.id,
        province_id=person.province_id,
        text=text,
        recorded_by=actor.account_id,
        created_at=now,
        updated_at=now,
    )


def withdraw(
    session: Session, actor: Actor, consent_id: UUID, body: Withdrawal, expected: Expected
) -> Consent:
    """Withdraw a consent; a repeated withdrawal changes nothing."""
    consent = _access(session, actor, consent_id)
    ensure_revision(consent.revision, expected)
    if body.evidence.reference is None:
        raise invalid("required", "/evidence/reference")
    return _withdraw(session, actor, consent, body)


def withdraw_own(session: Session, actor: Actor, consent_id: UUID, expected: Expected) -> Consent:
    """I take my consent back, as easily as I gave it."""
    member_id = own_id(actor)
    persons.hold_alone(session, [member_id])
    consent = session.get(Consent, consent_id, with_for_update=True)
    if consent is None or consent.member_id != member_id:
        raise not_found()
    ensure_revision(consent.revision, expected)
    return _withdraw(session, actor, consent, Withdrawal(evidence=Evidence(kind=EvidenceKind.app)))


def withdraw_purpose(
    session: Session, actor: Actor, member_id: UUID, purpose: str, evidence: Evidence
) -> None:
    """Withdraw her consent to a purpose, if there is one."""
    consent = session.exec(
        select(Consent).where(
            col(Consent.member_id) == member_id,
            col(Consent.purpose) == purpose,
            col(Consent.superseded_at).is_(None),
            col(Consent.decision) == ConsentDecision.given,
        )
    ).one_or_none()
    if consent is not None:
        _withdraw(session, actor, consent, Withdrawal(evidence=evidence))


def _access(session: Session, actor: Actor, consent_id: UUID) -> Consent:
    whose = sa.select(col(Consent.member_id)).where(col(Consent.id) == consent_id)
    member_id = session.execute(whose).scalar_one_or_none()
    if member_id is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    persons.hold_alone(session, [member_id])
    persons.access_member(session, actor, member_id, Right.privacy_record, restricted_too=True)
    return session.get_one(Consent, consent_id, with_for_update=True)


def _withdraw(session: Session, actor: Actor, consent: Consent, body: Withdrawal) -> Consent:
    if consent.withdrawn_on is not None:
        return consent
    if consent.superseded_at is not None or consent.decision != ConsentDecision.given:
        over = consent.superseded_at is not None
        raise Problem("consent_state", status="superseded" if over else consent.decision.value)
    on = body.withdrawn_on or local_today()
    if on < consent.recorded_on:
        date_ = consent.recorded_on.isoformat()
        raise invalid("before_last_answer", "/withdrawn_on", date=date_)
    consent.withdrawn_on = on
    consent.withdrawn_by = actor.account_id
    consent.withdrawal_evidence = body.evidence.kind
    consent.withdrawal_note = body.evidence.note or body.evidence.reference
    session.flush()
    return consent


# -- the latest answers of all members


def _state(purpose: str) -> sa.ColumnElement[str]:
    return sa.case(
        (limits.objects(col(Member.id), purpose), ConsentState.objected.value),
        (col(Consent.id).is_(None), ConsentState.missing.value),
        (col(Consent.withdrawn_on).is_not(None), ConsentState.withdrawn.value),
        else_=sa.type_coerce(col(Consent.decision), sa.String),
    )


def _joined(purpose: str) -> Any:
    """Members with their answer that holds now."""
    return sa.join(
        Member,
        Consent,
        sa.and_(
            col(Consent.member_id) == col(Member.id),
            col(Consent.purpose) == purpose,
            col(Consent.superseded_at).is_(None),
        ),
        isouter=True,
    )


def _scope(db: Db, actor: Actor, unit_id: int | None, *further: Right) -> tuple[Reach, ...]:
    return member_scope.asked(db, actor, [Right.privacy_record, *further], unit_id)


def list_standings(
    db: Db,
    actor: Actor,
    query: ConsentQuery,
    *,
    as_file: bool,
) -> Pages:
    """Members in the union by where they stand, in name order; a file leaves restricted ones out
    unless they are the actor's to answer for."""
    rules.of(db).ensure_asked_for(query.purpose, "/purpose", place="query")
    scope = _scope(db, actor, query.unit)
    where: list[sa.ColumnElement[bool]] = [col(Member.status).in_(CURRENT_MEMBERS)]
    manages = actor.reach(Right.privacy_manage) and set(
        _scope(db, actor, query.unit, Right.privacy_manage)
    ) == set(scope)
    if as_file and not manages:
        where.append(col(Member.restricted).is_(False))
    if query.state is not None:
        where.append(_state(query.purpose) == query.state.value)
    area = member_scope.area(scope)
    if area is None:
        return in_memory(())
    members = _joined(query.purpose)
    named = sa.select(col(Member.sort_key), col(Member.id)).select_from(members).where(*where)
    standing: AnySelect = sa.select(
        col(Member.id),
        col(Member.sort_key),
        col(Member.id).label("member_id"),
        col(Member.full_name),
        col(Member.branch_id),
        sa.literal(query.purpose).label("purpose"),
        _state(query.purpose).label("state"),
        col(Consent.recorded_on),
        col(Consent.text),
    ).select_from(members)

    def of_unit(after: Key | None, limit: int, column: str | None, unit: Any) -> AnySelect:
        """One unit in the order of its index of names; or everybody."""
        if column is None:
            return _BY_NAME.walk(named)(after, limit)
        return _BY_NAME.within(named, getattr(Member, column), unit)(after, limit)

    def walk(after: Key | None, limit: int) -> AnySelect:
        through = member_scope.through(
            area.bound(),
            partial(of_unit, after, limit),
            is_one=area.is_one,
            sqlite=on_sqlite(db),
        )
        found = through.limit(limit).subquery()
        page = standing.where(col(Member.id).in_(sa.select(found.c.id)))
        return _BY_NAME.walk(page)(None, limit)

    return paged(walk, _BY_NAME, fields_of(ConsentStanding))


_BY_NAME = Order(col(Member.sort_key), col(Member.id))


def count(db: Db, actor: Actor, query: ConsentCountQuery) -> ConsentCount:
    """How many members have which answer, in people."""
    rules.of(db).ensure_asked_for(query.purpose, "/purpose", place="query")
    scope = _scope(db, actor, query.unit)
    rows = db.execute(
        sa.select(_state(query.purpose).label("state"), sa.func.count().label("people"))
        .select_from(_joined(query.purpose))
        .where(within(Member, scope), col(Member.status).in_(CURRENT_MEMBERS))
        .group_by(sa.text("state"))
    ).all()
    found = {row.state: row.people for row in rows}
    by_state = {state.value: found.get(state.value, 0) for state in ConsentState}
    return ConsentCount(purpose=query.purpose, people=sum(by_state.values()), **by_state)
