"""`hoiso worker`: what is done in the background, in a process of its own."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from time import sleep

import typer
from sqlalchemy.exc import SQLAlchemyError

from app import logs, memory
from app.config import Settings
from app.db import Database
from app.services.kernel import job_workers, jobs, key_rotation, sequencer, upkeep
from app.services.kernel.background import Background, Every
from app.services.webhooks.senders import Senders, work_off

_WAIT_SECONDS = 30.0


def work(settings: Settings, *, once: bool) -> None:
    """Until it is interrupted; `once`: what is due."""
    database = Database(settings)
    try:
        if not once:
            _when_it_works(partial(database.read_apart, sequencer.ensure_there))
        if database.vault.is_rotating:
            key_rotation.rotate(database)
        if once:
            typer.echo(f"did {jobs.work_off(database)} jobs")
            typer.echo(f"forgot {_work(database)} expired rows")
            typer.echo(f"tried to send {work_off(database)} events")
            return
        memory.settle()
        lost = partial(job_workers.send_lost_again, database)
        with (
            ExitStack() as opened,
            sequencer.background(database),
            Background(
                "upkeep",
                *upkeep.works(database, first_after=0),
                Every(seconds=60, work=lost, name="lost_jobs", first_after=0),
            ),
        ):
            _when_it_works(lambda: opened.enter_context(job_workers.Worker(database)))
            opened.enter_context(Senders(database))
            _until_interrupted()
    except KeyboardInterrupt:
        pass
    finally:
        database.close()


def _when_it_works(work: Callable[[], object]) -> None:
    """Done as soon as the database answers and has its tables."""
    pause = 1.0
    while True:
        try:
            work()
        except SQLAlchemyError as error:
            logs.warning("waiting_for_database", error=type(error).__name__, seconds=pause)
            sleep(pause)
            pause = min(2 * pause, _WAIT_SECONDS)
        else:
            return


def _until_interrupted() -> None:
    threading.Event().wait()


def _work(database: Database) -> int:
    """Everything that is due; returns how many expired rows were forgotten."""
    sequencer.settle(database)
    return upkeep.do_due(database)
