"""The inbox of suspected duplicates: its pairs, and deciding them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect
from app.errors import Problem, not_found
from app.models.duplicates.duplicates import (
    DuplicatePair,
    PairCountQuery,
    PairDecision,
    PairQuery,
    PairRead,
    PairState,
    Reason,
)
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.services.duplicates import scores
from app.services.duplicates.candidates import allowed, reasons_read, units_by_id
from app.services.kernel.access import Actor, Db, forbidden, require_somewhere, visible
from app.services.kernel.actors import reach_of
from app.services.kernel.keyset import Order, Pages, pages
from app.services.kernel.offers import Work
from app.services.kernel.reach import Placed
from app.services.units.units import find_filter

_A, _B = aliased(Member), aliased(Member)
_BRANCH_A, _BRANCH_B = aliased(Unit), aliased(Unit)
_SIDE = ("id", "full_name", "birth_date", "status", "province_id", "commune_id", "branch_id")


def _side(member: Any, branch: Any, prefix: str) -> list[Any]:
    columns = [getattr(member, name).label(f"{prefix}_{name}") for name in _SIDE]
    return [*columns, branch.name.label(f"{prefix}_branch_name")]


_PAIRS: AnySelect = (
    sa.select(
        *(
            getattr(DuplicatePair, name)
            for name in (
                *("id", "score", "reasons", "state", "found_at"),
                *("decided_by", "decided_at", "note", "revision"),
            )
        ),
        *_side(_A, _BRANCH_A, "a"),
        *_side(_B, _BRANCH_B, "b"),
    )
    .join(_A, col(_A.id) == col(DuplicatePair.member_a))
    .join(_B, col(_B.id) == col(DuplicatePair.member_b))
    .join(_BRANCH_A, col(_BRANCH_A.id) == col(_A.branch_id))
    .join(_BRANCH_B, col(_BRANCH_B.id) == col(_B.branch_id))
)


def _in_sight(actor: Actor) -> sa.ColumnElement[bool]:
    """Both records are in scope; or one is, and an actor who sees that one may learn of the other."""
    a, b = (visible(each, actor, Right.members_read) for each in (_A, _B))
    return sa.or_(sa.and_(a, b), sa.and_(sa.or_(a, b), col(DuplicatePair.tells)))


def _waiting(_: Db, actor: Actor) -> AnySelect:
    """Undecided pairs of which the actor may merge both records."""
    return (
        sa.select(
            col(DuplicatePair.id),
            col(DuplicatePair.found_at).label("since"),
            col(_A.branch_id).label("unit_id"),
        )
        .join(_A, col(_A.id) == col(DuplicatePair.member_a))
        .join(_B, col(_B.id) == col(DuplicatePair.member_b))
        .where(
            col(DuplicatePair.state) == PairState.open,
            *(visible(each, actor, Right.members_merge) for each in (_A, _B)),
        )
    )


WORK = Work(
    kind="duplicate", right=Right.members_merge, waiting=_waiting, link="/v1/duplicates/{id}"
)


_LIKELIEST = Order(col(DuplicatePair.score).desc(), col(DuplicatePair.id))


def list_pairs(db: Db, actor: Actor, query: PairQuery) -> Pages:
    """Pairs with a record in my scope, the likeliest first."""
    require_somewhere(db, actor, Right.members_read)
    unit = None if query.unit is None else find_filter(db, actor, query.unit, pointer="/unit")
    statement = _PAIRS.where(
        *_here(db, actor, unit), col(DuplicatePair.state) == PairState(query.state)
    )
    if query.min_score is not None:
        statement = statement.where(col(DuplicatePair.score) >= query.min_score)

    def shown(db: Db, rows: Sequence[Any]) -> list[dict[str, Any] | None]:
        # A reason the actor has no right to know lists no pair, and finds none.
        return [
            item if item["reasons"] and item["score"] >= (query.min_score or 0) else None
            for item in _read(db, actor, rows)
        ]

    return pages(statement, _LIKELIEST, shown)


def _here(db: Db, actor: Actor, unit: Unit | None) -> list[sa.ColumnElement[bool]]:
    """Pairs in scope with a record in the unit, if there is one: the same in list and count."""
    here = [visible(Member, actor, Right.members_read)]
    if unit is not None:
        here.append(reach_of(db, unit).predicate(Member))
    # A walk of the index of each side: `OR` over both joins would read every pair.
    sides = [
        sa.select(col(DuplicatePair.id)).join(Member, col(Member.id) == side).where(*here)
        for side in (col(DuplicatePair.member_a), col(DuplicatePair.member_b))
    ]
    return [col(DuplicatePair.id).in_(sa.union(*sides)), _in_sight(actor)]


def count_pairs(db: Db, actor: Actor, query: PairCountQuery) -> dict[str, Any]:
    """How many pairs the inbox holds, by state, as PairCount."""
    require_somewhere(db, actor, Right.members_read)
    unit = None if query.unit is None else find_filter(db, actor, query.unit, pointer="/unit")
    state = col(DuplicatePair.state)
    statement = _PAIRS.where(*_here(db, actor, unit)).with_only_columns(state, sa.func.count())
    counts = {row[0]: row[1] for row in db.execute(statement.group_by(state))}
    return {
        "unit": unit,
        "open": counts.get(PairState.open, 0),
        "distinct": counts.get(PairState.distinct, 0),
    }


def get_pair(db: Db, actor: Actor, pair_id: UUID) -> Mapping[str, Any]:
    """One pair with a record in my scope, whatever its state."""
    require_somewhere(db, actor, Right.members_read)
    statement = _PAIRS.where(col(DuplicatePair.id) == pair_id, _in_sight(actor))
    rows = db.execute(statement).all()
    if not rows:
        raise not_found()
    return _read(db, actor, rows)[0]


class _Side:
    """One of the two records of a row: its units, and what the actor may learn of it."""

    def __init__(self, row: Any, prefix: str) -> None:
        self.values = {name: getattr(row, f"{prefix}_{name}") for name in (*_SIDE, "branch_name")}
        self.province_id: int | None = self.values["province_id"]
        self.commune_id: int | None = self.values["commune_id"]
        self.branch_id: int | None = self.values["branch_id"]

    def shown_of(self, name: str) -> Any:
        return self.values[name]


_SHOWN = ("full_name", "birth_date", "branch_id", "branch_name", "status")


def _read(db: Db, actor: Actor, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows as PairRead, each with a record in scope first."""
    items = []
    for row in rows:
        one, other = _Side(row, "a"), _Side(row, "b")
        if not actor.covers(Right.members_read, one):
            one, other = other, one
        both = actor.covers(Right.members_read, other)
        reasons = [Reason(each) for each in row.reasons]
        shown = allowed(
            reasons if both else scores.telling(reasons), _holds_over(actor, one, other, both)
        )
        item = {name: getattr(row, name) for name in ("id", "state", "found_at", "revision")}
        item |= {"score": scores.score_of(shown), "reasons": reasons_read(shown)}
        item |= {"member_id": one.shown_of("id")} | {name: one.shown_of(name) for name in _SHOWN}
        item |= {"other_id": other.shown_of("id") if both else None}
        item |= {f"other_{name}": other.shown_of(name) if both else None for name in _SHOWN}
        item["other_unit"] = other.commune_id or other.province_id
        item["may_merge"] = all(actor.covers(Right.members_merge, s) for s in (one, other))
        # The author of a decision and the reason are shown to those who see both records.
        decision = ("decided_by", "decided_at", "note")
        item |= {name: getattr(row, name) if both else None for name in decision}
        items.append(item)
    units = units_by_id(db, {item["other_unit"] for item in items})
    for item in items:
        item["other_unit"] = units[item["other_unit"]]
    return [{name: item[name] for name in PairRead.model_fields} for item in items]


def _holds_over(actor: Actor, one: Placed, other: Placed, both: bool) -> Callable[[Right], bool]:
    sides = (one, other) if both else (one,)
    return lambda right: all(actor.covers(right, side) for side in sides)


def set_distinct(session: Session, actor: Actor, pair_id: UUID, body: PairDecision) -> None:
    """They are two people: the pair is never suggested again. Done already is done."""
    pair = _access(session, actor, pair_id)
    if pair.state is PairState.distinct:
        return
    if pair.state is not PairState.open:
        raise Problem("duplicate_state", status=pair.state)
    pair.state, pair.note = PairState.distinct, body.note
    pair.decided_by, pair.decided_at = actor.account_id, utc_now()
    session.flush()


def reopen(session: Session, actor: Actor, pair_id: UUID) -> None:
    """It was not so sure after all: the pair is open again."""
    pair = _access(session, actor, pair_id)
    if pair.state is PairState.open:
        return
    if pair.state is not PairState.distinct:
        raise Problem("duplicate_state", status=pair.state)
    pair.state = PairState.open
    pair.decided_by = pair.decided_at = pair.note = None
    session.flush()


def _access(session: Session, actor: Actor, pair_id: UUID) -> DuplicatePair:
    """The pair, locked: 404 when it is not in her inbox, 403 unless both records are hers to write."""
    require_somewhere(session, actor, Right.members_read)
    statement = _PAIRS.where(col(DuplicatePair.id) == pair_id, _in_sight(actor))
    row = session.execute(statement).one_or_none()
    if row is None:
        raise not_found()
    for side in (_Side(row, "a"), _Side(row, "b")):
        if not actor.covers(Right.members_write, side):
            seen = actor.covers(Right.members_read, side)
            unit_id = side.branch_id if seen else side.commune_id or side.province_id
            raise forbidden(session, actor, Right.members_write, unit_id)
    return session.get_one(DuplicatePair, pair_id, with_for_update=True)
