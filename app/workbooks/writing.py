"""Files that go back: their own workbook with a verdict on each row, and the rows in error alone.

An xlsx keeps its sheets, widths, fonts and formulas: four columns are added to its list, the wrong
cells are coloured and carry a comment. Of an xls, a csv and an ndjson a new xlsx is made. No cell
of ours is a formula.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.workbooks.rows import RowProblem

Result = Literal["created", "updated", "same", "duplicate", "error", "skipped"]

# What the column Kết quả says; before the import is applied, what would be done.
RESULTS: Final[dict[Result, tuple[str, str]]] = {
    "created": ("Đã thêm mới", "Sẽ thêm mới"),
    "updated": ("Đã cập nhật", "Sẽ cập nhật"),
    "same": ("Không thay đổi", "Không thay đổi"),
    "duplicate": ("Có thể trùng", "Có thể trùng"),
    "error": ("Lỗi", "Lỗi"),
    "skipped": ("Bỏ qua", "Bỏ qua"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one row. `id` goes to the column `Mã`, by which the row is known when it comes
    back; `hint` is said besides the hints of the problems (whom it may duplicate)."""

    result: Result
    id: str | None = None
    problems: Sequence[RowProblem] = ()
    hint: str | None = None
