"""What the demo draws from: a seed, and the frequencies of data/demo."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache
from itertools import accumulate
from random import Random
from typing import Annotated, Any, Final, TypeVar

from pydantic import PlainValidator

from app.data_files import DATA, load
from app.models.base import Input
from app.models.kernel.units import (
    AreaType,
)

T = TypeVar("T")


Pick = Callable[[Random], T]


_FOLDER: Final = DATA / "demo"


DEFAULT_SEED: Final = 2024


# The day the people are described on: ages do not depend on when the demo is loaded.
AS_OF: Final = date(2024, 12, 31)


def weighted(weights: Mapping[T, float]) -> Pick[T]:
    values, cumulative = tuple(weights), tuple(accumulate(weights.values()))
    return lambda rng: rng.choices(values, cum_weights=cumulative)[0]


def _ranked(values: Sequence[str]) -> Pick[str]:
    """The most frequent first, the weights falling off as name statistics do."""
    return weighted({value: 1 / (rank + 8) for rank, value in enumerate(values)})


class DrawnFacts(Input):
    """`slug` is the stem of account names."""

    slug: str
    name: str
    code: str | None = None
    opened_on: date


class CommuneFacts(DrawnFacts):
    area_type: AreaType
    branches: int


class DistrictFacts(DrawnFacts):
    communes: list[CommuneFacts]


class ProvinceFacts(DrawnFacts):
    """`communes`: those directly under it."""

    districts: list[DistrictFacts] = []
    communes: list[CommuneFacts] = []


class _Cohort(Input):
    until: int
    middle: Annotated[Pick[str], PlainValidator(weighted)]
    given: Annotated[Pick[str], PlainValidator(_ranked)]


class _Names(Input):
    surnames: dict[str, Annotated[Pick[str], PlainValidator(weighted)]]
    women: list[_Cohort]
    men: list[_Cohort]


def read_data(name: str) -> Any:
    return load(_FOLDER / name)


@cache
def name_lists() -> _Names:
    return _Names.model_validate(read_data("names.yaml"))


def seeded(*parts: object) -> Random:
    # Seeded by text, which Random hashes with SHA-512: the same people on every machine.
    return Random("/".join(map(str, parts)))
