"""The tree of units: its edges, and what is derived from them.

The edges are the truth. The closure and today's path columns are kept in step with them, and so
are the members who stand below. Facts never move: they keep the unit they happened in.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today
from app.db import chunks, insert_many, wait_for_locks
from app.models.kernel.units import LEVEL_ORDER, Unit, UnitClosure, UnitEdge, UnitLevel
from app.services.kernel.access import Db
from app.services.units.rows import locked_is_409

DAY = timedelta(days=1)
PATH_LEVELS = (UnitLevel.province, UnitLevel.district, UnitLevel.commune, UnitLevel.branch)


@dataclass(frozen=True, slots=True)
class Standing:
    """A unit stands below an ancestor, this many edges away, between two days (inclusive)."""

    ancestor_id: int
    depth: int
    valid_from: date
    valid_to: date | None

    def on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def during(self, valid_from: date, valid_to: date | None) -> "Standing | None":
        """The part of it on these days, one edge further away; None when there is none."""
        first = max(self.valid_from, valid_from)
        last = min((day for day in (self.valid_to, valid_to) if day is not None), default=None)
        if last is not None and last < first:
            return None
        return Standing(self.ancestor_id, self.depth + 1, first, last)


# By unit, the unit itself at depth 0 among them.
Lines = Mapping[int, Collection[Standing]]


def place_of(branch: Unit) -> dict[str, int]:
    """The columns of what stands in the branch."""
    return {name: getattr(branch, name) for name in ("branch_id", "commune_id", "province_id")}


def lock_tree(session: Session) -> None:
    """One change of the tree at a time: each writes closure rows that the other's depend on. 409 where
    the other is not done within seconds; who writes into the units is waited for."""
    top = sa.select(col(Unit.id)).where(col(Unit.parent_id).is_(None)).order_by(col(Unit.id))
    with locked_is_409():
        session.execute(top.with_for_update(key_share=True))
    wait_for_locks(session)


def below(db: Db, unit_ids: Iterable[int], since: date) -> set[int]:
    """These units, and all that stood below one of them on a day since then."""
    found = set(unit_ids)
    for chunk in chunks(sorted(found)):
        found |= set(
            db.execute(
                sa.select(col(UnitClosure.descendant_id)).where(
                    col(UnitClosure.ancestor_id).in_(chunk),
                    sa.or_(col(UnitClosure.valid_to).is_(None), col(UnitClosure.valid_to) >= since),
                )
            ).scalars()
        )
    return found


def relink(session: Session, unit_ids: Collection[int]) -> Lines:
    """Derive the closure of these units from the edges anew.

    What is above them and not one of them has its closure already.
    """
    edges = _edges(session, unit_ids)
    above = {parent for rows in edges.values() for parent, *_ in rows} - set(unit_ids)
    lines: dict[int, list[Standing]] = _stored(session, above)
    own = _lifetimes(session, unit_ids)

    def line(unit_id: int) -> list[Standing]:
        if unit_id not in lines:
            found = [Standing(unit_id, 0, *own[unit_id])]
            for parent_id, first, last in edges[unit_id]:
                parts = (each.during(first, last) for each in line(parent_id))
                found += [part for part in parts if part is not None]
            lines[unit_id] = found
        return lines[unit_id]

    made = {unit_id: line(unit_id) for unit_id in unit_ids}
    connection = session.connection()
    for chunk in chunks(sorted(unit_ids)):
        connection.execute(sa.delete(UnitClosure).where(col(UnitClosure.descendant_id).in_(chunk)))
    rows = [{"descendant_id": unit_id} | asdict(each) for unit_id in made for each in made[unit_id]]
    insert_many(session, UnitClosure, rows)
    return made


def _edges(
    session: Session, unit_ids: Collection[int]
) -> dict[int, list[tuple[int, date, date | None]]]:
    found = defaultdict(list)
    for chunk in chunks(sorted(unit_ids)):
        rows = session.connection().execute(
            sa.select(
                col(UnitEdge.unit_id),
                col(UnitEdge.parent_id),
                col(UnitEdge.valid_from),
                col(UnitEdge.valid_to),
            ).where(col(UnitEdge.unit_id).in_(chunk))
        )
        for unit_id, parent_id, valid_from, valid_to in rows:
            found[unit_id].append((parent_id, valid_from, valid_to))
    return found


def _stored(session: Session, unit_ids: Collection[int]) -> dict[int, list[Standing]]:
    found = defaultdict(list)
    for chunk in chunks(sorted(unit_ids)):
        rows = session.connection().execute(
            sa.select(
                col(UnitClosure.descendant_id),
                col(UnitClosure.ancestor_id),
                col(UnitClosure.depth),
                col(UnitClosure.valid_from),
                col(UnitClosure.valid_to),
            ).where(col(UnitClosure.descendant_id).in_(chunk))
        )
        for unit_id, ancestor_id, depth, valid_from, valid_to in rows:
            found[unit_id].append(Standing(ancestor_id, depth, valid_from, valid_to))
    return found


def _lifetimes(session: Session, unit_ids: Collection[int]) -> dict[int, tuple[date, date | None]]:
    found: dict[int, tuple[date, date | None]] = {}
    for chunk in chunks(sorted(unit_ids)):
        rows = session.connection().execute(
            sa.select(col(Unit.id), col(Unit.opened_on), col(Unit.closed_on)).where(
                col(Unit.id).in_(chunk)
            )
        )
        found |= {row.id: (row.opened_on, row.closed_on) for row in rows}
    return found


Path = Mapping[str, int | None]


def moved_paths(session: Session, lines: Lines) -> dict[int, Path]:
    """The path columns that these lines change, by unit, with their new values.

    They say where a unit stands today, or stood when it closed.
    """
    levels = _levels(session, {each.ancestor_id for line in lines.values() for each in line})
    today, names = local_today(), [f"{level}_id" for level in PATH_LEVELS]
    found: dict[int, Path] = {}
    for chunk in chunks(sorted(lines)):
        stored = session.connection().execute(
            sa.select(
                col(Unit.id), col(Unit.closed_on), *(getattr(Unit, name) for name in names)
            ).where(col(Unit.id).in_(chunk))
        )
        for row in stored:
            day = today if row.closed_on is None else min(row.closed_on, today)
            path: dict[str, Any] = dict.fromkeys(names)
            path |= {
                f"{levels[each.ancestor_id]}_id": each.ancestor_id
                for each in lines[row.id]
                if each.on(day) and levels[each.ancestor_id] in PATH_LEVELS
            }
            changed = {name: path[name] for name in names if path[name] != getattr(row, name)}
            if changed:
                found[row.id] = changed
    return found


def _levels(session: Session, unit_ids: Collection[int]) -> dict[int, UnitLevel]:
    found: dict[int, UnitLevel] = {}
    for chunk in chunks(sorted(unit_ids)):
        rows = session.connection().execute(
            sa.select(col(Unit.id), col(Unit.level)).where(col(Unit.id).in_(chunk))
        )
        found |= {row.id: row.level for row in rows}
    return found


def is_above(upper: UnitLevel, lower: UnitLevel) -> bool:
    """A unit of the one level may stand over a unit of the other."""
    return LEVEL_ORDER.index(upper) < LEVEL_ORDER.index(lower)
