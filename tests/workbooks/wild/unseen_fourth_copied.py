"""Twelve more books, by hands that have seen neither the reader nor any book it was mended by: six
that were made for something else.

Declared and measured as those of `unseen`, whose docstring says what their share tells. Of each
book: who keeps it, and how it came to look so.
"""

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
    column,
    women,
)
from tests.workbooks.wild.shelf import Shelf
from tests.workbooks.wild.unseen_fourth_cells import (
    EITHER_CARD,
    NOTE,
    born_in,
    called,
    card_of,
    day_of,
    days_of_all_kinds,
    for_all,
    name_of,
    phone_of,
    short_day,
    with_old_card,
    without,
    xlsx_with,
)

FOURTH_COPIED = Shelf({})


def _filtered_by_sex(book: openpyxl.Workbook) -> None:
    book.worksheets[0].auto_filter.ref = "A9:L45"
    book.worksheets[0].auto_filter.add_filter_column(4, ["Nữ"])


@FOURTH_COPIED.book("BHYT ho gia dinh khu 2 - loc nu.xlsx", xlsx_with(_filtered_by_sex))
def _of_health_insurance(name: str) -> Sheet:
    """The head of khu 2 collects the fees for health insurance too: her collector's list, the men
    filtered away. The insurance's own number has ten digits and is neither phone nor card."""
    people = women(30, name)
    days_of_all_kinds(people)
    called(people, {3: "Nguyễn Thị Lan Anh", 11: "Hà Thị Cẩm Vân", 20: "Đinh Thị Én"})
    for_all(people, "insurance", lambda w: f"25{phone_of(w)[:1:-1]}")
    for_all(people, "address", lambda _: "Khu 2, Phượng Vĩ, Cẩm Khê, Phú Thọ")
    people = [replace(w, stored={**w.stored, "address": w.written["address"]}) for w in people]
    for place in (2, 9, 14, 21, 27):
        people[place] = of_year(people[place])
    for place in (4, 12, 23):
        people[place] = as_day(people[place], "birth_date")
    born = day_of(people[17])
    people[17] = people[17].but("birth_date", f"{born:%m/%Y}", birth_date=f"{born:%Y-%m}")
    for place in (5, 13, 19, 26):
        people[place] = people[place].but("citizen_id", int(card_of(people[place])))
    for place in (2, 14, 21):
        people[place] = with_old_card(people[place])
    for place in (7, 15):
        people[place] = people[place].but("citizen_id", f"'{card_of(people[place])}")
    people[9] = without(people[9], "citizen_id", "phone")
    for place in (14, 18):
        people[place] = without(people[place], "phone")
    people[28] = people[28].but("phone", f"{phone_of(people[28])} (con dâu)")
    people[29] = people[29].but("phone", f"{phone_of(people[29])}; 0384 112 907").with_sign()
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


@FOURTH_COPIED.book("To TK&VV ba Nghiem Thi Yen 31.12.2022.xls")
def _of_borrowers(name: str) -> Sheet:
    """Kept by the head of a savings-and-loan group for the bank of social policies: by programme,
    husbands beside the names, and who has two loans stands twice."""
    people = women(24, name)
    for_all(people, "branch", lambda _: 3)
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
        people[place] = with_old_card(people[place], "{dots}")
    for place in (2, 12):
        card = card_of(people[place])
        people[place] = people[place].but("citizen_id", f"{card[:3]} {card[3:6]} {card[6:]}")
    for place, each in enumerate(people):
        digits = phone_of(each)
        shown = (digits, f"{digits[:4]}.{digits[4:7]}.{digits[7:]}", int(digits))[place % 3]
        card_year = 2021 if each.stored["citizen_id"] else 2011
        woman = each.but("phone", shown).but("issued_on", date(card_year, place % 9 + 1, 4 + place))
        woman = woman.but("lent_on", date(2019 + place % 4, place % 12 + 1, 3 + place))
        woman = woman.but("lent", (50, 80, 100)[place % 3]).but("owed", (50, 65, 20)[place % 3])
        people[place] = woman.but("use", ("Chăn nuôi bò", "Trồng chè", "Nuôi cá")[place % 3])
    for place in (5, 17):
        people[place] = without(people[place], "phone")
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


@FOURTH_COPIED.book("Tổng hợp Zalo nhóm PN khu 1 - Trang tính1.csv", files.csv_as("utf-8", ","))
def _of_a_group_chat(name: str) -> Sheet:
    """The deputy of khu 1 asked in the group of Zalo and pasted each answer into Google Sheets:
    the name in Zalo is not the name, flowers and invisible characters came along."""
    people = women(23, name)
    for place in (1, 6, 12, 16, 20):
        people[place] = born_in(people[place], 1996 + place % 7)
    called(people, {5: "Nguyễn Thị Thu Hà", 14: "Vi Thị Phương Thảo"})
    nicknames = (
        *("Hoa Cỏ May", "Mẹ Bin Bon", "Yến Spa", "Bà Nội Cún", "Lan Tạp Hoá", "Hà Nguyễn"),
        *("Thảo Nguyên Xanh", "Chị Cả", "Bống", "Trà Đá Khu 1", "Nắng Mai", "Đào Khổng"),
        *("Mưa Hạ", "Gấm", "Thảo Vi", "Mỹ Phẩm Ước Kiều", "Mẹ Tôm", "Sửu Đồng Nát", "Cỏ Dại"),
        *("Thuỷ Trường MN", "Bưởi Diễn", "Ngoãn NT", "Quỳnh May"),
    )
    days_of_all_kinds(people)
    for place, each in enumerate(people):
        year, day = year_of(each), day_of(each)
        ways: list[tuple[Cell, str]] = [
            (year, f"{year}"),
            (f"{short_day(day)}", day.isoformat()),
            (f"{year} ({_lunar(year)})", f"{year}"),
            (f"{day.month}/{year}", f"{day:%Y-%m}"),
            (f"{short_day(day, '.')}", day.isoformat()),
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
        people[place] = people[place].but("full_name", name_of(people[place]).lower())
    people[11] = people[11].but("full_name", name_of(people[11]).upper())
    for place in (3, 8):
        digits = phone_of(people[place])
        people[place] = people[place].but("phone", f"\u200e+84 {digits[1:4]} {digits[4:]}")
    digits = phone_of(people[10])
    people[10] = people[10].but("phone", f"{digits} zalo chồng")
    people[15] = people[15].but("phone", "chưa có", phone=None)
    people[19] = people[19].but("birth_date", "hỏi lại sau").to_decide()
    digits = phone_of(people[5])
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


@FOURTH_COPIED.book("Phu luc 03 kem theo BC 45.xlsx")
def _annex_of_a_report(name: str) -> Sheet:
    """The commune's cadre printed it last year behind her report: three lines of headings, again on
    each page with sums carried over, each khu ticked with the mark of the head who filled it in."""
    people = women(45, name)
    days_of_all_kinds(people)
    called(people, {8: "Nguyễn Thị Hoa", 10: "Nguyễn Thị Hoa", 30: "Trần Thị Hồng Nhung"})
    people[8], people[10] = born_in(people[8], 1958), born_in(people[10], 1973)
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
        day = day_of(woman)
        shown: tuple[Cell, ...] = (f"{day:%d/%m/%Y}", short_day(day), f"{day:%d-%m-%Y}", day)
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


@FOURTH_COPIED.book("Nu tu 18 tuoi khu 4 (trich so ho khau).ods")
def _of_the_register(name: str) -> Sheet:
    """The head of the khu copied the women out of the register of households for his wife, the head
    of the branch; she marked who is a member. Fathers, mothers and husbands stand beside them."""
    people = women(34, name)
    days_of_all_kinds(people)
    called(people, {2: "Hà Thị Thanh Huyền", 17: "Phùng Thị Tính", 26: "Đỗ Thị Ánh Tuyết"})
    for place in (6, 20, 29):
        people[place] = born_in(people[place], 2000 + place % 4)
    for place, woman in enumerate(people):
        year = year_of(woman)
        relation = "Mẹ" if year < 1960 else "Vợ" if year < 1986 else "Con dâu"
        people[place] = woman.but("relation", relation)
    for place in (6, 20, 29):
        people[place] = people[place].but("relation", "Con đẻ")
    towns = ("Phượng Vĩ, Cẩm Khê, Phú Thọ", "Thanh Ba, Phú Thọ", "Trấn Yên, Yên Bái")
    fathers = ("Bảo", "Cường", "Đạt", "Kỳ", "Ngữ")
    for place, each in enumerate(people):
        born, town = day_of(each), towns[place % 4 % 3]
        woman = each.but("full_name", name_of(each).upper()).but("birth_date", f"{born:%d-%m-%Y}")
        woman = woman.but("hometown", town, hometown=town)
        woman = woman.but("father", f"{name_of(each).split()[0]} Văn {fathers[place % 5]}")
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
        people[place] = with_old_card(people[place])
    people[25] = without(people[25], "citizen_id")
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


@FOURTH_COPIED.book("DS PN cao tuoi tang qua 8-3-2009.csv", files.csv_as("tcvn3", ","))
def _of_the_old(name: str) -> Sheet:
    """Out of an old computer of the commune: the old women who got a present, "Cụ" and "Bà" before
    each name, some born by the moon, landlines, the old cards."""
    people = women(22, name)
    for place, each in enumerate(people):
        year = 1924 + place * 7 % 20
        old = with_old_card(born_in(each, year), "{n}" if place % 3 else "{dots}")
        title = "Cụ" if year < 1930 else "Bà"
        old = of_year(renamed(old, f"{title} {{n}}").but("age", 2009 - year))
        old = old.but("branch", f"Khu {place % 4 + 1}", branch=place % 4 + 1)
        people[place] = without(old, "phone").but("gift", 1)
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
    about = people[16].but("birth_date", "khoảng 1930", birth_date="1930").but("age", 79)
    people[16] = about.with_sign()
    for place, number in ((0, "0210.3889.123"), (6, "0210 3889 240"), (11, "02103889305")):
        stored = "+84" + number.replace(".", "").replace(" ", "")[1:]
        people[place] = people[place].but("phone", number, phone=stored)
    for place in (4, 18):
        people[place] = without(people[place], "id_card").but("citizen_id", None)
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
