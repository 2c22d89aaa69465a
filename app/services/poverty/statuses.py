"""Decisions of the commune People's Committee: they decide who is poor, we do not compute it.

Of one household no two decisions hold on one day. A new one ends the open one on the day before.
"""

from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import AnySelect, Database
from app.errors import FieldError, Problem, invalid, not_found
from app.models.base import new_id
from app.models.households.households import Household, PovertyClass
from app.models.kernel.access import Right
from app.models.kernel.changes import ChangeSource
from app.models.poverty.poverty import (
    AssessedClass,
    Assessment,
    DifferenceQuery,
    DifferenceRead,
    PovertyStatus,
    StatusChange,
    StatusCreate,
    StatusRead,
)
from app.services.households import households
from app.services.households.line import show_class
from app.services.kernel import changes
from app.services.kernel.access import Actor, Db, ensure
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Order, Pages, fields_of, pages
from app.services.kernel.reach import within
from app.services.members import scope as member_scope
from app.services.poverty import standards
from app.services.poverty.standards import province_code
from app.services.units.units import valid_on

DAY = timedelta(days=1)
_OVERLAPS = ("ex_poverty_status_days", "uq_poverty_status_open")
_BELOW = (PovertyClass.poor, PovertyClass.near_poor)

# -- reading

READ: AnySelect = sa.select(
    *(
        sa.case(
            (col(Assessment.standard) != col(PovertyStatus.standard), col(Assessment.standard))
        ).label(name)
        if name == "assessment_standard"
        else getattr(PovertyStatus, "poverty_class" if name == "class" else name).label(name)
        for name in StatusRead.model_fields
    )
).join(Assessment, col(Assessment.id) == col(PovertyStatus.assessment_id), isouter=True)


def list_statuses(db: Db, actor: Actor, household_id: UUID) -> Pages:
    """All decisions on a household, annulled ones too, the newest first."""
    households.access(db, actor, household_id, Right.poverty_read)
    statement = READ.where(col(PovertyStatus.household_id) == household_id)
    return pages(statement, _NEWEST)


_NEWEST = Order(col(PovertyStatus.valid_from).desc(), col(PovertyStatus.id).desc())


def list_differences(db: Db, actor: Actor, query: DifferenceQuery) -> Pages:
    """Households whose last assessment differs from the decision in force: poor, near-poor, or
    neither. One without a decision counts as neither.
    """
    scope = member_scope.asked(db, actor, [Right.poverty_read], query.unit)
    recognised, assessed = col(Household.poverty_class), col(Household.assessed_class)
    differs = [
        sa.and_(assessed == class_.value, recognised.is_distinct_from(class_)) for class_ in _BELOW
    ]
    above = (AssessedClass.average.value, AssessedClass.not_poor.value)
    differs.append(sa.and_(assessed.in_(above), recognised.in_(_BELOW)))
    statement: AnySelect = sa.select(
        col(Household.id).label("household_id"),
        col(Household.head_name),
        col(Household.branch_id),
        assessed.label("assessed_class"),
        col(Household.assessed_on),
        recognised.label("poverty_status"),
        col(Household.poverty_since),
        col(Household.sort_key),
    ).where(
        within(Household, scope),
        col(Household.closed_on).is_(None),
        sa.or_(*differs),
    )
    return pages(statement, _BY_HEAD, fields_of(DifferenceRead))


_BY_HEAD = Order(col(Household.sort_key), col(Household.id).label("household_id"))


# -- deciding


def recognise(
    session: Session, actor: Actor, household_id: UUID, body: StatusCreate
) -> tuple[PovertyStatus, bool]:
    """Record a decision. Sent twice with an id it is one."""
    household = households.lock(session, actor, household_id, Right.poverty_recognise)
    ensure(session, actor, Right.poverty_read, household, seen_with=Right.members_read)
    status, is_new = created_once(
        session,
        PovertyStatus,
        body.id,
        partial(_decided, session, actor, household, body),
        same=holds(_sent(household_id, body)),
        taken=dict.fromkeys(_OVERLAPS, _overlap("?", "?")),
    )
    if is_new:
        settle(session, household)
    return status, is_new


def _sent(household_id: UUID, body: StatusCreate) -> dict[str, Any]:
    """The fields as sent, without those the server filled in and the end set by a later decision."""
    filled_in = {name for name in ("standard", "change", "valid_to") if not getattr(body, name)}
    sent = body.model_dump(exclude={"id", "class_"} | filled_in)
    return sent | {"household_id": household_id, "poverty_class": body.class_}


def _decided(
    session: Session, actor: Actor, household: Household, body: StatusCreate
) -> PovertyStatus:
    """The decision, with the open one ended before it: the household is locked."""
    _ensure_days(household, body)
    place = households.place_on(session, household.id, body.valid_from)
    assert place is not None  # noqa: S101  # places follow each other from the first day on
    standard = _standard(session, place.province_id, body)
    _ensure_assessment(session, household.id, body.assessment_id)
    earlier = _counting(session, household.id)
    now = utc_now()
    status = PovertyStatus(
        **body.model_dump(exclude={"id", "class_", "change", "standard"}),
        id=body.id or new_id(),
        household_id=household.id,
        province_id=place.province_id,
        commune_id=place.commune_id,
        branch_id=place.branch_id,
        poverty_class=body.class_,
        change=body.change or change_of(body.class_, body.valid_from, earlier),
        stated_change=body.change,
        standard=standard,
        account_id=actor.account_id,
        created_at=now,
        updated_at=now,
    )
    _make_room(status, earlier)
    session.flush()
    return status


def _ensure_days(household: Household, body: StatusCreate) -> None:
    for name in ("decided_on", "valid_from"):
        if getattr(body, name) < household.opened_on:
            opened_on = household.opened_on.isoformat()
            raise invalid("before_household", f"/{name}", date=opened_on)
    if body.valid_to is not None and body.valid_to < body.valid_from:
        raise invalid("dates_reversed", "/valid_to")
    last = household.closed_on
    if last is not None and max(body.valid_to or date.max, body.valid_from) > last:
        raise Problem("household_closed", closed_on=last.isoformat())


def _standard(session: Session, province_id: int, body: StatusCreate) -> str:
    """The one named, or that of the first day in the province of that day; the causes are of its
    list."""
    catalogue = standards.of(session)
    province = province_code(session, province_id, body.valid_from)
    if body.standard is None:
        rules = catalogue.on(body.valid_from, province)
    else:
        found = catalogue.find(body.standard, body.valid_from, province)
        if found is None:
            raise invalid("standard_unknown", "/standard")
        rules = found
    causes = [cause.code for cause in rules.standard.causes]
    for n, code in enumerate(body.causes):
        if code not in causes:
            raise invalid(
                "cause_unknown",
                f"/causes/{n}",
                standard=rules.standard.words(),
                expected=[cause.words() for cause in rules.standard.causes],
            )
    return rules.standard.id


def _ensure_assessment(session: Session, household_id: UUID, assessment_id: UUID | None) -> None:
    if assessment_id is None:
        return
    found = session.get(Assessment, assessment_id)
    if found is None or found.household_id != household_id:
        raise invalid("assessment_unknown", "/assessment_id")


def _counting(session: Session, household_id: UUID) -> list[PovertyStatus]:
    """The decisions on a household that count, the oldest first."""
    return list(
        session.exec(
            select(PovertyStatus)
            .where(
                col(PovertyStatus.household_id) == household_id,
                col(PovertyStatus.annulled_on).is_(None),
            )
            .order_by(col(PovertyStatus.valid_from))
        )
    )


def change_of(class_: PovertyClass, valid_from: date, others: list[PovertyStatus]) -> StatusChange:
    """What a decision makes of those before it (domain facts, 2.5)."""
    earlier = [each for each in others if each.valid_from < valid_from]
    before = [each.poverty_class for each in earlier]
    # One that ended before, with days between, is not gone on with.
    follows = bool(earlier) and (earlier[-1].valid_to or date.max) >= valid_from - DAY
    last = before[-1] if follows else None
    if class_ not in _BELOW:
        return StatusChange.escaped if last in _BELOW else StatusChange.none
    if last is class_:
        return StatusChange.still
    if last in _BELOW:
        falls = class_ is PovertyClass.poor
        return StatusChange.from_near_poor if falls else StatusChange.to_near_poor
    return StatusChange.relapsed if class_ in before else StatusChange.new


def _make_room(status: PovertyStatus, others: list[PovertyStatus]) -> None:
    """End the open decision on the day before; any other in the way is a conflict."""
    for other in others:
        if other.valid_to is None and other.valid_from < status.valid_from:
            other.valid_to = status.valid_from - DAY
            other.ended_by_id = status.id
        elif (other.valid_to or date.max) >= status.valid_from and other.valid_from <= (
            status.valid_to or date.max
        ):
            raise _overlap(other.decision_number, other.valid_from.isoformat())


def ensure_room(db: Db, household_id: UUID, since: date) -> None:
    """A decision may hold from the day on: none does that is not ended by it."""
    found = db.execute(
        sa.select(col(PovertyStatus.decision_number), col(PovertyStatus.valid_from))
        .where(
            col(PovertyStatus.household_id) == household_id,
            col(PovertyStatus.annulled_on).is_(None),
            sa.or_(
                col(PovertyStatus.valid_from) >= since,
                col(PovertyStatus.valid_to) >= since,
            ),
        )
        .order_by(col(PovertyStatus.valid_from))
    ).first()
    if found is not None:
        raise _overlap(found.decision_number, found.valid_from.isoformat())


def _overlap(number: str, since: str) -> Problem:
    return Problem(
        "status_overlap",
        number=number,
        since=since,
        errors=[FieldError("body", "/valid_from", "state_conflict")],
    )


def annul(
    session: Session, actor: Actor, household_id: UUID, status_id: UUID, note: str
) -> PovertyStatus:
    """The decision never counted; the one it ended is open again, unless another has followed."""
    household = households.lock(session, actor, household_id, Right.poverty_recognise)
    ensure(session, actor, Right.poverty_read, household, seen_with=Right.members_read)
    status = session.get(PovertyStatus, status_id)
    if status is None or status.household_id != household_id:
        raise not_found()
    if status.annulled_on is not None:
        return status
    status.annulled_on, status.note = local_today(), note
    session.flush()
    _reopen(session, household, status)
    settle(session, household)
    return status


def withdraw(session: Session, actor: Actor, status_id: UUID) -> UUID | None:
    """A decision that was entered by mistake, and has had no consequence, never was; the id of its
    assessment."""
    status = session.get_one(PovertyStatus, status_id)
    household = households.lock(session, actor, status.household_id, Right.poverty_recognise)
    assessment_id = status.assessment_id
    session.delete(status)
    session.flush()
    _reopen(session, household, status)
    settle(session, household)
    return assessment_id


def _reopen(session: Session, household: Household, status: PovertyStatus) -> None:
    """What a decision that does not count had ended goes on to the next one, or until further
    notice."""
    later = [
        each for each in _counting(session, household.id) if each.valid_from > status.valid_from
    ]
    ended = select(PovertyStatus).where(col(PovertyStatus.ended_by_id) == status.id)
    for before in session.exec(ended):
        before.valid_to = later[0].valid_from - DAY if later else household.closed_on
        before.ended_by_id = later[0].id if later else None
    session.flush()


def settle(session: Session, household: Household) -> None:
    """What each decision makes of those before it follows the history as it is known now; the
    household's line shows the decision in force today."""
    before: list[PovertyStatus] = []
    for status in _counting(session, household.id):
        if status.stated_change is None:
            status.change = change_of(status.poverty_class, status.valid_from, before)
        before.append(status)
    now = households.status_on(session, household.id, local_today())
    if now is None:
        show_class(household, None, None)
    else:
        show_class(household, now.poverty_class, now.valid_from)
    session.flush()


def end_with(session: Session, household_id: UUID, last: date) -> None:
    """The household is no more: no decision about it outlives it."""
    later = select(PovertyStatus).where(
        col(PovertyStatus.household_id) == household_id,
        col(PovertyStatus.annulled_on).is_(None),
        sa.or_(col(PovertyStatus.valid_to).is_(None), col(PovertyStatus.valid_to) > last),
    )
    for status in session.exec(later):
        if status.valid_from > last:
            raise invalid("before_stay", "/effective_on", date=status.valid_from.isoformat())
        status.valid_to = last
    session.flush()


def follow(database: Database) -> int:
    """Decisions that begin or end today show on their households; returns how many changed.

    Run again, or by many at once, it does nothing twice: each household in its own transaction.
    """
    today = local_today()
    in_force = sa.and_(
        col(PovertyStatus.household_id) == col(Household.id),
        col(PovertyStatus.annulled_on).is_(None),
        valid_on(PovertyStatus, today),
    )
    behind = (
        sa.select(col(Household.id))
        .join(PovertyStatus, in_force, isouter=True)
        .where(
            sa.or_(col(PovertyStatus.id).is_not(None), col(Household.poverty_class).is_not(None)),
            sa.or_(
                col(PovertyStatus.valid_from).is_distinct_from(col(Household.poverty_since)),
                col(PovertyStatus.poverty_class).is_distinct_from(col(Household.poverty_class)),
            ),
        )
    )
    with database.reading() as db:
        waiting = db.execute(behind.order_by(col(Household.id))).scalars().all()
    for household_id in waiting:
        with database.writing() as session:
            changes.attribute(session, changes.Origin(ChangeSource.job, source_ref="poverty"))
            household = households.hold(session, household_id)
            if household is not None:
                settle(session, household)
    return len(waiting)


def read(session: Session, status: PovertyStatus) -> dict[str, Any]:
    """A decision just written, as StatusRead."""
    row = session.execute(READ.where(col(PovertyStatus.id) == status.id)).one()
    return dict(row._mapping)
