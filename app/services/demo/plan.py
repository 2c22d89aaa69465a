"""The plan of the demo: the district of Cẩm Khê as it stood in 2024, with invented people.

Everything is decided here from a seed, without a database; `demo.load` writes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import count
from random import Random
from typing import Final, NamedTuple

from app.models.kernel.access import Role
from app.models.kernel.units import (
    AreaType,
    UnitLevel,
)
from app.models.members.members import (
    Gender,
)
from app.services.demo.draws import (
    DEFAULT_SEED,
    CommuneFacts,
    DistrictFacts,
    DrawnFacts,
    ProvinceFacts,
    read_data,
    seeded,
)
from app.services.demo.people import DemoPerson, full_name, person, with_more

DISTRICT_MEMBERS: Final = 23_100
PROVINCE_MEMBERS: Final = 500_000
SMALL_MEMBERS: Final = 400
DISTRICT_BRANCHES: Final = 257
SAMPLE_COMMUNES: Final = 124
SAMPLE_BRANCHES: Final = 40
BRANCH_SIZE: Final = (30, 200)


class Scale(StrEnum):
    small = "small"  # two communes of four branches
    district = "district"
    province = "province"  # the district and 124 communes that are nobody's


# -- the files


# -- the plan: units


class PlannedTerm(NamedTuple):
    """The term of a commune's congress, from its first to its last day."""

    congress_number: int
    starts_on: date
    ends_on: date


TERM: Final = PlannedTerm(23, date(2021, 7, 1), date(2026, 6, 30))
# Communes whose vice chair has left and has no successor yet.
NO_VICE_CHAIR: Final = frozenset({"tienluong", "ngoxa", "tamson", "xamau007", "xamau077"})


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """An account to try; `what` describes its owner."""

    username: str
    role: Role
    unit: str
    what: str


# The day of the union, 20 October.
FOUNDED: Final = date(1930, 10, 20)

# Whom `hoiso demo` introduces; every other branch has a head, too.
INTRODUCED: Final = (
    DemoAccount("trunguong", Role.central_officer, "trunguong", "officer of the centre"),
    DemoAccount("phutho", Role.province_officer, "phutho", "officer of the province"),
    DemoAccount("phutho-2", Role.province_officer, "phutho", "second officer of the province"),
    DemoAccount("camkhe", Role.district_officer, "camkhe", "officer of the district"),
    DemoAccount("phuongvi", Role.commune_officer, "phuongvi", "officer of a commune"),
    DemoAccount("tienluong", Role.commune_officer, "tienluong", "officer of another commune"),
    DemoAccount("phuongvi-1", Role.branch_head, "phuongvi-1", "head of a branch"),
    DemoAccount("phuongvi-2", Role.branch_head, "phuongvi-2", "head of the branch next door"),
    DemoAccount("tienluong-1", Role.branch_head, "tienluong-1", "head of a branch elsewhere"),
    DemoAccount("auditor", Role.auditor, "phutho", "reads all of the province, changes nothing"),
    DemoAccount("admin", Role.admin, "phutho", "runs accounts and the system, sees no member"),
    DemoAccount("member", Role.member, "phuongvi-1", "a member of that branch"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedUnit:
    """`slug` is also the name of the unit's account."""

    id: int
    level: UnitLevel
    slug: str
    name: str
    code: str | None = None
    area_type: AreaType | None = None
    opened_on: date
    parent: "PlannedUnit | None" = None
    members: int = 0

    @property
    def path(self) -> list["PlannedUnit"]:
        """The unit itself, its parent, and so on to the top."""
        return [self, *(self.parent.path if self.parent else ())]

    @property
    def path_ids(self) -> dict[str, int | None]:
        ids = {unit.level: unit.id for unit in self.path}
        levels = (UnitLevel.province, UnitLevel.district, UnitLevel.commune, UnitLevel.branch)
        return {f"{level}_id": ids.get(level) for level in levels}

    @property
    def title(self) -> str:
        """Every commune has a "Chi hội khu 1"."""
        branch = self.level is UnitLevel.branch
        return ", ".join(unit.name for unit in self.path[: 2 if branch else 1])

    @property
    def accounts(self) -> list[DemoAccount]:
        """In a branch the head comes first."""
        introduced = [account for account in INTRODUCED if account.unit == self.slug]
        if introduced or self.level is not UnitLevel.branch:
            return introduced
        return [DemoAccount(self.slug, Role.branch_head, self.slug, "head of a branch")]


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """Everything the demo consists of. `units` lists parents before children."""

    seed: int
    units: tuple[PlannedUnit, ...]

    def at(self, level: UnitLevel) -> list[PlannedUnit]:
        return [unit for unit in self.units if unit.level is level]

    @property
    def members(self) -> int:
        return sum(unit.members for unit in self.units)

    def people(self, unit: PlannedUnit) -> list["DemoPerson"]:
        """Each unit has a generator of its own: its people do not depend on the other units."""
        rng = seeded(self.seed, unit.slug)
        # What was added to the records since has a generator of its own: the people stay the same.
        more = seeded(self.seed, unit.slug, "more")
        phones: list[str] = []
        place = ", ".join(above.name for above in unit.path[:2])
        return [with_more(more, person(rng, phones), place) for _ in range(unit.members)]

    def officer(self, username: str) -> str:
        """The name of an officer above the branches."""
        return full_name(seeded(self.seed, username), Gender.female, "01", 1982)


def plan(scale: Scale, seed: int = DEFAULT_SEED) -> DemoPlan:
    """The small one is a province alone, without the centre above it."""
    with_centre = scale is not Scale.small
    units = _units(_province(scale), _branch_sizes(scale, seed), with_centre=with_centre)
    return DemoPlan(seed, tuple(units))


def _province(scale: Scale) -> ProvinceFacts:
    province = ProvinceFacts.model_validate(read_data("camkhe.yaml"))
    if scale is Scale.small:
        (district,) = province.districts
        district.communes = [
            commune.model_copy(update={"branches": 4})
            for commune in district.communes
            if commune.slug in ("phuongvi", "tienluong")
        ]
    if scale is Scale.province:
        samples = [_sample_commune(number) for number in range(1, SAMPLE_COMMUNES + 1)]
        province.districts += [
            DistrictFacts(
                slug=f"huyenmau{number:02}",
                name=f"Huyện mẫu {number:02}",
                opened_on=province.opened_on,
                communes=samples[start : start + 11],
            )
            for number, start in enumerate(range(0, SAMPLE_COMMUNES, 11), start=1)
        ]
    return province


def _sample_commune(number: int) -> CommuneFacts:
    """Called "mẫu" (sample) and without a government code: nobody takes it for a real one."""
    return CommuneFacts(
        slug=f"xamau{number:03}",
        name=f"Xã mẫu {number:03}",
        opened_on=date(1997, 1, 1),
        area_type=AreaType.rural,
        branches=SAMPLE_BRANCHES,
    )


def _units(
    province: ProvinceFacts, sizes: Iterator[int], *, with_centre: bool
) -> Iterator[PlannedUnit]:
    ids = count(1)

    def unit(
        level: UnitLevel,
        facts: DrawnFacts,
        parent: PlannedUnit | None,
        area: AreaType | None = None,
    ) -> PlannedUnit:
        return PlannedUnit(
            id=next(ids),
            level=level,
            parent=parent,
            area_type=area,
            **facts.model_dump(include={"slug", "name", "code", "opened_on"}),
        )

    centre = _centre(province) if with_centre else None
    if centre is not None:
        yield centre
    yield (top := unit(UnitLevel.province, province, centre))
    for district_facts in province.districts:
        yield (district := unit(UnitLevel.district, district_facts, top))
        for facts in district_facts.communes:
            yield (commune := unit(UnitLevel.commune, facts, district, facts.area_type))
            for number in range(1, facts.branches + 1):
                yield PlannedUnit(
                    id=next(ids),
                    level=UnitLevel.branch,
                    slug=f"{commune.slug}-{number}",
                    name=f"Chi hội khu {number}",
                    opened_on=commune.opened_on,
                    parent=commune,
                    members=next(sizes),
                )


def _centre(province: ProvinceFacts) -> PlannedUnit:
    """The unit above the province; its id comes after theirs."""
    communes = [commune for district in province.districts for commune in district.communes]
    below = 1 + len(province.districts) + len(communes) + sum(each.branches for each in communes)
    return PlannedUnit(
        id=below + 1,
        level=UnitLevel.central,
        slug="trunguong",
        name="Trung ương Hội",
        opened_on=FOUNDED,
    )


def _branch_sizes(scale: Scale, seed: int) -> Iterator[int]:
    """The district's branches are the same with and without a province around them."""
    rng = seeded(seed, "sizes")
    if scale is Scale.small:
        yield from _sizes(rng, 8, SMALL_MEMBERS)
        return
    yield from _sizes(rng, DISTRICT_BRANCHES, DISTRICT_MEMBERS)
    if scale is Scale.province:
        rest = PROVINCE_MEMBERS - DISTRICT_MEMBERS
        yield from _sizes(rng, SAMPLE_COMMUNES * SAMPLE_BRANCHES, rest)


def _sizes(rng: Random, branches: int, total: int) -> list[int]:
    """Sizes of branches, uneven as in life, within bounds and adding up exactly."""
    smallest, largest = BRANCH_SIZE
    median = total / branches * 0.92  # the long tail lifts the mean above it
    drawn = (round(median * rng.lognormvariate(0, 0.4)) for _ in range(branches))
    sizes = [min(largest, max(smallest, size)) for size in drawn]
    missing = total - sum(sizes)
    while missing:
        index, step = rng.randrange(branches), 1 if missing > 0 else -1
        if smallest <= sizes[index] + step <= largest:
            sizes[index] += step
            missing -= step
    return sizes


# -- the plan: people
