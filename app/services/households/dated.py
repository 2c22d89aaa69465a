"""A household on a past day, all of it as it was then.

Place, people, class and assessment have dates of their own; what has none comes from the change
log. Where the log does not reach the day, today's value stands, and the answer names the field.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.errors import not_found
from app.models.households.households import Household, HouseholdPerson, Relation
from app.models.members.members import Gender, Member
from app.models.poverty.poverty import Assessment
from app.services.households import people
from app.services.households.households import place_on, status_on
from app.services.kernel import dated
from app.services.kernel.access import Actor, Db

_LOGGED = ("code", "ethnic_minority", "merit", "no_labour_capacity", "union_label")
_OF_A_PERSON = ("full_name", "birth_date", "gender")


def household_on(db: Db, actor: Actor, item: dict[str, Any], day: date) -> dict[str, Any]:
    """The household as a list shows it today, put back to the end of the day; 404 where it did not
    exist."""
    place = place_on(db, item["id"], day)
    if place is None:
        raise not_found()
    of_day = {
        name: getattr(place, name)
        for name in ("branch_id", "commune_id", "province_id", "address", "area_type")
    }
    if item["closed_on"] is not None and item["closed_on"] > day:
        of_day["closed_on"] = None
    of_day |= _assessed(db, item["id"], day) | _recognised(db, item["id"], day)
    logged, not_dated = _logged(db, item["id"], day, item)
    of_people, names_not_dated = _people(db, actor, item["id"], day)
    masked = dict.fromkeys(item["masked"])
    not_dated = [name for name in (*not_dated, *names_not_dated) if name not in masked]
    return item | of_day | logged | of_people | masked | {"not_dated": not_dated}


def _logged(
    db: Db, household_id: UUID, day: date, item: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    names = (*_LOGGED, "union_label_on")
    then = dated.rows_on(db, Household, [household_id], day, names)[household_id]
    values = then.of({name: item[name] for name in names})
    return values, [] if then.known else list(names)


def _recognised(db: Db, household_id: UUID, day: date) -> dict[str, Any]:
    status = status_on(db, household_id, day)
    return {
        "poverty_status": None if status is None else status.poverty_class,
        "poverty_since": None if status is None else status.valid_from,
    }


def _assessed(db: Db, household_id: UUID, day: date) -> dict[str, Any]:
    """The last assessment up to the day, as it counts today: a correction replaces what it
    corrects."""
    correction = aliased(Assessment)
    last = db.execute(
        sa.select(col(Assessment.poverty_class), col(Assessment.assessed_on))
        .where(
            col(Assessment.household_id) == household_id,
            col(Assessment.assessed_on) <= day,
            ~sa.exists().where(col(correction.corrects_id) == col(Assessment.id)),
        )
        .order_by(col(Assessment.assessed_on).desc(), col(Assessment.id).desc())
        .limit(1)
    ).one_or_none()
    return {
        "assessed_class": None if last is None else last.poverty_class.value,
        "assessed_on": None if last is None else last.assessed_on,
    }


def _people(
    db: Db, actor: Actor, household_id: UUID, day: date
) -> tuple[dict[str, Any], list[str]]:
    """Who lived there, and the head with the name and the gender of that day."""
    rows = people.rows_on(db, household_id, day)
    then = _persons(db, rows, day)
    were = [_person_on(row, then[row.id], day) for row in rows]
    head = next((each for each in were if each["relation"] is Relation.head), None)
    of_people: dict[str, Any] = {
        "people": [people.shown(actor, row, was) for row, was in zip(rows, were, strict=True)],
        "person_count": len(rows),
        "female_headed": head is not None and head["gender"] == Gender.female,
    }
    if head is not None:
        of_people |= {"head_id": head["person_id"], "head_name": head["full_name"]}
        of_people["head_missing_since"] = None
    not_dated = []
    if any(not then[row.id].known for row in rows if row.relation is Relation.head):
        not_dated += ["head_name", "female_headed"]
    if any(not then[row.id].known for row in rows if people.is_seen(actor, row)):
        not_dated.append("people")
    return of_people, not_dated


def _persons(db: Db, rows: Sequence[Any], day: date) -> dict[UUID, dated.Then]:
    """By stay: who the person was, by the member's record or by the stay itself."""
    members = [row.member_id for row in rows if row.member_id is not None]
    stays = [row.id for row in rows if row.member_id is None]
    of_members = dated.rows_on(db, Member, members, day, _OF_A_PERSON)
    of_stays = dated.rows_on(db, HouseholdPerson, stays, day, _OF_A_PERSON)
    return of_stays | {
        row.id: of_members[row.member_id] for row in rows if row.member_id is not None
    }


def _person_on(row: Any, then: dated.Then, day: date) -> dict[str, Any]:
    """What ended the stay later had not happened."""
    was = then.of(row._mapping)
    if row.valid_to is not None and row.valid_to > day:
        was |= {"valid_to": None, "ended_by": None}
    return was
