"""Whose sensitive data an answer shows, read off its schema (models/kernel/sensitive.py)."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat
from operator import is_
from typing import Any, NamedTuple, get_args
from uuid import UUID

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.models.kernel.access import Right
from app.models.kernel.access_log import ReadHow
from app.models.kernel.changes import ChangeRead
from app.models.kernel.sensitive import (
    PHOTO,
    SENSITIVE_RIGHTS,
    About,
    FreeForm,
    Logged,
    RowOfKind,
    Sensitive,
    SensitiveIf,
    StateOf,
    StoredRows,
)
from app.services.kernel.manifest import manifest
from app.services.kernel.tracking import Tracked

Row = Mapping[str, Any]
Names = frozenset[str]
_NONE: Names = frozenset()


class Shown(NamedTuple):
    """Sensitive fields of members or households, or of something of theirs: ids of the `entity`,
    as the change log calls it."""

    entity: str
    ids: Sequence[UUID]
    fields: Names
    how: ReadHow


def shown(
    schema: type[BaseModel],
    rows: Sequence[Row | BaseModel],
    how: ReadHow,
    *,
    chosen: Collection[str] | None = None,
    query: BaseModel | None = None,
) -> list[Shown]:
    """What rows of a schema reveal. `chosen`: the fields shown, if not all.

    A filter in `query` reveals its value for everybody on the list, and names the person where the
    rows do not.
    """
    view = view_of(schema)
    if view is None:
        return []
    if chosen is not None:
        view = view.narrowed(chosen, _NONE if query is None else _asked_by(query))
    plain = view.plain_about
    if plain is not None:
        entity, only_how = plain
        return view.read_plain(entity, rows, only_how or how)
    return [each for row in rows for each in view.read(_values(row), how, query)]


def _asked_by(query: BaseModel) -> Names:
    """What the filters in a query reveal of everybody on the list."""
    view = view_of(type(query))
    return _NONE if view is None else view.names(_values(query))


def noted_as(right: Right, field: str) -> str | None:
    """What the access log calls a field that is guarded by a right; None: it is not sensitive."""
    return (SENSITIVE_RIGHTS[right] or field) if right in SENSITIVE_RIGHTS else None


def all_names() -> tuple[str, ...]:
    """Everything the access log can name as shown."""
    told = (
        noted_as(right, column)
        for tracked in manifest().tracked.values()
        for column, right in [*tracked.masks.items(), ("", tracked.read_right)]
    )
    return tuple(sorted({PHOTO, *(name for name in told if name is not None)}))


def _values(row: Row | BaseModel) -> Row:
    return row if isinstance(row, dict) else dict(row)


# -- how the rows of a schema are read


@dataclass(slots=True)
class _View:
    """What to look at in a row of a schema."""

    about: About | None
    row: Names
    # Fields that reveal one thing, and fields whose value determines what they reveal.
    plain: Sequence[tuple[str, str]]
    telling: Sequence[tuple[str, Callable[[Any, Row], Names]]]
    # Fields that hold rows of other schemas.
    parts: Sequence[tuple[str, "_View"]]
    # Fields that hold rows whose schema depends on the row.
    varying: Sequence[tuple[str, Callable[[Any, Row, ReadHow], Iterator[Shown]]]]
    # What rows of a plain view reveal, by which of its fields are empty.
    by_pattern: dict[tuple[bool, ...], Names] = field(default_factory=dict)
    # The entity of rows that are somebody each, and reveal those fields that are not empty.
    plain_about: tuple[str, ReadHow | None] | None = field(init=False)
    plain_fields: Sequence[str] = field(init=False)

    def __post_init__(self) -> None:
        self.plain_about = None
        self.plain_fields = [name for name, _ in self.plain]
        about = self.about
        if about is None or about.entity is None or about.ids != ("id",):
            return
        if not (self.telling or self.parts or self.varying):
            self.plain_about = about.entity, about.how

    def read_plain(self, entity: str, rows: Sequence[Row | BaseModel], how: ReadHow) -> list[Shown]:
        """The same as `read` of each row, at a third of its price: members' lists are plain, and
        are what is asked most."""
        fields = self.plain_fields
        nothing = repeat(None)
        by_pattern = self.by_pattern
        found: defaultdict[Names, list[UUID]] = defaultdict(list)
        for each in rows:
            row = each if type(each) is dict else _values(each)
            pattern = tuple(map(is_, map(row.get, fields), nothing))
            names = by_pattern.get(pattern)
            if names is None:
                names = by_pattern[pattern] = self.names(row)
            if names:
                id_ = row["id"]
                found[names].append(id_ if type(id_) is UUID else _uuid(id_))
        return [Shown(entity, ids, names, how) for names, ids in found.items()]

    def narrowed(self, chosen: Collection[str], asked: Names) -> "_View":
        """The same where these fields alone are shown, and the filters reveal these names."""
        return _View(
            self.about,
            self.row,
            [(name, shows) for name, shows in self.plain if name in chosen or shows in asked],
            [
                (name, tells if name in chosen else _among(asked, tells))
                for name, tells in self.telling
                if name in chosen or asked
            ],
            [(name, view) for name, view in self.parts if name in chosen],
            [(name, read) for name, read in self.varying if name in chosen],
        )

    def read(self, row: Row, how: ReadHow, query: BaseModel | None = None) -> Iterator[Shown]:
        about = self.about
        if about is not None:
            how = about.how or how
            names = self.names(row)
            if names:
                entity = about.entity or row["entity"]
                values = (row[n] if n in row else getattr(query, n, None) for n in about.ids)
                ids = [_uuid(value) for value in values if value is not None]
                if ids:
                    yield Shown(entity, ids, names, how)
        for name, view in self.parts:
            inside = _inside(how) if isinstance(row.get(name), list) else how
            for each in _rows(row.get(name)):
                yield from view.read(each, inside)
        for name, read in self.varying:
            if row.get(name) is not None:
                yield from read(row[name], row, how)

    def names(self, row: Row) -> Names:
        """What a row reveals by its fields."""
        get = row.get
        names = self.row.union([shows for name, shows in self.plain if get(name) is not None])
        for name, tells in self.telling:
            if row.get(name) is not None:
                names |= tells(row[name], row)
        for name, view in self.parts:
            if view.about is None:
                for each in _rows(row.get(name)):
                    names |= view.names(each)
        return names


def _among(asked: Names, tells: Callable[[Any, Row], Names]) -> Callable[[Any, Row], Names]:
    return lambda value, row: tells(value, row) & asked


def _inside(how: ReadHow) -> ReadHow:
    """Those whom an answer has a list of are read in a list."""
    return ReadHow.list if how is ReadHow.detail else how


def _rows(value: Any) -> list[Row]:
    if value is None:
        return []
    return [_values(each) for each in (value if isinstance(value, Sequence) else [value])]


def _uuid(value: Any) -> UUID:
    return value if type(value) is UUID else UUID(str(value))


@cache
def view_of(schema: type[BaseModel]) -> _View | None:
    """How to read the rows of a schema; None where they show nothing sensitive."""
    about: About | None = getattr(schema, "about", None)
    plain: list[tuple[str, str]] = []
    telling: list[tuple[str, Callable[[Any, Row], Names]]] = []
    parts: list[tuple[str, _View]] = []
    varying: list[tuple[str, Callable[[Any, Row, ReadHow], Iterator[Shown]]]] = []
    for name, info in schema.model_fields.items():
        for mark in info.metadata:
            if isinstance(mark, Sensitive):
                plain.append((name, SENSITIVE_RIGHTS[mark.right] or name))
            elif isinstance(mark, SensitiveIf):
                telling.append((name, _telling(mark)))
            elif isinstance(mark, Logged):
                telling.append((name, _logged(mark)))
            elif isinstance(mark, StoredRows):
                varying.append((name, _stored(mark)))
            elif isinstance(mark, RowOfKind):
                varying.append((name, _of_kind(mark)))
            elif isinstance(mark, StateOf):
                varying.append((name, _of_entity(mark)))
            elif isinstance(mark, FreeForm):
                varying.append((name, _households_named))
        parts += [(name, view) for view in map(view_of, _schemas(info)) if view is not None]
    row = _NONE
    if about is not None and about.row is not None:
        row = frozenset([SENSITIVE_RIGHTS[about.row] or ""])
    if not (row or plain or telling or parts or varying):
        return None
    return _View(about, row, plain, telling, parts, varying)


def _schemas(field: FieldInfo) -> list[type[BaseModel]]:
    """The schemas of the rows a field holds."""
    found: list[type[BaseModel]] = []
    waiting = [field.annotation]
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found.append(kind)
        waiting += get_args(kind)
    return found


# -- values that determine what they reveal


def _telling(mark: SensitiveIf) -> Callable[[Any, Row], Names]:
    return lambda value, _: frozenset(mark.tells(value))


def _logged(mark: Logged) -> Callable[[Any, Row], Names]:
    def tells(value: Any, row: Row) -> Names:
        _, tracked = manifest().by_entity[mark.entity or row[mark.named]]
        return _columns_told(tracked, mark.pairs(value))

    return tells


def _columns_told(tracked: Tracked, pairs: Any) -> Names:
    told = (
        noted_as(tracked.masks.get(column, tracked.read_right), column)
        for column, value in pairs
        if value is not None
    )
    return frozenset(name for name in told if name is not None)


def _stored(mark: StoredRows) -> Callable[[Any, Row, ReadHow], Iterator[Shown]]:
    """A change is read as in the log; any other row by what the log masks of its table."""

    def read(rows: Any, row: Row, how: ReadHow) -> Iterator[Shown]:
        table = row[mark.table]
        if table == "change":
            changes = view_of(ChangeRead)
            assert changes is not None  # noqa: S101  # the log has sensitive columns
            for each in rows:
                yield from changes.read(each, how)
        for model, tracked in manifest().tracked.items():
            if model.__tablename__ == table:
                for each in rows:
                    names = _columns_told(tracked, each.items())
                    if names:
                        yield Shown(tracked.entity, [_uuid(each["id"])], names, how)

    return read


def _of_kind(mark: RowOfKind) -> Callable[[Any, Row, ReadHow], Iterator[Shown]]:
    """By the schema of the kind."""

    def read(value: Any, row: Row, how: ReadHow) -> Iterator[Shown]:
        view = view_of(manifest().on_phones[row[mark.kind]].schema)
        return iter(()) if view is None else view.read(value, how)

    return read


def _of_entity(mark: StateOf) -> Callable[[Any, Row, ReadHow], Iterator[Shown]]:
    """By the schema that followers are shown."""

    def read(value: Any, row: Row, how: ReadHow) -> Iterator[Shown]:
        view = view_of(manifest().news[row[mark.entity]].schema)
        return iter(()) if view is None else view.read(value, how)

    return read


def _households_named(value: Any, _: Row, how: ReadHow) -> Iterator[Shown]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            if each.get("household_id") is not None:
                yield Shown("household", [_uuid(each["household_id"])], _POVERTY, how)
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


_POVERTY: Names = frozenset(filter(None, [SENSITIVE_RIGHTS[Right.poverty_read]]))
