"""Answers about long-running jobs, 202 with the address of the job, and answers that are awaited.

`Prefer: wait=30` (RFC 7240) holds the answer back until the job is over, for so many seconds. It
waits after the transaction has been committed, in no thread.
"""

import asyncio
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy.engine import Connection

from app.api.http.context import request_context
from app.api.http.noting import will_show
from app.api.http.outages import busy_is_503
from app.api.http.server import server_of
from app.db import Database
from app.json_values import json_bytes
from app.models.kernel.access_log import ReadHow
from app.models.kernel.jobs import JobRead, JobState
from app.problem_texts import Language
from app.services.kernel import jobs, sequencer
from app.services.kernel.access import Actor

_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*\"?([0-9]{1,4})\"?\s*(?:,|;|$)")
MOST_SECONDS: Final = 60
_LOOK_EVERY_SECONDS = 0.3
ACCEPTED: dict[int | str, dict[str, Any]] = {
    200: {"model": JobRead, "description": "It was over within the time of `Prefer: wait`."},
}


class Pending(Response):
    """An answer about a job that may still be running."""

    job_id: UUID
    actor: Actor
    # The body once the job is over, if that is not the job itself.
    again: Callable[[Connection], Response] | None = None


class Awaited(Response):
    """An answer from the change log that has nothing new so far. `has_news` says whether that may be otherwise by now;
    `again` gives the answer then, which may have to be awaited as well."""

    has_news: Callable[[Connection], bool]
    again: Callable[[Connection], Response]


def accepted(actor: Actor, job: JobRead) -> Pending:
    """202 with `Location: /v1/jobs/{id}`: the work is asked for."""
    return _pending(actor, job, 202)


def shown(actor: Actor, job: JobRead) -> Pending:
    """The job in its present state."""
    return _pending(actor, job, 200)


def answer_when_over(
    actor: Actor, job_id: UUID, answer: Pending, again: Callable[[Connection], Response]
) -> Pending:
    """An answer about a resource a job is working on; `again` reads it anew once the job is over."""
    answer.job_id, answer.actor, answer.again = job_id, actor, again
    return answer


def _pending(actor: Actor, job: JobRead, status: int) -> Pending:
    will_show(JobRead, [job], ReadHow.detail)
    headers = {"Location": f"/v1/jobs/{job.id}"} if status == 202 else None
    answer = Pending(json_bytes(job.model_dump()), status, headers, "application/json")
    answer.job_id, answer.actor = job.id, actor
    return answer


def patience(request: Request) -> int:
    """The seconds of `Prefer: wait=`, at most a minute."""
    found = _WAIT.search(request.headers.get("prefer", "").lower())
    return min(int(found.group(1)), MOST_SECONDS) if found else 0


async def settled(request: Request, pending: Pending) -> Response:
    """The answer when the job is over, or when the client's patience is."""
    with busy_is_503():
        return await _settled(request, pending)


async def _settled(request: Request, pending: Pending) -> Response:
    seconds = patience(request)
    if not seconds:
        return pending
    database = server_of(request).database
    language = request_context.get().language
    until = time.monotonic() + seconds
    # What a job works on is there when the job has long been forgotten, too.
    while not await asyncio.to_thread(
        database.read_apart, lambda db: jobs.is_over(db, pending.job_id)
    ):
        if time.monotonic() >= until:
            break
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    again = pending.again or partial(_present, pending, language)
    answer = await asyncio.to_thread(database.read_apart, again)
    answer.headers["Preference-Applied"] = f"wait={seconds}"
    return answer


def _present(pending: Pending, language: Language, db: Connection) -> Response:
    job = jobs.find(db, pending.actor, pending.job_id, language)
    is_over = job.state in (JobState.done, JobState.failed)
    return _pending(pending.actor, job, 200 if is_over else pending.status_code)


async def with_news(request: Request, answer: Awaited) -> Response:
    """The answer when there is something new, or when the client's patience is over."""
    seconds = patience(request)
    if not seconds:
        return answer
    until = time.monotonic() + seconds
    with busy_is_503():
        found = await _with_news(server_of(request).database, answer, until)
    found.headers["Preference-Applied"] = f"wait={seconds}"
    return found


async def _with_news(database: Database, answer: Awaited, until: float) -> Response:
    while time.monotonic() < until:
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
        await asyncio.to_thread(sequencer.settle, database)
        if not await asyncio.to_thread(database.read_apart, answer.has_news):
            continue
        found = await asyncio.to_thread(database.read_apart, answer.again)
        if not isinstance(found, Awaited):
            return found
        answer = found
    return answer
