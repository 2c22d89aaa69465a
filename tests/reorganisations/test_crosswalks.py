"""Crosswalks over HTTP: a table of old and new units becomes drafts, which another officer applies."""

from collections.abc import Sequence
from typing import Any

import pytest

from app.db import Database
from app.services.reorganisations import crosswalk_rows
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.cadres import done
from tests.helpers.client import Api
from tests.helpers.tables import OF_IMPORTS, changed, everything
from tests.imports.test_imports import XLSX, Work, applied, rows_of, summary, xlsx
from tests.reorganisations.test_unit_lists import said, undone
from tests.units.units import opened, unit_row

HEADER = ["Tên đơn vị cũ", "Mã đơn vị cũ", "Tên đơn vị mới", "Mã đơn vị mới", "Có hiệu lực từ"]
HEADER += ["Nghị quyết", "Sáp nhập", "Chia tách", "Phần chính", "Khu vực mới", "Cấp trên mới"]
DAY = "01/11/2026"
TOLD = {*OF_IMPORTS, "reorganisation", "reorganised_unit", "notification"}
OLD, OTHER, NEW = "Xã Phượng Vĩ", "Xã Tiên Lương", "Xã Lương Vĩ"


def row(old: str, new: str, **more: str) -> list[str]:
    told = {"Tên đơn vị cũ": old, "Tên đơn vị mới": new, "Có hiệu lực từ": DAY}
    told |= {"Nghị quyết": "12/NQ"} | {name.replace("_", " "): each for name, each in more.items()}
    return [told.get(header, "") for header in HEADER]


def previewed(api: Api, work: Work, unit: int, *rows: Sequence[Any]) -> Json:
    content = xlsx(HEADER, rows)
    headers = {"content-type": XLSX, "content-disposition": 'attachment; filename="cu-moi.xlsx"'}
    answer = api.post(f"/v1/imports?kind=crosswalk&unit={unit}", content=content, headers=headers)
    assert answer.status_code == 201, answer.text
    work()
    return done(api.get(answer.headers["location"]))


@pytest.fixture
def drafter(api: Api) -> Api:
    return api.as_("camkhe")


def drafts(api: Api) -> list[Json]:
    items = done(api.get("/v1/reorganisations?state=draft"))["items"]
    return [done(api.get(f"/v1/reorganisations/{each['id']}")) for each in items]


def operations(draft: Json) -> list[Json]:
    return [
        {name: value for name, value in each.items() if value not in (None, [], False)}
        for each in draft["operations"]
    ]


class TestDrafts:
    def test_a_merger_waits_for_another_officer(
        self, api: Api, drafter: Api, database: Database, unit_id: UnitIds, work: Work
    ) -> None:
        before = everything(database, *TOLD)
        rows = [
            row(name, NEW, Mã_đơn_vị_mới="09301", Sáp_nhập="x", Khu_vực_mới="Nông thôn")
            for name in (OLD, OTHER)
        ]
        item = previewed(drafter, work, unit_id["camkhe"], *rows)
        assert item["summary"] == summary(created=2), rows_of(drafter, item["id"])
        applied(drafter, work, item["id"])
        assert changed(before, everything(database, *TOLD)) == {}
        [draft] = drafts(drafter)
        key = draft["operations"][0]["key"]
        assert (draft["effective_on"], draft["decree"]) == ("2026-11-01", "12/NQ")
        assert operations(draft) == [
            {"op": "open", "key": key, "level": "commune", "name": NEW, "code": "09301"}
            | {"parent_id": unit_id["camkhe"], "area_type": "rural"},
            {"op": "merge", "unit_ids": [unit_id["phuongvi"], unit_id["tienluong"]]}
            | {"into_id": key},
        ]
        assert {each["entity_id"] for each in rows_of(drafter, item["id"])} == {draft["id"]}
        address, province = f"/v1/reorganisations/{draft['id']}", api.as_("phutho")
        seen = done(province.get(f"{address}/preview"))
        assert seen["problems"] == []
        done(province.post(f"{address}/apply", json={"digest": seen["digest"]}))
        assert str(unit_row(database, unit_id["phuongvi"]).closed_on) == "2026-10-31"
        problem = refused(drafter.post(f"/v1/imports/{item['id']}/undo"), 409, "import_touched")
        assert {each["code"] for each in problem["obstacles"]} == {"record_changed"}

    def test_a_unit_that_keeps_its_name_stays(
        self, drafter: Api, unit_id: UnitIds, work: Work
    ) -> None:
        stays = row(OTHER, OTHER, Khu_vực_mới="Thành thị")
        item = previewed(drafter, work, unit_id["camkhe"], row(OLD, OTHER), stays)
        assert [said(each) for each in rows_of(drafter, item["id"])] == [
            [],
            [("area_type", "unit_record_differs")],
        ]
        applied(drafter, work, item["id"])
        [draft] = drafts(drafter)
        assert operations(draft) == [
            {"op": "merge", "unit_ids": [unit_id["phuongvi"]], "into_id": unit_id["tienluong"]}
        ]

    def test_one_that_became_one_is_named_anew(
        self, drafter: Api, unit_id: UnitIds, work: Work
    ) -> None:
        anew = row(OLD, NEW, Mã_đơn_vị_mới="09301", Khu_vực_mới="Thành thị")
        item = previewed(drafter, work, unit_id["camkhe"], anew, row(OTHER, OTHER))
        assert item["summary"] == summary(created=1, same=1)
        applied(drafter, work, item["id"])
        [draft] = drafts(drafter)
        old = {"unit_id": unit_id["phuongvi"]}
        assert operations(draft) == [
            {"op": "rename", "name": NEW} | old,
            {"op": "change_code", "code": "09301"} | old,
            {"op": "change_area", "area_type": "urban"} | old,
        ]

    def test_a_split_has_a_main_part_or_waits_for_one(
        self, api: Api, drafter: Api, unit_id: UnitIds, work: Work
    ) -> None:
        item = previewed(
            drafter, work, unit_id["camkhe"], row(OLD, NEW, Chia_tách="x"), row(OLD, OTHER)
        )
        assert [said(each) for each in rows_of(drafter, item["id"])] == [
            [("main", "crosswalk_unassigned")]
        ] * 2
        applied(drafter, work, item["id"])
        [draft] = drafts(drafter)
        seen = done(api.as_("phutho").get(f"/v1/reorganisations/{draft['id']}/preview"))
        assert [each["code"] for each in seen["problems"]] == ["units_unassigned"]
        assert undone(drafter, work, item["id"])["state"] == "undone"
        assert drafts(drafter) == []
        main = row(OLD, OTHER, Phần_chính="x")
        item = previewed(drafter, work, unit_id["camkhe"], row(OLD, NEW), main)
        applied(drafter, work, item["id"])
        [draft] = drafts(drafter)
        opening, split = operations(draft)
        into = [opening["key"], unit_id["tienluong"]]
        assert split == {"op": "split", "unit_id": unit_id["phuongvi"], "into_ids": into} | {
            "default_id": unit_id["tienluong"]
        }
        seen = done(api.as_("phutho").get(f"/v1/reorganisations/{draft['id']}/preview"))
        assert seen["problems"] == []

    def test_days_and_decrees_are_drafts_of_their_own_and_none_is_too_long(
        self, drafter: Api, unit_id: UnitIds, work: Work, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(crosswalk_rows, "MOST_OPERATIONS", 2)
        names = [f"Xã Số {number}" for number in range(3)]
        for name in names:
            opened(drafter, "commune", unit_id["camkhe"], name)
        rows = [row(name, f"{name} Mới") for name in names]
        other = row(OTHER, "Xã Khác", Có_hiệu_lực_từ="01/12/2027", Nghị_quyết="13/NQ")
        item = previewed(drafter, work, unit_id["camkhe"], *rows, other)
        applied(drafter, work, item["id"])
        found = sorted((each["effective_on"], len(each["operations"])) for each in drafts(drafter))
        assert found == [("2026-11-01", 1), ("2026-11-01", 2), ("2027-12-01", 1)]


class TestRefused:
    def test_an_old_unit_that_is_ambiguous_or_unknown_on_the_day(
        self, drafter: Api, unit_id: UnitIds, work: Work
    ) -> None:
        for code in ("09301", "09302"):
            opened(drafter, "commune", unit_id["camkhe"], "Xã Đồng Lương", code=code)
        rows = [
            row("Xã Đồng Lương", NEW),
            row("Xã Đồng Lương", "Xã Một", Mã_đơn_vị_cũ="9302"),
            row("Xã Đông Lương", NEW),
            row(OLD, "Xã Đồng Lương"),
            row(OLD, NEW, Cấp_trên_mới="Tỉnh Lạ"),
        ]
        item = previewed(drafter, work, unit_id["camkhe"], *rows)
        assert [said(each) for each in rows_of(drafter, item["id"])] == [
            [("old_name", "unit_ambiguous_then")],
            [("old_code", "unit_code_zero_lost")],
            [("old_name", "unit_unknown_then")],
            [("new_name", "unit_ambiguous_then")],
            [("new_parent", "unit_unknown_then")],
        ]
        shown = rows_of(drafter, item["id"])[0]["problems"][0]["text_vi"]
        assert "Xã Đồng Lương (09301); Xã Đồng Lương (09302)" in shown

    @pytest.mark.parametrize(
        ("first", "second", "problem"),
        [
            (row(OLD, NEW, Sáp_nhập="x"), row(OTHER, OTHER), (0, "merged", "crosswalk_flag_differs")),
            (row(OLD, NEW, Chia_tách="x"), row(OTHER, OTHER), (0, "split", "crosswalk_flag_differs")),
            (row(OLD, NEW, Sáp_nhập="không"), row(OTHER, NEW), (0, "merged", "crosswalk_flag_differs")),
            (row(OLD, NEW, Khu_vực_mới="Xã"), row(OTHER, NEW), (1, "new_name", "crosswalk_new_differs")),
            (row(OLD, NEW, Phần_chính="x"), row(OLD, OTHER, Phần_chính="x"), (1, "main", "crosswalk_main_twice")),
            (row(OLD, NEW), row(OLD, NEW), (1, "new_name", "row_repeated")),
        ],
    )  # fmt: skip
    def test_rows_that_do_not_agree(
        self,
        drafter: Api,
        unit_id: UnitIds,
        work: Work,
        first: list[str],
        second: list[str],
        problem: tuple[int, str, str],
    ) -> None:
        item = previewed(drafter, work, unit_id["camkhe"], first, second)
        place, *expected = problem
        rows = rows_of(drafter, item["id"])
        assert said(rows[place]) == [tuple(expected)]
        assert rows[place]["outcome"] in ("error", "duplicate")

    def test_a_unit_outside_the_list_is_unknown(
        self, drafter: Api, unit_id: UnitIds, work: Work
    ) -> None:
        item = previewed(drafter, work, unit_id["phuongvi"], row(OLD, NEW))
        assert said(rows_of(drafter, item["id"])[0]) == []
        assert drafts(drafter) == []
        stranger = previewed(drafter, work, unit_id["phuongvi"], row(OTHER, NEW))
        assert said(rows_of(drafter, stranger["id"])[0]) == [("old_name", "unit_unknown_then")]
