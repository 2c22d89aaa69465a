"""What happens to the rows of a table when the unit they name closes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlmodel import Session, SQLModel

from app.clock import local_day
from app.models.base import table_of
from app.services.kernel.tracking import Row

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


@dataclass(frozen=True, slots=True)
class OfDay:
    """The rows stand where their member or household stood on a day, the latest in these columns, and stay
    there. Where a reorganisation says later that it stood elsewhere then, they follow
    (services/members/facts_of_days.py)."""

    days: tuple[str, ...]
    # Writes rows, each as it was and with its new place; None: by their id, as an update in the log.
    write: Callable[[Session, Sequence[tuple[Row, Row]]], None] | None = None

    def day_of(self, row: Row) -> date:
        return max(_day(row[name]) for name in self.days)


def _day(value: date | datetime) -> date:
    return local_day(value) if isinstance(value, datetime) else value


UnitEnd = AtEnd | Stays | OfDay


def unit_columns(model: type[SQLModel]) -> list[str]:
    """The columns of a table that name the unit a row stands in."""
    return [
        column.name
        for column in table_of(model).columns
        if column.name in _PLACES
        or any(key.target_fullname == "unit.id" for key in column.foreign_keys)
    ]
