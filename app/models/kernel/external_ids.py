"""`system|value`: what another system calls a record of ours, and the systems that are known."""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.citizen_ids import birth_year
from app.data_files import DATA, load

_REFERENCE: Final = re.compile(r"([a-z][a-z0-9_]{0,39})\|([^|\x00-\x1f\x7f-\x9f]{1,120})")
_NUMBER: Final = re.compile(r"0[0-9]{11}")
_LATEST_BIRTH: Final = 2100


class ExternalSystem(BaseModel):
    """A system by its `code`; `provinces` are the codes of those that have it, none is all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    vi: Annotated[str, Field(min_length=1, max_length=120)]
    en: Annotated[str, Field(min_length=1, max_length=120)]
    provinces: tuple[str, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    systems: tuple[ExternalSystem, ...]


@lru_cache(maxsize=8)
def systems_of(more: Path | None = None) -> dict[str, ExternalSystem]:
    """The known systems by code, with those of an installation's own file; ValueError of a bad one."""
    found: dict[str, ExternalSystem] = {}
    for path in filter(None, (DATA / "external_systems.yaml", more)):
        for each in _File.model_validate(load(path)).systems:
            if each.code in found:
                raise ValueError(f"{path}: {each.code} stands twice")
            found[each.code] = each
    return found


def parts(text: str) -> tuple[str, str] | None:
    """System and value of `system|value`; None of what is not written so."""
    system, bar, value = text.partition("|")
    written = f"{system.strip().lower()}{bar}{' '.join(value.split())}"
    found = _REFERENCE.fullmatch(written)
    return None if found is None else (found[1], found[2])


def is_citizen_id(value: str) -> bool:
    """A personal number has a field of its own, which is masked."""
    return bool(_NUMBER.fullmatch(value)) and (birth_year(value) or _LATEST_BIRTH) < _LATEST_BIRTH


def _reference(value: object) -> object:
    if not isinstance(value, str) or (found := parts(value)) is None:
        raise ValueError("external_id_form")
    return "|".join(found)


ExternalRef = Annotated[
    str, BeforeValidator(_reference), Field(max_length=161, examples=["hoitinh|HV-000123"])
]


def named_systems(systems: Sequence[ExternalSystem]) -> list[dict[str, Any]]:
    return [each.model_dump() for each in systems]
