"""The plan of a reorganisation: pure rules over the units as they are, and what is to become of them.

The operations are taken in their order, each over what those before it have made. One that may not
be done is a trouble with its number, and the rest is planned as if it were not there, so that a
draft shows all its troubles at once.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from app.errors import Problem, invalid
from app.models.kernel.units import (
    IdentifierScheme,
    SuccessionKind,
    UnitLevel,
)
from app.models.reorganisations.operations import (
    ChangeArea,
    ChangeCode,
    CloseUnit,
    MergeUnits,
    MoveUnit,
    OpenUnit,
    RenameUnit,
    RetireLevel,
    SplitUnit,
    TransferPart,
    UnitChange,
)
from app.services.reorganisations import codes, rules
from app.services.reorganisations.sharing import Sharing
from app.services.reorganisations.world import Known, World
from app.services.units import levels
from app.services.units.changing import Opening, Succeeding, TreeChange
from app.services.units.handing import Ref
from app.services.units.identifiers import date_conflict
from app.services.units.tree import DAY
from app.services.units.units import closed, ensure_open

_FIELDS = {
    IdentifierScheme.name: "name",
    IdentifierScheme.gso: "code",
    IdentifierScheme.area_type: "area_type",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """The operation of this number (from 0) may not be done, because of this."""

    operation: int
    problem: Problem


@dataclass(frozen=True, slots=True)
class Plan:
    """`done_by` has the number of the operation that last changed a unit."""

    change: TreeChange
    troubles: Sequence[Trouble]
    done_by: Mapping[Ref, int]
    before: World
    world: World


def plan(
    world: World, operations: Sequence[UnitChange], since: date, decree: str | None = None
) -> Plan:
    """What these operations make of the world on the day; the world itself stays as it is."""
    planner = _Planner(deepcopy(world), since)
    for number, operation in enumerate(operations):
        planner.take(number, operation)
    planner.ensure_codes_free()
    return Plan(
        planner.change(world, decree), planner.troubles, planner.done_by, world, planner.world
    )


@dataclass(slots=True)
class _Planner:
    world: World
    since: date
    number: int = 0
    troubles: list[Trouble] = field(default_factory=list)
    done_by: dict[Ref, int] = field(default_factory=dict)
    opened: list[OpenUnit] = field(default_factory=list)
    moved: set[Ref] = field(default_factory=set)
    named: dict[Ref, dict[IdentifierScheme, str]] = field(default_factory=dict)
    successions: list[Succeeding] = field(default_factory=list)
    heirs: dict[Ref, list[Ref]] = field(default_factory=dict)
    sharing: Sharing = field(init=False)

    def __post_init__(self) -> None:
        self.sharing = Sharing(self.world.residents, self.since, self._done)

    def take(self, number: int, operation: UnitChange) -> None:
        self.number = number
        try:
            _DO[type(operation)](self, operation)
        except Problem as problem:
            self.troubles.append(Trouble(number, problem))

    # -- one unit

    def open(self, body: OpenUnit) -> None:
        parent = self._find(body.parent_id, "/parent_id")
        if body.key in self.world.units:
            raise invalid("key_taken", "/key")
        if body.closed_on is not None and body.closed_on < self.since:
            raise invalid("ends_before_start", "/closed_on")
        unit = Known(
            ref=body.key,
            level=body.level,
            name=body.name,
            code=body.code,
            area_type=body.area_type,
            group_kind=body.group_kind,
            parent=parent.ref,
            in_province=parent.in_province or body.level is UnitLevel.province,
            opened_on=self.since,
            closed_on=body.closed_on,
            moved_on=self.since,
        )
        rules.ensure_order(unit, parent)
        rules.ensure_group_kind(unit, parent)
        levels.ensure_exists(unit.level, self.since)
        self._ensure_takes(parent, body.closed_on)
        self.world.units[unit.ref] = unit
        self.opened.append(body)
        self._done(unit)

    def move(self, body: MoveUnit) -> None:
        unit = self._find(body.unit_id, "/unit_id")
        self._put(unit, self._find(body.parent_id, "/parent_id"))

    def _put(self, unit: Known, parent: Known) -> None:
        rules.ensure_order(unit, parent)
        rules.ensure_team_in_branch(unit.group_kind, parent)
        ensure_open(unit, self.since)
        self._ensure_takes(parent, unit.closed_on)
        if unit.moved_on is not None:
            if unit.parent == parent.ref and self.since >= unit.moved_on:
                return
            if self.since <= unit.moved_on:
                raise date_conflict(self.since, unit.moved_on)
        unit.parent, unit.moved_on = parent.ref, self.since
        self.moved.add(unit.ref)
        self._done(unit)

    def rename(self, body: RenameUnit) -> None:
        self._identify(body.unit_id, IdentifierScheme.name, body.name)

    def change_code(self, body: ChangeCode) -> None:
        self._identify(body.unit_id, IdentifierScheme.gso, body.code)

    def change_area(self, body: ChangeArea) -> None:
        self._identify(body.unit_id, IdentifierScheme.area_type, body.area_type)

    def _identify(self, ref: Ref, scheme: IdentifierScheme, value: str) -> None:
        unit = self._find(ref, "/unit_id")
        last = unit.named_on.get(scheme)
        if getattr(unit, _FIELDS[scheme]) == value:
            # The value it has already, with another first day: refused, not passed over.
            if last is not None and last != self.since:
                raise date_conflict(self.since, last)
            return
        ensure_open(unit, self.since)
        if last is not None and self.since < last:
            raise date_conflict(self.since, last)
        setattr(unit, _FIELDS[scheme], value)
        unit.named_on[scheme] = self.since
        self.named.setdefault(unit.ref, {})[scheme] = value
        self._done(unit)

    def close(self, body: CloseUnit) -> None:
        unit = self._find(body.unit_id, "/unit_id")
        if body.kind is not SuccessionKind.abolish and not body.successor_ids:
            raise invalid("required", "/successor_ids")
        heirs = []
        for place, ref in enumerate(body.successor_ids):
            pointer = f"/successor_ids/{place}"
            if ref in (unit.ref, *body.successor_ids[:place]):
                raise invalid("invalid", pointer)
            heirs.append(self._find(ref, pointer))
        if body.kind is SuccessionKind.merge and len(heirs) == 1:
            self.sharing.hand_over(unit, heirs[0])
        self._end(unit)
        self._succeed(unit, heirs, body.kind, inferred=body.inferred)
        self._bequeath(unit, heirs, body.sessions_to_id)

    def _end(self, unit: Known) -> None:
        last = self.since - DAY
        ensure_open(unit, last)
        if unit.closed_on is not None:
            raise closed(unit, unit.closed_on)
        children = len(self.world.children(unit.ref))
        if children or (unit.level is UnitLevel.branch and unit.members):
            shown = unit.members if unit.members_shown else "…"
            raise Problem("unit_in_use", unit=unit.name, children=children, members=shown)
        days = [unit.latest, unit.moved_on, *unit.named_on.values()]
        latest = max((day for day in days if day is not None), default=None)
        if latest is not None and latest > last:
            raise date_conflict(last, latest)
        unit.closed_on = last
        self._done(unit)

    def _succeed(
        self, unit: Known, heirs: Sequence[Known], kind: SuccessionKind, *, inferred: bool
    ) -> None:
        for heir in heirs:
            ensure_open(heir, self.since)
        followed: list[Ref | None] = [heir.ref for heir in heirs]
        self.successions += [
            Succeeding(unit.ref, ref, kind, inferred) for ref in followed or [None]
        ]

    def _bequeath(self, unit: Known, heirs: Sequence[Known], taker: Ref | None) -> None:
        """Those who go on with what is to come of a unit that closes."""
        if taker is not None:
            heirs = [self._find(taker, "/sessions_to_id")]
            ensure_open(heirs[0], self.since)
        self.heirs[unit.ref] = [heir.ref for heir in heirs]

    def _last_heirs(self, ref: Ref) -> list[Ref]:
        """One that closes in its turn has heirs as well."""
        found: list[Ref] = []
        for heir in self.heirs[ref]:
            found += self._last_heirs(heir) if heir in self.heirs else [heir]
        return list(dict.fromkeys(found))

    # -- several units

    def merge(self, body: MergeUnits) -> None:
        into = self._find(body.into_id, "/into_id")
        if set(body.unit_ids) == {into.ref}:
            raise invalid("invalid", "/unit_ids")
        for place, ref in enumerate(body.unit_ids):
            unit = self._find(ref, f"/unit_ids/{place}")
            if unit is into:
                continue
            for child in self.world.children(unit.ref):
                self._put(child, into)
            self.sharing.hand_over(unit, into)
            self._end(unit)
            self._succeed(unit, [into], SuccessionKind.merge, inferred=body.inferred)
            self._bequeath(unit, [into], None)

    def split(self, body: SplitUnit) -> None:
        unit = self._find(body.unit_id, "/unit_id")
        into = {ref: self._find(ref, f"/into_ids/{n}") for n, ref in enumerate(body.into_ids)}
        goes = {each.unit_id: each.to_id for each in body.assigned}
        children = self.world.children(unit.ref)
        rules.ensure_once(body.into_ids, "/into_ids")
        rules.ensure_once([each.unit_id for each in body.assigned], "/assigned")
        below = {child.ref for child in children}
        for place, each in enumerate(body.assigned):
            if each.to_id not in into or each.unit_id not in below:
                raise invalid("invalid", f"/assigned/{place}")
        if body.default_id is None:
            unassigned = [child.name for child in children if child.ref not in goes]
            if unassigned:
                raise Problem("units_unassigned", unit=unit.name, count=len(unassigned))
        else:
            if body.default_id not in into:
                raise invalid("invalid", "/default_id")
            goes = dict.fromkeys(below, body.default_id) | goes
        for child in children:
            target = into[goes[child.ref]]
            if target is not unit:
                self._put(child, target)
        self.sharing.split(unit, body, into)
        heirs = [heir for heir in into.values() if heir is not unit]
        if unit.ref not in into:
            self._end(unit)
            self._bequeath(unit, heirs, body.sessions_to_id)
        self._succeed(unit, heirs, SuccessionKind.split, inferred=body.inferred)

    def transfer(self, body: TransferPart) -> None:
        source, target = self._find(body.from_id, "/from_id"), self._find(body.to_id, "/to_id")
        if source is target:
            raise invalid("invalid", "/to_id")
        if not (body.unit_ids or body.member_ids or body.household_ids):
            raise invalid("required", "/unit_ids")
        for place, ref in enumerate(body.unit_ids):
            unit = self._find(ref, f"/unit_ids/{place}")
            if unit.parent != source.ref:
                raise invalid("invalid", f"/unit_ids/{place}")
            self._put(unit, target)
        self.sharing.transfer(source, target, body)
        self._succeed(source, [target], SuccessionKind.transfer, inferred=False)

    def retire_level(self, body: RetireLevel) -> None:
        self._find(body.under_id, "/under_id")
        of_level = [
            unit
            for unit in self.world.units.values()
            if unit.level is body.level
            and unit.closed_on is None
            and body.under_id in self.world.line(unit.ref)[1:]
        ]
        if not of_level:
            raise invalid("invalid", "/level")
        for unit in of_level:
            parent = self.world.units[unit.parent]  # type: ignore[index]  # it stands under one
            for child in self.world.children(unit.ref):
                self._put(child, parent)
            self._end(unit)
            self._succeed(unit, [], SuccessionKind.abolish, inferred=False)
            self._bequeath(unit, [], body.sessions_to_id)

    # -- what all of them need

    def _find(self, ref: Ref, pointer: str) -> Known:
        unit = self.world.units.get(ref)
        if unit is None or ref in self.world.hidden:
            raise invalid("unit_unknown", pointer)
        return unit

    def _done(self, unit: Known) -> None:
        self.done_by[unit.ref] = self.number

    def _ensure_takes(self, parent: Known, closes_on: date | None) -> None:
        """The parent is open on the day, and is not closed before the unit under it."""
        ensure_open(parent, self.since)
        if parent.closed_on is not None and (closes_on is None or closes_on > parent.closed_on):
            raise closed(parent, parent.closed_on)

    def ensure_codes_free(self) -> None:
        """A code belongs to one unit at a time: asked when all operations are done."""
        renamed = [ref for ref, names in self.named.items() if IdentifierScheme.gso in names]
        given = dict.fromkeys([*(each.key for each in self.opened), *renamed])
        for ref, code in codes.taken(self.world, given, renamed, self.since):
            self.troubles.append(Trouble(self.done_by[ref], Problem("code_taken", value=code)))

    def change(self, before: World, decree: str | None) -> TreeChange:
        units = self.world.units
        closed = [
            ref
            for ref, unit in units.items()
            if isinstance(ref, int) and unit.closed_on != before.units[ref].closed_on
        ]
        return TreeChange(
            since=self.since,
            decree=decree,
            opened=[self._opening(each) for each in self.opened],
            parents={
                ref: parent
                for ref in self.moved
                if isinstance(ref, int) and (parent := units[ref].parent) is not None
            },
            named={ref: names for ref, names in self.named.items() if isinstance(ref, int)},
            closed=closed,
            heirs={ref: self._last_heirs(ref) for ref in closed if ref in self.heirs},
            handed=self.sharing.handings.listed(),
            successions=self.successions,
        )

    def _opening(self, body: OpenUnit) -> Opening:
        unit = self.world.units[body.key]
        assert unit.parent is not None  # noqa: S101  # it was opened under one
        return Opening(
            key=body.key,
            level=unit.level,
            name=unit.name,
            parent=unit.parent,
            code=unit.code,
            area_type=unit.area_type,
            group_kind=unit.group_kind,
            closed_on=unit.closed_on,
            phone=body.phone,
            email=body.email,
            address=body.address,
        )


_DO: Final[Mapping[type, Callable[[_Planner, Any], None]]] = {
    OpenUnit: _Planner.open,
    CloseUnit: _Planner.close,
    MoveUnit: _Planner.move,
    RenameUnit: _Planner.rename,
    ChangeCode: _Planner.change_code,
    ChangeArea: _Planner.change_area,
    MergeUnits: _Planner.merge,
    SplitUnit: _Planner.split,
    TransferPart: _Planner.transfer,
    RetireLevel: _Planner.retire_level,
}
