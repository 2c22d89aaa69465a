"""Counts of members, in people: from the records for today, from the spells for a past day.

A reader without the right to a sensitive field may still count by it, in figures rounded so that
neither one of them nor the difference of two reveals anything about one person.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today
from app.db import vault_of
from app.errors import invalid
from app.models.kernel.access import Right
from app.models.kernel.code_lists import ETHNIC_GROUPS
from app.models.kernel.units import (
    IdentifierScheme,
    Unit,
    UnitIdentifier,
    UnitRef,
)
from app.models.members.lists import (
    AgeBand,
    CountItem,
    MemberCount,
    MemberCountBy,
    MemberCountQuery,
)
from app.models.members.members import (
    Education,
    Gender,
    Member,
    MemberKind,
    MemberStatus,
    PartyStatus,
    Qualification,
    Religion,
)
from app.services.disclosure import rounding
from app.services.kernel.access import Actor, Db, forbidden
from app.services.kernel.reach import Reach, within
from app.services.members import past_counts
from app.services.members import scope as member_scope
from app.services.members.counting import UNITS, Counted, grouped, value_of
from app.services.members.past_counts import PastCount
from app.services.members.record import MASKS
from app.services.units import hierarchy
from app.services.units.units import CURRENT_MEMBERS, find_filter, valid_on

# The values of a dimension in their order; others are put in order by themselves.
_VALUES: dict[MemberCountBy, Sequence[str]] = {
    MemberCountBy.status: tuple(MemberStatus),
    MemberCountBy.kind: tuple(MemberKind),
    MemberCountBy.gender: tuple(Gender),
    MemberCountBy.age_band: tuple(AgeBand),
    MemberCountBy.ethnicity: [group.code for group in ETHNIC_GROUPS.items],
    MemberCountBy.religion: tuple(Religion),
    MemberCountBy.party: tuple(PartyStatus),
    MemberCountBy.education: tuple(Education),
    MemberCountBy.qualification: tuple(Qualification),
    MemberCountBy.core: ("true", "false"),
}


def count_members(db: Db, actor: Actor, query: MemberCountQuery) -> MemberCount:
    """People of the scope or of a unit below it, in all and by one of their fields."""
    scope = _scope(db, actor, query)
    unit = None
    if query.unit is not None:
        unit = UnitRef.model_validate(find_filter(db, actor, query.unit, pointer="/unit"))
    today = local_today()
    day = query.as_of or today
    tree = hierarchy.chosen(query.hierarchy) or hierarchy.as_was(day)
    is_past = min(day, tree.day) < today
    hidden = _hidden(db, actor, query, scope)
    if hidden is not None and is_past:
        raise forbidden(db, actor, hidden, query.unit)
    not_dated: list[str] = []
    if is_past:
        _ensure_dated(query)
        asked = PastCount(scope, day, tree, query.by)
        hierarchy.ensure_held(db, actor, Right.members_read, asked.unit_ids, tree, day)
        counted = past_counts.counted_on(db, asked)
        not_dated = past_counts.not_dated(db, asked)
    else:
        counted = _counted_today(db, scope, query)
    cells: Counter[str | None] = Counter()
    kinds: Counter[MemberKind] = Counter()
    for value, kind, number in counted:
        cells[value] += number
        kinds[kind] += number
    people, honorary = kinds.total(), kinds[MemberKind.honorary]
    suppressed: set[str | None] = set()
    shown: Mapping[str | None, int] = cells
    if hidden is not None and query.by is not None:
        every = {value: cells.get(value, 0) for value in (*_VALUES[query.by], None)}
        shown = rounding.distribution(vault_of(db), query.by, every)
        suppressed = rounding.too_small(shown)
        people, honorary = rounding.nearest(people), rounding.nearest(honorary)
    items = [] if query.by is None else _items(db, query.by, shown, suppressed, tree.day)
    return MemberCount(
        unit=unit,
        as_of=day,
        people=people,
        honorary=honorary,
        by=query.by,
        items=items,
        rounded=hidden is not None,
        suppressed=[item.value for item in items if item.people is None],
        not_dated=not_dated,
    )


def rows(found: MemberCount) -> list[dict[str, Any]]:
    """As CountRow: the items, or where nothing was counted apart all people."""
    everybody = CountItem(value=None, label=None, people=found.people)
    unit = found.unit
    return [
        item.model_dump(mode="json")
        | {
            "as_of": found.as_of,
            "unit_id": unit and unit.id,
            "unit_name": unit and unit.name,
            "by": found.by,
        }
        for item in (found.items if found.by is not None else [everybody])
    ]


def _ensure_dated(query: MemberCountQuery) -> None:
    """A spell holds membership, not whether a transfer was under way."""
    if query.status is not None:
        raise invalid("status_not_dated", "/status", place="query")
    if query.by is MemberCountBy.status:
        raise invalid("status_not_dated", "/by", place="query")


def _scope(
    db: Db, actor: Actor, query: MemberCountQuery, rights: Sequence[Right] = ()
) -> tuple[Reach, ...]:
    return member_scope.asked(db, actor, rights, query.unit)


def _hidden(db: Db, actor: Actor, query: MemberCountQuery, scope: Sequence[Reach]) -> Right | None:
    """The right the actor lacks over some of those counted, where what is counted by needs one."""
    right = MASKS.get(query.by) if query.by else None
    if right is None:
        return None
    if actor.reach(right) and set(_scope(db, actor, query, [right])) == set(scope):
        return None
    return right


# -- counting


def _counted_today(db: Db, scope: Sequence[Reach], query: MemberCountQuery) -> Counted:
    value = value_of(query.by, local_today().year)
    if query.by in UNITS:
        value = col(Member.branch_id if query.by is MemberCountBy.branch else Member.commune_id)
    statement = sa.select(value.label("value"), col(Member.kind), sa.func.count()).where(
        within(Member, scope)
    )
    if query.status is not None:
        statement = statement.where(col(Member.status) == query.status)
    elif query.by is not MemberCountBy.status:
        statement = statement.where(col(Member.status).in_(CURRENT_MEMBERS))
    return grouped(db, statement)


# -- answering


def _items(
    db: Db,
    by: MemberCountBy,
    cells: Mapping[str | None, int],
    suppressed: set[str | None],
    day: date,
) -> list[CountItem]:
    """In the order of the values; what is not recorded comes last."""
    labels = _labels(db, by, cells, day)
    if by in UNITS:
        order = [value for value in labels if value in cells]
    elif by in _VALUES:
        order = [value for value in _VALUES[by] if value in cells]
    else:
        order = sorted(value for value in cells if value is not None)
    return [
        CountItem(
            value=value,
            label=None if value is None else labels.get(value),
            people=None if value in suppressed else cells[value],
        )
        for value in (*order, *([None] if None in cells else []))
    ]


def _labels(
    db: Db, by: MemberCountBy, cells: Mapping[str | None, int], day: date
) -> dict[str, str]:
    """Names of ethnic groups; of units by their own order, with the names of the day."""
    if by is MemberCountBy.ethnicity:
        return {group.code: group.vi for group in ETHNIC_GROUPS.items}
    if by not in UNITS:
        return {}
    unit_ids = [int(value) for value in cells if value is not None]
    rows = db.execute(
        sa.select(col(Unit.id), sa.func.coalesce(col(UnitIdentifier.value), col(Unit.name)))
        .outerjoin(
            UnitIdentifier,
            sa.and_(
                col(UnitIdentifier.unit_id) == col(Unit.id),
                col(UnitIdentifier.scheme) == IdentifierScheme.name,
                valid_on(UnitIdentifier, day),
            ),
        )
        .where(col(Unit.id).in_(unit_ids))
        .order_by(col(Unit.sort_key), col(Unit.id))
    )
    return {str(unit_id): name for unit_id, name in rows}
