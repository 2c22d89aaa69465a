"""Any list: a layout, headings, ways to write values, faults and a kind of file, drawn by a seed."""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from tests.workbooks.wild import files
from tests.workbooks.wild.sheets import (
    Book,
    Column,
    Sheet,
    Woman,
    column,
    expected,
    women,
)

HEADINGS: dict[str, tuple[str, ...]] = {
    "number": ("STT", "TT", "Số TT"),
    "full_name": (
        *("Họ và tên", "Họ tên", "HỌ VÀ TÊN", "Họ và tên hội viên", "Họ tên người tham gia"),
        *("Họ và tên đồng chí", "Tên tổ viên", "Người tham dự", "Hội viên"),
    ),
    "birth_date": ("Ngày sinh", "Năm sinh", "Ngày, tháng, năm sinh", "NGÀY SINH", "NS"),
    "branch": ("Chi hội", "CHI HỘI", "Tên chi hội", "Thuộc chi hội", "Ở khu nào", "Địa bàn"),
    "phone": ("Số điện thoại", "Điện thoại", "SĐT", "ĐT", "SĐT Zalo", "ĐT/Zalo", "Số máy cá nhân"),
    "citizen_id": ("CCCD", "Số CCCD", "Số căn cước công dân"),
    "address": ("Địa chỉ", "Nơi ở hiện nay"),
    "occupation": ("Nghề nghiệp",),
    "ethnicity": ("Dân tộc",),
}
OPTIONAL = ("phone", "citizen_id", "address", "occupation", "ethnicity")

Rows = list[Woman]
Layout = Callable[[Random, Sequence[Column], Rows], list[Sheet]]
Write = Callable[[Sequence[Sheet]], bytes]


def _plain(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    return [Sheet().table(columns, people)]


def _without_header(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    """As it is typed on a phone."""
    kept = ("full_name", "birth_date", "branch")
    return [Sheet().add([each for each in columns if each.shows in kept], people)]


def _titled(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    sheet = Sheet()
    for title in ("HỘI LHPN XÃ PHƯỢNG VĨ", "DANH SÁCH HỘI VIÊN", "Năm 2026")[: draw.randint(1, 3)]:
        sheet.line(title)
    for _ in range(draw.randint(0, 2)):
        sheet.line()
    return [sheet.table(columns, people)]


def _with_gaps(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    sheet = Sheet().head(columns)
    for number, woman in enumerate(people, 1):
        if draw.random() < 0.3:
            sheet.line()
        sheet.add(columns, [woman], at=number)
    return [sheet]


def _in_pages(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    sheet, length = Sheet(), draw.randint(1, 4)
    for start in range(0, len(people), length):
        sheet.head(columns).add(columns, people[start : start + length], at=start + 1)
    return [sheet]


def _in_sections(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    sheet = Sheet().head(columns)
    for place, (khu, section) in enumerate(_sections(people)):
        sheet.line("I" * (place + 1), f"Chi hội khu {khu}").add(columns, section)
        if draw.random() < 0.5:
            sheet.line(None, f"Cộng: {len(section)} hội viên")
    return [sheet]


def _with_end(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    sheet = Sheet().table(columns, people)
    sheet.line(None, f"Tổng cộng: {len(people)} hội viên").line()
    sheet.line(None, "NGƯỜI LẬP", None, "CHỦ TỊCH").line()
    return [sheet.line(None, "Phạm Thị Thu", None, "Đỗ Thị Hiền")]


def _in_tables(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    sheet = Sheet()
    for khu, section in _sections(people):
        order = [columns[0], *draw.sample(columns[1:], len(columns) - 1)]
        sheet.line(f"DANH SÁCH HỘI VIÊN CHI HỘI KHU {khu}").table(order, section).line()
    return [sheet]


def _in_sheets(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    return [Sheet(f"Khu {khu}").table(columns, section) for khu, section in _sections(people)]


def _under_side_titles(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    sheet = Sheet()
    sheet.line("HỘI LHPN XÃ PHƯỢNG VĨ", None, None, "CỘNG HOÀ XÃ HỘI CHỦ NGHĨA VIỆT NAM")
    sheet.line(None, None, None, "Độc lập - Tự do - Hạnh phúc")
    sheet.line(None, None, "DANH SÁCH HỘI VIÊN").line()
    return [sheet.table(columns, people)]


def _of_one_branch(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    """The branch in the title alone, beside the words of the state; a group at the end."""
    without = [each for each in columns if each.shows != "branch"]
    khu, section = _sections(people)[0]
    beside = ("Độc lập - Tự do - Hạnh phúc", "Phượng Vĩ, ngày 5 tháng 6 năm 2025", None)
    sheet = Sheet().line(f"CHI HỘI KHU {khu}", None, draw.choice(beside))
    sheet.line("DANH SÁCH HỘI VIÊN").table(without, section[:1], branch=khu)
    sheet.line(None, draw.choice(("Hội viên được miễn hội phí", "Hội viên mới kết nạp")))
    return [sheet.add(without, section[1:], branch=khu)]


def _with_day_parts(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    """Day, month and year of birth in columns of their own."""
    headings = draw.choice((("Ngày sinh", "Tháng sinh", "Năm sinh"), ("Ngày", "Tháng", "Năm sinh")))
    parts = [Column(h, f"birth_{n}", ("birth_date",)) for n, h in enumerate(headings)]
    place = next(i for i, each in enumerate(columns) if each.shows == "birth_date")
    apart = [*columns[:place], *parts, *columns[place + 1 :]]
    return [Sheet().table(apart, map(_in_parts, people))]


def _in_parts(woman: Woman) -> Woman:
    year, *rest = str(woman.stored["birth_date"]).split("-")
    shown = [*(int(each) for each in reversed(rest)), int(year)]
    for place, part in enumerate([*[None] * (3 - len(shown)), *shown]):
        woman = woman.but(f"birth_{place}", part)
    return woman


def _in_pages_of_sections(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    sheet = Sheet()
    for place, (khu, section) in enumerate(_sections(people)):
        sheet.line(f"{place + 1}. Chi hội khu {khu}")
        for start in range(0, len(section), 3):
            sheet.head(columns).add(columns, section[start : start + 3], at=start + 1)
    return [sheet]


def _in_all_ways(draw: Random, columns: Sequence[Column], people: Rows) -> list[Sheet]:
    """A sheet for each branch, some of two tables; before and behind them sheets that are no list."""
    without = [each for each in columns if each.shows != "branch"]
    sheets = []
    for khu, section in _sections(people):
        sheet, cut = Sheet(f"Khu {khu}"), draw.randint(1, len(section))
        for rows in filter(None, (section[:cut], section[cut:])):
            order = [without[0], *draw.sample(without[1:], len(without) - 1)]
            if draw.random() < 0.5 or rows is not section[:cut]:
                sheet.line(f"DANH SÁCH HỘI VIÊN CHI HỘI KHU {khu}").line()
            sheet.table(order, rows, branch=khu).line(None, f"Cộng: {len(rows)}").line()
        sheets.append(sheet)
    totals = Sheet("Tổng hợp").line("STT", "Chi hội", "Số hội viên").line(1, "Khu 1", len(people))
    return [*sheets, totals, Sheet("Ghi chú").line("Lập ngày 1/3").line().line("Còn thiếu 2 chị")]


def _sections(people: Rows) -> list[tuple[int, Rows]]:
    """Those of each branch, one branch after another."""
    numbers = sorted({woman.stored["branch"] for woman in people})
    return [(n, [woman for woman in people if woman.stored["branch"] == n]) for n in numbers]


LAYOUTS: dict[str, Layout] = {
    "plain": _plain,
    "without a header": _without_header,
    "titled": _titled,
    "with gaps": _with_gaps,
    "in pages": _in_pages,
    "in sections": _in_sections,
    "with an end": _with_end,
    "in tables": _in_tables,
    "in sheets": _in_sheets,
    "under side titles": _under_side_titles,
    "of one branch": _of_one_branch,
    "with day parts": _with_day_parts,
    "in pages of sections": _in_pages_of_sections,
    "in all ways": _in_all_ways,
}
FILES: dict[str, Write] = {
    "xlsx": lambda sheets: files.xlsx(*sheets),
    "xls": lambda sheets: files.xls(*sheets),
    "ods": lambda sheets: files.ods(*sheets),
    "utf-8.csv": files.csv_as("utf-8-sig"),
    "utf-16.csv": files.csv_as("utf-16", "\t"),
    "windows-1258.csv": files.csv_as("cp1258", ","),
    "tcvn3.csv": files.csv_as("tcvn3"),
    "vntime.xlsx": files.vntime,
}


# -- how a value is written, and what is wrong with it


def _year_alone(draw: Random, woman: Woman) -> Woman:
    year = str(woman.stored["birth_date"])[:4]
    return woman.but("birth_date", draw.choice((year, int(year))), birth_date=year)


def _month(draw: Random, woman: Woman) -> Woman:
    year, month, _ = str(woman.stored["birth_date"]).split("-")
    return woman.but("birth_date", f"{month}/{year}", birth_date=f"{year}-{month}")


def _year_noted(draw: Random, woman: Woman) -> Woman:
    year = str(woman.stored["birth_date"])[:4]
    ways = (f"sn {year}", f"{year} (68t)", f".../.../{year}", f"{year} - 68 tuổi")
    return woman.but("birth_date", draw.choice(ways), birth_date=year)


def _branch_at_length(draw: Random, woman: Woman) -> Woman:
    khu = woman.stored["branch"]
    ways = (f"Khu {khu} Phượng Vĩ", f"Xã Phượng Vĩ > Chi hội khu {khu}", f"Khu {khu}, xã Phượng Vĩ")
    return woman.but("branch", draw.choice(ways))


def _coded(draw: Random, woman: Woman) -> Woman:
    return woman.but("ethnicity", draw.choice(("01 - Kinh", "Kinh (01)", "1. Kinh")))


def _dotted(draw: Random, woman: Woman) -> Woman:
    return woman.but("birth_date", str(woman.written["birth_date"]).replace("/", "."))


def _spaced_phone(draw: Random, woman: Woman) -> Woman:
    phone = str(woman.written["phone"])
    return woman.but("phone", draw.choice((" ", ".")).join((phone[:4], phone[4:7], phone[7:])))


def _capitals(draw: Random, woman: Woman) -> Woman:
    return woman.but("full_name", str(woman.written["full_name"]).upper())


def _hard_spaces(draw: Random, woman: Woman) -> Woman:
    return woman.but("full_name", str(woman.written["full_name"]).replace(" ", "\u00a0"))


def _no_phone(draw: Random, woman: Woman) -> Woman:
    return woman.but("phone", draw.choice((None, "", "không có")), phone=None)


# By field, of which one is drawn for some women.
WAYS = {
    "birth_date": (_year_alone, _month, _dotted, _year_noted),
    "branch": (_branch_at_length,),
    "ethnicity": (_coded,),
    "phone": (_spaced_phone, _no_phone),
    "full_name": (_capitals, _hard_spaces),
}


class Drawn(NamedTuple):
    """A book, its sheets as they stand, and what was drawn for it."""

    book: Book
    sheets: list[Sheet]
    layout: str
    file: str


def drawn(
    seed: int, *, layouts: Sequence[str] = tuple(LAYOUTS), kinds: Sequence[str] = tuple(FILES)
) -> Drawn:
    """The list of a seed, of one of these layouts in one of these kinds of file."""
    draw = Random(seed)
    layout, file = draw.choice(layouts), draw.choice(kinds)
    fields = [f for f in OPTIONAL if draw.random() < 0.6]
    draw.shuffle(fields)
    names = ("number", "full_name", "birth_date", "branch", *fields)
    columns = [column(draw.choice(HEADINGS[name]), name) for name in names]
    people = [_in_some_way(draw, woman) for woman in women(draw.randint(2, 12), f"drawn {seed}")]
    sheets = LAYOUTS[layout](draw, columns, people)
    if file.endswith("csv"):
        sheets = sheets[:1]  # it has no others
    name = f"{seed}.{file.rpartition('.')[2]}"
    return Drawn(Book(name, FILES[file](sheets), expected(sheets)), sheets, layout, file)


def _in_some_way(draw: Random, woman: Woman) -> Woman:
    for ways in WAYS.values():
        if draw.random() < 0.3:
            woman = draw.choice(ways)(draw, woman)
    return woman
