"""What is said of each row in the file that goes back: the texts of our columns, the comments."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.workbooks import headers
from app.workbooks.column_values import has_ids_of_others
from app.workbooks.rows import RowProblem
from app.workbooks.tables import ERROR, HINT, ID, RESULT, Kind, LeftOutReason, Part, Table

Result = Literal["created", "updated", "same", "duplicate", "error", "skipped"]

# The texts of the column Kết quả, for what was done and what would be.
RESULTS: Final[dict[Result, tuple[str, str]]] = {
    "created": ("Đã thêm mới", "Sẽ thêm mới"),
    "updated": ("Đã cập nhật", "Sẽ cập nhật"),
    "same": ("Không thay đổi", "Không thay đổi"),
    "duplicate": ("Có thể trùng", "Có thể trùng"),
    "error": ("Lỗi", "Lỗi"),
    "skipped": ("Bỏ qua", "Bỏ qua"),
}
# The same for what is no row of the list.
_LEFT_OUT: Final = {
    LeftOutReason.title_lines: "Không đọc: tên danh sách",
    LeftOutReason.numbering: "Không đọc: số cột",
    LeftOutReason.example: "Không đọc: dòng ví dụ",
    LeftOutReason.section: "Không đọc: tiêu đề nhóm",
    LeftOutReason.total: "Không đọc: dòng cộng",
    LeftOutReason.signature: "Không đọc: chữ ký, ghi chú",
    LeftOutReason.blank: "Không đọc: ngoài các cột của danh sách",
}
# Widths of our columns, in characters.
WIDTHS: Final = {RESULT: 16, ERROR: 50, HINT: 50, ID: 38}
_ISO: Final = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?(?:-([0-9]{2}))?")


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """What became of one row.

    `id` goes to the column `Mã`, by which the row is known when it comes back; `hint` is added to
    the hints of the problems (whom it may duplicate).
    """

    result: Result
    id: str | None = None
    problems: Sequence[RowProblem] = ()
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of the rows of one list, by their own numbers and columns. `places` are the
    columns of ours."""

    part: Part
    places: Mapping[str, int]
    texts: Mapping[int, Mapping[int, str]]
    wrong: Mapping[int, Mapping[int, str]]

    @property
    def head(self) -> dict[int, str]:
        """The names of our columns that its header has not."""
        there = {column.index: column.header for column in self.part.table.columns}
        return {
            place: name for name, place in self.places.items() if name != ID or place not in there
        }


def of_lists(
    whole: Table, kind: Kind, verdicts: Mapping[int, RowVerdict], *, applied: bool
) -> Iterator[Said]:
    """`verdicts` by the number in the whole."""
    free: dict[str | None, int] = {}
    for part in whole.parts:
        free[part.table.sheet] = max(free.get(part.table.sheet, 0), width_of(part.table))
    for part in whole.parts:
        if part.table.is_beside:
            free[part.table.sheet] += len(WIDTHS)
        places = places_in(part.table, free[part.table.sheet])
        found = {
            row.number: verdict
            for row in part.table.rows
            if (verdict := verdicts.get(row.number + part.before))
        }
        texts = {
            number: {places[name]: text for name, text in texts_of(each, kind, applied).items()}
            for number, each in found.items()
        }
        wrong = {
            number: {part.places[at]: text for at, text in told.items() if at in part.places}
            for number, each in found.items()
            if (told := comments_of(each, kind))
        }
        unread = {number: {places[RESULT]: text} for number, text in _left_out(part.table).items()}
        yield Said(part, places, unread | texts, wrong)


def _left_out(table: Table) -> dict[int, str]:
    """Rows between and below those of the list that were not read, and why: nobody is to think
    that they were."""
    filled = {row.number for row in table.rest}
    return {
        number: _LEFT_OUT[each.reason]
        for each in table.left_out
        if each.reason in _LEFT_OUT
        for number in each.rows
        if number > table.header_row and number in filled
    }


def width_of(table: Table) -> int:
    free = len(table.rows[0].cells) if table.rows else 0
    return max([free, *(column.index + 1 for column in table.columns)])


def places_in(table: Table, free: int) -> dict[str, int]:
    """The positions of our columns: as last time, else from the first that is free."""
    there = {column.header: column.index for column in table.columns if column.ours}
    ids = [
        column.index
        for column in table.columns
        if headers.key(column.named or column.header) in ("ma", "id")
        and not has_ids_of_others(table, column.index)
    ]
    if ids:
        there[ID] = ids[0]
    for name in (RESULT, ERROR, HINT, ID):
        if name not in there:
            there[name] = free
            free += 1
    return {name: there[name] for name in (RESULT, ERROR, HINT, ID)}


def texts_of(verdict: RowVerdict, kind: Kind, applied: bool) -> dict[str, str]:
    said = {RESULT: RESULTS[verdict.result][0 if applied else 1]}
    said[ERROR] = "\n".join(
        _named(each, each.problem.render("vi")["detail"], kind) for each in verdict.problems
    )
    hints = [_named(each, hint, kind) for each in verdict.problems if (hint := _hint(each, kind))]
    said[HINT] = "\n".join(filter(None, [*hints, verdict.hint]))
    # A row without a record keeps the contents of its own column.
    return said | ({ID: verdict.id} if verdict.id else {})


def _named(each: RowProblem, text: str, kind: Kind) -> str:
    spec = headers.fields(kind).get(each.field)
    # The template's name of a field without a column.
    name = spec.vi if spec is not None and each.header in ("", each.field) else each.header
    return f"{name}: {text}"


def _hint(each: RowProblem, kind: Kind) -> str:
    told = each.problem.render("vi")
    proposal = told.get("proposal")
    offered = f"Có phải là {shown(proposal, each.field, kind)}?" if proposal else ""
    return " ".join(filter(None, [offered, told.get("hint", "")]))


def shown(proposal: str, field: str, kind: Kind) -> str:
    """A proposal as a cadre would write it in the cell: a day dd/mm/yyyy, the label of a code."""
    spec = headers.fields(kind).get(field)
    if spec is not None and spec.list is not None:
        labels = dict(headers.code_list(kind, spec.list))
        return labels.get(proposal, proposal)
    if spec is not None and spec.type == "phone" and proposal.startswith("+84"):
        return f"0{proposal[3:]}"
    dated = spec is not None and (
        "day" in spec.type or "date" in spec.type or "gender" in spec.type
    )
    if dated and (match := _ISO.fullmatch(proposal)):
        return "/".join(filter(None, reversed(match.groups())))
    return proposal


def comments_of(verdict: RowVerdict, kind: Kind) -> dict[int, str]:
    """The texts for each wrong cell, by column."""
    said: dict[int, str] = {}
    for each in verdict.problems:
        if each.column is not None:
            text = " ".join(filter(None, [each.problem.render("vi")["detail"], _hint(each, kind)]))
            said[each.column] = f"{said[each.column]}\n{text}" if each.column in said else text
    return said
