"""What goes back: their own file with a verdict on each row, the rows in error, the template."""

import csv
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from python_calamine import CalamineWorkbook

from app.errors import Problem
from app.workbooks import cell_styles, guards, headers, proposals, reading, rows, template, writing
from app.workbooks.said import RowVerdict
from app.workbooks.tables import BookFormat, Kind, Limits, Table
from tests.data import make_workbooks as ugly


def mapping_of(table: Table, kind: Kind = "members") -> dict[str, int]:
    return {field: each.column for field, each in proposals.propose(table, kind).items()}


def taken(table: Table) -> list[rows.TakenRow]:
    return list(rows.take(table, mapping_of(table), "members"))


def identity(number: int) -> str:
    return f"0192f0c1-0000-7000-8000-{number:012d}"


def verdicts(table: Table) -> dict[int, RowVerdict]:
    return {
        row.number: RowVerdict("error", None, row.problems)
        if row.problems
        else RowVerdict("created", identity(row.number))
        for row in taken(table)
    }


def returned(source: bytes, tmp_path: Path, sheet: str | None = None) -> tuple[Table, Path, bool]:
    table = reading.read(source, sheet)
    target = tmp_path / "back.xlsx"
    patched = writing.write_back(source, table, "members", verdicts(table), target, applied=True)
    return table, target, patched


def _csv(lines: list[list[Any]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(lines)
    return out.getvalue().encode()


def loaded(path: Path, sheet: str | None = None) -> Any:
    book = openpyxl.load_workbook(path)
    return book[sheet] if sheet else book.active


class TestTheirFileBack:
    def test_says_of_each_row_what_became_of_it(self, tmp_path: Path) -> None:
        _, target, patched = returned(ugly.everything(), tmp_path)
        assert patched
        sheet = loaded(target, "DS hội viên")
        assert [sheet.cell(5, column).value for column in range(10, 14)] == [
            "Kết quả",
            "Lỗi",
            "Gợi ý",
            "Mã",
        ]
        assert [sheet.cell(8, column).value for column in range(10, 14)] == [
            "Đã thêm mới",
            None,
            None,
            identity(8),
        ]
        assert sheet.cell(9, 10).value == "Lỗi"
        assert sheet.cell(9, 11).value == (
            "Số CCCD: Số định danh có 11 chữ số, có thể mất số 0 ở đầu."
        )
        assert sheet.cell(9, 12).value == (
            "Số CCCD: Có phải là 025171001235? So với giấy tờ, rồi viết đủ 12 chữ số ở ô định dạng"
            " Văn bản (Text)."
        )
        assert sheet.cell(16, 10).value == "Không đọc: dòng cộng"

    def test_colours_the_wrong_cells_and_comments_on_them_and_no_other(
        self, tmp_path: Path
    ) -> None:
        _, target, _ = returned(ugly.everything(), tmp_path)
        sheet = loaded(target, "DS hội viên")
        coloured = {
            (cell.row, cell.column - 1)
            for row in sheet.iter_rows()
            for cell in row
            if cell.fill.fgColor.rgb == cell_styles.COLOUR
        }
        commented = {
            (cell.row, cell.column - 1) for row in sheet.iter_rows() for cell in row if cell.comment
        }
        assert coloured == commented == {(row, column) for row, column, _ in ugly.ERRORS}
        assert "025171001235" in sheet["F9"].comment.text
        assert sheet["F9"].comment.author == "Hội Số"

    def test_leaves_everything_else_as_it_was(self, tmp_path: Path) -> None:
        source = ugly.everything()
        _, target, _ = returned(source, tmp_path)
        before, after = openpyxl.load_workbook(io.BytesIO(source)), openpyxl.load_workbook(target)
        assert after.sheetnames == before.sheetnames
        for name in before.sheetnames:
            assert after[name].merged_cells.ranges == before[name].merged_cells.ranges
            for row in before[name].iter_rows():
                for cell in row:
                    assert after[name][cell.coordinate].value == cell.value
                    assert after[name][cell.coordinate].number_format == cell.number_format

    def test_keeps_the_layout(self, tmp_path: Path) -> None:
        book = openpyxl.load_workbook(io.BytesIO(ugly.lost_zeros()))
        sheet = book.active
        assert sheet is not None
        sheet["E2"].font = Font(name="Times New Roman", size=14, bold=True)
        sheet["E2"].number_format = "0000"
        sheet["A1"].fill = PatternFill("solid", fgColor="FF00FF00")
        sheet.column_dimensions["B"].width = 33
        sheet.freeze_panes = "B2"
        sheet.auto_filter.ref = "A1:G6"
        _, target, _ = returned(ugly.saved(book), tmp_path)
        after = loaded(target)
        assert (after["E2"].font.name, after["E2"].font.size, after["E2"].font.bold) == (
            "Times New Roman",
            14,
            True,
        )
        assert after["E2"].number_format == "0000"
        assert after["E2"].fill.fgColor.rgb == cell_styles.COLOUR
        assert after["A1"].fill.fgColor.rgb == "FF00FF00"
        assert after.column_dimensions["B"].width == 33
        assert (after.freeze_panes, after.auto_filter.ref) == ("B2", "A1:G6")

    @pytest.mark.parametrize("ending", ["xlsx", "csv"])
    def test_says_it_of_lists_beside_one_another_apart(self, tmp_path: Path, ending: str) -> None:
        lines: list[list[Any]] = [
            ["CHI HỘI KHU 1", None, None, None, "CHI HỘI KHU 2"],
            ["TT", "Họ tên", "NS", None, "TT", "Họ tên", "NS"],
            [1, "Lê Thị Hà", 1970, None, 1, "Lê Thị Mai", 1971],
            [2, "Lê Thị Lan", 1972, None, 2, "Lê Thị Cúc", 1973],
            [3, "Lê Thị Huệ", 1974],
        ]
        table, target, _ = returned(ugly.xlsx(lines) if ending == "xlsx" else _csv(lines), tmp_path)
        assert [(row.number, row.cells[1]) for row in table.rows] == [
            (3, "Lê Thị Hà"),
            (4, "Lê Thị Lan"),
            (5, "Lê Thị Huệ"),
            (8, "Lê Thị Mai"),
            (9, "Lê Thị Cúc"),
        ]
        assert [row.values["titled"] for row in taken(table)] == ["CHI HỘI KHU 1"] * 3 + [
            "CHI HỘI KHU 2"
        ] * 2
        left_out = sum(len(each.rows) for each in table.left_out)
        assert left_out + 3 == len(lines)
        [(said_left, said_right)] = [
            [cells for cells in row if isinstance(cells, str) and cells.startswith("0192f0c1")]
            for row in loaded(target).iter_rows(min_row=3, max_row=3, values_only=True)
        ]
        assert (said_left, said_right) == (identity(3), identity(8))
        head = [cell.value for cell in loaded(target)[2]]
        assert head[5:7] == ["Họ tên", "NS"]
        assert head.count("Mã") == 2

    @pytest.mark.parametrize("above", [[], [["CHI HỘI KHU 1"]]])
    def test_says_it_of_a_list_without_a_header(
        self, tmp_path: Path, above: list[list[Any]]
    ) -> None:
        people: list[list[Any]] = [
            ["Lê Thị Hà", 1970, "khu 1", "0912345678"],
            ["Lê Thị Lan", 1972, "khu 1", "0912345679"],
        ]
        table, target, patched = returned(ugly.xlsx([*above, *people]), tmp_path)
        first = len(above) + 1
        assert patched
        assert [row.values["full_name"] for row in taken(table)] == ["Lê Thị Hà", "Lê Thị Lan"]
        assert [row.number for row in table.rows] == [first, first + 1]
        assert "no_header" in [note.code for note in table.notes]
        assert identity(first) in [cell.value for cell in loaded(target)[first]]
        again = reading.read(target)
        assert [row.cells[:4] for row in again.rows] == people

    def test_keeps_days_in_parts_when_it_is_made_anew(self, tmp_path: Path) -> None:
        """A csv goes back as a workbook, which is sent again."""
        head = ["Họ và tên", "Ngày", "Tháng", "Năm sinh"]
        _, target, patched = returned(
            _csv([head, ["Lê Thị Hà", 24, 11, 1991], ["Lê Thị Lan", "", "", 1970]]), tmp_path
        )
        assert not patched
        born = [row.values["birth_date"] for row in taken(reading.read(target))]
        assert born == ["1991-11-24", "1970"]

    def test_takes_no_notice_of_colour_beyond_the_list(self, tmp_path: Path) -> None:
        _, target, patched = returned(ugly.restyled(), tmp_path)
        assert patched
        sheet = loaded(target)
        assert sheet["H2"].value == "Đã thêm mới"
        assert sheet["XFD1"].fill.fgColor.rgb == "FFFFFF00"

    @pytest.mark.parametrize("name", sorted(ugly.BOOKS))
    def test_of_any_format_can_be_read_again(self, name: str, tmp_path: Path) -> None:
        source = ugly.BOOKS[name]()
        before, target, patched = returned(source, tmp_path)
        assert patched == (before.kind is BookFormat.xlsx)
        again = reading.read(target)
        first, second = taken(before), taken(again)
        assert [row.fingerprint for row in first] == [row.fingerprint for row in second]
        assert [row.values.get("id") for row in second] == [
            None if row.problems else identity(row.number) for row in first
        ]
        assert [len(row.problems) for row in first] == [len(row.problems) for row in second]
        sound(target)

    def test_comes_back_again_and_only_what_is_still_wrong_is_marked(self, tmp_path: Path) -> None:
        _, target, _ = returned(ugly.everything(), tmp_path)
        book = openpyxl.load_workbook(target)
        sheet = book["DS hội viên"]
        sheet["F9"], sheet["E10"] = "025170001235", "0912345670"
        second, target, patched = returned(ugly.saved(book), tmp_path)
        assert patched
        after = loaded(target, "DS hội viên")
        assert [c.letter for c in second.columns if c.ours] == ["J", "K", "L"]
        assert [after.cell(5, column).value for column in range(10, 15)] == [
            "Kết quả",
            "Lỗi",
            "Gợi ý",
            "Mã",
            None,
        ]
        wrong = {
            (cell.row, cell.column - 1) for r in after.iter_rows() for cell in r if cell.comment
        }
        assert wrong == {(13, 6), (15, 3)}
        coloured = {
            (cell.row, cell.column - 1)
            for row in after.iter_rows()
            for cell in row
            if cell.fill.fgColor.rgb == cell_styles.COLOUR
        }
        assert coloured == wrong
        assert after["J9"].value == "Đã thêm mới"
        assert after["K9"].value is None
        sound(target)

    def test_comments_of_others_stay(self, tmp_path: Path) -> None:
        book = openpyxl.load_workbook(io.BytesIO(ugly.lost_zeros()))
        sheet = book.active
        assert sheet is not None
        sheet["B2"].comment = Comment("Chị Hoà", "Lan")
        sheet["E2"].comment = Comment("hỏi lại", "Lan")
        _, target, patched = returned(ugly.saved(book), tmp_path)
        assert patched
        after = loaded(target)
        assert after["B2"].comment.text == "Chị Hoà"
        assert after["E2"].comment.text == "hỏi lại"
        assert after["E3"].comment.author == "Hội Số"
        sound(target)

    def test_its_own_column_of_ids_is_filled(self, tmp_path: Path) -> None:
        head, *people = ugly.rows()
        source = ugly.xlsx([["Mã", *head], *([None, *person] for person in people)])
        _, target, _ = returned(source, tmp_path)
        sheet = loaded(target)
        assert sheet["A2"].value == identity(2)
        assert [cell.value for cell in sheet[1]][-3:] == ["Kết quả", "Lỗi", "Gợi ý"]

    def test_macros_do_not_come_back(self, tmp_path: Path) -> None:
        source = ugly.with_part(ugly.plain(), "xl/vbaProject.bin", b"\xd0\xcf")
        types = zipfile.ZipFile(io.BytesIO(source)).read("[Content_Types].xml")
        macro = types.replace(
            b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
            b"application/vnd.ms-excel.sheet.macroEnabled.main+xml",
        )
        _, target, patched = returned(
            ugly.with_part(source, "[Content_Types].xml", macro), tmp_path
        )
        assert patched
        book = zipfile.ZipFile(target)
        assert "xl/vbaProject.bin" not in book.namelist()
        assert b"macroEnabled" not in book.read("[Content_Types].xml")

    def test_what_cannot_be_changed_in_place_is_written_anew(self, tmp_path: Path) -> None:
        part = "xl/worksheets/sheet1.xml"
        xml = zipfile.ZipFile(io.BytesIO(ugly.plain())).read(part).decode()
        # As some programs write it: each element with a prefix.
        xml = re.sub(r"<(/?)(\w)", r"<\1x:\2", xml).replace("xmlns=", "xmlns:x=")
        source = ugly.with_part(ugly.plain(), part, xml.encode())
        table, target, patched = returned(source, tmp_path)
        assert (len(table.rows), patched) == (5, False)
        assert [row.fingerprint for row in taken(reading.read(target))] == [
            row.fingerprint for row in taken(table)
        ]

    def test_before_it_is_applied_it_says_what_would_be(self, tmp_path: Path) -> None:
        table = reading.read(ugly.plain())
        target = tmp_path / "back.xlsx"
        writing.write_back(ugly.plain(), table, "members", verdicts(table), target, applied=False)
        assert loaded(target)["H2"].value == "Sẽ thêm mới"


class TestRowsInError:
    def test_as_many_as_there_are(self, tmp_path: Path) -> None:
        table = reading.read(ugly.everything())
        target = tmp_path / "errors.xlsx"
        assert writing.write_errors(table, "members", verdicts(table), target) == 4
        again = reading.read(target)
        wrong = [row for row in taken(table) if row.problems]
        found = taken(again)
        assert [row.fingerprint for row in found] == [row.fingerprint for row in wrong]
        assert [row.values["section"] for row in found] == ["Chi hội khu 1"] * 2 + [
            "Chi hội khu 2"
        ] * 2
        sound(target)

    def test_a_corrected_one_is_read_without_its_error(self, tmp_path: Path) -> None:
        table = reading.read(ugly.lost_zeros())
        target = tmp_path / "errors.xlsx"
        assert writing.write_errors(table, "members", verdicts(table), target) == 4
        book = openpyxl.load_workbook(target)
        sheet = book.active
        assert sheet is not None
        sheet["E2"] = "025168001234"
        first, *rest = taken(reading.read(ugly.saved(book)))
        assert first.problems == []
        assert first.values["citizen_id"] == "025168001234"
        assert all(row.problems for row in rest)


class TestNoFormula:
    @pytest.mark.parametrize("kind", ["plain.xlsx", "comma.csv"])
    def test_is_ever_ours(self, kind: str, tmp_path: Path) -> None:
        evil = '=HYPERLINK("http://x","y")'
        if kind == "comma.csv":
            lines = ["Họ và tên,Năm sinh,Địa chỉ", '"=cmd|A0",1970,"+1+1"', "Lê Thị A,=1968,@x"]
            source = "\n".join(lines).encode()
        else:
            head = ["Họ và tên", "Năm sinh", "Địa chỉ"]
            book = openpyxl.load_workbook(io.BytesIO(ugly.xlsx([head, ["x", 1970, "y"]])))
            sheet = book.active
            assert sheet is not None
            sheet["A2"].value, sheet["A2"].data_type = evil, "s"
            source = ugly.saved(book)
        table = reading.read(source)
        back, errors = tmp_path / "back.xlsx", tmp_path / "errors.xlsx"
        told = verdicts(table)
        told |= {n: RowVerdict(v.result, evil, v.problems, evil) for n, v in told.items()}
        writing.write_back(source, table, "members", told, back, applied=True)
        writing.write_errors(table, "members", told, errors)
        for path in (back, errors):
            for name in zipfile.ZipFile(path).namelist():
                if name.startswith("xl/worksheets/"):
                    assert not re.search(rb"<f[\s>/]", zipfile.ZipFile(path).read(name))


class TestTemplate:
    @pytest.mark.parametrize(
        "kind", ["members", "households", "appointments", "poverty_decisions", "units", "crosswalk"]
    )
    def test_is_read_as_what_it_is(self, kind: Kind, tmp_path: Path) -> None:
        target = tmp_path / "template.xlsx"
        template.write(kind, target, units=["Chi hội khu 1", "Chi hội khu 2"])
        sound(target)
        with pytest.raises(Problem) as caught:
            reading.read(target)
        assert caught.value.code == "import_no_rows"
        book = openpyxl.load_workbook(target)
        assert book.sheetnames == ["Danh sách", "Danh mục", "Hướng dẫn"]
        sheet = book["Danh sách"]
        specs = [spec for spec in headers.fields(kind).values() if spec.example is not None]
        assert [cell.value for cell in sheet[1]] == [
            f"{spec.vi} *" if spec.required else spec.vi for spec in specs
        ]
        assert all(
            sheet.column_dimensions[guards.letter(place)].width for place in range(len(specs))
        )
        lists = {str(each.sqref): each.formula1 for each in sheet.data_validations.dataValidation}
        assert len(lists) == sum(
            spec.list is not None or spec.field in ("branch", "unit") for spec in specs
        )
        # Filled in below the example, every column is known and the example is no error of its own.
        for place, spec in enumerate(specs, 1):
            sheet.cell(3, place).value = spec.example or None
        table = reading.read(ugly.saved(book))
        mapping = mapping_of(table, kind)
        assert set(mapping) == {spec.field for spec in specs}
        [row] = rows.take(table, mapping, kind)
        assert (row.number, row.problems) == (3, [])
        assert "row_example" in {note.code for note in table.notes}

    def test_its_columns_are_text(self, tmp_path: Path) -> None:
        template.write("members", tmp_path / "t.xlsx")
        xml = zipfile.ZipFile(tmp_path / "t.xlsx").read("xl/worksheets/sheet1.xml").decode()
        assert len(re.findall(r'<col min="\d+" max="\d+" width="[^"]+" style="\d+"', xml)) > 15

    def test_the_guide_names_every_column(self, tmp_path: Path) -> None:
        template.write("members", tmp_path / "t.xlsx")
        said = {row[0].value for row in loaded(tmp_path / "t.xlsx", "Hướng dẫn").iter_rows()}
        for spec in headers.fields("members").values():
            assert (spec.vi in said) == (spec.example is not None)


class TestWhatTheExportGives:
    def test_the_import_takes(self) -> None:
        """Header and values as the export writes them, csv and xlsx alike."""
        names = list(headers.fields("members"))
        export = [name for name in names if name in EXPORTED]
        line = [EXPORTED[name] for name in export]
        text = ",".join(export) + "\n" + ",".join(line) + "\n"
        for source in (
            ("\ufeff" + text).encode(),
            ugly.xlsx([export, [e.lstrip("'") for e in line]]),
        ):
            table = reading.read(source)
            mapping = mapping_of(table)
            assert set(mapping) == set(export)
            [row] = rows.take(table, mapping, "members")
            assert row.problems == []
            assert row.values["phone"] == "+84912345678"
            assert row.values["masked"] == ["citizen_id", "id_card"]
            assert row.values["core"] is True


EXPORTED = {
    "id": identity(1),
    "full_name": "Nguyễn Thị Hoà",
    "birth_date": "1968-05",
    "gender": "female",
    "kind": "regular",
    "status": "active",
    "branch_id": "12",
    "commune_id": "3",
    "province_id": "1",
    "joined_on": "1990-03-08",
    "core": "true",
    "phone": "'+84912345678",
    "citizen_id": "",
    "id_card": "",
    "address": "Khu 1",
    "hometown": "",
    "ethnicity": "01",
    "religion": "none",
    "party": "none",
    "party_joined_on": "",
    "education": "upper_secondary",
    "qualification": "none",
    "occupation": "Làm ruộng",
    "household_id": "",
    "photo": "",
    "revision": "3",
    "masked": "citizen_id id_card",
}


def sound(path: Path) -> None:
    """The parts name each other, no cell comes twice, and every reader opens it."""
    guards.check(path, Limits())
    assert openpyxl.load_workbook(path).sheetnames
    assert CalamineWorkbook.from_path(path).sheet_names
    book = zipfile.ZipFile(path)
    names = book.namelist()
    assert len(names) == len(set(names))
    types = book.read("[Content_Types].xml").decode()
    for part in re.findall(r'PartName="/([^"]+)"', types):
        assert part in names
    for name in names:
        if name.startswith("xl/worksheets/sheet"):
            refs = re.findall(rb'<c r="([A-Z]+[0-9]+)"', book.read(name))
            assert len(refs) == len(set(refs))
            for row in re.findall(rb"<row\b.*?</row>", book.read(name), re.DOTALL):
                places = [guards.place_of(ref) for ref in re.findall(rb'<c r="([A-Z]+)', row)]
                assert places == sorted(places)
