"""What a draft may name, and what its preview shows to whom."""

from typing import Any

import pytest

from app.clock import local_today, utc_now
from app.db import Database
from app.models.kernel.access import Grant, Role
from app.models.kernel.changes import ChangeSource
from app.services.kernel import changes
from tests.helpers.answers import Json, UnitIds, pointed
from tests.helpers.cadres import account, done, forbidden, made
from tests.helpers.captures import members_of
from tests.helpers.client import Api, writing
from tests.helpers.tables import everything
from tests.units.units import ago, moved, opened, unit_row


def drafted(api: Api, *operations: Json) -> Json:
    body = {"effective_on": ago(0), "operations": operations}
    return made(api.post("/v1/reorganisations", json=body))


def seen(api: Api, draft: Json) -> Json:
    return done(api.get(f"/v1/reorganisations/{draft['id']}/preview"))


CLOSE: Json = {"op": "close", "unit_id": "x"}
OPEN: Json = {"op": "open", "key": "x", "level": "branch", "name": "Chi hội", "parent_id": "x"}


@pytest.mark.parametrize(
    ("operations", "pointer"),
    [
        ([CLOSE], "/operations/0/unit_id"),
        ([OPEN], "/operations/0/parent_id"),
        ([{"op": "retire_level", "level": "district", "under_id": "x"}], "/operations/0/under_id"),
    ],
)
def test_a_key_is_of_a_unit_that_an_earlier_operation_opens(
    api: Api, database: Database, operations: list[Json], pointer: str
) -> None:
    before = everything(database)
    body: Any = {"effective_on": ago(0), "operations": operations}
    pointed(api.as_("camkhe").post("/v1/reorganisations", json=body), pointer, "unit_unknown")
    assert everything(database) == before


def test_totals_are_of_units_whose_people_the_reader_may_count(api: Api, unit_id: UnitIds) -> None:
    move = {"op": "move", "unit_id": unit_id["phuongvi-1"], "parent_id": unit_id["tienluong"]}
    draft = drafted(api.as_("camkhe"), move)
    district = {unit_id[name] for name in ("camkhe", "phuongvi", "tienluong")}
    assert {each["unit"] for each in seen(api.as_("camkhe"), draft)["totals"]} == district
    province = {each["unit"] for each in seen(api.as_("phutho"), draft)["totals"]}
    assert province == {*district, unit_id["phutho"]}


def test_what_ends_is_not_counted_for_who_may_not_count_members(api: Api, unit_id: UnitIds) -> None:
    empty = opened(api.as_("camkhe"), "branch", unit_id["phuongvi"], "Chi hội khu 5")
    draft = drafted(api.as_("camkhe"), {"op": "close", "unit_id": empty})
    for reader, counted in (("camkhe", True), ("admin", False)):
        preview = seen(api.as_(reader), draft)
        assert (preview["consequences"] is not None) is counted
        assert (preview["totals"] is not None) is counted


def test_what_prevents_it_is_said_in_full_to_who_may_decide(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    """Its troubles name days and meetings of a branch."""
    source, target = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
    people = [str(each) for each in members_of(database, source)]
    transfer = {"op": "transfer", "from_id": source, "to_id": target, "member_ids": people}
    body: Json = {"effective_on": "1998-01-01", "operations": [transfer]}
    draft = made(api.as_("camkhe").post("/v1/reorganisations", json=body))
    [full] = seen(api.as_("camkhe"), draft)["problems"]
    [brief] = seen(api.as_("admin"), draft)["problems"]
    assert brief == full | {"detail": brief["title"]} != full


def test_who_decides_holds_the_right_over_what_has_gone_elsewhere_too(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    both = [unit_id["phuongvi"], unit_id["tienluong"]]
    renames: list[Json] = [{"op": "rename", "unit_id": unit, "name": "Xã Mới"} for unit in both]
    draft = drafted(api.as_("camkhe"), *renames)
    elsewhere = opened(api.as_("phutho"), "district", unit_id["phutho"], "Huyện Hạ Hòa")
    moved(api.as_("phutho"), unit_id["tienluong"], elsewhere, ago(1))
    auditor, now = account(database, "auditor").id, utc_now()
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        session.add(
            Grant(
                account_id=auditor,
                unit_id=unit_id["camkhe"],
                role=Role.district_officer,
                valid_from=local_today(),
                created_at=now,
                updated_at=now,
            )
        )
    reader = api.as_("auditor")
    digest = {"digest": seen(reader, draft)["digest"]}
    path = f"/v1/reorganisations/{draft['id']}"
    forbidden(reader.post(f"{path}/apply", json=digest), "units:write")
    assert unit_row(database, unit_id["tienluong"]).name != "Xã Mới"
    done(api.as_("phutho").post(f"{path}/apply", json=digest))
    forbidden(reader.post(f"{path}/revert", json={}), "units:write")
    assert unit_row(database, unit_id["tienluong"]).name == "Xã Mới"
