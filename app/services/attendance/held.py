"""Captures that came before their session: held until it is known."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col
from sqlmodel.sql.sqltypes import UTCDateTime

from app.clock import utc_now
from app.db import Database
from app.errors import not_found
from app.models.attendance.attendance import (
    AttendanceOutcome,
    Capture,
    CaptureState,
)
from app.models.events.events import EventSession, SessionState
from app.models.kernel.changes import ChangeSource
from app.services.attendance import counts as attendance_counts
from app.services.attendance.drafts import KEPT, Draft
from app.services.attendance.facts import find_sitting
from app.services.attendance.settling import settle
from app.services.attendance.sittings import may_capture
from app.services.kernel import changes
from app.services.kernel.actors import load_actor_of_job


def release(session: Session, session_id: UUID) -> int:
    """What was captured before its session was known, now that it is; returns how many."""
    rows = session.execute(
        sa.select(*(getattr(Capture, name) for name in Capture.model_fields))
        .where(col(Capture.session_id) == session_id, col(Capture.state) == CaptureState.held)
        .order_by(col(Capture.id))
        .with_for_update()
    ).all()
    if not rows:
        return 0
    sitting = find_sitting(session, session_id)
    if sitting is None:
        raise not_found()
    released = 0
    for account_id in sorted({row.account_id for row in rows}):
        actor = load_actor_of_job(session, account_id, account_id, None)
        if actor is None or not may_capture(actor, sitting):
            continue  # a sender that held the id of a session not its own
        drafts = [_held(row, at) for at, row in enumerate(rows) if row.account_id == account_id]
        settle(session, actor, sitting, drafts)
        _write_back(session, drafts)
        released += len(drafts)
    if sitting.state is SessionState.closed:
        attendance_counts.correct(session, sitting)
    return released


def release_due(database: Database) -> int:
    """What is held although its session is here: it came in the moment the session did."""
    due = (
        sa.select(col(Capture.session_id))
        .distinct()
        .join(EventSession, col(EventSession.id) == col(Capture.session_id))
        # Written out, as it is in the index that holds them alone.
        .where(
            sa.text("capture.state IN ('held', 'pending_identity')"),
            col(Capture.state) == CaptureState.held,
        )
    )
    with database.reading() as db:
        session_ids = list(db.execute(due).scalars())
    released = 0
    for session_id in session_ids:
        with database.writing() as session:
            changes.attribute(session, changes.Origin(ChangeSource.job, source_ref="release"))
            released += release(session, session_id)
    return released


def _held(row: Any, at: int) -> Draft:
    names = {name for name in KEPT if name not in ("state", "outcome")}
    return Draft(at=at, **{name: row._mapping[name] for name in names})


_SETTLED = ("member_id", "room_id", "state", "outcome", "flags")


def _write_back(session: Session, drafts: Sequence[Draft]) -> None:
    now = utc_now()
    session.connection().execute(
        sa.update(Capture)
        .where(col(Capture.id) == sa.bindparam("of_id"))
        .values(
            {name: sa.bindparam(f"new_{name}") for name in _SETTLED}
            | {
                "annulled_at": sa.bindparam("annulled", type_=UTCDateTime),
                "reason": sa.bindparam("new_reason"),
            }
        ),
        [_settled(draft, now) for draft in drafts],
    )


def _settled(draft: Draft, now: datetime) -> Mapping[str, Any]:
    """A code that turns out to be no good is kept, as annulled: it has been promised to be kept."""
    refused = draft.problem is not None
    return {
        "of_id": draft.id,
        "new_member_id": draft.member_id,
        "new_room_id": draft.room_id,
        "new_state": CaptureState.annulled if refused else draft.state,
        "new_outcome": AttendanceOutcome.none if refused else draft.outcome,
        "new_flags": sorted(draft.flags),
        "annulled": now if refused else None,
        "new_reason": draft.problem.code if draft.problem else None,
    }
