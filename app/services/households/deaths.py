"""What a death does to households: nobody who has died lives in one, or heads one.

Whom the household goes on with is for the commune to say: until then it has no head, and is among
the work that waits. One whose last person has died is no more from that day on.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.errors import Problem
from app.models.households.households import (
    HouseholdEventKind,
    HouseholdPerson,
    PersonEnd,
)
from app.models.members.spells import Left
from app.services.households import staying
from app.services.households.forming import record
from app.services.households.households import hold
from app.services.members import spells
from app.services.members.following import Ending


def follow(session: Session, ending: Ending) -> None:
    """A member who has left the union stays in her household; one who has died does not."""
    if ending.by is not Left.death:
        return
    named = sa.select(col(HouseholdPerson.household_id)).where(*_from(ending))
    for household_id in session.execute(named.distinct()).scalars().all():
        hold(session, household_id)
    stays = session.exec(
        select(HouseholdPerson).where(*_from(ending)).order_by(col(HouseholdPerson.id))
    ).all()
    if not stays:
        return
    spells.stand_in_household(session, [ending.member_id], None)
    for household_id in sorted({stay.household_id for stay in stays}):
        of_one = [stay for stay in stays if stay.household_id == household_id]
        _without(session, household_id, of_one, ending.on)


def _from(ending: Ending) -> tuple[sa.ColumnElement[bool], ...]:
    """Her stays that reach the day of her death, or begin later."""
    last = col(HouseholdPerson.valid_to)
    return (
        col(HouseholdPerson.member_id) == ending.member_id,
        sa.or_(last.is_(None), last >= ending.on),
    )


def _without(
    session: Session, household_id: UUID, stays: Sequence[HouseholdPerson], on: date
) -> None:
    before = staying.as_logged(stays)
    for stay in stays:
        if stay.valid_from >= on:
            session.delete(stay)
        else:
            stay.valid_to, stay.ended_by = on - staying.DAY, PersonEnd.death
    session.flush()
    household = hold(session, household_id)
    assert household is not None  # noqa: S101  # held above
    kind, after = HouseholdEventKind.person_left, {"reason": PersonEnd.death.value}
    record(session, household, kind, on, before={"people": before}, after=after)
    if household.closed_on is not None:
        return
    staying.settle(session, household)
    if household.person_count == 0:
        _close(session, household_id, on)


def _close(session: Session, household_id: UUID, on: date) -> None:
    """Where something recorded later is in the way, the commune has to close it."""
    household = hold(session, household_id)
    assert household is not None  # noqa: S101  # held above
    try:
        with session.begin_nested():
            staying.finish(session, household, on)
            record(session, household, HouseholdEventKind.closed, on)
    except Problem as problem:
        if problem.passes:
            raise
        session.refresh(household)
