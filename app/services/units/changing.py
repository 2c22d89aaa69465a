"""What a change of the tree writes: units that open, move, are named anew and close on one day.

Whether it may be done is decided before (services/reorganisations/planning.py). The statements are
of sets of units, so that the merger of a commune takes as many as that of a district.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import chunks, insert_many
from app.models.kernel.units import (
    AreaType,
    GroupKind,
    IdentifierScheme,
    SuccessionKind,
    Unit,
    UnitEdge,
    UnitIdentifier,
    UnitLevel,
    UnitSuccession,
)
from app.services.kernel import changes, provinces
from app.services.units import followers, undoing
from app.services.units.carrying import carry, hold_for_change
from app.services.units.handing import Handing, Ref
from app.services.units.identifiers import Asked, identify, release
from app.services.units.tree import DAY, below, moved_paths, relink
from app.text import name_key, unit_sort_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    key: str
    level: UnitLevel
    name: str
    parent: Ref
    code: str | None
    area_type: AreaType | None
    group_kind: GroupKind | None
    closed_on: date | None
    phone: str | None
    email: str | None
    address: str | None


@dataclass(frozen=True, slots=True)
class Succeeding:
    """`by` None: nobody went on with what the unit was."""

    unit: Ref
    by: Ref | None
    kind: SuccessionKind
    inferred: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeChange:
    """`since` is the first day of what is new: a unit that closes has the day before as its last."""

    since: date
    decree: str | None = None
    opened: Sequence[Opening] = ()
    parents: Mapping[int, Ref] = field(default_factory=dict)
    named: Mapping[int, Mapping[IdentifierScheme, str]] = field(default_factory=dict)
    closed: Sequence[int] = ()
    # What branches hand over, in this order.
    handed: Sequence[Handing] = ()
    # By unit that closes, those that go on with what is to come of it.
    heirs: Mapping[int, Sequence[Ref]] = field(default_factory=dict)
    successions: Sequence[Succeeding] = ()

    @property
    def touched(self) -> set[int]:
        """The units that were there before and are another way afterwards."""
        handing = {ref for each in self.handed for ref in (each.unit, each.to)}
        known = {ref for ref in handing if isinstance(ref, int)}
        return {*self.parents, *self.named, *self.closed, *known}


_FIELDS = {
    IdentifierScheme.name: "name",
    IdentifierScheme.gso: "code",
    IdentifierScheme.area_type: "area_type",
}


@dataclass(frozen=True, slots=True)
class Written:
    """The ids of the units that were opened, by key, and what the tree was before (`undoing`)."""

    opened: Mapping[str, int]
    undo: Mapping[str, Any]


def write(session: Session, change: TreeChange) -> Written:
    """Make the change, with what follows from it everywhere. The caller holds the tree's lock."""
    with changes.holding_from(session, change.since):
        return _write(session, change)


def _write(session: Session, change: TreeChange) -> Written:
    ids = _open(session, change)
    units = hold_for_change(session, change.touched)
    undo = undoing.remember(session, units)
    last = change.since - DAY
    followers.ended(session, change.closed, change.since)
    for unit_id in change.closed:
        units[unit_id].closed_on = last
    if change.closed:
        session.flush()
    _name(session, change, units, ids)
    undo["successions"] = _succeed(session, change, ids)
    parents = {unit_id: _id(ids, parent) for unit_id, parent in change.parents.items()}
    _set_edges(session, change, parents, units)
    _end(session, UnitEdge, change.closed, last)
    moved = {*change.parents, *change.closed}
    lines = relink(session, below(session, moved, last) | set(ids.values()))
    paths = moved_paths(session, lines)
    for unit_id, unit in units.items():
        # In one flush with the parent, so that the log has the place it left and the one it came to.
        above = {"parent_id": parents[unit_id]} if unit_id in parents else {}
        _assign(unit, above | {**paths.get(unit_id, {})})
    session.flush()
    with provinces.following_together(session):
        carry(session, paths, set(units), change.since)
        undo["handed"] = [_hand_over(session, each) for each in _handovers(change, ids)]
    heirs = {unit_id: [_id(ids, ref) for ref in refs] for unit_id, refs in change.heirs.items()}
    undo["inherited"] = followers.inherited(session, followers.Inheritance(heirs, change.since))
    other_area = {
        unit_id for unit_id, names in change.named.items() if IdentifierScheme.area_type in names
    }
    followers.moved(session, sorted({*parents, *other_area}))
    return Written(ids, undo)


def _handovers(change: TreeChange, ids: Mapping[str, int]) -> list[followers.Handover]:
    """Each part by itself, then all that is left for one heir together."""
    parts = [each for each in change.handed if each.only is not None]
    by_heir: dict[int, list[int]] = defaultdict(list)
    for each in change.handed:
        if each.only is None:
            by_heir[_id(ids, each.to)].append(each.unit)
    return [
        *(
            followers.Handover([each.unit], _id(ids, each.to), change.since, each.only)
            for each in parts
        ),
        *(
            followers.Handover(from_ids, heir_id, change.since)
            for heir_id, from_ids in by_heir.items()
        ),
    ]


def _hand_over(session: Session, handover: followers.Handover) -> dict[str, Any]:
    kept = followers.handed_over(session, handover)
    return {"from_ids": [*handover.from_ids], "to_id": handover.to_id, "kept": kept}


def _id(ids: Mapping[str, int], ref: Ref) -> int:
    return ids[ref] if isinstance(ref, str) else ref


def _assign(unit: Unit, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(unit, name, value)


# -- opening


def _open(session: Session, change: TreeChange) -> dict[str, int]:
    ids: dict[str, int] = {}
    for together in _one_under_another(change.opened):
        units = [
            _row(each, session.get_one(Unit, _id(ids, each.parent)), change.since)
            for each in together
        ]
        session.add_all(units)
        session.flush()
        for each, unit in zip(together, units, strict=True):
            own = f"{each.level.value}_id"
            if hasattr(unit, own):
                setattr(unit, own, unit.id)
            ids[each.key] = unit.id
    insert_many(
        session,
        UnitEdge,
        [
            {
                "unit_id": ids[each.key],
                "parent_id": _id(ids, each.parent),
                "valid_from": change.since,
                "valid_to": each.closed_on,
            }
            for each in change.opened
        ],
    )
    return ids


def _one_under_another(opened: Sequence[Opening]) -> Iterator[Sequence[Opening]]:
    """In their order, as many at a time as stand under units that are there already."""
    together: dict[Ref, Opening] = {}
    for each in opened:
        if each.parent in together:
            yield list(together.values())
            together = {}
        together[each.key] = each
    if together:
        yield list(together.values())


def _row(each: Opening, parent: Unit, opened_on: date) -> Unit:
    now = utc_now()
    return Unit(
        level=each.level,
        name=each.name,
        name_key=name_key(each.name),
        sort_key=unit_sort_key(each.name),
        code=each.code,
        area_type=each.area_type,
        group_kind=each.group_kind,
        parent_id=parent.id,
        province_id=parent.province_id,
        district_id=parent.district_id,
        commune_id=parent.commune_id,
        branch_id=parent.branch_id,
        opened_on=opened_on,
        closed_on=each.closed_on,
        created_at=now,
        updated_at=now,
        phone=each.phone,
        email=each.email,
        address=each.address,
    )


# -- names and codes


def _name(
    session: Session, change: TreeChange, units: Mapping[int, Unit], ids: Mapping[str, int]
) -> None:
    """All that end first: two units may exchange their codes."""
    asked = [
        Asked(unit_id, scheme, value)
        for unit_id, names in change.named.items()
        for scheme, value in names.items()
    ]
    until = {unit_id: unit.closed_on for unit_id, unit in units.items()}
    release(session, units, asked, change.since)
    _end(session, UnitIdentifier, change.closed, change.since - DAY)
    for each in change.opened:
        unit_id = ids[each.key]
        until[unit_id] = each.closed_on
        asked.append(Asked(unit_id, IdentifierScheme.name, each.name))
        if each.code is not None:
            asked.append(Asked(unit_id, IdentifierScheme.gso, each.code))
    identify(session, asked, change.since, until)
    for unit_id, names in change.named.items():
        unit = units[unit_id]
        _assign(unit, {_FIELDS[scheme]: value for scheme, value in names.items()})
        if IdentifierScheme.name in names:
            unit.name_key, unit.sort_key = name_key(unit.name), unit_sort_key(unit.name)


def _succeed(session: Session, change: TreeChange, ids: Mapping[str, int]) -> list[int | None]:
    rows: list[dict[str, Any]] = [
        {
            "from_unit_id": _id(ids, each.unit),
            "to_unit_id": None if each.by is None else _id(ids, each.by),
            "kind": each.kind,
            "effective_on": change.since,
            "decree": change.decree,
            "inferred": each.inferred,
        }
        for each in change.successions
    ]
    made: list[int | None] = []
    for chunk in chunks(rows):
        insert = sa.insert(UnitSuccession).returning(col(UnitSuccession.id))
        made += session.connection().execute(insert, list(chunk)).scalars()
    heirs = {row["to_unit_id"] for row in rows} - {None}
    followers.succeeded(session, sorted(heirs))
    return made


# -- the tree


def _set_edges(
    session: Session, change: TreeChange, parents: Mapping[int, int], units: Mapping[int, Unit]
) -> None:
    for chunk in chunks(sorted(parents)):
        session.connection().execute(
            sa.update(UnitEdge)
            .where(
                col(UnitEdge.unit_id).in_(chunk),
                sa.or_(col(UnitEdge.valid_to).is_(None), col(UnitEdge.valid_to) >= change.since),
            )
            .values(valid_to=change.since - DAY)
        )
    rows = [
        {
            "unit_id": unit_id,
            "parent_id": parent_id,
            "valid_from": change.since,
            "valid_to": units[unit_id].closed_on,
        }
        for unit_id, parent_id in parents.items()
    ]
    insert_many(session, UnitEdge, rows)


def _end(session: Session, model: type[Any], unit_ids: Sequence[int], day: date) -> None:
    open_or_later = sa.or_(col(model.valid_to).is_(None), col(model.valid_to) > day)
    for chunk in chunks(unit_ids):
        session.connection().execute(
            sa.update(model)
            .where(col(model.unit_id).in_(chunk), open_or_later)
            .values(valid_to=day)
        )
