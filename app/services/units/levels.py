"""Levels of units that exist between two days only: data, in app/data/units/levels.yaml."""

from datetime import date
from functools import cache

from app.data_files import DATA, holds_on, load
from app.errors import Problem
from app.models.kernel.units import LevelFile, LevelValidity, UnitLevel

_FILE = DATA / "units" / "levels.yaml"


@cache
def _levels() -> dict[UnitLevel, LevelValidity]:
    found = LevelFile.model_validate(load(_FILE)).levels
    return {each.level: each for each in found}


def ensure_exists(level: UnitLevel, on: date) -> None:
    """A unit of the level may be opened on the day, or 409."""
    validity = _levels().get(level)
    if validity is not None and not holds_on(validity, on):
        raise Problem(
            "unit_level_ended",
            level=level,
            valid_from=validity.valid_from.isoformat(),
            valid_to=validity.valid_to.isoformat(),
        )
