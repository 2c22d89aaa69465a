"""Twelve more books, by hands that have seen neither the reader nor any other book.

Declared and measured as those of `unseen`, whose docstring says what their share tells.
"""

from collections.abc import Sequence
from datetime import date

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

UNSEEN_AGAIN = Shelf({})
YEAR = column("Năm sinh", "birth_date")
NOTE = column("Ghi chú", "note")


def _phone(woman: Woman) -> str:
    return str(woman.written["phone"])


def _day(woman: Woman, name: str) -> date:
    return date.fromisoformat(woman.stored[name])


def _by_year(people: Sequence[Woman]) -> list[Woman]:
    return [of_year(woman) for woman in people]


@UNSEEN_AGAIN.book("PN khu 1.xlsx")
def _husbands(name: str) -> Sheet:
    """Kept on her telephone: beside each woman her husband, and the number of a child."""
    people = _by_year(women(12, name))
    husbands = ("Tuấn", "Hùng", "Sơn", "ông Bảy", "Chiến", "Dũng", "Quyết", "Thắng", "Lợi", "Hải")
    children = ("0987111222", "0912000111", "0365999888")
    for place, each in enumerate(people):
        woman = each.but("husband", husbands[place % len(husbands)])
        if place % 3 == 0:
            woman = woman.but("phone", int(_phone(woman)))
        elif place % 3 == 1:
            woman = woman.but(
                "phone", f"{_phone(woman)[:4]} {_phone(woman)[4:7]} {_phone(woman)[7:]}"
            )
        people[place] = woman.but("child", children[place // 2 % 3] if place % 2 else None)
    write_cells(people, "phone", {4: None, 9: "không có"}, phone=None)
    write_cells(people, "poor", {2: "Cận nghèo", 7: "Nghèo"})
    columns = [
        column("TT", "number"),
        column("Họ tên", "full_name"),
        column("NS", "birth_date"),
        Column("Tên chồng", "husband"),
        column("SĐT", "phone"),
        Column("SĐT con", "child"),
        Column("Diện hộ", "poor"),
    ]
    sheet = Sheet("PN khu 1").line("DS CHỊ EM PHỤ NỮ KHU 1 - PHƯỢNG VĨ", merged="A:G").line()
    sheet.table(columns, people, branch=1)
    return sheet.line(None, "Cộng: 12 hội viên").line(None, None, None, None, "Chi hội trưởng")


@UNSEEN_AGAIN.book("Tong hop hoi vien xa 6 thang dau nam 2026.xlsx")
def _six_months(name: str) -> Sheet:
    """Of an officer: branches below each other, headings over headings, the head again on page 2."""
    people = women(13, name)
    people[1] = of_year(people[1])
    people[6] = of_year(people[6], shown=f"{year_of(people[6])}")
    people = [
        woman.but("qualification", "Trung cấp", qualification="intermediate")
        if place % 4 == 0
        else woman.but("qualification", None, qualification=None)
        for place, woman in enumerate(people)
    ]
    write_cells(people, "qualification", {5: "ĐH", 10: "Đại học Sư phạm"}, qualification="bachelor")
    write_cells(people, "politics", {5: "Trung cấp", 10: "Sơ cấp"})
    write_cells(people, "note", {0: "Chi hội trưởng", 3: "Mất tháng 3/2026", 8: "Mới chuyển về"})
    write_cells(people, "note", {11: "Chuyển đi Hà Nội theo con từ T5/2025"})
    to_wait(people, 3, 11)
    columns = [
        NUMBER,
        NAME,
        column("Ngày, tháng, năm sinh", "birth_date"),
        column("Dân tộc", "ethnicity"),
        column("Tôn giáo", "religion"),
        column("Văn hoá", "education"),
        column("Chuyên môn", "qualification"),
        Column("LLCT", "politics"),
        column("Ngày vào Hội", "joined_on"),
        NOTE,
    ]
    head: list[Cell] = [each.heading for each in columns]
    head[5:8] = ["Trình độ", None, None]
    sheet = Sheet("6 tháng").line("HỘI LHPN XÃ TIÊN LƯƠNG", merged="A:D")
    sheet.line("BAN CHẤP HÀNH", merged="A:D").line()
    sheet.line("TỔNG HỢP HỘI VIÊN 6 THÁNG ĐẦU NĂM 2026", merged="A:J")
    sheet.line("(Kèm theo Báo cáo số 15/BC-BTV ngày 10/6/2026)", merged="A:J")

    def heads() -> None:
        sheet.line(*head)
        first = sheet.last
        sheet.line(*[None] * 5, "Văn hoá", "Chuyên môn", "LLCT")
        sheet.merged.append(f"F{first}:H{first}")
        sheet.merged.extend(f"{c}{first}:{c}{first + 1}" for c in "ABCDEIJ")

    heads()
    sheet.line("I", "CHI HỘI KHU 1").add(columns, people[:5], branch=1)
    sheet.line("II", "CHI HỘI KHU 2").add(columns, people[5:7], branch=2)
    heads()
    sheet.add(columns, people[7:9], at=3, branch=2)
    sheet.line("III", "CHI HỘI KHU 4").add(columns, people[9:], branch=4)
    sheet.line("TỔNG CỘNG: 13 hội viên", merged="A:J").line()
    sheet.line(None, "Người lập biểu", None, None, None, "TM. BAN THƯỜNG VỤ")
    return sheet.line(None, None, None, None, None, "CHỦ TỊCH")


@UNSEEN_AGAIN.book("Phiếu rà soát hội viên (Câu trả lời).csv", files.csv_as("utf-8", ","))
def _answers(name: str) -> Sheet:
    """Of a form that each filled in on her telephone; one has sent it twice."""
    people = women(12, name)
    for place, each in enumerate(people):
        woman = each.but("stamp", f"0{place % 4 + 3}/03/2026 20:{15 + place}:33")
        said, stored = ("Có", "member") if place % 5 == 0 else ("Không", "none")
        people[place] = woman.but("party", said, party=stored)
    for place in (3, 8):
        her_name = str(people[place].stored["full_name"])
        people[place] = renamed(people[place], her_name.lower(), her_name).with_sign()
    write_cells(people, "birth_date", {1: f"{_day(people[1], 'birth_date'):%d-%m-%Y}"})
    write_cells(people, "birth_date", {6: f"{_day(people[6], 'birth_date'):%d.%m.%Y}"})
    people[10] = of_year(people[10], shown=f"Năm {year_of(people[10])}")
    write_cells(people, "phone", {2: f"+84{_phone(people[2])[1:]}", 9: f"{_phone(people[9])} "})
    write_cells(people, "branch", {0: "Khu 1", 4: "khu 1", 5: "K2", 7: "Chi hội phụ nữ khu 4"})
    write_cells(people, "occupation", {11: "Nội trợ"}, occupation="Nội trợ")
    write_cells(
        people, "wish", {2: "Mong Hội tổ chức dân vũ nhiều hơn, vay vốn lãi thấp", 6: "Không"}
    )
    people.insert(8, people[7].but("stamp", "06/03/2026 21:02:10").to_decide())
    columns = [
        Column("Dấu thời gian", "stamp"),
        column("1. Họ và tên chị (viết có dấu)", "full_name"),
        column("2. Chị sinh ngày, tháng, năm nào?", "birth_date"),
        column("3. Số điện thoại chị đang dùng Zalo", "phone"),
        column("4. Chị đang sinh hoạt tại chi hội nào?", "branch"),
        column("5. Nghề nghiệp hiện nay của chị", "occupation"),
        column("6. Chị có phải là Đảng viên không?", "party"),
        Column("7. Chị có mong muốn, đề xuất gì với Hội?", "wish"),
    ]
    return Sheet().table(columns, people)


@UNSEEN_AGAIN.book("DSHV2016.xls", files.old_vntime)
def _old_machine(name: str) -> Sheet:
    """Of ten years ago, in the old letters and with the old numbers of telephones."""
    people = _by_year(women(11, name))
    for place in (0, 4, 7):
        kept = _phone(people[place])[-7:]
        shown = f"0168{kept}" if place else f"0168.{kept[:3]}.{kept[3:]}"
        people[place] = people[place].but("phone", shown, phone=f"+8438{kept}")
    people = [woman.but("party", None, party=None) for woman in people]
    write_cells(people, "party", {1: "Đảng viên", 6: "Đảng viên"}, party="member")
    write_cells(people, "phone", {3: None, 9: None}, phone=None)
    write_cells(people, "post", {0: "Chi hội trưởng", 1: "Chi hội phó", 5: "Tổ trưởng"})
    write_cells(
        people, "branch", {place: f"Khu {w.stored['branch']}" for place, w in enumerate(people)}
    )
    columns = [
        column("TT", "number"),
        NAME,
        YEAR,
        column("Khu", "branch"),
        Column("Chức vụ", "post"),
        column("Nòng cốt", "core"),
        *ticks("party", "Đảng viên"),
        column("Điện thoại", "phone"),
    ]
    sheet = Sheet("DSHV").line("Hội LHPN xã Phượng Vĩ").line()
    sheet.line(None, None, "Danh sách hội viên năm 2016").line().table(columns, people)
    return sheet.line(None, "Danh sách này có 11 người./.")


@UNSEEN_AGAIN.book("hoi vien cong giao khu 3.ods")
def _parish(name: str) -> Sheet:
    """Of a village with a church: names of saints beside their own, faiths ticked."""
    people = women(12, name)
    saints = ("Maria", "Anna", "Têrêsa", "Maria Goretti", "Cecilia")
    faiths = (("Công giáo", "catholic"),) * 3 + (("Không", "none"),)
    for place, each in enumerate(people):
        said, code = faiths[place % 4]
        saint = saints[place % 5] if code == "catholic" else None
        born = _day(each, "birth_date")
        woman = each.but("birth_date", f"{born.day}.{born.month}.{born.year}")
        people[place] = woman.but("religion", said, religion=code).but("saint", saint)
    people[2] = of_year(people[2], shown=f"{people[2].written['birth_date']} (ÂL)").with_sign()
    people[7] = of_year(people[7], shown=str(year_of(people[7])))
    write_cells(people, "religion", {11: "Phật giáo"}, religion="buddhist")
    shown = {place: f"Khu 3, giáo họ {'Trại' if place % 2 else 'Đồng Phai'}" for place in range(12)}
    for place, address in shown.items():
        write_cells(people, "address", {place: address}, address=address)
    columns = [
        NUMBER,
        Column("Tên thánh", "saint"),
        NAME,
        column("Ngày sinh", "birth_date"),
        *ticks("religion", "Công giáo", "Phật giáo", "Không"),
        column("Chỗ ở", "address"),
        PHONE,
    ]
    sheet = Sheet("Khu 3").line("CHI HỘI PHỤ NỮ KHU 3").line()
    sheet.line("DANH SÁCH HỘI VIÊN THEO TÔN GIÁO").line()
    sheet.line(None, None, None, None, "Tôn giáo")
    return sheet.table(columns, people, branch=3)


@UNSEEN_AGAIN.book("So thu hoi phi 2026.xlsx")
def _fees(name: str) -> list[Sheet]:
    """The book of fees: a sheet for each branch, a column for each month, sums below."""
    people = _by_year(women(13, name))
    for place, each in enumerate(people):
        woman, paid = each, 12 if place % 3 else 7
        for month in range(1, 13):
            woman = woman.but(f"T{month}", 10 if month <= paid else None)
        people[place] = woman.but("sum", 10 * paid)
    write_cells(
        people, "note", {2: "Miễn (trên 70 tuổi)", 6: "Đã mất 02/2026", 9: "nộp hộ: chị Tươi"}
    )
    to_wait(people, 6)
    months = [Column(f"T{month}", f"T{month}") for month in range(1, 13)]
    columns = [NUMBER, NAME, YEAR, *months, Column("Cộng", "sum"), NOTE]

    def branch(khu: int, its: list[Woman]) -> Sheet:
        sheet = Sheet(f"K{khu}").line(f"SỔ THU HỘI PHÍ NĂM 2026 - CHI HỘI KHU {khu}", merged="A:Q")
        sheet.line("(ĐVT: nghìn đồng)", merged="A:Q").table(columns, its, branch=khu)
        total = sum(int(str(woman.written["sum"])) for woman in its)
        return sheet.line(None, "Cộng", *[None] * 13, total)

    summary = Sheet("TH").line("TỔNG HỢP THU HỘI PHÍ").line("TT", "Chi hội", "Số HV", "Số tiền")
    summary.line(1, "Khu 1", 5, 500).line(2, "Khu 2", 4, 430).line(3, "Khu 4", 4, 380)
    parts = ((1, people[:5]), (2, people[5:9]), (4, people[9:]))
    return [*(branch(khu, its) for khu, its in parts), summary]


@UNSEEN_AGAIN.book("Thong ke HV dan toc thieu so.xls")
def _peoples(name: str) -> Sheet:
    """The year of birth in the column of the sex; peoples by the names that are used there."""
    people = _by_year(women(12, name))
    names = (
        *(("Mường", "04"), ("Kinh", "01"), ("Mường", "04"), ("Dao", "09"), ("Cao Lan", "13")),
        *(("Tày", "02"), ("Mường", "04"), ("H'Mông", "08"), ("kinh", "01"), ("MƯỜNG", "04")),
        *(("Nùng", "07"), ("Mường", "04")),
    )
    for place, (said, code) in enumerate(names):
        woman = people[place].but("ethnicity", said, ethnicity=code)
        people[place] = woman.but("women", woman.written["birth_date"]).but("kind", "Hội viên")
    man = people[8].but("women", None).but("men", people[8].written["birth_date"])
    man = man.but("kind", "HV danh dự", kind="honorary", gender="male")
    people[8] = renamed(man, "{n}", "Hà Văn Quyến")
    people = [
        woman.but("gender", None, gender=woman.stored.get("gender", "female")) for woman in people
    ]
    columns = [
        NUMBER,
        NAME,
        Column("Nam", "men", ("birth_date", "gender")),
        Column("Nữ", "women", ("birth_date", "gender")),
        column("Dân tộc", "ethnicity"),
        column("Chi hội", "branch"),
        column("Loại hội viên", "kind"),
    ]
    sheet = Sheet("DTTS").line("UBND XÃ PHƯỢNG VĨ").line("HỘI LIÊN HIỆP PHỤ NỮ").line()
    sheet.line("THỐNG KÊ HỘI VIÊN LÀ NGƯỜI DÂN TỘC THIỂU SỐ").line()
    sheet.line("STT", "Họ và tên", "Năm sinh", None, "Dân tộc", "Chi hội", "Loại hội viên")
    sheet.line(None, None, "Nam", "Nữ").add(columns, people)
    return sheet.line(None, "Tổng số", 1, 11)


@UNSEEN_AGAIN.book("HOIVIEN.csv", files.csv_as("cp1258"))
def _database(name: str) -> Sheet:
    """Out of a program of 2009: names of its fields, its own codes, every day with an hour."""
    people = women(13, name)
    for place, each in enumerate(people):
        born = _day(each, "birth_date")
        joined = _day(each, "joined_on")
        woman = each.but("birth_date", f"{born:%d/%m/%Y} 00:00:00")
        woman = woman.but("joined_on", f"{joined:%d/%m/%Y} 00:00:00")
        woman = woman.but("code", f"HV{place + 1:04}").but(
            "issued", f"1{place % 9}/06/2008 00:00:00"
        )
        woman = woman.but("branch", f"Khu {woman.stored['branch']}").but("place", "CA Phú Thọ")
        old = f"13{woman.stored['citizen_id'][-7:]}"
        if place % 2:
            woman = woman.but("card", old, id_card=old, citizen_id=None)
        else:
            woman = woman.but("card", woman.written["citizen_id"], id_card=None)
        people[place] = woman
    write_cells(people, "joined_on", {4: None, 9: None}, joined_on=None)
    write_cells(people, "card", {6: "000000000000", 11: "000000000"}, id_card=None, citizen_id=None)
    write_cells(people, "phone", {3: "", 8: "NULL"}, phone=None)
    columns = [
        Column("MAHV", "code"),
        column("HOTEN", "full_name"),
        column("NGAYSINH", "birth_date"),
        column("GIOITINH", "gender"),
        column("DIACHI", "address"),
        column("DIENTHOAI", "phone"),
        Column("SOCMND", "card", ("citizen_id", "id_card")),
        Column("NGAYCAP", "issued"),
        Column("NOICAP", "place"),
        column("NGAYVAOHOI", "joined_on"),
        column("CHIHOI", "branch"),
    ]
    people = [woman.but("gender", "Nữ", gender="female") for woman in people]
    return Sheet().table(columns, people)


@UNSEEN_AGAIN.book("DS gộp ô theo khu.xlsx")
def _merged_down(name: str) -> Sheet:
    """Tidy: the branch once, merged over its rows; names in two cells; whole days among the years."""
    people = _by_year(women(12, name))
    for place, woman in enumerate(people):
        khu = place // 4 + 1
        shown = f"Khu {khu}" if place % 4 == 0 else None
        people[place] = woman.but("branch", shown, branch=khu)
    for place in (1, 6):
        born = women(12, name)[place]
        people[place] = as_day(born.but("branch", None, branch=place // 4 + 1), "birth_date")
    write_cells(people, "core", dict.fromkeys((0, 4, 9), "✓"), core=True)
    write_cells(people, "core", dict.fromkeys((1, 2, 3, 5, 6, 7, 8, 10, 11)), core=False)
    columns = [
        column("Chi hội", "branch"),
        NUMBER,
        column("Họ và tên", "surname"),
        column(None, "given_name"),
        column("Năm sinh", "birth_date"),
        column("HV nòng cốt", "core"),
        column("SĐT liên hệ", "phone"),
    ]
    sheet = Sheet("Danh sách").line("DANH SÁCH HỘI VIÊN CÁC CHI HỘI", merged="A:G").line()
    sheet.table(columns, people)
    first = sheet.last - len(people) + 1
    sheet.merged.append(f"C{first - 1}:D{first - 1}")
    sheet.merged.extend(f"A{start}:A{start + 3}" for start in range(first, first + 12, 4))
    return sheet


@UNSEEN_AGAIN.book("Ket nap hoi vien moi quy III-2025.xlsx")
def _admitted(name: str) -> Sheet:
    """Who was admitted in three months: short years, months alone, who spoke for her."""
    people = women(10, name)
    joined: tuple[tuple[Cell, str], ...] = (
        ("15/7/25", "2025-07-15"),
        ("T7/2025", "2025-07"),
        ("8/2025", "2025-08"),
        (date(2025, 8, 20), "2025-08-20"),
        ("20/8/2025", "2025-08-20"),
        ("T9/2025", "2025-09"),
        ("02-09-2025", "2025-09-02"),
        ("tháng 9 năm 2025", "2025-09"),
        ("28/9/25", "2025-09-28"),
        ("2025", "2025"),
    )
    for place, (shown, stored) in enumerate(joined):
        born = date(1985 + place * 2, place % 9 + 1, 14 + place)
        woman = people[place].but("joined_on", shown, joined_on=stored)
        short = f"{born.day}/{born.month}/{born:%y}" if place % 3 == 0 else f"{born:%d/%m/%Y}"
        woman = woman.but("birth_date", short, birth_date=born.isoformat())
        woman = woman.but("decision", f"{12 + place // 4}/QĐ-BTV")
        people[place] = woman.but("by", "Tống Thị Nhạn" if place % 2 else "Lương Thị Hạnh")
    write_cells(people, "phone", {1: f"{_phone(people[1])} (zalo)"})
    people[1] = people[1].with_sign()
    write_cells(people, "phone", {5: f"{_phone(people[5])} - 0988777666"})
    people[5] = people[5].with_sign()
    to_wait(people, 7)
    columns = [
        column("TT", "number"),
        column("Họ và tên hội viên mới", "full_name"),
        BORN,
        column("Chi hội", "branch"),
        column("Ngày kết nạp", "joined_on"),
        Column("Số QĐ", "decision"),
        Column("Người giới thiệu", "by"),
        column("Số ĐT/Zalo", "phone"),
    ]
    sheet = (
        Sheet("Quý III").line("DANH SÁCH KẾT NẠP HỘI VIÊN MỚI QUÝ III/2025", merged="A:H").line()
    )
    sheet.table(columns, people)
    sheet.struck.add(sheet.last - 2)
    return sheet.line("Ấn định danh sách có 10 hội viên mới", merged="A:H")


@UNSEEN_AGAIN.book("Chị em khu 4.ods")
def _as_called(name: str) -> Sheet:
    """Of an elderly head of a branch: women as they are called, and what she knows of them."""
    people = _by_year(women(12, name))
    calls = {0: "Bà {n}", 3: "Chị {n}", 5: "{n} - CHP", 8: "{n} (Tuấn)", 10: "Bà {n}"}
    for place, shown in calls.items():
        people[place] = renamed(people[place], shown)
    for place in (2, 6):
        people[place] = people[place].but("birth_date", str(year_of(people[place]))[2:])
    digits = _phone(people[1])
    people[1] = people[1].but("phone", f"{digits} (con gái)").with_sign()
    write_cells(people, "phone", {4: f"{_phone(people[4])[:4]}.{_phone(people[4])[4:]}"})
    write_cells(people, "phone", {7: "ko có", 9: "mất máy", 11: "-"}, phone=None)
    people[9] = people[9].with_sign()
    write_cells(
        people, "note", {0: "mẹ liệt sĩ", 6: "đơn thân", 10: "ốm yếu, không sinh hoạt được"}
    )
    columns = [
        column("Số TT", "number"),
        column("Chị em", "full_name"),
        column("Sinh năm", "birth_date"),
        column("Điện thoại", "phone"),
        NOTE,
    ]
    sheet = Sheet("Trang tính1").line("Danh sách chị em hội viên chi hội khu 4 (bà Gấm ghi)")
    return sheet.table(columns, people, branch=4)


@UNSEEN_AGAIN.book("Nu tu 18 tuoi tro len khu 2 - da loc hoi vien.xlsx")
def _residents(name: str) -> Sheet:
    """Made from the list of residents: capitals, numbers under the headings, whose household it is."""
    people = women(12, name)
    for place, each in enumerate(people):
        woman = renamed(each, each.stored["full_name"].upper(), each.stored["full_name"])
        address = "Khu 2, xã Phượng Vĩ, huyện Cẩm Khê, tỉnh Phú Thọ"
        woman = woman.but("address", address, address=address)
        town = "Phượng Vĩ, Cẩm Khê, Phú Thọ" if place % 3 else "Yên Tập, Cẩm Khê, Phú Thọ"
        woman = woman.but("hometown", town, hometown=town)
        woman = woman.but("relation", "Vợ" if place % 3 else "Chủ hộ").but(
            "gender", "Nữ", gender="female"
        )
        head = woman.written["full_name"] if place % 3 == 0 else "KHỔNG VĂN BÌNH"
        people[place] = (
            woman.but("head", head)
            .but("head_card", f"02506{place:02}12345{place % 10}")
            .with_sign()
        )
    for place in (1, 5):
        people[place] = people[place].but("citizen_id", int(people[place].stored["citizen_id"]))
    people[4] = as_day(people[4], "birth_date")
    people[9] = of_year(people[9], shown=f"00/00/{year_of(people[9])}")
    columns = [
        column("STT", "number"),
        column("Số ĐDCN", "citizen_id"),
        column("Họ, chữ đệm và tên", "full_name"),
        column("Ngày, tháng, năm sinh", "birth_date"),
        column("Giới tính", "gender"),
        column("Quê quán", "hometown"),
        column("Nơi thường trú", "address"),
        Column("Quan hệ với chủ hộ", "relation"),
        Column("Họ tên chủ hộ", "head"),
        Column("Số ĐDCN chủ hộ", "head_card"),
    ]
    sheet = Sheet("Khu 2").line("CÔNG AN XÃ PHƯỢNG VĨ", merged="A:D").line()
    sheet.line("DANH SÁCH CÔNG DÂN NỮ TỪ 18 TUỔI TRỞ LÊN - KHU 2", merged="A:J").head(columns)
    sheet.line(*(f"({number})" for number in range(1, 11))).add(columns, people, branch=2)
    sheet.hidden_columns.add("E")
    return sheet
