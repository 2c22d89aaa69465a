"""The rules on people's data as they are written in `app/data/privacy`: read once, dated, versioned."""

from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from dateutil.relativedelta import relativedelta

from app.data_files import DATA, load
from app.db import settings_of
from app.errors import Place, invalid
from app.models.privacy.rules import (
    Deadlines,
    Holidays,
    PrivacyRules,
    Purpose,
    PurposeList,
    RequestKind,
)
from app.problem_texts import Language
from app.services.kernel import working_days
from app.services.kernel.access import Db
from app.services.kernel.manifest import manifest

_FOLDER = DATA / "privacy"
_DAY = timedelta(days=1)


class DueDays(NamedTuple):
    """`answer_on`: the last day to say that it was received; `on`: the last day to do it."""

    version: str
    answer_on: date
    on: date


class PrivacyRuleBook:
    """The rules that hold on a server."""

    def __init__(self, folder: Path | None) -> None:
        deadlines = _read("deadlines", folder)
        self._working_days = working_days.calendar(folder)
        holidays = self._working_days.published
        self.purposes = PurposeList.model_validate(_read("purposes", folder))
        self.published = PrivacyRules(
            deadlines_source=deadlines["source"],
            deadlines=sorted(map(_deadlines, deadlines["versions"]), key=lambda each: each.from_),
            holidays_source=holidays["source"],
            holidays=[Holidays.model_validate(year) for year in holidays["years"]],
        )
        self._by_code = {purpose.code: purpose for purpose in self.purposes.items}

    def find_purpose(self, code: str, pointer: str, *, place: Place = "body") -> Purpose:
        """A purpose named in a request; 422 when there is none of this code."""
        found = self._by_code.get(code)
        if found is None:
            raise invalid("purpose_unknown", pointer, place=place)
        return found

    def ensure_asked_for(self, code: str, pointer: str, *, place: Place = "body") -> Purpose:
        """A purpose that needs consent: members are not asked about others."""
        found = self.find_purpose(code, pointer, place=place)
        if not found.consent:
            raise invalid("consent_not_needed", pointer, place=place)
        return found

    def deadlines_on(self, day: date) -> Deadlines:
        """The version in force; before the first one that one, which is all there is."""
        versions = [each for each in self.published.deadlines if each.from_ <= day]
        return versions[-1] if versions else self.published.deadlines[0]

    def deadlines_of(self, version: str) -> Deadlines:
        return next(each for each in self.published.deadlines if each.version == version)

    def due(self, kind: RequestKind, received_on: date, *, with_processors: bool) -> DueDays:
        """The deadlines of a request that came in on a day, which itself does not count."""
        rules = self.deadlines_on(received_on)
        days = rules.days_with_processors if with_processors else rules.days
        return DueDays(
            version=rules.version,
            answer_on=self._working_days.last_of(received_on + _DAY, rules.answer_working_days),
            on=received_on + timedelta(days=days[kind]),
        )

    def needs_representative(self, birth_date: str, on: date) -> bool:
        """A member who is a minor on that day, or may be for all that is recorded."""
        born = _latest(birth_date)
        age = self.deadlines_on(on).representative_below_age
        return (on.year - age, on.month, on.day) < (born.year, born.month, born.day)


@lru_cache(maxsize=8)
def rule_book(folder: Path | None = None) -> PrivacyRuleBook:
    """Our rules, with the files of a folder instead of ours where it has them."""
    return PrivacyRuleBook(folder)


def of(db: Db) -> PrivacyRuleBook:
    """The rules of the server whose database this is."""
    return rule_book(settings_of(db).privacy_rules_dir)


def _read(name: str, folder: Path | None) -> Any:
    own = folder and folder / f"{name}.yaml"
    return load(own if own and own.exists() else _FOLDER / f"{name}.yaml")


def _deadlines(version: dict[str, Any]) -> Deadlines:
    return Deadlines.model_validate({"from_": version["from"], **version})


def _latest(birth_date: str) -> date:
    """The last day that a partial date may mean."""
    year, *rest = map(int, birth_date.split("-"))
    if not rest:
        return date(year, 12, 31)
    if len(rest) == 1:
        return date(year, rest[0], 1) + relativedelta(day=31)
    return date(year, *rest)


def label(column: str, language: Language) -> str:
    """What a column is called in a person's copy of her data."""
    found = manifest().labels.get(column)
    return found[language == "en"] if found else column
