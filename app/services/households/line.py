"""What the line of a household in lists shows of others: its head, its class, its last assessment."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.models.households.households import Household, PovertyClass
from app.models.members.members import Gender, Member
from app.services.members.following import Changed
from app.text import search_key, sort_key


def head_columns(
    person_id: UUID, name: str, given_name: str | None, gender: Gender | None
) -> dict[str, Any]:
    return {
        "head_id": person_id,
        "head_name": name,
        "sort_key": sort_key(name, given_name),
        "search_key": search_key(name, given_name),
        "female_headed": gender is Gender.female,
        "head_missing_since": None,
    }


def follow_members(session: Session, changed: Sequence[Changed]) -> None:
    """The household a member heads is listed by her name, and is headed by a woman or not."""
    shown = ("full_name", "given_name", "gender")
    name_heads(
        session, [now for old, now in changed if any(old[name] != now[name] for name in shown)]
    )


def name_heads(session: Session, members: Sequence[Mapping[str, Any]]) -> None:
    """Bring the households that these members head in step with their records."""
    heads = {member["id"]: member for member in members}
    if not heads:
        return
    headed = select(Household).where(col(Household.head_id).in_(heads)).order_by(col(Household.id))
    for household in session.exec(headed.with_for_update()):
        head = heads[household.head_id]
        columns = head_columns(head["id"], head["full_name"], head["given_name"], head["gender"])
        # The name of a head who has died is corrected, too; she heads it no more for that.
        del columns["head_missing_since"]
        for name, value in columns.items():
            setattr(household, name, value)
    session.flush()


def change_head(session: Session, person_id: UUID, member_id: UUID) -> None:
    """The human who heads these households is known under another id, by the name kept."""
    headed = select(Household).where(col(Household.head_id) == person_id)
    for household in session.exec(headed.with_for_update()):
        household.head_id = member_id
    kept = sa.select(
        col(Member.id), col(Member.full_name), col(Member.given_name), col(Member.gender)
    ).where(col(Member.id) == member_id)
    name_heads(session, [dict(row._mapping) for row in session.execute(kept)])


def show_assessment(
    household: Household, assessed_class: str | None, assessed_on: date | None
) -> None:
    """The last assessment that nobody has corrected, if there is one."""
    household.assessed_class, household.assessed_on = assessed_class, assessed_on


def show_class(
    household: Household, poverty_class: PovertyClass | None, since: date | None
) -> None:
    """The decision in force today, if there is one."""
    household.poverty_class, household.poverty_since = poverty_class, since
