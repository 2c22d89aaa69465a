"""The tree of units: its edges, and what is derived from them.

The edges are the truth. The closure and today's path columns are kept in step with them, and so
are the members who stand below. Facts never move: they keep the unit they happened in.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.clock import local_today
from app.db import chunks
from app.models.kernel.units import LEVEL_ORDER, Unit, UnitClosure, UnitEdge, UnitLevel
from app.services.units import followers
from app.services.units.units import valid_on

DAY = timedelta(days=1)


def lock_tree(session: Session) -> None:
    """One change of the tree at a time: each writes closure rows that the other's depend on."""
    top = sa.select(col(Unit.id)).where(col(Unit.parent_id).is_(None)).order_by(col(Unit.id))
    session.execute(top.with_for_update(key_share=True))


def open_edge(session: Session, unit_id: int, parent_id: int, since: date) -> None:
    """Put a new leaf under its parent: one edge, and a closure row for each ancestor."""
    session.add(UnitEdge(unit_id=unit_id, parent_id=parent_id, valid_from=since))
    session.add(UnitClosure(ancestor_id=unit_id, descendant_id=unit_id, valid_from=since, depth=0))
    session.flush()
    link(session, parent_id, unit_id, since)


def link(session: Session, parent_id: int, top_id: int, since: date) -> None:
    """Closure rows between the parent's line and the unit's subtree, for the edge from a day on.

    Both have histories of their own: a row is valid while both are.
    """
    above, below = aliased(UnitClosure), aliased(UnitClosure)
    rows = session.execute(
        sa.select(
            col(above.ancestor_id),
            col(below.descendant_id),
            col(above.depth) + col(below.depth) + 1,
            col(above.valid_from),
            col(below.valid_from),
            col(above.valid_to),
            col(below.valid_to),
        )
        .select_from(above)
        .join(
            below,
            sa.or_(col(above.valid_to).is_(None), col(above.valid_to) >= col(below.valid_from)),
        )
        .where(
            col(above.descendant_id) == parent_id,
            col(below.ancestor_id) == top_id,
            sa.or_(col(above.valid_to).is_(None), col(above.valid_to) >= since),
            sa.or_(col(below.valid_to).is_(None), col(below.valid_to) >= since),
        )
    ).all()
    new = []
    for ancestor, descendant, depth, from_1, from_2, to_1, to_2 in rows:
        valid_from = max(since, from_1, from_2)
        valid_to = min((to for to in (to_1, to_2) if to is not None), default=None)
        if valid_to is None or valid_from <= valid_to:
            new.append(
                {
                    "ancestor_id": ancestor,
                    "descendant_id": descendant,
                    "depth": depth,
                    "valid_from": valid_from,
                    "valid_to": valid_to,
                }
            )
    if new:
        session.execute(sa.insert(UnitClosure), new)


def unlink(session: Session, top_id: int, since: date) -> None:
    """End every closure row that runs through the unit's last edge the day before.

    A row runs through it when, on one of its days, its descendant stood below the unit, nearer
    than its ancestor. A descendant that had left by then keeps what it has elsewhere.
    """
    below = aliased(UnitClosure)
    row_to, below_to = col(UnitClosure.valid_to), col(below.valid_to)
    through = sa.exists().where(
        col(below.ancestor_id) == top_id,
        col(below.descendant_id) == col(UnitClosure.descendant_id),
        col(below.depth) < col(UnitClosure.depth),
        sa.or_(row_to.is_(None), row_to >= since),
        sa.or_(below_to.is_(None), below_to >= since),
        sa.or_(row_to.is_(None), row_to >= col(below.valid_from)),
        sa.or_(below_to.is_(None), below_to >= col(UnitClosure.valid_from)),
    )
    subtree = sa.select(col(below.descendant_id)).where(col(below.ancestor_id) == top_id)
    crossing = sa.and_(col(UnitClosure.descendant_id).in_(subtree), through)
    later = col(UnitClosure.valid_from) >= since
    unsynchronized = {"synchronize_session": False}
    session.execute(sa.delete(UnitClosure).where(crossing, later), execution_options=unsynchronized)
    session.execute(
        sa.update(UnitClosure).where(crossing).values(valid_to=since - DAY),
        execution_options=unsynchronized,
    )


def set_paths(session: Session, top: Unit, since: date) -> None:
    """The path columns of all that stood under the unit since then, and of their members.

    They say where a unit stands today, or stood when it closed. Only levels above the top change.
    """
    own = LEVEL_ORDER.index(top.level)
    levels = [level for level in _PATH_LEVELS if LEVEL_ORDER.index(level) < own]
    today, ancestor = local_today(), aliased(Unit)
    day = sa.case((col(Unit.closed_on) < today, col(Unit.closed_on)), else_=today)
    subtree = sa.select(col(UnitClosure.descendant_id)).where(
        col(UnitClosure.ancestor_id) == top.id,
        sa.or_(col(UnitClosure.valid_to).is_(None), col(UnitClosure.valid_to) >= since),
    )
    rows = session.execute(
        sa.select(col(Unit.id), col(ancestor.level), col(ancestor.id))
        .join(UnitClosure, col(UnitClosure.descendant_id) == col(Unit.id))
        .join(ancestor, col(ancestor.id) == col(UnitClosure.ancestor_id))
        .where(
            col(Unit.id).in_(subtree), col(ancestor.level).in_(levels), valid_on(UnitClosure, day)
        )
    )
    paths: dict[int, dict[UnitLevel, int]] = {}
    for unit_id, level, ancestor_id in rows:
        paths.setdefault(unit_id, {})[level] = ancestor_id
    together: dict[tuple[int | None, ...], list[int]] = {}
    for unit_id, path in paths.items():
        together.setdefault(tuple(path.get(level) for level in levels), []).append(unit_id)
    for values, unit_ids in together.items():
        columns = {f"{level}_id": value for level, value in zip(levels, values, strict=True)}
        if top.id in unit_ids:
            for name, value in columns.items():
                setattr(top, name, value)  # through the database session: the log holds both paths
        for chunk in chunks(unit_ids):
            _set_columns(session, top, chunk, columns)


_PATH_LEVELS = (UnitLevel.province, UnitLevel.district, UnitLevel.commune, UnitLevel.branch)


def _set_columns(
    session: Session, top: Unit, unit_ids: Sequence[int], columns: Mapping[str, int | None]
) -> None:
    below = [unit_id for unit_id in unit_ids if unit_id != top.id]
    unsynchronized = {"synchronize_session": False}
    if below and columns:
        session.execute(
            sa.update(Unit).where(col(Unit.id).in_(below)).values(**columns),
            execution_options=unsynchronized,
        )
    followers.apply(session, unit_ids, columns)
