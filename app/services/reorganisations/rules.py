"""Rules of the tree that hold between two units, whatever operation puts one under the other."""

from collections.abc import Sequence

from app.errors import Problem, invalid
from app.models.kernel.units import GroupKind, UnitLevel
from app.problem_texts import FieldCode
from app.services.reorganisations.world import Known
from app.services.units.handing import Ref
from app.services.units.tree import is_above


def ensure_once(refs: Sequence[Ref], pointer: str) -> None:
    """No unit is named twice: the second would take the place of the first in silence."""
    seen: set[Ref] = set()
    for place, ref in enumerate(refs):
        if ref in seen:
            raise invalid("invalid", f"{pointer}/{place}")
        seen.add(ref)


def ensure_order(unit: Known, parent: Known) -> None:
    """Each unit below a province stands in one: its members carry the province (NOT NULL)."""
    outside = not parent.in_province and unit.level is not UnitLevel.province
    if outside or not is_above(parent.level, unit.level):
        raise Problem("unit_level_order", level=unit.level, parent_level=parent.level)


def ensure_group_kind(unit: Known, parent: Known) -> None:
    if (unit.group_kind is None) == (unit.level is UnitLevel.group):
        code: FieldCode = "required" if unit.group_kind is None else "group_kind_without_group"
        raise invalid(code, "/group_kind")
    ensure_team_in_branch(unit.group_kind, parent)


def ensure_team_in_branch(kind: GroupKind | None, parent: Known) -> None:
    """A tổ phụ nữ is part of a branch; other groups may stand anywhere below a province."""
    if kind is GroupKind.team and parent.level is not UnitLevel.branch:
        raise invalid("unit_level_wrong", "/parent_id", expected=UnitLevel.branch)
