"""Units: the tree as each role sees it, as of any day, and the acts that change it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Barrier

import pytest
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import select

from app.api.http.server import serving
from app.db import Database
from app.models.kernel.units import (
    Unit,
    UnitLevel,
)
from app.models.members.members import Member
from tests.conftest import make_settings
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, as_written, writing
from tests.helpers.databases import Clones
from tests.helpers.reading import Reading
from tests.helpers.serving import give
from tests.units.units import (
    acting,
    admitted,
    ago,
    closed,
    ids,
    moved,
    opened,
    people,
    unit_row,
    written,
)


class TestMoveUnit:
    def test_the_branch_and_all_in_it_stand_elsewhere_from_that_day(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, branch = api.as_("camkhe"), unit_id["phuongvi-4"]
        body = moved(officer, branch, unit_id["tienluong"], ago(10))
        assert (body["parent_id"], body["revision"]) == (unit_id["tienluong"], 2)
        path = f"/v1/units/{branch}"
        for day, parent in ((11, "phuongvi"), (10, "tienluong"), (0, "tienluong")):
            on_day = officer.get(f"{path}?as_of={ago(day)}").json()
            assert on_day["parent_id"] == unit_id[parent]
            assert on_day["ancestors"][-1]["id"] == unit_id[parent]
            for filtered in ("parent", "under"):
                for commune in ("phuongvi", "tienluong"):
                    listed = officer.get(
                        f"/v1/units?{filtered}={unit_id[commune]}&as_of={ago(day)}"
                    )
                    assert (branch in ids(listed)) is (commune == parent)
        assert officer.get(f"{path}/lineage").json()["parents"] == [
            {
                "unit": {"id": unit_id["phuongvi"], "level": "commune", "name": "Xã Phượng Vĩ"},
                "valid_from": "1997-01-01",
                "valid_to": ago(11),
            },
            {
                "unit": {"id": unit_id["tienluong"], "level": "commune", "name": "Xã Tiên Lương"},
                "valid_from": ago(10),
                "valid_to": None,
            },
        ]
        row = unit_row(database, branch)
        assert (row.commune_id, row.district_id) == (unit_id["tienluong"], unit_id["camkhe"])
        found = people(database, branch)
        assert {(m.commune_id, m.province_id) for m in found} == {
            (unit_id["tienluong"], unit_id["phutho"])
        }

    def test_scopes_follow(self, api: Api, unit_id: UnitIds) -> None:
        branch, losing, gaining = unit_id["phuongvi-4"], api.as_("phuongvi"), api.as_("tienluong")
        people = losing.get(f"/v1/members?branch={branch}&limit=200").json()["items"]
        assert people
        moved(api.as_("camkhe"), branch, unit_id["tienluong"], ago(0))
        refused(losing.get(f"/v1/units/{branch}"), 404, "not_found")
        refused(losing.get(f"/v1/members/{people[0]['id']}"), 404, "not_found")
        pointed(losing.get(f"/v1/members?branch={branch}"), "/branch", "unit_unknown")
        assert gaining.get(f"/v1/units/{branch}").json()["member_count"] == len(people)
        now = gaining.get(f"/v1/members?branch={branch}&limit=200").json()["items"]
        assert [item["id"] for item in now] == [item["id"] for item in people]
        assert {item["commune_id"] for item in now} == {unit_id["tienluong"]}
        assert api.as_("phuongvi-4").get(f"/v1/units/{branch}").json()["id"] == branch

    def test_not_into_the_past_of_its_last_move_nor_into_the_future(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, path = api.as_("camkhe"), f"/v1/units/{unit_id['phuongvi-4']}/moves"
        moved(officer, unit_id["phuongvi-4"], unit_id["tienluong"], ago(10))
        before = written(database)
        back = {"parent_id": unit_id["phuongvi"]}
        for day in (ago(10), ago(11)):
            answer = officer.post(path, json=back | {"effective_on": day})
            assert as_written(ago(10)) in refused(answer, 409, "unit_date_conflict")["detail"]
        future = officer.post(path, json=back | {"effective_on": ago(-1)})
        pointed(future, "/effective_on", "date_in_future")
        early = officer.post(path, json=back | {"effective_on": "1996-12-31"})
        refused(early, 409, "unit_not_open_yet")
        assert written(database) == before
        assert moved(officer, unit_id["phuongvi-4"], unit_id["phuongvi"], ago(9))["revision"] == 3

    def test_the_new_parent_must_have_been_open(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        young = opened(officer, "commune", unit_id["phutho"], "Xã mới", opened_on=ago(5))
        path, body = f"/v1/units/{unit_id['phuongvi-4']}/moves", {"parent_id": young}
        early = officer.post(path, json=body | {"effective_on": ago(6)})
        refused(early, 409, "unit_not_open_yet")
        assert moved(officer, unit_id["phuongvi-4"], young, ago(5))["parent_id"] == young

    @pytest.mark.race
    def test_of_two_moves_at_once_one_comes_after_the_other(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        """A commune goes to another district while one of its branches leaves it."""
        officer = api.as_("phutho")
        other = opened(officer, "district", unit_id["phutho"], "Huyện Yên Lập")
        start = Barrier(2)

        def race(unit: int, parent: int) -> Response:
            mover = api.as_("phutho")
            start.wait()
            body = {"parent_id": parent, "effective_on": ago(5)}
            return mover.post(f"/v1/units/{unit}/moves", json=body)

        with ThreadPoolExecutor(2) as threads:
            commune = threads.submit(race, unit_id["phuongvi"], other)
            branch = threads.submit(race, unit_id["phuongvi-4"], unit_id["tienluong"])
        assert (commune.result().status_code, branch.result().status_code) == (200, 200)
        stays, left = (
            unit_row(database, unit_id["phuongvi-1"]),
            unit_row(database, unit_id["phuongvi-4"]),
        )
        assert (stays.commune_id, stays.district_id) == (unit_id["phuongvi"], other)
        assert (left.commune_id, left.district_id) == (unit_id["tienluong"], unit_id["camkhe"])
        assert unit_id["phuongvi-4"] not in ids(officer.get(f"/v1/units?under={other}"))

    @pytest.mark.race
    def test_a_member_admitted_meanwhile_moves_too(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, branch_id = api.as_("camkhe"), unit_id["phuongvi-4"]
        body, actor = (
            {"parent_id": unit_id["tienluong"], "effective_on": ago(0)},
            acting(database, "camkhe"),
        )
        with ThreadPoolExecutor(1) as threads:
            with writing(database) as session:
                member = admitted(session, actor, branch_id)
                moving = threads.submit(officer.post, f"/v1/units/{branch_id}/moves", json=body)
                with pytest.raises(TimeoutError):
                    moving.result(timeout=0.2)
            assert moving.result().status_code == 200
        with writing(database) as session:
            assert session.get_one(Member, member.id).commune_id == unit_id["tienluong"]


class TestMoveUnitRefuses(Reading):
    @pytest.mark.parametrize("parent", ["phuongvi-2", "phuongvi-1"])
    def test_keeps_the_order_of_levels(
        self, api: Api, database: Database, unit_id: UnitIds, parent: str
    ) -> None:
        before, body = written(database), {"parent_id": unit_id[parent], "effective_on": ago(1)}
        answer = api.as_("phutho").post(f"/v1/units/{unit_id['phuongvi-1']}/moves", json=body)
        refused(answer, 409, "unit_level_order")
        assert written(database) == before

    def test_where_it_stands_already_changes_nothing(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        before = written(database)
        body = moved(api.as_("camkhe"), unit_id["phuongvi-4"], unit_id["phuongvi"], ago(3))
        assert body["revision"] == 1
        assert written(database) == before

    def test_both_ends_must_be_within_the_callers_right(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        before = written(database)
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-4"]
        for parent_id in (unit_id["tienluong"], unit_id["camkhe"], 999_999):
            body = {"parent_id": parent_id, "effective_on": ago(1)}
            answer = officer.post(f"/v1/units/{branch}/moves", json=body)
            pointed(answer, "/parent_id", "unit_unknown")
        body = {"parent_id": unit_id["phuongvi"], "effective_on": ago(1)}
        other = officer.post(f"/v1/units/{unit_id['tienluong-1']}/moves", json=body)
        refused(other, 404, "not_found")
        for name in ("auditor", "admin"):
            seen = api.as_(name).post(f"/v1/units/{branch}/moves", json=body)
            assert refused(seen, 403, "forbidden")["required_right"] == "units:write"
        assert written(database) == before


@dataclass(frozen=True)
class World:
    """A database in which something has happened, for all the tests of a class to look at."""

    database: Database
    units: UnitIds


@contextmanager
def after(clones: Clones, app: FastAPI, happen: Callable[[Api], UnitIds]) -> Iterator[World]:
    with clones.clone() as url:
        database = Database(make_settings(url))
        give(app, database=database)
        serving(app).signin.verified.clear()
        yield World(database, happen(Api(app).as_("phutho")))
        database.close()


def the_one(officer: Api, query: str) -> int:
    [found] = ids(officer.get(f"/v1/units?{query}"))
    return found


class TestTheCommunesOfCamKhe:
    """Merged on 1/1/2025 by decree: the code of Yên Tập went to a new commune called Phú Khê."""

    DECREE = "1282/NQ-UBTVQH15"

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls, clones: Clones, shared_app: FastAPI) -> Iterator[World]:
        with after(clones, shared_app, cls._merge) as made:
            yield made

    @pytest.fixture
    def database(self, world: World) -> Database:
        return world.database

    @pytest.fixture
    def merged(self, world: World) -> UnitIds:
        return world.units

    @classmethod
    def _merge(cls, officer: Api) -> UnitIds:
        district = the_one(officer, "level=district")
        founded: Json = {"opened_on": "1997-01-01", "area_type": "rural"}
        yentap = opened(officer, "commune", district, "Xã Yên Tập", code="08398", **founded)
        phukhe = opened(officer, "commune", district, "Xã Phú Khê", code="08392", **founded)
        branch = opened(officer, "branch", yentap, "Chi hội khu 1", opened_on="2000-01-01")
        # The new commune takes its code when the old one has laid it down.
        new = opened(officer, "commune", district, "Xã Phú Khê", opened_on="2025-01-01")
        moved(officer, branch, new, "2025-01-01")
        for old in (yentap, phukhe):
            closed(officer, old, "2024-12-31", new, kind="merge", decree=cls.DECREE)
        coded = officer.patch(
            f"/v1/units/{new}", json={"code": "08398", "effective_on": "2025-01-01"}
        )
        assert coded.json()["code"] == "08398"
        made = {"camkhe": district, "yentap": yentap, "phukhe": phukhe, "new": new}
        return made | {"branch": branch}

    @pytest.mark.parametrize(
        ("code", "day", "expected"),
        [
            ("08398", "2024-06-01", "yentap"),
            ("08398", "2024-12-31", "yentap"),
            ("08398", "2025-01-01", "new"),
            ("08398", "2025-03-01", "new"),
            ("08392", "2024-06-01", "phukhe"),
        ],
    )
    def test_a_code_is_resolved_by_date(
        self, api: Api, merged: UnitIds, code: str, day: str, expected: str
    ) -> None:
        found = api.as_("phutho").get(f"/v1/units?code={code}&as_of={day}").json()["items"]
        assert [(item["id"], item["code"]) for item in found] == [(merged[expected], code)]

    def test_a_code_nobody_has_any_more_resolves_to_nothing(
        self, api: Api, merged: UnitIds
    ) -> None:
        assert ids(api.as_("phutho").get("/v1/units?code=08392&as_of=2025-01-01")) == set()
        assert ids(api.as_("phutho").get("/v1/units?code=08398")) == {merged["new"]}

    def test_two_communes_of_one_name_are_told_apart_by_date(
        self, api: Api, merged: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        path = "/v1/units?q=phu khe&level=commune"
        assert ids(officer.get(f"{path}&as_of=2024-12-31")) == {merged["phukhe"]}
        assert ids(officer.get(f"{path}&as_of=2025-01-01")) == {merged["new"]}
        assert ids(officer.get(f"{path}&include_closed=true")) == {merged["phukhe"], merged["new"]}

    def test_lineage_goes_both_ways(self, api: Api, merged: UnitIds) -> None:
        officer = api.as_("phutho")

        def step(name: str, title: str) -> Json:
            return {
                "unit": {"id": merged[name], "level": "commune", "name": title},
                "kind": "merge",
                "effective_on": "2025-01-01",
                "decree": self.DECREE,
                "inferred": False,
                "share": None,  # nobody was in them
            }

        new = officer.get(f"/v1/units/{merged['new']}/lineage").json()
        assert new["predecessors"] == [step("yentap", "Xã Yên Tập"), step("phukhe", "Xã Phú Khê")]
        assert new["successors"] == []
        for old, title, code in (
            ("yentap", "Xã Yên Tập", "08398"),
            ("phukhe", "Xã Phú Khê", "08392"),
        ):
            assert officer.get(f"/v1/units/{merged[old]}/lineage").json() == {
                "unit": {"id": merged[old], "level": "commune", "name": title},
                "parents": [
                    {
                        "unit": {
                            "id": merged["camkhe"],
                            "level": "district",
                            "name": "Huyện Cẩm Khê",
                        },
                        "valid_from": "1997-01-01",
                        "valid_to": "2024-12-31",
                    }
                ],
                "identifiers": [
                    {
                        "scheme": scheme,
                        "value": value,
                        "valid_from": "1997-01-01",
                        "valid_to": "2024-12-31",
                    }
                    for scheme, value in (("gso", code), ("name", title))
                ],
                "predecessors": [],
                "successors": [step("new", "Xã Phú Khê")],
            }

    def test_the_branch_came_along(self, api: Api, merged: UnitIds) -> None:
        officer, path = api.as_("phutho"), f"/v1/units/{merged['branch']}"
        for day, commune in (("2024-12-31", "yentap"), ("2025-01-01", "new")):
            on_day = officer.get(f"{path}?as_of={day}").json()
            assert on_day["ancestors"][-1]["id"] == merged[commune]


class TestWhenDistrictsWereRetired:
    """From 1/7/2025 communes stand under the province itself; districts are closed, not deleted."""

    LAST, FIRST = "2025-06-30", "2025-07-01"

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls, clones: Clones, shared_app: FastAPI) -> Iterator[World]:
        with after(clones, shared_app, cls._retire) as made:
            yield made

    @pytest.fixture
    def database(self, world: World) -> Database:
        return world.database

    @pytest.fixture
    def retired(self, world: World, unit_id: UnitIds) -> UnitIds:
        return unit_id

    @classmethod
    def _retire(cls, officer: Api) -> UnitIds:
        province, district = the_one(officer, "level=province"), the_one(officer, "level=district")
        for code in ("08356", "08344"):
            moved(officer, the_one(officer, f"code={code}"), province, cls.FIRST)
        closed(officer, district, cls.LAST)
        return {}

    def test_ancestors_of_both_dates(self, api: Api, retired: UnitIds) -> None:
        officer = api.as_("phutho")
        for slug, below in (("phuongvi", []), ("phuongvi-1", ["phuongvi"])):
            path = f"/v1/units/{retired[slug]}"
            for query, line in (
                (f"?as_of={self.LAST}", ["phutho", "camkhe", *below]),
                (f"?as_of={self.FIRST}", ["phutho", *below]),
                ("", ["phutho", *below]),
            ):
                found = officer.get(path + query).json()
                assert [unit["id"] for unit in found["ancestors"]] == [retired[s] for s in line]
                assert found["parent_id"] == retired[line[-1]]

    def test_lists_of_both_dates(self, api: Api, retired: UnitIds) -> None:
        officer, district = api.as_("phutho"), retired["camkhe"]
        everything = set(retired.values()) - {district, retired["phutho"]}
        for query in (f"under={district}", f"under={retired['phutho']}&level=branch"):
            assert ids(officer.get(f"/v1/units?{query}&as_of={self.LAST}")) <= everything
        assert ids(officer.get(f"/v1/units?under={district}&as_of={self.LAST}")) == everything
        assert ids(officer.get(f"/v1/units?under={district}&as_of={self.FIRST}")) == set()
        assert ids(officer.get(f"/v1/units?parent={retired['phutho']}")) == {
            retired["phuongvi"],
            retired["tienluong"],
        }
        assert ids(officer.get("/v1/units?level=district")) == set()
        assert ids(officer.get(f"/v1/units?level=district&as_of={self.LAST}")) == {district}

    def test_columns_of_units_and_members(
        self, api: Api, database: Database, retired: UnitIds
    ) -> None:
        with writing(database) as session:
            units = session.exec(select(Unit)).all()
            everyone = session.exec(select(Member)).all()
        for unit in units:
            own = retired["camkhe"] if unit.level is UnitLevel.district else None
            assert (unit.district_id, unit.province_id) == (own, retired["phutho"])
        communes = {retired["phuongvi"], retired["tienluong"]}
        assert {member.commune_id for member in everyone} == communes
        assert {member.province_id for member in everyone} == {retired["phutho"]}

    def test_the_role_of_the_district_officer_ended_with_it(
        self, api: Api, retired: UnitIds
    ) -> None:
        officer = api.as_("camkhe")
        assert officer.get("/v1/me").json()["grants"] == []
        for path in ("/v1/units?include_closed=true", f"/v1/units/{retired['camkhe']}"):
            assert refused(officer.get(path), 403, "forbidden")["required_right"] == "units:read"
        told = refused(officer.get("/v1/members"), 403, "forbidden")
        assert told["required_right"] == "members:read"

    def test_commune_officers_notice_nothing(self, api: Api, retired: UnitIds) -> None:
        officer = api.as_("phuongvi")
        assert len(ids(officer.get("/v1/units"))) == 5
        branches = officer.get("/v1/branches").json()["items"]
        assert {branch["commune_id"] for branch in branches} == {retired["phuongvi"]}


class TestUntilDistrictsWereRetired:
    def test_the_district_officer_saw_them_all_before(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("camkhe")
        assert len(ids(officer.get("/v1/units"))) == 11
        assert len(officer.get("/v1/branches").json()["items"]) == 8

    def test_the_district_closes_only_when_nothing_is_left_in_it(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        moved(officer, unit_id["phuongvi"], unit_id["phutho"], "2025-07-01")
        path = f"/v1/units/{unit_id['camkhe']}/close"
        half = officer.post(path, json={"effective_on": "2025-07-01"})
        assert "1 đơn vị con" in refused(half, 409, "unit_in_use")["detail"]
        moved(officer, unit_id["tienluong"], unit_id["phutho"], "2025-08-01")
        early = officer.post(path, json={"effective_on": "2025-07-01"})
        assert "31/07/2025" in refused(early, 409, "unit_date_conflict")["detail"]
        assert closed(officer, unit_id["camkhe"], "2025-07-31")["closed_on"] == "2025-07-31"
