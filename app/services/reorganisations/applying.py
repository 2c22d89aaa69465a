"""What prevents a plan besides its own rules, and the carrying out of one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import on_sqlite, settings_of
from app.errors import Problem
from app.models.base import first_id
from app.models.kernel.access import Right
from app.models.kernel.changes import Change, Operation
from app.models.kernel.units import Unit
from app.models.reorganisations.operations import UnitChange
from app.models.reorganisations.reorganisations import (
    Reorganisation,
    ReorganisationState,
    ReorganisedUnit,
)
from app.services.kernel import changes
from app.services.kernel.access import Actor, Db
from app.services.kernel.manifest import manifest
from app.services.kernel.unit_ends import AtEnd
from app.services.members import batches
from app.services.reorganisations.planning import Plan, Trouble, plan
from app.services.reorganisations.world import load
from app.services.units import changing, followers
from app.services.units.identifiers import date_conflict
from app.services.units.rows import find_many
from app.services.units.tree import DAY, below


def prepare(
    db: Db,
    actor: Actor | None,
    operations: Sequence[UnitChange],
    since: date,
    decree: str | None,
    own: UUID | None = None,
    *,
    openly: bool = False,
) -> Plan:
    """The plan, with what prevents it: its own rules, what is recorded in the units, and what was
    decided on before; `own` is the reorganisation itself, which does not stand in its own way."""
    world = load(db, actor, operations, since, openly=openly)
    made = plan(world, operations, since, decree)
    troubles = [
        *made.troubles,
        *_prevented(db, actor, made),
        *_decided_before(db, made, own),
        *_too_large(db, made),
    ]
    return replace(made, troubles=sorted(troubles, key=lambda trouble: trouble.operation))


def _prevented(db: Db, actor: Actor | None, made: Plan) -> Iterator[Trouble]:
    """By what stands in the units: the first reason of each."""
    change, last = made.change, made.change.since - DAY
    draft = followers.TreeDraft(last, change.parents, change.closed, change.handed, change.heirs)
    refused: dict[int, Problem] = {}
    for unit_id, problem in followers.preview(db, draft):
        refused.setdefault(unit_id, problem)
    days = followers.last_days(db, change.closed)
    late = {unit_id: day for unit_id, day in days.items() if day > last}
    for unit in find_many(db, late):
        refused.setdefault(unit.id, _recorded_after(actor, unit, last, late[unit.id]))
    for unit_id, problem in refused.items():
        yield Trouble(made.done_by[unit_id], problem)


def _recorded_after(actor: Actor | None, unit: Unit, last: date, day: date) -> Problem:
    """Closing in the past must not cut off what is recorded of the days after."""
    if actor is None or actor.covers(Right.members_read, unit):
        return date_conflict(last, day)
    return Problem("unit_date_conflict", date=last.isoformat(), existing="…")


def _decided_before(db: Db, made: Plan, own: UUID | None) -> Iterator[Trouble]:
    """A reorganisation that waits for its day has its units for itself until then."""
    touched = sorted(made.change.touched)
    for unit_id, other in overlapping(db, touched, ReorganisationState.scheduled):
        if other == own:
            continue
        yield Trouble(
            made.done_by[unit_id],
            Problem(
                "unit_reorganised_later",
                unit=made.world.units[unit_id].name,
                extra={"reorganisation_id": str(other)},
            ),
        )


def _too_large(db: Db, made: Plan) -> Iterator[Trouble]:
    """On SQLite every other writer waits until it is done: a province has PostgreSQL."""
    going = [*made.change.parents, *(each.unit for each in made.change.handed)]
    if not going or not on_sqlite(db):
        return
    most = settings_of(db).reorganisation_most_members
    if batches.counts_in(db, concerned(db, made))["members"] > most:
        first = min(made.done_by[unit_id] for unit_id in going)
        yield Trouble(first, Problem("reorganisation_too_large", most=most))


def concerned(db: Db, made: Plan) -> followers.Concerned:
    """What goes elsewhere, with all that stands below it."""
    change = made.change
    moved = sorted(below(db, change.parents, change.since))
    return followers.Concerned(moved, change.closed, change.handed)


def overlapping(
    db: Db, unit_ids: Sequence[int], state: ReorganisationState
) -> list[tuple[int, UUID]]:
    """Which of these units another reorganisation in this state is about."""
    rows = db.execute(
        sa.select(col(ReorganisedUnit.unit_id), col(Reorganisation.id))
        .join(Reorganisation, col(Reorganisation.id) == col(ReorganisedUnit.reorganisation_id))
        .where(col(ReorganisedUnit.unit_id).in_(unit_ids), col(Reorganisation.state) == state)
        .order_by(col(ReorganisedUnit.unit_id), col(Reorganisation.id))
    )
    return [(row.unit_id, row.id) for row in rows]


def carry_out(session: Session, row: Reorganisation, made: Plan) -> dict[str, int]:
    """Make the change, and keep with it what takes it back; the ids of the units it opens, by key."""
    began, origin = utc_now(), changes.origin_of(session)
    mark = f"reorganisation:{row.id}"
    changes.attribute(session, replace(origin, source_ref=mark))
    written = changing.write(session, made.change)
    changes.attribute(session, origin)
    ended = _ended(session, mark, began) if made.change.closed or made.change.handed else []
    row.state, row.applied_at = ReorganisationState.applied, utc_now()
    row.opened = dict(written.opened)
    row.undo = {**written.undo, "ended": ended}
    concern(session, row, {*made.change.touched, *written.opened.values()})
    return row.opened


def concern(session: Session, row: Reorganisation, unit_ids: set[int]) -> None:
    """Say which units the reorganisation is about."""
    session.add(row)
    session.flush()
    session.execute(
        sa.delete(ReorganisedUnit).where(col(ReorganisedUnit.reorganisation_id) == row.id)
    )
    session.add_all(
        ReorganisedUnit(reorganisation_id=row.id, unit_id=unit_id) for unit_id in sorted(unit_ids)
    )
    session.flush()


def _ended(session: Session, mark: str, began: datetime) -> list[str]:
    """The changes that ended what was of the closed units: their posts, roles, participations."""
    entities = [
        tracked.entity
        for model, tracked in manifest().tracked.items()
        if manifest().unit_ends.get(model) is AtEnd.ends and model is not Unit
    ]
    rows: Any = session.execute(
        sa.select(col(Change.id))
        .where(
            col(Change.id) >= first_id(began),
            col(Change.source_ref) == mark,
            col(Change.entity).in_(entities),
            col(Change.operation) == Operation.updated,
        )
        .order_by(col(Change.id))
    ).scalars()
    return [str(each) for each in rows]
