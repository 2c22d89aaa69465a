"""Roll-ups that are always exact: figures of branches are stored, and counted anew once anything they
depend on has changed.

The change log says what has changed. A stored figure is used while no entry after the place of the
last fold concerns its branch, and none that waits for its place; of all other branches a reader
counts the rows. So a reader is exact in its own snapshot, whether or not the fold runs; it is only
faster when it does. Nothing is added to what is stored, so no change can be counted twice.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import sqlalchemy as sa
from dateutil.relativedelta import relativedelta
from sqlmodel import Session, col

from app.clock import local_today
from app.db import Database, chunks, insert_many
from app.models.figures.rollups import FigureDay, FigureFold
from app.models.kernel.changes import Feed, FeedHead, Outbox
from app.models.kernel.units import Unit, UnitLevel
from app.services.kernel import sequencer
from app.services.kernel.access import Db
from app.services.kernel.offers import FigureRows

_DAY = timedelta(days=1)
# The months before this one whose last days are kept, beside today.
MONTHS = 36
# Of more changes than this a reader counts everything: the next fold is near.
_MOST_CHANGES = 2_000
# So many branches go into one statement; where more are to be counted, all are.
_MOST_LEFT = 10_000


@dataclass(frozen=True, slots=True)
class RolledUp:
    """What a reader takes from the roll-up, and the units whose rows are to be counted."""

    figures: Sequence[tuple[int, Mapping[str, int]]]
    left: Sequence[int]


def kept_days() -> list[date]:
    """Today and the last days of the months before."""
    this_month = local_today().replace(day=1)
    ends = [this_month - relativedelta(months=ago) - _DAY for ago in range(MONTHS)]
    return [local_today(), *ends]


def read(
    db: Db, name: str, source: FigureRows, day: date, keys: Iterable[str], parts: sa.CTE
) -> RolledUp | None:
    """What is stored of the branches in these parts and still right; None where nothing is.

    `keys`: the figures that are wanted, with their versions.
    """
    if source.rolled_up is None:
        return None
    stored = db.execute(
        sa.select(parts.c.id, parts.c.part_id, col(FigureDay.figures))
        .join(FigureDay, col(FigureDay.branch_id) == parts.c.id)
        .where(col(FigureDay.rows) == name, col(FigureDay.day) == day)
    ).all()
    stale = _stale(db, source, _folded(db)) if stored else None
    if stale is None:
        return None
    wanted = set(keys)
    fresh = {
        row.id: (row.part_id, row.figures)
        for row in stored
        if row.id not in stale and wanted <= row.figures.keys()
    }
    branches = sa.select(parts.c.id).join(Unit, col(Unit.id) == parts.c.id)
    every = db.execute(branches.where(col(Unit.level) == UnitLevel.branch)).scalars()
    left = [unit_id for unit_id in every if unit_id not in fresh]
    return None if len(left) > _MOST_LEFT else RolledUp([*fresh.values()], left)


def _folded(db: Db) -> int:
    return int(db.execute(sa.select(col(FigureFold.seq))).scalar_one())


def _stale(db: Db, source: FigureRows, since: int) -> set[int] | None:
    """The branches that anything concerns which has changed since; None: too much has."""
    rolled_up = source.rolled_up or {}
    changed: dict[str, set[str]] = defaultdict(set)
    stale: set[int] = set()
    for table, later in ((Feed, col(Feed.seq) > since), (Outbox, sa.true())):
        rows = db.execute(
            sa.select(col(table.entity), col(table.entity_id), col(table.branch_id))
            .where(later, col(table.entity).in_(rolled_up))
            .limit(_MOST_CHANGES)
        ).all()
        if len(rows) == _MOST_CHANGES:
            return None
        for row in rows:
            changed[row.entity].add(row.entity_id)
            stale |= {row.branch_id} - {None}
    for entity, ids in changed.items():
        if (branches_of := rolled_up[entity]) is not None:
            for chunk in chunks([UUID(id_) for id_ in ids]):
                stale |= set(db.execute(branches_of(chunk)).scalars())
    return stale


# -- the fold


@dataclass(frozen=True, slots=True)
class Counting:
    """How the figures of some rows are counted, for branches as parts of their own."""

    name: str
    source: FigureRows
    # Of some branches and a day, by branch and by the key of the figure.
    count: Callable[[Db, Sequence[int], date], Mapping[int, dict[str, int]]]


def fold(database: Database, countings: Sequence[Counting]) -> int:
    """Take in what has changed, and count what is missing; returns how many branches and days were
    counted. Any number of processes may do it: one at a time does."""
    sequencer.settle(database)
    with database.writing() as session:
        _forget(session, countings)
    counted = 0
    for counting in countings:
        for day in kept_days():
            with database.writing() as session:
                counted += _fill(session, counting, day)
    return counted


def _forget(session: Session, countings: Sequence[Counting]) -> None:
    """Drop what is no longer right; the place of the log is read first, so that whatever is counted
    afterwards has all changes up to it."""
    since = session.execute(_LOCK_FOLD).scalar_one()
    head = session.execute(sa.select(col(FeedHead.seq))).scalar_one()
    gone = sa.delete(FigureDay)
    session.connection().execute(gone.where(col(FigureDay.day).not_in(kept_days())))
    for counting in countings:
        of_rows = gone.where(col(FigureDay.rows) == counting.name)
        stale = _stale(session, counting.source, since)
        if stale is None:
            session.connection().execute(of_rows)
        else:
            for chunk in chunks(sorted(stale)):
                session.connection().execute(of_rows.where(col(FigureDay.branch_id).in_(chunk)))
    session.connection().execute(sa.update(FigureFold).values(seq=head))


def _fill(session: Session, counting: Counting, day: date) -> int:
    """Count the branches that stand on the day and are not stored."""
    session.execute(_LOCK_FOLD)
    stored = sa.select(col(FigureDay.branch_id)).where(
        col(FigureDay.rows) == counting.name, col(FigureDay.day) == day
    )
    missing = session.execute(
        sa.select(col(Unit.id)).where(
            col(Unit.level) == UnitLevel.branch,
            col(Unit.opened_on) <= day,
            sa.or_(col(Unit.closed_on).is_(None), col(Unit.closed_on) >= day),
            col(Unit.id).not_in(stored),
        )
    )
    branches = list(missing.scalars())
    if not branches:
        return 0
    found = counting.count(session, branches, day)
    insert_many(
        session,
        FigureDay,
        [
            {"rows": counting.name, "day": day, "branch_id": branch, "figures": figures}
            for branch, figures in found.items()
        ],
    )
    return len(branches)


_LOCK_FOLD = sa.select(col(FigureFold.seq)).where(col(FigureFold.id) == 1).with_for_update()


# -- the check


@dataclass(frozen=True, slots=True)
class Wrong:
    """A stored figure that a recount does not find."""

    rows: str
    day: date
    branch_id: int


def check(session: Session, countings: Sequence[Counting], *, repair: bool) -> list[Wrong]:
    """Recount all that is stored and that no change since concerns; what is wrong is dropped only
    where `repair` says so, and counted by the next fold."""
    since = session.execute(_LOCK_FOLD).scalar_one()
    wrong: list[Wrong] = []
    for counting in countings:
        stale = _stale(session, counting.source, since)
        for day in kept_days():
            of_day = (col(FigureDay.rows) == counting.name, col(FigureDay.day) == day)
            rows = session.execute(
                sa.select(col(FigureDay.branch_id), col(FigureDay.figures)).where(*of_day)
            )
            stored = {row.branch_id: row.figures for row in rows}
            found = counting.count(session, list(stored), day) if stored else {}
            wrong += [
                Wrong(counting.name, day, branch)
                for branch, figures in stored.items()
                if stale is not None and branch not in stale and figures != found[branch]
            ]
    if repair:
        for each in wrong:
            session.connection().execute(
                sa.delete(FigureDay).where(
                    col(FigureDay.rows) == each.rows,
                    col(FigureDay.day) == each.day,
                    col(FigureDay.branch_id) == each.branch_id,
                )
            )
    return wrong
