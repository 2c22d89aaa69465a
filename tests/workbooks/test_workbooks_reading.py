"""Each ugliness of a workbook is read for what it means, and told; dangerous files are refused."""

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlwt
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import Problem
from app.models.cadres import appointments
from app.models.members import members
from app.workbooks import guards, headers, legacy, proposals, reading, rows
from app.workbooks.tables import BookFormat, Encoding, Kind, Limits, Table
from tests.data import make_workbooks as ugly
from tests.helpers.soak import longer
from tests.workbooks.wild.files import tcvn3

LIMITS = Limits()


def taken(table: Table) -> list[rows.TakenRow]:
    mapping = {field: each.column for field, each in proposals.propose(table, "members").items()}
    return list(rows.take(table, mapping, "members"))


def codes(table: Table) -> set[str]:
    return {note.code for note in table.notes}


def refusal(source: Path | bytes, **limits: int) -> Problem:
    with pytest.raises(Problem) as caught:
        reading.read(source, limits=Limits(**limits))
    assert caught.value.code in guards.REFUSALS
    assert caught.value.render(language="vi", instance="/", request_id="r")["detail"]
    return caught.value


class TestEachUgliness:
    @pytest.mark.parametrize(
        "name", sorted(set(ugly.BOOKS) - {"everything.xlsx", "lost_zeros.xlsx"})
    )
    def test_is_read_for_what_it_means(self, name: str) -> None:
        table = reading.read(ugly.BOOKS[name]())
        found = taken(table)
        assert [
            {field: row.values.get(field) for field in expected}
            for row, expected in zip(found, ugly.EXPECTED, strict=True)
        ] == list(ugly.EXPECTED)
        assert [row.problems for row in found] == [[]] * 5
        assert [row.values["core"] for row in found] == [True, None, None, True, None]

    def test_a_lost_zero_is_put_back_where_the_other_digits_agree(self) -> None:
        found = taken(reading.read(ugly.lost_zeros()))
        assert found[0].values["phone"] == "+84912345678"
        assert found[0].values["citizen_id"] == "025168001234"
        [problem] = found[0].problems
        assert (problem.field, problem.letter, problem.written) == (
            "citizen_id",
            "E",
            "25168001234",
        )
        assert (problem.problem.code, problem.problem.taken) == ("citizen_id_zero_restored", True)

    @pytest.mark.parametrize(
        ("born", "gender"), [("1969", "Nữ"), ("1968", "Nam"), (None, "Nữ"), ("68", "Nữ")]
    )
    def test_a_lost_zero_is_proposed_and_never_guessed(self, born: str | None, gender: str) -> None:
        head = ["Họ và tên", "Năm sinh", "Giới tính", "Số CCCD"]
        row = ["Nguyễn Thị Hoà", born, gender, 25168001234]
        [found] = taken(reading.read(ugly.xlsx([head, row])))
        assert "citizen_id" not in found.values
        [problem] = [each for each in found.problems if each.field == "citizen_id"]
        assert problem.problem.code == "citizen_id_zero_lost"
        assert problem.problem.proposal == "025168001234"

    def test_all_of_it_at_once(self) -> None:
        table = reading.read(ugly.everything())
        assert table.sheet == "DS hội viên"
        assert table.header_row == 5
        above = {cell for row in table.parts[0].table.rest for cell in row.cells}
        assert above >= {"HỘI LHPN XÃ CẨM KHÊ", "DANH SÁCH HỘI VIÊN"}
        found = taken(table)
        assert {
            (row.number, each.column, each.problem.code) for row in found for each in row.problems
        } == ugly.ERRORS
        assert [row.values.get("full_name") for row in found] == [
            "Nguyễn Thị Hoà",
            "Trần Thị Bưởi",
            "Đặng Thuý Quỳnh",
            "Lê Văn Phượng",
            "Hoàng Thị Nguyệt",
            "Phạm Thị Lụa",
        ]
        assert [row.values["section"] for row in found] == ["Chi hội khu 1"] * 3 + [
            "Chi hội khu 2"
        ] * 3
        assert [row.values.get("birth_date") for row in found] == [
            "1968",
            "1970-03-08",
            "1982-05",
            "1990-02-01",
            "1955",
            None,
        ]
        assert [row.values.get("gender") for row in found[:5]] == ["female"] * 3 + [
            "male",
            "female",
        ]
        assert found[1].values["address"] == "Khu 1"
        assert codes(table) >= {
            "encoding_decoded",
            "two_header_rows",
            "row_numbering",
            "row_section",
            "row_total",
            "merged_cells",
            "sheet_without_list",
        }

    @pytest.mark.parametrize("encoding", [Encoding.tcvn3, Encoding.vni])
    def test_an_old_encoding_is_told_for_each_column(self, encoding: Encoding) -> None:
        table = reading.read(ugly.BOOKS[f"{encoding}.xlsx"]())
        assert {c.header: c.encoding for c in table.columns}["Họ và tên"] is encoding
        [told] = [note.render("vi") for note in table.notes if note.code == "encoding_decoded"]
        assert "Cột B (Họ và tên)" in told
        assert encoding.upper() in told
        assert table.columns[1].examples[0] == "Nguyễn Thị Hoà"

    def test_what_is_left_out_is_told_with_its_row(self) -> None:
        table = reading.read(ugly.footer())
        told = [note.render("vi") for note in table.notes if note.code == "row_total"]
        assert told[0] == "Bỏ qua dòng 7: dòng cộng hoặc dòng ký (Tổng cộng: 5 hội viên)."
        assert len(told) == 4

    def test_a_list_without_tones_has_titles_sections_and_totals(self) -> None:
        table = reading.read(
            ugly.xlsx(
                [
                    ["DANH SACH HOI VIEN CHI HOI TAN LAP"],
                    ["STT", "Ho va ten", "Nam sinh", "Dien thoai"],
                    [1, "Tong Thi Nam", 1970],
                    [2, "To Thi Hoi"],
                    ["Thon 2 (1 hoi vien)"],
                    [1, "Phuong Thi Xa", 1971],
                    [None, "Tong cong: 3 hoi vien"],
                    [None, "Nguoi lap bieu", None, "CHU TICH"],
                ]
            )
        )
        assert table.titled == "CHI HOI TAN LAP"
        assert [(row.cells[1], row.section) for row in table.rows] == [
            ("Tong Thi Nam", None),
            ("To Thi Hoi", None),
            ("Phuong Thi Xa", "Thon 2"),
        ]
        assert {each.reason: each.rows for each in table.left_out} == {
            "title_lines": [1],
            "header": [2],
            "section": [5],
            "total": [7],
            "signature": [8],
        }

    def test_the_title_of_a_list_in_an_old_font_says_its_branch(self) -> None:
        title = tcvn3("Danh sách hội viên chi hội Tân Lập")
        head = [tcvn3(name) for name in ("Họ và tên", "Ngày sinh", "Địa chỉ")]
        table = reading.read(ugly.xlsx([[title], head, [tcvn3("Trần Thị Bưởi"), "1970"]]))
        assert table.titled == "chi hội Tân Lập"

    def test_two_rows_of_a_header_without_a_merge_are_one(self) -> None:
        head = [["STT", "Họ và tên", "Năm sinh", None], [None, None, "Nam", "Nữ"]]
        table = reading.read(ugly.xlsx([*head, [1, "Trần Thị Bưởi", None, 1970]]))
        assert [column.header for column in table.columns][2:] == [
            "Năm sinh / Nam",
            "Năm sinh / Nữ",
        ]
        [row] = taken(table)
        assert (row.values["birth_date"], row.values["gender"]) == ("1970", "female")

    def test_every_note_says_the_same_in_both_languages(self) -> None:
        for name in ugly.BOOKS:
            for note in reading.read(ugly.BOOKS[name]()).notes:
                assert note.render("vi") != note.render("en")

    def test_a_person_whose_name_is_like_a_total_stays(self) -> None:
        people = [
            [1, "Tống Thị Cộng", 1970, None],
            [2, "Cộng Thị Hoà", 1971, None],
            [3, "Hội An", 1, 2],
        ]
        head = ["STT", "Họ và tên", "Năm sinh", "Địa chỉ"]
        table = reading.read(ugly.xlsx([head, *people]))
        assert [row.cells[1] for row in table.rows] == [person[1] for person in people]

    def test_a_row_with_only_a_name_is_a_row(self) -> None:
        head = ["STT", "Họ và tên", "Năm sinh", "Địa chỉ"]
        table = reading.read(ugly.xlsx([head, [1, "Lê Thị A", 1970, "x"], [None, "Lê Thị B"]]))
        [_, second] = taken(table)
        assert [each.problem.code for each in second.problems] == ["required"]

    def test_the_sheet_may_be_chosen(self) -> None:
        book = ugly.several_sheets()
        infos = reading.read(book).sheets
        assert [(each.name, each.likely) for each in infos] == [
            ("Bìa", False),
            ("Hội viên", True),
            ("Khác", False),
        ]
        assert reading.read(book, "hội viên").sheet == "Hội viên"
        assert (
            refusal_of(lambda: reading.read(book, "Không có")).params["sheets"]
            == "Bìa, Hội viên, Khác"
        )

    def test_a_hidden_sheet_is_not_taken_by_itself(self) -> None:
        book = openpyxl.load_workbook(io.BytesIO(ugly.several_sheets()))
        book["Hội viên"].sheet_state = "hidden"
        table = reading.read(ugly.saved(book), "Hội viên")
        assert table.rows
        assert [e.likely for e in table.sheets if e.name == "Hội viên"] == [False]

    def test_rows_keep_the_numbers_of_excel(self) -> None:
        table = reading.read(ugly.blank_rows())
        assert table.header_row == 2
        assert [row.number for row in table.rows] == [4, 6, 8, 10, 12]

    def test_macros_and_links_are_left_alone(self) -> None:
        book = ugly.with_part(ugly.plain(), "xl/vbaProject.bin", b"\xd0\xcf")
        book = ugly.with_part(book, "xl/externalLinks/externalLink1.xml", b"<externalLink/>")
        table = reading.read(book)
        assert codes(table) == {"macros_ignored", "external_links_ignored"}
        assert len(table.rows) == 5

    def test_our_own_columns_are_left_out_but_for_the_id(self) -> None:
        head, *people = ugly.rows()
        identity = "0192f0c1-0000-7000-8000-000000000001"
        content = [[*head, "Kết quả", "Lỗi", "Gợi ý", "Mã"]]
        content += [[*person, "Đã thêm mới", None, "x", identity] for person in people]
        table = reading.read(ugly.xlsx(content))
        assert [c.letter for c in table.columns if c.ours] == ["H", "I", "J"]
        assert taken(table)[0].values["id"] == identity
        assert taken(table)[0].fingerprint == taken(reading.read(ugly.plain()))[0].fingerprint

    def test_bytes_and_paths_are_read_alike(self, tmp_path: Path) -> None:
        (tmp_path / "a.xlsx").write_bytes(ugly.plain())
        assert reading.read(tmp_path / "a.xlsx").rows == reading.read(ugly.plain()).rows


def refusal_of(call: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as caught:
        call()
    return caught.value


# -- what is refused


def encrypted() -> bytes:
    """The head of a workbook with a password: a compound file with an EncryptedPackage."""
    directory = b""
    none = 0xFFFFFFFF
    for name, kind, right, child in (
        ("Root Entry", 5, none, 1),
        ("EncryptionInfo", 2, 2, none),
        ("EncryptedPackage", 2, none, none),
    ):
        raw = name.encode("utf-16-le") + b"\0\0"
        entry = raw.ljust(64, b"\0") + struct.pack("<HBBIII", len(raw), kind, 1, none, right, child)
        directory += entry.ljust(116, b"\0") + struct.pack("<II", 0xFFFFFFFE, 0) + b"\0" * 4
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16
    head += struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + b"\0" * 10
    head += struct.pack("<IIIIIIII", 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    head = (head + struct.pack("<I", 0) + b"\xff" * 432)[:512]
    fat = struct.pack("<II", 0xFFFFFFFD, 0xFFFFFFFE).ljust(512, b"\xff")
    return head + fat + directory.ljust(512, b"\0")


def locked_xls() -> bytes:
    """An .xls with a FILEPASS record after its first."""
    data = bytearray(ugly.xls())
    start = data.index(b"\x09\x08\x10\x00\x00\x06\x05\x00") + 20
    data[start : start + 2] = b"\x2f\x00"
    return bytes(data)


def far_cell(place: str) -> bytes:
    book = openpyxl.load_workbook(io.BytesIO(ugly.plain()))
    sheet = book.active
    assert sheet is not None
    sheet[place] = "x"
    return ugly.saved(book)


def bomb(size: int) -> bytes:
    return ugly.with_part(ugly.plain(), "xl/sharedStrings.xml", b"<sst>" + b"a" * size + b"</sst>")


def lying_bomb(size: int) -> bytes:
    """A part that says it is small, with the checksum of the small piece."""
    data = bomb(size)
    said = 1_000
    content = (b"<sst>" + b"a" * size + b"</sst>")[:said]
    real, fake = struct.pack("<I", size + 11), struct.pack("<I", said)
    crc = struct.pack("<I", zlib.crc32(b"<sst>" + b"a" * size + b"</sst>"))
    return data.replace(real, fake).replace(crc, struct.pack("<I", zlib.crc32(content)))


def entities() -> bytes:
    part = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><sst>&c;</sst>'
    return ugly.with_part(ugly.plain(), "xl/sharedStrings.xml", part)


def hidden_reference() -> bytes:
    book = ugly.plain()
    part = "xl/worksheets/sheet1.xml"
    xml = zipfile.ZipFile(io.BytesIO(book)).read(part)
    return ugly.with_part(book, part, xml.replace(b'<c r="A2"', b'<c r="A10485&#55;6"'))


class TestRefused:
    @pytest.mark.parametrize(
        ("make", "code"),
        [
            (lambda: b"", "import_empty"),
            (lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 500, "import_not_a_workbook"),
            (lambda: random.Random(1).randbytes(5_000), "import_not_a_workbook"),
            (lambda: b"%PDF-1.7 ...", "import_not_a_workbook"),
            (lambda: b"<html><table><tr><td>STT</td></tr></table>", "import_format_unsupported"),
            (lambda: ugly.plain()[:3000], "import_damaged"),
            (lambda: b"PK\x03\x04 and nothing", "import_damaged"),
            (encrypted, "import_encrypted"),
            (locked_xls, "import_encrypted"),
            (lambda: ugly.xls()[:1024], "import_damaged"),
            (entities, "import_unsafe"),
            (hidden_reference, "import_damaged"),
            (lambda: bomb(60_000_000), "import_zip_bomb"),
            (lambda: lying_bomb(60_000_000), "import_zip_bomb"),
            (lambda: ugly.xlsx([[]]), "import_empty"),
            (lambda: ugly.xlsx(ugly.rows()[:1]), "import_no_rows"),
            (lambda: ugly.xlsx([[1, 2, 3], [4, 5, 6]]), "import_no_header"),
            (lambda: far_cell("A1048576"), "import_too_many_rows"),
            (lambda: far_cell("XFD1"), "import_too_many_columns"),
            (
                lambda: ugly.xlsx([[f"Cột {n}" for n in range(200)], [1] * 200]),
                "import_too_many_columns",
            ),
            (lambda: b"a,b\n" * 201_002, "import_too_many_rows"),
            (lambda: ",".join(f"c{n}" for n in range(200)).encode(), "import_too_many_columns"),
            (lambda: b'{"full_name": "x"}\n[1]', "import_damaged"),
            (lambda: b'{"full_name": ' + b"[" * 100_000, "import_damaged"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_before_anything_is_parsed(self, make: Callable[[], bytes], code: str) -> None:
        assert refusal(make()).code == code

    def test_a_large_file(self) -> None:
        assert refusal(ugly.plain(), file_bytes=100).params == {
            "size": len(ugly.plain()),
            "limit": 100,
        }

    def test_other_formats_are_named(self) -> None:
        with zipfile.ZipFile(out := io.BytesIO(), "w") as book:
            book.writestr("xl/workbook.bin", "x")
        assert refusal(out.getvalue()).params["format"] == "xlsb"

    def test_an_xls_with_a_cell_far_away(self) -> None:
        book = xlwt.Workbook()
        sheet = book.add_sheet("a")
        sheet.write(0, 0, "Họ và tên")
        sheet.write(65_535, 255, "x")
        book.save(out := io.BytesIO())
        assert refusal(out.getvalue()).code == "import_too_many_columns"

    def test_a_column_of_two_encodings(self) -> None:
        old = ugly.in_font(Encoding.tcvn3)
        content = [*ugly.rows(), *old[1:]]
        problem = refusal(ugly.xlsx(content))
        assert problem.code == "import_mixed_encodings"
        assert problem.params["letter"] == "B"

    def test_one_stray_cell_of_another_encoding_is_an_error_of_its_row(self) -> None:
        content = [*ugly.rows() * 1, *ugly.rows()[1:], *ugly.in_font(Encoding.tcvn3)[1:2]]
        table = reading.read(ugly.xlsx(content))
        *fine, last = taken(table)
        assert not any(row.problems for row in fine)
        [problem] = last.problems
        assert (problem.field, problem.problem.code) == ("full_name", "encoding_mixed")
        assert problem.problem.proposal == "Nguyễn Thị Hoà"
        assert "full_name" not in last.values

    def test_colour_to_the_far_edge_is_no_data(self) -> None:
        assert len(reading.read(ugly.restyled()).rows) == 5


# -- encodings

SYLLABLES = [
    "Nguyễn",
    "Trần",
    "Lê",
    "Phạm",
    "Hoàng",
    "Đặng",
    "Thị",
    "Thuý",
    "Hoà",
    "Bưởi",
    "Quỳnh",
    "Phượng",
    "Nguyệt",
    "Lụa",
    "Yến",
    "Gấm",
    "Hằng",
    "Xuyến",
    "Uyên",
    "Ngoan",
    "Ỷ",
    "Ẩn",
    "Ơn",
]
NAMES = st.lists(st.sampled_from(SYLLABLES), min_size=2, max_size=5).map(" ".join)


class TestEncodings:
    @given(
        st.lists(NAMES, min_size=3, max_size=20), st.sampled_from([Encoding.tcvn3, Encoding.vni])
    )
    @settings(max_examples=longer(60), deadline=None)
    def test_what_an_old_font_wrote_is_found_and_decoded(
        self, names: list[str], encoding: Encoding
    ) -> None:
        names = [*names, "Nguyễn Thị Phượng"]
        written = [ugly.encoded(name, encoding) for name in names]
        assert legacy.detect(written) == (encoding, {})
        assert [legacy.decode(each, encoding).casefold() for each in written] == [
            name.casefold() for name in names
        ]

    @given(st.lists(NAMES, min_size=1, max_size=20))
    @settings(max_examples=longer(60), deadline=None)
    def test_unicode_stays_unicode(self, names: list[str]) -> None:
        assert legacy.detect(names) == (Encoding.unicode, {})

    @pytest.mark.parametrize(
        "word", ["Hoàng", "Hà", "Bé", "Tú", "Hân", "São Paulo", "Müller", "Café"]
    )
    def test_one_doubtful_word_is_unicode(self, word: str) -> None:
        assert legacy.detect([word]).encoding is Encoding.unicode


# -- headers


class TestHeaders:
    def test_all_that_the_export_has_is_known(self) -> None:
        for kind, schema in (
            ("members", members.MemberRead),
            ("appointments", appointments.AppointmentRead),
        ):
            unknown = set(schema.model_fields) - set(headers.fields(kind))
            assert unknown == set(), f"add these to app/data/import_columns/{kind}.json"

    def test_all_that_a_member_is_made_of_is_taken(self) -> None:
        specs = headers.fields("members")
        assert all(specs[name].taken for name in members.MemberCreate.model_fields)
        assert {n for n, spec in specs.items() if spec.required} == {"full_name", "birth_date"}
        for name, spec in specs.items():
            if spec.list is not None and name in members.MemberCreate.model_fields:
                assert headers.code_list("members", spec.list)

    def test_codes_are_those_of_the_api(self) -> None:
        lists: dict[tuple[Kind, str], Any] = {
            ("members", "gender"): members.Gender,
            ("members", "kind"): members.MemberKind,
            ("members", "religion"): members.Religion,
            ("members", "party"): members.PartyStatus,
            ("members", "education"): members.Education,
            ("members", "qualification"): members.Qualification,
            ("appointments", "post"): appointments.Post,
            ("appointments", "basis"): appointments.AppointmentBasis,
            ("appointments", "payment"): appointments.Payment,
        }
        for (kind, name), values in lists.items():
            assert {code for code, _ in headers.code_list(kind, name)} == set(values)
            for code in values:
                assert headers.spellings_of(kind, name).find(code) == code

    @pytest.mark.parametrize(
        "kind", ["members", "households", "appointments", "poverty_decisions", "units", "crosswalk"]
    )
    def test_no_two_fields_share_a_name(self, kind: Any) -> None:
        seen: dict[str, str] = {}
        for spec in headers.fields(kind).values():
            for name in {headers.key(each) for each in (spec.field, spec.vi, *spec.names)}:
                assert seen.setdefault(name, spec.field) == spec.field, name

    @pytest.mark.parametrize(
        ("header", "field"),
        [
            ("HỌ VÀ TÊN", "full_name"),
            ("Họ tên (chữ in hoa)", "full_name"),
            ("Ngày, tháng, năm sinh (dd/mm/yyyy)*", "birth_date"),
            ("Năm sinh", "birth_date"),
            ("Số ĐT liên hệ", "phone"),
            ("Số điện thọai", "phone"),
            ("Trình độ\nvăn hóa", "education"),
            ("Số CMND/CCCD", "citizen_id"),
            ("Dân  tộc:", "ethnicity"),
            ("Ngày kết nạp Đảng", "party_joined_on"),
            ("Ngày kết nạp", "joined_on"),
            ("Date of birth", "birth_date"),
        ],
    )
    def test_a_header_is_known_however_it_is_written(self, header: str, field: str) -> None:
        table = reading.read(ugly.xlsx([["STT", "Ghi chú", header], [1, "x", "y"]]))
        found = {f: p.column for f, p in proposals.propose(table, "members").items()}
        assert found == {field: 2}

    def test_a_name_in_two_columns(self) -> None:
        content: list[list[Any]] = [
            ["STT", "Họ đệm", "Tên", "Năm sinh"],
            [1, "Nguyễn Thị", "Hoà", 1968],
        ]
        [row] = taken(reading.read(ugly.xlsx(content)))
        assert row.values["full_name"] == "Nguyễn Thị Hoà"

    def test_a_column_without_a_name_is_proposed_by_its_values(self) -> None:
        content = [["Họ và tên", "Năm sinh", "Liên lạc 1"]]
        content += [
            [f"Lê Thị {letter}a", "1970", f"091234567{n}"] for n, letter in enumerate("BCD")
        ]
        found = proposals.propose(reading.read(ugly.xlsx(content)), "members")
        assert (found["phone"].column, found["phone"].why) == (2, "values")
        assert found["phone"].score < found["full_name"].score

    def test_ndjson_as_the_export_gives_it(self) -> None:
        line = {
            "id": "0192f0c1-0000-7000-8000-000000000001",
            "full_name": "Lê Thị A",
            "core": False,
        }
        line |= {"birth_date": "1970", "masked": ["phone", "citizen_id"], "phone": None}
        table = reading.read((json.dumps(line) + "\n\n").encode())
        assert table.kind is BookFormat.ndjson
        [row] = taken(table)
        assert (row.number, row.values["core"]) == (1, False)
        assert row.values["masked"] == ["phone", "citizen_id"]


class TestDecodedTwice:
    """UTF-8 that a program has read as Windows-1252 and stored again."""

    def twice(self, text: str) -> str:
        return "".join(
            bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in text.encode()
        )

    def test_comes_back(self) -> None:
        lines = [[self.twice(c) if isinstance(c, str) else c for c in row] for row in ugly.rows()]
        table = reading.read(ugly.xlsx(lines))
        found = taken(table)
        assert [row.values["full_name"] for row in found] == [e["full_name"] for e in ugly.EXPECTED]
        assert {column.encoding for column in table.columns} >= {Encoding.utf8_twice}
        assert "encoding_decoded" in codes(table)

    @given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"))), max_size=5))
    @settings(max_examples=longer(100), deadline=None)
    def test_undoes_what_was_done(self, texts: list[str]) -> None:
        for text in texts:
            assert legacy.decode(self.twice(text), Encoding.utf8_twice) == legacy.decode(
                text, Encoding.unicode
            )

    def test_a_single_cell_of_it_is_told(self) -> None:
        head, *people = ugly.rows()
        people[0][1] = self.twice("Nguyễn Thị Hoà")
        table = reading.read(ugly.xlsx([head, *people]))
        [problem] = table.cell_problems.values()
        assert (problem.code, problem.proposal) == ("encoding_mixed", "Nguyễn Thị Hoà")


def test_a_value_of_a_far_row_in_another_piece_is_refused() -> None:
    """The row is opened in one piece of the part, and filled in the next."""
    xml = b'<worksheet><sheetData><row r="1048576">' + b" " * (1 << 20)
    extent = guards._Extent()
    guards._measure(xml, extent, LIMITS)
    with pytest.raises(Problem):
        guards._measure(b"<c><v>1</v></c></row></sheetData>", extent, LIMITS)
