"""Which versions of the app are served: a dated table of each platform (app/data/app_versions.yaml).

A file and no rows: which versions go on working is decided with a release of the app, is the same on
all servers of an installation, and a mistake in it is found when the server starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from app.clock import local_today
from app.config import BadSettings
from app.data_files import DATA, load
from app.db import settings_of
from app.errors import Problem
from app.models.identity.devices import AppVersion, Platform
from app.services.kernel.access import Db

_PARTS = 4


class _Served(BaseModel):
    """From this day on the oldest version that is served."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    valid_from: date
    oldest: AppVersion


def _by_day(lines: Sequence[_Served]) -> Sequence[_Served]:
    days = [line.valid_from for line in lines]
    if days != sorted(set(days)):
        raise ValueError("valid_from ascends, each day once")
    return lines


_TABLE = TypeAdapter(
    dict[Platform, Annotated[list[_Served], Field(min_length=1), AfterValidator(_by_day)]]
)


@dataclass(frozen=True, slots=True)
class AppVersions:
    """The table of an installation."""

    by_platform: dict[Platform, list[_Served]]

    def ensure_served(self, platform: Platform, version: str) -> None:
        """426 when the version is older than what is served today; newer ones always are."""
        begun = [
            line for line in self.by_platform.get(platform, []) if line.valid_from <= local_today()
        ]
        if begun and _number(version) < _number(begun[-1].oldest):
            oldest = begun[-1].oldest
            raise Problem(
                "app_too_old",
                version=version,
                oldest=oldest,
                extra={"platform": platform.value, "version": version, "oldest": oldest},
            )

    def last_day(self, platform: Platform, version: str) -> date | None:
        """The last day on which the version is served, as far as that is known."""
        lines = self.by_platform.get(platform, [])
        ends = [each.valid_from for each in lines if _number(version) < _number(each.oldest)]
        return ends[0] - timedelta(days=1) if ends else None


@lru_cache(maxsize=8)
def app_versions(file: Path | None = None) -> AppVersions:
    """Our table, or that of a file instead; `BadSettings` names a file that is none."""
    path = file or DATA / "app_versions.yaml"
    try:
        return AppVersions(_TABLE.validate_python(load(path)))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BadSettings(f"HOISO_APP_VERSIONS_FILE, {path}: {error}") from error


def of(db: Db) -> AppVersions:
    """The table of the server whose database this is."""
    return app_versions(settings_of(db).app_versions_file)


def _number(version: str) -> tuple[int, ...]:
    """1.4 is 1.4.0, and what is behind the numbers (-beta, +12) does not count."""
    core = version.partition("-")[0].partition("+")[0]
    parts = [int(part) for part in core.split(".")]
    return (*parts, *([0] * (_PARTS - len(parts))))
