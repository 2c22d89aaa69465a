"""Who was shown whose record by an export: one note for all, answered by the place of the day."""

from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.models.kernel.access_log import AccessRead, BulkRead
from app.models.members.members import Member
from tests.exports.asking import Work, exported, household, rows_of
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, writing
from tests.kernel.changes import done


@pytest.fixture
def somebody(head: Api, officer: Api) -> str:
    """A member of phuongvi-1 with a phone and a religion."""
    found: str = done(head.get("/v1/members?limit=1"))["items"][0]["id"]
    body = {"phone": "0912345678", "religion": "catholic"}
    done(officer.patch(f"/v1/members/{found}", json=body))
    return found


def exports_seen(api: Api, path: str) -> list[Json]:
    items = done(api.get(f"{path}/access-log"))["items"]
    return [item for item in items if item["how"] == "export"]


def test_a_member_sees_the_export_that_had_her_record(
    api: Api, officer: Api, somebody: str, database: Database, work: Work
) -> None:
    manifest = exported(officer, work, kinds=["member"])
    row = rows_of(officer, manifest, "member")[somebody]
    [seen] = exports_seen(api.as_("phutho"), f"/v1/members/{somebody}")
    shown = {name for name in ("phone", "religion", "party") if row[name] is not None}
    assert shown <= {*seen["fields"]}
    assert (seen["times"], seen["last_at"]) == (1, manifest["ready_at"])
    assert seen["account_id"] == done(officer.get("/v1/me"))["id"]
    # One note, not one for each member.
    serving(api.app).access_log.flush()
    with writing(database) as session:
        by_export = col(AccessRead.how) == "export"
        assert session.execute(sa.select(AccessRead).where(by_export)).all() == []
        assert session.execute(sa.select(sa.func.count()).select_from(BulkRead)).scalar() == 1


def test_what_is_masked_is_not_named(head: Api, api: Api, somebody: str, work: Work) -> None:
    manifest = exported(head, work, kinds=["member"])
    row = rows_of(head, manifest, "member")[somebody]
    [seen] = exports_seen(api.as_("phutho"), f"/v1/members/{somebody}")
    assert row["masked"]
    assert not {*row["masked"]} & {*seen["fields"]}


def test_chosen_fields_alone_are_named(officer: Api, api: Api, somebody: str, work: Work) -> None:
    exported(officer, work, kinds=["member"], fields={"member": ["full_name"]})
    assert exports_seen(api.as_("phutho"), f"/v1/members/{somebody}") == []
    exported(officer, work, kinds=["member"], fields={"member": ["phone"]})
    [seen] = exports_seen(api.as_("phutho"), f"/v1/members/{somebody}")
    assert seen["fields"] == ["phone"]


def test_one_who_has_moved_since(
    api: Api, officer: Api, somebody: str, unit_id: UnitIds, work: Work
) -> None:
    """She sees the exports of the unit that she was in, and no other; it is the same of who came."""
    of_old, of_new = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
    before = exported(officer, work, kinds=["member"], unit=of_old)
    exported(officer, work, kinds=["member"], unit=of_new)
    body = {"to_branch_id": of_new, "reason": "Chuyển nơi ở"}
    done(officer.post(f"/v1/members/{somebody}/transfers", json=body))
    exported(officer, work, kinds=["member"], unit=of_old)
    after = exported(officer, work, kinds=["member"], unit=of_new)
    assert done(officer.get(f"/v1/members/{somebody}"))["branch_id"] == of_new
    seen = exports_seen(api.as_("phutho"), f"/v1/members/{somebody}")
    assert {item["last_at"] for item in seen} == {before["ready_at"], after["ready_at"]}


def test_a_restricted_record_was_in_none(
    api: Api, officer: Api, somebody: str, database: Database, work: Work
) -> None:
    with writing(database) as session:
        session.execute(
            sa.update(Member).where(col(Member.id) == UUID(somebody)).values(restricted=True)
        )
    exported(officer, work, kinds=["member"])
    assert exports_seen(api.as_("phutho"), f"/v1/members/{somebody}") == []


def test_a_household_and_the_members_in_it(
    api: Api, officer: Api, somebody: str, database: Database, unit_id: UnitIds, work: Work
) -> None:
    province = api.as_("phutho")
    home = household(officer, unit_id["phuongvi-1"], somebody)
    body = {"assessed_on": local_today().isoformat(), "source": "union_visit", "answers": {}}
    path = f"/v1/households/{home}/assessments"
    done(officer.post(path, json=body | {"income_per_person": 900_000}))
    manifest = exported(officer, work, kinds=["household"])
    [seen] = exports_seen(province, f"/v1/households/{home}")
    assert seen["fields"] == ["poverty"]
    [of_her] = exports_seen(province, f"/v1/members/{somebody}")
    assert (of_her["fields"], of_her["last_at"]) == (["poverty"], manifest["ready_at"])


def test_pages_of_reads_and_exports(officer: Api, api: Api, somebody: str, work: Work) -> None:
    province = api.as_("phutho")
    for reader in (officer, province):
        done(reader.get(f"/v1/members/{somebody}"))
        for _ in range(2):
            exported(reader, work, kinds=["member"])
    whole = done(province.get(f"/v1/members/{somebody}/access-log?limit=200"))["items"]
    assert [item["how"] for item in whole].count("export") == 4
    path, paged = f"/v1/members/{somebody}/access-log?limit=1", []
    cursor = ""
    while True:
        page = done(province.get(path + cursor))
        paged += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert paged == whole
