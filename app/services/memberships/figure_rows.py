"""What figures count of the movement of members: spells that began and ended in a period.

By the rules of `movement`: what is inside a unit is no movement of it, and who was entered without
the day she joined is counted from the day she was entered.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.services.kernel.offers import Day, FigureRows
from app.services.memberships.movement import ENTERED
from app.statements import DayAfter, DayBefore


def _rows(day: Any, other_branch: Any, *further: Any) -> AnySelect:
    name = sa.select(col(Member.full_name)).where(col(Member.id) == col(Membership.member_id))
    return sa.select(
        col(Membership.branch_id).label("unit_id"),
        col(Membership.member_id).label("key"),
        col(Membership.id).label("row_id"),
        col(day).label("day"),
        name.scalar_subquery().label("title"),
        col(other_branch).label("other_unit_id"),
        *further,
    ).where(col(Membership.annulled_at).is_(None))


def _began(first: Day, last: Day) -> AnySelect:
    rows = _rows(Membership.valid_from, Membership.from_branch_id, col(Membership.joined_by))
    return rows.where(col(Membership.valid_from).between(first, last), sa.not_(ENTERED))


def _moved_in(first: Day, last: Day) -> AnySelect:
    """Of those that began what may have been in the unit before: few, by an index of their own."""
    return _began(first, last).where(_MOVED)


def _ended(first: Day, last: Day) -> AnySelect:
    """Who is no longer a member on a day of the period had her last day the day before it."""
    rows = _rows(
        Membership.valid_to,
        Membership.to_branch_id,
        col(Membership.left_by),
        col(Membership.reason),
    )
    gone = col(Membership.valid_to).between(DayBefore(first), DayBefore(last))
    return rows.where(gone, sa.not_(_BEFORE_COUNTED))


def _entered(first: Day, last: Day) -> AnySelect:
    rows = _rows(Membership.counted_from, Membership.from_branch_id)
    return rows.where(
        col(Membership.counted_from).between(first, last), ENTERED, sa.not_(_BEFORE_COUNTED)
    )


# Written out, as it is in the index.
_MOVED = sa.text("membership.joined_by IN ('transfer', 'reorganisation')")
# Ended by an act before counts have her. On the day itself she is entered, and leaves.
_BEFORE_COUNTED = sa.func.coalesce(
    DayAfter(col(Membership.valid_to)) < col(Membership.counted_from), sa.false()
)

FIGURES: Final = tuple(
    FigureRows(
        name=name,
        entity="member",
        right=Right.members_read,
        select=select,
        rolled_up={"membership": None},
    )
    for name, select in (
        ("began", _began),
        ("moved_in", _moved_in),
        ("ended", _ended),
        ("entered", _entered),
    )
)
