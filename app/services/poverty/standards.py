"""Poverty standards from files: which one applies on a day in a province, and what it makes of answers.

The files are app/data/poverty/*.yaml and, after them, those of `HOISO_POVERTY_DIR`: a new standard,
lines of one province, a table of points are data. A file that does not hold together keeps the
server from starting.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.clock import local_today
from app.data_files import DATA, all_on, load
from app.db import settings_of
from app.errors import Problem
from app.models.kernel.units import AreaType, IdentifierScheme, UnitIdentifier
from app.models.poverty.standards import (
    IndicatorRead,
    NamedRead,
    Override,
    PointTable,
    RuleRead,
    Standard,
    StandardRead,
)
from app.services.kernel.access import Actor, Db
from app.services.kernel.offers import SyncData
from app.services.poverty.classification import Rules
from app.services.units.units import find_filter, province_on, valid_on

FOLDER = DATA / "poverty"
_FILE: TypeAdapter[Standard | Override | PointTable] = TypeAdapter(Standard | Override | PointTable)


class BadStandard(ValueError):
    """A file of standards that cannot be used; it names the file."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All standards, overrides and tables of a folder; made once a process."""

    standards: tuple[Standard, ...]
    overrides: tuple[Override, ...]
    tables: tuple[PointTable, ...]
    _rules: dict[str, Rules]

    def on(self, day: date, province: str | None = None) -> Rules:
        """What applies on a day in a province; 409 where no standard does."""
        for standard in all_on(self.standards, day):
            return self.of(standard, day, province)
        raise Problem("no_standard", date=day.isoformat())

    def find(self, standard_id: str, day: date, province: str | None = None) -> Rules | None:
        """One standard by its id with the lines of that day, in force on it or not."""
        for standard in self.standards:
            if standard.id == standard_id:
                return self.of(standard, day, province)
        return None

    def of(self, standard: Standard, day: date, province: str | None) -> Rules:
        local = [
            change
            for change in all_on(self.overrides, day)
            if change.overrides == standard.id and change.province in (None, province)
        ]
        parts: list[Standard | Override] = [standard, *local]
        version = "+".join(f"{each.id}.{each.version}" for each in parts)
        if version not in self._rules:
            self._rules[version] = Rules(version, changed(standard, local), [c.id for c in local])
        return self._rules[version]

    def by_version(self, rule_version: str) -> Rules | None:
        """The rules an old assessment was made with: recomputed, they give the same."""
        ids = rule_version.split("+")
        versioned: list[Standard | Override] = [*self.standards, *self.overrides]
        named = {f"{each.id}.{each.version}": each for each in versioned}
        found = [named.get(each) for each in ids]
        if not isinstance(found[0], Standard) or None in found:
            return None
        local = [each for each in found[1:] if isinstance(each, Override)]
        return Rules(rule_version, changed(found[0], local), [each.id for each in local])


def json_schema() -> dict[str, Any]:
    """The schema of each kind of file: app/data/poverty/standard.schema.json is this."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | _FILE.json_schema()


def changed(standard: Standard, local: Iterable[Override]) -> Standard:
    """The standard with the lines of the overrides, the province's after the national ones."""
    ordered = sorted(local, key=lambda change: (change.province is not None, change.valid_from))
    lines: dict[str, Any] = {}
    for name in ("income_lines", "point_lines"):
        merged: dict[AreaType, dict[str, int]] = {
            area: dict(of) for area, of in getattr(standard, name).items()
        }
        for change in ordered:
            for area, of in getattr(change, name).items():
                merged.setdefault(area, {}).update(of)
        lines[name] = merged
    return standard.model_copy(update=lines)


@lru_cache(maxsize=8)
def catalogue(folder: Path | None = None) -> Catalogue:
    """Ours with those of a folder; a file of the same id and a higher version replaces ours."""
    files = sorted(FOLDER.glob("*.yaml")) + (sorted(folder.rglob("*.yaml")) if folder else [])
    read: dict[str, Standard | Override | PointTable] = {}
    for path in files:
        item = _read(path)
        before = read.get(item.id)
        if before is not None and getattr(item, "version", 1) <= getattr(before, "version", 1):
            raise BadStandard(f"{path.name}: {item.id} exists; give it a higher version")
        read[item.id] = item
    standards = sorted(
        (item for item in read.values() if isinstance(item, Standard)),
        key=lambda standard: standard.valid_from,
    )
    _ensure_apart(standards)
    overrides = tuple(item for item in read.values() if isinstance(item, Override))
    tables = tuple(item for item in read.values() if isinstance(item, PointTable))
    _ensure_known({standard.id for standard in standards}, overrides, tables)
    return Catalogue(tuple(standards), overrides, tables, {})


def of(db: Db) -> Catalogue:
    """The standards of the server whose database this is."""
    return catalogue(settings_of(db).poverty_dir)


def _read(path: Path) -> Standard | Override | PointTable:
    try:
        return _FILE.validate_python(load(path))
    except (ValidationError, yaml.YAMLError) as error:
        raise BadStandard(f"{path.name}: {error}") from error


def _ensure_apart(standards: list[Standard]) -> None:
    for before, after in pairwise(standards):
        if before.valid_to is None or before.valid_to >= after.valid_from:
            raise BadStandard(f"{before.id} and {after.id} apply on the same day")


def _ensure_known(
    ids: set[str], overrides: Iterable[Override], tables: Iterable[PointTable]
) -> None:
    named: Mapping[str, str] = {change.id: change.overrides for change in overrides}
    named = {**named, **{table.id: table.points_of for table in tables}}
    for name, standard in named.items():
        if standard not in ids:
            raise BadStandard(f"{name}: no standard {standard}")


# -- as clients get them


def province_of(db: Db, actor: Actor, unit_id: int | None, on: date | None) -> str | None:
    """The government code, on a day, of the province that a unit in scope stood in then."""
    if unit_id is None:
        return None
    unit = find_filter(db, actor, unit_id, pointer="/unit")
    day = on or local_today()
    province_id = province_on(db, unit.id, day)
    return None if province_id is None else province_code(db, province_id, day)


def province_code(db: Db, province_id: int, day: date) -> str | None:
    """The government code of a province on a day, by which its own lines are found."""
    code: str | None = db.execute(
        sa.select(col(UnitIdentifier.value)).where(
            col(UnitIdentifier.unit_id) == province_id,
            col(UnitIdentifier.scheme) == IdentifierScheme.gso,
            valid_on(UnitIdentifier, day),
        )
    ).scalar()
    return code


def listed(catalogue: Catalogue, on: date | None, province: str | None) -> list[StandardRead]:
    """The one in force on a day, if there is one; without a day all, each with its lines of today
    or of the day nearest to it."""
    if on is not None:
        in_force = all_on(catalogue.standards, on)
        return [shown(catalogue, catalogue.of(each, on, province)) for each in in_force]
    today = local_today()
    return [
        shown(catalogue, catalogue.of(standard, _nearest(standard, today), province))
        for standard in catalogue.standards
    ]


def _national(db: Connection) -> Iterator[dict[str, Any]]:
    """All of them, with the lines of the nation."""
    return (each.model_dump(mode="json") for each in listed(of(db), None, None))


SYNC = SyncData(name="poverty_standard", schema=StandardRead, key="id", rows=_national)


def _nearest(standard: Standard, day: date) -> date:
    return max(standard.valid_from, min(day, standard.valid_to or day))


def shown(catalogue: Catalogue, rules: Rules) -> StandardRead:
    standard = rules.standard
    return StandardRead(
        id=standard.id,
        rule_version=rules.version,
        vi=standard.vi,
        en=standard.en,
        source=standard.source,
        valid_from=standard.valid_from,
        valid_to=standard.valid_to,
        review_from=standard.review_from,
        currency="VND",
        income_lines=standard.income_lines,
        point_lines=standard.point_lines,
        dimensions=[NamedRead.model_validate(each) for each in standard.dimensions],
        indicators=[IndicatorRead.model_validate(each) for each in standard.indicators],
        rules=[
            RuleRead(
                then=rule.class_,
                income_at_most=rule.income_at_most,
                deprived_at_least=rule.deprived_at_least,
            )
            for rule in standard.rules
        ],
        causes=[NamedRead.model_validate(each) for each in standard.causes],
        groups=[NamedRead.model_validate(each) for each in standard.groups],
        unconfirmed=standard.unconfirmed,
        local=rules.local,
        point_tables=[table.id for table in catalogue.tables if table.points_of == standard.id],
    )
