"""Books by hands that have never seen the reader, each as another person keeps her list.

Expected is what a careful cadre would write by hand of each row; where she would ask first, the row
waits. Their share is reported separately. After their first look (described in floor.py) the reader was mended
by what they showed, so it is no longer the share of lists that nobody has seen.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from tests.workbooks.wild import files
from tests.workbooks.wild.cells import as_day, of_year, renamed, to_wait, write_cells, year_of
from tests.workbooks.wild.sheets import (
    BORN,
    NAME,
    NUMBER,
    PHONE,
    Cell,
    Column,
    Sheet,
    Woman,
    column,
    ticks,
    women,
)
from tests.workbooks.wild.shelf import Shelf

UNSEEN = Shelf({})
YEAR = column("Năm sinh", "birth_date")
NOTE = column("Ghi chú", "note")


def _digits(woman: Woman) -> str:
    return str(woman.written["phone"])


def _grouped(woman: Woman, mark: str) -> str:
    digits = _digits(woman)
    return mark.join((digits[:4], digits[4:7], digits[7:]))


# -- the head of a branch, who copied her table from Word


@UNSEEN.book("chi hoi khu 2 (chep tu Word).xlsx")
def from_word(name: str) -> Sheet:
    people = [of_year(each, shown=f"{year_of(each)} ") for each in women(10, name)]
    for place, each in enumerate(people):
        shown = each.but("stt", f"{place + 1}.").but("phone", _grouped(each, ". "[place % 2]))
        people[place] = renamed(shown, ("{n} ", "{n}", " {n}")[place % 3])
    people[1] = people[1].but(
        "full_name", str(people[1].stored["full_name"]).replace(" ", "\u00a0")
    )
    people[4] = people[4].but(
        "full_name", "\n".join(str(people[4].stored["full_name"]).rsplit(" ", 1))
    )
    people[6] = people[6].but(
        "full_name", f"{people[6].stored['full_name']}\u200b".replace(" ", "  ")
    )
    write_cells(people, "note", {2: "hộ cận nghèo", 5: "vợ liệt sĩ", 8: "không tham gia thường"})
    columns = (
        *(column("Số\nTT", "stt"), column("Họ và tên\nhội viên", "full_name")),
        *(column("Năm\nsinh", "birth_date"), column("Nghề\nnghiệp", "occupation")),
        *(column("Số điện\nthoại", "phone"), column("Ghi\nchú", "note")),
    )
    sheet = Sheet().line("Hội LHPN xã Phượng Vĩ").line("CHI HỘI PHỤ NỮ KHU 2").line()
    sheet.line("DANH SÁCH HỘI VIÊN PHỤ NỮ NĂM 2025", merged="A:F").line()
    sheet.head(columns).add(columns, people[:9], branch=2)
    sheet.line(None, None, None, None, None, "xuyên do con nhỏ")
    sheet.add(columns, people[9:], branch=2)
    sheet.line("Danh sách trên có 10 hội viên./.", merged="A:F").line()
    return sheet.line(None, None, None, "Chi hội trưởng").line().line(None, None, None, "Hà Thị Lý")


# -- the officer of the commune: a sheet a branch, each filled in by another head


@UNSEEN.book("TONG HOP HOI VIEN CAC CHI HOI 2025.xlsx")
def sheet_for_each(name: str) -> list[Sheet]:
    people = women(20, name)
    joined = column("Ngày vào Hội", "joined_on")
    summary = Sheet("TONG HOP").line("TỔNG HỢP SỐ LIỆU HỘI VIÊN TOÀN XÃ", merged="A:E").line()
    summary.line("STT", "Chi hội", "Chi hội trưởng", "Số hội viên", "Nòng cốt")
    heads = ("Hà Thị Lý", "Trần Thị Ngà", "Đinh Thị Vân", "Bùi Thị Sen")
    for khu, head in enumerate(heads, 1):
        summary.line(khu, f"Khu {khu}", head, 5, 2)
    summary.line(None, "Cộng", None, 20, 8)
    by_day = [as_day(each, "birth_date") for each in people[:5]]
    first = (NUMBER, NAME, BORN, joined, PHONE)
    second = (NUMBER, column("Họ tên", "full_name"), column("SĐT", "phone"), YEAR)
    third = (NUMBER, NAME, YEAR, column("Văn hoá", "education"), PHONE)
    fourth = (column(None), NUMBER, NAME, BORN, column("Dân tộc", "ethnicity"), PHONE)
    of_fourth = people[15:]
    write_cells(of_fourth, "ethnicity", {1: "Mường", 3: "mường"}, ethnicity="04")
    return [
        summary,
        Sheet("K1").line("DANH SÁCH HỘI VIÊN").line().table(first, by_day, branch=1),
        Sheet("K2 ").table(second, [of_year(each) for each in people[5:10]], branch=2),
        Sheet("Chi hội 3")
        .line("Danh sách hội viên chi hội 3")
        .table(third, [of_year(each) for each in people[10:15]], branch=3)
        .line(None, "Tổng: 5 đ/c"),
        Sheet("khu4").line().table(fourth, of_fourth, branch=4),
        Sheet("Sheet6"),
    ]


# -- answers to a form, as women wrote them on their phones


@UNSEEN.book("Phiếu thông tin hội viên (Câu trả lời).xlsx")
def answered_on_phones(name: str) -> Sheet:
    people = women(12, name)
    asked_at = datetime(2026, 3, 8, 19, 2, 11)  # noqa: DTZ001  # a cell of a workbook has no zone
    choices = (("Rồi", "member"), ("Chưa", "none"))
    degrees = (("Đại học", "bachelor"), ("Trung cấp", "intermediate"), ("Không", "none"))
    for place, each in enumerate(people):
        party, degree = choices[place % 4 != 0], degrees[place % 3]
        shown = each.but("party", party[0], party=party[1])
        shown = shown.but("qualification", degree[0], qualification=degree[1])
        shown = shown.but("stamp", asked_at + timedelta(minutes=17 * place))
        people[place] = shown.but("agreed", "Có").but("wish", "Vay vốn, học nghề")
    named = ((1, str.lower), (3, str.upper), (8, lambda text: f"Chị {text}"))
    for place, write in named:
        people[place] = people[place].but(
            "full_name", write(str(people[place].stored["full_name"]))
        )
    people[9] = renamed(people[9], "{n}", "Kieu Thi Hong Nhan")
    for place, pattern in (
        (2, "%d-%m-%Y"),
        (4, "%d.%m.%Y"),
        (6, "%d/%m/%y"),
        (7, "ngày %d tháng %m năm %Y"),
    ):
        born = date.fromisoformat(people[place].stored["birth_date"])
        people[place] = people[place].but("birth_date", born.strftime(pattern))
    people[5] = of_year(people[5], shown=str(year_of(people[5])))
    ways = ("Khu {k}", "khu{k}", "K{k}", "Chi hội khu {k}", "Chi hội phụ nữ khu {k}", "khu 0{k}")
    for place, each in enumerate(people):
        people[place] = each.but("branch", ways[place % 6].format(k=each.stored["branch"]))
    people[10] = people[10].but("branch", "khu 2 xã Tiên Lương").to_decide()
    phones = {0: "+84{0}", 2: "84{0}", 3: "{0}"}
    for place, form in phones.items():
        people[place] = people[place].but("phone", form.format(_digits(people[place])[1:]))
    card = str(people[4].stored["citizen_id"])
    people[4] = people[4].but("citizen_id", f"{card[:3]} {card[3:6]} {card[6:9]} {card[9:]}")
    people[7] = people[7].but("citizen_id", int(str(people[7].stored["citizen_id"])))
    write_cells(people, "ethnicity", {1: "kinh", 6: "dân tộc Kinh"})
    write_cells(people, "ethnicity", {2: "Mường", 5: "muong"}, ethnicity="04")
    write_cells(people, "religion", {3: "Thiên chúa giáo", 8: "Công giáo"}, religion="catholic")
    write_cells(people, "religion", {4: "Đạo Phật"}, religion="buddhist")
    again = people[3].but("stamp", asked_at + timedelta(days=1)).to_decide()
    columns = (
        column("Dấu thời gian", "stamp"),
        column("Họ và tên của chị là gì? (Vui lòng viết có dấu)", "full_name"),
        column("Ngày, tháng, năm sinh của chị", "birth_date"),
        column("Chị đang sinh hoạt tại chi hội nào?", "branch"),
        column("Số điện thoại (ưu tiên số dùng Zalo)", "phone"),
        column("Số căn cước công dân (12 số)", "citizen_id"),
        column("Chị là người dân tộc gì?", "ethnicity"),
        column("Chị theo tôn giáo nào?", "religion"),
        column("Chị đã là Đảng viên chưa?", "party"),
        column("Trình độ chuyên môn cao nhất của chị", "qualification"),
        column("Chị có mong muốn, đề xuất gì với Hội?", "wish"),
        column("Chị có đồng ý cho Hội sử dụng thông tin trên không?", "agreed"),
    )
    return Sheet("Câu trả lời biểu mẫu 1").table(columns, [*people, again])


# -- a csv of Numbers


@UNSEEN.book("Hội viên khu 4.csv", files.mac_csv)
def of_numbers(name: str) -> Sheet:
    people = women(9, name)
    for place, each in enumerate(people):
        shown = each.but("address", "Khu 4,\nxã Phượng Vĩ", address="Khu 4, xã Phượng Vĩ")
        people[place] = shown.but("phone", f"({_digits(each)[:4]}) {_digits(each)[4:]}")
    write_cells(people, "citizen_id", {5: "2,5168E+10"})
    to_wait(people, 5)
    write_cells(people, "citizen_id", {2: None, 7: None}, citizen_id=None)
    empty = column(None)
    columns = (
        *(column("Họ tên", "full_name"), column("Ngày sinh", "birth_date")),
        *(column("Điện thoại", "phone"), column("CCCD", "citizen_id")),
        *(column("Địa chỉ thường trú", "address"), empty, empty),
    )
    sheet = Sheet().line("Danh sách hội viên khu 4").table(columns, people, branch=4)
    for _ in range(6):
        sheet.line()
    return sheet


# -- a list that is carried on in Excel 97, in the fonts of that time


@UNSEEN.book("PHU NU KHU 1.XLS", files.old_vntime)
def in_old_fonts(name: str) -> Sheet:
    people = [of_year(of_year(each), "joined_on") for each in women(10, name)]
    levels = (
        *(("7/10", "lower_secondary"), ("10/10", "upper_secondary"), ("4/10", "primary")),
        *(("9/12", "lower_secondary"), ("12/12", "upper_secondary"), ("5/12", "primary")),
    )
    for place, each in enumerate(people):
        card = f"1310{place}4{place}7{place}"
        level = levels[place % 6]
        shown = each.but("education", level[0], education=level[1])
        people[place] = shown.but("id_card", int(card) if place % 2 else card, id_card=card)
    for place in (3, 8):
        people[place] = of_year(people[place], shown=f"{year_of(people[place]) % 100}").with_sign()
    write_cells(people, "note", {1: "Hội viên nòng cốt", 6: "Già yếu", 7: "Mẹ liệt sỹ"})
    columns = (
        *(column("TT", "number"), NAME, YEAR, column("Năm vào hội", "joined_on")),
        *(column("Số CMND", "id_card"), column("Văn hóa", "education"), NOTE),
    )
    sheet = Sheet("DSHV").line("HỘI LIÊN HIỆP PHỤ NỮ XÃ PHƯỢNG VĨ").line("CHI HỘI PHỤ NỮ KHU 1")
    sheet.line().line(None, "DANH SÁCH HỘI VIÊN PHỤ NỮ").line()
    sheet.table(columns, people, branch=1).line(None, "Tổng số 10 hội viên").line()
    return sheet.line(None, None, None, None, "Phượng Vĩ, ngày 20 tháng 10 năm 2024")


# -- the quality of members, in ticks


def _group(sheet: Sheet, heading: str, columns: Sequence[Column]) -> list[Cell]:
    """The heading above so many columns, with the cells beside it."""
    return [heading, *(None for _ in columns[1:])]


@UNSEEN.book("phan tich chat luong hoi vien 2025.xlsx")
def quality_in_ticks(name: str) -> Sheet:
    people = [of_year(each) for each in women(12, name)]
    schooling = (("TH", "primary"), ("THCS", "lower_secondary"), ("THPT", "upper_secondary"))
    degrees = (("Trung cấp", "intermediate"), ("Cao đẳng", "college"), ("Đại học", "bachelor"))
    faiths = (("Công giáo", "catholic"), ("Phật giáo", "buddhist"), (None, None), (None, None))
    for place, each in enumerate(people):
        khu, level, faith = each.stored["branch"], schooling[place % 3], faiths[place % 4]
        degree = degrees[place % 5] if place % 5 < 3 else (None, None)
        people_of = ("Mường", "04") if place in (2, 9) else ("Kinh", "01")
        shown = each.but("branch", f"Khu {khu}").but("education", level[0], education=level[1])
        shown = shown.but("religion", faith[0], religion=faith[1])
        shown = shown.but("qualification", degree[0], qualification=degree[1])
        shown = shown.but("ethnicity", people_of[0], ethnicity=people_of[1])
        party: Cell = "X" if place % 4 == 1 else None
        shown = shown.but("party", party, party="member" if party else None)
        people[place] = shown.but("poor", "x" if place == 6 else None)
    groups = (
        ("Dân tộc", ticks("ethnicity", "Kinh", "Mường")),
        ("Tôn giáo", ticks("religion", "Công giáo", "Phật giáo", mark="X")),
        ("Trình độ văn hoá", ticks("education", "TH", "THCS", "THPT")),
        ("Chuyên môn", ticks("qualification", "Trung cấp", "Cao đẳng", "Đại học", mark="+")),
    )
    first = (NUMBER, NAME, column("Chi hội", "branch"), YEAR)
    last = (column("Đảng viên", "party"), column("HV nòng cốt", "core"), column("Hộ nghèo", "poor"))
    columns = (*first, *(each for _, parts in groups for each in parts), *last)
    sheet = Sheet("CLHV").line("HỘI LHPN XÃ PHƯỢNG VĨ").line()
    sheet.line("BIỂU PHÂN TÍCH CHẤT LƯỢNG HỘI VIÊN NĂM 2025", merged="A:Q").line()
    sheet.line(
        *(each.heading for each in first),
        *(cell for heading, parts in groups for cell in _group(sheet, heading, parts)),
        *(each.heading for each in last),
    )
    sheet.line(*(None for _ in first), *(each.heading for _, parts in groups for each in parts))
    top, below = sheet.last - 1, sheet.last
    sheet.merged += [f"{letter}{top}:{letter}{below}" for letter in "ABCDOPQ"]
    sheet.merged += [f"{span[0]}{top}:{span[1]}{top}" for span in ("EF", "GH", "IK", "LN")]
    sheet.line(*range(1, 18)).add(columns, people)
    sheet.line(None, "Cộng", None, None, 10, 2, 3, 3, 4, 4, 4, 3, 3, 2, 3)
    return sheet.line(
        None, "Tỷ lệ %", None, None, "83,3", "16,7", "25", "25", "33,3", "33,3", "33,3"
    )


# -- branches and groups (tổ) one after another, with sums


@UNSEEN.book("So hoi vien theo to phu nu.xlsx")
def groups_with_sums(name: str) -> Sheet:
    people = women(12, name)
    for place in (1, 4, 9):
        year = year_of(people[place], "joined_on")
        month = {"joined_on": f"{year}-03"}
        people[place] = people[place].but("joined_on", f"T3/{year}", **month)
    for place in (2, 7, 10):
        people[place] = of_year(people[place], "joined_on")
    # Two women of one name, born in other years.
    people[3] = renamed(people[3], "{n}", "Tống Thị Minh Liên").but(
        "birth_date", "2/9/1951", birth_date="1951-09-02"
    )
    people[8] = renamed(people[8], "{n}", "Tống Thị Minh Liên").but(
        "birth_date", "14/11/1979", birth_date="1979-11-14"
    )
    for place, joined in ((3, "1975-03-08"), (8, "2001-10-20")):
        day = date.fromisoformat(joined)
        people[place] = people[place].but(
            "joined_on", f"{day.day}/{day.month}/{day.year}", joined_on=joined
        )
    people[0] = people[0].but("post", "Chi hội trưởng")
    people[6] = people[6].but("post", "Tổ trưởng")
    columns = (
        NUMBER,
        NAME,
        BORN,
        column("Ngày vào Hội", "joined_on"),
        column("Chức vụ", "post"),
        PHONE,
    )
    sheet = Sheet("Sổ HV").line("SỔ HỘI VIÊN", merged="A:F").head(columns)
    place = 0
    for letter, khu, head in (("A", 1, "Hà Thị Lý"), ("B", 3, "Đinh Thị Vân")):
        sheet.line(f"{letter}. CHI HỘI KHU {khu} - Chi hội trưởng: {head}", merged="A:F")
        for group, roman in ((1, "I"), (2, "II")):
            sheet.line(roman, f"Tổ {group} (3 hội viên)")
            sheet.add(columns, people[place : place + 3], branch=khu)
            sheet.line(None, f"Cộng tổ {group}", None, 3)
            place += 3
        sheet.line(None, f"Cộng chi hội khu {khu}", None, 6)
    return sheet.line(None, "TỔNG CỘNG", None, 12).line(None, None, None, "Người lập").line()


# -- a review with remarks


@UNSEEN.book("ra soat hoi vien cuoi nam 2025.xlsx")
def with_remarks(name: str) -> Sheet:
    people = [of_year(each) for each in women(16, name)]
    remarks = {
        0: "chồng đã mất",
        1: "mất T3/2025",
        2: "Chuyển về Yên Lập theo con",
        3: "mất CCCD, đang làm lại",
        4: "mới chuyển đến năm 2024",
        5: "xin ra khỏi Hội",
        6: "đi XKLĐ Đài Loan",
        7: "lấy chồng Hà Nội, đã cắt khẩu",
        8: "con trai chết đuối 2019, hộ khó khăn",
        9: "trùng với STT 5",
        10: "ốm, không đi họp được",
    }
    write_cells(people, "note", remarks)
    to_wait(people, 1, 2, 5, 7, 9)
    forms = {11: "{n} - CHP", 12: "Bà {n}", 13: "{n} (CHT)", 14: "Đ/c {n}", 15: "{n} (đã chết)"}
    for place, form in forms.items():
        people[place] = renamed(people[place], form)
    to_wait(people, 15)
    for place, each in enumerate(people):
        people[place] = each.but("branch", f"Khu {each.stored['branch']}")
    columns = (
        *(
            column("TT", "number"),
            column("Họ tên hội viên", "full_name"),
            column("NS", "birth_date"),
        ),
        *(
            column("Khu", "branch"),
            column("ĐT", "phone"),
            column("Ghi chú (chuyển đi, mất...)", "note"),
        ),
    )
    sheet = Sheet("2025").line("KẾT QUẢ RÀ SOÁT HỘI VIÊN CUỐI NĂM 2025", merged="A:F").line()
    return sheet.table(columns, people).line(None, "Còn lại: 10 hội viên")


# -- an accountant who types without marks


@UNSEEN.book("ds hv khong dau.ods")
def without_marks(name: str) -> Sheet:
    plain = (
        *("Quach Thi Tuoi", "Mac Thi Gam", "Khong Thi Buoi", "Luong Thi Dao", "Chu Thi Sen"),
        *("Doan Thi Vuong", "Kieu Thi Thuy", "Thach Thi Hong", "Nghiem Thi Yen", "Tong Thi Man"),
    )
    people = [of_year(each) for each in women(10, name)]
    for place, each in enumerate(people):
        khu = each.stored["branch"]
        shown = renamed(each, "{n}", plain[place]).but(
            "address", f"Khu {khu}", address=f"Khu {khu}"
        )
        people[place] = shown.but("occupation", "Lam ruong", occupation="Lam ruong")
    write_cells(people, "birth_date", {1: "1950 (Canh Dan)"}, birth_date="1950")
    write_cells(people, "birth_date", {4: "khoang 1948"}, birth_date="1948")
    write_cells(people, "birth_date", {6: "15/8/1955 AL"}, birth_date="1955")
    for place in (1, 4, 6):
        people[place] = people[place].with_sign()
    write_cells(people, "birth_date", {7: "196?", 8: "Tan Mao"})
    to_wait(people, 7, 8)
    columns = (
        *(
            column("So TT", "number"),
            column("Ho va ten", "full_name"),
            column("Nam sinh", "birth_date"),
        ),
        *(
            column("Noi o", "address"),
            column("Nghe nghiep", "occupation"),
            column("Dien thoai", "phone"),
        ),
    )
    sheet = Sheet("Sheet1").line("DANH SACH HOI VIEN PHU NU XA PHUONG VI").line().head(columns)
    for place, each in enumerate(people):
        sheet.add(columns, [each], at=place + 1, branch=each.stored["branch"])
    return sheet.line(None, "Tong cong: 10 nguoi")


# -- the committee, then the others, as they go to the printer, with all sorts of phones


@UNSEEN.book("Danh ba chi hoi khu 3.xls")
def two_tables_in_print(name: str) -> Sheet:
    people = [of_year(each) for each in women(15, name)]
    other = "0388000222"
    forms = {
        0: "{d} (zalo)",
        3: "{d} - " + other,
        5: "{d} (chung với chồng)",
        6: "ĐT: {d}",
        7: "{d}/" + other,
        11: "{d}, con gái " + other,
    }
    for place, form in forms.items():
        people[place] = people[place].but("phone", form.format(d=_digits(people[place])))
    for place in (3, 7, 11):
        people[place] = people[place].with_sign()
    write_cells(people, "phone", {2: "không", 8: "ko có", 13: "-"}, phone=None)
    write_cells(people, "phone", {4: "0210 3889 123"}, phone="+842103889123")
    write_cells(people, "phone", {9: "01689 123 457"}, phone="+84389123457")
    write_cells(people, "phone", {10: "097412345"})
    to_wait(people, 10)
    write_cells(people, "phone", {12: f"O{_digits(people[12])[1:]}"})
    people[14] = people[14].but("phone", int(_digits(people[14])))
    posts = ("Chi hội trưởng", "Chi hội phó", "Uỷ viên")
    for place, post in enumerate(posts):
        people[place] = people[place].but("post", post)
    committee = (NUMBER, NAME, column("Chức vụ", "post"), YEAR, column("Số ĐT", "phone"))
    others = (NUMBER, NAME, YEAR, column("Số ĐT", "phone"), column("Nghề nghiệp", "occupation"))
    sheet = Sheet("In").line("CHI HỘI PHỤ NỮ KHU 3").line("DANH BẠ ĐIỆN THOẠI HỘI VIÊN").line()
    sheet.line("I. BAN CHẤP HÀNH CHI HỘI").table(committee, people[:3], branch=3).line()
    sheet.line("II. HỘI VIÊN").table(others, people[3:9], branch=3)
    sheet.line(None, None, None, None, "Trang 1/2").line("CHI HỘI PHỤ NỮ KHU 3")
    sheet.head(others).add(others, people[9:], at=7, branch=3)
    return sheet.line(None, None, None, None, "Trang 2/2")


# -- households: what women of one house share is written once


@UNSEEN.book("hoi vien theo ho gia dinh.xlsx")
def shared_cells(name: str) -> Sheet:
    people = [of_year(each) for each in women(12, name)]
    husbands = ("Nguyễn Văn Tuấn", "Hà Văn Lợi", None, "Trần Đình Bắc")
    houses = ((0, 1), (2,), (3, 4, 5), (6, 7), (8,), (9, 10), (11,))
    sheet = Sheet("Hộ").line("DANH SÁCH HỘI VIÊN THEO HỘ GIA ĐÌNH", merged="A:H").line()
    columns = (
        *(column("Chi hội", "branch"), column("Số hộ", "house"), column("Số nhà, ngõ", "address")),
        *(column("Họ tên chồng", "husband"), column("Năm sinh", "his_year")),
        *(column("Họ tên hội viên", "full_name"), column("Năm sinh", "birth_date"), PHONE),
        column("Số CCCD", "citizen_id"),
    )
    sheet.head(columns)
    first = sheet.last + 1
    for house, places in enumerate(houses, 1):
        khu = 1 if house < 4 else 2
        for turn, place in enumerate(places):
            each = people[place]
            lane = f"Ngõ {house}"
            shown = each.but("address", None if turn else lane, address=lane)
            shown = shown.but("house", None if turn else house)
            new = house in (1, 4) and not turn
            shown = shown.but("branch", f"K{khu}" if new else None, branch=khu)
            husband = husbands[place % 4]
            shown = shown.but("husband", husband).but("his_year", 1950 + place if husband else None)
            people[place] = shown
    # Typed into a cell that shows dates, as 1965 does: 18/05/1905.
    typed = (2, 9)
    for place in typed:
        people[place] = people[place].with_sign()
        sheet.formats[first + place, 7] = "dd/mm/yyyy"
    sheet.add(columns, people)
    rows = [(first + places[0], first + places[-1]) for places in houses if len(places) > 1]
    sheet.merged += [f"{letter}{top}:{letter}{end}" for top, end in rows for letter in "BC"]
    sheet.merged += [f"A{first}:A{first + 5}", f"A{first + 6}:A{first + 11}"]
    sheet.hidden_columns.add("I")
    return sheet


# -- what another program has written


@UNSEEN.book("export_hoivien_20251103.csv", files.csv_as("utf-16", "\t"))
def of_another_program(name: str) -> Sheet:
    people = women(12, name)
    for place, each in enumerate(people):
        party, core = place % 3 == 0, place % 2
        shown = each.but("code", f"HV{4711 * (place + 3) % 997:05}").but(
            "gender", "Nữ", gender="female"
        )
        for name_of_day in ("birth_date", "joined_on"):
            shown = shown.but(name_of_day, f"{each.stored[name_of_day]} 00:00:00")
        shown = shown.but("party", int(party), party="member" if party else "none")
        shown = shown.but("core", core, core=bool(core)).but("phone", f"84{_digits(each)[1:]}")
        shown = shown.but("citizen_id", f"'{each.stored['citizen_id']}").but(
            "state", "Đang sinh hoạt"
        )
        people[place] = shown.but("branch", f"Chi hội Khu {each.stored['branch']} - Phượng Vĩ")
    write_cells(people, "phone", {1: "NULL", 6: "NULL"}, phone=None)
    write_cells(people, "citizen_id", {4: "NULL"}, citizen_id=None)
    write_cells(people, "occupation", {2: "NULL", 7: ""}, occupation=None)
    write_cells(people, "ethnicity", {3: "Cao Lan"}, ethnicity="13")
    write_cells(people, "state", {5: "Đã chuyển đi", 9: "Đã qua đời"})
    # No program knows a day so well: it had none.
    write_cells(people, "joined_on", {8: "1900-01-01 00:00:00"})
    to_wait(people, 5, 8, 9)
    columns = (
        *(column("MaHV", "code"), column("HoTen", "full_name"), column("NgaySinh", "birth_date")),
        *(
            column("GioiTinh", "gender"),
            column("DanToc", "ethnicity"),
            column("NgheNghiep", "occupation"),
        ),
        *(
            column("NgayVaoHoi", "joined_on"),
            column("TenChiHoi", "branch"),
            column("DienThoai", "phone"),
        ),
        *(column("SoCCCD", "citizen_id"), column("DangVien", "party"), column("NongCot", "core")),
        column("TrangThai", "state"),
    )
    return Sheet().table(columns, people)
