"""The sides of a reorganisation: units whose officers decide together, where nobody holds the right over
all of them.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.models.kernel.access import Granter, Right
from app.models.kernel.units import Unit, UnitLevel
from app.models.reorganisations.operations import UnitChange
from app.models.reorganisations.reorganisations import (
    Agreement,
    Reorganisation,
    ReorganisationSide,
)
from app.services.kernel.access import Actor, Db, visible, who_holds
from app.services.kernel.tracking import PATH
from app.services.reorganisations.planning import Plan
from app.services.reorganisations.world import World, lowest_over, named_units
from app.services.units.rows import find_many


def agreement_of(row: Any) -> Agreement | None:
    """The sides of a reorganisation, and who of them agrees; None where those above decide."""
    return None if row.agreement is None else Agreement.model_validate(row.agreement)


def of_plan(made: Plan, operations: Sequence[UnitChange]) -> Agreement:
    """The sides as the units stand: the outermost of those that are named, changed or left by one that
    moves. The lowest unit over all is one itself when it is changed, not only named as a parent."""
    named, change, before = named_units(operations), made.change, made.before
    above = lowest_over(before, named)
    left = (before.units[unit_id].parent for unit_id in change.parents)
    concerned = {*named, *change.touched, *(ref for ref in left if isinstance(ref, int))}
    if above is not None and above not in change.touched:
        concerned -= {above}
    lines = {unit_id: before.line(unit_id)[1:] for unit_id in concerned}
    return Agreement(above=above, sides=_outermost(lines))


def _outermost(lines: Mapping[int, Collection[Any]]) -> list[int]:
    """Those that stand under no other, by the units above each."""
    return sorted(unit_id for unit_id, line in lines.items() if lines.keys().isdisjoint(line))


def still_open(db: Db, row: Reorganisation) -> list[int]:
    """Those whose officers speak for the sides today: of what was done, units that it opened as well."""
    listed = sa.select(col(ReorganisationSide.unit_id)).where(
        col(ReorganisationSide.reorganisation_id) == row.id
    )
    units = find_many(db, db.execute(listed).scalars())
    return _outermost(
        {
            unit.id: {getattr(unit, name) for name in PATH} - {unit.id}
            for unit in units
            if unit.closed_on is None
        }
    )


def keep(session: Session, row: Reorganisation, agreed: Agreement) -> None:
    row.agreement = agreed.model_dump(mode="json")
    enter(session, row)


def enter(session: Session, row: Reorganisation) -> None:
    """The officers of its sides find it, and those of the units that it opened so."""
    agreed = agreement_of(row)
    found = set() if agreed is None else {*agreed.sides, *(row.opened or {}).values()}
    listed = col(ReorganisationSide.reorganisation_id) == row.id
    before = set(
        session.execute(sa.select(col(ReorganisationSide.unit_id)).where(listed)).scalars()
    )
    if found != before:
        session.execute(sa.delete(ReorganisationSide).where(listed))
        session.add_all(
            ReorganisationSide(reorganisation_id=row.id, unit_id=each) for each in sorted(found)
        )
        session.flush()


def unconfirmed(agreement: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if agreement is None else agreement | {"confirmations": []}


def decide(db: Db, agreed: Agreement) -> bool:
    """The sides themselves, since nobody holds the right above all of them."""
    return agreed.above not in agreed.sides and not holders_above(db, agreed)


def holders_above(db: Db, agreed: Agreement) -> list[Granter]:
    """The units whose officers decide instead of the sides, nearest first."""
    return [] if agreed.above is None else who_holds(db, {Right.units_write}, [agreed.above])


def covered(db: Db, actor: Actor, unit_ids: Collection[int]) -> list[int]:
    """Those of these units over which the actor holds the right."""
    units = find_many(db, unit_ids)
    return sorted(unit.id for unit in units if actor.covers(Right.units_write, unit))


def groups_of(world: World) -> set[Any]:
    """Those of the hidden units that are known nowhere else; all others are public: any officer finds
    them as targets of a transfer."""
    return {
        ref
        for ref in world.hidden
        if ref in world.units and world.units[ref].level is UnitLevel.group
    }


def is_side(unit: Any, *which: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The unit is a side of a reorganisation."""
    return sa.exists().where(
        col(ReorganisationSide.reorganisation_id) == col(Reorganisation.id),
        col(ReorganisationSide.unit_id) == unit.id,
        *which,
    )


def of_a_side(actor: Actor) -> sa.ColumnElement[bool]:
    """Reorganisations on which officers of these units decide, for one of them."""
    unit = aliased(Unit)
    return is_side(unit, visible(unit, actor, Right.units_write))


def confirmed_by(actor: Actor) -> sa.ColumnElement[bool]:
    confirmations = sa.func.coalesce(sa.cast(col(Reorganisation.agreement), sa.String), "")
    return confirmations.contains(str(actor.account_id))


def speaks(session: Session, actor: Actor, row: Reorganisation) -> bool:
    """The actor is an officer of one of its sides."""
    found = sa.select(col(Reorganisation.id)).where(
        col(Reorganisation.id) == row.id, of_a_side(actor)
    )
    return session.execute(found).first() is not None
