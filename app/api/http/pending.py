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

from app.api.http.bearer import asked_anew
from app.api.http.context import request_context
from app.api.http.noting import will_show
from app.api.http.outages import busy_is_503
from app.api.http.server import server_of
from app.api.http.waiting import in_thread, unless_gone
from app.json_values import json_bytes
from app.models.kernel.access_log import ReadHow
from app.models.kernel.jobs import JobRead, JobState
from app.problem_texts import Language
from app.services.kernel import jobs
from app.services.kernel.access import Actor

_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*\"?([0-9]{1,4})\"?\s*(?:,|;|$)")
MOST_SECONDS: Final = 60
_LOOK_EVERY_SECONDS = 0.3
ACCEPTED: dict[int | str, dict[str, Any]] = {
    200: {"model": JobRead, "description": "It was over within the time of `Prefer: wait`."},
}


Again = Callable[[Connection, Actor], Response]


class Pending(Response):
    """An answer about a job that may still be running."""

    job_id: UUID
    actor: Actor
    # The body once the job is over, if that is not the job itself.
    again: Again | None = None


class Awaited(Response):
    """An answer from the change log that has nothing new up to `seq`; `again` gives it anew, by the rights of
    then, and may have to be awaited as well."""

    seq: int
    again: Again


def accepted(actor: Actor, job: JobRead) -> Pending:
    """202 with `Location: /v1/jobs/{id}`: the work is asked for."""
    return _pending(actor, job, 202)


def shown(actor: Actor, job: JobRead) -> Pending:
    """The job in its present state."""
    return _pending(actor, job, 200)


def answer_when_over(actor: Actor, job_id: UUID, answer: Pending, again: Again) -> Pending:
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
    server = server_of(request)
    language = request_context.get().language
    until = time.monotonic() + seconds
    # What a job works on is there when the job has long been forgotten, too.
    while not await asyncio.to_thread(
        server.database.read_apart, lambda db: jobs.is_over(db, pending.job_id)
    ):
        if time.monotonic() >= until or server.waiting.stopped:
            break
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    # What it shows is for who asks now: a minute may have ended rights.
    actor = await asked_anew(request)
    again = pending.again or partial(_present, pending, language)
    answer = await asyncio.to_thread(server.database.read_apart, partial(_again, again, actor))
    answer.headers["Preference-Applied"] = f"wait={seconds}"
    return answer


def _present(pending: Pending, language: Language, db: Connection, actor: Actor) -> Response:
    job = jobs.find(db, actor, pending.job_id, language)
    is_over = job.state in (JobState.done, JobState.failed)
    return _pending(actor, job, 200 if is_over else pending.status_code)


async def with_news(request: Request, answer: Awaited) -> Response:
    """The answer when there is something new, or when the client's patience is over."""
    seconds = patience(request)
    if not seconds:
        return answer
    waiting, actor = server_of(request).waiting, request_context.get().actor
    assert actor is not None  # noqa: S101  # only a guarded route reads the log
    with waiting.place_of(actor.account_id):
        found = await _with_news(request, answer, time.monotonic() + seconds)
    found.headers["Preference-Applied"] = f"wait={seconds}"
    return found


async def _with_news(request: Request, answer: Awaited, until: float) -> Response:
    server = server_of(request)
    while not server.waiting.stopped and (left := until - time.monotonic()) > 0:
        news = server.waiting.news_after(server.database, answer.seq, left)
        await unless_gone(request, asyncio.ensure_future(news))
        # By the rights of now: neither the account nor its grants need be what they were.
        actor = await asked_anew(request)
        request_context.get().shown = []
        found = await in_thread(
            partial(server.database.read_apart, partial(_again, answer.again, actor))
        )
        if not isinstance(found, Awaited):
            return found
        answer = found
    return answer


def _again(again: Again, actor: Actor, db: Connection) -> Response:
    return again(db, actor)
