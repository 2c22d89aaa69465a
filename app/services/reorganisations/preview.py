"""What follows from a reorganisation, before anything is done."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from pydantic_core import to_jsonable_python
from sqlalchemy.engine import Connection

from app.db import one_moment
from app.models.kernel.access import Right
from app.models.kernel.units import UnitLevel
from app.models.reorganisations.operations import UnitChange
from app.models.reorganisations.reorganisations import (
    MemberTotal,
    NameClash,
    OperationTrouble,
    ReorganisationPreview,
    ReorganisationState,
    UnitEffect,
    UnitFacts,
)
from app.problem_texts import Language
from app.services.kernel.access import Actor, Db
from app.services.reorganisations import applying, reading
from app.services.reorganisations.planning import Plan, Trouble
from app.services.reorganisations.world import Known, named_units
from app.services.units import followers
from app.services.units.handing import Ref
from app.services.units.reading import member_counts
from app.services.units.rows import find_many
from app.text import name_key


def digest_of(made: Plan) -> str:
    """Of what would be done, and of the units as they are: another when either has changed."""
    units = {str(ref): unit for ref, unit in _state(made).items()}
    told = to_jsonable_python([asdict(made.change), units], fallback=str)
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _state(made: Plan) -> dict[Ref, Mapping[str, Any]]:
    """The units, but for what members do."""
    return {
        ref: {name: value for name, value in asdict(unit).items() if "members" not in name}
        for ref, unit in made.before.units.items()
    }


def preview(
    db: Connection, actor: Actor, row: Any, made: Plan, language: Language
) -> ReorganisationPreview:
    """All of it that the actor may see, from one moment of the database."""
    with one_moment(db):
        unseen = out_of_sight(db, actor, reading.operations_of(row))
        hidden = _hidden_groups(db, actor, made)
        going = [*made.change.parents, *made.change.closed]
        consequences = followers.counts(db, applying.concerned(db, made))
        counts = _counts(db, actor, made)
        others = applying.overlapping(
            db, sorted({*going, *made.change.touched}), ReorganisationState.draft
        )
        overlaps = reading.seen(db, actor, {other for _, other in others} - {row.id})
    return ReorganisationPreview(
        digest=digest_of(made),
        effective_on=made.change.since,
        problems=told(made.troubles, language, unseen),
        units=_effects(made, hidden),
        consequences=None if counts is None else consequences,
        name_clashes=name_clashes(made, hidden),
        totals=None if counts is None else _totals(made, counts),
        overlaps=overlaps,
    )


def out_of_sight(db: Db, actor: Actor, operations: Sequence[UnitChange]) -> set[int]:
    """The numbers of the operations that name a unit on which the actor does not decide: of another
    side, or only read. What prevents them would tell days of people, and meetings."""
    units = find_many(db, named_units(operations))
    foreign = {unit.id for unit in units if not actor.covers(Right.units_write, unit)}
    return {
        number
        for number, each in enumerate(operations)
        if not foreign.isdisjoint(named_units([each]))
    }


def _hidden_groups(db: Db, actor: Actor, made: Plan) -> set[Ref]:
    """Groups of another side."""
    groups = [
        ref
        for ref, unit in made.before.units.items()
        if unit.level is UnitLevel.group and isinstance(ref, int)
    ]
    return {unit.id for unit in find_many(db, groups) if not actor.covers(Right.units_read, unit)}


def told(
    troubles: Sequence[Trouble], language: Language, unseen: Collection[int] = ()
) -> list[OperationTrouble]:
    """What prevents a plan, by the number of the operation; of those `unseen`, no details."""
    return [_told(trouble, language, trouble.operation in unseen) for trouble in troubles]


def _told(trouble: Trouble, language: Language, is_unseen: bool) -> OperationTrouble:
    body = trouble.problem.render(language=language, instance="", request_id="")
    field: Mapping[str, Any] = next(iter(body.get("errors", ())), {})
    return OperationTrouble(
        operation=trouble.operation,
        code=field.get("code", body["code"]),
        title=body["title"],
        detail=body["title"] if is_unseen else field.get("detail", body["detail"]),
        pointer=field.get("pointer"),
    )


def _effects(made: Plan, hidden: Collection[Ref]) -> list[UnitEffect]:
    return [
        UnitEffect(
            unit=ref,
            level=made.world.units[ref].level,
            operation=number,
            was=None if ref not in made.before.units else _facts(made.before.units[ref]),
            becomes=_facts(made.world.units[ref]),
        )
        for ref, number in made.done_by.items()
        if ref not in hidden
    ]


def _facts(unit: Known) -> UnitFacts:
    return UnitFacts(
        name=unit.name,
        code=unit.code,
        area_type=unit.area_type,
        parent=unit.parent,
        closed_on=unit.closed_on,
    )


def name_clashes(made: Plan, hidden: Collection[Ref] = ()) -> list[NameClash]:
    """Units that would stand under one parent by one name: what came gets the name of where it
    stood as well."""
    filled = {*made.change.parents.values(), *(each.parent for each in made.change.opened)}
    by_name: dict[tuple[Ref, str], list[Known]] = defaultdict(list)
    for parent in filled:
        for unit in made.world.children(parent):
            if unit.ref not in hidden:
                by_name[parent, name_key(unit.name)].append(unit)
    return [
        NameClash(
            name=same[0].name,
            parent=parent,
            units=[unit.ref for unit in same],
            proposed=_proposed(made, same),
        )
        for (parent, _), same in by_name.items()
        if len(same) > 1
    ]


def _proposed(made: Plan, same: Sequence[Known]) -> dict[str, str]:
    found = {}
    for unit in same:
        if unit.ref in made.change.parents:
            old = made.before.units[unit.ref].parent
            if old is not None:
                found[str(unit.ref)] = f"{unit.name} ({made.before.units[old].name})"
    return found


def _counts(db: Db, actor: Actor, made: Plan) -> dict[Ref, int] | None:
    """People below each unit that loses or gets some, as far as the actor may count them; None where
    that is not so of all that moves, closes or hands people over."""
    change = made.change
    going = {*change.parents, *change.closed, *(each.unit for each in change.handed)}
    refs = {
        ref
        for each in _flows(made, defaultdict(int))
        for ref in (each.unit, *each.left, *each.reached)
        if isinstance(ref, int)
    }
    units = find_many(db, refs | going)
    countable = [unit for unit in units if actor.covers(Right.members_read, unit)]
    if going - {unit.id for unit in countable}:
        return None
    shown = [unit for unit in countable if unit.id in refs]
    counts = member_counts(db, shown)
    return {unit.id: counts.get(unit.id, 0) for unit in shown}


@dataclass(frozen=True, slots=True)
class _Flow:
    """People of a unit: the units whose people they are no longer, and those whose people they are
    then."""

    unit: int
    people: int
    left: Sequence[Ref]
    reached: Sequence[Ref]


def _flows(made: Plan, counts: Mapping[Ref, int]) -> list[_Flow]:
    """What branches hand over, and the rest of what moves: who stands in two units that both move is
    counted with the nearer."""
    handed = _handed(made, counts)
    rest = {unit_id: counts[unit_id] for unit_id in made.change.parents}
    for flow in handed:
        _take(rest, flow.left, flow.people)
    for unit_id in made.change.parents:
        _take(rest, made.before.line(unit_id)[1:], counts[unit_id])
    return handed + [
        _Flow(unit_id, people, made.before.line(unit_id)[1:], made.world.line(unit_id)[1:])
        for unit_id, people in rest.items()
    ]


def _handed(made: Plan, counts: Mapping[Ref, int]) -> list[_Flow]:
    gone: dict[int, int] = defaultdict(int)
    flows = []
    for each in made.change.handed:
        left = counts[each.unit] - gone[each.unit]
        people = left if each.only is None else len(each.only.member_ids)
        gone[each.unit] += people
        line, heir = made.before.line(each.unit), made.world.line(each.to)
        flows.append(_Flow(each.unit, people, line, heir))
    return flows


def _take(rest: dict[int, int], line: Sequence[Ref], people: int) -> None:
    """These go by themselves, not with the next unit of the line that moves."""
    outer = next((ref for ref in line if ref in rest), None)
    if isinstance(outer, int):
        rest[outer] -= people


def _totals(made: Plan, counts: Mapping[Ref, int]) -> list[MemberTotal]:
    """Of each unit over what moves, and of branches that hand people over or get some."""
    becomes = dict(counts) | {each.key: 0 for each in made.change.opened}
    for flow in _flows(made, counts):
        for ref in becomes.keys() & set(flow.left):
            becomes[ref] -= flow.people
        for ref in becomes.keys() & set(flow.reached):
            becomes[ref] += flow.people
    handing = {ref for each in made.change.handed for ref in (each.unit, each.to)}
    return [
        MemberTotal(
            unit=ref, name=made.world.units[ref].name, was=counts.get(ref, 0), becomes=people
        )
        for ref, people in becomes.items()
        if ref not in made.change.parents or ref in handing
    ]
