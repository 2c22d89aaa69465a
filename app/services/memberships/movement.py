"""How many members a unit had, gained and lost over any period, from their spells.

The unit is that of the period's last day: its branches of that day, with those that had closed
before where they stood last. They are the same for the whole period, so that

    closing = opening + admitted + transferred_in - transferred_out - left - died

holds for any unit and any period, whatever was merged or moved meanwhile.
"""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect, one_moment
from app.errors import invalid, not_found
from app.models.kernel.access import Right
from app.models.kernel.units import LEVELS_BUT_GROUP, Unit, UnitClosure, UnitLevel, UnitRef
from app.models.members.members import Member
from app.models.members.spells import (
    DepartureReason,
    Honorary,
    Joined,
    Left,
    Membership,
    MembershipMovement,
    MovementQuery,
)
from app.services.kernel.access import Actor, Db, ensure, require_somewhere
from app.services.units.reading import standing
from app.services.units.units import find_visible, valid_on

_DAY = timedelta(days=1)


def movement(
    db: Connection, actor: Actor, unit_id: int, query: MovementQuery
) -> MembershipMovement:
    """Opening, closing and everything between, in people."""
    unit = _access(db, actor, unit_id)
    today = local_today()
    first, last = query.from_, query.to or today
    if last > today:
        raise invalid("date_in_future", "/to", place="query")
    if first > last:
        raise invalid("dates_reversed", "/to", place="query")
    branches = (
        standing(UnitClosure, col(UnitClosure.descendant_id).label("id"), last, closed=True)
        .where(col(UnitClosure.ancestor_id) == unit.id)
        .distinct()
        .cte("branches")
    )
    before = first - _DAY
    with one_moment(db):
        opening, closing = _stock(db, branches, before, last)
        honorary = _stock(db, branches, before, last, _HONORARY)
        began, ended, reasons = _flows(db, branches, first, last)
    return MembershipMovement.model_validate(
        {
            "unit": UnitRef.model_validate(unit),
            "from": first,
            "to": last,
            "opening": opening,
            "admitted": began[Joined.admission, False] + began[Joined.readmission, False],
            "readmitted": began[Joined.readmission, False],
            "transferred_in": began[Joined.transfer, False],
            "transferred_out": ended[Left.transfer, False],
            "left": ended[Left.departure, False],
            "died": ended[Left.death, False],
            "closing": closing,
            "transferred_within": began[Joined.transfer, True],
            "by_reason": {reason: reasons[reason] for reason in DepartureReason},
            "of_which_honorary": Honorary(opening=honorary[0], closing=honorary[1]),
        }
    )


def _access(db: Db, actor: Actor, unit_id: int) -> Unit:
    unit = find_visible(db, actor, unit_id)
    if unit is None:
        require_somewhere(db, actor, Right.units_read)
        raise not_found()
    ensure(db, actor, Right.members_read, unit, seen_with=Right.units_read)
    if unit.level is UnitLevel.group:
        raise invalid("unit_level_wrong", "/unit_id", place="path", expected=LEVELS_BUT_GROUP)
    return unit


def _stock(
    db: Db, branches: sa.CTE, before: date, last: date, *only: sa.ColumnElement[bool]
) -> tuple[int, int]:
    """People in the branches on the two days: on the eve of the period, and at its end."""
    row = db.execute(
        sa.select(*(sa.func.count().filter(valid_on(Membership, day)) for day in (before, last)))
        .select_from(Membership)
        .where(
            col(Membership.branch_id).in_(sa.select(branches.c.id)),
            col(Membership.annulled_at).is_(None),
            col(Membership.valid_from) <= last,
            sa.or_(col(Membership.valid_to).is_(None), col(Membership.valid_to) >= before),
            *only,
        )
    ).one()
    return row[0], row[1]


# Written out, as it is in the index that holds them alone.
_HONORARY = col(Membership.member_id).in_(
    sa.select(col(Member.id)).where(sa.text("member.kind = 'honorary'"))
)
Began = Counter[tuple[Joined, bool]]
Ended = Counter[tuple[Left, bool]]


def _flows(
    db: Db, branches: sa.CTE, first: date, last: date
) -> tuple[Began, Ended, Counter[DepartureReason]]:
    """How many spells began and ended how, inside the unit (true) or across its border."""
    began: Began = Counter()
    ended: Ended = Counter()
    reasons: Counter[DepartureReason] = Counter()
    rows = db.execute(
        _spells(branches, Membership.joined_by, Membership.from_branch_id).where(
            col(Membership.valid_from).between(first, last)
        )
    )
    for by, inside, _, people in rows:
        began[by, bool(inside)] += people
    # Who is no longer a member on one of these days had her last day the day before.
    rows = db.execute(
        _spells(branches, Membership.left_by, Membership.to_branch_id).where(
            col(Membership.valid_to).between(first - _DAY, last - _DAY)
        )
    )
    for by, inside, reason, people in rows:
        ended[by, bool(inside)] += people
        if reason is not None:
            reasons[reason] += people
    return began, ended, reasons


def _spells(branches: sa.CTE, how: Any, other_branch: Any) -> AnySelect:
    # Not an outer join: SQLite would walk all branches for each spell.
    inside = sa.type_coerce(other_branch.in_(sa.select(branches.c.id)), sa.Boolean).label("inside")
    return (
        sa.select(how, inside, col(Membership.reason), sa.func.count())
        .join(branches, branches.c.id == col(Membership.branch_id))
        .where(col(Membership.annulled_at).is_(None))
        .group_by(how, inside, col(Membership.reason))
    )
