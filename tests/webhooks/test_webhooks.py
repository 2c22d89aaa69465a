"""Webhooks are set up, changed and taken away by who may read what they are sent."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from app.db import Database
from tests.feed.follower import end
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.cadres import done, forbidden, made
from tests.helpers.client import Api, writing
from tests.webhooks.conftest import PROGRAM
from tests.webhooks.receiver import Answer, Receiver

URL = "https://receiver.example.vn/hook"
Change = Callable[[str], None]
Send = Callable[[], int]


class TestSettingUp:
    def test_shows_the_secret_once_and_keeps_it_sealed(
        self, program: Api, database: Database
    ) -> None:
        body = {"id": str(uuid4()), "url": URL, "kinds": ["member"], "description": "Kho dữ liệu"}
        begun = end(program)
        answer = program.post("/v1/webhooks", json=body)
        hook = made(answer)
        secret = hook.pop("secret")
        assert secret.startswith("whsec_")
        assert answer.headers["cache-control"] == "no-store"
        assert hook | body == hook
        assert (hook["state"], hook["username"], hook["seq"]) == ("enabled", PROGRAM, begun)
        assert done(program.get(f"/v1/webhooks/{hook['id']}")) == hook
        assert program.get("/v1/webhooks").json()["items"] == [hook]
        again = done(program.post("/v1/webhooks", json=body))
        assert again == hook | {"secret": None}
        with writing(database) as session:
            [stored] = session.execute(sa.text("SELECT secret FROM webhook_secret")).scalars()
        assert secret.removeprefix("whsec_") not in stored

    def test_of_another_content_under_the_id_is_refused(self, program: Api) -> None:
        body = {"id": str(uuid4()), "url": URL}
        made(program.post("/v1/webhooks", json=body))
        other = body | {"url": f"{URL}/2"}
        refused(program.post("/v1/webhooks", json=other), 409, "id_taken")

    def test_by_the_officer_of_the_program(self, officer: Api, program_id: str) -> None:
        body = {"url": URL, "account_id": program_id}
        hook = made(officer.post("/v1/webhooks", json=body))
        assert (hook["account_id"], hook["kinds"]) == (program_id, [])
        [change] = officer.get("/v1/changes?kinds=webhook").json()["items"]
        assert (change["operation"], change["after"]["url"]) == ("created", URL)
        assert hook["secret"] not in str(change)

    def test_by_others_is_refused(self, api: Api, officer: Api, program_id: str) -> None:
        body = {"url": URL, "account_id": program_id}
        made(officer.post("/v1/webhooks", json=body))
        # Who runs accounts reads no member, and has none sent either.
        assert api.as_("admin").post("/v1/webhooks", json=body).status_code == 403
        forbidden(api.as_("auditor").post("/v1/webhooks", json=body), "accounts:write")
        refused(api.as_("tienluong").post("/v1/webhooks", json=body), 404, "not_found")
        problem = officer.post("/v1/webhooks", json={"url": URL})
        refused(problem, 409, "wrong_account_kind")

    def test_out_of_scope_is_not_there(self, api: Api, program: Api) -> None:
        hook = made(program.post("/v1/webhooks", json={"url": URL}))
        path = f"/v1/webhooks/{hook['id']}"
        stranger = api.as_("tienluong")
        assert stranger.get("/v1/webhooks").json()["items"] == []
        for answer in (
            stranger.get(path),
            stranger.get(f"{path}/attempts"),
            stranger.patch(path, json={"url": f"{URL}/2"}),
            stranger.delete(path),
            stranger.post(f"{path}/pause"),
            stranger.post(f"{path}/resume"),
            stranger.post(f"{path}/ping"),
            stranger.post(f"{path}/skip", json={"through": 1}),
            stranger.post(f"{path}/replay", json={"from_seq": 1}),
            stranger.post(f"{path}/secrets", json={}),
            stranger.get(f"/v1/webhooks/{uuid4()}"),
        ):
            refused(answer, 404, "not_found")
        assert program.get(path).json()["revision"] == 1

    def test_for_what_the_program_may_not_read(self, program: Api, unit_id: UnitIds) -> None:
        post = program.post("/v1/webhooks", json={"url": URL, "kinds": ["support"]})
        forbidden(post, "support:read")
        elsewhere = {"url": URL, "unit_id": unit_id["tienluong"]}
        pointed(program.post("/v1/webhooks", json=elsewhere), "/unit_id", "unit_unknown")
        unknown = program.post("/v1/webhooks", json={"url": URL, "kinds": ["secret"]})
        refused(unknown, 422, "validation_failed")

    def test_from_a_place_of_tomorrow(self, program: Api) -> None:
        body = {"url": URL, "after": end(program) + 1}
        assert refused(program.post("/v1/webhooks", json=body), 409, "start_over")["reason"] == (
            "ahead"
        )

    def test_too_many(self, program: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.services.webhooks.endpoints._MOST_OF_ACCOUNT", 1)
        made(program.post("/v1/webhooks", json={"url": URL}))
        refused(program.post("/v1/webhooks", json={"url": URL}), 409, "webhooks_full")

    @pytest.mark.parametrize(
        ("url", "code"),
        [
            ("https://169.254.169.254/latest/meta-data", "webhook_not_public"),
            ("https://localhost/hook", "webhook_not_public"),
            ("https://intern/hook", "webhook_not_public"),
            ("https://db.internal/hook", "webhook_not_public"),
            ("https://[::1]/hook", "webhook_not_public"),
            ("https://[::]/hook", "webhook_not_public"),
            ("https://[::ffff:127.0.0.1]/hook", "webhook_not_public"),
            ("https://[::ffff:8.8.8.8]/hook", "webhook_not_public"),
            ("https://[64:ff9b::7f00:1]/hook", "webhook_not_public"),
            ("https://[2002:7f00:1::1]/hook", "webhook_not_public"),
            ("https://[fe80::1]/hook", "webhook_not_public"),
            ("https://[fd00::1]/hook", "webhook_not_public"),
            ("https://[ff02::1]/hook", "webhook_not_public"),
            ("https://127.1/hook", "webhook_not_public"),
            ("https://2130706433/hook", "webhook_not_public"),
            ("https://0177.0.0.1/hook", "webhook_not_public"),
            ("https://0x7f.0.0.1/hook", "webhook_not_public"),
            ("https://0x7f000001/hook", "webhook_not_public"),
            ("https://0.0.0.0/hook", "webhook_not_public"),
            ("https://10.1.2.3/hook", "webhook_not_public"),
            ("https://100.64.0.1/hook", "webhook_not_public"),
            ("https://224.0.0.1/hook", "webhook_not_public"),
            ("https://255.255.255.255/hook", "webhook_not_public"),
            ("https://localhost./hook", "webhook_url_wrong"),
            ("https://127.0.0.1./hook", "webhook_not_public"),
            ("https://[fe80::1%25eth0]/hook", "webhook_url_wrong"),
            ("https://a:b@receiver.example.vn/", "webhook_url_wrong"),
            ("https://receiver.example.vn:0/", "webhook_url_wrong"),
            ("https://receiver.example.vn:99999/", "webhook_url_wrong"),
            ("https://receiver.example.vn/#part", "webhook_url_wrong"),
            ("https://receiver.example.vn\\@10.0.0.1/", "webhook_url_wrong"),
            ("https://receiver .example.vn/", "webhook_url_wrong"),
            ("https://nơi-nhận.example.vn/", "webhook_url_wrong"),
            ("https://[127.0.0.1/hook", "webhook_url_wrong"),
            ("https:///hook/of/nobody", "webhook_url_wrong"),
            ("http://receiver.example.vn/hook", "webhook_not_https"),
            ("file:///etc/passwd", "webhook_not_https"),
            ("receiver.example.vn/hook", "webhook_not_https"),
        ],
    )
    def test_at_an_address_that_is_not_public(self, program: Api, url: str, code: str) -> None:
        pointed(program.post("/v1/webhooks", json={"url": url}), "/url", code)
        assert program.get("/v1/webhooks").json()["items"] == []


class TestChanging:
    def test_with_the_revision_that_was_read(self, program: Api) -> None:
        hook = made(program.post("/v1/webhooks", json={"url": URL}))
        path = f"/v1/webhooks/{hook['id']}"
        changed = done(program.patch(path, json={"url": f"{URL}/2"}, headers={"if-match": '"1"'}))
        assert (changed["url"], changed["revision"]) == (f"{URL}/2", 2)
        stale = program.patch(path, json={"url": URL}, headers={"if-match": '"1"'})
        refused(stale, 412, "stale_revision")
        pointed(
            program.patch(path, json={"url": "https://10.0.0.1/"}), "/url", "webhook_not_public"
        )
        assert program.get(path).json()["url"] == f"{URL}/2"

    def test_a_deleted_one_is_sent_nothing(
        self, program: Api, receiver: Receiver, hook: Json, change: Change, send: Send
    ) -> None:
        change("Khu 1")
        assert program.delete(f"/v1/webhooks/{hook['id']}").status_code == 204
        assert (send(), receiver.got) == (0, [])
        refused(program.get(f"/v1/webhooks/{hook['id']}"), 404, "not_found")

    def test_a_paused_one_goes_on_where_it_stood(
        self, program: Api, receiver: Receiver, hook: Json, change: Change, send: Send
    ) -> None:
        path = f"/v1/webhooks/{hook['id']}"
        paused = done(program.post(f"{path}/pause"))
        assert (paused["state"], paused["reason"]) == ("paused", "asked")
        change("Khu 1")
        change("Khu 2")
        assert (send(), receiver.got) == (0, [])
        assert done(program.post(f"{path}/resume"))["state"] == "enabled"
        assert send() == 2


class TestPing:
    def test_says_what_the_receiver_answers(
        self, program: Api, receiver: Receiver, hook: Json
    ) -> None:
        receiver.script.append(Answer(503, body=b"closed on Sundays"))
        path = f"/v1/webhooks/{hook['id']}"
        attempt = done(program.post(f"{path}/ping"))
        assert (attempt["status"], attempt["error"]) == (503, "status")
        assert (attempt["answer"], attempt["type"]) == ("closed on Sundays", "webhook.ping")
        assert done(program.post(f"{path}/ping"))["error"] is None
        assert [got.event["type"] for got in receiver.got] == ["webhook.ping"] * 2
        assert "x-seq" not in receiver.got[0].headers
        tries = program.get(f"{path}/attempts").json()["items"]
        assert [each["purpose"] for each in tries] == ["ping", "ping"]
        item = program.get(path).json()
        assert (item["waiting"], item["seq"]) == (None, hook["seq"])

    def test_is_limited(self, program: Api, receiver: Receiver, hook: Json) -> None:
        path = f"/v1/webhooks/{hook['id']}/ping"
        for _ in range(20):
            done(program.post(path))
        answer = program.post(path)
        refused(answer, 429, "rate_limited")
        assert int(answer.headers["retry-after"]) > 0
        assert len(receiver.got) == 20


class TestSkipping:
    def test_is_seen_as_a_gap_and_logged(
        self,
        program: Api,
        officer: Api,
        receiver: Receiver,
        hook: Json,
        change: Change,
        send: Send,
    ) -> None:
        change("Khu 0")
        send()
        receiver.script.append(Answer(500))
        change("Khu 1")
        change("Khu 2")
        send()
        path = f"/v1/webhooks/{hook['id']}"
        refused_seq = program.get(path).json()["waiting"]["seq"]
        skipped = done(officer.post(f"{path}/skip", json={"through": refused_seq}))
        assert (skipped["skipped_through"], skipped["waiting"]) == (refused_seq, None)
        assert send() == 1
        taken, last = receiver.taken[0], receiver.taken[-1]
        assert last.event["data"]["state"]["address"] == "Khu 2"
        assert taken.seq < last.previous == refused_seq < last.seq
        changes: list[Any] = officer.get("/v1/changes?kinds=webhook").json()["items"]
        assert changes[-1]["after"] == {"skipped_through": refused_seq}
        assert changes[-1]["account_id"] != hook["account_id"]

    def test_what_is_past_or_has_not_come(self, program: Api, hook: Json) -> None:
        path = f"/v1/webhooks/{hook['id']}/skip"
        refused(program.post(path, json={"through": hook["seq"]}), 409, "webhook_passed")
        ahead = {"through": end(program) + 1}
        pointed(program.post(path, json=ahead), "/through", "webhook_seq_ahead")


class TestReplaying:
    def test_sends_what_was_sent_under_its_ids(
        self, program: Api, receiver: Receiver, hook: Json, change: Change, send: Send
    ) -> None:
        for address in ("Khu 1", "Khu 2", "Khu 3"):
            change(address)
        send()
        first, second, third = receiver.got
        path = f"/v1/webhooks/{hook['id']}"
        body = {"from_seq": first.seq, "to_seq": second.seq}
        replaying = done(program.post(f"{path}/replay", json=body))["replaying"]
        assert replaying == {"after": first.seq - 1, "to_seq": second.seq}
        refused(program.post(f"{path}/replay", json=body), 409, "webhook_replaying")
        change("Khu 4")
        send()
        again = receiver.got[3:]
        assert [got.id for got in again[:2]] == [first.id, second.id]
        assert [got.body for got in again[:2]] == [first.body, second.body]
        assert (again[0].previous, again[1].previous) == (first.seq - 1, first.seq)
        assert (again[2].previous, len(again)) == (third.seq, 3)
        tries = program.get(f"{path}/attempts?seq={first.seq}").json()["items"]
        assert [each["purpose"] for each in tries] == ["replay", "event"]
        assert program.get(path).json()["replaying"] is None

    def test_of_what_was_not_sent_yet(self, program: Api, hook: Json) -> None:
        path = f"/v1/webhooks/{hook['id']}/replay"
        ahead = {"from_seq": 1, "to_seq": hook["seq"] + 1}
        pointed(program.post(path, json=ahead), "/to_seq", "webhook_seq_ahead")
        reversed_range = {"from_seq": 5, "to_seq": 4}
        pointed(program.post(path, json=reversed_range), "/to_seq", "webhook_range_reversed")
