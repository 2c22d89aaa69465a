"""Members as other records name them: found by id, with their units and nothing else."""

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.errors import Problem, invalid, not_found
from app.models.kernel.access import Right
from app.models.members.members import Member, MemberStatus
from app.services.kernel.access import Actor, Db, ensure, require_somewhere
from app.services.kernel.reach import Placed
from app.services.units.rows import locked_is_409

IN_UNION = (MemberStatus.active, MemberStatus.transferring)
_PERSON = sa.select(
    col(Member.id),
    col(Member.full_name),
    col(Member.birth_date),
    col(Member.status),
    col(Member.restricted),
    col(Member.erased_on),
    col(Member.province_id),
    col(Member.commune_id),
    col(Member.branch_id),
).where(col(Member.id) == sa.bindparam("member_id"))
# The lock that keeps a member in the union and in her branch until the new fact is committed.
_HELD = _PERSON.with_for_update(read=True)
_HELD_ALONE = _PERSON.with_for_update(key_share=True)


def births_agree(one: str, other: str) -> bool:
    """Two dates of birth of which either may be but a year or a month."""
    return one.startswith(other) or other.startswith(one)


def _find(db: Db, member_id: UUID, *, alone: bool = False) -> Any:
    statement = _PERSON
    if isinstance(db, Session):
        statement = _HELD_ALONE if alone else _HELD
    with locked_is_409():
        return db.execute(statement, {"member_id": member_id}).one_or_none()


def find(db: Db, member_id: UUID) -> Any:
    """The units of a member, for an actor who may know them. None when there is no such member."""
    return _find(db, member_id)


def find_member(db: Db, actor: Actor, member_id: UUID, *, pointer: str, alone: bool = False) -> Any:
    """A member named in a request body: 422 when she is out of scope.

    `alone`: no other fact about her is written at the same time.
    """
    person = _find(db, member_id, alone=alone)
    if person is None or not actor.covers(Right.members_read, person) or person.erased_on:
        raise invalid("member_unknown", pointer)
    ensure_changeable(actor, person)
    return person


def access_member(
    db: Db, actor: Actor, member_id: UUID, right: Right, *, restricted_too: bool = False
) -> Any:
    """A member named in an address: 404 when she is out of scope, 403 without the right.

    In a transaction that will change what is recorded of her 409 when that is restricted, unless
    it is `restricted_too` that this may be done with.
    """
    person = _find(db, member_id)
    if person is None:
        require_somewhere(db, actor, Right.members_read)
        raise not_found()
    ensure(db, actor, right, person, seen_with=Right.members_read)
    if person.erased_on is not None:
        raise erased(person.erased_on)
    if isinstance(db, Session) and not restricted_too:
        ensure_changeable(actor, person)
    return person


def ensure_changeable(actor: Actor, person: Placed) -> None:
    """A restricted record is changed by those alone who answer for the restriction."""
    if person.restricted and not actor.covers(Right.privacy_manage, person):  # type: ignore[attr-defined]  # a member, or a row of one
        raise Problem("member_restricted")


def erased(on: date) -> Problem:
    """The problem that replaces an erased member, for actors who would see the record."""
    return Problem("member_erased", date=on.isoformat())


def lock_alone(session: Session, member_id: UUID) -> Any:
    """The same, and no other fact about her is written at the same time."""
    return _find(session, member_id, alone=True)


def lock(session: Session, member_id: UUID) -> Any:
    """A member some record belongs to: she does not leave before the transaction ends."""
    return _find(session, member_id)


def hold_alone(session: Session, member_ids: Iterable[UUID]) -> None:
    """Keep every other fact about these members out, before anything of theirs is locked."""
    wanted = sa.select(col(Member.id)).where(col(Member.id).in_(list(member_ids)))
    with locked_is_409():
        session.execute(wanted.order_by(col(Member.id)).with_for_update(key_share=True))


def ensure_in_union(person: Any) -> None:
    """Only who is in the union today takes something on."""
    if person.status not in IN_UNION:
        raise Problem("member_state", status=person.status)
