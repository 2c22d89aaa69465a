"""Fixed books: what the columns are."""

from dataclasses import replace

from tests.workbooks.wild.sheets import (
    BASIC,
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

COLUMNS = Shelf({})
REST = (BORN, BRANCH, PHONE)


@COLUMNS.book("name_in_two_columns.xlsx")
def name_in_two_columns(name: str) -> Sheet:
    split = (column("Họ và tên đệm", "surname"), column("Tên", "given_name"))
    return Sheet().table((NUMBER, *split, *REST), women(6, name))


@COLUMNS.book("name_under_merged_heading.xlsx")
def name_under_merged_heading(name: str) -> Sheet:
    split = (column("Họ và tên", "surname"), column(None, "given_name"))
    sheet = Sheet(merged=["B1:C1"])
    return sheet.table((NUMBER, *split, *REST), women(6, name))


@COLUMNS.book("name_under_two_headings.xlsx")
def name_under_two_headings(name: str) -> Sheet:
    split = (column("Họ và tên", "surname"), column(None, "given_name"))
    columns = (NUMBER, *split, *REST)
    sheet = Sheet(merged=["A1:A2", "B1:C1", "D1:D2", "E1:E2", "F1:F2"]).head(columns)
    sheet.line(None, "Họ, đệm", "Tên")
    return sheet.add(columns, women(6, name))


@COLUMNS.book("name_beside_unnamed_column.xls")
def name_beside_unnamed_column(name: str) -> Sheet:
    split = (column("Họ và tên", "surname"), column(None, "given_name"))
    return Sheet().table((NUMBER, *split, *REST), women(6, name))


@COLUMNS.book("ticks_of_work.xlsx")
def ticks_of_work(name: str) -> Sheet:
    of = ticks("occupation", "Làm ruộng", "Công nhân", "Buôn bán", "Giáo viên")
    first = (NUMBER, NAME, *REST)
    sheet = Sheet(merged=[*(f"{c}1:{c}2" for c in "ABCDE"), "F1:I1"])
    sheet.line(*(each.heading for each in first), "Nghề nghiệp")
    sheet.line(*(None for _ in first), *(each.heading for each in of))
    return sheet.add((*first, *of), women(7, name))


@COLUMNS.book("ticks_of_gender.xlsx")
def ticks_of_gender(name: str) -> Sheet:
    first = (NUMBER, NAME, BORN)
    people = women(6, name)
    people[3] = people[3].but("gender", "Nam", gender="male")
    of = ticks("gender", "Nam", "Nữ", mark="X")
    sheet = Sheet(merged=[*(f"{c}1:{c}2" for c in "ABCFG"), "D1:E1"])
    sheet.line(*(each.heading for each in first), "Giới tính", None, "Chi hội", "Số điện thoại")
    sheet.line(None, None, None, "Nam", "Nữ")
    return sheet.add((*first, *of, BRANCH, PHONE), people)


@COLUMNS.book("birth_under_gender.xlsx")
def birth_under_gender(name: str) -> Sheet:
    people = [_year_of_birth(each) for each in women(6, name)]
    born = column(None, "birth_date")
    sheet = Sheet(merged=["A1:A2", "B1:B2", "C1:D1", "E1:E2", "F1:F2"])
    sheet.line("STT", "Họ và tên", "Năm sinh", None, "Chi hội", "Điện thoại")
    sheet.line(None, None, "Nam", "Nữ")
    return sheet.add((NUMBER, NAME, column(None), born, BRANCH, PHONE), people)


def _year_of_birth(woman: Woman) -> Woman:
    year = woman.stored["birth_date"][:4]
    return woman.but("birth_date", int(year), birth_date=year)


@COLUMNS.book("ticks_of_yes_and_no.xlsx")
def ticks_of_yes_and_no(name: str) -> Sheet:
    people = [each.but("core", "Có" if each.stored["core"] else "Không") for each in women(8, name)]
    first = (NUMBER, NAME, *REST)
    sheet = Sheet(merged=[*(f"{c}1:{c}2" for c in "ABCDE"), "F1:G1"])
    sheet.line(*(each.heading for each in first), "Hội viên nòng cốt")
    sheet.line(*(None for _ in first), "Có", "Không")
    return sheet.add((*first, *ticks("core", "Có", "Không")), people)


@COLUMNS.book("ticks_of_schooling.xlsx")
def ticks_of_schooling(name: str) -> Sheet:
    people = women(7, name)
    for place, each in enumerate(people):
        level = "THCS" if each.stored["education"] == "lower_secondary" else "THPT"
        people[place] = each.but("education", level)
    people[0] = people[0].but("education", "Tiểu học", education="primary")
    first = (NUMBER, NAME, *REST)
    sheet = Sheet(merged=[*(f"{c}1:{c}2" for c in "ABCDE"), "F1:H1"])
    sheet.line(*(each.heading for each in first), "Trình độ văn hoá")
    sheet.line(*(None for _ in first), "Tiểu học", "THCS", "THPT")
    return sheet.add((*first, *ticks("education", "Tiểu học", "THCS", "THPT")), people)


@COLUMNS.book("day_of_joining_the_party.xlsx")
def day_of_joining_the_party(name: str) -> Sheet:
    people = women(6, name)
    for place in (1, 2, 4):
        people[place] = people[place].but("party_joined_on", None, party_joined_on=None, party=None)
    joined = replace(column("Ngày vào Đảng", "party_joined_on"), says=("party", "party_joined_on"))
    return Sheet().table((*BASIC, joined), people)


@COLUMNS.book("google_form.xlsx")
def google_form(name: str) -> Sheet:
    columns = (
        column("Dấu thời gian", "stamp"),
        column("1. Họ và tên của chị (ghi đầy đủ, có dấu)?", "full_name"),
        column("2. Ngày, tháng, năm sinh của chị là gì?", "birth_date"),
        column("3. Chị đang sinh hoạt tại chi hội nào?", "branch"),
        column("4. Số điện thoại chị đang dùng (Zalo)", "phone"),
        column("5. Nghề nghiệp hiện nay của chị", "occupation"),
        column("6. Chị có góp ý gì cho Hội không?", "wish"),
    )
    people = [
        each.but("stamp", f"{n + 1:02}/03/2026 08:1{n}:00").but("wish", "Không ạ")
        for n, each in enumerate(women(6, name))
    ]
    return Sheet("Câu trả lời biểu mẫu 1").table(columns, people)


@COLUMNS.book("same_heading_twice.xlsx")
def same_heading_twice(name: str) -> Sheet:
    people = [each.but("note", "Hoạt động tốt") for each in women(6, name)]
    note = column("Nhận xét", "note")
    return Sheet().table((*BASIC, note, note), people)


@COLUMNS.book("all_that_is_asked.xlsx")
def all_that_is_asked(name: str) -> Sheet:
    columns = (
        *(NUMBER, NAME, BORN, column("Giới tính", "gender"), BRANCH),
        *(column("Ngày vào Hội", "joined_on"), column("Nòng cốt", "core"), PHONE, CARD),
        *(column("Địa chỉ", "address"), column("Dân tộc", "ethnicity")),
        *(column("Tôn giáo", "religion"), column("Nghề nghiệp", "occupation")),
        *(column("Đảng viên", "party"), column("Ngày vào Đảng", "party_joined_on")),
    )
    return Sheet().table(columns, women(8, name))
