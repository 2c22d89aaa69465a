"""Who was shown whose record by an export: one note for all, answered by the place of the day."""

from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.models.kernel.access_log import AccessRead, BulkRead
from app.models.kernel.accounts import Account
from app.models.members.members import Member
from app.services.kernel import access_log
from tests.exports.asking import Work, exported, household, rows_of
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, writing
from tests.kernel.changes import done
from tests.sync.acts import granted


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
    home = assessed(officer, unit_id["phuongvi-1"], somebody)
    manifest = exported(officer, work, kinds=["household"])
    [seen] = exports_seen(province, f"/v1/households/{home}")
    assert seen["fields"] == ["poverty"]
    [of_her] = exports_seen(province, f"/v1/members/{somebody}")
    assert (of_her["fields"], of_her["last_at"]) == (["poverty"], manifest["ready_at"])


def assessed(officer: Api, branch_id: int, somebody: str) -> str:
    """The id of a household of hers that was visited by the union."""
    home = household(officer, branch_id, somebody)
    body = {"assessed_on": local_today().isoformat(), "source": "union_visit", "answers": {}}
    path = f"/v1/households/{home}/assessments"
    done(officer.post(path, json=body | {"income_per_person": 900_000}))
    return home


def notes(database: Database) -> tuple[int, int]:
    """How many units, and how many records, exports have noted."""
    with writing(database) as session:
        units = session.execute(sa.select(sa.func.count()).select_from(BulkRead)).scalar_one()
        by_export = col(AccessRead.how) == "export"
        count = sa.select(sa.func.count()).select_from(AccessRead).where(by_export)
        return units, session.execute(count).scalar_one()


def test_what_hangs_on_a_household_alone_is_noted_by_itself(
    api: Api, officer: Api, somebody: str, database: Database, unit_id: UnitIds, work: Work
) -> None:
    """Households that were not assessed were not shown, though they stand in the unit."""
    province, branch = api.as_("phutho"), unit_id["phuongvi-1"]
    home = assessed(officer, branch, somebody)
    other = done(officer.get("/v1/members?limit=2"))["items"][1]["id"]
    not_assessed = household(officer, branch, other)
    exported(officer, work, kinds=["assessment"])
    for path, times in ((home, 1), (not_assessed, 0)):
        assert len(exports_seen(province, f"/v1/households/{path}")) == times
    [of_her] = exports_seen(province, f"/v1/members/{somebody}")
    assert (of_her["fields"], of_her["times"]) == (["poverty"], 1)
    units, records = notes(database)
    assert (units, records >= 2) == (0, True)
    # With all households of the unit it is one note for both.
    exported(officer, work, kinds=["household", "assessment"])
    assert [item["times"] for item in exports_seen(province, f"/v1/households/{home}")] == [1, 1]
    assert notes(database) == (1, records)


def test_an_export_since_another_notes_what_it_has(
    api: Api,
    head: Api,
    officer: Api,
    somebody: str,
    database: Database,
    unit_id: UnitIds,
    work: Work,
) -> None:
    province = api.as_("phutho")
    end = granted(database, "phuongvi-1", unit_id["phuongvi-2"], "branch_head")
    first = exported(head, work, kinds=["member"])
    rows = rows_of(head, first, "member")
    before = notes(database)
    [other] = [id_ for id_, row in rows.items() if row["branch_id"] == unit_id["phuongvi-2"]][:1]
    done(officer.patch(f"/v1/members/{somebody}", json={"address": "Khu 3"}))
    end(-1)
    later = exported(head, work, since=first["watermark"])
    assert rows_of(head, later, "member").keys() == {somebody}
    # Of the unit that was lost meanwhile it has shown nobody.
    assert notes(database) == (before[0], before[1] + 1)
    assert len(exports_seen(province, f"/v1/members/{somebody}")) == 2
    seen = exports_seen(province, f"/v1/members/{other}")
    assert [item["last_at"] for item in seen] == [first["ready_at"]]


def test_a_unit_that_came_is_one_note(
    head: Api, officer: Api, somebody: str, database: Database, unit_id: UnitIds, work: Work
) -> None:
    first = exported(head, work, kinds=["member"])
    units, records = notes(database)
    granted(database, "phuongvi-1", unit_id["phuongvi-2"], "branch_head")
    later = exported(head, work, since=first["watermark"])
    assert len(rows_of(head, later, "member")) > 1
    assert notes(database) == (units + 1, records)


def test_many_single_records_are_all_noted(
    api: Api,
    officer: Api,
    somebody: str,
    database: Database,
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However few are held at a time."""
    monkeypatch.setattr(access_log, "MOST_SUMS", 20)
    first = exported(officer, work, kinds=["member"])
    own = done(officer.get("/v1/me"))["member_id"]
    ids = [id_ for id_ in rows_of(officer, first, "member") if id_ != own][:30]
    for number, id_ in enumerate(ids):
        done(officer.patch(f"/v1/members/{id_}", json={"phone": f"0912345{number:03d}"}))
    before = notes(database)
    exported(officer, work, since=first["watermark"])
    assert notes(database) == (before[0], before[1] + len(ids))


def test_her_own_export_and_a_record_that_was_merged_into_hers(
    api: Api, officer: Api, somebody: str, unit_id: UnitIds, database: Database, work: Work
) -> None:
    province = api.as_("phutho")
    body = {"full_name": "Mùa Thị Đôi", "birth_date": "1990", "joined_on": "2015"}
    asked = body | {"branch_id": unit_id["phuongvi-1"], "phone": "0912345699"}
    kept, lost = (done(officer.post("/v1/members", json=asked))["id"] for _ in range(2))
    moved = {"to_branch_id": unit_id["phuongvi-2"], "reason": "Chuyển nơi ở"}
    done(officer.post(f"/v1/members/{kept}/transfers", json=moved))
    # Only the record that will go is in this one.
    before = exported(officer, work, kinds=["member"], unit=unit_id["phuongvi-1"])
    merged = {"other_id": lost, "reason": "Nhập hai lần", "memberships": "kept"}
    done(officer.post(f"/v1/members/{kept}/merges", json=merged))
    after = exported(officer, work, kinds=["member"], unit=unit_id["phuongvi-2"])
    exported(officer, work, kinds=["member"], unit=unit_id["phuongvi-1"])
    seen = exports_seen(province, f"/v1/members/{kept}")
    assert {item["last_at"] for item in seen} == {before["ready_at"], after["ready_at"]}
    # The officer is she herself.
    with writing(database) as session:
        her = sa.update(Account).where(col(Account.username) == "phuongvi")
        session.execute(her.values(member_id=UUID(kept)))
    assert exports_seen(province, f"/v1/members/{kept}") == []


def test_the_log_of_exports_tells_of_one_that_had_somebody_who_has_left(
    api: Api, officer: Api, somebody: str, work: Work, unit_id: UnitIds
) -> None:
    """What her access log names is found in the log of exports, with its units, day and number."""
    province = api.as_("phutho")
    manifest = exported(officer, work, kinds=["member"], unit=unit_id["phuongvi-1"])
    body = {"to_branch_id": unit_id["tienluong-1"], "reason": "Chuyển nhà"}
    asked = done(province.post(f"/v1/members/{somebody}/transfers", json=body))
    province.post(f"/v1/transfers/{asked['id']}/accept", json={})
    assert done(province.get(f"/v1/members/{somebody}"))["branch_id"] == unit_id["tienluong-1"]
    [seen] = exports_seen(province, f"/v1/members/{somebody}")
    [noted] = done(province.get("/v1/export-log"))["items"]
    assert noted["account_id"] == seen["account_id"]
    assert noted["path"] == f"/v1/exports/{manifest['id']}"
    assert noted["at"][:10] == seen["last_at"][:10] == manifest["ready_at"][:10]
    assert noted["filters"]["unit"] == unit_id["phuongvi-1"]
    assert noted["filters"]["seq"] == manifest["seq"]


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
