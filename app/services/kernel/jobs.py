"""Long work outside of requests: asked for in a transaction, begun soon after, resumed after a crash.

What does a job is begun again when the process that ran it died, so it commits in chunks, keeps its
place in rows of its own, and a chunk done twice changes nothing. Delivery is `app/jobs.py`.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session, col

from app import logs
from app.clock import utc_now
from app.db import AnySelect, Database, sender_of
from app.errors import Problem, not_found
from app.models.base import new_id
from app.models.kernel.access import Right
from app.models.kernel.changes import ChangeSource
from app.models.kernel.jobs import (
    Job,
    JobKind,
    JobProblem,
    JobProgress,
    JobQuery,
    JobRead,
    Jobs,
    JobState,
)
from app.models.kernel.units import Unit
from app.problem_texts import Language
from app.services.kernel import changes, due
from app.services.kernel.access import Actor, Db, visible
from app.services.kernel.actors import load_actor_of_job
from app.services.kernel.background import Background, Every
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.manifest import manifest

MAX_ATTEMPTS = 5
BEAT_SECONDS = 20
_PROGRESS_SECONDS = 0.5
_PAUSES = (1, 5, 15, 30)
UNFINISHED = (JobState.queued, JobState.running)


@dataclass(slots=True)
class Task:
    """A job being done."""

    database: Database
    job_id: UUID
    kind: str
    args: Mapping[str, Any]
    account_id: UUID
    session_id: UUID
    device: str | None
    request_id: str | None
    _told_at: float = field(default=0.0, repr=False)

    def actor(self) -> Actor:
        """The account that asked for the job, with its rights of now; 403 if it has been disabled."""
        with self.database.reading() as db:
            actor = load_actor_of_job(db, self.account_id, self.session_id, self.device)
        if actor is None:
            raise Problem("account_gone")
        return actor

    def origin(
        self, source: ChangeSource = ChangeSource.job, source_ref: str | None = None
    ) -> changes.Origin:
        """What its changes are logged with."""
        return changes.Origin(
            source=source,
            account_id=self.account_id,
            session_id=self.session_id,
            device=self.device,
            request_id=self.request_id,
            source_ref=source_ref or f"job {self.job_id}",
        )

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction, its changes attributed to who asked."""
        with self.database.writing() as session:
            changes.attribute(session, self.origin())
            yield session

    def progress(self, done: int, total: int | None, session: Session | None = None) -> None:
        """Report progress.

        Inside a transaction pass its database session: SQLite has one writer, and a second
        connection would wait for it.
        """
        update = sa.update(Job).where(col(Job.id) == self.job_id)
        values = update.values(done=done, total=total, seen_at=utc_now())
        if session is not None:
            session.connection().execute(values)
            return
        now = time.monotonic()
        if now - self._told_at < _PROGRESS_SECONDS and done != total:
            return
        self._told_at = now
        with self.database.writing() as own:
            own.connection().execute(values)


# -- asking


def enqueue(
    session: Session,
    actor: Actor,
    *,
    kind: Jobs,
    args: Mapping[str, Any],
    unit_id: int | None = None,
    request_id: str | None = None,
) -> JobRead:
    """Ask for long work, in the transaction of what it belongs to: no commit, no job.

    `args` are JSON and hold no data of people: ids only.
    """
    now = utc_now()
    job = Job(
        id=new_id(),
        kind=kind,
        account_id=actor.account_id,
        session_id=actor.session_id,
        device=actor.device,
        request_id=request_id,
        unit_id=unit_id,
        args=dict(args),
        created_at=now,
    )
    session.add(job)
    session.flush()
    sender_of(session).send(session.connection(), job.id)
    return _read(job, "vi")


def filling(db: Db) -> bool:
    """Whether facts of the past are still being entered, so that counts of them are not whole."""
    kinds = [kind for kind, work in manifest().jobs.items() if work.fills]
    unfinished = sa.select(col(Job.id)).where(
        col(Job.state).in_(UNFINISHED), col(Job.kind).in_(kinds)
    )
    return db.execute(unfinished.limit(1)).first() is not None


_COLUMNS = [col(getattr(Job, name)) for name in Job.model_fields if name not in ("args", "seen_at")]


def find(db: Db, actor: Actor, job_id: UUID, language: Language) -> JobRead:
    """One of the account's own jobs; 404 for those of others, and once its rights have ended."""
    row = db.execute(_own(actor).where(col(Job.id) == job_id)).one_or_none()
    if row is None:
        raise not_found()
    return _read(row, language)


def _own(actor: Actor) -> AnySelect:
    """The account's jobs whose results it may still read."""
    kinds: dict[Right | None, list[str]] = {}
    for kind, work in manifest().jobs.items():
        kinds.setdefault(work.right, []).append(kind)
    may_read = [
        sa.and_(
            col(Job.kind).in_(of_right),
            sa.true() if right is None else visible(Unit, actor, right),
        )
        for right, of_right in kinds.items()
    ]
    return (
        sa.select(*_COLUMNS)
        .join(Unit, col(Unit.id) == col(Job.unit_id), isouter=True)
        .where(
            col(Job.account_id) == actor.account_id,
            sa.or_(col(Job.unit_id).is_(None), *may_read),
        )
    )


def shown_to_colleagues(db: Db, job_id: UUID | None, language: Language) -> JobRead | None:
    """The job of something that others see as well (an import): the caller has checked."""
    statement: AnySelect = sa.select(*_COLUMNS).where(col(Job.id) == job_id)
    row = db.execute(statement).one_or_none()
    return None if row is None else _read(row, language)


def is_over(db: Db, job_id: UUID | None) -> bool:
    """Nobody is at it, and nobody will be: it is done, has failed or was long ago."""
    state = db.execute(sa.select(col(Job.state)).where(col(Job.id) == job_id)).scalar()
    return state not in UNFINISHED


def list_jobs(actor: Actor, query: JobQuery, language: Language) -> Pages:
    """The account's own jobs, the newest first."""
    statement = _own(actor)
    if query.kind is not None:
        statement = statement.where(col(Job.kind) == query.kind)
    if query.state is not None:
        statement = statement.where(col(Job.state) == query.state)
    shown = each(lambda row: _read(row, language).model_dump())
    return pages(statement, Order(col(Job.id).desc()), shown)


def _read(row: Any, language: Language) -> JobRead:
    problem = row.problem and JobProblem.model_validate(row.problem[language])
    return JobRead(
        id=row.id,
        kind=JobKind(row.kind),
        state=row.state,
        unit_id=row.unit_id,
        progress=JobProgress(done=row.done, total=row.total),
        result=row.result,
        problem=problem,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


# -- doing


def perform(database: Database, job_id: UUID) -> None:
    """Do a job to its end, whatever that is; what is over already is not done again."""
    while (task := _begin(database, job_id)) is not None:
        try:
            with _beating(database, job_id):
                result = manifest().jobs[task.kind].run(task)
        except Problem as problem:
            if problem.passes:
                _pause(database, job_id)
                continue
            _end(database, job_id, problem=both_languages(problem))
        except (OperationalError, PoolTimeout) as error:
            # The database is away: the next attempt takes up where this one stood.
            logs.warning("job_interrupted", kind=task.kind, error=type(error).__name__)
            _pause(database, job_id)
            continue
        except Exception as error:  # noqa: BLE001  # whatever it is, somebody waits for an answer
            logs.exception("job_failed", error, kind=task.kind, job_id=str(job_id))
            _end(database, job_id, problem=both_languages(Problem("internal")))
        else:
            _end(database, job_id, result=result)
        return


def _begin(database: Database, job_id: UUID) -> Task | None:
    """Take the job; None when it is over, waits after a restore, or was begun too often to be tried
    again."""
    now = utc_now()
    with database.writing() as session:
        may_begin = due.after_restore(session, col(Job.created_at), by=lambda until: until)
        row = session.execute(
            sa.update(Job)
            .where(col(Job.id) == job_id, col(Job.state).in_(UNFINISHED), may_begin)
            .values(
                state=JobState.running,
                attempts=col(Job.attempts) + 1,
                started_at=sa.func.coalesce(col(Job.started_at), now),
                seen_at=now,
            )
            .returning(
                col(Job.kind),
                col(Job.args),
                col(Job.account_id),
                col(Job.session_id),
                col(Job.device),
                col(Job.request_id),
                col(Job.attempts),
            )
        ).one_or_none()
    if row is None:
        return None
    if row.attempts > MAX_ATTEMPTS:
        _end(database, job_id, problem=both_languages(Problem("job_given_up", count=MAX_ATTEMPTS)))
        return None
    given = ("kind", "args", "account_id", "session_id", "device", "request_id")
    return Task(database, job_id, **{name: getattr(row, name) for name in given})


def both_languages(problem: Problem) -> dict[str, Any]:
    """In both languages: who reads it may have another than who asked."""
    shown = ("code", "title", "detail")

    def told(language: Language) -> dict[str, Any]:
        body = problem.render(language=language, instance="", request_id="")
        return {name: body[name] for name in shown} | {"errors": body.get("errors", [])}

    return {"vi": told("vi"), "en": told("en")}


def _end(
    database: Database,
    job_id: UUID,
    *,
    result: Mapping[str, Any] | None = None,
    problem: Mapping[str, Any] | None = None,
) -> None:
    now = utc_now()
    state = JobState.done if problem is None else JobState.failed
    with database.writing() as session:
        session.connection().execute(
            sa.update(Job)
            .where(col(Job.id) == job_id, col(Job.state).in_(UNFINISHED))
            .values(state=state, result=result, problem=problem, seen_at=now, finished_at=now)
        )


def _pause(database: Database, job_id: UUID) -> None:
    with database.reading() as db:
        attempts = db.execute(sa.select(col(Job.attempts)).where(col(Job.id) == job_id)).scalar()
    time.sleep(_PAUSES[min((attempts or 1) - 1, len(_PAUSES) - 1)])


def _beating(database: Database, job_id: UUID) -> Background:
    """Write a heartbeat to the row of a running job; not on SQLite, which has one runner only."""
    seen = sa.update(Job).where(col(Job.id) == job_id)

    def beat() -> None:
        with database.writing() as session:
            session.connection().execute(seen.values(seen_at=utc_now()))

    if database.on_sqlite:
        return Background("job-beat")
    return Background("job-beat", Every(seconds=BEAT_SECONDS, work=beat, name="job_beat"))


def work_off(database: Database) -> int:
    """Do everything that waits, here and now, in the order it was asked for; returns how many."""
    done = 0
    while (job_id := _first_waiting(database)) is not None:
        perform(database, job_id)
        done += 1
    return done


def _first_waiting(database: Database) -> UUID | None:
    with database.reading() as db:
        may_begin = due.after_restore(db, col(Job.created_at), by=lambda until: until)
        return db.execute(_FIRST_WAITING.where(may_begin)).scalar()


_FIRST_WAITING = (
    sa.select(col(Job.id)).where(col(Job.state) == JobState.queued).order_by(col(Job.id)).limit(1)
)


def forget_old(database: Database) -> int:
    """Delete jobs that have long been over; returns how many."""
    limit = utc_now() - timedelta(days=database.settings.job_days)
    old = sa.select(col(Job.id)).where(col(Job.finished_at) < limit).limit(1_000)
    forgotten = 0
    while True:
        with database.writing() as session:
            ids = list(session.execute(old).scalars())
            session.execute(sa.delete(Job).where(col(Job.id).in_(ids)))
        if not ids:
            return forgotten
        database.sender.forget(ids)
        forgotten += len(ids)
