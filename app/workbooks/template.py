"""The empty workbook to fill in: columns of text, lists to choose from, an example and a guide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.workbooks import guards, headers
from app.workbooks.headers import FieldSpec
from app.workbooks.new_books import BOOK
from app.workbooks.tables import EXAMPLE, Kind

if TYPE_CHECKING:
    import xlsxwriter
    from xlsxwriter.worksheet import Worksheet

_ROWS: Final = 5_000
_WIDEST: Final = 45
_LIST, _GUIDE, _CODES = "Danh sách", "Hướng dẫn", "Danh mục"
_KINDS: Final = {
    "uuid": "mã của hệ thống",
    "name": "chữ",
    "text": "chữ",
    "birth_date": "ngày/tháng/năm, tháng/năm hoặc năm",
    "day": "ngày/tháng/năm",
    "known_day": "ngày/tháng/năm, tháng/năm hoặc năm",
    "any_day": "ngày/tháng/năm",
    "code": "chọn trong danh mục",
    "yes_no": "x hoặc để trống",
    "phone": "số điện thoại, 10 chữ số",
    "citizen_id": "12 chữ số",
    "id_card": "9 chữ số",
    "number": "số",
    "unit": "tên hoặc mã đơn vị",
    "term": "năm đầu - năm cuối",
}
_RULES: Final = (
    "Không đổi tên trang tính hay gộp ô. Được đổi thứ tự cột, bỏ cột không dùng; cột lạ được hỏi lại.",
    "Cột có dấu * là bắt buộc. Xoá dòng ví dụ, hoặc để nguyên: dòng đó không được nhập.",
    "Các ô đều ở định dạng Văn bản, nên số 0 ở đầu số điện thoại và số định danh được giữ.",
    "Dán dữ liệu từ tệp khác: chọn Dán giá trị (Paste Values) để giữ định dạng.",
    "Tệp được trả lại với các cột Kết quả, Lỗi, Gợi ý, Mã. Sửa ô màu hồng, không sửa cột Mã.",
    "Gửi lại chính tệp đó: chỉ những dòng đã sửa thay đổi.",
)


def write(kind: Kind, target: Path, *, units: Sequence[str] = ()) -> None:
    """The template of a kind. `units`: names to choose from in the column of the branch or unit."""
    import xlsxwriter

    columns = [spec for spec in headers.fields(kind).values() if spec.example is not None]
    with xlsxwriter.Workbook(str(target), BOOK | {"constant_memory": False}) as book:
        book.set_properties({"title": headers.title(kind)})
        _write_list(book, columns, kind, units)
        _write_guide(book, columns, kind)


def _write_list(
    book: xlsxwriter.Workbook, columns: Sequence[FieldSpec], kind: Kind, units: Sequence[str]
) -> None:
    sheet = book.add_worksheet(_LIST)
    codes = book.add_worksheet(_CODES)
    codes.hide()
    text = book.add_format({"num_format": "@"})
    head = book.add_format(
        {"bold": True, "num_format": "@", "bg_color": "#E2EFDA", "border": 1, "text_wrap": True}
    )
    example = book.add_format({"italic": True, "num_format": "@", "font_color": "#7F7F7F"})
    lists = 0
    for place, spec in enumerate(columns):
        name = f"{spec.vi} *" if spec.required else spec.vi
        width = min(max(len(name), len(spec.example or "")) + 4, _WIDEST)
        sheet.set_column(place, place, width, text)
        sheet.write_string(0, place, name, head)
        if spec.note:
            sheet.write_comment(0, place, spec.note)
        shown = f"{EXAMPLE}không nhập)" if spec.field == "id" else spec.example
        if shown:
            sheet.write_string(1, place, shown, example)
        choices = _choices(spec, kind, units)
        if choices:
            _offer(sheet, codes, place, lists, spec.vi, choices)
            lists += 1
    sheet.freeze_panes(1, 0)


def _choices(spec: FieldSpec, kind: Kind, units: Sequence[str]) -> Sequence[str]:
    if spec.list is not None:
        return [vi for _, vi in headers.code_list(kind, spec.list)]
    return list(units) if spec.field in ("branch", "unit") else ()


def _offer(
    sheet: Worksheet, codes: Worksheet, place: int, at: int, name: str, choices: Sequence[str]
) -> None:
    """A drop-down. Another value may be typed: the import understands more than the list."""
    codes.write_string(0, at, name)
    for number, choice in enumerate(choices, 1):
        codes.write_string(number, at, choice)
    letter = guards.letter(at)
    sheet.data_validation(
        1,
        place,
        _ROWS,
        place,
        {
            "validate": "list",
            "source": f"='{_CODES}'!${letter}$2:${letter}${len(choices) + 1}",
            "error_type": "warning",
            "error_title": name[:32],
            "error_message": "Giá trị này không có trong danh mục. Vẫn giữ?",
        },
    )


def _write_guide(book: xlsxwriter.Workbook, columns: Sequence[FieldSpec], kind: Kind) -> None:
    sheet = book.add_worksheet(_GUIDE)
    title = book.add_format({"bold": True, "font_size": 14})
    head = book.add_format({"bold": True, "border": 1, "bg_color": "#E2EFDA"})
    text = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 30, text)
    sheet.set_column(1, 1, 12, text)
    sheet.set_column(2, 4, 40, text)
    sheet.write_string(0, 0, f"Hướng dẫn: {headers.title(kind)}", title)
    plain = book.add_format({"num_format": "@"})
    for number, rule in enumerate(_RULES, 2):
        sheet.write_string(number, 0, f"{number - 1}. {rule}", plain)
    row = len(_RULES) + 3
    for place, name in enumerate(("Tên cột", "Bắt buộc", "Cách ghi", "Ví dụ", "Ghi chú")):
        sheet.write_string(row, place, name, head)
    for spec in columns:
        row += 1
        said = _KINDS[spec.type]
        if spec.list is not None:
            labels = [vi for _, vi in headers.code_list(kind, spec.list)]
            said = f"{said}: {', '.join(labels)}"
        told = (spec.vi, "có" if spec.required else "", said, spec.example or "", spec.note or "")
        for place, each in enumerate(told):
            sheet.write_string(row, place, each, text)
