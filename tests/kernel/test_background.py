"""Work done again and again in a thread: begun, done in its time, going on after failures, ended."""

import math
import threading
import time
from collections.abc import Callable
from queue import Empty, Queue

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from app import logs
from app.services.kernel.background import Background, Every

SOON = 0.005
# Far longer than any test takes.
LATE = 3600.0


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Queue[tuple[str, str]]:
    """What is logged of failures."""
    lines: Queue[tuple[str, str]] = Queue()
    monkeypatch.setattr(logs, "warning", lambda event, error: lines.put((event, error)))
    monkeypatch.setattr(
        logs, "exception", lambda event, error: lines.put((event, type(error).__name__))
    )
    return lines


def test_each_work_is_done_in_its_own_time() -> None:
    done: Queue[str] = Queue()
    often = Every(seconds=SOON, work=lambda: done.put("often"), name="often")
    seldom = Every(seconds=LATE, work=lambda: done.put("seldom"), name="seldom", first_after=0)
    late = Every(seconds=LATE, work=lambda: done.put("late"), name="late")
    with Background("test", late, often, seldom):
        seen = [done.get(timeout=10) for _ in range(6)]
    assert sorted(seen) == ["often"] * 5 + ["seldom"]


def test_once() -> None:
    done: Queue[str] = Queue()
    once = Every(seconds=math.inf, work=lambda: done.put("once"), name="once", first_after=0)
    often = Every(seconds=SOON, work=lambda: done.put("often"), name="often")
    with Background("test", once, often):
        seen = [done.get(timeout=10) for _ in range(4)]
    assert seen.count("once") == 1


def test_once_alone_waits_for_the_end() -> None:
    done: Queue[str] = Queue()
    once = Every(seconds=math.inf, work=lambda: done.put("once"), name="once", first_after=0)
    with Background("alone", once):
        assert done.get(timeout=10) == "once"
        assert "alone" in {thread.name for thread in threading.enumerate()}
    assert "alone" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OperationalError("SELECT 1", None, Exception()), ("work_failed", "OperationalError")),
        (sa.exc.TimeoutError(), ("work_failed", "TimeoutError")),
        (ZeroDivisionError(), ("work_failed", "ZeroDivisionError")),
    ],
)
def test_a_failure_is_logged_and_the_next_turn_comes(
    told: Queue[tuple[str, str]], error: Exception, line: tuple[str, str]
) -> None:
    failures, turns = iter([error]), Queue[bool]()

    def work() -> None:
        for failure in failures:
            raise failure
        turns.put(True)

    with Background("test", Every(seconds=SOON, work=work, name="work")):
        assert turns.get(timeout=10)
    assert told.get_nowait() == line
    assert told.empty()


def test_ends_at_once_and_after_the_work_at_hand() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(10)
        ended.set()

    background = Background("test", Every(seconds=LATE, work=work, name="work", first_after=0))
    with background:
        assert begun.wait(10)
        threading.Timer(0.05, go_on.set).start()
    assert ended.is_set()


def test_can_be_opened_again() -> None:
    done: Queue[str] = Queue()
    background = Background(
        "test", Every(seconds=LATE, work=lambda: done.put("done"), name="work", first_after=0)
    )
    for _ in range(2):
        with background:
            assert done.get(timeout=10) == "done"
    with pytest.raises(Empty):
        done.get_nowait()


def test_without_work_there_is_no_thread() -> None:
    before = threading.active_count()
    with Background("idle"):
        assert threading.active_count() == before


def test_a_promise_is_broken_while_its_work_fails(told: Queue[tuple[str, str]]) -> None:
    may, done = threading.Event(), threading.Event()

    def work() -> None:
        if not may.is_set():
            raise ZeroDivisionError
        done.set()

    def opened(*, promised: bool) -> Background:
        once = Every(seconds=math.inf, work=work, name="jobs", first_after=0, promised=promised)
        return Background("test", once)

    with opened(promised=True) as promise, opened(promised=False) as other:
        for _ in range(2):
            assert told.get(timeout=10) == ("jobs_failed", "ZeroDivisionError")
        until(lambda: promise.broken() == ["jobs"])
        assert other.broken() == []
        # It is tried again, a second later.
        may.set()
        assert done.wait(10)
        until(lambda: promise.broken() == [])


def test_work_that_comes_again_may_fail_now_and_then(told: Queue[tuple[str, str]]) -> None:
    turns, seen = iter([True, True, False] * 4), Queue[list[str]]()

    def work() -> None:
        seen.put(background.broken())
        if next(turns, False):
            raise ZeroDivisionError

    background = Background("test", Every(seconds=SOON, work=work, name="work", promised=True))
    with background:
        assert [seen.get(timeout=10) for _ in range(12)] == [[]] * 12
    turns = iter([True] * 3)
    with background:
        found = [seen.get(timeout=10) for _ in range(4)]
    assert found == [[], [], [], ["work"]]


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(SOON)
