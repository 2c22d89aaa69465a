"""Events on their way: signed, in their order, each until it is taken."""

from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import select
from standardwebhooks import Webhook, WebhookVerificationError

from app.api.http.server import serving
from app.db import Database
from app.models.kernel.access_log import AccessRead
from tests.feed.follower import end, events
from tests.helpers.answers import Json
from tests.helpers.cadres import done, made
from tests.helpers.client import Api, writing
from tests.webhooks.conftest import PROGRAM
from tests.webhooks.receiver import Answer, Got, Receiver

Change = Callable[[str], None]
Send = Callable[[], int]


def verified(secret: str, got: Got) -> Json:
    """By the library that receivers use."""
    event: Json = Webhook(secret).verify(got.body, got.headers)
    return event


class TestAnEvent:
    def test_is_what_the_feed_tells(
        self, program: Api, receiver: Receiver, hook: Json, change: Change, send: Send
    ) -> None:
        begun = end(program)
        for address in ("Khu 1", "Khu 2", "Khu 3"):
            change(address)
        assert send() == 3
        told = events(program, begun, kinds="member")
        page = program.get(f"/v1/feed?after={begun}").json()
        sent = [verified(hook["secret"], got) for got in receiver.got]
        assert sent == [event | {"epoch": page["epoch"]} for event in told]
        assert [event["data"]["state"]["address"] for event in sent] == ["Khu 1", "Khu 2", "Khu 3"]
        assert send() == 0

    def test_names_its_place_and_the_one_before(
        self, receiver: Receiver, hook: Json, change: Change, send: Send
    ) -> None:
        change("Khu 1")
        change("Khu 2")
        send()
        change("Khu 3")
        send()
        first, second, third = receiver.got
        assert (first.previous, second.previous, third.previous) == (
            hook["seq"],
            first.seq,
            second.seq,
        )
        assert first.seq == first.event["data"]["seq"]

    def test_comes_from_the_place_that_was_asked_for(
        self, program: Api, receiver: Receiver, to_this_machine: None, change: Change, send: Send
    ) -> None:
        begun = end(program)
        change("Khu 1")
        body = {"url": receiver.url, "after": begun, "kinds": ["member"]}
        made(program.post("/v1/webhooks", json=body))
        send()
        assert [got.previous for got in receiver.got] == [begun]

    def test_is_noted_for_whom_it_is_about(
        self,
        api: Api,
        officer: Api,
        someone: Json,
        hook: Json,
        send: Send,
        database: Database,
        program_id: str,
    ) -> None:
        officer.patch(f"/v1/members/{someone['id']}", json={"phone": "0912345678"})
        send()
        serving(api.app).access_log.flush()
        with writing(database) as session:
            rows = session.exec(select(AccessRead)).all()
        [noted] = [row for row in rows if str(row.account_id) == program_id]
        assert (str(noted.member_id), "phone" in noted.fields) == (someone["id"], True)

    def test_shows_what_its_program_may_read(
        self, officer: Api, someone: Json, receiver: Receiver, hook: Json, send: Send
    ) -> None:
        body = {"citizen_id": "025188001234", "address": "Khu 1"}
        assert officer.patch(f"/v1/members/{someone['id']}", json=body).status_code == 200
        send()
        [got] = receiver.got
        assert "citizen_id" in got.event["data"]["masked"]
        assert got.event["data"]["state"]["address"] == "Khu 1"
        assert b"025188001234" not in got.body

    def test_of_other_kinds_and_units_is_not_sent(
        self,
        api: Api,
        program: Api,
        receiver: Receiver,
        hook: Json,
        change: Change,
        send: Send,
        unit_id: dict[str, int],
    ) -> None:
        patched = program.patch(
            f"/v1/webhooks/{hook['id']}", json={"unit_id": unit_id["phuongvi-2"]}
        )
        assert done(patched)["unit_id"] == unit_id["phuongvi-2"]
        change("Khu 1")
        assert send() == 0
        program.patch(f"/v1/webhooks/{hook['id']}", json={"unit_id": None})
        change("Khu 2")
        assert (send(), len(receiver.got)) == (2, 2)


class TestSignatures:
    def test_of_two_secrets_while_they_overlap(
        self, program: Api, receiver: Receiver, hook: Json, change: Change, send: Send
    ) -> None:
        path = f"/v1/webhooks/{hook['id']}/secrets"
        new = made(program.post(path, json={"overlap_hours": 2}))["secret"]
        change("Khu 1")
        send()
        [got] = receiver.got
        assert len(got.headers["webhook-signature"].split(" ")) == 2
        assert verified(hook["secret"], got) == verified(new, got) == got.event
        change("Khu 2")
        with time_machine.travel(datetime.now(UTC) + timedelta(hours=3)):
            send()
            later = receiver.got[1]
            assert len(later.headers["webhook-signature"].split(" ")) == 1
            assert verified(new, later)["type"] == "member.updated"
            with pytest.raises(WebhookVerificationError):
                verified(hook["secret"], later)
            [key] = program.as_(PROGRAM).get(f"/v1/webhooks/{hook['id']}").json()["keys"]
            assert key["expires_at"] is None

    def test_by_a_key_that_receivers_cannot_sign_with(
        self, program: Api, receiver: Receiver, to_this_machine: None, change: Change, send: Send
    ) -> None:
        body = {"url": receiver.url, "kinds": ["member"], "signing": "ed25519"}
        hook = made(program.post("/v1/webhooks", json=body))
        assert hook["secret"] is None
        public = hook["keys"][0]["public_key"]
        assert public.startswith("whpk_")
        change("Khu 1")
        send()
        [got] = receiver.got
        version, _, signature = got.headers["webhook-signature"].partition(",")
        assert version == "v1a"
        signed = f"{got.id}.{got.headers['webhook-timestamp']}.".encode() + got.body
        key = Ed25519PublicKey.from_public_bytes(b64decode(public.removeprefix("whpk_")))
        key.verify(b64decode(signature), signed)


class TestAnEventThatIsNotTaken:
    def test_comes_again_under_its_id_with_a_new_signature(
        self, program: Api, receiver: Receiver, hook: Json, change: Change, send: Send
    ) -> None:
        receiver.script.append(Answer(500, body="Có lỗi".encode()))
        change("Khu 1")
        change("Khu 2")
        now = datetime.now(UTC)
        with time_machine.travel(now, tick=False) as clock:
            assert send() == 1
            waits = program.get(f"/v1/webhooks/{hook['id']}").json()
            assert waits["waiting"]["seq"] == receiver.got[0].seq
            assert (waits["waiting"]["failures"], waits["waiting"]["error"]) == (1, "status")
            assert waits["seq"] == hook["seq"]
            assert send() == 0  # its time has not come
            clock.shift(timedelta(seconds=7))
            assert send() == 2
        first, again, second = receiver.got
        assert (first.id, first.body) == (again.id, again.body)
        for header in ("webhook-timestamp", "webhook-signature"):
            assert first.headers[header] != again.headers[header]
        assert again.seq < second.seq
        assert second.previous == again.seq
        item = program.get(f"/v1/webhooks/{hook['id']}").json()
        assert (item["waiting"], item["seq"] >= second.seq) == (None, True)
        tries = program.get(f"/v1/webhooks/{hook['id']}/attempts").json()["items"]
        assert [(each["number"], each["status"], each["error"]) for each in tries] == [
            (1, 204, None),
            (2, 204, None),
            (1, 500, "status"),
        ]
        assert tries[2]["answer"] == "Có lỗi"
        failed = program.get(f"/v1/webhooks/{hook['id']}/attempts?failed=true").json()["items"]
        assert failed == tries[2:]

    def test_waits_as_long_as_the_receiver_asks(
        self, program: Api, receiver: Receiver, hook: Json, change: Change, send: Send
    ) -> None:
        receiver.script.append(Answer(429, {"retry-after": "1800"}))
        change("Khu 1")
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            send()
            clock.shift(timedelta(seconds=1_799))
            assert send() == 0
            clock.shift(timedelta(seconds=400))
            assert send() == 1
        assert len(receiver.taken) == 1

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (Answer(302, {"location": "http://127.0.0.1:9/elsewhere"}), "redirect"),
            (Answer(dies=True), "answer"),
            (Answer(200, body=b"x" * 40, drips=True), "timeout"),
            (Answer(seconds=1.0), "timeout"),
            (Answer(200, {"x-long": "x" * 200_000}), "answer"),
        ],
    )
    def test_is_kept_whatever_the_receiver_does(
        self,
        monkeypatch: pytest.MonkeyPatch,
        program: Api,
        receiver: Receiver,
        hook: Json,
        change: Change,
        send: Send,
        answer: Answer,
        error: str,
    ) -> None:
        monkeypatch.setattr("app.services.webhooks.wire.TOTAL_SECONDS", 0.3)
        receiver.script.append(answer)
        change("Khu 1")
        send()
        [tried] = program.get(f"/v1/webhooks/{hook['id']}/attempts").json()["items"]
        assert tried["error"] == error
        with time_machine.travel(datetime.now(UTC) + timedelta(seconds=10)):
            assert send() == 1
        assert receiver.seqs == [receiver.got[0].seq] * 2
        assert program.get(f"/v1/webhooks/{hook['id']}").json()["waiting"] is None

    def test_more_than_enough_of_an_answer_is_not_read(
        self, program: Api, receiver: Receiver, hook: Json, change: Change, send: Send
    ) -> None:
        receiver.script.append(Answer(500, body=b"y" * 3_000_000))
        change("Khu 1")
        send()
        [tried] = program.get(f"/v1/webhooks/{hook['id']}/attempts").json()["items"]
        assert (tried["status"], tried["answer"]) == (500, "y" * 500)

    def test_an_answer_that_repeats_it_is_not_kept(
        self, program: Api, receiver: Receiver, hook: Json, change: Change, send: Send
    ) -> None:
        receiver.script.append(Answer(500, body=b"Unhandled: {'address': 'Khu 17'}"))
        change("Khu 17")
        send()
        [tried] = program.get(f"/v1/webhooks/{hook['id']}/attempts").json()["items"]
        assert (tried["status"], tried["answer"]) == (500, None)


class TestPausing:
    def test_after_three_days_with_a_notice(
        self,
        program: Api,
        officer: Api,
        receiver: Receiver,
        hook: Json,
        change: Change,
        send: Send,
        database: Database,
    ) -> None:
        receiver.usual = Answer(500)
        change("Khu 1")
        change("Khu 2")
        path = f"/v1/webhooks/{hook['id']}"
        begun = datetime.now(UTC)
        with time_machine.travel(begun, tick=False) as clock:
            while (item := program.as_(PROGRAM).get(path).json())["state"] == "enabled":
                assert send() == 1
                waiting = program.as_(PROGRAM).get(path).json()["waiting"]
                clock.move_to(datetime.fromisoformat(waiting["next_at"]))
            lasted = datetime.now(UTC) - begun
            assert timedelta(days=3) <= lasted < timedelta(days=3, hours=1)
            assert (item["reason"], item["waiting"]["seq"]) == ("refused", receiver.got[0].seq)
            assert 15 < len(receiver.got) < 40
            assert {got.id for got in receiver.got} == {receiver.got[0].id}
            assert send() == 0
        notices = officer.get("/v1/me/notifications").json()["items"]
        [notice] = [each for each in notices if each["kind"] == "webhook_paused"]
        assert notice["link"] == path
        assert "3 ngày" in notice["text"]
        receiver.usual = Answer()
        assert done(program.post(f"{path}/resume"))["reason"] is None
        send()
        assert [got.event["data"]["state"]["address"] for got in receiver.taken] == [
            "Khu 1",
            "Khu 2",
        ]
        notices = officer.get("/v1/me/notifications").json()["items"]
        assert "webhook_paused" not in [each["kind"] for each in notices]
