"""Programs made from the contract: one lives a head's day, others have everything that it names."""

import base64
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.helpers.client import PASSWORD
from tests.system.running import Demo, body, output_of, signed_in

CONTRACT = ROOT / "openapi"
CLIENT = CONTRACT / "client-check"
# The jar comes with the package of this version.
GENERATOR = "openapi-generator-cli==7.26.0"
UV = (sys.executable, "-m", "uv", "run", "--no-project", f"--python={sys.executable}", "--quiet")
# A warning that says nothing about the contract, or what it says is done.
HARMLESS = (
    "OpenAPI 3.1 support is still in beta",
    "Failed to get the schema name: null",
    "(reserved word) cannot be used as model name. Renamed to",
    "is not support in the Dart generators by default",
    "Ignoring complex example on request body",
)


def _picture() -> str:
    content = io.BytesIO()
    Image.effect_noise((400, 300), 80).convert("RGB").save(content, "JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("demo", ["of 2024"], indirect=True)
def test_a_head_s_day_in_typescript(demo: Demo, tmp_path: Path) -> None:
    """`openapi-typescript` and `openapi-fetch`, compiled strictly, against a live server."""
    tools = CONTRACT / "node_modules/.bin"
    types = CLIENT / "generated/mobile.d.ts"
    options = (f"--output={types}", "--default-non-nullable=false")
    output_of(tools / "openapi-typescript", "../mobile.json", *options, cwd=CLIENT)
    # Beside node_modules, where Node finds what it imports.
    made = CLIENT / "generated/day"
    output_of(tools / "tsc", "--project", "tsconfig.day.json", "--outDir", made, cwd=CLIENT)
    day = ("node", made / "day.js", demo.address, "phuongvi-1", PASSWORD, _picture())
    assert "one meeting, one photo" in output_of(*day, cwd=tmp_path)


@pytest.mark.timeout(300)
@pytest.mark.needs("default-jre-headless")
@pytest.mark.parametrize("language", ["kotlin", "dart", "swift6"])
def test_a_client_in_another_language_has_everything(language: str, tmp_path: Path) -> None:
    """Each operation and each property of mobile.json is in the code, and no warning is new."""
    _has_everything(language, "mobile.json", tmp_path)


def _has_everything(language: str, contract: str, folder: Path) -> None:
    made = folder / language
    said = output_of(
        *(*UV, f"--with={GENERATOR}", "openapi-generator-cli", "generate"),
        *("-g", language, "-i", CONTRACT / contract, "-o", made),
        cwd=folder,
    )
    warnings = [line for line in said.splitlines() if "WARN" in line or "ERROR" in line]
    assert [each for each in warnings if not any(known in each for known in HARMLESS)] == []
    code = "\n".join(
        file.read_text("utf-8")
        for file in made.rglob("*")
        if file.suffix in {".kt", ".dart", ".swift", ".java", ".cs"}
    )
    described = json.loads((CONTRACT / contract).read_text("utf-8"))
    schemas = described["components"]["schemas"].values()
    named = {name for schema in schemas for name in schema.get("properties", ())}
    assert {path for path in described["paths"] if path not in code} == set()
    # Swift names a property alone where it is spelled the same.
    there = set(re.findall(r"""["'](\w+)["']|\bcase (\w+)$""", code, re.MULTILINE))
    assert named - {word for pair in there for word in pair} == set()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("demo", ["of 2024"], indirect=True)
def test_a_month_of_an_integrator_in_python(demo: Demo, tmp_path: Path) -> None:
    """`openapi-python-client` makes a package of integration.json without a warning or a gap; a program
    with it exports, follows, is killed, and ends with the rows that there are."""
    contract = CONTRACT / "integration.json"
    made, lock = tmp_path / "client", CONTRACT / "python-client.lock"
    tool = (*UV, f"--with-requirements={lock}", "openapi-python-client", "generate")
    options = (f"--config={CONTRACT / 'python-client.yaml'}", "--fail-on-warning")
    output_of(*tool, f"--path={contract}", f"--output-path={made}", *options, cwd=tmp_path)
    modules = {path.stem for path in made.glob("*/api/*/*.py")} - {"__init__"}
    paths = json.loads(contract.read_text("utf-8"))["paths"].values()
    operations = [each for path in paths for each in path.values()]
    assert modules == {each["operationId"] for each in operations}

    secret = _client_of(demo.address, "kho-du-lieu", "integration_writer")
    run = (*UV, f"--with-requirements={lock}", f"--with={made}", "python", "-P")
    month = (demo.address, "kho-du-lieu", secret, "phutho", PASSWORD, tmp_path)
    said = output_of(*run, CLIENT / "integrator_day.py", *month, cwd=tmp_path)
    assert "equal row by row after" in said


def _client_of(address: str, username: str, role: str) -> str:
    """The secret of a new client over the province."""
    with signed_in(address, "phutho") as officer:
        province = body(officer.get("/v1/me"))["unit"]["id"]
        account: dict[str, Any] = {"kind": "client", "username": username}
        account |= {"display_name": "Kho dữ liệu", "unit_id": province}
        account |= {"purpose": "Giữ một bản sao để đối chiếu", "contact": "Phòng CNTT"}
        account |= {"grants": [{"unit_id": province, "role": role}]}
        secret: str = body(officer.post("/v1/accounts", json=account), 201)["client_secret"]
    return secret


@pytest.mark.timeout(300)
@pytest.mark.needs("default-jre-headless")
@pytest.mark.parametrize("language", ["java", "csharp"])
def test_an_integrators_client_has_everything(language: str, tmp_path: Path) -> None:
    _has_everything(language, "integration.json", tmp_path)
