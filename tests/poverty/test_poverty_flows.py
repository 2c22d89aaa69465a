"""The flow tables over HTTP: they balance, follow every change at once, and tell outsiders little."""

from datetime import date
from io import BytesIO
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.db import Database
from app.models.base import table_of
from app.models.poverty.flows import COLUMNS, PovertyFlow, PovertyStay
from app.models.poverty.poverty import PovertyStatus
from app.services.poverty import account
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, done, forbidden
from tests.helpers.client import Api, counted, writing
from tests.helpers.homes import attributed, decide, home, move

IN = ("new", "relapsed", "from_other", "moved_in", "adjusted")
OUT = ("to_other", "escaped", "moved_out", "ended")


def table(api: Api, unit: int, name: str = "poor", **query: Any) -> Json:
    """The total line of one table."""
    asked = {"unit": unit, "from": "2025-01-01", "to": "2025-12-31"} | query
    items = done(api.get("/v1/poverty-status", params=asked))["items"]
    [line] = [item for item in items if item["table"] == name and item["part"] is None]
    found: Json = line
    return found


def told(line: Json, measure: str = "households") -> dict[str, int]:
    """The figures that are not zero."""
    figures = {name: line[f"{name}_{measure}"] for name in COLUMNS}
    return {name: number for name, number in figures.items() if number}


def by_area(api: Api, unit: int, day: str) -> dict[str, int]:
    """Poor households at the end of a day."""
    asked = {"unit": unit, "from": day, "to": day, "by": "area"}
    items = done(api.get("/v1/poverty-status", params=asked))["items"]
    poor = [item for item in items if item["table"] == "poor" and item["part"] is not None]
    return {item["part"]: n for item in poor if (n := item["closing_households"])}


def balances(line: Json) -> bool:
    return all(
        line[f"closing_{m}"]
        == line[f"opening_{m}"]
        + sum(line[f"{name}_{m}"] for name in IN)
        - sum(line[f"{name}_{m}"] for name in OUT)
        for m in ("households", "people")
    )


@pytest.fixture
def world(database: Database, unit_id: Ids) -> Ids:
    """Two branches of one commune: a home that escapes and relapses, one that falls from near-poor,
    one that stays, one that moves to another commune."""
    here, next_door, away = (unit_id[name] for name in ("phuongvi-1", "phuongvi-2", "tienluong-1"))
    back, falls, stays, moves = (
        home(database, branch, people=people)
        for branch, people in ((here, 2), (here, 4), (next_door, 5), (next_door, 3))
    )
    decide(database, back, "poor", "2023-01-01", causes=("capital", "illness"))
    decide(database, back, "escaped_poverty", "2024-01-01")
    decide(database, back, "poor", "2025-06-15")
    decide(database, falls, "near_poor", "2024-01-01")
    decide(database, falls, "poor", "2025-03-01", causes=("illness",))
    decide(database, stays, "poor", "2024-05-05")
    decide(database, moves, "poor", "2024-01-01")
    move(database, moves, away, "2025-02-01")
    decide(database, moves, "near_poor", "2025-12-10")
    return unit_id


class TestFlows:
    def test_an_area_that_changes_is_counted_by_its_days(
        self, api: Api, unit_id: Ids, database: Database
    ) -> None:
        """A town becomes a rural commune and stays the same unit: what lies before stays urban."""
        officer, commune = api.as_("camkhe"), unit_id["phuongvi"]
        decide(database, home(database, unit_id["phuongvi-1"], people=4), "poor", "2024-01-01")
        assert by_area(officer, commune, "2025-12-31") == {"rural": 1}
        path, since = f"/v1/units/{commune}", "2024-06-01"
        done(officer.patch(path, json={"area_type": "urban", "effective_on": since}))
        done(officer.patch(path, json={"area_type": "rural", "effective_on": "2025-07-01"}))
        assert by_area(officer, commune, "2024-05-31") == {"rural": 1}
        assert by_area(officer, commune, "2025-06-30") == {"urban": 1}
        assert by_area(officer, commune, "2025-07-01") == {"rural": 1}
        areas = [
            done(officer.get(f"{path}?as_of={day}"))["area_type"]
            for day in ("2024-05-31", "2025-06-30", "2025-07-01")
        ]
        assert areas == ["rural", "urban", "rural"]
        line = table(officer, commune)
        assert told(line) == {"opening": 1, "closing": 1}

    def test_of_a_commune(self, api: Api, world: Ids) -> None:
        line = table(api.as_("phuongvi"), world["phuongvi"])
        assert told(line) == {
            "opening": 2,
            "relapsed": 1,
            "from_other": 1,
            "moved_out": 1,
            "closing": 3,
        }
        assert told(line, "people") == {
            "opening": 8,
            "relapsed": 2,
            "from_other": 4,
            "moved_out": 3,
            "closing": 11,
        }
        assert balances(line)
        near = table(api.as_("phuongvi"), world["phuongvi"], "near_poor")
        assert told(near) == {"opening": 1, "to_other": 1}

    def test_of_the_commune_it_moved_to(self, api: Api, world: Ids) -> None:
        officer = api.as_("tienluong")
        assert told(table(officer, world["tienluong"])) == {"moved_in": 1, "to_other": 1}
        near = table(officer, world["tienluong"], "near_poor")
        assert told(near) == {"from_other": 1, "closing": 1}

    @pytest.mark.parametrize("name", ["phuongvi-1", "phuongvi", "camkhe", "phutho"])
    @pytest.mark.parametrize("period", [("2025-01-01", "2025-12-31"), ("2024-03-03", "2025-06-15")])
    @pytest.mark.parametrize("basis", ["as_was", "as_is"])
    def test_balance_everywhere(
        self, api: Api, world: Ids, name: str, period: tuple[str, str], basis: str
    ) -> None:
        query = {"from": period[0], "to": period[1], "hierarchy": basis}
        for which in ("poor", "near_poor"):
            assert balances(table(api.as_("phutho"), world[name], which, **query))
        before = table(api.as_("phutho"), world[name], **query | {"to": period[0]})
        after = table(api.as_("phutho"), world[name], **query | {"from": period[1]})
        assert balances(before)
        assert balances(after)

    def test_within_the_province_nobody_moved(self, api: Api, world: Ids) -> None:
        line = table(api.as_("phutho"), world["phutho"])
        assert told(line) == {
            "opening": 2,
            "relapsed": 1,
            "from_other": 1,
            "to_other": 1,
            "closing": 3,
        }

    def test_by_branch_and_by_cause(self, api: Api, world: Ids) -> None:
        officer = api.as_("phuongvi")
        query = {"unit": world["phuongvi"], "from": "2023-01-01", "to": "2025-12-31", "by": "unit"}
        items = done(officer.get("/v1/poverty-status", params=query))["items"]
        parts = {item["part_name"]: item for item in items if item["table"] == "poor"}
        assert list(parts) == [None, *(f"Chi hội khu {number}" for number in range(1, 5))]
        assert told(parts["Chi hội khu 1"]) == {
            "new": 1,
            "relapsed": 1,
            "from_other": 1,
            "escaped": 1,
            "closing": 2,
        }
        items = done(officer.get("/v1/poverty-status", params=query | {"by": "cause"}))["items"]
        causes = {i["part"]: told(i) for i in items if i["table"] == "poor" and i["part"]}
        assert causes["capital"] == {"new": 1, "escaped": 1}
        assert causes["illness"] == {"new": 1, "from_other": 1, "escaped": 1, "closing": 1}
        for by in ("area", "minority", "female_head", "ethnicity"):
            items = done(officer.get("/v1/poverty-status", params=query | {"by": by}))["items"]
            poor = [item for item in items if item["table"] == "poor"]
            assert poor[0]["closing_people"] == sum(i["closing_people"] for i in poor[1:])

    def test_are_there_as_a_workbook_that_balances(self, api: Api, world: Ids) -> None:
        query = {"unit": world["phuongvi"], "from": "2025-01-01", "to": "2025-12-31"}
        answer = api.as_("phuongvi").get(
            "/v1/poverty-status", params=query | {"format": "xlsx", "headings": "api"}
        )
        assert answer.status_code == 200
        rows = list(openpyxl.load_workbook(BytesIO(answer.content)).worksheets[0].values)
        lines = [dict(zip(map(str, rows[0]), row, strict=True)) for row in rows[1:]]
        assert [line["table"] for line in lines] == ["poor", "near_poor"]
        assert lines[0]["closing_households"] == 3
        assert all(balances(line) for line in lines)

    def test_follow_a_decision_that_was_annulled(
        self, api: Api, world: Ids, database: Database
    ) -> None:
        with writing(database) as session:
            attributed(session)
            status = session.exec(
                select(PovertyStatus).where(col(PovertyStatus.valid_from) == date(2025, 6, 15))
            ).one()
            status.annulled_on = status.valid_from
        assert told(table(api.as_("phuongvi"), world["phuongvi"])) == {
            "opening": 2,
            "from_other": 1,
            "moved_out": 1,
            "closing": 2,
        }

    def test_stored_sums_are_those_of_a_new_account(self, world: Ids, database: Database) -> None:
        def sums() -> list[tuple[Any, ...]]:
            with writing(database) as session:
                rows = session.execute(sa.select(*table_of(PovertyFlow).c)).all()
            return sorted(tuple(map(str, row)) for row in rows if row.households or row.people)

        kept = sums()
        with writing(database) as session:
            ids = list(
                session.execute(sa.select(col(PovertyStay.household_id)).distinct()).scalars()
            )
            account.restate(session, ids)
        assert sums() == kept
        with writing(database) as session:
            ids = list(
                session.execute(sa.select(col(PovertyStay.household_id)).distinct()).scalars()
            )
            session.execute(sa.delete(PovertyStay))
            session.execute(sa.delete(PovertyFlow))
            account.restate(session, ids)
        assert sums() == kept

    def test_take_few_statements(self, api: Api, world: Ids, database: Database) -> None:
        officer = api.as_("phutho")
        table(officer, world["phutho"])
        with counted(database) as statements:
            table(officer, world["phutho"], by="unit")
        # who asks, the unit, BEGIN, two sums, the parts, COMMIT
        assert len([s for s in statements if s.startswith("SELECT")]) <= 7


class TestReorganisation:
    def test_as_was_and_as_is(self, api: Api, world: Ids, database: Database) -> None:
        body = {"parent_id": world["tienluong"], "effective_on": "2025-07-01"}
        done(api.as_("phutho").post(f"/v1/units/{world['phuongvi-1']}/moves", json=body))
        officer = api.as_("phutho")
        assert told(table(officer, world["phuongvi"])) == {
            "opening": 2,
            "relapsed": 1,
            "from_other": 1,
            "moved_out": 3,
            "closing": 1,
        }
        assert told(table(officer, world["tienluong"])) == {
            "moved_in": 3,
            "to_other": 1,
            "closing": 2,
        }
        as_is = {"hierarchy": "as_is"}
        assert told(table(officer, world["phuongvi"], **as_is)) == {
            "opening": 2,
            "moved_out": 1,
            "closing": 1,
        }
        assert told(table(officer, world["tienluong"], **as_is)) == {
            "relapsed": 1,
            "from_other": 1,
            "moved_in": 1,
            "to_other": 1,
            "closing": 2,
        }


class TestTransitions:
    def test_between_two_days(self, api: Api, world: Ids) -> None:
        query = {"unit": world["phutho"], "from": "2024-12-31", "to": "2025-12-31"}
        items = done(api.as_("phutho").get("/v1/poverty-status/transitions", params=query))["items"]
        found = {(i["before"], i["after"]): (i["households"], i["people"]) for i in items}
        assert len(items) == 8
        assert {pair: n for pair, n in found.items() if n[0]} == {
            ("poor", "poor"): (1, 5),
            ("poor", "near_poor"): (1, 3),
            ("near_poor", "poor"): (1, 4),
            ("neither", "poor"): (1, 2),
        }


class TestWhoMayAsk:
    def test_out_of_sight(self, api: Api, world: Ids) -> None:
        query = {"unit": world["tienluong"]}
        refused(api.as_("phuongvi").get("/v1/poverty-status", params=query), 404, "not_found")
        refused(api.as_("phuongvi").get("/v1/poverty-status?unit=999999"), 404, "not_found")
        forbidden(api.as_("member").get("/v1/poverty-status", params=query), "units:read")

    @pytest.mark.parametrize("by", ["ethnicity", "minority"])
    def test_origin_needs_its_right(self, api: Api, world: Ids, by: str) -> None:
        query = {"unit": world["phuongvi-1"], "by": by}
        answer = api.as_("phuongvi-1").get("/v1/poverty-status", params=query)
        forbidden(answer, "members:ethnicity")
        assert done(api.as_("phuongvi").get("/v1/poverty-status", params=query))["items"]

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ({"from": "2025-02-01", "to": "2025-01-01"}, "/to", "dates_reversed"),
            ({"to": "2999-01-01"}, "/to", "date_in_future"),
            ({"by": "shoe"}, "/by", "not_in_list"),
        ],
    )
    def test_bad_input(self, api: Api, world: Ids, query: Json, pointer: str, code: str) -> None:
        asked = {"unit": world["phuongvi"]} | query
        pointed(api.as_("phuongvi").get("/v1/poverty-status", params=asked), pointer, code)
