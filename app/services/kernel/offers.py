"""What a capability offers to readers above it: parts of the manifest, or why there is none.

So an inbox, figures, phones and feeds read the manifest, and import nobody for what it offers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.engine import Connection
from sqlmodel import SQLModel

from app.db import AnySelect
from app.models.kernel.access import Right
from app.services.kernel.access import Actor, Db
from app.services.kernel.keyset import Pages
from app.services.kernel.reach import Reach

# What is over stays on a phone for so long: a year's meetings can be compared with those of the
# year before, and 35 days are for who is late with them.
DAYS_ON_A_PHONE: Final = 400
# A day of the period, as a column.
Day = sa.ColumnElement[date]


@dataclass(frozen=True, slots=True)
class Without:
    """The capability offers nothing of the kind, because of this."""

    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One kind of thing that waits for people to act (`GET /v1/me/work`).

    `waiting` selects what waits for the actor: its `id` (unique in the list), `since` (the day or
    instant from which it waits, or the day it is due) and `unit_id`, the unit it is about. It is
    asked of those only who hold the `right` somewhere; without one, of everybody. `link` is where
    one of them is read, with its id for `{id}`.
    """

    kind: str
    right: Right | None
    waiting: Callable[[Db, Actor], AnySelect]
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedThen:
    """Columns of rows that are taken as the record of their `key` had them on the day of a stock.

    `select` gives them as they are today, and `recorded_at`: when the record was entered. `derived`
    are columns that follow from a record (of the fields in `fields`) and the day.
    """

    model: type[SQLModel]
    fields: tuple[str, ...]
    derived: Mapping[str, Callable[[Mapping[str, Any], date], Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRows:
    """Rows that figures count (`app/data/figures`).

    `select` gives them for a period by its first and last day, columns of a table of periods: one
    statement is for all of them. Those of a stock are of the last day.
    Each row has `unit_id`, where it happened; `key`, whose it is: the id of an `entity` of the
    change log, by which people or households are counted once; `row_id`, unique with the key; `day`,
    `title`, and what definitions filter by or add up. `other_unit_id`, where there is one, is the
    other unit of a movement. `excluded` gives `unit_id` and `reason` of rows of the period that
    count nowhere.

    `rolled_up`: figures of these rows are stored by unit (services/figures/rollups). It names the
    entities of the change log that they depend on (or what `stale.mark` calls derived rows); for
    each what selects the units concerned by changes of these ids, beside the unit of the change. `once`: on a day each key has one row, so that
    what is counted by key adds up.

    Nobody without the `right` over the unit gets figures of them. A figure that filters by a column
    in `masks` is exact for those alone who hold the right of the column, too.
    """

    name: str
    entity: str
    right: Right
    select: Callable[[Day, Day], AnySelect]
    masks: Mapping[str, Right] = field(default_factory=dict)
    # What the access log says was read when rows are shown, beside what masked columns reveal.
    reveals: Right | None = None
    then: RecordedThen | None = None
    excluded: Callable[[date, date], AnySelect] | None = None
    rolled_up: Mapping[str, Callable[[Sequence[UUID]], AnySelect] | None] | None = None
    once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Follows:
    """Rows that show, or are seen by, a row of another entity: `of` selects their keys from the ids
    of that entity. `on_moves`: only where it entered or left the units of the follower; `fields`: only
    at changes of these, or when it is gone; else at each of its changes. `key_in_log`: the column of the entity that names the row, by which it is found
    when the row of the entity is gone."""

    entity: str
    of: Callable[[Sequence[Any]], AnySelect]
    on_moves: bool = False
    fields: frozenset[str] = frozenset()
    key_in_log: str | None = None


@dataclass(frozen=True, slots=True)
class Circle:
    """Units with what is below them, and the units `above` them."""

    reaches: tuple[Reach, ...] = ()
    above: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invites:
    """Rows that units see wherever the rows stand themselves, because these are invited, or a unit
    above them is: `of` selects rows that a circle sees. `elsewhere` selects, of an entity, ids that
    are looked up in the log although they stand in units of others: those that it saw until they invited
    others, and what hangs on rows of others."""

    of: Callable[[Circle], sa.ColumnElement[bool]]
    elsewhere: Mapping[str, Callable[[Circle], AnySelect]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsOfDay:
    """A kind as it was on a past day: `pages` is the list that the API shows of the day to the actor, of all
    units or of one with what stood below it, with the fields of `schema`."""

    schema: type[BaseModel]
    pages: Callable[[Db, Actor, int | None, date], Pages]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncKind:
    """One kind of rows that a phone keeps (`GET /v1/sync/changes`).

    `model` is the table whose `id` is their key, `place` has the level columns by which they are in
    reach of the `right` (`joined` joins it). `rows` reads those of the keys as the list or record of
    the API shows them to the actor, with the fields of `schema` but for `derived`: what follows from
    other rows, which the phone has and counts itself.

    `invites`: the rows are in reach of those who are invited, and not by their own place.
    `kept`: only these go to phones. `exists`: only these are there at all, the others are deleted.
    `parents`: the kinds that come first, by the field that names their row. `day` and `days`: the
    column, and how many days back rows are kept on a phone. `page`: rows read at a time.
    """

    name: str
    entity: str
    right: Right
    schema: type[BaseModel]
    model: Any
    place: Any
    rows: Callable[[Connection, Actor, Sequence[Any]], Iterable[Mapping[str, Any]]]
    joined: Callable[[AnySelect], AnySelect] = lambda statement: statement
    derived: frozenset[str] = frozenset()
    kept: sa.ColumnElement[bool] = field(default_factory=sa.true)
    exists: sa.ColumnElement[bool] = field(default_factory=sa.true)
    parents: Mapping[str, str] = field(default_factory=dict)
    follows: tuple[Follows, ...] = ()
    # Further rights that decide what is shown, beside those that mask columns in the change log.
    shown_by: frozenset[Right] = frozenset()
    # No row is older than this: by default, than when it was made.
    came_after: Any = None
    day: Any = None
    days: int | None = None
    # Rows that show somebody who stands in these units, wherever they stand themselves.
    shows: Callable[[Sequence[Reach]], sa.ColumnElement[bool]] | None = None
    # What rows show that may stand in units of others: by its entity, the column that names it.
    names: Mapping[str, Any] = field(default_factory=dict)
    invites: Invites | None = None
    # What is masked is not the same in all rows of a unit.
    masked_by_row: bool = False
    # Rows that are others on the second day than on the first, though nobody has changed them.
    turned: Callable[[date, date], sa.ColumnElement[bool]] | None = None
    page: int = 200
    # Of rows that are gone, those that went into another one, with its key, as far as the actor sees it.
    went_into: Callable[[Connection, Actor, Sequence[Any]], Mapping[Any, Any]] | None = None
    # Exports may be of a past day.
    past: RowsOfDay | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncData:
    """Data of a release that a phone keeps, as code lists: the same for everybody, and a few rows.

    `rows` reads them as JSON, with the fields of `schema` but for `derived`; `key` is the field that
    tells them apart.
    """

    name: str
    schema: type[BaseModel]
    key: str
    rows: Callable[[Connection], Iterable[Mapping[str, Any]]]
    derived: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsKind:
    """One kind of rows that followers keep (`GET /v1/feed`), by its `entity` in the change log.

    An event says what the row was by then: those fields of the `schema` that the log follows. `place`
    has the level columns by which the row stands in units today (`joined` joins it). Of a row that is
    not `shared` followers are shown nothing; one that does not `exist` was erased. `path`: where it
    stands is part of what it says, and as of the event. `columns`: of fields that are called otherwise;
    `derived`: fields that are shown with what follows from other rows.
    """

    entity: str
    schema: type[BaseModel]
    place: Any
    joined: Callable[[AnySelect], AnySelect] = lambda statement: statement
    shared: sa.ColumnElement[bool] = field(default_factory=sa.true)
    exists: sa.ColumnElement[bool] = field(default_factory=sa.true)
    path: bool = False
    masked_at: Any = None
    columns: Mapping[str, str] = field(default_factory=dict)
    derived: frozenset[str] = frozenset()
    hangs_on: Mapping[str, str] = field(default_factory=dict)
    stands_with: str | None = None

    @property
    def is_of_a_person(self) -> bool:
        """Whether an erasure ends it; else it leaves the row without what it said of her."""
        return not isinstance(self.exists, sa.True_)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What followers of the feed read of; `untold` says why they read nothing of other entities."""

    kinds: tuple[NewsKind, ...]
    untold: Mapping[str, str] = field(default_factory=dict)
