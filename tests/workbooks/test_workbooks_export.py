"""What the export gives, the import takes: any list, its columns shuffled and renamed, restyled,
saved by another program or as csv, says the same for every row."""

import io
import random
from collections.abc import Sequence
from datetime import date
from typing import Any

import openpyxl
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.styles import Font

from app.models.members import members
from app.services.kernel import list_files
from app.services.kernel.headings import headings_of
from app.workbooks import headers, proposals, reading, rows
from tests.helpers.soak import longer

SPECS = headers.fields("members")
FIELDS = [n for n in members.MemberRead.model_fields if SPECS[n].taken or n == "masked"]
SURNAMES = ["Nguyễn", "Trần", "Lê", "Đặng", "Hoàng", "H'", "Y"]
GIVEN = ["Hoà", "Bưởi", "Quỳnh", "Phượng", "Nguyệt", "Hen Niê", "Bhă", "Ỷ"]
# Days of 1905 are years that were typed into cells of dates (workbooks/day_columns).
DAYS = st.dates(date(1906, 1, 1), date(2026, 1, 1)).map(date.isoformat)
PLACES = st.sampled_from(["Khu 1", "Xã Cẩm Khê, Phú Thọ", "Số 5 / ngõ 7", "=1+1", "-", "3/5", "@x"])


def codes(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from([code for code, _ in headers.code_list("members", name)])


MEMBERS = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str),
        "full_name": st.tuples(st.sampled_from(SURNAMES), st.sampled_from(GIVEN)).map(" ".join),
        "given_name": st.none() | st.sampled_from(SURNAMES),
        "birth_date": st.one_of(DAYS, DAYS.map(lambda d: d[:7]), DAYS.map(lambda d: d[:4])),
        "gender": codes("gender"),
        "kind": codes("kind"),
        "branch_id": st.integers(1, 10**6),
        "joined_on": st.none() | DAYS,
        "core": st.booleans(),
        "phone": st.none()
        | st.integers(10**7, 10**8 - 1).map(lambda n: f"+849{n % 9}{n % 10**7:07d}"),
        "citizen_id": st.none() | st.integers(0, 10**9 - 1).map(lambda n: f"025{n:09d}"),
        # A number that repeats one digit is read as not known.
        "id_card": st.none()
        | st.integers(0, 10**8 - 1)
        .map(lambda n: f"{10**8 + n:09d}")
        .filter(lambda n: len({*n}) > 1),
        "address": st.none() | PLACES,
        "hometown": st.none() | PLACES,
        "ethnicity": st.none() | codes("ethnicity"),
        "religion": st.none() | codes("religion"),
        "party": st.none() | codes("party"),
        "party_joined_on": st.none() | DAYS,
        "education": st.none() | codes("education"),
        "qualification": st.none() | codes("qualification"),
        "occupation": st.none() | st.just("Làm ruộng"),
        "household_id": st.none() | st.uuids().map(str),
        "photo": st.none() | st.just("photos/a.jpg"),
        "masked": st.just(["religion"]),
    }
)


def restyled(data: bytes, draw: random.Random) -> bytes:
    """Opened in another program, its columns in another order and under other names, and saved."""
    book = openpyxl.load_workbook(io.BytesIO(data))
    sheet = book.active
    assert sheet is not None
    content = [list(row) for row in sheet.iter_rows(values_only=True)]
    order = list(range(len(content[0])))
    draw.shuffle(order)
    new = openpyxl.Workbook()
    to = new.active
    assert to is not None
    to.append(["DANH SÁCH HỘI VIÊN"])
    for place, row in enumerate(content):
        cells = [row[at] for at in order]
        to.append([renamed(str(cell), draw) for cell in cells] if place == 0 else cells)
    for line in to.iter_rows():
        for cell in line:
            cell.font = Font(name="Times New Roman", size=draw.choice((11, 13)))
            # openpyxl takes text that begins so for a formula; a person would have typed it as text.
            if cell.data_type == "f":
                cell.data_type = "s"
    out = io.BytesIO()
    new.save(out)
    return out.getvalue()


def renamed(field: str, draw: random.Random) -> str:
    """One of the names that people give the column, alone among the fields."""
    names = [name for name in SPECS[field].names if headers.key(name) not in SHARED]
    return draw.choice([field, SPECS[field].vi, *names])


# `Tên` is the whole name or its last word, by what stands beside it.
SHARED = {"ten", "name"}


def read_back(data: bytes) -> list[rows.TakenRow]:
    table = reading.read(data)
    mapping = {field: each.column for field, each in proposals.propose(table, "members").items()}
    assert set(mapping) == set(FIELDS)
    return list(rows.take(table, mapping, "members"))


def same(people: Sequence[dict[str, Any]], found: Sequence[rows.TakenRow]) -> None:
    assert [row.problems for row in found] == [[]] * len(people)
    assert [row.values for row in found] == list(people)


@given(st.lists(MEMBERS, min_size=1, max_size=8), st.integers())
@settings(max_examples=longer(40), deadline=None)
def test_any_list_exported_shuffled_and_restyled_says_the_same(
    people: list[dict[str, Any]], seed: int
) -> None:
    draw = random.Random(seed)
    headings = headings_of(members.MemberRead, FIELDS)
    ours = b"".join(list_files.xlsx(FIELDS, headings, [people], members.MemberRead, "members"))
    xlsx = b"".join(list_files.xlsx(FIELDS, FIELDS, [people], members.MemberRead, "members"))
    csv = b"".join(list_files.csv_text(FIELDS, headings, [people]))
    ndjson = b"".join(list_files.ndjson(FIELDS, [people]))
    for data in (ours, xlsx, restyled(xlsx, draw), csv, ndjson):
        same(people, read_back(data))
    prints = {row.fingerprint for row in read_back(xlsx)}
    assert prints == {row.fingerprint for row in read_back(restyled(xlsx, draw))}
