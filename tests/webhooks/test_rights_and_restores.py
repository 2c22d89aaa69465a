"""What ends a webhook for a while: rights that come or go, accounts, restores."""

from collections.abc import Callable

import pytest
from sqlmodel import Session

from app.db import Database
from app.models.kernel.changes import ChangeSource
from app.services.kernel import changes, due, sequencer
from app.services.kernel.following import next_epoch
from app.services.kernel.manifest import manifest
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import done, made
from tests.helpers.client import Api, writing
from tests.webhooks.conftest import PROGRAM
from tests.webhooks.receiver import Answer, Receiver

Change = Callable[[str], None]
Send = Callable[[], int]


class TestRights:
    def test_that_came_later_are_confirmed_first(
        self,
        program: Api,
        program_id: str,
        officer: Api,
        receiver: Receiver,
        hook: Json,
        change: Change,
        send: Send,
        unit_id: UnitIds,
    ) -> None:
        """Who has set it up may have lacked them."""
        grant = {"unit_id": unit_id["phuongvi"], "role": "program", "rights": ["poverty:read"]}
        made(officer.post(f"/v1/accounts/{program_id}/grants", json=grant))
        change("Khu 1")
        assert (send(), receiver.got) == (0, [])
        path = f"/v1/webhooks/{hook['id']}"
        item = done(officer.get(path))
        assert (item["state"], item["reason"]) == ("paused", "more_rights")
        done(officer.post(f"{path}/resume"))
        assert send() == 1

    def test_that_have_ended_hold_at_once(
        self,
        program: Api,
        program_id: str,
        officer: Api,
        receiver: Receiver,
        hook: Json,
        change: Change,
        send: Send,
    ) -> None:
        receiver.script.append(Answer(500))
        change("Khu 1")
        send()
        account = officer.get(f"/v1/accounts/{program_id}").json()
        path = f"/v1/webhooks/{hook['id']}"
        done(officer.delete(f"/v1/accounts/{program_id}/grants/{account['grants'][0]['id']}"))
        done(officer.post(f"{path}/pause"))
        resumed = officer.post(f"{path}/resume")
        assert resumed.status_code == 403
        assert done(officer.get(path))["state"] == "paused"
        assert (send(), len(receiver.got)) == (0, 1)

    def test_without_an_account_nothing_is_sent(
        self,
        program_id: str,
        officer: Api,
        receiver: Receiver,
        hook: Json,
        change: Change,
        send: Send,
    ) -> None:
        change("Khu 1")
        done(officer.post(f"/v1/accounts/{program_id}/disable"))
        assert (send(), receiver.got) == (0, [])
        item = done(officer.get(f"/v1/webhooks/{hook['id']}"))
        assert (item["state"], item["reason"]) == ("paused", "account")
        notices = officer.get("/v1/me/notifications").json()["items"]
        assert "webhook_paused" in [each["kind"] for each in notices]


def restored(database: Database) -> None:
    with writing(database) as session:
        next_epoch(session)


def decided(database: Database, dropped: set[str]) -> None:
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli, source_ref="go-on"))
        assert due.go_on(session, manifest().due, "Phòng Công nghệ", dropped)


def waiting(session: Session) -> int:
    return due.waiting(session, manifest().due)["webhook"]


class TestARestore:
    @pytest.fixture
    def behind(self, hook: Json, change: Change, database: Database) -> Json:
        change("Khu 1")
        # As a backup has it: not sent yet.
        sequencer.settle(database)
        restored(database)
        return hook

    def test_asks_before_what_waited_is_sent(
        self, receiver: Receiver, behind: Json, change: Change, send: Send, database: Database
    ) -> None:
        change("Khu 2")
        assert (send(), receiver.got) == (0, [])
        with writing(database) as session:
            assert waiting(session) == 1
        decided(database, set())
        assert send() == 2
        assert {got.event["epoch"] for got in receiver.got} != {behind["epoch"]}

    def test_may_leave_out_what_waited(
        self,
        program: Api,
        receiver: Receiver,
        behind: Json,
        change: Change,
        send: Send,
        database: Database,
    ) -> None:
        change("Khu 2")
        decided(database, {"webhook"})
        assert send() == 1
        [got] = receiver.got
        assert got.event["data"]["state"]["address"] == "Khu 2"
        item = program.as_(PROGRAM).get(f"/v1/webhooks/{behind['id']}").json()
        assert behind["seq"] < got.previous == item["skipped_through"] < got.seq

    def test_what_comes_later_goes_on(
        self, receiver: Receiver, hook: Json, change: Change, send: Send, database: Database
    ) -> None:
        restored(database)
        change("Khu 1")
        assert send() == 1
