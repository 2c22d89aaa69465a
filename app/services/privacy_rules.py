"""The rules on people's data as they are written in `app/data/privacy`: read once, dated, versioned."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from app.errors import Language, Place, invalid
from app.models.privacy_rules import (
    Deadlines,
    Holidays,
    PrivacyRules,
    Purpose,
    PurposeList,
    RequestKind,
)

_DATA = Path(__file__).parent.parent / "data" / "privacy"
_DAY = timedelta(days=1)
_SATURDAY = 5


def read(name: str) -> Any:
    """One file of the rules."""
    return yaml.safe_load((_DATA / f"{name}.yaml").read_text(encoding="utf-8"))


def _deadlines(version: dict[str, Any]) -> Deadlines:
    return Deadlines.model_validate({"from_": version["from"], **version})


_HOLIDAYS = read("holidays")
_DEADLINES = read("deadlines")
PURPOSES = PurposeList.model_validate(read("purposes"))
RULES = PrivacyRules(
    deadlines_source=_DEADLINES["source"],
    deadlines=sorted(map(_deadlines, _DEADLINES["versions"]), key=lambda each: each.from_),
    holidays_source=_HOLIDAYS["source"],
    holidays=[Holidays.model_validate(year) for year in _HOLIDAYS["years"]],
)
_BY_CODE = {purpose.code: purpose for purpose in PURPOSES.items}
_LABELS: dict[str, list[str]] = read("labels")
_FREE_DAYS = {day for year in RULES.holidays for day in year.days}


def find_purpose(code: str, pointer: str, *, place: Place = "body") -> Purpose:
    """A purpose named in a request; 422 when there is none of this code."""
    found = _BY_CODE.get(code)
    if found is None:
        raise invalid("purpose_unknown", pointer, place=place)
    return found


def ensure_asked_for(code: str, pointer: str, *, place: Place = "body") -> Purpose:
    """A purpose that needs consent: of any other nobody is asked."""
    found = find_purpose(code, pointer, place=place)
    if not found.consent:
        raise invalid("consent_not_needed", pointer, place=place)
    return found


def deadlines_on(day: date) -> Deadlines:
    """The version in force; before the first one that one, which is all there is."""
    versions = [each for each in RULES.deadlines if each.from_ <= day]
    return versions[-1] if versions else RULES.deadlines[0]


def deadlines_of(version: str) -> Deadlines:
    return next(each for each in RULES.deadlines if each.version == version)


def label(column: str, language: Language) -> str:
    """What a column is called in a person's copy of her data."""
    found = _LABELS.get(column)
    return found[language == "en"] if found else column


class Due(NamedTuple):
    """`answer_on`: the last day to say that it was received; `on`: the last day to do it."""

    version: str
    answer_on: date
    on: date


def due(kind: RequestKind, received_on: date, *, with_processors: bool) -> Due:
    """The deadlines of a request that came in on a day, which itself does not count."""
    rules = deadlines_on(received_on)
    days = rules.days_with_processors if with_processors else rules.days
    return Due(
        version=rules.version,
        answer_on=working_days_after(received_on, rules.answer_working_days),
        on=received_on + timedelta(days=days[kind]),
    )


def working_days_after(day: date, number: int) -> date:
    """The last of so many working days after a day: Monday to Friday, no public holiday."""
    for _ in range(number):
        day += _DAY
        while day.weekday() >= _SATURDAY or day in _FREE_DAYS:
            day += _DAY
    return day


def needs_representative(birth_date: str, on: date) -> bool:
    """She is, or for all that is recorded may be, a minor on that day."""
    born = _latest(birth_date)
    age = deadlines_on(on).representative_below_age
    return (on.year - age, on.month, on.day) < (born.year, born.month, born.day)


def _latest(birth_date: str) -> date:
    """The last day that a partial date may mean."""
    year, *rest = map(int, birth_date.split("-"))
    if not rest:
        return date(year, 12, 31)
    if len(rest) == 1:
        return (date(year, rest[0], 1) + 31 * _DAY).replace(day=1) - _DAY
    return date(year, *rest)
