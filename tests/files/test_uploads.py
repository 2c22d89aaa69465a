"""Uploads by tus 1.0: pieces at the offset that is due, once, from whatever server answers."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import col, select

from app.api.http.server import serving
from app.clock import utc_now
from app.db import ENDPOINT_THREADS, Database
from app.errors import Problem
from app.main import create_app
from app.models.files.files import FilePiece, FileUpload, StoredFile
from app.models.kernel.changes import Change, ChangeSource, Operation
from app.services.backups.reopening import reopen
from app.services.files import arriving, keeping, uploads
from app.services.files.stores import store_of
from app.services.kernel import due
from app.services.kernel.access import Actor
from app.services.kernel.actors import load_actor
from app.services.kernel.changes import Origin
from tests.conftest import make_settings
from tests.files.uploads import (
    PDF,
    PIECE,
    announced,
    created,
    in_parts,
    objects,
    overwritten,
    picture,
    piece,
    whole,
)
from tests.helpers.client import Api, writing


def logged(database: Database) -> list[str]:
    with writing(database) as session:
        statement = (
            select(Change.operation).where(col(Change.entity) == "file").order_by(col(Change.id))
        )
        return list(session.exec(statement))


class TestDiscovery:
    def test_says_what_it_knows_without_a_token(self, api: Api) -> None:
        answer = api.request("OPTIONS", "/v1/files")
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["tus-version"] == answer.headers["tus-resumable"] == "1.0.0"
        assert answer.headers["tus-extension"] == "creation,expiration,termination"
        assert answer.headers["tus-max-size"] == "52428800"

    @pytest.mark.parametrize("method", ["POST", "GET", "PATCH", "DELETE"])
    def test_another_version_is_412(self, head: Api, method: str) -> None:
        path = created(head, 10)
        headers = PIECE | {"upload-offset": "0", "tus-resumable": "0.2.2"}
        answer = head.request(method, "/v1/files" if method == "POST" else path, headers=headers)
        assert (answer.status_code, answer.headers["tus-version"]) == (412, "1.0.0")
        assert head.get(path).json()["offset"] == 0


class TestCreation:
    def test_gives_the_address_and_the_day_it_ends(self, head: Api) -> None:
        answer = announced(head, 3_000, filetype="application/pdf", filename="Chị Lan.pdf")
        made = answer.json()
        assert answer.status_code == 201
        assert answer.headers["location"] == f"/v1/files/{made['id']}"
        assert answer.headers["upload-offset"] == "0"
        assert answer.headers["upload-expires"].endswith("GMT")
        assert made == {
            "id": made["id"],
            "kind": "document",
            "state": "uploading",
            "offset": 0,
            "length": 3_000,
            "media_type": "application/pdf",
            **dict.fromkeys(("size", "width", "height", "refused", "used_as")),
            "expires_at": made["expires_at"],
        }
        assert "Lan" not in answer.text

    @pytest.mark.parametrize(
        ("headers", "pointer", "code"),
        [
            ({}, "/upload-length", "required"),
            ({"upload-length": "-1"}, "/upload-length", "wrong_format"),
            ({"upload-length": "9" * 16}, "/upload-length", "wrong_format"),
            ({"upload-length": "1.5"}, "/upload-length", "wrong_format"),
            ({"upload-length": "1"}, "/upload-metadata/kind", "required"),
            ({"upload-metadata": "kind a2luZA=="}, "/upload-metadata/kind", "not_in_list"),
            ({"upload-metadata": "kind ###"}, "/upload-metadata", "wrong_format"),
            ({"upload-metadata": "kind /w=="}, "/upload-metadata", "wrong_format"),
            (
                {"upload-metadata": "kind ZG9jdW1lbnQ=,filetype AAo="},
                "/upload-metadata/filetype",
                "wrong_format",
            ),
        ],
    )
    def test_says_what_is_wrong(
        self, head: Api, headers: dict[str, str], pointer: str, code: str
    ) -> None:
        length = {"upload-length": "1"} if "upload-metadata" in headers else {}
        answer = head.post("/v1/files", headers=length | headers)
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["in"]) == (422, "header")
        assert (error["pointer"], error["code"]) == (pointer, code)
        assert answer.headers["tus-resumable"] == "1.0.0"

    @pytest.mark.parametrize(("kind", "most"), [("picture", 20_971_520), ("document", 52_428_800)])
    def test_each_kind_has_its_largest_size(self, head: Api, kind: str, most: int) -> None:
        assert announced(head, most, kind).status_code == 201
        refused = announced(head, most + 1, kind)
        assert (refused.status_code, refused.json()["limit"]) == (413, most)
        assert refused.json()["code"] == "file_too_large"

    def test_what_waits_has_a_quota(self, head: Api, officer: Api) -> None:
        paths = [created(head, 52_428_800) for _ in range(10)]
        refused = announced(head, 1)
        assert (refused.status_code, refused.json()["code"]) == (413, "file_quota")
        assert refused.json()["taken"] == refused.json()["limit"] == 524_288_000
        assert announced(officer, 1).status_code == 201
        assert head.delete(paths[0]).status_code == 204
        assert announced(head, 1).status_code == 201

    @pytest.mark.parametrize("username", ["auditor", "member", "admin"])
    def test_who_could_put_it_nowhere_sends_none(self, api: Api, username: str) -> None:
        answer = announced(api.as_(username), 10)
        assert (answer.status_code, answer.json()["required_right"]) == (403, "members:write")

    def test_again_with_its_key_is_one(self, head: Api, database: Database) -> None:
        headers = {
            "upload-length": "10",
            "upload-metadata": "kind ZG9jdW1lbnQ=",
            "idempotency-key": "tep-1",
        }
        first, second = (head.post("/v1/files", headers=headers) for _ in range(2))
        assert first.headers["location"] == second.headers["location"]
        with writing(database) as session:
            assert len(session.exec(select(FileUpload)).all()) == 1

    def test_one_of_no_bytes_is_whole_at_once(self, head: Api, database: Database) -> None:
        path = created(head, 0)
        found = head.get(path).json()
        assert (found["state"], found["size"], found["media_type"]) == ("ready", 0, "text/plain")
        assert head.get(f"{path}/content").content == b""
        assert piece(head, path, 0, b"").status_code == 204
        assert logged(database) == [Operation.created]


class TestPieces:
    def test_arrive_one_after_the_other(self, head: Api, database: Database) -> None:
        path = created(head, len(PDF))
        for start, part in in_parts(PDF, 1_000):
            answer = piece(head, path, start, part)
            assert answer.status_code == 204
            assert answer.headers["upload-offset"] == str(start + len(part))
            told = head.request("HEAD", path)
            assert told.headers["upload-offset"] == str(start + len(part))
            assert told.headers["upload-length"] == str(len(PDF))
            assert told.headers["cache-control"] == "no-store"
        found = head.get(path).json()
        assert (found["state"], found["media_type"]) == ("ready", "application/pdf")
        assert (found["size"], found["offset"]) == (len(PDF), len(PDF))
        content = head.get(f"{path}/content")
        assert content.content == PDF
        assert content.headers["content-type"] == "application/pdf"
        assert content.headers["content-disposition"].startswith("attachment")
        assert content.headers["x-content-type-options"] == "nosniff"
        assert logged(database) == [Operation.created]

    def test_are_not_crumbs(
        self, head: Api, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One more than are taken leaves nothing; the rest at once is taken."""
        monkeypatch.setattr(arriving, "MOST_PIECES", 2)
        path, before = created(head, len(PDF)), len(objects(database))
        for offset in (0, 1):
            assert piece(head, path, offset, PDF[offset : offset + 1]).status_code == 204
        refused = piece(head, path, 2, PDF[2:3])
        assert (refused.status_code, refused.json()["code"]) == (413, "upload_in_crumbs")
        assert head.get(path).json()["offset"] == 2
        assert len(objects(database)) == before + 2
        assert piece(head, path, 2, PDF[2:]).status_code == 204
        assert head.get(f"{path}/content").content == PDF

    def test_of_more_than_a_block_come_back(self, head: Api) -> None:
        text = ("Chi hội Phượng Vĩ họp. " * 200_000).encode()
        path = created(head, len(text))
        for start, part in in_parts(text, 2_500_000):
            assert piece(head, path, start, part).status_code == 204
        assert head.get(f"{path}/content").content == text

    @pytest.mark.parametrize("offset", [0, 999, 1_001, 10**14])
    def test_at_another_offset_are_409_and_change_nothing(self, head: Api, offset: int) -> None:
        path = created(head, len(PDF))
        piece(head, path, 0, PDF[:1_000])
        answer = piece(head, path, offset, PDF[1_000:])
        assert (answer.status_code, answer.json()["code"]) == (409, "upload_offset")
        assert answer.json()["offset"] == 1_000
        assert answer.headers["upload-offset"] == "1000"
        assert head.get(path).json()["offset"] == 1_000

    def test_say_where_they_begin(self, head: Api) -> None:
        path = created(head, 10)
        answer = head.patch(path, headers=PIECE, content=b"1234567890")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/upload-offset"
        other = PIECE | {"upload-offset": "0", "content-type": "application/json"}
        assert head.patch(path, headers=other, content=b"1234567890").status_code == 415
        assert head.get(path).json()["offset"] == 0

    def test_longer_than_announced_leave_nothing(self, head: Api, database: Database) -> None:
        path = created(head, 10)
        before = objects(database)
        answer = piece(head, path, 0, b"12345678901")
        assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_long")
        assert head.get(path).json()["offset"] == 0
        assert objects(database) == before

    def test_the_last_one_again_is_one_file(self, head: Api, database: Database) -> None:
        path = created(head, len(PDF))
        piece(head, path, 0, PDF[:1_000])
        assert piece(head, path, 1_000, PDF[1_000:]).status_code == 204
        again = piece(head, path, 1_000, PDF[1_000:])
        assert (again.status_code, again.headers["upload-offset"]) == (409, str(len(PDF)))
        assert piece(head, path, len(PDF), b"").status_code == 204
        assert piece(head, path, len(PDF), b"more").status_code == 413
        assert logged(database) == [Operation.created]
        with writing(database) as session:
            assert len(session.exec(select(StoredFile)).all()) == 1
            assert session.exec(select(FileUpload)).all() == []

    def test_killed_between_bytes_and_row_are_sent_again(
        self, head: Api, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = created(head, len(PDF))
        piece(head, path, 0, PDF[:1_000])

        def killed(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(uploads, "take", killed)
            dying = arriving.begin(database, _actor_of(head), _id(path), 1_000)
            dying.write(PDF[1_000:])
            with pytest.raises(KeyboardInterrupt):
                dying.done(_origin())
        assert head.request("HEAD", path).headers["upload-offset"] == "1000"
        assert piece(head, path, 1_000, PDF[1_000:]).status_code == 204
        assert head.get(f"{path}/content").content == PDF
        assert logged(database) == [Operation.created]

    @pytest.mark.race
    @pytest.mark.parametrize("last", [False, True])
    def test_two_at_one_offset_are_one(self, head: Api, database: Database, last: bool) -> None:
        length = len(PDF) + (0 if last else 1)
        path = created(head, length)
        both = Barrier(2)

        def bring(_: int) -> int | str:
            one = arriving.begin(database, _actor_of(head), _id(path), 0)
            one.write(PDF)
            both.wait()
            try:
                one.done(_origin())
            except Problem as problem:
                return problem.code
            return 204

        with ThreadPoolExecutor(2) as pool:
            assert sorted(map(str, pool.map(bring, range(2)))) == ["204", "upload_offset"]
        assert head.get(path).json()["offset"] == len(PDF)
        assert logged(database) == ([Operation.created] if last else [])

    def test_a_body_that_breaks_off_is_kept_so_far(self, app: FastAPI, head: Api) -> None:
        path = created(head, len(PDF))
        messages = iter(
            [
                {"type": "http.request", "body": PDF[:1_500], "more_body": True},
                {"type": "http.disconnect"},
            ]
        )

        async def receive() -> Any:
            return next(messages)

        async def send(_: Any) -> None:
            """Nobody is there."""

        headers = PIECE | {"upload-offset": "0"} | head.headers
        scope = {
            "type": "http",
            "method": "PATCH",
            "path": path,
            "query_string": b"",
            "headers": [(n.encode(), v.encode()) for n, v in headers.items()],
            "app": app,
        }
        asyncio.run(app(scope, receive, send))
        assert head.request("HEAD", path).headers["upload-offset"] == "1500"
        assert piece(head, path, 1_500, PDF[1_500:]).status_code == 204
        assert head.get(f"{path}/content").content == PDF


class TestHead:
    """What a client learns before it fetches."""

    def test_of_a_file_says_its_size_and_its_tag(self, head: Api) -> None:
        path = f"/v1/files/{whole(head, PDF)['id']}/content"
        told = head.request("HEAD", path)
        answer = head.get(path, headers={"accept-encoding": "identity"})
        assert (told.status_code, told.content) == (200, b"")
        for name in ("content-length", "content-type", "content-disposition", "etag"):
            assert told.headers[name] == answer.headers[name]
        assert int(told.headers["content-length"]) == len(PDF) == len(answer.content)

    def test_of_a_thumbnail_is_its_own(self, head: Api) -> None:
        found = whole(head, picture(size=(900, 600)), "picture")
        path = f"/v1/files/{found['id']}/content?size=thumbnail"
        told, answer = head.request("HEAD", path), head.get(path)
        assert int(told.headers["content-length"]) == len(answer.content) < found["size"]


class TestServers:
    @pytest.fixture
    def other(self, app: FastAPI, database: Database) -> Iterator[FastAPI]:
        """A second server on the same database and folder."""
        second = create_app(make_settings(database.settings.database_url))
        yield second
        serving(second).database.close()

    def test_take_turns(self, head: Api, other: FastAPI) -> None:
        elsewhere = Api(other, head.headers)
        path = created(head, len(PDF))
        for turn, (start, part) in enumerate(in_parts(PDF, 700)):
            assert piece([head, elsewhere][turn % 2], path, start, part).status_code == 204
        for api in (head, elsewhere):
            assert api.get(f"{path}/content").content == PDF


class TestLooking:
    def test_holds_up_nobody_else(self, head: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        """More whole files than there are threads for requests, and each takes its time."""
        begun, go_on = Event(), Event()
        look = uploads.looked_at

        def slow(*told: Any) -> Any:
            begun.set()
            assert go_on.wait(20)
            return look(*told)

        monkeypatch.setattr(uploads, "looked_at", slow)
        paths = [created(head, len(PDF)) for _ in range(ENDPOINT_THREADS + 1)]
        with ThreadPoolExecutor(len(paths) + 1) as pool:
            sent = [pool.submit(piece, head, path, 0, PDF) for path in paths]
            assert begun.wait(5)
            # Written, that is, a change of the database: by no short way around the threads.
            other = pool.submit(created, head, 1)
            try:
                assert other.result(5)
            finally:
                go_on.set()
            assert {each.result().status_code for each in sent} == {204}


class TestOthers:
    @pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
    def test_find_no_upload_of_mine(self, head: Api, officer: Api, method: str) -> None:
        for path in (created(head, 10), f"/v1/files/{whole(head, PDF)['id']}"):
            headers = PIECE | {"upload-offset": "0"}
            assert officer.request(method, path, headers=headers).status_code == 404
            assert head.get(path).status_code == 200

    def test_nor_its_content(self, head: Api, officer: Api, api: Api) -> None:
        path = f"/v1/files/{whole(head, PDF)['id']}/content"
        assert officer.get(path).status_code == 404
        assert api.get(path).status_code == 401

    def test_without_a_token_nothing_is_sent(self, api: Api) -> None:
        assert announced(api, 10).status_code == 401


class TestTermination:
    def test_ends_an_upload_and_a_file(self, head: Api, database: Database) -> None:
        for path in (created(head, 10), f"/v1/files/{whole(head, PDF)['id']}"):
            assert head.delete(path).status_code == 204
            assert head.get(path).status_code == 404
            assert head.delete(path).status_code == 404
        assert logged(database) == [Operation.created, Operation.deleted]


class TestExpiry:
    def late(self, database: Database) -> None:
        with database.writer.begin() as connection:
            for model in (FileUpload, StoredFile):
                over = utc_now() - timedelta(minutes=1)
                connection.execute(sa.update(model).values(expires_at=over))

    def test_of_an_upload_is_410_and_then_404(self, head: Api, database: Database) -> None:
        path = created(head, len(PDF))
        piece(head, path, 0, PDF[:1_000])
        self.late(database)
        assert head.get(path).json()["code"] == "upload_expired"
        assert piece(head, path, 1_000, PDF[1_000:]).status_code == 410
        with writing(database) as session:
            assert keeping.forget_expired(session) == 1
            assert session.exec(select(FilePiece)).all() == []
        assert head.get(path).status_code == 404

    def test_a_piece_gives_it_more_time(self, head: Api) -> None:
        path = created(head, len(PDF))
        first = head.get(path).json()["expires_at"]
        time.sleep(0.002)
        piece(head, path, 0, PDF[:1_000])
        assert head.get(path).json()["expires_at"] > first

    def test_of_a_file_that_nothing_has(self, head: Api, database: Database) -> None:
        found = whole(head, PDF)
        self.late(database)
        with writing(database) as session:
            assert keeping.forget_expired(session) == 1
        assert head.get(f"/v1/files/{found['id']}").status_code == 404
        assert logged(database) == [Operation.created, Operation.deleted]


class TestStore:
    def test_holds_nothing_that_can_be_read(self, head: Api, database: Database) -> None:
        before = objects(database)
        path = created(head, len(PDF))
        piece(head, path, 0, PDF[:1_000])
        piece(head, path, 1_000, PDF[1_000:])
        [made] = objects(database) - before
        with store_of(database.settings).open(made) as file:
            assert b"PDF" not in file.read()

    def test_loses_what_no_row_names(
        self, head: Api, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept, gone = whole(head, PDF), whole(head, PDF)
        head.delete(f"/v1/files/{gone['id']}")
        half = created(head, len(PDF))
        piece(head, half, 0, PDF[:1_000])
        assert keeping.remove_unnamed(database) == 0
        monkeypatch.setattr(keeping, "_GRACE", timedelta(seconds=-60))
        assert keeping.remove_unnamed(database) >= 1
        assert len(objects(database)) == 2
        assert head.get(f"/v1/files/{kept['id']}/content").content == PDF
        assert piece(head, half, 1_000, PDF[1_000:]).status_code == 204

    def test_loses_nothing_before_a_restore_goes_on(
        self, head: Api, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The folder may be of a later day than the database, or of the server in use."""
        whole(head, PDF)
        path = f"/v1/files/{whole(head, PDF)['id']}"
        assert head.delete(path).status_code == 204
        before = objects(database)
        reopen(database, [], taken_at=utc_now() - timedelta(hours=8))
        monkeypatch.setattr(keeping, "_GRACE", timedelta(seconds=-60))
        assert keeping.remove_unnamed(database) == 0
        assert objects(database) == before
        with writing(database) as session:
            assert due.go_on(session, (), "Phòng Công nghệ", ())
        assert keeping.remove_unnamed(database) >= 1

    def test_loses_nothing_beside_a_database_without_files(
        self, head: Api, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server that was started without its database has begun another one."""
        path = f"/v1/files/{whole(head, PDF)['id']}"
        assert head.delete(path).status_code == 204
        before = objects(database)
        monkeypatch.setattr(keeping, "_GRACE", timedelta(seconds=-60))
        assert keeping.remove_unnamed(database) == 0
        assert objects(database) == before

    def test_that_lost_a_file_says_so(self, head: Api, database: Database) -> None:
        before = objects(database)
        found = whole(head, PDF)
        [made] = objects(database) - before
        store = store_of(database.settings)
        with store.open(made) as file:
            overwritten(store, made, file.read()[:-1])
        path = f"/v1/files/{found['id']}/content"
        assert head.get(path).json()["code"] == "file_lost"
        overwritten(store, made, b"")
        assert head.get(path).json()["code"] == "file_lost"
        store.remove([made])
        assert (head.get(path).status_code, head.get(path).json()["code"]) == (410, "file_lost")


def _id(path: str) -> UUID:
    return UUID(path.removeprefix("/v1/files/"))


def _actor_of(api: Api) -> Actor:
    token = api.headers["authorization"].removeprefix("Bearer ")
    server = serving(api.app)
    session_id = server.signin.verify(token, utc_now()).session_id
    actor = server.database.read_apart(lambda db: load_actor(db, session_id))
    assert actor is not None
    return actor


def _origin() -> Origin:
    return Origin(ChangeSource.api, request_id="test-0001")
