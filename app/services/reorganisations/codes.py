"""Codes of units once a draft is done: each belongs to one unit at a time."""

from collections.abc import Collection, Iterable, Iterator
from datetime import date

from app.services.reorganisations.world import CodeHolder, World
from app.services.units.handing import Ref
from app.services.units.tree import DAY


def taken(
    world: World, given: Iterable[Ref], renamed: Collection[Ref], since: date
) -> Iterator[tuple[Ref, str]]:
    """The units among `given` whose new code another one has on a day of theirs; `renamed` give up
    the code they had."""
    holders = {
        code: [
            CodeHolder(row.unit, row.valid_from, _until(world, row, renamed, since)) for row in rows
        ]
        for code, rows in world.holders.items()
    }
    for ref in given:
        code = world.units[ref].code
        if code is None:
            continue
        own = CodeHolder(ref, since, world.units[ref].closed_on)
        others = holders.setdefault(code, [])
        if any(other.unit != ref and other.overlaps(own) for other in others):
            yield ref, code
        others.append(own)


def _until(world: World, row: CodeHolder, renamed: Collection[Ref], since: date) -> date | None:
    """The last day of a code, once the draft is done."""
    unit = world.units.get(row.unit)
    if unit is None:
        return row.valid_to
    return since - DAY if row.unit in renamed else unit.closed_on or row.valid_to
