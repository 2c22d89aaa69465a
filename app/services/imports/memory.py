"""What a unit chose for lists of one shape is taken for its next list of that shape.

A shape is the set of headers of a list. What a column is read as, is remembered by its header alone
and counts for every list of the unit. Remembered is how lists are written; who is who, and which rows
count, is decided for each list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import AnySelect
from app.errors import not_found
from app.models.imports.imports import Import
from app.models.imports.memory import ImportMemory, MemoryQuery
from app.models.kernel.units import Unit
from app.services.imports import columns, store
from app.services.imports.kinds import all_kinds, kind_of
from app.services.imports.refusals import WAITS
from app.services.kernel.access import Actor, Db, Expected, ensure_revision, visible
from app.services.kernel.actors import reach_of
from app.services.kernel.created_once import refused_by
from app.services.kernel.holdings import Forgotten, Person
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.list_kinds import Json
from app.services.units.rows import unit_of
from app.services.units.units import find_filter
from app.workbooks import headers

Meanings = dict[str, dict[str, int | str | None]]
# Of the options those that say how a list is written.
REMEMBERED: Final[tuple[str, ...]] = ("first_day", "day_order", "accept", "leave_out")
_UNIQUE: Final = "uq_import_memory_shape"


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is remembered for a list. `fields` are by the key of a header."""

    ids: Sequence[UUID] = ()
    fields: Mapping[str, str | None] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    meanings: Meanings = field(default_factory=dict)


def shape_of(names: Sequence[str]) -> str:
    """The same for the same headers in any order, however they are written; 32 characters."""
    keys = sorted(filter(None, {headers.key(name) for name in names}))
    return blake2b("\n".join(keys).encode(), digest_size=16).hexdigest()


def recall(db: Db, unit_id: int, kind: str, names: Sequence[str]) -> Recalled:
    """What the unit chose for lists of this kind under these headers; of single columns the last."""
    statement: AnySelect = (
        sa.select(*(getattr(ImportMemory, name) for name in ImportMemory.model_fields))
        .where(col(ImportMemory.unit_id) == unit_id, col(ImportMemory.kind) == kind)
        .order_by(col(ImportMemory.updated_at), col(ImportMemory.id))
    )
    shape, keys = shape_of(names), set(map(headers.key, names))
    ids: list[UUID] = []
    fields: dict[str, str | None] = {}
    options: Mapping[str, Any] = {}
    meanings: Meanings = {}
    # The list's own shape comes last, and wins.
    for row in sorted(db.execute(statement).all(), key=lambda row: row.shape == shape):
        known = {key: name for key, name in row.fields.items() if key in keys}
        if row.shape == shape:
            options, meanings = row.options, store.content_of(row.meanings)
        if known or row.shape == shape:
            ids.append(row.id)
        fields |= known
    return Recalled(ids, fields, options, meanings)


def merged(one: Meanings, other: Meanings) -> Meanings:
    """Meanings of both; of two for one text those of the other, null takes one away."""
    found: Meanings = {}
    for name in (*one, *other):
        said = {**one.get(name, {}), **other.get(name, {})}
        found[name] = {text: meant for text, meant in said.items() if meant is not None}
    return found


def remember(session: Session, actor_id: UUID, made: Import, found: Mapping[str, Any]) -> None:
    """Keep what was chosen for this list for the unit's next one of its shape."""
    fields = columns.chosen(found["columns"])
    options = {name: made.options[name] for name in REMEMBERED if name in made.options}
    if "accept" in options:
        options["accept"] = [code for code in options["accept"] if code not in WAITS]
    meanings: Meanings = store.content_of(made.meanings)
    if not (fields or options or meanings):
        return
    names = [column["header"] for column in found["columns"] if column["header"]]
    shape = shape_of(names)
    while (known := _held(session, made, shape)) is None:
        new = ImportMemory(
            unit_id=made.unit_id,
            kind=made.kind,
            shape=shape,
            headers=names,
            fields=fields,
            options=options,
            meanings=_kept(meanings),
            updated_by=actor_id,
            updated_at=utc_now(),
        )
        if refused_by(session, [new], {_UNIQUE}) is None:
            return  # else another list of the unit was faster
    now = {
        "fields": {**known.fields, **fields},
        "options": {**known.options, **options},
        "meanings": _kept(merged(store.content_of(known.meanings), meanings)),
    }
    if any(getattr(known, name) != value for name, value in now.items()):
        known.sqlmodel_update(now | {"updated_by": actor_id})
        session.flush()


def _kept(meanings: Meanings) -> str | None:
    kept = {name: said for name, said in merged(meanings, {}).items() if said}
    return store.text_of(kept) if kept else None


def _held(session: Session, made: Import, shape: str) -> Any:
    statement = select(ImportMemory).where(
        col(ImportMemory.unit_id) == made.unit_id,
        col(ImportMemory.kind) == made.kind,
        col(ImportMemory.shape) == shape,
    )
    return session.exec(statement.with_for_update()).one_or_none()


# -- shown and forgotten


def list_memories(db: Db, actor: Actor, query: MemoryQuery) -> Pages:
    """Those of units whose lists the actor may send; the last that was changed first."""
    rights = [
        sa.and_(col(ImportMemory.kind) == kind, visible(Unit, actor, each_kind.right))
        for kind, each_kind in all_kinds().items()
    ]
    statement: AnySelect = (
        sa.select(
            *(getattr(ImportMemory, name) for name in ImportMemory.model_fields),
            col(Unit.level),
            col(Unit.name),
        )
        .join(Unit, col(Unit.id) == col(ImportMemory.unit_id))
        .where(sa.or_(*rights))
    )
    if query.kind is not None:
        statement = statement.where(col(ImportMemory.kind) == query.kind)
    if query.unit is not None:
        unit = find_filter(db, actor, query.unit, pointer="/unit")
        statement = statement.where(reach_of(db, unit).predicate(Unit))
    return pages(statement, Order(col(ImportMemory.id).desc()), each(_item))


def _item(row: Any) -> dict[str, Any]:
    # The keys of headers stand for those that were remembered without them.
    headed = {key: key for key in sorted(row.fields)} if not row.headers else {}
    headed |= {headers.key(name): name for name in row.headers}
    return {
        "id": row.id,
        "kind": row.kind,
        "unit": {"id": row.unit_id, "level": row.level, "name": row.name},
        "headers": row.headers,
        "columns": [
            {"header": name, "field": row.fields[key]}
            for key, name in headed.items()
            if key in row.fields
        ],
        **{name: row.options.get(name) for name in REMEMBERED},
        "meanings": shown(store.content_of(row.meanings)),
        "revision": row.revision,
        "updated_by": row.updated_by,
        "updated_at": row.updated_at,
    }


def shown(meanings: Meanings) -> list[Json]:
    """As ImportMeaning."""
    return [
        {"field": name, "written": written, "meant": meant}
        for name, said in meanings.items()
        for written, meant in said.items()
    ]


def forget(session: Session, actor: Actor, memory_id: UUID, expected: Expected) -> None:
    """Delete what was chosen; lists that were read with it stay as they are."""
    row = session.get(ImportMemory, memory_id, with_for_update=True)
    if row is None or not actor.covers(kind_of(row.kind).right, unit_of(session, row.unit_id)):
        raise not_found()
    ensure_revision(row.revision, expected)
    session.delete(row)
    session.flush()


def forget_about(session: Session, people: Sequence[Person]) -> Forgotten:
    """Take out the meanings of texts that name one of these people."""
    names = [name.casefold() for person in people for name in person.names]
    statement = select(ImportMemory).where(col(ImportMemory.meanings).is_not(None))
    found = 0
    for row in session.exec(statement.with_for_update()):
        meanings: Meanings = store.content_of(row.meanings)
        left = {
            field: {text: meant for text, meant in said.items() if not _names(text, names)}
            for field, said in meanings.items()
        }
        if left != meanings:
            row.meanings = _kept(left)
            found += 1
    session.flush()
    return {ImportMemory: found}


def _names(text: str, names: Sequence[str]) -> bool:
    return any(name in text.casefold() for name in names)
