"""The people of households, on a day."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.households.households import HouseholdPerson, Relation
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.services.kernel.access import Actor, Db
from app.services.units.units import valid_on

_WHERE = ("province_id", "commune_id", "branch_id")
_PERSON: AnySelect = sa.select(
    col(HouseholdPerson.person_id),
    col(HouseholdPerson.member_id),
    sa.func.coalesce(col(Member.full_name), col(HouseholdPerson.full_name)).label("full_name"),
    sa.func.coalesce(col(Member.birth_date), col(HouseholdPerson.birth_date)).label("birth_date"),
    sa.func.coalesce(col(Member.gender), col(HouseholdPerson.gender)).label("gender"),
    col(HouseholdPerson.relation),
    col(HouseholdPerson.valid_from),
    col(HouseholdPerson.valid_to),
    col(HouseholdPerson.ended_by),
    *(getattr(Member, name) for name in _WHERE),
).join(Member, col(Member.id) == col(HouseholdPerson.member_id), isouter=True)
_HEAD_FIRST = sa.case((col(HouseholdPerson.relation) == Relation.head, 0), else_=1)
_IN_ORDER = (_HEAD_FIRST, col(HouseholdPerson.valid_from), col(HouseholdPerson.id))


def rows_on(db: Db, household_id: UUID, day: date) -> Sequence[Any]:
    """The stays of a day with who the people are today, the head first, each with its `id`."""
    statement = _PERSON.add_columns(col(HouseholdPerson.id)).where(
        col(HouseholdPerson.household_id) == household_id, valid_on(HouseholdPerson, day)
    )
    return db.execute(statement.order_by(*_IN_ORDER)).all()


def people_on(db: Db, actor: Actor, household_id: UUID, day: date) -> list[dict[str, Any]]:
    """The head first, then by the day they joined. A member out of scope appears by id only."""
    return [shown(actor, row, row._mapping) for row in rows_on(db, household_id, day)]


def shown(actor: Actor, row: Any, values: Any) -> dict[str, Any]:
    """A person with these values, as far as the actor may see the member of the row."""
    item = {name: value for name, value in values.items() if name not in (*_WHERE, "id")}
    if not is_seen(actor, row):
        item |= {"full_name": None, "birth_date": None, "gender": None}
    return item


def is_seen(actor: Actor, row: Any) -> bool:
    return row.member_id is None or actor.covers(Right.members_read, row)


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
