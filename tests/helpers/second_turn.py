"""Which tests are done again on PostgreSQL: so many that together they ask it everything.

`make test` names a folder in HOISO_TEST_NOTES. On SQLite each process notes there what each test
asked of the database (statements, the rows they would lock on PostgreSQL, the types of their
parameters, whether they changed no row, one or several, errors) and what the operations of the API
answered. On PostgreSQL a test runs if nothing was noted of it, if it starts processes or races, or
if it asks what no other one does. Without notes all tests run.
"""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import pytest
import sqlalchemy as sa
from httpx2 import Response
from sqlalchemy.dialects.postgresql.base import PGCompiler
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler

from app.api.http.routing import Route

FOLDER = os.environ.get("HOISO_TEST_NOTES")
# `?, ?, ?` and `?` are one statement with more values or fewer.
_VALUES = re.compile(r"\?(?:, \?)*")


class Noted(NamedTuple):
    """What one test asked; `cost` is how many statements it sent."""

    asked: frozenset[int]
    cost: int
    alone: bool  # it starts processes, which note nothing


@dataclass
class _Now:
    """Of the test that runs."""

    asked: set[tuple[Any, ...]] = field(default_factory=set)
    cost: int = 0
    alone: bool = False


_now = _Now()


class Notes:
    """A plugin of pytest, on SQLite's turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tests: dict[str, _Now] = {}
        sa.event.listen(sa.Engine, "after_cursor_execute", _sent)
        sa.event.listen(sa.Engine, "handle_error", _refused)
        sys.addaudithook(_audited)
        pytest.MonkeyPatch().setattr(SQLiteCompiler, "for_update_clause", locks_as_comment)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        global _now  # noqa: PLW0603  # one test runs at a time in a process
        _now = _Now()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        yield  # who fails or is skipped raises here: nothing is noted
        self.tests[item.nodeid] = _now

    def pytest_sessionfinish(self) -> None:
        noted = {
            test: Noted(frozenset(map(_print, now.asked)), now.cost, now.alone)
            for test, now in self.tests.items()
        }
        write(self.folder / f"{os.getpid()}.json", noted)


def answered(route: Route, answer: Response) -> None:
    """An operation gave this answer in the test that runs."""
    problem = answer.headers.get("content-type") == "application/problem+json"
    code = answer.json()["code"] if problem else None
    _now.asked.add((route.operation_id, answer.status_code, code))


def _sent(_: Any, cursor: Any, statement: str, parameters: Any, context: Any, _many: bool) -> None:
    # Before they are made ready for SQLite, which takes days and ids as text.
    given = context.compiled_parameters if context.compiled else parameters
    _now.cost += 1
    _now.asked.add((statement, types_of(given), min(cursor.rowcount, 2)))


def locks_as_comment(compiler: Any, select: Any, **given: Any) -> str:
    """SQLite has no locks of rows, so that with one and without it would be the same statement."""
    clause: Callable[..., str] = PGCompiler.for_update_clause
    return f" /*{clause(compiler, select, **given)} */"


def _refused(context: sa.engine.ExceptionContext) -> None:
    _now.asked.add((context.statement, type(context.original_exception).__name__))


def _audited(event: str, _: Any) -> None:
    if event == "subprocess.Popen":
        _now.alone = True


def types_of(parameters: Any) -> tuple[type, ...]:
    """Of the first row's values, each once where it follows itself."""
    if isinstance(parameters, list):
        parameters = parameters[0] if parameters else ()
    values = parameters.values() if isinstance(parameters, Mapping) else parameters
    types: list[type] = []
    for value in values:
        if not types or types[-1] is not type(value):
            types.append(type(value))
    return tuple(types)


def _print(asked: tuple[Any, ...]) -> int:
    statement, *rest = asked
    return crc32(f"{_VALUES.sub('?', str(statement))} {rest}".encode())


def write(path: Path, noted: Mapping[str, Noted]) -> None:
    rows = {test: (sorted(of.asked), of.cost, of.alone) for test, of in noted.items()}
    path.write_text(json.dumps(rows))


def read(folder: Path) -> dict[str, Noted]:
    """What all processes of SQLite's turn noted."""
    return {
        test: Noted(frozenset(asked), cost, alone)
        for file in folder.glob("*.json")
        for test, (asked, cost, alone) in json.loads(file.read_text()).items()
    }


def of(items: list[pytest.Item]) -> list[pytest.Item]:
    """Those of `items` that are done again."""
    if not FOLDER:
        return items
    noted = read(Path(FOLDER))
    kept = needed([item.nodeid for item in items], noted)
    return [item for item in items if item.nodeid in kept or item.get_closest_marker("race")]


def needed(tests: Collection[str], noted: Mapping[str, Noted]) -> set[str]:
    """Of `tests` those that ask, together, all that all of them ask; of one cost the first by name.

    The costliest that others cover is left out first.
    """
    kept = {test for test in tests if test not in noted or noted[test].alone}
    others = sorted(set(tests) - kept, key=lambda test: (-noted[test].cost, test))
    times = Counter(_all(noted[test] for test in tests if test in noted))
    for test in others:
        asked = noted[test].asked
        if all(times[each] > 1 for each in asked):
            times.subtract(asked)
        else:
            kept.add(test)
    return kept


def _all(notes: Iterable[Noted]) -> Iterator[int]:
    for noted in notes:
        yield from noted.asked
