"""What figures count of members: who is in a branch on a day, with the record of that day."""

from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.services.kernel.offers import Day, FigureRows, RecordedThen
from app.services.members.record import MASKS
from app.services.units.units import counts_on


def _standing(_: Day, last: Day) -> AnySelect:
    return (
        sa.select(
            col(Membership.branch_id).label("unit_id"),
            col(Member.id).label("key"),
            col(Membership.id).label("row_id"),
            col(Membership.valid_from).label("day"),
            col(Member.full_name).label("title"),
            col(Member.created_at).label("recorded_at"),
            (sa.cast(sa.extract("year", last), sa.Integer) - col(Member.birth_year)).label("age"),
            *(col(getattr(Member, name)).label(name) for name in _FIELDS),
        )
        .join(Member, col(Member.id) == col(Membership.member_id))
        .where(counts_on(last))
    )


def _annulled(_: date, last: date) -> AnySelect:
    """Memberships that were taken back, and those whose first day nobody knows, before they count."""
    annulled = col(Membership.annulled_at).is_not(None)
    return sa.select(
        col(Membership.branch_id).label("unit_id"),
        sa.case((annulled, "annulled"), else_="not_counted_yet").label("reason"),
    ).where(
        col(Membership.valid_from) <= last,
        sa.or_(col(Membership.valid_to).is_(None), col(Membership.valid_to) >= last),
        sa.or_(annulled, col(Membership.counted_from) > last),
    )


def _branches_of(member_ids: Sequence[UUID]) -> AnySelect:
    """Where any of them ever was."""
    branches: AnySelect = sa.select(col(Membership.branch_id)).distinct()
    return branches.where(col(Membership.member_id).in_(member_ids))


_FIELDS: Final = ("birth_date", "gender", "kind", "core", "ethnicity", "religion", "party")

FIGURES: Final = (
    FigureRows(
        name="members",
        entity="member",
        right=Right.members_read,
        select=_standing,
        masks={name: MASKS[name] for name in _FIELDS if name in MASKS},
        then=RecordedThen(
            model=Member,
            fields=_FIELDS,
            derived={"age": lambda record, day: day.year - int(record["birth_date"][:4])},
        ),
        excluded=_annulled,
        rolled_up={"membership": None, "member": _branches_of},
        once=True,
    ),
)
