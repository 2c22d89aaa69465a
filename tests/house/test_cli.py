"""`hoiso`, command by command, in an empty folder: what the README and the operator type."""

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
import uvicorn
from typer.testing import CliRunner, Result

from app import cli, cli_worker
from app.api.http.connections import BoundedConnection
from app.api.http.server import serving
from app.clock import local_today
from app.config import Settings, get_settings
from app.db import Database
from app.main import create_app
from app.models.figures.rollups import FigureDay, FigureKept
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change
from app.models.kernel.idempotency import IdempotentAnswer
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.services.figures.sums import series_of
from app.services.files import checking
from app.services.files.keeping import Lost
from tests.helpers.client import Api, utc_now

PASSWORD = "a-password-of-the-cli"


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    for name in list(os.environ):
        if name.startswith("HOISO_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    # The cheapest hash there is: these tests sign in, they do not guard anything.
    monkeypatch.setenv("HOISO_ARGON2_MEMORY_KIB", "8")
    monkeypatch.setenv("HOISO_ARGON2_ROUNDS", "1")
    monkeypatch.setenv("HOISO_LOG_REQUESTS", "false")
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


def hoiso(*arguments: str) -> Result:
    get_settings.cache_clear()  # every command is a process of its own
    return CliRunner().invoke(cli.app, arguments)


def done(*arguments: str) -> str:
    result = hoiso(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str) -> str:
    """What is said to a command that is well formed and cannot be done."""
    result = hoiso(*arguments)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    [line] = result.stderr.splitlines()
    assert line.startswith("hoiso: ")
    return line


def misspelt(*arguments: str) -> str:
    """What is said to a command that is not well formed."""
    result = hoiso(*arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert "Traceback" not in result.stderr
    return re.sub(r"[\s│]+", " ", result.stderr)


def count(entity: type) -> int:
    database = Database(Settings())
    with database.reading() as db:
        found = db.execute(sa.select(sa.func.count()).select_from(entity)).scalar_one()
    database.close()
    return int(found)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database right after `hoiso migrate`."""
    file = tmp_path_factory.mktemp("template") / "hoiso.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOISO_DATABASE_URL", f"sqlite:///{file}")
        done("migrate")
    return file


@pytest.fixture
def migrated(folder: Path, template: Path) -> None:
    (folder / "var").mkdir()
    shutil.copy(template, folder / "var" / "hoiso.db")


@pytest.fixture
def rooted(migrated: None) -> None:
    done("unit", "province", "Tỉnh Phú Thọ", "--opened-on", "1997-01-01", "--code", "25")


class TestMigrate:
    def test_makes_the_folder_and_every_table(self, folder: Path) -> None:
        done("migrate")
        assert (folder / "var" / "hoiso.db").exists()
        assert count(Member) == 0
        done("migrate")

    def test_goes_where_the_setting_says(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOISO_DATABASE_URL", f"sqlite:///{folder}/elsewhere/x.db")
        done("migrate")
        assert (folder / "elsewhere" / "x.db").exists()


class TestDemo:
    def load(self, *arguments: str) -> str:
        return done("demo", "--scale", "small", "--password", PASSWORD, *arguments)

    def test_fills_an_empty_database_and_says_how_to_go_on(
        self, migrated: None, folder: Path
    ) -> None:
        output = self.load("--if-empty")
        assert "400 members in 8 branches" in output
        assert PASSWORD in output
        for account in ("phutho", "phuongvi", "phuongvi-1", "tienluong-1", "auditor", "admin"):
            assert account in output
        assert len(re.findall(r'curl -s "?http://127\.0\.0\.1:8000/v1/', output)) == 4
        note = folder / "var" / "demo-password"
        assert (note.read_text(), stat.S_IMODE(note.stat().st_mode)) == (PASSWORD, 0o600)
        assert (count(Member), count(Unit)) == (400, 12)

    def test_leaves_a_full_one_alone(self, migrated: None) -> None:
        self.load()
        changes = count(Change)
        again = self.load("--if-empty")
        assert PASSWORD in again
        assert (count(Member), count(Change)) == (400, changes)
        assert "data already" in misspelt("demo", "--scale", "small")
        assert (count(Member), count(Change)) == (400, changes)

    def test_is_not_for_production(self, migrated: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOISO_ENVIRONMENT", "production")
        monkeypatch.setenv("HOISO_JWT_SECRET", "0123456789abcdef0123456789abcdef")
        monkeypatch.setenv("HOISO_DATA_KEYS", "fedcba9876543210fedcba9876543210")
        assert "not for production" in misspelt("demo", "--scale", "small")
        assert count(Unit) == 0

    def test_knows_three_sizes(self, migrated: None) -> None:
        assert "district, province or nation" in misspelt("demo", "--scale", "world")

    @pytest.mark.parametrize("by_setting", [True, False])
    def test_takes_its_password_from_the_setting_or_makes_one(
        self, migrated: None, folder: Path, monkeypatch: pytest.MonkeyPatch, by_setting: bool
    ) -> None:
        if by_setting:
            monkeypatch.setenv("HOISO_DEMO_PASSWORD", "from-the-setting-1")
        output = done("demo", "--scale", "small")
        password = (folder / "var" / "demo-password").read_text()
        assert f"password of every demo account: {password}" in output
        assert (password == "from-the-setting-1") == by_setting
        assert len(password) >= 12

    def test_its_accounts_sign_in(self, migrated: None) -> None:
        self.load()
        app = create_app(Settings())
        form = {"grant_type": "password", "username": "phuongvi-1", "password": PASSWORD}
        token = Api(app).post("/v1/auth/token", data=form).json()["access_token"]
        api = Api(app, {"authorization": f"Bearer {token}"})
        items = api.get("/v1/members?limit=3").json()["items"]
        assert len({item["branch_id"] for item in items}) == 1
        serving(app).database.close()


class TestUnitAndAccount:
    def test_the_first_unit_is_opened_here_and_no_other(self, rooted: None) -> None:
        assert count(Unit) == 1
        arguments = ("unit", "province", "Tỉnh Khác", "--opened-on", "1997-01-01")
        assert "POST /v1/units" in refused(*arguments)
        assert count(Unit) == 1

    @pytest.mark.parametrize(
        ("level", "opened_on"), [("kingdom", "1997-01-01"), ("province", "1997-02-30")]
    )
    def test_a_wrong_word_is_told(self, migrated: None, level: str, opened_on: str) -> None:
        misspelt("unit", level, "Tỉnh Phú Thọ", "--opened-on", opened_on)
        assert count(Unit) == 0

    def test_the_first_officer_gets_in_by_her_code(self, rooted: None) -> None:
        output = done(
            "account", " Chu-Tich", "--role", "province_officer", "--unit", "25", "--name", "Hà Lan"
        )
        [code] = re.findall(r"One-time code .*: (\S+)", output)
        app = create_app(Settings())
        form = {"grant_type": "password", "username": "chu-tich", "password": code}
        answer = Api(app).post("/v1/auth/token", data=form)
        api = Api(app, {"authorization": f"Bearer {answer.json()['access_token']}"})
        refusal = api.get("/v1/units")
        assert (refusal.status_code, refusal.json()["code"]) == (403, "password_change_required")
        body = {"current_password": code, "new_password": PASSWORD}
        assert api.post("/v1/me/password", json=body).status_code == 204
        answer = Api(app).post("/v1/auth/token", data=form | {"password": PASSWORD})
        api = Api(app, {"authorization": f"Bearer {answer.json()['access_token']}"})
        me = api.get("/v1/me").json()
        assert (me["username"], me["display_name"]) == ("chu-tich", "Hà Lan")
        [grant] = me["grants"]
        assert (grant["role"], grant["unit"]["name"]) == ("province_officer", "Tỉnh Phú Thọ")
        [unit] = api.get("/v1/units").json()["items"]
        assert unit["code"] == "25"
        serving(app).database.close()

    def test_a_second_role_needs_no_second_code(self, rooted: None) -> None:
        done("account", "chu-tich", "--role", "province_officer", "--unit", "25")
        output = done("account", "chu-tich", "--role", "admin", "--unit", "1")
        assert "code" not in output
        assert count(Account) == 1

    def test_is_in_the_change_log_as_what_it_is(self, rooted: None) -> None:
        done("account", "chu-tich", "--role", "auditor", "--unit", "25")
        database = Database(Settings())
        with database.reading() as db:
            rows = db.execute(sa.text("SELECT entity, source, source_ref FROM change ORDER BY id"))
            found = [tuple(row) for row in rows]
        database.close()
        assert found == [
            ("unit", "cli", "hoiso unit"),
            ("account", "cli", "hoiso account"),
            ("grant", "cli", "hoiso account"),
        ]

    def test_an_unknown_unit_or_role_is_told(self, rooted: None) -> None:
        assert "id 99" in refused("account", "ha-lan", "--role", "auditor", "--unit", "99")
        assert "queen" in misspelt("account", "ha-lan", "--role", "queen", "--unit", "25")
        assert count(Account) == 0


class TestWorker:
    def test_once_forgets_what_has_expired(self, rooted: None) -> None:
        done("account", "chu-tich", "--role", "auditor", "--unit", "25")
        database = Database(Settings())
        with database.writing() as session:
            owner = session.execute(sa.select(*sa.inspect(Account).primary_key)).scalar_one()
            for key, year in (("old", 2020), ("new", utc_now().year)):
                session.add(
                    IdempotentAnswer(
                        account_id=owner,
                        key=key,
                        request_digest="",
                        grants_digest="",
                        status=200,
                        headers={},
                        body=b"",
                        created_at=utc_now().replace(year=year),
                    )
                )
        database.close()
        assert "forgot 1 expired rows" in done("worker", "--once")
        assert "forgot 0 expired rows" in done("worker", "--once")
        assert count(IdempotentAnswer) == 1


@pytest.mark.alike_on_both
class TestOpenapi:
    def test_writes_what_it_then_finds_up_to_date(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cli, "ROOT", folder)
        (folder / "openapi").mkdir()
        done("openapi")
        written = {path.name: path.read_text() for path in (folder / "openapi").iterdir()}
        assert set(written) == {"openapi.json", "mobile.json", "integration.json"}
        done("openapi", "--check")
        contract = json.loads(written["openapi.json"])
        assert contract["paths"].keys() > json.loads(written["mobile.json"])["paths"].keys()
        (folder / "openapi" / "mobile.json").write_text("{}")
        (folder / "openapi" / "integration.json").unlink()
        result = hoiso("openapi", "--check")
        assert result.exit_code == 1
        assert "mobile.json, integration.json" in result.output
        assert "openapi.json" not in result.output
        assert (folder / "openapi" / "mobile.json").read_text() == "{}"

    def test_is_the_same_whatever_the_settings(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cli, "ROOT", folder)
        (folder / "openapi").mkdir()
        done("openapi")
        monkeypatch.setenv("HOISO_DOCS", "false")
        monkeypatch.setenv("HOISO_CORS_ORIGINS", "https://a.example")
        done("openapi", "--check")


class TestHelp:
    def test_names_every_command(self) -> None:
        output = done("--help")
        for command in ("serve", "worker", "migrate", "demo", "account", "unit", "openapi"):
            assert re.search(rf"\b{command}\b", output)

    def test_is_shown_to_who_types_nothing(self) -> None:
        result = hoiso()
        assert "Usage" in result.output
        assert result.exit_code == 2


class TestServe:
    def test_bounds_its_connections(self, migrated: None, monkeypatch: pytest.MonkeyPatch) -> None:
        taken: list[object] = []

        def run(server: uvicorn.Server) -> None:
            server.started = True
            taken.append(server.config.http)

        monkeypatch.setattr(uvicorn.Server, "run", run)
        done("serve")
        assert taken == [BoundedConnection]


class TestWorkerWithoutADatabase:
    def test_waits_for_a_database_and_says_so(
        self, folder: Path, template: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither the file nor its tables are there when it is started; then they are."""
        waited: list[float] = []

        def wait(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 3:
                done("migrate")

        monkeypatch.setattr(cli_worker, "sleep", wait)
        monkeypatch.setattr(cli_worker, "_until_interrupted", lambda: None)
        said = [json.loads(line) for line in done("worker").splitlines() if line.startswith("{")]
        waits = [line for line in said if line["event"] == "waiting_for_database"]
        assert [line["seconds"] for line in waits] == waited == [1, 2, 4]
        assert [line["exception"] for line in said if "exception" in line] == []

    def test_once_waits_for_nobody(self, folder: Path) -> None:
        assert "not migrated" in refused("worker", "--once")


class TestCheck:
    def test_a_wrong_roll_up_is_found_and_dropped_only_when_told(self, rooted: None) -> None:
        right = "recounted all roll-ups: 0 wrong\n"
        assert done("check", "figures") == right
        database = Database(Settings())
        with database.writing() as session:
            day = local_today()
            key: dict[str, Any] = {"rows": "members.members", "day": day}
            kept = series_of(day)["members.members"].keys
            session.add(FigureKept(**key, figures=kept))
            session.add(FigureDay(**key, whole=False, unit_id=1, figures={"members.total/1": 1}))
        database.close()
        for _ in range(2):
            result = hoiso("check", "figures")
            assert (result.exit_code, count(FigureDay)) == (1, 1)
            assert f"wrong: members.members of unit 1 on {day}" in result.output
        assert done("check", "figures", "--repair").endswith("1 dropped\n")
        assert count(FigureDay) == 0
        assert done("check", "figures") == right

    def test_a_lost_file_is_named(self, rooted: None, monkeypatch: pytest.MonkeyPatch) -> None:
        assert done("check", "files").startswith("looked for all files: 0 lost; 0 objects")
        lost = Lost(UUID(int=7), "member", UUID(int=8))
        found = checking.StoreCheck(lost=[lost], unnamed=2)
        monkeypatch.setattr(checking, "check", lambda database: found)
        result = hoiso("check", "files")
        assert result.exit_code == 1
        assert f"lost: file {UUID(int=7)} of member {UUID(int=8)}\n" in result.output
