"""Pictures of a session: added by who writes for a host, seen by who sees the session."""

from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.db import Database
from app.models.events.events import Room
from app.models.events.pictures import SessionPicture
from app.models.events.reminders import Reminder
from app.models.files.files import StoredFile
from app.models.kernel.changes import Change
from app.services.events import pictures, reminders, rooms
from app.services.events.scope import access_session
from app.services.kernel.access import Actor
from tests.files.uploads import PDF, picture, whole
from tests.helpers.answers import Json, refused
from tests.helpers.client import Api, writing
from tests.helpers.meetings import acted, announced, at, items, made, sessions


def sent(api: Api) -> str:
    """A picture that nothing has yet."""
    return f"files/{whole(api, picture(), 'picture')['id']}"


def added(api: Api, path: str, file: str | None = None, **more: object) -> Json:
    answer = api.post(path, json={"file": file or sent(api)} | more)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


# What a request deletes under the lock of its event: the table, who does it, and the address.
DELETED: dict[str, tuple[Any, Any, str]] = {
    "pictures": (SessionPicture, pictures, "/v1/session-pictures"),
    "rooms": (Room, rooms, "/v1/rooms"),
    "reminders": (Reminder, reminders, "/v1/reminders"),
}


def kept(database: Database) -> tuple[set[UUID], set[UUID | None]]:
    """The pictures, and what has the files."""
    with writing(database) as session:
        rows = session.exec(select(col(SessionPicture.id))).all()
        return set(rows), set(session.exec(select(col(StoredFile.used_by))).all())


@pytest.fixture
def event_id(head: Api) -> str:
    return announced(head)[0]


@pytest.fixture
def path(head: Api, event_id: str) -> str:
    """The pictures of its session."""
    return f"/v1/sessions/{sessions(head, {'id': event_id})[0]['id']}/pictures"


class TestAdded:
    def test_in_their_order_to_the_session_and_its_event(
        self, head: Api, path: str, event_id: str, database: Database
    ) -> None:
        file = sent(head)
        first = added(head, path, file=file, caption="Toàn cảnh", taken_by="Chị Lan")
        second = added(head, path)
        front = added(head, path, position=1, caption="Mở đầu")
        assert [each["position"] for each in (first, second, front)] == [1, 2, 1]
        in_order = [first, front, second]
        assert items(head, path) == in_order
        assert head.get(f"/v1/events/{event_id}").json()["pictures"] == in_order
        ids = {UUID(each["id"]) for each in in_order}
        assert kept(database) == (ids, ids)
        assert head.get(f"/v1/{file}").json()["used_as"] == "session_picture"
        with writing(database) as session:
            logged = session.exec(select(Change).where(Change.entity == "session_picture")).all()
        assert [change.operation for change in logged] == ["created"] * 3
        assert (logged[0].after or {})["caption"] == "Toàn cảnh"

    def test_sent_twice_is_one(self, head: Api, path: str, database: Database) -> None:
        body = {"id": str(uuid4()), "file": sent(head), "caption": "Một"}
        first, again = (head.post(path, json=body) for _ in range(2))
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        refused(head.post(path, json=body | {"caption": "Hai"}), 409, "id_taken")
        assert len(kept(database)[0]) == 1

    def test_when_the_session_is_closed_and_not_when_it_is_cancelled(
        self, head: Api, database: Database
    ) -> None:
        event = made(head, sessions=[])
        body = {"starts_at": "2026-01-05T19:00:00+07:00", "ends_at": "2026-01-05T21:00:00+07:00"}
        ids = []
        for _ in range(2):
            answer = head.post(f"/v1/events/{event['id']}/sessions", json=body)
            assert answer.status_code == 201, answer.text
            ids.append(answer.json()["id"])
        acted(head, f"/v1/events/{event['id']}/announce")
        over, off = (f"/v1/sessions/{each}" for each in ids)
        before = added(head, f"{off}/pictures")
        acted(head, f"{over}/hold")
        acted(head, f"{off}/cancel", {"reason": "Mưa bão"})
        acted(head, f"{over}/close")
        added(head, f"{over}/pictures")
        waits = {"file": sent(head)}
        refused(head.post(f"{off}/pictures", json=waits), 409, "session_state")
        # What was there goes on being seen, and may be taken away.
        mine = f"/v1/session-pictures/{before['id']}"
        assert head.get(f"{mine}/content").status_code == 200
        assert head.delete(mine).status_code == 204
        assert len(kept(database)[0]) == 1


class TestRefused:
    def test_of_a_file_that_is_not_theirs_to_give(
        self, head: Api, officer: Api, path: str, database: Database
    ) -> None:
        """Sent by another account, had by a member or a picture, no picture, none at all."""
        [member] = items(head, "/v1/members?limit=1")
        photo = sent(head)
        set_ = head.patch(f"/v1/members/{member['id']}", json={"photo": photo})
        assert set_.status_code == 200, set_.text
        there = sent(head)
        added(head, path, file=there)
        before = kept(database)
        document = f"files/{whole(head, PDF)['id']}"
        for file in (photo, there, document, f"files/{uuid4()}", "files/x", str(uuid4())):
            answer = head.post(path, json={"file": file})
            [error] = refused(answer, 422, "validation_failed")["errors"]
            assert (error["code"], error["pointer"]) == ("file_unknown", "/file")
        [error] = head.post(path, json={"file": sent(officer)}).json()["errors"]
        assert error["code"] == "file_unknown"
        after = kept(database)
        assert (after[0], after[1] - {None}) == (before[0], before[1] - {None})

    def test_to_whom_it_is_not_theirs_to_change(
        self, api: Api, path: str, database: Database
    ) -> None:
        head = api.as_("phuongvi-1")
        mine = f"/v1/session-pictures/{added(head, path)['id']}"
        others = (
            ("tienluong", 404, sent(api.as_("tienluong"))),
            ("phuongvi-2", 404, sent(api.as_("phuongvi-2"))),
            ("auditor", 403, "files/x"),
            ("member", 403, "files/x"),
        )
        before = kept(database)[0]
        for username, status, file in others:
            caller = api.as_(username)
            for answer in (
                caller.post(path, json={"file": file}),
                caller.patch(mine, json={"caption": "Khác"}),
                caller.delete(mine),
            ):
                assert answer.status_code == status, (username, answer.text)
        assert kept(database)[0] == before
        assert items(api.as_("phuongvi-1"), path)[0]["caption"] is None

    def test_more_than_an_event_may_have(
        self, head: Api, path: str, monkeypatch: pytest.MonkeyPatch, database: Database
    ) -> None:
        monkeypatch.setattr(pictures, "MOST_PICTURES", 1)
        added(head, path)
        answer = head.post(path, json={"file": sent(head)})
        [error] = refused(answer, 422, "validation_failed")["errors"]
        assert error["code"] == "too_large"
        assert len(kept(database)[0]) == 1


class TestSeen:
    def test_by_all_who_see_the_session(self, api: Api, path: str) -> None:
        head = api.as_("phuongvi-1")
        mine = f"/v1/session-pictures/{added(head, path)['id']}"
        for username in ("phuongvi-1", "phuongvi", "auditor", "member"):
            reader = api.as_(username)
            assert len(items(reader, path)) == 1
            for size in ("full", "thumbnail"):
                answer = reader.get(f"{mine}/content?size={size}")
                assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        link = head.post(f"{mine}/links", json={"seconds": 60})
        assert link.status_code == 201, link.text
        shown = api.get(link.json()["path"])
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")

    def test_by_nobody_else(self, api: Api, path: str) -> None:
        mine = f"/v1/session-pictures/{added(api.as_('phuongvi-1'), path)['id']}"
        for username in ("tienluong", "phuongvi-2"):
            reader = api.as_(username)
            for answer in (
                reader.get(path),
                reader.get(f"{mine}/content"),
                reader.post(f"{mine}/links", json={}),
            ):
                assert answer.status_code == 404, username
        assert api.as_("admin").get(f"{mine}/content").status_code == 403
        assert (
            api.as_("phuongvi-1").get(f"/v1/session-pictures/{uuid4()}/content").status_code == 404
        )


class TestChanged:
    def test_caption_and_place(self, head: Api, officer: Api, path: str) -> None:
        """By another writer for the host."""
        one, two = added(head, path), added(head, path)
        mine = f"/v1/session-pictures/{one['id']}"
        answer = officer.patch(mine, json={"position": 3, "caption": "Trao quà"})
        assert answer.status_code == 200, answer.text
        assert answer.json() == one | {"position": 3, "caption": "Trao quà", "revision": 2}
        assert [each["id"] for each in items(head, path)] == [two["id"], one["id"]]
        stale = head.patch(mine, json={"caption": None}, headers={"if-match": '"1"'})
        refused(stale, 412, "stale_revision")
        assert head.patch(mine, json={"file": sent(head)}).status_code == 422

    def test_gone_with_its_file_and_its_links(
        self, head: Api, path: str, database: Database
    ) -> None:
        file = sent(head)
        mine = f"/v1/session-pictures/{added(head, path, file=file)['id']}"
        link = head.post(f"{mine}/links", json={}).json()["path"]
        refused(head.delete(f"/v1/{file}"), 409, "file_in_use")
        assert head.delete(mine).status_code == 204
        assert kept(database) == (set(), set())
        for answer in (head.delete(mine), head.get(f"{mine}/content"), head.get(link)):
            assert answer.status_code == 404

    def test_gone_with_a_session_that_a_draft_no_longer_has(
        self, head: Api, database: Database
    ) -> None:
        event = made(head, sessions=[])
        rule = f"/v1/events/{event['id']}/recurrence"
        weekly = {"starts_at": at(7), "ends_at": at(7, 21)}
        acted(head, rule, weekly | {"rule": "FREQ=WEEKLY;COUNT=3"})
        mine = [f"/v1/sessions/{each['id']}/pictures" for each in sessions(head, event)]
        first, last = added(head, mine[0]), added(head, mine[2])
        link = head.post(f"/v1/session-pictures/{last['id']}/links", json={}).json()["path"]
        room = head.post(mine[2].replace("pictures", "rooms"), json={"name": "Nhà văn hoá"}).json()
        acted(head, rule, weekly | {"rule": "FREQ=WEEKLY;COUNT=2"})
        assert kept(database) == ({UUID(first["id"])}, {UUID(first["id"])})
        assert head.get(link).status_code == 404
        for gone in (last, room):
            with writing(database) as session:
                of_it = col(Change.entity_id) == gone["id"]
                told = session.exec(select(col(Change.operation)).where(of_it)).all()
            assert told == ["created", "deleted"]

    @pytest.mark.parametrize("kind", ["pictures", "rooms", "reminders"])
    def test_by_two_at_once_the_second_finds_nothing(
        self, head: Api, path: str, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """It is deleted while the other request waits for the lock of its event."""
        model, service, mine = DELETED[kind]
        bodies = {"rooms": {"name": "Nhà văn hoá"}, "reminders": {"send_at": at(6)}}
        body = bodies.get(kind) or {"file": sent(head)}
        answer = head.post(path.replace("pictures", kind), json=body)
        assert answer.status_code == 201, answer.text
        one = answer.json()["id"]

        def meanwhile(session: Session, actor: Actor, session_id: UUID) -> object:
            found = access_session(session, actor, session_id)
            session.connection().execute(sa.delete(model).where(col(model.id) == UUID(one)))
            return found

        monkeypatch.setattr(service, "access_session", meanwhile)
        answer = head.delete(f"{mine}/{one}")
        assert answer.status_code == 404, answer.text
