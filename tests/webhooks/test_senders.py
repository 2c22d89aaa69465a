"""Senders: one at a webhook at a time, whatever becomes of them and of the receiver."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from standardwebhooks import Webhook

from app.db import Database
from app.services.kernel import sequencer
from app.services.webhooks import senders
from app.services.webhooks.senders import Senders
from app.services.webhooks.wire import Wire
from tests.conftest import ROOT
from tests.helpers.answers import Json
from tests.helpers.cadres import made
from tests.helpers.client import Api
from tests.webhooks.conftest import PROGRAM
from tests.webhooks.receiver import Answer, Receiver, receiving

Change = Callable[[str], None]
Send = Callable[[], int]
# Sends as `hoiso worker` does, until it is killed.
_WORKER = """
import sys, time
from ipaddress import ip_network
from app.db import Database
from app.services.webhooks.senders import Senders
from app.services.webhooks.wire import Wire
from tests.conftest import make_settings

database = Database(make_settings(sys.argv[1]))
database.settings.webhook_allowed_networks = [ip_network("127.0.0.0/8")]
with Senders(database):
    time.sleep(60)
"""
MISBEHAVING = (
    Answer(500),
    Answer(410),
    Answer(429, {"retry-after": "900"}),
    Answer(503, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    Answer(307, {"location": "http://127.0.0.1:9/"}),
    Answer(dies=True),
    Answer(seconds=0.3),
)


def until(true: Callable[[], bool]) -> None:
    over = time.monotonic() + 60
    while not true():
        assert time.monotonic() < over
        time.sleep(0.02)


def addresses_of(receiver: Receiver) -> list[str]:
    return [got.event["data"]["state"]["address"] for got in receiver.taken]


class TestThreads:
    def test_send_what_happens(
        self, database: Database, receiver: Receiver, hook: Json, change: Change
    ) -> None:
        change("Khu 1")
        change("Khu 2")
        sequencer.settle(database)
        with Senders(database) as threads:
            threads.look()
            until(lambda: len(receiver.taken) == 2)
        assert addresses_of(receiver) == ["Khu 1", "Khu 2"]

    def test_a_dead_receiver_does_not_delay_others(
        self,
        database: Database,
        program: Api,
        receiver: Receiver,
        hook: Json,
        change: Change,
    ) -> None:
        receiver.usual = Answer(seconds=2.0)
        with receiving() as other:
            made(program.post("/v1/webhooks", json={"url": other.url, "kinds": ["member"]}))
            change("Khu 1")
            sequencer.settle(database)
            with Senders(database) as threads:
                began = time.monotonic()
                threads.look()
                until(lambda: len(other.taken) == 1)
                assert time.monotonic() - began < 2.0


class TestLeases:
    def test_of_another_sender_is_left_alone(
        self,
        database: Database,
        receiver: Receiver,
        hook: Json,
        change: Change,
        send: Send,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        change("Khu 1")
        sequencer.settle(database)
        meanwhile: list[int] = []
        post = Wire.post

        def slowly(*args: Any) -> object:
            monkeypatch.setattr(Wire, "post", post)
            meanwhile.append(senders.work_off(database))
            return post(*args)

        monkeypatch.setattr(Wire, "post", slowly)
        assert send() == 1
        assert (meanwhile, len(receiver.got)) == ([0], 1)

    def test_what_people_do_meanwhile_is_not_undone(
        self,
        database: Database,
        program: Api,
        receiver: Receiver,
        hook: Json,
        change: Change,
        send: Send,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        change("Khu 1")
        change("Khu 2")
        path = f"/v1/webhooks/{hook['id']}"
        post = Wire.post

        def paused(*args: Any) -> object:
            program.post(f"{path}/pause")
            return post(*args)

        monkeypatch.setattr(Wire, "post", paused)
        assert send() == 1
        monkeypatch.undo()
        assert send() == 0
        program.post(f"{path}/resume")
        assert send() == 2
        first, again, _ = receiver.got
        assert (first.id, addresses_of(receiver)) == (again.id, ["Khu 1", "Khu 1", "Khu 2"])

    def test_of_a_sender_that_was_killed_ends(
        self,
        database: Database,
        receiver: Receiver,
        hook: Json,
        change: Change,
        send: Send,
    ) -> None:
        for number in range(4):
            change(f"Khu {number}")
        sequencer.settle(database)
        receiver.script.extend([Answer(), Answer(seconds=20)])
        worker = subprocess.Popen(
            [sys.executable, "-c", _WORKER, database.settings.database_url], cwd=ROOT
        )
        try:
            until(lambda: len(receiver.got) == 2)
        finally:
            worker.kill()
            worker.wait()
        assert send() == 0
        with time_machine.travel(datetime.now(UTC) + timedelta(seconds=61)):
            assert send() == 3
        assert addresses_of(receiver) == [f"Khu {number}" for number in range(4)]
        assert receiver.got[1].id == receiver.got[2].id
        assert [got.previous for got in receiver.taken[1:]] == [
            got.seq for got in receiver.taken[:-1]
        ]


@pytest.mark.drawn
def test_a_receiver_that_misbehaves_ends_with_every_event_in_order(
    monkeypatch: pytest.MonkeyPatch,
    program: Api,
    receiver: Receiver,
    hook: Json,
    change: Change,
    send: Send,
) -> None:
    monkeypatch.setattr("app.services.webhooks.wire.TOTAL_SECONDS", 0.1)
    drawn = random.Random(7)
    expected = [f"Khu {number}" for number in range(12)]
    path = f"/v1/webhooks/{hook['id']}"
    for address in expected:
        change(address)
    script = [
        answer
        for _ in expected
        for answer in (*drawn.choices(MISBEHAVING, k=drawn.randrange(3)), Answer())
    ]
    receiver.script.extend(script)
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        while receiver.script:
            send()
            item = program.as_(PROGRAM).get(path).json()
            if item["state"] == "paused":
                assert item["reason"] == "gone"
                assert program.as_(PROGRAM).post(f"{path}/resume").status_code == 200
            elif item["waiting"] is not None:
                clock.move_to(datetime.fromisoformat(item["waiting"]["next_at"]))
        for got in receiver.got[-1:]:
            Webhook(hook["secret"]).verify(got.body, got.headers)
    assert addresses_of(receiver) == expected
    assert len(receiver.got) == len(script)
    for before, after in pairwise(receiver.taken):
        assert after.previous == before.seq
