"""The plan of the demo: the district of Cẩm Khê as it stood in 2024, with invented people.

Everything is decided here from a seed, without a database; `demo.load` writes it.
"""

from collections.abc import Iterator, Sequence
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
    DrawnFacts,
    ProvinceFacts,
    read_data,
    seeded,
)
from app.services.demo.people import DemoPerson, full_name, person, with_more

DISTRICT_MEMBERS: Final = 23_100
PROVINCE_MEMBERS: Final = 1_000_000
NATION_MEMBERS: Final = 19_000_000
SMALL_MEMBERS: Final = 400
DISTRICT_BRANCHES: Final = 257
DISTRICT_COMMUNES: Final = 24
BRANCH_SIZE: Final = (30, 200)
# The branches of samples are as large as the nation's: 173 members on average.
SAMPLE_SIZE: Final = (30, 500)


class Scale(StrEnum):
    small = "small"  # two communes of four branches
    district = "district"
    province = "province"  # the district in a province whose other communes are nobody's
    nation = "nation"  # 34 such provinces


class Sample(NamedTuple):
    """Provinces, and how many communes, branches and members they have in all."""

    provinces: int
    communes: int
    branches: int
    members: int


SAMPLES: Final = {
    Scale.province: Sample(1, 165, 5_900, PROVINCE_MEMBERS),
    Scale.nation: Sample(34, 3_321, 110_000, NATION_MEMBERS),
}


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
class DemoUnit:
    """`slug` is also the name of the unit's account."""

    id: int
    level: UnitLevel
    slug: str
    name: str
    code: str | None = None
    area_type: AreaType | None = None
    opened_on: date
    parent: "DemoUnit | None" = None
    members: int = 0

    @property
    def path(self) -> list["DemoUnit"]:
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
    units: tuple[DemoUnit, ...]

    def at(self, level: UnitLevel) -> list[DemoUnit]:
        return [unit for unit in self.units if unit.level is level]

    @property
    def members(self) -> int:
        return sum(unit.members for unit in self.units)

    def people(self, unit: DemoUnit) -> list["DemoPerson"]:
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


def plan(
    scale: Scale,
    seed: int = DEFAULT_SEED,
    provinces: int | None = None,
    sample: Sample | None = None,
) -> DemoPlan:
    """The small one is a province alone, without the centre above it. `provinces`: of a nation only
    the first so many, as they are in the whole. `sample`: the district in these instead."""
    with_centre = scale is not Scale.small
    sample = sample or SAMPLES.get(scale)
    drawn = _provinces(scale, sample)[:provinces]
    units = _units(drawn, _branch_sizes(scale, sample, seed), with_centre=with_centre)
    return DemoPlan(seed, tuple(units))


def _provinces(scale: Scale, sample: Sample | None) -> list[ProvinceFacts]:
    province = ProvinceFacts.model_validate(read_data("camkhe.yaml"))
    if scale is Scale.small:
        (district,) = province.districts
        district.communes = [
            commune.model_copy(update={"branches": 4})
            for commune in district.communes
            if commune.slug in ("phuongvi", "tienluong")
        ]
    if sample is None:
        return [province]
    others = [_sample_province(number, province) for number in range(2, sample.provinces + 1)]
    found = [province, *others]
    communes = sample.communes - DISTRICT_COMMUNES
    branches = sample.branches - DISTRICT_BRANCHES
    for number in range(communes):
        # As even as it goes: each has as many as another, or one more.
        of_commune = branches * (number + 1) // communes - branches * number // communes
        of_province = found[number * len(found) // communes]
        of_province.communes.append(_sample_commune(number + 1, of_commune))
    return found


# What is called "mẫu" (sample) and has no government code nobody takes for real.


def _sample_province(number: int, real: ProvinceFacts) -> ProvinceFacts:
    return ProvinceFacts(
        slug=f"tinhmau{number:02}", name=f"Tỉnh mẫu {number:02}", opened_on=real.opened_on
    )


def _sample_commune(number: int, branches: int) -> CommuneFacts:
    return CommuneFacts(
        slug=f"xamau{number:03}",
        name=f"Xã mẫu {number:03}",
        opened_on=date(1997, 1, 1),
        area_type=AreaType.rural,
        branches=branches,
    )


def _units(
    provinces: Sequence[ProvinceFacts], sizes: Iterator[int], *, with_centre: bool
) -> Iterator[DemoUnit]:
    ids = count(1)

    def unit(
        level: UnitLevel,
        facts: DrawnFacts,
        parent: DemoUnit | None,
        area: AreaType | None = None,
    ) -> DemoUnit:
        return DemoUnit(
            id=next(ids),
            level=level,
            parent=parent,
            area_type=area,
            **facts.model_dump(include={"slug", "name", "code", "opened_on"}),
        )

    def communes(above: DemoUnit, found: Sequence[CommuneFacts]) -> Iterator[DemoUnit]:
        for facts in found:
            yield (commune := unit(UnitLevel.commune, facts, above, facts.area_type))
            for number in range(1, facts.branches + 1):
                yield DemoUnit(
                    id=next(ids),
                    level=UnitLevel.branch,
                    slug=f"{commune.slug}-{number}",
                    name=f"Chi hội khu {number}",
                    opened_on=commune.opened_on,
                    parent=commune,
                    members=next(sizes),
                )

    centre = _centre(provinces) if with_centre else None
    if centre is not None:
        yield centre
    for facts in provinces:
        yield (top := unit(UnitLevel.province, facts, centre))
        for district_facts in facts.districts:
            yield (district := unit(UnitLevel.district, district_facts, top))
            yield from communes(district, district_facts.communes)
        yield from communes(top, facts.communes)


def _centre(provinces: Sequence[ProvinceFacts]) -> DemoUnit:
    """The unit above the provinces; its id comes after theirs."""
    districts = [district for province in provinces for district in province.districts]
    communes = [commune for district in districts for commune in district.communes]
    communes += [commune for province in provinces for commune in province.communes]
    below = len(provinces) + len(districts) + len(communes)
    return DemoUnit(
        id=below + sum(each.branches for each in communes) + 1,
        level=UnitLevel.central,
        slug="trunguong",
        name="Trung ương Hội",
        opened_on=FOUNDED,
    )


def _branch_sizes(scale: Scale, sample: Sample | None, seed: int) -> Iterator[int]:
    """The district's branches are the same with and without a province around them."""
    rng = seeded(seed, "sizes")
    if scale is Scale.small:
        yield from _sizes(rng, 8, SMALL_MEMBERS, BRANCH_SIZE)
        return
    yield from _sizes(rng, DISTRICT_BRANCHES, DISTRICT_MEMBERS, BRANCH_SIZE)
    if sample is not None:
        branches, members = sample.branches, sample.members
        rest = branches - DISTRICT_BRANCHES, members - DISTRICT_MEMBERS
        yield from _sizes(rng, *rest, SAMPLE_SIZE)


def _sizes(rng: Random, branches: int, total: int, bounds: tuple[int, int]) -> list[int]:
    """Sizes of branches, uneven as in life, within bounds and adding up exactly."""
    smallest, largest = bounds
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
