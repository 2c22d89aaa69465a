"""Counts of members, in people: from the records for today, from the spells for a past day.

A reader without the right to a sensitive field may still count by it, in figures rounded so that
neither one of them nor the difference of two reveals anything about one person.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import local_today
from app.db import vault_of
from app.errors import invalid
from app.models.kernel.access import Right
from app.models.kernel.code_lists import ETHNIC_GROUPS
from app.models.kernel.units import (
    IdentifierScheme,
    Unit,
    UnitClosure,
    UnitIdentifier,
    UnitLevel,
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
from app.models.members.spells import Membership
from app.services.disclosure import rounding
from app.services.kernel.access import Actor, Db, Reach, forbidden, within
from app.services.members import scope as member_scope
from app.services.members.record import MASKS
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
_UNITS = {MemberCountBy.branch: UnitLevel.branch, MemberCountBy.commune: UnitLevel.commune}


def count_members(db: Db, actor: Actor, query: MemberCountQuery) -> MemberCount:
    """People of the scope or of a unit below it, in all and by one of their fields."""
    scope = _scope(db, actor, query)
    unit = None
    if query.unit is not None:
        unit = UnitRef.model_validate(find_filter(db, actor, query.unit, pointer="/unit"))
    today = local_today()
    day = query.as_of or today
    hidden = _hidden(db, actor, query, scope)
    if hidden is not None and day < today:
        raise forbidden(db, actor, hidden, query.unit)
    if day < today:
        _ensure_dated(query)
        counted = _counted_on(db, scope, day, query.by)
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
    items = [] if query.by is None else _items(db, query.by, shown, suppressed, day)
    return MemberCount(
        unit=unit,
        as_of=day,
        people=people,
        honorary=honorary,
        by=query.by,
        items=items,
        rounded=hidden is not None,
        suppressed=[item.value for item in items if item.people is None],
    )


def _ensure_dated(query: MemberCountQuery) -> None:
    """A spell holds membership, not whether a transfer was under way."""
    if query.status is not None:
        raise invalid("status_not_dated", "/status", place="query")
    if query.by is MemberCountBy.status:
        raise invalid("status_not_dated", "/by", place="query")


def _scope(
    db: Db, actor: Actor, query: MemberCountQuery, rights: Sequence[Right] = ()
) -> tuple[Reach, ...]:
    scope = member_scope.held(db, actor, rights)
    if query.unit is None:
        return scope
    return member_scope.narrowed(db, actor, scope, query.unit, "/unit")


def _hidden(db: Db, actor: Actor, query: MemberCountQuery, scope: Sequence[Reach]) -> Right | None:
    """The right the actor lacks over some of those counted, where what is counted by needs one."""
    right = MASKS.get(query.by) if query.by else None
    if right is None:
        return None
    if actor.reach(right) and set(_scope(db, actor, query, [right])) == set(scope):
        return None
    return right


# -- counting

Counted = list[tuple[str | None, MemberKind, int]]


def _counted_today(db: Db, scope: Sequence[Reach], query: MemberCountQuery) -> Counted:
    value = _value(query.by, local_today().year)
    if query.by in _UNITS:
        value = col(Member.branch_id if query.by is MemberCountBy.branch else Member.commune_id)
    statement = sa.select(value.label("value"), col(Member.kind), sa.func.count()).where(
        within(Member, scope)
    )
    if query.status is not None:
        statement = statement.where(col(Member.status) == query.status)
    elif query.by is not MemberCountBy.status:
        statement = statement.where(col(Member.status).in_(CURRENT_MEMBERS))
    return _grouped(db, statement)


def _counted_on(db: Db, scope: Sequence[Reach], day: date, by: MemberCountBy | None) -> Counted:
    """By the spells of that day, in the tree of units as it stood then."""
    value = _value(by, day.year)
    spell = _spells_on(scope, day)
    if by is MemberCountBy.branch:
        value = spell.c.branch_id
    people = sa.func.count(spell.c.member_id.distinct())
    source = spell.join(Member, col(Member.id) == spell.c.member_id)
    if by is MemberCountBy.commune:
        line, commune = aliased(UnitClosure), aliased(Unit)
        value = col(commune.id)
        source = source.outerjoin(
            sa.join(line, commune, col(commune.id) == col(line.ancestor_id)),
            sa.and_(
                col(line.descendant_id) == spell.c.branch_id,
                valid_on(line, day),
                col(commune.level) == UnitLevel.commune,
            ),
        )
    return _grouped(
        db, sa.select(value.label("value"), col(Member.kind), people).select_from(source)
    )


def _spells_on(scope: Sequence[Reach], day: date) -> Any:
    statement = sa.select(col(Membership.member_id), col(Membership.branch_id)).where(
        valid_on(Membership, day), col(Membership.annulled_at).is_(None)
    )
    if not any(reach.level is UnitLevel.central for reach in scope):
        below = sa.select(col(UnitClosure.descendant_id)).where(
            col(UnitClosure.ancestor_id).in_([reach.unit_id for reach in scope]),
            valid_on(UnitClosure, day),
        )
        statement = statement.where(col(Membership.branch_id).in_(below))
    return statement.subquery("spell")


def _grouped(db: Db, statement: sa.Select[Any]) -> Counted:
    # By the label: PostgreSQL takes an expression for another one when its parameters are bound twice.
    rows = db.execute(statement.group_by(sa.text("value"), col(Member.kind)))
    return [(_text(value), kind, people) for value, kind, people in rows]


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _value(by: MemberCountBy | None, year: int) -> Any:
    """What to group by, as an expression over a member."""
    if by is None or by in _UNITS:
        return sa.literal(None, sa.String)
    if by is MemberCountBy.joined_year:
        return sa.extract("year", col(Member.joined_on))
    if by is MemberCountBy.age_band:
        age = year - col(Member.birth_year)
        return sa.case(
            (age < 30, AgeBand.under_30.value),
            (age < 40, AgeBand.from_30_to_39.value),
            (age < 50, AgeBand.from_40_to_49.value),
            (age < 60, AgeBand.from_50_to_59.value),
            else_=AgeBand.over_59.value,
        )
    return getattr(Member, by.value)


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
    if by in _UNITS:
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
    if by not in _UNITS:
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
