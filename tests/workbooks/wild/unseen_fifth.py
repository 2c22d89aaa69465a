"""Twelve lists as most communes keep them, by someone who had not read the reader.

A sample rather than a trial: what one would probably be handed where one asks for the list that is
kept today, with as much disorder as such lists have. An empty cell says nothing, of the Party and
of religion too. Declared and measured as those of `unseen`.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from tests.workbooks.wild import files
from tests.workbooks.wild.cells import as_day, of_year, renamed, to_wait, write_cells, year_of
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

UNSEEN_FIFTH = Shelf({})
YEAR = column("Năm sinh", "birth_date")
TELEPHONE = column("Số điện thoại", "phone")
SINCE = column("Năm vào Hội", "joined_on")
NOTE = column("Ghi chú", "note")
# From this year of birth on a woman joined soon after she was of age.
_YOUNG = 1996
# As the keyboard sets the tone unless it is set otherwise.
_TYPED = {"Hoà": "Hòa", "Thuý": "Thúy", "Thuỷ": "Thủy"}
# Born before, she went to a school of ten classes.
_TWELVE_CLASSES = 1964


def _name(woman: Woman) -> str:
    return str(woman.stored["full_name"])


def _phone(woman: Woman) -> str:
    return str(woman.written["phone"])


def _day(woman: Woman, name: str = "birth_date") -> date:
    return date.fromisoformat(woman.stored[name])


def _born_on(woman: Woman, day: date) -> Woman:
    """Born on another day, which her citizen id says too."""
    century = 3 if day.year >= 2000 else 1
    card = f"025{century}{day:%y}{woman.stored['citizen_id'][-6:]}"
    woman = woman.but("birth_date", f"{day:%d/%m/%Y}", birth_date=day.isoformat())
    woman = woman.but("citizen_id", card, citizen_id=card)
    if day.year >= _YOUNG:
        joined = _day(woman, "joined_on").replace(year=day.year + 19)
        woman = woman.but("joined_on", f"{joined:%d/%m/%Y}", joined_on=joined.isoformat())
    return woman


def _people(count: int, of: str, young: Mapping[int, int] | None = None) -> list[Woman]:
    """Women in the order of their branches, days of all the month; `young`: born in that year."""
    # Drawn so that no two books have a woman of one name and year.
    people = sorted(women(count, f"{of} 5"), key=lambda woman: int(woman.stored["branch"]))
    for place, woman in enumerate(people):
        if year_of(woman) < _TWELVE_CLASSES:
            people[place] = woman.but("occupation", "Làm ruộng", occupation="Làm ruộng")
    for place in range(1, count, 3):
        people[place] = _born_on(people[place], _day(people[place]).replace(day=place % 12 + 1))
    for place, year in (young or {}).items():
        people[place] = _born_on(people[place], _day(people[place]).replace(year=year))
    return people


def _typed(people: Iterable[Woman]) -> list[Woman]:
    """Hòa, Thúy and Thủy, as most files have them; so they are stored."""
    return [
        renamed(woman, "{n}", " ".join(_TYPED.get(word, word) for word in _name(woman).split()))
        for woman in people
    ]


def _by_year(people: Iterable[Woman], *names: str) -> list[Woman]:
    out = list(people)
    for name in names or ("birth_date",):
        out = [of_year(woman, name) for woman in out]
    return out


def _written(people: list[Woman], name: str, shown: str, *places: int) -> None:
    """{v}: the cell as it was."""
    for place in places:
        woman = people[place]
        people[place] = woman.but(name, shown.format(v=woman.written[name]))


def _spaced(people: list[Woman], *places: int, by: str = " ") -> None:
    for place in places:
        digits = _phone(people[place])
        people[place] = people[place].but("phone", by.join((digits[:4], digits[4:7], digits[7:])))


def _as_numbers(people: list[Woman], name: str, places: Iterable[int]) -> None:
    """Cells of numbers: the zero in front is lost."""
    for place in places:
        people[place] = people[place].but(name, int(str(people[place].written[name])))


def _without(people: list[Woman], name: str, *places: int) -> None:
    write_cells(people, name, dict.fromkeys(places), **{name: None})


def _loud(people: list[Woman], *places: int) -> None:
    for place in places:
        people[place] = people[place].but("full_name", _name(people[place]).upper())


def _party(people: list[Woman], *places: int) -> None:
    """An x for those of the Party, nothing for the others."""
    for place, woman in enumerate(people):
        of_it = place in places
        people[place] = woman.but(
            "party", "x" if of_it else None, party="member" if of_it else None
        )


def _living(people: list[Woman], shown: str) -> None:
    """{k}: her khu."""
    for place, woman in enumerate(people):
        address = shown.format(k=woman.stored["branch"])
        people[place] = woman.but("address", address, address=address)


def _in_branch(people: list[Woman], shown: str) -> None:
    """{k}: her khu."""
    for place, woman in enumerate(people):
        people[place] = woman.but("branch", shown.format(k=woman.stored["branch"]))


@UNSEEN_FIFTH.book("DANH SACH HOI VIEN XA PHUONG VI 2025.xlsx")
def _of_the_chairwoman(name: str) -> Sheet:
    """The chairwoman of a commune; a heading for each branch, as she prints it for the dossier."""
    people = _typed(_by_year(_people(34, name, {6: 1998, 22: 2001}), "birth_date", "joined_on"))
    _living(people, "Khu {k}")
    _without(people, "phone", 3, 11, 27)
    _spaced(people, 5, 14, 15, 30)
    _without(people, "joined_on", 8, 19, 20, 31)
    _written(people, "full_name", "{v} ", 4, 17, 26)
    notes: dict[int, Cell] = {
        1: "Chi hội phó",
        5: "Hộ cận nghèo",
        13: "Hộ nghèo",
        16: "Chuyển về Yên Lập năm 2024",
        24: "Đi làm ăn xa",
        29: "Hộ cận nghèo",
    }
    write_cells(people, "note", dict.fromkeys((0, 9, 18, 26), "Chi hội trưởng") | notes)
    to_wait(people, 16)
    address = column("Địa chỉ", "address")
    columns = [NUMBER, column("Họ và tên", "full_name"), YEAR, address, TELEPHONE, SINCE, NOTE]
    sheet = Sheet("DS HV")
    sheet.line("HỘI LHPN HUYỆN CẨM KHÊ", *[None] * 3, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM")
    sheet.line("BAN CHẤP HÀNH HỘI LHPN XÃ PHƯỢNG VĨ", *[None] * 3, "Độc lập - Tự do - Hạnh phúc")
    sheet.line().line("DANH SÁCH HỘI VIÊN HỘI LIÊN HIỆP PHỤ NỮ XÃ NĂM 2025", merged="A:G").line()
    sheet.head(columns)
    for khu, roman in enumerate(("I", "II", "III", "IV"), 1):
        of_it = [woman for woman in people if woman.stored["branch"] == khu]
        sheet.line(roman, f"CHI HỘI KHU {khu}").add(columns, of_it, branch=khu)
    sheet.line(None, "Tổng số: 34 hội viên").line()
    sheet.line(*[None] * 4, "Phượng Vĩ, ngày 10 tháng 3 năm 2025")
    sheet.line(None, "NGƯỜI LẬP", None, None, "TM. BAN CHẤP HÀNH").line(*[None] * 4, "CHỦ TỊCH")
    return sheet.line().line().line(None, "Hà Thị Nga", None, None, "Đinh Thị Thanh Tâm")


@UNSEEN_FIFTH.book("danh sach hoi vien khu 2.xlsx")
def _of_a_head(name: str) -> Sheet:
    """The head of a branch; her son typed it from her notebook and numbered more rows than needed."""
    people = _typed(_by_year(_people(20, name)))
    _without(people, "phone", 2, 9, 17)
    _as_numbers(people, "phone", (n for n in range(20) if n not in (2, 6, 9, 17)))
    _written(people, "phone", "{v}/ 0972640118", 6)
    people[6] = people[6].with_sign()
    for place, husband in ((4, "Tuấn"), (12, "Hợi")):
        people[place] = renamed(people[place], f"{{n}} ({husband})")
    _without(people, "birth_date", 15)
    to_wait(people, 15)
    columns = [NUMBER, NAME, YEAR, column("SĐT", "phone"), NOTE]
    write_cells(people, "note", {0: "CHT", 3: "Chi hội phó", 4: "già yếu", 18: "hộ nghèo"})
    sheet = Sheet("Sheet1").line("DANH SÁCH HỘI VIÊN CHI HỘI PHỤ NỮ KHU 2", merged="A:E")
    sheet.line("Xã Phượng Vỹ - Cẩm Khê - Phú Thọ", merged="A:E").line()
    sheet.table(columns, people, branch=2)
    for number in range(21, 26):
        sheet.line(number)
    return sheet


@UNSEEN_FIFTH.book("DS hội viên có CCCD (đã rà soát).xlsx")
def _identified(name: str) -> Sheet:
    """An officer of a commune; made to enter members into the system of the union, all columns."""
    people = _typed(_people(26, name, {10: 1999, 20: 2003}))
    schools = (("12/12", "upper_secondary"), ("9/12", "lower_secondary"))
    for place, each in enumerate(people):
        shown, level = schools[0 if each.stored["occupation"] == "Giáo viên" else place % 2]
        if year_of(each) < _TWELVE_CLASSES:
            shown = "10/10" if level == "upper_secondary" else "7/10"
        woman = each.but("education", shown, education=level)
        # Some days were typed as text; of the oldest only the year is known.
        if place in (7, 14):
            woman = of_year(woman)
        elif place % 5:
            woman = as_day(woman, "birth_date")
        people[place] = of_year(woman, "joined_on") if place % 3 else woman
    _in_branch(people, "Khu {k}")
    _as_numbers(people, "citizen_id", (3, 12, 13, 21))
    write_cells(people, "citizen_id", {8: "131587204"}, citizen_id=None, id_card="131587204")
    _without(people, "citizen_id", 17)
    card = str(people[23].written["citizen_id"])
    people[23] = people[23].but("citizen_id", card[:8] + card[9:], citizen_id=None)
    to_wait(people, 23)
    write_cells(people, "ethnicity", {5: "Mường", 16: "Mường"}, ethnicity="04")
    write_cells(people, "ethnicity", {19: "Tày"}, ethnicity="02")
    catholics = dict.fromkeys((2, 9, 11, 18, 22), "Công giáo")
    write_cells(people, "religion", dict(catholics), religion="catholic")
    _without(people, "religion", 4, 15)
    _party(people, 0, 6, 14, 20)
    _without(people, "phone", 7, 25)
    _spaced(people, 1, 16, by=".")
    _without(people, "joined_on", 11)
    columns = [
        column("TT", "number"),
        NAME,
        column("Ngày tháng năm sinh", "birth_date"),
        column("Giới tính", "gender"),
        # With an old card of nine digits among the numbers.
        Column("Số CCCD", "citizen_id", ("citizen_id", "id_card")),
        column("Dân tộc", "ethnicity"),
        column("Tôn giáo", "religion"),
        column("Trình độ văn hóa", "education"),
        column("Nghề nghiệp", "occupation"),
        column("Đảng viên", "party"),
        column("Chi hội", "branch"),
        TELEPHONE,
        column("Ngày vào Hội", "joined_on"),
    ]
    sheet = Sheet("Danh sách").line("HỘI LHPN XÃ PHƯỢNG VĨ", merged="A:E")
    sheet.line("DANH SÁCH HỘI VIÊN PHỤ NỮ", merged="A:M")
    sheet.line("(Kèm theo Báo cáo số 14/BC-PN ngày 25/11/2024)", merged="A:M").line()
    sheet.table(columns, people)
    return sheet.line("Ấn định danh sách có 26 hội viên./.", merged="A:M")


@UNSEEN_FIFTH.book("Hoi vien theo chi hoi.xlsx")
def _a_sheet_a_branch(name: str) -> list[Sheet]:
    """An officer of a commune; a sheet for each branch, copied from the first and filled by its head."""
    people = _people(30, name, {4: 2000, 25: 1997})
    for place, woman in enumerate(people):
        born = _day(woman)
        if place % 2:
            people[place] = woman.but("birth_date", f"{born.day}/{born.month}/{born.year}")
    people = _by_year(people, "joined_on")
    for place in (2, 12, 28):
        people[place] = of_year(people[place])
    people[11] = people[11].but("birth_date", "31/11/1958", birth_date=None)
    to_wait(people, 11)
    _without(people, "phone", 1, 9, 10, 24)
    _spaced(people, *range(8, 16, 3))
    _as_numbers(people, "phone", range(25, 30))
    _without(people, "joined_on", 5, 6, 13, 27)
    notes: dict[int, Cell] = {
        3: "Cận nghèo",
        14: "Hộ nghèo",
        16: "CHT",
        21: "Phụ nữ đơn thân",
        29: "Đi XKLĐ Đài Loan",
    }
    write_cells(people, "note", dict.fromkeys((0, 8, 23), "Chi hội trưởng") | notes)
    born_on = column("Ngày sinh", "birth_date")
    columns = [NUMBER, NAME, born_on, TELEPHONE, SINCE, NOTE]
    sheets = []
    for khu in range(1, 5):
        of_it = [woman for woman in people if woman.stored["branch"] == khu]
        if khu == 3:
            of_it, columns[2] = _by_year(of_it), YEAR
            _loud(of_it, *range(len(of_it)))
        else:
            columns[2] = born_on
        sheet = Sheet(f"Khu {khu}")
        sheet.line("HỘI LHPN XÃ PHƯỢNG VĨ")
        sheet.line(f"DANH SÁCH HỘI VIÊN CHI HỘI KHU {khu}", merged="A:F").line()
        sheet.table(columns, of_it, branch=khu).line(None, f"Tổng: {len(of_it)} hội viên")
        sheets.append(sheet)
    return [*sheets, Sheet("Sheet5")]


@UNSEEN_FIFTH.book("DS HOI VIEN KHU 4.xls")
def _of_a_retired_teacher(name: str) -> Sheet:
    """A head who taught once; an Excel of 2003 and capitals, carried on from year to year."""
    people = _by_year(_people(22, name), "birth_date", "joined_on")
    for place, woman in enumerate(people):
        ten = year_of(woman) < _TWELVE_CLASSES
        shown, level = ("10/10" if ten else "12/12", "upper_secondary")
        if place % 5 in (1, 2, 4):
            shown, level = ("7/10" if ten else "9/12", "lower_secondary")
        people[place] = woman.but("education", shown, education=level).but("note", None, party=None)
    for place, shown, level in ((5, "ĐH", "bachelor"), (13, "Trung cấp", "intermediate")):
        woman = people[place].but("occupation", "Giáo viên", occupation="Giáo viên")
        people[place] = woman.but("education", shown, education=None, qualification=level)
    write_cells(people, "note", {3: "Đảng viên", 5: "Đảng viên", 18: "Đảng viên"}, party="member")
    write_cells(people, "note", {0: "Chi hội trưởng", 7: "Vợ liệt sỹ", 16: "Mất 2023"})
    to_wait(people, 16)
    homes = ("Phượng Vĩ", "Phượng Vĩ", "Phượng Vĩ", "Minh Tân", "Thanh Ba", "Phượng Vĩ", "Yên Lập")
    for place, woman in enumerate(people):
        home = homes[place % len(homes)]
        people[place] = woman.but("hometown", home, hometown=home)
    _loud(people, *range(22))
    _without(people, "joined_on", 7, 12, 20)
    columns = [
        NUMBER,
        column("HỌ VÀ TÊN", "full_name"),
        column("NĂM SINH", "birth_date"),
        column("QUÊ QUÁN", "hometown"),
        Column("TRÌNH ĐỘ", "education", ("education", "qualification")),
        column("NGHỀ NGHIỆP", "occupation"),
        column("NĂM VÀO HỘI", "joined_on"),
        Column("GHI CHÚ", "note", ("party",)),
    ]
    sheet = Sheet("Sheet1").line("CHI HỘI PHỤ NỮ KHU 4").line("XÃ PHƯỢNG VĨ")
    sheet.line(None, None, "DANH SÁCH HỘI VIÊN").line()
    sheet.table(columns, people, branch=4).line()
    sheet.line(None, "Tổng cộng: 22 hội viên")
    sheet.line(*[None] * 5, "Chi hội trưởng").line().line(*[None] * 5, "Nguyễn Thị Lan")
    return sheet


@UNSEEN_FIFTH.book("Danh sách hội viên CH khu 1 - Trang tính1.csv", files.csv_as("utf-8", ","))
def _shared_sheet(name: str) -> Sheet:
    """A young head who teaches small children; a sheet of Google that she shares, downloaded."""
    people = _typed(_people(16, name, {2: 1996, 6: 2000, 11: 2002}))
    for place, woman in enumerate(people):
        born = _day(woman)
        people[place] = woman.but("birth_date", f"{born.day}/{born.month}/{born.year}")
        people[place] = people[place].but("zalo", "không" if place % 5 == 3 else "có")
    people[9] = of_year(people[9])
    _spaced(people, 4, 12)
    _without(people, "phone", 8)
    write_cells(people, "note", {7: "Chi hội trưởng", 3: "Làm ca, họp buổi tối", 11: "Thai sản"})
    columns = [
        NUMBER,
        column("Họ đệm", "surname"),
        column("Tên", "given_name"),
        column("Ngày sinh", "birth_date"),
        column("SĐT", "phone"),
        column("Zalo", "zalo"),
        column("Nghề nghiệp", "occupation"),
        NOTE,
    ]
    for place, woman in enumerate(people):
        before, _, last = _name(woman).rpartition(" ")
        people[place] = woman.but("surname", before).but("given_name", last)
    return Sheet().line("Danh sách hội viên chi hội phụ nữ khu 1").table(columns, people, branch=1)


@UNSEEN_FIFTH.book("DSHV Phượng Vĩ.xlsx")
def _put_together(name: str) -> Sheet:
    """An officer of a commune; pasted from what the heads sent, with what the bank for the poor asks."""
    people = _typed(_by_year(_people(28, name, {9: 1999})))
    for khu, shown in ((1, "Khu 1"), (2, "K2"), (3, "CH khu 3"), (4, "Khu 4")):
        for place, woman in enumerate(people):
            if woman.stored["branch"] == khu:
                people[place] = woman.but("branch", shown)
    _loud(people, *(place for place, w in enumerate(people) if w.stored["branch"] == 3))
    for place in (22, 24):
        people[place] = people[place].but("birth_date", str(year_of(people[place])))
    full = _people(28, name, {9: 1999})
    for place in (8, 10, 13):
        born = full[place]
        people[place] = people[place].but(
            "birth_date", born.written["birth_date"], birth_date=born.stored["birth_date"]
        )
    _without(people, "phone", 2, 6, 18, 26)
    _as_numbers(people, "phone", (7, 8, 9, 10, 11, 12, 13))
    _spaced(people, 15, 16, by=".")
    write_cells(people, "poor", {5: "x", 19: "x"})
    write_cells(people, "near_poor", {1: "x", 12: "x", 23: "x"})
    loans: dict[int, Cell] = {4: "50 triệu", 5: "100 triệu", 12: "50 triệu", 21: "80 triệu"}
    write_cells(people, "loan", loans)
    people.insert(25, people[11].but("phone", _phone(full[11])).to_decide())
    columns = [
        NUMBER,
        column("Họ tên hội viên", "full_name"),
        YEAR,
        column("Khu", "branch"),
        column("ĐT", "phone"),
        column("Hộ nghèo", "poor"),
        column("Hộ cận nghèo", "near_poor"),
        column("Vay vốn NHCSXH", "loan"),
    ]
    sheet = Sheet("Sheet1").line("DANH SÁCH HỘI VIÊN PHỤ NỮ XÃ PHƯỢNG VĨ", merged="A:H").line()
    sheet.table(columns, people)
    return sheet.line(None, "Cộng", None, None, None, 2, 3, 4)


@UNSEEN_FIFTH.book("Biểu 02 - DS hội viên chi hội khu 3.xlsx")
def _a_form_from_above(name: str) -> Sheet:
    """The head of a branch; a form of the district with crosses to make, the crosses made in part."""
    people = _typed(_people(24, name, {14: 2001}))
    for place, woman in enumerate(people):
        people[place] = woman.but("address", "Khu 3", address="Khu 3")
    people = _by_year(people, "joined_on")
    for place in (3, 10, 17):
        people[place] = of_year(people[place])
    for place in (5, 6, 7):
        people[place] = as_day(people[place], "birth_date")
    _party(people, 0, 4, 12)
    write_cells(people, "minority", {9: "x"})
    write_cells(people, "faith", {2: "x", 13: "x", 14: "x", 20: "x"})
    write_cells(people, "poor", {8: "x", 19: "x"})
    write_cells(people, "note", {0: "Chi hội trưởng", 1: "Chi hội phó", 19: "Ốm đau"})
    _without(people, "citizen_id", 10, 22)
    _as_numbers(people, "citizen_id", (6,))
    card = str(people[15].written["citizen_id"])
    people[15] = people[15].but("citizen_id", f"{card[:3]} {card[3:6]} {card[6:]}")
    _without(people, "phone", 10, 17, 21)
    _spaced(people, 2, 3)
    people[18] = people[18].but("phone", _phone(people[18])[:-1], phone=None)
    to_wait(people, 18)
    _written(people, "full_name", "{v}  ", 9, 16)
    columns = [
        column("TT", "number"),
        NAME,
        column("Ngày, tháng, năm sinh", "birth_date"),
        column("Số CCCD", "citizen_id"),
        column("Nơi ở", "address"),
        column("Điện thoại", "phone"),
        SINCE,
        column("Đảng viên", "party"),
        column("HV nòng cốt", "core"),
        column("Dân tộc thiểu số", "minority"),
        column("Tôn giáo", "faith"),
        column("Hộ nghèo", "poor"),
        NOTE,
    ]
    sheet = Sheet("Biểu 02")
    sheet.line("HỘI LHPN XÃ PHƯỢNG VĨ", *[None] * 11, "Biểu số 02")
    sheet.line("CHI HỘI KHU 3").line()
    sheet.line("DANH SÁCH HỘI VIÊN", merged="A:M").line("(Tính đến ngày 31/12/2024)", merged="A:M")
    headings = [each.heading for each in columns]
    sheet.line(*headings[:7], "Trong đó (đánh dấu x)", *[None] * 4, "Ghi chú")
    sheet.merged.append(f"H{sheet.last}:L{sheet.last}")
    sheet.line(*[None] * 7, *headings[7:12])
    sheet.merged += [f"{letter}{sheet.last - 1}:{letter}{sheet.last}" for letter in "ABCDEFGM"]
    sheet.add(columns, people, branch=3)
    sheet.line(None, "Tổng số", *[None] * 5, 3, None, 1, 4, 2).line()
    sheet.line(None, "NGƯỜI LẬP BIỂU", *[None] * 6, "XÁC NHẬN CỦA HỘI LHPN XÃ")
    return sheet.line("(Ký, ghi rõ họ tên)").line().line(None, "Trần Thị Thơm")


@UNSEEN_FIFTH.book("Hoi phi khu 1 nam 2025.xlsx")
def _who_has_paid(name: str) -> Sheet:
    """The head of a branch; she has no list but that of the fees, and it has nearly everybody."""
    people = _typed(_by_year(_people(24, name, {7: 1997})))
    places = ("Xóm Đình", "Xóm Đồng", "Xóm Chùa", "Xóm Mới")
    for place, woman in enumerate(people):
        home = places[place // 6]
        people[place] = woman.but("address", home, address=home).but("fee", 24000)
    write_cells(people, "paid", {n: "x" for n in range(24) if n not in (8, 13, 22)})
    write_cells(people, "fee", {4: None, 16: None})
    write_cells(people, "paid", {4: None, 16: None})
    write_cells(people, "note", {4: "Miễn (trên 70)", 16: "Miễn", 13: "Đi Bình Dương", 0: "CHT"})
    for place, year in ((4, 1948), (16, 1951)):
        people[place] = people[place].but("birth_date", year, birth_date=str(year))
    _without(people, "birth_date", 19)
    to_wait(people, 19)
    _written(people, "full_name", " {v}", 11)
    _loud(people, 20, 21)
    columns = [
        NUMBER,
        NAME,
        YEAR,
        column("Chỗ ở", "address"),
        column("Số tiền", "fee"),
        column("Đã nộp", "paid"),
        NOTE,
    ]
    sheet = Sheet("2025").line("DANH SÁCH HỘI VIÊN NỘP HỘI PHÍ NĂM 2025", merged="A:G")
    sheet.line("Chi hội phụ nữ khu 1, xã Phượng Vĩ", merged="A:G").line()
    sheet.table(columns, people, branch=1)
    sheet.line(None, "Tổng cộng", None, None, 24000 * 22)
    return sheet.line().line(None, "Người thu tiền", None, None, "Chi hội trưởng")


@UNSEEN_FIFTH.book("So hoi vien danh may lai.xlsx")
def _from_the_register(name: str) -> Sheet:
    """A volunteer of the Youth Union; typed for the union from the register that is kept by hand."""
    people = _typed(_by_year(_people(20, name)))
    for place, woman in enumerate(people):
        joined = _day(woman, "joined_on")
        if place % 4 == 1:
            people[place] = of_year(woman, "joined_on")
        elif place % 4 == 2:
            shown, stored = f"20/10/{joined.year}", f"{joined.year}-10-20"
            people[place] = woman.but("joined_on", shown, joined_on=stored)
        elif place == 7:
            shown, stored = f"{joined.month}/{joined.year}", f"{joined:%Y-%m}"
            people[place] = woman.but("joined_on", shown, joined_on=stored)
    _in_branch(people, "Chi hội khu {k}")
    _written(people, "branch", "{v} ", 6)
    _without(people, "joined_on", 8, 15)
    write_cells(people, "ethnicity", {3: "Mường"}, ethnicity="04")
    _without(people, "ethnicity", 12)
    catholics = dict.fromkeys((5, 6, 11, 17), "Thiên chúa giáo")
    write_cells(people, "religion", dict(catholics), religion="catholic")
    _without(people, "religion", 0, 2, 9, 12, 14, 18)
    _without(people, "occupation", 4, 16)
    write_cells(people, "post", {0: "Chi hội trưởng", 5: "CHT", 10: "CHT, UV BCH", 15: "CHT"})
    columns = [
        column("Số TT", "number"),
        column("Họ và tên hội viên", "full_name"),
        column("Năm sinh", "birth_date"),
        column("Dân tộc", "ethnicity"),
        column("Tôn giáo", "religion"),
        column("Nghề nghiệp", "occupation"),
        column("Chi hội", "branch"),
        column("Ngày vào Hội", "joined_on"),
        column("Chức vụ", "post"),
    ]
    sheet = Sheet("Sheet1").line("SỔ DANH SÁCH HỘI VIÊN", merged="A:I")
    sheet.line("Hội phụ nữ xã Phượng Vĩ", merged="A:I").line()
    return sheet.table(columns, people)


@UNSEEN_FIFTH.book("tổng hợp hội viên (sửa lần 3).xlsx")
def _mended_thrice(name: str) -> list[Sheet]:
    """An officer of a commune; where a woman lives says her branch, and a sheet of counts follows."""
    people = _people(26, name, {3: 1996, 17: 2002})
    for place, woman in enumerate(people):
        if place % 6 == 5:
            people[place] = of_year(woman)
        elif place % 4:
            people[place] = as_day(woman, "birth_date")
    people = _typed(_by_year(people, "joined_on"))
    _living(people, "Khu {k}, xã Phượng Vĩ")
    _without(people, "citizen_id", 5, 14)
    _as_numbers(people, "citizen_id", (n for n in range(26) if n not in (5, 14)))
    _without(people, "phone", 11, 20, 23)
    _spaced(people, *range(0, 10, 2))
    _spaced(people, 13, 18, by=".")
    _without(people, "joined_on", 9, 21)
    write_cells(people, "call", {11: "hỏi lại số", 20: "hỏi lại"})
    _written(people, "full_name", "{v} ", 12)
    columns = [
        NUMBER,
        NAME,
        column("Ngày sinh", "birth_date"),
        column("CCCD", "citizen_id"),
        Column("Địa chỉ", "address", ("address", "branch")),
        column("Số ĐT", "phone"),
        SINCE,
        column(None, "call"),
    ]
    sheet = Sheet("Danh sách").line("DANH SÁCH HỘI VIÊN HỘI LHPN XÃ PHƯỢNG VĨ", merged="A:G")
    sheet.line("Tháng 4 năm 2025", merged="A:G").line().table(columns, people)
    sheet.line(None, "Tổng: 26")
    counts = Sheet("TH").line("TỔNG HỢP HỘI VIÊN THEO CHI HỘI", merged="A:C").line()
    counts.line("STT", "Chi hội", "Số hội viên")
    for khu in range(1, 5):
        of_it = sum(woman.stored["branch"] == khu for woman in people)
        counts.line(khu, f"Khu {khu}", of_it)
    return [sheet, counts.line(None, "Cộng", 26)]


@UNSEEN_FIFTH.book("ds hội viên khu 4.xlsx")
def _on_her_telephone(name: str) -> Sheet:
    """The head of a branch, on her telephone; no title, and only the file's name says whose it is."""
    people = _typed(_by_year(_people(14, name)))
    for place in (1, 2, 5, 6, 9):
        people[place] = people[place].but("full_name", _name(people[place]).lower())
    for place in (3, 8):
        people[place] = people[place].but("birth_date", year_of(people[place]) % 100)
    _without(people, "phone", 7, 12)
    _spaced(people, 0, 4)
    _as_numbers(people, "phone", (10, 11, 13))
    columns = [
        NUMBER,
        column("Tên", "full_name"),
        column("Sinh năm", "birth_date"),
        column("Số đt", "phone"),
    ]
    return Sheet("Trang tính1").table(columns, people, branch=4)
