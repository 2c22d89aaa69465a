"""Back up, restore: everything is there again, or nothing is, and one sentence says why."""

import random
import shutil
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.api.http.server import Server
from app.clock import utc_now
from app.db import Database
from app.security import sealed_files
from app.services.backups import backing_up, files, of_sqlite
from app.services.backups.files import BackupKeys, BackupRefused, Header
from tests.backups.backups import (
    KEY,
    OTHER_KEY,
    everything,
    give_keys,
    quietly,
    refused,
    restore,
    said,
    served,
    settings_of,
)
from tests.helpers.client import Api
from tests.helpers.databases import ON_POSTGRESQL


class TestWhole:
    def test_everything_is_there_again(
        self, officer: Api, shared_server: Server, database: Database, tmp_path: Path, empty: str
    ) -> None:
        """The rows of one moment: others write meanwhile, and do not wait."""
        [member] = officer.get("/v1/members?limit=1").json()["items"]
        before = everything(database)
        written: list[int] = []

        def write(*_: object) -> None:
            address = f"Khu {len(written)}"
            answer = officer.patch(f"/v1/members/{member['id']}", json={"address": address})
            written.append(answer.status_code)

        backup = tmp_path / "hoiso.backup"
        backing_up.back_up(settings_of(database.settings.database_url), backup, write)
        assert set(written) == {200}
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600
        assert [each.name for each in tmp_path.iterdir()] == [backup.name]
        restore(empty, backup)
        with closing(Database(settings_of(empty))) as restored:
            after = everything(restored)
            heads = [each.pop("feed_head") for each in (before, after)]
            assert heads[0] != heads[1]  # another epoch
            assert [len(each.pop("epoch")) for each in (before, after)] == [1, 2]
            told = {row[2] for row in after.pop("notification")}
            assert (before.pop("notification"), told) == ([], {"server_restored"})
            assert before.pop("auth_session") != after.pop("auth_session")  # it ended
            assert before == after
            officer = served(shared_server, officer.app, restored).as_("phuongvi")
            path = f"/v1/members/{member['id']}"
            assert officer.get(path).json()["phone"] == member["phone"]
            assert officer.patch(path, json={"address": "Khu 9"}).status_code == 200
            unit = {"level": "branch", "name": "Khu 99", "opened_on": "2025-01-01"}
            unit["parent_id"] = member["commune_id"]
            made = (
                served(shared_server, officer.app, restored)
                .as_("phutho")
                .post("/v1/units", json=unit)
            )
            assert made.status_code == 201, made.text

    def test_nothing_in_it_can_be_read(self, officer: Api, backup: Path) -> None:
        name = officer.get("/v1/members?limit=1").json()["items"][0]["full_name"]
        assert name.encode() not in backup.read_bytes()


def cut_in_its_header(content: bytes) -> bytes:
    return content[:40]


def cut_after_its_header(content: bytes) -> bytes:
    return content[: end_of_header(content)]


def end_of_header(content: bytes) -> int:
    place = len(files.MAGIC) + 4
    return place + int.from_bytes(content[place - 4 : place], "big")


def cut_in_a_chunk(content: bytes) -> bytes:
    return content[:-1_000]


def cut_between_chunks(content: bytes) -> bytes:
    place = end_of_header(content)
    while (step := 4 + int.from_bytes(content[place : place + 4], "big")) + place < len(content):
        place += step
    return content[:place]


def altered(content: bytes) -> bytes:
    return content[:-500] + bytes([content[-500] ^ 1]) + content[-499:]


def older_by_its_header(content: bytes) -> bytes:
    return content.replace(b'"taken_at":"20', b'"taken_at":"19')


def added_to(content: bytes) -> bytes:
    return content + content[-3_000:]


def foreign(content: bytes) -> bytes:
    return b"PGDMP" + content


class TestRefused:
    @pytest.mark.parametrize(
        ("harmed", "reason"),
        [
            (cut_in_its_header, "is damaged"),
            (cut_after_its_header, "its end is missing"),
            (cut_in_a_chunk, "its end is missing"),
            (altered, "is damaged"),
            (older_by_its_header, "is damaged"),
            (added_to, "is damaged"),
            (foreign, "is no backup of Hội Số"),
        ],
    )
    def test_a_file_that_is_not_as_it_was_written(
        self, backup: Path, empty: str, harmed: Callable[[bytes], bytes], reason: str
    ) -> None:
        backup.write_bytes(harmed(backup.read_bytes()))
        assert reason in refused(empty, backup)

    def test_another_key(self, backup: Path, empty: str) -> None:
        told = refused(empty, backup, backup_keys=OTHER_KEY)
        assert told == "the backup was sealed with a key that is not among HOISO_BACKUP_KEYS"
        assert "HOISO_BACKUP_KEYS is not set" in refused(empty, backup, backup_keys=None)

    def test_an_older_key_opens(self, backup: Path) -> None:
        assert files.check(backup, BackupKeys([OTHER_KEY, KEY])).key == sealed_files.name_of(KEY)

    def test_other_data_keys(self, backup: Path, empty: str) -> None:
        told = refused(empty, backup, data_keys="other-data-keys-of-the-tests-0123456789")
        assert "not among HOISO_DATA_KEYS" in told

    def test_a_newer_schema(
        self, backup: Path, empty: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.db.migrating.knows", lambda _: False)
        assert "newer version of Hội Số" in refused(empty, backup)

    def test_the_other_kind_of_database(self, backup: Path, tmp_path: Path) -> None:
        other = (
            f"sqlite:///{tmp_path / 'other.db'}"
            if ON_POSTGRESQL
            else "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
        )
        with pytest.raises(BackupRefused, match="the backup is of"):
            restore(other, backup)

    def test_a_database_that_is_not_empty(self, database: Database, backup: Path) -> None:
        before = everything(database)
        with pytest.raises(BackupRefused, match="not empty"):
            restore(database.settings.database_url, backup)
        assert everything(database) == before

    def test_the_backup_of_a_name_that_is_taken(self, database: Database, backup: Path) -> None:
        before = backup.read_bytes()
        with pytest.raises(BackupRefused, match="exists already"):
            backing_up.back_up(settings_of(database.settings.database_url), backup, quietly)
        assert backup.read_bytes() == before


@pytest.mark.skipif(ON_POSTGRESQL, reason="of SQLite's file")
class TestFile:
    def test_no_room_on_the_disk(
        self, database: Database, backup: Path, empty: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(of_sqlite, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0))
        assert "no room on the disk" in refused(empty, backup)
        target = backup.with_name("second.backup")
        with pytest.raises(BackupRefused, match="no room on the disk"):
            backing_up.back_up(settings_of(database.settings.database_url), target, quietly)
        assert not target.exists()

    def test_the_log_of_another_database(self, backup: Path, empty: str) -> None:
        log = Path(empty.removeprefix("sqlite:///") + "-wal")
        log.write_bytes(b"of another")
        assert "is left of another database" in refused(empty, backup)


def test_a_file_cut_between_two_chunks(tmp_path: Path) -> None:
    keys = BackupKeys([KEY])
    file = tmp_path / "long.backup"
    salt, key = sealed_files.new_salt(), sealed_files.name_of(KEY)
    header = Header(key=key, salt=salt, taken_at=utc_now(), database="sqlite")
    with files.created(file, keys, header) as sink:
        sink.write(random.Random(1).randbytes(3 * 1024 * 1024))
    file.write_bytes(cut_between_chunks(file.read_bytes()))
    with pytest.raises(BackupRefused, match="its end is missing"):
        files.check(file, keys)


class TestCommands:
    def test_back_up_and_restore(
        self, database: Database, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "hoiso.backup"
        give_keys(monkeypatch)
        told = said(monkeypatch, database.settings.database_url, "backup", file)
        assert "sealed and read back" in told
        told = said(monkeypatch, empty, "restore", file, code=1)
        assert "HOISO_ERASURE_JOURNAL is not set" in told
        accepted = ("restore", file, "--accept-lost-erasures", "Ban Thường vụ, 3/12")
        assert "restored as of" in said(monkeypatch, empty, *accepted)
        assert "not empty" in said(monkeypatch, empty, *accepted, code=1)
        assert "Ban Thường vụ, 3/12" in said(monkeypatch, empty, "epochs")
