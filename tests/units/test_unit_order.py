"""Units stand in the order of Vietnamese names, on both databases, in pages and whole."""

import json
import random

import pytest
from sqlmodel import col, select

from app.db import Database
from app.models.kernel.units import Unit
from app.text import name_key, unit_sort_key
from tests.helpers.client import Api, writing

IN_ORDER = [
    "Chi hội An",
    "Chi hội Ân",
    "Chi hội Dư",
    "Chi hội Đa",
    "Chi hội khu 2",
    "Chi hội khu 2A",
    "Chi hội khu 10",
    "Chi hội Ngô Xá",
    "Chi hội Tam Sơn",
    "Chi hội Tám Sơn",
    "Chi hội Vĩ",
    "Chi hội Vỹ",
    "Chi hội Yên Tập",
]


@pytest.fixture
def officer(api: Api, unit_id: dict[str, int]) -> Api:
    """Of a commune with all these branches, opened in no order."""
    officer = api.as_("camkhe")
    for name in random.Random(8).sample(IN_ORDER, len(IN_ORDER)):
        body = {
            "level": "branch",
            "parent_id": unit_id["tienluong"],
            "name": name,
            "opened_on": "2020-01-01",
        }
        assert officer.post("/v1/units", json=body).status_code == 201
    return officer


class TestOrder:
    @pytest.mark.parametrize("limit", [1, 4, 200])
    @pytest.mark.parametrize("path", ["units?under", "branches?commune"])
    def test_is_that_of_the_alphabet_in_every_page(
        self, officer: Api, unit_id: dict[str, int], path: str, limit: int
    ) -> None:
        address = f"/v1/{path}={unit_id['tienluong']}&limit={limit}"
        page = officer.get(address).json()
        names = [item["name"] for item in page["items"]]
        while page["next_cursor"]:
            page = officer.get(f"{address}&cursor={page['next_cursor']}").json()
            names += [item["name"] for item in page["items"]]
        assert [name for name in names if name in IN_ORDER] == [
            name for name in IN_ORDER for _ in range(1 + (name == "Chi hội khu 2"))
        ]
        assert names == sorted(names, key=unit_sort_key)

    def test_of_a_whole_list_is_the_same(self, officer: Api, unit_id: dict[str, int]) -> None:
        path = f"/v1/units?parent={unit_id['tienluong']}"
        listed = [item["id"] for item in officer.get(f"{path}&limit=200").json()["items"]]
        lines = officer.get(path, headers={"accept": "application/x-ndjson"}).text.splitlines()
        assert [json.loads(line)["id"] for line in lines] == listed

    def test_follows_a_new_name(self, officer: Api, unit_id: dict[str, int]) -> None:
        path = f"/v1/units?parent={unit_id['tienluong']}&limit=200"
        first = officer.get(path).json()["items"][0]
        assert first["name"] == "Chi hội An"
        renamed = officer.patch(f"/v1/units/{first['id']}", json={"name": "Chi hội Yên Vĩ"})
        assert renamed.status_code == 200
        assert officer.get(path).json()["items"][-1]["id"] == first["id"]

    def test_of_every_unit_is_stored_with_it(self, officer: Api, database: Database) -> None:
        with writing(database) as session:
            units = session.exec(select(Unit).order_by(col(Unit.id))).all()
        assert len(units) > len(IN_ORDER)
        for unit in units:
            keys = (unit.name_key, unit.sort_key)
            assert keys == (name_key(unit.name), unit_sort_key(unit.name))
