"""Which branch a row of a list means: by number, by name, by id only where the column is one of ids."""

import pytest
from sqlmodel import col, select

from app.db import Database
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit, UnitLevel
from app.services.kernel import changes
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids
from tests.helpers.client import Api, writing
from tests.helpers.rows import add_unit
from tests.imports.test_imports import Work, previewed, rows_of, xlsx


def row_for(api: Api, work: Work, unit: int, branch: object, heading: str = "Chi hội") -> Json:
    """The row, and in `unit_id` where it would go."""
    content = xlsx(["Họ và tên", "Năm sinh", heading], [["Hà Thị Mới", 1960, branch]])
    item = previewed(api, work, unit, content)
    [row], [of] = rows_of(api, item["id"]), item["by_unit"]
    return row | {"unit_id": of["unit"] and of["unit"]["id"]}


def said_of(row: Json) -> list[tuple[str, str | None]]:
    return [(problem["code"], problem["proposal"]) for problem in row["problems"]]


def with_branches(database: Database, commune: int, *names: str) -> list[int]:
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        parent = session.exec(select(Unit).where(col(Unit.id) == commune)).one()
        return [add_unit(session, UnitLevel.branch, name, parent).id or 0 for name in names]


@pytest.mark.parametrize("written", ["2", 2, "02", "Khu 2", "khu 02", "Chi hội khu 2"])
def test_a_bare_number_is_the_khu_of_the_unit_asked(
    officer: Api, unit_id: Ids, work: Work, written: object
) -> None:
    row = row_for(officer, work, unit_id["phuongvi"], written)
    assert (row["outcome"], row["unit_id"]) == ("created", unit_id["phuongvi-2"])


@pytest.mark.parametrize(
    "written",
    [
        *(
            "K2",
            "K.2",
            "CH2",
            "khu2",
            "Khu II",
            "Khu số 2",
            "CHPN Khu 2",
            "chi hội 2",
            "Chi héi khu 2",
        ),
        *("Khu 2, Phượng Vĩ", "Chi hội khu 2 - xã Phượng Vĩ", "Khu 2 Phượng Vĩ"),
        *("Xã Phượng Vĩ > Chi hội khu 2", "Tỉnh Phú Thọ/Xã Phượng Vĩ/Khu 2", "Khu 2 xã Phượng Vĩ"),
        *("Phượng Vĩ → K2", "Khu 2; Phượng Vĩ", "Khu 2, xã Phượng Vĩ, huyện Cẩm Khê, tỉnh Phú Thọ"),
        *(
            "CHI HỘI KHU 2 - HỘI LHPN XÃ PHƯỢNG VĨ",
            "Hội LHPN xã Phượng Vĩ - Khu 2",
            "K2 P. Phượng Vĩ",
        ),
        *("Chi bộ khu 2", "Tổ TK&VV khu 2", "Tổ vay vốn số 5 (khu 2)", "KDC 2", "KDC số 2"),
        *("Đội thi chi hội khu 2, xã Phượng Vĩ", "PN KHU 2", "khu 2 PV", "Khu 2, PV", "K2 - pv"),
        *("Khu 2 Phuong Vi", "Khu 2, xa Phuong Vi", "Chi bộ khu 2 Phượng Vĩ"),
    ],
)
def test_a_khu_as_people_shorten_it(officer: Api, unit_id: Ids, work: Work, written: str) -> None:
    row = row_for(officer, work, unit_id["phuongvi"], written)
    assert (row["outcome"], row["unit_id"]) == ("created", unit_id["phuongvi-2"])


@pytest.mark.parametrize(
    "written",
    [
        *("K9", "Khu XL", "Khu 2, Tiên Lương", "Khu 2, khu 3", "Khu 2 Tiên Lương"),
        *("Khu 2 TL", "Khu 2 P", "Khu 2, phường Vĩ"),
        *("Xã Tiên Lương > Khu 2", "Phượng Vĩ > Khu 9", "Khu 2 > Khu 3", "Chi bộ khu 2 Tiên Lương"),
    ],
)
def test_a_khu_that_is_not_of_the_unit_is_nobodys(
    officer: Api, unit_id: Ids, work: Work, written: str
) -> None:
    row = row_for(officer, work, unit_id["phuongvi"], written)
    assert (row["outcome"], row["unit_id"]) == ("error", None)


def test_a_bare_number_is_no_id(officer: Api, unit_id: Ids, work: Work) -> None:
    own = unit_id["phuongvi-3"]
    assert own > 4  # khu 1 to 4 are there
    row = row_for(officer, work, unit_id["phuongvi"], str(own))
    assert (row["outcome"], said_of(row)) == ("error", [("unit_unknown", None)])


def test_an_id_is_taken_from_a_column_of_ids(officer: Api, unit_id: Ids, work: Work) -> None:
    own = unit_id["phuongvi-3"]
    for heading in ("Mã chi hội", "branch_id"):
        row = row_for(officer, work, unit_id["phuongvi"], own, heading)
        assert (row["outcome"], row["unit_id"]) == ("created", own)
    elsewhere = row_for(officer, work, unit_id["phuongvi"], unit_id["tienluong-1"], "Mã chi hội")
    assert said_of(elsewhere) == [("unit_unknown", None)]


def test_a_number_that_several_bear_is_nobodys(
    api: Api, database: Database, unit_id: Ids, work: Work
) -> None:
    with_branches(database, unit_id["phuongvi"], "Chi hội thôn 2")
    row = row_for(api.as_("phuongvi"), work, unit_id["phuongvi"], "2")
    assert said_of(row) == [("unit_ambiguous", None)]
    # Above the communes there is a khu 2 in each.
    row = row_for(api.as_("camkhe"), work, unit_id["camkhe"], "3")
    assert said_of(row) == [("unit_ambiguous", None)]


@pytest.mark.parametrize("written", ["Khu 40", "Khu 10", "khu 0", "Khu", "Khu 1 2", "Thôn 9"])
def test_nothing_is_proposed_where_the_number_differs(
    officer: Api, unit_id: Ids, work: Work, written: str
) -> None:
    row = row_for(officer, work, unit_id["phuongvi"], written)
    assert (row["outcome"], said_of(row)) == ("error", [("unit_unknown", None)])


def test_one_name_that_is_near_is_proposed_and_of_several_none(
    api: Api, database: Database, unit_id: Ids, work: Work
) -> None:
    officer = api.as_("phuongvi")
    with_branches(database, unit_id["phuongvi"], "Chi hội Thanh Lương", "Chi hội Trung Thành")
    near = row_for(officer, work, unit_id["phuongvi"], "Thanh Lươngg")
    assert said_of(near) == [("unit_unknown", "Chi hội Thanh Lương")]
    with_branches(database, unit_id["phuongvi"], "Chi hội Thành Lượng")
    assert said_of(row_for(officer, work, unit_id["phuongvi"], "Thanh Lươngg")) == [
        ("unit_unknown", None)
    ]


def test_the_name_of_a_file_says_the_branch_where_nothing_in_it_does(
    officer: Api, unit_id: Ids, work: Work
) -> None:
    content = xlsx(["Họ và tên", "Năm sinh"], [["Hà Thị Mới", 1960]])
    item = previewed(officer, work, unit_id["phuongvi"], content, name="ds hoi vien_KHU 2 (1).xlsx")
    [note] = [each for each in item["notes"] if each["code"] == "branch_of_file"]
    assert "khu 2" in note["text_vi"]
    assert [each["branch"] for each in item["lists"]] == ["khu 2"]
    assert [each["unit"]["id"] for each in item["by_unit"]] == [unit_id["phuongvi-2"]]
    returned = officer.get(f"/v1/imports/{item['id']}/errors-file")
    assert returned.status_code == 200


@pytest.mark.parametrize(
    ("header", "row", "branch"),
    [
        (["Họ và tên", "Năm sinh", "Khu"], ["Hà Thị Mới", 1960, "Khu 1"], "phuongvi-1"),
        (["DANH SÁCH CHI HỘI KHU 3"], ["Hà Thị Mới", 1960], "phuongvi-3"),
    ],
)
def test_what_the_list_says_outweighs_the_name_of_its_file(
    officer: Api, unit_id: Ids, work: Work, header: list[str], row: list[object], branch: str
) -> None:
    titled = len(header) == 1
    lines: list[list[object]] = [["Họ và tên", "Năm sinh"], row] if titled else [row]
    content = xlsx([*header, ""] if titled else header, lines)
    item = previewed(officer, work, unit_id["phuongvi"], content, name="khu 2.xlsx")
    assert [each["unit"]["id"] for each in item["by_unit"]] == [unit_id[branch]]
