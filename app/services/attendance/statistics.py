"""Attendance over time.

Facts give who came, the rosters of the days who was invited. A fact belongs to the unit of its day
for good: a unit's figures of a past period do not change when its members move. Live figures, good
up to a district: about 0.3 million invitations.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect, one_moment
from app.errors import invalid, not_found
from app.models.attendance.attendance import Attendance
from app.models.attendance.statistics import (
    AttendanceCountBy,
    AttendanceCountItem,
    AttendanceCountQuery,
    AttendanceCounts,
    EventCounts,
)
from app.models.events.events import Event, EventSession, EventUnit, SessionState, UnitRole
from app.models.kernel.access import Right
from app.models.kernel.units import LEVELS_BUT_GROUP, Unit, UnitClosure, UnitLevel, UnitRef
from app.models.members.spells import Membership
from app.services.attendance.counts import rate, unit_refs
from app.services.events.scope import ensure_sees, units_of
from app.services.kernel import jobs
from app.services.kernel.access import Actor, Db, ensure, forbidden, require_somewhere, visible
from app.services.kernel.actors import reach_of
from app.services.kernel.keyset import Order, Pages, pages
from app.services.units import hierarchy
from app.services.units.hierarchy import UnitTree
from app.services.units.units import find_visible, valid_on

_TAKEN_PLACE = (SessionState.held, SessionState.closed)


def access(db: Db, actor: Actor, unit_id: int) -> Unit:
    unit = find_visible(db, actor, unit_id)
    if unit is None:
        require_somewhere(db, actor, Right.units_read)
        raise not_found()
    ensure(db, actor, Right.attendance_read, unit, seen_with=Right.units_read)
    if unit.level is UnitLevel.group:
        raise invalid("unit_level_wrong", "/unit_id", place="path", expected=LEVELS_BUT_GROUP)
    return unit


# -- a unit and a period


def statistics(
    db: Connection, actor: Actor, unit_id: int, query: AttendanceCountQuery
) -> AttendanceCounts:
    """People, participations, invitations and their rate, in total and by `by`."""
    unit = access(db, actor, unit_id)
    first, last = query.from_, query.to or local_today()
    if first > last:
        raise invalid("dates_reversed", "/to", place="query")
    tree = hierarchy.chosen(query.hierarchy)
    if tree is not None:
        hierarchy.ensure_held(db, actor, Right.attendance_read, [unit.id], tree, last)
    of_kind = [] if query.kind is None else [col(Event.kind) == query.kind]
    took_place = [col(EventSession.local_date).between(first, last), *of_kind]
    here = _here(db, unit, tree)
    with one_moment(db):
        loading = jobs.filling(db)
        invited = _invitations(db, invited_branches(unit, took_place, tree))
        facts = _facts(here, first, last, query.kind)
        total = db.execute(facts.with_only_columns(*_FIGURES)).one()
        items = [] if query.by is None else _items(db, unit, query.by, facts, invited, last, tree)
    return AttendanceCounts.model_validate(
        {
            "unit": UnitRef.model_validate(unit),
            "from": first,
            "to": last,
            "kind": query.kind,
            "sessions": len({row.session_id for row in invited}),
            "distinct_people": total.people,
            "participations": total.participations,
            "invitations": sum(row.invitations for row in invited),
            "rate": rate(total.of_roster, sum(row.invitations for row in invited)),
            "loading": loading,
            "items": items,
        }
    )


def _here(db: Db, unit: Unit, tree: UnitTree | None) -> sa.ColumnElement[bool]:
    """Facts of the unit: by the path of their day, or by their branch in one tree for all days."""
    if tree is None:
        return reach_of(db, unit).predicate(Attendance)
    return col(Attendance.branch_id).in_(sa.select(hierarchy.placed([unit.id], tree).c.id))


_FIGURES = (
    sa.func.count(col(Attendance.member_id).distinct()).label("people"),
    sa.func.count().label("participations"),
    sa.func.count().filter(col(Attendance.on_roster)).label("of_roster"),
)


def _facts(here: sa.ColumnElement[bool], first: date, last: date, kind: str | None) -> AnySelect:
    statement: AnySelect = sa.select(*_FIGURES).where(
        here,
        col(Attendance.branch_id).is_not(None),
        col(Attendance.local_date).between(first, last),
    )
    if kind is None:
        return statement
    return statement.join(EventSession, col(EventSession.id) == col(Attendance.session_id)).join(
        Event, sa.and_(col(Event.id) == col(EventSession.event_id), col(Event.kind) == kind)
    )


def invited_branches(
    unit: Unit, took_place: Sequence[sa.ColumnElement[bool]], tree: UnitTree | None = None
) -> sa.Subquery:
    """(session, its day and start, branch of the unit): each pair once, however it was invited. The
    branches are those of the unit on the day, or in one tree for all days."""
    below, mine = aliased(UnitClosure), aliased(UnitClosure)
    day = col(EventSession.local_date)
    invited: AnySelect = (
        sa.select(
            col(EventSession.id).label("session_id"),
            day.label("local_date"),
            col(EventSession.starts_at).label("starts_at"),
            col(below.descendant_id).label("branch_id"),
        )
        .distinct()
        .join(Event, col(Event.id) == col(EventSession.event_id))
        .join(
            EventUnit,
            sa.and_(
                col(EventUnit.event_id) == col(Event.id), col(EventUnit.role) == UnitRole.invited
            ),
        )
        .join(
            below,
            sa.and_(col(below.ancestor_id) == col(EventUnit.unit_id), valid_on(below, day)),
        )
        .where(col(EventSession.state).in_(_TAKEN_PLACE), *took_place)
    )
    if tree is not None:
        places = hierarchy.placed([unit.id], tree)
        invited = invited.where(col(below.descendant_id).in_(sa.select(places.c.id)))
        return invited.subquery("invited")
    return invited.join(
        mine,
        sa.and_(
            col(mine.descendant_id) == col(below.descendant_id),
            col(mine.ancestor_id) == unit.id,
            valid_on(mine, day),
        ),
    ).subquery("invited")


def _invitations(db: Db, invited: sa.Subquery) -> Sequence[Any]:
    """How many members of each branch were invited to each session, on its day."""
    return db.execute(
        sa.select(
            invited.c.session_id,
            invited.c.local_date,
            invited.c.branch_id,
            sa.func.count().label("invitations"),
        )
        .join(Membership, col(Membership.branch_id) == invited.c.branch_id)
        .where(valid_on(Membership, invited.c.local_date), col(Membership.annulled_at).is_(None))
        .group_by(invited.c.session_id, invited.c.local_date, invited.c.branch_id)
    ).all()


def _items(
    db: Db,
    unit: Unit,
    by: AttendanceCountBy,
    facts: sa.Select[Any],
    invited: Sequence[Any],
    day: date,
    tree: UnitTree | None,
) -> list[AttendanceCountItem]:
    if by is AttendanceCountBy.month:
        keys = [sa.extract(part, col(Attendance.local_date)).label(part) for part in _MONTH]
        rows = db.execute(facts.add_columns(*keys).group_by(*map(sa.text, _MONTH)))
        found = {f"{int(row.year)}-{int(row.month):02}": row for row in rows}
        in_month: Counter[str] = Counter()
        for row in invited:
            in_month[f"{row.local_date:%Y-%m}"] += row.invitations
        return [
            _item(month, None, found.get(month), in_month[month])
            for month in sorted({*found, *in_month})
        ]
    if tree is None:
        column: Any = col(getattr(Attendance, f"{by.value}_id"))
        asked = _asked(db, by, invited)
    else:
        parts = hierarchy.by_level([unit.id], UnitLevel(by.value), tree)
        facts = facts.join(parts, parts.c.id == col(Attendance.branch_id))
        column, asked = parts.c.part_id, _asked_in(db, parts, invited)
    rows = db.execute(facts.add_columns(column.label("unit_id")).group_by(column))
    figures = {int(row.unit_id): row for row in rows if row.unit_id is not None}
    refs = unit_refs(db, {*figures, *asked}, day)
    return [_item(str(ref.id), ref, figures.get(ref.id), asked[ref.id]) for ref in refs]


_MONTH = ("year", "month")


def _asked_in(db: Db, parts: sa.CTE, invited: Sequence[Any]) -> Counter[int]:
    """Invitations by the parts that branches count in."""
    part_of = {row.id: row.part_id for row in db.execute(sa.select(parts.c.id, parts.c.part_id))}
    asked: Counter[int] = Counter()
    for row in invited:
        if (part_id := part_of[row.branch_id]) is not None:
            asked[part_id] += row.invitations
    return asked


def _asked(db: Db, by: AttendanceCountBy, invited: Sequence[Any]) -> Counter[int]:
    """Invitations by branch, or by the commune a branch stood in on the day."""
    asked: Counter[int] = Counter()
    if by is AttendanceCountBy.branch:
        for row in invited:
            asked[row.branch_id] += row.invitations
        return asked
    lines = db.execute(
        sa.select(
            col(UnitClosure.descendant_id),
            col(UnitClosure.ancestor_id),
            col(UnitClosure.valid_from),
            col(UnitClosure.valid_to),
        )
        .join(Unit, col(Unit.id) == col(UnitClosure.ancestor_id))
        .where(
            col(Unit.level) == UnitLevel.commune,
            col(UnitClosure.descendant_id).in_({row.branch_id for row in invited}),
        )
    ).all()
    standing: dict[int, list[Any]] = {}
    for line in lines:
        standing.setdefault(line.descendant_id, []).append(line)
    for row in invited:
        for line in standing.get(row.branch_id, ()):
            if line.valid_from <= row.local_date <= (line.valid_to or date.max):
                asked[line.ancestor_id] += row.invitations
    return asked


def _item(value: str, unit: UnitRef | None, figures: Any, invitations: int) -> AttendanceCountItem:
    return AttendanceCountItem(
        value=value,
        unit=unit,
        distinct_people=figures.people if figures else 0,
        participations=figures.participations if figures else 0,
        invitations=invitations,
        rate=rate(figures.of_roster if figures else 0, invitations),
    )


# -- one member


def list_of_member(member_id: UUID) -> Pages:
    """The sessions a member attended, the last first."""
    return pages(_OF_MEMBER.where(col(Attendance.member_id) == member_id), _LAST_FIRST)


_LAST_FIRST = Order(col(Attendance.local_date).desc(), col(Attendance.session_id).desc())


_OF_MEMBER: AnySelect = (
    sa.select(
        col(Attendance.session_id),
        col(EventSession.event_id),
        sa.func.coalesce(col(EventSession.title), col(Event.title)).label("title"),
        col(Event.kind),
        col(Attendance.local_date),
        col(Attendance.branch_id),
        col(Attendance.mode),
        col(Attendance.attended_at),
    )
    .join(EventSession, col(EventSession.id) == col(Attendance.session_id))
    .join(Event, col(Event.id) == col(EventSession.event_id))
)


# -- one event


def count_event(db: Db, actor: Actor, event_id: UUID) -> EventCounts:
    """People and participations over all sessions of an event."""
    row = db.execute(
        sa.select(col(Event.state), col(Event.host_id)).where(col(Event.id) == event_id)
    ).one_or_none()
    units = () if row is None else units_of(db, event_id)
    ensure_sees(db, actor, None if row is None else row.state, units)
    if not actor.reach(Right.attendance_read):
        raise forbidden(db, actor, Right.attendance_read, None if row is None else row.host_id)
    hosts = (unit for unit in units if unit.role is UnitRole.host)
    whole = any(actor.covers(Right.attendance_read, host) for host in hosts)
    sessions = sa.select(col(EventSession.id)).where(col(EventSession.event_id) == event_id)
    is_member = col(Attendance.branch_id).is_not(None)
    statement = sa.select(
        sa.func.count(col(Attendance.session_id).distinct()).label("sessions"),
        sa.func.count(col(Attendance.member_id).distinct()).filter(is_member).label("people"),
        sa.func.count().filter(is_member).label("participations"),
        sa.func.count(col(Attendance.member_id).distinct())
        .filter(sa.not_(is_member))
        .label("non_members"),
    ).where(col(Attendance.session_id).in_(sessions))
    if not whole:
        statement = statement.where(visible(Attendance, actor, Right.attendance_read))
    found = db.execute(statement).one()
    return EventCounts(
        event_id=event_id,
        scope="session" if whole else "units",
        sessions=found.sessions,
        distinct_people=found.people,
        participations=found.participations,
        non_members=found.non_members,
    )
