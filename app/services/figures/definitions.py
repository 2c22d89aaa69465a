"""The definitions of all figures: read from the files of their capabilities, checked at the start."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
import yaml
from pydantic import ValidationError

from app.clock import local_today
from app.data_files import DATA, holds_on, load
from app.models.figures.definitions import (
    CheckDefinition,
    Deduplication,
    DefinitionQuery,
    FigureDefinition,
    FigureFile,
    FigureKind,
)
from app.models.kernel.access import Right
from app.services.figures.formulas import BadFormula, Formula, parse
from app.services.kernel.keyset import Pages, in_memory
from app.services.kernel.manifest import Manifest, manifest
from app.services.kernel.offers import FigureRows

FOLDER = DATA / "figures"
Versioned = FigureDefinition | CheckDefinition
V = TypeVar("V", FigureDefinition, CheckDefinition)
_DAY = timedelta(days=1)
_DAY_OF = sa.column("day", sa.Date)


@dataclass(frozen=True, slots=True)
class Figure:
    """A version of a figure with what it is made of: rows, or a formula."""

    capability: str
    told: FigureDefinition
    rows: FigureRows | None
    formula: Formula | None

    @property
    def code(self) -> str:
        return self.told.code

    @property
    def key(self) -> str:
        """The rule it was counted by."""
        return f"{self.code}/{self.told.version}"

    @property
    def rows_name(self) -> str:
        """Of its rows, among those of all capabilities."""
        return f"{self.capability}.{self.told.rows}"

    @property
    def reports_key(self) -> str:
        """In how many units somebody has reported it: where in none, it is unknown, and not zero."""
        return f"{self.key}/reports"

    @property
    def adds_up(self) -> bool:
        """Whether what it is in a unit and a year is the sum of what it is in its parts and months."""
        told, source = self.told, self.rows
        if source is None or source.rolled_up is None or told.across:
            return False
        return told.counts is not Deduplication.distinct or self.has_keys_once

    @property
    def has_keys_once(self) -> bool:
        """Whether none of its rows has the key of another."""
        return self.rows is not None and self.rows.once and self.told.kind is FigureKind.stock

    @property
    def counts_once(self) -> bool:
        """Whether it counts keys once that may be in several of a unit's parts and months, and what
        they are counted twice in can be stored."""
        told, source = self.told, self.rows
        if self.adds_up or source is None or source.rolled_up is None:
            return False
        of_keys = told.counts is Deduplication.distinct
        return of_keys and source.then is None and not (told.across or told.reported)

    @property
    def is_stored(self) -> bool:
        return self.adds_up or self.counts_once

    @property
    def masks(self) -> frozenset[Right]:
        """The rights without which the figure is not exact."""
        masks = self.rows.masks if self.rows is not None else {}
        return frozenset(masks[column] for column in self.told.where if column in masks)


# -- those of a day


def on(day: date) -> dict[str, Figure]:
    """The figures whose rules hold on the day, by code, in the order of their files."""
    return {each.code: each for each in _all() if holds_on(each.told, day)}


def needed(figures: Mapping[str, Figure], codes: Iterable[str]) -> dict[str, Figure]:
    """These figures, and before each one those that its formula names."""
    found: dict[str, Figure] = {}
    for code in codes:
        formula = figures[code].formula
        if formula is not None:
            found |= needed(figures, sorted(formula.names))
        found[code] = figures[code]
    return found


def list_definitions(query: DefinitionQuery) -> Pages:
    """The figures of a day, in the order of their files."""
    known = on(query.on or local_today())
    return in_memory(((place,), _read(known, each)) for place, each in enumerate(known.values()))


def _read(known: Mapping[str, Figure], figure: Figure) -> dict[str, Any]:
    told = figure.told
    return {
        **told.model_dump(include={"code", "version", "valid_from", "valid_to"}),
        "capability": figure.capability,
        "name_vi": told.name.vi,
        "name_en": told.name.en,
        "rule_vi": told.rule.vi,
        "rule_en": told.rule.en,
        "unit": told.unit,
        "kind": told.kind,
        "deduplication": told.counts,
        "formula": told.formula,
        "places": told.places,
        "rolled_up": all(
            each.is_stored for each in needed(known, [told.code]).values() if each.rows is not None
        ),
    }


def _all() -> list[Figure]:
    return [each for name, rows in manifest().figures.items() for each in _of(name, rows)]


def _of(capability: str, rows: Sequence[FigureRows]) -> Iterator[Figure]:
    by_name = {each.name: each for each in rows}
    for told in file_of(manifest(), capability).figures:
        formula = None if told.formula is None else _formula(told.formula)
        yield Figure(capability, told, by_name.get(told.rows or ""), formula)


def file_of(made: Manifest, capability: str) -> FigureFile:
    return _file(_path(made, capability))


def _path(made: Manifest, capability: str) -> Path:
    return made.figure_definitions.get(capability, FOLDER / f"{capability}.yaml")


@cache
def _file(path: Path) -> FigureFile:
    return FigureFile.model_validate(load(path))


_formula = cache(parse)

# -- checked at the start


def wrong(made: Manifest) -> Iterator[str]:
    """What does not hold together in the files, each with its name."""
    found, unread = files(made)
    yield from unread
    for name, file in found.items():
        by_name = {each.name: each for each in made.figures[name]}
        for told in file.figures:
            yield from (f"app/data/figures/{name}.yaml: {text}" for text in _of_one(told, by_name))
    if not unread:
        known = versions(each for file in found.values() for each in file.figures)
        yield from (f"app/data/figures: {text}" for text in _of_all(known))


def files(made: Manifest) -> tuple[dict[str, FigureFile], list[str]]:
    """The file of each capability; and what is wrong with those that cannot be read."""
    found: dict[str, FigureFile] = {}
    unread: list[str] = []
    for name in made.figures:
        try:
            found[name] = file_of(made, name)
        except (OSError, ValidationError, yaml.YAMLError) as error:
            unread.append(f"app/data/figures/{name}.yaml: {error}")
    return found, unread


def versions(definitions: Iterable[V]) -> dict[str, list[V]]:
    """By code, the first one first."""
    found: dict[str, list[V]] = defaultdict(list)
    for told in sorted(definitions, key=lambda each: each.valid_from):
        found[told.code].append(told)
    return found


def _of_one(told: FigureDefinition, rows: Mapping[str, FigureRows]) -> Iterator[str]:
    if told.formula is not None:
        try:
            _formula(told.formula)
        except BadFormula as error:
            yield f"{told.code}: {error}"
        return
    source = rows.get(told.rows or "")
    if source is None:
        yield f"{told.code}: its capability has no rows {told.rows!r}"
        return
    columns = set(source.select(_DAY_OF, _DAY_OF).selected_columns.keys())
    columns |= set() if source.then is None else set(source.then.derived)
    asked = {*told.where, *filter(None, [told.amount])}
    asked |= {"other_unit_id"} if told.across else set()
    for column in sorted(asked - columns):
        yield f"{told.code}: the rows {told.rows!r} have no column {column!r}"


def _of_all(known: Mapping[str, Sequence[FigureDefinition]]) -> Iterator[str]:
    yield from overlapping(known)
    for each in known.values():
        for told in each:
            for name in sorted(_names(told) | {*told.bands, *told.came, *told.went}):
                if not lasts(known.get(name, ()), told):
                    yield f"{told.code}: there is no figure {name!r} on all its days"
    names = {code: set[str]().union(*map(_names, each)) for code, each in known.items()}
    for code in names:
        if code in _reached(names, code):
            yield f"{code}: its formula leads back to itself"


def overlapping(known: Mapping[str, Sequence[Versioned]]) -> Iterator[str]:
    """The versions that hold on one day."""
    for code, each in known.items():
        for one, later in pairwise(each):
            if one.valid_to is None or one.valid_to >= later.valid_from:
                yield f"{code}: versions {one.version} and {later.version} hold on one day"


def _names(told: FigureDefinition) -> frozenset[str]:
    try:
        return _formula(told.formula).names if told.formula is not None else frozenset()
    except BadFormula:
        return frozenset()  # its file is named already


def lasts(known: Sequence[FigureDefinition], told: Versioned) -> bool:
    """Whether one of these holds on every day on which the other does."""
    day: date | None = told.valid_from
    for each in known:
        if day is not None and each.valid_from <= day:
            day = None if each.valid_to is None else max(day, each.valid_to + _DAY)
    return day is None or (told.valid_to is not None and told.valid_to < day)


def _reached(names: Mapping[str, set[str]], code: str) -> set[str]:
    found: set[str] = set()
    waiting = [*names[code]]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += names.get(name, ())
    return found
