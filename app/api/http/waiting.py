"""Requests that wait for the change log. They hold no thread: in each event loop one look at the log is for
all of them, however many they are.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, TypeVar
from uuid import UUID

from starlette.requests import ClientDisconnect, Request

from app.api.http.outages import busy_is_503
from app.api.http.threads import Threads
from app.db import Database
from app.errors import Problem
from app.services.kernel import sequencer
from app.services.kernel.following import newest

T = TypeVar("T")
# In one process: a program follows with one connection, or with one for each kind.
MOST_OF_ACCOUNT: Final = 20
_LOOK_EVERY_SECONDS: Final = 0.3
_AGAIN_AFTER_SECONDS: Final = 5
# After a stop, for the answers that wait to be sent; who does not read them is cut off.
_GRACE_SECONDS: Final = 3.0
# What those who wait read is not to stand in the way of other requests.
_threads = Threads(4, "waiting")


async def in_thread(work: Callable[[], T]) -> T:
    """The result of what somebody reads who waits; 503 when the database is away."""
    with busy_is_503():
        return await _threads.run(work)


@dataclass
class _Look:
    """How far the log has come, seen in one event loop for all who wait in it."""

    database: Database
    waiting: dict[asyncio.Future[None], int] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None

    async def after(self, seq: int, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting[future] = seq
        if self.task is None:
            self.task = asyncio.create_task(self._go_on())
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(future, seconds)
        finally:
            self.waiting.pop(future, None)
            if not self.waiting:
                self.task.cancel()
                self.task = None

    def wake(self) -> None:
        for future in self.waiting:
            if not future.done():
                future.set_result(None)

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            try:
                seq = await in_thread(self._newest)
            except Problem:
                self.wake()  # each of them meets it itself
                continue
            for future, after in self.waiting.items():
                if seq > after and not future.done():
                    future.set_result(None)

    def _newest(self) -> int:
        sequencer.settle(self.database)
        return self.database.read_apart(newest).seq


class WhoWait:
    """Those who wait for the change log in one server."""

    def __init__(self) -> None:
        self.stopped = False
        self._looks: dict[tuple[asyncio.AbstractEventLoop, Database], _Look] = {}
        self._of_account: Counter[UUID] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = Lock()

    @contextmanager
    def place_of(self, account_id: UUID) -> Iterator[None]:
        """A place among those who wait; 429 `too_many_waiting` when the account has all of its own."""
        with self._lock:
            if self._of_account[account_id] >= MOST_OF_ACCOUNT:
                raise Problem(
                    "too_many_waiting", count=MOST_OF_ACCOUNT, retry_after=_AGAIN_AFTER_SECONDS
                )
            self._of_account[account_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._of_account[account_id] -= 1
                if not self._of_account[account_id]:
                    del self._of_account[account_id]

    @contextmanager
    def cut_off_at_a_stop(self) -> Iterator[None]:
        """An answer without an end: the task that sends it ends with the server."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # an answer is sent by a task
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    @property
    def count(self) -> int:
        """How many wait."""
        return self._of_account.total()

    async def news_after(self, database: Database, seq: int, seconds: float) -> None:
        """Returns when the log has gone beyond `seq`, after so many seconds, or when the server stops."""
        if self.stopped:
            return
        key = asyncio.get_running_loop(), database
        look = self._looks.setdefault(key, _Look(database))
        try:
            await look.after(seq, seconds)
        finally:
            if not look.waiting:
                self._looks.pop(key, None)

    def stop(self) -> None:
        """The server stops: nobody waits any more. Called in its event loop."""
        self.stopped = True
        for look in self._looks.values():
            look.wake()
        loop = asyncio.get_running_loop()
        for task in self._tasks:
            loop.call_later(_GRACE_SECONDS, task.cancel)


async def unless_gone(request: Request, waits: "asyncio.Future[None]") -> None:
    """Wait for this, or until the client has gone: `ClientDisconnect`."""
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((waits, gone), return_when=asyncio.FIRST_COMPLETED)
        if not waits.done():
            raise ClientDisconnect
        await waits
    finally:
        for each in (waits, gone):
            each.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
