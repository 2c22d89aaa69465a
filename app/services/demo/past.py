"""The past meetings of the demo: at once, or later by a job while the server already answers."""

from collections.abc import Callable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.base import new_id
from app.models.demo.jobs import DemoJob
from app.models.events.events import Event
from app.models.kernel.accounts import Account
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit, UnitLevel
from app.services.demo import meetings
from app.services.demo.draws import DEFAULT_SEED
from app.services.kernel import changes, jobs
from app.services.kernel.access import Db
from app.services.kernel.actors import load_actor_of_job
from app.services.kernel.tracking import PATH

# The job belongs to the account that sees no members: nobody else is shown it.
_ASKED_BY = "admin"
_UNITS = (
    sa.select(
        col(Unit.id),
        col(Unit.level),
        col(Unit.name),
        col(Unit.code),
        *(getattr(Unit, name) for name in PATH),
    )
    .where(col(Unit.level).in_((UnitLevel.commune, UnitLevel.branch)))
    .order_by(col(Unit.commune_id), col(Unit.id))
)


def load(
    session: Session,
    *,
    progress: Callable[[str, int, int], None],
    seed: int = DEFAULT_SEED,
) -> int:
    """All of them, into a database that has members and no events; returns how many participations."""
    changes.attribute(session, changes.Origin(ChangeSource.demo))
    done = participations = 0
    communes = list(communes_met(session))
    total = sum(len(branches) for _, branches in communes)
    for commune, branches in communes:
        participations += meetings.hold(session, commune, branches, seed)
        done += len(branches)
        progress(commune.name, done, total)
    return participations


def later(session: Session) -> None:
    """Ask for them: until then counts of attendance say `loading`."""
    account_id = session.execute(
        sa.select(col(Account.id)).where(col(Account.username) == _ASKED_BY)
    ).scalar_one()
    actor = load_actor_of_job(session, account_id, new_id(), None)
    assert actor is not None  # noqa: S101  # the demo has just made the account
    jobs.enqueue(session, actor, kind=DemoJob.meetings, args={})


def fill(task: jobs.Task) -> dict[str, Any]:
    """The job: a transaction a commune; one that has its meetings already is left as it is."""
    with task.database.reading() as db:
        communes = list(communes_met(db))
    total = sum(len(branches) for _, branches in communes)
    done = participations = 0
    for commune, branches in communes:
        with task.database.writing() as session:
            if not _has_meetings(session, commune.id):
                changes.attribute(session, changes.Origin(ChangeSource.demo))
                participations += meetings.hold(session, commune, branches, DEFAULT_SEED)
        done += len(branches)
        task.progress(done, total)
    return {"participations": participations}


def communes_met(db: Db) -> Iterator[tuple[Any, list[Any]]]:
    """Communes with their branches. Of a whole province only the real district: its sample communes
    have no code."""
    units = db.execute(_UNITS).all()
    communes = {unit.id: unit for unit in units if unit.level is UnitLevel.commune and unit.code}
    branches = [
        unit for unit in units if unit.level is UnitLevel.branch and unit.commune_id in communes
    ]
    for commune_id, group in groupby(branches, attrgetter("commune_id")):
        yield communes[commune_id], list(group)


def _has_meetings(session: Session, commune_id: int) -> bool:
    """By the contest of the commune: the others are written with it."""
    contest = sa.select(col(Event.id)).where(
        col(Event.host_id) == commune_id, col(Event.title) == meetings.CONTEST.title
    )
    return session.execute(contest.limit(1)).first() is not None
