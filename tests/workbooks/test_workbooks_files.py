"""What programs leave in files: OpenDocument, parts named with backslashes, sheets styled to the end."""

import io
import zipfile
from collections import Counter
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from app.errors import Problem
from app.workbooks import proposals, reading, rows, writing
from app.workbooks.said import RowVerdict
from app.workbooks.tables import BookFormat, Limits, Table
from tests.data import make_workbooks as ugly
from tests.workbooks.wild import files
from tests.workbooks.wild.sheets import BASIC, Sheet, women

CELL = '<table:table-cell office:value-type="string"><text:p>x</text:p></table:table-cell>'


def sheet() -> Sheet:
    return Sheet("Hội viên").line("DANH SÁCH HỘI VIÊN").table(BASIC, women(4, "files"))


def returned(source: bytes, target: Path) -> tuple[Table, bool]:
    table = reading.read(source, kind="members")
    verdicts = {row.number: RowVerdict("created") for row in table.rows}
    return table, writing.write_back(source, table, "members", verdicts, target, applied=True)


def ods(rows_: str, **parts: str) -> bytes:
    """An .ods of these rows, with other parts."""
    whole = zipfile.ZipFile(io.BytesIO(files.ods(sheet())))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name in whole.namelist():
            part = whole.read(name).decode()
            if name == "content.xml":
                start = part.index("<table:table-row")
                part = part[:start] + rows_ + part[part.index("</table:table>") :]
            book.writestr(name, parts.pop(name, part))
        for name, part in parts.items():
            book.writestr(name, part)
    return out.getvalue()


def refusal(source: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(Problem) as error:
        reading.read(source, limits=limits)
    return error.value.code


class TestOpenDocument:
    def test_is_read_as_the_same_xlsx(self) -> None:
        table, same = reading.read(files.ods(sheet())), reading.read(files.xlsx(sheet()))
        assert (table.kind, table.sheet) == (BookFormat.ods, "Hội viên")
        assert [(row.number, row.cells) for row in table.rows] == [
            (row.number, row.cells) for row in same.rows
        ]

    def test_comes_back_as_xlsx_which_it_says(self, tmp_path: Path) -> None:
        table, patched = returned(files.ods(sheet(), Sheet("Bìa").line("x")), tmp_path / "a.xlsx")
        assert not patched
        notes = {note.code: note.render("vi") for note in table.notes}
        assert notes["returned_as_xlsx"] == "Tệp .ods được trả lại dưới dạng .xlsx."
        assert "marks_unseen" in notes
        book = openpyxl.load_workbook(tmp_path / "a.xlsx")
        assert book.sheetnames == ["Hội viên", "Bìa"]
        assert [book["Hội viên"].cell(row, 7).value for row in (2, 3)] == ["Kết quả", "Đã thêm mới"]

    def test_sheets_of_one_long_name_come_back_under_two(self, tmp_path: Path) -> None:
        long = "Danh sách hội viên chi hội phụ nữ khu"
        lists = [Sheet(f"{long} {n}").table(BASIC, women(2, f"long {n}")) for n in (1, 2)]
        returned(files.ods(*lists), tmp_path / "a.xlsx")
        first, second = openpyxl.load_workbook(tmp_path / "a.xlsx").sheetnames
        assert first == long[:31]
        assert second == f"{long[:27]} (2)"

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (
                f'<table:table-row table:number-rows-repeated="1048576">{CELL}</table:table-row>',
                "import_too_many_rows",
            ),
            (
                (
                    '<table:table-row table:number-rows-repeated="1048575"/>'
                    f"<table:table-row>{CELL}</table:table-row>"
                ),
                "import_too_many_rows",
            ),
            (
                (
                    '<table:table-row><table:table-cell table:number-columns-repeated="16383"/>'
                    f"{CELL}</table:table-row>"
                ),
                "import_too_many_columns",
            ),
            (
                (
                    '<table:table-row><table:table-cell table:number-columns-repeated="x"/>'
                    "</table:table-row>"
                ),
                "import_damaged",
            ),
            ("<table:table-row>", "import_damaged"),
        ],
    )
    def test_what_stands_for_too_much_is_refused(self, content: str, code: str) -> None:
        assert refusal(ods(content)) == code

    def test_other_documents_and_locked_ones_are_refused(self) -> None:
        text = "application/vnd.oasis.opendocument.text"
        assert refusal(ods("", mimetype=text)) == "import_not_a_workbook"
        locked = {"META-INF/manifest.xml": "<manifest:encryption-data/>"}
        assert refusal(ods("", **locked)) == "import_encrypted"
        assert refusal(ods("", **{"xl/workbook.xml": "<workbook/>"})) == "import_damaged"


class TestBackslashes:
    def test_are_read_and_changed_in_place(self, tmp_path: Path) -> None:
        source = files.with_backslashes(files.xlsx(sheet()))
        table, patched = returned(source, tmp_path / "a.xlsx")
        assert patched
        assert len(table.rows) == 4
        assert {note.code for note in table.notes} == {"rows_above_header"}
        back = openpyxl.load_workbook(tmp_path / "a.xlsx").active
        assert back is not None
        assert back["G3"].value == "Đã thêm mới"
        assert back["B3"].font.name == "Times New Roman"


class TestStyledToTheEnd:
    def test_rows_and_columns_without_a_value_do_not_count(self) -> None:
        table = reading.read(files.xlsx(sheet(), stray=True))
        assert [row.number for row in table.rows] == [3, 4, 5, 6]

    @pytest.mark.parametrize(
        ("cell", "code"),
        [
            ("<c><v>1</v></c>", "import_too_many_columns"),  # a cell without its place: all count
            ('<c r="A1048576"><v>1</v></c>', "import_too_many_rows"),
        ],
    )
    def test_a_value_there_does(self, cell: str, code: str) -> None:
        book = files.xlsx(sheet(), stray=True)
        name = "xl/worksheets/sheet1.xml"
        part = zipfile.ZipFile(io.BytesIO(book)).read(name).decode()
        start = part.index("<c ", part.index('<row r="1048576"'))
        part = part[:start] + cell + part[part.index("</row>", start) :]
        assert refusal(ugly.with_part(book, name, part.encode())) == code


def test_a_list_in_sheets_of_ods_is_one_list() -> None:
    lists = [Sheet(f"Khu {n}").table(BASIC, women(3, f"ods {n}")) for n in (1, 2)]
    table = reading.read(files.ods(*lists), kind="members")
    mapping = {field: each.column for field, each in proposals.propose(table, "members").items()}
    assert [taken.number for taken in rows.take(table, mapping, "members")] == [2, 3, 4, 6, 7, 8]


def test_a_failed_formula_is_said_as_in_csv() -> None:
    head: list[object] = ["Họ và tên", "Năm sinh", "Số CCCD", "SĐT"]
    people: list[list[object]] = [
        [f"Lê Thị Hà {'ABCD'[n % 4]}", 1970, "#N/A", "#REF!"] for n in range(8_000)
    ]
    people += [["Lê Thị Lan", 1971, None, "0912345678"]]
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for line in (head, *people):
        sheet.append(line)
    book.save(out := io.BytesIO())
    text = "\n".join(";".join(str(c or "") for c in line) for line in (head, *people))
    found = [_problems(content) for content in (out.getvalue(), text.encode())]
    assert found[0] == found[1] == {"citizen_id": 8_000, "phone": 8_000}


def _problems(content: bytes) -> dict[str, int]:
    table = reading.read(content)
    places = {field: each.column for field, each in proposals.propose(table, "members").items()}
    said = [p for row in rows.take(table, places, "members") for p in row.problems]
    assert {(each.problem.code, each.problem.left_out) for each in said} == {
        ("formula_error", True)
    }
    return dict(Counter(each.field for each in said))


class TestSharedText:
    @staticmethod
    def _list(*notes: str) -> bytes:
        rows_ = [
            ["Họ và tên", "Năm sinh", "Ghi chú"],
            *(["Khổng Thị Hà", "1968", n] for n in notes),
        ]
        out = io.BytesIO()
        with xlsxwriter.Workbook(out) as book:
            lines = book.add_worksheet()
            for number, row in enumerate(rows_):
                lines.write_row(number, 0, row)
        return out.getvalue()

    def test_counts_for_each_cell_that_names_it(self) -> None:
        names = len("Họ và tênNăm sinhGhi chú") + 10 * len("Khổng Thị Hà1968")
        once = self._list("x" * 1_000, *["x"] * 9)
        assert refusal(once, Limits(characters=names + 1_008)) == "import_zip_bomb"
        table = reading.read(once, limits=Limits(characters=names + 1_009))
        assert [len(str(row.cells[2])) for row in table.rows] == [1_000, *[1] * 9]
        often = self._list(*["x" * 1_000] * 10)
        assert refusal(often, Limits(characters=names + 9_999)) == "import_zip_bomb"

    def test_is_counted_however_it_is_written(self) -> None:
        often = self._list(*["x" * 1_000] * 10)
        part = "xl/worksheets/sheet1.xml"
        xml = zipfile.ZipFile(io.BytesIO(often)).read(part)
        for strange in (
            xml.replace(b't="s"', b"t='s'"),
            xml.replace(b't="s"', b't = "s"'),
            xml.replace(b"<v>", b"<v>  "),
            xml.replace(b"<v>", b"<v><!-- -->"),
        ):
            assert strange != xml
            changed = ugly.with_part(often, part, strange)
            assert refusal(changed, Limits(characters=9_999)) == "import_zip_bomb"

    def test_two_parts_that_differ_in_case_are_refused(self) -> None:
        """Which of them a parser takes is not known."""
        book = ugly.with_part(self._list("x"), "xl/sharedstrings.xml", b"<sst/>")
        assert refusal(book) == "import_damaged"


def test_a_cell_is_seen_where_a_part_is_cut() -> None:
    """A part that is not compressed is read 65,536 bytes at a time."""
    head = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    )
    far = b'<row r="150000"><c r="AC150000" t="n"><v>1</v></c></row></sheetData></worksheet>'
    for split in range(1, 40, 6):
        filler = b" " * (65_536 - len(head) - split)
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(ugly.plain())) as whole, zipfile.ZipFile(out, "w") as book:
            for name in whole.namelist():
                sheet_ = name == "xl/worksheets/sheet1.xml"
                book.writestr(name, head + filler + far if sheet_ else whole.read(name))
        assert refusal(out.getvalue(), Limits(rows=10_000)) == "import_too_many_rows"
