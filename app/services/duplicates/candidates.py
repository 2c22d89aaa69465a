"""Candidates as they are shown: what an actor may know of who may be the same person."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.models.duplicates.duplicates import REASONS, Reason
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.services.duplicates import scores
from app.services.duplicates.compared import SUGGESTED, Candidate
from app.services.kernel.access import Actor, Db

# The right it takes to learn that a number is the same.
_RIGHT_OF = {
    Reason.phone_same: Right.members_phone,
    Reason.citizen_id_same: Right.members_citizen_id,
    Reason.citizen_id_differs: Right.members_citizen_id,
    Reason.id_card_same: Right.members_citizen_id,
}


# The sensitive field that a reason reveals, for the access log.
Told = list[dict[str, Any]]


def told(db: Db, actor: Actor, found: Sequence[Candidate], pairs: Mapping[UUID, UUID]) -> Told:
    """Candidates as CandidateRead. Of who is out of scope no more than was asked with."""
    return _with_units(db, [_told(actor, found, pairs)])[0]


def told_many(db: Db, actor: Actor, lists: Sequence[Sequence[Candidate]]) -> list[Told]:
    """As `told`, of many people who are not on record."""
    return _with_units(db, [_told(actor, found, {}) for found in lists])


def _with_units(db: Db, lists: Sequence[Told]) -> list[Told]:
    units = units_by_id(db, {each["unit"] for shown in lists for each in shown})
    return [[each | {"unit": units[each["unit"]]} for each in shown] for shown in lists]


def _covers(actor: Actor, row: Candidate, right: Right) -> bool:
    return actor.covers(right, row)


def _told(actor: Actor, found: Sequence[Candidate], pairs: Mapping[UUID, UUID]) -> Told:
    shown: Told = []
    for each in found:
        in_scope = actor.covers(Right.members_read, each)
        reasons = (
            allowed(each.reasons, partial(_covers, actor, each))
            if in_scope
            else _reasons_elsewhere(actor, each)
        )
        score = scores.score_of(reasons)
        if not reasons or (in_scope and score < SUGGESTED):
            continue
        shown.append(
            {
                "score": score,
                "reasons": reasons_read(reasons),
                "masked": not in_scope,
                "unit": each.commune_id or each.province_id,
                "member_id": each.member_id if in_scope else None,
                "full_name": each.full_name if in_scope else None,
                "birth_date": each.birth_date if in_scope else None,
                "branch_id": each.branch_id if in_scope else None,
                "status": each.status if in_scope else None,
                "pair_id": pairs.get(each.member_id),
            }
        )
    return shown


def _reasons_elsewhere(actor: Actor, each: Candidate) -> list[Reason]:
    """Only for those who enter people, so that nobody is entered twice."""
    if not actor.reach(Right.members_write):
        return []
    return allowed(scores.telling(each.reasons), lambda right: bool(actor.reach(right)))


def allowed(reasons: Iterable[Reason], holds: Callable[[Right], bool]) -> list[Reason]:
    return [each for each in reasons if each not in _RIGHT_OF or holds(_RIGHT_OF[each])]


def reasons_read(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    return [
        {
            "code": reason,
            "points": REASONS[reason].points,
            "text_vi": REASONS[reason].vi,
            "text_en": REASONS[reason].en,
        }
        for reason in reasons
    ]


def units_by_id(db: Db, unit_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    wanted = sorted(unit_ids)
    if not wanted:
        return {}
    rows = db.execute(
        sa.select(col(Unit.id), col(Unit.level), col(Unit.name)).where(col(Unit.id).in_(wanted))
    )
    return {row.id: dict(row._mapping) for row in rows}
