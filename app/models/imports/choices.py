"""What somebody chooses once for a whole list."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field as Constraint
from pydantic import StrictInt, StringConstraints

from app.models.base import Input, Output, line

FieldName = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z][a-z_]*$")]
Code = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z][a-z_]*$")]
# By what a cell says: the id of a unit, a code of a list; null = no longer anything.
Meanings = Annotated[
    dict[Annotated[str, *line(200)], StrictInt | Code | None], Constraint(max_length=500)
]


class DayOrder(StrEnum):
    """How days are written in figures: 17/05/1968, or 05/17/1968."""

    day_first = "day_first"
    month_first = "month_first"


class LeaveOut(Input):
    """Wrong cells that rows are written without: those of these fields, and those with these codes.

    Fields that a row needs, or is known by, are never left out.
    """

    fields: Annotated[list[FieldName], Constraint(max_length=60)] = []
    codes: Annotated[list[Code], Constraint(max_length=50)] = []


class ImportLeftOut(Output):
    fields: list[str]
    codes: list[str]


class ImportMeaning(Output):
    """A cell of this field that says `written` is read as `meant`: the id of a unit, or a code."""

    field: str
    written: str
    meant: int | str
