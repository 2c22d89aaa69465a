"""The threads in which endpoints run: as few as do, and nothing of a request stays in them."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from weakref import ref

import pytest

from app.api.http.threads import Threads

_asked: ContextVar[str] = ContextVar("asked")


class _Refused(Exception):
    pass


def _name() -> str:
    return threading.current_thread().name


def test_work_has_the_context_of_who_awaits_it() -> None:
    async def run() -> str:
        _asked.set("hers")
        return await Threads(1, "few").run(_asked.get)

    assert asyncio.run(run()) == "hers"


def test_what_the_work_raises_is_raised_where_it_is_awaited() -> None:
    threads = Threads(1, "few")

    def refused() -> None:
        raise _Refused

    async def run() -> str:
        with pytest.raises(_Refused):
            await threads.run(refused)
        return await threads.run(_name)

    assert asyncio.run(run()) == "few_0"


def test_a_thread_is_started_when_all_others_have_work() -> None:
    threads = Threads(3, "few")

    async def one_by_one() -> set[str]:
        return {await threads.run(_name) for _ in range(5)}

    assert asyncio.run(one_by_one()) == {"few_0"}
    # Each waits until there are three: no fewer threads can do it.
    together = threading.Barrier(3, timeout=20)

    def met() -> str:
        together.wait()
        return _name()

    async def at_once(number: int) -> set[str]:
        return set(await asyncio.gather(*(threads.run(met) for _ in range(number))))

    assert asyncio.run(at_once(3)) == {"few_0", "few_1", "few_2"}
    # No more than three, however many wait.
    assert asyncio.run(at_once(12)) == {"few_0", "few_1", "few_2"}


def test_what_nobody_awaits_any_longer_is_not_begun() -> None:
    threads = Threads(1, "few")
    begun, may_end = threading.Event(), threading.Event()
    done: list[str] = []

    def first() -> None:
        begun.set()
        may_end.wait(20)
        done.append("first")

    async def run() -> None:
        working = asyncio.create_task(threads.run(first))
        waiting = asyncio.create_task(threads.run(lambda: done.append("second")))
        await asyncio.to_thread(begun.wait, 20)
        waiting.cancel()
        working.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)
        may_end.set()
        await threads.run(lambda: done.append("third"))

    asyncio.run(run())
    assert done == ["first", "third"]


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_of_a_request_stays(*, fails: bool) -> None:
    threads = Threads(1, "few")

    class Held:
        def work(self) -> None:
            if fails:
                raise _Refused

    def work_of(held: Held) -> Callable[[], None]:
        return held.work

    async def run() -> "ref[Held]":
        held = Held()
        with suppress(_Refused):
            await threads.run(work_of(held))
        return ref(held)

    async def then() -> bool:
        held = await run()
        # The thread waits again once it has done the next.
        await threads.run(_name)
        await threads.run(_name)
        return held() is None

    assert asyncio.run(then())


def test_work_that_was_begun_is_done_before_the_process_ends() -> None:
    program = """
import asyncio, time
from app.api.http.threads import Threads

def slow():
    time.sleep(0.3)
    print("done", flush=True)

async def run():
    task = asyncio.ensure_future(Threads(1, "few").run(slow))
    await asyncio.sleep(0.1)
    task.cancel()

asyncio.run(run())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert (ended.stdout, ended.stderr) == ("done\n", "")
