"""Items of bulk requests: each is read by itself, and what is refused is reported with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast
from uuid import UUID

from pydantic import ValidationError, WrapValidator

from app.json_values import depth, path, walk
from app.models.base import Input, Output
from app.problem_texts import FieldCode

T = TypeVar("T")
# So deep no item is that anybody means.
MOST_DEPTH: Final = 50


class ItemError(Output):
    """One wrong field of an item."""

    pointer: str
    code: str
    detail: str


class ItemProblem(Output):
    """Why an item is refused: `code` is stable, `detail` is for people."""

    code: str
    detail: str
    errors: list[ItemError]


@dataclass(frozen=True, slots=True)
class SentItem(Generic[T]):
    """An item as it was sent, and what it says; `item` null: what is wrong with it, as pydantic says."""

    raw: Any
    item: T | None
    errors: Sequence[Mapping[str, Any]] = ()

    def id_in(self, field: str) -> UUID | None:
        """The id in a field of it as it was sent; None where there is none to be read."""
        value = self.raw.get(field) if isinstance(self.raw, dict) else None
        try:
            return UUID(value) if isinstance(value, str) else None
        except ValueError:
            return None


def _read(value: Any, handler: Any) -> SentItem[Any]:
    errors = [*_flaws(value)]
    if errors:
        return SentItem(value, None, errors)
    try:
        return SentItem(value, handler(value))
    except ValidationError as error:
        return SentItem(value, None, error.errors(include_url=False))


def _flaws(value: Any) -> Iterator[Mapping[str, Any]]:
    """What no text of it may have, and no item of a list needs."""
    for place, found in walk(value):
        if depth(place) > MOST_DEPTH:
            yield _flaw(path(place)[:2], "too_deep")
            return
        if isinstance(found, str) and "\0" in found:
            yield _flaw(path(place), "nul_character")


def _flaw(at: Sequence[str | int], code: FieldCode) -> Mapping[str, Any]:
    return {"type": "value_error", "loc": tuple(at), "ctx": {"error": code}}


# The type of an item that is read by itself: the value of the field is a SentItem.
ALONE: Final = WrapValidator(_read)


class Batch(Input):
    """A body whose `items` are read and answered one by one: what is wrong with one is said in its own
    answer, and the others are none the worse."""

    items: Any

    @property
    def sent(self) -> list[SentItem[Any]]:
        return cast("list[SentItem[Any]]", self.items)
