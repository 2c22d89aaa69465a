"""Idempotency-Key: whatever the network does to a request, it has one effect."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import col, func, select, update

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.kernel.idempotency import IdempotentAnswer
from app.models.members.members import Member
from app.services.kernel import idempotency
from app.services.members import record
from tests.helpers.answers import Json, refused
from tests.helpers.client import Api, utc_now, writing
from tests.helpers.reading import Reading


@pytest.fixture
def body(unit_id: dict[str, int]) -> Json:
    return {
        "branch_id": unit_id["phuongvi-1"],
        "full_name": "Hà Thị Mới",
        "birth_date": "1988",
        "joined_on": None,
    }


def keyed(key: str = "k-1", **headers: str) -> dict[str, str]:
    return {"idempotency-key": key} | headers


def members_now(database: Database) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(Member)).one()


def answers_kept(database: Database) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(IdempotentAnswer)).one()


def first_of(api: Api) -> Json:
    found: Json = api.get("/v1/members?limit=1").json()["items"][0]
    return found


def assert_replay(again: Response, first: Response) -> None:
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert (again.status_code, again.content) == (first.status_code, first.content)
    for name in ("etag", "location", "content-type"):
        assert again.headers.get(name) == first.headers.get(name)


class TestReplay:
    def test_of_a_post(self, head: Api, database: Database, body: Json) -> None:
        first = head.post("/v1/members", json=body, headers=keyed())
        again = head.post("/v1/members", json=body, headers=keyed())
        assert first.status_code == 201
        assert_replay(again, first)
        assert members_now(database) == 401

    def test_of_a_patch(self, head: Api, database: Database) -> None:
        path = f"/v1/members/{first_of(head)['id']}"
        first = head.patch(path, json={"birth_date": "1950"}, headers=keyed(**{"if-match": '"1"'}))
        assert (first.status_code, first.json()["revision"]) == (200, 2)
        head.patch(path, json={"birth_date": "1960"})
        again = head.patch(path, json={"birth_date": "1950"}, headers=keyed(**{"if-match": '"1"'}))
        assert_replay(again, first)
        assert head.get(path).json()["birth_date"] == "1960"

    def test_of_a_delete(self, api: Api, database: Database) -> None:
        caller, other = api.as_("phutho"), api.as_("phutho")
        items = caller.get("/v1/auth/sessions").json()["items"]
        [other_id] = [item["id"] for item in items if not item["current"]]
        first = caller.delete(f"/v1/auth/sessions/{other_id}", headers=keyed())
        again = caller.delete(f"/v1/auth/sessions/{other_id}", headers=keyed())
        assert first.status_code == 204
        assert_replay(again, first)
        gone = caller.delete(f"/v1/auth/sessions/{other_id}")
        assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
        assert other.get("/v1/me").status_code == 401

    def test_of_an_invitation_shows_no_code_again(self, api: Api, unit_id: dict[str, int]) -> None:
        officer = api.as_("phuongvi")
        sent = {"username": "ha.moi", "display_name": "Hà Mới", "unit_id": unit_id["phuongvi"]}
        first = officer.post("/v1/accounts", json=sent, headers=keyed())
        again = officer.post("/v1/accounts", json=sent, headers=keyed())
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json()["code"]
        assert again.json() == first.json() | {"code": None}
        assert again.headers["idempotent-replayed"] == "true"

    def test_has_the_ids_of_its_own_request(self, head: Api, body: Json) -> None:
        head.post("/v1/members", json=body, headers=keyed(**{"x-request-id": "first-one"}))
        again = head.post("/v1/members", json=body, headers=keyed(**{"x-request-id": "second-one"}))
        assert again.headers["x-request-id"] == "second-one"

    def test_an_answer_is_kept_with_its_effect_and_without_the_body_sent(
        self, head: Api, database: Database, body: Json
    ) -> None:
        answer = head.post("/v1/members", json=body, headers=keyed())
        with writing(database) as session:
            [kept] = session.exec(select(IdempotentAnswer)).all()
            opened = idempotency.body_of(session, kept)
        assert (kept.key, kept.status, opened) == ("k-1", 201, answer.content)
        assert b"full_name" not in kept.body
        assert len(kept.request_digest) == 64
        assert "Bearer" not in str(kept.headers)


class TestAfterLosingARight:
    def lose(self, database: Database, username: str) -> None:
        yesterday = local_today() - timedelta(days=1)
        of_account = select(Account.id).where(col(Account.username) == username)
        with writing(database) as session:
            session.connection().execute(
                update(Grant)
                .where(col(Grant.account_id).in_(of_account))
                .values(valid_to=yesterday)
            )

    def test_the_body_is_not_shown_again(self, api: Api, database: Database, body: Json) -> None:
        head = api.as_("phuongvi-1")
        first = head.post("/v1/members", json=body, headers=keyed())
        self.lose(database, "phuongvi-1")
        again = head.post("/v1/members", json=body, headers=keyed())
        assert first.status_code == 201
        told = refused(again, 409, "idempotency_rights_changed")
        assert (told["answered"], told["location"]) == (201, first.headers["location"])
        assert (members_now(database), answers_kept(database)) == (401, 1)

    def test_nor_when_a_deputy_is_left_with_fewer_rights(
        self, api: Api, database: Database, unit_id: dict[str, int], body: Json
    ) -> None:
        """The same role over the same unit: only what it says of rights differs."""
        officer, unit = api.as_("phuongvi"), unit_id["phuongvi-1"]
        deputy = api.as_("member").get("/v1/me").json()["member_id"]
        rights = ["units:read", "members:read", "members:write"]
        given = {"member_id": deputy, "unit_id": unit, "valid_to": local_today().isoformat()}
        more = officer.post("/v1/delegations", json=given | {"rights": [*rights, "members:phone"]})
        phoned = body | {"phone": "0912345678"}
        first = api.as_("member").post("/v1/members", json=phoned, headers=keyed())
        assert first.json()["phone"] == "+84912345678"
        assert officer.delete(f"/v1/delegations/{more.json()['id']}").status_code == 204
        assert officer.post("/v1/delegations", json=given | {"rights": rights}).is_success
        again = api.as_("member").post("/v1/members", json=phoned, headers=keyed())
        refused(again, 409, "idempotency_rights_changed")
        assert members_now(database) == 401

    def test_another_request_of_the_key_is_still_refused(
        self, api: Api, database: Database, body: Json
    ) -> None:
        head = api.as_("phuongvi-1")
        head.post("/v1/members", json=body, headers=keyed())
        self.lose(database, "phuongvi-1")
        answer = head.post("/v1/members", json=body | {"birth_date": "1990"}, headers=keyed())
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


class TestOtherRequests:
    def test_another_body_is_refused(self, head: Api, database: Database, body: Json) -> None:
        head.post("/v1/members", json=body, headers=keyed())
        answer = head.post("/v1/members", json=body | {"birth_date": "1989"}, headers=keyed())
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert members_now(database) == 401

    def test_another_address_or_method_is_refused(
        self, head: Api, database: Database, body: Json
    ) -> None:
        head.post("/v1/members", json=body, headers=keyed())
        path = f"/v1/members/{first_of(head)['id']}"
        answer = head.patch(path, json={"birth_date": "1950"}, headers=keyed())
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert head.get(path).json()["revision"] == 1

    def test_the_same_key_of_another_caller_is_another_key(
        self, api: Api, database: Database, body: Json
    ) -> None:
        first = api.as_("phuongvi-1").post("/v1/members", json=body, headers=keyed())
        other = api.as_("phuongvi").post("/v1/members", json=body, headers=keyed())
        assert (first.status_code, other.status_code) == (201, 201)
        assert first.json()["id"] != other.json()["id"]
        assert members_now(database) == 402

    def test_the_same_caller_on_another_device_is_the_same(
        self, api: Api, database: Database, body: Json
    ) -> None:
        first = api.as_("phuongvi-1").post("/v1/members", json=body, headers=keyed())
        again = api.as_("phuongvi-1").post("/v1/members", json=body, headers=keyed())
        assert_replay(again, first)
        assert members_now(database) == 401

    def test_without_a_key_twice_is_two(self, head: Api, database: Database, body: Json) -> None:
        head.post("/v1/members", json=body)
        head.post("/v1/members", json=body)
        assert members_now(database) == 402
        assert answers_kept(database) == 0

    def test_what_failed_is_not_kept(self, head: Api, database: Database, body: Json) -> None:
        for wrong in (body | {"birth_date": "1899"}, body | {"branch_id": 1}):
            answer = head.post("/v1/members", json=wrong, headers=keyed())
            assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
        assert answers_kept(database) == 0
        answer = head.post("/v1/members", json=body, headers=keyed())
        assert (answer.status_code, members_now(database)) == (201, 401)

    def test_what_broke_is_not_kept(
        self, head: Api, database: Database, body: Json, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError

        with monkeypatch.context() as patch:
            patch.setattr(record, "read", fail)
            answer = head.post("/v1/members", json=body, headers=keyed())
            assert (answer.status_code, answer.json()["code"]) == (500, "internal")
        assert (members_now(database), answers_kept(database)) == (400, 0)
        answer = head.post("/v1/members", json=body, headers=keyed())
        assert (answer.status_code, members_now(database)) == (201, 401)


class TestExpiry:
    def age(self, database: Database, by: timedelta) -> None:
        with writing(database) as session:
            for answer in session.exec(select(IdempotentAnswer)).all():
                answer.created_at = utc_now() - by

    def test_for_a_day_the_answer_is_kept(self, head: Api, database: Database, body: Json) -> None:
        first = head.post("/v1/members", json=body, headers=keyed())
        self.age(database, timedelta(hours=23, minutes=59))
        assert_replay(head.post("/v1/members", json=body, headers=keyed()), first)
        assert members_now(database) == 401

    def test_after_it_the_key_is_free(self, head: Api, database: Database, body: Json) -> None:
        first = head.post("/v1/members", json=body, headers=keyed())
        self.age(database, timedelta(days=1, seconds=1))
        other = head.post("/v1/members", json=body | {"birth_date": "1990"}, headers=keyed())
        assert (other.status_code, members_now(database)) == (201, 402)
        assert other.json()["id"] != first.json()["id"]
        assert answers_kept(database) == 1

    def test_housekeeping_forgets_it(self, head: Api, database: Database, body: Json) -> None:
        for key in ("old-1", "old-2"):
            head.post("/v1/members", json=body, headers=keyed(key))
        self.age(database, timedelta(days=2))
        head.post("/v1/members", json=body, headers=keyed("new"))
        with writing(database) as session:
            assert idempotency.forget_old(session) == 2
        assert answers_kept(database) == 1


class TestKeys(Reading):
    @pytest.mark.parametrize(
        "key", [b"", b"x" * 129, "khoá".encode(), b"a\x01b", b"a\tb", b"\x7f"], ids=repr
    )
    def test_a_bad_one_is_refused(
        self, head: Api, database: Database, body: Json, key: bytes
    ) -> None:
        headers = [
            *((k.encode(), v.encode()) for k, v in head.headers.items()),
            (b"idempotency-key", key),
        ]
        answer = head.client.post("/v1/members", json=body, headers=headers)
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["in"]) == (422, "header")
        assert (error["pointer"], error["code"]) == ("/idempotency-key", "key_invalid")
        assert members_now(database) == 400

    def test_nobody_has_none(self, api: Api, body: Json) -> None:
        answer = api.post("/v1/members", json=body, headers=keyed())
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


class TestGoodKeys:
    @pytest.mark.parametrize(
        "key", ["x", "x" * 128, "0192f0c1-7c4e-7000-8000-000000000001", 'a b;c="d"~']
    )
    def test_any_printable_ascii_will_do(
        self, head: Api, database: Database, body: Json, key: str
    ) -> None:
        first = head.post("/v1/members", json=body, headers=keyed(key))
        assert_replay(head.post("/v1/members", json=body, headers=keyed(key)), first)
        assert members_now(database) == 401


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Event, Event]]:
    """The first request stops within its transaction until it is let go."""
    inside, go_on = Event(), Event()
    read = record.read

    def slow(*arguments: Any, **named: Any) -> Any:
        if not inside.is_set():
            inside.set()
            assert go_on.wait(10)
        return read(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(record, "read", slow)
        yield inside, go_on
        go_on.set()


class TestAtOnce:
    def post(self, app: FastAPI, headers: dict[str, str], body: Json) -> Response:
        return Api(app, headers | keyed()).post("/v1/members", json=body)

    @pytest.mark.race
    def test_the_second_is_told_to_wait(
        self,
        app: FastAPI,
        head: Api,
        database: Database,
        body: Json,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with ThreadPoolExecutor(1) as threads, held(monkeypatch) as (inside, go_on):
            running = threads.submit(self.post, app, head.headers, body)
            assert inside.wait(10)
            second = self.post(app, head.headers, body)
            assert (second.status_code, second.json()["code"]) == (409, "idempotency_in_progress")
            assert second.headers["retry-after"] == "1"
            go_on.set()
            first = running.result(10)
        assert (first.status_code, members_now(database)) == (201, 401)
        assert_replay(self.post(app, head.headers, body), first)

    @pytest.mark.race
    def test_in_another_process_too(
        self,
        app: FastAPI,
        head: Api,
        database: Database,
        body: Json,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """SQLite's second writer waits and replays; PostgreSQL's is asked to come again."""
        with ThreadPoolExecutor(2) as threads, held(monkeypatch) as (inside, go_on):
            running = threads.submit(self.post, app, head.headers, body)
            assert inside.wait(10)
            # What another process knows of the first one: nothing but the database.
            idempotency._running.clear()
            asked: Future[Response] = threads.submit(self.post, app, head.headers, body)
            if database.on_sqlite:
                go_on.set()
            second = asked.result(10)
            go_on.set()
            first = running.result(10)
        assert (first.status_code, members_now(database)) == (201, 401)
        if database.on_sqlite:
            assert_replay(second, first)
        else:
            assert (second.status_code, second.json()["code"]) == (409, "idempotency_in_progress")

    @pytest.mark.race
    def test_of_eight_one_takes_effect(
        self, app: FastAPI, head: Api, database: Database, body: Json
    ) -> None:
        with ThreadPoolExecutor(8) as threads:
            answers = [threads.submit(self.post, app, head.headers, body) for _ in range(8)]
            done = [answer.result(30) for answer in answers]
        assert members_now(database) == 401
        [ran] = [a for a in done if a.status_code == 201 and "idempotent-replayed" not in a.headers]
        for answer in done:
            if answer.status_code == 409:
                assert answer.json()["code"] == "idempotency_in_progress"
            elif answer is not ran:
                assert_replay(answer, ran)
        with writing(database) as session:
            assert session.get(Member, UUID(ran.json()["id"])) is not None

    def test_other_keys_and_callers_are_not_kept_waiting(
        self, app: FastAPI, database: Database
    ) -> None:
        with writing(database) as session:
            one, other = session.exec(
                select(Account.id).where(col(Account.username).in_(["phuongvi", "phutho"]))
            ).all()
        with idempotency.claimed(one, "k"), writing(database) as session:
            assert idempotency.stored(session, one, "k", "d") is None
            for account_id, key in ((other, "k"), (one, "k2")):
                # The same transaction: the keys are apart, and so are their locks.
                with idempotency.claimed(account_id, key):
                    assert idempotency.stored(session, account_id, key, "d") is None
