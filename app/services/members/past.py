"""Members on a past day: in their branches of that day by their spells, with their records of then by
the change log.

Who may see a member, and which of her fields, is decided by where she stands today.
"""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect
from app.errors import invalid, not_found
from app.models.base import ListQuery
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitClosure, UnitLevel
from app.models.members.lists import MemberQuery
from app.models.members.members import Member, MemberRead, MemberStatus
from app.models.members.spells import Left, Membership
from app.services.kernel import dated
from app.services.kernel.access import Actor, Db, visible
from app.services.kernel.keyset import Order, Pages, pages
from app.services.kernel.reach import Reach
from app.services.members import record
from app.services.units import hierarchy
from app.services.units.hierarchy import UnitTree
from app.services.units.units import CURRENT_MEMBERS, begun_by, counts_on, valid_on

_PLACE = ("branch_id", "commune_id", "province_id")
# A restriction binds whoever reads the record, so it is today's.
_OF_TODAY = ("id", "restricted", "revision", "masked")
_LOGGED = [name for name in MemberRead.model_fields if name not in (*_PLACE, *_OF_TODAY)]
# By her spells, not by the log alone.
_NOT_DATED = [name for name in _LOGGED if name != "status"]
_FILTERS = {"unit", "branch", "commune", "restricted", "as_of", "hierarchy"}
_FURTHER = MemberQuery.model_fields.keys() - ListQuery.model_fields.keys() - _FILTERS
_BY_NAME = Order(col(Member.sort_key), col(Member.id))


# -- the record


def member_on(db: Db, actor: Actor, member_id: UUID, day: date | None) -> dict[str, Any]:
    """The record as it was when the day had ended; 404 where she had joined no branch by then."""
    item = record.get_member(db, actor, member_id)
    if day is None or day >= local_today():
        return item | {"not_dated": []}
    [found] = _as_on(db, [item], day)
    if found is None:
        raise not_found()
    return found


def _as_on(db: Db, items: Sequence[dict[str, Any]], day: date) -> list[dict[str, Any] | None]:
    """Records of today as they were then; None for who had joined no branch by then."""
    ids = [item["id"] for item in items]
    spells = _last_spells(db, ids, day)
    places = _places(db, {spell.branch_id for spell in spells.values()}, day)
    were = dated.rows_on(db, Member, ids, day, _LOGGED)

    def as_then(item: dict[str, Any]) -> dict[str, Any] | None:
        spell, then = spells.get(item["id"]), were[item["id"]]
        if spell is None:
            return None
        status = _status(item, then, spell, day)
        return _as_then(item, then) | places[spell.branch_id] | {"status": status}

    return [as_then(item) for item in items]


def _last_spells(db: Db, member_ids: Sequence[UUID], day: date) -> dict[UUID, Any]:
    """Of each the spell she was in, or had been in last."""
    # A spell of no day comes before the one that began on the same day.
    oldest_first = (
        col(Membership.valid_from),
        col(Membership.valid_to).nulls_last(),
        col(Membership.id),
    )
    rows = db.execute(
        sa.select(
            col(Membership.member_id),
            col(Membership.branch_id),
            col(Membership.valid_to),
            col(Membership.left_by),
        )
        .where(col(Membership.member_id).in_(member_ids), begun_by(day))
        .order_by(*oldest_first)
    )
    return {row.member_id: row for row in rows}


def _status(item: dict[str, Any], then: dated.Then, spell: Any, day: date) -> MemberStatus:
    """Of who was in the union: active, unless the log has a transfer of hers under way then."""
    if spell.valid_to is None or spell.valid_to >= day:
        status = MemberStatus(then.of(item)["status"])
        return status if status in CURRENT_MEMBERS else MemberStatus.active
    return MemberStatus.deceased if spell.left_by is Left.death else MemberStatus.left


def _as_then(item: dict[str, Any], then: dated.Then) -> dict[str, Any]:
    """What is masked today is masked on every day."""
    masked = dict.fromkeys(item["masked"])
    unknown = [] if then.known else [name for name in _NOT_DATED if name not in masked]
    were = then.of({name: item[name] for name in _LOGGED})
    return item | were | masked | {"not_dated": unknown}


def _places(db: Db, branch_ids: Collection[int], day: date) -> dict[int, dict[str, Any]]:
    """The units that branches stood in on a day, or on their last one, as the columns of a member."""
    found: dict[int, dict[str, Any]] = {
        branch_id: dict.fromkeys(_PLACE) | {"branch_id": branch_id} for branch_id in branch_ids
    }
    branch = aliased(Unit)
    stood_on = sa.case((col(branch.closed_on) < day, col(branch.closed_on)), else_=day)
    rows = db.execute(
        sa.select(col(UnitClosure.descendant_id), col(Unit.id), col(Unit.level))
        .join(branch, col(branch.id) == col(UnitClosure.descendant_id))
        .join(Unit, col(Unit.id) == col(UnitClosure.ancestor_id))
        .where(
            col(UnitClosure.descendant_id).in_(branch_ids),
            valid_on(UnitClosure, stood_on),
            col(Unit.level).in_((UnitLevel.commune, UnitLevel.province)),
        )
    )
    for branch_id, unit_id, level in rows:
        found[branch_id][f"{level.value}_id"] = unit_id
    return found


# -- many


class DayAsked(NamedTuple):
    """The day and the tree that a list is of."""

    day: date
    tree: UnitTree


def asked(query: MemberQuery) -> DayAsked | None:
    """None: today's list. 422 for a filter by what the records say today."""
    today = local_today()
    day = query.as_of or today
    tree = hierarchy.chosen(query.hierarchy) or hierarchy.as_was(day)
    if min(day, tree.day) >= today:
        return None
    for name in sorted(_FURTHER):
        if getattr(query, name) is not None:
            raise invalid("filter_not_dated", f"/{name}", place="query")
    return DayAsked(day, tree)


def list_on(
    db: Db, actor: Actor, scope: Sequence[Reach], query: MemberQuery, of: DayAsked
) -> Pages:
    """Who was in the union on the day, in the units of the tree, as far as the actor sees them today;
    in the order of their names of today."""
    unit_ids = [unit_id for reach in scope for unit_id in reach.unit_ids]
    hierarchy.ensure_held(db, actor, Right.members_read, unit_ids, of.tree, of.day)
    spells = sa.select(col(Membership.member_id)).where(counts_on(of.day))
    if not any(reach.level is UnitLevel.central for reach in scope):
        places = hierarchy.placed(unit_ids, of.tree)
        spells = spells.where(col(Membership.branch_id).in_(sa.select(places.c.id)))
    statement: AnySelect = sa.select(*record.COLUMNS, col(Member.sort_key)).where(
        col(Member.id).in_(spells),
        visible(Member, actor, Right.members_read),
        col(Member.erased_on).is_(None),
    )
    if query.restricted is not None:
        statement = statement.where(col(Member.restricted) == query.restricted)
    return pages(
        statement, _BY_NAME, lambda db, rows: _as_on(db, record.shown(actor, rows), of.day)
    )
