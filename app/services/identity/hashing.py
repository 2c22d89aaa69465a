"""Threads of their own for hashing passwords, with a bounded queue before them.

A hash takes tens of milliseconds of a core. In the threads of the endpoints, forty connections that
guess passwords would let everybody else wait.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from app.errors import Problem

T = TypeVar("T")
_NICE = 10


class HashingThreads:
    """`threads` hashes at a time, each with its own memory; at most `waiting` more wait."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads, "hashing", initializer=_give_way)
        self._places = threading.BoundedSemaphore(threads + waiting)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue, to be taken before anything is counted; 503 when it is full."""
        if not self._places.acquire(blocking=False):
            raise Problem("unavailable", retry_after=2)
        try:
            yield
        finally:
            self._places.release()

    async def run(self, work: Callable[[], T]) -> T:
        """The result of this work, when its turn has come."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _give_way() -> None:
    """Requests of signed-in people go first: on Linux a thread has a priority of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
