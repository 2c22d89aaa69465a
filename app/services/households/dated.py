"""Households on a past day, all of each as it was then.

Place, people, class and assessment have dates of their own; what has none comes from the change
log. Where the log does not reach the day, today's value stands, and the answer names the field.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.models.households.households import Household, HouseholdPerson, Relation
from app.models.members.members import Gender, Member
from app.models.poverty.poverty import Assessment
from app.services.households import people
from app.services.households.households import places_on, statuses_on
from app.services.kernel import dated
from app.services.kernel.access import Actor, Db

_LOGGED = ("code", "ethnic_minority", "merit", "no_labour_capacity", "union_label")
_NAMES = (*_LOGGED, "union_label_on")
_OF_A_PERSON = ("full_name", "birth_date", "gender")


@dataclass(frozen=True, slots=True)
class PersonThen:
    """A person's stay of the day: as it is stored, as it was then, and whether that is known."""

    row: Any
    was: Mapping[str, Any]
    known: bool


@dataclass(frozen=True, slots=True)
class HouseholdThen:
    """A household of a day as a list shows it, and who lived there; `not_dated` is of the list."""

    item: dict[str, Any]
    people: Sequence[PersonThen]

    def read(self, actor: Actor) -> dict[str, Any]:
        """With its people, as far as the actor may see them."""
        shown = [people.shown(actor, each.row, each.was) for each in self.people]
        seen = (each for each in self.people if people.is_seen(actor, each.row))
        not_dated = [] if all(each.known for each in seen) else ["people"]
        not_dated = [*self.item["not_dated"], *not_dated]
        return self.item | {"people": shown, "not_dated": not_dated}


def households_on(db: Db, items: Sequence[dict[str, Any]], day: date) -> list[HouseholdThen | None]:
    """Households as a list shows them today, put back to the end of the day; None for one that did
    not exist."""
    ids = [item["id"] for item in items]
    places, statuses = places_on(db, ids, day), statuses_on(db, ids, day)
    assessed, persons = _assessed(db, ids, day), _people(db, ids, day)
    were = dated.rows_on(db, Household, ids, day, _NAMES)

    def then(item: dict[str, Any]) -> HouseholdThen | None:
        id_ = item["id"]
        if id_ not in places:
            return None
        of_day = _placed(item, places[id_], day) | assessed[id_] | _recognised(statuses.get(id_))
        of_day |= were[id_].of({name: item[name] for name in _NAMES})
        of_day |= _headed(persons[id_])
        masked = dict.fromkeys(item["masked"])
        not_dated = [] if were[id_].known else [*_NAMES]
        not_dated += _head_not_dated(persons[id_])
        not_dated = [name for name in not_dated if name not in masked]
        return HouseholdThen(item | of_day | masked | {"not_dated": not_dated}, persons[id_])

    return [then(item) for item in items]


def _placed(item: Mapping[str, Any], place: Any, day: date) -> dict[str, Any]:
    names = ("branch_id", "commune_id", "province_id", "address", "area_type")
    of_day = {name: getattr(place, name) for name in names}
    if item["closed_on"] is not None and item["closed_on"] > day:
        of_day["closed_on"] = None
    return of_day


def _recognised(status: Any) -> dict[str, Any]:
    return {
        "poverty_status": None if status is None else status.poverty_class,
        "poverty_since": None if status is None else status.valid_from,
    }


def _assessed(db: Db, ids: Sequence[UUID], day: date) -> dict[UUID, dict[str, Any]]:
    """The last assessment of each up to the day, as it counts today: a correction replaces what it
    corrects."""
    correction = aliased(Assessment)
    rows = db.execute(
        sa.select(
            col(Assessment.household_id),
            col(Assessment.poverty_class),
            col(Assessment.assessed_on),
        )
        .where(
            col(Assessment.household_id).in_(ids),
            col(Assessment.assessed_on) <= day,
            ~sa.exists().where(col(correction.corrects_id) == col(Assessment.id)),
        )
        .order_by(col(Assessment.assessed_on), col(Assessment.id))
    )
    found: dict[UUID, dict[str, Any]] = {
        id_: {"assessed_class": None, "assessed_on": None} for id_ in ids
    }
    for id_, poverty_class, assessed_on in rows:
        found[id_] = {"assessed_class": poverty_class.value, "assessed_on": assessed_on}
    return found


def _people(db: Db, ids: Sequence[UUID], day: date) -> dict[UUID, list[PersonThen]]:
    """Who lived in each."""
    rows = people.rows_on(db, ids, day)
    then = _persons(db, rows, day)
    found: dict[UUID, list[PersonThen]] = defaultdict(list)
    for row in rows:
        was = _person_on(row, then[row.id], day)
        found[row.household_id].append(PersonThen(row, was, then[row.id].known))
    return found


def _headed(persons: Iterable[PersonThen]) -> dict[str, Any]:
    """The head with the name and the gender of that day."""
    persons = [*persons]
    head = next((each.was for each in persons if each.was["relation"] is Relation.head), None)
    of_people: dict[str, Any] = {
        "person_count": len(persons),
        "female_headed": head is not None and head["gender"] == Gender.female,
    }
    if head is not None:
        of_people |= {"head_id": head["person_id"], "head_name": head["full_name"]}
        of_people["head_missing_since"] = None
    return of_people


def _head_not_dated(persons: Iterable[PersonThen]) -> list[str]:
    heads = (each for each in persons if each.row.relation is Relation.head)
    return [] if all(each.known for each in heads) else ["head_name", "female_headed"]


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
