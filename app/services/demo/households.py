"""The households of the demo: people around its members."""

from collections.abc import Sequence
from random import Random
from typing import Any

from app.models.base import new_id
from app.models.households.households import HouseholdEventKind, PovertyClass, Relation
from app.models.kernel.units import AreaType
from app.models.members.members import Gender
from app.services.demo.help import add_help, add_path
from app.services.demo.homes import OPENED, Homes, Values
from app.services.demo.reviews import add_reviews, drawn
from app.text import search_key, sort_key

# Households of a member and of two; with the others in them about 3.2 people each.
_SECOND_MEMBER = 0.2
_OTHERS = ((0, 8), (1, 20), (2, 42), (3, 22), (4, 8))
_SURNAMES = ("Nguyễn", "Trần", "Lê", "Hà", "Đinh", "Phạm", "Hoàng")
_MEN = ("Văn Hùng", "Văn Nam", "Đức Anh", "Văn Thắng", "Minh Quân", "Văn Sơn")
_GIRLS = ("Thị Mai", "Thu Trang", "Ngọc Ánh", "Thị Hà", "Minh Châu")


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
        lacks = add_reviews(homes, household, history, area, rng)
        add_help(homes, household, lacks, rng)
        # Every branch takes on at least one household, a woman's where it can.
        wanted = household["female_headed"] or household is reviewed[-1][0]
        if not helped and wanted:
            helped = True
            add_path(homes, household, history)


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
