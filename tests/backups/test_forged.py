"""Files that somebody with the key has made: what they hold is bounded, and what is odd is refused."""

import tracemalloc
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from app.clock import utc_now
from app.security import sealed_files
from app.services.backups import files
from app.services.backups.files import MAGIC, BackupKeys, BackupRefused, Header
from tests.backups.backups import KEY, refused
from tests.conftest import ROOT
from tests.helpers.databases import ON_POSTGRESQL

MEGABYTE = 1024 * 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hoiso.backup"


def header(**more: object) -> Header:
    values: dict[str, object] = {
        "key": sealed_files.name_of(KEY),
        "salt": sealed_files.new_salt(),
        "taken_at": utc_now(),
        "database": "postgresql" if ON_POSTGRESQL else "sqlite",
        "revision": ScriptDirectory(str(ROOT / "alembic")).get_current_head(),
    }
    return Header.model_validate(values | more)


def forged(path: Path, *contents: bytes, **more: object) -> None:
    with files.created(path, BackupKeys([KEY]), header(**more)) as sink:
        for each in contents:
            sink.write(each)


def block(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


class TestPacked:
    def test_takes_no_more_memory_than_is_asked_for(self, path: Path) -> None:
        forged(path, *[bytes(MEGABYTE)] * 200, size=200 * MEGABYTE)
        assert path.stat().st_size < MEGABYTE
        with files.opened(path, BackupKeys([KEY])) as (_, source):
            tracemalloc.start()
            assert source.read(1000) == bytes(1000)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert most < 5 * MEGABYTE

    def test_holds_no_more_than_it_says(self, path: Path) -> None:
        forged(path, bytes(3 * MEGABYTE), size=2 * MEGABYTE)
        with files.opened(path, BackupKeys([KEY])) as (_, source):
            source.read(2 * MEGABYTE)
            with pytest.raises(BackupRefused, match="holds more than it may"):
                source.read(1)

    def test_nor_a_thousand_times_its_size(self, path: Path) -> None:
        forged(path, *[bytes(MEGABYTE)] * 100)
        most = 1_000 * path.stat().st_size
        assert most < 100 * MEGABYTE
        with files.opened(path, BackupKeys([KEY])) as (_, source):
            for _ in range(most // MEGABYTE):
                source.read(MEGABYTE)
            with pytest.raises(BackupRefused, match="holds more than it may"):
                source.read(MEGABYTE)

    def test_is_not_packed(self, path: Path) -> None:
        odd = header(size=4)
        told = odd.model_dump_json().encode()
        with path.open("wb") as file:
            file.write(MAGIC + len(told).to_bytes(4, "big") + told)
            sealed = sealed_files.SealedWriter(file, KEY, odd.salt, told)
            sealed.write(b"what is not packed")
            sealed.finish()
        with (
            files.opened(path, BackupKeys([KEY])) as (_, source),
            pytest.raises(BackupRefused, match="is damaged"),
        ):
            source.read(1)


@pytest.mark.parametrize("revision", ["head", "base", "00", "", "+1", "heads"])
def test_a_name_of_no_revision(path: Path, empty: str, revision: str) -> None:
    forged(path, revision=revision, size=0)
    assert "newer version of Hội Số" in refused(empty, path)


@pytest.mark.skipif(ON_POSTGRESQL, reason="of SQLite's file")
class TestFile:
    @pytest.mark.parametrize(
        ("content", "size", "reason"),
        [
            (b"SQLite format 3\x00", 4096, "is not whole"),
            (b"no database" * 500, 5500, "is not a database"),
            (b"", 10**15, "no room on the disk"),
        ],
    )
    def test_is_no_database(
        self, path: Path, empty: str, content: bytes, size: int, reason: str
    ) -> None:
        forged(path, content, size=size)
        assert reason in refused(empty, path)


MEMBER = b'{"table": "unit", "columns": ["id", "name"]}'


@pytest.mark.skipif(not ON_POSTGRESQL, reason="of PostgreSQL's rows")
@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ([b"\xff\xff\xff\xff", b"x"], "are no tables"),
        ([block(b"no head")], "are no tables"),
        ([block(b'{"columns": []}')], "are no tables"),
        ([block(MEMBER)[:-3]], "are no tables"),
        ([block(b'{"table": "pg_class", "columns": []}')], "does not belong in it"),
        ([block(MEMBER.replace(b"name", b"odd"))], 'column "odd"'),
        ([block(MEMBER), block(b"what are no rows\n")], "nothing has been restored: "),
        ([], "has no table"),
    ],
)
def test_tables_of_nobody(path: Path, empty: str, contents: list[bytes], reason: str) -> None:
    forged(path, *contents)
    assert reason in refused(empty, path)
