"""The people of the demo: drawn from a seed, with the frequencies of real names and years."""

from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from app.models.members.members import (
    Education,
    Gender,
    MemberKind,
    PartyStatus,
    Qualification,
    Religion,
)
from app.services.demo.draws import (
    AS_OF,
    name_lists,
    weighted,
)


class DemoPerson(NamedTuple):
    full_name: str
    birth_date: str
    birth_year: int
    gender: Gender
    kind: MemberKind
    joined_on: str | None
    phone: str | None
    ethnicity: str
    religion: Religion
    core: bool = False
    citizen_id: str | None = None
    address: str | None = None
    party: PartyStatus | None = None
    party_joined_on: str | None = None
    education: Education | None = None
    qualification: Qualification | None = None
    occupation: str | None = None


_ETHNICITY = weighted({"01": 96.0, "04": 2.8, "02": 0.5, "09": 0.4, "03": 0.3})


_RELIGION_OF_KINH = weighted(
    {
        Religion.none: 63.0,
        Religion.catholic: 28.0,
        Religion.undeclared: 5.5,
        Religion.buddhist: 3.3,
        Religion.protestant: 0.2,
    }
)


_RELIGION_OF_OTHERS = weighted(
    {Religion.none: 88.0, Religion.undeclared: 7.0, Religion.catholic: 5.0}
)


_AGES = weighted(
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


def person(rng: Random, phones: list[str]) -> DemoPerson:
    """`phones` are those met so far in her branch; a new one is added."""
    honorary = rng.random() < 0.01
    gender = Gender.male if honorary and rng.random() < 0.5 else Gender.female
    ethnicity = _ETHNICITY(rng)
    religion = _RELIGION_OF_KINH if ethnicity == "01" else _RELIGION_OF_OTHERS
    born = _birthday(rng)
    return DemoPerson(
        full_name=full_name(rng, gender, ethnicity, born.year),
        birth_date=_as_known(rng, born),
        birth_year=born.year,
        gender=gender,
        kind=MemberKind.honorary if honorary else MemberKind.regular,
        joined_on=_joined_on(rng, born),
        phone=_phone(rng, phones),
        ethnicity=ethnicity,
        religion=religion(rng),
    )


_PARTY = weighted({PartyStatus.none: 82.0, PartyStatus.introduced: 3.0, PartyStatus.member: 9.0})


_EDUCATION = weighted(
    {
        Education.primary: 12.0,
        Education.lower_secondary: 46.0,
        Education.upper_secondary: 42.0,
    }
)


_QUALIFICATION = weighted(
    {
        Qualification.none: 74.0,
        Qualification.elementary: 8.0,
        Qualification.intermediate: 7.0,
        Qualification.college: 5.0,
        Qualification.bachelor: 5.6,
        Qualification.master: 0.4,
    }
)


_OCCUPATION = weighted(
    {
        "Nông nghiệp": 55.0,
        "Công nhân": 18.0,
        "Buôn bán, dịch vụ": 13.0,
        "Nội trợ": 8.0,
        "Giáo viên": 3.0,
        "Cán bộ, viên chức": 3.0,
    }
)


def with_more(rng: Random, person: DemoPerson, place: str) -> DemoPerson:
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
        party_joined_on=joined.isoformat() if joined and joined <= AS_OF else None,
        education=_EDUCATION(rng) if studied else None,
        qualification=_QUALIFICATION(rng) if studied else None,
        occupation=_OCCUPATION(rng) if rng.random() < 0.9 else None,
    )


def _citizen_id(rng: Random, person: DemoPerson) -> str:
    """Well formed and of the province 000, which does not exist: nobody real has it."""
    century = 2 * (person.birth_year // 100 - 19)
    digit = century + (person.gender is Gender.female)
    return f"000{digit}{person.birth_year % 100:02}{rng.randrange(10**6):06}"


def full_name(rng: Random, gender: Gender, ethnicity: str, birth_year: int) -> str:
    names = name_lists()
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


def _joined_on(rng: Random, born: date) -> str | None:
    if rng.random() < 0.05:
        return None
    of_age = born + _EIGHTEEN_YEARS
    joined: date = of_age + (AS_OF - of_age) * rng.betavariate(1, 3)
    return joined.isoformat()


def _phone(rng: Random, phones: list[str]) -> str | None:
    """About 8 % have none; one in nine uses another's, so one in five shares hers."""
    chance = rng.random()
    if chance < 0.08:
        return None
    if chance < 0.19 and phones:
        return rng.choice(phones)
    phones.append(f"+84{rng.choice(_MOBILE_PREFIXES)}{rng.randrange(10**7):07}")
    return phones[-1]
