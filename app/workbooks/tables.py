"""What a file holds once it is read: shapes that reading, mapping and writing share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, Final

from app.errors import field_text
from app.problem_texts import FieldCode, Language

RESULT, ERROR, HINT, ID = "Kết quả", "Lỗi", "Gợi ý", "Mã"
# The columns that files given back have more.
OURS: Final = (RESULT, ERROR, HINT)
# Begins the example row of the template.
EXAMPLE: Final = "Ví dụ ("

# A date cell of Excel is a `date` (a `datetime` only with a time of day), a whole number an `int`,
# empty cells and those of nothing but spaces are None. Text is NFC and decoded.
Cell = str | int | float | bool | datetime | date | time | None
# What a list is of: one of those that `headers.install` was given.
Kind = str


class BookFormat(StrEnum):
    xlsx = "xlsx"
    xls = "xls"
    ods = "ods"
    csv = "csv"
    ndjson = "ndjson"


class Encoding(StrEnum):
    """The encoding of a column's text; all but Unicode is decoded, and reported."""

    unicode = "unicode"
    tcvn3 = "tcvn3"
    vni = "vni"
    # UTF-8 that a program has read as Windows-1252 and stored again.
    utf8_twice = "utf8_twice"

    @property
    def label(self) -> str:
        return "UTF-8 (Windows-1252)" if self is Encoding.utf8_twice else self.upper()


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits above which a file is refused before it is parsed.

    `cells` is the area rows x columns, `characters` the text of all cells, each having its own of
    what they share or repeat.
    """

    file_bytes: int = 30_000_000
    unpacked_bytes: int = 400_000_000
    # Of a packed part of more than 10 MB: repetitive sheets of people stay under 60.
    packing_ratio: int = 150
    rows: int = 200_000
    columns: int = 150
    cells: int = 6_000_000
    characters: int = 200_000_000


@dataclass(frozen=True, slots=True)
class Note:
    """A change made to a file that keeps its contents. `render` gives its sentence."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)
    # Whose rows it is of, where several sheets were read.
    sheet: str | None = None

    def render(self, language: Language) -> str:
        text = NOTES[self.code][language == "en"].format_map(self.params)
        if self.sheet is None:
            return text
        named = "Sheet" if language == "en" else "Trang tính"
        return f"{named} {self.sheet}: {text}"


@dataclass(frozen=True, slots=True)
class SheetInfo:
    """A sheet to choose from; `likely` marks the one whose columns the others are read as."""

    name: str
    visible: bool
    rows: int
    columns: int
    likely: bool


@dataclass(frozen=True, slots=True)
class Column:
    """`index` is its place in `Row.cells` (0 is A), `letter` what Excel calls it.

    `written` is the header as the file has it, `header` decoded and cleaned; of a header of two
    rows both, "Năm sinh / Nam". `examples` are up to three decoded values, for the preview.
    `ours` are the columns that we appended ourselves to a file given back (all but `Mã`). `named` is
    the heading that several columns share, where `header` is numbered to tell them apart.
    """

    index: int
    letter: str
    header: str
    written: str
    encoding: Encoding = Encoding.unicode
    examples: tuple[str, ...] = ()
    ours: bool = False
    named: str | None = None


@dataclass(slots=True)
class Row:
    """`number` is the row's number in Excel (of ndjson: the line), `cells` as long as the sheet is
    wide. `section` is the last heading above it ("Chi hội khu 1"), if any. `part` is the place of
    its list in `Table.parts`; `within` is the heading of the branch, where `section` is of a group in
    it ("Tổ 2").
    """

    number: int
    cells: list[Cell]
    section: str | None = None
    part: int = 0
    within: str | None = None


class LeftOutReason(StrEnum):
    """Why a row is none of the list."""

    title_lines = "title_lines"
    header = "header"
    numbering = "numbering"
    example = "example"
    section = "section"
    total = "total"
    signature = "signature"
    blank = "blank"
    sheet_not_read = "sheet_not_read"
    sheet_hidden = "sheet_hidden"
    sheet_without_list = "sheet_without_list"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The numbers of the rows of one sheet that were left out for one reason."""

    reason: LeftOutReason
    rows: list[int]
    sheet: str | None


@dataclass(frozen=True, slots=True)
class CellProblem:
    """What is wrong with one cell.

    `proposal` is a value that would be right if our reading of the cell is (in the form the API
    takes: "025168001234", "1968-05-17"); it is for people to confirm, and never taken by itself.
    `taken`: the value stands, with a warning. `left_out`: the row is written without the cell, with
    a warning.
    """

    code: FieldCode
    params: Mapping[str, Any] = field(default_factory=dict)
    proposal: str | None = None
    taken: bool = False
    left_out: bool = False

    def render(self, language: Language) -> dict[str, str]:
        """`detail`, and `hint` and `proposal` where there are any."""
        params = {"form": "17/05/1968"} | dict(self.params)
        said = {"code": self.code} | field_text(self.code, params, language)
        if self.proposal is not None:
            said["proposal"] = self.proposal
        return said


@dataclass(slots=True)
class Table:
    """One list, or the lists of a file as one. `header_row` is the number of the (last) header row,
    0 in ndjson and in a list that begins with its first row.

    Of several lists the columns are those of the likeliest and what the others have more; `parts` are
    the lists as they stand, and the numbers of the rows go on from one sheet to the next: those of
    the first sheet are Excel's.

    `titled` is the branch that the title lines, or the name of the sheet or of the file, say; `hidden`, `struck_out` and `shifted` (with more cells than the header) numbers of rows; `rest` all rows that are not of the list, the header
    among them, as read; `left_out` gives their numbers by reason, and those of other sheets: with
    `rows` they are all rows of the file but those of ndjson. `unread` are the rows of other sheets, by
    name. `sheets` are those to choose from, of csv and ndjson one, named "". `cell_problems` are those of the text itself, by (row number, column index): a cell of
    another encoding than its column. `is_beside`: it begins at the right of the list before it.
    """

    kind: BookFormat
    sheet: str | None
    header_row: int
    columns: list[Column]
    rows: list[Row]
    notes: list[Note] = field(default_factory=list)
    titled: str | None = None
    hidden: set[int] = field(default_factory=set)
    struck_out: set[int] = field(default_factory=set)
    shifted: set[int] = field(default_factory=set)
    rest: list[Row] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    unread: dict[str, list[Row]] = field(default_factory=dict)
    sheets: list[SheetInfo] = field(default_factory=list)
    cell_problems: dict[tuple[int, int], CellProblem] = field(default_factory=dict)
    parts: "list[Part]" = field(default_factory=list)
    is_beside: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One of several lists: `table` as it stands in its sheet. A row's number in the whole is
    `before` more than its own; `places` is the index of its own column by that of the whole."""

    table: Table
    before: int
    places: Mapping[int, int]


# Code: Vietnamese, English.
NOTES: dict[str, tuple[str, str]] = {
    "encoding_decoded": (
        "Cột {letter} ({header}) viết bằng bảng mã {encoding}; đã chuyển sang Unicode.",
        "Column {letter} ({header}) is written in {encoding}; it was converted to Unicode.",
    ),
    "file_encoding": (
        "Tệp được đọc theo bảng mã {encoding}, ngăn cách bằng {delimiter}.",
        "The file was read as {encoding}, separated by {delimiter}.",
    ),
    "sheets_read": (
        "Đã đọc {count} trang tính: {sheets}.",
        "{count} sheets were read: {sheets}.",
    ),
    "lists_read": (
        "Trang tính có {count} danh sách, đã đọc tất cả; dòng tiêu đề: {rows}.",
        "There are {count} lists in the sheet, all were read; their headers are rows {rows}.",
    ),
    "no_header": (
        "Danh sách không có dòng tiêu đề: các cột được nhận biết theo nội dung ô.",
        "The list has no header: its columns are known by what their cells look like.",
    ),
    "list_beside": (
        "Danh sách thứ hai nằm bên phải, từ cột {letter} (dòng tiêu đề {row}), cũng được đọc.",
        "Another list at the right, from column {letter} (header row {row}), was read too.",
    ),
    "sheet_not_read": (
        "Trang tính {sheet} còn {count} dòng chưa đọc. Chọn trang tính này, hoặc gửi lại tệp cho riêng trang này.",
        "{count} rows of the sheet {sheet} were not read. Choose that sheet, or send the file again for it.",
    ),
    "sheet_hidden": (
        "Trang tính {sheet} bị ẩn, {count} dòng không được đọc. Nếu cần, hãy chọn trang tính này.",
        "The sheet {sheet} is hidden and its {count} rows were not read. Choose it if they are needed.",
    ),
    "sheet_without_list": (
        "Trang tính {sheet} không phải danh sách cùng loại: không đọc {count} dòng.",
        "The sheet {sheet} is no list of this kind: its {count} rows were left out.",
    ),
    "rows_above_header": (
        "Bỏ qua {count} dòng phía trên dòng tiêu đề (dòng {header_row}).",
        "{count} rows above the header (row {header_row}) were left out.",
    ),
    "rows_blank": ("Bỏ qua {count} dòng trống.", "{count} empty rows were left out."),
    "row_numbering": (
        "Bỏ qua dòng đánh số cột (dòng {row}).",
        "The row that numbers the columns (row {row}) was left out.",
    ),
    "row_example": (
        "Bỏ qua dòng ví dụ của tệp mẫu (dòng {row}).",
        "The example row of the template (row {row}) was left out.",
    ),
    "row_total": (
        "Bỏ qua dòng {row}: dòng cộng hoặc dòng ký ({text}).",
        "Row {row} was left out: a total or a signature ({text}).",
    ),
    "row_title": (
        "Bỏ qua dòng {row}: dòng tên danh sách ({text}).",
        "Row {row} was left out: the title of a list ({text}).",
    ),
    "row_section": (
        "Dòng {row} là tiêu đề nhóm ({text}), áp dụng cho các dòng bên dưới.",
        "Row {row} is a heading ({text}) of the rows below it.",
    ),
    "branch_of_title": (
        "Tiêu đề hoặc tên trang tính ghi {branch}: nếu danh sách không có cột chi hội, các dòng thuộc chi hội này.",
        "The title or the name of the sheet says {branch}: without a column of branches the rows belong to it.",
    ),
    "branch_of_file": (
        "Tên tệp ghi {branch}: nếu danh sách không có cột chi hội, các dòng thuộc chi hội này.",
        "The name of the file says {branch}: without a column of branches the rows belong to it.",
    ),
    "returned_as_xlsx": (
        "Tệp {kind} được trả lại dưới dạng .xlsx.",
        "The {kind} file is given back as .xlsx.",
    ),
    "marks_unseen": (
        "Trong tệp này không xem được dòng bị ẩn, bị lọc hay gạch ngang: các dòng đó được đọc như dòng thường.",
        "Rows hidden, filtered out or struck out are not seen in this file: they are read as any other.",
    ),
    "same_heading": (
        "Các cột {letters} cùng tên ({header}): chỉ đọc một cột, cột đứng sau họ tên. Có thể chọn cột khác.",
        "The columns {letters} have one name ({header}): one is read, that behind the name of the person. Another may be chosen.",
    ),
    "implied": (
        "Không có cột {other}: dòng nào có {field} thì {other} được ghi là {value}.",
        "There is no column of {other}: where {field} is filled in, {other} becomes {value}.",
    ),
    "quotes_unclosed": (
        "Dấu ngoặc kép mở mà không đóng ở dòng {lines} của tệp: dòng đó chờ xem lại, các dòng sau vẫn đọc đủ.",
        "A quote is opened and never closed on line {lines} of the file: that row waits, those below are read.",
    ),
    "ticks_read": (
        "Các cột {letters} ({header}) được đánh dấu: đọc tên cột được đánh dấu thành giá trị.",
        "The columns {letters} ({header}) are ticked: the heading of the ticked one was read as the value.",
    ),
    "read_by_values": (
        "Cột {letter} ({header}) được đọc là {field} vì các ô trông như vậy. Nếu không đúng, hãy chọn cột khác.",
        "Column {letter} ({header}) was read as {field}, by what its cells look like. Choose another if it is not.",
    ),
    "ids_of_others": (
        "Cột {letter} ({header}) là mã của phần mềm khác: không đọc, giữ nguyên trong tệp.",
        "Column {letter} ({header}) holds ids of another program: it was not read.",
    ),
    "day_parts_read": (
        "Các cột {letters} là ngày, tháng, năm của {header}: đọc thành một cột.",
        "The columns {letters} are the day, month and year of {header}: they were read as one.",
    ),
    "merged_cells": (
        "{count} vùng ô gộp: mỗi dòng nhận giá trị của ô gộp.",
        "{count} merged ranges: each of their rows has the merged value.",
    ),
    "formulas_read": (
        "{count} ô có công thức: đã đọc kết quả lưu trong tệp.",
        "{count} cells hold formulas: the results stored in the file were read.",
    ),
    "formulas_not_calculated": (
        "{count} ô có công thức chưa được tính: đọc như ô trống. Mở tệp bằng Excel rồi lưu lại.",
        "{count} formulas were never calculated and read as empty. Open the file in Excel and save it.",
    ),
    "macros_ignored": (
        "Tệp có macro: chỉ đọc dữ liệu, không chạy macro; tệp trả lại không có macro.",
        "The file has macros: only its data is read, and the file given back has none.",
    ),
    "external_links_ignored": (
        "Tệp có liên kết tới tệp khác: không mở liên kết, chỉ đọc giá trị đã lưu.",
        "The file links to other files: none was opened, the stored values were read.",
    ),
    "own_columns_ignored": (
        "Bỏ qua các cột kết quả của lần trước: {headers}.",
        "The columns with the last result were left out: {headers}.",
    ),
    "two_header_rows": (
        "Tiêu đề gồm hai dòng ({first} và {last}), đã ghép lại.",
        "The header has two rows ({first} and {last}), read as one.",
    ),
    "three_header_rows": (
        "Tiêu đề gồm ba dòng ({first} đến {last}), đã ghép lại.",
        "The header has three rows ({first} to {last}), read as one.",
    ),
}
