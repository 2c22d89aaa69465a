"""The acts that change the tree of units: open, rename, move, close.

The edges are the truth. The closure and today's path columns are kept in step with them, and so
are the members who stand below. Facts never move: they keep the unit they happened in.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import chunks
from app.errors import Problem, invalid
from app.models.groups.groups import Participation
from app.models.kernel.access import Right
from app.models.kernel.units import (
    LEVEL_ORDER,
    GroupKind,
    IdentifierScheme,
    SuccessionKind,
    Unit,
    UnitClose,
    UnitClosure,
    UnitCreate,
    UnitEdge,
    UnitIdentifier,
    UnitLevel,
    UnitMove,
    UnitSuccession,
    UnitUpdate,
)
from app.models.members.spells import Membership
from app.problem_texts import FieldCode
from app.services.kernel.access import Actor, ensure_revision
from app.services.units import followers
from app.services.units.units import (
    access_unit,
    ensure_open,
    find_target,
    member_counts,
    valid_on,
)
from app.text import name_key, unit_sort_key

_DAY = timedelta(days=1)


# -- opening


def _lock_tree(session: Session) -> None:
    """One change of the tree at a time: each writes closure rows that the other's depend on."""
    top = sa.select(col(Unit.id)).where(col(Unit.parent_id).is_(None)).order_by(col(Unit.id))
    session.execute(top.with_for_update(key_share=True))


def create(session: Session, actor: Actor, body: UnitCreate) -> Unit:
    """Open a unit under a parent, which must still be open: it would outlive a closed one."""
    _lock_tree(session)
    parent = find_target(session, actor, body.parent_id, Right.units_write, pointer="/parent_id")
    _ensure_order(body.level, parent)
    _ensure_group_kind(body, parent)
    if body.opened_on > local_today():
        raise invalid("date_in_future", "/opened_on")
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
    _open_edge(session, unit.id, parent.id, body.opened_on)
    _identify(session, unit.id, IdentifierScheme.name, body.name, body.opened_on)
    if body.code is not None:
        _identify(session, unit.id, IdentifierScheme.gso, body.code, body.opened_on)
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


def _identify(
    session: Session,
    unit_id: int,
    scheme: IdentifierScheme,
    value: str,
    since: date,
    until: date | None = None,
) -> None:
    """Give a name or code from a day on; a code belongs to one unit at a time."""
    if scheme is IdentifierScheme.gso:
        _ensure_code_free(session, unit_id, value, since, until)
    session.add(
        UnitIdentifier(
            unit_id=unit_id,
            scheme=scheme,
            value=value,
            value_key=name_key(value),
            valid_from=since,
            valid_to=until,
        )
    )
    session.flush()


def _ensure_code_free(
    session: Session, unit_id: int, code: str, since: date, until: date | None
) -> None:
    """No other unit has the code on any of these days (changes of codes hold the tree's lock)."""
    others = select(UnitIdentifier.unit_id).where(
        col(UnitIdentifier.scheme) == IdentifierScheme.gso,
        col(UnitIdentifier.value) == code,
        col(UnitIdentifier.unit_id) != unit_id,
        sa.or_(col(UnitIdentifier.valid_to).is_(None), col(UnitIdentifier.valid_to) >= since),
    )
    if until is not None:
        others = others.where(col(UnitIdentifier.valid_from) <= until)
    if session.exec(others).first() is not None:
        raise Problem("code_taken", value=code)


def _open_edge(session: Session, unit_id: int, parent_id: int, since: date) -> None:
    """Put a new leaf under its parent: one edge, and a closure row for each ancestor."""
    session.add(UnitEdge(unit_id=unit_id, parent_id=parent_id, valid_from=since))
    session.add(UnitClosure(ancestor_id=unit_id, descendant_id=unit_id, valid_from=since, depth=0))
    session.flush()
    _link(session, parent_id, unit_id, since)


def _link(session: Session, parent_id: int, top_id: int, since: date) -> None:
    """Closure rows between the parent's line and the unit's subtree, for the edge from a day on.

    Both have histories of their own: a row is valid while both are.
    """
    above, below = aliased(UnitClosure), aliased(UnitClosure)
    rows = session.execute(
        sa.select(
            col(above.ancestor_id),
            col(below.descendant_id),
            col(above.depth) + col(below.depth) + 1,
            col(above.valid_from),
            col(below.valid_from),
            col(above.valid_to),
            col(below.valid_to),
        )
        .select_from(above)
        .join(
            below,
            sa.or_(col(above.valid_to).is_(None), col(above.valid_to) >= col(below.valid_from)),
        )
        .where(
            col(above.descendant_id) == parent_id,
            col(below.ancestor_id) == top_id,
            sa.or_(col(above.valid_to).is_(None), col(above.valid_to) >= since),
            sa.or_(col(below.valid_to).is_(None), col(below.valid_to) >= since),
        )
    ).all()
    new = []
    for ancestor, descendant, depth, from_1, from_2, to_1, to_2 in rows:
        valid_from = max(since, from_1, from_2)
        valid_to = min((to for to in (to_1, to_2) if to is not None), default=None)
        if valid_to is None or valid_from <= valid_to:
            new.append(
                {
                    "ancestor_id": ancestor,
                    "descendant_id": descendant,
                    "depth": depth,
                    "valid_from": valid_from,
                    "valid_to": valid_to,
                }
            )
    if new:
        session.execute(sa.insert(UnitClosure), new)


# -- changing


def update(
    session: Session, actor: Actor, unit_id: int, body: UnitUpdate, expected: int | None
) -> Unit:
    """Contacts at once; a name or code from `effective_on` (default today) on."""
    if "code" in body.model_fields_set:
        _lock_tree(session)
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
            _identify_from(session, unit, _SCHEMES[name], value, since)
            setattr(unit, name, value)
        elif effective_on is not None:
            _ensure_since(session, unit, _SCHEMES[name], effective_on)
    unit.name_key, unit.sort_key = name_key(unit.name), unit_sort_key(unit.name)
    for name, value in changed.items():
        setattr(unit, name, value)
    session.flush()
    return unit


_SCHEMES = {"name": IdentifierScheme.name, "code": IdentifierScheme.gso}


def _identify_from(
    session: Session, unit: Unit, scheme: IdentifierScheme, value: str, since: date
) -> None:
    """A new name or code from a day on; on the day of the last change it corrects that one."""
    last = _last_identifier(session, unit, scheme)
    if last is None:
        _identify(session, unit.id, scheme, value, since, unit.closed_on)
        return
    if since < last.valid_from:
        raise _date_conflict(since, last.valid_from)
    if since == last.valid_from:
        if scheme is IdentifierScheme.gso:
            _ensure_code_free(session, unit.id, value, since, last.valid_to)
        last.value = value
        last.value_key = name_key(value)
        _rejoin(session, last)
        return
    until = last.valid_to
    last.valid_to = since - _DAY
    session.flush()
    _identify(session, unit.id, scheme, value, since, until)


def _last_identifier(
    session: Session, unit: Unit, scheme: IdentifierScheme
) -> UnitIdentifier | None:
    return session.exec(
        select(UnitIdentifier)
        .where(col(UnitIdentifier.unit_id) == unit.id, col(UnitIdentifier.scheme) == scheme)
        .order_by(col(UnitIdentifier.valid_from).desc())
        .limit(1)
    ).one_or_none()


def _ensure_since(session: Session, unit: Unit, scheme: IdentifierScheme, since: date) -> None:
    """The value it has already, given with another first day: refused, not passed over."""
    last = _last_identifier(session, unit, scheme)
    if last is not None and last.valid_from != since:
        raise _date_conflict(since, last.valid_from)


def _rejoin(session: Session, last: UnitIdentifier) -> None:
    """A correction back to what it was before leaves one period, not two of the same."""
    before = session.exec(
        select(UnitIdentifier).where(
            col(UnitIdentifier.unit_id) == last.unit_id,
            col(UnitIdentifier.scheme) == last.scheme,
            col(UnitIdentifier.value) == last.value,
            col(UnitIdentifier.valid_to) == last.valid_from - _DAY,
        )
    ).one_or_none()
    if before is not None:
        until = last.valid_to
        session.delete(last)
        session.flush()
        before.valid_to = until
    session.flush()


def _date_conflict(day: date, existing: date) -> Problem:
    return Problem("unit_date_conflict", date=day.isoformat(), existing=existing.isoformat())


def move(session: Session, actor: Actor, unit_id: int, body: UnitMove) -> Unit:
    """Put a unit, with all below it, under another parent from a day (not a future one) on."""
    _lock_tree(session)
    unit = access_unit(session, actor, unit_id, Right.units_write, for_update=True)
    parent = find_target(session, actor, body.parent_id, Right.units_write, pointer="/parent_id")
    since, until = body.effective_on, unit.closed_on
    if since > local_today():
        raise invalid("date_in_future", "/effective_on")
    _ensure_order(unit.level, parent)
    _ensure_team_in_branch(unit.group_kind, parent)
    followers.may_move(session, unit, parent)
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
            raise _date_conflict(since, edge.valid_from)
        _unlink(session, unit.id, since)
        edge.valid_to = since - _DAY
    session.add(UnitEdge(unit_id=unit.id, parent_id=parent.id, valid_from=since, valid_to=until))
    session.flush()
    _link(session, parent.id, unit.id, since)
    unit.parent_id = parent.id
    _set_paths(session, unit, since)
    session.flush()
    followers.moved(session, unit.id)
    return unit


def _unlink(session: Session, top_id: int, since: date) -> None:
    """End every closure row that runs through the unit's last edge the day before.

    A row runs through it when, on one of its days, its descendant stood below the unit, nearer
    than its ancestor. A descendant that had left by then keeps what it has elsewhere.
    """
    below = aliased(UnitClosure)
    row_to, below_to = col(UnitClosure.valid_to), col(below.valid_to)
    through = sa.exists().where(
        col(below.ancestor_id) == top_id,
        col(below.descendant_id) == col(UnitClosure.descendant_id),
        col(below.depth) < col(UnitClosure.depth),
        sa.or_(row_to.is_(None), row_to >= since),
        sa.or_(below_to.is_(None), below_to >= since),
        sa.or_(row_to.is_(None), row_to >= col(below.valid_from)),
        sa.or_(below_to.is_(None), below_to >= col(UnitClosure.valid_from)),
    )
    subtree = sa.select(col(below.descendant_id)).where(col(below.ancestor_id) == top_id)
    crossing = sa.and_(col(UnitClosure.descendant_id).in_(subtree), through)
    later = col(UnitClosure.valid_from) >= since
    unsynchronized = {"synchronize_session": False}
    session.execute(sa.delete(UnitClosure).where(crossing, later), execution_options=unsynchronized)
    session.execute(
        sa.update(UnitClosure).where(crossing).values(valid_to=since - _DAY),
        execution_options=unsynchronized,
    )


def _set_paths(session: Session, top: Unit, since: date) -> None:
    """The path columns of all that stood under the unit since then, and of their members.

    They say where a unit stands today, or stood when it closed. Only levels above the top change.
    """
    own = LEVEL_ORDER.index(top.level)
    levels = [level for level in _PATH_LEVELS if LEVEL_ORDER.index(level) < own]
    today, ancestor = local_today(), aliased(Unit)
    day = sa.case((col(Unit.closed_on) < today, col(Unit.closed_on)), else_=today)
    subtree = sa.select(col(UnitClosure.descendant_id)).where(
        col(UnitClosure.ancestor_id) == top.id,
        sa.or_(col(UnitClosure.valid_to).is_(None), col(UnitClosure.valid_to) >= since),
    )
    rows = session.execute(
        sa.select(col(Unit.id), col(ancestor.level), col(ancestor.id))
        .join(UnitClosure, col(UnitClosure.descendant_id) == col(Unit.id))
        .join(ancestor, col(ancestor.id) == col(UnitClosure.ancestor_id))
        .where(
            col(Unit.id).in_(subtree), col(ancestor.level).in_(levels), valid_on(UnitClosure, day)
        )
    )
    paths: dict[int, dict[UnitLevel, int]] = {}
    for unit_id, level, ancestor_id in rows:
        paths.setdefault(unit_id, {})[level] = ancestor_id
    together: dict[tuple[int | None, ...], list[int]] = {}
    for unit_id, path in paths.items():
        together.setdefault(tuple(path.get(level) for level in levels), []).append(unit_id)
    for values, unit_ids in together.items():
        columns = {f"{level}_id": value for level, value in zip(levels, values, strict=True)}
        if top.id in unit_ids:
            for name, value in columns.items():
                setattr(top, name, value)  # through the session: the log tells both paths
        for chunk in chunks(unit_ids):
            _set_columns(session, top, chunk, columns)


_PATH_LEVELS = (UnitLevel.province, UnitLevel.district, UnitLevel.commune, UnitLevel.branch)


def _set_columns(
    session: Session, top: Unit, unit_ids: Sequence[int], columns: Mapping[str, int | None]
) -> None:
    below = [unit_id for unit_id in unit_ids if unit_id != top.id]
    unsynchronized = {"synchronize_session": False}
    if below and columns:
        session.execute(
            sa.update(Unit).where(col(Unit.id).in_(below)).values(**columns),
            execution_options=unsynchronized,
        )
    followers.carry(session, unit_ids, columns)


# -- closing


def close(session: Session, actor: Actor, unit_id: int, body: UnitClose) -> Unit:
    """Close a unit after its last day, and say what became of it."""
    _lock_tree(session)
    unit = access_unit(session, actor, unit_id, Right.units_write, for_update=True)
    ensure_open(unit, body.closed_on)
    if unit.closed_on is not None:
        raise Problem("unit_closed", unit=unit.name, closed_on=unit.closed_on.isoformat())
    if body.closed_on > local_today():
        raise invalid("date_in_future", "/closed_on")
    _ensure_empty(session, actor, unit)
    _ensure_nothing_after(session, actor, unit, body.closed_on)
    if body.kind is not SuccessionKind.abolish and not body.successor_ids:
        raise invalid("required", "/successor_ids")
    for place, successor_id in enumerate(body.successor_ids):
        pointer = f"/successor_ids/{place}"
        if successor_id in (unit.id, *body.successor_ids[:place]):
            raise invalid("invalid", pointer)
        successor = find_target(session, actor, successor_id, Right.units_write, pointer=pointer)
        ensure_open(successor, body.closed_on + _DAY)
    followers.closed(session, unit.id, body.closed_on + _DAY)
    _end(session, UnitEdge, col(UnitEdge.unit_id) == unit.id, body.closed_on)
    _end(session, UnitIdentifier, col(UnitIdentifier.unit_id) == unit.id, body.closed_on)
    # What is above may have moved since: those rows never were.
    line = col(UnitClosure.descendant_id) == unit.id
    session.execute(
        sa.delete(UnitClosure).where(line, col(UnitClosure.valid_from) > body.closed_on)
    )
    _end(session, UnitClosure, line, body.closed_on)
    successors: list[int | None] = [*body.successor_ids] or [None]
    session.add_all(
        UnitSuccession(
            from_unit_id=unit.id,
            to_unit_id=successor,
            kind=body.kind,
            effective_on=body.closed_on + _DAY,
            decree=body.decree,
            inferred=body.inferred,
        )
        for successor in successors
    )
    unit.closed_on = body.closed_on
    session.flush()
    _set_paths(session, unit, body.closed_on)
    session.flush()
    return unit


def _ensure_empty(session: Session, actor: Actor, unit: Unit) -> None:
    children = session.execute(
        sa.select(sa.func.count())
        .select_from(Unit)
        .where(col(Unit.parent_id) == unit.id, col(Unit.closed_on).is_(None))
    ).scalar_one()
    members = member_counts(session, [unit]).get(unit.id, 0)
    if children or members:
        told = members if actor.covers(Right.members_read, unit) else "…"
        raise Problem("unit_in_use", unit=unit.name, children=children, members=told)


def _ensure_nothing_after(session: Session, actor: Actor, unit: Unit, closed_on: date) -> None:
    """Closing in the past must not cut off what is recorded of the days after."""
    of_members = sa.and_(
        col(Membership.branch_id) == unit.id, col(Membership.annulled_at).is_(None)
    )
    recorded: list[tuple[Any, sa.ColumnElement[bool]]] = [
        (UnitEdge.valid_from, col(UnitEdge.unit_id) == unit.id),
        (UnitEdge.valid_to, col(UnitEdge.parent_id) == unit.id),
        (UnitIdentifier.valid_from, col(UnitIdentifier.unit_id) == unit.id),
        (UnitSuccession.effective_on, col(UnitSuccession.to_unit_id) == unit.id),
        (Membership.valid_from, of_members),
        (Membership.valid_to, of_members),
        (Participation.valid_from, col(Participation.group_id) == unit.id),
    ]
    for day, which in recorded:
        last = session.execute(sa.select(sa.func.max(day)).where(which)).scalar_one()
        if last is not None and last > closed_on:
            of_people = day.class_ in (Membership, Participation)
            hidden = of_people and not actor.covers(Right.members_read, unit)
            existing = "…" if hidden else last.isoformat()
            raise Problem("unit_date_conflict", date=closed_on.isoformat(), existing=existing)


def _end(session: Session, model: type[Any], which: sa.ColumnElement[bool], day: date) -> None:
    open_or_later = sa.or_(col(model.valid_to).is_(None), col(model.valid_to) > day)
    session.execute(sa.update(model).where(which, open_or_later).values(valid_to=day))
