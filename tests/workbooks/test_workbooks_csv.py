"""A csv with a quote that nobody closes: its row waits, and no other row is lost."""

import pytest

from app.errors import Problem
from app.workbooks import proposals, reading, rows
from app.workbooks.tables import Table

HEAD = "Họ và tên;Năm sinh;Địa chỉ;SĐT"
WOMEN = [f"Lê Thị {name};19{n}0;Khu {n};091234567{n}" for n, name in enumerate("ABCDEFGH")]


def read(*lines: str) -> Table:
    return reading.read("\n".join([HEAD, *lines]).encode())


def wrong(table: Table) -> list[tuple[int, str, str]]:
    places = {field: each.column for field, each in proposals.propose(table, "members").items()}
    return [
        (row.number, each.field, each.problem.code)
        for row in rows.take(table, places, "members")
        for each in row.problems
        if not each.problem.taken
    ]


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("before", [";Khu", ";19", ";091"])
def test_the_other_rows_are_read(place: int, before: str) -> None:
    lines = list(WOMEN)
    lines[place] = lines[place].replace(before, f';"{before[1:]}')
    table = read(*lines)
    assert [row.number for row in table.rows] == list(range(2, 10))
    assert [row.cells[0] for row in table.rows] == [line.split(";")[0] for line in WOMEN]
    assert [(number, code) for number, _, code in wrong(table)] == [(place + 2, "quote_unclosed")]
    [note] = [note for note in table.notes if note.code == "quotes_unclosed"]
    assert note.params == {"lines": str(place + 2)}


def test_several_of_them_and_sound_quotes_between() -> None:
    lines = [line.replace("Khu", '"Khu') for line in WOMEN[:3]]
    lines += [line.replace(";Khu 3;", ';"Khu 3; xóm ""Đồng""";') for line in WOMEN[3:]]
    table = read(*lines)
    assert {number for number, *_ in wrong(table)} == {2, 3, 4}
    assert len(table.rows) == 8
    assert table.rows[3].cells[2] == 'Khu 3; xóm "Đồng"'


def test_a_cell_of_several_lines_is_sound() -> None:
    lines = [line.replace(";Khu", ';"Khu chợ\nkhu').replace(";091", '";091') for line in WOMEN]
    table = read(*lines)
    assert (len(table.rows), wrong(table)) == (8, [])
    assert table.rows[0].cells[2] == "Khu chợ\nkhu 0"
    head = '"Họ\nvà tên";"Năm\nsinh";"Địa\nchỉ";SĐT'
    table = reading.read("\n".join([head, *WOMEN]).encode())
    assert (len(table.rows), wrong(table)) == (8, [])


def test_more_behind_it_than_a_cell_holds() -> None:
    lines = [line.replace("Khu", f"Khu {'chợ ' * 20}") for line in WOMEN * 400]
    lines[0] = lines[0].replace("Khu", '"Khu')
    table = read(*lines)
    assert (len(table.rows), wrong(table)) == (3200, [(2, "address", "quote_unclosed")])


def test_text_that_is_one_cell_too_long_is_refused() -> None:
    text = "Khu chợ\n" * 20_000
    long = f'Lê Thị A;1970;"{text}";0912345678'
    with pytest.raises(Problem) as caught:
        read(*WOMEN, long)
    assert caught.value.code == "import_damaged"


@pytest.mark.parametrize(
    ("line", "shifted"),
    [
        ("Lê Thị I;1970;Khu 1; chợ;0912345670", True),
        ("Lê Thị I;1970;Khu 1; chợ;", True),
        ('Lê Thị I;1970;"Khu 1; chợ";0912345670', False),
        ("Lê Thị I;1970;Khu 1", False),
    ],
)
def test_a_row_wider_than_the_header_waits(line: str, shifted: bool) -> None:
    found = wrong(read(*WOMEN, line, WOMEN[0]))
    assert [(number, code) for number, _, code in found if code == "row_shifted"] == (
        [(10, "row_shifted")] if shifted else []
    )


def test_a_header_wider_than_most_rows_is_what_counts() -> None:
    """Programs leave out what is empty at the end of a line."""
    short = [line.rpartition(";")[0] for line in WOMEN]
    assert wrong(read(*short, WOMEN[0], f"{WOMEN[1]};x")) == [(11, "full_name", "row_shifted")]
    second = [f"{HEAD};Ghi chú", *(f"{line};x" for line in WOMEN[:2])]
    assert wrong(read(*WOMEN, *second)) == []
