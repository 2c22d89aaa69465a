"""Jobs of reorganisations that take many people along: all that is read of them is one transaction.

A job that was cut off in it has changed nothing, and begins anew; after it, it goes on with what catches up.
What it is about may be over by then: done by `scheduling.apply_due`, or by the job before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

from sqlmodel import Session

from app.db import on_sqlite, take_time
from app.models.reorganisations.reorganisations import Reorganisation
from app.services.kernel import jobs
from app.services.reorganisations import catching_up, deciding, scheduling
from app.services.units.carrying import telling


def apply(task: jobs.Task) -> dict[str, Any]:
    with _switch(task) as session:
        scheduling.apply(session, _id(task))
        told = _told(session, task)
    catching_up.run(task.database, _id(task), task.progress)
    return told


def revert(task: jobs.Task) -> dict[str, Any]:
    actor = task.actor()
    with _switch(task) as session:
        with catching_up.later(session, _id(task)):
            deciding.revert_now(session, actor, _id(task))
        told = _told(session, task)
    catching_up.run(task.database, _id(task), task.progress)
    return told


@contextmanager
def _switch(task: jobs.Task) -> Iterator[Session]:
    """Others see how far it is, though nothing of it before its end. Nobody waits for an answer, so its
    statements take their time."""
    with task.writing() as session:
        # One writer on SQLite: it says how far it is in its own transaction.
        alone = on_sqlite(session)
        take_time(session)
        with telling(session, partial(task.progress, session=session if alone else None)):
            yield session


def _told(session: Session, task: jobs.Task) -> dict[str, Any]:
    """A draft again where it could no longer be done."""
    return {"state": session.get_one(Reorganisation, _id(task)).state}


def _id(task: jobs.Task) -> UUID:
    return UUID(task.args["reorganisation_id"])
