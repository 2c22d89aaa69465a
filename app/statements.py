"""Statements keep few texts, however many values they are about.

Each text is compiled, cached and prepared: once an engine by SQLAlchemy, once a connection by the
drivers. A text for every number of values fills those caches with what is never asked again.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy.engine import Engine
from sqlalchemy.sql.compiler import SQLCompiler

T = TypeVar("T")
# From here on lists grow by this much: doubled once more they would pass what SQLite can bind.
_STEP = 1_024


def few_texts(engine: Engine) -> None:
    """Lists of values (`IN`) that this engine sends have one of a few lengths."""
    dialect = engine.dialect
    compiler = type("PaddedCompiler", (_PaddedLists, dialect.statement_compiler), {})
    dialect.statement_compiler = compiler


class _PaddedLists(SQLCompiler):
    """SQLAlchemy has no public hook between a list and the text it makes of it."""

    def _literal_execute_expanding_parameter(
        self, name: str, parameter: Any, values: Sequence[Any], **options: Any
    ) -> Any:
        return super()._literal_execute_expanding_parameter(  # type: ignore[no-untyped-call]  # it is private
            name, parameter, padded(values), **options
        )


def padded(values: Sequence[T]) -> Sequence[T]:
    """The values with the last one repeated, up to the next length: 1, 2, 4, 8, ... 1,024, 2,048,
    3,072, ... Twice in a list is in it all the same."""
    more = _length(len(values)) - len(values)
    return [*values, *[values[-1]] * more] if more else values


def _length(number: int) -> int:
    if number <= _STEP:
        return 1 << (number - 1).bit_length() if number else 0
    return -(-number // _STEP) * _STEP
