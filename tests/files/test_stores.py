"""Stores of files: a folder and a bucket do the same. `tests/system/test_s3.py` asks a server of S3."""

import io
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from errno import ENOSPC
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import obstore
import pytest
from obstore.exceptions import GenericError, PermissionDeniedError
from obstore.store import MemoryStore
from pydantic import SecretStr, ValidationError

from app.clock import utc_now
from app.config import BadSettings, Settings
from app.errors import Problem
from app.models.base import new_id
from app.services.files import buckets
from app.services.files.buckets import BucketStore
from app.services.files.folders import FolderStore
from app.services.files.protocol import ObjectMissing, Store, key_of
from app.services.files.stores import ensure_works, store_of
from tests.files.uploads import kept, overwritten

# More than one part and one block, and a bit.
LARGE = bytes(range(256)) * (9 * 4096) + b"end"


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return FolderStore(tmp_path) if request.param == "folder" else BucketStore(MemoryStore())


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@contextmanager
def refusing(
    store: Store, name: UUID, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> Iterator[None]:
    """A bucket that has refused a HEAD, while a thread waits for the answer to the next one."""
    asked, answers, head = Event(), Event(), obstore.head

    def slow(*of: Any) -> Any:
        asked.set()
        assert answers.wait(10)
        return head(*of)

    monkeypatch.setattr(obstore, "head", failing(error))
    with pytest.raises(Problem, match="files_away"):
        store.size(name)
    monkeypatch.setattr(obstore, "head", slow)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(store.size, name)
        try:
            assert asked.wait(10)
            yield
        finally:
            answers.set()
        assert waiting.result(10) == 1


def all_of(store: Store, minutes: int = 1) -> set[UUID]:
    return set(store.names(utc_now() + timedelta(minutes=minutes)))


class TestStore:
    @pytest.mark.parametrize(
        "data", [b"x", b"x" * 1_048_577, LARGE], ids=["byte", "1 MiB", "9 MiB"]
    )
    def test_gives_back_what_was_kept(self, store: Store, data: bytes) -> None:
        name = new_id()
        draft = store.create(name)
        for start in range(0, len(data), 700_000):
            draft.write(data[start : start + 700_000])
        assert store.size(name) is None
        draft.keep()
        assert store.size(name) == len(data)
        with store.open(name) as file:
            assert file.read(5) == data[:5]
            assert file.read() == data[5:]
            assert file.read() == b""

    @pytest.mark.parametrize("start", [0, 1, 2_000_000, 3_000_000, 5_000_000])
    def test_is_read_from_a_place_on(self, store: Store, start: int) -> None:
        name, data = new_id(), bytes(range(256)) * 20_000
        draft = store.create(name)
        draft.write(data)
        draft.keep()
        with store.open(name) as file:
            assert file.read(3) == data[:3]
            file.seek(start)
            assert file.read() == data[start:]

    def test_has_nothing_of_a_draft_that_was_dropped(self, store: Store) -> None:
        name = new_id()
        draft = store.create(name)
        draft.write(LARGE)
        draft.drop()
        assert (store.size(name), all_of(store)) == (None, set())

    def test_says_what_it_does_not_have(self, store: Store) -> None:
        with pytest.raises(ObjectMissing):
            store.open(new_id())
        assert store.size(new_id()) is None

    def test_keeps_the_last_of_a_name(self, store: Store) -> None:
        """A restore writes what was damaged anew."""
        name = kept(store, LARGE)
        overwritten(store, name, b"whole")
        with store.open(name) as file:
            assert file.read() == b"whole"
        assert all_of(store) == {name}

    def test_names_and_removes(self, store: Store) -> None:
        names = {kept(store, b"x") for _ in range(5)}
        assert all_of(store) == names
        assert all_of(store, minutes=-60) == set()
        gone = names.pop()
        store.remove([gone, new_id()])
        store.remove([])
        assert all_of(store) == names
        with pytest.raises(ObjectMissing):
            store.open(gone)

    def test_what_is_removed_while_it_is_read_ends_early_or_is_whole(self, store: Store) -> None:
        name = kept(store, LARGE)
        with store.open(name) as file:
            begun = file.read(10)
            store.remove([name])
            rest = file.read()
        assert LARGE.startswith(begun + rest)
        assert begun

    def test_what_was_cut_to_nothing_is_there_and_empty(self, store: Store) -> None:
        name = kept(store, b"")
        assert store.size(name) == 0
        with store.open(name) as file:
            assert file.read() == b""

    def test_what_is_cut_while_it_is_read_ends_early_or_is_whole(self, store: Store) -> None:
        name = kept(store, LARGE)
        with store.open(name) as file:
            begun = file.read(10)
            overwritten(store, name, b"")
            rest = file.read()
        assert LARGE.startswith(begun + rest)


class TestFolder:
    def test_is_for_its_owner_alone(self, tmp_path: Path) -> None:
        name = kept(FolderStore(tmp_path / "files"), b"x")
        made = tmp_path / "files" / key_of(name)
        assert [each.stat().st_mode & 0o077 for each in (made, made.parent)] == [0, 0]

    def test_leaves_what_is_not_its_own(self, tmp_path: Path) -> None:
        """A network folder puts a file there for one that is deleted while somebody reads it."""
        store = FolderStore(tmp_path)
        name = kept(store, b"x")
        for strange in (".nfs000000000c0ffee0", str(new_id())[:-2] + "zz"):
            (tmp_path / key_of(name)).with_name(strange).touch()
        assert all_of(store) == {name}

    def test_sweeps_the_drafts_of_killed_requests(self, tmp_path: Path) -> None:
        store = FolderStore(tmp_path)
        name = kept(store, b"x")
        draft = (tmp_path / key_of(name)).with_name(".part-killed")
        draft.touch()
        assert all_of(store, minutes=-60) == set()
        assert draft.exists()
        assert all_of(store) == {name}
        assert not draft.exists()


class TestBucket:
    def test_leaves_what_is_not_its_own(self) -> None:
        remote = MemoryStore()
        store = BucketStore(remote)
        name = kept(store, b"x")
        for strange in ("readme.txt", f"elsewhere/{new_id()}", f"deeper/{key_of(new_id())}"):
            remote.put(strange, b"x")
        assert all_of(store) == {name}

    def test_becomes_a_folder_by_a_copy(self, tmp_path: Path) -> None:
        remote = MemoryStore()
        name = kept(BucketStore(remote), b"x")
        [[listed]] = remote.list()
        path = tmp_path / listed["path"]
        path.parent.mkdir()
        path.write_bytes(bytes(remote.get(listed["path"]).bytes()))
        with FolderStore(tmp_path).open(name) as file:
            assert file.read() == b"x"

    def test_that_is_gone_is_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """S3 says 404 of it, as of an object."""
        store = BucketStore(MemoryStore())
        name = kept(store, b"x")
        monkeypatch.setattr(obstore, "delete", failing(FileNotFoundError("NoSuchBucket")))
        monkeypatch.setattr(obstore, "put", failing(FileNotFoundError("NoSuchBucket")))
        for use in (lambda: store.remove([name]), lambda: kept(store, b"x")):
            with pytest.raises(Problem, match="files_away"):
                use()

    def test_a_full_disk_before_it_is_a_problem(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What waits in memory is written to the disk when the object is kept."""

        class Full(io.BytesIO):
            def seek(self, *_: object) -> int:
                raise OSError(ENOSPC, "No space left on device")

            close = seek  # type: ignore[assignment]  # flushes too

        store = BucketStore(MemoryStore())
        monkeypatch.setattr(buckets, "SpooledTemporaryFile", lambda _: Full())
        draft = store.create(new_id())
        draft.write(b"x")
        with pytest.raises(Problem, match="storage_full"):
            draft.keep()
        draft.drop()
        assert all_of(store) == set()

    def test_that_is_away_holds_one_thread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The others have the problem at once, until it answers."""
        store = BucketStore(MemoryStore())
        name = kept(store, b"x")
        monkeypatch.setattr(buckets, "_LONG_SECONDS", 0)
        with refusing(store, name, monkeypatch, GenericError("timed out")):
            for use in (store.size, store.open):
                with pytest.raises(Problem, match="files_away"):
                    use(name)
        with store.open(name) as file:
            assert file.read() == b"x"

    def test_that_refuses_at_once_holds_nobody_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One object that may not be read does not keep the others from anybody."""
        store = BucketStore(MemoryStore())
        name = kept(store, b"x")
        refused = PermissionDeniedError("403")
        with refusing(store, name, monkeypatch, refused), store.open(name) as file:
            assert file.read() == b"x"


class TestAtTheStart:
    def test_a_folder_works_and_is_empty_again(self, tmp_path: Path) -> None:
        settings = Settings(data_dir=tmp_path, database_url="sqlite:///x.db")
        ensure_works(settings)
        assert all_of(store_of(settings)) == set()

    def test_a_folder_that_cannot_be_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        settings = Settings(data_dir=tmp_path, files_dir=tmp_path / "file")
        with pytest.raises(BadSettings, match=r"HOISO_FILES_DIR: no file can be kept: .*Not a dir"):
            ensure_works(settings)

    def test_a_bucket_that_does_not_answer_is_refused(self, tmp_path: Path) -> None:
        settings = Settings(
            data_dir=tmp_path,
            files_url="s3://pictures/of/hoiso",
            files_endpoint="http://127.0.0.1:1",
            files_access_key=SecretStr("key-of-the-tests"),
            files_secret_key=SecretStr("secret-of-the-tests"),
        )
        with pytest.raises(BadSettings, match="HOISO_FILES_URL: no file can be kept: ") as refused:
            ensure_works(settings)
        assert "127.0.0.1:1" in str(refused.value)
        assert "secret-of-the-tests" not in str(refused.value)
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("files_url", "s3://pictures/../others"),
            ("files_url", "s3://pictures/."),
            ("files_url", "s3://pictures/a//b"),
            ("files_endpoint", "http://a:b:c"),
            ("files_endpoint", "http://[::"),
            ("files_endpoint", "http://[::1::2]:9000"),
            ("files_endpoint", "https://s3.example.vn:99999"),
        ],
    )
    def test_an_address_that_is_none_is_refused(self, name: str, value: str) -> None:
        with pytest.raises(ValidationError, match=f"HOISO_{name.upper()} is "):
            Settings.model_validate({name: value})

    @pytest.mark.parametrize(
        ("url", "endpoint"),
        [
            ("s3://pictures", "https://s3.example.vn"),
            ("s3://pictures/of/hoi.so", "http://10.0.0.7:9000"),
            ("s3://pictures/..of", "http://[::1]:9000"),
        ],
    )
    def test_others_are_taken(self, url: str, endpoint: str) -> None:
        settings = Settings(files_url=url, files_endpoint=endpoint)
        assert (settings.files_url, settings.files_endpoint) == (url, endpoint)

    def test_without_the_extra_it_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "obstore", None)
        monkeypatch.delitem(sys.modules, "app.services.files.buckets")
        monkeypatch.delattr("app.services.files.buckets")
        with pytest.raises(BadSettings, match=r"needs obstore: install requirements-s3\.lock"):
            store_of(Settings(data_dir=tmp_path, files_url="s3://pictures"))
