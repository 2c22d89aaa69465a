"""What has to be done before a database that went back to a backup is served again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.db import Database
from app.models.kernel.access import Right
from app.models.kernel.changes import ChangeSource
from app.services.identity import sessions
from app.services.kernel import changes, due, following, held_jobs
from app.services.notices import inbox
from app.services.privacy import erasing_again
from app.services.privacy.erasing_again import Again
from app.services.privacy.journal import Erased
from app.services.units import roots


@dataclass(frozen=True, slots=True)
class Reopened:
    """Who was erased again, the new epoch of the change log, and the jobs that wait."""

    again: Again
    epoch: UUID
    job_ids: Sequence[UUID]


def reopen(
    database: Database,
    standing: Sequence[Erased],
    *,
    taken_at: datetime | None = None,
    losses_accepted_by: str | None = None,
) -> Reopened:
    """In one transaction: an epoch, erasures once more, nobody signed in, and what is due asks first.
    The deliveries of `job_ids` are still to be forgotten."""
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli, source_ref="restore"))
        epoch = following.next_epoch(
            session, taken_at=taken_at, losses_accepted_by=losses_accepted_by
        )
        again = erasing_again.erase_again(session, standing)
        sessions.end_everything(session)
        for unit_id in roots.all_open(session):
            inbox.ask(session, None, due.RESTORED.name, epoch.id, Right.accounts_write, unit_id)
        return Reopened(again, epoch.id, held_jobs.hold(session))
