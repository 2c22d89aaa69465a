"""Lists of review results: one decision covers the list of a commune, taken from its workbook."""

import sqlalchemy as sa
from sqlmodel import col, select

from app.db import Database
from app.models.poverty.poverty import Assessment, PovertyStatus
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, done, forbidden, made
from tests.helpers.client import Api, writing
from tests.helpers.tables import OF_IMPORTS, changed, everything
from tests.imports.test_import_households import codes
from tests.imports.test_imports import Work, applied, rows_of, summary, xlsx

HEADER = ["Số hộ", "Họ và tên chủ hộ", "Chi hội", "Diện hộ", "Số quyết định", "Ngày quyết định"]
HEADER += ["Có hiệu lực từ", "Ngày rà soát", "Điểm B1", "Điểm B2"]


def row(code: str, name: str, class_: str = "Hộ nghèo", **more: str) -> list[str]:
    told = {"Số hộ": code, "Họ và tên chủ hộ": name, "Diện hộ": class_}
    told |= {"Số quyết định": "45/QĐ-UBND", "Ngày quyết định": "20/12/2025"}
    told |= {"Có hiệu lực từ": "01/01/2026", "Ngày rà soát": "15/10/2025"}
    told |= {"Điểm B1": "130", "Điểm B2": "30"} | more
    return [told.get(header, "") for header in HEADER]


def homes(api: Api, unit_id: Ids) -> dict[str, str]:
    """Two of one code; two whose heads have one name, in two branches."""
    found = {}
    for key, code, name, branch in (
        ("an", "0001", "Hà Thị An", "phuongvi-1"),
        ("ba", "0001", "Hà Thị Ba", "phuongvi-2"),
        ("one", "0003", "Hà Thị Cúc", "phuongvi-1"),
        ("two", "0004", "Hà Thị Cúc", "phuongvi-2"),
    ):
        head = {"full_name": name, "relation": "head"}
        body = {"branch_id": unit_id[branch], "opened_on": "2021-01-01", "people": [head]}
        found[key] = made(api.post("/v1/households", json=body | {"code": code}))["id"]
    return found


def previewed(api: Api, work: Work, unit: int, content: bytes) -> Json:
    sent = {
        "content-type": "application/octet-stream",
        "content-disposition": 'attachment; filename="ket-qua.xlsx"',
    }
    path = f"/v1/imports?kind=poverty_decisions&unit={unit}"
    answer = api.post(path, content=content, headers=sent)
    assert answer.status_code == 201, answer.text
    work()
    return done(api.get(answer.headers["location"]))


def test_a_row_is_a_decision_with_what_was_found(
    api: Api, database: Database, unit_id: Ids, work: Work
) -> None:
    officer = api.as_("phuongvi")
    found = homes(officer, unit_id)
    rows = [
        row("0001", "Hà Thị An"),
        row("", "Hà Thị Cúc", "cận nghèo", **{"Chi hội": "Chi hội khu 2", "Điểm B2": "20"}),
        row("0003", "", "Thoát nghèo", **{"Ngày rà soát": "", "Điểm B1": "", "Điểm B2": ""}),
    ]
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
    assert item["summary"] == summary(created=3), [
        each["problems"] for each in rows_of(officer, item["id"])
    ]
    before = everything(database, *OF_IMPORTS)
    applied(officer, work, item["id"])
    with writing(database) as session:
        stored = session.exec(select(PovertyStatus)).all()
        told = {str(each.household_id): each.poverty_class.value for each in stored}
        assert told == {
            found["an"]: "poor",
            found["two"]: "near_poor",
            found["one"]: "escaped_poverty",
        }
        assert {each.decision_number for each in stored} == {"45/QĐ-UBND"}
        points = session.execute(
            sa.select(col(Assessment.b2_points), col(Assessment.poverty_class))
        ).all()
        assert {(b2, class_.value) for b2, class_ in points} == {(30, "poor"), (20, "near_poor")}
    # The same file again changes nothing, and it can be taken back.
    again = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
    assert again["summary"] == summary(same=3)
    assert officer.post(f"/v1/imports/{item['id']}/undo").status_code == 202
    work()
    after = everything(database, *OF_IMPORTS)
    assert changed(before, after) == {}
    assert done(officer.get(f"/v1/households/{found['an']}"))["poverty_status"] is None


def test_which_household_is_never_guessed(api: Api, unit_id: Ids, work: Work) -> None:
    officer = api.as_("phuongvi")
    homes(officer, unit_id)
    rows = [
        row("", "Hà Thị Cúc"),
        row("0001", ""),
        row("0003", "Hà Thị Khác"),
        row("9999", "Hà Thị Lạ"),
        row("0001", "Hà Thị Ba", **{"Có hiệu lực từ": "01/01/2020"}),
        row("0001", "Hà Thị An", **{"Điểm B2": "25"}),
    ]
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
    told = [codes(each) for each in rows_of(officer, item["id"])]
    assert told[:4] == [
        [("B", "household_ambiguous")],
        [("A", "household_ambiguous")],
        [("B", "head_differs")],
        [("A", "household_unknown")],
    ]
    assert told[4] == [("G", "before_household")]
    outcome = applied(officer, work, item["id"])
    assert outcome["summary"]["created"] == 0


def test_nobody_decides_without_the_right(api: Api, unit_id: Ids) -> None:
    sent = {
        "content-type": "application/octet-stream",
        "content-disposition": 'attachment; filename="ket-qua.xlsx"',
    }
    path = f"/v1/imports?kind=poverty_decisions&unit={unit_id['phuongvi-1']}"
    answer = api.as_("phuongvi-1").post(path, content=xlsx(HEADER, []), headers=sent)
    forbidden(answer, "poverty:recognise")
