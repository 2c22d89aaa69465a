"""The people of households, on a day."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.households.households import Household, HouseholdPerson, Relation
from app.models.households.lists import HouseholdPersonItem, PeopleQuery
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.services.households.standing import lived
from app.services.kernel.access import Actor, Db
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.periods import lasted
from app.services.members import scope
from app.services.units.in_tree import CountedUnits
from app.services.units.units import valid_on

_WHERE = ("province_id", "commune_id", "branch_id")
_PLACES = {name: getattr(Member, name) for name in _WHERE}
UNSEEN = {"full_name": None, "birth_date": None, "gender": None}
_SOMEBODY: AnySelect = sa.select(
    col(HouseholdPerson.person_id),
    col(HouseholdPerson.member_id),
    sa.func.coalesce(col(Member.full_name), col(HouseholdPerson.full_name)).label("full_name"),
    sa.func.coalesce(col(Member.birth_date), col(HouseholdPerson.birth_date)).label("birth_date"),
    sa.func.coalesce(col(Member.gender), col(HouseholdPerson.gender)).label("gender"),
    col(HouseholdPerson.relation),
    col(HouseholdPerson.valid_from),
    col(HouseholdPerson.valid_to),
    col(HouseholdPerson.ended_by),
).join(Member, col(Member.id) == col(HouseholdPerson.member_id), isouter=True)
_PERSON: AnySelect = _SOMEBODY.add_columns(*_PLACES.values())
_OF_STAY = (col(HouseholdPerson.id), col(HouseholdPerson.household_id))
_NOT_SHOWN = (*_WHERE, "id", "household_id")
_HEAD_FIRST = sa.case((col(HouseholdPerson.relation) == Relation.head, 0), else_=1)
_IN_ORDER = (_HEAD_FIRST, col(HouseholdPerson.valid_from), col(HouseholdPerson.id))


def rows_on(db: Db, household_ids: Sequence[UUID], day: date) -> Sequence[Any]:
    """The stays of a day with who the people are today, the head first, each with its `id` and its
    `household_id`."""
    statement = _PERSON.add_columns(*_OF_STAY).where(
        col(HouseholdPerson.household_id).in_(household_ids), valid_on(HouseholdPerson, day)
    )
    return db.execute(statement.order_by(*_IN_ORDER)).all()


def people_on(db: Db, actor: Actor, household_id: UUID, day: date) -> list[dict[str, Any]]:
    """The head first, then by the day they joined. A member out of scope appears by id only."""
    return [shown(actor, row, row._mapping) for row in rows_on(db, [household_id], day)]


def shown(actor: Actor, row: Any, values: Any) -> dict[str, Any]:
    """A person with these values, as far as the actor may see the member of the row."""
    item = {name: value for name, value in values.items() if name not in _NOT_SHOWN}
    if not is_seen(actor, row):
        item |= UNSEEN
    return item


def is_seen(actor: Actor, row: Any) -> bool:
    return row.member_id is None or actor.covers(Right.members_read, row)


_OF_HOUSEHOLD = {
    "household_id": col(Household.id),
    "household_code": col(Household.code),
    "head_name": col(Household.head_name),
    "branch_id": col(Household.branch_id),
    "commune_id": col(Household.commune_id),
}
_IN_A_HOUSEHOLD: AnySelect = (
    _SOMEBODY.add_columns(
        *(column.label(name) for name, column in _OF_HOUSEHOLD.items()),
        *(column.label(f"member_{name}") for name, column in _PLACES.items()),
        col(Household.sort_key),
        _HEAD_FIRST.label("place"),
        col(HouseholdPerson.id),
    )
).join(Household, col(Household.id) == col(HouseholdPerson.household_id))
_BY_HOUSEHOLD = Order(
    col(Household.sort_key),
    col(Household.id).label("household_id"),
    _HEAD_FIRST.label("place"),
    col(HouseholdPerson.valid_from),
    col(HouseholdPerson.id),
)


def list_people(db: Db, actor: Actor, query: PeopleQuery) -> Pages:
    """The people of the households in scope, by household, the head first."""
    here = scope.rows(db, actor, (), query, Household, _stood)
    statement = _IN_A_HOUSEHOLD.where(here, lasted(HouseholdPerson, query))
    if query.relation is not None:
        statement = statement.where(col(HouseholdPerson.relation) == query.relation)
    return pages(statement, _BY_HOUSEHOLD, each(partial(_listed, actor)))


def _stood(places: CountedUnits) -> sa.ColumnElement[bool]:
    """Where the household lived on the last day of the person in it."""
    return lived(places, HouseholdPerson.household_id, HouseholdPerson.valid_to)


def _listed(actor: Actor, row: Any) -> dict[str, Any]:
    item = {name: getattr(row, name) for name in HouseholdPersonItem.model_fields}
    place = _Place(row.member_province_id, row.member_commune_id, row.member_branch_id)
    if row.member_id is not None and not actor.covers(Right.members_read, place):
        item |= UNSEEN
    return item


class _Place(NamedTuple):
    """Where a member stands, as `Actor.covers` asks."""

    province_id: int
    commune_id: int | None
    branch_id: int


def births_of_heads(db: Db, household_ids: Sequence[UUID]) -> dict[UUID, Any]:
    """When the heads of households of today were born, as far as it is known."""
    rows = db.execute(
        _PERSON.add_columns(col(HouseholdPerson.household_id)).where(
            col(HouseholdPerson.household_id).in_(household_ids),
            col(HouseholdPerson.relation) == Relation.head,
            col(HouseholdPerson.valid_to).is_(None),
        )
    )
    return dict.fromkeys(household_ids) | {row.household_id: row.birth_date for row in rows}
