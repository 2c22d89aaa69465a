"""What rows were when they were changed: the rows of now, taken back change by change by the log."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.db import AnySelect, chunks, vault_of
from app.models.base import first_id, table_of
from app.models.kernel.changes import Change, Operation
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import NewsKind
from app.services.kernel.reach import Reach, within
from app.services.kernel.tracking import PATH, Tracked
from app.services.members import merged
from app.vault import Vault

# The clocks of two servers may differ by so much: ids of changes begin with their time.
_SKEW: Final = timedelta(minutes=1)
State = Mapping[str, Any]


class UnitsOfRow(NamedTuple):
    """The units that a row stands in."""

    province_id: int | None
    district_id: int | None
    commune_id: int | None
    branch_id: int | None


@dataclass(frozen=True, slots=True)
class RowStanding:
    """What decides today who is shown a row: where it stands, whether followers are shown it, and
    whether it is there, or a shell that an erasure left. Of one that is gone it is what its member or
    household decides; `kept_id`: the record that a member was merged into. `masked_at`: other units
    whose rights decide on what is masked."""

    place: UnitsOfRow
    masked_at: UnitsOfRow | None
    shared: bool
    exists: bool
    kept_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class RowThen:
    """A row as one change found and left it. `erased`: by that change, or since. `standing` is None
    of what is gone and was nobody's."""

    standing: RowStanding | None
    is_gone: bool
    before: State | None
    after: State | None
    erased: bool
    change: Any


def rows_then(
    db: Connection, kind: NewsKind, changed: Mapping[str, Collection[UUID]]
) -> dict[UUID, RowThen]:
    """By changes of rows of a kind (ids as the log has them) the rows as these left them."""
    _, tracked = manifest().by_entity[kind.entity]
    rows = rows_now(db, kind.entity, changed)
    changes = _changes_since(db, kind, changed)
    gone = {entity_id: each[0] for entity_id, each in changes.items() if entity_id not in rows}
    standings = {entity_id: standing for entity_id, (standing, _) in rows.items()}
    if gone:
        standings |= _standings_of_gone(db, kind.entity, gone)
    vault = vault_of(db)
    found: dict[UUID, RowThen] = {}
    for entity_id, newest_first in changes.items():
        wanted = changed[entity_id]
        state = rows[entity_id][1] if entity_id in rows else None
        # What is wiped of a row that is nobody's leaves it there.
        goes = kind.is_of_a_person or (
            entity_id in gone and newest_first[0].operation is Operation.erased
        )
        erased = False
        for change in newest_first:
            erased = erased or (goes and change.operation is Operation.erased)
            before = before_change(vault, tracked, change, state)
            if change.id in wanted:
                standing, is_gone = standings.get(entity_id), entity_id in gone
                found[change.id] = RowThen(standing, is_gone, before, state, erased, change)
            state = before
    return found


def _standings_of_gone(
    db: Connection, entity: str, last: Mapping[str, Any]
) -> dict[str, RowStanding]:
    """Of rows that are gone, by their last changes, where those stand today whose rows they were."""
    if entity == "member":
        return _standings_of_members(db, last)
    found: dict[str, RowStanding] = {}
    for column, of in (("member_id", "member"), ("household_id", "household")):
        owners = {
            entity_id: change.before[column]
            for entity_id, change in last.items()
            if entity_id not in found and (change.before or {}).get(column) is not None
        }
        if of == "member":
            standings = _standings_of_members(db, set(owners.values()))
        else:
            standings = {id_: each for id_, (each, _) in rows_now(db, of, owners.values()).items()}
        found |= {row: standings[owner] for row, owner in owners.items() if owner in standings}
    return found


def _standings_of_members(db: Connection, ids: Collection[str]) -> dict[str, RowStanding]:
    """Of members, and of the records that they were merged into."""
    found = {id_: standing for id_, (standing, _) in rows_now(db, "member", ids).items()}
    kept = merged.kept_of_many(db, [UUID(id_) for id_ in ids if id_ not in found])
    of_kept = rows_now(db, "member", set(map(str, kept.values())))
    for gone_id, kept_id in kept.items():
        if (row := of_kept.get(str(kept_id))) is not None:
            found[str(gone_id)] = replace(row[0], kept_id=kept_id)
    return found


def before_change(vault: Vault, tracked: Tracked, change: Any, after: State | None) -> State | None:
    """A row as a change found it, by what it left."""
    if change.operation is Operation.created:
        return None
    if not change.before:
        return after
    was = _opened(vault, tracked, change.before)
    if change.operation is Operation.deleted:
        return {"id": change.entity_id, **was}
    return None if after is None else {**after, **was}


def _opened(vault: Vault, tracked: Tracked, values: State) -> State:
    """The log keeps sealed columns sealed."""
    sealed = [name for name in tracked.sealed if values.get(name) is not None]
    if not sealed:
        return values
    return {**values, **{name: vault.open(values[name], tracked.sealed[name]) for name in sealed}}


def _changes_since(
    db: Connection, kind: NewsKind, changed: Mapping[str, Collection[UUID]]
) -> dict[str, list[Any]]:
    """Of each row the changes from the first of these on, the newest first."""
    first = min(min(ids) for ids in changed.values())
    floor = first_id(datetime.fromtimestamp((first.int >> 80) / 1000, UTC) - _SKEW)
    statement = _CHANGES.where(col(Change.entity) == kind.entity, col(Change.id) >= floor)
    found: dict[str, list[Any]] = {}
    for chunk in chunks(sorted(changed)):
        for change in db.execute(statement.where(col(Change.entity_id).in_(chunk))):
            found.setdefault(change.entity_id, []).append(change)
    # By the revision: two servers may have made ids out of order.
    return {
        entity_id: sorted(changes, key=attrgetter("revision", "id"), reverse=True)
        for entity_id, changes in found.items()
    }


_CHANGES: Final[AnySelect] = sa.select(
    col(Change.id),
    col(Change.at),
    col(Change.entity_id),
    col(Change.operation),
    col(Change.revision),
    col(Change.before),
    col(Change.after)["effective_on"].as_string().label("effective_on"),
)


def rows_now(
    db: Connection, entity: str, entity_ids: Collection[str]
) -> dict[str, tuple[RowStanding, State]]:
    """The rows that there are, by their ids as the log has them, and what they say."""
    statement, names = _statement(entity)
    key = table_of(manifest().by_entity[entity][0]).c.id
    ids = sorted({id_of(entity, text) for text in entity_ids})
    return {
        str(row[0]): _now(row, names)
        for chunk in chunks(ids)
        for row in db.execute(statement.where(key.in_(chunk)))
    }


def rows_within(
    db: Connection, entity: str, reaches: Sequence[Reach], after: int | UUID | None, limit: int
) -> dict[str, tuple[RowStanding, State]]:
    """Rows that stand in these units today and may be copied, in the order of their ids."""
    statement, names = _statement(entity)
    kind = manifest().news[entity]
    key = table_of(manifest().by_entity[entity][0]).c.id
    statement = statement.where(within(kind.place, reaches), kind.shared, kind.exists)
    if after is not None:
        statement = statement.where(key > after)
    rows = db.execute(statement.order_by(key).limit(limit))
    return {str(row[0]): _now(row, names) for row in rows}


def id_of(entity: str, text: str) -> int | UUID:
    """The id of a row as its table has it, by that of the log; ValueError where it is none."""
    key = table_of(manifest().by_entity[entity][0]).c.id
    return int(text) if isinstance(key.type, sa.Integer) else UUID(text)


def _now(row: Sequence[Any], names: Sequence[str]) -> tuple[RowStanding, State]:
    *path, shared, exists = row[len(names) :]
    place, masked_at = UnitsOfRow(*path[: len(PATH)]), UnitsOfRow(*path[len(PATH) :])
    standing = RowStanding(place, masked_at if any(masked_at) else None, bool(shared), bool(exists))
    return standing, dict(zip(names, row, strict=False))


@cache
def _statement(entity: str) -> tuple[AnySelect, Sequence[str]]:
    """Rows of a kind: these columns, their place, and whether they are shared and exist."""
    kind = manifest().news[entity]
    model, _ = manifest().by_entity[entity]
    names = list(dict.fromkeys(["id", "revision", *fields_of(entity).values()]))
    path = [
        getattr(of, name, sa.null()).label(f"{label}_{name}")
        for label, of in (("at", kind.place), ("masked_at", kind.masked_at))
        for name in PATH
    ]
    statement: AnySelect = sa.select(
        *(_as_stored(getattr(model, name)) for name in names),
        *path,
        sa.case((kind.shared, 1), else_=0),
        sa.case((kind.exists, 1), else_=0),
    ).select_from(model)
    return kind.joined(statement), names


def _as_stored(column: Any) -> Any:
    """Enums as the text they are stored as: nothing is converted to be converted back."""
    if not isinstance(column.type, sa.Enum):
        return column
    return sa.type_coerce(column, sa.String).label(column.key)


@cache
def fields_of(entity: str) -> Mapping[str, str]:
    """The fields of the schema that the log follows, and the id, each with its column."""
    kind = manifest().news[entity]
    model, tracked = manifest().by_entity[entity]
    followed = model.model_fields.keys() - tracked.left_out - tracked.secret
    fields = [name for name in kind.schema.model_fields if name not in kind.derived]
    columns = {name: kind.columns.get(name, name) for name in fields}
    return {name: each for name, each in columns.items() if name == "id" or each in followed}
