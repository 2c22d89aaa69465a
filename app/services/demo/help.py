"""What the demo's households are given, and their ways out of poverty."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random

from dateutil.relativedelta import relativedelta

from app.models.base import new_id
from app.models.households.households import PovertyClass
from app.models.support.escape_paths import PathState
from app.models.support.support import SupportKind, SupportState, SupportUnit
from app.services.demo.homes import BELOW, REVIEWS, Homes, Values
from app.services.demo.reviews import path_of
from app.services.support import programmes

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


def add_help(homes: Homes, household: Values, lacks: Sequence[str], rng: Random) -> None:
    """Something against about half of what is lacking: the rest is for the gap list."""
    for deprivation in lacks:
        if deprivation not in _GIVEN or rng.random() < 0.5:
            continue
        kind, unit, value = _GIVEN[deprivation]
        homes.support.append(
            {
                "id": new_id(),
                "household_id": household["id"],
                **path_of(household),
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


def add_path(homes: Homes, household: Values, history: Sequence[PovertyClass | None]) -> None:
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
