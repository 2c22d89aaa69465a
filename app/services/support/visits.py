"""Visits to households (nhật ký thăm hộ): who came, what is missing, what was seen."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.errors import invalid
from app.models.households.households import Household
from app.models.kernel.access import Right
from app.models.support.visits import HouseholdVisit, VisitCreate, VisitRead
from app.services.households import households
from app.services.kernel.access import Actor, Db
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Order, Pages, pages

_COLUMNS = [getattr(HouseholdVisit, name) for name in VisitRead.model_fields]


def list_visits(db: Db, actor: Actor, household_id: UUID) -> Pages:
    """Visits to a household, the last recorded first."""
    households.access(db, actor, household_id, Right.poverty_read)
    statement = sa.select(*_COLUMNS).where(col(HouseholdVisit.household_id) == household_id)
    return pages(statement, Order(col(HouseholdVisit.id).desc()))


def of_ids(db: Db, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Visits as lists have them, in no order; the caller knows that the actor sees them."""
    found = db.execute(sa.select(*_COLUMNS).where(col(HouseholdVisit.id).in_(ids)))
    return [dict(row._mapping) for row in found]


def create(
    session: Session, actor: Actor, household_id: UUID, body: VisitCreate
) -> tuple[HouseholdVisit, bool]:
    """Record a visit. The same id with the same content makes no second one."""
    household = households.lock(session, actor, household_id, Right.poverty_write)
    values = body.model_dump(exclude={"id"}) | {"household_id": household_id}
    return created_once(
        session,
        HouseholdVisit,
        body.id,
        partial(_made, actor, household, body, values),
        same=holds(values),
    )


def _made(
    actor: Actor, household: Household, body: VisitCreate, values: Mapping[str, Any]
) -> HouseholdVisit:
    if body.visited_on < household.opened_on:
        raise invalid("before_household", "/visited_on", date=household.opened_on.isoformat())
    if body.next_on is not None and body.next_on < body.visited_on:
        raise invalid("dates_reversed", "/next_on")
    now = utc_now()
    return HouseholdVisit(
        **values,
        province_id=household.province_id,
        account_id=actor.account_id,
        created_at=now,
        updated_at=now,
    )


def read(visit: HouseholdVisit) -> dict[str, Any]:
    return {name: getattr(visit, name) for name in VisitRead.model_fields}
