"""What is known of each operation beside its code: its Vietnamese name, and what tests have seen.

`app/data/operations` is written by hand. `app/data/recorded` is written by `make recorded` from the
answers in a run of the tests: the problems that an operation really answers, an example of its
request and answer, and whether a member's or a branch head's account succeeded with it.
"""

from collections.abc import Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, TypedDict

from app.api.http.routing import Route
from app.data_files import DATA, load

SUMMARIES = DATA / "operations"
RECORDED = DATA / "recorded"


class Recorded(TypedDict, total=False):
    conflicts: list[str]
    by_phone: bool
    request: Any
    answer: Any


def capability_of(route: Route) -> str:
    """The word of the folders the endpoint lives in."""
    return str(route.endpoint.__module__.split(".")[-2])


def vietnamese(route: Route) -> str | None:
    """What the operation does, for people; None for one of a capability without texts."""
    return _read(SUMMARIES / f"{capability_of(route)}.yaml").get(route.operation_id)


def recorded(route: Route) -> Recorded:
    found: Recorded = _read(RECORDED / f"{capability_of(route)}.json").get(route.operation_id, {})
    return found


@cache
def conflicts_by_operation() -> dict[str, list[str]]:
    """The codes of 409 that each operation was seen to answer."""
    files = map(_read, RECORDED.glob("*.json"))
    return {name: known["conflicts"] for file in files for name, known in file.items()}


@cache
def conflicts_seen() -> frozenset[str]:
    """Those that any operation was seen to answer."""
    return frozenset(chain.from_iterable(conflicts_by_operation().values()))


@cache
def _read(path: Path) -> Mapping[str, Any]:
    return load(path) or {} if path.exists() else {}
