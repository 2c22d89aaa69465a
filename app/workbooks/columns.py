"""The columns of a list: decoded, named, with examples."""

from dataclasses import replace
from typing import Final

from app.errors import Problem
from app.text import clean
from app.workbooks import guards, headers, legacy
from app.workbooks.tables import (
    OURS,
    CellProblem,
    Column,
    Encoding,
    Note,
    Table,
)

_WRONG_SHARE: Final = 5


def name_columns(
    table: Table, texts: dict[int, str], width: int, joined: frozenset[int] = frozenset()
) -> None:
    """Decodes each column and names it; those `joined` are read with another. Of two of one name the second is called "Name (2)". Raises for
    mixed encodings."""
    named: dict[str, list[Column]] = {}
    for index in range(width):
        if index in joined:
            continue
        values = [value for row in table.rows if isinstance(value := row.cells[index], str)]
        written = texts.get(index, "")
        if not written and all(row.cells[index] is None for row in table.rows):
            continue
        read = legacy.detect(values)
        header = _header(written, read.encoding)
        column = Column(
            index, guards.letter(index), header, written, read.encoding, (), clean(header) in OURS
        )
        _decode(table, column, read)
        column = _with_examples(table, column)
        if header and not column.ours:
            alike = named.setdefault(headers.key(header) or header, [])
            alike.append(column)
            if len(alike) > 1:
                column = replace(column, header=f"{header} ({len(alike)})", named=header)
        table.columns.append(column)
        if read.encoding is not Encoding.unicode:
            shown = {"letter": column.letter, "header": header, "encoding": read.encoding.label}
            table.notes.append(Note("encoding_decoded", shown))
    for alike in named.values():
        if len(alike) > 1:
            letters = ", ".join(column.letter for column in alike)
            table.notes.append(
                Note("same_heading", {"header": alike[0].header, "letters": letters})
            )
    if ours := [column.header for column in table.columns if column.ours]:
        table.notes.append(Note("own_columns_ignored", {"headers": ", ".join(ours)}))


def _header(written: str, encoding: Encoding) -> str:
    if written.isascii():
        return clean(written)
    own = legacy.detect(written.split()).encoding
    tried = (Encoding.unicode, encoding, own, *legacy.OLD)
    for each in tried:
        if headers.is_known(text := clean(legacy.decode(written, each))):
            return text
    return clean(legacy.decode(written, own))


def _decode(table: Table, column: Column, read: legacy.Read) -> None:
    """All text of a column to Unicode. Cells of another encoding are decoded and reported."""
    index, encoding = column.index, column.encoding
    told = 0
    wrong: list[int] = []
    decoded: dict[str, str] = {}
    for row in table.rows:
        value = row.cells[index]
        if not isinstance(value, str):
            continue
        if value.isascii():
            row.cells[index] = value.strip()
            continue
        told += 1
        if other := read.mixed.get(value):
            wrong.append(row.number)
            right = legacy.decode(value, other).strip()
            params = {"encoding": other.label}
            table.cell_problems[row.number, index] = CellProblem("encoding_mixed", params, right)
            row.cells[index] = right
            continue
        if (text := decoded.get(value)) is None:
            text = decoded[value] = legacy.decode(value, encoding).strip()
        row.cells[index] = text
    if wrong and len(wrong) * _WRONG_SHARE > told and len(wrong) > 1:
        others = sorted({each.label for each in read.mixed.values()})
        raise Problem(
            "import_mixed_encodings",
            letter=column.letter,
            header=column.header,
            encodings=", ".join([encoding.label, *others]),
            rows=", ".join(map(str, wrong[:5])),
        )


def _with_examples(table: Table, column: Column) -> Column:
    shown: dict[str, None] = {}
    for row in table.rows[:100]:
        value = row.cells[column.index]
        if value is not None:
            shown[str(value)[:60]] = None
        if len(shown) == 3:
            break
    return replace(column, examples=tuple(shown))
