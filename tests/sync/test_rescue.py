"""What the phone of somebody else wrote and cannot send any more is handed in by an officer."""

from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.clock import utc_now
from app.db import Database
from app.models.identity.devices import Device
from app.models.kernel.changes import Change
from app.models.sync.operations import PushedOperation
from tests.helpers.answers import Json
from tests.helpers.client import Api, writing
from tests.helpers.operations import edit, known, push, verdicts
from tests.identity.devices import Phone, enrolled

PATH = "/v1/sync/operations"


@pytest.fixture
def phone(api: Api) -> Phone:
    return enrolled(api, "phuongvi-1")


def lost(officer: Api, phone: Phone) -> None:
    """The phone's account is disabled and the phone revoked: its queue can only be exported."""
    owner = phone.api.get("/v1/me").json()["id"]
    assert officer.post(f"/v1/accounts/{owner}/disable").status_code == 200
    assert officer.post(f"{phone.path}/revoke", json={}).status_code == 200
    assert phone.api.get("/v1/me").status_code == 401


def number_kept(database: Database) -> int:
    with writing(database) as session:
        count = sa.select(sa.func.count()).select_from(PushedOperation)
        return int(session.execute(count).scalar_one())


def test_what_it_had_sent_is_not_done_again_and_the_rest_is(
    officer: Api, phone: Phone, someone: Json
) -> None:
    sent = edit(someone, address="Khu 1")
    assert verdicts(phone.api, sent) == ["applied"]
    lost(officer, phone)
    after = edit(someone, address="Khu 2") | {"depends_on": [sent["op_id"]]}
    last = edit(someone, address="Khu 3") | {"depends_on": [after["op_id"]]}
    answers = push(officer, sent, last, after, for_device=phone.id)
    assert [each["verdict"] for each in answers] == ["duplicate", "applied", "applied"]
    now = officer.get(f"/v1/members/{someone['id']}").json()
    assert (now["address"], now["revision"]) == ("Khu 3", someone["revision"] + 3)
    again = push(officer, sent, last, after, for_device=phone.id)
    assert [each["verdict"] for each in again] == ["duplicate"] * 3
    assert officer.get(f"/v1/members/{someone['id']}").json()["revision"] == now["revision"]
    assert officer.get(PATH).json()["items"] == []


def test_it_is_done_as_the_officer(
    officer: Api, phone: Phone, someone: Json, database: Database
) -> None:
    lost(officer, phone)
    sent = edit(someone, address="Khu 1")
    push(officer, sent, for_device=phone.id)
    me = officer.get("/v1/me").json()["id"]
    with writing(database) as session:
        row = session.execute(
            sa.select(col(PushedOperation.account_id), col(PushedOperation.rescued_by))
        ).one()
        change = session.execute(
            sa.select(col(Change.account_id), col(Change.source)).where(
                col(Change.source_ref) == sent["op_id"]
            )
        ).one()
    assert (str(row.rescued_by), str(change.account_id), change.source) == (me, me, "sync")
    assert str(row.account_id) != me


def test_a_conflict_with_others_is_one_here_too(officer: Api, phone: Phone, someone: Json) -> None:
    officer.patch(f"/v1/members/{someone['id']}", json={"address": "Khu 9"})
    lost(officer, phone)
    [answer] = push(officer, edit(someone, address="Khu 1"), for_device=phone.id)
    assert (answer["verdict"], answer["fields"]) == ("conflict", ["address"])


def test_the_owner_reads_the_verdict_alone(officer: Api, phone: Phone, someone: Json) -> None:
    officer.patch(f"/v1/members/{someone['id']}", json={"address": "Khu 9"})
    sent = edit(someone, occupation="Làm ruộng")
    [told] = push(officer, sent, for_device=phone.id)
    assert (told["verdict"], told["others"] != [], told["revision"]) == (
        "merged",
        True,
        someone["revision"] + 2,
    )
    assert verdicts(phone.api, sent) == ["duplicate"]
    found = known(phone.api, sent)
    assert (found["verdict"], found["others"], found["revision"]) == ("merged", [], None)


@pytest.mark.parametrize("username", ["tienluong", "phuongvi-2", "member"])
def test_for_others_there_is_no_such_device(
    api: Api, phone: Phone, someone: Json, username: str, database: Database
) -> None:
    sent = {"items": [edit(someone, address="Khu 1")]}
    for device_id in (phone.id, str(uuid4())):
        answer = api.as_(username).post(PATH, json=sent | {"for_device": device_id})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), device_id
    assert number_kept(database) == 0


@pytest.mark.parametrize(
    ("username", "right"), [("admin", "members:write"), ("auditor", "accounts:write")]
)
def test_who_lacks_a_right_uses_nothing_up(
    *,
    api: Api,
    officer: Api,
    phone: Phone,
    someone: Json,
    database: Database,
    username: str,
    right: str,
) -> None:
    """Else what an officer may not do would be refused for good."""
    sent = edit(someone, address="Khu 1")
    answer = api.as_(username).post(PATH, json={"items": [sent], "for_device": phone.id})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert answer.json()["required_right"] == right
    assert number_kept(database) == 0
    assert push(officer, sent, for_device=phone.id)[0]["verdict"] == "applied"


def test_a_phone_that_was_wiped_has_nothing_to_be_handed_in(
    officer: Api, phone: Phone, someone: Json, database: Database
) -> None:
    with writing(database) as session:
        session.execute(sa.update(Device).values(wiped_at=utc_now()))
    sent = {"items": [edit(someone, address="Khu 1")], "for_device": phone.id}
    assert officer.post(PATH, json=sent).status_code == 404


def test_another_body_under_an_id_of_the_phone_is_refused(
    officer: Api, phone: Phone, someone: Json
) -> None:
    sent = edit(someone, address="Khu 1")
    push(phone.api, sent)
    changed = sent | {"patch": {"address": "Khu 2"}}
    answer = officer.post(PATH, json={"items": [changed], "for_device": phone.id})
    assert (answer.status_code, answer.json()["code"]) == (422, "operation_reused")


def test_her_own_older_phone_needs_no_officer(phone: Phone, head: Api, someone: Json) -> None:
    first, second = edit(someone, address="Khu 1"), edit(someone, address="Khu 2")
    push(phone.api, first)
    [answer] = push(head, second, for_device=phone.id)
    assert answer["verdict"] == "applied"
    assert known(head, second)["revision"] == answer["revision"]
