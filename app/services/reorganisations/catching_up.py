"""Rows that follow a reorganisation after its commit: those that have the province of the record they hang on.

To write them takes as long as all else, and nobody reads their province (docs/decisions/0045). So a switch of
many people notes the branches (`Reorganisation.behind`), and they catch up, some at a time. Who is cut off
goes on with those that are left; the housekeeping does where no job is left to do it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import Database
from app.errors import Problem
from app.models.reorganisations.reorganisations import Reorganisation
from app.services.kernel import provinces
from app.services.units.carrying import hold_for_change
from app.services.units.rows import locked_is_409

# Branches. Their writers wait for a transaction of so many: less than a second.
_AT_ONCE = 10


@contextmanager
def later(session: Session, reorganisation_id: UUID) -> Iterator[None]:
    """What is done in it leaves these rows behind, and notes where."""
    with provinces.following_later(session) as branch_ids:
        yield
    if branch_ids:
        row = session.get_one(Reorganisation, reorganisation_id)
        row.behind = sorted(branch_ids.union(row.behind or ()))
        session.flush()


def run(
    database: Database,
    reorganisation_id: UUID,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> None:
    """All branches that are behind; `progress` gets so many of so many."""
    done, left = 0, True
    while left:
        with database.writing() as session:
            with locked_is_409():
                row = session.get_one(Reorganisation, reorganisation_id, with_for_update=True)
                behind = row.behind or []
                now, rest = behind[:_AT_ONCE], behind[_AT_ONCE:]
                hold_for_change(session, now)
            provinces.catch_up(session, now)
            row.behind = rest or None
        done, left = done + len(now), bool(rest)
        if now:
            progress(done, done + len(rest))


def run_all(database: Database) -> None:
    """Those that no job has finished."""
    behind = sa.select(col(Reorganisation.id)).where(col(Reorganisation.behind).is_not(None))
    with database.reading() as db:
        ids = list(db.execute(behind).scalars())
    for reorganisation_id in ids:
        with suppress(Problem):  # somebody else has its units: the next run goes on
            run(database, reorganisation_id)
