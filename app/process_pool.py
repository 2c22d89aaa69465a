"""Processes that do a part of the work of another one."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread


def process_pool(
    processes: int, begin: Callable[..., None] | None = None, *args: object
) -> ProcessPoolExecutor:
    """Processes that end with this one, however it ends; each calls `begin` before its first work."""
    return ProcessPoolExecutor(
        processes,
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(begin, args),
    )


def _begin(begin: Callable[..., None] | None, args: tuple[object, ...]) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    if begin is not None:
        begin(*args)


def _end_with_parent() -> None:
    """Who was killed says nothing, and a process of the pool holds the writing end of its own queue:
    it would wait for work for ever. What it was writing is rolled back."""
    parent = parent_process()
    assert parent is not None  # noqa: S101  # a pool has started this process
    parent.join()
    os._exit(1)
