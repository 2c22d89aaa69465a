"""Opening, changing and moving units."""

from datetime import date

from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.errors import Problem, invalid
from app.models.kernel.access import Right
from app.models.kernel.units import (
    LEVEL_ORDER,
    GroupKind,
    IdentifierScheme,
    Unit,
    UnitCreate,
    UnitEdge,
    UnitLevel,
    UnitMove,
    UnitUpdate,
)
from app.problem_texts import FieldCode
from app.services.kernel.access import Actor, Expected, ensure_revision
from app.services.units import followers, levels
from app.services.units.identifiers import (
    date_conflict,
    ensure_since,
    identify,
    identify_from,
    remember_area,
)
from app.services.units.tree import DAY, link, lock_tree, open_edge, set_paths, unlink
from app.services.units.units import access_unit, ensure_open, find_target
from app.text import name_key, unit_sort_key


def create(session: Session, actor: Actor, body: UnitCreate) -> Unit:
    """Open a unit under a parent, which must still be open: it would outlive a closed one."""
    lock_tree(session)
    parent = find_target(session, actor, body.parent_id, Right.units_write, pointer="/parent_id")
    _ensure_order(body.level, parent)
    _ensure_group_kind(body, parent)
    if body.opened_on > local_today():
        raise invalid("date_in_future", "/opened_on")
    levels.ensure_exists(body.level, body.opened_on)
    ensure_open(parent, body.opened_on)
    _ensure_outlives(parent, None)
    now = utc_now()
    unit = Unit(
        level=body.level,
        name=body.name,
        name_key=name_key(body.name),
        sort_key=unit_sort_key(body.name),
        code=body.code,
        area_type=body.area_type,
        group_kind=body.group_kind,
        parent_id=parent.id,
        province_id=parent.province_id,
        district_id=parent.district_id,
        commune_id=parent.commune_id,
        branch_id=parent.branch_id,
        opened_on=body.opened_on,
        phone=body.phone,
        email=body.email,
        address=body.address,
        created_at=now,
        updated_at=now,
    )
    session.add(unit)
    session.flush()
    own = f"{body.level.value}_id"
    if hasattr(unit, own):
        setattr(unit, own, unit.id)
    open_edge(session, unit.id, parent.id, body.opened_on)
    identify(session, unit.id, IdentifierScheme.name, body.name, body.opened_on)
    if body.code is not None:
        identify(session, unit.id, IdentifierScheme.gso, body.code, body.opened_on)
    return unit


def _ensure_order(level: UnitLevel, parent: Unit) -> None:
    """Each unit below a province stands in one: its members carry the province (NOT NULL)."""
    outside = parent.province_id is None and level is not UnitLevel.province
    if outside or LEVEL_ORDER.index(level) <= LEVEL_ORDER.index(parent.level):
        raise Problem("unit_level_order", level=level, parent_level=parent.level)


def _ensure_group_kind(body: UnitCreate, parent: Unit) -> None:
    if (body.group_kind is None) == (body.level is UnitLevel.group):
        code: FieldCode = "required" if body.group_kind is None else "group_kind_without_group"
        raise invalid(code, "/group_kind")
    _ensure_team_in_branch(body.group_kind, parent)


def _ensure_team_in_branch(kind: GroupKind | None, parent: Unit) -> None:
    """A tổ phụ nữ is part of a branch; other groups may stand anywhere below a province."""
    if kind is GroupKind.team and parent.level is not UnitLevel.branch:
        raise invalid("unit_level_wrong", "/parent_id", expected=UnitLevel.branch)


def _ensure_outlives(parent: Unit, closed_on: date | None) -> None:
    """The parent is not closed before the unit, which is open still if it has no last day."""
    if parent.closed_on is not None and (closed_on is None or closed_on > parent.closed_on):
        raise Problem("unit_closed", unit=parent.name, closed_on=parent.closed_on.isoformat())


def update(
    session: Session, actor: Actor, unit_id: int, body: UnitUpdate, expected: Expected
) -> Unit:
    """Contacts at once; a name, a code, an area type from `effective_on` (default today) on."""
    if "code" in body.model_fields_set:
        lock_tree(session)
    unit = access_unit(session, actor, unit_id, Right.units_write, for_update=True)
    ensure_revision(unit.revision, expected)
    changed = body.model_dump(exclude_unset=True)
    effective_on = changed.pop("effective_on", None)
    dated = {name: changed.pop(name) for name in _SCHEMES if name in changed}
    if effective_on is not None and not dated:
        raise invalid("both_needed", "/effective_on", expected="name_or_code")
    since = effective_on or local_today()
    if since > local_today():
        raise invalid("date_in_future", "/effective_on")
    for name, value in dated.items():
        if value != getattr(unit, name):
            ensure_open(unit, since)
            if name == "area_type":
                remember_area(session, unit)
            identify_from(session, unit, _SCHEMES[name], value, since)
            setattr(unit, name, value)
        elif effective_on is not None:
            ensure_since(session, unit, _SCHEMES[name], effective_on)
    unit.name_key, unit.sort_key = name_key(unit.name), unit_sort_key(unit.name)
    for name, value in changed.items():
        setattr(unit, name, value)
    session.flush()
    if "area_type" in dated:
        followers.moved(session, unit.id)
    return unit


_SCHEMES = {
    "name": IdentifierScheme.name,
    "code": IdentifierScheme.gso,
    "area_type": IdentifierScheme.area_type,
}


def move(session: Session, actor: Actor, unit_id: int, body: UnitMove) -> Unit:
    """Put a unit, with all below it, under another parent from a day (not a future one) on."""
    lock_tree(session)
    unit = access_unit(session, actor, unit_id, Right.units_write, for_update=True)
    parent = find_target(session, actor, body.parent_id, Right.units_write, pointer="/parent_id")
    since, until = body.effective_on, unit.closed_on
    if since > local_today():
        raise invalid("date_in_future", "/effective_on")
    _ensure_order(unit.level, parent)
    _ensure_team_in_branch(unit.group_kind, parent)
    followers.preview(session, followers.Moving(unit, parent))
    ensure_open(unit, since)
    ensure_open(parent, since)
    _ensure_outlives(parent, until)
    edge = session.exec(
        select(UnitEdge)
        .where(col(UnitEdge.unit_id) == unit.id)
        .order_by(col(UnitEdge.valid_from).desc())
        .limit(1)
    ).one_or_none()
    if edge is not None:
        if edge.parent_id == parent.id and since >= edge.valid_from:
            return unit
        if since <= edge.valid_from:
            raise date_conflict(since, edge.valid_from)
        unlink(session, unit.id, since)
        edge.valid_to = since - DAY
    session.add(UnitEdge(unit_id=unit.id, parent_id=parent.id, valid_from=since, valid_to=until))
    session.flush()
    link(session, parent.id, unit.id, since)
    unit.parent_id = parent.id
    set_paths(session, unit, since)
    session.flush()
    followers.moved(session, unit.id)
    return unit
