"""Reading reorganisations: who sees them, and what of them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlmodel import col

from app.db import AnySelect
from app.errors import not_found
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitRef
from app.models.reorganisations.operations import UnitChange
from app.models.reorganisations.reorganisations import (
    Agreement,
    ConfirmationRead,
    ConfirmedAct,
    Reorganisation,
    ReorganisationItem,
    ReorganisationQuery,
    ReorganisationRead,
    ReorganisedUnit,
    SideRead,
)
from app.services.kernel.access import Actor, Db, require_somewhere, visible
from app.services.kernel.keyset import Order, Pages, pages
from app.services.reorganisations import sides
from app.services.units.rows import find_many
from app.services.units.units import find_filter

_OPERATIONS: TypeAdapter[list[UnitChange]] = TypeAdapter(list[UnitChange])


def operations_of(row: Any) -> list[UnitChange]:
    return _OPERATIONS.validate_python(row.operations)


def stored(operations: Sequence[UnitChange]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _OPERATIONS.dump_python(list(operations), mode="json")
    return found


_ITEM: AnySelect = sa.select(
    *(
        col(Unit.name).label(name) if name == "unit_name" else getattr(Reorganisation, name)
        for name in ReorganisationItem.model_fields
    )
).join(Unit, col(Unit.id) == col(Reorganisation.unit_id))
_ROW: AnySelect = _ITEM.add_columns(
    col(Reorganisation.operations), col(Reorganisation.opened), col(Reorganisation.agreement)
)


def seen_by(actor: Actor) -> sa.ColumnElement[bool]:
    """Those over a unit in reach, and those on which the actor decides with others."""
    return sa.or_(visible(Unit, actor, Right.units_read), sides.of_a_side(actor))


def list_reorganisations(db: Db, actor: Actor, query: ReorganisationQuery) -> Pages:
    """Those of units in my scope, the newest first."""
    require_somewhere(db, actor, Right.units_read)
    statement = _ITEM.where(seen_by(actor))
    if query.unit is not None:
        find_filter(db, actor, query.unit, pointer="/unit")
        about = sa.select(col(ReorganisedUnit.reorganisation_id)).where(
            col(ReorganisedUnit.unit_id) == query.unit
        )
        statement = statement.where(col(Reorganisation.id).in_(about))
    if query.state is not None:
        statement = statement.where(col(Reorganisation.state) == query.state)
    return pages(statement, Order(col(Reorganisation.id).desc()))


def find(db: Db, actor: Actor, reorganisation_id: UUID) -> Any:
    """One over a unit in my scope, or that officers of mine decide on with others."""
    row = db.execute(
        _ROW.where(col(Reorganisation.id) == reorganisation_id, seen_by(actor))
    ).one_or_none()
    if row is None:
        require_somewhere(db, actor, Right.units_read)
        raise not_found()
    return row


def get(db: Db, actor: Actor, reorganisation_id: UUID) -> ReorganisationRead:
    """The same, as the actor sees it."""
    return _shown(db, actor, find(db, actor, reorganisation_id))


def seen(db: Db, actor: Actor, ids: Collection[UUID]) -> list[UUID]:
    """Those of these that the actor sees."""
    among = sa.and_(col(Reorganisation.id).in_(ids), seen_by(actor))
    return list(db.execute(_ITEM.where(among).order_by(col(Reorganisation.id))).scalars())


# The branch of an operation, and what it says of single people of it.
_PEOPLE: Final = {
    "split": ("unit_id", ("members", "households")),
    "transfer": ("from_id", ("member_ids", "household_ids")),
}


def _shown(db: Db, actor: Actor, row: Any) -> ReorganisationRead:
    agreed = sides.agreement_of(row)
    operations, masked = _masked(db, actor, row.operations)
    plain = {name: getattr(row, name) for name in _PLAIN}
    return ReorganisationRead(
        **plain,
        operations=operations,
        sides=None if agreed is None else _sides(db, agreed),
        confirmations=[] if agreed is None else _confirmations(agreed),
        masked=masked,
    )


_PLAIN: Final = ReorganisationRead.model_fields.keys() - {
    *("operations", "sides", "confirmations", "masked")
}


def _masked(
    db: Db, actor: Actor, operations: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Without people of branches whose members the actor may not see, and the pointers of those."""
    naming = {
        number: operation[_PEOPLE[operation["op"]][0]]
        for number, operation in enumerate(operations)
        if operation["op"] in _PEOPLE
    }
    branches = find_many(db, {ref for ref in naming.values() if isinstance(ref, int)})
    seen = {unit.id for unit in branches if actor.covers(Right.members_read, unit)}
    found, masked = [dict(each) for each in operations], []
    for number, ref in naming.items():
        for name in _PEOPLE[found[number]["op"]][1] if ref not in seen else ():
            if found[number][name]:
                found[number][name] = None
                masked.append(f"/operations/{number}/{name}")
    return found, masked


def _sides(db: Db, agreed: Agreement) -> list[SideRead]:
    confirmed = {
        unit_id
        for each in agreed.confirmations
        if each.act is ConfirmedAct.apply
        for unit_id in each.unit_ids
    }
    units = sorted(find_many(db, agreed.sides), key=lambda unit: unit.id)
    return [
        SideRead(unit=UnitRef.model_validate(unit), confirmed=unit.id in confirmed)
        for unit in units
    ]


def _confirmations(agreed: Agreement) -> list[ConfirmationRead]:
    return [ConfirmationRead.model_validate(each.model_dump()) for each in agreed.confirmations]
