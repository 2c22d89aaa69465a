"""Taking back one's own entry of a member: a double, entered by mistake a moment ago.

The record never was: no count of any day knows of it, the change log alone does. It is for the day
of the entry, and while nobody has built on it; later there are merges and departures.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.errors import FieldError, Problem, not_found
from app.models.attendance.attendance import Capture
from app.models.base import table_of
from app.models.kernel.access import Right
from app.models.kernel.changes import Change, ChangeSource, Operation
from app.models.members.members import Member
from app.problem_texts import FieldCode
from app.services.duplicates import pairs
from app.services.kernel.access import Actor, ensure, require_somewhere
from app.services.kernel.manifest import manifest, tracked_of
from app.services.kernel.references import named_elsewhere
from app.services.members import record, spells
from app.services.members.spells import Life

KEPT = timedelta(days=1)
# They are of the record itself, or derived from it.
_OWN_TABLES = ("membership", "member_identifier", "duplicate_pair")


def withdraw(session: Session, actor: Actor, member_id: UUID) -> None:
    """Delete a record that the actor entered within a day; 409 `entry_stays` with the reason."""
    life = spells.lock(session, member_id)
    if life is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    ensure(session, actor, Right.members_write, life.member, seen_with=Right.members_read)
    spells.ensure_changeable(actor, life)
    problem = next(_obstacles(session, actor, life), None)
    if problem is not None:
        raise problem
    pairs.forget(session, [member_id])
    spells.remove(session, life)
    record.remove(session, life.member)


def _obstacles(session: Session, actor: Actor, life: Life) -> Iterator[Problem]:
    changes = session.execute(
        sa.select(
            col(Change.operation), col(Change.account_id), col(Change.source), col(Change.at)
        ).where(
            col(Change.entity) == tracked_of(Member).entity,
            col(Change.entity_id) == str(life.member.id),
        )
    ).all()
    entered = next((each for each in changes if each.operation is Operation.created), None)
    by_hand = entered is not None and entered.source in (ChangeSource.api, ChangeSource.sync)
    if entered is None or not by_hand or entered.account_id != actor.account_id:
        yield _stays("entry_of_another")
    elif entered.at < utc_now() - KEPT:
        yield _stays("entry_too_old")
    if any(each.account_id != actor.account_id for each in changes):
        yield _stays("entry_changed")
    if life.transfer_id is not None or len(life.spells) != 1 or life.spells[0].valid_to:
        yield _stays("record_has_history")
    if _is_named(session, life.member.id):
        yield _stays("record_in_use")


def _stays(why: FieldCode) -> Problem:
    return Problem("entry_stays", errors=[FieldError("path", "/member_id", why)])


def _is_named(session: Session, member_id: UUID) -> bool:
    """Other records name her, with a foreign key or without."""
    if named_elsewhere(session, "member.id", _OWN_TABLES, [member_id]):
        return True
    soft: list[Any] = [col(Capture.member_id)]
    soft += [
        table_of(each.model).c[each.column]
        for each in manifest().pointers
        if each.place[0] not in {*_OWN_TABLES, "access_read"}
    ]
    named = [sa.select(sa.literal(1)).where(column == member_id).exists() for column in soft]
    return bool(session.execute(sa.select(sa.or_(*named))).scalar_one())
