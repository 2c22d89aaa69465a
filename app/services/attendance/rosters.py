"""Who is on the roster of a session and whether she came; who stays away from meetings."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect
from app.models.attendance.attendance import Attendance
from app.models.attendance.rosters import (
    AbsenteeQuery,
    AbsenteeRead,
    RosterQuery,
    RosterRead,
    RosterState,
)
from app.models.events.events import Event, EventSession, SessionState
from app.models.events.rsvps import Rsvp
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.services.attendance.counts import see
from app.services.attendance.facts import Sitting
from app.services.attendance.people import in_invited_group, in_spell, invited_on
from app.services.attendance.statistics import access, invited_branches
from app.services.kernel.access import Actor, Db, visible
from app.services.kernel.keyset import Order, Pages, fields_of, pages

_BY_NAME = Order(col(Member.sort_key), col(Member.id).label("member_id"))

# -- of a session


def list_roster(
    db: Db, actor: Actor, session_id: UUID, query: RosterQuery, *, as_file: bool
) -> Pages:
    """Everybody invited, by name: those who on that day were in a branch where the actor may read.

    Nobody is absent before the session was held. A file leaves out restricted records.
    """
    sitting, _ = see(db, actor, session_id)
    statement = _roster(sitting, visible(Unit, actor, Right.attendance_read))
    if as_file:
        statement = statement.where(sa.not_(col(Member.restricted)))
    if query.state is not None:
        statement = statement.where(_state(sitting) == query.state)
    if query.branch is not None:
        statement = statement.where(col(Membership.branch_id) == query.branch)
    return pages(statement, _BY_NAME, fields_of(RosterRead))


def _roster(sitting: Sitting, seen: sa.ColumnElement[bool]) -> AnySelect:
    of_session = partial(_of_session, sitting.id)
    return (
        sa.select(
            col(Member.id).label("member_id"),
            col(Member.full_name),
            col(Membership.branch_id),
            col(Unit.name).label("branch_name"),
            _state(sitting).label("state"),
            col(Attendance.mode),
            col(Attendance.attended_at),
            col(Rsvp.answer),
            col(Member.sort_key),
        )
        .join(Membership, col(Membership.member_id) == col(Member.id))
        .join(Unit, col(Unit.id) == col(Membership.branch_id))
        .outerjoin(Attendance, of_session(Attendance))
        .outerjoin(Rsvp, of_session(Rsvp))
        .where(
            in_spell(sitting.local_date),
            sa.or_(
                col(Membership.branch_id).in_(invited_on(sitting)),
                in_invited_group(sitting, col(Member.id)),
            ),
            seen,
        )
    )


def _of_session(session_id: UUID, model: type[Any]) -> sa.ColumnElement[bool]:
    return sa.and_(col(model.session_id) == session_id, col(model.member_id) == col(Member.id))


def _state(sitting: Sitting) -> sa.ColumnElement[Any]:
    over = sitting.state in (SessionState.held, SessionState.closed)
    missing = RosterState.absent if over else RosterState.invited
    came = col(Attendance.member_id).is_not(None)
    return sa.case((came, sa.literal(RosterState.attended.value)), else_=missing.value)


# -- of the last meetings

# Meetings in succession are looked for in the last two years.
_LOOK_BACK = timedelta(days=731)


def list_absentees(db: Db, actor: Actor, unit_id: int, query: AbsenteeQuery) -> Pages:
    """Members of today, by name, who were invited to the last so many meetings of their branch and
    came to none of them."""
    unit = access(db, actor, unit_id)
    today = local_today()
    took_place: list[sa.ColumnElement[bool]] = [
        col(EventSession.local_date).between(today - _LOOK_BACK, today)
    ]
    if query.kind is not None:
        took_place.append(col(Event.kind) == query.kind)
    asked = _asked(invited_branches(unit, took_place))
    away = (
        asked.with_only_columns(col(Membership.member_id))
        .where(query.meetings >= _PLACE)
        .group_by(col(Membership.member_id))
        .having(
            sa.func.count() == query.meetings,
            sa.func.count(col(Attendance.member_id)) == 0,
        )
    )
    last = (
        sa.select(sa.func.max(col(Attendance.local_date)))
        .where(col(Attendance.member_id) == col(Member.id))
        .scalar_subquery()
        .label("last_attended_on")
    )
    statement: AnySelect = (
        sa.select(
            col(Member.id).label("member_id"),
            col(Member.full_name),
            col(Member.branch_id),
            col(Unit.name).label("branch_name"),
            last,
            col(Member.sort_key),
        )
        .join(Unit, col(Unit.id) == col(Member.branch_id))
        .where(col(Member.id).in_(away), visible(Member, actor, Right.attendance_read))
    )
    return pages(statement, _BY_NAME, partial(_with_missed, asked))


_PLACE = sa.literal_column("ranked.place", sa.Integer)


def _asked(invited: sa.Subquery) -> AnySelect:
    """Members of today with each session they were invited to, whether they came, and its place
    among those of their branch: the last is 1."""
    place = sa.func.row_number().over(
        partition_by=invited.c.branch_id,
        order_by=(invited.c.starts_at.desc(), invited.c.session_id.desc()),
    )
    ranked = sa.select(invited, place.label("place")).subquery("ranked")
    came = sa.and_(
        col(Attendance.session_id) == ranked.c.session_id,
        col(Attendance.member_id) == col(Membership.member_id),
    )
    return (
        sa.select(col(Membership.member_id), _PLACE)
        .join(ranked, ranked.c.branch_id == col(Membership.branch_id))
        .outerjoin(Attendance, came)
        .where(
            col(Membership.valid_to).is_(None),
            col(Membership.annulled_at).is_(None),
            col(Membership.valid_from) <= ranked.c.local_date,
        )
    )


def _with_missed(asked: AnySelect, db: Db, rows: Sequence[Any]) -> Iterator[dict[str, Any] | None]:
    """Each with how many she has missed in succession, since she last came or since she joined."""
    ids = [row.member_id for row in rows]
    came = col(Attendance.member_id).is_not(None)
    last_came = sa.func.min(_PLACE).filter(came)
    missed = sa.func.coalesce(last_came - 1, sa.func.count()).label("missed")
    counted = asked.with_only_columns(col(Membership.member_id), missed).where(
        col(Membership.member_id).in_(ids)
    )
    found = db.execute(counted.group_by(col(Membership.member_id)))
    by_member = {row.member_id: row.missed for row in found}
    names = AbsenteeRead.model_fields.keys() - {"missed"}
    for row in rows:
        if row.member_id not in by_member:
            # She has left her branch since the page was read.
            yield None
            continue
        item = {name: getattr(row, name) for name in names} | {"missed": by_member[row.member_id]}
        yield {name: item[name] for name in AbsenteeRead.model_fields}
