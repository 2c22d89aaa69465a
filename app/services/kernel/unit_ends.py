"""What happens to the rows of a table when the unit they name closes."""

from dataclasses import dataclass
from enum import StrEnum

from sqlmodel import SQLModel

from app.models.base import table_of

# A row that names the province alone hangs on another row, which says where it stands.
_PLACES = ("unit_id", "branch_id")


class AtEnd(StrEnum):
    """What a follower of units does about the rows (`OfUnits` in services/units/followers.py)."""

    # A row prevents the closing, or the day of it.
    refuses = "refuses"
    # The rows end with the unit.
    ends = "ends"


@dataclass(frozen=True, slots=True)
class Stays:
    """The rows go on naming the unit that has closed, because of this."""

    because: str


UnitEnd = AtEnd | Stays


def unit_columns(model: type[SQLModel]) -> list[str]:
    """The columns of a table that name the unit a row stands in."""
    return [
        column.name
        for column in table_of(model).columns
        if column.name in _PLACES
        or any(key.target_fullname == "unit.id" for key in column.foreign_keys)
    ]
