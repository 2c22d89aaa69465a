"""Reading the change log: what changed in my scope, and every value a field ever had."""

from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import on_sqlite, vault_of
from app.errors import not_found
from app.models.kernel.access import Right
from app.models.kernel.changes import (
    Change,
    ChangeQuery,
    ChangeRead,
    EntityHistory,
    Feed,
    FieldHistory,
    FieldValue,
    Operation,
)
from app.services.audit import carried
from app.services.audit.walks import BY_SEQ, READ, below, of_kinds, readable, walk
from app.services.kernel.access import Actor, Db, require_somewhere
from app.services.kernel.actors import reach_of
from app.services.kernel.following import Following
from app.services.kernel.keyset import Pages, each, paged
from app.services.kernel.manifest import manifest
from app.services.kernel.tracking import Tracked
from app.services.units.units import find_filter
from app.vault import Vault


def _masked(actor: Actor, tracked: Tracked, row: Any) -> list[str]:
    return actor.hidden(tracked.masks, row)


def shown(
    vault: Vault, tracked: Tracked, values: dict[str, Any] | None, masked: Iterable[str]
) -> dict[str, Any] | None:
    """Logged values as they were, without what the reader may not see."""
    if values is None:
        return None
    told = {name: None if name in masked else value for name, value in values.items()}
    for name, purpose in tracked.sealed.items():
        if (value := told.get(name)) is not None:
            told[name] = vault.open(value, purpose)
    return told


def _read(vault: Vault, actor: Actor, row: Any) -> ChangeRead:
    tracked = manifest().by_entity[row.entity][1]
    masked = _masked(actor, tracked, row)
    return ChangeRead(
        seq=row.seq,
        at=row.at,
        operation=row.operation,
        entity=row.entity,
        entity_id=row.entity_id,
        revision=row.revision,
        unit_id=row.unit_id,
        account_id=row.account_id,
        device=row.device,
        request_id=row.request_id,
        source=row.source,
        source_ref=row.source_ref,
        before=shown(vault, tracked, row.before, masked),
        after=shown(vault, tracked, row.after, masked),
        masked=masked,
    )


def list_changes(db: Db, actor: Actor, query: ChangeQuery) -> tuple[Following, Pages]:
    """What the follower has not read, oldest first."""
    require_somewhere(db, actor, Right.changes_read)
    following = Following.of(db, query)
    statement = READ.where(readable(actor), following.rows)
    if query.kinds:
        statement = statement.where(of_kinds(query.kinds))
    if query.entity_id is not None:
        statement = statement.where(col(Feed.entity_id) == query.entity_id)
    unit = None if query.unit is None else find_filter(db, actor, query.unit, pointer="/unit")
    if unit is not None:
        statement = statement.where(below(unit, reach_of(db, unit)))
    if query.account is not None:
        statement = statement.where(col(Change.account_id) == query.account)
    vault = vault_of(db)
    shown = each(lambda row: _read(vault, actor, row).model_dump())
    unread = walk(actor, statement, unit, sqlite=on_sqlite(db))
    pages = paged(lambda after, limit: unread(after or (following.after,), limit), BY_SEQ, shown)
    return following, following.placed(pages)


def history(db: Db, actor: Actor, entity: str, entity_id: str) -> EntityHistory:
    """Every value each field of one entity had, as far as the actor may read its changes."""
    require_somewhere(db, actor, Right.changes_read)
    rows = db.execute(
        READ.where(
            readable(actor), col(Feed.entity) == entity, col(Feed.entity_id) == entity_id
        ).order_by(col(Feed.seq))
    ).all()
    tracked = manifest().by_entity[entity][1]
    taken_along = [*carried.values(db, actor, tracked, entity_id)]
    if not (rows or taken_along):
        raise not_found()
    vault = vault_of(db)
    fields: dict[str, list[FieldValue]] = {}
    told: set[UUID] = set()
    for row in rows:
        change = _read(vault, actor, row)
        # a move has two rows in the feed: one for the unit left, one for the unit entered
        if row.change_id in told:
            continue
        told.add(row.change_id)
        for name, value in (change.after or {}).items():
            fields.setdefault(name, []).append(
                FieldValue(seq=change.seq, at=change.at, account_id=change.account_id, value=value)
            )
    for name, values in carried.by_field(taken_along).items():
        fields[name] = _each_once([*fields.get(name, ()), *values])
    last = max((*rows, *(one.move for one in taken_along)), key=attrgetter("seq"))
    return EntityHistory(
        entity=entity,
        entity_id=entity_id,
        revision=rows[-1].revision if rows else taken_along[-1].revision,
        fields=[FieldHistory(field=name, values=values) for name, values in fields.items()],
        masked=_masked(actor, tracked, last),
    )


def _each_once(values: Iterable[FieldValue]) -> list[FieldValue]:
    """In their order: versions before 0.4 logged the move of a unit and that of each record in it."""
    in_order = sorted(values, key=attrgetter("seq"))
    return [next(same) for _, same in groupby(in_order, key=attrgetter("value"))]


def deleted_of(db: Db, entity: str, member_id: UUID) -> set[str]:
    """Rows of a member that no longer exist: only the log knows whose they were."""
    statement = sa.select(col(Change.entity_id)).where(
        col(Change.entity) == entity,
        col(Change.operation) == Operation.deleted,
        col(Change.before)["member_id"].as_string() == str(member_id),
    )
    return set(db.execute(statement).scalars())
