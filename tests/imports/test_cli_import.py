"""`hoiso import`: a file of the server, previewed and written in somebody's name."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app import cli, cli_import
from app.config import get_settings
from app.db import Database
from tests.conftest import make_settings
from tests.helpers.cadres import Ids
from tests.imports.test_imports import HEADER, everyone, women, xlsx


@pytest.fixture(autouse=True)
def _settings(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings(database.settings.database_url)
    monkeypatch.setattr(cli, "get_settings", lambda: settings)
    monkeypatch.setattr(cli_import, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setenv("COLUMNS", "200")
    get_settings.cache_clear()


def hoiso(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["import", *arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ds.xlsx"
    rows = women(3)
    rows[2][3] = "12"
    path.write_bytes(xlsx(HEADER, rows))
    return path


def test_previews_and_then_writes(database: Database, unit_id: Ids, file: Path) -> None:
    before, unit = len(everyone(database)), str(unit_id["phuongvi"])
    result = hoiso(str(file), "--unit", unit, "--as", "phuongvi")
    assert result.exit_code == 2, result.output
    assert re.search(r"in all\W+2\W+0\W+0\W+0\W+1\W+0", result.output)
    assert "row 4 D: phone_invalid" in result.output
    assert "Khổng" not in result.output
    assert len(everyone(database)) == before
    back = file.with_name("back.xlsx")
    result = hoiso(str(file), "--unit", unit, "--as", "phuongvi", "--apply", "--back", str(back))
    assert result.exit_code == 2, result.output
    assert back.read_bytes()[:2] == b"PK"
    assert len(everyone(database)) == before + 2


@pytest.mark.parametrize(
    ("unit", "who", "said"),
    [
        ("99999", "phuongvi", "there is no unit"),
        ("{phuongvi}", "nobody", "there is no account nobody"),
        ("{tienluong}", "phuongvi", "No such unit within your scope."),
    ],
)
def test_refusals_are_a_line(
    database: Database, unit_id: Ids, file: Path, unit: str, who: str, said: str
) -> None:
    result = hoiso(str(file), "--unit", unit.format(**unit_id), "--as", who)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
