"""A list as it is kept goes in with two calls after it was sent: what `next_steps` names first, and the
last of them. The next list of that shape needs one."""

import io
from collections.abc import Sequence
from typing import Any

import openpyxl

from app.db import Database
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api
from tests.imports.test_import_next_steps import taken
from tests.imports.test_imports import Work, everyone, previewed, rows_of, summary

OF_HEAD = [
    "TT",
    "Họ và tên",
    "Năm sinh",
    "SĐT",
    "Số CCCD",
    "Trình độ VH",
    "Ngày vào Hội",
    "Ghi chú",
]
OF_COMMUNE = ["STT", "Họ tên hội viên", "Ngày tháng năm sinh", "Điện thoại (Zalo)", "CCCD/CMND"]


def _file(rows: Sequence[Sequence[Any]]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Sheet1"
    for row in rows:
        sheet.append(list(row))
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def of_a_head(names: Sequence[str], turn: int) -> bytes:
    """Titles and signatures around; years alone; a phone too short, two in a cell, notes; a citizen
    id without its zero; a level of schooling that is none."""
    return _file(
        [
            ["HỘI LHPN XÃ PHƯỢNG VĨ", None, None, "CỘNG HOÀ XÃ HỘI CHỦ NGHĨA VIỆT NAM"],
            ["CHI HỘI KHU 1", None, None, "Độc lập - Tự do - Hạnh phúc"],
            [],
            ["DANH SÁCH HỘI VIÊN PHỤ NỮ NĂM 2026"],
            OF_HEAD,
            [1, names[0], 1968, f"09{turn}4123456 (zalo)", f"025168{turn}01234", "9/12", 1990, ""],
            [
                2,
                names[1],
                "T3/1970",
                f"09{turn}4123457, 0912345678",
                f"25170{turn}01235",
                "lớp 7",
                "2001",
                "",
            ],
            [3, names[2], "02/9/1975", "097412", "", "biết chữ", "08/3/1996", "hộ nghèo"],
            [4, names[3], "1982", "", f"25182{turn}04567", "12/12", "", ""],
            [],
            [None, "Tổng số: 4 hội viên"],
            [None, None, None, None, None, "CHI HỘI TRƯỞNG"],
        ]
    )


def of_a_commune(names: Sequence[str], turn: int) -> bytes:
    """Headings between the rows, the header on each page, a heading with a letter too many."""
    return _file(
        [
            ["HỘI LIÊN HIỆP PHỤ NỮ XÃ PHƯỢNG VĨ"],
            ["DANH SÁCH HỘI VIÊN (Kèm theo Báo cáo số 12/BC-BTV)"],
            OF_COMMUNE,
            ["I. CHI HỘI KHU 1 (2 HỘI VIÊN)"],
            [1, names[0], "17/05/1968", f"09{turn}4123456", f"025168{turn}01234"],
            [2, names[1], "1970", "09741", f"25170{turn}01235"],
            OF_COMMUNE,
            ["II. CHI HỘI KHUU 2 (2 HỘI VIÊN)"],
            [1, names[2], "20/10/1985", f"09{turn}4123458", ""],
            [2, names[3], "1990", "không nhớ số", ""],
            [None, "Cộng: 4 hội viên"],
        ]
    )


def _names(surname: str) -> list[str]:
    return [f"{surname} Thị {given}" for given in ("Hoà", "Bưởi", "Quỳnh", "Nguyệt")]


def _goes_in(api: Api, work: Work, database: Database, item: Json, calls: int) -> list[Json]:
    """All of it is written by so many of the steps that it names itself; its rows."""
    before = len(everyone(database))
    for call in range(calls):
        item = taken(api, work, item, item["next_steps"][0 if call < calls - 1 else -1])
    assert item["state"] == "applied"
    assert item["summary"] == summary(created=4), [
        row["problems"] for row in rows_of(api, item["id"])
    ]
    assert len(everyone(database)) == before + 4
    return rows_of(api, item["id"])


def test_of_a_branch_head(api: Api, database: Database, work: Work, unit_id: Ids) -> None:
    head, unit = api.as_("phuongvi-1"), unit_id["phuongvi-1"]
    item = previewed(head, work, unit, of_a_head(_names("Khổng"), 7))
    assert item["rows_read"] == 4
    rows = _goes_in(head, work, database, item, calls=2)
    assert {row["unit_id"] for row in rows} == {unit}
    phones = [row["values"].get("phone") for row in rows]
    assert phones == ["+84974123456", "+84974123457", None, None]
    assert rows[1]["values"]["citizen_id"] == "025170701235"
    left = done(head.get(f"/v1/imports/{item['id']}"))["cells_left_out"]
    assert {(each["field"], each["count"]) for each in left} >= {("phone", 1), ("education", 1)}
    # Next month's list, of other women.
    later = previewed(head, work, unit, of_a_head(_names("Quách"), 8))
    assert later["remembered"]["options"] == ["accept", "leave_out"]
    _goes_in(head, work, database, later, calls=1)


def test_of_a_commune(officer: Api, database: Database, work: Work, unit_id: Ids) -> None:
    unit = unit_id["phuongvi"]
    item = previewed(officer, work, unit, of_a_commune(_names("Khổng"), 7))
    rows = _goes_in(officer, work, database, item, calls=2)
    assert [row["unit_id"] for row in rows] == [unit_id["phuongvi-1"]] * 2 + [
        unit_id["phuongvi-2"]
    ] * 2
    # The branch that was guessed from its heading has a sign beside each row.
    assert "meaning_chosen" in {problem["code"] for problem in rows[2]["problems"]}
    later = previewed(officer, work, unit, of_a_commune(_names("Quách"), 8))
    _goes_in(officer, work, database, later, calls=1)
