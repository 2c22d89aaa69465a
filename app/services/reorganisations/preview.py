"""What follows from a reorganisation, before anything is done."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy.engine import Connection

from app.db import one_moment
from app.models.kernel.access import Right
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
from app.services.reorganisations import applying
from app.services.reorganisations.planning import Plan, Trouble
from app.services.reorganisations.world import Known
from app.services.units import followers
from app.services.units.changing import Ref
from app.services.units.reading import member_counts
from app.services.units.rows import find_many
from app.services.units.tree import below
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
    db: Connection, actor: Actor, reorganisation_id: UUID, made: Plan, language: Language
) -> ReorganisationPreview:
    """All of it, from one moment of the database."""
    with one_moment(db):
        going = [*made.change.parents, *made.change.closed]
        moved = sorted(below(db, made.change.parents, made.change.since))
        consequences = followers.counts(
            db,
            followers.Concerned(moved=moved, closed=[*made.change.closed], handed=[*made.joined]),
        )
        counts = _counts(db, actor, made)
        others = applying.overlapping(
            db, sorted({*going, *made.change.touched}), ReorganisationState.draft
        )
    return ReorganisationPreview(
        digest=digest_of(made),
        effective_on=made.change.since,
        problems=told(made.troubles, language),
        units=_effects(made),
        consequences=None if counts is None else consequences,
        name_clashes=name_clashes(made),
        totals=None if counts is None else _totals(made, counts),
        overlaps=sorted({other for _, other in others} - {reorganisation_id}),
    )


def told(troubles: Sequence[Trouble], language: Language) -> list[OperationTrouble]:
    """What prevents a plan, by the number of the operation."""
    return [_told(trouble, language) for trouble in troubles]


def _told(trouble: Trouble, language: Language) -> OperationTrouble:
    body = trouble.problem.render(language=language, instance="", request_id="")
    field: Mapping[str, Any] = next(iter(body.get("errors", ())), {})
    return OperationTrouble(
        operation=trouble.operation,
        code=field.get("code", body["code"]),
        title=body["title"],
        detail=field.get("detail", body["detail"]),
        pointer=field.get("pointer"),
    )


def _effects(made: Plan) -> list[UnitEffect]:
    return [
        UnitEffect(
            unit=ref,
            level=made.world.units[ref].level,
            operation=number,
            was=None if ref not in made.before.units else _facts(made.before.units[ref]),
            becomes=_facts(made.world.units[ref]),
        )
        for ref, number in made.done_by.items()
    ]


def _facts(unit: Known) -> UnitFacts:
    return UnitFacts(
        name=unit.name,
        code=unit.code,
        area_type=unit.area_type,
        parent=unit.parent,
        closed_on=unit.closed_on,
    )


def name_clashes(made: Plan) -> list[NameClash]:
    """Units that would stand under one parent by one name: what came gets the name of where it
    stood as well."""
    filled = {*made.change.parents.values(), *(each.parent for each in made.change.opened)}
    by_name: dict[tuple[Ref, str], list[Known]] = defaultdict(list)
    for parent in filled:
        for unit in made.world.children(parent):
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
    that is not so of all that moves or closes."""
    refs = {
        ref
        for unit_id in _going(made)
        for ref in (unit_id, *_left(made, unit_id), *_reached(made, unit_id))
        if isinstance(ref, int)
    }
    going = {*made.change.parents, *made.change.closed}
    units = find_many(db, refs | going)
    countable = [unit for unit in units if actor.covers(Right.members_read, unit)]
    if going - {unit.id for unit in countable}:
        return None
    shown = [unit for unit in countable if unit.id in refs]
    counts = member_counts(db, shown)
    return {unit.id: counts.get(unit.id, 0) for unit in shown}


def _going(made: Plan) -> list[int]:
    """The units that move, and the branches whose people go on in another one."""
    return [*made.change.parents, *made.joined]


def _left(made: Plan, unit_id: int) -> list[Ref]:
    """The units whose people those of this one are no longer."""
    return made.before.line(unit_id)[unit_id not in made.joined :]


def _reached(made: Plan, unit_id: int) -> list[Ref]:
    """The units whose people they are then."""
    heir = made.joined.get(unit_id)
    return made.world.line(unit_id)[1:] if heir is None else made.world.line(heir)


def _totals(made: Plan, counts: Mapping[Ref, int]) -> list[MemberTotal]:
    """Of each unit over what moves, and of branches that become one. Who stands in two units that
    both move counts with the nearer."""
    own = {unit_id: counts[unit_id] for unit_id in _going(made)}
    for unit_id in own:
        above = made.before.line(unit_id)[1:]
        outer = next((ref for ref in above if ref in made.change.parents), None)
        if isinstance(outer, int):
            own[outer] -= counts[unit_id]
    becomes = dict(counts) | {each.key: 0 for each in made.change.opened}
    for unit_id, people in own.items():
        for ref in becomes.keys() & _left(made, unit_id):
            becomes[ref] -= people
        for ref in becomes.keys() & _reached(made, unit_id):
            becomes[ref] += people
    heirs = {*made.joined.values()}
    return [
        MemberTotal(
            unit=ref, name=made.world.units[ref].name, was=counts.get(ref, 0), becomes=people
        )
        for ref, people in becomes.items()
        if ref not in made.change.parents or ref in heirs
    ]
