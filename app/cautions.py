"""What is wrong with settings though the server could start with them: in production it either
refuses, or warns where refusing would break people who run it today."""

import stat
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from app.config import Environment, Settings

# Of the tests and of the contract's own settings.
_NOT_OURS = ("HOISO_TEST_", "HOISO_FUZZ_", "HOISO_CONTRACT_")
# A warning: its event in the log, and the fields of the line.
Caution = tuple[str, dict[str, Any]]


def cautions(settings: Settings, names: Iterable[str]) -> Iterator[Caution]:
    """`names` are those of all environment variables."""
    for name, meant in misspelt(names).items():
        yield "unknown_setting", {"name": name, "meant": meant}
    if settings.environment is not Environment.production:
        return
    if settings.docs:
        yield "docs_open", {"name": "HOISO_DOCS"}
    file = settings.jwt_keys_file
    # A secret of a container is often readable by all in it: no reason to stop it.
    if file is not None and _others_may_read(file):
        yield "key_file_readable_by_others", {"name": "HOISO_JWT_KEYS_FILE"}


def misspelt(names: Iterable[str]) -> dict[str, str | None]:
    """Names of environment variables that look like settings and are none, each with the setting
    that may be meant."""
    known = [f"HOISO_{field}".upper() for field in Settings.model_fields]
    return {
        name: next(iter(get_close_matches(name.upper(), known, n=1, cutoff=0.8)), None)
        for name in sorted(names)
        if name.upper().startswith("HOISO_")
        and name.upper() not in known
        and not name.startswith(_NOT_OURS)
    }


def _others_may_read(file: Path) -> bool:
    """False where there is no such file: reading it says so."""
    return file.exists() and bool(file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
