"""The fields of a person, as forms, files and other systems may write them."""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Self
from urllib.parse import unquote

from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from app.clock import local_today
from app.models.base import FIRST_YEAR, Day, Input, line
from app.person_names import name_problem, read_name
from app.problem_texts import FieldCode
from app.text import normalise_phone, number_text


def _person_name(value: str) -> str:
    name = read_name(value).text
    if problem := name_problem(name):
        raise ValueError(problem)
    return name


def _phone(value: str) -> str:
    phone = normalise_phone(value)
    if phone is None:
        raise ValueError("phone_invalid")
    return phone


def _citizen_id(value: str) -> str:
    """12 digits, and nothing else is sure: it has no check digit (domain facts, 4.1)."""
    digits = number_text(value)
    if not re.fullmatch(r"[0-9]{12}", digits):
        raise ValueError("citizen_id_invalid")
    return digits


def _id_card(value: str) -> str:
    digits = number_text(value)
    if not re.fullmatch(r"[0-9]{9}", digits):
        raise ValueError("id_card_invalid")
    return digits


PARTIAL_DATE = r"^\d{4}(-\d{2}(-\d{2})?)?$"


def earliest(partial: str) -> date:
    """The first day that a partial ISO date may mean."""
    return date.fromisoformat((partial + "-01-01")[:10])


def less_exact(day: str, other: str) -> bool:
    """Whether both may mean one day, and the other says more of it: 1968 beside 1968-05."""
    return len(day) < len(other) and other.startswith(day)


def _not_outside(too_early: FieldCode, in_future: FieldCode) -> Callable[[str], str]:
    """Partial ISO date, from 1900 until today: of days long ago many people know only the year."""

    def validator(value: str) -> str:
        if not re.fullmatch(PARTIAL_DATE, value, re.ASCII):
            raise ValueError("date_invalid")
        try:
            first = earliest(value)
        except ValueError as error:
            raise ValueError("date_invalid") from error
        if first.year < FIRST_YEAR:
            raise ValueError(too_early)
        if first > local_today():
            raise ValueError(in_future)
        return value

    return validator


def _photo(value: str) -> str:
    """No way up out of its folder and nothing unprintable, escaped (%2e%2e, %00) or not."""
    read = unquote(value)
    if ".." in re.split(r"[/\\?#]", read) or not read.isprintable():
        raise ValueError("wrong_format")
    return value


def _past_day(value: date) -> date:
    if value > local_today():
        raise ValueError("date_in_future")
    return value


PersonName = Annotated[str, Field(max_length=300), AfterValidator(_person_name)]


def _given_name(value: str) -> str:
    """As a name, but one letter may be a given name (Ý)."""
    name = read_name(value).text
    problem = name_problem(name)
    if problem and problem != "name_too_short":
        raise ValueError(problem)
    return name


GivenName = Annotated[
    str,
    Field(
        max_length=300,
        description="Only where it is not the last word of `full_name`: H'Hen of H'Hen Niê. One of "
        "its words, or several in a row. Order and search follow it.",
        examples=["H'Hen"],
    ),
    AfterValidator(_given_name),
]


class NameInput(Input):
    """A request with a `full_name`; it keeps what was typed, to say what was changed in it."""

    _typed_name: str | None = PrivateAttr(default=None)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_typed(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        made = handler(data)
        if isinstance(data, dict):
            made.was_typed(data.get("full_name"))
        return made

    def was_typed(self, name: str | None) -> None:
        self._typed_name = name

    @property
    def typed_name(self) -> str | None:
        """The name as it was sent; None where none was."""
        return self._typed_name


Phone = Annotated[str, Field(max_length=40), AfterValidator(_phone)]


_WRITTEN = WithJsonSchema(
    {
        "type": "string",
        "pattern": PARTIAL_DATE,
        "examples": ["1968", "1968-05", "1968-05-17"],
        "description": "Partial ISO date: year, year and month, or the whole date.",
    }
)
# A date of birth.
PartialDate = Annotated[
    str, AfterValidator(_not_outside("birth_too_early", "birth_in_future")), _WRITTEN
]
# Another day until today, of which only the year or the month may be known.
PartialPastDay = Annotated[
    str, AfterValidator(_not_outside("date_too_early", "date_in_future")), _WRITTEN
]
# As answers have either.
PartialDateRead = Annotated[str, WithJsonSchema({"type": "string", "pattern": PARTIAL_DATE})]


PastDay = Annotated[Day, AfterValidator(_past_day)]


CitizenId = Annotated[
    str,
    StringConstraints(max_length=20),
    AfterValidator(_citizen_id),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 20,
            "examples": ["025168001234"],
            "description": "12 digits, as text: the first may be 0.",
        }
    ),
]


IdCard = Annotated[
    str,
    StringConstraints(max_length=20),
    AfterValidator(_id_card),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 20,
            "examples": ["132012345"],
            "description": "The old identity card (CMND): 9 digits, as text.",
        }
    ),
]


# A picture sent here (`files/` and its id), a key of another store or an https address of the characters
# of RFC 3986; never the scan of an identity card (domain, 5.1).
Photo = Annotated[
    str,
    StringConstraints(
        max_length=500,
        pattern=r"^(https://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+|[A-Za-z0-9][A-Za-z0-9._/-]*)$",
    ),
    AfterValidator(_photo),
]


Place = Annotated[str, *line(300)]


Occupation = Annotated[str, *line(120)]
