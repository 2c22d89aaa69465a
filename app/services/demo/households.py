"""The households of the demo: people around its members, three yearly reviews, help, ways out."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

from dateutil.relativedelta import relativedelta

from app.models.base import new_id
from app.models.households.households import HouseholdEventKind, PovertyClass, Relation
from app.models.kernel.units import AreaType
from app.models.members.members import Gender
from app.models.poverty.poverty import AssessmentSource, StatusChange
from app.models.support.escape_paths import PathState
from app.models.support.support import SupportKind, SupportState, SupportUnit
from app.services.demo.homes import BELOW, DAY, OPENED, REVIEWS, STANDARD, Homes, Values
from app.services.poverty import standards
from app.services.poverty.classification import Facts, classify
from app.services.support import programmes
from app.text import search_key, sort_key

# Households of a member and of two; with the others in them about 3.2 people each.
_SECOND_MEMBER = 0.2
_OTHERS = ((0, 8), (1, 20), (2, 42), (3, 22), (4, 8))
# What a review makes of the class before: shares near those of a midland district.
_FIRST = ((PovertyClass.poor, 0.05), (PovertyClass.near_poor, 0.06))
_NEXT = {
    None: ((PovertyClass.poor, 0.003), (PovertyClass.near_poor, 0.006)),
    PovertyClass.poor: (
        (PovertyClass.poor, 0.52),
        (PovertyClass.near_poor, 0.2),
        (PovertyClass.escaped_poverty, 0.28),
    ),
    PovertyClass.near_poor: (
        (PovertyClass.near_poor, 0.55),
        (PovertyClass.poor, 0.05),
        (PovertyClass.escaped_near_poverty, 0.4),
    ),
    PovertyClass.escaped_poverty: ((PovertyClass.poor, 0.06), (PovertyClass.near_poor, 0.03)),
    PovertyClass.escaped_near_poverty: ((PovertyClass.near_poor, 0.05),),
}
_SURNAMES = ("Nguyễn", "Trần", "Lê", "Hà", "Đinh", "Phạm", "Hoàng")
_MEN = ("Văn Hùng", "Văn Nam", "Đức Anh", "Văn Thắng", "Minh Quân", "Văn Sơn")
_GIRLS = ("Thị Mai", "Thu Trang", "Ngọc Ánh", "Thị Hà", "Minh Châu")
_GIVEN = {
    "water": (SupportKind.gift, SupportUnit.piece, 2_500_000),
    "sanitation": (SupportKind.gift, SupportUnit.piece, 6_000_000),
    "housing_quality": (SupportKind.housing, SupportUnit.piece, 50_000_000),
    "housing_area": (SupportKind.housing, SupportUnit.piece, 40_000_000),
    "health_insurance": (SupportKind.health_card, SupportUnit.card, 970_000),
    "employment": (SupportKind.livelihood, SupportUnit.head, 15_000_000),
    "adult_education": (SupportKind.training, SupportUnit.place, 2_000_000),
}
_STEPS = ("Vay vốn nuôi bò sinh sản", "Khoan giếng, xây bể nước", "Học nghề may công nghiệp")


def add_homes(
    homes: Homes, members: Sequence[Values], area: AreaType | None, rng: Random, now: Any
) -> None:
    """The households of one branch; sets the household in each member's row."""
    waiting = list(members)
    reviewed: list[tuple[Values, list[PovertyClass | None]]] = []
    while waiting:
        own = [waiting.pop()]
        if waiting and rng.random() < _SECOND_MEMBER:
            own.append(waiting.pop())
        household = _home(homes, own, rng, now)
        history = drawn(rng)
        if any(history):
            reviewed.append((household, history))
    helped = False
    for household, history in reviewed:
        lacks = _reviews(homes, household, history, area, rng)
        _help(homes, household, lacks, rng)
        # Every branch takes on at least one household, a woman's where it can.
        wanted = household["female_headed"] or household is reviewed[-1][0]
        if not helped and wanted:
            helped = True
            _way_out(homes, household, history)


def _home(homes: Homes, own: Sequence[Values], rng: Random, now: Any) -> Values:
    head = own[0]
    household_id = new_id()
    others = rng.choices([n for n, _ in _OTHERS], [weight for _, weight in _OTHERS])[0]
    surname = rng.choice(_SURNAMES)
    head_is_he = others > 0 and rng.random() < 0.6
    people = [_member(own[0], Relation.spouse if head_is_he else Relation.head)]
    people += [_member(row, Relation.parent) for row in own[1:]]
    for number in range(others):
        husband = number == 0
        relation = Relation.child
        if husband:
            relation = Relation.head if head_is_he else Relation.other
        people.append(
            {
                "person_id": new_id(),
                "member_id": None,
                "full_name": f"{surname} {rng.choice(_MEN if husband else _MEN + _GIRLS)}",
                "birth_date": str(
                    head["birth_year"] - rng.randint(0, 6) if husband else 2024 - rng.randint(1, 22)
                ),
                "gender": Gender.male if husband else rng.choice((Gender.male, Gender.female)),
                "relation": relation,
            }
        )
    leads = next(person for person in people if person["relation"] is Relation.head)
    name = leads["full_name"] or head["full_name"]
    path = {level: head[level] for level in ("province_id", "commune_id", "branch_id")}
    for row in own:
        row["household_id"] = household_id
    household = {
        "id": household_id,
        **path,
        "code": f"{len(homes.households) + 1:04d}",
        "head_id": leads["person_id"],
        "head_name": name,
        "sort_key": sort_key(name),
        "search_key": search_key(name),
        "address": None,
        "area_type": None,
        "female_headed": not head_is_he,
        "ethnic_minority": head["ethnicity"] not in (None, "01", "55"),
        "merit": rng.random() < 0.03,
        "no_labour_capacity": rng.random() < 0.01,
        "person_count": len(people),
        "opened_on": OPENED,
        "closed_on": None,
        **dict.fromkeys(("poverty_class", "poverty_since", "assessed_class", "assessed_on")),
        **dict.fromkeys(("union_label", "union_label_on")),
    }
    homes.households.append(household)
    homes.places.append(
        {
            "household_id": household_id,
            "valid_from": OPENED,
            "valid_to": None,
            "branch_id": path["branch_id"],
            "province_id": path["province_id"],
            "address": None,
            "area_type": None,
        }
    )
    for person in people:
        homes.people.append(
            {
                "id": new_id(),
                "household_id": household_id,
                "province_id": path["province_id"],
                "valid_from": OPENED,
                "valid_to": None,
                "ended_by": None,
                **person,
            }
        )
    homes.events.append(
        {
            "id": new_id(),
            "household_id": household_id,
            "other_household_id": None,
            "province_id": path["province_id"],
            "kind": HouseholdEventKind.formed,
            "effective_on": OPENED,
            "before": None,
            "after": {"branch_id": path["branch_id"]},
            "note": None,
            "account_id": None,
            "at": now,
        }
    )
    return household


def _member(row: Values, relation: Relation) -> Values:
    return {
        "person_id": row["id"],
        "member_id": row["id"],
        "full_name": None,
        "birth_date": None,
        "gender": None,
        "relation": relation,
    }


# -- reviews


def drawn(rng: Random) -> list[PovertyClass | None]:
    """The class after each review; None where nothing was ever decided."""
    history: list[PovertyClass | None] = []
    before: PovertyClass | None = None
    for number, _ in enumerate(REVIEWS):
        shares = _NEXT[before] if number else _FIRST
        drawn = rng.random()
        after = before
        for class_, share in shares:
            drawn -= share
            if drawn < 0:
                after = class_
                break
        history.append(after)
        before = after
    return history


def _reviews(
    homes: Homes,
    household: Values,
    history: Sequence[PovertyClass | None],
    area: AreaType | None,
    rng: Random,
) -> tuple[str, ...]:
    """Each review with its assessment and decision; gives what was lacking at the last."""
    before: PovertyClass | None = None
    lacks: tuple[str, ...] = ()
    was_poor: set[PovertyClass] = set()
    for day, class_ in zip(REVIEWS, history, strict=True):
        decided = class_ is not None and (class_ in BELOW or class_ is not before)
        if not decided or class_ is None:
            continue
        assessment = _assessed(household, class_, area, day - timedelta(days=60), rng)
        homes.assessments.append(assessment)
        lacks = tuple(assessment["deprived"])
        if homes.statuses and homes.statuses[-1]["household_id"] == household["id"]:
            homes.statuses[-1]["valid_to"] = day - DAY
        homes.statuses.append(
            {
                "id": new_id(),
                "household_id": household["id"],
                **_path(household),
                "poverty_class": class_,
                "change": _change(before, class_, was_poor),
                "decision_number": f"{day.year % 100}{day.day}/QĐ-UBND",
                "decided_on": day,
                "valid_from": day,
                "valid_to": None,
                "standard": STANDARD,
                "causes": rng.sample(_CAUSES, rng.randint(1, 2)) if class_ in BELOW else [],
                "assessment_id": assessment["id"],
                "note": None,
                "annulled_on": None,
                "account_id": None,
            }
        )
        household["poverty_class"], household["poverty_since"] = class_, day
        household["assessed_class"] = assessment["poverty_class"].value
        household["assessed_on"] = assessment["assessed_on"]
        was_poor.add(class_)
        before = class_
    return lacks


_CAUSES = ("no_capital", "no_land", "no_labour", "no_knowledge", "illness_accident", "no_skills")


def _path(household: Values) -> Values:
    return {name: household[name] for name in ("province_id", "commune_id", "branch_id")}


def _change(
    before: PovertyClass | None, now: PovertyClass, seen: set[PovertyClass]
) -> StatusChange:
    if now not in BELOW:
        return StatusChange.escaped
    if before is now:
        return StatusChange.still
    if before in BELOW:
        poor = now is PovertyClass.poor
        return StatusChange.from_near_poor if poor else StatusChange.to_near_poor
    return StatusChange.relapsed if now in seen else StatusChange.new


def _assessed(
    household: Values, class_: PovertyClass, area: AreaType | None, day: date, rng: Random
) -> Values:
    rules = standards.catalogue().on(day)
    codes = list(rules.codes)
    lacking = {PovertyClass.poor: (3, 6), PovertyClass.near_poor: (0, 2)}.get(class_, (0, 1))
    deprived = set(rng.sample(codes, rng.randint(*lacking)))
    answers = {code: code in deprived for code in codes}
    place = area or AreaType.rural
    line = rules.standard.income_lines[place]["poor"]
    income = rng.randint(line // 3, line) if class_ in BELOW else rng.randint(line + 1, 2 * line)
    found = classify(rules, Facts(place, income, None, answers))
    return {
        "id": new_id(),
        "household_id": household["id"],
        **_path(household),
        "standard": rules.standard.id,
        "rule_version": found.rule_version,
        "assessed_on": day,
        "area_type": place,
        "income_per_person": income,
        "income_points": None,
        "answers": answers,
        "source": AssessmentSource.official_survey,
        "assessor": None,
        "witnesses": [],
        "evidence": [],
        "note": None,
        "poverty_class": found.class_,
        "deprived": list(found.deprived),
        "result": {
            "reasons": list(found.reasons),
            "missing": list(found.missing),
            "possible": [each.value for each in found.possible],
        },
        "corrects_id": None,
        "account_id": None,
    }


# -- help and ways out


def _help(homes: Homes, household: Values, lacks: Sequence[str], rng: Random) -> None:
    """Something against about half of what is lacking: the rest is for the gap list."""
    for deprivation in lacks:
        if deprivation not in _GIVEN or rng.random() < 0.5:
            continue
        kind, unit, value = _GIVEN[deprivation]
        homes.support.append(
            {
                "id": new_id(),
                "household_id": household["id"],
                **_path(household),
                "kind": kind,
                "programme": None,
                "deprivation": deprivation,
                "provider": "Hội LHPN xã",
                "given_on": REVIEWS[-1] + timedelta(days=rng.randint(10, 300)),
                "quantity": 1,
                "quantity_unit": unit,
                "value_vnd": value,
                "state": SupportState.approved,
                **dict.fromkeys(_UNSAID),
            }
        )


_UNSAID = (
    *("ends_on", "as_of", "source", "child_id", "guardian_consent_on", "note"),
    *("proposed_by", "decided_by", "decided_at", "reason"),
)


def _way_out(homes: Homes, household: Values, history: Sequence[PovertyClass | None]) -> None:
    """A path opened after the first decision; closed where the household has escaped since."""
    since = next(day for day, class_ in zip(REVIEWS, history, strict=True) if class_)
    opened_on = since + timedelta(days=40)
    escaped = [
        day
        for day, class_ in zip(REVIEWS, history, strict=True)
        if day > since and class_ is not None and class_ not in BELOW
    ]
    path = {
        "id": new_id(),
        "household_id": household["id"],
        "province_id": household["province_id"],
        "helper_id": household["branch_id"],
        "opened_on": opened_on,
        "target_on": opened_on + relativedelta(months=36),
        "state": PathState.escaped if escaped else PathState.open,
        "closed_on": escaped[0] if escaped else None,
        "note": None,
        "account_id": None,
    }
    homes.paths.append(path)
    homes.steps += _steps(path, bool(escaped))
    if escaped:
        homes.checks += list(_checks(path, escaped[0]))


def _steps(path: Values, all_done: bool) -> list[Values]:
    return [
        {
            "id": new_id(),
            "path_id": path["id"],
            "household_id": path["household_id"],
            "province_id": path["province_id"],
            "title": title,
            "deprivation": None,
            "responsible": "Chi hội trưởng",
            "responsible_member_id": None,
            "due_on": path["opened_on"] + relativedelta(months=10 * (number + 1)),
            "done_on": path["opened_on"] + relativedelta(months=9)
            if all_done or number == 0
            else None,
            "note": None,
        }
        for number, title in enumerate(_STEPS)
    ]


def _checks(path: Values, escaped_on: date) -> Iterator[Values]:
    for months in programmes.catalogue().escape_check_months:
        yield {
            "id": new_id(),
            "path_id": path["id"],
            "household_id": path["household_id"],
            "province_id": path["province_id"],
            "months": months,
            "due_on": escaped_on + relativedelta(months=months),
            "done_on": None,
            "outcome": None,
            "note": None,
        }
