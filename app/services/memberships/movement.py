"""How many members a unit had, gained and lost over any period, from their spells.

The unit is that of one tree for the whole period (`units/hierarchy`), by default as it was on the
last day, so that

    closing = opening + admitted + entered_undated + transferred_in + reorganised_in
        - transferred_out - reorganised_out - left - died

holds for any unit and any period, whatever was merged or moved meanwhile. Who was entered without
the day she joined counts from the day she was entered (`Membership.counted_from`): what happened to
her before is no movement, and no period that is over changes.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect, one_moment
from app.errors import invalid, not_found
from app.models.kernel.access import Right
from app.models.kernel.units import LEVELS_BUT_GROUP, Unit, UnitLevel, UnitRef
from app.models.members.members import Member
from app.models.members.spells import (
    DepartureReason,
    Honorary,
    Joined,
    Left,
    Membership,
    MembershipMovement,
    MovementBy,
    MovementFigures,
    MovementQuery,
)
from app.services.kernel.access import Actor, Db, ensure, require_somewhere
from app.services.units import hierarchy
from app.services.units.hierarchy import UnitTree
from app.services.units.units import counts_on, find_visible

_DAY = timedelta(days=1)


def movement(
    db: Connection, actor: Actor, unit_id: int, query: MovementQuery
) -> MembershipMovement:
    """Opening, closing and everything between, in people: of the unit, and of each part asked for."""
    unit = _access(db, actor, unit_id)
    today = local_today()
    first, last = query.from_, query.to or today
    if last > today:
        raise invalid("date_in_future", "/to", place="query")
    if first > last:
        raise invalid("dates_reversed", "/to", place="query")
    tree = hierarchy.chosen(query.hierarchy) or hierarchy.as_was(last)
    hierarchy.ensure_held(db, actor, Right.members_read, [unit.id], tree, last)
    with one_moment(db):
        whole = _Counted(db, _branches(unit, tree, None), first, last).of(unit.id)
        parts = [] if query.by is None else _parts(db, unit, tree, first, last, query.by)
    return MembershipMovement.model_validate(
        {
            "unit": UnitRef.model_validate(unit),
            "from": first,
            "to": last,
            **whole,
            "by": query.by,
            "items": parts,
        }
    )


def _parts(
    db: Db, unit: Unit, tree: UnitTree, first: date, last: date, by: MovementBy
) -> list[dict[str, Any]]:
    """The same of each branch or commune in the unit, by name; what stands in no commune comes last."""
    branches = _branches(unit, tree, by)
    rows = db.execute(
        sa.select(col(Unit.id), col(Unit.level), col(Unit.name))
        .where(
            col(Unit.id).in_(sa.select(branches.c.part_id)), col(Unit.level) == UnitLevel(by.value)
        )
        .order_by(col(Unit.sort_key), col(Unit.id))
    ).all()
    counted = _Counted(db, branches, first, last, _part_of(db, branches))
    parts = [{"unit": UnitRef.model_validate(row), **counted.of(row.id)} for row in rows]
    return [*parts, {"unit": None, **counted.of(None)}] if None in counted.parts else parts


def _part_of(db: Db, branches: sa.CTE) -> dict[int, int | None]:
    rows = db.execute(sa.select(branches.c.id, branches.c.part_id))
    return {row.id: row.part_id for row in rows}


def _branches(unit: Unit, tree: UnitTree, by: MovementBy | None) -> sa.CTE:
    """The units that count in the unit, each with the part of the unit it belongs to."""
    if by is None:
        return hierarchy.placed([unit.id], tree)
    return hierarchy.by_level([unit.id], UnitLevel(by.value), tree)


def rows(found: MembershipMovement) -> list[dict[str, Any]]:
    """As MovementRow: the parts that were asked for, or the unit."""
    parts = [found] if found.by is None else found.items
    return [
        part.model_dump(mode="json", include=set(MovementFigures.model_fields))
        | {
            "unit_id": part.unit and part.unit.id,
            "unit_name": part.unit and part.unit.name,
            "first_day": found.from_,
            "last_day": found.to,
        }
        for part in parts
    ]


def _access(db: Db, actor: Actor, unit_id: int) -> Unit:
    unit = find_visible(db, actor, unit_id)
    if unit is None:
        require_somewhere(db, actor, Right.units_read)
        raise not_found()
    ensure(db, actor, Right.members_read, unit, seen_with=Right.units_read)
    if unit.level is UnitLevel.group:
        raise invalid("unit_level_wrong", "/unit_id", place="path", expected=LEVELS_BUT_GROUP)
    return unit


class _Counted:
    """What is counted of each part of a unit. `part_of` has the part of each branch; without it the
    unit is one part.
    """

    def __init__(
        self,
        db: Db,
        branches: sa.CTE,
        first: date,
        last: date,
        part_of: Mapping[int, int | None] | None = None,
    ) -> None:
        self._db, self._branches, self._part_of = db, branches, part_of
        self._first, self._last = first, last
        self._people = self._stock()
        self._honorary = self._stock(_HONORARY)
        self._began: Counter[tuple[int | None, Joined, bool]] = Counter()
        self._ended: Counter[tuple[int | None, Left, bool]] = Counter()
        self._reasons: Counter[tuple[int | None, DepartureReason]] = Counter()
        self._count_flows()
        self._entered = self._count_entered()

    @property
    def parts(self) -> set[int | None]:
        """The parts where something was counted: who came and went in the period, too."""
        flows = {part for part, *_ in (*self._began, *self._ended)}
        stocks = {part for part, days in self._people.items() if any(days)}
        return flows | stocks | set(self._entered)

    def of(self, part: int | None) -> dict[str, Any]:
        """The figures of a part."""
        opening, closing = self._people.get(part, (0, 0))
        honorary = self._honorary.get(part, (0, 0))
        began, ended = self._began, self._ended
        readmitted = began[part, Joined.readmission, False]
        return {
            "opening": opening,
            "admitted": began[part, Joined.admission, False] + readmitted,
            "readmitted": readmitted,
            "entered_undated": self._entered[part],
            "transferred_in": began[part, Joined.transfer, False],
            "transferred_out": ended[part, Left.transfer, False],
            "reorganised_in": began[part, Joined.reorganisation, False],
            "reorganised_out": ended[part, Left.reorganisation, False],
            "left": ended[part, Left.departure, False],
            "died": ended[part, Left.death, False],
            "closing": closing,
            "transferred_within": began[part, Joined.transfer, True],
            "by_reason": {reason: self._reasons[part, reason] for reason in DepartureReason},
            "of_which_honorary": Honorary(opening=honorary[0], closing=honorary[1]),
        }

    def _stock(self, *only: sa.ColumnElement[bool]) -> dict[int | None, tuple[int, int]]:
        """People on the two days: on the eve of the period, and at its end."""
        before, part_id = self._first - _DAY, self._branches.c.part_id
        rows = self._db.execute(
            sa.select(
                part_id, *(sa.func.count().filter(counts_on(day)) for day in (before, self._last))
            )
            .select_from(Membership)
            .join(self._branches, self._branches.c.id == col(Membership.branch_id))
            .where(
                col(Membership.valid_from) <= self._last,
                sa.or_(col(Membership.valid_to).is_(None), col(Membership.valid_to) >= before),
                *only,
            )
            .group_by(part_id)
        )
        return {part: (opening, closing) for part, opening, closing in rows}

    def _count_flows(self) -> None:
        """How many spells began and ended how, inside a part (true) or across its border."""
        first, last = self._first, self._last
        rows = self._db.execute(
            self._spells(Membership.joined_by, Membership.from_branch_id).where(
                col(Membership.valid_from).between(first, last), sa.not_(ENTERED)
            )
        )
        for part, by, other, _, people in rows:
            self._began[part, by, self._is_inside(part, other)] += people
        # Who is no longer a member on one of these days had her last day the day before.
        counted = col(Membership.counted_from)
        since = sa.case((counted.is_not(None), col(Membership.valid_to)))
        rows = self._db.execute(
            self._spells(Membership.left_by, Membership.to_branch_id, counted, since).where(
                col(Membership.valid_to).between(first - _DAY, last - _DAY)
            )
        )
        for part, by, other, reason, people, day, valid_to in rows:
            if _is_before(valid_to, day):
                continue
            self._ended[part, by, self._is_inside(part, other)] += people
            if reason is not None:
                self._reasons[part, reason] += people

    def _is_inside(self, part: int | None, other: Any) -> bool:
        """Whether the other branch of a transfer is in the same part."""
        if self._part_of is None:
            return bool(other)
        return other in self._part_of and self._part_of[other] == part

    def _spells(self, how: Any, other_branch: Any, *further: Any) -> AnySelect:
        branches = self._branches
        other = other_branch.label("other")
        if self._part_of is None:
            # Not an outer join: SQLite would walk all branches for each spell.
            inside = other_branch.in_(sa.select(branches.c.id))
            other = sa.type_coerce(inside, sa.Boolean).label("other")
        columns = (branches.c.part_id, how, other, col(Membership.reason))
        return (
            sa.select(*columns, sa.func.count(), *further)
            .join(branches, branches.c.id == col(Membership.branch_id))
            .where(col(Membership.annulled_at).is_(None))
            .group_by(*columns, *further)
        )

    def _count_entered(self) -> Counter[int | None]:
        """Who was entered in the period, wherever she stood then, without the day she joined."""
        counted, ended = col(Membership.counted_from), col(Membership.valid_to)
        columns = (self._branches.c.part_id, counted, ended)
        rows = self._db.execute(
            sa.select(*columns, sa.func.count())
            .join(self._branches, self._branches.c.id == col(Membership.branch_id))
            .where(
                counted.between(self._first, self._last),
                ENTERED,
                col(Membership.annulled_at).is_(None),
            )
            .group_by(*columns)
        )
        found: Counter[int | None] = Counter()
        for part, day, valid_to, people in rows:
            if not _is_before(valid_to, day):
                found[part] += people
        return found


# Written out, as it is in the index that holds them alone.
_HONORARY = col(Membership.member_id).in_(
    sa.select(col(Member.id)).where(sa.text("member.kind = 'honorary'"))
)
# Not begun by an act: she was there already when she was entered.
ENTERED = sa.and_(
    col(Membership.counted_from).is_not(None),
    sa.or_(
        col(Membership.valid_from) < col(Membership.counted_from),
        sa.and_(
            col(Membership.valid_from) == col(Membership.counted_from),
            col(Membership.joined_by) == Joined.admission,
        ),
    ),
)


def _is_before(valid_to: date | None, counted_from: date | None) -> bool:
    """Whether a spell ended by an act before counts have her. On the day itself she is entered, and
    leaves."""
    return valid_to is not None and counted_from is not None and valid_to + _DAY < counted_from
