"""The rows of a list of units as reorganisations: one for the units that open on one day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.db import chunks
from app.errors import Problem
from app.models.base import new_id
from app.models.kernel.access import Right
from app.models.kernel.units import LEVEL_ORDER
from app.models.reorganisations.operations import OpenUnit
from app.models.reorganisations.reorganisations import (
    MOST_OPERATIONS,
    Reorganisation,
    ReorganisationState,
)
from app.problem_texts import FieldCode
from app.services.imports.refusals import of_problem
from app.services.kernel.access import Actor, Db, forbidden
from app.services.kernel.list_kinds import Done, Json, RowsDue
from app.services.reorganisations import acts, applying, reverting
from app.services.reorganisations.planning import Trouble, plan
from app.services.reorganisations.world import CodeHolder, World, load, named_units
from app.services.units.rows import find_many
from app.services.units.tree import lock_tree

_KEY: Final = "row-"
PLACES: Final = {"parent_id": "parent", "since": "opened_on"}
_FIELDS: Final = {
    "code_taken": "code",
    "unit_closed": "opened_on",
    "unit_not_open_yet": "opened_on",
}


@dataclass(frozen=True, slots=True)
class ListedUnit:
    """A unit that a row opens: its key, and what is written of it."""

    key: str
    writes: Json

    @property
    def turn(self) -> tuple[str, int, int]:
        """Earlier days first, and on one day the upper levels: what stands over it is there."""
        level = LEVEL_ORDER.index(self.writes["level"])
        return self.writes["opened_on"], level, number_of(self.key)

    def opening(self, ids: Mapping[str, int]) -> OpenUnit:
        values = {name: value for name, value in self.writes.items() if name != "opened_on"}
        parent = values["parent_id"]
        return OpenUnit.model_validate(
            values | {"op": "open", "key": self.key, "parent_id": ids.get(parent, parent)}
        )


@dataclass(frozen=True, slots=True)
class OpeningAct:
    """A reorganisation to come."""

    id: UUID
    since: date
    rows: Sequence[ListedUnit]


def key_of(number: int) -> str:
    """What a row is called in the `parent_id` of others."""
    return f"{_KEY}{number}"


def number_of(key: str) -> int:
    return int(key.removeprefix(_KEY))


def as_json(opening: OpenUnit, opened_on: str) -> Json:
    values = opening.model_dump(mode="json", exclude_unset=True, exclude={"op", "key"})
    return values | {"opened_on": opened_on}


def field_of(problem: Problem) -> str:
    """The column that a refusal is about which names none."""
    return _FIELDS.get(problem.code, "level")


def steps(rows: Iterable[ListedUnit]) -> list[OpeningAct]:
    """Days in their order; no reorganisation has more operations than one of the API."""
    in_turn = sorted(rows, key=lambda row: row.turn)
    return [
        OpeningAct(new_id(), date.fromisoformat(day), chunk)
        for day, together in groupby(in_turn, key=lambda row: row.writes["opened_on"])
        for chunk in chunks(list(together), MOST_OPERATIONS)
    ]


# -- trying


def refused(db: Db, actor: Actor, planned: Sequence[OpeningAct]) -> dict[str, Problem]:
    """What the rules of the tree refuse, by key; what stands under a refused unit is refused too."""
    wrong: dict[str, Problem] = {}
    if not planned:
        return wrong
    openings = {row.key: row.opening({}) for step in planned for row in step.rows}
    world = load(db, actor, list(openings.values()), planned[0].since)
    while found := _tried(world, planned, {k: v for k, v in openings.items() if k not in wrong}):
        wrong |= found
    return wrong


def _tried(
    world: World, planned: Sequence[OpeningAct], openings: Mapping[str, OpenUnit]
) -> dict[str, Problem]:
    found: dict[str, Problem] = {}
    for step in planned:
        operations = [openings[row.key] for row in step.rows if row.key in openings]
        made = plan(world, operations, step.since)
        found |= by_key(operations, made.troubles)
        world = made.world
        for each in operations:
            if each.code is not None:
                holder = CodeHolder(each.key, step.since, each.closed_on)
                world.holders.setdefault(each.code, []).append(holder)
    return found


def by_key(operations: Sequence[OpenUnit], troubles: Sequence[Trouble]) -> dict[str, Problem]:
    return {operations[each.operation].key: each.problem for each in reversed(troubles)}


# -- writing


def write(session: Session, actor: Actor, rows: Sequence[RowsDue]) -> dict[int, Json]:
    """Open the units, a reorganisation for each day; those refused meanwhile, by number."""
    lock_tree(session)
    wrong: dict[str, Problem] = {}
    ids: dict[str, int] = {}
    due = sorted(rows, key=lambda row: ListedUnit(key_of(row.number), row.writes).turn)
    for act_id, together in groupby(due, key=lambda row: row.entity_id):
        of_act = [ListedUnit(key_of(row.number), row.writes) for row in together]
        since = date.fromisoformat(of_act[0].writes["opened_on"])
        openings = [row.opening(ids) for row in of_act]
        wrong |= _without_right(session, actor, openings)
        ids |= _open(session, actor, act_id, openings, since, wrong)
    return {
        number_of(key): of_problem(problem, field_of(problem), PLACES)[0]
        for key, problem in wrong.items()
    }


def _without_right(
    session: Session, actor: Actor, openings: Sequence[OpenUnit]
) -> dict[str, Problem]:
    """Those under a unit that the actor may not write to any more."""
    over = find_many(session, named_units(openings))
    kept = {unit.id for unit in over if actor.covers(Right.units_write, unit)}
    return {
        each.key: forbidden(session, actor, Right.units_write, each.parent_id)
        for each in openings
        if isinstance(each.parent_id, int) and each.parent_id not in kept
    }


def _open(
    session: Session,
    actor: Actor,
    act_id: UUID,
    openings: Sequence[OpenUnit],
    since: date,
    wrong: dict[str, Problem],
) -> dict[str, int]:
    """The ids of the units it opened, by key; what is refused is added to `wrong`."""
    while operations := [each for each in openings if each.key not in wrong]:
        made = applying.prepare(session, actor, operations, since, None)
        if not made.troubles:
            return acts.carry_out(session, actor, operations, made, known_as=act_id)
        wrong |= by_key(operations, made.troubles)
    return {}


# -- taking back


def hold(session: Session, _: Sequence[UUID]) -> None:
    """No unit goes elsewhere before the commit."""
    lock_tree(session)


def obstacles(db: Db, rows: Sequence[Done]) -> dict[int, FieldCode]:
    """Units that something has come to depend on, by the number of their row."""
    opened = _opened(db, rows)
    ids = {unit_id for unit_id in opened.values() if unit_id is not None}
    under = reverting.children(db, ids)
    busy = reverting.used(db, ids) | {over for unit_id, over in under.items() if unit_id not in ids}
    again = reverting.reorganised_again(db, ids, {row.entity_id for row in rows})
    codes: dict[int, FieldCode] = {}
    for number, unit_id in opened.items():
        if unit_id is None:
            codes[number] = "record_gone"
        elif unit_id in again:
            codes[number] = "record_changed"
        elif unit_id in busy:
            codes[number] = "record_in_use"
    return codes


def _opened(db: Db, rows: Sequence[Done]) -> dict[int, int | None]:
    """The units that the rows opened; None where the reorganisation was taken back."""
    by_act: dict[UUID, Mapping[str, int]] = {}
    for chunk in chunks(sorted({row.entity_id for row in rows})):
        found = db.execute(
            sa.select(col(Reorganisation.id), col(Reorganisation.opened)).where(
                col(Reorganisation.id).in_(chunk),
                col(Reorganisation.state) == ReorganisationState.applied,
            )
        )
        by_act |= {row.id: row.opened for row in found}
    return {row.number: by_act.get(row.entity_id, {}).get(key_of(row.number)) for row in rows}


def take_back(session: Session, actor: Actor, rows: Sequence[Done]) -> None:
    """Revert the reorganisations of these rows, the last first; 409 where one cannot be."""
    ids = sorted({row.entity_id for row in rows})
    found: list[Reorganisation] = []
    for chunk in chunks(ids):
        mine = select(Reorganisation).where(col(Reorganisation.id).in_(chunk))
        found += session.exec(mine.with_for_update()).all()
    for act in sorted(found, key=lambda each: (each.applied_at, each.id), reverse=True):
        reverting.revert(session, actor, act)
