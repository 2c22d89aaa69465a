"""Who was erased after the backup is erased again when it is restored, and the receipts are kept."""

from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import col

from app.api.http.server import Server
from app.db import Database
from app.models.members.members import Member
from app.models.privacy.erasures import Erasure
from app.services.backups import files, restoring
from app.services.backups.files import BackupRefused
from app.services.privacy import journal as journals
from app.services.privacy.journal import BadJournal, Journal
from tests.backups.backups import everything, served, settings_of
from tests.backups.worlds import NAME, World, ok
from tests.helpers.answers import refused
from tests.helpers.client import writing

KEPT = "Nguyễn Thị Còn Tên"


def member_of(database: Database, member_id: str) -> Any:
    with database.reading() as db:
        columns = [col(Member.full_name), col(Member.erased_on), col(Member.status)]
        found = sa.select(*columns).where(col(Member.id) == UUID(member_id))
        return db.execute(found).one_or_none()


class TestErasedAgain:
    def test_gone_and_the_receipt_is_there(
        self,
        world: World,
        app: FastAPI,
        shared_server: Server,
        empty: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """She had left before the backup, another one after it, a third one joined after it. One was
        erased before it, and the erasure of one failed as it was committed."""
        left, stayed, gone, kept = (world.joins(each) for each in (NAME, NAME, NAME, KEPT))
        for each in (left, gone, kept):
            world.leaves(each)
        world.erased(gone)
        file = world.backed_up()
        seq = ok(world.api.as_("phutho").get("/v1/changes?limit=1"))["seq"]
        world.leaves(stayed)
        later = world.joins()
        world.leaves(later)
        receipts = {each: world.erased(each) for each in (left, stayed, later)}
        self.fails_to_erase(world, kept, monkeypatch)

        again = world.restored(empty, file)
        assert (again.erased, again.already, again.unknown) == (2, 1, 1)
        with closing(Database(settings_of(empty))) as restored:
            rows = repr([each for name, each in everything(restored).items() if name != "name"])
            assert NAME not in rows
            assert member_of(restored, kept).full_name == KEPT
            assert member_of(restored, later) is None
            province = served(shared_server, app, restored).as_("phutho")
            for each in (left, stayed):
                refused(province.get(f"/v1/members/{each}"), 404, "member_erased")
                [receipt] = [
                    one
                    for one in ok(province.get("/v1/privacy/erasures"))["items"]
                    if one["member_id"] == each
                ]
                same = ("id", "erased_at", "erased_by", "approved_by", "reason", "digest")
                assert {k: receipt[k] for k in same} == {k: receipts[each][k] for k in same}
                assert receipt["request_id"] is None  # it was made after the backup
            # Nobody without a name is in the union.
            assert member_of(restored, stayed).status == "left"
            operations = [
                item["operation"]
                for item in ok(province.get(f"/v1/changes?kinds=member&after={seq}"))["items"]
                if item["entity_id"] == left
            ]
            assert operations[-1] == "erased"

    def fails_to_erase(self, world: World, member_id: str, patched: pytest.MonkeyPatch) -> None:
        """Its line is in the journal, and harmless."""

        def fails(*_: object) -> None:
            raise RuntimeError("the commit")

        before = world.journal.read()
        with patched.context() as broken:
            broken.setattr("app.services.privacy.erasures.read", fails)
            assert world.erased(member_id)["status"] == 500
        contents = world.journal.read()
        assert len(contents.erased) == len(before.erased) + 1
        assert list(contents.ended.values()) == [*before.ended.values(), False]
        assert member_of(world.database, member_id).full_name == KEPT

    def test_what_became_of_it_is_asked_later(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The process died between the commit and its second line."""
        member_id = world.joins()
        world.leaves(member_id)
        with monkeypatch.context() as killed:
            killed.setattr(journals, "_end", lambda *_: None)
            world.erased(member_id)
        assert world.journal.read().ended == {}
        assert journals.settle(world.database) == 0  # it may be under way
        monkeypatch.setattr(journals, "_OVER_AFTER", -journals._OVER_AFTER)
        assert journals.settle(world.database) == 1
        assert list(world.journal.read().ended.values()) == [True]
        assert journals.settle(world.database) == 0

    def test_nobody_is_erased_whom_the_journal_does_not_know(
        self, world: World, tmp_path: Path
    ) -> None:
        member_id = world.joins()
        world.leaves(member_id)
        world.database.settings.erasure_journal = tmp_path / "no-folder" / "erasures"
        answer = world.erased(member_id)
        assert (answer["status"], answer["code"]) == (503, "erasure_journal_away")
        assert member_of(world.database, member_id).full_name == NAME
        with writing(world.database) as session:
            assert session.execute(sa.select(col(Erasure.id))).all() == []


class TestJournal:
    @pytest.fixture
    def entries(self, journal: Journal) -> Journal:
        for number in range(1, 4):
            assert journal.append({"ended": number, "committed": True}) == number
        return journal

    def test_it_is_for_its_owner_alone(self, entries: Journal) -> None:
        assert entries.path.stat().st_mode & 0o777 == 0o600

    def test_the_last_line_is_torn(self, entries: Journal) -> None:
        """The machine stopped while it was written: its erasure was never committed."""
        content = entries.path.read_bytes()
        entries.path.write_bytes(content[:-20])
        contents = entries.read()
        assert (contents.torn, contents.lines) == (True, 2)
        assert entries.append({"ended": 9, "committed": True}) == 3
        contents = entries.read()
        assert (contents.torn, list(contents.ended)) == (False, [1, 2, 9])

    @pytest.mark.parametrize("harm", ["altered", "left out", "exchanged", "foreign"])
    def test_lines_are_as_they_were_written(self, entries: Journal, harm: str) -> None:
        first, one, two, three = entries.path.read_text().splitlines()
        lines = {
            "altered": [first, one[:-1] + ("A" if one[-1] != "A" else "B"), two, three],
            "left out": [first, two, three],
            "exchanged": [first, "1" + two[1:], "2" + one[1:], three],
            "foreign": ["another file", one],
        }[harm]
        entries.path.write_text("\n".join(lines) + "\n")
        with pytest.raises(BadJournal):
            entries.read()

    def test_keys_that_are_rotated(self, entries: Journal) -> None:
        old = "data-keys-of-the-tests-0123456789abcdef"
        new = "data-keys-of-tomorrow-0123456789abcdefg"
        for keys, readable in ((f"{new},{old}", True), (new, False)):
            other = Journal(entries.path, settings_of("sqlite:///x", data_keys=keys).vault())
            if readable:
                assert other.read().lines == 3
            else:
                with pytest.raises(BadJournal, match="HOISO_DATA_KEYS"):
                    other.read()


class TestWithoutIt:
    def test_nothing_is_restored(self, world: World, empty: str) -> None:
        world.joins()
        file = world.backed_up()
        world.journal.path.unlink()
        with pytest.raises(BackupRefused, match="--accept-lost-erasures"):
            world.restored(empty, file)
        world.journal.append()
        with pytest.raises(BackupRefused, match="another journal"):
            world.restored(empty, file)

    def test_nor_with_an_older_copy(self, world: World, empty: str) -> None:
        world.journal.append()
        copy = world.journal.path.read_bytes()
        world.journal.append({"ended": 1, "committed": True})
        file = world.backed_up()
        world.journal.path.write_bytes(copy)
        with pytest.raises(BackupRefused, match="has 0 lines, and had 1"):
            world.restored(empty, file)
        settings, header = settings_of(empty, **world.kept()), files.header_of(file)
        assert restoring._standing(settings, header, "Ban Thường vụ") == []
