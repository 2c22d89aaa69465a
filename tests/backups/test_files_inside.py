"""Files in a backup: those that its database names come back, and no others."""

import errno
import shutil
import struct
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import col

from app.api.http.server import Server
from app.config import Settings
from app.db import Database
from app.errors import Problem
from app.models.base import new_id
from app.models.files.files import FilePiece, FileUpload, StoredFile
from app.services.backups import backing_up, files, of_files, restoring
from app.services.backups.files import FILE_HEAD, BackupKeys, BackupRefused, FilesInside
from app.services.backups.refusing import said_plainly
from app.services.files.folders import FolderStore
from app.services.files.keeping import Lost
from app.services.kernel import key_rotation
from tests.backups.backups import KEY, give_keys, quietly, said, served, settings_of, tables_of
from tests.backups.test_forged import header
from tests.backups.worlds import World, ok
from tests.files.uploads import PDF, created, picture, piece, whole

ABSENT = 2**64 - 1
DATA_KEY = "data-keys-of-the-tests-0123456789abcdef"
NEW_KEY = "data-keys-of-tomorrow-0123456789abcdefg"


@pytest.fixture
def store(database: Database, tmp_path: Path) -> FolderStore:
    """The folder of the server of this test."""
    database.settings.files_dir = tmp_path / "files"
    return FolderStore(tmp_path / "files")


def in_store(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.glob("??/*")}


def photographed(world: World, member_id: str, color: int = 0) -> str:
    """The id of her photo."""
    head = world.api.as_("phuongvi-1")
    photo = whole(head, picture(size=(30 + color, 30)), "picture")["id"]
    ok(head.patch(f"/v1/members/{member_id}", json={"photo": f"files/{photo}"}))
    return str(photo)


def backed_up(world: World, progress: Any = quietly, **more: Any) -> backing_up.BackedUp:
    """Into `hoiso.backup`."""
    settings = of_server(world)
    return backing_up.back_up(settings, world.folder / "hoiso.backup", progress, **more)


def of_server(world: World) -> Settings:
    given = {**world.kept(), "files_dir": world.database.settings.files_dir}
    return settings_of(world.database.settings.database_url, **given)


def restored(
    world: World, url: str, progress: Any = quietly, accepted_by: str | None = None, **more: Any
) -> restoring.Restored:
    """Into the folder `again`."""
    settings = settings_of(url, **{**world.kept(), "files_dir": world.folder / "again"} | more)
    file = world.folder / "hoiso.backup"
    return restoring.restore(settings, file, progress, losses_accepted_by=accepted_by)


def refused(world: World, url: str, **more: Any) -> str:
    """Why it cannot be restored; nothing is in the database, and nothing new in the folder."""
    folder = world.folder / "again"
    before = in_store(folder)
    with pytest.raises(BackupRefused) as caught:
        restored(world, url, **more)
    assert tables_of(url) == []
    assert in_store(folder) == before
    return str(caught.value)


class TestThereAgain:
    def test_as_they_were_and_no_others(
        self,
        world: World,
        store: FolderStore,
        app: FastAPI,
        shared_server: Server,
        empty: str,
    ) -> None:
        """One is of a member who is erased later, one half sent, one waits, one was never named."""
        stays, goes = world.joins("Nguyễn Thị Ở Lại"), world.joins()
        photos = {each: photographed(world, each) for each in (stays, goes)}
        world.leaves(goes)
        head = world.api.as_("phuongvi-1")
        seen = head.get(f"/v1/members/{stays}/photo").content
        waits = whole(head, PDF)["id"]
        half = created(head, len(PDF))
        assert piece(head, half, 0, PDF[:1000]).status_code == 204
        unnamed = store.create(new_id())
        unnamed.write(b"of a request that died")
        unnamed.keep()
        lying = in_store(store.root)

        made = backed_up(world)
        assert (made.lost, made.header.files and made.header.files.count) == ([], 6)
        world.erased(goes)
        after = restored(world, empty)

        assert (after.reopened.again.erased, after.lost) == (1, [])
        come = in_store(world.folder / "again")
        assert come.items() < lying.items()
        assert len(come) == 4  # not her picture, not its thumbnail
        assert all(path.stat().st_mode & 0o077 == 0 for path in (world.folder / "again").rglob("*"))
        again = Database(settings_of(empty, files_dir=world.folder / "again"))
        with closing(again):
            head = served(shared_server, app, again).as_("phuongvi-1")
            answer = head.get(f"/v1/members/{stays}/photo")
            assert (answer.status_code, answer.content) == (200, seen)
            assert head.get(f"/v1/files/{waits}/content").content == PDF
            assert piece(head, half, 1000, PDF[1000:]).status_code == 204
            assert head.get(f"{half}/content").content == PDF
            with again.reading() as db:
                ids = db.execute(sa.select(col(StoredFile.id))).scalars().all()
            assert UUID(photos[stays]) in ids
            assert UUID(photos[goes]) not in ids

    def test_under_a_key_that_was_replaced(
        self, world: World, store: FolderStore, app: FastAPI, shared_server: Server, empty: str
    ) -> None:
        member = world.joins()
        photographed(world, member)
        seen = world.api.as_("phuongvi-1").get(f"/v1/members/{member}/photo").content
        backed_up(world)
        # It is seen when the files are there: they are taken away again.
        assert "not among HOISO_DATA_KEYS" in refused(
            world, empty, data_keys=NEW_KEY, accepted_by="the tests"
        )
        both = f"{NEW_KEY},{DATA_KEY}"
        restored(world, empty, data_keys=both)
        again = Database(settings_of(empty, files_dir=world.folder / "again", data_keys=both))
        with closing(again):
            key_rotation.rotate(again)
            head = served(shared_server, app, again).as_("phuongvi-1")
            assert head.get(f"/v1/members/{member}/photo").content == seen

    def test_one_that_ends_early_makes_no_backup(
        self, world: World, store: FolderStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        photographed(world, world.joins())
        size = FolderStore.size
        monkeypatch.setattr(FolderStore, "size", lambda *of: (size(*of) or 0) + 1)
        with pytest.raises(BackupRefused, match="shorter"):
            backed_up(world)
        assert not (world.folder / "hoiso.backup").exists()

    @pytest.mark.parametrize("answers", [0, 1, 2])
    def test_while_the_store_is_away_no_backup_is_made(
        self, world: World, store: FolderStore, monkeypatch: pytest.MonkeyPatch, answers: int
    ) -> None:
        """While it is counted, or later."""
        photographed(world, world.joins())
        size, left = FolderStore.size, [None] * answers

        def of(*names: Any) -> int | None:
            if not left:
                raise Problem("files_away")
            left.pop()
            return size(*names)

        monkeypatch.setattr(FolderStore, "size", of)
        with pytest.raises(
            BackupRefused, match=r"no backup .*: the store of files does not answer"
        ):
            backed_up(world)
        assert not list(world.folder.glob("*hoiso*"))

    def test_without_files(self, world: World, store: FolderStore, empty: str) -> None:
        """They come back with the folder: what the database has of them stays."""
        member = world.joins()
        photo = photographed(world, member)
        head = world.api.as_("phuongvi-1")
        half = created(head, len(PDF))
        piece(head, half, 0, PDF[:1000])
        made = backed_up(world, with_files=False)
        assert made.header.files is None
        after = restored(world, empty)
        upload = UUID(half.rpartition("/")[2])
        whole_one = Lost(UUID(photo), "member", UUID(member))
        assert after.lost == [whole_one, Lost(upload, None, None)]
        assert in_store(world.folder / "again") == {}
        with closing(Database(settings_of(empty))) as again, again.reading() as db:
            assert db.execute(sa.select(col(FileUpload.id))).scalars().all() == [upload]


class TestMeanwhile:
    def test_the_snapshot_decides(self, world: World, store: FolderStore, empty: str) -> None:
        """While it is made one file is sent, one deleted, one sent to its end; one was lost before."""
        head = world.api.as_("phuongvi-1")
        member = world.joins()
        lost, deleted = photographed(world, member), whole(head, PDF)["id"]
        half = created(head, len(PDF))
        piece(head, half, 0, PDF[:1000])
        with world.database.reading() as db:
            row = db.execute(sa.select(StoredFile).where(col(StoredFile.id) == UUID(lost))).one()
            [gone] = db.execute(
                sa.select(col(StoredFile.object_id)).where(col(StoredFile.id) == UUID(deleted))
            ).scalars()
        store.remove([row.object_id])
        done: list[str] = []

        def meanwhile(what: str, *_: object) -> None:
            if what == "sealing files" and not done:
                done.append(whole(head, PDF)["id"])
                assert head.delete(f"/v1/files/{deleted}").status_code == 204
                store.remove([gone])
                assert piece(head, half, 1000, PDF[1000:]).status_code == 204

        made = backed_up(world, meanwhile)
        assert len(done) == 1
        named = Lost(UUID(lost), "member", UUID(member))
        assert made.lost == [named]
        after = restored(world, empty)
        assert after.lost == sorted([named, Lost(UUID(deleted), None, None)])
        assert len(in_store(world.folder / "again")) == 1
        with closing(Database(settings_of(empty))) as again, again.reading() as db:
            # It is sent anew.
            assert db.execute(sa.select(col(FileUpload.id))).all() == []
            assert db.execute(sa.select(col(FilePiece.id))).all() == []

    def test_the_command_names_what_is_lost(
        self, world: World, store: FolderStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = world.joins()
        photo = photographed(world, member)
        shutil.rmtree(store.root)
        file = world.folder / "hoiso.backup"
        url = world.database.settings.database_url
        monkeypatch.setenv("HOISO_FILES_DIR", str(store.root))
        give_keys(monkeypatch)
        named = f"  file {photo} of member {member}"
        told = said(monkeypatch, url, "backup", file, code=3)
        assert told.splitlines() == [
            "hoiso: 1 files that the database names are not in their store, and so not in the backup",
            named,
        ]
        assert "without the files" in said(
            monkeypatch, url, "backup", "--without-files", file.with_name("small.backup")
        )


def one(name: UUID | bytes, content: bytes, length: int | None = None) -> bytes:
    given = name.bytes if isinstance(name, UUID) else name
    return struct.pack(FILE_HEAD, given, len(content) if length is None else length) + content


FIRST, SECOND = UUID(int=1), UUID(int=2)


def forged(folder: Path, inside: FilesInside, *contents: bytes) -> Path:
    path = folder / "hoiso.backup"
    told = header(size=0, files=inside.model_dump())
    with files.created(path, BackupKeys([KEY]), told) as sink:
        for each in contents:
            sink.write(each)
    return path


def received(path: Path) -> None:
    """Into the folder `files`."""
    store = FolderStore(path.parent / "files")
    with (
        said_plainly("nothing has been restored"),
        files.opened(path, BackupKeys([KEY])) as (told, source),
        of_files.arriving(store) as arrivals,
    ):
        assert told.files is not None
        arrivals.receive(source, told.files, quietly)
        files.ensure_end(source)


class TestFolder:
    @pytest.fixture
    def backup(self, tmp_path: Path) -> Path:
        contents = [one(FIRST, b"ab"), one(SECOND, b"cd")]
        return forged(tmp_path, FilesInside(count=2, size=4), *contents)

    @pytest.fixture
    def there(self, tmp_path: Path) -> FolderStore:
        """What a killed restore or the folder of before has left, damaged, beside something else."""
        store = FolderStore(tmp_path / "files")
        for name in (FIRST, UUID(int=3)):
            draft = store.create(name)
            draft.write(b"damaged")
            draft.keep()
        return store

    def test_that_is_not_empty(self, backup: Path, there: FolderStore) -> None:
        received(backup)
        contents = {FIRST: b"ab", SECOND: b"cd", UUID(int=3): b"damaged"}
        assert in_store(there.root) == {str(name): each for name, each in contents.items()}

    def test_without_room(
        self, backup: Path, there: FolderStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        before = in_store(there.root)
        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(BackupRefused, match="no room for the files"):
            received(backup)
        assert in_store(there.root) == before

    def test_it_fails_later(self, backup: Path, there: FolderStore) -> None:
        """What was there stays, and nothing more."""
        with backup.open("r+b") as file:
            file.truncate(backup.stat().st_size - 1)
        with pytest.raises(BackupRefused, match="end is missing"):
            received(backup)
        assert in_store(there.root).keys() == {str(FIRST), str(UUID(int=3))}


class TestForged:
    """By somebody who has the key."""

    @pytest.mark.parametrize(
        ("count", "size", "contents", "reason"),
        [
            (2, 4, [one(FIRST, b"ab"), one(FIRST, b"cd")], "comes twice"),
            (2, 4, [one(SECOND, b"ab"), one(FIRST, b"cd")], "comes twice"),
            (1, 4, [one(FIRST, b"ab", 4)], "not whole"),
            (1, 4, [one(FIRST, b"ab", 10**18)], "more than it says"),
            (2, 4, [one(FIRST, b"ab"), one(SECOND, b"cde")], "more than it says"),
            (2, 4, [one(FIRST, b"ab")], "not whole"),
            (1, 4, [one(FIRST, b"")[:20]], "not whole"),
            (1, 2, [one(FIRST, b"ab"), one(SECOND, b"")], "more than it may"),
        ],
    )
    def test_is_refused_and_leaves_nothing(
        self, tmp_path: Path, count: int, size: int, contents: list[bytes], reason: str
    ) -> None:
        path = forged(tmp_path, FilesInside(count=count, size=size), *contents)
        with pytest.raises(BackupRefused, match=reason):
            received(path)
        assert in_store(tmp_path / "files") == {}

    @pytest.mark.parametrize("inside", [(10**15, 0), (0, 10**15), (1, 10**6)])
    def test_says_that_it_holds_more_than_it_can(
        self, tmp_path: Path, inside: tuple[int, int]
    ) -> None:
        path = forged(tmp_path, FilesInside(count=inside[0], size=inside[1]), bytes(10**6))
        with pytest.raises(BackupRefused, match="more than it can"):
            received(path)

    def test_a_name_leads_nowhere_else(self, tmp_path: Path) -> None:
        """Whatever its 16 bytes are."""
        odd = [b"../../../../etc/", b"/etc/passwd\0\0\0\0\0", b"\xff" * 16]
        contents = [one(name, b"a") for name in sorted(odd)]
        path = forged(tmp_path, FilesInside(count=3, size=3), *contents)
        received(path)
        assert set(in_store(tmp_path / "files")) == {str(UUID(bytes=name)) for name in odd}

    def test_what_the_store_did_not_have(self, tmp_path: Path) -> None:
        contents = [one(FIRST, b"", ABSENT), one(SECOND, b"ab")]
        received(forged(tmp_path, FilesInside(count=2, size=2), *contents))
        assert list(in_store(tmp_path / "files")) == [str(SECOND)]
