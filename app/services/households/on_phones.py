"""Households as phones keep them: open ones, each with its people of today."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.clock import local_today
from app.models.households.households import Household, HouseholdPerson
from app.models.households.lists import HouseholdRead
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.models.poverty.poverty import Assessment
from app.services.households import lists, people
from app.services.kernel.access import Actor
from app.services.kernel.offers import Follows, SyncKind
from app.services.kernel.reach import within


def _of_ids(db: Connection, actor: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    of_household: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    found = people.rows_on(db, ids, local_today())
    hidden = _restricted(db, [row.member_id for row in found if row.member_id is not None])
    for row in found:
        person = people.shown(actor, row, row._mapping)
        if row.member_id in hidden:
            person |= people.UNSEEN
        of_household[row.household_id].append(person)
    return [item | {"people": of_household[item["id"]]} for item in lists.of_ids(db, actor, ids)]


def _restricted(db: Connection, member_ids: Sequence[UUID]) -> set[UUID]:
    """Those whose records do not leave as files, and so not to phones."""
    restricted = sa.select(col(Member.id)).where(
        col(Member.id).in_(member_ids), col(Member.restricted)
    )
    return set(db.execute(restricted).scalars())


def _of_people(condition: Any) -> Any:
    return sa.select(col(HouseholdPerson.household_id)).where(condition)


def _turned(since: date, day: date) -> sa.ColumnElement[bool]:
    """Somebody has joined or left it as of a day that has come meanwhile."""
    turned = sa.or_(
        sa.and_(col(HouseholdPerson.valid_to) >= since, col(HouseholdPerson.valid_to) < day),
        sa.and_(col(HouseholdPerson.valid_from) > since, col(HouseholdPerson.valid_from) <= day),
    )
    return col(Household.id).in_(_of_people(turned))


def of_household(model: Any, *follows: Follows) -> dict[str, Any]:
    """Of a kind of rows that hang on a household: they are on the phones that have it."""
    moved = Follows(
        entity="household",
        of=lambda ids: sa.select(col(model.id)).where(col(model.household_id).in_(ids)),
        fields=frozenset({"branch_id", "closed_on"}),
    )
    return {
        "place": Household,
        "joined": lambda rows: rows.join(Household, col(Household.id) == col(model.household_id)),
        "kept": _OPEN,
        "follows": (moved, *follows),
    }


_OPEN = col(Household.closed_on).is_(None)
SYNC = SyncKind(
    name="household",
    entity="household",
    right=Right.members_read,
    schema=HouseholdRead,
    model=Household,
    place=Household,
    rows=_of_ids,
    # The area is mostly that of the commune, which has it.
    derived=frozenset({"area_type", "not_dated"}),
    kept=_OPEN,
    parents={"unit": "branch_id", "member": "people.member_id"},
    follows=(
        Follows(
            entity="household_person",
            of=lambda ids: _of_people(col(HouseholdPerson.id).in_(ids)),
            key_in_log="household_id",
        ),
        Follows(
            entity="member",
            of=lambda ids: _of_people(col(HouseholdPerson.member_id).in_(ids)),
        ),
        Follows(
            entity="assessment",
            of=lambda ids: sa.select(col(Assessment.household_id)).where(
                col(Assessment.id).in_(ids)
            ),
            key_in_log="household_id",
        ),
    ),
    shows=lambda reaches: col(Household.id).in_(
        _of_people(
            col(HouseholdPerson.member_id).in_(
                sa.select(col(Member.id)).where(within(Member, reaches))
            )
        )
    ),
    turned=_turned,
)
