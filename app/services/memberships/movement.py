"""How many members a unit had, gained and lost over any period, from their spells.

The unit is that of the period's last day: its branches of that day, with those that had closed
before where they stood last. They are the same for the whole period, so that

    closing = opening + admitted + entered_undated + transferred_in - transferred_out - left - died

holds for any unit and any period, whatever was merged or moved meanwhile. Who was entered without
the day she joined counts from the day she was entered (`Membership.counted_from`): what happened to
her before is no movement, and no period that is over changes.
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
from app.services.units.units import counts_on, find_visible

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
            "entered_undated": _entered(db, branches, first, last),
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
        sa.select(*(sa.func.count().filter(counts_on(day)) for day in (before, last)))
        .select_from(Membership)
        .where(
            col(Membership.branch_id).in_(sa.select(branches.c.id)),
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
            col(Membership.valid_from).between(first, last), sa.not_(_ENTERED)
        )
    )
    for by, inside, _, people in rows:
        began[by, bool(inside)] += people
    # Who is no longer a member on one of these days had her last day the day before.
    counted = col(Membership.counted_from)
    since = sa.case((counted.is_not(None), col(Membership.valid_to)))
    rows = db.execute(
        _spells(branches, Membership.left_by, Membership.to_branch_id, counted, since).where(
            col(Membership.valid_to).between(first - _DAY, last - _DAY)
        )
    )
    for by, inside, reason, people, day, valid_to in rows:
        if not _is_before(valid_to, day):
            ended[by, bool(inside)] += people
            if reason is not None:
                reasons[reason] += people
    return began, ended, reasons


# Not begun by an act: she was there already when she was entered.
_ENTERED = sa.and_(
    col(Membership.counted_from).is_not(None),
    sa.or_(
        col(Membership.valid_from) < col(Membership.counted_from),
        sa.and_(
            col(Membership.valid_from) == col(Membership.counted_from),
            col(Membership.joined_by) == Joined.admission,
        ),
    ),
)


def _entered(db: Db, branches: sa.CTE, first: date, last: date) -> int:
    """Who was entered in the period, wherever she stood then, without the day she joined."""
    counted, ended = col(Membership.counted_from), col(Membership.valid_to)
    rows = db.execute(
        sa.select(counted, ended, sa.func.count())
        .join(branches, branches.c.id == col(Membership.branch_id))
        .where(counted.between(first, last), _ENTERED, col(Membership.annulled_at).is_(None))
        .group_by(counted, ended)
    )
    return sum(people for day, valid_to, people in rows if not _is_before(valid_to, day))


def _is_before(valid_to: date | None, counted_from: date | None) -> bool:
    """Whether a spell ended by an act before counts have her. On the day itself she is entered, and
    leaves."""
    return valid_to is not None and counted_from is not None and valid_to + _DAY < counted_from


def _spells(branches: sa.CTE, how: Any, other_branch: Any, *further: Any) -> AnySelect:
    # Not an outer join: SQLite would walk all branches for each spell.
    inside = sa.type_coerce(other_branch.in_(sa.select(branches.c.id)), sa.Boolean).label("inside")
    columns = (how, inside, col(Membership.reason))
    return (
        sa.select(*columns, sa.func.count(), *further)
        .join(branches, branches.c.id == col(Membership.branch_id))
        .where(col(Membership.annulled_at).is_(None))
        .group_by(*columns, *further)
    )
