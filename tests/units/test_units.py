"""Units: the tree as each role sees it, as of any day, and the acts that change it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier

import pytest
from httpx2 import Response
from sqlmodel import col, select

from app.db import Database
from app.models.kernel.units import (
    IdentifierScheme,
    Unit,
    UnitEdge,
    UnitIdentifier,
)
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, as_written, writing
from tests.helpers.reading import Reading
from tests.helpers.when_run import WhenRun
from tests.units.units import (
    ago,
    anonymous,
    closed,
    ids,
    names,
    opened,
    unit_row,
    written,
)

FOUNDED = date(1997, 1, 1)  # the day the demo's units opened


class TestCreateUnit:
    def test_opens_a_unit_with_all_that_belongs_to_it(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        answer = api.as_("camkhe").post(
            "/v1/units",
            json={
                "level": "commune",
                "name": "  Xã   Yên Tập ",
                "parent_id": unit_id["camkhe"],
                "code": "08398",
                "area_type": "rural",
                "opened_on": "2020-01-01",
                "phone": "0210 3889 000",
                "email": "yentap@example.vn",
                "address": "Khu 3",
            },
        )
        assert answer.status_code == 201, answer.text
        body = answer.json()
        assert answer.headers["location"] == f"/v1/units/{body['id']}"
        assert body == {
            "id": body["id"],
            "level": "commune",
            "name": "Xã Yên Tập",
            "code": "08398",
            "area_type": "rural",
            "group_kind": None,
            "parent_id": unit_id["camkhe"],
            "opened_on": "2020-01-01",
            "closed_on": None,
            "phone": "0210 3889 000",
            "email": "yentap@example.vn",
            "address": "Khu 3",
            "member_count": 0,
            "revision": 1,
            "ancestors": [
                {"id": unit_id["phutho"], "level": "province", "name": "Tỉnh Phú Thọ"},
                {"id": unit_id["camkhe"], "level": "district", "name": "Huyện Cẩm Khê"},
            ],
            "predecessors": [],
            "successors": [],
        }
        assert api.as_("camkhe").get(answer.headers["location"]).json() == body
        with writing(database) as session:
            row = session.get_one(Unit, body["id"])
            assert (row.province_id, row.district_id, row.commune_id, row.branch_id) == (
                unit_id["phutho"],
                unit_id["camkhe"],
                row.id,
                None,
            )
            edges = session.exec(select(UnitEdge).where(col(UnitEdge.unit_id) == row.id)).all()
            assert [(e.parent_id, e.valid_from, e.valid_to) for e in edges] == [
                (unit_id["camkhe"], date(2020, 1, 1), None)
            ]
            identifiers = session.exec(
                select(UnitIdentifier).where(col(UnitIdentifier.unit_id) == row.id)
            ).all()
            assert {(i.scheme, i.value, i.valid_from, i.valid_to) for i in identifiers} == {
                (IdentifierScheme.name, "Xã Yên Tập", date(2020, 1, 1), None),
                (IdentifierScheme.gso, "08398", date(2020, 1, 1), None),
            }

    @pytest.mark.parametrize(
        ("who", "level", "parent"),
        [
            ("phutho", "district", "phutho"),
            ("phutho", "commune", "phutho"),
            ("camkhe", "branch", "camkhe"),
            ("phuongvi", "branch", "phuongvi"),
            ("phuongvi", "group", "phuongvi-1"),
            ("phuongvi", "group", "phuongvi"),
        ],
    )
    def test_levels_may_be_skipped(
        self, api: Api, unit_id: UnitIds, who: str, level: str, parent: str
    ) -> None:
        new = opened(api.as_(who), level, unit_id[parent], "Đơn vị mới")
        body = api.as_(who).get(f"/v1/units/{new}").json()
        assert (body["level"], body["ancestors"][-1]["id"]) == (level, unit_id[parent])

    def test_the_parent_must_have_been_open(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        young = opened(officer, "commune", unit_id["phutho"], "Xã mới", opened_on=ago(20))
        body = {"level": "branch", "name": "Chi hội khu 1", "parent_id": young}
        early = officer.post("/v1/units", json=body | {"opened_on": ago(21)})
        refused(early, 409, "unit_not_open_yet")
        opened(officer, "branch", young, "Chi hội khu 1", opened_on=ago(20))

    @pytest.mark.parametrize("day", [5, 10, 15])
    def test_nothing_opens_under_a_closed_parent_for_it_would_outlive_it(
        self, api: Api, database: Database, unit_id: UnitIds, day: int
    ) -> None:
        officer = api.as_("phutho")
        old = opened(officer, "commune", unit_id["camkhe"], "Xã cũ")
        closed(officer, old, ago(10))
        before = written(database)
        body = {"level": "branch", "name": "Chi hội khu 1", "parent_id": old, "opened_on": ago(day)}
        refused(officer.post("/v1/units", json=body), 409, "unit_closed")
        assert written(database) == before

    def test_not_in_the_future(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        before, officer = written(database), api.as_("phuongvi")
        body = {"level": "branch", "name": "Chi hội khu 5", "parent_id": unit_id["phuongvi"]}
        answer = officer.post("/v1/units", json=body | {"opened_on": ago(-1)})
        pointed(answer, "/opened_on", "date_in_future")
        assert written(database) == before
        opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5", opened_on=ago(0))

    def test_a_code_is_used_again_after_its_first_holder_closed_and_not_a_day_before(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        first = opened(officer, "commune", unit_id["camkhe"], "Xã Yên Tập", code="08398")
        closed(officer, first, ago(10))
        before = written(database)
        body = {"level": "commune", "name": "Xã Phú Khê", "parent_id": unit_id["camkhe"]}
        for day in (ago(10), "2021-06-01", "2010-01-01"):
            answer = officer.post("/v1/units", json=body | {"code": "08398", "opened_on": day})
            refused(answer, 409, "code_taken")
        assert written(database) == before
        second = opened(
            officer, "commune", unit_id["camkhe"], "Xã Phú Khê", code="08398", opened_on=ago(9)
        )
        assert ids(officer.get("/v1/units?code=08398")) == {second}
        assert ids(officer.get(f"/v1/units?code=08398&as_of={ago(10)}")) == {first}

    def test_the_same_key_opens_one_unit(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, key = api.as_("phuongvi"), {"idempotency-key": "open-khu-5"}
        body = {"level": "branch", "name": "Chi hội khu 5", "parent_id": unit_id["phuongvi"]}
        first = officer.post("/v1/units", json=body | {"opened_on": ago(1)}, headers=key)
        before = written(database)
        again = officer.post("/v1/units", json=body | {"opened_on": ago(1)}, headers=key)
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["idempotent-replayed"] == "true"
        assert written(database) == before

    @pytest.mark.race
    def test_of_two_who_open_with_one_code_one_is_told(self, api: Api, unit_id: UnitIds) -> None:
        officers, start = [api.as_("phutho") for _ in range(4)], Barrier(4)

        def race(officer: Api) -> Response:
            body = {"level": "commune", "name": "Xã", "code": "08398", "opened_on": ago(5)}
            start.wait()
            return officer.post("/v1/units", json=body | {"parent_id": unit_id["camkhe"]})

        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(race, officers))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert {a.json()["code"] for a in answers if a.status_code == 409} == {"code_taken"}
        assert len(ids(api.as_("phutho").get("/v1/units?code=08398"))) == 1


class TestCreateUnitRefuses(Reading):
    def test_a_level_that_is_no_more(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        officer, before = api.as_("phutho"), written(database)
        body = {"level": "district", "name": "Huyện Mới", "parent_id": unit_id["phutho"]}
        for day in ("2026-01-05", "2025-07-01"):
            answer = officer.post("/v1/units", json=body | {"opened_on": day})
            problem = refused(answer, 409, "unit_level_ended")
            assert "30/06/2025" in problem["detail"]
        assert written(database) == before

    @pytest.mark.parametrize(
        ("level", "parent"),
        [
            ("province", "phutho"),
            ("central", "phutho"),
            ("district", "camkhe"),
            ("district", "phuongvi"),
            ("commune", "phuongvi"),
            ("commune", "phuongvi-1"),
            ("branch", "phuongvi-1"),
        ],
    )
    def test_a_unit_stands_under_a_higher_level(
        self, api: Api, database: Database, unit_id: UnitIds, level: str, parent: str
    ) -> None:
        before = written(database)
        body = {"level": level, "name": "Sai", "parent_id": unit_id[parent], "opened_on": ago(1)}
        refused(api.as_("phutho").post("/v1/units", json=body), 409, "unit_level_order")
        assert written(database) == before

    def test_the_parent_must_be_in_sight(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        before, officer = written(database), api.as_("phuongvi")
        body = {"level": "branch", "name": "Chi hội khu 9", "opened_on": ago(1)}
        for parent_id in (unit_id["tienluong"], unit_id["camkhe"], 999_999):
            answer = officer.post("/v1/units", json=body | {"parent_id": parent_id})
            pointed(answer, "/parent_id", "unit_unknown")
        assert written(database) == before

    @pytest.mark.parametrize("who", ["phuongvi-1", "auditor"])
    def test_reading_is_not_writing(
        self, api: Api, database: Database, unit_id: UnitIds, who: str
    ) -> None:
        before = written(database)
        group = {"level": "group", "group_kind": "team", "name": "Tổ 1", "opened_on": ago(1)}
        body = group | {"parent_id": unit_id["phuongvi-1"]}
        problem = refused(api.as_(who).post("/v1/units", json=body), 403, "forbidden")
        assert problem["required_right"] == "units:write"
        granters = [granter["unit"]["id"] for granter in problem["units"]]
        assert granters == [unit_id["phuongvi"], unit_id["camkhe"], unit_id["phutho"]]
        assert written(database) == before

    def test_requires_login(self, api: Api, database: Database) -> None:
        before = written(database)
        refused(api.post("/v1/units", json={}), 401, "not_authenticated")
        assert written(database) == before

    def test_a_code_is_one_units_at_a_time(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        body = {"level": "commune", "name": "Xã khác", "parent_id": unit_id["camkhe"]}
        before = written(database)
        now = officer.post("/v1/units", json=body | {"code": "08356", "opened_on": ago(3)})
        assert "08356" in refused(now, 409, "code_taken")["detail"]
        assert written(database) == before

    @pytest.mark.parametrize(
        ("wrong", "pointer", "code"),
        [
            ({"name": "   "}, "/name", "too_short"),
            ({"name": "a" * 201}, "/name", "too_long"),
            ({"name": "Xã\u0007"}, "/name", "control_character"),
            ({"name": None}, "/name", "not_null"),
            ({"level": "village"}, "/level", "not_in_list"),
            ({"opened_on": "2024-13-01"}, "/opened_on", "date_invalid"),
            ({"opened_on": None}, "/opened_on", "not_null"),
            ({"email": "nobody"}, "/email", "email_invalid"),
            ({"area_type": "suburban"}, "/area_type", "not_in_list"),
            ({"parent_id": 0}, "/parent_id", "too_small"),
            ({"closed_on": "2024-01-01"}, "/closed_on", "unknown_field"),
        ],
    )
    def test_refuses_wrong_values(
        self,
        api: Api,
        database: Database,
        unit_id: UnitIds,
        wrong: Json,
        pointer: str,
        code: str,
    ) -> None:
        before = written(database)
        body = {"level": "branch", "name": "Chi hội", "parent_id": unit_id["phuongvi"]}
        answer = api.as_("phuongvi").post("/v1/units", json=body | {"opened_on": ago(1)} | wrong)
        pointed(answer, pointer, code)
        assert written(database) == before


class TestUpdateUnit:
    def test_changes_and_empties_contacts(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi']}"
        contacts = {"phone": "0210 3889 111", "email": "pv@example.vn", "address": "Khu 1"}
        body = officer.patch(path, json=contacts).json()
        assert {name: body[name] for name in contacts} == contacts
        assert body["revision"] == 2
        body = officer.patch(path, json={"phone": None}).json()
        assert (body["phone"], body["email"], body["address"]) == (None, "pv@example.vn", "Khu 1")
        row = unit_row(database, unit_id["phuongvi"])
        assert (row.phone, row.email, row.address, row.revision) == (
            None,
            "pv@example.vn",
            "Khu 1",
            3,
        )
        assert (row.name, row.code) == ("Xã Phượng Vĩ", "08356")

    def test_a_name_holds_from_its_day_and_the_old_one_until_then(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi-3']}"
        body = officer.patch(
            path, json={"name": "Chi hội Đồng Tâm", "effective_on": ago(10)}
        ).json()
        assert body["name"] == "Chi hội Đồng Tâm"
        for day, name in ((11, "Chi hội khu 3"), (10, "Chi hội Đồng Tâm"), (0, "Chi hội Đồng Tâm")):
            assert officer.get(f"{path}?as_of={ago(day)}").json()["name"] == name
            listed = officer.get(f"/v1/units?level=branch&as_of={ago(day)}")
            assert name in names(listed)
        assert names(officer.get("/v1/units?q=dong tam")) == ["Chi hội Đồng Tâm"]
        below = opened(officer, "group", unit_id["phuongvi-3"], "Tổ 1")
        for day, name in ((11, "Chi hội khu 3"), (10, "Chi hội Đồng Tâm")):
            ancestors = officer.get(f"/v1/units/{below}?as_of={ago(day)}").json()["ancestors"]
            assert ancestors[-1]["name"] == name
        identifiers = officer.get(f"{path}/lineage").json()["identifiers"]
        assert identifiers == [
            {
                "scheme": "name",
                "value": "Chi hội khu 3",
                "valid_from": "1997-01-01",
                "valid_to": ago(11),
            },
            {
                "scheme": "name",
                "value": "Chi hội Đồng Tâm",
                "valid_from": ago(10),
                "valid_to": None,
            },
        ]

    def test_a_name_without_a_day_holds_from_today(self, api: Api, unit_id: UnitIds) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi-3']}"
        officer.patch(path, json={"name": "Chi hội Đồng Tâm"})
        assert officer.get(f"{path}?as_of={ago(1)}").json()["name"] == "Chi hội khu 3"
        assert officer.get(f"{path}?as_of={ago(0)}").json()["name"] == "Chi hội Đồng Tâm"

    @pytest.mark.parametrize("day", [WhenRun(ago, 10), "1997-01-01"])
    def test_the_same_day_again_corrects_the_name(
        self, api: Api, unit_id: UnitIds, day: str
    ) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi-3']}"
        officer.patch(path, json={"name": "Chi hội Đồng Tam", "effective_on": day})
        body = officer.patch(path, json={"name": "Chi hội Đồng Tâm", "effective_on": day}).json()
        assert body["name"] == "Chi hội Đồng Tâm"
        values = [i["value"] for i in officer.get(f"{path}/lineage").json()["identifiers"]]
        before = [] if day == "1997-01-01" else ["Chi hội khu 3"]
        assert values == [*before, "Chi hội Đồng Tâm"]

    def test_not_before_the_last_change(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi-3']}"
        officer.patch(path, json={"name": "Chi hội Đồng Tâm", "effective_on": ago(10)})
        before = written(database)
        answer = officer.patch(path, json={"name": "Chi hội khác", "effective_on": ago(11)})
        detail = refused(answer, 409, "unit_date_conflict")["detail"]
        assert as_written(ago(11)) in detail
        assert as_written(ago(10)) in detail
        assert written(database) == before
        assert officer.get(path).json()["name"] == "Chi hội Đồng Tâm"

    def test_a_code_changes_from_its_day_on(self, api: Api, unit_id: UnitIds) -> None:
        officer, path = api.as_("phutho"), f"/v1/units/{unit_id['phuongvi']}"
        body = officer.patch(path, json={"code": "08399", "effective_on": ago(10)}).json()
        assert (body["code"], body["name"]) == ("08399", "Xã Phượng Vĩ")
        for day, code in ((11, "08356"), (10, "08399")):
            assert officer.get(f"{path}?as_of={ago(day)}").json()["code"] == code
            found = officer.get(f"/v1/units?code={code}&as_of={ago(day)}")
            assert ids(found) == {unit_id["phuongvi"]}
        assert ids(officer.get("/v1/units?code=08356")) == set()

    def test_the_code_of_a_unit_that_has_closed_finds_it(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        old = opened(officer, "commune", unit_id["camkhe"], "Xã Phú Khê", code="08392")
        path = f"/v1/units/{old}"
        officer.patch(path, json={"code": "08393", "effective_on": ago(30)})
        closed(officer, old, ago(10))
        heir = opened(
            officer, "commune", unit_id["camkhe"], "Xã Cẩm Khê", code="08393", opened_on=ago(9)
        )
        for code, day, with_closed, found in (
            ("08393", None, False, {heir}),
            ("08393", None, True, {heir, old}),
            ("08393", 10, False, {old}),
            ("08393", 9, True, {heir, old}),
            ("08392", None, True, set()),
            ("08392", 31, False, {old}),
        ):
            query = f"code={code}" + ("&include_closed=true" if with_closed else "")
            query += f"&as_of={ago(day)}" if day is not None else ""
            assert ids(officer.get(f"/v1/units?{query}")) == found, query

    def test_a_unit_may_get_its_first_code_later(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        new = opened(officer, "commune", unit_id["camkhe"], "Xã Phú Khê", opened_on=ago(20))
        officer.patch(f"/v1/units/{new}", json={"code": "08398", "effective_on": ago(20)})
        assert ids(officer.get(f"/v1/units?code=08398&as_of={ago(20)}")) == {new}

    @pytest.mark.parametrize("day", [0, 10])
    def test_a_code_of_another_unit_is_taken(
        self, api: Api, database: Database, unit_id: UnitIds, day: int
    ) -> None:
        officer, path = api.as_("phutho"), f"/v1/units/{unit_id['phuongvi']}"
        officer.patch(path, json={"code": "08399", "effective_on": ago(10)})
        before = written(database)
        answer = officer.patch(path, json={"code": "08344", "effective_on": ago(day)})
        refused(answer, 409, "code_taken")
        assert written(database) == before
        assert officer.get(path).json()["code"] == "08399"

    def test_if_match_refuses_a_revision_nobody_has_seen(self, api: Api, unit_id: UnitIds) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi']}"
        tag = officer.get(path).headers["etag"]
        first = officer.patch(path, json={"phone": "1"}, headers={"if-match": tag})
        assert first.json()["revision"] == 2
        stale = officer.patch(path, json={"phone": "2"}, headers={"if-match": tag})
        assert refused(stale, 412, "stale_revision")["current_revision"] == 2
        assert officer.get(path).json()["phone"] == "1"
        current = first.headers["etag"]
        second = officer.patch(path, json={"phone": "2"}, headers={"if-match": current})
        assert (second.status_code, second.json()["phone"]) == (200, "2")

    def test_a_closed_unit_takes_a_name_for_its_lifetime_only(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        closed(officer, old, ago(10))
        path = f"/v1/units/{old}"
        refused(officer.patch(path, json={"name": "Muộn"}), 409, "unit_closed")
        late = {"name": "Muộn", "effective_on": ago(9)}
        refused(officer.patch(path, json=late), 409, "unit_closed")
        body = officer.patch(path, json={"name": "Kịp", "effective_on": ago(10)}).json()
        assert body["name"] == "Kịp"
        lineage = officer.get(f"{path}/lineage").json()["identifiers"]
        assert [(i["value"], i["valid_to"]) for i in lineage] == [
            ("Chi hội khu 5", ago(11)),
            ("Kịp", ago(10)),
        ]


class TestUpdateUnitRefuses(Reading):
    def test_not_before_the_unit_opened(self, api: Api, unit_id: UnitIds) -> None:
        path = f"/v1/units/{unit_id['phuongvi-3']}"
        body = {"name": "Chi hội khác", "effective_on": "1996-12-31"}
        refused(api.as_("phuongvi").patch(path, json=body), 409, "unit_not_open_yet")

    @pytest.mark.parametrize(
        ("wrong", "pointer", "code"),
        [
            ({"name": None}, "/name", "not_null"),
            ({"code": None}, "/code", "not_null"),
            ({"name": ""}, "/name", "too_short"),
            ({"effective_on": "2024-01-01"}, "/effective_on", "both_needed"),
            ({"name": "Xã", "effective_on": WhenRun(ago, -1)}, "/effective_on", "date_in_future"),
            ({"code": "1", "effective_on": WhenRun(ago, -1)}, "/effective_on", "date_in_future"),
            ({"name": "Xã", "effective_on": None}, "/effective_on", "not_null"),
            ({"email": "nobody"}, "/email", "email_invalid"),
            ({"level": "branch"}, "/level", "unknown_field"),
            ({"parent_id": 1}, "/parent_id", "unknown_field"),
            ({"closed_on": "2024-01-01"}, "/closed_on", "unknown_field"),
        ],
    )
    def test_refuses_wrong_values(
        self,
        api: Api,
        database: Database,
        unit_id: UnitIds,
        wrong: Json,
        pointer: str,
        code: str,
    ) -> None:
        before = written(database)
        answer = api.as_("phutho").patch(f"/v1/units/{unit_id['phuongvi']}", json=wrong)
        pointed(answer, pointer, code)
        assert written(database) == before

    def test_equal_values_change_nothing(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        before = written(database)
        body = {"name": "Xã Phượng Vĩ", "code": "08356", "phone": None}
        answer = api.as_("phutho").patch(f"/v1/units/{unit_id['phuongvi']}", json=body)
        assert (answer.status_code, answer.json()["revision"]) == (200, 1)
        assert written(database) == before

    def test_out_of_scope_is_not_found_and_in_scope_without_the_right_forbidden(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        before, body = written(database), {"phone": "1"}
        officer, head = api.as_("phuongvi"), api.as_("phuongvi-1")
        none = refused(officer.patch("/v1/units/999999", json=body), 404, "not_found")
        for slug in ("tienluong", "camkhe", "tienluong-1"):
            other = officer.patch(f"/v1/units/{unit_id[slug]}", json=body)
            assert anonymous(refused(other, 404, "not_found")) == anonymous(none)
        own = head.patch(f"/v1/units/{unit_id['phuongvi-1']}", json=body)
        assert refused(own, 403, "forbidden")["required_right"] == "units:write"
        assert written(database) == before
