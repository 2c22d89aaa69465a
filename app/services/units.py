"""Units: reading the dated tree, and the acts that change it (open, rename, move, close).

Reading "as of" a day takes the edges, names and codes valid on that day. The columns on `unit`
itself are today's. Facts never move: they keep the unit they happened in.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import AnySelect
from app.errors import Problem, invalid, not_found
from app.models.access import Right
from app.models.members import Member, MemberStatus
from app.models.units import (
    LEVEL_ORDER,
    IdentifierRead,
    IdentifierScheme,
    Lineage,
    ParentRead,
    SuccessionRead,
    Unit,
    UnitClose,
    UnitClosure,
    UnitCreate,
    UnitDetail,
    UnitEdge,
    UnitIdentifier,
    UnitLevel,
    UnitMove,
    UnitQuery,
    UnitRead,
    UnitRef,
    UnitSuccession,
    UnitUpdate,
)
from app.services.access import Actor, Db, ensure, require_somewhere, visible
from app.text import name_key, unit_sort_key

CURRENT_MEMBERS = (MemberStatus.active, MemberStatus.transferring)
_DAY = timedelta(days=1)
UnitRow = Mapping[str, Any]


def valid_on(model: type[Any], day: Any) -> sa.ColumnElement[bool]:
    """Both ends inclusive, as decrees count days."""
    return sa.and_(
        col(model.valid_from) <= day,
        sa.or_(col(model.valid_to).is_(None), col(model.valid_to) >= day),
    )


# -- getting one, with the check


def access_unit(
    session: Session, actor: Actor, unit_id: int, right: Right, *, for_update: bool = False
) -> Unit:
    """The unit, or 404 when it is out of sight, 403 when the right is missing.

    `for_update` keeps out other changes of the unit and new facts in it (`find_target`), but not
    the foreign keys of facts it has: waiting for those would be a deadlock.
    """
    unit = session.get(Unit, unit_id, with_for_update={"key_share": True} if for_update else None)
    if unit is None:
        require_somewhere(session, actor, Right.units_read)
        raise not_found()
    ensure(session, actor, right, unit, seen_with=Right.units_read)
    return unit


def find_target(
    db: Db,
    actor: Actor,
    unit_id: int,
    right: Right,
    *,
    pointer: str,
    level: UnitLevel | None = None,
) -> Unit:
    """A unit named in a request body: 422 when it is out of sight, 403 without the right.

    In a session it is locked against being closed or moved before the new fact is committed.
    """
    if isinstance(db, Session):
        unit = db.get(Unit, unit_id, with_for_update={"read": True})
    else:
        unit = _by_id(db, unit_id)
    if unit is None or not actor.covers(Right.units_read, unit):
        raise invalid("unit_unknown", pointer)
    ensure(db, actor, right, unit, seen_with=Right.units_read)
    if level is not None and unit.level is not level:
        raise invalid("unit_level_wrong", pointer, expected=level.value)
    return unit


def find_visible(db: Db, actor: Actor, unit_id: int) -> Unit | None:
    """A unit the actor may see, or None."""
    unit = _by_id(db, unit_id)
    return unit if unit is not None and actor.covers(Right.units_read, unit) else None


def find_filter(db: Db, actor: Actor, unit_id: int, *, pointer: str) -> Unit:
    """A unit named in a query: 422 when it is out of sight, as if it did not exist."""
    unit = find_visible(db, actor, unit_id)
    if unit is None:
        raise invalid("unit_unknown", pointer, place="query")
    return unit


def _by_id(db: Db, unit_id: int) -> Unit | None:
    if isinstance(db, Session):
        return db.get(Unit, unit_id)
    row = db.execute(sa.select(Unit.__table__).where(col(Unit.id) == unit_id)).one_or_none()  # type: ignore[attr-defined]  # SQLModel hides __table__
    return None if row is None else Unit(**row._mapping)


def ensure_open(unit: Unit, on: date) -> None:
    """A fact dated `on` may be recorded in the unit: it was open on that day."""
    if unit.closed_on is not None and on > unit.closed_on:
        raise Problem("unit_closed", unit=unit.name, closed_on=unit.closed_on.isoformat())
    if on < unit.opened_on:
        raise Problem("unit_not_open_yet", unit=unit.name, opened_on=unit.opened_on.isoformat())


# -- reading


def _identifier_on(scheme: IdentifierScheme, day: date) -> sa.ScalarSelect[Any]:
    """The value valid on the day, or for a unit closed before it the last one it had."""
    return (
        sa.select(col(UnitIdentifier.value))
        .where(
            col(UnitIdentifier.unit_id) == col(Unit.id),
            col(UnitIdentifier.scheme) == scheme,
            col(UnitIdentifier.valid_from) <= day,
        )
        .order_by(col(UnitIdentifier.valid_from).desc())
        .limit(1)
        .scalar_subquery()
    )


def _columns(day: date | None) -> list[Any]:
    """The columns of UnitRead, as they are today or as they were on a day."""
    name: Any = col(Unit.name)
    code: Any = col(Unit.code)
    parent: Any = col(Unit.parent_id)
    if day is not None:
        name = _identifier_on(IdentifierScheme.name, day).label("name")
        code = _identifier_on(IdentifierScheme.gso, day).label("code")
        parent = (
            sa.select(col(UnitEdge.parent_id))
            .where(col(UnitEdge.unit_id) == col(Unit.id), col(UnitEdge.valid_from) <= day)
            .order_by(col(UnitEdge.valid_from).desc())
            .limit(1)
            .scalar_subquery()
            .label("parent_id")
        )
    return [
        col(Unit.id),
        col(Unit.level),
        name,
        code,
        col(Unit.area_type),
        parent,
        col(Unit.opened_on),
        col(Unit.closed_on),
        col(Unit.phone),
        col(Unit.email),
        col(Unit.address),
        col(Unit.revision),
        col(Unit.sort_key),
        col(Unit.province_id),
        col(Unit.district_id),
        col(Unit.commune_id),
        col(Unit.branch_id),
    ]


def list_units(
    db: Db, actor: Actor, query: UnitQuery, after: tuple[Any, ...] | None, limit: int
) -> list[tuple[tuple[str, int], UnitRow]]:
    """Units in scope that existed on the day asked, by name in Vietnamese order."""
    require_somewhere(db, actor, Right.units_read)
    day = query.as_of or local_today()
    statement = sa.select(*_columns(query.as_of)).where(
        visible(Unit, actor, Right.units_read), col(Unit.opened_on) <= day
    )
    if not query.include_closed:
        statement = statement.where(
            sa.or_(col(Unit.closed_on).is_(None), col(Unit.closed_on) >= day)
        )
    if query.level:
        statement = statement.where(col(Unit.level).in_(query.level))
    if query.parent is not None:
        below = _standing(UnitEdge, col(UnitEdge.unit_id), day, closed=query.include_closed)
        statement = statement.where(
            col(Unit.id).in_(below.where(col(UnitEdge.parent_id) == query.parent))
        )
    if query.under is not None:
        below = _standing(
            UnitClosure, col(UnitClosure.descendant_id), day, closed=query.include_closed
        )
        statement = statement.where(
            col(Unit.id).in_(
                below.where(col(UnitClosure.ancestor_id) == query.under, col(UnitClosure.depth) > 0)
            )
        )
    if query.code is not None:
        statement = statement.where(
            col(Unit.id).in_(
                sa.select(col(UnitIdentifier.unit_id)).where(
                    col(UnitIdentifier.scheme) == IdentifierScheme.gso,
                    col(UnitIdentifier.value) == query.code,
                    valid_on(UnitIdentifier, day),
                )
            )
        )
    for word in name_key(query.q or "").split():
        statement = statement.where(col(Unit.name_key).contains(word, autoescape=True))
    if after is not None:
        statement = statement.where(
            sa.tuple_(col(Unit.sort_key), col(Unit.id)) > sa.tuple_(*map(sa.literal, after))
        )
    rows = db.execute(statement.order_by(col(Unit.sort_key), col(Unit.id)).limit(limit)).all()
    return [
        ((row.sort_key, row.id), item)
        for row, item in zip(rows, _read(db, actor, rows), strict=True)
    ]


def _standing(model: type[Any], unit_id: Any, day: date, *, closed: bool) -> sa.Select[Any]:
    """Units by where they stood on the day; a unit closed before it, where it stood last."""
    if not closed:
        return sa.select(unit_id).where(valid_on(model, day))
    below = aliased(Unit)
    last = sa.and_(col(below.closed_on) < day, col(model.valid_to) == col(below.closed_on))
    return (
        sa.select(unit_id)
        .join(below, col(below.id) == unit_id)
        .where(sa.or_(valid_on(model, day), last))
    )


def _read(db: Db, actor: Actor, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows as UnitRead: with today's member counts where the actor may count members."""
    counts = member_counts(db, rows)
    shown = UnitRead.model_fields.keys()
    items = []
    for row in rows:
        values = row._mapping
        countable = actor.covers(Right.members_read, row)
        count = counts.get(row.id, 0) if countable else None
        items.append({n: count if n == "member_count" else values[n] for n in shown})
    return items


def member_counts(db: Db, units: Iterable[Any]) -> dict[int, int]:
    """People in the union today under each of the units; one query a level."""
    by_level: dict[UnitLevel, list[Any]] = {}
    for unit in units:
        by_level.setdefault(unit.level, []).append(unit)
    counts: dict[int, int] = {}
    for level, group in by_level.items():
        counts |= _counts_of_level(db, level, [unit.id for unit in group])
    return counts


def _counts_of_level(db: Db, level: UnitLevel, ids: Sequence[int]) -> dict[int, int]:
    current = col(Member.status).in_(CURRENT_MEMBERS)
    if level is UnitLevel.central:
        total = db.execute(sa.select(sa.func.count()).select_from(Member).where(current))
        return dict.fromkeys(ids, total.scalar_one())
    if level is UnitLevel.district:
        # Members carry no district: they are counted through its communes.
        rows = db.execute(
            sa.select(col(Unit.district_id), sa.func.count())
            .join(Member, col(Member.commune_id) == col(Unit.id))
            .where(col(Unit.district_id).in_(ids), col(Unit.level) == UnitLevel.commune, current)
            .group_by(col(Unit.district_id))
        )
    else:
        columns = {
            UnitLevel.province: col(Member.province_id),
            UnitLevel.commune: col(Member.commune_id),
            UnitLevel.branch: col(Member.branch_id),
        }
        if level not in columns:
            return {}
        column = columns[level]
        rows = db.execute(
            sa.select(column, sa.func.count()).where(column.in_(ids), current).group_by(column)
        )
    return {unit_id: count for unit_id, count in rows if unit_id is not None}


def get_unit(db: Db, actor: Actor, unit_id: int, as_of: date | None) -> UnitDetail:
    """A unit with its ancestors of the day asked and what came before and after it."""
    row = _visible_row(db, actor, unit_id, as_of)
    [item] = _read(db, actor, [row])
    day = as_of or local_today()
    return UnitDetail(
        **item,
        ancestors=_ancestors(db, unit_id, min(day, row.closed_on or day)),
        predecessors=_successions(db, unit_id, forward=False),
        successors=_successions(db, unit_id, forward=True),
    )


def _visible_row(db: Db, actor: Actor, unit_id: int, as_of: date | None) -> Any:
    require_somewhere(db, actor, Right.units_read)
    row = db.execute(
        sa.select(*_columns(as_of)).where(
            col(Unit.id) == unit_id, visible(Unit, actor, Right.units_read)
        )
    ).one_or_none()
    if row is None or (as_of is not None and row.opened_on > as_of):
        raise not_found()
    return row


def _ancestors(db: Db, unit_id: int, day: date) -> list[UnitRef]:
    rows = db.execute(
        sa.select(
            col(Unit.id), col(Unit.level), _identifier_on(IdentifierScheme.name, day).label("name")
        )
        .join(UnitClosure, col(UnitClosure.ancestor_id) == col(Unit.id))
        .where(
            col(UnitClosure.descendant_id) == unit_id,
            col(UnitClosure.depth) > 0,
            valid_on(UnitClosure, day),
        )
        .order_by(col(UnitClosure.depth).desc())
    )
    return [UnitRef.model_validate(row) for row in rows]


def _successions(
    db: Db, unit_id: int, *, forward: bool, whole: bool = False
) -> list[SuccessionRead]:
    """What the unit came from or became; `whole`: and they in turn, the nearest first."""
    own: Any = UnitSuccession.from_unit_id if forward else UnitSuccession.to_unit_id
    other: Any = UnitSuccession.to_unit_id if forward else UnitSuccession.from_unit_id
    statement: AnySelect = (
        sa.select(
            col(UnitSuccession.kind),
            col(UnitSuccession.effective_on),
            col(UnitSuccession.decree),
            col(UnitSuccession.inferred),
            col(Unit.id),
            col(Unit.level),
            col(Unit.name),
        )
        .join(Unit, col(Unit.id) == other, isouter=True)
        .order_by(col(UnitSuccession.effective_on), col(UnitSuccession.id))
    )
    found: list[SuccessionRead] = []
    seen = {unit_id}
    nearest = {unit_id}
    while nearest:
        rows = db.execute(statement.where(own.in_(nearest))).all()
        found += [
            SuccessionRead(
                unit=None if row.id is None else UnitRef.model_validate(row),
                kind=row.kind,
                effective_on=row.effective_on,
                decree=row.decree,
                inferred=row.inferred,
            )
            for row in rows
        ]
        nearest = {row.id for row in rows if row.id is not None} - seen if whole else set()
        seen |= nearest
    return found


def lineage(db: Db, actor: Actor, unit_id: int) -> Lineage:
    """Everything the unit ever was: parents, names, codes, and what it came from and became."""
    row = _visible_row(db, actor, unit_id, None)
    parents = db.execute(
        sa.select(
            col(UnitEdge.valid_from),
            col(UnitEdge.valid_to),
            col(Unit.id),
            col(Unit.level),
            col(Unit.name),
        )
        .join(Unit, col(Unit.id) == col(UnitEdge.parent_id))
        .where(col(UnitEdge.unit_id) == unit_id)
        .order_by(col(UnitEdge.valid_from))
    )
    identifiers = db.execute(
        sa.select(
            col(UnitIdentifier.scheme),
            col(UnitIdentifier.value),
            col(UnitIdentifier.valid_from),
            col(UnitIdentifier.valid_to),
        )
        .where(col(UnitIdentifier.unit_id) == unit_id)
        .order_by(col(UnitIdentifier.scheme), col(UnitIdentifier.valid_from))
    )
    return Lineage(
        unit=UnitRef.model_validate(row),
        parents=[
            ParentRead(
                unit=UnitRef.model_validate(parent),
                valid_from=parent.valid_from,
                valid_to=parent.valid_to,
            )
            for parent in parents
        ],
        identifiers=[IdentifierRead.model_validate(each) for each in identifiers],
        predecessors=_successions(db, unit_id, forward=False, whole=True),
        successors=_successions(db, unit_id, forward=True, whole=True),
    )


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
        raise Problem("unit_level_order", level=level.value, parent_level=parent.level.value)


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
            unit_id=unit_id, scheme=scheme, value=value, valid_from=since, valid_to=until
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
        raise invalid("both_needed", "/effective_on", expected="name | code")
    since = effective_on or local_today()
    if since > local_today():
        raise invalid("date_in_future", "/effective_on")
    for name, value in dated.items():
        if value != getattr(unit, name):
            ensure_open(unit, since)
            _identify_from(session, unit, _SCHEMES[name], value, since)
            setattr(unit, name, value)
    unit.name_key, unit.sort_key = name_key(unit.name), unit_sort_key(unit.name)
    for name, value in changed.items():
        setattr(unit, name, value)
    session.flush()
    return unit


_SCHEMES = {"name": IdentifierScheme.name, "code": IdentifierScheme.gso}


def ensure_revision(current: int, expected: int | None) -> None:
    """If-Match: refuse to change a revision the client has not seen."""
    if expected is not None and expected != current:
        raise Problem("stale_revision", current=current, extra={"current_revision": current})


def _identify_from(
    session: Session, unit: Unit, scheme: IdentifierScheme, value: str, since: date
) -> None:
    """A new name or code from a day on; on the day of the last change it corrects that one."""
    last = session.exec(
        select(UnitIdentifier)
        .where(col(UnitIdentifier.unit_id) == unit.id, col(UnitIdentifier.scheme) == scheme)
        .order_by(col(UnitIdentifier.valid_from).desc())
        .limit(1)
    ).one_or_none()
    if last is None:
        _identify(session, unit.id, scheme, value, since, unit.closed_on)
        return
    if since < last.valid_from:
        raise _date_conflict(since, last.valid_from)
    if since == last.valid_from:
        if scheme is IdentifierScheme.gso:
            _ensure_code_free(session, unit.id, value, since, last.valid_to)
        last.value = value
        return
    until = last.valid_to
    last.valid_to = since - _DAY
    session.flush()
    _identify(session, unit.id, scheme, value, since, until)


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
        for start in range(0, len(unit_ids), _CHUNK):
            _set_columns(session, top, unit_ids[start : start + _CHUNK], columns)


_PATH_LEVELS = (UnitLevel.province, UnitLevel.district, UnitLevel.commune, UnitLevel.branch)
_CHUNK = 1_000


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
    carried = {name: columns[name] for name in ("province_id", "commune_id") if name in columns}
    differs = [getattr(Member, name).is_distinct_from(value) for name, value in carried.items()]
    if carried:
        session.execute(
            sa.update(Member)
            .where(col(Member.branch_id).in_(unit_ids), sa.or_(*differs))
            .values(**carried),
            execution_options=unsynchronized,
        )


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
    _ensure_empty(session, unit)
    _ensure_nothing_after(session, unit, body.closed_on)
    for place, successor_id in enumerate(body.successor_ids):
        pointer = f"/successor_ids/{place}"
        if successor_id in (unit.id, *body.successor_ids[:place]):
            raise invalid("invalid", pointer)
        successor = find_target(session, actor, successor_id, Right.units_write, pointer=pointer)
        ensure_open(successor, body.closed_on + _DAY)
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


def _ensure_empty(session: Session, unit: Unit) -> None:
    children = session.execute(
        sa.select(sa.func.count())
        .select_from(Unit)
        .where(col(Unit.parent_id) == unit.id, col(Unit.closed_on).is_(None))
    ).scalar_one()
    members = member_counts(session, [unit]).get(unit.id, 0)
    if children or members:
        raise Problem("unit_in_use", unit=unit.name, children=children, members=members)


def _ensure_nothing_after(session: Session, unit: Unit, closed_on: date) -> None:
    """Closing in the past must not cut off what is recorded of the days after."""
    recorded: list[tuple[Any, sa.ColumnElement[bool]]] = [
        (UnitEdge.valid_from, col(UnitEdge.unit_id) == unit.id),
        (UnitEdge.valid_to, col(UnitEdge.parent_id) == unit.id),
        (UnitIdentifier.valid_from, col(UnitIdentifier.unit_id) == unit.id),
        (UnitSuccession.effective_on, col(UnitSuccession.to_unit_id) == unit.id),
        (Member.joined_on, col(Member.branch_id) == unit.id),
    ]
    for day, which in recorded:
        last = session.execute(sa.select(sa.func.max(day)).where(which)).scalar_one()
        if last is not None and last > closed_on:
            raise _date_conflict(closed_on, last)


def _end(session: Session, model: type[Any], which: sa.ColumnElement[bool], day: date) -> None:
    open_or_later = sa.or_(col(model.valid_to).is_(None), col(model.valid_to) > day)
    session.execute(sa.update(model).where(which, open_or_later).values(valid_to=day))
