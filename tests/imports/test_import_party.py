"""A day in the Party in a list says that she is in it, with or without a column of the Party."""

from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api
from tests.imports.test_import_left_out import changed
from tests.imports.test_imports import Work, applied, previewed, rows_of, summary, xlsx

HEAD = ["Họ và tên", "Ngày sinh", "Chi hội", "Ngày vào Đảng"]
WOMAN = ["Khổng Thị Hà", "17/05/1968", "Chi hội khu 1", "1995"]


def test_without_a_column_of_the_party(officer: Api, work: Work, unit_id: Ids) -> None:
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEAD, [WOMAN]))
    assert item["summary"] == summary(created=1)
    assert "implied" in {note["code"] for note in item["notes"]}
    applied(officer, work, item["id"])
    [row] = rows_of(officer, item["id"])
    member = done(officer.get(f"/v1/members/{row['entity_id']}"))
    assert (member["party"], member["party_joined_on"]) == ("member", "1995")


def test_beside_an_empty_cell_it_is_proposed(officer: Api, work: Work, unit_id: Ids) -> None:
    rows: list[list[object]] = [[*WOMAN, None], ["Khổng Thị Lan", *WOMAN[1:], "Không"]]
    item = previewed(officer, work, unit_id["phuongvi"], xlsx([*HEAD, "Đảng viên"], rows))
    assert item["summary"] == summary(error=2)
    proposed = [row["problems"][0]["proposal"] for row in rows_of(officer, item["id"])]
    assert proposed == ["member", None]
    item = changed(officer, work, item, accept=["party_date_alone"])
    first, other = rows_of(officer, item["id"])
    assert (first["outcome"], first["values"]["party"]) == ("created", "member")
    # A cell that says that she is not in it is not overruled.
    assert other["outcome"] == "error"
