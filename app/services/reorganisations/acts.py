"""One unit opened, changed, moved or closed: a reorganisation of one operation, done at once."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlmodel import Session

from app.clock import local_today, utc_now
from app.errors import invalid
from app.models.base import new_id
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitClose, UnitCreate, UnitMove, UnitUpdate
from app.models.reorganisations.operations import (
    ChangeArea,
    ChangeCode,
    CloseUnit,
    MoveUnit,
    OpenUnit,
    RenameUnit,
    UnitChange,
)
from app.models.reorganisations.reorganisations import Reorganisation, ReorganisationState
from app.services.kernel.access import Actor, Expected, ensure_revision
from app.services.reorganisations import applying, notices, reading
from app.services.reorganisations.planning import Plan
from app.services.reorganisations.world import named_units, placed_in
from app.services.units.rows import enter_contacts, unit_of
from app.services.units.tree import DAY, lock_tree
from app.services.units.units import access_unit, find_target

_NEW = "new"


def create(session: Session, actor: Actor, body: UnitCreate) -> Unit:
    """Open a unit under a parent, which must still be open: it would outlive a closed one."""
    lock_tree(session)
    find_target(session, actor, body.parent_id, Right.units_write, pointer="/parent_id")
    _ensure_not_after(body.opened_on, local_today(), "/opened_on")
    values = body.model_dump(exclude={"opened_on"})
    opening = OpenUnit(op="open", key=_NEW, **values)
    ids = _do(session, actor, [opening], body.opened_on)
    return unit_of(session, ids[_NEW])


def update(
    session: Session, actor: Actor, unit_id: int, body: UnitUpdate, expected: Expected
) -> Unit:
    """Contacts at once; a name, a code, an area type from `effective_on` (default today) on."""
    changed = body.model_dump(exclude_unset=True)
    effective_on = changed.pop("effective_on", None)
    dated = {name: changed.pop(name) for name in _DATED if name in changed}
    if dated:
        lock_tree(session)
    unit = access_unit(session, actor, unit_id, Right.units_write, for_update=True)
    ensure_revision(unit.revision, expected)
    if effective_on is not None and not dated:
        raise invalid("both_needed", "/effective_on", expected="name_or_code")
    since = effective_on or local_today()
    _ensure_not_after(since, local_today(), "/effective_on")
    enter_contacts(unit, changed)
    if effective_on is None:
        dated = {name: value for name, value in dated.items() if value != getattr(unit, name)}
    operations = [_DATED[name](unit_id, value) for name, value in dated.items()]
    if operations:
        _do(session, actor, operations, since)
    session.flush()
    return unit


_DATED: Mapping[str, Any] = {
    "name": lambda unit_id, name: RenameUnit(op="rename", unit_id=unit_id, name=name),
    "code": lambda unit_id, code: ChangeCode(op="change_code", unit_id=unit_id, code=code),
    "area_type": lambda unit_id, area: ChangeArea(
        op="change_area", unit_id=unit_id, area_type=area
    ),
}


def move(session: Session, actor: Actor, unit_id: int, body: UnitMove) -> Unit:
    """Put a unit, with all below it, under another parent from a day (not a future one) on."""
    lock_tree(session)
    unit = access_unit(session, actor, unit_id, Right.units_write, for_update=True)
    find_target(session, actor, body.parent_id, Right.units_write, pointer="/parent_id")
    _ensure_not_after(body.effective_on, local_today(), "/effective_on")
    moving = MoveUnit(op="move", unit_id=unit_id, parent_id=body.parent_id)
    _do(session, actor, [moving], body.effective_on)
    return unit


def close(session: Session, actor: Actor, unit_id: int, body: UnitClose) -> Unit:
    """Close a unit after its last day, and record its successors."""
    lock_tree(session)
    unit = access_unit(session, actor, unit_id, Right.units_write, for_update=True)
    for place, successor_id in enumerate(body.successor_ids):
        pointer = f"/successor_ids/{place}"
        find_target(session, actor, successor_id, Right.units_write, pointer=pointer)
    if body.sessions_to_id is not None:
        pointer = "/sessions_to_id"
        find_target(session, actor, body.sessions_to_id, Right.units_write, pointer=pointer)
    values = body.model_dump(exclude={"effective_on", "decree"})
    closing = CloseUnit(op="close", unit_id=unit_id, **values)
    _ensure_not_after(body.effective_on, local_today() + DAY, "/effective_on")
    _do(session, actor, [closing], body.effective_on, body.decree)
    return unit


def _ensure_not_after(day: date, limit: date, pointer: str) -> None:
    if day > limit:
        raise invalid("date_in_future", pointer)


def _do(
    session: Session,
    actor: Actor,
    operations: Sequence[UnitChange],
    since: date,
    decree: str | None = None,
) -> dict[str, int]:
    made = applying.prepare(session, actor, operations, since, decree)
    if made.troubles:
        raise made.troubles[0].problem
    handing = (made.before.units[each.unit] for each in made.change.handed)
    if since > local_today() and any(unit.members for unit in handing):
        # People are where they are today: a draft takes them on its day.
        raise invalid("date_in_future", "/effective_on")
    return carry_out(session, actor, operations, made, decree) if made.done_by else {}


def carry_out(
    session: Session,
    actor: Actor,
    operations: Sequence[UnitChange],
    made: Plan,
    decree: str | None = None,
    *,
    known_as: UUID | None = None,
) -> dict[str, int]:
    """Do at once what was planned, with a row that says so; the ids of the units it opens, by key."""
    now, since = utc_now(), made.change.since
    row = Reorganisation(
        id=known_as or new_id(),
        unit_id=placed_in(made.before, named_units(operations)),
        state=ReorganisationState.applied,
        effective_on=since,
        decree=decree,
        operations=reading.stored(operations),
        drafted_by=actor.account_id,
        decided_by=actor.account_id,
        decided_at=now,
        created_at=now,
        updated_at=now,
    )
    opened = applying.carry_out(session, row, made)
    concerned = {*made.change.touched, *opened.values()}
    notices.tell(session, row, concerned, but=actor.account_id)
    return opened
