"""Spells of members in branches: begun, ended and corrected here and nowhere else."""

from datetime import date

from sqlmodel import Session

from app.clock import utc_now
from app.models.members import Member
from app.models.memberships import Joined, Membership
from app.models.units import Unit


def first_day(joined_on: date | None, branch: Unit) -> date:
    """When the first spell of a record begins: the day she joined, but not before the branch
    opened; an unknown join date lies before everything that is recorded."""
    return max(joined_on or branch.opened_on, branch.opened_on)


def begin(
    session: Session,
    member: Member,
    *,
    since: date,
    by: Joined,
) -> Membership:
    """Open a spell in the branch the member stands in."""
    now = utc_now()
    spell = Membership(
        member_id=member.id,
        branch_id=member.branch_id,
        province_id=member.province_id,
        valid_from=since,
        joined_by=by,
        created_at=now,
        updated_at=now,
    )
    session.add(spell)
    session.flush()
    return spell
