"""Attendance on phones: of who was in the branch on the day, whatever becomes of it and of her."""

from datetime import timedelta
from uuid import UUID

import pytest
import time_machine

from app.clock import utc_now
from app.db import Database
from app.models.kernel.access import Right
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import hold, members_of, send, tapped
from tests.helpers.client import Api
from tests.helpers.phone import Phone, fresh_slice
from tests.kernel.changes import done
from tests.sync.acts import BORN, granted
from tests.sync.test_hidden_kinds import may_only


@pytest.fixture
def held(database: Database, unit_id: UnitIds) -> UUID:
    return hold(database, [unit_id["phuongvi-1"]])


@pytest.fixture
def roster(database: Database, unit_id: UnitIds) -> list[UUID]:
    return members_of(database, unit_id["phuongvi-1"])


@pytest.fixture
def phone(head: Api) -> Phone:
    made = Phone(head)
    made.pull()
    return made


@pytest.fixture
def province(api: Api) -> Api:
    return api.as_("phutho")


def ops(phone: Phone) -> list[str]:
    """What the next pull does with attendance; the phone has then what one has that begins now."""
    items = [item for item in phone.pull() if item["kind"] == "attendance"]
    assert phone.slice.get("attendance") == fresh_slice(phone.api).get("attendance")
    theirs = done(phone.api.get("/v1/sync/checksums", params={"kinds": "attendance"}))["items"]
    sums = {where: text for where, text in phone.checksums().items() if where[0] == "attendance"}
    assert {(each["kind"], each["unit_id"]): each["checksum"] for each in theirs} == sums
    return [item["op"] for item in items]


def attended(phone: Phone) -> list[Json]:
    return list(phone.rows["attendance"].values())


def moved(api: Api, member_id: object, branch: int) -> None:
    body = {"to_branch_id": branch, "reason": "Chuyển nhà"}
    asked = done(api.post(f"/v1/members/{member_id}/transfers", json=body))
    done(api.post(f"/v1/transfers/{asked['id']}/accept", json={}))


def restricted(api: Api, member_id: object) -> str:
    path = f"/v1/members/{member_id}/processing-limits"
    limit = done(api.post(path, json={"kind": "restriction", "note": "Chị yêu cầu"}))
    return str(limit["id"])


def test_what_is_captured_comes_and_what_is_annulled_goes(
    phone: Phone, head: Api, held: UUID, roster: list[UUID]
) -> None:
    captures = [tapped(each) for each in roster[:3]]
    send(head, held, captures)
    assert ops(phone) == ["upsert"] * 3
    earlier = tapped(roster[0], utc_now() - timedelta(minutes=50))
    send(head, held, [earlier])
    assert ops(phone) == ["upsert"]
    assert {row["session_id"] for row in attended(phone)} == {str(held)}
    annul = {"reason": "Ghi nhầm"}
    done(head.post(f"/v1/captures/{captures[1]['id']}/annul", json=annul))
    assert ops(phone) == ["delete"]
    done(head.post(f"/v1/captures/{earlier['id']}/annul", json=annul))
    assert ops(phone) == ["upsert"], "the other capture of her counts"
    assert {row["member_id"] for row in attended(phone)} == {str(roster[0]), str(roster[2])}


def test_others_are_told_nothing(
    phone: Phone, api: Api, database: Database, unit_id: UnitIds, roster: list[UUID]
) -> None:
    """Neither of another branch, nor of who came there from elsewhere."""
    there = unit_id["tienluong-1"]
    session = hold(database, [unit_id["tienluong"]], [there, unit_id["phuongvi"]])
    theirs, hers = members_of(database, there)[0], roster[0]
    verdicts = send(api.as_("phutho"), session, [tapped(theirs), tapped(hers)])
    assert [each["attendance"] for each in verdicts] == ["new", "new"]
    assert ops(phone) == ["upsert"]
    assert [row["member_id"] for row in attended(phone)] == [str(hers)]


def test_it_stays_where_she_was_when_she_moves(
    phone: Phone,
    api: Api,
    head: Api,
    province: Api,
    unit_id: UnitIds,
    held: UUID,
    roster: list[UUID],
) -> None:
    send(head, held, [tapped(roster[0])])
    ops(phone)
    there = Phone(api.as_("tienluong-1"))
    there.pull()
    moved(province, roster[0], unit_id["tienluong-1"])
    assert ops(phone) == []
    assert str(roster[0]) not in phone.rows["member"]
    assert ops(there) == []
    assert str(roster[0]) in there.rows["member"]
    done(province.patch(f"/v1/members/{roster[0]}", json={"full_name": "Lò Thị Sen"}))
    assert ops(phone) == ["upsert"]
    assert [row["full_name"] for row in attended(phone)] == ["Lò Thị Sen"]
    limit = restricted(province, roster[0])
    assert ops(phone) == ["left_scope"]
    done(province.post(f"/v1/processing-limits/{limit}/lift", json={"note": "xong"}))
    assert ops(phone) == ["upsert"]


def test_what_it_does_not_show_brings_nothing(
    phone: Phone, head: Api, held: UUID, roster: list[UUID]
) -> None:
    send(head, held, [tapped(roster[0])])
    ops(phone)
    done(head.patch(f"/v1/members/{roster[0]}", json={"address": "Khu 9"}))
    assert ops(phone) == []


def test_two_records_of_one_person(
    phone: Phone, head: Api, province: Api, unit_id: UnitIds, held: UUID
) -> None:
    body = BORN | {"full_name": "Mùa Thị Dỉnh", "branch_id": unit_id["phuongvi-1"]}
    kept, lost = (done(province.post("/v1/members", json=body))["id"] for _ in range(2))
    send(head, held, [tapped(kept), tapped(lost)])
    assert ops(phone) == ["upsert", "upsert"]
    merge = {"other_id": lost, "reason": "Nhập hai lần"}
    merged = done(province.post(f"/v1/members/{kept}/merges", json=merge))
    assert "delete" in ops(phone)
    assert [row["member_id"] for row in attended(phone)] == [kept]
    done(province.post(f"/v1/merges/{merged['id']}/undo"))
    ops(phone)
    assert {row["member_id"] for row in attended(phone)} == {kept, lost}


def test_rights_bring_it_and_take_it(
    phone: Phone, api: Api, database: Database, unit_id: UnitIds
) -> None:
    there = unit_id["tienluong-1"]
    session = hold(database, [there])
    send(api.as_("tienluong-1"), session, [tapped(members_of(database, there)[0])])
    assert ops(phone) == []
    end = granted(database, "phuongvi-1", there, "branch_head")
    assert ops(phone) == ["upsert"]
    end(-1)
    assert ops(phone) == ["left_scope"]
    send(api.as_("tienluong-1"), session, [tapped(members_of(database, there)[1])])
    may_only(database, "phuongvi-1", [Right.units_read, Right.members_read])
    assert {item["kind"] for item in phone.pull()}.isdisjoint({"attendance"})
    assert phone.api.get("/v1/sync/plan?kinds=attendance").status_code == 403


def test_what_is_of_long_ago_is_not_kept(
    phone: Phone, head: Api, database: Database, unit_id: UnitIds, roster: list[UUID]
) -> None:
    for days in (401, 400):
        began = utc_now() - timedelta(days=days)
        send(
            head,
            hold(database, [unit_id["phuongvi-1"]], starts_at=began),
            [tapped(roster[0], began)],
        )
    ops(phone)
    assert len(attended(phone)) == 1


def test_watermelon_has_one_text_for_each(head: Api, held: UUID, roster: list[UUID]) -> None:
    send(head, held, [tapped(each) for each in roster[:2]])
    query = {"kinds": "attendance", "dialect": "watermelon"}
    table = done(head.get("/v1/sync/changes", params=query))["changes"]["attendance"]
    rows = {row["id"]: row for row in table["updated"]}
    assert {row["member_id"] for row in rows.values()} == set(map(str, roster[:2]))
    listed = done(head.get("/v1/attendance"))["items"]
    assert rows.keys() == {each["id"] for each in listed}
    assert all(
        type(value) in (str, int, bool, type(None))
        for row in rows.values()
        for value in row.values()
    )


def test_what_went_and_came_again_is_dropped_with_the_right(
    phone: Phone, api: Api, database: Database, unit_id: UnitIds
) -> None:
    there = unit_id["tienluong-1"]
    session, officer = hold(database, [there]), api.as_("tienluong-1")
    first = tapped(members_of(database, there)[0])
    send(officer, session, [first])
    end = granted(database, "phuongvi-1", there, "branch_head")
    assert set(ops(phone)) == {"upsert"}
    done(officer.post(f"/v1/captures/{first['id']}/annul", json={"reason": "Ghi nhầm"}))
    with time_machine.travel(utc_now() + timedelta(minutes=5)):
        send(officer, session, [tapped(first["member_id"])])
        end(-1)
        assert set(ops(phone)) == {"left_scope"}
