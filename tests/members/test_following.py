"""Whatever way a record is changed: it is found by what it says now, and its household is named so."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from sqlmodel import col, select

from app.db import Database
from app.models.kernel.accounts import Account
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, done, made
from tests.helpers.client import Api, writing
from tests.imports.test_imports import applied, csv_file, previewed

OLD_PHONE, PHONE = "0912345678", "0987654321"
NAME = "Khổng Thị Zơi"
CHANGED = {"full_name": NAME, "phone": PHONE}


class World(NamedTuple):
    """Her record, headed by whom her household is listed, and who may change it."""

    officer: Api
    her: Api
    member: Json
    household: Json
    unit_id: Ids
    work: Callable[[], int]

    @property
    def path(self) -> str:
        return f"/v1/members/{self.member['id']}"


@pytest.fixture
def world(api: Api, database: Database, unit_id: Ids, work: Callable[[], int]) -> World:
    with writing(database) as session:
        her_id = session.exec(
            select(Account.member_id).where(col(Account.username) == "member")
        ).one()
    officer = api.as_("phuongvi")
    member = done(officer.patch(f"/v1/members/{her_id}", json={"phone": OLD_PHONE}))
    body = {
        "branch_id": member["branch_id"],
        "opened_on": "2024-01-01",
        "people": [{"member_id": str(her_id), "relation": "head"}],
    }
    household = made(officer.post("/v1/households", json=body))
    return World(officer, api.as_("member"), member, household, unit_id, work)


def by_form(world: World) -> None:
    done(world.officer.patch(world.path, json=CHANGED))


def by_her_own_request(world: World) -> None:
    asked = made(world.her.post("/v1/me/corrections", json={"changes": CHANGED}))
    done(world.officer.post(f"/v1/correction-requests/{asked['id']}/approve"))


def imported(world: World) -> Json:
    header = ["Mã", "Họ và tên", "Ngày sinh", "Điện thoại"]
    row = [world.member["id"], NAME, world.member["birth_date"], PHONE]
    unit = world.unit_id["phuongvi"]
    content = csv_file(header, [row])
    item = previewed(world.officer, world.work, unit, content, name="ds.csv")
    assert item["summary"]["updated"] == 1, item
    return applied(world.officer, world.work, item["id"])


def by_import(world: World) -> None:
    imported(world)


def merged(world: World) -> Json:
    twin = made(
        world.officer.post(
            "/v1/members",
            json={
                "branch_id": world.member["branch_id"],
                "birth_date": world.member["birth_date"],
                "joined_on": None,
                **CHANGED,
            },
        )
    )
    chosen = {"full_name": "other", "phone": "other"}
    body = {"other_id": twin["id"], "reason": "Nhập hai lần", "fields": chosen}
    return made(world.officer.post(f"{world.path}/merges", json=body))


def by_merge(world: World) -> None:
    merged(world)


def found(api: Api, query: str) -> list[str]:
    items: list[Json] = done(api.get("/v1/members", params={"q": query}))["items"]
    return [item["id"] for item in items]


def ensure_is(api: Api, world: World, name: str, phone: str, *, not_phone: str) -> None:
    """She is listed by this name, and found by this name and phone alone."""
    record: dict[str, Any] = done(world.officer.get(world.path))
    assert (record["full_name"], record["phone"][-9:]) == (name, phone[-9:])
    home = done(world.officer.get(f"/v1/households/{world.household['id']}"))
    assert (home["head_name"], home["head_id"]) == (name, world.member["id"])
    assert world.member["id"] in found(api.as_("phutho"), name)
    assert found(world.officer, phone) == [world.member["id"]]
    assert world.member["id"] not in found(world.officer, not_phone)


@pytest.mark.parametrize("change", [by_form, by_her_own_request, by_import, by_merge])
def test_follows_a_change(api: Api, world: World, change: Callable[[World], None]) -> None:
    ensure_is(api, world, world.member["full_name"], OLD_PHONE, not_phone=PHONE)
    change(world)
    ensure_is(api, world, NAME, PHONE, not_phone=OLD_PHONE)


def test_follows_an_import_that_is_taken_back(api: Api, world: World) -> None:
    item = imported(world)
    answer = world.officer.post(f"/v1/imports/{item['id']}/undo")
    assert answer.status_code == 202, answer.text
    world.work()
    ensure_is(api, world, world.member["full_name"], OLD_PHONE, not_phone=PHONE)
    assert found(world.officer, PHONE) == []


def test_follows_a_merge_that_is_undone(api: Api, world: World) -> None:
    merge = merged(world)
    done(world.officer.post(f"/v1/merges/{merge['id']}/undo"))
    ensure_is(api, world, world.member["full_name"], OLD_PHONE, not_phone=PHONE)
    assert found(world.officer, PHONE) == [merge["gone_id"]]
