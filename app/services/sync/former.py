"""Who has lost a unit, or a record of it, while her phone was offline.

What she noted by then is not thrown away: it waits for those who have the unit now. Nothing of the
unit is shown to her.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_day, local_today
from app.errors import Problem
from app.models.kernel.access import Right
from app.models.kernel.changes import Change, Operation
from app.services.audit.stays import LoggedStay, stays_of
from app.services.kernel import actors
from app.services.kernel.access import Actor, HeldGrant
from app.services.kernel.manifest import manifest
from app.services.kernel.operation_kinds import OperationKind
from app.services.kernel.reach import Placed
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
    might_write = _Writer(actor, kind, kind.right, written)
    gone = [] if might_write.at(subject, actor.grants) else _stays_before(session, subject)
    if any(might_write.during(stay, actor.grants) for stay in gone):
        return subject.unit_id
    ended = actors.ended_of(session, actor.account_id, local_today() - TAKEN)
    lost = [grant for grant in ended if any(might_write.during(stay, [grant]) for stay in gone)]
    if not lost and _might_see(session, subject, ended):
        within = replace(actor, grants=(*actor.grants, *ended), _reach={})
        lost = list(ended) if would_do(within) else []
    if not lost:
        return None
    if not kind.states_fact:
        raise Problem("unit_lost", day=_last_day(lost))
    return subject.unit_id


@dataclass(frozen=True, slots=True)
class _Writer:
    """Whether somebody with these grants might write these fields of a record that stood there."""

    actor: Actor
    kind: OperationKind
    right: Right
    written: set[str]

    def during(self, stay: LoggedStay, grants: Iterable[HeldGrant]) -> bool:
        """With the grants that held on a day of the stay."""
        return self.at(stay.place, [grant for grant in grants if _meet(stay, grant)])

    def at(self, place: Placed, grants: Iterable[HeldGrant]) -> bool:
        had = replace(self.actor, grants=tuple(grants), _reach={})
        _, values = manifest().by_entity[self.kind.values_of or self.kind.entity]
        return had.covers(self.right, place) and self.written.isdisjoint(
            had.hidden(values.masks, place)
        )


def _meet(stay: LoggedStay, grant: HeldGrant) -> bool:
    until = date.max if grant.valid_to is None else grant.valid_to
    return until >= stay.first and (stay.last is None or grant.valid_from <= stay.last)


def _stays_before(session: Session, subject: Subject) -> list[LoggedStay]:
    """Where it has stood, and stands no more since a day that is not too long ago."""
    stays = stays_of(session, subject.tracked.entity, str(subject.id))
    if stays and stays[-1].last is None:
        here = stays[-1].place
        if (here.branch_id, here.commune_id) == (subject.branch_id, subject.commune_id):
            del stays[-1]
        else:  # it has gone a moment ago, which is not in the order of the log yet
            stays[-1] = stays[-1]._replace(last=local_today())
    since = local_today() - TAKEN
    return [stay for stay in stays if stay.last is not None and stay.last >= since]


def _might_see(session: Session, subject: Subject, ended: Sequence[HeldGrant]) -> bool:
    """It was there before these grants ended."""
    if not ended:
        return False
    created = _created_at(session, subject)
    return created is None or local_day(created) <= _last_day(ended)


def _last_day(ended: Iterable[HeldGrant]) -> date:
    return max(grant.valid_to for grant in ended if grant.valid_to is not None)


def _created_at(session: Session, subject: Subject) -> datetime | None:
    first = sa.select(col(Change.at)).where(
        col(Change.entity) == subject.tracked.entity,
        col(Change.entity_id) == str(subject.id),
        col(Change.operation) == Operation.created,
    )
    return session.execute(first.limit(1)).scalar_one_or_none()
