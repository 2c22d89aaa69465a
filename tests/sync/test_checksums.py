"""A phone finds where it differs, and loads only that again."""

import pytest

from app.db import Database
from tests.helpers.answers import UnitIds, refused
from tests.helpers.client import Api
from tests.helpers.phone import Phone, fresh_slice
from tests.kernel.changes import done
from tests.sync.acts import Acts
from tests.sync.test_slices import fill


def sums_of(api: Api, **query: object) -> dict[tuple[str, int], str]:
    items = done(api.get("/v1/sync/checksums", params=query))["items"]
    return {(item["kind"], item["unit_id"]): item["checksum"] for item in items}


@pytest.fixture
def phone(api: Api, database: Database, unit_id: UnitIds) -> Phone:
    fill(Acts(api, database, unit_id, seed=1))
    made = Phone(api.as_("phuongvi"))
    made.pull()
    return made


def test_they_agree(phone: Phone, unit_id: UnitIds) -> None:
    sums = sums_of(phone.api)
    assert sums == phone.checksums()
    assert {kind for kind, _ in sums} == phone.slice.keys()
    branch = unit_id["phuongvi-1"]
    of_branch = sums_of(phone.api, kinds="member,household", unit=branch)
    assert of_branch == {
        where: sums[where] for where in (("member", branch), ("household", branch))
    }


def test_of_one_unit_they_are_of_what_its_stream_sends(phone: Phone, unit_id: UnitIds) -> None:
    """Also of a post elsewhere whose holder stands in the unit."""
    branch = unit_id["phuongvi-1"]
    part = Phone(phone.api, unit=branch)
    part.pull()
    sums = sums_of(phone.api, unit=branch)
    assert sums == part.checksums()
    assert {unit for _, unit in sums} > {branch}
    planned = done(phone.api.get("/v1/sync/plan", params={"unit": branch}))
    assert planned["rows"] == sum(map(len, part.rows.values()))


def test_what_differs_is_loaded_again(phone: Phone, unit_id: UnitIds) -> None:
    branch = unit_id["phuongvi-2"]
    lost = next(k for k, row in phone.rows["member"].items() if row["branch_id"] == branch)
    del phone.rows["member"][lost]
    mine, theirs = phone.checksums(), sums_of(phone.api)
    assert {where for where in theirs if mine.get(where) != theirs[where]} == {("member", branch)}
    again = Phone(phone.api, kinds="member", unit=branch)
    again.pull()
    assert {row["branch_id"] for row in again.rows["member"].values()} == {branch}
    phone.rows["member"] |= again.rows["member"]
    assert phone.checksums() == theirs
    assert phone.pull() == []
    assert phone.slice == fresh_slice(phone.api)


def test_a_unit_or_kind_out_of_reach(head: Api, api: Api, unit_id: UnitIds) -> None:
    refused(head.get(f"/v1/sync/checksums?unit={unit_id['tienluong']}"), 422, "validation_failed")
    refused(api.as_("admin").get("/v1/sync/checksums?kinds=member"), 403, "forbidden")
