"""Working days: Monday to Friday, without the public holidays of `app/data/privacy/holidays.yaml`."""

from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.data_files import DATA, load
from app.db import settings_of
from app.services.kernel.access import Db

_FOLDER = DATA / "privacy"
_DAY = timedelta(days=1)
_SATURDAY = 5


class WorkingDays:
    """The calendar of a server; `published` is the file."""

    def __init__(self, published: Any) -> None:
        self.published = published
        self._free_days = {day for year in published["years"] for day in year["days"]}

    def includes(self, day: date) -> bool:
        return day.weekday() < _SATURDAY and day not in self._free_days

    def last_of(self, first: date, number: int) -> date:
        """The last of so many working days from a day on, which counts if it is one."""
        day = first - _DAY
        for _ in range(number):
            day += _DAY
            while not self.includes(day):
                day += _DAY
        return day


@lru_cache(maxsize=8)
def calendar(folder: Path | None = None) -> WorkingDays:
    """Ours, or that of a folder where it has one."""
    own = folder and folder / "holidays.yaml"
    return WorkingDays(load(own if own and own.exists() else _FOLDER / "holidays.yaml"))


def of(db: Db) -> WorkingDays:
    """The calendar of the server whose database this is."""
    return calendar(settings_of(db).privacy_rules_dir)
