"""Several lists as one: columns of the same name or field under each other, rows counted on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from app.workbooks import guards, headers, proposals, sections
from app.workbooks.tables import Column, Kind, LeftOut, Note, Part, Row, Table


def are_alike(main: Table, other: Table, kind: Kind | None) -> bool:
    """Whether the other list is of the same: it names people, and has what is required of a row as
    far as the main one has it."""
    return any(_is_alike(main, other, each) for each in _kinds(kind))


def _is_alike(main: Table, other: Table, kind: Kind) -> bool:
    wanted, there = (headers.said_by(_fields(table, kind).keys()) for table in (main, other))
    required = {spec.field for spec in headers.fields(kind).values() if spec.required}
    return not there.isdisjoint(headers.WHO) and wanted & required <= there


def _kinds(kind: Kind | None) -> Iterable[Kind]:
    return headers.kinds() if kind is None else (kind,)


def _fields(table: Table, kind: Kind | None) -> dict[str, int]:
    """The columns by the field that each seems to be of."""
    if kind is None:
        return {}
    return {field: each.column for field, each in proposals.propose(table, kind).items()}


def joined(
    lists: Sequence[Table], main: Table, heights: Mapping[str | None, int], kind: Kind | None
) -> Table:
    """All these lists as one, whose columns are those of `main` and what the others have more.

    `heights` are the last rows of the sheets. Without a kind columns are known by their names alone.
    """
    whole = replace(main, columns=list(main.columns), rows=[], notes=[], parts=[])
    whole.left_out, whole.hidden, whole.struck_out, whole.shifted = [], set(), set(), set()
    whole.cell_problems, whole.rest = {}, []
    names = list(dict.fromkeys(table.sheet or "" for table in lists))
    several = len(names) > 1
    if several:
        whole.sheet = None
        shown = {"count": len(names), "sheets": ", ".join(names)}
        whole.notes.append(Note("sheets_read", shown))
    known = _Columns(whole, _fields(main, kind), kind)
    before = 0
    for place, table in enumerate(lists):
        if place and (table.is_beside or table.sheet != lists[place - 1].sheet):
            before += heights[lists[place - 1].sheet]
        places = {column.index: column.index for column in main.columns}
        if table is not main:
            places = dict(known.places_of(table))
        if several and table.titled is None:
            table.titled = sections.of_several(table.sheet)
        whole.parts.append(Part(table, before, places))
        notes = table.notes
        whole.notes += [replace(n, sheet=table.sheet) for n in notes] if several else notes
        _leave_out(whole, table.left_out)
    for place, part in enumerate(whole.parts):
        _add(whole, part, place, known.width)
    return whole


def _leave_out(whole: Table, more: Iterable[LeftOut]) -> None:
    """Of one sheet one entry by reason, whatever list its rows stand around."""
    for each in more:
        same = [
            one for one in whole.left_out if (one.reason, one.sheet) == (each.reason, each.sheet)
        ]
        if same:
            same[0].rows.extend(each.rows)
        else:
            whole.left_out.append(replace(each, rows=list(each.rows)))


class _Columns:
    """The columns of the whole, to which each list adds those that it alone has."""

    def __init__(self, whole: Table, fields: Mapping[str, int], kind: Kind | None) -> None:
        self.whole = whole
        self.kind = kind
        self.by_key = {headers.key(each.header): each.index for each in whole.columns}
        self.by_field = dict(fields)
        wide = max((len(part.cells) for part in whole.rows[:1]), default=0)
        self.width = max([wide, *(each.index + 1 for each in whole.columns)])

    def places_of(self, table: Table) -> Iterator[tuple[int, int]]:
        """The index of each column of the whole that this list has, and its own."""
        fields = {index: field for field, index in _fields(table, self.kind).items()}
        taken: set[int] = set()
        left: list[Column] = []
        for column in table.columns:
            index = self.by_key.get(headers.key(column.header)) if column.header else None
            if index is None or index in taken:
                left.append(column)
            else:
                taken.add(index)
                yield index, column.index
        for column in left:
            index = self.by_field.get(fields.get(column.index, ""))
            if index is None or index in taken:
                index = self._added(column, fields.get(column.index))
            taken.add(index)
            yield index, column.index

    def _added(self, column: Column, field: str | None) -> int:
        index = self.width
        self.width += 1
        self.whole.columns.append(replace(column, index=index, letter=guards.letter(index)))
        self.by_key.setdefault(headers.key(column.header), index)
        if field is not None:
            self.by_field.setdefault(field, index)
        return index


def _add(whole: Table, part: Part, place: int, width: int) -> None:
    own, before = part.table, part.before
    as_they_stand = _as_they_stand(whole, part)
    for row in own.rows:
        if as_they_stand:
            cells = row.cells
            if len(cells) < width:
                cells = [*cells, *[None] * (width - len(cells))]
        else:
            cells = [None] * width
            for index, at in part.places.items():
                cells[index] = row.cells[at]
        whole.rows.append(Row(row.number + before, cells, row.section, place, row.within))
    index_of = {at: index for index, at in part.places.items()}
    whole.hidden |= {number + before for number in own.hidden}
    whole.struck_out |= {number + before for number in own.struck_out}
    whole.shifted |= {number + before for number in own.shifted}
    whole.cell_problems |= {
        (number + before, index_of[at]): problem
        for (number, at), problem in own.cell_problems.items()
    }


def _as_they_stand(whole: Table, part: Part) -> bool:
    """Whether its cells are where the columns of the whole are."""
    width = len(part.table.rows[0].cells)
    there = all(at == index for index, at in part.places.items())
    return there and all(c.index in part.places or c.index >= width for c in whole.columns)
