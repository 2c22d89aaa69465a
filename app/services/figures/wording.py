"""Words and numbers of pictures and checks, in the language of the reader."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache

import yaml
from pydantic import ValidationError

from app.data_files import DATA, load
from app.models.base import Input
from app.models.figures.definitions import FigureDefinition, FigureText, FigureUnit
from app.problem_texts import Language
from app.services.kernel.manifest import Manifest


class _Texts(Input):
    units: Mapping[FigureUnit, FigureText]
    findings: Mapping[str, FigureText]
    words: Mapping[str, FigureText]
    checks: Mapping[str, FigureText]


FILE = DATA / "figures" / "wording.yaml"


@cache
def _texts() -> _Texts:
    return _Texts.model_validate(load(FILE))


def wrong(_: Manifest) -> Iterator[str]:
    """Why the file of the words cannot be read."""
    try:
        _texts()
    except (OSError, ValidationError, yaml.YAMLError) as error:
        yield f"app/data/figures/{FILE.name}: {error}"


@dataclass(frozen=True, slots=True)
class FigureWords:
    language: Language

    def text(self, text: FigureText) -> str:
        return text.vi if self.language == "vi" else text.en

    def name(self, told: FigureDefinition) -> str:
        return self.text(told.name)

    def unit(self, told: FigureDefinition) -> str:
        return self.text(_texts().units[told.unit])

    def finding(self, which: str, **params: str) -> str:
        return self.text(_texts().findings[which]).format(**params)

    def word(self, which: str, **params: str) -> str:
        return self.text(_texts().words[which]).format(**params)

    def check(self, which: str, **params: str) -> str:
        return self.text(_texts().checks[which]).format(**params)

    def number(self, value: Decimal) -> str:
        """23.100,5 in Vietnamese, 23,100.5 in English; the minus is a minus."""
        whole = value == value.to_integral_value()
        english = f"{value:,.0f}" if whole else f"{value.normalize():,f}"
        if self.language == "vi":
            english = english.translate(_SWAPPED)
        return english.replace("-", "\u2212")

    def percent(self, value: Decimal) -> str:
        return self.number(abs(value).quantize(Decimal("0.1")))

    def month(self, day: date) -> str:
        return f"{day.month}/{day.year}" if self.language == "vi" else f"{day:%b %Y}"

    def day(self, day: date) -> str:
        return f"{day:%d/%m/%Y}" if self.language == "vi" else f"{day.day} {day:%b %Y}"


_SWAPPED = str.maketrans(",.", ".,")
