"""Which members the caller may see or change, by the level columns of the caller's grants' units."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from benchmarks.peer_drf.models import Grant

LEVELS = ("province", "commune", "branch")
SEE_EVERYTHING = frozenset({"province_officer", "district_officer", "commune_officer"})
MAY_WRITE = SEE_EVERYTHING | {"branch_head"}
SENSITIVE = ("ethnicity", "religion", "party", "party_joined_on")


@dataclass(frozen=True, slots=True)
class Scope:
    members: Q
    masked: tuple[str, ...]
    may_write: bool


def scope_of(request: Any) -> Scope:
    if settings.SCOPE_FROM == "claims":
        held = [(request.auth["role"], request.auth["level"], request.auth["unit"])]
    else:
        grants = Grant.objects.valid_on(timezone.localdate()).filter(account=request.user)
        held = [(g.role, g.unit.level, g.unit_id) for g in grants.select_related("unit")]
    members = Q(pk__in=[])
    for _, level, unit_id in held:
        if level in LEVELS:
            members |= Q(**{f"{level}_id": unit_id})
    roles = {role for role, _, _ in held}
    return Scope(
        members=members,
        masked=() if roles & SEE_EVERYTHING else SENSITIVE,
        may_write=bool(roles & MAY_WRITE),
    )
