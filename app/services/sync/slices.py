"""The rows that a phone keeps: which they are, and what they say, as the API shows them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.db import AnySelect, chunks
from app.models.base import table_of
from app.services.kernel.access import Actor
from app.services.kernel.offers import Circle, SyncKind
from app.services.kernel.reach import within
from app.services.sync.scopes import units_above

Key = int | UUID
_LEVELS: Final = ("branch_id", "commune_id", "district_id", "province_id")


@dataclass(frozen=True, slots=True)
class RowPlace:
    """A row of a kind by its key: the closest unit it stands in, and whether the actor keeps it."""

    key: Key
    revision: int
    unit_id: int | None
    came_after: Any
    kept: bool
    exists: bool


def first_day(kind: SyncKind, day: date) -> date | None:
    """The first day of which rows are kept; None where they are kept whatever their day."""
    return None if kind.days is None else day - timedelta(days=kind.days)


def sees(kind: SyncKind, actor: Actor, day: date) -> sa.ColumnElement[bool]:
    """Rows of a kind that the actor keeps on a phone."""
    held = Circle(actor.reach(kind.right), units_above(actor, kind.right))
    return sa.and_(kind.exists, kind.kept, _of_days(kind, held, day))


def of_kind(kind: SyncKind, *columns: Any) -> AnySelect:
    statement: AnySelect = sa.select(*columns).select_from(kind.model)
    return kind.joined(statement)


def standing(kind: SyncKind, circle: Circle, day: date, *columns: Any) -> AnySelect:
    """Columns of the rows of these units, kept or not: a change of another may have hidden them."""
    return of_kind(kind, *columns).where(_of_days(kind, circle, day))


def _of_days(kind: SyncKind, circle: Circle, day: date) -> sa.ColumnElement[bool]:
    here, first = stands_in(kind, circle), first_day(kind, day)
    return here if first is None else sa.and_(here, kind.day >= first)


def kept_rows(kind: SyncKind, actor: Actor, day: date, *columns: Any) -> AnySelect:
    """Columns of the rows that the actor keeps."""
    return of_kind(kind, *columns).where(sees(kind, actor, day))


def keys_after(
    db: Connection,
    kind: SyncKind,
    actor: Actor,
    day: date,
    circle: Circle,
    turned: tuple[date, Circle] | None,
    after: Key | None,
    *,
    kept_only: bool,
    asked: Circle | None = None,
) -> list[RowPlace]:
    """The next rows of a kind by their keys: those in some units, and those that have turned since a
    day, in the units of `turned`. `kept_only`: without those that the actor does not keep. `asked`: as
    in `places`."""
    found = [concerns(kind, actor, day, circle)]
    if turned is not None:
        since, units = turned
        found.append(sa.and_(_turned(kind, since, day), stands_in(kind, units)))
    statement = _places(kind, actor, day, asked).where(sa.or_(*found))
    if kept_only:
        statement = statement.where(sees(kind, actor, day))
    if after is not None:
        statement = statement.where(col(kind.model.id) > after)
    rows = db.execute(statement.order_by(col(kind.model.id)).limit(kind.page))
    return [_place(row) for row in rows]


def kept_keys(
    db: Connection, kind: SyncKind, actor: Actor, day: date, circle: Circle, after: Key | None
) -> Sequence[Key]:
    """The next keys of a kind, of the rows that the actor keeps and that concern these units."""
    wanted = kept_rows(kind, actor, day, col(kind.model.id))
    wanted = wanted.where(concerns(kind, actor, day, circle))
    if after is not None:
        wanted = wanted.where(col(kind.model.id) > after)
    return db.execute(wanted.order_by(col(kind.model.id)).limit(kind.page)).scalars().all()


def concerns(kind: SyncKind, actor: Actor, day: date, circle: Circle) -> sa.ColumnElement[bool]:
    """Rows that stand in these units, and those kept ones that show somebody who does."""
    here = stands_in(kind, circle)
    if kind.shows is None:
        return here
    return sa.or_(here, sa.and_(sees(kind, actor, day), kind.shows(circle.reaches)))


def turns(kind: SyncKind) -> bool:
    """Whether its rows may differ from one day to the next without a change."""
    return kind.days is not None or kind.turned is not None


def _turned(kind: SyncKind, since: date, day: date) -> sa.ColumnElement[bool]:
    """Rows that are kept no longer, or are others, on a day than on the one before."""
    found: list[sa.ColumnElement[bool]] = []
    if kind.days is not None:
        found.append(kind.day.between(first_day(kind, since), first_day(kind, day)))
    if kind.turned is not None:
        found.append(kind.turned(since, day))
    return sa.or_(sa.false(), *found)


def places(
    db: Connection,
    kind: SyncKind,
    actor: Actor,
    day: date,
    keys: Iterable[Key],
    asked: Circle | None,
) -> dict[Key, RowPlace]:
    """Those of these keys that there are. `asked`: only what concerns these units is kept, of all that
    the actor may keep; None: all of it."""
    statement = _places(kind, actor, day, asked)
    return {
        row.id: _place(row)
        for chunk in chunks(sorted(keys))
        for row in db.execute(statement.where(col(kind.model.id).in_(chunk)))
    }


def unit_of(kind: SyncKind) -> sa.ColumnElement[int | None]:
    """The closest unit that a row stands in."""
    levels = (col(getattr(kind.place, name)) for name in _LEVELS if hasattr(kind.place, name))
    return sa.func.coalesce(*levels, sa.null())


def _places(kind: SyncKind, actor: Actor, day: date, asked: Circle | None) -> AnySelect:
    kept = sees(kind, actor, day)
    if asked is not None:
        kept = sa.and_(kept, concerns(kind, actor, day, asked))
    return of_kind(
        kind,
        col(kind.model.id),
        col(kind.model.revision),
        unit_of(kind).label("unit_id"),
        (kind.model.created_at if kind.came_after is None else kind.came_after).label("came_after"),
        sa.case((kept, 1), else_=0).label("kept"),
        sa.case((kind.exists, 1), else_=0).label("exists"),
    )


def _place(row: Any) -> RowPlace:
    return RowPlace(
        row.id, row.revision, row.unit_id, row.came_after, bool(row.kept), bool(row.exists)
    )


def read(
    db: Connection, kind: SyncKind, actor: Actor, keys: Sequence[Key]
) -> dict[Key, Mapping[str, Any]]:
    """What the rows say, as the API shows them to the actor."""
    shown = [name for name in kind.schema.model_fields if name not in kind.derived]
    return {
        row["id"]: {name: row[name] for name in shown}
        for chunk in chunks(keys)
        for row in kind.rows(db, actor, chunk)
    }


def key_of(kind: SyncKind, text: str) -> Key:
    """A key as the change log writes it."""
    return int(text) if isinstance(table_of(kind.model).c.id.type, sa.Integer) else UUID(text)


def in_order(kinds: Mapping[str, SyncKind], names: Iterable[str]) -> Iterator[SyncKind]:
    """Parents first."""
    wanted = set(names)
    return (kind for name, kind in kinds.items() if name in wanted)


def stands_in(kind: SyncKind, circle: Circle) -> sa.ColumnElement[bool]:
    """Rows of a kind that stand in these units, or invite them."""
    return within(kind.place, circle.reaches) if kind.invites is None else kind.invites.of(circle)
