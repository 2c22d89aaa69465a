"""The header of a list: which rows it is, and what each column is called."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from app.errors import Problem
from app.text import clean
from app.workbooks import day_parts, headers, legacy, questions
from app.workbooks.column_values import are_births, are_phones, is_person
from app.workbooks.grids import Grid
from app.workbooks.tables import ID, OURS, BookFormat, Cell

WITHIN: Final = 60
_LONGEST: Final = 200
_SHORT: Final = 40
# So many names make a row below a list the header of another.
_NAMES_OF_ANOTHER: Final = 3
# Of so many people at least a list may be without a header.
_FEWEST: Final = 2


class Head(NamedTuple):
    """The rows of a header among `Grid.rows`: from `place` up to `end`, one to three; none where a
    list begins with its first person."""

    place: int
    end: int

    @property
    def height(self) -> int:
        return self.end - self.place


def known(cell: Cell) -> bool:
    return isinstance(cell, str) and len(cell) <= 120 and any(map(headers.is_known, readings(cell)))


def _columns_of_people(grid: Grid) -> list[int]:
    """The columns most of whose first cells are names of people. A title stands alone in its row."""
    first = [cells for _, cells in grid.rows[:WITHIN] if _is_filled(cells)]
    columns = [[c for cells in first if (c := cells[at]) is not None] for at in range(grid.width)]
    return [at for at, cells in enumerate(columns) if sum(map(_is_person, cells)) * 2 > len(cells)]


def _is_person(cell: Cell) -> bool:
    """Whether it is a name, in whatever font it is written."""
    return isinstance(cell, str) and len(cell) <= _LONGEST and any(map(is_person, readings(cell)))


def _is_filled(cells: Sequence[Cell]) -> bool:
    return sum(cell is not None for cell in cells) > 1


def _names_somebody(cells: Sequence[Cell], people: Sequence[int]) -> bool:
    """Whether the row is of a person, whatever else in it is called as a column is ("Đảng viên")."""
    return any(_is_person(cells[at]) and not known(cells[at]) for at in people)


def heads_group(cell: Cell) -> bool:
    """Whether it stands over the names of columns: a name itself, or the person they are of (Chồng)."""
    if not isinstance(cell, str) or len(cell) > _LONGEST:
        return False
    # A question or a title ("Danh sách chị em chi hội khu 4") is none, though it holds a name.
    return any(map(headers.is_name, readings(cell))) or (
        len(cell) <= _SHORT and questions.names_others(cell)
    )


def readings(text: str) -> Iterator[str]:
    """A header as it is, and as it would be in each old encoding."""
    yield clean(text)
    if not text.isascii():
        for encoding in legacy.OLD:
            yield clean(legacy.decode(text, encoding))


def known_at(grid: Grid, place: int | None) -> int:
    return 0 if place is None else sum(map(known, grid.rows[place][1]))


def _most_known(grid: Grid, people: Sequence[int]) -> int | None:
    """The row with the most names we know, two or all there are, that names nobody in these columns."""
    best, most = None, 0
    for place, (_, cells) in enumerate(grid.rows[:WITHIN]):
        names = 0 if _names_somebody(cells, people) else sum(map(known, cells))
        alone = sum(cell is not None for cell in cells) == 1
        if names > most and (names >= 2 or alone):
            best, most = place, names
    return best


def place_of(grid: Grid) -> int | None:
    """Which of `grid.rows` is the header: the one with the most names we know (two, or all there
    are); without any, the first that is nearly as wide as the sheet and nothing but text."""
    first = grid.rows[:WITHIN]
    people = _columns_of_people(grid)
    # What looks like a name may be the name of a column, read in another font.
    for somebody in (people, []):
        if (best := _most_known(grid, somebody)) is not None:
            return best
    for place, (_, cells) in enumerate(first):
        filled = [cell for cell in cells if cell is not None]
        if len(filled) >= 2 and len(filled) * 10 >= grid.width * 7:
            plain_text = all(isinstance(c, str) and not any(map(str.isdigit, c)) for c in filled)
            return place if plain_text and not _names_somebody(cells, people) else None
    return None


def heads_of(grid: Grid) -> list[Head]:
    """The header of each list in the sheet, in order; the same header again is of the same list.

    Raises Problem when there is none.
    """
    if grid.kind is BookFormat.ndjson:
        return [Head(0, 1)]
    best = place_of(grid)
    if best is None and (begins := _first_of_people(grid)) is not None:
        return [Head(begins, begins)]
    if best is None:
        raise Problem("import_no_header", rows=min(WITHIN, len(grid.rows)))
    main = _whole(grid, best)
    most = max(known_at(grid, place) for place in range(main.place, main.end))
    people = _columns_of_people(grid)
    heads: list[Head] = []
    place = 0
    while place < len(grid.rows):
        if main.place - 1 <= place <= main.place:
            # The row above the header is not taken from it.
            found = main if place == main.place else None
        else:
            found = _another(grid, place, most, people)
        if found is None:
            place += 1
            continue
        if not heads or not again(grid.rows[found.place][1], [grid.rows[heads[-1].place][1]]):
            heads.append(found)
        place = found.end
    return heads


def _first_of_people(grid: Grid) -> int | None:
    """The first row of a list without a header: names in one column, and beside them what is known by
    its values as well."""
    people = _columns_of_people(grid)
    rows = [cells for _, cells in grid.rows[:WITHIN] if _is_filled(cells)]
    columns = [[c for cells in rows if (c := cells[at]) is not None] for at in range(grid.width)]
    beside = any(looks(cells) for cells in columns for looks in (are_births, are_phones))
    if len(people) != 1 or len(rows) < _FEWEST or not beside:
        return None
    names = ((place, cells[people[0]]) for place, (_, cells) in enumerate(grid.rows))
    return next(place for place, cell in names if _is_person(cell))


def _whole(grid: Grid, place: int) -> Head:
    """The header of which this row is one."""
    if has_second(grid, place):
        return Head(place, place + 2 + has_third(grid, place))
    if (
        place > 0
        and has_second(grid, place - 1)
        and not _is_title(grid, place - 1)
        and any(map(heads_group, grid.rows[place - 1][1]))
    ):
        return Head(place - 1, place + 1 + has_third(grid, place - 1))
    return Head(place, place + 1)


def _is_title(grid: Grid, place: int) -> bool:
    """Whether the row is one cell alone, over all the columns of the row below."""
    filled = [column for column, cell in enumerate(grid.rows[place][1]) if cell is not None]
    below = [column for column, cell in enumerate(grid.rows[place + 1][1]) if cell is not None]
    return len(filled) == 1 and filled[0] <= below[0]


def _another(grid: Grid, place: int, most: int, people: Sequence[int]) -> Head | None:
    """The header of another list, if this row is one: of `most` names in the likeliest header it
    has half at least."""
    texts: list[str] = []
    for cell in grid.rows[place][1]:
        if cell is None:
            continue
        if not isinstance(cell, str) or cell.isdecimal():
            return None
        texts.append(cell)
    if _names_somebody(grid.rows[place][1], people):
        return None
    least = max(min(most, _NAMES_OF_ANOTHER), (most + 1) // 2, (len(texts) + 1) // 2)
    if len(texts) < least or sum(map(known, texts)) < least:
        return None
    two = has_second(grid, place)
    return Head(place, place + 1 + two + (two and has_third(grid, place)))


def again(cells: Sequence[Cell], heads: Sequence[Sequence[Cell]]) -> bool:
    """Whether this row is one of these rows of a header, but for what we added to it; or holds
    several of their names, each in its column, as where cells are merged over its rows."""
    return any(
        cells == head
        or all(
            cell == name or (cell is None and name in (*OURS, ID))
            for cell, name in zip(cells, head, strict=True)
        )
        for head in heads
    ) or (
        len(heads) > 0
        and sum(cell is not None for cell in cells) > 1
        and all(
            cell is None or cell in names
            for cell, names in zip(cells, zip(*heads, strict=True), strict=False)
        )
    )


def has_second(grid: Grid, place: int) -> bool:
    """Whether the row below belongs to the header: it names parts of what is above (Nam, Nữ)."""
    if place + 1 >= len(grid.rows):
        return False
    (number, upper), (below, lower) = grid.rows[place : place + 2]
    if below != number + 1:
        return False
    spread = _spread(grid, number).keys()
    told = [column for column, cell in enumerate(lower) if cell is not None]
    texts = all(isinstance(lower[column], str) for column in told)
    # Without a merge a heading may stand above the first of its parts.
    first = {column for column in told if column + 1 in told and upper[column + 1] is None}
    apart = all(upper[column] is None or column in spread or column in first for column in told)
    if not texts or not apart:
        return False
    parts = len(told) > 1 and spread >= set(told)
    return (
        parts
        or any(known(lower[column]) for column in told)
        or day_parts.are_parts(str(lower[column]) for column in told)
    )


def has_third(grid: Grid, place: int) -> bool:
    """Whether the row below the second names parts of what is merged in that one (TH, THCS)."""
    if place + 2 >= len(grid.rows):
        return False
    (number, _), (below, third) = grid.rows[place + 1 : place + 3]
    told = {column for column, cell in enumerate(third) if cell is not None}
    texts = all(isinstance(third[column], str) for column in told)
    return below == number + 1 and len(told) > 1 and texts and told <= _spread(grid, number).keys()


def _spread(grid: Grid, number: int) -> dict[int, int]:
    """The columns below cells of this row that are merged over several, by the first of each."""
    return {
        column: left
        for top, left, bottom, right in grid.merged
        if top == number - 1 and bottom == top and right > left
        for column in range(left, right + 1)
    }


def _parts_of(grid: Grid, head: Head) -> Sequence[Cell]:
    """What stands below the first row of the header; of the third row with the second above it."""
    if head.height < 2:
        return [None] * grid.width
    number, second = grid.rows[head.place + 1]
    if head.height == 2:
        return second
    spread = _spread(grid, number)
    return [
        cell if part is None else f"{second[spread[column]]} / {part}"
        for column, (cell, part) in enumerate(
            zip(second, grid.rows[head.place + 2][1], strict=True)
        )
    ]


def texts_of(grid: Grid, head: Head) -> dict[int, str]:
    """The header of each column that has one, as written; parts joined by " / "."""
    number, upper = grid.rows[head.place]
    row = number - 1
    over: dict[int, str] = {}
    again: dict[int, str] = {}
    for top, left, bottom, right in grid.merged:
        if top <= row <= bottom and right > left and upper[left] is not None:
            for column in range(left + 1, min(right + 1, grid.width)):
                over[column] = str(upper[left])
                again[column] = f"{upper[left]} ({column - left + 1})"
    lower = _parts_of(grid, head)
    texts: dict[int, str] = {}
    # An upper header without a merge stands over the unnamed columns at its right that have a part:
    # where its first part is a value (Công giáo), up to the next name of a column.
    last, of_values = "", False
    of_days = day_parts.are_parts(str(cell) for cell in lower if cell is not None)
    for column in range(grid.width):
        above = str(upper[column]) if upper[column] is not None else over.get(column, "")
        if above:
            last, of_values = above, not known(lower[column])
        elif (
            of_values
            and known(lower[column])
            and not (of_days and day_parts.is_part(str(lower[column])))
        ):
            last = ""
        part = str(lower[column]) if lower[column] is not None else ""
        if clean(part) in (*OURS, ID):
            texts[column] = part
        elif part:
            texts[column] = f"{above or last} / {part}" if above or last else part
        elif upper[column] is not None:
            texts[column] = str(upper[column])
        elif column in again:
            texts[column] = again[column]
    return {column: text[:_LONGEST] for column, text in texts.items()}
