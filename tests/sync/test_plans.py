"""What a phone pulls is found by indexes, whatever its scope and however large the tables are."""

import pytest

from app.db import Database
from app.models.sync.pull import LEAST_BYTES
from tests.helpers.client import Api
from tests.helpers.databases import ON_POSTGRESQL
from tests.helpers.meetings import announced
from tests.helpers.phone import Phone
from tests.helpers.plans import scanning, sent
from tests.kernel.changes import done

# One row; one for each unit, account or file of the release: these grow with the tree alone.
SMALL = {"feed_head", "unit", "account", "grant"}


@pytest.mark.skipif(not ON_POSTGRESQL, reason="its planner is asked")
@pytest.mark.parametrize("username", ["phuongvi-1", "phutho"])
def test_no_table_is_read_from_end_to_end(api: Api, database: Database, username: str) -> None:
    mine = api.as_(username)
    phone = Phone(mine)
    with sent(database) as statements:
        done(mine.get("/v1/sync/plan"))
        done(mine.get("/v1/sync/checksums"))
        phone.max_bytes = LEAST_BYTES
        phone.pull()
        announced(api.as_("phutho"), **units_of(phone))
        for somebody in list(phone.rows["member"])[:3]:
            done(mine.patch(f"/v1/members/{somebody}", json={"address": "Khu 1"}))
        phone.pull()
    found = {text: tables for text, tables in scanning(database, statements) if tables - SMALL}
    assert found == {}


def units_of(phone: Phone) -> dict[str, list[int]]:
    """A meeting that the province hosts for the highest unit of the phone."""
    rows = phone.rows["unit"].values()
    top = min(
        rows, key=lambda row: ["province", "district", "commune", "branch"].index(row["level"])
    )
    return {"invited_unit_ids": [int(top["id"])]}
