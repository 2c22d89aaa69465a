"""Suspected duplicates: found when somebody is admitted or comes, and kept as pairs.

Nothing is refused for a suspicion unless the client asks for it, and nothing is merged by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import Database, insert_new
from app.errors import Problem, invalid
from app.models.base import new_id
from app.models.duplicates.duplicates import CandidateRead, DuplicatePair, MatchRequest, PairState
from app.models.kernel.access import Right
from app.models.members.members import Member, MemberCreate
from app.services.duplicates import matching, scores
from app.services.duplicates.candidates import Told, told
from app.services.duplicates.compared import Candidate, ComparedPerson
from app.services.kernel.access import Actor, Db, require_somewhere
from app.services.members import elsewhere, record
from app.services.members.checks import Doubt


def match(db: Db, database: Database, actor: Actor, body: MatchRequest) -> Told:
    """Candidates for a person as a form has her; 429 after too many people. Nothing is stored of
    the question; that there were too many is written in a transaction of its own."""
    try:
        return _match(db, actor, body)
    finally:
        with database.writing() as session:
            elsewhere.tell_if_used_up(session, actor)


def _match(db: Db, actor: Actor, body: MatchRequest) -> Told:
    require_somewhere(db, actor, _right_for(actor, body))
    person = ComparedPerson(**body.model_dump())
    if not elsewhere.count(db, actor, asked_about(person)):
        raise elsewhere.exceeded(db, actor)
    found = matching.match(db, person)
    pairs = {} if body.member_id is None else _pairs_of(db, body.member_id, found)
    suspected = [each for each in found if not _is_distinct(pairs.get(each.member_id))]
    return told(db, actor, suspected, _seen_pairs(db, actor, body.member_id, pairs))


def _right_for(actor: Actor, body: MatchRequest) -> Right:
    """For those who enter people, or may read the number; what is shown follows their rights."""
    if body.full_name is None:
        if set(body.model_dump(exclude_none=True)) != {"citizen_id"}:
            raise invalid("required", "/full_name")
        return Right.members_citizen_id
    reads = body.citizen_id is not None and actor.reach(Right.members_citizen_id)
    return Right.members_citizen_id if reads else Right.members_write


def asked_about(person: ComparedPerson) -> elsewhere.Asked:
    """What identifies a person who is compared."""
    numbers = (person.citizen_id, person.id_card, person.phone)
    return [person.full_name, person.birth_date, *numbers]


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
    session: Session, actor: Actor, body: MemberCreate, *, reject: bool
) -> tuple[Member, bool, Told, bool]:
    """Admit a person, and list the records that may be the same; `reject`: 409 then, nothing is
    stored. Compared after she is written, so that an actor without the right learns of nobody.
    Last: whether she was compared with people out of scope.
    """
    member, is_new = record.create(session, actor, body)
    found, pairs = _flag(session, member)
    seen = told(session, actor, found, pairs)
    compared = elsewhere.may_ask(session, actor)
    if compared and any(each["masked"] for each in seen):
        compared = elsewhere.count(session, actor, asked_about(person_of(member)))
        elsewhere.tell_if_used_up(session, actor)
    if not compared:
        if reject:
            raise elsewhere.exceeded(session, actor)
        seen = [each for each in seen if not each["masked"]]
    if reject and is_new and seen:
        raise Problem(
            "duplicate_suspected",
            count=len(seen),
            extra={"candidates": [CandidateRead(**each | {"pair_id": None}) for each in seen]},
        )
    return member, is_new, seen, compared


def doubts(found: Told, *, compared: bool) -> list[Doubt]:
    """What is to be looked at again after an admission."""
    doubted: list[Doubt] = []
    if found:
        doubted.append(Doubt("full_name", "duplicate_suspected", {}))
    if not compared:
        doubted.append(Doubt("full_name", "not_compared_elsewhere", {}))
    return doubted


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


PERSON = (
    *(col(Member.id), col(Member.full_name), col(Member.birth_date), col(Member.branch_id)),
    *(col(Member.phone), col(Member.citizen_id), col(Member.id_card)),
)


def person_of(row: Any) -> ComparedPerson:
    """A member on record, or a row of `PERSON`, as the matcher is asked about her."""
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
            "tells": bool(scores.telling(other.reasons)),
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
