"""Books that combine what the fixed ones have one by one, as a commune's own files do.

Their share is reported separately: the reader is not made from them.
"""

from tests.workbooks.wild import files
from tests.workbooks.wild.fixed_values import in_years, year_of
from tests.workbooks.wild.sheets import (
    BORN,
    BRANCH,
    CARD,
    NAME,
    NUMBER,
    PHONE,
    Sheet,
    Woman,
    column,
    ticks,
    women,
)
from tests.workbooks.wild.shelf import Shelf

HELD_OUT = Shelf({})
SPLIT = (column("Họ và tên", "surname"), column(None, "given_name"))
JOINED = column("Ngày vào Hội", "joined_on")
YEAR = column("Năm sinh", "birth_date")


def _issued(sheet: Sheet, title: str) -> Sheet:
    sheet.line("HỘI LHPN XÃ TIÊN LƯƠNG", None, None, None, "CỘNG HOÀ XÃ HỘI CHỦ NGHĨA VIỆT NAM")
    sheet.line("BCH CHI HỘI PHƯỢNG VĨ", None, None, None, "Độc lập - Tự do - Hạnh phúc")
    sheet.line().line(title, merged="A:G")
    return sheet.line("(Tính đến ngày 30 tháng 10 năm 2026)", merged="A:G").line()


def _signed(sheet: Sheet, count: int) -> Sheet:
    sheet.line(None, f"Tổng cộng: {count} hội viên (Bằng chữ: ...)").line()
    sheet.line(None, None, None, None, "Phượng Vĩ, ngày 30 tháng 10 năm 2026")
    sheet.line(None, "NGƯỜI LẬP BIỂU", None, None, "TM. BAN THƯỜNG VỤ")
    sheet.line(None, "(Ký, ghi rõ họ tên)", None, None, "CHỦ TỊCH").line().line()
    return sheet.line(None, "Hà Thị Lý", None, None, "Trần Thị Thu Hằng")


def _noted_phone(woman: Woman, note: str) -> Woman:
    return woman.but("phone", f"{woman.written['phone']} {note}")


@HELD_OUT.book("ds hoi vien 2026 chinh thuc.xlsx")
def whole_commune(name: str) -> Sheet:
    people = [in_years(each, "joined_on") for each in women(12, name)]
    sheet = _issued(Sheet("DS"), "DANH SÁCH HỘI VIÊN HỘI LHPN XÃ PHƯỢNG VĨ NĂM 2026")
    first = (NUMBER, NAME, BORN, PHONE)
    work = ticks("occupation", "Làm ruộng", "Công nhân", "Buôn bán", "Giáo viên")
    columns = (*first, *work, column("Năm vào Hội", "joined_on"))
    sheet.line(
        "TT", "Họ và tên", "Ngày sinh", "SĐT", "Nghề nghiệp", None, None, None, "Vào Hội năm"
    )
    sheet.line(*(None for _ in first), *(each.heading for each in work))
    sheet.merged += ["A7:A8", "B7:B8", "C7:C8", "D7:D8", "E7:H7", "I7:I8"]
    for place, roman in enumerate(("I", "II", "III")):
        khu = place + 1
        sheet.line(f"{roman}. CHI HỘI KHU {khu} (4 hội viên)", merged="A:I")
        sheet.add(columns, people[4 * place : 4 * place + 4], at=4 * place + 1, branch=khu)
    return _signed(sheet, 12)


@HELD_OUT.book("Hội viên khu 1, khu 2.xlsx")
def two_branches(name: str) -> list[Sheet]:
    people = [in_years(each, "birth_date") for each in women(10, name)]
    people[1] = _noted_phone(people[1], "(zalo)")
    people[4] = _noted_phone(people[4], "(con dâu)")
    people[7] = people[7].but("birth_date", year_of(people[7], "birth_date") - 1900)
    columns = (NUMBER, NAME, YEAR, column("Điện thoại", "phone"), column("Dân tộc", "ethnicity"))
    return [
        _signed(
            Sheet(f"Khu {khu}")
            .line(f"DANH SÁCH HỘI VIÊN PHỤ NỮ KHU {khu}")
            .line()
            .table(columns, people[5 * khu - 5 : 5 * khu], branch=khu),
            5,
        )
        for khu in (1, 2)
    ]


@HELD_OUT.book("in ra nop xa.xlsx")
def printed(name: str) -> Sheet:
    people = women(12, name)
    columns = (NUMBER, *SPLIT, BORN, BRANCH, PHONE)
    sheet = _issued(Sheet(), "DANH SÁCH HỘI VIÊN")
    for page in range(3):
        sheet.head(columns)
        sheet.merged.append(f"B{sheet.last}:C{sheet.last}")
        sheet.add(columns, people[4 * page : 4 * page + 4], at=4 * page + 1)
        sheet.line(None, None, None, None, None, f"Trang {page + 1}")
    return _signed(sheet, 12)


@HELD_OUT.book("DSHV Khu3.xls")
def capitals_and_numbers(name: str) -> Sheet:
    columns = (NUMBER, NAME, BORN, PHONE, CARD, column("Địa chỉ", "address"))
    people = women(8, name)
    for place, each in enumerate(people):
        shown = each.but("full_name", str(each.written["full_name"]).upper())
        shown = shown.but("phone", int(str(each.written["phone"])))
        people[place] = shown.but("citizen_id", int(str(each.written["citizen_id"])))
    sheet = Sheet("Khu 3").line("CHI HỘI PHỤ NỮ KHU 3").line("DANH SÁCH HỘI VIÊN").line()
    return _signed(sheet.table(columns, people, branch=3), 8)


@HELD_OUT.book("danhsach_cu.csv", files.csv_as("tcvn3", ","))
def old_font(name: str) -> Sheet:
    people = [in_years(each, "birth_date") for each in women(9, name)]
    columns = (NUMBER, NAME, YEAR, column("Nghề nghiệp", "occupation"), PHONE)
    sheet = Sheet().line("HỘI PHỤ NỮ XÃ PHƯỢNG VĨ").line("DANH SÁCH HỘI VIÊN").head(columns)
    for place, khu in enumerate((2, 3, 4)):
        sheet.line(None, f"Khu {khu}")
        sheet.add(columns, people[3 * place : 3 * place + 3], branch=khu)
    return sheet.line(None, "Tổng cộng: 9")


@HELD_OUT.book("Danh sach chi hoi khu 4.ods")
def open_document(name: str) -> Sheet:
    people = women(8, name)
    for place, each in enumerate(people):
        year = year_of(each, "birth_date")
        people[place] = each.but("birth_date", year, birth_date=str(year))
    first = (NUMBER, NAME, column(None), column(None, "birth_date"))
    columns = (*first, PHONE, column("Trình độ", "education"), column("Ghi chú", "note"))
    people[3] = people[3].but("note", "chuyển đi theo con").to_decide()
    sheet = Sheet("Sheet1").line("DANH SÁCH HỘI VIÊN CHI HỘI KHU 4").line()
    sheet.line("STT", "Họ và tên", "Năm sinh", None, "Điện thoại", "Trình độ học vấn", "Ghi chú")
    sheet.line(None, None, "Nam", "Nữ")
    return _signed(sheet.add(columns, people, branch=4), 8)


@HELD_OUT.book("Khảo sát hội viên (Câu trả lời).csv", files.csv_as("utf-8", ","))
def survey(name: str) -> Sheet:
    columns = (
        column("Dấu thời gian", "stamp"),
        column("Địa chỉ email", "email"),
        column("Họ và tên chị (viết có dấu)", "full_name"),
        column("Năm sinh (ví dụ: 1975)", "birth_date"),
        column("Chị thuộc chi hội (khu) nào?", "branch"),
        column("Số điện thoại liên hệ / Zalo của chị", "phone"),
        column("Chị có phải là đảng viên không?", "party"),
        column("Nghề nghiệp chính của chị hiện nay là gì?", "occupation"),
    )
    people = [in_years(each, "birth_date") for each in women(9, name)]
    for place, each in enumerate(people):
        party = ("Có", "member") if place % 3 == 0 else ("Không", "none")
        shown = each.but("party", party[0], party=party[1])
        shown = shown.but("stamp", f"0{place + 1}/03/2026 20:1{place}:44")
        people[place] = shown.but("branch", f"Khu {each.stored['branch']}")
    return Sheet().table(columns, people)


@HELD_OUT.book("tong hop.xlsx")
def tables_below_each_other(name: str) -> Sheet:
    people = women(9, name)
    sheet = Sheet("Tổng hợp")
    orders = (
        (NUMBER, NAME, BORN, PHONE, CARD),
        (NUMBER, column("Họ tên hội viên", "full_name"), PHONE, BORN, CARD),
        (NUMBER, NAME, CARD, BORN, PHONE),
    )
    for place, columns in enumerate(orders):
        khu = place + 1
        sheet.line(f"CHI HỘI KHU {khu}", merged="A:E")
        sheet.table(columns, people[3 * place : 3 * place + 3], branch=khu)
        _signed(sheet, 3).line()
    return sheet


@HELD_OUT.book("DS dang vien nu.xlsx")
def party_members(name: str) -> Sheet:
    levels = (("Đại học", "bachelor"), ("Trung cấp", "intermediate"), ("Cao đẳng", "college"))
    people = []
    for place, each in enumerate(women(8, name)):
        written, level = levels[place % 3]
        year, month = year_of(each, "party_joined_on"), place + 1
        shown = each.but("qualification", written, qualification=level)
        joined_in = {"party_joined_on": f"{year}-{month:02}"}
        people.append(shown.but("party_joined_on", f"T{month}/{year}", **joined_in))
    joined = column("Ngày vào Đảng", "party_joined_on")
    columns = (NUMBER, NAME, BORN, BRANCH, joined, column("Trình độ CM", "qualification"))
    sheet = _issued(Sheet("ĐV nữ"), "DANH SÁCH NỮ ĐẢNG VIÊN").head(columns)
    sheet.add(columns, people, party="member")
    return _signed(sheet, 8)


@HELD_OUT.book("ra soat hoi vien.xlsx")
def reviewed(name: str) -> Sheet:
    people = women(10, name)
    notes = {2: "đã mất T5/2025", 5: "Chuyển đi Việt Trì", 7: "hộ cận nghèo", 8: "đi làm ăn xa"}
    for place, note in notes.items():
        people[place] = people[place].but("note", note)
    for place in (2, 4, 5):
        people[place] = people[place].to_decide()
    columns = (NUMBER, NAME, BORN, BRANCH, PHONE, CARD, column("Ghi chú", "note"))
    sheet = Sheet("Rà soát").line("RÀ SOÁT HỘI VIÊN 6 THÁNG CUỐI NĂM", merged="A:G").line()
    sheet.head(columns).add(columns, people)
    sheet.struck = {sheet.people[4].number}
    return _signed(sheet, 10)


@HELD_OUT.book("gop cac khu.xlsx")
def gathered(name: str) -> Sheet:
    people = women(12, name)
    ways = ("K{n}", "khu {n}", "Khu {n} - Phượng Vĩ", "CH {n}", "Chi hội {n}", "KHU {n}")
    forms = ("{n}", "Bà {n}", "{n} - CHT", "{n}")
    for place, each in enumerate(people):
        branch = ways[place % len(ways)].format(n=each.stored["branch"])
        shown = each.but("branch", branch)
        people[place] = shown.but("full_name", forms[place % 4].format(n=each.written["full_name"]))
    people[6] = people[6].but("phone", f"{people[6].written['phone']} / 0988000111").with_sign()
    columns = (
        *(NUMBER, column("Họ tên", "full_name"), column("Ngày tháng năm sinh", "birth_date")),
        *(column("Khu", "branch"), column("ĐT", "phone"), column("Dân tộc", "ethnicity")),
    )
    return _signed(Sheet("Gộp").line("TỔNG HỢP HỘI VIÊN CÁC KHU").table(columns, people), 12)


@HELD_OUT.book("vntime khu 1-2.xlsx", files.vntime)
def everything(name: str) -> Sheet:
    people = [in_years(each, "birth_date", "joined_on") for each in women(10, name)]
    columns = (NUMBER, *SPLIT, YEAR, column("Năm vào Hội", "joined_on"), PHONE)
    sheet = (
        Sheet("Ds").line("Hội LHPN xã Phượng Vĩ").line("Danh sách hội viên", merged="A:F").line()
    )
    for place, khu in enumerate((1, 2)):
        sheet.head(columns)
        sheet.merged.append(f"B{sheet.last}:C{sheet.last}")
        sheet.line("I" * khu, f"Chi hội khu {khu}")
        sheet.add(columns, people[5 * place : 5 * place + 5], branch=khu)
        sheet.line(None, "Cộng: 5")
    return _signed(sheet, 10)
