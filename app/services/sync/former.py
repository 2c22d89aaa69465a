"""Who has lost a unit, or a record of it, while her phone was offline.

What she noted by then is not thrown away: it waits for those who have the unit now. Nothing of the
unit is shown to her.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_day, local_today, utc_now
from app.errors import Problem
from app.models.kernel.access import Right
from app.models.kernel.changes import Change, Operation
from app.models.kernel.units import Unit
from app.services.kernel import actors
from app.services.kernel.access import Actor
from app.services.kernel.manifest import manifest
from app.services.kernel.operation_kinds import OperationKind
from app.services.sync import merging
from app.services.sync.merging import Subject

# So long after a grant has ended, or a record has left, what was noted before is taken.
TAKEN = timedelta(days=30)


def waits_in(
    session: Session,
    actor: Actor,
    kind: OperationKind,
    subject_id: UUID,
    written: set[str],
    would_do: Callable[[Actor], bool],
) -> int | None:
    """The unit that decides on what somebody wrote who may not write it any more; None where she never
    might. `would_do`: whether it could be done with these grants; it leaves nothing behind.

    409 `unit_lost` where she might, and it is no fact that anybody else could not write as well.
    """
    subject = merging.find(session, kind, subject_id)
    if kind.right is None or subject is None or subject.unit_id is None:
        return None
    if _has_left(session, actor, kind, kind.right, subject, written):
        return subject.unit_id
    ended = actors.ended_of(session, actor.account_id, local_today() - TAKEN)
    if not ended or not would_do(replace(actor, grants=(*actor.grants, *ended), _reach={})):
        return None
    last = max(grant.valid_to for grant in ended if grant.valid_to is not None)
    created = _created_at(session, subject)
    if created is not None and local_day(created) > last:
        return None
    if not kind.states_fact:
        raise Problem("unit_lost", day=last)
    return subject.unit_id


def _has_left(
    session: Session,
    actor: Actor,
    kind: OperationKind,
    right: Right,
    subject: Subject,
    written: set[str],
) -> bool:
    """It was in her unit, and has moved out of it; and she might write these fields there."""
    column = subject.tracked.moved_by
    _, values = manifest().by_entity[kind.values_of or kind.entity]
    if column is None:
        return False
    moves = session.execute(
        _changes_of(subject)
        .where(col(Change.operation) == Operation.moved, col(Change.at) >= utc_now() - TAKEN)
        .order_by(col(Change.id))
    ).all()
    left = {
        change.before[column]: local_day(change.at)
        for change in moves
        if column in (change.before or {})
    }
    places = session.execute(sa.select(*_PLACE).where(col(Unit.id).in_(left))).all()

    def might_write(place: Any) -> bool:
        had = _with_grants_of(actor, left[place.unit_id])
        return had.covers(right, place) and written.isdisjoint(had.hidden(values.masks, place))

    return any(map(might_write, places))


def _with_grants_of(actor: Actor, day: date) -> Actor:
    """Without the grants that began after a day."""
    grants = tuple(grant for grant in actor.grants if grant.valid_from <= day)
    return replace(actor, grants=grants, _reach={})


def _created_at(session: Session, subject: Subject) -> datetime | None:
    first: Any = _changes_of(subject).where(col(Change.operation) == Operation.created).limit(1)
    found = session.execute(first).one_or_none()
    return None if found is None else found.at


def _changes_of(subject: Subject) -> Any:
    return sa.select(col(Change.before), col(Change.at)).where(
        col(Change.entity) == subject.tracked.entity, col(Change.entity_id) == str(subject.id)
    )


_PLACE: tuple[Any, ...] = (
    col(Unit.id).label("unit_id"),
    col(Unit.province_id),
    col(Unit.district_id),
    col(Unit.commune_id),
    col(Unit.branch_id),
)
