"""A household of the demo and its people."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from app.models.households.households import PovertyClass

Values = dict[str, Any]


OPENED: Final = date(2022, 1, 1)


REVIEWS: Final = (date(2023, 12, 8), date(2024, 12, 9), date(2025, 12, 10))


STANDARD: Final = "vn-2022"


DAY = timedelta(days=1)


BELOW = (PovertyClass.poor, PovertyClass.near_poor)


@dataclass(slots=True)
class Homes:
    """Rows by table, in the order in which they have to be written."""

    households: list[Values] = field(default_factory=list)
    places: list[Values] = field(default_factory=list)
    people: list[Values] = field(default_factory=list)
    events: list[Values] = field(default_factory=list)
    assessments: list[Values] = field(default_factory=list)
    statuses: list[Values] = field(default_factory=list)
    support: list[Values] = field(default_factory=list)
    paths: list[Values] = field(default_factory=list)
    steps: list[Values] = field(default_factory=list)
    checks: list[Values] = field(default_factory=list)
