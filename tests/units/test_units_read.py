"""Units: the tree as each role sees it, as of any day, and the acts that change it."""

import pytest
from httpx2 import Response
from sqlmodel import col, select

from app.db import Database
from app.models.members.members import Member, MemberStatus
from tests.helpers.answers import UnitIds, pointed, refused
from tests.helpers.client import Api, counted, writing
from tests.helpers.reading import Reading
from tests.units.units import add_member, ago, anonymous, closed, ids, moved, names, opened


class TestListUnits(Reading):
    @pytest.mark.parametrize(
        ("who", "expected"),
        [
            ("phutho", 12),
            ("auditor", 12),
            ("admin", 12),
            ("camkhe", 11),
            ("phuongvi", 5),
            ("phuongvi-1", 1),
        ],
    )
    def test_each_role_sees_her_unit_and_all_below_it(
        self, api: Api, unit_id: UnitIds, who: str, expected: int
    ) -> None:
        own = unit_id.get(who, unit_id["phutho"])
        found = ids(api.as_(who).get("/v1/units"))
        assert len(found) == expected
        assert own in found

    def test_a_branch_head_sees_neither_her_commune_nor_the_branch_next_door(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        assert ids(api.as_("phuongvi-1").get("/v1/units")) == {unit_id["phuongvi-1"]}

    def test_requires_login(self, api: Api) -> None:
        refused(api.get("/v1/units"), 401, "not_authenticated")

    def test_a_member_has_no_right_to_the_tree(self, api: Api) -> None:
        body = refused(api.as_("member").get("/v1/units"), 403, "forbidden")
        assert body["required_right"] == "units:read"

    def test_an_item_holds_the_unit_as_it_is_today(self, api: Api, unit_id: UnitIds) -> None:
        [item] = api.as_("phutho").get("/v1/units?code=08356").json()["items"]
        assert item.pop("member_count") > 0
        assert item == {
            "id": unit_id["phuongvi"],
            "level": "commune",
            "name": "Xã Phượng Vĩ",
            "code": "08356",
            "area_type": "rural",
            "group_kind": None,
            "parent_id": unit_id["camkhe"],
            "opened_on": "1997-01-01",
            "closed_on": None,
            "phone": None,
            "email": None,
            "address": None,
            "revision": 1,
        }

    @pytest.mark.parametrize(
        ("level", "expected"),
        [
            ("province", ["Tỉnh Phú Thọ"]),
            ("district", ["Huyện Cẩm Khê"]),
            ("commune", ["Xã Phượng Vĩ", "Xã Tiên Lương"]),
            ("central", []),
            ("group", []),
        ],
    )
    def test_by_level(self, api: Api, level: str, expected: list[str]) -> None:
        assert names(api.as_("phutho").get(f"/v1/units?level={level}")) == expected

    def test_by_several_levels(self, api: Api) -> None:
        found = names(api.as_("phutho").get("/v1/units?level=district&level=province"))
        assert found == ["Huyện Cẩm Khê", "Tỉnh Phú Thọ"]

    def test_by_parent_is_one_step_and_under_is_the_whole_subtree(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        communes = {unit_id["phuongvi"], unit_id["tienluong"]}
        assert ids(officer.get(f"/v1/units?parent={unit_id['camkhe']}")) == communes
        below = ids(officer.get(f"/v1/units?under={unit_id['camkhe']}"))
        assert below == set(unit_id.values()) - {unit_id["phutho"], unit_id["camkhe"]}

    def test_filters_narrow_each_other(self, api: Api, unit_id: UnitIds) -> None:
        path = f"/v1/units?under={unit_id['camkhe']}&level=branch&q=khu 3&parent="
        assert ids(api.as_("phutho").get(path + str(unit_id["tienluong"]))) == {
            unit_id["tienluong-3"]
        }

    def test_a_filter_never_widens_the_scope(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        assert ids(officer.get(f"/v1/units?under={unit_id['tienluong']}")) == set()
        assert ids(officer.get(f"/v1/units?parent={unit_id['camkhe']}")) == {unit_id["phuongvi"]}
        assert ids(officer.get("/v1/units?code=08344")) == set()

    def test_by_code(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        assert ids(officer.get("/v1/units?code=08344")) == {unit_id["tienluong"]}
        assert ids(officer.get("/v1/units?code=0834")) == set()

    @pytest.mark.parametrize(
        "q",
        ["Phượng Vĩ", "phuong vi", "PHƯỢNG", "vi phuong", "phượng vỹ", "  phuong   vi ", "ng v"],
    )
    def test_q_finds_with_and_without_marks(self, api: Api, q: str) -> None:
        found = names(api.as_("phutho").get("/v1/units", params={"q": q, "level": "commune"}))
        assert found == ["Xã Phượng Vĩ"]

    @pytest.mark.parametrize("q", ["%", "_", "Phượng Vĩ Tiên", "\\"])
    def test_q_takes_nothing_for_a_wildcard(self, api: Api, q: str) -> None:
        assert names(api.as_("phutho").get("/v1/units", params={"q": q})) == []

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("colour=red", "/colour", "unknown_field"),
            ("level=village", "/level/0", "not_in_list"),
            ("parent=0", "/parent", "too_small"),
            ("under=2147483648", "/under", "too_large"),
            ("parent=abc", "/parent", "wrong_type"),
            ("as_of=2024-02-30", "/as_of", "date_invalid"),
            ("limit=0", "/limit", "too_small"),
            ("limit=201", "/limit", "too_large"),
            ("fields=id,secret", "/fields", "not_in_list"),
            ("cursor=abc", "/cursor", "cursor_invalid"),
            ("code=" + 21 * "0", "/code", "too_long"),
        ],
    )
    def test_refuses_what_it_does_not_know(
        self, api: Api, query: str, pointer: str, code: str
    ) -> None:
        pointed(api.as_("phutho").get(f"/v1/units?{query}"), pointer, code)

    @pytest.mark.parametrize("limit", [1, 5, 11, 12])
    def test_pages_joined_are_the_whole_list(self, api: Api, limit: int) -> None:
        officer = api.as_("phutho")
        whole = officer.get("/v1/units?limit=200").json()
        assert whole["next_cursor"] is None
        answer = officer.get(f"/v1/units?limit={limit}")
        items, pages = answer.json()["items"], 1
        while (cursor := answer.json()["next_cursor"]) is not None:
            answer = officer.get(f"/v1/units?limit={limit}&cursor={cursor}")
            assert len(answer.json()["items"]) <= limit
            items += answer.json()["items"]
            pages += 1
        assert items == whole["items"]
        assert pages == -(-12 // limit)

    def test_a_cursor_is_good_for_its_own_list_only(self, api: Api) -> None:
        officer = api.as_("phutho")
        cursor = officer.get("/v1/units?limit=2").json()["next_cursor"]
        pointed(
            officer.get(f"/v1/units?limit=2&level=branch&cursor={cursor}"),
            "/cursor",
            "cursor_invalid",
        )

    def test_costs_the_same_for_two_units_and_twelve(self, api: Api, database: Database) -> None:
        officer = api.as_("phutho")
        with counted(database) as few:
            officer.get("/v1/units?level=branch&limit=2")
        with counted(database) as many:
            officer.get("/v1/units?level=branch")
        assert len(many) == len(few)

    def test_trims_to_the_fields_asked_for(self, api: Api, unit_id: UnitIds) -> None:
        answer = api.as_("phuongvi-1").get("/v1/units?fields=id,name")
        assert answer.json()["items"] == [{"id": unit_id["phuongvi-1"], "name": "Chi hội khu 1"}]


class TestListUnitsOverTime:
    def test_numbers_in_names_sort_as_numbers(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        for number in (10, 11, 20, 5):
            opened(officer, "branch", unit_id["phuongvi"], f"Chi hội khu {number}")
        found = names(officer.get("/v1/units?level=branch"))
        assert found == [f"Chi hội khu {number}" for number in (1, 2, 3, 4, 5, 10, 11, 20)]
        assert names(officer.get("/v1/units?q=khu 1")) == ["Chi hội khu 1"]

    def test_members_are_counted_where_the_caller_may_count_them(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        add_member(database, unit_id["phuongvi-1"], status=MemberStatus.left)
        with writing(database) as session:
            current = session.exec(
                select(Member).where(col(Member.status) == MemberStatus.active)
            ).all()
        counts = {
            i["id"]: i["member_count"] for i in api.as_("auditor").get("/v1/units").json()["items"]
        }
        assert counts[unit_id["phutho"]] == counts[unit_id["camkhe"]] == len(current)
        for slug in ("phuongvi", "tienluong"):
            in_commune = [member for member in current if member.commune_id == unit_id[slug]]
            assert counts[unit_id[slug]] == len(in_commune)
        for slug in ("phuongvi-1", "tienluong-4"):
            in_branch = [member for member in current if member.branch_id == unit_id[slug]]
            assert counts[unit_id[slug]] == len(in_branch)
        hidden = api.as_("admin").get("/v1/units").json()["items"]
        assert {item["member_count"] for item in hidden} == {None}

    def test_lists_the_day_asked(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        assert ids(officer.get("/v1/units?as_of=1996-12-31")) == set()
        assert ids(officer.get("/v1/units?as_of=1997-01-01")) == set(unit_id.values())
        new = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5", opened_on=ago(10))
        assert new not in ids(officer.get(f"/v1/units?as_of={ago(11)}"))
        assert new in ids(officer.get(f"/v1/units?as_of={ago(10)}"))
        assert new in ids(officer.get("/v1/units"))

    def test_a_closed_unit_is_listed_until_its_last_day_or_when_asked_for(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        new = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        closed(officer, new, ago(10))
        parent, under = f"parent={unit_id['phuongvi']}", f"under={unit_id['camkhe']}"
        for narrowed in ("level=branch", parent, under):
            path = f"/v1/units?{narrowed}"
            assert new not in ids(officer.get(path))
            assert new not in ids(officer.get(f"{path}&as_of={ago(9)}"))
            assert new in ids(officer.get(f"{path}&as_of={ago(10)}"))
            assert new in ids(officer.get(f"{path}&include_closed=true"))
            assert new in ids(officer.get(f"{path}&include_closed=true&as_of={ago(9)}"))
            assert new not in ids(officer.get(f"{path}&include_closed=true&as_of=2019-12-31"))
        elsewhere = f"/v1/units?include_closed=true&parent={unit_id['tienluong']}"
        assert new not in ids(officer.get(elsewhere))

    def test_a_unit_closed_today_is_there_today(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        new = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        closed(officer, new, ago(0))
        assert new in ids(officer.get("/v1/units?level=branch"))
        assert new in ids(officer.get("/v1/branches"))


class TestGetUnit(Reading):
    def test_ancestors_come_from_the_top_down(self, api: Api, unit_id: UnitIds) -> None:
        body = api.as_("phutho").get(f"/v1/units/{unit_id['phuongvi-2']}").json()
        assert body["ancestors"] == [
            {"id": unit_id["phutho"], "level": "province", "name": "Tỉnh Phú Thọ"},
            {"id": unit_id["camkhe"], "level": "district", "name": "Huyện Cẩm Khê"},
            {"id": unit_id["phuongvi"], "level": "commune", "name": "Xã Phượng Vĩ"},
        ]
        assert (body["predecessors"], body["successors"]) == ([], [])
        assert body["parent_id"] == unit_id["phuongvi"]

    def test_the_root_has_no_ancestors(self, api: Api, unit_id: UnitIds) -> None:
        body = api.as_("phutho").get(f"/v1/units/{unit_id['phutho']}").json()
        assert (body["ancestors"], body["parent_id"]) == ([], None)

    def test_a_branch_head_sees_the_line_above_her_branch(self, api: Api, unit_id: UnitIds) -> None:
        body = api.as_("phuongvi-1").get(f"/v1/units/{unit_id['phuongvi-1']}").json()
        assert [unit["name"] for unit in body["ancestors"]][-1] == "Xã Phượng Vĩ"

    @pytest.mark.parametrize("path", ["", "/children", "/lineage"])
    @pytest.mark.parametrize("hidden", ["phuongvi-2", "phuongvi", "tienluong-1"])
    def test_out_of_scope_looks_like_no_such_unit(
        self, api: Api, unit_id: UnitIds, path: str, hidden: str
    ) -> None:
        head = api.as_("phuongvi-1")
        none = refused(head.get(f"/v1/units/999999{path}"), 404, "not_found")
        other = refused(head.get(f"/v1/units/{unit_id[hidden]}{path}"), 404, "not_found")
        assert anonymous(other) == anonymous(none)

    def test_requires_login(self, api: Api, unit_id: UnitIds) -> None:
        refused(api.get(f"/v1/units/{unit_id['phutho']}"), 401, "not_authenticated")

    def test_a_member_has_no_right_to_the_tree(self, api: Api, unit_id: UnitIds) -> None:
        answer = api.as_("member").get(f"/v1/units/{unit_id['phuongvi-1']}")
        assert refused(answer, 403, "forbidden")["required_right"] == "units:read"

    @pytest.mark.parametrize(
        ("path", "pointer", "code"),
        [
            ("/v1/units/0", "/unit_id", "too_small"),
            ("/v1/units/2147483648", "/unit_id", "too_large"),
            ("/v1/units/abc", "/unit_id", "wrong_type"),
            ("/v1/units/1?colour=red", "/colour", "unknown_field"),
            ("/v1/units/1?as_of=yesterday", "/as_of", "date_invalid"),
            ("/v1/units/1/children?parent=1", "/parent", "unknown_field"),
            ("/v1/units/1/children?under=1", "/under", "unknown_field"),
        ],
    )
    def test_refuses_what_it_does_not_know(
        self, api: Api, path: str, pointer: str, code: str
    ) -> None:
        pointed(api.as_("phutho").get(path), pointer, code)


class TestGetUnitOverTime:
    def test_did_not_exist_before_it_opened(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        new = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5", opened_on=ago(9))
        refused(officer.get(f"/v1/units/{new}?as_of={ago(10)}"), 404, "not_found")
        assert officer.get(f"/v1/units/{new}?as_of={ago(9)}").json()["name"] == "Chi hội khu 5"

    def test_after_its_last_day_it_is_what_it_was_on_it(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        new = opened(officer, "commune", unit_id["camkhe"], "Xã Yên Tập", code="08398")
        body = closed(officer, new, ago(10))
        assert body["parent_id"] == unit_id["camkhe"]
        assert [unit["id"] for unit in body["ancestors"]] == [unit_id["phutho"], unit_id["camkhe"]]
        for day in (ago(10), ago(9), ago(0)):
            assert officer.get(f"/v1/units/{new}?as_of={day}").json() == body

    def test_the_tag_changes_with_what_is_counted(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi']}"
        first = officer.get(path)
        same = officer.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        add_member(database, unit_id["phuongvi-1"])
        second = officer.get(path, headers={"if-none-match": first.headers["etag"]})
        assert second.status_code == 200
        assert second.json()["member_count"] == first.json()["member_count"] + 1
        assert second.json()["revision"] == first.json()["revision"]


class TestListChildren(Reading):
    def test_lists_one_level_below_in_natural_order(self, api: Api, unit_id: UnitIds) -> None:
        path = f"/v1/units/{unit_id['tienluong']}/children"
        assert names(api.as_("camkhe").get(path)) == [f"Chi hội khu {n}" for n in (1, 2, 3, 4)]

    def test_pages_and_filters_as_the_list_does(self, api: Api, unit_id: UnitIds) -> None:
        officer, path = api.as_("camkhe"), f"/v1/units/{unit_id['tienluong']}/children"
        first = officer.get(f"{path}?limit=3").json()
        second = officer.get(f"{path}?limit=3&cursor={first['next_cursor']}").json()
        found = [item["name"] for item in first["items"] + second["items"]]
        assert found == [f"Chi hội khu {n}" for n in (1, 2, 3, 4)]
        assert names(officer.get(f"{path}?q=khu 2")) == ["Chi hội khu 2"]
        assert names(officer.get(f"{path}?level=group")) == []


class TestListChildrenOverTime:
    def test_on_the_day_asked(self, api: Api, unit_id: UnitIds) -> None:
        officer, path = api.as_("phutho"), f"/v1/units/{unit_id['tienluong']}/children"
        moved(officer, unit_id["phuongvi-4"], unit_id["tienluong"], ago(10))
        assert len(names(officer.get(f"{path}?as_of={ago(11)}"))) == 4
        assert unit_id["phuongvi-4"] in ids(officer.get(f"{path}?as_of={ago(10)}"))
        refused(officer.get(f"{path}?as_of=1996-12-31"), 404, "not_found")


class TestGetLineage:
    def test_tells_the_whole_chain_the_nearest_first(self, api: Api, unit_id: UnitIds) -> None:
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        names_of = {
            letter: opened(officer, "branch", commune, f"Chi hội {letter}") for letter in "ABCD"
        }
        closed(officer, names_of["A"], ago(30), names_of["C"])
        closed(officer, names_of["B"], ago(20), names_of["C"], names_of["D"], kind="split")
        closed(officer, names_of["C"], ago(10), names_of["D"], kind="merge")

        def chain(letter: str, way: str) -> list[str]:
            body = officer.get(f"/v1/units/{names_of[letter]}/lineage").json()
            return [step["unit"]["name"].split()[-1] for step in body[way]]

        assert chain("A", "successors") == ["C", "D"]
        assert chain("B", "successors") == ["C", "D", "D"]
        assert chain("D", "predecessors") == ["B", "C", "A", "B"]
        assert chain("A", "predecessors") == chain("D", "successors") == []
        direct = officer.get(f"/v1/units/{names_of['A']}").json()["successors"]
        assert [step["unit"]["id"] for step in direct] == [names_of["C"]]

    def test_a_unit_that_never_changed_has_its_own_line_only(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        root = {"id": unit_id["phutho"], "level": "province", "name": "Tỉnh Phú Thọ"}
        always = {"valid_from": "1997-01-01", "valid_to": None}
        assert api.as_("phutho").get(f"/v1/units/{unit_id['phutho']}/lineage").json() == {
            "unit": root,
            "parents": [],
            "identifiers": [
                {"scheme": "gso", "value": "25"} | always,
                {"scheme": "name", "value": "Tỉnh Phú Thọ"} | always,
            ],
            "predecessors": [],
            "successors": [],
        }


class TestNamesByDate:
    """A name is found, corrected and refused by the days on which it holds."""

    def rename(self, officer: Api, unit: int, name: str, on: str | None = None) -> Response:
        body = {"name": name} | ({"effective_on": on} if on else {})
        return officer.patch(f"/v1/units/{unit}", json=body)

    def test_a_search_of_another_day_is_for_the_names_of_that_day(
        self, api: Api, unit_id: dict[str, int]
    ) -> None:
        officer, unit = api.as_("phutho"), unit_id["phuongvi"]
        assert self.rename(officer, unit, "Xã Phú Khê", "2025-01-01").status_code == 200

        def found(q: str, day: str) -> list[int]:
            answer = officer.get(f"/v1/units?level=commune&q={q}&as_of={day}").json()
            return [item["id"] for item in answer["items"]]

        assert found("phuong vi", "2024-12-31") == [unit]
        assert found("phuong vi", "2025-01-01") == []
        assert found("phu khe", "2024-12-31") == []
        assert found("phu khe", "2025-01-01") == [unit]

    def test_the_same_name_from_another_day_is_refused_and_not_passed_over(
        self, api: Api, unit_id: dict[str, int]
    ) -> None:
        officer, unit = api.as_("phutho"), unit_id["phuongvi"]
        answer = self.rename(officer, unit, "Xã Phượng Vĩ", "2020-01-01")
        assert (answer.status_code, answer.json()["code"]) == (409, "unit_date_conflict")
        assert officer.get(f"/v1/units/{unit}").json()["revision"] == 1

    def test_a_slip_put_right_the_same_day_leaves_no_trace_in_the_periods(
        self, api: Api, unit_id: dict[str, int]
    ) -> None:
        officer, unit = api.as_("phutho"), unit_id["phuongvi"]
        before = officer.get(f"/v1/units/{unit}/lineage").json()["identifiers"]
        assert self.rename(officer, unit, "Xã Phuong Vi").status_code == 200
        assert self.rename(officer, unit, "Xã Phượng Vĩ").status_code == 200
        assert officer.get(f"/v1/units/{unit}/lineage").json()["identifiers"] == before

    def test_markup_and_marks_of_direction_are_no_names(
        self, api: Api, unit_id: dict[str, int]
    ) -> None:
        officer, unit = api.as_("phutho"), unit_id["phuongvi"]
        answer = self.rename(officer, unit, "<b>Xã</b>")
        assert answer.json()["errors"][0]["code"] == "name_has_symbols"
        assert self.rename(officer, unit, "Xã \u202eMới").json()["name"] == "Xã Mới"
        for code in ("=1+1", "-1", "08 398"):
            refused = officer.patch(f"/v1/units/{unit}", json={"code": code})
            assert refused.json()["errors"][0]["code"] == "wrong_format"

    def test_a_merger_names_what_it_merged_into(self, api: Api, unit_id: dict[str, int]) -> None:
        officer = api.as_("phutho")
        made = officer.post(
            "/v1/units",
            json={
                "level": "branch",
                "name": "Chi hội khu 9",
                "parent_id": unit_id["phuongvi"],
                "opened_on": "2025-01-01",
            },
        ).json()
        closing = {"effective_on": "2026-01-01", "kind": "merge"}
        answer = officer.post(f"/v1/units/{made['id']}/close", json=closing)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/successor_ids"
        assert officer.get(f"/v1/units/{made['id']}").json()["closed_on"] is None
