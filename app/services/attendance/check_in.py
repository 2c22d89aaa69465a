"""A member records her own attendance by the code of the session."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.errors import Problem
from app.models.attendance.attendance import (
    Capture,
    CaptureKind,
    CaptureState,
    CheckIn,
    Flag,
)
from app.services.attendance import codes
from app.services.attendance.code_keys import ring_of
from app.services.attendance.codes import BadCode, SessionCode
from app.services.attendance.drafts import (
    LONG_BEFORE,
    Answer,
    Draft,
    digest_of,
    refused,
)
from app.services.attendance.facts import Sitting, find_sitting
from app.services.attendance.ledger import take_in
from app.services.kernel.access import Actor
from app.services.kernel.device_clocks import happened, skew_of


def check_in(session: Session, actor: Actor, member_id: UUID, body: CheckIn) -> Answer:
    """Record the caller's attendance by the code of the session; one device checks in one member."""
    received = utc_now()
    try:
        code = codes.read(ring_of(session), body.token)
        if not isinstance(code, SessionCode):
            raise BadCode("code_foreign")
    except BadCode as error:
        return refused(body.id, Problem(error.reason))
    skew = skew_of(body.sent_at, received)
    draft = Draft(
        id=body.id,
        at=0,
        kind=CaptureKind.qr,
        occurred_at=body.occurred_at,
        happened_at=happened(body.occurred_at, skew, received),
        received_at=received,
        skew=skew,
        account_id=actor.account_id,
        device=body.device_id,
        digest=digest_of(code.session_id, body),
        by_herself=True,
        member_id=member_id,
    )
    sitting = find_sitting(session, code.session_id)
    if sitting is None:  # the code is true: its session was there, and has been deleted
        return refused(body.id, Problem("code_unknown"))
    draft.problem = _doubt_about_code(session, draft, code, sitting)
    return take_in(session, actor, code.session_id, sitting, [draft])[0]


def _doubt_about_code(
    session: Session, draft: Draft, code: SessionCode, sitting: Sitting
) -> Problem | None:
    """When read live, the code must be the current one; when sent later, only the phone knows the
    time.
    """
    try:
        codes.ensure_in_time(code, draft.received_at)
    except BadCode:
        try:
            codes.ensure_in_time(code, draft.happened_at)
        except BadCode as error:
            return Problem(error.reason)
        draft.flags.add(Flag.unverified_time)
    if code.step is None:
        draft.flags.add(Flag.printed_code)
        if not sitting.starts_at - LONG_BEFORE <= draft.happened_at <= sitting.ends_at:
            return Problem("code_expired")
    other = session.execute(
        sa.select(col(Capture.id))
        .where(
            col(Capture.session_id) == code.session_id,
            col(Capture.device) == draft.device,
            col(Capture.by_herself).is_(True),
            col(Capture.member_id) != draft.member_id,
            col(Capture.state) != CaptureState.annulled,
        )
        .limit(1)
    ).first()
    return Problem("code_replayed") if other is not None else None
