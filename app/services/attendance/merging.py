"""Whom the captures of two records mean, once they are one person: the facts follow from them.

A session that both were captured in counts one person fewer. What was frozen when a session was
closed stays as it was counted then.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import chunks
from app.models.attendance.attendance import Attendance, Capture
from app.services.attendance import facts, people
from app.services.attendance.facts import PLACE, Sitting, Values


def hand_over(session: Session, kept_id: UUID, gone_id: UUID) -> dict[str, Any]:
    """Let the captures of the record that goes mean the kept one; returns for the journal which
    these are, and whose unit each of the two stood in: the undo hands them back."""
    places = _places(session, (kept_id, gone_id))
    sessions = sorted({session_id for session_id, _ in places})
    moved: list[UUID] = []
    for chunk in chunks(sessions):
        moved += (
            session.connection()
            .execute(
                sa.update(Capture)
                .where(
                    col(Capture.session_id).in_(chunk),
                    col(Capture.member_id) == gone_id,
                )
                .values(member_id=kept_id)
                .returning(col(Capture.id))
            )
            .scalars()
        )
    for session_id in sessions:
        place = places.get((session_id, kept_id)) or places[session_id, gone_id]
        _derive(session, session_id, {kept_id: place, gone_id: None})
    return {
        "captures": sorted(map(str, moved)),
        "places": [
            {"session_id": str(session_id), "member_id": str(member_id), "place": place}
            for (session_id, member_id), place in sorted(places.items())
        ],
    }


def hand_back(session: Session, kept_id: UUID, gone_id: UUID, journal: Mapping[str, Any]) -> None:
    """Both attended again what they were captured in before the merge, in the units of then."""
    before: dict[tuple[UUID, UUID], Values] = {
        (UUID(each["session_id"]), UUID(each["member_id"])): each["place"]
        for each in journal["places"]
    }
    ids = [UUID(each) for each in journal["captures"]]
    sessions = {session_id for session_id, _ in before}
    for chunk in chunks(ids):
        sessions |= set(
            session.connection()
            .execute(
                sa.update(Capture)
                .where(
                    col(Capture.id).in_(chunk),
                    col(Capture.member_id) == kept_id,
                )
                .values(member_id=gone_id)
                .returning(col(Capture.session_id))
            )
            .scalars()
        )
    for session_id in sorted(sessions):
        sitting = _sitting(session, session_id)
        today = people.placed(session, sitting, [kept_id, gone_id])
        for member_id in sorted((kept_id, gone_id)):
            # What came in since the merge is of whom it names, in her own branch of that day.
            own = today[member_id].place if member_id in today else None
            place = before.get((session_id, member_id), own)
            if facts.derive(session, sitting, member_id, place) and place is not None:
                facts.place(session, sitting, member_id, place)


def _derive(session: Session, session_id: UUID, places: Mapping[UUID, Values | None]) -> None:
    sitting = _sitting(session, session_id)
    for member_id in sorted(places):
        facts.derive(session, sitting, member_id, places[member_id])


def _sitting(session: Session, session_id: UUID) -> Sitting:
    sitting = facts.find_sitting(session, session_id)
    assert sitting is not None  # noqa: S101  # a fact is of a session
    return sitting


def _places(session: Session, member_ids: Iterable[UUID]) -> dict[tuple[UUID, UUID], Values]:
    """Where they stood on the days of the sessions they attended."""
    columns: list[Any] = [getattr(Attendance, name) for name in PLACE]
    rows = session.execute(
        sa.select(col(Attendance.session_id), col(Attendance.member_id), *columns).where(
            col(Attendance.member_id).in_(list(member_ids))
        )
    )
    return {
        (row.session_id, row.member_id): {name: getattr(row, name) for name in PLACE}
        for row in rows
    }
