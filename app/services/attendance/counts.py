"""The counts of a session, always derived from its facts; and their snapshot at its closing.

A head count is a number and never becomes names: its excess over the names is the unnamed gap. Of
the hall and of each room the last head count captured holds; for a room without one, the number
entered with the room.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import one_moment
from app.models.attendance.attendance import Attendance, AttendanceMode, Capture, CaptureState
from app.models.attendance.counts import (
    CountLevel,
    FrozenCount,
    FrozenRead,
    ModeCount,
    SessionCounts,
    UnitCount,
)
from app.models.kernel.access import Right
from app.models.kernel.units import (
    IdentifierScheme,
    Unit,
    UnitClosure,
    UnitIdentifier,
    UnitLevel,
    UnitRef,
)
from app.services.attendance.facts import Sitting, find_sitting
from app.services.attendance.sums import Nameless, People, by_room, rooms_of, roster_sizes
from app.services.events.scope import ensure_sees
from app.services.kernel.access import Actor, Db, forbidden, visible
from app.services.units.units import valid_on


def see(db: Db, actor: Actor, session_id: UUID) -> tuple[Sitting, bool]:
    """The session, for an actor who may read its attendance; whether all of it, as for a host.

    404 out of scope, 403 without the right.
    """
    sitting = find_sitting(db, session_id)
    state, units = (sitting.event_state, sitting.units) if sitting else (None, ())
    ensure_sees(db, actor, state, units)
    assert sitting is not None  # noqa: S101  # it is seen
    if not actor.reach(Right.attendance_read):
        raise forbidden(db, actor, Right.attendance_read, sitting.host_id)
    return sitting, any(actor.covers(Right.attendance_read, host) for host in sitting.hosts)


def count(db: Connection, actor: Actor, session_id: UUID, level: CountLevel) -> SessionCounts:
    """All figures of a session."""
    sitting, whole = see(db, actor, session_id)
    scope = None if whole else visible(Attendance, actor, Right.attendance_read)
    units = None if whole else visible(Unit, actor, Right.attendance_read)
    with one_moment(db):
        people = People.read(db, sitting, scope)
        roster = roster_sizes(db, sitting, units)
        rooms_there = rooms_of(db, sitting)
        nameless = Nameless.read(db, sitting, rooms_there) if whole else Nameless()
        rooms = by_room(rooms_there, people, nameless)
        by_unit = _by_unit(db, sitting, people, roster, UnitLevel(level.value))
        frozen = _frozen(db, sitting) if whole else []
    size = sum(roster.values())
    return SessionCounts(
        session_id=sitting.id,
        local_date=sitting.local_date,
        scope="session" if whole else "units",
        distinct_people=people.members,
        participations=people.members,
        visitors=people.members - people.of_roster,
        non_members=people.non_members,
        guests=nameless.guests,
        pending_identity=nameless.pending,
        roster_size=size,
        rate=rate(people.of_roster, size),
        head_count=nameless.head_count,
        unnamed_gap=None
        if nameless.head_count is None
        else sum(room.unnamed_gap or 0 for room in rooms),
        over_named=sum(room.over_named for room in rooms),
        by_mode=[ModeCount(mode=mode, people=people.by_mode[mode]) for mode in AttendanceMode],
        by_unit=by_unit,
        rooms=rooms,
        frozen=frozen,
    )


def rate(part: int, whole: int) -> float | None:
    """To four places; null of nobody."""
    return round(part / whole, 4) if whole else None


# -- by unit


def _by_unit(
    db: Db, sitting: Sitting, people: People, roster: Mapping[int, int], level: UnitLevel
) -> list[UnitCount]:
    """Units of the level that were invited or that somebody came from, in their own order."""
    branches = {*roster, *people.by_branch}
    above = _above(db, branches, level, sitting.local_date)
    came, of_roster, sizes = (
        _summed(each, above) for each in (people.by_branch, people.roster_by_branch, roster)
    )
    return [
        UnitCount(
            unit=unit,
            people=came[unit.id],
            of_roster=of_roster[unit.id],
            roster_size=sizes[unit.id],
            rate=rate(of_roster[unit.id], sizes[unit.id]),
        )
        for unit in unit_refs(db, set(above.values()), sitting.local_date)
    ]


def _summed(figures: Mapping[int, int], above: Mapping[int, int]) -> Counter[int]:
    total: Counter[int] = Counter()
    for branch_id, figure in figures.items():
        if branch_id in above:
            total[above[branch_id]] += figure
    return total


def _above(db: Db, branches: Iterable[int], level: UnitLevel, day: date) -> dict[int, int]:
    """The unit of the level that each branch stood in on the day."""
    if level is UnitLevel.branch:
        return {branch: branch for branch in branches}
    rows = db.execute(
        sa.select(col(UnitClosure.descendant_id), col(UnitClosure.ancestor_id))
        .join(Unit, col(Unit.id) == col(UnitClosure.ancestor_id))
        .where(
            col(UnitClosure.descendant_id).in_(list(branches)),
            col(Unit.level) == level,
            valid_on(UnitClosure, day),
        )
    )
    return {int(branch): int(unit) for branch, unit in rows}


def unit_refs(db: Db, unit_ids: Iterable[int], day: date) -> list[UnitRef]:
    """Units by their own order, with the names of the day."""
    rows = db.execute(
        sa.select(
            col(Unit.id),
            col(Unit.level),
            sa.func.coalesce(col(UnitIdentifier.value), col(Unit.name)).label("name"),
        )
        .outerjoin(
            UnitIdentifier,
            sa.and_(
                col(UnitIdentifier.unit_id) == col(Unit.id),
                col(UnitIdentifier.scheme) == IdentifierScheme.name,
                valid_on(UnitIdentifier, day),
            ),
        )
        .where(col(Unit.id).in_(list(unit_ids)))
        .order_by(col(Unit.commune_id), col(Unit.sort_key), col(Unit.id))
    )
    return [UnitRef(id=row.id, level=row.level, name=row.name) for row in rows]


# -- frozen


def freeze(session: Session, session_id: UUID) -> None:
    """Store the counts of the closing.

    The lock on the session has waited for captures under way; later ones find it closed.
    """
    sitting = find_sitting(session, session_id)
    assert sitting is not None  # noqa: S101  # it is being closed
    if _last(session, sitting) is None:
        _keep(session, sitting, 0, _totals(session, sitting))


def correct(session: Session, sitting: Sitting) -> None:
    """What came after the closing corrects the counts: one dated correction a day."""
    session.execute(_ONE_BY_ONE, {"session_id": sitting.id})
    last = _last(session, sitting)
    if last is None:
        return
    totals = _totals(session, sitting)
    if all(getattr(last, name) == value for name, value in totals.items() if name != "captures"):
        return
    if last.number > 0 and last.on == local_today():
        session.connection().execute(
            sa.update(FrozenCount)
            .where(
                col(FrozenCount.session_id) == sitting.id,
                col(FrozenCount.number) == last.number,
            )
            .values(counted_at=utc_now(), **totals)
        )
    else:
        _keep(session, sitting, last.number + 1, totals)


def _keep(session: Session, sitting: Sitting, number: int, totals: Mapping[str, Any]) -> None:
    row = {"session_id": sitting.id, "number": number, "on": local_today()}
    session.connection().execute(
        sa.insert(FrozenCount).values(**row, counted_at=utc_now(), **totals)
    )


def _totals(db: Db, sitting: Sitting) -> dict[str, int | None]:
    people = People.read(db, sitting, None)
    nameless = Nameless.read(db, sitting, rooms_of(db, sitting))
    captures = db.execute(
        sa.select(sa.func.count()).where(
            col(Capture.session_id) == sitting.id, col(Capture.state) != CaptureState.annulled
        )
    ).scalar_one()
    return {
        "captures": captures,
        "people": people.members,
        "non_members": people.non_members,
        "guests": nameless.guests,
        "head_count": nameless.head_count,
        "roster_size": sum(roster_sizes(db, sitting).values()),
    }


def _last(session: Session, sitting: Sitting) -> Any:
    rows = session.execute(_FROZEN, {"session_id": sitting.id}).all()
    return rows[-1] if rows else None


_FROZEN = (
    sa.select(*(getattr(FrozenCount, name) for name in FrozenCount.model_fields))
    .where(col(FrozenCount.session_id) == sa.bindparam("session_id"))
    .order_by(col(FrozenCount.number))
)


# Not the session itself: others who are capturing hold that, too.
_ONE_BY_ONE = (
    sa.select(col(FrozenCount.number))
    .where(col(FrozenCount.session_id) == sa.bindparam("session_id"), col(FrozenCount.number) == 0)
    .with_for_update()
)


def _frozen(db: Db, sitting: Sitting) -> list[FrozenRead]:
    return [
        FrozenRead(
            number=row.number,
            on=row.on,
            counted_at=row.counted_at,
            captures=row.captures,
            distinct_people=row.people,
            non_members=row.non_members,
            guests=row.guests,
            head_count=row.head_count,
            roster_size=row.roster_size,
        )
        for row in db.execute(_FROZEN, {"session_id": sitting.id})
    ]
