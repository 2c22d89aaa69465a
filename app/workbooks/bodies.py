"""The rows under a header: those of the list, and what stands between and after them."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.text import clean
from app.workbooks import sections
from app.workbooks.column_values import is_person
from app.workbooks.grids import Grid, Line
from app.workbooks.header_rows import again, readings
from app.workbooks.tables import EXAMPLE, OURS, Cell, LeftOutReason, Note, Row

_TOLD_ROWS: Final = 20
_TOTAL: Final = re.compile(
    r"(?:tổng|cộng|tổng cộng|tổng số|cộng dồn|total|subtotal)(?:\s*(?:cộng|số|dồn))?\s*"
    r"(?:[:\d(.].*|(?:hội viên|người|toàn|chi hội|khu|thôn|xóm|bản|ấp|tổ|đội|xã|hộ|trang"
    r"|nhóm|nữ|nam|danh sách)\b.*)?"
    # Carried over from one page to the next.
    r"|cộng (?:chuyển|mang|sang)(?: \w+){0,3}(?:\s*[:\d].*)?|(?:mang|chuyển) sang(?: trang (?:sau|trước))?"
    r"(?:\s*[:\d].*)?|(?:số )?(?:trang trước|lũy kế trang trước)(?: chuyển| mang) sang(?:\s*[:\d].*)?"
    r"|(?:tỷ lệ|tỉ lệ|ty le|bình quân|trung bình|còn lại|lũy kế|luỹ kế)\s*(?:[:\d(.%].*)?"
    # Without tones the surname Tống is written alike.
    r"|(?:tong|cong)(?:\s*(?:cong|so|don))?\s*(?:[:\d(.].*|(?:hoi vien|nguoi|toan|chi hoi)\b.*)?"
)
_SIGNATURE: Final = re.compile(
    r"(?:người lập|ngày .{0,12}tháng|t/m|tm\.|thay mặt|chủ tịch|xác nhận|thủ trưởng|kế toán|"
    r"ghi chú\s*:|\(ký|ký tên|.{0,40}, ?ngày .{0,12}tháng|chi hội trưởng$|ban chấp hành|"
    r"nguoi lap|ngay .{0,12}thang|thay mat|chu tich$|xac nhan|thu truong$|ke toan$|ghi chu\s*:|\(ky|"
    r"ky ten|.{0,40}, ?ngay .{0,12}thang|chi hoi truong$|ban chap hanh)"
)
_TITLE: Final = ("danh sách", "danh sach")
_NOTES: Final = {LeftOutReason.section: "row_section", LeftOutReason.title_lines: "row_title"}
# What may stand in the first cell of a heading.
_LAST_OF_HEADINGS: Final = 2
_MOST_WORDS: Final = 12
_ROMAN: Final = re.compile(r"[IVX]{1,6}\.?|[A-Z]\.?|[0-9]{1,3}\.?|[*+•–-]")


def fill_merged(grid: Grid, body: Sequence[Line]) -> None:
    """A cell merged over several rows holds for each of them."""
    if not body:
        return
    by_number = dict(body)
    first = body[0][0]
    filled = 0
    for top, left, bottom, right in grid.merged:
        if top + 1 < first or bottom == top or left >= grid.width:
            continue
        value = by_number[top + 1][left] if top + 1 in by_number else None
        if value is None:
            continue
        filled += 1
        for number in range(top + 2, bottom + 2):
            # A row that holds nothing else is no row.
            if cells := by_number.get(number):
                cells[left : min(right, left) + 1] = [value]
    if filled:
        grid.notes.append(Note("merged_cells", {"count": filled}))


@dataclass(slots=True)
class Found:
    """The rows of the list, and the numbers of the others."""

    rows: list[Row] = field(default_factory=list)
    left_out: dict[LeftOutReason, list[int]] = field(default_factory=lambda: defaultdict(list))


def list_rows(
    grid: Grid,
    body: Sequence[Line],
    texts: Mapping[int, str],
    heads: Sequence[list[Cell]],
    section: str | None = None,
    within: str | None = None,
) -> Found:
    """The rows that are of the list; what else there is goes to the notes. `heads` are the rows of
    the header, which may come again; `section` and `within` are the headings that go on from above."""
    found = Found()
    across = {top + 1 for top, left, bottom, right in grid.merged if right > left and top == bottom}
    told = 0
    ended = False
    ours = [column for column, text in texts.items() if clean(text) in OURS]
    for number, whole in body:
        cells = _without(whole, ours) if ours else whole
        filled = [cell for column, cell in enumerate(cells) if cell is not None and column in texts]
        if again(cells, heads):  # as on each printed page
            found.left_out[LeftOutReason.header].append(number)
            ended = False
            continue
        if (own := _of_our_own(filled, first=not found.rows)) is not None:
            found.left_out[own].append(number)
            grid.notes.append(Note(f"row_{own}", {"row": number}))
            continue
        few = len(filled) * 2 <= len(texts) or len(filled) <= 2
        sums = _has_one_text(filled)
        text = _first_text(cells) if few or len(filled) < 4 or sums else None
        apart = text and _apart(text, cells, ended, len(texts), across=number in across)
        if apart:
            why, said = apart
            ended = ended or why is LeftOutReason.signature
            if why is LeftOutReason.section:
                section, within = _headed(said, within or section)
            told += 1
            if told <= _TOLD_ROWS:
                shown = {"row": number, "text": said[:60]}
                grid.notes.append(Note(_NOTES.get(why, "row_total"), shown))
            found.left_out[why].append(number)
        elif filled:
            found.rows.append(Row(number, whole, section, within=within))
        else:
            found.left_out[LeftOutReason.blank].append(number)
    return found


def _apart(
    text: str, cells: Sequence[Cell], ended: bool, width: int, *, across: bool
) -> tuple[LeftOutReason, str] | None:
    """Why a row with little in it is not of the list, and what it says; `across`: a cell of it is
    merged over several columns."""
    for said in readings(text):
        headed = across or sections.is_heading(said)
        if why := _left_out(said, cells, ended, width, headed):
            return why, said
    alone = _heading_alone(cells, text) if width > _LAST_OF_HEADINGS else None
    return None if alone is None else (LeftOutReason.section, alone)


def _heading_alone(cells: Sequence[Cell], text: str) -> str | None:
    """What stands alone at the left of its row, in any words that are nobody's name: a branch, a
    group, or nothing that is known."""
    places = [place for place, cell in enumerate(cells) if cell is not None]
    alone = len(places) == 1 or (len(places) == 2 and _is_number_of_heading(cells[places[0]]))
    if not alone or places[-1] > _LAST_OF_HEADINGS or len(text.split()) > _MOST_WORDS:
        return None
    said = list(readings(text))
    if any(map(is_person, said)):
        return None
    return next(filter(sections.names_branch, said), said[0])


def _is_number_of_heading(cell: Cell) -> bool:
    return bool(_ROMAN.fullmatch(str(cell).strip()))


def _headed(text: str, before: str | None) -> tuple[str, str | None]:
    """What a heading names, and the heading of the branch if this is of a group in it; `before` is
    the one above it, or that one's own."""
    name = sections.named(text)
    if not sections.is_within(name):
        return name, None
    outer = None if before is None or sections.is_within(before) else before
    return name, sections.enclosing(name, outer)


def _without(cells: Sequence[Cell], ours: Sequence[int]) -> list[Cell]:
    """The cells of the list alone: ours say what became of the row when it was last sent."""
    return [None if column in ours else cell for column, cell in enumerate(cells)]


def _has_one_text(filled: Sequence[Cell]) -> bool:
    """Whether all but one cell are numbers, as of sums under each column."""
    return sum(not _is_number(cell) for cell in filled) == 1


def _of_our_own(filled: Sequence[Cell], *, first: bool) -> LeftOutReason | None:
    """The example of the template, or the row that numbers the columns of a form."""
    if any(isinstance(cell, str) and cell.startswith(EXAMPLE) for cell in filled):
        return LeftOutReason.example
    return LeftOutReason.numbering if first and _numbers_columns(filled) else None


def _first_text(cells: Sequence[Cell]) -> str | None:
    texts = (cell for cell in cells if isinstance(cell, str) and any(map(str.isalpha, cell)))
    return next((text for text in texts if not _ROMAN.fullmatch(text.strip())), None)


def _numbers_columns(filled: Sequence[Cell]) -> bool:
    """(1) (2) (3), or A B 1 2: the row under the header of an official form."""
    texts = [str(cell).strip().strip("() ").lower() for cell in filled]
    letters = [text for text in texts if len(text) == 1 and text.isalpha()]
    numbers = [text for text in texts if text.isascii() and text.isdigit()]
    return (
        len(texts) >= 3
        and texts == letters + numbers
        and letters == list("abcdefgh")[: len(letters)]
        and numbers == [str(number) for number in range(1, len(numbers) + 1)]
    )


def _left_out(
    text: str, cells: Sequence[Cell], ended: bool, width: int, headed: bool
) -> LeftOutReason | None:
    """Why a row with little in it is not of the list: a total, a signature, a heading, a title."""
    low = clean(text).casefold()
    if _TOTAL.fullmatch(low):
        return LeftOutReason.total
    if width < 3:
        return None
    # Whoever signs has no number beside the name; people of a list have a year, a phone, a place in it.
    if _SIGNATURE.match(low) and not any(map(_is_number, cells[1:])):
        return LeftOutReason.signature
    some = sum(cell is not None for cell in cells)
    if some == 1 and low.startswith(_TITLE):
        return LeftOutReason.section if sections.branch_in(text) else LeftOutReason.title_lines
    numbered = some == 2 and cells[0] is not None and _is_number_of_heading(cells[0])
    if headed and (some == 1 or numbered):
        return LeftOutReason.section
    if ended and some <= 3 and not any(map(_is_number, cells)):
        return LeftOutReason.signature
    return None


def _is_number(cell: Cell) -> bool:
    """Whether it is a number or a day, or text that begins with one."""
    return cell.strip()[:1].isdigit() if isinstance(cell, str) else cell is not None
