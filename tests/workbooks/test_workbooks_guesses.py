"""Columns whose headings are worded as nobody foresaw: by words of them, and by their cells."""

from datetime import date
from typing import Final

import pytest

from app.workbooks import proposals, reading, rows, sections
from app.workbooks.tables import Cell, Table
from tests.data import make_workbooks as ugly

_NAMES: Final[list[Cell]] = ["Lê Thị Hà", "Khổng Thị Mai", "Trần Ngọc Lan"]
_YEARS: Final[list[Cell]] = [1970, 1981, 1965]
_BRANCHES: Final[list[Cell]] = ["Khu 1", "K2", "Chi bộ khu 3"]
_PHONES: Final[list[Cell]] = ["0912345678", 987654321, "0912 345 679"]


def read(head: list[Cell], *columns: list[Cell]) -> Table:
    lines = [list(line) for line in zip(*columns, strict=True)]
    return reading.read(ugly.xlsx([head, *lines]))


def fields(table: Table) -> dict[int, tuple[str, str]]:
    found = proposals.propose(table, "members")
    return {each.column: (field, each.why) for field, each in found.items()}


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("Họ và tên đồng chí", "full_name"),
        ("Họ tên thật", "full_name"),
        ("Họ và tên người tham gia", "full_name"),
        ("Tên tổ viên", "full_name"),
        ("Họ tên thí sinh (chữ in hoa)", "full_name"),
    ],
)
def test_words_that_say_nothing_do_not_hide_a_name(heading: str, field: str) -> None:
    table = read(["STT", heading, "Năm sinh"], [1, 2, 3], _NAMES, _YEARS)
    assert fields(table)[1] == (field, "similar_name")


def test_words_without_marks_are_not_taken_for_others() -> None:
    """ "Dang" is Đảng as well as đang, and "chi hoi" is no "chị"."""
    head: list[Cell] = ["Ho ten", "Ngay sinh", "Ngay vao Dang", "Chi hoi"]
    table = read(head, _NAMES, _YEARS, [2001, 2002, 2003], _BRANCHES)
    assert {column: field for column, (field, _) in fields(table).items()} == {
        0: "full_name",
        1: "birth_date",
        2: "party_joined_on",
        3: "branch",
    }


@pytest.mark.parametrize(
    ("heading", "values", "field"),
    [
        ("Ở khu nào", [1, 2, 3], "branch"),
        ("Địa bàn", _BRANCHES, "branch"),
        ("Liên lạc", _PHONES, "phone"),
        ("Số máy/Zalo cá nhân", _PHONES, "phone"),
        ("Giấy tờ", ["025170001234", "025181004321", "025165000001"], "citizen_id"),
        ("Nghề nghiệp, nơi làm việc", ["Làm ruộng", "Buôn bán", "May"], "occupation"),
        ("Tuổi (năm sinh)", _YEARS, "birth_date"),
        ("Chính trị", ["Đảng viên", "Quần chúng", "Quần chúng"], "party"),
        ("Trình độ", ["9/12", "7/10", "12/12"], "education"),
        ("DT", ["Kinh", "Mường", "Kinh"], "ethnicity"),
        ("Đạo gì", ["Công giáo", "Không", "Phật giáo"], "religion"),
        ("Hộ khẩu", ["Khu 1, xã A", "Xã Phượng Vĩ", "Ngõ 2, xã B"], "address"),
    ],
)
def test_cells_say_what_a_column_is(heading: str, values: list[Cell], field: str) -> None:
    table = read(["Họ và tên", heading], _NAMES, values)
    assert fields(table)[1] == (field, "values")


def test_without_a_known_heading_names_and_births_are_known_by_their_cells() -> None:
    names: list[Cell] = ["Bà Lê Thị Hà", "2. Khổng Thị Mai", "Trần Ngọc Lan"]
    table = read(["Người tham dự", "Sinh hồi", "SĐT"], names, _YEARS, _PHONES)
    assert fields(table)[0] == ("full_name", "values")
    assert fields(table)[1] == ("birth_date", "values")


def test_of_two_columns_that_look_alike_none_is_taken() -> None:
    table = read(["Họ và tên", "Kỳ A", "Kỳ B"], _NAMES, _YEARS, _YEARS)
    assert "birth_date" not in proposals.propose(table, "members")


@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("Họ tên chồng", ["Lê Văn A", "Trần Văn B", "Đỗ Văn C"]),
        ("Ngày cấp CCCD", [date(2021, 5, 1), date(2021, 6, 1), date(2022, 1, 1)]),
        ("Số điện thoại con trai", _PHONES),
        ("Địa chỉ Facebook", ["fb.com/xã", "fb.com/tỉnh", "fb.com/xã"]),
        ("Tổ", ["Tổ 1", "Tổ 2", "Tổ 3"]),
        ("Trình độ LLCT", ["Sơ cấp", "Trung cấp", "Sơ cấp"]),
        ("Hộ gia đình / Phân loại", ["Nghèo", "Cận nghèo", "Khá"]),
        ("Thuộc diện", ["Hộ nghèo", "Cận nghèo", "Hộ nghèo"]),
        ("Xếp loại", ["Có", "Không", "Không"]),
    ],
)
def test_what_is_of_others_or_of_something_else_is_not_read(
    heading: str, values: list[Cell]
) -> None:
    table = read(["Họ và tên", "Năm sinh", heading], _NAMES, _YEARS, values)
    assert 2 not in fields(table)


def test_in_a_list_of_couples_she_is_the_wife() -> None:
    head: list[Cell] = ["Họ tên chồng", "Năm sinh chồng", "Họ tên vợ", "Năm sinh vợ"]
    table = read(head, ["Lê Văn A"] * 3, [1960] * 3, _NAMES, _YEARS)
    assert fields(table) == {2: ("full_name", "values"), 3: ("birth_date", "values")}
    head = ["Họ tên", "SĐT chồng", "SĐT vợ"]
    assert fields(read(head, _NAMES, _PHONES, _PHONES))[2][0] == "phone"
    head = ["Họ tên chồng", "NS chồng", "Họ tên vợ (hội viên)", "NS vợ"]
    table = read(head, ["Lê Văn A"] * 3, [1960] * 3, _NAMES, _YEARS)
    assert {column: field for column, (field, _) in fields(table).items()} == {
        2: "full_name",
        3: "birth_date",
    }


def test_an_address_that_is_headed_and_filled_as_a_branch_is_one() -> None:
    branches: list[Cell] = ["Khu 1", "Khu 2", "Khu 3"]
    table = read(["Họ tên", "Năm sinh", "Nơi ở (khu)"], _NAMES, _YEARS, branches)
    assert fields(table)[2][0] == "branch"
    table = read(["Họ tên", "Năm sinh", "Nơi ở"], _NAMES, _YEARS, branches)
    assert fields(table)[2][0] == "address"
    ids: list[Cell] = [4, 5, 6]
    table = read(["Họ tên", "branch_id", "Nơi ở (khu)"], _NAMES, ids, branches)
    assert [fields(table)[column][0] for column in (1, 2)] == ["branch_id", "address"]


def test_a_heading_that_looks_like_a_name_in_another_font_is_one_of_a_header() -> None:
    """ "TÊN" read as .VnTime begins as the surname Tấn does."""
    nicknames: list[Cell] = ["Hoa Nắng", "Hoa Nắng", "Hoa Nắng"]
    table = read(["HỌ VÀ TÊN", "NTN SINH", "TÊN TÀI KHOẢN ZALO"], _NAMES, _YEARS, nicknames)
    assert table.header_row == 1


def test_an_empty_column_yields_to_one_that_is_filled_in() -> None:
    table = read(["Name", "Họ và tên của chị?"], [None, None, None], _NAMES)
    assert fields(table)[1][0] == "full_name"


def test_a_year_in_brackets_is_a_year() -> None:
    table = read(["Họ và tên", "Năm sinh"], ["Lê Thị Hà"], ["(1970)"])
    [taken] = rows.take(table, {"full_name": 0, "birth_date": 1}, "members")
    assert taken.values["birth_date"] == "1970"


class TestHeadingsBetweenRows:
    @pytest.mark.parametrize(
        "heading", ["PN KHU 2", "Đội thi khu 2", "Tổ TK&VV khu 2", "* Khu 2", "Khối khu 2 (gồm 1)"]
    )
    def test_a_branch_in_any_words(self, heading: str) -> None:
        table = _with_heading(heading)
        assert table.rows[-1].section is not None
        assert table.rows[-1].section.casefold().rstrip(" (gồm1)").endswith("khu 2")
        assert len(table.rows) == 2

    @pytest.mark.parametrize(
        "heading", ["Diện chính sách", "Tổ liên gia số 1: Đồi Chè", "Các mẹ đơn thân"]
    )
    def test_words_that_name_no_branch_keep_the_one_above(self, heading: str) -> None:
        taken = list(rows.take(_with_heading(heading), {"full_name": 1}, "members"))
        assert taken[-1].values["within"].casefold() == "chi hội khu 1"

    def test_a_name_alone_is_a_person(self) -> None:
        assert len(_with_heading("Lê Thị Bích").rows) == 3


def _with_heading(heading: str) -> Table:
    head: list[Cell] = ["STT", "Họ và tên", "Năm sinh", "Địa chỉ"]
    return reading.read(
        ugly.xlsx(
            [
                ["Chi hội khu 1"],
                head,
                [1, "Lê Thị Hà", 1970, "x"],
                [None, heading],
                [1, "Lê Thị Mai", 1971, "x"],
            ]
        )
    )


@pytest.mark.parametrize("written", ["1. Lê Thị Hà", "02) Lê Thị Hà", "3 - Lê Thị Hà"])
def test_a_number_before_a_name_is_left_out_with_a_sign(written: str) -> None:
    table = read(["Họ và tên", "Năm sinh"], [written], [1970])
    [taken] = rows.take(table, {"full_name": 0, "birth_date": 1}, "members")
    assert taken.values["full_name"] == "Lê Thị Hà"
    assert [each.problem.code for each in taken.problems] == ["name_with_more"]


@pytest.mark.parametrize(
    ("written", "level"),
    [
        ("lop 9", "lower_secondary"),
        ("hoc het lop 12", "upper_secondary"),
        ("Tốt nghiệp cấp 3", "upper_secondary"),
    ],
)
def test_classes_are_read_without_marks(written: str, level: str) -> None:
    table = read(["Họ và tên", "Năm sinh", "Học vấn"], ["Lê Thị Hà"], [1970], [written])
    [taken] = rows.take(table, {"full_name": 0, "birth_date": 1, "education": 2}, "members")
    assert taken.values["education"] == level


def test_a_lost_phone_is_left_out_with_a_sign() -> None:
    table = read(["Họ và tên", "SĐT"], ["Lê Thị Hà"], ["mất máy"])
    [taken] = rows.take(table, {"full_name": 0, "phone": 1}, "members")
    [said] = [each for each in taken.problems if each.field == "phone"]
    assert said.problem.left_out


@pytest.mark.parametrize(
    "heading",
    [
        *("HV phụ nữ từ năm", "HV từ năm", "Vào hội năm", "Năm vào HPN", "Vào HPN năm"),
        *("Là hội viên từ năm", "Năm kết nạp hội", "Tham gia Hội từ năm"),
    ],
)
def test_since_when_she_is_a_member(heading: str) -> None:
    table = read(["Họ và tên", heading], _NAMES, _YEARS)
    assert fields(table)[1][0] == "joined_on"


@pytest.mark.parametrize("heading", ["Từ năm", "Đến năm", "Từ tháng năm"])
def test_when_alone_says_nothing_of_what(heading: str) -> None:
    table = read(["Họ và tên", "Năm sinh", heading], _NAMES, _YEARS, _YEARS)
    assert 2 not in fields(table)


@pytest.mark.parametrize(
    ("name", "branch"),
    [
        ("ds hội viên khu 4.xlsx", "khu 4"),
        ("DSHV_Khu3 (2).xls", "khu 3"),
        ("danh sach k3 2025.xlsx", "k 3"),
        ("Danh sách hội viên CH khu số 1 - Trang tính1.csv", "khu 1"),
        *((name, None) for name in ("khu 1, khu 2.xlsx", "khu 1-2.xls", "khu 1 và 2.xlsx", "")),
        *((name, None) for name in ("hoi vien 2025.xlsx", "khu 12a.xlsx", "khu 2025.xlsx")),
        *((name, None) for name in ("TK&VV 31.12.2022.xls", "4 chi hội.xlsx", "k 3 khu 4.xlsx")),
    ],
)
def test_the_branch_in_the_name_of_a_file(name: str, branch: str | None) -> None:
    assert sections.of_file(name) == branch
