"""Uploads whose bytes are in a bucket: all that is said of a folder holds."""

from datetime import timedelta
from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import MemoryStore

from app.db import Database
from app.errors import Problem
from app.services.files import keeping, stores
from app.services.files.buckets import BucketStore
from tests.files import test_uploads
from tests.files.uploads import PDF, created, objects, piece, whole
from tests.helpers.client import Api


@pytest.fixture(autouse=True)
def _in_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = MemoryStore()
    monkeypatch.setattr(stores, "FolderStore", lambda _: BucketStore(remote))


class TestPieces(test_uploads.TestPieces):
    pass


class TestServers(test_uploads.TestServers):
    pass


class TestExpiry(test_uploads.TestExpiry):
    pass


class TestStore(test_uploads.TestStore):
    pass


class TestAway:
    """A bucket that does not answer: nothing is kept, the phone gets 503, and goes on later."""

    @pytest.fixture
    def half(self, head: Api) -> str:
        path = created(head, len(PDF))
        assert piece(head, path, 0, PDF[:1_000]).status_code == 204
        return path

    def failing(self, *_: Any, **__: Any) -> Any:
        raise GenericError("Generic S3 error\n\nDebug source:\nof no use")

    @pytest.mark.parametrize("method", ["list", "put", "get"])
    def test_while_a_file_is_sent(
        self, head: Api, half: str, method: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(obstore, method, self.failing)
            answer = piece(head, half, 1_000, PDF[1_000:])
            assert (answer.status_code, answer.json()["code"]) == (503, "files_away")
            assert answer.headers["retry-after"] == "5"
            assert "S3" not in answer.text
            assert head.get(half).json()["offset"] == 1_000
        assert piece(head, half, 1_000, PDF[1_000:]).status_code == 204
        assert head.get(f"{half}/content").content == PDF

    def test_once_the_file_is_whole(
        self, head: Api, half: str, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its pieces stay until upkeep, and the answer is what has become of the file."""
        with monkeypatch.context() as patched:
            patched.setattr(obstore, "delete", self.failing)
            assert piece(head, half, 1_000, PDF[1_000:]).status_code == 204
        assert len(objects(database)) == 3
        assert head.get(f"{half}/content").content == PDF
        monkeypatch.setattr(keeping, "_GRACE", timedelta(seconds=-60))
        assert keeping.remove_unnamed(database) == 2

    def test_once_it_is_refused(self, head: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        path = created(head, 4, "picture")
        monkeypatch.setattr(obstore, "delete", self.failing)
        answer = piece(head, path, 0, b"none")
        assert (answer.status_code, answer.json()["code"]) == (422, "file_type_refused")

    def test_while_a_file_is_read(self, head: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        path = f"/v1/files/{whole(head, PDF)['id']}/content"
        with monkeypatch.context() as patched:
            patched.setattr(obstore, "get", self.failing)
            answer = head.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "files_away")
        assert head.get(path).content == PDF

    def test_while_nobody_waits(
        self, head: Api, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Upkeep says so, and removes nothing."""
        whole(head, PDF)
        with monkeypatch.context() as patched:
            patched.setattr(obstore, "list", self.failing)
            with pytest.raises(Problem, match="files_away"):
                keeping.remove_unnamed(database)
        assert len(objects(database)) == 1
