"""People of a past day: by the spells of that day, the tree of that day, and the records of then."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import end_of
from app.db import chunks
from app.models.kernel.units import Unit, UnitClosure, UnitLevel
from app.models.members.lists import MemberCountBy
from app.models.members.members import Member, MemberKind
from app.models.members.spells import Membership
from app.services.kernel import dated
from app.services.kernel.access import Db
from app.services.kernel.reach import Reach
from app.services.members.counting import (
    UNITS,
    Counted,
    field_of,
    grouped,
    text_of,
    value_in,
    value_of,
)
from app.services.units.units import counts_on, valid_on


def counted_on(db: Db, scope: Sequence[Reach], day: date, by: MemberCountBy | None) -> Counted:
    """By what the records of today say, put right by what the change log says of then."""
    source, value = _source(scope, day, by)
    people = sa.func.count(col(Member.id).distinct())
    statement = sa.select(value.label("value"), col(Member.kind), people).select_from(source)
    today = {(value, kind): number for value, kind, number in grouped(db, statement)}
    cells: Counter[tuple[str | None, MemberKind]] = Counter(today)
    _put_back(db, cells, scope, day, by)
    return [(value, kind, number) for (value, kind), number in cells.items() if number]


def _source(scope: Sequence[Reach], day: date, by: MemberCountBy | None) -> tuple[Any, Any]:
    """Members with the spells of the day, and what to group them by."""
    spell = _spells_on(scope, day)
    source = spell.join(Member, col(Member.id) == spell.c.member_id)
    if by is MemberCountBy.branch:
        return source, spell.c.branch_id
    if by is not MemberCountBy.commune:
        return source, value_of(by, day.year)
    line, commune = aliased(UnitClosure), aliased(Unit)
    return source.outerjoin(
        sa.join(line, commune, col(commune.id) == col(line.ancestor_id)),
        sa.and_(
            col(line.descendant_id) == spell.c.branch_id,
            valid_on(line, day),
            col(commune.level) == UnitLevel.commune,
        ),
    ), col(commune.id)


def _spells_on(scope: Sequence[Reach], day: date) -> Any:
    statement = sa.select(col(Membership.member_id), col(Membership.branch_id)).where(
        counts_on(day)
    )
    if not any(reach.level is UnitLevel.central for reach in scope):
        below = sa.select(col(UnitClosure.descendant_id)).where(
            col(UnitClosure.ancestor_id).in_([id_ for reach in scope for id_ in reach.unit_ids]),
            valid_on(UnitClosure, day),
        )
        statement = statement.where(col(Membership.branch_id).in_(below))
    return statement.subquery("spell")


def _put_back(
    db: Db,
    cells: Counter[tuple[str | None, MemberKind]],
    scope: Sequence[Reach],
    day: date,
    by: MemberCountBy | None,
) -> None:
    """Whose record has changed since the day is counted as it was."""
    field = field_of(by)
    names = ["kind"] if field is None else list(dict.fromkeys(("kind", field)))
    were = dated.changed_since(db, Member, day, names)
    source, place = _source(scope, day, by)
    columns = [getattr(Member, name) for name in names]
    known_then = col(Member.created_at) < end_of(day)
    statement = sa.select(col(Member.id), place.label("place"), *columns)
    statement = statement.select_from(source).where(known_then)
    for chunk in chunks([UUID(id_) for id_ in were]):
        for row in db.execute(statement.where(col(Member.id).in_(chunk))):
            now = {name: getattr(row, name) for name in names}
            for record, sign in ((now, -1), (now | were[str(row.id)], 1)):
                value = text_of(row.place) if field is None else value_in(by, record, day.year)
                cells[value, record["kind"]] += sign


def not_dated(db: Db, scope: Sequence[Reach], day: date, by: MemberCountBy | None) -> list[str]:
    """What is taken from today's records of people who were entered after the day."""
    source, _ = _source(scope, day, None)
    entered_since = sa.select(col(Member.id)).select_from(source)
    entered_since = entered_since.where(col(Member.created_at) >= end_of(day))
    if db.execute(entered_since.limit(1)).first() is None:
        return []
    return ["honorary"] if by is None or by in UNITS else ["honorary", by.value]
