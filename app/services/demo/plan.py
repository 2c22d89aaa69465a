"""The plan of the demo: the district of Cẩm Khê as it stood in 2024, with invented people.

Everything is decided here from a seed, without a database; `demo.load` writes it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from itertools import accumulate, count
from pathlib import Path
from random import Random
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import yaml
from pydantic import PlainValidator

from app.models.base import Input
from app.models.kernel.access import Role
from app.models.kernel.units import (
    AreaType,
    UnitLevel,
)
from app.models.members.members import (
    Education,
    Gender,
    MemberKind,
    PartyStatus,
    Qualification,
    Religion,
)

T = TypeVar("T")
Pick = Callable[[Random], T]

DATA: Final = Path(__file__).parents[2] / "data" / "demo"
DEFAULT_SEED: Final = 2024
# The day the people are described on: ages do not depend on when the demo is loaded.
AS_OF: Final = date(2024, 12, 31)
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


def _weighted(weights: Mapping[T, float]) -> Pick[T]:
    values, cumulative = tuple(weights), tuple(accumulate(weights.values()))
    return lambda rng: rng.choices(values, cum_weights=cumulative)[0]


def _ranked(values: Sequence[str]) -> Pick[str]:
    """The most frequent first, the weights falling off as name statistics do."""
    return _weighted({value: 1 / (rank + 8) for rank, value in enumerate(values)})


class _Facts(Input):
    """`slug` is the stem of account names."""

    slug: str
    name: str
    code: str | None = None
    opened_on: date


class _CommuneFacts(_Facts):
    area_type: AreaType
    branches: int


class _DistrictFacts(_Facts):
    communes: list[_CommuneFacts]


class _ProvinceFacts(_Facts):
    districts: list[_DistrictFacts]


class _Cohort(Input):
    until: int
    middle: Annotated[Pick[str], PlainValidator(_weighted)]
    given: Annotated[Pick[str], PlainValidator(_ranked)]


class _Names(Input):
    surnames: dict[str, Annotated[Pick[str], PlainValidator(_weighted)]]
    women: list[_Cohort]
    men: list[_Cohort]


def _read(name: str) -> Any:
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))


@cache
def _names() -> _Names:
    return _Names.model_validate(_read("names.yaml"))


# -- the plan: units


class Term(NamedTuple):
    """The term of a commune's congress, from its first to its last day."""

    congress_number: int
    starts_on: date
    ends_on: date


TERM: Final = Term(23, date(2021, 7, 1), date(2026, 6, 30))
# Communes whose vice chair has left and has no successor yet.
NO_VICE_CHAIR: Final = frozenset({"tienluong", "ngoxa", "tamson", "xamau007", "xamau077"})


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """An account to try; `what` says what she is who signs in with it."""

    username: str
    role: Role
    unit: str
    what: str


# Whom `hoiso demo` introduces; every other branch has a head, too.
INTRODUCED: Final = (
    DemoAccount("phutho", Role.province_officer, "phutho", "officer of the province"),
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
    """`slug` is also the account name of whoever answers for the unit."""

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
        """Of a branch its head comes first."""
        introduced = [account for account in INTRODUCED if account.unit == self.slug]
        if introduced or self.level is not UnitLevel.branch:
            return introduced
        return [DemoAccount(self.slug, Role.branch_head, self.slug, "head of a branch")]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the demo consists of. `units` lists parents before children."""

    seed: int
    units: tuple[PlannedUnit, ...]

    def at(self, level: UnitLevel) -> list[PlannedUnit]:
        return [unit for unit in self.units if unit.level is level]

    @property
    def members(self) -> int:
        return sum(unit.members for unit in self.units)

    def people(self, unit: PlannedUnit) -> list["Person"]:
        """Each unit has a generator of its own: its people do not depend on the other units."""
        rng = _rng(self.seed, unit.slug)
        # What was added to the records since has a generator of its own: the people stay the same.
        more = _rng(self.seed, unit.slug, "more")
        phones: list[str] = []
        place = ", ".join(above.name for above in unit.path[:2])
        return [_with_more(more, _person(rng, phones), place) for _ in range(unit.members)]

    def officer(self, username: str) -> str:
        """The name of an officer above the branches."""
        return _full_name(_rng(self.seed, username), Gender.female, "01", 1982)


def plan(scale: Scale, seed: int = DEFAULT_SEED) -> Plan:
    return Plan(seed, tuple(_units(_province(scale), _branch_sizes(scale, seed))))


def _province(scale: Scale) -> _ProvinceFacts:
    province = _ProvinceFacts.model_validate(_read("camkhe.yaml"))
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
            _DistrictFacts(
                slug=f"huyenmau{number:02}",
                name=f"Huyện mẫu {number:02}",
                opened_on=province.opened_on,
                communes=samples[start : start + 11],
            )
            for number, start in enumerate(range(0, SAMPLE_COMMUNES, 11), start=1)
        ]
    return province


def _sample_commune(number: int) -> _CommuneFacts:
    """Called "mẫu" (sample) and without a government code: nobody takes it for a real one."""
    return _CommuneFacts(
        slug=f"xamau{number:03}",
        name=f"Xã mẫu {number:03}",
        opened_on=date(1997, 1, 1),
        area_type=AreaType.rural,
        branches=SAMPLE_BRANCHES,
    )


def _units(province: _ProvinceFacts, sizes: Iterator[int]) -> Iterator[PlannedUnit]:
    ids = count(1)

    def unit(
        level: UnitLevel, facts: _Facts, parent: PlannedUnit | None, area: AreaType | None = None
    ) -> PlannedUnit:
        return PlannedUnit(
            id=next(ids),
            level=level,
            parent=parent,
            area_type=area,
            **facts.model_dump(include={"slug", "name", "code", "opened_on"}),
        )

    yield (top := unit(UnitLevel.province, province, None))
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


def _branch_sizes(scale: Scale, seed: int) -> Iterator[int]:
    """The district's branches are the same with and without a province around them."""
    rng = _rng(seed, "sizes")
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


class Person(NamedTuple):
    full_name: str
    birth_date: str
    birth_year: int
    gender: Gender
    kind: MemberKind
    joined_on: date | None
    phone: str | None
    ethnicity: str
    religion: Religion
    core: bool = False
    citizen_id: str | None = None
    address: str | None = None
    party: PartyStatus | None = None
    party_joined_on: date | None = None
    education: Education | None = None
    qualification: Qualification | None = None
    occupation: str | None = None


_ETHNICITY = _weighted({"01": 96.0, "04": 2.8, "02": 0.5, "09": 0.4, "03": 0.3})
_RELIGION_OF_KINH = _weighted(
    {
        Religion.none: 63.0,
        Religion.catholic: 28.0,
        Religion.undeclared: 5.5,
        Religion.buddhist: 3.3,
        Religion.protestant: 0.2,
    }
)
_RELIGION_OF_OTHERS = _weighted(
    {Religion.none: 88.0, Religion.undeclared: 7.0, Religion.catholic: 5.0}
)
_AGES = _weighted(
    {
        (18, 24): 5.0,
        (25, 29): 7.0,
        (30, 39): 22.0,
        (40, 49): 24.0,
        (50, 59): 20.0,
        (60, 65): 11.0,
        (66, 75): 8.0,
        (76, 89): 3.0,
    }
)
_MOBILE_PREFIXES = (
    *("32", "33", "34", "35", "36", "37", "38", "39", "86", "96", "97", "98"),
    *("70", "76", "77", "78", "79", "90", "93"),
    *("81", "82", "83", "84", "85", "88", "91", "94"),
)
# Eighteen years hold four or five leap days: this never falls before the birthday.
_EIGHTEEN_YEARS = timedelta(days=6_575)


def _rng(*parts: object) -> Random:
    # Seeded by text, which Random hashes with SHA-512: the same people on every machine.
    return Random("/".join(map(str, parts)))


def _person(rng: Random, phones: list[str]) -> Person:
    """`phones` are those met so far in her branch; a new one is added."""
    honorary = rng.random() < 0.01
    gender = Gender.male if honorary and rng.random() < 0.5 else Gender.female
    ethnicity = _ETHNICITY(rng)
    religion = _RELIGION_OF_KINH if ethnicity == "01" else _RELIGION_OF_OTHERS
    born = _birthday(rng)
    return Person(
        full_name=_full_name(rng, gender, ethnicity, born.year),
        birth_date=_as_known(rng, born),
        birth_year=born.year,
        gender=gender,
        kind=MemberKind.honorary if honorary else MemberKind.regular,
        joined_on=_joined_on(rng, born),
        phone=_phone(rng, phones),
        ethnicity=ethnicity,
        religion=religion(rng),
    )


_PARTY = _weighted({PartyStatus.none: 82.0, PartyStatus.introduced: 3.0, PartyStatus.member: 9.0})
_EDUCATION = _weighted(
    {
        Education.primary: 12.0,
        Education.lower_secondary: 46.0,
        Education.upper_secondary: 42.0,
    }
)
_QUALIFICATION = _weighted(
    {
        Qualification.none: 74.0,
        Qualification.elementary: 8.0,
        Qualification.intermediate: 7.0,
        Qualification.college: 5.0,
        Qualification.bachelor: 5.6,
        Qualification.master: 0.4,
    }
)
_OCCUPATION = _weighted(
    {
        "Nông nghiệp": 55.0,
        "Công nhân": 18.0,
        "Buôn bán, dịch vụ": 13.0,
        "Nội trợ": 8.0,
        "Giáo viên": 3.0,
        "Cán bộ, viên chức": 3.0,
    }
)


def _with_more(rng: Random, person: Person, place: str) -> Person:
    """The rest of a record, as far as the union knows it."""
    party = _PARTY(rng) if rng.random() < 0.94 else None
    studied = rng.random() < 0.9
    joined = None
    if party is PartyStatus.member and rng.random() < 0.8:
        joined = date(person.birth_year + rng.randint(21, 40), rng.randint(1, 12), 3)
    return person._replace(
        core=rng.random() < 0.3,
        citizen_id=_citizen_id(rng, person) if rng.random() < 0.95 else None,
        address=place if rng.random() < 0.9 else None,
        party=party,
        party_joined_on=joined if joined and joined <= AS_OF else None,
        education=_EDUCATION(rng) if studied else None,
        qualification=_QUALIFICATION(rng) if studied else None,
        occupation=_OCCUPATION(rng) if rng.random() < 0.9 else None,
    )


def _citizen_id(rng: Random, person: Person) -> str:
    """Well formed and of the province 000, which does not exist: nobody real has it."""
    century = 2 * (person.birth_year // 100 - 19)
    digit = century + (person.gender is Gender.female)
    return f"000{digit}{person.birth_year % 100:02}{rng.randrange(10**6):06}"


def _full_name(rng: Random, gender: Gender, ethnicity: str, birth_year: int) -> str:
    names = _names()
    surname = names.surnames.get(ethnicity, names.surnames["01"])(rng)
    cohorts = names.men if gender is Gender.male else names.women
    cohort = next(cohort for cohort in cohorts if birth_year <= cohort.until)
    middle, given = cohort.middle(rng), cohort.given(rng)
    while middle.endswith(given):  # nobody is called Thị Thu Thu
        given = cohort.given(rng)
    return f"{surname} {middle} {given}"


def _birthday(rng: Random) -> date:
    age = rng.randint(*_AGES(rng))
    return AS_OF - timedelta(days=int(age * 365.25) + rng.randint(1, 364))


def _as_known(rng: Random, born: date) -> str:
    """Partial ISO: of older women the union often knows the year only."""
    chance = rng.random()
    if chance < (0.40 if born.year < 1960 else 0.085):
        return f"{born:%Y}"
    return f"{born:%Y-%m}" if chance > 0.97 else born.isoformat()


def _joined_on(rng: Random, born: date) -> date | None:
    if rng.random() < 0.05:
        return None
    of_age = born + _EIGHTEEN_YEARS
    return of_age + (AS_OF - of_age) * rng.betavariate(1, 3)


def _phone(rng: Random, phones: list[str]) -> str | None:
    """About 8 % have none; one in nine uses another's, so one in five shares hers."""
    chance = rng.random()
    if chance < 0.08:
        return None
    if chance < 0.19 and phones:
        return rng.choice(phones)
    phones.append(f"+84{rng.choice(_MOBILE_PREFIXES)}{rng.randrange(10**7):07}")
    return phones[-1]
