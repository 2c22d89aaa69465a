"""Lists of groups, with how many take part and who heads them; and their sums."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect
from app.models.cadres.appointments import Appointment, Post
from app.models.groups.groups import (
    GroupCount,
    GroupCountItem,
    GroupCountQuery,
    GroupQuery,
    Participation,
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
from app.services.groups.groups import unit_ref
from app.services.kernel.access import Actor, Db, require_somewhere
from app.services.kernel.keyset import Pages, pages
from app.services.units.in_tree import InTree, rows_of_units
from app.services.units.reading import BY_NAME
from app.services.units.units import find_unit, valid_on
from app.text import name_key

_DAY = timedelta(days=1)


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
            *_here(db, actor, find_unit(db, actor, query.unit), query, day),
            col(Unit.opened_on) <= day,
            sa.or_(col(Unit.closed_on).is_(None), col(Unit.closed_on) >= day),
        )
    )
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
            "parent": unit_ref(row.parent_id, row.parent_level, row.parent_name),
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


def _here(
    db: Db, actor: Actor, unit: Unit | None, query: InTree, day: date
) -> list[sa.ColumnElement[bool]]:
    """Units where the actor reads members, in the unit of a filter."""

    def standing(unit: Unit) -> sa.ColumnElement[bool]:
        """At any depth, on the day."""
        below = sa.select(col(UnitClosure.descendant_id)).where(
            col(UnitClosure.ancestor_id) == unit.id, valid_on(UnitClosure, day)
        )
        return col(Unit.id).in_(below)

    return rows_of_units(db, actor, Right.members_read, unit, query, standing)


def _people(db: Db, group_ids: Sequence[int], day: date) -> dict[int, int]:
    rows = db.execute(
        sa.select(
            col(Participation.group_id), sa.func.count(col(Participation.member_id).distinct())
        )
        .where(col(Participation.group_id).in_(group_ids), valid_on(Participation, day))
        .group_by(col(Participation.group_id))
    )
    return {int(group_id): people for group_id, people in rows}


def _heads(db: Db, group_ids: Sequence[int], day: date) -> dict[int, dict[str, Any]]:
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
    unit = find_unit(db, actor, query.unit)
    where = [*_here(db, actor, unit, query, day), valid_on(Participation, day)]
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
        unit=None if unit is None else UnitRef.model_validate(unit),
        as_of=day,
        people=people,
        participations=participations,
        items=items,
    )
