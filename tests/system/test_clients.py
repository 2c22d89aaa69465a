"""Programs made from the contract: one lives a head's day, others have everything that it names."""

import base64
import io
import json
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.helpers.client import PASSWORD
from tests.system.running import Demo, output_of

CONTRACT = ROOT / "openapi"
CLIENT = CONTRACT / "client-check"
# The jar comes with the package of this version.
GENERATOR = "openapi-generator-cli==7.26.0"
# A warning that says nothing about the contract, or what it says is done.
HARMLESS = (
    "OpenAPI 3.1 support is still in beta",
    "Failed to get the schema name: null",
    "(reserved word) cannot be used as model name. Renamed to",
    "is not support in the Dart generators by default",
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
    uv = (sys.executable, "-m", "uv", "run", "--no-project", f"--python={sys.executable}")
    made = tmp_path / language
    said = output_of(
        *(*uv, "--quiet", f"--with={GENERATOR}", "openapi-generator-cli", "generate"),
        *("-g", language, "-i", CONTRACT / "mobile.json", "-o", made),
        cwd=tmp_path,
    )
    warnings = [line for line in said.splitlines() if "WARN" in line or "ERROR" in line]
    assert [each for each in warnings if not any(known in each for known in HARMLESS)] == []
    code = "\n".join(
        file.read_text("utf-8")
        for file in made.rglob("*")
        if file.suffix in {".kt", ".dart", ".swift"}
    )
    contract = json.loads((CONTRACT / "mobile.json").read_text("utf-8"))
    schemas = contract["components"]["schemas"].values()
    named = {name for schema in schemas for name in schema.get("properties", ())}
    assert {path for path in contract["paths"] if path not in code} == set()
    # Swift names a property alone where it is spelled the same.
    there = set(re.findall(r"""["'](\w+)["']|\bcase (\w+)$""", code, re.MULTILINE))
    assert named - {word for pair in there for word in pair} == set()
