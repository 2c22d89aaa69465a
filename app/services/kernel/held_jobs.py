"""Jobs that a restore brought back: they wait for the operator, and are sent anew or given up."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import sender_of
from app.errors import Problem
from app.models.kernel.jobs import Job, JobState
from app.services.kernel.access import Db
from app.services.kernel.due import Due
from app.services.kernel.jobs import both_languages


def hold(session: Session) -> list[UUID]:
    """What was being done when the backup was made is not being done. Returns all that is to be done:
    its delivery, which may be in the backup too, is to be forgotten."""
    session.connection().execute(
        sa.update(Job).where(col(Job.state) == JobState.running).values(state=JobState.queued)
    )
    held = sa.select(col(Job.id)).where(col(Job.state) == JobState.queued)
    return list(session.execute(held).scalars())


def _asked_by(until: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(col(Job.state) == JobState.queued, col(Job.created_at) <= until)


def _count_held(db: Db, until: datetime) -> int:
    held = sa.select(sa.func.count()).where(_asked_by(until))
    return int(db.execute(held).scalar_one())


def _send_held(session: Session, until: datetime) -> None:
    sender = sender_of(session)
    ids = session.execute(sa.select(col(Job.id)).where(_asked_by(until)).order_by(col(Job.id)))
    for job_id in ids.scalars().all():
        sender.send(session.connection(), job_id)


def _drop_held(session: Session, until: datetime) -> None:
    now, problem = utc_now(), both_languages(Problem("job_dropped"))
    session.connection().execute(
        sa.update(Job)
        .where(_asked_by(until))
        .values(state=JobState.failed, problem=problem, seen_at=now, finished_at=now)
    )


DUE = Due("job", "long work that was asked for", _count_held, _send_held, _drop_held)
