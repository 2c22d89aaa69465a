"""People of a day in the units of a tree: by the spells of that day, and the records of then."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.clock import end_of
from app.db import chunks
from app.models.kernel.units import UnitLevel
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
from app.services.units import hierarchy
from app.services.units.hierarchy import UnitTree
from app.services.units.units import counts_on


class PastCount(NamedTuple):
    """Whom to count, of which day and in which tree, and by what."""

    scope: Sequence[Reach]
    day: date
    tree: UnitTree
    by: MemberCountBy | None

    @property
    def unit_ids(self) -> list[int]:
        """The units of the scope, and those merged into them."""
        return [unit_id for reach in self.scope for unit_id in reach.unit_ids]


def counted_on(db: Db, asked: PastCount) -> Counted:
    """By what the records of today say, put right by what the change log says of then."""
    source, value = _source(asked)
    people = sa.func.count(col(Member.id).distinct())
    statement = sa.select(value.label("value"), col(Member.kind), people).select_from(source)
    today = {(value, kind): number for value, kind, number in grouped(db, statement)}
    cells: Counter[tuple[str | None, MemberKind]] = Counter(today)
    _put_back(db, cells, asked)
    return [(value, kind, number) for (value, kind), number in cells.items() if number]


def _source(asked: PastCount) -> tuple[Any, Any]:
    """Members with the spells of the day, and what to group them by."""
    spells = sa.select(col(Membership.member_id)).where(counts_on(asked.day))
    if asked.by in UNITS:
        places = hierarchy.by_level(asked.unit_ids, UNITS[asked.by], asked.tree)
        spells = spells.add_columns(places.c.part_id)
        spells = spells.join(places, places.c.id == col(Membership.branch_id))
    elif not any(reach.level is UnitLevel.central for reach in asked.scope):
        places = hierarchy.placed(asked.unit_ids, asked.tree)
        spells = spells.where(col(Membership.branch_id).in_(sa.select(places.c.id)))
    spell = spells.subquery("spell")
    source = spell.join(Member, col(Member.id) == spell.c.member_id)
    value = spell.c.part_id if asked.by in UNITS else value_of(asked.by, asked.day.year)
    return source, value


def _put_back(db: Db, cells: Counter[tuple[str | None, MemberKind]], asked: PastCount) -> None:
    """Whose record has changed since the day is counted as it was."""
    day, by = asked.day, asked.by
    field = field_of(by)
    names = ["kind"] if field is None else list(dict.fromkeys(("kind", field)))
    [(_, were)] = dated.changed_since(db, Member, [day], names)
    source, place = _source(asked)
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


def not_dated(db: Db, asked: PastCount) -> list[str]:
    """What is taken from today's records of people who were entered after the day."""
    source, _ = _source(asked)
    entered_since = sa.select(col(Member.id)).select_from(source)
    entered_since = entered_since.where(col(Member.created_at) >= end_of(asked.day))
    if db.execute(entered_since.limit(1)).first() is None:
        return []
    by = asked.by
    return ["honorary"] if by is None or by in UNITS else ["honorary", by.value]
