"""The households of a branch that is merged or split: they live where they lived."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import chunks, insert_many
from app.models.households.households import Household, HouseholdPlace
from app.services.households.standing import STAYS
from app.services.kernel import changes, provinces
from app.services.members import facts_of_days
from app.services.members.spells import DAY
from app.services.units.followers import Handover, changed_since
from app.services.units.rows import unit_of
from app.services.units.tree import place_of

_PLACE = [getattr(HouseholdPlace, name) for name in HouseholdPlace.model_fields]
_Rows = list[dict[str, Any]]


def hand_over(session: Session, handover: Handover) -> list[str]:
    """Their last places end, and the other branch is the next; returns the ids of the households."""
    ended = _places(
        session,
        col(HouseholdPlace.branch_id).in_(handover.from_ids),
        col(HouseholdPlace.valid_to).is_(None),
    )
    if handover.only is not None:
        ended = [place for place in ended if place["household_id"] in handover.only.household_ids]
    ids = [place["household_id"] for place in ended]
    _end_on(session, ids, None, handover.since - DAY)
    heir = unit_of(session, handover.to_id)
    following = {
        "branch_id": heir.id,
        "province_id": heir.province_id,
        "valid_from": handover.since,
    }
    insert_many(session, HouseholdPlace, [{**place, **following} for place in ended])
    _stand_in(session, ids, handover.to_id)
    facts_of_days.follow(session, handover, STAYS)
    return [str(each) for each in ids]


def hand_back(session: Session, handover: Handover, kept: Sequence[str]) -> None:
    """Their places before last again; 409 when a household has moved or closed since."""
    last, to = handover.since - DAY, handover.to_id
    before: _Rows = []
    came: _Rows = []
    ids = [UUID(each) for each in kept]
    for chunk in chunks(ids):
        theirs = col(HouseholdPlace.household_id).in_(chunk)
        began = col(HouseholdPlace.valid_from) == handover.since
        lasts = col(HouseholdPlace.valid_to).is_(None)
        before += _places(session, theirs, col(HouseholdPlace.valid_to) == last)
        came += _places(session, theirs, began, lasts, col(HouseholdPlace.branch_id) == to)
    if not len(came) == len(before) == len(ids):
        raise changed_since("household")
    for chunk in chunks(ids):
        session.connection().execute(
            sa.delete(HouseholdPlace).where(
                col(HouseholdPlace.household_id).in_(chunk),
                col(HouseholdPlace.valid_from) == handover.since,
            )
        )
    _end_on(session, ids, last, None)
    for branch_id in handover.from_ids:
        theirs_before = [row["household_id"] for row in before if row["branch_id"] == branch_id]
        _stand_in(session, theirs_before, branch_id)
    facts_of_days.follow(session, handover, STAYS)


def _places(session: Session, *which: sa.ColumnElement[bool]) -> _Rows:
    rows = session.connection().execute(
        sa.select(*_PLACE)
        .where(*which)
        .order_by(col(HouseholdPlace.household_id))
        .with_for_update()
    )
    return [row._asdict() for row in rows]


def _end_on(session: Session, ids: Sequence[UUID], was: date | None, last: date | None) -> None:
    """The places of these households that ended on the one day end on the other."""
    for chunk in chunks(ids):
        session.connection().execute(
            sa.update(HouseholdPlace)
            .where(
                col(HouseholdPlace.household_id).in_(chunk),
                col(HouseholdPlace.valid_to).is_not_distinct_from(was),
            )
            .values(valid_to=last)
        )


def _stand_in(session: Session, ids: Sequence[UUID], branch_id: int) -> None:
    place = place_of(unit_of(session, branch_id))
    for chunk in chunks(ids):
        going = col(Household.id).in_(chunk)
        rows = changes.move_many(session, Household, going, place)
        provinces.follow_moved(session, Household, [branch_id], rows, place["province_id"])
