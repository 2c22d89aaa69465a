"""Names as lists have them: repaired, said at the row, stored as the form stores them."""

import pytest

from app.db import Database
from tests.helpers.cadres import Ids
from tests.helpers.client import Api
from tests.imports.test_imports import (
    HEADER,
    Work,
    applied,
    everyone,
    previewed,
    rows_of,
    summary,
    xlsx,
)

TYPED = [
    ("trần thị mơ", "Trần Thị Mơ", "name_case_set"),
    ("LÊ THỊ SEN", "Lê Thị Sen", "name_case_set"),
    ("Ðào Thị Lan", "Đào Thị Lan", "name_look_alike"),
    ("H`Hen Niê", "H'Hen Niê", "name_look_alike"),
    ("Y–Bhăm Ênuôl", "Y-Bhăm Ênuôl", "name_look_alike"),
    ("Lan\u200b Anh", "Lan Anh", "name_had_invisible"),
]


def test_names_are_repaired_with_a_warning_at_the_row(
    officer: Api, database: Database, unit_id: Ids, work: Work
) -> None:
    rows = [[typed, "1960", "Chi hội khu 1", "", ""] for typed, _, _ in TYPED]
    content = xlsx(HEADER, rows)
    item = previewed(officer, work, unit_id["phuongvi"], content)
    assert item["summary"] == summary(created=len(TYPED))
    for row, (typed, name, code) in zip(rows_of(officer, item["id"]), TYPED, strict=True):
        assert row["name"] == name
        [problem] = row["problems"]
        assert (problem["level"], problem["code"], problem["column"]) == ("warning", code, "A")
        assert problem["value"] == typed
        assert name in problem["text_vi"]
    before = everyone(database)
    applied(officer, work, item["id"])
    made = [who for key, who in everyone(database).items() if key not in before]
    assert sorted(who["full_name"] for who in made) == sorted(name for _, name, _ in TYPED)

    again = previewed(officer, work, unit_id["phuongvi"], content)
    assert again["summary"] == summary(same=len(TYPED))


@pytest.mark.parametrize(
    ("surname", "given", "name"),
    [("NGUYỄN THỊ", "HOA", "Nguyễn Thị Hoa"), ("Ðào thị", "lan", "Đào Thị Lan")],
)
def test_names_in_two_columns_are_repaired_as_one(
    officer: Api, unit_id: Ids, work: Work, surname: str, given: str, name: str
) -> None:
    content = xlsx(
        ["Họ", "Tên", "Ngày sinh", "Chi hội"], [[surname, given, "1960", "Chi hội khu 1"]]
    )
    item = previewed(officer, work, unit_id["phuongvi"], content)
    [row] = rows_of(officer, item["id"])
    assert (row["outcome"], row["name"]) == ("created", name)
    assert [problem["level"] for problem in row["problems"]] == ["warning"]


def test_a_head_of_household_is_named_in_name_case(officer: Api, unit_id: Ids, work: Work) -> None:
    content = xlsx(["Chủ hộ", "Năm sinh", "Chi hội"], [["LÊ THỊ MẬN", "1950", "Chi hội khu 1"]])
    answer = officer.post(
        f"/v1/imports?kind=households&unit={unit_id['phuongvi']}",
        content=content,
        headers={"content-type": "application/octet-stream"},
    )
    work()
    [row] = rows_of(officer, answer.json()["id"])
    assert row["outcome"] == "created", row
    assert [problem["code"] for problem in row["problems"]] == ["name_case_set"]


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        (["Họ", "Tên đệm", "Tên"], ["Khổng", "Thị Minh", "Na"]),
        (["Họ", "Chữ lót", "Tên"], ["Khổng", "Thị Minh", "Na"]),
        (["Họ", "Tên đệm và tên"], ["Khổng", "Thị Minh Na"]),
        (["Họ", "Tên", "Họ và tên"], ["Khổng", "Na", "Khổng Thị Minh Na"]),
        (["Họ và tên", "Tên đệm", "Họ"], ["Khổng Thị Minh Na", "Thị Minh", "Khổng"]),
    ],
)
def test_no_part_of_a_name_is_lost(
    officer: Api, unit_id: Ids, work: Work, header: list[str], cells: list[str]
) -> None:
    content = xlsx([*header, "Ngày sinh", "Chi hội"], [[*cells, "1960", "Chi hội khu 1"]])
    item = previewed(officer, work, unit_id["phuongvi"], content)
    [row] = rows_of(officer, item["id"])
    assert (row["outcome"], row["name"]) == ("created", "Khổng Thị Minh Na")
    assert row["values"]["full_name"] == "Khổng Thị Minh Na"
