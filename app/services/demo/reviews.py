"""Three yearly reviews of the demo's households: assessments, decisions."""

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random

from app.models.base import new_id
from app.models.households.households import PovertyClass
from app.models.kernel.units import AreaType
from app.models.poverty.poverty import AssessmentSource, StatusChange
from app.services.demo.homes import BELOW, DAY, REVIEWS, STANDARD, Homes, Values
from app.services.poverty import standards
from app.services.poverty.classification import Facts, classify

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


def add_reviews(
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
                **path_of(household),
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


def path_of(household: Values) -> Values:
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
        **path_of(household),
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
