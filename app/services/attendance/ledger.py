"""The ledger of captures: each id is taken in once, and answered the same however often it comes."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import insert_new
from app.errors import Problem
from app.models.attendance.attendance import (
    Attendance,
    Capture,
    CaptureState,
    Verdict,
)
from app.models.events.events import SessionState
from app.models.kernel.access import Right
from app.services.attendance import counts as attendance_counts
from app.services.attendance import facts
from app.services.attendance.drafts import KEPT, Answer, Draft, refused
from app.services.attendance.facts import Sitting
from app.services.attendance.held import release
from app.services.attendance.people import bare
from app.services.attendance.settling import settle
from app.services.kernel.access import Actor


def take_in(
    session: Session,
    actor: Actor,
    session_id: UUID,
    sitting: Sitting | None,
    drafts: Sequence[Draft],
) -> dict[int, Answer]:
    """The verdict on each draft, by its place."""
    answers = _known_answers(session, session_id, drafts)
    if sitting is not None and any(each.verdict is Verdict.held for each in answers.values()):
        # Held while the session was out of the sender's scope; now it is in it.
        release(session, session_id)
        answers = _known_answers(session, session_id, drafts)
    first: dict[UUID, Draft] = {}
    again: list[Draft] = []
    for draft in drafts:
        if draft.at in answers:
            continue
        if first.setdefault(draft.id, draft) is not draft:
            again.append(draft)
    fresh = list(first.values())
    if sitting is None:
        for draft in fresh:
            draft.state = CaptureState.held
    else:
        settle(session, actor, sitting, fresh)
    kept = [draft for draft in fresh if draft.problem is None]
    lost = _insert(session, actor, session_id, sitting, kept)
    if lost:  # sent twice at the same time: the other one has just been committed
        answers |= _known_answers(session, session_id, lost)
        _undo_facts(session, sitting, [draft for draft in lost if answers[draft.at].problem])
    for draft in fresh:
        answers.setdefault(draft.at, _answer(draft))
    for draft in again:
        same = draft.digest == first[draft.id].digest
        answers[draft.at] = (
            answers[first[draft.id].at] if same else refused(draft.id, Problem("id_taken"))
        )
    if sitting is not None and sitting.state is SessionState.closed and kept:
        attendance_counts.correct(session, sitting)
    return answers


def _undo_facts(session: Session, sitting: Sitting | None, drafts: Iterable[Draft]) -> None:
    """Remove the facts that follow only from captures that lost their id to another one."""
    for draft in drafts:
        if sitting is not None and draft.counts and draft.member_id and draft.person:
            facts.derive(session, sitting, draft.member_id, draft.person.place)


def _known_answers(
    session: Session, session_id: UUID, drafts: Iterable[Draft]
) -> dict[int, Answer]:
    """The same answer to what has come before; another content under its id is refused."""
    rows = {row.id: row for row in session.execute(_KNOWN, {"ids": [draft.id for draft in drafts]})}
    answers = {}
    for draft in drafts:
        row = rows.get(draft.id)
        if row is None:
            continue
        if (row.session_id, row.digest) != (session_id, draft.digest):
            answers[draft.at] = refused(draft.id, Problem("id_taken"))
            continue
        held = row.state is CaptureState.held
        answers[draft.at] = Answer(
            id=row.id,
            verdict=Verdict.held if held else Verdict.stored,
            attendance=row.outcome,
            member_id=row.member_id,
            first_seen_at=row.attended_at,
            flags=tuple(row.flags),
        )
    return answers


_KNOWN = (
    sa.select(
        col(Capture.id),
        col(Capture.session_id),
        col(Capture.digest),
        col(Capture.state),
        col(Capture.outcome),
        col(Capture.member_id),
        col(Capture.flags),
        col(Attendance.attended_at),
    )
    .outerjoin(
        Attendance,
        sa.and_(
            col(Attendance.session_id) == col(Capture.session_id),
            col(Attendance.member_id) == col(Capture.member_id),
        ),
    )
    .where(col(Capture.id).in_(sa.bindparam("ids", expanding=True)))
)


def _answer(draft: Draft) -> Answer:
    if draft.problem is not None:
        return refused(draft.id, draft.problem)
    held = draft.state is CaptureState.held
    return Answer(
        id=draft.id,
        verdict=Verdict.held if held else Verdict.stored,
        attendance=draft.outcome,
        member_id=draft.member_id,
        first_seen_at=draft.seen_at,
        flags=tuple(sorted(draft.flags)),
    )


def _insert(
    session: Session,
    actor: Actor,
    session_id: UUID,
    sitting: Sitting | None,
    drafts: Sequence[Draft],
) -> list[Draft]:
    """Returns those whose id was taken meanwhile."""
    if not drafts:
        return []
    province_id = sitting.province_id if sitting else _province(actor)
    rows = [
        {name: getattr(draft, name) for name in KEPT}
        | {
            "session_id": session_id,
            "province_id": province_id,
            "name_key": None if draft.name is None else bare(draft.name),
            "flags": sorted(draft.flags),
        }
        for draft in sorted(drafts, key=lambda draft: draft.id.bytes)
    ]
    stored = insert_new(session, Capture, rows, returning="id")
    return [draft for draft in drafts if draft.id not in stored]


def _province(actor: Actor) -> int:
    """The province of an account that captures for an unknown session; 0 above the provinces."""
    found = (
        grant.province_id or (grant.unit_id if grant.level == "province" else None)
        for grant in actor.grants
        if Right.attendance_write in grant.rights
    )
    return next((each for each in found if each is not None), 0)
