"""The rows of a crosswalk as drafts of reorganisations: mergers, splits, and units named anew."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b
from itertools import groupby
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import Database, chunks
from app.errors import Problem
from app.models.base import new_id
from app.models.reorganisations.operations import (
    ChangeArea,
    ChangeCode,
    MergeUnits,
    MoveUnit,
    OpenUnit,
    RenameUnit,
    SplitUnit,
    UnitChange,
)
from app.models.reorganisations.reorganisations import (
    MOST_OPERATIONS,
    Reorganisation,
    ReorganisationCreate,
    ReorganisationState,
)
from app.problem_texts import FieldCode
from app.services.imports.refusals import of_problem
from app.services.kernel.access import Actor, Db
from app.services.kernel.list_kinds import Done, Json, RowsDue
from app.services.reorganisations import deciding
from app.services.units.handing import Ref


@dataclass(frozen=True, slots=True)
class Transition:
    """`old`, or a part of it, became `new`: a unit on record, or one that opens (`opening`)."""

    number: int
    day: str
    decree: str | None
    old: int
    new: Ref
    opening: Mapping[str, Any] | None
    main: bool
    moved: bool

    @classmethod
    def of(cls, number: int, writes: Json) -> "Transition":
        names = ("effective_on", "decree", "old", "new", "opening", "main", "moved")
        return cls(number, *(writes[name] for name in names))


@dataclass(slots=True)
class CrosswalkDraft:
    """A draft to come, of at most as many operations as one may have."""

    day: str
    decree: str | None
    rows: list[Transition] = field(default_factory=list)
    operations: list[UnitChange] = field(default_factory=list)
    id: UUID = field(default_factory=new_id)


def key_of(level: str, code: str, name: str) -> str:
    """What a unit that opens is called in the draft: the same for all rows that name it."""
    said = f"{level}\n{code}\n{name.casefold()}"
    return "new-" + blake2b(said.encode(), digest_size=12).hexdigest()


def drafts_of(rows: Iterable[Transition]) -> list[CrosswalkDraft]:
    """One for each day and decree; what hangs together is never parted."""
    found: list[CrosswalkDraft] = []

    def act(row: Transition) -> tuple[str, str]:
        return row.day, row.decree or ""

    for _, of_act in groupby(sorted(rows, key=act), key=act):
        draft: CrosswalkDraft | None = None
        for together in _connected(list(of_act)):
            more = operations_of(together)
            if not more:
                continue
            if draft is None or len(draft.operations) + len(more) > MOST_OPERATIONS:
                draft = CrosswalkDraft(together[0].day, together[0].decree)
                found.append(draft)
            draft.rows += together
            draft.operations += more
    return found


def _connected(rows: Sequence[Transition]) -> list[list[Transition]]:
    """Rows that name one unit, directly or over other rows."""
    group_of: dict[Ref, list[Transition]] = {}
    for row in rows:
        met = {id(g): g for ref in (row.old, row.new) if (g := group_of.get(ref)) is not None}
        together = [each for group in met.values() for each in group] + [row]
        for each in together:
            group_of[each.old] = group_of[each.new] = together
    return list({id(group): group for group in group_of.values()}.values())


def operations_of(rows: Sequence[Transition]) -> list[UnitChange]:
    """What the rows amount to: openings first, then splits, then mergers into what is there."""
    heirs: dict[int, dict[Ref, Transition]] = defaultdict(dict)
    origins: dict[Ref, dict[int, Transition]] = defaultdict(dict)
    for row in rows:
        heirs[row.old][row.new] = row
        origins[row.new][row.old] = row
    alone = {
        new: next(iter(olds.values()))
        for new, olds in origins.items()
        if len(olds) == 1 and all(len(heirs[old]) == 1 for old in olds)
    }
    found: list[UnitChange] = []
    for new, olds in origins.items():
        opening = next(iter(olds.values())).opening
        if new in alone:
            found += _named_anew(alone[new])
        elif opening is not None:
            found.append(OpenUnit.model_validate({**opening, "op": "open", "key": new}))
    for old, of_old in heirs.items():
        if len(of_old) > 1:
            main = next((new for new, row in of_old.items() if row.main), None)
            found.append(SplitUnit(op="split", unit_id=old, into_ids=[*of_old], default_id=main))
    for new, olds in origins.items():
        whole = [old for old in olds if len(heirs[old]) == 1 and old != new]
        if whole and (new not in alone or isinstance(new, int)):
            found += [
                MergeUnits(op="merge", unit_ids=list(chunk), into_id=new)
                for chunk in chunks(whole, 200)
            ]
    return found


def _named_anew(row: Transition) -> Iterator[UnitChange]:
    """One unit became one other: it stays, with what is said of the new one."""
    if row.opening is None:
        return
    said = row.opening
    yield RenameUnit(op="rename", unit_id=row.old, name=said["name"])
    if said["code"] is not None:
        yield ChangeCode(op="change_code", unit_id=row.old, code=said["code"])
    if said["area_type"] is not None:
        yield ChangeArea(op="change_area", unit_id=row.old, area_type=said["area_type"])
    if row.moved:
        yield MoveUnit(op="move", unit_id=row.old, parent_id=said["parent_id"])


# -- writing


def write(session: Session, actor: Actor, rows: Sequence[RowsDue]) -> dict[int, Json]:
    """Draft what the rows amount to; those of a draft that is refused, by number."""
    of_draft: dict[UUID, list[Transition]] = defaultdict(list)
    for row in rows:
        of_draft[row.entity_id].append(Transition.of(row.number, row.writes))
    refused: dict[int, Json] = {}
    for draft_id, together in of_draft.items():
        operations = [each for group in _connected(together) for each in operations_of(group)]
        try:
            with session.begin_nested():
                body = ReorganisationCreate(
                    id=draft_id,
                    effective_on=date.fromisoformat(together[0].day),
                    decree=together[0].decree,
                    operations=operations,
                )
                deciding.create(session, actor, body)
        except Problem as problem:
            told = of_problem(problem, "old_name", {"operations": "old_name"})[0]
            refused |= dict.fromkeys((each.number for each in together), told)
    return refused


def finish(_: Database, __: Sequence[UUID]) -> None:
    """Nothing is left to be done: the drafts wait for another officer."""


# -- taking back


def hold(session: Session, draft_ids: Sequence[UUID]) -> None:
    """Nobody decides on these drafts or changes them before the commit."""
    for chunk in chunks(draft_ids):
        drafts = sa.select(col(Reorganisation.id)).where(col(Reorganisation.id).in_(chunk))
        session.execute(drafts.order_by(col(Reorganisation.id)).with_for_update())


def obstacles(db: Db, rows: Sequence[Done]) -> dict[int, FieldCode]:
    """Drafts that somebody has decided on or changed, by the number of their rows."""
    drafts: dict[UUID, Any] = {}
    for chunk in chunks(sorted({row.entity_id for row in rows})):
        found = sa.select(
            col(Reorganisation.id), col(Reorganisation.state), col(Reorganisation.revision)
        ).where(col(Reorganisation.id).in_(chunk))
        drafts |= {each.id: each for each in db.execute(found)}
    codes: dict[int, FieldCode] = {}
    for row in rows:
        draft = drafts.get(row.entity_id)
        if draft is None:
            codes[row.number] = "record_gone"
        elif (draft.state, draft.revision) != (ReorganisationState.draft, row.entity_revision):
            codes[row.number] = "record_changed"
    return codes


def take_back(session: Session, actor: Actor, rows: Sequence[Done]) -> None:
    """Withdraw the drafts."""
    for draft_id in sorted({row.entity_id for row in rows}):
        deciding.withdraw(session, actor, draft_id)
