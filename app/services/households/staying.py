"""Stays of people in a household, and its end: what acts on households are made of."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.errors import invalid
from app.models.households.households import (
    Household,
    HouseholdPerson,
    HouseholdPlace,
    PersonEnd,
    Relation,
)
from app.models.members.members import Member
from app.services.households.followers import OfHouseholds
from app.services.households.forming import Newcomer
from app.services.households.line import head_columns, show_class
from app.services.kernel.manifest import manifest

DAY = timedelta(days=1)
Stays = dict[UUID, HouseholdPerson]


def open_stays(session: Session, household: Household) -> Stays:
    rows = session.exec(
        select(HouseholdPerson)
        .where(
            col(HouseholdPerson.household_id) == household.id,
            col(HouseholdPerson.valid_to).is_(None),
        )
        .order_by(col(HouseholdPerson.id))
    )
    return {row.person_id: row for row in rows}


def end(session: Session, stays: Iterable[HouseholdPerson], on: date, why: PersonEnd) -> None:
    """Their last day is the day before; a stay that began on this very day never was."""
    stays = list(stays)
    for stay in stays:
        if on < stay.valid_from:
            raise invalid("before_stay", "/effective_on", date=stay.valid_from.isoformat())
        if on == stay.valid_from:
            session.delete(stay)
        else:
            stay.valid_to, stay.ended_by = on - DAY, why
    session.flush()


def as_newcomers(
    session: Session, pairs: Sequence[tuple[HouseholdPerson, Relation]]
) -> list[Newcomer]:
    """The people of these stays as they go on in another role or household."""
    ids = [stay.member_id for stay, _ in pairs if stay.member_id is not None]
    rows = session.execute(
        sa.select(
            col(Member.id), col(Member.full_name), col(Member.given_name), col(Member.gender)
        ).where(col(Member.id).in_(ids))
    )
    members = {row.id: row for row in rows}
    return [
        Newcomer(
            stay.person_id,
            stay.member_id,
            members[stay.member_id].full_name if stay.member_id else stay.full_name or "",
            members[stay.member_id].given_name if stay.member_id else None,
            members[stay.member_id].gender if stay.member_id else stay.gender,
            relation,
            {"full_name": stay.full_name, "birth_date": stay.birth_date, "gender": stay.gender},
        )
        for stay, relation in pairs
    ]


def settle(session: Session, household: Household) -> None:
    """Head and number of people as the stays have them."""
    stays = open_stays(session, household)
    head = next((stay for stay in stays.values() if stay.relation is Relation.head), None)
    if head is None:
        household.head_missing_since = _without_head_since(session, household)
    else:
        [person] = as_newcomers(session, [(head, Relation.head)])
        columns = head_columns(person.person_id, person.name, person.given_name, person.gender)
        for name, value in columns.items():
            setattr(household, name, value)
    household.person_count = len(stays)
    session.flush()


def _without_head_since(session: Session, household: Household) -> date:
    last = session.execute(
        sa.select(sa.func.max(col(HouseholdPerson.valid_to))).where(
            col(HouseholdPerson.household_id) == household.id,
            col(HouseholdPerson.relation) == Relation.head,
        )
    ).scalar()
    return household.opened_on if last is None else last + DAY


def as_logged(stays: Iterable[HouseholdPerson]) -> list[dict[str, Any]]:
    return [{"person_id": str(stay.person_id), "relation": stay.relation.value} for stay in stays]


def last_place(session: Session, household: Household) -> HouseholdPlace:
    return session.exec(
        select(HouseholdPlace).where(
            col(HouseholdPlace.household_id) == household.id,
            col(HouseholdPlace.valid_to).is_(None),
        )
    ).one()


def finish(session: Session, household: Household, on: date) -> None:
    """Its last day, with its place and its status, is the day before."""
    place = last_place(session, household)
    since = max(place.valid_from, household.opened_on)
    if on <= since:
        raise invalid("before_stay", "/effective_on", date=(since + DAY).isoformat())
    last = on - DAY
    for follower in manifest().followers(OfHouseholds):
        follower.closed(session, household.id, last)
    place.valid_to = last
    household.closed_on = last
    household.person_count = 0
    show_class(household, None, None)
    session.flush()
