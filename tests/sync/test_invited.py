"""Meetings that others host and that invite units of a phone: it has them, changes and withdrawals."""

from typing import Any

import pytest

from app.db import Database
from tests.helpers.answers import UnitIds
from tests.helpers.client import Api
from tests.helpers.meetings import acted, announced, made, sessions, sitting
from tests.helpers.phone import Phone, fresh_slice
from tests.kernel.changes import done
from tests.sync.acts import granted, move_unit

KINDS = ("event", "session")


@pytest.fixture
def phone(head: Api) -> Phone:
    made = Phone(head)
    made.pull()
    return made


@pytest.fixture
def province(api: Api) -> Api:
    return api.as_("phutho")


def ops(phone: Phone) -> dict[str, str]:
    """What the next pull does, by id; the phone has then what one has that begins now."""
    items = [item for item in phone.pull() if item["kind"] in KINDS]
    fresh = fresh_slice(phone.api)
    for kind in KINDS:
        assert phone.slice.get(kind) == fresh.get(kind), kind
    return {item["id"]: item["op"] for item in items}


def patched(api: Api, path: str, **body: Any) -> None:
    done(api.patch(path, json=body))


def of(host: int, *invited: int) -> dict[str, list[int]]:
    return {"host_unit_ids": [host], "invited_unit_ids": [*invited]}


@pytest.mark.parametrize("host", ["phuongvi", "phutho"])
def test_a_meeting_above_comes_changes_and_is_cancelled(
    phone: Phone, province: Api, unit_id: UnitIds, host: str
) -> None:
    event = made(province, **of(unit_id[host], unit_id[host]))
    [session] = [each["id"] for each in sessions(province, event)]
    assert ops(phone) == {}, "a draft is not told"
    acted(province, f"/v1/events/{event['id']}/announce")
    assert ops(phone) == {event["id"]: "upsert", session: "upsert"}
    assert ops(phone) == {}
    patched(province, f"/v1/sessions/{session}", place="Hội trường xã")
    assert session in ops(phone)
    assert phone.rows["session"][session]["place"] == "Hội trường xã"
    patched(province, f"/v1/events/{event['id']}", title="Họp khác")
    assert ops(phone) == {event["id"]: "upsert", session: "upsert"}
    more = done(province.post(f"/v1/events/{event['id']}/sessions", json=sitting(9)))["id"]
    assert more in ops(phone)
    acted(province, f"/v1/events/{event['id']}/cancel", {"reason": "Mưa bão"})
    assert ops(phone) == dict.fromkeys((event["id"], session, more), "upsert")
    assert phone.rows["event"][event["id"]]["state"] == "cancelled"


def test_the_host_stays_and_its_units_are_invited_no_more(
    phone: Phone, province: Api, unit_id: UnitIds
) -> None:
    host = unit_id["phutho"]
    event, session = announced(province, **of(host, host))
    both = (event, session)
    assert ops(phone) == dict.fromkeys(both, "upsert")
    for invited, op in ((unit_id["tienluong-1"], "left_scope"), (host, "upsert")):
        patched(province, f"/v1/events/{event}", invited_unit_ids=[invited])
        assert ops(phone) == dict.fromkeys(both, op)


def test_who_was_invited_by_a_draft_is_told_nothing(
    phone: Phone, province: Api, unit_id: UnitIds
) -> None:
    host = unit_id["phutho"]
    event = made(province, **of(host, host, unit_id["phuongvi-1"]))
    path = f"/v1/events/{event['id']}"
    patched(province, path, invited_unit_ids=[unit_id["tienluong-1"]])
    acted(province, f"{path}/announce")
    patched(province, path, title="Họp khác")
    assert ops(phone) == {}


def test_an_invitation_is_withdrawn_and_given_again(
    phone: Phone, province: Api, unit_id: UnitIds
) -> None:
    hers, commune, other = (unit_id[name] for name in ("phuongvi-1", "phuongvi", "tienluong"))
    event, session = announced(province, **of(other, hers))
    path = f"/v1/events/{event}"
    both = (event, session)
    assert ops(phone) == dict.fromkeys(both, "upsert")
    for invited in ([other], [commune], [other], [unit_id["phutho"]], [unit_id["tienluong-1"]]):
        patched(province, path, invited_unit_ids=invited)
        is_hers = invited in ([commune], [unit_id["phutho"]])
        assert ops(phone) == dict.fromkeys(both, "upsert" if is_hers else "left_scope")
    patched(province, path, title="Việc của người khác")
    assert set(ops(phone).values()) <= {"left_scope"}


def test_who_is_not_invited_is_told_nothing(phone: Phone, province: Api, unit_id: UnitIds) -> None:
    event, session = announced(province, **of(unit_id["phuongvi"], unit_id["phuongvi-2"]))
    patched(province, f"/v1/events/{event}", title="Họp khác")
    patched(province, f"/v1/sessions/{session}", place="Nhà văn hoá")
    assert ops(phone) == {}


def test_a_meeting_moves_to_another_host(phone: Phone, province: Api, unit_id: UnitIds) -> None:
    hers, commune, other = (unit_id[name] for name in ("phuongvi-1", "phuongvi", "tienluong"))
    event = made(province, **of(hers, other))
    [session] = [each["id"] for each in sessions(province, event)]
    assert ops(phone) == dict.fromkeys((event["id"], session), "upsert")
    path = f"/v1/events/{event['id']}"
    patched(province, path, **of(commune, other))
    assert ops(phone) == {event["id"]: "left_scope", session: "left_scope"}
    patched(province, path, **of(commune, hers))
    acted(province, f"{path}/announce")
    assert set(ops(phone)) == {event["id"], session}
    assert event["id"] in phone.rows["event"]


def test_a_branch_that_moves_has_the_meetings_of_its_new_commune(
    phone: Phone, api: Api, province: Api, unit_id: UnitIds
) -> None:
    here, there = unit_id["phuongvi"], unit_id["tienluong"]
    lost = announced(province, **of(here, here))
    later = announced(province, **of(there, there))
    always = announced(province, **of(here, unit_id["phuongvi-1"]))
    assert ops(phone) == dict.fromkeys((*lost, *always), "upsert")
    assert move_unit(api, unit_id["phuongvi-1"], there).is_success
    did = ops(phone)
    assert {did.get(each) for each in lost} == {"left_scope"}
    assert {did.get(each) for each in later} == {"upsert"}
    assert always[0] in phone.rows["event"]


def test_a_grant_brings_and_takes_what_invites_from_above(
    phone: Phone, province: Api, database: Database, unit_id: UnitIds
) -> None:
    there = unit_id["tienluong"]
    theirs = announced(province, **of(there, there))
    assert ops(phone) == {}
    end = granted(database, "phuongvi-1", unit_id["tienluong-1"], "branch_head")
    assert ops(phone).items() >= dict.fromkeys(theirs, "upsert").items()
    end(-1)
    assert ops(phone).items() >= dict.fromkeys(theirs, "left_scope").items()


def test_of_one_unit_it_is_what_invites_that(api: Api, province: Api, unit_id: UnitIds) -> None:
    here = unit_id["phuongvi"]
    asked = announced(province, **of(here, here))[0]
    others = announced(province, **of(here, unit_id["phuongvi-2"]))[0]
    phone = Phone(api.as_("phuongvi"), unit=unit_id["phuongvi-1"])
    phone.pull()
    assert asked in phone.rows["event"]
    assert others not in phone.rows["event"]
    sums = api.as_("phuongvi").get("/v1/sync/checksums", params={"unit": unit_id["phuongvi-1"]})
    theirs = {(each["kind"], each["unit_id"]): each["checksum"] for each in done(sums)["items"]}
    for kind in KINDS:
        assert theirs[kind, here] == phone.checksums()[kind, here]


def test_minutes_of_a_meeting_above_come_change_and_go(
    phone: Phone, officer: Api, unit_id: UnitIds
) -> None:
    """The log has them with the host alone."""
    event_id, session_id = announced(officer, **of(unit_id["phuongvi"], unit_id["phuongvi-1"]))
    phone.pull()
    path = f"/v1/sessions/{session_id}/minutes"
    for body in ("Bàn về vốn vay", "Bàn về hụi"):
        written = done(officer.patch(path, json={"body": body}))
        assert ("upsert", written["id"]) in {(each["op"], each["id"]) for each in phone.pull()}
        assert phone.rows["minutes"] == {written["id"]: written}
    others = {"invited_unit_ids": [unit_id["phuongvi-2"]]}
    done(officer.patch(f"/v1/events/{event_id}", json=others))
    phone.pull()
    assert phone.rows["minutes"] == {}
    assert phone.slice == fresh_slice(phone.api)
