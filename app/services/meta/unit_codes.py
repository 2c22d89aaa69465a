"""What the codes of units of one level became between two days, by the successions of the tree."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.models.kernel.units import (
    IdentifierScheme,
    Unit,
    UnitIdentifier,
    UnitLevel,
    UnitSuccession,
)
from app.models.meta.crosswalks import CodeRelation
from app.services.kernel.access import Actor, Db
from app.services.units.reading import identifier_on, readable


@dataclass(frozen=True, slots=True)
class Became:
    """One unit of the earlier day and one of the later, with the successions between the two."""

    old: int
    new: int | None
    steps: tuple[Any, ...]


def rows(
    db: Db, actor: Actor, level: UnitLevel, since: date, until: date
) -> Iterator[Mapping[str, Any]]:
    """As CrosswalkRow, where the actor may read one of the two units: those of the earlier day by their
    codes, and then those that nothing was before."""
    old, new = _units_on(db, since, level), _units_on(db, until)
    seen = _seen(db, actor, since), _seen(db, actor, until)
    steps = _steps(db, since, until)
    became = [each for unit_id in old for each in _heirs(unit_id, steps, new)]
    origins = Counter(each.new for each in became)
    heirs = Counter(each.old for each in became)
    for each in became:
        if each.old in seen[0] or each.new in seen[1]:
            after = None if each.new is None else new[each.new]
            divided, joined = heirs[each.old] > 1, origins[each.new] > 1
            yield _row(old[each.old], after, each.steps, divided=divided, joined=joined)
    for unit_id, after in new.items():
        if after.level == level and unit_id in seen[1] and unit_id not in origins:
            yield _row(None, after, (), divided=False, joined=False)


def _units_on(db: Db, day: date, level: UnitLevel | None = None) -> dict[int, Any]:
    """Units that were open on the day, by their codes of then."""
    statement = sa.select(
        col(Unit.id),
        col(Unit.level),
        identifier_on(IdentifierScheme.name, day).label("name"),
        identifier_on(IdentifierScheme.gso, day).label("code"),
        identifier_on(IdentifierScheme.name, day, UnitIdentifier.valid_from).label("named_on"),
        identifier_on(IdentifierScheme.gso, day, UnitIdentifier.valid_from).label("coded_on"),
    ).where(
        col(Unit.opened_on) <= day,
        sa.or_(col(Unit.closed_on).is_(None), col(Unit.closed_on) >= day),
    )
    if level is not None:
        statement = statement.where(col(Unit.level) == level)
    found = db.execute(statement).all()
    return {row.id: row for row in sorted(found, key=lambda row: (row.code or "", row.id))}


def _seen(db: Db, actor: Actor, day: date) -> set[int]:
    return set(db.execute(sa.select(col(Unit.id)).where(readable(db, actor, day))).scalars())


def _steps(db: Db, since: date, until: date) -> Mapping[int, Sequence[Any]]:
    """The successions after the one day and up to the other, by the unit that they are of."""
    columns = [getattr(UnitSuccession, name) for name in UnitSuccession.model_fields]
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for step in db.execute(
        sa.select(*columns)
        .where(
            col(UnitSuccession.effective_on) > since,
            col(UnitSuccession.effective_on) <= until,
        )
        .order_by(col(UnitSuccession.effective_on), col(UnitSuccession.id))
    ):
        found[step.from_unit_id].append(step)
    return found


def _heirs(
    unit_id: int, steps: Mapping[int, Sequence[Any]], new: Mapping[int, Any]
) -> Iterator[Became]:
    """The units of the later day that a unit became: itself where it is still open, and its heirs."""
    ways: dict[int | None, tuple[Any, ...]] = {unit_id: ()}
    waiting: list[int] = [unit_id]
    while waiting:
        at = waiting.pop(0)
        for step in steps.get(at, ()):
            if step.to_unit_id not in ways:
                ways[step.to_unit_id] = (*ways[at], step)
                if step.to_unit_id is not None:
                    waiting.append(step.to_unit_id)
    found = [Became(unit_id, heir, way) for heir, way in ways.items() if heir in new]
    # The last step of those that nothing followed says why.
    yield from found or [Became(unit_id, None, max(ways.values(), key=len))]


def _row(
    old: Any, new: Any, steps: Sequence[Any], *, divided: bool, joined: bool
) -> Mapping[str, Any]:
    days = [step.effective_on for step in steps]
    if not steps and old is not None and new is not None and _says(old) != _says(new):
        days = [day for day in (new.named_on, new.coded_on) if day is not None]
    decrees = dict.fromkeys(step.decree for step in steps if step.decree is not None)
    return {
        "relation": _relation(old, new, divided=divided, joined=joined),
        **_named("from", old),
        **_named("to", new),
        "effective_on": max(days, default=None),
        "source": "; ".join(decrees) or None,
        "confirmed": not any(step.inferred for step in steps),
    }


def _says(unit: Any) -> tuple[str | None, str]:
    return unit.code, unit.name


def _named(end: str, unit: Any) -> Mapping[str, Any]:
    if unit is None:
        return {}
    return {f"{end}_code": unit.code, f"{end}_name": unit.name, f"{end}_id": unit.id}


def _relation(old: Any, new: Any, *, divided: bool, joined: bool) -> CodeRelation:
    if old is None:
        return CodeRelation.new
    if new is None:
        return CodeRelation.ended
    if divided:
        return CodeRelation.split
    if joined:
        return CodeRelation.merged
    if old.code != new.code:
        return CodeRelation.recoded
    return CodeRelation.same if old.name == new.name else CodeRelation.renamed
