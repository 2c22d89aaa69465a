"""What points at a member: the one list of columns, with what a merge does to their rows.

A table that names members is entered here; a test compares the list with the foreign keys.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from uuid import UUID

from sqlmodel import Session, SQLModel, col, select

from app.clock import utc_now
from app.models.attendance.attendance import Attendance
from app.models.attendance.cards import MemberCard
from app.models.cadres.appointments import Appointment
from app.models.cadres.trainings import Training
from app.models.events.rsvps import Rsvp
from app.models.groups.groups import Participation
from app.models.households.households import HouseholdPerson
from app.models.kernel.accounts import Account
from app.models.members.corrections import CorrectionRequest
from app.models.members.members import MemberIdentifier
from app.models.members.spells import Membership
from app.models.memberships.transfers import Transfer
from app.models.privacy.consents import Consent
from app.models.privacy.erasures import Erasure
from app.models.privacy.limits import ProcessingLimit
from app.models.privacy.requests import PrivacyRequest
from app.models.support.escape_paths import EscapeStep
from app.services.households import line
from app.services.members.merging import overlap

# The session, the rows of the kept record, those of the other, and whose all are from now on.
Merging = Callable[[Session, Sequence[Any], Sequence[Any], Callable[[Any], None]], None]


@dataclass(frozen=True, slots=True)
class Pointer:
    """One column that names a member. `merge` None: another module brings the rows in step."""

    model: type[SQLModel]
    merge: Merging | None
    column: str = "member_id"

    @property
    def place(self) -> tuple[str, str]:
        return str(self.model.__tablename__), self.column


def follow(
    _: Session, _kept: Sequence[Any], others: Sequence[Any], take: Callable[[Any], None]
) -> None:
    """All rows go with her."""
    for row in others:
        take(row)


def one_each(same: Callable[[Any, Any], bool], join: Callable[[Any, Any], None]) -> Merging:
    """Of two rows that are the `same` fact the kept record's stays, with what `join` takes into it
    from the other, which is deleted (the undo brings it back); all others go with her."""

    def merge(
        session: Session,
        kept: Sequence[Any],
        others: Sequence[Any],
        take: Callable[[Any], None],
    ) -> None:
        for row in others:
            twin = next((each for each in kept if same(each, row)), None)
            if twin is None:
                take(row)
            else:
                join(twin, row)
                session.delete(row)

    return merge


def _same_participation(one: Any, other: Any) -> bool:
    return one.group_id == other.group_id and overlap(one, other)


def _widen(row: Any, other: Any) -> None:
    row.valid_from = min(row.valid_from, other.valid_from)
    if row.valid_to is not None:
        row.valid_to = None if other.valid_to is None else max(row.valid_to, other.valid_to)


def _latest_answers(
    session: Session, kept: Sequence[Any], others: Sequence[Any], take: Callable[[Any], None]
) -> None:
    """All consents go with her; of two answers about one purpose the later one holds."""
    for row in others:
        for twin in kept:
            if twin.purpose == row.purpose and not (twin.superseded_at or row.superseded_at):
                earlier, later = sorted((twin, row), key=lambda each: each.created_at)
                earlier.superseded_at = later.created_at
    session.flush()  # one answer of a purpose holds at a time: the earlier gives way first
    follow(session, kept, others, take)


def _same_session(one: Any, other: Any) -> bool:
    return bool(one.session_id == other.session_id)


def _last_answer(row: Any, other: Any) -> None:
    if other.answered_at > row.answered_at:
        row.answer, row.reason = other.answer, other.reason
        row.by_herself, row.answered_at = other.by_herself, other.answered_at


def _one_good_card(
    session: Session, kept: Sequence[Any], others: Sequence[Any], take: Callable[[Any], None]
) -> None:
    """All cards go with her; of two that are good that of the kept record stays so."""
    if any(card.revoked_at is None for card in kept):
        for card in others:
            card.revoked_at = card.revoked_at or utc_now()
    session.flush()
    follow(session, kept, others, take)


def _the_same_human(
    session: Session, _kept: Sequence[Any], others: Sequence[Any], take: Callable[[Any], None]
) -> None:
    """Her stays in households go with her, as those of one human; so does being their head."""
    for stay in others:
        gone_id = stay.person_id
        take(stay)
        stay.person_id = stay.member_id
        line.change_head(session, gone_id, stay.member_id)


POINTERS: tuple[Pointer, ...] = (
    Pointer(Membership, None),  # merge_spells
    Pointer(MemberIdentifier, None),  # identifiers: they follow from her record
    Pointer(Transfer, follow),
    Pointer(Appointment, follow),
    Pointer(Training, follow),
    Pointer(CorrectionRequest, follow),
    Pointer(Consent, _latest_answers),
    Pointer(PrivacyRequest, follow),
    Pointer(ProcessingLimit, follow),
    Pointer(Rsvp, one_each(_same_session, _last_answer)),
    Pointer(Attendance, None),  # merge_attendance: the facts follow from the captures
    Pointer(MemberCard, _one_good_card),
    Pointer(HouseholdPerson, _the_same_human),
    Pointer(EscapeStep, follow, "responsible_member_id"),
    Pointer(Erasure, None),  # who was erased is merged with nobody
    Pointer(Account, follow),
    Pointer(Participation, one_each(_same_participation, _widen)),
)


def rows_of(session: Session, pointer: Pointer, member_ids: Sequence[UUID]) -> list[Any]:
    """The rows that name one of these members, locked, by their id."""
    model = cast(Any, pointer.model)
    named = col(getattr(model, pointer.column))
    statement = select(model).where(named.in_(member_ids)).order_by(col(model.id))
    return list(session.exec(statement.with_for_update()).all())


def _point(named: str, member_id: UUID, row: Any) -> None:
    setattr(row, named, member_id)


def merge_rows(session: Session, kept_id: UUID, gone_id: UUID) -> None:
    """Let everything that names the record that goes name the kept one."""
    for pointer in POINTERS:
        if pointer.merge is None:
            continue
        rows = rows_of(session, pointer, [kept_id, gone_id])
        named = pointer.column
        kept = [row for row in rows if getattr(row, named) == kept_id]
        others = [row for row in rows if getattr(row, named) == gone_id]
        pointer.merge(session, kept, others, partial(_point, named, kept_id))
        # A row that is gone may hold a place that one coming needs: deletions come last in a flush.
        session.flush()
