"""What may be chosen for a whole list: refused where it names what there is not."""

from collections.abc import Mapping, Sequence
from typing import Final

from app.errors import FIELD_ERRORS, invalid
from app.models.imports.choices import LeaveOut
from app.models.imports.imports import Import
from app.services.imports import store
from app.services.imports.kinds import kind_of
from app.services.imports.planning import WAITS
from app.services.kernel.list_kinds import KindOfList
from app.workbooks import headers

# What is missing, and rows that wait, are not wrong cells that a row could be written without.
_NO_CELL: Final = WAITS | {"required"}


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
