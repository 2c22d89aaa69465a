"""What `hoiso` says to a mistake: one line on standard error, no traceback, and nothing is done."""

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from queue import Queue

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError
from sqlmodel import Session, col, select
from typer.testing import CliRunner

from app.cli import app
from app.clock import local_today
from app.config import get_settings
from app.db import Database
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account, AccountStatus
from app.models.kernel.changes import Change, ChangeSource
from app.models.kernel.units import Unit
from app.services.events import reminders
from app.services.kernel import changes, upkeep
from app.services.kernel.background import Every
from tests.helpers.client import writing
from tests.helpers.databases import ON_POSTGRESQL, Clones

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith("HOISO_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def filled(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The world of the tests under the command."""
    monkeypatch.setenv("HOISO_DATABASE_URL", database.settings.database_url)
    return database


def said(*arguments: str, code: int = 1) -> str:
    """The one line of a refusal."""
    get_settings.cache_clear()
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    assert isinstance(result.exception, SystemExit)
    assert SECRET not in result.stderr
    [line] = result.stderr.splitlines()
    return line.removeprefix("hoiso: ")


def usage_error(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert "Traceback" not in result.stderr
    return result.stderr


def rows(database: Database) -> list[int]:
    with database.reading() as db:
        return [
            db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (Unit, Account, Grant, Change)
        ]


class TestDatabases:
    COMMANDS = (
        ("account", "lan", "--role", "admin", "--unit", "25"),
        ("unit", "province", "Tỉnh Phú Thọ", "--opened-on", "1997-01-01"),
        ("demo", "--scale", "small"),
        ("worker", "--once"),
    )

    @pytest.fixture
    def bare_url(self, clones: Clones, tmp_path: Path) -> str:
        """A database without a table."""
        return clones.server or f"sqlite:///{tmp_path}/bare.db"

    @pytest.fixture
    def away_url(self, tmp_path: Path) -> str:
        (tmp_path / "file").touch()
        if ON_POSTGRESQL:
            return f"postgresql://lan:{SECRET}@127.0.0.1:1/hoiso"
        return f"sqlite:///{tmp_path}/file/hoiso.db"

    @pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
    def test_not_migrated(
        self, monkeypatch: pytest.MonkeyPatch, bare_url: str, command: tuple[str, ...]
    ) -> None:
        monkeypatch.setenv("HOISO_DATABASE_URL", bare_url)
        assert said(*command).startswith("the database is not migrated: run `hoiso migrate`")

    @pytest.mark.parametrize("command", [*COMMANDS, ("migrate",)], ids=lambda command: command[0])
    def test_away(
        self, monkeypatch: pytest.MonkeyPatch, away_url: str, command: tuple[str, ...]
    ) -> None:
        monkeypatch.setenv("HOISO_DATABASE_URL", away_url)
        line = said(*command)
        expected = "the database does not answer" if ON_POSTGRESQL else "file: "
        assert expected in line

    def test_no_such_revision(self, filled: Database) -> None:
        assert "nowhere" in usage_error("migrate", "--revision", "nowhere")


class TestWorker:
    def test_outlives_an_outage(
        self,
        filled: Database,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """While it works, the table of what it does every minute goes and comes back."""
        send, turns = reminders.send_due, Queue[bool]()

        def noted(database: Database) -> int:
            try:
                sent = send(database)
            except ProgrammingError:
                turns.put(False)
                raise
            turns.put(True)
            return sent

        def until(worked: bool) -> None:
            while turns.get(timeout=20) is not worked:
                pass

        def meanwhile() -> None:
            until(True)
            for old, new in (("event_reminder", "gone"), ("gone", "event_reminder")):
                with writing(filled) as session:
                    session.execute(sa.text(f"ALTER TABLE {old} RENAME TO {new}"))
                until(new == "event_reminder")
            raise KeyboardInterrupt

        def often(database: Database, *, first_after: float) -> list[Every]:
            work = partial(noted, database)
            return [Every(seconds=0.05, work=work, name="reminders", first_after=first_after)]

        monkeypatch.setattr(upkeep, "works", often)
        monkeypatch.setattr("app.cli_worker._until_interrupted", meanwhile)
        get_settings.cache_clear()
        result = CliRunner().invoke(app, ["worker"])
        assert (result.exit_code, result.exception) == (0, None), result.output
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        failed = {(line["event"], line["level"], line["error"]) for line in lines}
        assert failed == {("reminders_failed", "warning", "ProgrammingError")}


@pytest.mark.alike_on_both
class TestSettings:
    @pytest.mark.parametrize(
        "command", ["serve", "worker", "migrate", "demo"], ids=lambda command: command
    )
    def test_that_cannot_work(self, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
        monkeypatch.setenv("HOISO_JWT_SECRET", SECRET)
        assert "HOISO_JWT_SECRET needs at least 32 bytes" in said(command)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("HOISO_JWT_KEYS_FILE", "none.pem"),
            ("HOISO_RATE_LIMIT_STORAGE", f"redis://:{SECRET}@127.0.0.1"),
            ("HOISO_LOGIN_FAILURES_PER_ACCOUNT", SECRET),
        ],
    )
    def test_that_are_found_wanting_at_the_start(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv("HOISO_JWT_ALGORITHM", "ES256")
        monkeypatch.setenv(name, value)
        assert name in said("serve")

    def test_are_not_asked_for_the_contract(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr("app.cli.ROOT", tmp_path)
        (tmp_path / "openapi").mkdir()
        for name in ("JWT_SECRET", "PORT", "DATABASE_URL", "RATE_LIMIT_STORAGE", "ENVIRONMENT"):
            monkeypatch.setenv(f"HOISO_{name}", SECRET)
        result = CliRunner().invoke(app, ["openapi"])
        assert (result.exit_code, result.output) == (0, "")
        assert [path.name for path in tmp_path.iterdir()] == ["openapi"]
        assert len(list((tmp_path / "openapi").iterdir())) == 3


class TestUnit:
    @pytest.mark.parametrize(
        ("level", "name", "opened_on", "why"),
        [
            ("commune", "Xã Phượng Vĩ", "1997-01-01", "the first unit is a province"),
            ("district", "Huyện Cẩm Khê", "1997-01-01", "the first unit is a province"),
            ("province", "  ", "1997-01-01", "1 to 200 characters"),
            ("province", "x" * 201, "1997-01-01", "1 to 200 characters"),
            ("province", "Tỉnh\x00Phú Thọ", "1997-01-01", "1 to 200 characters"),
            ("province", "Tỉnh Phú Thọ", "2999-01-01", "2999-01-01 is in the future"),
            ("province", "Tỉnh Phú Thọ", "1997-01-01", "POST /v1/units"),
        ],
    )
    def test_that_cannot_be(
        self, filled: Database, level: str, name: str, opened_on: str, why: str
    ) -> None:
        before = rows(filled)
        assert why in said("unit", level, name, "--opened-on", opened_on)
        assert rows(filled) == before

    @pytest.mark.parametrize("day", ["1997-02-30", "1997", "01/01/1997", "today", ""])
    def test_on_a_day_that_is_none(self, filled: Database, day: str) -> None:
        before = rows(filled)
        told = usage_error("unit", "province", "Tỉnh Phú Thọ", "--opened-on", day)
        assert "--opened-on" in told
        assert rows(filled) == before

    def test_of_a_level_that_is_none(self, filled: Database) -> None:
        told = usage_error("unit", "tinh", "Tỉnh Phú Thọ", "--opened-on", "1997-01-01")
        assert "'province'" in told


class TestAccount:
    def give(self, username: str, role: Role, unit: int | str, **options: str) -> tuple[str, ...]:
        named = [part for name, value in options.items() for part in (f"--{name}", value)]
        return ("account", username, "--role", role.value, "--unit", str(unit), *named)

    @pytest.mark.parametrize(
        "username",
        ["lê-lan", "phú thọ", "ab", "", "  ", "-lan", "lan'", "x" * 65, "lan\nlan", "Ｌａｎ"],
    )
    def test_of_a_name_nobody_can_sign_in_with(
        self, filled: Database, unit_id: dict[str, int], username: str
    ) -> None:
        before = rows(filled)
        line = said("account", "--role", "admin", "--unit", "1", "--", username)
        assert "a user name has 3 to 64 letters" in line
        assert rows(filled) == before

    def test_name_is_kept_as_sign_in_reads_it(
        self, filled: Database, unit_id: dict[str, int]
    ) -> None:
        command = self.give(" Lan.Anh@Hoi ", Role.admin, unit_id["phutho"])
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0
        assert "lan.anh@hoi: admin" in result.output
        with writing(filled) as session:
            account = find(session, "lan.anh@hoi")
            assert (account.status, account.display_name) == (
                AccountStatus.invited,
                "Lan.Anh@Hoi",
            )

    def test_for_a_unit_that_is_none(self, filled: Database) -> None:
        before = rows(filled)
        for unit in ("99999", "999999999999999999999", "", "²", "-1", "Phú Thọ"):
            command = ("account", "lan", "--role", "admin", f"--unit={unit}")
            assert "there is no unit with the code or id" in said(*command)
        assert rows(filled) == before

    def test_for_a_unit_that_is_closed(self, filled: Database, unit_id: dict[str, int]) -> None:
        yesterday = local_today() - timedelta(days=1)
        with writing(filled) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            session.get_one(Unit, unit_id["phuongvi-1"]).closed_on = yesterday
        before = rows(filled)
        line = said(*self.give("lan", Role.branch_head, unit_id["phuongvi-1"]))
        assert f"closed on {yesterday}" in line
        assert rows(filled) == before

    @pytest.mark.parametrize(
        ("role", "unit", "level"),
        [
            (Role.province_officer, "camkhe", "province"),
            (Role.district_officer, "phutho", "district"),
            (Role.commune_officer, "phuongvi-1", "commune"),
            (Role.branch_head, "phuongvi", "branch"),
        ],
    )
    def test_with_a_role_of_another_level(
        self, filled: Database, unit_id: dict[str, int], role: Role, unit: str, level: str
    ) -> None:
        before = rows(filled)
        line = said(*self.give("lan", role, unit_id[unit]))
        assert f"{role.value} is a role over a {level};" in line
        assert rows(filled) == before

    def test_that_is_disabled(self, filled: Database, unit_id: dict[str, int]) -> None:
        with writing(filled) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            account = find(session, "phuongvi")
            account.status = AccountStatus.disabled
        before = rows(filled)
        line = said(*self.give("PhuongVi", Role.admin, unit_id["phutho"]))
        assert "phuongvi is disabled" in line
        assert f"POST /v1/accounts/{account.id}/enable" in line
        assert rows(filled) == before

    def test_that_has_the_role_already(self, filled: Database, unit_id: dict[str, int]) -> None:
        before = rows(filled)
        line = said(*self.give("phuongvi", Role.commune_officer, unit_id["phuongvi"]))
        assert line == "phuongvi is commune_officer over Xã Phượng Vĩ already"
        assert rows(filled) == before


def find(session: Session, username: str) -> Account:
    return session.exec(select(Account).where(col(Account.username) == username)).one()
