"""Groups beside branches: tổ phụ nữ, clubs and others, and who takes part in them.

A group is a unit of level `group` and stands where its parent stands: nobody's scope begins at
one. People and participations are two figures, because a member may take part in many groups.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import AnySelect
from app.errors import FieldError, Problem, invalid, not_found
from app.models.cadres.appointments import Appointment, Post
from app.models.groups.groups import (
    GroupCount,
    GroupCountItem,
    GroupCountQuery,
    GroupQuery,
    Participation,
    ParticipationCreate,
    ParticipationEnd,
    ParticipationQuery,
)
from app.models.kernel.access import Right
from app.models.kernel.units import (
    GroupKind,
    IdentifierScheme,
    Unit,
    UnitClosure,
    UnitEdge,
    UnitIdentifier,
    UnitLevel,
    UnitRef,
)
from app.models.members.members import Member
from app.models.members.spells import Joined, Membership
from app.services.kernel.access import Actor, Db, forbidden, require_somewhere, visible
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.members import persons
from app.services.units.rows import hold_units
from app.services.units.units import BY_NAME, closed, ensure_open, find_filter, valid_on
from app.text import name_key

_DAY = timedelta(days=1)
Row = dict[str, Any]


# -- groups


def list_groups(db: Db, actor: Actor, query: GroupQuery) -> Pages:
    """Groups in scope on a day, by name; people and heads in one query each for the whole page."""
    require_somewhere(db, actor, Right.members_read)
    day = query.as_of or local_today()
    named, edge, parent, parent_named = (
        aliased(UnitIdentifier),
        aliased(UnitEdge),
        aliased(Unit),
        aliased(UnitIdentifier),
    )
    statement: AnySelect = (
        sa.select(
            col(Unit.id),
            col(named.value).label("name"),
            col(Unit.group_kind),
            col(Unit.opened_on),
            col(Unit.closed_on),
            col(Unit.revision),
            col(Unit.sort_key),
            col(Unit.province_id),
            col(Unit.district_id),
            col(Unit.commune_id),
            col(Unit.branch_id),
            col(parent.id).label("parent_id"),
            col(parent.level).label("parent_level"),
            col(parent_named.value).label("parent_name"),
        )
        .join(named, _is_name_of(named, Unit, day))
        .join(edge, sa.and_(col(edge.unit_id) == col(Unit.id), valid_on(edge, day)))
        .join(parent, col(parent.id) == col(edge.parent_id))
        .join(parent_named, _is_name_of(parent_named, parent, day))
        .where(
            col(Unit.level) == UnitLevel.group,
            visible(Unit, actor, Right.members_read),
            col(Unit.opened_on) <= day,
            sa.or_(col(Unit.closed_on).is_(None), col(Unit.closed_on) >= day),
        )
    )
    if query.unit is not None:
        statement = statement.where(_below(db, actor, query.unit, day))
    if query.kind is not None:
        statement = statement.where(col(Unit.group_kind) == query.kind)
    for word in name_key(query.q or "").split():
        statement = statement.where(col(named.value_key).contains(word, autoescape=True))
    return pages(statement, BY_NAME, partial(_with_people, actor, day))


def _with_people(actor: Actor, day: date, db: Db, rows: Sequence[Any]) -> list[dict[str, Any]]:
    ids = [row.id for row in rows]
    people, heads = _people(db, ids, day), _heads(db, ids, day)
    return [
        {
            "id": row.id,
            "name": row.name,
            "kind": row.group_kind,
            "parent": _ref(row.parent_id, row.parent_level, row.parent_name),
            "opened_on": row.opened_on,
            "closed_on": row.closed_on,
            "people": people.get(row.id, 0),
            "head": heads.get(row.id) if actor.covers(Right.appointments_read, row) else None,
            "revision": row.revision,
        }
        for row in rows
    ]


def _is_name_of(identifier: Any, unit: Any, day: date) -> sa.ColumnElement[bool]:
    return sa.and_(
        col(identifier.unit_id) == col(unit.id),
        col(identifier.scheme) == IdentifierScheme.name,
        valid_on(identifier, day),
    )


def _below(db: Db, actor: Actor, unit_id: int, day: date) -> sa.ColumnElement[bool]:
    """Units that stood in the unit, at any depth, on the day."""
    find_filter(db, actor, unit_id, pointer="/unit")
    standing = sa.select(col(UnitClosure.descendant_id)).where(
        col(UnitClosure.ancestor_id) == unit_id, valid_on(UnitClosure, day)
    )
    return col(Unit.id).in_(standing)


def _ref(unit_id: int, level: UnitLevel, name: str) -> Row:
    return {"id": unit_id, "level": level, "name": name}


def _people(db: Db, group_ids: Sequence[int], day: date) -> dict[int, int]:
    rows = db.execute(
        sa.select(
            col(Participation.group_id), sa.func.count(col(Participation.member_id).distinct())
        )
        .where(col(Participation.group_id).in_(group_ids), valid_on(Participation, day))
        .group_by(col(Participation.group_id))
    )
    return {int(group_id): people for group_id, people in rows}


def _heads(db: Db, group_ids: Sequence[int], day: date) -> dict[int, Row]:
    rows = db.execute(
        sa.select(col(Appointment.unit_id), col(Member.id), col(Member.full_name))
        .join(Member, col(Member.id) == col(Appointment.member_id))
        .where(
            col(Appointment.unit_id).in_(group_ids),
            col(Appointment.post) == Post.team_head,
            valid_on(Appointment, day),
        )
        .order_by(col(Appointment.valid_from))
    )
    return {
        int(unit_id): {"member_id": member_id, "full_name": name}
        for unit_id, member_id, name in rows
    }


def count_groups(db: Db, actor: Actor, query: GroupCountQuery) -> GroupCount:
    """People and participations of the groups in scope on a day."""
    require_somewhere(db, actor, Right.members_read)
    day = query.as_of or local_today()
    unit = None
    where = [visible(Unit, actor, Right.members_read), valid_on(Participation, day)]
    if query.unit is not None:
        unit = UnitRef.model_validate(find_filter(db, actor, query.unit, pointer="/unit"))
        where.append(_below(db, actor, query.unit, day))
    figures = (
        sa.func.count(col(Participation.member_id).distinct()),
        sa.func.count(col(Participation.id)),
    )
    joined = sa.join(Participation, Unit, col(Unit.id) == col(Participation.group_id))
    people, participations = db.execute(sa.select(*figures).select_from(joined).where(*where)).one()
    items: list[GroupCountItem] = []
    if query.by is not None:
        rows = db.execute(
            sa.select(col(Unit.group_kind), *figures)
            .select_from(joined)
            .where(*where)
            .group_by(col(Unit.group_kind))
        )
        found = {kind: (people, times) for kind, people, times in rows}
        items = [
            GroupCountItem(value=kind, people=found[kind][0], participations=found[kind][1])
            for kind in GroupKind
            if kind in found
        ]
    return GroupCount(
        unit=unit, as_of=day, people=people, participations=participations, items=items
    )


# -- participations

_PARTICIPATION: AnySelect = (
    sa.select(
        col(Participation.id),
        col(Participation.group_id),
        col(Unit.level),
        col(Unit.name),
        col(Unit.group_kind),
        col(Participation.member_id),
        col(Member.full_name),
        col(Member.sort_key),
        col(Member.branch_id),
        col(Participation.valid_from),
        col(Participation.valid_to),
        col(Participation.revision),
    )
    .join(Unit, col(Unit.id) == col(Participation.group_id))
    .join(Member, col(Member.id) == col(Participation.member_id))
)


def _item(row: Any) -> Row:
    return {
        "id": row.id,
        "group": _ref(row.group_id, row.level, row.name),
        "kind": row.group_kind,
        "member_id": row.member_id,
        "full_name": row.full_name,
        "branch_id": row.branch_id,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
        "revision": row.revision,
    }


def read(db: Db, participation_id: UUID) -> Row:
    """A participation just written, by whoever was allowed to write it."""
    return _item(db.execute(_PARTICIPATION.where(col(Participation.id) == participation_id)).one())


def list_of_group(db: Db, actor: Actor, group_id: int, query: ParticipationQuery) -> Pages:
    """Who takes part in a group, by name: of them those whom the actor may see."""
    _visible_group(db, actor, group_id)
    statement = _PARTICIPATION.where(
        col(Participation.group_id) == group_id, visible(Member, actor, Right.members_read)
    )
    if not query.all:
        day = query.as_of or local_today()
        statement = statement.where(valid_on(Participation, day))
    return pages(statement, _BY_MEMBER, each(_item))


def list_of_member(db: Db, actor: Actor, member_id: UUID) -> Pages:
    """All groups a member takes or took part in, oldest first."""
    persons.access_member(db, actor, member_id, Right.members_read)
    statement = _PARTICIPATION.where(col(Participation.member_id) == member_id)
    return pages(statement, _OLDEST, each(_item))


_BY_MEMBER = Order(col(Member.sort_key), col(Participation.id))
_OLDEST = Order(col(Participation.valid_from), col(Participation.id))


_MEMBER = sa.select(
    col(Member.id), col(Member.province_id), col(Member.commune_id), col(Member.branch_id)
).where(col(Member.id) == sa.bindparam("member_id"))
_GROUP = sa.select(
    col(Unit.id),
    col(Unit.province_id),
    col(Unit.district_id),
    col(Unit.commune_id),
    col(Unit.branch_id),
).where(col(Unit.id) == sa.bindparam("group_id"), col(Unit.level) == UnitLevel.group)


def _visible_group(db: Db, actor: Actor, group_id: int) -> Any:
    group = db.execute(_GROUP, {"group_id": group_id}).one_or_none()
    if group is None or not actor.covers(Right.members_read, group):
        require_somewhere(db, actor, Right.members_read)
        raise not_found()
    return group


def _ensure_may_write(db: Db, actor: Actor, *places: Any) -> None:
    """403 unless she may change members in all of these places, which she sees."""
    for place in places:
        if not actor.covers(Right.members_write, place):
            unit_id = place.branch_id or place.commune_id or place.province_id
            raise forbidden(db, actor, Right.members_write, unit_id)


def join(
    session: Session, actor: Actor, group_id: int, body: ParticipationCreate
) -> tuple[UUID, bool]:
    """A member takes part in a group from a day on; the same body again is no second time."""
    place = _visible_group(session, actor, group_id)
    # Against the group being closed or moved before this is committed.
    [group] = hold_units(session, [group_id])
    member = persons.find_member(session, actor, body.member_id, pointer="/member_id")
    _ensure_may_write(session, actor, place, member)
    since = body.valid_from or local_today()
    sent = body.model_dump(exclude={"id"}, exclude_none=True) | {"group_id": group_id}
    participation, is_new = created_once(
        session,
        Participation,
        body.id,
        partial(_made, session, group, member, since),
        same=holds(sent),
        taken={"uq_participation_open": _already_in(group, since)},
    )
    return participation.id, is_new


def _made(session: Session, group: Unit, member: Any, since: date) -> Participation:
    if since > local_today():
        raise invalid("date_in_future", "/valid_from")
    ensure_open(group, since, pointer="/valid_from")
    if group.closed_on is not None:
        raise closed(group, group.closed_on)
    persons.ensure_in_union(member)
    is_team = group.group_kind is GroupKind.team
    if is_team and member.branch_id != group.branch_id:
        of_member = [FieldError("body", "/member_id", "state_conflict")]
        raise Problem("team_of_another_branch", unit=group.name, errors=of_member)
    _ensure_member_since(session, member.id, since, in_this_branch=is_team)
    _ensure_not_in(session, group, member.id, since)
    now = utc_now()
    return Participation(
        group_id=group.id,
        member_id=member.id,
        province_id=member.province_id,
        valid_from=since,
        created_at=now,
        updated_at=now,
    )


def _ensure_member_since(
    session: Session, member_id: UUID, since: date, *, in_this_branch: bool
) -> None:
    """Who is in the union has been in it (in her branch) without a break since that day."""
    spells = session.execute(
        sa.select(col(Membership.valid_from), col(Membership.valid_to), col(Membership.joined_by))
        .where(col(Membership.member_id) == member_id, col(Membership.annulled_at).is_(None))
        .order_by(col(Membership.valid_from).desc())
    ).all()
    # A transfer is no break in the union: only an admission or a readmission begins anew.
    begun = [
        spell.valid_from
        for spell in spells
        if (spell.valid_to is None if in_this_branch else spell.joined_by is not Joined.transfer)
    ]
    if not begun or since < begun[0]:
        raise invalid("not_member_then", "/valid_from")


def _ensure_not_in(session: Session, group: Unit, member_id: UUID, since: date) -> None:
    """The same member in the same group twice on one day would be two participations of one."""
    last = col(Participation.valid_to)
    overlapping = session.execute(
        sa.select(col(Participation.valid_from)).where(
            col(Participation.group_id) == group.id,
            col(Participation.member_id) == member_id,
            sa.or_(last.is_(None), last >= since),
        )
    ).scalar()
    if overlapping is not None:
        raise _already_in(group, overlapping)


def _already_in(group: Unit, since: date) -> Problem:
    return Problem(
        "participation_exists",
        unit=group.name,
        since=since.isoformat(),
        errors=[FieldError("body", "/member_id", "state_conflict")],
    )


def end(session: Session, actor: Actor, participation_id: UUID, body: ParticipationEnd) -> None:
    """She no longer takes part from a day on; on its very first day the entry was a mistake."""
    row = session.get(Participation, participation_id, with_for_update=True)
    if row is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    member = session.execute(_MEMBER, {"member_id": row.member_id}).one()
    if not actor.covers(Right.members_read, member):
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    group = session.execute(_GROUP, {"group_id": row.group_id}).one()
    _ensure_may_write(session, actor, member, group)
    ended_on = body.ended_on or local_today()
    if row.valid_to is not None:
        # The same act again; without a day it asks for nothing but the end.
        if body.ended_on in (None, row.valid_to + _DAY):
            return
        raise Problem("participation_ended", valid_to=row.valid_to.isoformat())
    if ended_on > local_today():
        raise invalid("date_in_future", "/ended_on")
    if ended_on < row.valid_from:
        raise invalid("dates_reversed", "/ended_on")
    row.valid_to = ended_on - _DAY
    session.flush()


# -- what follows from other acts


def end_in_branch(session: Session, member_id: UUID, branch_id: int, on: date) -> None:
    """She is no longer of the branch from `on`: so of none of the groups that stand in it."""
    in_branch = sa.select(col(Unit.id)).where(col(Unit.branch_id) == branch_id)
    _end(
        session,
        on,
        col(Participation.member_id) == member_id,
        col(Participation.group_id).in_(in_branch),
    )


def end_all_of(session: Session, member_id: UUID, on: date) -> None:
    """She is no longer in the union from `on`: so of no group at all."""
    _end(session, on, col(Participation.member_id) == member_id)


def end_all_in(session: Session, group_id: int, on: date) -> None:
    """The group is closed from `on`."""
    _end(session, on, col(Participation.group_id) == group_id)


def _end(session: Session, on: date, *which: sa.ColumnElement[bool]) -> None:
    """`on` is the first day out. What would have begun later keeps no day at all."""
    last = col(Participation.valid_to)
    rows = session.exec(
        select(Participation)
        .where(*which, sa.or_(last.is_(None), last >= on))
        .order_by(col(Participation.id))
        .with_for_update()
    ).all()
    for row in rows:
        row.valid_to = max(on, row.valid_from) - _DAY
    session.flush()


def ensure_may_stand_in(session: Session, group: Unit, parent: Unit) -> None:
    """A team is moved to a branch only when all who take part in it are of that branch."""
    if group.group_kind is not GroupKind.team:
        return
    stranger = session.execute(
        sa.select(col(Participation.id))
        .join(Member, col(Member.id) == col(Participation.member_id))
        .where(
            col(Participation.group_id) == group.id,
            col(Participation.valid_to).is_(None),
            col(Member.branch_id) != parent.id,
        )
        .limit(1)
    ).first()
    if stranger is not None:
        raise Problem("team_of_another_branch", unit=group.name)


def ids_of_member(db: Db, member_id: UUID, day: date) -> list[int]:
    """The groups she takes part in on a day."""
    statement = sa.select(col(Participation.group_id)).where(
        col(Participation.member_id) == member_id, valid_on(Participation, day)
    )
    return list(db.execute(statement).scalars())
