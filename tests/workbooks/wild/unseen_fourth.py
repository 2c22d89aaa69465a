"""Twelve more books, by hands that have seen neither the reader nor any book it was mended by.

Declared and measured as those of `unseen`, whose docstring says what their share tells. Of each
book: who keeps it, and how it came to look so.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import openpyxl

from tests.workbooks.wild import files
from tests.workbooks.wild.cells import (
    as_day,
    of_year,
    renamed,
    to_wait,
    write_cells,
    year_of,
)
from tests.workbooks.wild.sheets import (
    NAME,
    NUMBER,
    Cell,
    Column,
    Sheet,
    Woman,
    column,
    women,
)
from tests.workbooks.wild.shelf import Shelf

UNSEEN_FOURTH = Shelf({})
NOTE = column("Ghi chú", "note")
_ROMAN = ("I", "II", "III", "IV")
# One column for the old card (9 digits) and the new (12).
EITHER_CARD = ("citizen_id", "id_card")


def _name(woman: Woman) -> str:
    return str(woman.stored["full_name"])


def _phone(woman: Woman) -> str:
    return str(woman.written["phone"])


def _card(woman: Woman) -> str:
    return str(woman.stored["citizen_id"])


def _day(woman: Woman, name: str = "birth_date") -> date:
    return date.fromisoformat(woman.stored[name])


def _short(day: date, sign: str = "/") -> str:
    """Without zeros: 5/3/1970."""
    return f"{day.day}{sign}{day.month}{sign}{day.year}"


def _all(people: list[Woman], name: str, cell: Callable[[Woman], Cell]) -> None:
    people[:] = [woman.but(name, cell(woman)) for woman in people]


def _called(people: list[Woman], names: Mapping[int, str]) -> None:
    for place, name in names.items():
        before, _, last = name.rpartition(" ")
        woman = renamed(people[place], "{n}", name).but("surname", before)
        people[place] = woman.but("given_name", last)


def _days_of_all_kinds(people: list[Woman], name: str = "birth_date") -> None:
    """Every other day is among the first twelve of its month, so that it could be a month too."""
    for place, woman in enumerate(people):
        if place % 2:
            day = _day(woman, name)
            day = day.replace(day=(day.day * 5 + place) % 12 + 1)
            people[place] = woman.but(name, f"{day:%d/%m/%Y}", **{name: day.isoformat()})


def _born_in(woman: Woman, year: int) -> Woman:
    """Another year of birth, and the card that belongs to it."""
    day = _day(woman).replace(year=year)
    card = f"025{1 if year < 2000 else 3}{year % 100:02}{_card(woman)[6:]}"
    woman = woman.but("birth_date", f"{day:%d/%m/%Y}", birth_date=day.isoformat())
    return woman.but("citizen_id", card, citizen_id=card)


def _with_old_card(woman: Woman, written: str = "{n}") -> Woman:
    number = f"131{_card(woman)[6:]}"
    shown = written.format(n=number, dots=f"{number[:3]}.{number[3:6]}.{number[6:]}")
    return woman.but("citizen_id", shown, citizen_id=None, id_card=number)


def _no(woman: Woman, *names: str) -> Woman:
    for name in names:
        woman = woman.but(name, None, **{name: None})
    return woman


def _xlsx_with(change: Callable[[openpyxl.Workbook], None]) -> Callable[[Sequence[Sheet]], bytes]:
    """What the sheets do not say, done to the finished file."""

    def make(sheets: Sequence[Sheet]) -> bytes:
        book = openpyxl.load_workbook(io.BytesIO(files.xlsx(*sheets)))
        change(book)
        out = io.BytesIO()
        book.save(out)
        return out.getvalue()

    return make


def _filtered_by_sex(book: openpyxl.Workbook) -> None:
    book.worksheets[0].auto_filter.ref = "A9:L45"
    book.worksheets[0].auto_filter.add_filter_column(4, ["Nữ"])


@UNSEEN_FOURTH.book("BHYT ho gia dinh khu 2 - loc nu.xlsx", _xlsx_with(_filtered_by_sex))
def _of_health_insurance(name: str) -> Sheet:
    """The head of khu 2 collects the fees for health insurance too: her collector's list, the men
    filtered away. The insurance's own number has ten digits and is neither phone nor card."""
    people = women(30, name)
    _days_of_all_kinds(people)
    _called(people, {3: "Nguyễn Thị Lan Anh", 11: "Hà Thị Cẩm Vân", 20: "Đinh Thị Én"})
    _all(people, "insurance", lambda w: f"25{_phone(w)[:1:-1]}")
    _all(people, "address", lambda _: "Khu 2, Phượng Vĩ, Cẩm Khê, Phú Thọ")
    people = [replace(w, stored={**w.stored, "address": w.written["address"]}) for w in people]
    for place in (2, 9, 14, 21, 27):
        people[place] = of_year(people[place])
    for place in (4, 12, 23):
        people[place] = as_day(people[place], "birth_date")
    born = _day(people[17])
    people[17] = people[17].but("birth_date", f"{born:%m/%Y}", birth_date=f"{born:%Y-%m}")
    for place in (5, 13, 19, 26):
        people[place] = people[place].but("citizen_id", int(_card(people[place])))
    for place in (2, 14, 21):
        people[place] = _with_old_card(people[place])
    for place in (7, 15):
        people[place] = people[place].but("citizen_id", f"'{_card(people[place])}")
    people[9] = _no(people[9], "citizen_id", "phone")
    for place in (14, 18):
        people[place] = _no(people[place], "phone")
    people[28] = people[28].but("phone", f"{_phone(people[28])} (con dâu)")
    people[29] = people[29].but("phone", f"{_phone(people[29])}; 0384 112 907").with_sign()
    sums = (972_000, 680_400, 583_200)
    for place, each in enumerate(people):
        woman = each.but("sum", sums[place % 3]).but("clinic", "TYT xã Phượng Vĩ")
        people[place] = woman.but("from", f"01/{place % 11 + 2:02}/2023")
    write_cells(people, "note", {0: "Đã nhận thẻ", 6: "Hộ cận nghèo, NN hỗ trợ 70%", 16: "Gia hạn"})
    columns = [
        NUMBER,
        column("Họ và tên", "full_name"),
        column("Mã số BHXH", "insurance"),
        column("Ngày, tháng, năm sinh", "birth_date"),
        column("Giới tính", "gender"),
        Column("Số CCCD/ CMND/ Mã định danh", "citizen_id", EITHER_CARD),
        column("Địa chỉ nơi ở", "address"),
        column("Nơi ĐK KCB ban đầu", "clinic"),
        column("Thẻ có giá trị từ ngày", "from"),
        column("Số tiền đóng", "sum"),
        column("Điện thoại liên hệ", "phone"),
        NOTE,
    ]
    men = {
        4: ("Nguyễn Văn Thắng", "2551234567", "12/04/1966"),
        9: ("Trần Đức Lợi", "2551234571", "1958"),
        10: ("Lương Văn Khánh", "2551234580", "27/09/1990"),
        18: ("Quách Công Minh", "2551234599", "01/01/1974"),
        25: ("Hà Văn Tiến", "2551234604", "16/08/1949"),
        33: ("Khổng Minh Đức", "2551234611", "30/05/2001"),
    }
    sheet = Sheet("D03_Khu2")
    sheet.line("BẢO HIỂM XÃ HỘI HUYỆN CẨM KHÊ", *[None] * 8, "Mẫu: D03-TS")
    sheet.line("TỔ CHỨC DỊCH VỤ THU: HỘI LHPN XÃ PHƯỢNG VĨ").line()
    sheet.line("DANH SÁCH NGƯỜI THAM GIA BHYT THEO HỘ GIA ĐÌNH", merged="A:L")
    sheet.line("Năm 2023 - Khu 2, xã Phượng Vĩ", merged="A:L")
    sheet.line("(Lọc riêng hội viên phụ nữ)", merged="A:L").line()
    sheet.head(columns).line(*"AB", *(f"({n})" for n in range(1, 11)))
    waiting = iter(people)
    for number in range(1, len(people) + len(men) + 1):
        if number in men:
            man, code, born_on = men[number]
            where = "Khu 2, Phượng Vĩ, Cẩm Khê, Phú Thọ"
            sheet.line(number, man, code, born_on, "Nam", None, where, None, None, sums[0])
            sheet.hidden.add(sheet.last)
        else:
            sheet.add(columns, [next(waiting)], at=number, branch=2)
    sheet.line(None, "Cộng:", *[None] * 7, 10 * sum(sums))
    sheet.line(None, "Bằng chữ: Hai mươi hai triệu ba trăm năm mươi sáu nghìn đồng").line()
    sheet.line(None, "NGƯỜI NỘP", *[None] * 6, "Phượng Vĩ, ngày 28 tháng 12 năm 2023")
    sheet.line(*[None] * 8, "NHÂN VIÊN THU").line().line()
    return sheet.line(*[None] * 8, "Lương Thị Bích Liên")


@UNSEEN_FOURTH.book("To TK&VV ba Nghiem Thi Yen 31.12.2022.xls")
def _of_borrowers(name: str) -> Sheet:
    """Kept by the head of a savings-and-loan group for the bank of social policies: by programme,
    husbands beside the names, and who has two loans stands twice."""
    people = women(24, name)
    _all(people, "branch", lambda _: 3)
    people = [replace(w, stored={**w.stored, "branch": 3}) for w in people]
    for place in (7, 15, 22):
        people[place] = people[place].but("branch", 4, branch=4)
    for place, each in enumerate(people):
        year, joined = year_of(each), min(2022, year_of(each, "joined_on"))
        woman = of_year(each, "birth_date", year % 100 if place in (3, 10, 18) else year)
        people[place] = woman.but("joined_on", joined, joined_on=str(joined))
    husbands = {1: "Hùng", 4: "Tuấn", 8: "ô. Thành", 13: "Sơn", 19: "chồng Bình"}
    for place, husband in husbands.items():
        people[place] = renamed(people[place], f"{{n}} ({husband})")
    for place in (0, 6, 9, 16):
        people[place] = _with_old_card(people[place], "{dots}")
    for place in (2, 12):
        card = _card(people[place])
        people[place] = people[place].but("citizen_id", f"{card[:3]} {card[3:6]} {card[6:]}")
    for place, each in enumerate(people):
        digits = _phone(each)
        shown = (digits, f"{digits[:4]}.{digits[4:7]}.{digits[7:]}", int(digits))[place % 3]
        card_of = 2021 if each.stored["citizen_id"] else 2011
        woman = each.but("phone", shown).but("issued_on", date(card_of, place % 9 + 1, 4 + place))
        woman = woman.but("lent_on", date(2019 + place % 4, place % 12 + 1, 3 + place))
        woman = woman.but("lent", (50, 80, 100)[place % 3]).but("owed", (50, 65, 20)[place % 3])
        people[place] = woman.but("use", ("Chăn nuôi bò", "Trồng chè", "Nuôi cá")[place % 3])
    for place in (5, 17):
        people[place] = _no(people[place], "phone")
    write_cells(people, "joined_on", {9: "chưa nhớ", 20: None}, joined_on=None)
    again = [people[1], people[12]]
    again = [w.but("lent", 20).but("owed", 20).but("use", "Nước sạch").to_decide() for w in again]
    columns = [
        column("TT", "number"),
        column("Họ tên tổ viên", "full_name"),
        column("NS", "birth_date"),
        Column("CMND/CCCD", "citizen_id", EITHER_CARD),
        column("Ngày cấp", "issued_on"),
        column("Khu", "branch"),
        column("Ngày vay", "lent_on"),
        column("Số tiền vay (tr.đ)", "lent"),
        column("Dư nợ (tr.đ)", "owed"),
        column("Mục đích sử dụng", "use"),
        column("HV phụ nữ từ năm", "joined_on"),
        column("ĐT", "phone"),
        column("Ký tên"),
    ]
    sheet = Sheet("To 0831902").line("NGÂN HÀNG CHÍNH SÁCH XÃ HỘI", *[None] * 6, "Mẫu số 13/TD")
    sheet.line("PGD huyện Cẩm Khê").line()
    sheet.line(None, "DANH SÁCH TỔ VIÊN TỔ TIẾT KIỆM VÀ VAY VỐN ĐẾN 31/12/2022")
    sheet.line(None, "Tổ trưởng: Nghiêm Thị Yến   Mã tổ: 0831902   Hội quản lý: Hội Phụ nữ")
    sheet.line(None, "Địa bàn: khu 3, xã Phượng Vĩ").line().head(columns)
    parts = (
        ("I", "Cho vay hộ nghèo", people[:7]),
        ("II", "Cho vay hộ cận nghèo", people[7:15]),
        ("III", "Cho vay hộ mới thoát nghèo", people[15:]),
        ("IV", "Nước sạch & VSMTNT", again),
    )
    for roman, programme, group in parts:
        sheet.line(roman, programme).add(columns, group)
        sums = [sum(int(str(w.written[key])) for w in group) for key in ("lent", "owed")]
        sheet.line(None, f"Cộng {roman}", *[None] * 5, *sums)
    sheet.line(None, "TỔNG CỘNG (I+II+III+IV): 26 món vay / 24 tổ viên").line()
    sheet.line(None, "XÁC NHẬN CỦA HỘI LHPN XÃ", *[None] * 6, "TỔ TRƯỞNG")
    return sheet.line().line(*[None] * 8, "Nghiêm Thị Yến")


_STEMS = ("Canh", "Tân", "Nhâm", "Quý", "Giáp", "Ất", "Bính", "Đinh", "Mậu", "Kỷ")
_SIGNS = (
    *("Thân", "Dậu", "Tuất", "Hợi", "Tý", "Sửu"),
    *("Dần", "Mão", "Thìn", "Tỵ", "Ngọ", "Mùi"),
)


def _lunar(year: int) -> str:
    return f"{_STEMS[year % 10]} {_SIGNS[year % 12]}"


@UNSEEN_FOURTH.book("Tổng hợp Zalo nhóm PN khu 1 - Trang tính1.csv", files.csv_as("utf-8", ","))
def _of_a_group_chat(name: str) -> Sheet:
    """The deputy of khu 1 asked in the group of Zalo and pasted each answer into Google Sheets:
    the name in Zalo is not the name, flowers and invisible characters came along."""
    people = women(23, name)
    for place in (1, 6, 12, 16, 20):
        people[place] = _born_in(people[place], 1996 + place % 7)
    _called(people, {5: "Nguyễn Thị Thu Hà", 14: "Vi Thị Phương Thảo"})
    nicknames = (
        *("Hoa Cỏ May", "Mẹ Bin Bon", "Yến Spa", "Bà Nội Cún", "Lan Tạp Hoá", "Hà Nguyễn"),
        *("Thảo Nguyên Xanh", "Chị Cả", "Bống", "Trà Đá Khu 1", "Nắng Mai", "Đào Khổng"),
        *("Mưa Hạ", "Gấm", "Thảo Vi", "Mỹ Phẩm Ước Kiều", "Mẹ Tôm", "Sửu Đồng Nát", "Cỏ Dại"),
        *("Thuỷ Trường MN", "Bưởi Diễn", "Ngoãn NT", "Quỳnh May"),
    )
    _days_of_all_kinds(people)
    for place, each in enumerate(people):
        year, day = year_of(each), _day(each)
        ways: list[tuple[Cell, str]] = [
            (year, f"{year}"),
            (f"{_short(day)}", day.isoformat()),
            (f"{year} ({_lunar(year)})", f"{year}"),
            (f"{day.month}/{year}", f"{day:%Y-%m}"),
            (f"{_short(day, '.')}", day.isoformat()),
            (f"sinh năm {year}", f"{year}"),
        ]
        shown, born = ways[place % 6]
        woman = each.but("birth_date", shown, birth_date=born)
        woman = woman.but("at", f"{18 + place // 12}:{place * 7 % 60:02} 12/09/2025")
        woman = woman.but("nickname", nicknames[place])
        people[place] = woman.but("answer", ("Có", "Có ạ", "Em bận ca đêm", "Không")[place % 4])
    for place, shown in ((0, "{n} 🌸"), (4, "{n}\u200b"), (9, "❤️ {n}"), (13, "\ufeff{n}")):
        people[place] = renamed(people[place], shown)
    for place in (2, 7, 17):
        people[place] = people[place].but("full_name", _name(people[place]).lower())
    people[11] = people[11].but("full_name", _name(people[11]).upper())
    for place in (3, 8):
        digits = _phone(people[place])
        people[place] = people[place].but("phone", f"\u200e+84 {digits[1:4]} {digits[4:]}")
    digits = _phone(people[10])
    people[10] = people[10].but("phone", f"{digits} zalo chồng")
    people[15] = people[15].but("phone", "chưa có", phone=None)
    people[19] = people[19].but("birth_date", "hỏi lại sau").to_decide()
    digits = _phone(people[5])
    again = people[5].but("at", "20:41 13/09/2025").but("answer", "Có, em đổi được ca rồi")
    again = again.but("phone", f"{digits[:4]} {digits[4:7]} {digits[7:]}").to_decide()
    columns = [
        column("Gửi lúc", "at"),
        column("Tên trên Zalo", "nickname"),
        column("Có tham gia lớp nấu ăn 20/10 không?", "answer"),
        column("Họ tên thật", "full_name"),
        column("Năm sinh (hoặc ngày sinh)", "birth_date"),
        column("Số đt", "phone"),
    ]
    sheet = Sheet().line("Nhóm Zalo PHỤ NỮ KHU 1 PHƯỢNG VĨ ❤️").head(columns)
    sheet.add(columns, [*people, again], branch=1).line()
    sheet.line("Có: 12 phiếu", None, "Bận: 6 phiếu", "Không: 5 phiếu")
    return sheet.line("CH phó nhắc: chị em chưa trả lời nhắn riêng em nhé")


def _annex_columns(mark: str) -> list[Column]:
    def tick(heading: str, shows: str, value: str) -> Column:
        return Column(heading, shows, (shows,), ticked=value, mark=mark)

    return [
        NUMBER,
        NAME,
        column("Ngày, tháng, năm sinh", "birth_date"),
        tick("Không", "religion", "none"),
        tick("Công giáo", "religion", "catholic"),
        tick("Phật giáo", "religion", "buddhist"),
        tick("TH", "education", "primary"),
        tick("THCS", "education", "lower_secondary"),
        tick("THPT", "education", "upper_secondary"),
        tick("Sơ cấp", "qualification", "elementary"),
        tick("Trung cấp", "qualification", "intermediate"),
        tick("Cao đẳng", "qualification", "college"),
        tick("Đại học", "qualification", "bachelor"),
        tick("Đảng viên", "party", "member"),
        Column("Nòng cốt", "core", ("core",), ticked="x", mark=mark),
        NOTE,
    ]


def _head_of_annex(sheet: Sheet) -> None:
    first = sheet.last + 1
    sheet.line(
        *("STT", "Họ và tên", "Ngày, tháng, năm sinh", "Tôn giáo", None, None, "Trình độ"),
        *([None] * 6),
        *("Đảng viên", "Hội viên nòng cốt", "Ghi chú"),
    )
    levels = ("Học vấn", None, None, "Chuyên môn")
    sheet.line(None, None, None, "Không", "Công giáo", "Phật giáo", *levels)
    sheet.line(*[None] * 6, "TH", "THCS", "THPT", "SC", "TC", "CĐ", "ĐH")
    sheet.merged += [f"D{first}:F{first}", f"G{first}:M{first}"]
    sheet.merged += [f"G{first + 1}:I{first + 1}", f"J{first + 1}:M{first + 1}"]
    sheet.merged += [f"{letter}{first}:{letter}{first + 2}" for letter in "ABCNOP"]
    sheet.merged += [f"{letter}{first + 1}:{letter}{first + 2}" for letter in "DEF"]


@UNSEEN_FOURTH.book("Phu luc 03 kem theo BC 45.xlsx")
def _annex_of_a_report(name: str) -> Sheet:
    """The commune's cadre printed it last year behind her report: three lines of headings, again on
    each page with sums carried over, each khu ticked with the mark of the head who filled it in."""
    people = women(45, name)
    _days_of_all_kinds(people)
    _called(people, {8: "Nguyễn Thị Hoa", 10: "Nguyễn Thị Hoa", 30: "Trần Thị Hồng Nhung"})
    people[8], people[10] = _born_in(people[8], 1958), _born_in(people[10], 1973)
    degrees = (None, None, "intermediate", None, "bachelor", None, "elementary", None, "college")
    for place, each in enumerate(people):
        level = ("primary", "lower_secondary", "upper_secondary")[place * 5 % 3]
        degree = degrees[place % 9]
        if degree:
            level = "upper_secondary"
        religion = ("none", "none", "catholic", "none", "none", "buddhist")[place % 6]
        party = "member" if place % 7 == 4 else None
        woman = each.but("religion", religion, religion=religion).but("party", party, party=party)
        woman = woman.but("education", level, education=level)
        woman = woman.but("qualification", degree, qualification=degree)
        day = _day(woman)
        shown: tuple[Cell, ...] = (f"{day:%d/%m/%Y}", _short(day), f"{day:%d-%m-%Y}", day)
        people[place] = woman.but("birth_date", shown[place % 4])
    for place in (5, 22, 37):
        people[place] = of_year(people[place], "birth_date", str(year_of(people[place])))
    notes: dict[int, Cell] = {
        0: "Chi hội trưởng",
        4: "Phó BT chi bộ",
        12: "Chi hội trưởng",
        19: "Hộ nghèo",
        24: "CHT",
        28: "Con liệt sĩ",
        33: "Chi hội trưởng",
        41: "Vợ bộ đội",
    }
    write_cells(people, "note", notes)
    people[16] = people[16].but("birth_date", "31/6/1971").to_decide()
    people[35] = people[35].but("birth_date", "15/13/1966").to_decide()
    sheet = Sheet("PL03")
    sheet.line("HỘI LHPN HUYỆN CẨM KHÊ", *[None] * 9, "PHỤ LỤC 03")
    sheet.line("BTV HỘI LHPN XÃ PHƯỢNG VĨ")
    sheet.line("DANH SÁCH HỘI VIÊN THAM GIA SINH HOẠT NĂM 2024", merged="A:P")
    about = "(Kèm theo Báo cáo số 45/BC-BTV ngày 15/11/2024 của BTV Hội LHPN xã Phượng Vĩ)"
    sheet.line(about, merged="A:P").line()
    _head_of_annex(sheet)
    sheet.line(*range(1, 17))
    groups = ((0, 12, "x", "I"), (12, 24, "X", "II"), (24, 33, "+", "III"), (33, 45, "x", "IV"))
    for khu, (start, end, mark, roman) in enumerate(groups, 1):
        sheet.line(roman, f"Chi hội Khu {khu} ({end - start} HV)")
        sheet.merged.append(f"B{sheet.last}:P{sheet.last}")
        for place in range(start, end):
            if place in (15, 31):
                sheet.line(None, "Cộng chuyển trang sau", place)
                sheet.line(f"Trang {place // 15 + 1}", merged="A:P")
                _head_of_annex(sheet)
                sheet.line(None, "Mang sang", place)
            at = place - start + 1
            sheet.add(_annex_columns(mark), [people[place]], at=at, branch=khu)
    sheet.line(None, "Tổng cộng (I+II+III+IV)", 45, 30, 8, 7)
    sheet.line("Phụ lục này có 03 trang, 45 hội viên./.", merged="A:P").line()
    sheet.line(None, "NGƯỜI LẬP BIỂU", *[None] * 8, "TM. BAN THƯỜNG VỤ")
    sheet.line(*[None] * 10, "CHỦ TỊCH")
    return sheet.line().line(None, "Chử Thị Ngoãn", *[None] * 8, "Doãn Thị Kim Phượng")


@UNSEEN_FOURTH.book("Nu tu 18 tuoi khu 4 (trich so ho khau).ods")
def _of_the_register(name: str) -> Sheet:
    """The head of the khu copied the women out of the register of households for his wife, the head
    of the branch; she marked who is a member. Fathers, mothers and husbands stand beside them."""
    people = women(34, name)
    _days_of_all_kinds(people)
    _called(people, {2: "Hà Thị Thanh Huyền", 17: "Phùng Thị Tính", 26: "Đỗ Thị Ánh Tuyết"})
    for place in (6, 20, 29):
        people[place] = _born_in(people[place], 2000 + place % 4)
    for place, woman in enumerate(people):
        year = year_of(woman)
        relation = "Mẹ" if year < 1960 else "Vợ" if year < 1986 else "Con dâu"
        people[place] = woman.but("relation", relation)
    for place in (6, 20, 29):
        people[place] = people[place].but("relation", "Con đẻ")
    towns = ("Phượng Vĩ, Cẩm Khê, Phú Thọ", "Thanh Ba, Phú Thọ", "Trấn Yên, Yên Bái")
    fathers = ("Bảo", "Cường", "Đạt", "Kỳ", "Ngữ")
    for place, each in enumerate(people):
        born, town = _day(each), towns[place % 4 % 3]
        woman = each.but("full_name", _name(each).upper()).but("birth_date", f"{born:%d-%m-%Y}")
        woman = woman.but("hometown", town, hometown=town)
        woman = woman.but("father", f"{_name(each).split()[0]} Văn {fathers[place % 5]}")
        woman = woman.but("mother", ("Lê Thị Sáu", "Bùi Thị Nhàn", "Tạ Thị Ba")[place % 3])
        woman = woman.but(
            "husband", ("Hà Văn Nam", "Trần Văn Chiến", None, "Bùi Đức Lương")[place % 4]
        )
        woman = woman.but("member", "x").but("other_name", "Không" if place % 5 else "Tý")
        people[place] = woman
    for place, shown in ((0, "00-00-{y}"), (8, "{y}"), (14, "../../{y}"), (25, "00/00/{y}")):
        year = year_of(people[place])
        people[place] = of_year(people[place], "birth_date", shown.format(y=year))
    write_cells(people, "ethnicity", {3: "Mường", 11: "Mường", 12: "Mường"}, ethnicity="04")
    write_cells(people, "ethnicity", {21: "Cao Lan"}, ethnicity="13")
    write_cells(people, "ethnicity", {30: "Dao"}, ethnicity="09")
    write_cells(people, "religion", {5: "Thiên Chúa", 16: "Thiên Chúa giáo"}, religion="catholic")
    write_cells(people, "religion", {9: "Phật"}, religion="buddhist")
    for place in (8, 14):
        people[place] = _with_old_card(people[place])
    people[25] = _no(people[25], "citizen_id")
    write_cells(people, "member", {6: "chưa", 20: "chưa vào", 29: "chưa"})
    write_cells(people, "note", {10: "Đã chết 2021", 18: "Chuyển đi Hà Nội 5/2022"})
    write_cells(people, "note", {7: "Tách hộ 2019", 22: "Có chồng đã chết", 27: "Tạm trú"})
    to_wait(people, 6, 20, 29, 10, 18)
    columns = [
        column("Số TT", "number"),
        column("Họ, chữ đệm và tên khai sinh", "full_name"),
        column("Tên gọi khác", "other_name"),
        column("Ngày, tháng, năm sinh", "birth_date"),
        column("Quan hệ với chủ hộ", "relation"),
        column("Quê quán", "hometown"),
        column("Dân tộc", "ethnicity"),
        column("Tôn giáo", "religion"),
        Column("Số định danh cá nhân/CMND", "citizen_id", EITHER_CARD),
        column("Nghề nghiệp, nơi làm việc", "occupation"),
        column("Họ tên cha", "father"),
        column("Họ tên mẹ", "mother"),
        column("Họ tên chồng", "husband"),
        column("Hội viên PN", "member"),
        NOTE,
    ]
    sheet = Sheet("KHU 4").line("CÔNG AN XÃ PHƯỢNG VĨ").line("KHU DÂN CƯ SỐ 4").line()
    sheet.line("TRÍCH SỔ HỘ KHẨU: NỮ TỪ 18 TUỔI TRỞ LÊN (đến 01/6/2022)").line().head(columns)
    heads = (
        *("Nguyễn Văn Sơn", "Trần Văn Chiến", "Phùng Đình Toản", "Lê Quang Vinh"),
        *("Hà Văn Nam", "Bùi Đức Lương", "Đặng Văn Thuận", "Vũ Tiến Hưng"),
        *("Nguyễn Huy Tưởng", "Lê Văn Bốn", "Triệu Văn Hạnh", "Đỗ Xuân Khoa"),
    )
    for house, start in enumerate(range(0, 34, 3), 1):
        head = f"Hộ {house}: Chủ hộ {heads[house - 1]} - Sổ HK số 27012{house * 37 + 1000}"
        sheet.line(None, head).add(columns, people[start : start + 3], at=start + 1, branch=4)
    sheet.line(None, "Cộng: 12 hộ, 34 nhân khẩu nữ").line()
    return sheet.line(None, "TRƯỞNG KHU", *[None] * 7, "CÁN BỘ TỔNG HỢP")


@UNSEEN_FOURTH.book("DS PN cao tuoi tang qua 8-3-2009.csv", files.csv_as("tcvn3", ","))
def _of_the_old(name: str) -> Sheet:
    """Out of an old computer of the commune: the old women who got a present, "Cụ" and "Bà" before
    each name, some born by the moon, landlines, the old cards."""
    people = women(22, name)
    for place, each in enumerate(people):
        year = 1924 + place * 7 % 20
        old = _with_old_card(_born_in(each, year), "{n}" if place % 3 else "{dots}")
        title = "Cụ" if year < 1930 else "Bà"
        old = of_year(renamed(old, f"{title} {{n}}").but("age", 2009 - year))
        old = old.but("branch", f"Khu {place % 4 + 1}", branch=place % 4 + 1)
        people[place] = _no(old, "phone").but("gift", 1)
    for place, shown in ((1, "15/8/{y} (âm)"), (9, "2/9/{y} âm lịch")):
        year = year_of(people[place])
        people[place] = people[place].but("birth_date", shown.format(y=year)).with_sign()
    for place in (3, 12):
        year = year_of(people[place])
        people[place] = people[place].but("birth_date", f"{_lunar(year)} {year}")
    for place, day, month in ((5, 10, 2), (14, 24, 11), (19, 7, 7)):
        year = year_of(people[place])
        born = f"{year}-{month:02}-{day:02}"
        people[place] = people[place].but("birth_date", f"{day}.{month}.{year}", birth_date=born)
    people[7] = people[7].but("birth_date", "không nhớ").to_decide()
    people[16] = people[16].but("birth_date", "khoảng 1930").but("age", 79).to_decide()
    for place, number in ((0, "0210.3889.123"), (6, "0210 3889 240"), (11, "02103889305")):
        stored = "+84" + number.replace(".", "").replace(" ", "")[1:]
        people[place] = people[place].but("phone", number, phone=stored)
    for place in (4, 18):
        people[place] = _no(people[place], "id_card").but("citizen_id", None)
    notes: dict[int, Cell] = {
        2: "Mẹ liệt sĩ",
        8: "ốm, gửi con gái nhận",
        10: "Mất 2/2009",
        13: "Neo đơn",
        20: "Chồng mất, ở một mình",
    }
    write_cells(people, "note", notes)
    to_wait(people, 10)
    columns = [
        column("TT", "number"),
        column("Họ và tên", "full_name"),
        column("Năm sinh", "birth_date"),
        column("Tuổi", "age"),
        column("Chi hội", "branch"),
        Column("Số CMND", "citizen_id", ("id_card",)),
        column("Điện thoại (cố định)", "phone"),
        column("Suất quà", "gift"),
        column("Ký nhận"),
        NOTE,
    ]
    sheet = Sheet().line("Hội LHPN xã Phượng Vĩ")
    sheet.line(None, "Danh sách hội viên cao tuổi được tặng quà nhân ngày 8/3/2009").line()
    sheet.head(columns).add(columns, people)
    sheet.line(None, "Tổng cộng", None, None, None, None, None, 22)
    return sheet.line(None, "Thủ quỹ", None, None, None, "Chủ tịch Hội")


@UNSEEN_FOURTH.book("To cong nghe so - VNeID chi em.csv", files.mac_csv)
def _of_a_student(name: str) -> Sheet:
    """A student of the village's digital team went from house to house with her MacBook: the given
    name first, her own short headings, numbers as a telephone shows them."""
    people = women(18, name)
    _days_of_all_kinds(people)
    _called(people, {4: "Nguyễn Thị Mai Hương", 10: "Lò Thị Ơn"})
    for place in (2, 9):
        people[place] = _born_in(people[place], 1999 + place % 4)
    for place, each in enumerate(people):
        digits, card, day = _phone(each), _card(each), _day(each)
        ways = (f"+84 {digits[1:4]} {digits[4:7]} {digits[7:]}", f"84{digits[1:]}", digits)
        woman = each.but("phone", ways[place % 3]).but("birth_date", _short(day, "-"))
        woman = woman.but("citizen_id", f"{card[:3]} {card[3:6]} {card[6:]}")
        khu = each.stored["branch"]
        woman = woman.but("branch", (f"Khu {khu}", f"K{khu}", f"khu {khu} PV")[place % 3])
        house = f"Nhà số {place * 3 + 2}, khu {khu}"
        woman = woman.but("address", house, address=house)
        woman = woman.but("level_2", "✓" if place % 6 and place != 13 else "chưa").but("zalo", "✓")
        people[place] = woman.but("phone_kind", ("iPhone", "Samsung", "Oppo")[place % 3])
    for place in (6, 13):
        people[place] = of_year(people[place], "birth_date", str(year_of(people[place])))
    people[13] = _no(people[13], "phone").but("zalo", None).but("phone_kind", "cục gạch")
    people[7] = people[7].but("citizen_id", "thẻ hết hạn, chờ cấp lại", citizen_id=None).with_sign()
    people[15] = people[15].but("citizen_id", f"{_card(people[15])[:11]}").to_decide()
    columns = [
        column("Tên", "given_name"),
        column("Họ & đệm", "surname"),
        column("Sinh", "birth_date"),
        column("Khu", "branch"),
        column("Số nhà", "address"),
        column("Di động", "phone"),
        column("Loại máy", "phone_kind"),
        column("Zalo", "zalo"),
        column("Căn cước", "citizen_id"),
        column("VNeID mức 2", "level_2"),
    ]
    sheet = Sheet().line("Chi em PN Phượng Vĩ - kích hoạt VNeID hè 2024").head(columns)
    return sheet.add(columns, people).line().line("Tổng 18, xong 14, còn 4")


def _with_copy_of_last_year(book: openpyxl.Workbook) -> None:
    copy = book.copy_worksheet(book["CH2"])
    copy.title = "luu 2024"
    copy["A2"] = "SỔ THEO DÕI HỘI VIÊN CHI HỘI KHU 2 NĂM 2024"
    copy.sheet_state = "hidden"


@UNSEEN_FOURTH.book("SO THEO DOI HV 2025 - 4 CHI HOI.xlsx", _xlsx_with(_with_copy_of_last_year))
def _book_of_four_branches(name: str) -> list[Sheet]:
    """The commune's vice president sent the heads one form; telephones were looked up from a file
    that is gone, one head put a column in between, one wrote her new members below."""
    people = women(38, name)
    _days_of_all_kinds(people)
    _called(people, {1: "Trần Thị Phương Hoa", 13: "Nguyễn Thị Ngân", 25: "Bùi Thị Lệ Thuỷ"})
    people = [of_year(as_day(woman, "birth_date"), "joined_on") for woman in people]
    for place in (3, 17, 28):
        people[place] = of_year(people[place])
    write_cells(people, "phone", {2: "#N/A", 12: "#N/A", 26: "#REF!"}, phone=None)
    for place in (2, 12, 26):
        people[place] = people[place].with_sign()
    for place in (5, 19, 33):
        people[place] = people[place].but("phone", int(_phone(people[place])))
    write_cells(people, "post", {0: "CHT", 1: "CHP", 10: "Chi hội trưởng", 20: "CHT", 29: "CHT"})
    write_cells(people, "economy", {6: "Nghèo", 14: "CN", 23: "Cận nghèo", 31: "TB"})
    notes: dict[int, Cell] = {
        4: "Mới sinh con",
        8: "Chuyển sinh hoạt về Tiên Lương",
        15: "Đã nghỉ công ty",
        24: "Từ trần 3/2025",
    }
    write_cells(people, "note", notes)
    to_wait(people, 8, 24)

    def columns(*between: Column) -> list[Column]:
        return [
            column("TT", "number"),
            column("Họ và tên", "surname"),
            column(None, "given_name"),
            column("Ngày sinh", "birth_date"),
            *between,
            column("Năm vào Hội", "joined_on"),
            column("Nghề nghiệp", "occupation"),
            column("Chức vụ", "post"),
            column("HV nòng cốt", "core"),
            column("SĐT", "phone"),
            NOTE,
        ]

    index = Sheet("Mục lục").line("SỔ THEO DÕI HỘI VIÊN NĂM 2025", merged="A:E").line()
    index.line("TT", "Chi hội", "Chi hội trưởng", "SĐT", "Số HV")
    for khu, (start, count) in enumerate(((0, 10), (10, 10), (20, 9), (29, 9)), 1):
        head = people[start]
        index.line(khu, f"Khu {khu}", _name(head), _phone(head), count)
    index.line(None, "Cộng", None, None, 38)

    def branch(khu: int, group: Sequence[Woman], shown: Sequence[Column]) -> Sheet:
        sheet = Sheet(f"CH{khu}").line("HỘI LHPN XÃ PHƯỢNG VĨ")
        sheet.line(f"SỔ THEO DÕI HỘI VIÊN CHI HỘI KHU {khu} NĂM 2025", merged="A:J").line()
        sheet.head(shown)
        sheet.merged.append(f"B{sheet.last}:C{sheet.last}")
        return sheet.add(shown, group, branch=khu).line(None, f"Tổng: {len(group)} hội viên")

    last = branch(4, people[29:35], columns())
    last.line().line("HỘI VIÊN MỚI KẾT NẠP NĂM 2025", merged="A:J")
    added = [
        column("TT", "number"),
        column("Họ và tên", "surname"),
        column(None, "given_name"),
        column("Ngày sinh", "birth_date"),
        column("Ngày kết nạp", "joined_on"),
        column("Nghề nghiệp", "occupation"),
        column("SĐT", "phone"),
    ]
    joined = ("2025-03-07", "2025-03-07", "2025-05-19")
    young = [
        as_day(_born_in(woman, 1998 + place), "birth_date").but(
            "joined_on", date.fromisoformat(day), joined_on=day
        )
        for place, (woman, day) in enumerate(zip(people[35:], joined, strict=True))
    ]
    last.head(added)
    last.merged.append(f"B{last.last}:C{last.last}")
    last.add(added, young, branch=4)
    return [
        index,
        branch(1, people[:10], columns()),
        branch(2, people[10:20], columns()),
        branch(3, people[20:29], columns(column("Hoàn cảnh KT", "economy"))),
        last,
    ]


@UNSEEN_FOURTH.book("ds hoi vien k3 go o may con gai.xlsx")
def _on_an_american_machine(name: str) -> Sheet:
    """The head of khu 3 typed it on her daughter's laptop, set to American days: 5/3/1970 became the
    3rd of May and still shows as 5/3/1970, while 25/3/1970 stayed text. She means the 5th of March,
    as her 8/3 and 20/10 of joining show too."""
    people = women(28, name)
    _days_of_all_kinds(people)
    _called(people, {6: "Lê Thị Minh Tâm", 21: "Nguyễn Thị Vân"})
    places = ("ngõ ông Thành", "gần nhà văn hoá", "xóm Gò", "cạnh trường mầm non")
    feasts = ((8, 3), (20, 10), (3, 2), (26, 3), (10, 10))
    american: dict[tuple[int, int], str] = {}
    for place, each in enumerate(people):
        day, month = feasts[place % 5]
        joined = date(year_of(each, "joined_on"), month, day)
        woman = each.but("joined_on", None, joined_on=joined.isoformat())
        home = f"{places[place % 4]}, khu 3"
        woman = woman.but("address", home, address=home)
        people[place] = woman.but("phone", int(_phone(woman)))
    for place in (3, 11, 20, 26):
        people[place] = of_year(people[place])
    people[14] = _no(people[14], "phone")
    write_cells(people, "phone", {17: "ko dùng"}, phone=None)
    for place in (8, 23):
        people[place] = _no(people[place], "joined_on")
    first = 5
    for place, each in enumerate(people):
        woman = each
        for spot, field in ((3, "birth_date"), (4, "joined_on")):
            meant = str(woman.stored[field] or "")
            if len(meant) < 10:
                continue
            meant_day = date.fromisoformat(meant)
            if meant_day.day > 12:
                woman = woman.but(field, _short(meant_day))
            else:
                woman = woman.but(field, date(meant_day.year, meant_day.day, meant_day.month))
                american[first + place, spot] = "m/d/yyyy"
        people[place] = woman
    columns = [
        column("Stt", "number"),
        column("Họ tên hội viên", "full_name"),
        column("Sinh ngày", "birth_date"),
        column("Vào Hội ngày", "joined_on"),
        column("Làm nghề", "occupation"),
        column("Di động", "phone"),
        column("Nơi ở", "address"),
    ]
    sheet = Sheet("Sheet1").line("Chi hội phụ nữ khu 3 xã Phượng Vĩ")
    sheet.line("Danh sách hội viên").line().head(columns)
    assert sheet.last + 1 == first
    sheet.add(columns, people, branch=3)
    sheet.formats.update(american)
    return sheet


@UNSEEN_FOURTH.book("Ket nap HV moi 2022-2024.xls")
def _newly_admitted(name: str) -> Sheet:
    """The commune's president adds to it after each decision: days as a decision words them, schooling
    and degree in one cell, who introduced her, and one man, an honorary member."""
    people = women(14, name)
    _days_of_all_kinds(people)
    years = (1994, 2003, 1999, 1997, 2001, 2005, 1996, 2000, 1998, 2004, 1995, 2002, 1999, 1961)
    people = [_born_in(w, year) for w, year in zip(people, years, strict=True)]
    levels: tuple[tuple[str, str, str | None], ...] = (
        ("12/12, ĐH Sư phạm", "upper_secondary", "bachelor"),
        ("12/12", "upper_secondary", None),
        ("12/12 - CĐ Y", "upper_secondary", "college"),
        ("9/12", "lower_secondary", None),
        ("12/12, TC Kế toán", "upper_secondary", "intermediate"),
    )
    for place, each in enumerate(people):
        year = 2022 + place * 3 // 14
        ways = (
            (f"ngày 08 tháng 3 năm {year}", f"{year}-03-08"),
            (f"20/10/{year}", f"{year}-10-20"),
            (f"T6/{year}", f"{year}-06"),
            (f"19.5.{year}", f"{year}-05-19"),
        )
        shown, joined = ways[place % 4]
        day = _day(each)
        born: Cell = f"ngày {day.day} tháng {day.month} năm {day.year}"
        woman = each.but("joined_on", shown, joined_on=joined)
        woman = woman.but("birth_date", born if place % 3 == 1 else _short(day))
        level, education, degree = levels[place % 5]
        woman = woman.but("education", level, education=education, qualification=degree)
        woman = woman.but("decision", f"{place // 3 + 4:02}/QĐ-HPN").but("kind", "Hội viên")
        woman = woman.but("by", ("Mạc Thị Gấm", "Kiều Thị Xoan", "Tống Ngọc Yến")[place % 3])
        people[place] = woman
    man = renamed(people[13], "{n}", "Tống Văn Vượng").but("gender", "Nam", gender="male")
    card = f"025061{_card(man)[6:]}"
    man = man.but("citizen_id", card, citizen_id=card)
    people[13] = man.but("kind", "HV danh dự", kind="honorary")
    columns = [
        NUMBER,
        column("Họ tên người được kết nạp", "full_name"),
        column("Nam/Nữ", "gender"),
        column("Ngày tháng năm sinh", "birth_date"),
        column("Số CCCD", "citizen_id"),
        Column("Trình độ (văn hoá, chuyên môn)", "education", ("education", "qualification")),
        column("Số Quyết định", "decision"),
        column("Ngày kết nạp", "joined_on"),
        column("Sinh hoạt tại chi hội", "branch"),
        column("Người giới thiệu", "by"),
        column("Diện", "kind"),
        column("Điện thoại", "phone"),
    ]
    sheet = Sheet("KN").line("HỘI LHPN XÃ PHƯỢNG VĨ")
    sheet.line("THEO DÕI KẾT NẠP HỘI VIÊN MỚI (2022 - 2024)").line().head(columns)
    for year, group in ((2022, people[:5]), (2023, people[5:10]), (2024, people[10:])):
        sheet.line(None, f"Năm {year}: {len(group)} đồng chí").add(columns, group)
    return sheet


@UNSEEN_FOURTH.book("diem danh sinh hoat khu 1.xls")
def _of_attendance(name: str) -> Sheet:
    """The head of khu 1 calls the roll each quarter: groups of neighbours between the rows, days of
    meetings as headings, and a column of days in which she typed some years."""
    people = women(25, name)
    _called(people, {0: "Phan Thị Thảo", 9: "Nguyễn Thị Hường", 17: "Nguyễn Thị Bích Đào"})
    _days_of_all_kinds(people)
    for place, each in enumerate(people):
        day, year = _day(each), year_of(each)
        woman = as_day(each, "birth_date")
        if place % 3 == 1:
            woman = of_year(each)
        if place in (6, 15, 21):
            woman = of_year(
                each, "birth_date", date.fromordinal(date(1899, 12, 30).toordinal() + year)
            )
        if place in (5, 18):
            woman = each.but("birth_date", f"{day:%d/%m}/{year % 100}")
        seen = ["x" if (place + n) % 5 else ("P" if place % 2 else "K") for n in range(4)]
        for quarter, mark in enumerate(seen):
            woman = woman.but(f"meeting_{quarter}", mark)
        people[place] = woman.but("times", seen.count("x"))
    write_cells(people, "post", {0: "Tổ trưởng", 9: "Tổ trưởng", 17: "tổ trưởng"})
    write_cells(people, "phone", {4: "mất máy", 13: "-"}, phone=None)
    digits = _phone(people[8])
    people[8] = people[8].but("phone", f"{digits}/0965.220.118").with_sign()
    people[11] = people[11].but("phone", f"ĐT {_phone(people[11])}")
    people[23] = people[23].but("phone", _phone(people[23])[:9], phone=None).to_decide()
    notes: dict[int, Cell] = {
        3: "Mất 6/2024",
        7: "hay vắng, làm ca",
        14: "bố mất, nghỉ 1 buổi",
        19: "ra khỏi Hội từ T9",
        22: "đi Hà Nội trông cháu",
    }
    write_cells(people, "note", notes)
    to_wait(people, 3, 19)
    meetings = (date(2024, 1, 15), date(2024, 4, 18), date(2024, 7, 16), date(2024, 10, 20))
    columns = [
        column("TT", "number"),
        column("Tên hội viên", "full_name"),
        column("Ngày sinh", "birth_date"),
        column("Nhiệm vụ", "post"),
        *(column(f"Buổi {quarter + 1}", f"meeting_{quarter}") for quarter in range(4)),
        column("Tổng", "times"),
        column("ĐT liên lạc", "phone"),
        NOTE,
    ]
    sheet = Sheet("2024").line("CHI HỘI PHỤ NỮ KHU 1 - PHƯỢNG VĨ")
    sheet.line("BẢNG ĐIỂM DANH SINH HOẠT NĂM 2024")
    sheet.line("(x: có mặt; P: vắng có phép; K: vắng không phép)").line()
    upper = ("TT", "Tên hội viên", "Ngày sinh", "Nhiệm vụ", "Ngày sinh hoạt", None, None, None)
    sheet.line(*upper, "Tổng", "ĐT liên lạc", "Ghi chú")
    sheet.line(None, None, None, None, *meetings)
    groups = ((0, 9, "bà Thảo"), (9, 17, "chị Hường"), (17, 25, "bà Đào"))
    for number, (start, end, who) in enumerate(groups, 1):
        sheet.line(f"Tổ {number}: {who} phụ trách")
        sheet.add(columns, people[start:end], at=start + 1, branch=1)
    present = [sum(w.written[f"meeting_{n}"] == "x" for w in people) for n in range(4)]
    sheet.line(None, "Có mặt", None, None, *present).line()
    return sheet.line(None, "Thư ký", *[None] * 4, "Chi hội trưởng")


@UNSEEN_FOURTH.book("doi the hoi vien.csv", files.csv_as("cp1258", ";"))
def _of_cards(name: str) -> Sheet:
    """For the exchange of members' cards; the shop that prints them wants days as eight digits, and
    Excel took the zero in front of some."""
    people = women(13, name)
    _days_of_all_kinds(people)
    _days_of_all_kinds(people, "joined_on")
    for place, day in ((3, 5), (7, 9)):
        born = _day(people[place]).replace(day=day)
        people[place] = people[place].but("birth_date", None, birth_date=born.isoformat())
    for place, each in enumerate(people):
        born, joined = _day(each), _day(each, "joined_on")
        woman = each.but("birth_date", f"{born:%d%m%Y}").but("joined_on", f"{joined:%d%m%Y}")
        if place in (3, 7):
            woman = woman.but("birth_date", f"{born:%d%m%Y}".lstrip("0"))
        woman = woman.but("full_name", _name(each).upper()).but("card", f"PT-08356-{place + 4:04}")
        woman = woman.but("issued_on", f"0803{max(joined.year + 1, 2012)}")
        khu = each.stored["branch"]
        shown = (f"Chi hội K.{khu}", f"CH khu {khu}", f"Khu {_ROMAN[khu - 1]}")
        people[place] = woman.but("branch", shown[place % 3]).but("size", "3x4")
    year = year_of(people[5])
    people[5] = people[5].but("birth_date", f"0000{year}", birth_date=str(year))
    people[10] = of_year(people[10])
    people[8] = people[8].but("joined_on", "", joined_on=None)
    people[11] = people[11].but("birth_date", "31021965").to_decide()
    columns = [
        column("SỐ THẺ CŨ", "card"),
        column("NGÀY CẤP THẺ", "issued_on"),
        column("HỌ TÊN (IN HOA)", "full_name"),
        column("NGÀY SINH (ddmmyyyy)", "birth_date"),
        column("NGÀY VÀO HỘI (ddmmyyyy)", "joined_on"),
        column("ĐƠN VỊ", "branch"),
        column("ẢNH", "size"),
    ]
    return Sheet().table(columns, people)
