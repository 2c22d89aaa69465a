"""All that a unit ever was."""

from datetime import date

from app.models.base import Output
from app.models.kernel.units import IdentifierScheme, SuccessionRead, UnitRef


class IdentifierRead(Output):
    scheme: IdentifierScheme
    value: str
    valid_from: date
    valid_to: date | None


class ParentRead(Output):
    unit: UnitRef
    valid_from: date
    valid_to: date | None


class LineageStep(SuccessionRead):
    """`share`: of the people of the old unit on its last day, those whose branches the new one got,
    from 0 to 1; null where the caller may not count them, and where there were none."""

    share: float | None


class Lineage(Output):
    """All a unit ever was: its parents, its names and codes, and the whole chain of successions."""

    unit: UnitRef
    parents: list[ParentRead]
    identifiers: list[IdentifierRead]
    predecessors: list[LineageStep]
    successors: list[LineageStep]
