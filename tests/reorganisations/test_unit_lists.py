"""Lists of units over HTTP: a tree from a file, compared with what is on record, written, taken back."""

import io
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.db import Database
from app.models.kernel.units import Unit, UnitEdge, UnitIdentifier
from app.models.reorganisations import reorganisations
from app.models.reorganisations.reorganisations import Reorganisation
from app.services.reorganisations import unit_rows
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.cadres import done, forbidden
from tests.helpers.client import Api, writing
from tests.helpers.tables import OF_IMPORTS, changed, everything
from tests.imports.test_imports import XLSX, Work, applied, rows_of, summary, xlsx
from tests.units.units import opened, unit_row

OWN = {*OF_IMPORTS, "reorganisation", "reorganised_unit", "notification"}
HEADER = ["Cấp", "Tên đơn vị", "Mã đơn vị", "Mã đơn vị cấp trên", "Đơn vị cấp trên"]
HEADER += ["Ngày thành lập", "Ngày kết thúc", "Khu vực"]
# A district of the past, below it a commune that goes with it, and one of today with its branches.
TREE = [
    ["Chi hội", "Chi hội Đồi", "", "", "Xã Yên Lập", "01/07/2025", "", ""],
    ["Chi hội", "Chi hội Suối", "", "09011", "", "02/07/2025", "", ""],
    ["Xã", "Xã Yên Lập", "09011", "", "", "01/07/2025", "", "Nông thôn"],
    ["Huyện", "Huyện Yên Lập", "238", "", "", "01/01/2020", "30/06/2025", ""],
    ["Thị trấn", "Thị trấn Yên Lập", "09001", "238", "", "01/01/2020", "30/06/2025", "Thị trấn"],
]


def sent(api: Api, unit: int, rows: Sequence[Sequence[Any]], header: Sequence[str] = HEADER) -> Any:
    content = xlsx(header, rows)
    headers = {"content-type": XLSX, "content-disposition": 'attachment; filename="cay.xlsx"'}
    return api.post(f"/v1/imports?kind=units&unit={unit}", content=content, headers=headers)


def previewed(api: Api, work: Work, unit: int, rows: Sequence[Sequence[Any]], **more: Any) -> Json:
    answer = sent(api, unit, rows, **more)
    assert answer.status_code == 201, answer.text
    work()
    return done(api.get(answer.headers["location"]))


def undone(api: Api, work: Work, import_id: str) -> Json:
    answer = api.post(f"/v1/imports/{import_id}/undo")
    assert answer.status_code == 202, answer.text
    work()
    return done(api.get(f"/v1/imports/{import_id}"))


def of_name(database: Database, name: str) -> Unit:
    with writing(database) as session:
        return session.exec(select(Unit).where(col(Unit.name) == name)).one()


def said(row: Json) -> list[tuple[str, str]]:
    return [(problem["field"], problem["code"]) for problem in row["problems"]]


@pytest.fixture
def province(api: Api) -> Api:
    return api.as_("phutho")


class TestTree:
    def test_a_tree_in_any_order_is_opened_under_the_unit(
        self, province: Api, database: Database, unit_id: UnitIds, work: Work
    ) -> None:
        item = previewed(province, work, unit_id["phutho"], TREE)
        assert item["summary"] == summary(created=5), rows_of(province, item["id"])
        assert applied(province, work, item["id"])["summary"] == summary(created=5)
        district, town = of_name(database, "Huyện Yên Lập"), of_name(database, "Thị trấn Yên Lập")
        commune, branch = of_name(database, "Xã Yên Lập"), of_name(database, "Chi hội Suối")
        assert (district.parent_id, str(district.closed_on)) == (unit_id["phutho"], "2025-06-30")
        assert (town.parent_id, town.district_id, town.area_type) == (district.id,) * 2 + ("urban",)
        assert (commune.code, commune.closed_on, commune.area_type) == ("09011", None, "rural")
        assert (branch.commune_id, branch.province_id) == (commune.id, unit_id["phutho"])
        assert of_name(database, "Chi hội Đồi").parent_id == commune.id
        then = done(province.get(f"/v1/units?under={unit_id['phutho']}&as_of=2025-06-30"))["items"]
        now = done(province.get(f"/v1/units?under={unit_id['phutho']}&as_of=2025-07-02"))["items"]
        named = {"Huyện Yên Lập", "Thị trấn Yên Lập", "Xã Yên Lập", "Chi hội Suối", "Chi hội Đồi"}
        assert {each["name"] for each in then} & named == {"Huyện Yên Lập", "Thị trấn Yên Lập"}
        assert {each["name"] for each in now} & named == named - {each["name"] for each in then}
        with writing(database) as session:
            days = [
                session.execute(
                    sa.select(sa.func.max(model.valid_to)).where(col(model.unit_id) == town.id)
                ).scalar()
                for model in (UnitEdge, UnitIdentifier)
            ]
        assert [str(day) for day in days] == ["2025-06-30"] * 2
        acts = done(province.get(f"/v1/reorganisations?unit={commune.id}"))["items"]
        assert [(each["state"], each["effective_on"]) for each in acts] == [
            ("applied", "2025-07-01")
        ]

    def test_sent_again_nothing_is_opened_twice(
        self, province: Api, database: Database, unit_id: UnitIds, work: Work
    ) -> None:
        applied(province, work, previewed(province, work, unit_id["phutho"], TREE)["id"])
        before = everything(database, *OWN)
        other = [*TREE[2][:5], "01/08/2025", "30/06/2026", "Thành thị"]
        item = previewed(province, work, unit_id["phutho"], [*TREE, other])
        assert item["summary"] == summary(same=6)
        row = rows_of(province, item["id"])[5]
        assert said(row) == [
            (field, "unit_record_differs") for field in ("opened_on", "closed_on", "area_type")
        ]
        assert {problem["level"] for problem in row["problems"]} == {"warning"}
        applied(province, work, item["id"])
        assert changed(before, everything(database, *OWN)) == {}

    def test_the_file_comes_back_with_what_became_of_each_row(
        self, province: Api, unit_id: UnitIds, work: Work
    ) -> None:
        wrong = ["Xã", "Xã Lạc", "09012", "999", "", "01/07/2025", "", ""]
        item = previewed(province, work, unit_id["phutho"], [*TREE, wrong])
        applied(province, work, item["id"])
        book = openpyxl.load_workbook(io.BytesIO(province.get(item["workbook_url"]).content))
        lines = [[cell.value for cell in row] for row in book.worksheets[0].iter_rows()]
        result = lines[0].index("Kết quả")
        assert len({line[result] for line in lines[1:6]}) == 1
        assert lines[6][result] != lines[1][result]
        assert "999" in lines[6]
        assert any("2025" in str(cell) for cell in lines[6][result:])

    def test_more_rows_than_one_reorganisation_holds(
        self,
        province: Api,
        database: Database,
        unit_id: UnitIds,
        work: Work,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(unit_rows, "MOST_OPERATIONS", 2)
        before = everything(database, *OWN)
        item = previewed(province, work, unit_id["phutho"], TREE)
        applied(province, work, item["id"])
        with writing(database) as session:
            opened_by = session.exec(select(Reorganisation.opened)).all()
        assert sorted(len(each or {}) for each in opened_by) == [1, 2, 2]
        assert undone(province, work, item["id"])["state"] == "undone"
        assert changed(before, everything(database, *OWN)) == {}
        assert reorganisations.MOST_OPERATIONS == 2_000


class TestRefused:
    def test_a_parent_that_is_ambiguous_on_the_day_is_not_guessed(
        self, province: Api, database: Database, unit_id: UnitIds, work: Work
    ) -> None:
        for code in ("09101", "09102"):
            opened(province, "commune", unit_id["camkhe"], "Xã Đồng Lương", code=code)
        rows = [
            ["Chi hội", "Chi hội Một", "", "", "Xã Đồng Lương", "01/07/2025", "", ""],
            ["Chi hội", "Chi hội Hai", "", "09102", "xã đồng lương", "01/07/2025", "", ""],
            ["Chi hội", "Chi hội Ba", "", "", "Xã Đông Lương", "01/07/2025", "", ""],
            ["Chi hội", "Chi hội Bốn", "", "", "Xã Đồng Lương", "01/07/2019", "", ""],
        ]
        item = previewed(province, work, unit_id["phutho"], rows)
        first, second, third, fourth = rows_of(province, item["id"])
        assert said(first) == [("parent", "unit_ambiguous_then")]
        assert "Xã Đồng Lương (09101); Xã Đồng Lương (09102)" in first["problems"][0]["text_vi"]
        assert (second["outcome"], second["problems"]) == ("created", [])
        assert said(third) == said(fourth) == [("parent", "unit_unknown_then")]

    @pytest.mark.parametrize(
        ("row", "problem"),
        [
            (["Xã", "Xã A", "9011", "", "", "01/07/2025", "", ""], ("code", "unit_code_zero_lost")),
            (["Huyện", "Huyện A", "", "", "", "01/07/2025", "", ""], ("level", "unit_level_ended_then")),
            (["Xã", "Xã A", "", "", "", "01/07/2025", "30/06/2025", ""], ("closed_on", "ends_before_start")),
            (["Xã", "Xã A", "", "", "", "01/07/1950", "", ""], ("opened_on", "unit_not_open")),
            (["Tỉnh", "Tỉnh A", "", "", "", "01/07/2025", "", ""], ("level", "unit_under_wrong_level")),
            (["Xã", "Xã <A>", "", "", "", "01/07/2025", "", ""], ("name", "name_has_symbols")),
            (["Xã", "", "", "", "", "01/07/2025", "", ""], ("name", "required")),
            (["Xã", "Xã A", "=1", "", "", "01/07/2025", "", ""], ("code", "wrong_format")),
        ],
    )  # fmt: skip
    def test_a_wrong_row_names_its_cell(
        self,
        province: Api,
        unit_id: UnitIds,
        work: Work,
        row: list[str],
        problem: tuple[str, str],
    ) -> None:
        item = previewed(province, work, unit_id["phutho"], [row, *TREE])
        first = rows_of(province, item["id"])[0]
        assert (first["outcome"], said(first)) == ("error", [problem])
        assert item["summary"] == summary(created=5, error=1)

    def test_a_code_of_another_and_what_stands_under_it(
        self, province: Api, database: Database, unit_id: UnitIds, work: Work
    ) -> None:
        twice = ["Xã", "Xã Khác", "09011", "", "", "01/08/2025", "", ""]
        below = ["Chi hội", "Chi hội Dưới", "", "", "Xã Khác", "01/08/2025", "", ""]
        item = previewed(province, work, unit_id["phutho"], [*TREE, twice, below])
        *_, code, under = rows_of(province, item["id"])
        assert (said(code), said(under)) == (
            [("code", "unit_code_taken")],
            [("parent", "unit_unknown")],
        )
        assert item["summary"] == summary(created=5, error=2)

    def test_one_unit_twice_waits(self, province: Api, unit_id: UnitIds, work: Work) -> None:
        item = previewed(province, work, unit_id["phutho"], [*TREE, TREE[0]])
        assert item["summary"] == summary(created=5, duplicate=1)

    def test_one_row_decided_on_still_sees_the_others(
        self, province: Api, unit_id: UnitIds, work: Work
    ) -> None:
        lost = ["Xã", "Xã Mới", "9012", "", "", "01/07/2025", "", ""]
        item = previewed(province, work, unit_id["phutho"], [*TREE, lost])
        address = f"/v1/imports/{item['id']}/rows"
        row = done(province.patch(f"{address}/7", json={"accept": ["code"]}))
        assert (row["outcome"], row["values"]["code"]) == ("created", "09012")
        branch = done(province.patch(f"{address}/2", json={"accept": []}))
        assert branch["outcome"] == "created"
        assert applied(province, work, item["id"])["summary"] == summary(created=6)


class TestRights:
    def test_of_a_unit_that_is_not_the_actors(self, api: Api, unit_id: UnitIds, work: Work) -> None:
        refused(sent(api.as_("phuongvi"), unit_id["tienluong"], TREE), 422, "validation_failed")
        forbidden(sent(api.as_("phuongvi-1"), unit_id["phuongvi-1"], TREE), "units:write")

    def test_a_unit_beyond_the_list_is_nobody_to_stand_under(
        self, province: Api, database: Database, unit_id: UnitIds, work: Work
    ) -> None:
        elsewhere = unit_row(database, unit_id["tienluong"])
        row = ["Chi hội", "Chi hội Lạ", "", "", elsewhere.name, "01/07/2025", "", ""]
        item = previewed(province, work, unit_id["phuongvi"], [row])
        assert said(rows_of(province, item["id"])[0]) == [("parent", "unit_unknown_then")]


class TestLater:
    def test_what_was_taken_since_the_preview_is_refused_with_what_is_under_it(
        self, province: Api, database: Database, unit_id: UnitIds, work: Work
    ) -> None:
        item = previewed(province, work, unit_id["phutho"], TREE)
        opened(province, "commune", unit_id["phutho"], "Xã Khác", code="09011")
        assert applied(province, work, item["id"])["summary"] == summary(created=2, error=3)
        of_rows = {row["number"]: said(row) for row in rows_of(province, item["id"])}
        assert of_rows[4] == [("code", "unit_code_taken")]
        assert of_rows[2] == of_rows[3] == [("parent", "unit_unknown")]

    def test_undone_nothing_is_left(
        self, province: Api, database: Database, unit_id: UnitIds, work: Work
    ) -> None:
        before = everything(database, *OWN)
        item = previewed(province, work, unit_id["phutho"], TREE)
        applied(province, work, item["id"])
        assert undone(province, work, item["id"])["state"] == "undone"
        assert changed(before, everything(database, *OWN)) == {}

    def test_not_undone_once_something_stands_under_one(
        self, province: Api, database: Database, unit_id: UnitIds, work: Work
    ) -> None:
        item = previewed(province, work, unit_id["phutho"], TREE)
        applied(province, work, item["id"])
        commune = of_name(database, "Xã Yên Lập").id
        branch = opened(province, "branch", commune, "Chi hội Sau", opened_on="2025-08-01")
        before = everything(database)
        problem = refused(province.post(f"/v1/imports/{item['id']}/undo"), 409, "import_touched")
        assert [(each["number"], each["code"]) for each in problem["obstacles"]] == [
            (4, "record_in_use")
        ]
        assert everything(database) == before
        [act] = done(province.get(f"/v1/reorganisations?unit={branch}"))["items"]
        done(province.post(f"/v1/reorganisations/{act['id']}/revert", json={}))
        renamed = {"name": "Xã Yên Lập Mới", "effective_on": "2025-09-01"}
        done(province.patch(f"/v1/units/{commune}", json=renamed))
        problem = refused(province.post(f"/v1/imports/{item['id']}/undo"), 409, "import_touched")
        assert [each["code"] for each in problem["obstacles"]] == ["record_changed"]
