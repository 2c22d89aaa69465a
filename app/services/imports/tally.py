"""What is wrong with the rows of a list, counted by column and error while they are compared.

The contents of rows are sealed: to count them for each answer, all of them would be opened.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from app.models.imports.imports import WRITES, RowOutcome
from app.services.kernel.list_kinds import Json


class What(StrEnum):
    """`error`: rows with this error. `column`: rows with an error in a column that may be left out.
    `every`: rows in error that would have none once all proposals were taken and all such columns
    left out. `left_out`: cells that rows are written without.
    """

    error = "error"
    column = "column"
    every = "every"
    left_out = "left_out"


class Weighed(NamedTuple):
    """What is counted. `proposed`: the error has a value to be taken instead."""

    what: What
    field: str = ""
    code: str = ""
    proposed: bool = False


Tally = Counter[Weighed]


def of_row(outcome: RowOutcome, problems: Sequence[Json], optional: frozenset[str]) -> Tally:
    """What one row counts as. `optional` are the fields that a row may do without."""
    if outcome is RowOutcome.error:
        wrong = [each for each in problems if each["level"] == "error"]
        return Tally(set(_of_errors(wrong, optional)))
    if outcome in WRITES:
        left_out = (each for each in problems if each.get("left_out"))
        return Tally({Weighed(What.left_out, each["field"], each["code"]) for each in left_out})
    return Tally()


def _of_errors(wrong: Sequence[Json], optional: frozenset[str]) -> Iterator[Weighed]:
    for each in wrong:
        yield Weighed(What.error, each["field"], each["code"], each["proposal"] is not None)
        if each["field"] in optional:
            yield Weighed(What.column, each["field"])
    if all(each["proposal"] is not None or each["field"] in optional for each in wrong):
        yield Weighed(What.every)


def kept(tally: Tally) -> list[list[Any]]:
    """As JSON, for `read`."""
    return [[*line, count] for line, count in sorted(tally.items()) if count]


def read(content: Iterable[Sequence[Any]]) -> Tally:
    """Counts as they are kept."""
    return Tally({Weighed(What(what), *rest): count for what, *rest, count in content})
