"""The demo: the district of Cẩm Khê as it stood in 2024, with invented people.

`plan` decides everything from a seed, without a database; `load` writes it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache
from itertools import accumulate, chain, count, groupby, repeat
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Annotated, Any, Final, NamedTuple, TypeVar
from uuid import UUID

import sqlalchemy as sa
import yaml
from pydantic import PlainValidator
from sqlmodel import Session, SQLModel, select

from app.clock import utc_now
from app.models.access import Grant, Role
from app.models.accounts import Account, AccountKind, AccountStatus
from app.models.base import Input, Revised, new_id
from app.models.changes import ChangeSource
from app.models.members import Gender, Member, MemberKind, MemberStatus, Religion
from app.models.units import (
    AreaType,
    IdentifierScheme,
    Unit,
    UnitClosure,
    UnitEdge,
    UnitIdentifier,
    UnitLevel,
)
from app.services import changes
from app.text import name_key, search_key, sort_key, unit_sort_key

Row = dict[str, Any]
T = TypeVar("T")
Pick = Callable[[Random], T]

DATA: Final = Path(__file__).parent.parent / "data" / "demo"
DEFAULT_SEED: Final = 2024
# The day the people are described on: ages do not depend on when the demo is loaded.
AS_OF: Final = date(2024, 12, 31)
GRANTED_ON: Final = date(2022, 1, 1)
DISTRICT_MEMBERS: Final = 23_100
PROVINCE_MEMBERS: Final = 500_000
SMALL_MEMBERS: Final = 400
DISTRICT_BRANCHES: Final = 257
SAMPLE_COMMUNES: Final = 124
SAMPLE_BRANCHES: Final = 40
BRANCH_SIZE: Final = (30, 200)
CHUNK: Final = 2_000


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


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """An account to try; `what` says what she is who signs in with it."""

    username: str
    role: Role
    unit: str
    what: str


# Whom `hoiso demo` introduces; every other branch has a head, too.
_INTRODUCED: Final = (
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
        introduced = [account for account in _INTRODUCED if account.unit == self.slug]
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
        phones: list[str] = []
        return [_person(rng, phones) for _ in range(unit.members)]

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


# -- loading


@dataclass(frozen=True, slots=True)
class Demo:
    """`accounts` are those to introduce, all with the one password; the totals count everything."""

    accounts: tuple[DemoAccount, ...]
    units: int
    branches: int
    members: int
    accounts_total: int


def is_empty(session: Session) -> bool:
    return session.exec(select(Unit.id).limit(1)).first() is None


def load(
    session: Session,
    *,
    scale: Scale,
    password_hash: str,
    progress: Callable[[str, int, int], None],
    commit: Callable[[], None],
    seed: int = DEFAULT_SEED,
) -> Demo:
    """Fill an empty database.

    `commit` is called after the units and after each commune, so that SQLite's other writers get
    their turn; with a `commit` that does nothing the load is one transaction. `progress` gets the
    commune at work and how many members of how many are done.
    """
    planned = plan(scale, seed)
    now = utc_now()
    changes.attribute(session, changes.Origin(ChangeSource.demo))

    done, total = 0, planned.members
    progress(planned.units[0].name, done, total)
    _write_units(session, planned, now)
    above = [unit for unit in planned.units if unit.level is not UnitLevel.branch]
    accounts = _write_people(session, planned, above, password_hash, now)
    commit()
    branches = planned.at(UnitLevel.branch)
    for commune, in_commune in groupby(branches, attrgetter("parent")):
        units = list(in_commune)
        accounts += _write_people(session, planned, units, password_hash, now)
        done += sum(unit.members for unit in units)
        commit()
        progress(commune.name, done, total)

    titles = {unit.slug: unit.title for unit in planned.units}
    return Demo(
        accounts=tuple(replace(shown, unit=titles[shown.unit]) for shown in _INTRODUCED),
        units=len(planned.units),
        branches=len(branches),
        members=done,
        accounts_total=accounts,
    )


def _write_units(session: Session, planned: Plan, now: datetime) -> None:
    units = planned.units
    _insert(session, Unit, [_unit_row(unit) for unit in units], now)
    _insert(session, UnitEdge, [row for unit in units for row in _edge_rows(unit)], now)
    _insert(session, UnitClosure, [row for unit in units for row in _closure_rows(unit)], now)
    _insert(session, UnitIdentifier, [row for unit in units for row in _identifier_rows(unit)], now)
    if session.connection().dialect.name == "postgresql":
        # We chose the ids ourselves; the next unit must get the one after them.
        sequence = sa.func.pg_get_serial_sequence("unit", "id")
        session.connection().execute(sa.select(sa.func.setval(sequence, units[-1].id)))


def _write_people(
    session: Session,
    planned: Plan,
    units: Iterable[PlannedUnit],
    password_hash: str,
    now: datetime,
) -> int:
    """Members, accounts and grants of these units; returns the number of accounts."""
    members: list[Row] = []
    accounts: list[Row] = []
    grants: list[Row] = []
    for unit in units:
        people = [_member_row(person, unit) for person in planned.people(unit)]
        # Somebody of about 45 leads the branch; the next one is the member who may sign in.
        by_age = sorted(people, key=lambda row: abs(int(row["birth_year"]) - 1979))
        for account, holder in zip(unit.accounts, chain(by_age, repeat(None)), strict=False):
            name = holder["full_name"] if holder else planned.officer(account.username)
            row = _account_row(account, unit, name) | {
                "member_id": holder and holder["id"],
                "password_hash": password_hash,
            }
            accounts.append(row)
            grants.append(_grant_row(row["id"], unit, account.role))
        members += people
    _insert(session, Member, members, now)
    _insert(session, Account, accounts, now)
    _insert(session, Grant, grants, now)
    return len(accounts)


def _insert(session: Session, model: type[SQLModel], rows: list[Row], now: datetime) -> None:
    tracked = issubclass(model, Revised)
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        if tracked:
            chunk = [row | {"revision": 1, "created_at": now, "updated_at": now} for row in chunk]
        session.connection().execute(sa.insert(model), chunk)
        if tracked:
            changes.record_created(session, model, chunk)


# -- rows


def _unit_row(unit: PlannedUnit) -> Row:
    return {
        "id": unit.id,
        "level": unit.level,
        "name": unit.name,
        "name_key": name_key(unit.name),
        "sort_key": unit_sort_key(unit.name),
        "code": unit.code,
        "area_type": unit.area_type,
        "parent_id": unit.parent and unit.parent.id,
        **unit.path_ids,
        "opened_on": unit.opened_on,
        "closed_on": None,
        "phone": None,
        "email": None,
        "address": None,
    }


def _edge_rows(unit: PlannedUnit) -> Iterator[Row]:
    if unit.parent:
        yield {
            "unit_id": unit.id,
            "parent_id": unit.parent.id,
            "valid_from": max(unit.opened_on, unit.parent.opened_on),
            "valid_to": None,
        }


def _closure_rows(unit: PlannedUnit) -> Iterator[Row]:
    since = unit.opened_on
    for depth, ancestor in enumerate(unit.path):
        since = max(since, ancestor.opened_on)
        yield {
            "ancestor_id": ancestor.id,
            "descendant_id": unit.id,
            "depth": depth,
            "valid_from": since,
            "valid_to": None,
        }


def _identifier_rows(unit: PlannedUnit) -> Iterator[Row]:
    values = {IdentifierScheme.name: unit.name, IdentifierScheme.gso: unit.code}
    for scheme, value in values.items():
        if value:
            yield {
                "unit_id": unit.id,
                "scheme": scheme,
                "value": value,
                "valid_from": unit.opened_on,
                "valid_to": None,
            }


def _member_row(person: Person, branch: PlannedUnit) -> Row:
    path = branch.path_ids
    return {
        "id": new_id(),
        "province_id": path["province_id"],
        "commune_id": path["commune_id"],
        "branch_id": branch.id,
        **person._asdict(),
        "sort_key": sort_key(person.full_name),
        "search_key": search_key(person.full_name),
        "status": MemberStatus.active,
    }


def _account_row(account: DemoAccount, unit: PlannedUnit, display_name: str) -> Row:
    return {
        "id": new_id(),
        "kind": AccountKind.person,
        "username": account.username,
        "display_name": display_name,
        "status": AccountStatus.active,
        "unit_id": unit.id,
        "member_id": None,
        "password_hash": None,
        "secret_digest": None,
        "code_digest": None,
        "code_expires_at": None,
    }


def _grant_row(account_id: UUID, unit: PlannedUnit, role: Role) -> Row:
    return {
        "id": new_id(),
        "account_id": account_id,
        "unit_id": unit.id,
        "role": role,
        "valid_from": GRANTED_ON,
        "valid_to": None,
        "granted_by": None,
    }
