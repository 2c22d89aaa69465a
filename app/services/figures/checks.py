"""Checks of figures against each other: their definitions, and what they say of a unit.

Both ends of the period are counted in one tree, that of its last day: a branch that came from another
commune in between is no change of the number of members.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy.engine import Connection

from app.data_files import holds_on
from app.models.figures.checks import CheckResult, FigureCheckQuery
from app.models.figures.definitions import CheckDefinition, FigureDefinition, FigureKind
from app.models.kernel.units import Unit
from app.services.figures import definitions, moments, periods, reading
from app.services.figures.formulas import BadFormula, Comparison, parse_comparison
from app.services.figures.periods import Days
from app.services.figures.reading import FigureValue, PartFigures, PeriodCodes, number
from app.services.figures.wording import FigureWords
from app.services.kernel.access import Actor
from app.services.kernel.keyset import Pages, in_memory
from app.services.kernel.manifest import Manifest, manifest

_BEFORE = "before."
_DAY = timedelta(days=1)
_WORDS = (FigureWords("vi"), FigureWords("en"))
_PLACES = frozenset({"left", "right", "difference"})
_comparison = cache(parse_comparison)


@dataclass(frozen=True, slots=True)
class _Term:
    """A figure in a condition, as this actor gets it."""

    name: str
    told: FigureDefinition
    days: Days
    shown: FigureValue

    def words(self, words: FigureWords) -> str:
        name = words.name(self.told)
        return words.check("before", name=name) if self.name.startswith(_BEFORE) else name

    @property
    def is_exact(self) -> bool:
        return not self.shown.rounded and not self.shown.withheld

    def read(self) -> dict[str, Any]:
        return {
            "indicator": self.told.code,
            "name_vi": self.told.name.vi,
            "name_en": self.told.name.en,
            "first_day": self.days.first,
            "last_day": self.days.last,
            "value": number(self.shown.value),
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """A check of a unit and a period, with the figures it names."""

    told: CheckDefinition
    days: Days
    terms: Sequence[_Term]

    @property
    def comparison(self) -> Comparison:
        return _comparison(self.told.condition)

    def sides(self) -> tuple[Decimal | None, Decimal | None]:
        of = {term.name: term.shown.value for term in self.terms}
        return self.comparison.left.value(of), self.comparison.right.value(of)

    @property
    def result(self) -> CheckResult:
        if not all(term.is_exact for term in self.terms):
            return CheckResult.withheld
        left, right = self.sides()
        if left is None or right is None:
            return CheckResult.unknown
        holds = self.comparison.holds(left, right, self.told.tolerance)
        return CheckResult.holds if holds else CheckResult.fails

    def text(self, words: FigureWords) -> str | None:
        """What does not agree, or why it was not checked."""
        match self.result:
            case CheckResult.holds:
                return None
            case CheckResult.fails:
                return words.text(self.told.fails).format(**self._numbers(words))
            case CheckResult.withheld:
                inexact = [term.words(words) for term in self.terms if not term.is_exact]
                return words.check("withheld", names="; ".join(inexact))
            case CheckResult.unknown:
                return self._unknown(words)

    def _numbers(self, words: FigureWords) -> dict[str, str]:
        left, right = (side or Decimal(0) for side in self.sides())
        difference = abs(left - right)
        found = {"left": left, "right": right, "difference": difference}
        return {name: words.number(value) for name, value in found.items()}

    def _unknown(self, words: FigureWords) -> str:
        missing = [term.words(words) for term in self.terms if term.shown.value is None]
        if missing:
            return words.check("missing", names="; ".join(missing))
        return words.text(self.told.unknown) if self.told.unknown else words.check("unknown")

    def failed(self) -> dict[str, Any]:
        """As it stands on the page of a unit."""
        vi, en = map(self.text, _WORDS)
        return {
            "check": self.told.code,
            "version": self.told.version,
            "severity": self.told.severity,
            "first_day": self.days.first,
            "last_day": self.days.last,
            "text_vi": vi,
            "text_en": en,
        }

    def read(self) -> dict[str, Any]:
        """As a line of the list."""
        hidden = self.result is CheckResult.withheld
        left, right = (None, None) if hidden else self.sides()
        missing = [t.told.code for t in self.terms if t.shown.value is None and not hidden]
        return self.failed() | {
            "name_vi": self.told.name.vi,
            "name_en": self.told.name.en,
            "condition": self.told.condition,
            "tolerance": number(self.told.tolerance),
            "result": self.result,
            "left": number(left),
            "right": number(right),
            "terms": [term.read() for term in self.terms],
            "missing": list(dict.fromkeys(missing)),
        }


# -- of a unit


def list_checks(
    db: Connection, actor: Actor, query: FigureCheckQuery
) -> tuple[Pages, dict[str, Any]]:
    """The checks of a unit and a period, in the order of their files, and what stands beside them."""
    days = periods.read(query.period, query.hierarchy)
    unit = reading.counted_unit(db, actor, query.unit, days.last)
    asked, left_out = by_right(actor, unit, days)
    reading.ensure_tree(db, actor, unit, days, {code for told in asked for code in _codes(told)})
    with moments.one(db) as moment:
        beside = {"watermark": moment.watermark, "left_out": left_out}
        terms = [PeriodCodes(days, names(asked)), before(days, asked)]
        now, eve = reading.together(moment, actor, unit, terms)
    found = checked(unit, now, eve, asked)
    lines = [each.read() for each in found if query.result in (None, each.result)]
    return in_memory(((place,), line) for place, line in enumerate(lines)), beside


def by_right(actor: Actor, unit: Unit, days: Days) -> tuple[list[CheckDefinition], list[str]]:
    """The checks of the last day; and the codes of those of figures that the actor may not see."""
    known = definitions.on(days.last)
    seen: list[CheckDefinition] = []
    left_out: list[str] = []
    for told in _on(days.last):
        if any(reading.lacks(actor, unit, known, code, days.last) for code in _codes(told)):
            left_out.append(told.code)
        else:
            seen.append(told)
    return seen, left_out


def _on(day: date) -> Iterator[CheckDefinition]:
    made = manifest()
    for name in made.figures:
        yield from (each for each in definitions.file_of(made, name).checks if holds_on(each, day))


def _codes(told: CheckDefinition) -> set[str]:
    return {_code(name) for name in _comparison(told.condition).names}


def names(checks: Iterable[CheckDefinition]) -> list[str]:
    """The figures of the period that they name."""
    return [name for name in _names(checks) if not name.startswith(_BEFORE)]


def before(days: Days, checks: Iterable[CheckDefinition]) -> PeriodCodes:
    """The figures that they name of the day before the period."""
    eve = days.first - _DAY
    codes = [_code(name) for name in _names(checks) if name.startswith(_BEFORE)]
    return PeriodCodes(Days(eve, eve, days.tree), codes)


def _names(checks: Iterable[CheckDefinition]) -> list[str]:
    return sorted({name for told in checks for name in _comparison(told.condition).names})


def checked(
    unit: Unit, now: PartFigures, eve: PartFigures, checks: Sequence[CheckDefinition]
) -> list[Checked]:
    """From their figures of the period (`names`), and of the day before it."""
    known = definitions.on(now.days.last)
    terms: dict[str, _Term] = {}
    for name in _names(checks):
        found, code = (eve if name.startswith(_BEFORE) else now), _code(name)
        # A rule that did not hold yet on the day before the period has no number.
        shown = found.shown.get((unit.id, code), FigureValue(None))
        terms[name] = _Term(name, known[code].told, found.days, shown)
    return [Checked(told, now.days, [terms[name] for name in _names([told])]) for told in checks]


def _code(name: str) -> str:
    return name.removeprefix(_BEFORE)


# -- checked at the start


def wrong(made: Manifest) -> Iterator[str]:
    """The checks that do not hold together with the figures, each with its file."""
    files, unread = definitions.files(made)
    if unread:
        return  # those that check the figures say so
    figures = definitions.versions(each for file in files.values() for each in file.figures)
    for name, file in files.items():
        for told in file.checks:
            yield from (f"app/data/figures/{name}.yaml: {text}" for text in _of_one(told, figures))
    checks = definitions.versions(each for file in files.values() for each in file.checks)
    yield from (f"app/data/figures: {text}" for text in definitions.overlapping(checks))


def _of_one(
    told: CheckDefinition, figures: Mapping[str, Sequence[FigureDefinition]]
) -> Iterator[str]:
    try:
        names = _comparison(told.condition).names
    except BadFormula as error:
        yield f"{told.code}: {error}"
        return
    for name in sorted(names):
        versions = figures.get(_code(name), ())
        if not definitions.lasts(versions, told):
            yield f"{told.code}: there is no figure {name!r} on all its days"
        elif name.startswith(_BEFORE) and any(v.kind is FigureKind.flow for v in versions):
            yield f"{told.code}: {name!r} is of a flow, which has no day before the period"
    for text in (told.fails.vi, told.fails.en):
        try:
            text.format(**dict.fromkeys(_PLACES, ""))
        except (LookupError, ValueError, AttributeError):
            yield f"{told.code}: {text!r} has other places than {sorted(_PLACES)}"
