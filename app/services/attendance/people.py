"""Identify the person of a capture, and her units on the day of the session.

The units come from her spells and from the tree of units as it was that day. Captures must not be a
way to look people up: a member who is neither invited, nor in the scope of the account that
captured her, nor proven by her card is treated as one who does not exist.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import AnySelect
from app.models.attendance.attendance import Flag
from app.models.attendance.cards import MemberCard
from app.models.groups.groups import Participation
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitClosure, UnitLevel
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.services.attendance.facts import Sitting, Values
from app.services.kernel.access import Actor, Db
from app.services.units.rows import hold_by_asking
from app.services.units.units import valid_on
from app.text import search_words

# Names are compared with a roster of so many people at most.
ROSTER_MOST = 20_000


@dataclass(frozen=True, slots=True)
class CapturedPerson:
    """The units of a member on the day of a session, for its fact, with what is unusual."""

    place: Values
    flags: frozenset[Flag]


def _level(level: UnitLevel) -> Any:
    unit_id = sa.case((col(Unit.level) == level, col(Unit.id)))
    return sa.func.max(unit_id).label(f"{level.value}_id")


def invited_on(sitting: Sitting) -> sa.Select[Any]:
    """All units that stood in an invited one on the day."""
    return sa.select(col(UnitClosure.descendant_id)).where(
        col(UnitClosure.ancestor_id).in_(sitting.invited), valid_on(UnitClosure, sitting.local_date)
    )


def in_spell(day: date) -> sa.ColumnElement[bool]:
    return sa.and_(valid_on(Membership, day), col(Membership.annulled_at).is_(None))


def in_invited_group(sitting: Sitting, member_id: Any) -> sa.ColumnElement[bool]:
    """Members of an invited group are invited, in whatever branch they are."""
    return sa.exists(
        sa.select(sa.literal(1)).where(
            col(Participation.member_id) == member_id,
            col(Participation.group_id).in_(sitting.invited),
            valid_on(Participation, sitting.local_date),
        )
    )


def placed(db: Db, sitting: Sitting, member_ids: Collection[UUID]) -> dict[UUID, CapturedPerson]:
    """Members who were in a branch that day, with its path of that day. In a transaction the branch
    hands nobody over before the commit: the fact that follows stands where its member stood."""
    if not member_ids:
        return {}
    if isinstance(db, Session):
        of_that_day = sa.and_(
            col(Membership.member_id).in_(member_ids), in_spell(sitting.local_date)
        )
        stood_in = sa.select(col(Membership.branch_id)).where(of_that_day)
        hold_by_asking(db, col(Unit.id).in_(stood_in))
    asked = {
        "member_ids": list(member_ids),
        "day": sitting.local_date,
        "invited": sitting.invited,
        "groups": sitting.invited,
    }
    rows = db.execute(_PLACED, asked)
    found = {}
    for row in rows:
        on_roster = bool(row.invited or row.of_group)
        place = {
            "province_id": row.province_id,
            "district_id": row.district_id,
            "commune_id": row.commune_id,
            "branch_id": row.branch_id,
            "on_roster": on_roster,
        }
        found[row.member_id] = CapturedPerson(place, frozenset() if on_roster else _NOT_ON_ROSTER)
    return found


_DAY: sa.BindParameter[date] = sa.bindparam("day", type_=sa.Date)


def _among(column: Any, name: str) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = col(column).in_(sa.bindparam(name, expanding=True))
    return found


# Built once: it is asked with every batch.
_PLACED: AnySelect = (
    sa.select(
        col(Membership.member_id),
        col(Membership.branch_id),
        col(Membership.province_id),
        _level(UnitLevel.district),
        _level(UnitLevel.commune),
        sa.func.max(sa.case((_among(UnitClosure.ancestor_id, "invited"), 1), else_=0)).label(
            "invited"
        ),
        sa.func.max(
            sa.case(
                (
                    sa.exists(
                        sa.select(sa.literal(1)).where(
                            col(Participation.member_id) == col(Membership.member_id),
                            _among(Participation.group_id, "groups"),
                            valid_on(Participation, _DAY),
                        )
                    ),
                    1,
                ),
                else_=0,
            )
        ).label("of_group"),
    )
    .join(
        UnitClosure,
        sa.and_(
            col(UnitClosure.descendant_id) == col(Membership.branch_id),
            valid_on(UnitClosure, _DAY),
        ),
    )
    .join(Unit, col(Unit.id) == col(UnitClosure.ancestor_id))
    .where(
        _among(Membership.member_id, "member_ids"),
        valid_on(Membership, _DAY),
        col(Membership.annulled_at).is_(None),
    )
    .group_by(col(Membership.member_id), col(Membership.branch_id), col(Membership.province_id))
)


_NOT_ON_ROSTER = frozenset({Flag.not_on_roster})


def known(
    db: Db,
    actor: Actor,
    sitting: Sitting,
    member_ids: Collection[UUID],
    proven: Collection[UUID],
) -> dict[UUID, CapturedPerson]:
    """Those of these members whom the session may name: who is on the roster; who once was a
    member where the actor may read members; whose card was shown (`proven`)."""
    found = placed(db, sitting, member_ids)
    doubtful = [
        each for each in member_ids if each not in found or not found[each].place["on_roster"]
    ]
    if not doubtful:
        return found
    spells: dict[UUID, list[Any]] = defaultdict(list)
    for row in db.execute(_ALL_SPELLS, {"member_ids": doubtful}):
        spells[row.member_id].append(row)
    invited = set(sitting.invited)
    for member_id in doubtful:
        rows = spells.get(member_id, [])
        if not rows or not (
            member_id in proven or any(actor.covers(Right.members_read, row) for row in rows)
        ):
            found.pop(member_id, None)
            continue
        moved = any(not invited.isdisjoint(_path(row)) for row in rows)
        person = found.get(member_id) or CapturedPerson(
            _nowhere(rows[0]), frozenset({Flag.not_a_member})
        )
        flags = person.flags - _NOT_ON_ROSTER | {Flag.moved} if moved else person.flags
        found[member_id] = CapturedPerson(person.place, flags)
    return found


_ALL_SPELLS: AnySelect = (
    sa.select(
        col(Membership.member_id),
        col(Membership.branch_id),
        col(Membership.province_id),
        col(Unit.district_id),
        col(Unit.commune_id),
    )
    .join(Unit, col(Unit.id) == col(Membership.branch_id))
    .where(
        col(Membership.member_id).in_(sa.bindparam("member_ids", expanding=True)),
        col(Membership.annulled_at).is_(None),
    )
)


def _path(row: Any) -> tuple[int | None, ...]:
    return row.branch_id, row.commune_id, row.district_id, row.province_id


def _nowhere(spell: Any) -> Values:
    """In no branch that day: the fact belongs to her province and to no unit below it."""
    return {
        "province_id": spell.province_id,
        "district_id": None,
        "commune_id": None,
        "branch_id": None,
        "on_roster": False,
    }


# -- by name


def bare(name: str) -> str:
    """A name as it is compared: folded, its words in their order."""
    return " ".join(word for word, _ in search_words(name))


def _marked(name: str) -> tuple[str, ...]:
    return tuple(marked or word for word, marked in search_words(name))


def by_name(db: Db, sitting: Sitting, names: Iterable[str]) -> dict[str, list[UUID]]:
    """Who on the roster is called so: written without marks, everybody of that sound; with marks
    that only one of them has, that one."""
    wanted: dict[str, list[tuple[UUID, str]]] = {bare(name): [] for name in names}
    if not wanted:
        return {}
    for row in roster(db, sitting):
        key = bare(row.full_name)
        if key in wanted:
            wanted[key].append((row.id, row.full_name))
    return {name: _exact(name, wanted[bare(name)]) for name in names}


def _exact(name: str, found: Sequence[tuple[UUID, str]]) -> list[UUID]:
    same = [member_id for member_id, full_name in found if _marked(full_name) == _marked(name)]
    return same if len(same) == 1 else [member_id for member_id, _ in found]


def roster(db: Db, sitting: Sitting) -> Sequence[Any]:
    """(id, full_name) of everybody on it, up to ROSTER_MOST."""
    return db.execute(
        sa.select(col(Member.id), col(Member.full_name))
        .join(Membership, col(Membership.member_id) == col(Member.id))
        .where(
            in_spell(sitting.local_date),
            sa.or_(
                col(Membership.branch_id).in_(invited_on(sitting)),
                in_invited_group(sitting, col(Member.id)),
            ),
        )
        .limit(ROSTER_MOST)
    ).all()


# -- by card


def valid_cards(session: Session, card_ids: Collection[UUID]) -> dict[UUID, Any]:
    """Cards that were issued, with whose they are and since when they are not good any more."""
    if not card_ids:
        return {}
    rows = session.execute(
        sa.select(col(MemberCard.id), col(MemberCard.member_id), col(MemberCard.revoked_at)).where(
            col(MemberCard.id).in_(card_ids)
        )
    )
    return {row.id: row for row in rows}
