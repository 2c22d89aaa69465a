"""Members that a list names without their id: by their number, or by name and birth in a unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect, vault_of
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.members import Identifier, Member, MemberIdentifier
from app.services.kernel.access import Actor, Db
from app.services.kernel.list_kinds import Json
from app.services.kernel.reach import Reach
from app.services.members.identifiers import RIGHT_OF, digests_of
from app.services.members.persons import IN_UNION, births_agree
from app.text import sort_keys

_SURE, _LIKELY = 100, 70
_PERSON: AnySelect = sa.select(
    col(Member.id),
    col(Member.full_name),
    col(Member.birth_date),
    col(Member.sort_key),
    col(Member.province_id),
    col(Member.commune_id),
    col(Member.branch_id),
).where(col(Member.status).in_(IN_UNION), col(Member.erased_on).is_(None))


@dataclass(slots=True)
class FoundPerson:
    """`member` is the person if there is no doubt; otherwise `maybe` holds the candidates."""

    member: Any = None
    maybe: list[Any] = field(default_factory=list)


def find(
    db: Db, actor: Actor, reach: Reach, name: str, birth: str | None, citizen_id: str | None
) -> FoundPerson:
    """Find a member within scope by number and name, or the only one with the name and birth (a
    year is enough). A name alone, or several matches, is left to people.
    """
    known = [row for row in _named(db, reach, name) if actor.covers(Right.members_read, row)]
    numbered = _numbered(db, actor, reach, citizen_id) if citizen_id else []
    if len(numbered) == 1 and numbered[0].sort_key in sort_keys(name):
        return FoundPerson(numbered[0])
    if numbered:
        return FoundPerson(maybe=numbered)
    born = [row for row in known if birth is not None and births_agree(row.birth_date, birth)]
    if len(born) == 1:
        return FoundPerson(born[0])
    return FoundPerson(maybe=born or ([] if birth is not None else known))


def _named(db: Db, reach: Reach, name: str) -> Sequence[Any]:
    statement = _PERSON.where(reach.predicate(Member), col(Member.sort_key).in_(sort_keys(name)))
    return db.execute(statement.order_by(col(Member.id)).limit(20)).all()


def _numbered(db: Db, actor: Actor, reach: Reach, citizen_id: str) -> list[Any]:
    kind = Identifier.citizen_id
    statement = _PERSON.join(
        MemberIdentifier, col(MemberIdentifier.member_id) == col(Member.id)
    ).where(
        reach.predicate(Member),
        col(MemberIdentifier.kind) == kind,
        col(MemberIdentifier.exact).in_(digests_of(vault_of(db), kind, "exact", citizen_id)),
    )
    rows = db.execute(statement.order_by(col(Member.id)).limit(20)).all()
    return [row for row in rows if actor.covers(RIGHT_OF[kind], row)]


def candidates(db: Db, rows: Sequence[Any]) -> list[Json]:
    """Members for a row that waits for a decision."""
    units = units_of(db, {row.branch_id for row in rows})
    return [
        {
            "member_id": str(row.id),
            "full_name": row.full_name,
            "score": _LIKELY if len(rows) > 1 else _SURE - 1,
            "masked": False,
            "unit": units[row.branch_id],
        }
        for row in rows
    ]


def units_of(db: Db, unit_ids: set[int]) -> Mapping[int, Json]:
    found = sa.select(col(Unit.id), col(Unit.level), col(Unit.name)).where(
        col(Unit.id).in_(unit_ids)
    )
    return {
        row.id: {"id": row.id, "level": row.level.value, "name": row.name}
        for row in db.execute(found)
    }
