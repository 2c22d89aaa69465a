"""Values of parameters and constants that depend on the clock: read when the test runs."""

from functools import partial
from typing import Any

import pytest


class WhenRun(partial[Any]):
    """`WhenRun(ago, -1)` among the parameters of a test is `ago(-1)` when it begins."""


def resolved(value: Any) -> Any:
    """A value with what is in it."""
    match value:
        case WhenRun():
            return value()
        case dict():
            return {name: resolved(each) for name, each in value.items()}
        case list():
            return [resolved(each) for each in value]
        case _:
            return value


def resolve_parameters(item: pytest.Item) -> None:
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        parameters: dict[str, Any] = item.callspec.params
        parameters.update(resolved(parameters))
