"""Cards of members: one valid card each, issued by an officer who captures attendance, or by the
member.

The contents of a card are signed (`services/attendance/codes`); only the register knows whether it
is still valid.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import AnySelect
from app.errors import Problem, not_found
from app.models.attendance.cards import CardRead, CardRevocation, MemberCard, SessionCodeRead
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.services.attendance import codes
from app.services.attendance.code_keys import ring_of
from app.services.attendance.codes import STEP, TOLERANCE, CardCode
from app.services.attendance.drafts import LONG_BEFORE
from app.services.attendance.facts import find_sitting
from app.services.attendance.sittings import may_capture
from app.services.events.scope import ensure_sees
from app.services.kernel.access import Actor, Db, forbidden
from app.services.kernel.created_once import refused_by
from app.services.members import persons

_CARD: AnySelect = (
    sa.select(
        col(MemberCard.id),
        col(MemberCard.member_id),
        col(Member.full_name),
        col(MemberCard.created_at).label("issued_at"),
        col(MemberCard.revoked_at),
        col(MemberCard.reason),
        col(MemberCard.revision),
    )
    .join(Member, col(Member.id) == col(MemberCard.member_id))
    .where(col(MemberCard.member_id) == sa.bindparam("member_id"))
    .order_by(col(MemberCard.id).desc())
    .limit(1)
)


def access(db: Db, actor: Actor, member_id: UUID) -> Any:
    """The member, for an actor who captures attendance where she belongs: 404 out of scope, else
    403.
    """
    return persons.access_member(db, actor, member_id, Right.attendance_write)


def read(db: Db, member_id: UUID) -> Mapping[str, Any]:
    """Her latest card; 404 when none was issued."""
    row = db.execute(_CARD, {"member_id": member_id}).one_or_none()
    if row is None:
        raise not_found()
    good = row.revoked_at is None
    token = codes.card_code(ring_of(db), CardCode(row.id, row.member_id)) if good else None
    values = {**row._mapping, "token": token}
    return {name: values[name] for name in CardRead.model_fields}


def issue(session: Session, person: Any) -> tuple[Mapping[str, Any], bool]:
    """Her valid card, created if there is none; whether it was created."""
    if _good(session, person.id) is not None:
        return read(session, person.id), False
    persons.ensure_in_union(person)
    now = utc_now()
    card = MemberCard(
        member_id=person.id, province_id=person.province_id, created_at=now, updated_at=now
    )
    # Of two requests at once the second finds the card of the first.
    lost = refused_by(session, [card], {"uq_member_card_good"})
    return read(session, person.id), lost is None


def revoke(session: Session, member_id: UUID, body: CardRevocation) -> Mapping[str, Any]:
    """It is good no longer; revoked already: nothing happens. 404 when none was issued."""
    card = _good(session, member_id)
    if card is not None:
        card.revoked_at = utc_now()
        card.reason = body.reason
        session.flush()
    return read(session, member_id)


def _good(session: Session, member_id: UUID) -> MemberCard | None:
    return session.exec(
        select(MemberCard)
        .where(col(MemberCard.member_id) == member_id, col(MemberCard.revoked_at).is_(None))
        .with_for_update()
    ).one_or_none()


def own(session: Session, member_id: UUID) -> Any:
    """The caller's own member row, locked."""
    person = persons.lock(session, member_id)
    if person is None:
        raise Problem("no_own_record")
    return person


# -- the code of a session


def session_code(db: Db, actor: Actor, session_id: UUID, *, printed: bool) -> SessionCodeRead:
    """The current code of the session, for an actor who captures in it."""
    sitting = find_sitting(db, session_id)
    if sitting is None or not may_capture(actor, sitting):
        state, units = (sitting.event_state, sitting.units) if sitting else (None, ())
        ensure_sees(db, actor, state, units)
        raise forbidden(db, actor, Right.attendance_write, sitting.host_id if sitting else None)
    key = codes.session_key(ring_of(db), session_id)
    step = None if printed else codes.step_at(utc_now())
    valid_from, valid_to = sitting.starts_at - LONG_BEFORE, sitting.ends_at
    if step is not None:
        valid_from = codes.begins(step - TOLERANCE)
        valid_to = codes.begins(step + 1 + TOLERANCE)
    return SessionCodeRead(
        session_id=session_id,
        token=codes.session_code(key, session_id, step),
        valid_from=valid_from,
        valid_to=valid_to,
        next_at=None if step is None else codes.begins(step + 1),
        step_seconds=int(STEP.total_seconds()),
        key=codes.as_text(key),
    )
