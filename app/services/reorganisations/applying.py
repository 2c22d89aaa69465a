"""What prevents a plan besides its own rules, and the carrying out of one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

from sqlmodel import Session

from app.errors import Problem
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.reorganisations.operations import UnitChange
from app.services.kernel.access import Actor
from app.services.reorganisations.planning import Plan, Trouble, plan
from app.services.reorganisations.world import load
from app.services.units import changing, followers
from app.services.units.identifiers import date_conflict
from app.services.units.rows import unit_of
from app.services.units.tree import DAY


def prepare(
    session: Session,
    actor: Actor,
    operations: Sequence[UnitChange],
    since: date,
    decree: str | None,
) -> Plan:
    """The plan, with what prevents it: its own rules, and what is recorded in the units."""
    made = plan(load(session, actor, operations, since), operations, since, decree)
    troubles = [*made.troubles, *_prevented(session, actor, made)]
    return replace(made, troubles=sorted(troubles, key=lambda trouble: trouble.operation))


def _prevented(session: Session, actor: Actor, made: Plan) -> Iterator[Trouble]:
    last = made.change.since - DAY
    for unit_id, parent in made.change.parents.items():
        unit = unit_of(session, unit_id)
        parent_id = parent if isinstance(parent, int) else None
        problem = _refused(session, followers.Moving(unit, parent_id))
        if problem is not None:
            yield Trouble(made.done_by[unit_id], problem)
    for unit_id in made.change.closed:
        unit = unit_of(session, unit_id)
        problem = _refused(session, followers.Closing(unit, last))
        problem = problem or _recorded_after(session, actor, unit, last)
        if problem is not None:
            yield Trouble(made.done_by[unit_id], problem)


def _refused(session: Session, draft: followers.Draft) -> Problem | None:
    try:
        followers.preview(session, draft)
    except Problem as problem:
        return problem
    return None


def _recorded_after(session: Session, actor: Actor, unit: Unit, last: date) -> Problem | None:
    """Closing in the past must not cut off what is recorded of the days after."""
    of_people = followers.last_day(session, unit.id)
    if of_people is None or of_people <= last:
        return None
    if actor.covers(Right.members_read, unit):
        return date_conflict(last, of_people)
    return Problem("unit_date_conflict", date=last.isoformat(), existing="…")


def carry_out(session: Session, made: Plan) -> dict[str, int]:
    """Make the change; the ids of the units it opens, by key."""
    return changing.write(session, made.change)
