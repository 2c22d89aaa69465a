"""Reorganisations that were decided on before their day: each is done on it, by itself."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app import logs
from app.clock import local_day, local_today
from app.db import Database, take_time
from app.errors import Problem
from app.models.kernel.changes import ChangeSource
from app.models.reorganisations.reorganisations import (
    Reorganisation,
    ReorganisationState,
    ReturnedBecause,
)
from app.services.kernel import changes, due
from app.services.kernel.access import Db
from app.services.kernel.due import Due
from app.services.reorganisations import catching_up, deciding, drafts, returning
from app.services.reorganisations.planning import Plan
from app.services.units.tree import lock_tree


def apply_due(database: Database) -> int:
    """Do what is due, each in a transaction of its own; how many were done."""
    with database.reading() as db:
        after_restore = due.after_restore(db, col(Reorganisation.effective_on), by=local_day)
        found = (
            sa.select(col(Reorganisation.id))
            .where(_due_by(local_today()), after_restore)
            .order_by(col(Reorganisation.effective_on), col(Reorganisation.decided_at))
        )
        ids = list(db.execute(found).scalars())
    done = 0
    for reorganisation_id in ids:
        try:
            with database.writing() as session:
                origin = changes.Origin(ChangeSource.job, source_ref="reorganisation")
                changes.attribute(session, origin)
                take_time(session)
                done += apply(session, reorganisation_id)
        except Problem as problem:
            if not problem.passes:  # a job is at it, or another change of the tree
                logs.exception(
                    "reorganisation_failed", problem, reorganisation_id=str(reorganisation_id)
                )
        except Exception as error:  # noqa: BLE001  # whatever it is, the others shall not wait for it
            logs.exception("reorganisation_failed", error, reorganisation_id=str(reorganisation_id))
    catching_up.run_all(database)
    return done


def _due_by(day: date) -> sa.ColumnElement[bool]:
    return sa.and_(
        col(Reorganisation.state) == ReorganisationState.scheduled,
        col(Reorganisation.effective_on) <= day,
    )


def _count_due(db: Db, until: datetime) -> int:
    found = sa.select(sa.func.count()).where(_due_by(local_day(until)))
    return int(db.execute(found).scalar_one())


DUE = Due("reorganisation", "reorganisations that were decided for a day", _count_due)


def apply(session: Session, reorganisation_id: UUID) -> bool:
    """Whether it was done: not where it is over already. What can no longer be done, or was decided by somebody who may no longer, is a draft again, and
    waits for a person."""
    lock_tree(session)
    row = session.get_one(Reorganisation, reorganisation_id, with_for_update=True)
    if row.state is not ReorganisationState.scheduled:
        return False
    row.state = ReorganisationState.draft
    session.flush()
    made = drafts.plan_held(session, None, row)
    if (because := _returned(session, row, made)) is not None:
        returning.give_back(session, row, because)
        return False
    with catching_up.later(session, row.id):
        deciding.do(session, row, made)
    return True


def _returned(session: Session, row: Reorganisation, made: Plan) -> ReturnedBecause | None:
    if made.troubles:
        return ReturnedBecause.prevented
    return None if deciding.still_decided(session, row, made) else ReturnedBecause.right_lost
