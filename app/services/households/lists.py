"""Households as they are read: lists, one household as of a day, its people and what happened to it.

The right to see members includes households; poverty data is masked without `poverty:read`.
"""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today
from app.db import AnySelect
from app.errors import invalid, not_found
from app.models.base import ListQuery
from app.models.external_ids.external_ids import HouseholdExternalId
from app.models.households.households import (
    Household,
    HouseholdEvent,
    HouseholdEventRead,
)
from app.models.households.lists import HouseholdItem, HouseholdQuery
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.services.households import dated, gaps
from app.services.households.households import MASKS, access, place_on
from app.services.households.people import people_on
from app.services.households.standing import lived
from app.services.kernel.access import Actor, Db, require_somewhere, visible
from app.services.kernel.external_ids import records_of
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.offers import Work
from app.services.members import scope as member_scope
from app.text import search_words

_STORED = {"poverty_status": "poverty_class"}
_COMMUNE = sa.orm.aliased(Unit)
_HEADED = col(Household.head_missing_since).is_(None)
_COMPUTED = {
    "area_type": sa.func.coalesce(col(Household.area_type), col(_COMMUNE.area_type)),
    "head_id": sa.case((_HEADED, col(Household.head_id))),
}
_ITEM: AnySelect = sa.select(
    *(
        _COMPUTED[name].label(name)
        if name in _COMPUTED
        else getattr(Household, _STORED.get(name, name)).label(name)
        for name in HouseholdItem.model_fields
        if name != "masked"
    ),
    col(Household.sort_key),
).join(_COMMUNE, col(_COMMUNE.id) == col(Household.commune_id), isouter=True)


def list_households(db: Db, actor: Actor, query: HouseholdQuery) -> Pages:
    """Households in scope by the name of the head; a filter needs the right to its field.

    Of a past day (`as_of`): 422 for a filter that only the records of today answer.
    """
    if query.as_of is not None and query.as_of < local_today():
        return _of_past(db, actor, query, query.as_of)
    asked = query.model_dump(include=set(MASKS), exclude_none=True)
    rights = {MASKS[name] for name in asked}
    rights |= gaps.rights(query)
    here = member_scope.rows(
        db,
        actor,
        sorted(rights),
        query,
        Household,
        lambda places: places.have(Household.branch_id),
    )
    statement = _ITEM.where(here, *_filters(query), *gaps.filters(query))
    if query.external_id is not None:
        ref = [query.external_id]
        known = records_of(db, HouseholdExternalId, "household_id", ref)
        statement = statement.where(col(Household.id).in_([*known.values()]))
    return pages(statement, _BY_HEAD, each(partial(_of_today, actor)))


def of_ids(db: Db, actor: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Households as lists have them, in no order; the caller knows that the actor sees them."""
    return [_shown(actor, row) for row in db.execute(_ITEM.where(col(Household.id).in_(ids)))]


def _of_past(db: Db, actor: Actor, query: HouseholdQuery, day: date) -> Pages:
    """Who lived on the day in the units asked about, as far as the actor sees them today; by the
    names of today."""
    for name in sorted(_FURTHER):
        if getattr(query, name) not in (None, False):
            raise invalid("filter_not_dated", f"/{name}", place="query")
    in_tree = query.model_copy(update={"hierarchy": query.hierarchy or "as_was"})
    here = member_scope.rows(
        db, actor, (), in_tree, Household, lambda places: lived(places, col(Household.id))
    )

    def shown(db: Db, rows: Sequence[Any]) -> list[dict[str, Any] | None]:
        items = [_shown(actor, row) for row in rows]
        return [None if then is None else then.item for then in dated.households_on(db, items, day)]

    return pages(_ITEM.where(here), _BY_HEAD, shown)


def _of_today(actor: Actor, row: Any) -> dict[str, Any]:
    return _shown(actor, row) | {"not_dated": []}


def _without_a_head(_: Db, actor: Actor) -> AnySelect:
    """Households that wait for somebody to say who heads them, since the head has died."""
    return sa.select(
        col(Household.id),
        col(Household.head_missing_since).label("since"),
        col(Household.branch_id).label("unit_id"),
    ).where(
        visible(Household, actor, Right.members_write),
        ~_HEADED,
        col(Household.closed_on).is_(None),
    )


WORK = Work(
    kind="household_head",
    right=Right.members_write,
    waiting=_without_a_head,
    link="/v1/households/{id}",
)


# What is asked of the records of today.
_FURTHER = HouseholdQuery.model_fields.keys() - {
    *ListQuery.model_fields,
    *("unit", "as_of", "hierarchy"),
}
_BY_HEAD = Order(col(Household.sort_key), col(Household.id))


def _filters(query: HouseholdQuery) -> list[sa.ColumnElement[bool]]:
    is_open = col(Household.closed_on).is_(None)
    wanted: list[sa.ColumnElement[bool]] = [~is_open if query.closed else is_open]
    equal = ("female_headed", "ethnic_minority", "merit", "no_labour_capacity", "code")
    wanted += [
        col(getattr(Household, name)) == value
        for name, value in query.model_dump(include=set(equal)).items()
        if value is not None
    ]
    if query.head_missing is not None:
        wanted.append(~_HEADED if query.head_missing else _HEADED)
    if query.poverty_status is not None:
        wanted.append(col(Household.poverty_class) == query.poverty_status)
    if query.area_type is not None:
        area = sa.func.coalesce(col(Household.area_type), col(_COMMUNE.area_type))
        wanted.append(area == query.area_type)
    if query.q is not None:
        key = col(Household.search_key)
        words = [
            key.contains(f"={marked}" if marked else f" {bare}", autoescape=True)
            for bare, marked in search_words(query.q)
        ]
        coded = col(Household.code) == query.q.strip()
        wanted.append(sa.or_(sa.and_(*words), coded) if words else coded)
    return wanted


def _shown(actor: Actor, row: Any) -> dict[str, Any]:
    item = {name: getattr(row, name) for name in HouseholdItem.model_fields if name != "masked"}
    masked = actor.hidden(MASKS, row)
    return item | dict.fromkeys(masked) | {"masked": masked}


def get_household(
    db: Db, actor: Actor, household_id: UUID, as_of: date | None = None
) -> dict[str, Any]:
    """One household with its people; `as_of`: all of it is of that day (`dated`)."""
    row = db.execute(_ITEM.where(col(Household.id) == household_id)).one_or_none()
    if row is None or not actor.covers(Right.members_read, row):
        require_somewhere(db, actor, Right.members_read)
        raise not_found()
    item = _shown(actor, row)
    if as_of is not None and as_of < local_today():
        [then] = dated.households_on(db, [item], as_of)
        if then is None:
            raise not_found()
        return then.read(actor)
    day = as_of or row.closed_on or local_today()
    if as_of is not None and place_on(db, household_id, day) is None:
        raise not_found()
    return item | {"people": people_on(db, actor, household_id, day), "not_dated": []}


def known(db: Db, *those: sa.ColumnElement[bool]) -> Sequence[Any]:
    """Households as lists have them and with nothing masked, for services that compare."""
    return db.execute(_ITEM.where(*those).order_by(col(Household.id))).all()


def list_events(db: Db, actor: Actor, household_id: UUID) -> Pages:
    """What happened to a household, the first first."""
    access(db, actor, household_id, Right.members_read)
    statement = sa.select(
        *(getattr(HouseholdEvent, name) for name in HouseholdEventRead.model_fields)
    ).where(col(HouseholdEvent.household_id) == household_id)
    return pages(statement, Order(col(HouseholdEvent.id)))


def read(session: Session, actor: Actor, household: Household) -> dict[str, Any]:
    """A household just written, as HouseholdRead."""
    return get_household(session, actor, household.id)
