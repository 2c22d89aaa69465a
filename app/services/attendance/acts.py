"""Corrections of captures: annul a mistake, identify the person who was meant."""

from typing import Any
from uuid import UUID

from sqlmodel import Session

from app.clock import utc_now
from app.errors import Problem, invalid, not_found
from app.models.attendance.attendance import (
    Annulment,
    AttendanceOutcome,
    Capture,
    CaptureRead,
    CaptureState,
    Flag,
    Identification,
)
from app.models.events.events import SessionState
from app.models.kernel.access import Right
from app.services.attendance import counts, facts
from app.services.attendance.facts import Sitting, find_sitting
from app.services.attendance.people import CapturedPerson, known, placed
from app.services.attendance.sittings import may_capture
from app.services.events.scope import ensure_sees
from app.services.kernel.access import Actor, forbidden, require_somewhere


def annul(session: Session, actor: Actor, capture_id: UUID, body: Annulment) -> dict[str, Any]:
    """Annul a capture, by the account that captured it or one that captures for a host of the
    session; the facts are derived anew.
    """
    capture, sitting = _access(session, actor, capture_id)
    if capture.state is CaptureState.annulled:
        return _read(capture)
    capture.state = CaptureState.annulled
    capture.annulled_at = utc_now()
    capture.annulled_by = actor.account_id
    capture.reason = body.reason
    session.flush()
    if capture.member_id is not None:
        place = placed(session, sitting, [capture.member_id]).get(capture.member_id)
        facts.derive(session, sitting, capture.member_id, None if place is None else place.place)
    _correct(session, sitting)
    return _read(capture)


def identify(
    session: Session, actor: Actor, capture_id: UUID, body: Identification
) -> dict[str, Any]:
    """Whom a name on a list, or an unknown id, meant."""
    capture, sitting = _access(session, actor, capture_id)
    if capture.state is not CaptureState.pending_identity:
        if capture.member_id == body.member_id and capture.state is CaptureState.stored:
            return _read(capture)
        raise Problem("capture_state", status=capture.state)
    person = known(session, actor, sitting, [body.member_id], ()).get(body.member_id)
    if person is None:
        raise invalid("member_unknown", "/member_id")
    _name(session, capture, sitting, body.member_id, person)
    _correct(session, sitting)
    return _read(capture)


def _name(
    session: Session, capture: Capture, sitting: Sitting, member_id: UUID, person: CapturedPerson
) -> None:
    was_there = member_id in facts.stored(session, sitting.id, [member_id])
    capture.member_id = member_id
    capture.state = CaptureState.stored
    open_ = {Flag.ambiguous.value, Flag.member_unknown.value}
    capture.flags = sorted({*capture.flags, *person.flags} - open_)
    session.flush()
    attended = facts.derive(session, sitting, member_id, person.place)
    capture.outcome = (
        AttendanceOutcome.none
        if not attended
        else AttendanceOutcome.already
        if was_there
        else AttendanceOutcome.new
    )
    session.flush()


def _access(session: Session, actor: Actor, capture_id: UUID) -> tuple[Capture, Sitting]:
    """The capture, locked, with its session: 404 out of scope, 403 without the right."""
    require_somewhere(session, actor, Right.attendance_write)
    capture = session.get(Capture, capture_id, with_for_update=True)
    sitting = None if capture is None else find_sitting(session, capture.session_id)
    if capture is None or sitting is None:
        raise not_found()
    if not may_capture(actor, sitting):
        ensure_sees(session, actor, sitting.event_state, sitting.units)
        raise forbidden(session, actor, Right.attendance_write, sitting.host_id)
    hosts = any(actor.covers(Right.attendance_write, host) for host in sitting.hosts)
    if not hosts and capture.account_id != actor.account_id:
        raise not_found()
    return capture, sitting


def _correct(session: Session, sitting: Sitting) -> None:
    if sitting.state is SessionState.closed:
        counts.correct(session, sitting)


def _read(capture: Capture) -> dict[str, Any]:
    values = {**capture.model_dump(), "attendance": capture.outcome}
    return {name: values[name] for name in CaptureRead.model_fields}
