"""Ids in request bodies: each names something the actor may see, or nothing at all.

The type of a field says what it names (`Names` in models/base.py), the manifest how such things are
looked for. Every body is looked through before its endpoint runs; an id out of scope gets the
answer of an id that does not exist. The service asks again where it locks what it writes.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel import SQLModel, col

from app.errors import FieldError, Problem
from app.models.base import Names
from app.models.kernel.access import Right
from app.problem_texts import FieldCode
from app.services.kernel.access import Actor, Db, require_somewhere
from app.services.kernel.tracking import PATH

Ids = Collection[Any]


@dataclass(frozen=True, slots=True)
class Named:
    """How ids of one kind are looked for: those of them that the actor may see, by which right, and
    the code for all others."""

    right: Right
    seen: Callable[[Db, Actor, Ids], Ids]
    unknown: FieldCode


@dataclass(frozen=True, slots=True)
class Place:
    """Where a body has an id: the names of the fields on the way, None for each item of a list."""

    steps: tuple[str | None, ...]
    names: Names


@cache
def places_of(model: type[BaseModel]) -> tuple[Place, ...]:
    """All places of a body where an id names something."""
    found: list[Place] = []
    for name, each in model.model_fields.items():
        declared: Any = Annotated[(each.annotation, *each.metadata)] if each.metadata else None
        found += _below((name,), declared or each.annotation)
    return tuple(found)


def _below(steps: tuple[str | None, ...], annotation: Any) -> Iterator[Place]:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from (Place(steps, extra) for extra in args[1:] if isinstance(extra, Names))
        yield from _below(steps, args[0])
    elif origin in (Union, UnionType):
        for arg in args:
            yield from _below(steps, arg)
    elif origin is list:
        yield from _below((*steps, None), args[0])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for place in places_of(annotation):
            yield Place((*steps, *place.steps), place.names)


def _ids(value: Any, steps: tuple[str | None, ...], pointer: str) -> Iterator[tuple[str, Any]]:
    """The ids at a place of a body, each with its JSON pointer."""
    if value is None:
        return
    if not steps:
        yield pointer, value
    elif (name := steps[0]) is None:
        for n, item in enumerate(value):
            yield from _ids(item, steps[1:], f"{pointer}/{n}")
    elif name in value.model_fields_set:
        yield from _ids(getattr(value, name), steps[1:], f"{pointer}/{name}")


def ensure_seen(db: Db, actor: Actor, body: BaseModel, kinds: Mapping[str, Named]) -> None:
    """422 that points at every id of the body which names nothing that the actor may see; 403 for
    an actor who sees nothing of the kind anywhere."""
    asked: dict[str, dict[str, Any]] = {}
    for place in places_of(type(body)):
        if place.names.anywhere or place.names.of_parent:
            continue
        asked.setdefault(place.names.kind, {}).update(_ids(body, place.steps, ""))
    errors = []
    for kind, ids in asked.items():
        if not ids:
            continue
        named = kinds[kind]
        require_somewhere(db, actor, named.right)
        seen = set(named.seen(db, actor, set(ids.values())))
        errors += [
            FieldError("body", pointer, named.unknown)
            for pointer, each in ids.items()
            if each not in seen
        ]
    if errors:
        raise Problem("validation_failed", errors=errors, count=len(errors))


def seen_rows(db: Db, actor: Actor, model: type[SQLModel], right: Right, ids: Ids) -> set[Any]:
    """Those of these ids whose rows, which have level columns, are within a right of the actor."""
    table: Any = model
    levels = [getattr(table, name) for name in PATH if name in model.model_fields]
    rows = db.execute(sa.select(col(table.id), *levels).where(col(table.id).in_(list(ids))))
    return {row.id for row in rows if actor.covers(right, row)}
