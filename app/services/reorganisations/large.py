"""Reorganisations that take many people along: a job does them, not the request that decides."""

from sqlmodel import Session

from app.db import on_sqlite, settings_of
from app.models.kernel.jobs import JobRead
from app.models.reorganisations.reorganisations import Reorganisation, ReorganisationJob
from app.services.kernel import jobs
from app.services.kernel.access import Actor, Db
from app.services.members import batches
from app.services.units.followers import Concerned


def is_large(db: Db, concerned: Concerned) -> bool:
    """On SQLite none is: there the number of people is bounded (`applying`)."""
    if on_sqlite(db):
        return False
    most = settings_of(db).reorganisation_at_once_members
    return batches.counts_in(db, concerned)["members"] > most


def ask(session: Session, actor: Actor, row: Reorganisation, kind: ReorganisationJob) -> JobRead:
    args = {"reorganisation_id": str(row.id)}
    return jobs.enqueue(session, actor, kind=kind, args=args, unit_id=row.unit_id)
