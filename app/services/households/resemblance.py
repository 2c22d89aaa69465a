"""Households of today that a new one may be: of the same code, or of the same head."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlmodel import Session, col

from app.models.households.households import Household, HouseholdCreate, Relation
from app.models.kernel.access import Right
from app.services.households import lists
from app.services.households.people import births_of_heads
from app.services.kernel.access import Actor, Db
from app.services.members.checks import Doubt
from app.services.members.persons import births_agree
from app.text import any_given


def of_codes(db: Db, actor: Actor, codes: Sequence[str]) -> list[Any]:
    """Those of one of these codes in the register of any commune."""
    return _open(db, actor, col(Household.code).in_(codes))


def of_head(db: Db, actor: Actor, branch_id: int, head: Mapping[str, Any]) -> list[Any]:
    """Those that this person (as a form names her) heads: a member anywhere; a non-member by name
    in the branch, unless the dates of birth differ."""
    if head.get("member_id") is not None:
        return _open(db, actor, col(Household.head_id) == UUID(str(head["member_id"])))
    if head.get("full_name") is None:
        return []
    named = col(Household.search_key).like(any_given(head["full_name"]))
    seen = _open(db, actor, col(Household.branch_id) == branch_id, named)
    if head.get("birth_date") is None or not seen:
        return seen
    births = births_of_heads(db, [each.id for each in seen])
    return [
        each
        for each in seen
        if births[each.id] is None or births_agree(births[each.id], head["birth_date"])
    ]


def _open(db: Db, actor: Actor, *those: Any) -> list[Any]:
    found = lists.known(db, col(Household.closed_on).is_(None), *those)
    return [each for each in found if actor.covers(Right.members_read, each)]


def doubts_about(
    session: Session, actor: Actor, household: Household, body: HouseholdCreate
) -> list[Doubt]:
    """Warnings about a household just entered."""
    return [
        *doubts_about_code(session, actor, household),
        *_of_head(session, actor, household, body),
    ]


def doubts_about_code(session: Session, actor: Actor, household: Household) -> Iterator[Doubt]:
    """The code is that of another household of the commune."""
    if household.code is None:
        return
    for other in of_codes(session, actor, [household.code]):
        if other.id != household.id and other.commune_id == household.commune_id:
            yield Doubt("code", "household_code_known", {"head": other.head_name})


def _of_head(
    session: Session, actor: Actor, household: Household, body: HouseholdCreate
) -> Iterator[Doubt]:
    for place, person in enumerate(body.people):
        if person.relation is not Relation.head:
            continue
        for other in of_head(session, actor, household.branch_id, person.model_dump()):
            if other.id != household.id:
                field = "member_id" if person.member_id else "full_name"
                told = {"code": other.code or "—", "head": other.head_name}
                yield Doubt(f"people/{place}/{field}", "household_head_known", told)
