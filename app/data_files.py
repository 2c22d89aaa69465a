"""Law and code lists as data: the files of app/data, and which of their dated versions holds on a day."""

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, Protocol, TypeVar

import yaml

DATA = Path(__file__).parent / "data"


class Dated(Protocol):
    """Holds from a day to a day, both inclusive; without a last day until further notice."""

    @property
    def valid_from(self) -> date: ...

    @property
    def valid_to(self) -> date | None: ...


D = TypeVar("D", bound=Dated)


def load(path: Path) -> Any:
    """The contents of a file, still to be checked by its schema.

    The C loader is ten times faster.
    """
    if path.suffix == ".json":
        return json.loads(path.read_bytes())
    return yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)  # a safe loader


def holds_on(dated: Dated, day: date) -> bool:
    return dated.valid_from <= day and (dated.valid_to is None or day <= dated.valid_to)


def all_on(versions: Iterable[D], day: date) -> list[D]:
    """Those that hold on a day, in their order."""
    return [each for each in versions if holds_on(each, day)]
