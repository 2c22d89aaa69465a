"""The workbooks that people really send: each ugliness alone, and all of them in one.

Deterministic: `BOOKS[name]()` gives the bytes of one. `python -m tests.data.make_workbooks FOLDER`
writes them all, to be looked at with a spreadsheet.
"""

import io
import sys
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import xlwt
from openpyxl.styles import Font, PatternFill

from app.workbooks import legacy
from app.workbooks.tables import Encoding

HEADER = ("STT", "Họ và tên", "Ngày sinh", "Số điện thoại", "CCCD", "Địa chỉ", "Nòng cốt")
PEOPLE: tuple[tuple[Any, ...], ...] = (
    ("Nguyễn Thị Hoà", "17/05/1968", "0912345678", "025168001234", "Khu 1", "x"),
    ("Trần Thị Bưởi", "1970", "0912345679", "025170001235", "Khu 1", None),
    ("Đặng Thuý Quỳnh", "05/1982", "0912345670", "025182001236", "Khu 2", None),
    ("Lê Thị Phượng", "01/02/1990", "0912345671", "025190001237", "Khu 2", "x"),
    ("Hoàng Thị Nguyệt", "28/02/1955", None, None, "Khu 3", None),
)
# How each of them is read.
EXPECTED: tuple[dict[str, Any], ...] = (
    {"full_name": "Nguyễn Thị Hoà", "birth_date": "1968-05-17", "phone": "+84912345678"},
    {"full_name": "Trần Thị Bưởi", "birth_date": "1970", "phone": "+84912345679"},
    {"full_name": "Đặng Thuý Quỳnh", "birth_date": "1982-05", "phone": "+84912345670"},
    {"full_name": "Lê Thị Phượng", "birth_date": "1990-02-01", "phone": "+84912345671"},
    {"full_name": "Hoàng Thị Nguyệt", "birth_date": "1955-02-28", "phone": None},
)


def rows() -> list[list[Any]]:
    return [list(HEADER), *([number, *person] for number, person in enumerate(PEOPLE, 1))]


def xlsx(*sheets: Sequence[Sequence[Any]], names: Sequence[str] = ("Sheet1",)) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, content in zip(names, sheets, strict=True):
        sheet = book.create_sheet(name)
        for row in content:
            sheet.append(list(row))
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    book.properties.created = book.properties.modified = datetime(2026, 1, 1)  # noqa: DTZ001  # of the file
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def encoded(text: str, encoding: Encoding) -> str:
    """Unicode text as an old font would have it."""
    if encoding is Encoding.tcvn3:
        table = {letter: chr(byte) for byte, letter in legacy.TCVN3.items()}
    else:
        table = {}
        for written, letter in legacy.VNI.items():
            table.setdefault(letter, written)
    # TCVN3 has no capitals with tones: another font draws them from the small ones.
    return "".join(
        table.get(char) or table.get(char.lower(), char)
        for char in unicodedata.normalize("NFC", text)
    )


def in_font(encoding: Encoding) -> list[list[Any]]:
    return [
        [encoded(cell, encoding) if isinstance(cell, str) else cell for cell in row]
        for row in rows()
    ]


# -- each alone


def plain() -> bytes:
    return xlsx(rows())


def title_block() -> bytes:
    above: list[list[Any]] = [
        ["HỘI LHPN XÃ CẨM KHÊ"],
        ["DANH SÁCH HỘI VIÊN NĂM 2026"],
        [],
        [None, "(Theo mẫu 02)"],
    ]
    return xlsx([*above, *rows()])


def footer() -> bytes:
    below = [
        [None, "Tổng cộng: 5 hội viên"],
        [],
        [None, None, None, None, None, "Cẩm Khê, ngày 05 tháng 3 năm 2026"],
        [None, "NGƯỜI LẬP", None, None, None, "CHỦ TỊCH"],
        [],
        [None, "Phạm Thị Thu", None, None, None, "Đỗ Thị Hiền"],
    ]
    return xlsx([*rows(), *below])


def blank_rows() -> bytes:
    head, *people = rows()
    return xlsx([[], head, [], *[row for person in people for row in (person, [])]])


def numbered_columns() -> bytes:
    head, *people = rows()
    return xlsx([head, [f"({number})" for number in range(1, len(head) + 1)], *people])


def sections() -> bytes:
    head, *people = rows()
    return xlsx([head, ["I", "Chi hội khu 1"], *people[:2], ["II", "Chi hội khu 2"], *people[2:]])


def merged() -> bytes:
    """The header over two rows, an address merged over those who live there."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["DANH SÁCH HỘI VIÊN"])
    sheet.merge_cells("A1:G1")
    sheet.append(["STT", "Họ và tên", "Năm sinh", None, "Liên hệ", None, "Nòng cốt"])
    sheet.append([None, None, "Nam", "Nữ", "Số điện thoại", "Địa chỉ"])
    for letter in "ABG":
        sheet.merge_cells(f"{letter}2:{letter}3")
    sheet.merge_cells("C2:D2")
    sheet.merge_cells("E2:F2")
    for number, (name, born, phone, _, address, core) in enumerate(PEOPLE, 1):
        shown = address if number in (1, 3, 5) else None
        sheet.append([number, name, None, born, phone, shown, core])
    sheet.merge_cells("F4:F5")
    sheet.merge_cells("F6:F7")
    return saved(book)


def several_sheets() -> bytes:
    guide = [["Hướng dẫn"], ["Điền vào trang Hội viên"]]
    return xlsx(guide, rows(), [["x", 1]], names=("Bìa", "Hội viên", "Khác"))


def real_dates() -> bytes:
    head, *people = rows()
    people[0][2], people[3][2] = date(1968, 5, 17), date(1990, 2, 1)
    people[4][2] = datetime(1955, 2, 28)  # noqa: DTZ001  # as Excel has it
    return xlsx([head, *people])


def serials() -> bytes:
    head, *people = rows()
    people[0][2], people[1][2], people[3][2], people[4][2] = 24975, 1970, 32905, 20148
    return xlsx([head, *people])


def lost_zeros() -> bytes:
    head, *people = rows()
    for person in people:
        person[3] = int(person[3]) if person[3] else None
        person[4] = int(person[4]) if person[4] else None
    return xlsx([head, *people])


def decomposed() -> bytes:
    return xlsx(
        [[unicodedata.normalize("NFD", c) if isinstance(c, str) else c for c in r] for r in rows()]
    )


def tcvn3() -> bytes:
    return xlsx(in_font(Encoding.tcvn3))


def vni() -> bytes:
    return xlsx(in_font(Encoding.vni))


def formulas() -> bytes:
    head, *people = rows()
    people[0][5] = '="Khu "&1'
    return xlsx([head, *people])


def shuffled() -> bytes:
    order = (6, 4, 2, 5, 1, 3, 0)
    return xlsx([[row[place] for place in order] for row in rows()])


def english() -> bytes:
    _, *people = rows()
    head = ["No.", "full_name", "birth_date", "phone", "citizen_id", "address", "core"]
    return xlsx([head, *people])


def restyled() -> bytes:
    book = openpyxl.load_workbook(io.BytesIO(plain()))
    sheet = book.active
    assert sheet is not None
    for row in sheet.iter_rows():
        for cell in row:
            cell.font = Font(name="Times New Roman", size=13)
            cell.fill = PatternFill("solid", fgColor="FFFFFF00")
    # Coloured to the far edge and below, with nothing in it.
    sheet["XFD1"].fill = PatternFill("solid", fgColor="FFFFFF00")
    sheet["A90000"].fill = PatternFill("solid", fgColor="FFFFFF00")
    return saved(book)


def xls() -> bytes:
    book = xlwt.Workbook(encoding="utf-8")
    sheet = book.add_sheet("Hội viên")
    for at, row in enumerate(rows()):
        for place, cell in enumerate(row):
            if cell is not None:
                sheet.write(at, place, cell)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def csv(delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    lines = [delimiter.join("" if c is None else str(c) for c in row) for row in rows()]
    text = "\r\n".join(lines) + "\r\n"
    if encoding == "cp1258":
        text = _for_cp1258(text)
    return text.encode(encoding)


def _for_cp1258(text: str) -> str:
    """Tones apart from their letters, as Windows-1258 has them."""
    tones = "\u0300\u0301\u0303\u0309\u0323"
    out = []
    for char in text:
        apart = unicodedata.normalize("NFD", char)
        tone = "".join(mark for mark in apart if mark in tones)
        rest = unicodedata.normalize("NFC", "".join(m for m in apart if m not in tones))
        out.append(rest + tone)
    return "".join(out)


def csv_in_font(encoding: Encoding) -> bytes:
    text = "\n".join(";".join("" if c is None else str(c) for c in r) for r in in_font(encoding))
    return text.encode("latin-1")


def ndjson() -> bytes:
    import json  # noqa: PLC0415  # the one that needs it

    names = ("full_name", "birth_date", "phone", "citizen_id", "address", "core")
    people = [dict(zip(names, person, strict=True)) for person in PEOPLE]
    return "".join(json.dumps(p, ensure_ascii=False) + "\n" for p in people).encode()


# -- all at once


def everything() -> bytes:
    """A title, two header rows, numbered columns, sections, merges, TCVN3, serials, real dates, lost
    zeros, totals and signatures, other sheets; the rows in error are those of `ERRORS`."""
    book = openpyxl.Workbook()
    cover = book.active
    assert cover is not None
    cover.title = "Bìa"
    cover.append(["HỘI LIÊN HIỆP PHỤ NỮ"])
    sheet = book.create_sheet("DS hội viên")
    sheet.append(["HỘI LHPN XÃ CẨM KHÊ"])
    sheet.append(["DANH SÁCH HỘI VIÊN"])
    sheet.merge_cells("A2:H2")
    sheet.append([])
    head = ["STT", "Họ và tên", "Năm sinh", None, "SĐT", "Số CCCD", "Ngày vào Hội", "Địa chỉ"]
    sheet.append([*head, "Ghi chú"])
    sheet.append([None, None, "Nam", "Nữ"])
    sheet.merge_cells("C4:D4")
    sheet.append([f"({n})" for n in range(1, 10)])
    t = Encoding.tcvn3
    lines: list[list[Any]] = [
        ["I", "Chi héi khu 1"],
        [1, encoded("Nguyễn Thị Hoà", t), None, 1968, 912345678, "025168001234", 33000, "Khu 1"],
        [
            2,
            encoded("Trần Thị Bưởi", t),
            None,
            date(1970, 3, 8),
            "0912.345.679",
            25171001235,
            "08/03/1995",
        ],
        [3, encoded("Đặng Thuý Quỳnh", t), None, "05/1982", "123", None, "2010", "Khu 1"],
        [],
        ["II", "Chi héi khu 2"],
        [
            4,
            encoded("Lê Văn Phượng", t),
            "1/2/90",
            None,
            "01682345678",
            None,
            "13/25/1999",
            "Khu 2",
        ],
        [5, encoded("Hoàng Thị Nguyệt", t), None, "00/00/1955", None, None, None, "Khu 2"],
        [6, encoded("Phạm Thị Lụa", t), None, None, None, None, None, "Khu 2"],
        [None, "Tæng céng: 6"],
        [],
        [None, None, None, None, None, None, "Ngày 5 tháng 3 năm 2026"],
        [None, None, None, None, None, None, "Chủ tịch"],
    ]
    for line in lines:
        sheet.append(line)
    sheet.merge_cells("H8:H9")
    return saved(book)


# (row number, column index, code) of all that is wrong in `everything`.
ERRORS = {
    (9, 5, "citizen_id_zero_lost"),
    (10, 4, "phone_invalid"),
    (13, 6, "date_unread"),
    (15, 3, "required"),
}

BOOKS: dict[str, Callable[[], bytes]] = {
    "plain.xlsx": plain,
    "title_block.xlsx": title_block,
    "footer.xlsx": footer,
    "blank_rows.xlsx": blank_rows,
    "numbered_columns.xlsx": numbered_columns,
    "sections.xlsx": sections,
    "merged.xlsx": merged,
    "several_sheets.xlsx": several_sheets,
    "real_dates.xlsx": real_dates,
    "serials.xlsx": serials,
    "lost_zeros.xlsx": lost_zeros,
    "decomposed.xlsx": decomposed,
    "tcvn3.xlsx": tcvn3,
    "vni.xlsx": vni,
    "formulas.xlsx": formulas,
    "shuffled.xlsx": shuffled,
    "english.xlsx": english,
    "restyled.xlsx": restyled,
    "old.xls": xls,
    "comma.csv": csv,
    "semicolon.csv": lambda: csv(";"),
    "tab.csv": lambda: csv("\t", "utf-8-sig"),
    "utf16.csv": lambda: csv("\t", "utf-16"),
    "cp1258.csv": lambda: csv(";", "cp1258"),
    "tcvn3.csv": lambda: csv_in_font(Encoding.tcvn3),
    "vni.csv": lambda: csv_in_font(Encoding.vni),
    "lines.ndjson": ndjson,
    "everything.xlsx": everything,
}


def with_part(book: bytes, name: str, content: bytes) -> bytes:
    """The workbook with one part more, or instead of its own."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(out, "w", 8) as new:
        for part in old.namelist():
            if part != name:
                new.writestr(part, old.read(part))
        new.writestr(name, content)
    return out.getvalue()


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in BOOKS.items():
        (folder / name).write_bytes(make())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
