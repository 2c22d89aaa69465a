"""Twelve more books, by hands that have seen neither the reader nor any book of the other sets.

Declared and measured as those of `unseen`, whose docstring says what their share tells.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from tests.workbooks.wild import files
from tests.workbooks.wild.cells import as_day, of_year, to_wait, write_cells, year_of
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
    women,
)
from tests.workbooks.wild.shelf import Shelf

UNSEEN_THIRD = Shelf({})
YEAR = column("Năm sinh", "birth_date")
NOTE = column("Ghi chú", "note")
WORK = column("Nghề nghiệp", "occupation")


def _phone(woman: Woman) -> str:
    return str(woman.written["phone"])


def _old_number(woman: Woman) -> str:
    """Until 2018 numbers of 035 and 038 had eleven digits: 0165 and 0168."""
    digits = _phone(woman)
    return f"016{digits[2:]}" if digits[:3] in ("035", "038") else digits


def _name(woman: Woman) -> str:
    return str(woman.stored["full_name"])


def _day(woman: Woman, name: str = "birth_date") -> date:
    return date.fromisoformat(woman.stored[name])


def _by_year(people: Sequence[Woman]) -> list[Woman]:
    return [of_year(woman) for woman in people]


_OF_TEN = (("7/10", "lower_secondary"), ("10/10", "upper_secondary"), ("4/10", "primary"))
_OF_TWELVE = (("9/12", "lower_secondary"), ("12/12", "upper_secondary"), ("5/12", "primary"))


def _schooled(people: list[Woman]) -> None:
    """Schools of the North had ten classes until 1981: 4, 7 and 10 ended a level."""
    for place, woman in enumerate(people):
        levels = _OF_TEN if year_of(woman) < 1964 else _OF_TWELVE
        shown, level = levels[place % 3]
        people[place] = woman.but("education", shown, education=level)


@UNSEEN_THIRD.book("DSHV khu 1 nam 2019.xls")
def _typed_with_signature(name: str) -> Sheet:
    """The head of a branch, Excel 2003: two offices side by side above, her name signed below."""
    people = [of_year(of_year(woman), "joined_on") for woman in women(12, name)]
    _schooled(people)
    write_cells(people, "qualification", {2: "Trung cấp Y"}, qualification="intermediate")
    write_cells(people, "qualification", {5: "Cao đẳng sư phạm"}, qualification="college")
    write_cells(people, "qualification", {8: "ĐH"}, qualification="bachelor")
    for place in (2, 5, 8):
        whole = "10/10" if year_of(people[place]) < 1964 else "12/12"
        people[place] = people[place].but("education", whole, education="upper_secondary")
    write_cells(people, "theory", {5: "Sơ cấp", 8: "Trung cấp"})
    write_cells(people, "note", {0: "CHT", 3: "Hộ nghèo", 6: "Con liệt sỹ", 10: "Cận nghèo"})
    columns = [
        NUMBER,
        NAME,
        YEAR,
        column("Văn hoá", "education"),
        column("Chuyên môn", "qualification"),
        column("Lý luận CT", "theory"),
        WORK,
        column("Vào Hội năm", "joined_on"),
        NOTE,
    ]
    sheet = Sheet("Sheet1")
    sheet.line("HỘI LHPN XÃ PHƯỢNG VĨ", *[None] * 4, "CỘNG HOÀ XÃ HỘI CHỦ NGHĨA VIỆT NAM")
    sheet.line("CHI HỘI KHU 1", *[None] * 4, "Độc lập - Tự do - Hạnh phúc")
    sheet.line().line("DANH SÁCH HỘI VIÊN PHỤ NỮ NĂM 2019").line()
    upper = ("TT", "Họ và tên", "Năm sinh", "Trình độ", None, None)
    sheet.line(*upper, "Nghề nghiệp", "Vào Hội năm", "Ghi chú")
    sheet.line(None, None, None, "Văn hoá", "Chuyên môn", "Lý luận CT")
    sheet.add(columns, people, branch=1)
    sheet.line(None, "Tổng số: 12 hội viên").line()
    sheet.line(*[None] * 5, "Phượng Vĩ, ngày 20 tháng 11 năm 2019")
    sheet.line(None, "Người lập biểu", *[None] * 3, "CHI HỘI TRƯỞNG")
    return sheet.line().line(None, "Lương Thị Kim Anh", *[None] * 3, "Lương Thị Kim Anh")


@UNSEEN_THIRD.book(
    "Cập nhật thông tin hội viên (Câu trả lời) - Câu trả lời biểu mẫu 1.csv",
    files.csv_as("utf-8", ","),
)
def _answers_to_a_form(name: str) -> Sheet:
    """Downloaded from Google; each woman has typed her own, one of them twice."""
    people = [w.but("birth_date", w.stored["birth_date"]) for w in women(12, name)]
    for place, each in enumerate(people):
        stamp = f"2024/11/{6 + place // 5:02} {7 + place % 5}:{13 + place}:{40 - place} "
        woman = each.but("stamp", stamp + ("CH" if place % 2 else "SA") + " GMT+7")
        woman = woman.but("email", f"pn.phuongvi{place + 61}@gmail.com")
        if place in (2, 5, 7):
            woman = woman.but("party", "Có").but("party_joined_on", woman.stored["party_joined_on"])
        else:
            woman = woman.but("party", "Không", party="none")
            woman = woman.but("party_joined_on", None, party_joined_on=None)
        people[place] = woman
    for place in (1, 4):
        digits = _phone(people[place])
        people[place] = people[place].but("phone", f"{digits[:4]} {digits[4:7]} {digits[7:]}")
    people[6] = people[6].but("phone", f"+84{_phone(people[6])[1:]}")
    people[3] = people[3].but("full_name", _name(people[3]).upper())
    people[8] = people[8].but("full_name", _name(people[8]).lower())
    people[9] = people[9].but("full_name", f" {_name(people[9])}  ")
    write_cells(people, "ethnicity", {5: "Mường", 10: "mường"}, ethnicity="04")
    write_cells(people, "religion", {1: "Thiên chúa giáo", 7: "công giáo"}, religion="catholic")
    opinions: dict[int, Cell] = {
        0: "Không",
        2: "Đề nghị Hội mở lớp dạy nghề may cho chị em",
        6: "Mong Hội hỗ trợ vay vốn ngân hàng chính sách",
        9: "ko",
    }
    write_cells(people, "opinion", opinions)
    again = people[4].but("stamp", "2024/11/09 8:02:11 CH GMT+7").but("phone", "0987 001 002")
    columns = [
        column("Dấu thời gian", "stamp"),
        column("Địa chỉ email", "email"),
        column("1. Chị vui lòng cho biết họ và tên (ghi đầy đủ, có dấu)", "full_name"),
        column("2. Ngày, tháng, năm sinh của chị", "birth_date"),
        column("3. Chị đang sinh hoạt tại chi hội nào?", "branch"),
        column("4. Số điện thoại (ưu tiên số dùng Zalo)", "phone"),
        column("5. Số căn cước công dân (12 số)", "citizen_id"),
        column("6. Chị là người dân tộc nào?", "ethnicity"),
        column("7. Tôn giáo (nếu không theo thì ghi Không)", "religion"),
        column("8. Nghề nghiệp hiện tại", "occupation"),
        column("9. Chị có phải là đảng viên không?", "party"),
        column("10. Nếu là đảng viên, chị vào Đảng ngày nào?", "party_joined_on"),
        column("11. Chị có ý kiến, đề xuất gì với Hội không?", "opinion"),
    ]
    return Sheet("Câu trả lời biểu mẫu 1").table(columns, [*people, again.to_decide()])


@UNSEEN_THIRD.book("QLHV_KetXuat_DanhSachHoiVien_08356.xlsx")
def _of_another_program(name: str) -> Sheet:
    """A program's list: codes of its own, instants for days, NULL for nothing."""
    people = women(13, name)
    for place, each in enumerate(people):
        woman = each.but("code", f"HV-25-08356-{place * 7 + 112:05}").but("state", "Đang sinh hoạt")
        woman = woman.but("birth_date", f"{woman.stored['birth_date']} 00:00:00")
        woman = woman.but("joined_on", f"{woman.stored['joined_on']} 00:00:00")
        woman = woman.but("issued_on", f"2021-0{place % 9 + 1}-{place + 10} 00:00:00")
        woman = woman.but("issued_by", "Cục CS QLHC về TTXH")
        woman = woman.but("branch", f"Xã Phượng Vĩ > Chi hội khu {woman.stored['branch']}")
        woman = woman.but("core", "Có" if woman.stored["core"] else "Không")
        people[place] = woman.but("ethnicity", "01 - Kinh").but("kind", "Hội viên")
    write_cells(people, "ethnicity", {4: "04 - Mường"}, ethnicity="04")
    write_cells(people, "religion", {3: "Công giáo", 9: "Công giáo"}, religion="catholic")
    write_cells(people, "phone", {2: "NULL", 11: "NULL"}, phone=None)
    write_cells(people, "citizen_id", {6: "NULL"}, citizen_id=None)
    write_cells(people, "kind", {12: "Hội viên danh dự"}, kind="honorary")
    write_cells(people, "state", {7: "Đã chuyển sinh hoạt đi"})
    to_wait(people, 7)
    columns = [
        NUMBER,
        column("Mã hội viên", "code"),
        column("Họ và tên đệm", "surname"),
        column("Tên", "given_name"),
        column("Giới tính", "gender"),
        BORN,
        column("Số định danh cá nhân", "citizen_id"),
        column("Ngày cấp", "issued_on"),
        column("Nơi cấp", "issued_by"),
        column("Dân tộc", "ethnicity"),
        column("Tôn giáo", "religion"),
        column("Nơi thường trú", "address"),
        column("Điện thoại di động", "phone"),
        column("Loại hội viên", "kind"),
        column("Hội viên nòng cốt", "core"),
        column("Ngày vào Hội", "joined_on"),
        column("Đơn vị sinh hoạt", "branch"),
        column("Trạng thái", "state"),
    ]
    sheet = Sheet("DanhSachHoiVien")
    sheet.line("PHẦN MỀM QUẢN LÝ HỘI VIÊN PHỤ NỮ").line("DANH SÁCH HỘI VIÊN", merged="A:R")
    sheet.line("Đơn vị: Hội LHPN xã Phượng Vĩ, huyện Cẩm Khê, tỉnh Phú Thọ")
    sheet.line("Thời điểm kết xuất: 12/03/2025 08:15:22").line().head(columns)
    sheet.line(*(f"({number})" for number in range(1, len(columns) + 1)))
    return sheet.add(columns, people)


@UNSEEN_THIRD.book("So thu hoi phi khu 3.xls", files.old_vntime)
def _fees(name: str) -> Sheet:
    """A book of fees in an old font; under its sum those who need not pay."""
    people = _by_year(women(13, name))
    for place, each in enumerate(people[:10]):
        paid: list[Cell] = [3, 3, 3 if place % 4 else None, 3 if place % 3 else None]
        woman = each.but("paid", sum(3 for sum_ in paid if sum_)).but("phone", _old_number(each))
        for quarter, sum_ in enumerate(paid, 1):
            woman = replace(woman, written={**woman.written, f"quarter_{quarter}": sum_})
        people[place] = woman
    people[1] = people[1].but("birth_date", None).to_decide()
    for place, year in ((10, 1946), (11, 1949), (12, 1951)):
        people[place] = people[place].but("birth_date", year, birth_date=str(year))
    write_cells(people, "phone", {0: None, 5: None, 10: None, 11: None}, phone=None)
    columns = [
        column("TT", "number"),
        column("Họ tên hội viên", "full_name"),
        YEAR,
        column("ĐT", "phone"),
        *(
            column(f"Quý {roman}", f"quarter_{n}")
            for n, roman in enumerate(("I", "II", "III", "IV"), 1)
        ),
        column("Cộng", "paid"),
        column("Ký nộp"),
    ]
    sheet = Sheet("2012")
    sheet.line("SỔ THU HỘI PHÍ NĂM 2012").line("Chi hội phụ nữ khu 3 - xã Phượng Vĩ")
    sheet.line("(Mức thu 12.000 đồng/hội viên/năm)").line()
    sheet.line(
        "TT",
        "Họ tên hội viên",
        "Năm sinh",
        "ĐT",
        "Hội phí (nghìn đồng)",
        *[None] * 3,
        "Cộng",
        "Ký nộp",
    )
    sheet.line(*[None] * 4, "Quý I", "Quý II", "Quý III", "Quý IV")
    sheet.add(columns, people[:10], branch=3)
    sheet.line(None, "Cộng", None, None, 30, 30, 21, 18, 99)
    sheet.line(None, "Bằng chữ: Chín mươi chín nghìn đồng chẵn").line()
    sheet.line(None, "Hội viên được miễn hội phí")
    sheet.add(columns, people[10:], branch=3)
    return sheet.line().line(None, "THỦ QUỸ", None, None, "CHI HỘI TRƯỞNG")


@UNSEEN_THIRD.book("Danh sach hoi vien theo ho.xlsx")
def _by_household(name: str) -> Sheet:
    """Cells merged downwards: the branch over all its women, house and head over those of a house."""
    people = sorted(women(12, name), key=lambda w: (w.stored["branch"], w.stored["birth_date"]))
    heads = ("Nguyễn Văn Tuấn", "Trần Đức Hùng", "Lê Văn Sơn", "Phạm Quang Chiến")
    sheet = Sheet("Hộ")
    columns = [
        column("STT hộ", "house"),
        column("Chủ hộ", "head"),
        column("Họ tên hội viên", "full_name"),
        BORN,
        column("Quan hệ với chủ hộ", "relation"),
        column("Chi hội", "branch"),
        column("Địa chỉ", "address"),
        column("Điện thoại", "phone"),
    ]
    sheet.line("HỘI LIÊN HIỆP PHỤ NỮ XÃ PHƯỢNG VĨ", merged="A:H")
    sheet.line("DANH SÁCH HỘ GIA ĐÌNH HỘI VIÊN NĂM 2023", merged="A:H").line().head(columns)
    first = sheet.last + 1
    for place, each in enumerate(people):
        khu, within = divmod(place, 3)
        house = khu * 2 + (within == 2)
        lane = f"Ngõ {house + 1}, khu {khu + 1}"
        opens = within != 1
        woman = each.but("house", house + 1 if opens else None)
        woman = woman.but("head", heads[house % 4] if opens else None)
        woman = woman.but("relation", ("Mẹ", "Vợ", "Vợ")[within])
        woman = woman.but("branch", f"Khu {khu + 1}" if within == 0 else None)
        people[place] = woman.but("address", lane if opens else None, address=lane)
    sheet.add(columns, people)
    for top in range(first, first + 12, 3):
        sheet.merged += [f"{letter}{top}:{letter}{top + 1}" for letter in "ABG"]
        sheet.merged.append(f"F{top}:F{top + 2}")
    return sheet.line("Tổng cộng: 8 hộ, 12 hội viên", merged="A:H")


@UNSEEN_THIRD.book("Danh sách hội viên PN.ods")
def _day_month_year_apart(name: str) -> Sheet:
    """A teacher with LibreOffice: day, month and year of birth each in a column."""
    people = women(12, name)
    for place, each in enumerate(people):
        born = _day(each)
        if place % 4 == 2:
            woman = of_year(each).but("day", None).but("month", None)
        else:
            woman = each.but("day", born.day).but("month", born.month)
        woman = woman.but("year", born.year).but("branch", f"Khu {woman.stored['branch']}")
        people[place] = woman.but("religion", "Lương").but("ethnicity", "kinh")
    write_cells(people, "religion", {1: "Giáo", 6: "Giáo", 7: "Giáo"}, religion="catholic")
    born_in = ("birth_date",)
    columns = [
        NUMBER,
        column("Họ đệm", "surname"),
        column("Tên", "given_name"),
        Column("Ngày", "day", born_in),
        Column("Tháng", "month", born_in),
        Column("Năm", "year", born_in),
        column("Chi hội", "branch"),
        column("Điện thoại", "phone"),
        column("Dân tộc", "ethnicity"),
        column("Tôn giáo", "religion"),
    ]
    sheet = Sheet("Trang tính1").line("Danh sách hội viên phụ nữ xã Phượng Vĩ - tháng 9/2022")
    sheet.line("STT", "Họ đệm", "Tên", "Ngày sinh", None, None, *(c.heading for c in columns[6:]))
    sheet.line(None, None, None, "Ngày", "Tháng", "Năm")
    return sheet.add(columns, people)


@UNSEEN_THIRD.book("HV toan xa 2016.csv", files.csv_as("utf-16", "\t"))
def _unicode_text(name: str) -> Sheet:
    """Saved by Excel as Unicode text; mobile numbers of eleven digits, as they were until 2018."""
    people = sorted(_by_year(women(12, name)), key=lambda woman: int(woman.stored["branch"]))
    for place, each in enumerate(people):
        year = min(2015, year_of(each, "joined_on"))
        ways: list[tuple[str, str]] = [
            (f"20/10/{year}", f"{year}-10-20"),
            (f"{year}", f"{year}"),
            (f"T3/{year}", f"{year}-03"),
            (f"8/3/{year}", f"{year}-03-08"),
        ]
        shown, joined = ways[place % 4]
        people[place] = each.but("phone", _old_number(each)).but(
            "joined_on", shown, joined_on=joined
        )
    _schooled(people)
    columns = [
        column("SỐ TT", "number"),
        column("HỌ VÀ TÊN", "full_name"),
        column("NĂM SINH", "birth_date"),
        column("ĐT", "phone"),
        column("NGÀY VÀO HỘI", "joined_on"),
        column("TĐVH", "education"),
    ]
    sheet = Sheet().head(columns)
    for khu, roman in enumerate(("I", "II", "III", "IV"), 1):
        sheet.line(roman, f"KHU {khu}")
        sheet.add(columns, people[khu * 3 - 3 : khu * 3], branch=khu)
        sheet.line(None, f"Cộng khu {khu}: 3")
    return sheet.line(None, "TỔNG TOÀN XÃ: 12")


@UNSEEN_THIRD.book("Tong hop HV cac khu gui len xa.xlsx")
def _sheets_put_together(name: str) -> list[Sheet]:
    """What three heads sent, each in her own order, behind a sheet of counts."""
    people = women(13, name)
    counts = Sheet("TH").line("TỔNG HỢP SỐ LIỆU HỘI VIÊN NĂM 2024").line()
    counts.line("STT", "Chi hội", "Tổng số HV", "Đảng viên", "Dân tộc thiểu số", "Tôn giáo")
    for khu, figures in enumerate(((4, 1, 0, 0), (5, 2, 1, 0), (4, 0, 0, 1)), 1):
        counts.line(khu, f"Khu {khu}", *figures)
    counts.line(None, "Cộng", 13, 3, 1, 1)

    first = Sheet("Khu 1").line("Danh sách hội viên khu 1").line()
    first.table(
        [NUMBER, column("Họ tên", "full_name"), YEAR, column("SĐT", "phone")],
        _by_year(people[:4]),
        branch=1,
    )

    mixed = people[4:9]
    for place, number in ((1, "131456782"), (3, "132004519")):
        mixed[place] = mixed[place].but("citizen_id", number, citizen_id=None, id_card=number)
    second = Sheet("Khu 2").table(
        [
            NAME,
            PHONE,
            column("Ngày tháng năm sinh", "birth_date"),
            Column("Số CMND/CCCD", "citizen_id", ("citizen_id", "id_card")),
            WORK,
        ],
        [as_day(woman, "birth_date") for woman in mixed],
        branch=2,
    )

    loud = [w.but("full_name", _name(w).upper()) for w in _by_year(people[9:])]
    loud = [w.but("phone", int(_phone(w))) for w in loud]
    write_cells(loud, "poor", {1: "x"})
    third = (
        Sheet("K3")
        .line("CHI HỘI KHU 3")
        .table(
            [
                column("TT", "number"),
                column("HỌ TÊN", "full_name"),
                column("NS", "birth_date"),
                column("ĐT LIÊN HỆ", "phone"),
                column("HỘ NGHÈO", "poor"),
            ],
            loud,
            branch=3,
        )
    )
    return [counts, first, second, third]


@UNSEEN_THIRD.book("ds hoi vien (tu file word).xlsx")
def _from_a_document(name: str) -> Sheet:
    """A table of Word put into Excel: lines broken within cells, blanks that do not break."""
    people = _by_year(women(12, name))
    for place, each in enumerate(people):
        before, _, last = _name(each).rpartition(" ")
        shown = (f"{before}\n{last}", f"{before}\u00a0{last} ", f"{before} {last}")[place % 3]
        digits, joined = _phone(each), _day(each, "joined_on")
        woman = each.but("full_name", shown).but(
            "phone", f"{digits[:4]}.{digits[4:7]}.\n{digits[7:]}"
        )
        woman = woman.but("joined_on", f"{joined:%d/%m/}\n{joined:%Y}")
        people[place] = woman.but("branch", f"Khu\u00a0{woman.stored['branch']}")
    write_cells(people, "joined_on", {5: "..../..../......", 8: "-"}, joined_on=None)
    write_cells(people, "phone", {3: "-", 7: "Không"}, phone=None)
    columns = [
        column("TT", "number"),
        column("Họ và\ntên", "full_name"),
        column("Nam"),
        column("Nữ", "birth_date"),
        column("Chi\nhội", "branch"),
        column("Nghề\nnghiệp", "occupation"),
        column("Ngày vào\nHội", "joined_on"),
        column("Số điện\nthoại", "phone"),
    ]
    sheet = Sheet("Sheet1").line("DANH SÁCH HỘI VIÊN HỘI LHPN XÃ PHƯỢNG VĨ", merged="A:H").line()
    headings = [each.heading for each in columns]
    sheet.line(*headings[:2], "Năm sinh", None, *headings[4:])
    sheet.merged.append("C3:D3")
    sheet.line(None, None, "Nam", "Nữ")
    sheet.merged += [f"{letter}3:{letter}4" for letter in "ABEFGH"]
    sheet.add(columns, people)
    return sheet.line("(Danh sách này có 12 hội viên)", merged="A:H")


# VNI for Windows: the letter without its tone and hat, and one letter for them.
_OF_VNI = {
    "a": ("áàảãạâấầẩẫậăắằẳẵặ", "ùøûõïâáàåãäêéèúüë"),
    "e": ("éèẻẽẹêếềểễệ", "ùøûõïâáàåãä"),
    "o": ("óòỏõọôốồổỗộ", "ùøûõïâáàåãä"),
    "u": ("úùủũụ", "ùøûõï"),
    "y": ("ýỳỷỹ", "ùøûõ"),
    "ô": ("ớờởỡợ", "ùøûõï"),
    "ö": ("ứừửữự", "ùøûõï"),
    "": ("íìỉĩịỵơưđ", "íìæóòîôöñ"),
}
_VNI = {
    letter: base + mark
    for base, (letters, marks) in _OF_VNI.items()
    for letter, mark in zip(letters, marks, strict=True)
}


def _vni(text: str) -> str:
    return "".join(
        _VNI.get(c) or (_VNI[c.lower()].upper() if c.lower() in _VNI else c) for c in text
    )


def _in_vni(sheets: Sequence[Sheet]) -> bytes:
    written = [
        replace(
            sheet,
            lines=[[_vni(c) if isinstance(c, str) else c for c in line] for line in sheet.lines],
        )
        for sheet in sheets
    ]
    return files.xlsx(*written, font="VNI-Times")


@UNSEEN_THIRD.book("CHI HOI KHU 4.xlsx", _in_vni)
def _of_the_south(name: str) -> Sheet:
    """Typed by one who learned it in the South, where another old font was used."""
    people = _by_year(women(11, name))
    towns = ("Hạ Hoà, Phú Thọ", "Thanh Ba, Phú Thọ", "Phượng Vĩ", "Đoan Hùng", "Yên Lập")
    for place, woman in enumerate(people):
        town = towns[place % len(towns)]
        people[place] = woman.but("hometown", town, hometown=town)
    write_cells(people, "ethnicity", {3: "Mường", 8: "Mường"}, ethnicity="04")
    columns = [
        NUMBER,
        NAME,
        column("Sinh năm", "birth_date"),
        column("Quê quán", "hometown"),
        column("Dân tộc", "ethnicity"),
        WORK,
        column("Số điện thoại", "phone"),
    ]
    sheet = Sheet("DS").line("DANH SÁCH HỘI VIÊN PHỤ NỮ", merged="A:G")
    sheet.line("Chi hội khu 4, xã Phượng Vĩ", merged="A:G").line()
    return sheet.table(columns, people, branch=4)


@UNSEEN_THIRD.book("Ra soat HV thang 6-2025.xlsx")
def _gone_over(name: str) -> Sheet:
    """Gone over before the communes were merged: who left, who came, and what only sounds like it."""
    people = women(14, name)
    for place, each in enumerate(people):
        born = _day(each)
        shown: tuple[Cell, ...] = (born, f"{born.day}/{born.month}/{born.year}", f"{born:%d.%m.%Y}")
        woman = each.but("birth_date", shown[place % 3])
        people[place] = woman.but("branch", f"Khu {woman.stored['branch']} Phượng Vĩ")
    notes: dict[int, Cell] = {
        0: "Chồng đã mất, nuôi 2 con nhỏ",
        1: "Mất tháng 2/2025",
        2: "Mới chuyển đến từ xã Tiên Lương",
        4: "Chuyển vào miền Nam ở với con",
        5: "Đã chuyển đổi CCCD gắn chip",
        7: "Xin ra khỏi Hội",
        9: "Đi làm công ty, ít sinh hoạt",
        11: "Mất thẻ hội viên",
    }
    write_cells(people, "note", notes)
    to_wait(people, 1, 4, 7, 10)
    for place in (3, 6):
        people[place] = people[place].but(
            "citizen_id", int(str(people[place].stored["citizen_id"]))
        )
    card = str(people[8].stored["citizen_id"])
    people[8] = people[8].but("citizen_id", f"{card[:3]} {card[3:6]} {card[6:9]} {card[9:]}")
    people[9] = people[9].but("citizen_id", "chưa có", citizen_id=None)
    people[12] = people[12].but("citizen_id", "2,51681E+10", citizen_id=None).to_decide()
    people[13] = people[13].but("citizen_id", "000000000000", citizen_id=None)
    people[2] = people[2].but("phone", f"{_phone(people[2])} - 0912345001").with_sign()
    people[5] = people[5].but("phone", f"{_phone(people[5])} (con gái)")
    columns = [
        NUMBER,
        NAME,
        BORN,
        column("Chi hội", "branch"),
        column("Số CCCD", "citizen_id"),
        column("Điện thoại", "phone"),
        NOTE,
    ]
    sheet = Sheet("Rà soát").line("RÀ SOÁT HỘI VIÊN ĐẾN 15/6/2025", merged="A:G")
    sheet.line("Hội LHPN xã Phượng Vĩ, huyện Cẩm Khê", merged="A:G").line().table(columns, people)
    sheet.struck.add(sheet.people[10].number)
    sheet.line().line("* Dòng gạch: đã đưa ra khỏi danh sách", merged="A:G")
    return sheet


@UNSEEN_THIRD.book("Bảng tính không có tiêu đề - Trang tính1.csv", files.csv_as("utf-8", ","))
def _typed_on_a_telephone(name: str) -> Sheet:
    """Headings without tones, small letters, years as they come."""
    people = _by_year(women(12, name))
    for place, each in enumerate(people):
        year, khu = year_of(each), each.stored["branch"]
        years = (f"{year}", f"{year}", f"sn {year}", f"{year} ({2024 - year}t)", f"{year % 100}")
        branches = (f"khu {khu}", f"k{khu}", f"{khu}", f"Khu{khu}")
        woman = each.but("birth_date", years[place % 5]).but("branch", branches[place // 3])
        woman = woman.but("full_name", _name(woman).capitalize())
        people[place] = woman.but("children", place % 3 or None)
    digits = _phone(people[2])
    people[2] = people[2].but("phone", f"{digits} zalo")
    people[5] = people[5].but("phone", f"84{_phone(people[5])[1:]}")
    people[6] = people[6].but("birth_date", "73 tuổi").to_decide()
    write_cells(people, "phone", {8: "ko có", 10: None}, phone=None)
    columns = [
        column("ho ten", "full_name"),
        column("nam sinh", "birth_date"),
        column("sdt zalo", "phone"),
        column("khu", "branch"),
        column("nghe nghiep", "occupation"),
        column("so con", "children"),
    ]
    sheet = Sheet().head(columns).add(columns, people[:7]).line().add(columns, people[7:])
    return sheet.line("tong 12 nguoi")
