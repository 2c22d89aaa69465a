"""Fixed books: where the table is, and what stands between its rows."""

from tests.workbooks.wild.sheets import (
    BASIC,
    BORN,
    CARD,
    NAME,
    NUMBER,
    PHONE,
    WITHOUT_BRANCH,
    Sheet,
    column,
    women,
)
from tests.workbooks.wild.shelf import Shelf

PLACES = Shelf({})


@PLACES.book("titles.xlsx")
def titles(name: str) -> Sheet:
    sheet = Sheet("DS hội viên")
    sheet.line("HỘI LHPN TỈNH PHÚ THỌ", None, None, "CỘNG HOÀ XÃ HỘI CHỦ NGHĨA VIỆT NAM")
    sheet.line("HỘI LHPN XÃ PHƯỢNG VĨ", None, None, "Độc lập - Tự do - Hạnh phúc")
    sheet.line()
    sheet.line("DANH SÁCH HỘI VIÊN PHỤ NỮ NĂM 2026", merged="A:F")
    sheet.line("(Kèm theo Báo cáo số 12/BC-BTV ngày 05/3/2026)", merged="A:F")
    return sheet.table(BASIC, women(6, name))


@PLACES.book("header_on_each_page.xlsx")
def header_on_each_page(name: str) -> Sheet:
    sheet = Sheet().line("DANH SÁCH HỘI VIÊN")
    people = women(9, name)
    for page in range(3):
        sheet.head(BASIC).add(BASIC, people[3 * page : 3 * page + 3], at=3 * page + 1)
    return sheet


@PLACES.book("header_and_page_number.xls")
def header_and_page_number(name: str) -> Sheet:
    sheet = Sheet()
    people = women(8, name)
    sheet.table(BASIC, people[:4])
    sheet.line(None, None, None, None, None, "Trang 1/2")
    return sheet.head(BASIC).add(BASIC, people[4:], at=5)


@PLACES.book("two_tables.xlsx")
def two_tables(name: str) -> Sheet:
    people = women(8, name)
    sheet = Sheet().line("DANH SÁCH HỘI VIÊN CHI HỘI KHU 1", merged="A:E")
    sheet.table(WITHOUT_BRANCH, people[:4], branch=1)
    sheet.line().line("DANH SÁCH HỘI VIÊN CHI HỘI KHU 2", merged="A:E")
    return sheet.table((NUMBER, NAME, PHONE, CARD, BORN), people[4:], branch=2)


@PLACES.book("sheet_of_each_branch.xlsx")
def sheet_of_each_branch(name: str) -> list[Sheet]:
    people = women(9, name)
    return [
        Sheet(f"Khu {khu}").table(WITHOUT_BRANCH, people[3 * khu - 3 : 3 * khu], branch=khu)
        for khu in (1, 2, 3)
    ]


@PLACES.book("branch_in_each_title.xlsx")
def branch_in_each_title(name: str) -> list[Sheet]:
    people = women(8, name)
    return [
        Sheet(f"Sheet{place}")
        .line("HỘI LHPN XÃ PHƯỢNG VĨ")
        .line(f"DANH SÁCH HỘI VIÊN CHI HỘI KHU {khu}")
        .table(WITHOUT_BRANCH, people[4 * place - 4 : 4 * place], branch=khu)
        for place, khu in enumerate((4, 2), 1)
    ]


@PLACES.book("roman_sections.xlsx")
def roman_sections(name: str) -> Sheet:
    people = women(9, name)
    sheet = Sheet().head(WITHOUT_BRANCH)
    for place, roman in enumerate(("I", "II", "III")):
        khu = place + 1
        sheet.line(f"{roman}. CHI HỘI KHU {khu} (3 HỘI VIÊN)", merged="A:E")
        sheet.add(WITHOUT_BRANCH, people[3 * place : 3 * place + 3], branch=khu)
    return sheet


@PLACES.book("numbered_sections.xlsx")
def numbered_sections(name: str) -> Sheet:
    people = women(8, name)
    sheet = Sheet().head(WITHOUT_BRANCH)
    sheet.line("1. Chi hội khu 1").add(WITHOUT_BRANCH, people[:2], branch=1)
    sheet.line(None, "Khu 2:").add(WITHOUT_BRANCH, people[2:4], branch=2)
    sheet.line("*", "Chi hội khu 3").add(WITHOUT_BRANCH, people[4:6], branch=3)
    return sheet.line(None, "KHU 4").add(WITHOUT_BRANCH, people[6:], branch=4)


@PLACES.book("totals_between.xlsx")
def totals_between(name: str) -> Sheet:
    people = women(8, name)
    sheet = Sheet().head(WITHOUT_BRANCH)
    for place, khu in enumerate((1, 2)):
        sheet.line("I" * khu, f"Chi hội khu {khu}")
        sheet.add(WITHOUT_BRANCH, people[4 * place : 4 * place + 4], branch=khu)
        sheet.line(None, "Cộng: 4 hội viên")
    return sheet.line(None, "Tổng cộng: 8 hội viên")


@PLACES.book("signatures_between.xlsx")
def signatures_between(name: str) -> Sheet:
    people = women(8, name)
    sheet = Sheet()
    for place, khu in enumerate((1, 3)):
        sheet.line(f"CHI HỘI KHU {khu}")
        sheet.table(WITHOUT_BRANCH, people[4 * place : 4 * place + 4], branch=khu)
        sheet.line(None, "Tổng số: 4")
        sheet.line(None, None, None, f"Phượng Vĩ, ngày {khu} tháng 3 năm 2026")
        sheet.line(None, "NGƯỜI LẬP", None, "CHI HỘI TRƯỞNG")
        sheet.line().line(None, "Phạm Thị Thu", None, "Đỗ Thị Hiền").line()
    return sheet


@PLACES.book("rows_after_a_note.xlsx")
def rows_after_a_note(name: str) -> Sheet:
    people = women(7, name)
    sheet = Sheet().table(BASIC, people[:4])
    sheet.line(None, "Ghi chú: bổ sung sau Đại hội")
    return sheet.add(BASIC, people[4:], at=5)


@PLACES.book("hidden_rows.xlsx")
def hidden_rows(name: str) -> Sheet:
    people = women(6, name)
    people[2], people[4] = people[2].with_sign(), people[4].with_sign()
    sheet = Sheet().table(BASIC, people)
    sheet.hidden = {4, 6}
    return sheet


@PLACES.book("struck_out_rows.xlsx")
def struck_out_rows(name: str) -> Sheet:
    people = women(6, name)
    people[1], people[5] = people[1].to_decide(), people[5].to_decide()
    sheet = Sheet().table(BASIC, people)
    sheet.struck = {3, 7}
    return sheet


@PLACES.book("dead_or_moved_away.xlsx")
def dead_or_moved_away(name: str) -> Sheet:
    people = women(7, name)
    for place, note in ((1, "đã mất"), (3, "Chuyển đi Hà Nội 2024"), (5, "Mất 2023")):
        people[place] = people[place].but("note", note).to_decide()
    people[6] = people[6].but("note", "hộ nghèo")
    return Sheet().table((*BASIC, column("Ghi chú", "note")), people)


@PLACES.book("two_branches_on_one_sheet.ods")
def two_branches_on_one_sheet(name: str) -> Sheet:
    people = women(6, name)
    sheet = Sheet("Danh sách").line("DANH SÁCH HỘI VIÊN").head(WITHOUT_BRANCH)
    sheet.line("I", "Chi hội khu 1").add(WITHOUT_BRANCH, people[:3], branch=1)
    return sheet.line("II", "Chi hội khu 2").add(WITHOUT_BRANCH, people[3:], at=4, branch=2)
