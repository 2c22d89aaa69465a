"""What the change log says of past days: the fields of rows as they were when a day ended.

The log reaches a day for a row that was entered before the day ended. What an erasure has wiped
stays wiped on every day.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import chain
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlmodel import SQLModel, col

from app.clock import end_of
from app.db import chunks, vault_of
from app.models.base import first_id
from app.models.kernel.changes import Change, Operation
from app.services.kernel.access import Db
from app.services.kernel.manifest import manifest, tracked_of

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Then:
    """A row on a past day: the values of fields that have changed since, and whether it was known
    then. Where it was not, today's values are all there is."""

    known: bool
    changed: Mapping[str, Any]

    def of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row of today, as it was then."""
        return {name: self.changed.get(name, value) for name, value in row.items()}


NEVER = Then(known=False, changed={})


def rows_on(
    db: Db, model: type[SQLModel], ids: Iterable[Any], day: date, names: Iterable[str]
) -> dict[Any, Then]:
    """These fields of the rows, by their ids, when the day had ended; one the log does not know is
    `NEVER`."""
    by_text = {str(id_): id_ for id_ in ids}
    found = dict.fromkeys(by_text.values(), NEVER)
    for chunk in chunks(list(by_text)):
        changes = db.execute(_changes(model, chunk).order_by(col(Change.id).desc())).all()
        for text, each in _by_row(changes).items():
            found[by_text[text]] = _then(db, model, each, end_of(day), frozenset(names))
    return found


def changed_since(
    db: Db,
    model: type[SQLModel],
    days: Iterable[date],
    names: Sequence[str],
    ids: Sequence[Any] | None = None,
) -> Iterator[tuple[date, dict[str, dict[str, Any]]]]:
    """Of all rows, or of these few, that have changed in these fields since each of the days, by id in
    text what they were. The log is read once, so the last day comes first."""
    last_first = sorted(set(days), reverse=True)
    if not last_first:
        return
    changes = _changes_since(model, last_first[-1], names)
    parts: Sequence[sa.ColumnElement[bool]] = [sa.true()]
    if ids is not None:
        parts = [col(Change.entity_id).in_(each) for each in chunks([str(id_) for id_ in ids])]
    wanted = frozenset(names)
    found = [_back_to(db, model, changes.where(part), last_first, wanted) for part in parts]
    for day, *of_parts in zip(last_first, *found, strict=True):
        yield day, {id_: values for each in of_parts for id_, values in each.items()}


def _changes_since(model: type[SQLModel], day: date, names: Sequence[str]) -> sa.Select[Any]:
    as_text = sa.cast(col(Change.before), sa.Text)
    return sa.select(
        col(Change.id),
        col(Change.at),
        col(Change.entity_id),
        col(Change.operation),
        col(Change.before),
    ).where(
        # By the primary key, which is in the order of time.
        col(Change.id) >= first_id(end_of(day)),
        col(Change.at) >= end_of(day),
        col(Change.entity) == tracked_of(model).entity,
        sa.or_(
            col(Change.operation) == Operation.erased,
            *(as_text.contains(f'"{name}"', autoescape=True) for name in names),
        ),
    )


def _back_to(
    db: Db,
    model: type[SQLModel],
    changes: sa.Select[Any],
    last_first: Sequence[date],
    wanted: frozenset[str],
) -> Iterator[dict[str, dict[str, Any]]]:
    rows, wiped = _newest_first(db, changes), _wiped(model)
    found: dict[str, dict[str, Any]] = {}
    erased: set[str] = set()
    for day in last_first:
        ended, before = end_of(day), []
        for row in rows:
            if row.id < first_id(ended):
                before.append(row)
                break
            if row.at < ended:
                before.append(row)
                continue
            if row.operation is Operation.erased:
                erased.add(row.entity_id)
            if values := _values(db, model, row.before, wanted):
                found.setdefault(row.entity_id, {}).update(values)
        rows = chain(before, rows)
        yield {id_: left for id_, left in _unwiped(found, erased, wiped) if left}


def _unwiped(
    found: Mapping[str, dict[str, Any]], erased: set[str], wiped: frozenset[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for id_, values in found.items():
        if id_ in erased:
            yield id_, {name: value for name, value in values.items() if name not in wiped}
        else:
            yield id_, values


def _newest_first(db: Db, statement: sa.Select[Any]) -> Iterator[Any]:
    """Some at once: the changes of a year do not fit into the memory, and a connection that only
    reads is in no transaction, which a cursor of PostgreSQL needs."""
    some = statement.order_by(col(Change.id).desc()).limit(_AT_ONCE)
    rows = db.execute(some).all()
    while rows:
        yield from rows
        last = rows[-1].id
        rows = [] if len(rows) < _AT_ONCE else db.execute(some.where(col(Change.id) < last)).all()


def _changes(model: type[SQLModel], entity_ids: Sequence[str]) -> sa.Select[Any]:
    return sa.select(
        col(Change.entity_id), col(Change.at), col(Change.operation), col(Change.before)
    ).where(col(Change.entity) == tracked_of(model).entity, col(Change.entity_id).in_(entity_ids))


def _by_row(changes: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for change in changes:
        found.setdefault(change.entity_id, []).append(change)
    return found


def _then(
    db: Db,
    model: type[SQLModel],
    newest_first: Sequence[Any],
    ended: datetime,
    names: frozenset[str],
) -> Then:
    if newest_first[-1].at >= ended:
        return NEVER
    erased = any(change.operation is Operation.erased for change in newest_first)
    wanted = names - _wiped(model) if erased else names
    changed: dict[str, Any] = {}
    for change in newest_first:
        if change.at >= ended:
            changed |= _values(db, model, change.before, wanted)
    return Then(known=True, changed=changed)


def _values(
    db: Db, model: type[SQLModel], before: Mapping[str, Any] | None, names: frozenset[str]
) -> dict[str, Any]:
    """What a change says was there before it. An erasure wipes the log of those records too that
    were merged into the one that was erased: where there must have been a value, none is said."""
    columns = sa.inspect(model).columns
    return {
        name: _type_of(model, name).validate_python(_opened(db, model, name, value))
        for name, value in (before or {}).items()
        if name in names and (value is not None or columns[name].nullable)
    }


def _opened(db: Db, model: type[SQLModel], name: str, value: Any) -> Any:
    """The log keeps sealed columns sealed."""
    purpose = tracked_of(model).sealed.get(name)
    return value if purpose is None or value is None else vault_of(db).open(value, purpose)


@lru_cache(maxsize=256)
def _type_of(model: type[SQLModel], name: str) -> TypeAdapter[Any]:
    """The log holds JSON: the type of the column."""
    of_column: Any = model.model_fields[name].annotation
    return TypeAdapter(of_column)


def _wiped(model: type[SQLModel]) -> frozenset[str]:
    """The columns that an erasure wipes, in the log too."""
    return frozenset(
        name for each in manifest().holdings if each.model is model for name in each.wiped
    )
