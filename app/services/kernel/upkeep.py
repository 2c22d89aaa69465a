"""What is done when its time has come: tacit approvals, and forgetting what has expired."""

import math
from functools import partial

from sqlmodel import Session

from app.db import Database
from app.services.attendance import held
from app.services.duplicates import merges
from app.services.events import reminders
from app.services.identity import signin
from app.services.imports import store
from app.services.kernel import access_log, idempotency, jobs, key_rotation
from app.services.kernel.background import Background, Every
from app.services.memberships import transfers
from app.services.poverty import statuses
from app.services.privacy import anonymisations, erasures, retention

PERIOD_SECONDS = 60 * 60
# Reminders go out to the minute.
REMINDER_SECONDS = 60
# A server that has just been started has people waiting for it.
FIRST_AFTER_SECONDS = 10


def run(session: Session) -> int:
    """Delete expired rows; returns how many."""
    merges.forget_old(session)
    return idempotency.forget_old(session) + signin.forget_old(session)


def do_due(database: Database) -> int:
    """Everything that is due; returns how many expired rows were deleted."""
    transfers.approve_due(database)
    anonymisations.lapse(database)
    erasures.sweep_late(database)
    forgotten_jobs = jobs.forget_old(database) + store.forget_old(database)
    forgotten_jobs += retention.forget_due(database)
    held.release_due(database)
    statuses.follow(database)
    with database.writing() as session:
        forgotten = access_log.forget_old(session, database.settings.access_log_days)
        return run(session) + forgotten + forgotten_jobs


def works(database: Database, *, first_after: float) -> list[Every]:
    """What is due, every hour; reminders, every minute."""
    return [
        Every(
            seconds=PERIOD_SECONDS,
            work=partial(do_due, database),
            name="housekeeping",
            first_after=first_after,
        ),
        Every(
            seconds=REMINDER_SECONDS,
            work=partial(reminders.send_due, database),
            name="reminders",
            first_after=first_after,
        ),
    ]


def in_server(database: Database) -> Background:
    """A thread of the server that does what is due; keys that are being replaced come first.

    On SQLite only, where the server is all there is: on PostgreSQL `hoiso worker` does it.
    """
    if not database.on_sqlite:
        return Background("upkeep")
    rotation = Every(
        seconds=math.inf,
        work=partial(key_rotation.rotate, database),
        name="key_rotation",
        first_after=FIRST_AFTER_SECONDS,
    )
    first = [rotation] if database.vault.is_rotating else []
    return Background("upkeep", *first, *works(database, first_after=FIRST_AFTER_SECONDS))
