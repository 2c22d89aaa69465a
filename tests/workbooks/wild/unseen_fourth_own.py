"""Twelve more books, by hands that have seen neither the reader nor any book it was mended by: six
that the union keeps itself.

Declared and measured as those of `unseen`, whose docstring says what their share tells. Of each
book: who keeps it, and how it came to look so.
"""

from collections.abc import Sequence
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
    NUMBER,
    Cell,
    Column,
    Sheet,
    Woman,
    column,
    women,
)
from tests.workbooks.wild.shelf import Shelf
from tests.workbooks.wild.unseen_fourth_cells import (
    NOTE,
    ROMAN,
    born_in,
    called,
    card_of,
    day_of,
    days_of_all_kinds,
    name_of,
    phone_of,
    short_day,
    without,
    xlsx_with,
)

FOURTH_OWN = Shelf({})


@FOURTH_OWN.book("To cong nghe so - VNeID chi em.csv", files.mac_csv)
def _of_a_student(name: str) -> Sheet:
    """A student of the village's digital team went from house to house with her MacBook: the given
    name first, her own short headings, numbers as a telephone shows them."""
    people = women(18, name)
    days_of_all_kinds(people)
    called(people, {4: "Nguyễn Thị Mai Hương", 10: "Lò Thị Ơn"})
    for place in (2, 9):
        people[place] = born_in(people[place], 1999 + place % 4)
    for place, each in enumerate(people):
        digits, card, day = phone_of(each), card_of(each), day_of(each)
        ways = (f"+84 {digits[1:4]} {digits[4:7]} {digits[7:]}", f"84{digits[1:]}", digits)
        woman = each.but("phone", ways[place % 3]).but("birth_date", short_day(day, "-"))
        woman = woman.but("citizen_id", f"{card[:3]} {card[3:6]} {card[6:]}")
        khu = each.stored["branch"]
        woman = woman.but("branch", (f"Khu {khu}", f"K{khu}", f"khu {khu} PV")[place % 3])
        house = f"Nhà số {place * 3 + 2}, khu {khu}"
        woman = woman.but("address", house, address=house)
        woman = woman.but("level_2", "✓" if place % 6 and place != 13 else "chưa").but("zalo", "✓")
        people[place] = woman.but("phone_kind", ("iPhone", "Samsung", "Oppo")[place % 3])
    for place in (6, 13):
        people[place] = of_year(people[place], "birth_date", str(year_of(people[place])))
    people[13] = without(people[13], "phone").but("zalo", None).but("phone_kind", "cục gạch")
    people[7] = people[7].but("citizen_id", "thẻ hết hạn, chờ cấp lại", citizen_id=None).with_sign()
    people[15] = people[15].but("citizen_id", f"{card_of(people[15])[:11]}").to_decide()
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


@FOURTH_OWN.book("SO THEO DOI HV 2025 - 4 CHI HOI.xlsx", xlsx_with(_with_copy_of_last_year))
def _book_of_four_branches(name: str) -> list[Sheet]:
    """The commune's vice president sent the heads one form; telephones were looked up from a file
    that is gone, one head put a column in between, one wrote her new members below."""
    people = women(38, name)
    days_of_all_kinds(people)
    called(people, {1: "Trần Thị Phương Hoa", 13: "Nguyễn Thị Ngân", 25: "Bùi Thị Lệ Thuỷ"})
    people = [of_year(as_day(woman, "birth_date"), "joined_on") for woman in people]
    for place in (3, 17, 28):
        people[place] = of_year(people[place])
    write_cells(people, "phone", {2: "#N/A", 12: "#N/A", 26: "#REF!"}, phone=None)
    for place in (2, 12, 26):
        people[place] = people[place].with_sign()
    for place in (5, 19, 33):
        people[place] = people[place].but("phone", int(phone_of(people[place])))
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
        index.line(khu, f"Khu {khu}", name_of(head), phone_of(head), count)
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
        as_day(born_in(woman, 1998 + place), "birth_date").but(
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


@FOURTH_OWN.book("ds hoi vien k3 go o may con gai.xlsx")
def _on_an_american_machine(name: str) -> Sheet:
    """The head of khu 3 typed it on her daughter's laptop, set to American days: 5/3/1970 became the
    3rd of May and still shows as 5/3/1970, while 25/3/1970 stayed text. She means the 5th of March,
    as her 8/3 and 20/10 of joining show too."""
    people = women(28, name)
    days_of_all_kinds(people)
    called(people, {6: "Lê Thị Minh Tâm", 21: "Nguyễn Thị Vân"})
    places = ("ngõ ông Thành", "gần nhà văn hoá", "xóm Gò", "cạnh trường mầm non")
    feasts = ((8, 3), (20, 10), (3, 2), (26, 3), (10, 10))
    american: dict[tuple[int, int], str] = {}
    for place, each in enumerate(people):
        day, month = feasts[place % 5]
        joined = date(year_of(each, "joined_on"), month, day)
        woman = each.but("joined_on", None, joined_on=joined.isoformat())
        home = f"{places[place % 4]}, khu 3"
        woman = woman.but("address", home, address=home)
        people[place] = woman.but("phone", int(phone_of(woman)))
    for place in (3, 11, 20, 26):
        people[place] = of_year(people[place])
    people[14] = without(people[14], "phone")
    write_cells(people, "phone", {17: "ko dùng"}, phone=None)
    for place in (8, 23):
        people[place] = without(people[place], "joined_on")
    first = 5
    for place, each in enumerate(people):
        woman = each
        for spot, field in ((3, "birth_date"), (4, "joined_on")):
            meant = str(woman.stored[field] or "")
            if len(meant) < 10:
                continue
            meant_day = date.fromisoformat(meant)
            if meant_day.day > 12:
                woman = woman.but(field, short_day(meant_day))
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


@FOURTH_OWN.book("Ket nap HV moi 2022-2024.xls")
def _newly_admitted(name: str) -> Sheet:
    """The commune's president adds to it after each decision: days as a decision words them, schooling
    and degree in one cell, who introduced her, and one man, an honorary member."""
    people = women(14, name)
    days_of_all_kinds(people)
    years = (1994, 2003, 1999, 1997, 2001, 2005, 1996, 2000, 1998, 2004, 1995, 2002, 1999, 1961)
    people = [born_in(w, year) for w, year in zip(people, years, strict=True)]
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
        day = day_of(each)
        born: Cell = f"ngày {day.day} tháng {day.month} năm {day.year}"
        woman = each.but("joined_on", shown, joined_on=joined)
        woman = woman.but("birth_date", born if place % 3 == 1 else short_day(day))
        level, education, degree = levels[place % 5]
        woman = woman.but("education", level, education=education, qualification=degree)
        woman = woman.but("decision", f"{place // 3 + 4:02}/QĐ-HPN").but("kind", "Hội viên")
        woman = woman.but("by", ("Mạc Thị Gấm", "Kiều Thị Xoan", "Tống Ngọc Yến")[place % 3])
        people[place] = woman
    man = renamed(people[13], "{n}", "Tống Văn Vượng").but("gender", "Nam", gender="male")
    card = f"025061{card_of(man)[6:]}"
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


@FOURTH_OWN.book("diem danh sinh hoat khu 1.xls")
def _of_attendance(name: str) -> Sheet:
    """The head of khu 1 calls the roll each quarter: groups of neighbours between the rows, days of
    meetings as headings, and a column of days in which she typed some years."""
    people = women(25, name)
    called(people, {0: "Phan Thị Thảo", 9: "Nguyễn Thị Hường", 17: "Nguyễn Thị Bích Đào"})
    days_of_all_kinds(people)
    for place, each in enumerate(people):
        day, year = day_of(each), year_of(each)
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
    digits = phone_of(people[8])
    people[8] = people[8].but("phone", f"{digits}/0965.220.118").with_sign()
    people[11] = people[11].but("phone", f"ĐT {phone_of(people[11])}")
    people[23] = people[23].but("phone", phone_of(people[23])[:9], phone=None).to_decide()
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


@FOURTH_OWN.book("doi the hoi vien.csv", files.csv_as("cp1258", ";"))
def _of_cards(name: str) -> Sheet:
    """For the exchange of members' cards; the shop that prints them wants days as eight digits, and
    Excel took the zero in front of some."""
    people = women(13, name)
    days_of_all_kinds(people)
    days_of_all_kinds(people, "joined_on")
    for place, day in ((3, 5), (7, 9)):
        born = day_of(people[place]).replace(day=day)
        people[place] = people[place].but("birth_date", None, birth_date=born.isoformat())
    for place, each in enumerate(people):
        born, joined = day_of(each), day_of(each, "joined_on")
        woman = each.but("birth_date", f"{born:%d%m%Y}").but("joined_on", f"{joined:%d%m%Y}")
        if place in (3, 7):
            woman = woman.but("birth_date", f"{born:%d%m%Y}".lstrip("0"))
        woman = woman.but("full_name", name_of(each).upper()).but(
            "card", f"PT-08356-{place + 4:04}"
        )
        woman = woman.but("issued_on", f"0803{max(joined.year + 1, 2012)}")
        khu = each.stored["branch"]
        shown = (f"Chi hội K.{khu}", f"CH khu {khu}", f"Khu {ROMAN[khu - 1]}")
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
