"""Suspected duplicates: told at the door, kept as pairs, decided by those who see both records.

Nothing is refused for a suspicion unless the client asks for it, and nothing is merged by itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import AnySelect, insert_new
from app.errors import Problem, not_found
from app.models.base import new_id
from app.models.duplicates.duplicates import (
    REASONS,
    CandidateRead,
    DuplicatePair,
    MatchRequest,
    PairCountQuery,
    PairDecision,
    PairQuery,
    PairState,
    Reason,
)
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.members import Member, MemberCreate
from app.services.duplicates import matching
from app.services.duplicates.matching import Candidate, ComparedPerson
from app.services.kernel.access import Actor, Db, Placed, forbidden, require_somewhere, visible
from app.services.kernel.actors import reach_of
from app.services.kernel.keyset import Order, Pages, pages
from app.services.kernel.limits import Limit, Limits
from app.services.members import record
from app.services.units.units import find_filter

# What it takes to be told that a number is the same.
_RIGHT_OF = {
    Reason.phone_same: Right.members_phone,
    Reason.citizen_id_same: Right.members_citizen_id,
    Reason.citizen_id_differs: Right.members_citizen_id,
    Reason.id_card_same: Right.members_citizen_id,
}
# The sensitive field that a reason tells of, for the access log.
Told = list[dict[str, Any]]
# Of one account, asking whether somebody is on record anywhere: as fast as forms are filled in.
_LOOKS = Limit.of("look", "100 per hour")


# -- at the door


def match(db: Db, limits: Limits, actor: Actor, body: MatchRequest) -> Told:
    """Candidates for a person as a form has her; 429 after too many looks beyond the scope."""
    require_somewhere(db, actor, Right.members_write)
    person = ComparedPerson(**body.model_dump())
    limits.spend(_LOOKS, str(actor.account_id))
    found = matching.match(db, person)
    pairs = {} if body.member_id is None else _pairs_of(db, body.member_id, found)
    suspected = [each for each in found if not _is_distinct(pairs.get(each.member_id))]
    return told(db, actor, suspected, _seen_pairs(db, actor, body.member_id, pairs))


def _seen_pairs(
    db: Db, actor: Actor, member_id: UUID | None, pairs: Mapping[UUID, Any]
) -> dict[UUID, UUID]:
    """Ids of the pairs whose other side is in scope: only then are they in her inbox."""
    if not pairs:
        return {}
    place = db.execute(_PLACE, {"member_id": member_id}).one_or_none()
    if place is None or not actor.covers(Right.members_read, place):
        return {}
    return {other: pair.id for other, pair in pairs.items()}


_PLACE = sa.select(col(Member.province_id), col(Member.commune_id), col(Member.branch_id)).where(
    col(Member.id) == sa.bindparam("member_id")
)


def admit(
    session: Session, limits: Limits, actor: Actor, body: MemberCreate, *, reject: bool
) -> tuple[Member, bool, Told]:
    """Admit a person, and say who on record may be the same; `reject`: 409 then, nothing is stored.

    Compared after she is written, so that who may not admit her is told of nobody.
    """
    member, is_new = record.create(session, actor, body)
    found, pairs = _flag(session, member)
    seen = told(session, actor, found, pairs)
    looker = str(actor.account_id)
    if any(each["masked"] for each in seen) and not limits.count(_LOOKS, looker):
        if reject:
            raise limits.exceeded(_LOOKS, looker)
        seen = [each for each in seen if not each["masked"]]
    if reject and is_new and seen:
        raise Problem(
            "duplicate_suspected",
            count=len(seen),
            extra={"candidates": [CandidateRead(**each | {"pair_id": None}) for each in seen]},
        )
    return member, is_new, seen


def look_for(session: Session, member: Member) -> None:
    """A member has come to another branch: is she on record there already?"""
    _flag(session, member)


def _flag(session: Session, member: Member) -> tuple[list[Candidate], dict[UUID, UUID]]:
    """Candidates for a member on record, and the pairs they are in now."""
    found = matching.match(session, person_of(member))
    known = _pairs_of(session, member.id, found)
    suspected = [each for each in found if not _is_distinct(known.get(each.member_id))]
    remember(session, [(member.id, each) for each in suspected])
    pairs = _pairs_of(session, member.id, suspected)
    return suspected, {other: pair.id for other, pair in pairs.items()}


def person_of(row: Any) -> ComparedPerson:
    """A member on record, or a row with her fields, as the matcher is asked about her."""
    return ComparedPerson(
        row.full_name,
        row.birth_date,
        row.branch_id,
        row.phone,
        row.citizen_id,
        row.id_card,
        row.id,
    )


def _pairs_of(db: Db, member_id: UUID, found: Sequence[Candidate]) -> dict[UUID, Any]:
    """Her pairs with these candidates, by the other's id."""
    if not found:
        return {}
    others = [each.member_id for each in found]
    one, two = col(DuplicatePair.member_a), col(DuplicatePair.member_b)
    columns = (col(DuplicatePair.id), col(DuplicatePair.state), one, two)
    rows = db.execute(
        sa.select(*columns).where(
            sa.or_(
                sa.and_(one == member_id, two.in_(others)),
                sa.and_(two == member_id, one.in_(others)),
            )
        )
    )
    return {(r.member_b if r.member_a == member_id else r.member_a): r for r in rows}


def _is_distinct(pair: Any) -> bool:
    return pair is not None and pair.state is PairState.distinct


def remember(session: Session, found: Iterable[tuple[UUID, Candidate]]) -> int:
    """Put pairs into the inbox, those that are not in it; returns how many came new.

    Not logged one by one: they are derived, and what is decided of them is logged.
    """
    now = utc_now()
    rows: dict[tuple[UUID, UUID], dict[str, Any]] = {}
    for member_id, other in found:
        one, two = sorted((member_id, other.member_id))
        rows[one, two] = {
            "id": new_id(),
            "member_a": one,
            "member_b": two,
            "score": other.score,
            "reasons": list(other.reasons),
            "tells": bool(matching.telling(other.reasons)),
            "state": PairState.open,
            "found_at": now,
            "revision": 1,
            "created_at": now,
            "updated_at": now,
        }
    # In one order everywhere: two who find the same pairs cannot lock each other.
    ordered = [rows[key] for key in sorted(rows)]
    return len(insert_new(session, DuplicatePair, ordered, returning="id"))


def forget(session: Session, member_ids: Sequence[UUID]) -> None:
    """Pairs of records that are taken back: undecided or not, there is nobody to be twice."""
    one, two = col(DuplicatePair.member_a), col(DuplicatePair.member_b)
    for side in (one, two):
        session.connection().execute(sa.delete(DuplicatePair).where(side.in_(member_ids)))


# -- what one is told


def told(db: Db, actor: Actor, found: Sequence[Candidate], pairs: Mapping[UUID, UUID]) -> Told:
    """Candidates as CandidateRead. Of who is out of scope no more than was asked with."""
    return _with_units(db, [_told(actor, found, pairs)])[0]


def told_many(db: Db, actor: Actor, lists: Sequence[Sequence[Candidate]]) -> list[Told]:
    """As `told`, of many people who are not on record."""
    return _with_units(db, [_told(actor, found, {}) for found in lists])


def _with_units(db: Db, lists: Sequence[Told]) -> list[Told]:
    units = _units(db, {each["unit"] for shown in lists for each in shown})
    return [[each | {"unit": units[each["unit"]]} for each in shown] for shown in lists]


def _covers(actor: Actor, row: Candidate, right: Right) -> bool:
    return actor.covers(right, row)


def _told(actor: Actor, found: Sequence[Candidate], pairs: Mapping[UUID, UUID]) -> Told:
    shown: Told = []
    for each in found:
        in_scope = actor.covers(Right.members_read, each)
        reasons = (
            _allowed(each.reasons, partial(_covers, actor, each))
            if in_scope
            else _allowed(matching.telling(each.reasons), lambda right: bool(actor.reach(right)))
        )
        score = matching.score_of(reasons)
        if not reasons or (in_scope and score < matching.SUGGESTED):
            continue
        shown.append(
            {
                "score": score,
                "reasons": reasons_read(reasons),
                "masked": not in_scope,
                "unit": each.commune_id or each.province_id,
                "member_id": each.member_id if in_scope else None,
                "full_name": each.full_name if in_scope else None,
                "birth_date": each.birth_date if in_scope else None,
                "branch_id": each.branch_id if in_scope else None,
                "status": each.status if in_scope else None,
                "pair_id": pairs.get(each.member_id),
            }
        )
    return shown


def _allowed(reasons: Iterable[Reason], holds: Callable[[Right], bool]) -> list[Reason]:
    return [each for each in reasons if each not in _RIGHT_OF or holds(_RIGHT_OF[each])]


def reasons_read(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    return [
        {
            "code": reason,
            "points": REASONS[reason].points,
            "text_vi": REASONS[reason].vi,
            "text_en": REASONS[reason].en,
        }
        for reason in reasons
    ]


def _units(db: Db, unit_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    wanted = sorted(unit_ids)
    if not wanted:
        return {}
    rows = db.execute(
        sa.select(col(Unit.id), col(Unit.level), col(Unit.name)).where(col(Unit.id).in_(wanted))
    )
    return {row.id: dict(row._mapping) for row in rows}


# -- the inbox

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
    """Both records are in scope; or one is, and somebody who sees that one may be told."""
    a, b = (visible(each, actor, Right.members_read) for each in (_A, _B))
    return sa.or_(sa.and_(a, b), sa.and_(sa.or_(a, b), col(DuplicatePair.tells)))


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
    """Pairs in sight with a record in the unit, if there is one: the same in list and count."""
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
    """One of the two records of a row: where it stands and what is told of it."""

    def __init__(self, row: Any, prefix: str) -> None:
        self.values = {name: getattr(row, f"{prefix}_{name}") for name in (*_SIDE, "branch_name")}
        self.province_id: int | None = self.values["province_id"]
        self.commune_id: int | None = self.values["commune_id"]
        self.branch_id: int | None = self.values["branch_id"]

    def told(self, name: str) -> Any:
        return self.values[name]


_TOLD = ("full_name", "birth_date", "branch_id", "branch_name", "status")


def _read(db: Db, actor: Actor, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows as PairRead, each with a record in scope first."""
    items = []
    for row in rows:
        one, other = _Side(row, "a"), _Side(row, "b")
        if not actor.covers(Right.members_read, one):
            one, other = other, one
        both = actor.covers(Right.members_read, other)
        reasons = [Reason(each) for each in row.reasons]
        shown = _allowed(
            reasons if both else matching.telling(reasons), _holds_over(actor, one, other, both)
        )
        item = {name: getattr(row, name) for name in ("id", "state", "found_at", "revision")}
        item |= {"score": matching.score_of(shown), "reasons": reasons_read(shown)}
        item |= {"member_id": one.told("id")} | {name: one.told(name) for name in _TOLD}
        item |= {"other_id": other.told("id") if both else None}
        item |= {f"other_{name}": other.told(name) if both else None for name in _TOLD}
        item["other_unit"] = other.commune_id or other.province_id
        item["may_merge"] = all(actor.covers(Right.members_merge, s) for s in (one, other))
        # Who decided, and why, is told to those who see what was decided.
        decision = ("decided_by", "decided_at", "note")
        item |= {name: getattr(row, name) if both else None for name in decision}
        items.append(item)
    units = _units(db, {item["other_unit"] for item in items})
    return [item | {"other_unit": units[item["other_unit"]]} for item in items]


def _holds_over(actor: Actor, one: Placed, other: Placed, both: bool) -> Callable[[Right], bool]:
    sides = (one, other) if both else (one,)
    return lambda right: all(actor.covers(right, side) for side in sides)


# -- deciding


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


def follow_merge(session: Session, actor: Actor, kept_id: UUID, gone_id: UUID) -> None:
    """Before the other record goes: their pair is decided, and whom she is not, the kept is not."""
    one, two = col(DuplicatePair.member_a), col(DuplicatePair.member_b)
    pairs = session.exec(
        select(DuplicatePair)
        .where(sa.or_(one.in_([kept_id, gone_id]), two.in_([kept_id, gone_id])))
        .order_by(one, two)
        .with_for_update()
    ).all()
    now = utc_now()
    others = {_other(pair, kept_id): pair for pair in pairs if kept_id in _both(pair)}
    if pair := others.get(gone_id):
        pair.state, pair.decided_by, pair.decided_at = PairState.merged, actor.account_id, now
    for pair in pairs:
        if kept_id in _both(pair) or pair.state is not PairState.distinct:
            continue
        other = _other(pair, gone_id)
        known = others.get(other)
        if known is None:
            member_a, member_b = sorted((kept_id, other))
            known = DuplicatePair(
                member_a=member_a,
                member_b=member_b,
                score=pair.score,
                reasons=pair.reasons,
                tells=pair.tells,
                found_at=pair.found_at,
                created_at=now,
                updated_at=now,
            )
            session.add(known)
        known.state, known.note = PairState.distinct, pair.note
        known.decided_by, known.decided_at = pair.decided_by, pair.decided_at
    session.flush()


def _both(pair: DuplicatePair) -> tuple[UUID, UUID]:
    return pair.member_a, pair.member_b


def _other(pair: DuplicatePair, member_id: UUID) -> UUID:
    return pair.member_b if pair.member_a == member_id else pair.member_a


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
