"""What the columns of a list are read as: proposed, remembered or chosen, the last of them wins."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.workbooks import headers, proposals
from app.workbooks.tables import Note, Table


@dataclass(frozen=True, slots=True)
class Reading:
    """`field` is None for a column that is not read because somebody chose so (`why`); `instead_of`
    is what it would be read as."""

    field: str | None
    why: str
    instead_of: str | None = None


def assigned(
    table: Table,
    kind: str,
    remembered: Mapping[str, str | None],
    mapping: Mapping[str, str | None],
) -> dict[int, Reading]:
    """What is known of columns, by their index. `remembered` is by the key of a header, `mapping` is
    field to letter."""
    found = {
        proposal.column: Reading(field, proposal.why)
        for field, proposal in proposals.propose(table, kind).items()
    }
    for column in table.columns:
        key = headers.key(column.header)
        if key and key in remembered:
            _assign(found, column.index, remembered[key], "remembered")
    by_letter = {column.letter: column.index for column in table.columns}
    for field, letter in mapping.items():
        if letter is None:
            for index in [i for i, each in found.items() if each.field == field]:
                _assign(found, index, None, "chosen")
        elif letter in by_letter:
            _assign(found, by_letter[letter], field, "chosen")
    return found


def notes_on(table: Table, found: Mapping[int, Reading], kind: str) -> list[Note]:
    """The columns that are read as a field by their cells, not by their heading alone."""
    specs = headers.fields(kind)
    return [
        Note(
            "read_by_values",
            {
                "letter": column.letter,
                "header": column.header or "–",
                "field": specs[each.field].vi,
            },
        )
        for column in table.columns
        if (each := found.get(column.index)) and each.why == "values" and each.field
    ]


def _assign(found: dict[int, Reading], index: int, field: str | None, why: str) -> None:
    before = found.pop(index, None)
    if field is None:
        if before is not None:
            found[index] = Reading(None, why, before.field or before.instead_of)
        return
    for other in [i for i, each in found.items() if each.field == field]:
        del found[other]
    found[index] = Reading(field, why)


def chosen(columns: list[dict[str, Any]]) -> dict[str, str | None]:
    """What somebody chose for the columns of this list, by the keys of their headers."""
    return {
        key: column["field"]
        for column in columns
        if column["why"] == "chosen" and (key := headers.key(column["header"]))
    }
