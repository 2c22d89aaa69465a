"""The inbox of work: what the capabilities offer as work, and the actor may do.

Each kind is asked for by its own statement, in the order of the capabilities; so the place of an
entry is its kind, and its place among those of its kind.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_day, local_today
from app.db import AnySelect
from app.models.accounts.work import WorkCount, WorkCountItem, WorkCountQuery, WorkQuery
from app.models.kernel.units import Unit
from app.services.kernel.access import Actor, Db
from app.services.kernel.actors import reach_of
from app.services.kernel.keyset import Entry, Key, Order, Pages
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import Work
from app.services.units.units import find_filter


def list_work(db: Db, actor: Actor, query: WorkQuery) -> Pages:
    """What waits for the actor, by kind, in each the oldest first."""
    within = _within(db, actor, query.unit)
    walks = [
        (place, work, *_walk(db, work, actor, within))
        for place, work in _offered(actor)
        if query.kind in (None, work.kind)
    ]

    def page(db: Db, after: Key | None, limit: int) -> list[Entry]:
        entries: list[Entry] = []
        for place, work, statement, order in walks:
            if after is not None and place < after[0]:
                continue
            last = after[1:] if after is not None and place == after[0] else None
            rows = db.execute(order.walk(statement)(last, limit - len(entries)))
            entries += [((place, *order.key(row)), _item(work, row)) for row in rows]
            if len(entries) == limit:
                break
        return entries

    return page


def count_work(db: Db, actor: Actor, query: WorkCountQuery) -> WorkCount:
    """How many of each kind wait for the actor."""
    within = _within(db, actor, query.unit)
    items = []
    for _, work in _offered(actor):
        statement, _ = _walk(db, work, actor, within)
        count = db.execute(sa.select(sa.func.count()).select_from(statement.subquery())).scalar()
        if count:
            items.append(WorkCountItem(kind=work.kind, count=count))
    return WorkCount(total=sum(item.count for item in items), items=items)


def _offered(actor: Actor) -> Iterator[tuple[int, Work]]:
    for place, work in enumerate(manifest().work):
        if work.right is None or actor.reach(work.right):
            yield place, work


def _within(db: Db, actor: Actor, unit_id: int | None) -> sa.ColumnElement[bool]:
    if unit_id is None:
        return sa.true()
    unit = find_filter(db, actor, unit_id, pointer="/unit")
    return sa.or_(col(Unit.id) == unit.id, reach_of(db, unit).predicate(Unit))


def _walk(
    db: Db, work: Work, actor: Actor, within: sa.ColumnElement[bool]
) -> tuple[AnySelect, Order]:
    waiting = work.waiting(db, actor).subquery("waiting")
    statement = (
        sa.select(
            waiting.c.id,
            waiting.c.since,
            col(Unit.id).label("unit_id"),
            col(Unit.level),
            col(Unit.name),
        )
        .join(Unit, col(Unit.id) == waiting.c.unit_id)
        .where(within)
    )
    return statement, Order(waiting.c.since.asc().nulls_last(), waiting.c.id.asc().nulls_last())


def _item(work: Work, row: Any) -> dict[str, Any]:
    since = _day(row.since)
    return {
        "kind": work.kind,
        "id": str(row.id),
        "since": since,
        "age_days": (local_today() - since).days,
        "unit": {"id": row.unit_id, "level": row.level, "name": row.name},
        "link": work.link.format(id=row.id),
    }


def _day(since: date | datetime) -> date:
    return local_day(since) if isinstance(since, datetime) else since
