"""Threads that do something again and again for as long as a server runs."""

import heapq
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from app import logs

_LONGEST_END = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """Work to be done again `seconds` after it was done (`math.inf`: once)."""

    seconds: float
    work: Callable[[], object]
    # What a failure is called in the log: `<name>_failed`.
    name: str
    # How long after the start it is done first; `seconds` by default.
    first_after: float | None = None
    # Without it the process does not do what it is for: while it fails, the process is not ready.
    promised: bool = False


# What failed is tried again after 1, 2, 4, ... seconds, and not later than this.
_AGAIN_SECONDS = 30.0
# Work that is done again and again may fail now and then; work that is done once may not.
_FAILURES_IN_A_ROW = 3


class Background:
    """A context: while it is open, one thread does each of these works when its time has come.

    What fails is logged and done again, soon: while the database is away, and where the work
    itself is faulty, all other work goes on. Without any work there is no thread.
    """

    def __init__(self, name: str, *works: Every) -> None:
        self._name = name
        self._works = works
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        # In a row, by the place of the work.
        self._failures = [0] * len(works)

    def broken(self) -> list[str]:
        """The promised works that are not done."""
        is_dead = self._thread is not None and not self._thread.is_alive()
        return [
            each.name
            for each, failures in zip(self._works, self._failures, strict=True)
            if each.promised and (is_dead or failures >= _patience(each))
        ]

    def __enter__(self) -> Self:
        if self._works:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=_LONGEST_END)
            # What was stopped promises nothing any more.
            self._thread = None
            self._failures = [0] * len(self._works)

    def _run(self) -> None:
        now = time.monotonic()
        due = [
            (now + (each.seconds if each.first_after is None else each.first_after), place)
            for place, each in enumerate(self._works)
        ]
        heapq.heapify(due)
        while not self._stop.wait(min(max(due[0][0] - time.monotonic(), 0), threading.TIMEOUT_MAX)):
            _, place = due[0]
            each = self._works[place]
            failures = self._failures[place] = 0 if _do(each) else self._failures[place] + 1
            pause = (
                min(each.seconds, _AGAIN_SECONDS, 2.0 ** (failures - 1))
                if failures
                else each.seconds
            )
            heapq.heapreplace(due, (time.monotonic() + pause, place))


def _patience(each: Every) -> int:
    return 1 if each.seconds == math.inf else _FAILURES_IN_A_ROW


def _do(each: Every) -> bool:
    """Whether it succeeded; a failure is logged."""
    try:
        each.work()
    except SQLAlchemyError as error:
        logs.warning(f"{each.name}_failed", error=type(error).__name__)
    except Exception as error:  # noqa: BLE001  # one faulty work must not end the others
        logs.exception(f"{each.name}_failed", error)
    else:
        return True
    return False


@contextmanager
def outliving_outages(work: str) -> Iterator[None]:
    """A failure of the database is logged and the program goes on: what was to be done here is
    done the next time."""
    try:
        yield
    except SQLAlchemyError as error:
        logs.warning(f"{work}_failed", error=type(error).__name__)
