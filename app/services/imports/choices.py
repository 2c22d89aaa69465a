"""What is chosen for a whole list: refused where it names what there is not, put together with what
its unit chose for earlier lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.errors import FIELD_ERRORS, invalid
from app.models.imports.choices import LeaveOut
from app.models.imports.imports import Import
from app.services.imports import store
from app.services.imports.kinds import OPTIONS, kind_of
from app.services.imports.memory import Meanings, merged
from app.services.imports.refusals import WAITS
from app.services.kernel.access import Actor, Db
from app.services.kernel.actors import reach_of
from app.services.kernel.list_kinds import KindOfList
from app.services.units.rows import unit_of
from app.services.units.units import find_visible
from app.workbooks import headers

# What is missing, and rows that wait, are not wrong cells that a row could be written without.
_NO_CELL: Final = WAITS | {"required"}


@dataclass(frozen=True, slots=True)
class Choices:
    """All options, and what texts mean by field; those of the list win over remembered ones."""

    options: Mapping[str, Any]
    meanings: Meanings


def choices_of(made: Any, found: Mapping[str, Any]) -> Choices:
    """What holds for an import: `found` is what its reading says, with what was remembered."""
    known = found.get("remembered", {})
    options = {**OPTIONS, **known.get("options", {}), **made.options}
    own: Meanings = store.content_of(made.meanings)
    return Choices(options, merged(known.get("meanings", {}), own))


def ensure_known(made: Import, mapping: Mapping[str, str | None]) -> None:
    """422 for fields and columns there are not."""
    fields = headers.fields(kind_of(made.kind).name)
    columns = store.content_of(made.reading).get("columns", [])
    letters = [column["letter"] for column in columns]
    for field, letter in mapping.items():
        if field not in fields:
            raise invalid("not_in_list", f"/mapping/{field}", allowed=[*fields])
        if letter is not None and letters and letter not in letters:
            raise invalid("not_in_list", f"/mapping/{field}", allowed=letters)


def ensure_codes(codes: Sequence[str], pointer: str) -> None:
    """422 for codes that no wrong cell has."""
    for place, code in enumerate(codes):
        if code not in FIELD_ERRORS:
            raise invalid("not_in_list", f"{pointer}/{place}")


def ensure_optional(kind: KindOfList, chosen: LeaveOut) -> None:
    """422 for fields that there are not, and for what a row is never written without."""
    ensure_codes(chosen.codes, "/leave_out/codes")
    optional = headers.optional(kind.name)
    for place, field in enumerate(chosen.fields):
        pointer = f"/leave_out/fields/{place}"
        if field not in headers.fields(kind.name):
            raise invalid("not_in_list", pointer, allowed=sorted(optional))
        if field not in optional:
            raise invalid("never_left_out", pointer, allowed=sorted(optional))
    for place, code in enumerate(chosen.codes):
        if code in _NO_CELL:
            raise invalid("never_left_out", f"/leave_out/codes/{place}")


def ensure_meant(db: Db, actor: Actor, made: Import, kind: KindOfList, chosen: Meanings) -> None:
    """422 for fields whose texts mean no unit and no code, for units and codes there are not."""
    specs, unit_fields = headers.fields(kind.name), headers.unit_fields(kind.name)
    for field, said in chosen.items():
        pointer = f"/meanings/{field}"
        listed = specs[field].list if field in specs else None
        if field not in unit_fields and listed is None:
            allowed = sorted({*unit_fields, *(each.field for each in specs.values() if each.list)})
            raise invalid("not_in_list", pointer, allowed=allowed)
        codes = [code for code, _ in headers.code_list(kind.name, listed)] if listed else []
        for text, meant in said.items():
            place = f"{pointer}/{text.replace('~', '~0').replace('/', '~1')}"
            if meant is None:
                continue
            if listed and meant not in codes:
                raise invalid("not_in_list", place, allowed=codes)
            if not listed and not _is_within(db, actor, made, kind, meant):
                raise invalid("unit_unknown", place)


def _is_within(db: Db, actor: Actor, made: Import, kind: KindOfList, unit_id: int | str) -> bool:
    """The unit stands in that of the list, and the actor may write to it."""
    unit = find_visible(db, actor, unit_id) if isinstance(unit_id, int) else None
    if unit is None or not actor.covers(kind.right, unit):
        return False
    return unit.id == made.unit_id or reach_of(db, unit_of(db, made.unit_id)).contains(unit)
