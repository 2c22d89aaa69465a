"""The change log: written by every flush, read by audit, history, sync, feed and roll-ups.

A flush of a tracked entity writes one `change` row in the same transaction, and its place:
- SQLite has one writer, so the change takes the next `feed.seq` at once;
- PostgreSQL has many, and a plain sequence loses changes to readers (a number is taken before
  the commit: 1.8 % lost, measured). Changes wait in `outbox` until `sequencer.settle`, alone
  under the lock of `feed_head`, gives each committed change its number. No gap, no loss.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import zip_longest
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic_core import to_jsonable_python
from sqlmodel import Session, SQLModel, col

from app.clock import utc_now
from app.db import chunks, insert_many, on_sqlite, vault_of
from app.models.base import new_id
from app.models.kernel.changes import (
    Change,
    ChangeSource,
    Feed,
    FeedHead,
    Operation,
    Outbox,
)
from app.services.kernel.manifest import tracked_of
from app.services.kernel.tracking import PATH, Tracked, Units


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a change comes from; every writing session carries one in `session.info`."""

    source: ChangeSource
    account_id: UUID | None = None
    session_id: UUID | None = None
    device: str | None = None
    request_id: str | None = None
    source_ref: str | None = None


def attribute(session: Session, origin: Origin) -> None:
    """Set the author of the changes of this database session. Without one a tracked flush fails."""
    session.info["origin"] = origin


def origin_of(session: Session) -> Origin:
    """Who is behind the changes of this session."""
    origin: Origin = session.info["origin"]
    return origin


# -- writing


@contextmanager
def holding_from(session: Session, day: date) -> Iterator[None]:
    """Changes of dated entities that are written in it hold from this day on."""
    session.info["effective_on"] = day
    try:
        yield
    finally:
        del session.info["effective_on"]


def dated(
    session: Session, tracked: Tracked, after: dict[str, Any] | None
) -> dict[str, Any] | None:
    """`after` with the day from which it holds (`holding_from`)."""
    day: date | None = session.info.get("effective_on")
    if after is None or day is None or not tracked.dated:
        return after
    return after | {"effective_on": day.isoformat()}


def operation_of(tracked: Tracked, before: Mapping[str, Any]) -> Operation:
    """What a change of these fields is."""
    return Operation.moved if tracked.moved_by in before else Operation.updated


def logged(session: Session, tracked: Tracked, row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a row that are logged, as JSON."""
    values = {
        name: ("set" if value else None) if name in tracked.secret else _json(value)
        for name, value in row.items()
        if name not in tracked.left_out
    }
    for name, purpose in tracked.sealed.items():
        if (value := values.get(name)) is not None:
            values[name] = vault_of(session).seal(value, purpose)
    return values


def _json(value: Any) -> Any:
    return value if value is None or type(value) in (str, int, bool) else to_jsonable_python(value)


def change_of(
    session: Session, tracked: Tracked, row: Mapping[str, Any], operation: Operation
) -> dict[str, Any]:
    """The row of the log for a change, without what it was and what it became."""
    origin = session.info.get("origin")
    if not isinstance(origin, Origin):
        raise RuntimeError("a change needs an origin: call changes.attribute(session, ...) first")
    return {
        "id": new_id(),
        "at": utc_now(),
        "account_id": origin.account_id,
        "session_id": origin.session_id,
        "device": origin.device,
        "request_id": origin.request_id,
        "source": origin.source,
        "source_ref": origin.source_ref,
        "entity": tracked.entity,
        "entity_id": str(row["id"]),
        "operation": operation,
        "revision": row["revision"],
    }


def write(
    session: Session,
    entries: Sequence[tuple[dict[str, Any], list[tuple[Operation, Units]]]],
    revision: "_Revision | None" = None,
) -> None:
    """Write changes with their places, and the UPDATE that `revision` is."""
    connection = session.connection()
    single = not on_sqlite(connection) and sum(len(places) for _, places in entries) == 1
    if revision is not None and not single:
        statement = _update_statement(revision.model, revision.names)
        connection.execute(statement, revision.parameters)
    placed = [
        {
            "change_id": change["id"],
            "operation": operation,
            "entity": change["entity"],
            "entity_id": change["entity_id"],
            **units,
        }
        for change, places in entries
        for operation, units in places
    ]
    rows = [change for change, _ in entries]
    if on_sqlite(connection):
        insert_many(session, Change, rows)
        head = connection.execute(_ADVANCE_HEAD, {"count": len(placed)}).scalar_one()
        for offset, place in enumerate(placed):
            place["seq"] = head - len(placed) + 1 + offset
        insert_many(session, Feed, placed)
    elif single:
        parameters = {f"log_{name}": value for name, value in rows[0].items()}
        parameters |= {f"at_{name}": value for name, value in placed[0].items()}
        if revision is None:
            connection.execute(_INSERT_BOTH, parameters)
        else:
            both = _update_and_insert(revision.model, revision.names)
            connection.execute(both, parameters | revision.parameters)
    else:
        insert_many(session, Change, rows)
        insert_many(session, Outbox, placed)


# The common single change in one round trip, its UPDATE included (`_update_and_insert`).
_INSERT_BOTH = (
    sa.insert(Outbox)
    .values({name: sa.bindparam(f"at_{name}") for name in Outbox.model_fields if name != "id"})
    .add_cte(
        sa.insert(Change)
        .values({name: sa.bindparam(f"log_{name}") for name in Change.model_fields})
        .cte("logged")
    )
)
_ADVANCE_HEAD = (
    sa.update(FeedHead)
    .where(col(FeedHead.id) == 1)
    .values(seq=FeedHead.seq + sa.bindparam("count", type_=sa.BigInteger))
    .returning(col(FeedHead.seq))
)


def revise(
    session: Session, model: type[SQLModel], old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, Any]:
    """Change a row that this transaction has read and locked; returns the row as it is now.

    As a flush does for an entity, but without one: for the writes that come all the time.
    Nothing is written when nothing differs.
    """
    tracked = tracked_of(model)
    differing = {name: value for name, value in new.items() if old[name] != value}
    before = logged(session, tracked, {name: old[name] for name in differing})
    if not before:
        return dict(old)
    differing |= {"revision": old["revision"] + 1, "updated_at": utc_now()}
    row = {**old, **differing}
    change = change_of(session, tracked, row, operation_of(tracked, before))
    change |= {
        "before": before,
        "after": logged(session, tracked, {name: row[name] for name in before}),
    }
    places = places_of(session, tracked, change["operation"], old, row)
    revision = _Revision(model, frozenset(differing), {"row_id": old["id"]})
    revision.parameters.update({f"new_{name}": value for name, value in differing.items()})
    write(session, [(change, places)], revision)
    return row


@dataclass(frozen=True, slots=True)
class _Revision:
    """The UPDATE statement for the change of one row."""

    model: Any
    names: frozenset[str]
    parameters: dict[str, Any]


def update_many(
    session: Session,
    model: type[SQLModel],
    names: frozenset[str],
    parameters: Sequence[Mapping[str, Any]],
) -> None:
    """Run the UPDATEs that `record_updated` logs: of each row its `row_id`, and the `new_` values."""
    session.connection().execute(_update_statement(model, names), parameters)


@lru_cache(maxsize=256)
def _update_statement(model: Any, names: frozenset[str]) -> sa.Update:
    return (
        sa.update(model)
        .where(col(model.id) == sa.bindparam("row_id"))
        .values({name: sa.bindparam(f"new_{name}") for name in sorted(names)})
    )


@lru_cache(maxsize=256)
def _update_and_insert(model: Any, names: frozenset[str]) -> sa.Insert:
    return _INSERT_BOTH.add_cte(_update_statement(model, names).cte("revised"))


def places_of(
    session: Session,
    tracked: Tracked,
    operation: Operation,
    old: Mapping[str, Any],
    row: Mapping[str, Any],
) -> list[tuple[Operation, Units]]:
    """A move has two rows in the feed: one for the units left and one for the units entered."""
    if operation is not Operation.moved:
        places: list[tuple[Operation, Units]] = [(operation, tracked.units(session, row))]
        if tracked.also_units is not None:
            places.append((operation, tracked.also_units(session, row)))
        return places
    return [
        (Operation.left_scope, tracked.units(session, old)),
        (Operation.entered_scope, tracked.units(session, row)),
    ]


def record_created(
    session: Session,
    model: type[SQLModel],
    rows: Iterable[Mapping[str, Any]],
    refs: Iterable[str] = (),
) -> None:
    """Log rows that were inserted in bulk, past the unit of work (demo, imports).

    `refs` give the origin of each row; without them the origin of the database session is used.
    """
    _record(session, model, Operation.created, (({}, row) for row in rows), refs)


def record_updated(
    session: Session,
    model: type[SQLModel],
    pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]],
    refs: Iterable[str] = (),
) -> None:
    """Log rows that were updated in bulk: as they were and as they are, the revision raised."""
    _record(session, model, Operation.updated, pairs, refs)


def record_deleted(
    session: Session,
    model: type[SQLModel],
    rows: Iterable[Mapping[str, Any]],
    refs: Iterable[str] = (),
) -> None:
    """Log rows that were deleted in bulk, past the unit of work."""
    _record(session, model, Operation.deleted, ((row, row) for row in rows), refs)


def _record(
    session: Session,
    model: type[SQLModel],
    operation: Operation,
    pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]],
    refs: Iterable[str],
) -> None:
    tracked = tracked_of(model)
    entries = []
    session.info["unit_paths"] = {}  # nothing moves meanwhile: each unit is asked for once
    for (old, row), ref in zip_longest(pairs, refs):
        before, after = _sides(session, tracked, operation, old, row)
        done = operation_of(tracked, before or {}) if operation is Operation.updated else operation
        change = change_of(session, tracked, row, done) | {"before": before, "after": after}
        if done is Operation.deleted:
            change["revision"] += 1  # as a flush logs it
        if ref is not None:
            change["source_ref"] = ref
        entries.append((change, places_of(session, tracked, done, old, row)))
    del session.info["unit_paths"]
    for chunk in chunks(entries):
        write(session, chunk)


def _sides(
    session: Session,
    tracked: Tracked,
    operation: Operation,
    old: Mapping[str, Any],
    row: Mapping[str, Any],
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """`before` and `after` of a change."""
    if operation is Operation.created:
        return None, logged(session, tracked, row)
    if operation is Operation.deleted:
        return logged(session, tracked, old), None
    names = [n for n in old if n not in tracked.left_out and old[n] != row[n]]
    before = logged(session, tracked, {name: old[name] for name in names})
    return before, logged(session, tracked, {name: row[name] for name in names})


def move_many(
    session: Session,
    model: Any,
    which: sa.ColumnElement[bool],
    carried: Mapping[str, int | None],
) -> list[dict[str, Any]]:
    """Carry rows to other units by one UPDATE, each with its next revision and a move in the log;
    returns where they stood."""
    names = ("id", "revision", *(name for name in PATH if name in model.model_fields))
    found = session.connection().execute(
        sa.select(*(getattr(model, name) for name in names))
        .where(which)
        .order_by(col(model.id))
        .with_for_update()
    )
    rows = [row._asdict() for row in found]
    if rows:
        session.execute(
            sa.update(model)
            .where(which)
            .values(**carried, revision=col(model.revision) + 1, updated_at=utc_now()),
            execution_options={"synchronize_session": False},
        )
    tracked = tracked_of(model)
    entries = []
    for old in rows:
        row = {**old, **carried, "revision": old["revision"] + 1}
        change = change_of(session, tracked, row, Operation.moved)
        before = {name: old[name] for name in carried if old[name] != row[name]}
        change |= {"before": before, "after": {name: row[name] for name in before}}
        entries.append((change, places_of(session, tracked, Operation.moved, old, row)))
    for chunk in chunks(entries):
        write(session, chunk)
    return rows


def record_erased(
    session: Session, model: type[SQLModel], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Log that these rows no longer identify a person, each with its next revision, so that holders
    of copies delete it too. The log row holds nothing of what was deleted.
    """
    tracked = tracked_of(model)
    entries = []
    session.info["unit_paths"] = {}
    for old in rows:
        row = {**old, "revision": old["revision"] + 1}
        change = change_of(session, tracked, row, Operation.erased) | {
            "before": None,
            "after": None,
        }
        entries.append((change, places_of(session, tracked, Operation.erased, old, row)))
    del session.info["unit_paths"]
    if entries:
        write(session, entries)
