"""Every command of the guides runs as it is written, in sh and in bash, one after the other.

The blocks of a guide are one script, run against a server with the demo district, of 2024 and after its
reforms. A guide says of what it shows to be refused; those codes are listed here.
"""

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.helpers.client import PASSWORD
from tests.system.running import Demo

# The demo is loaded by the first, and a guide takes as long as its commands.
pytestmark = pytest.mark.timeout(900)
# What a guide shows to be refused: the first time or the second.
REFUSED = {
    "mobile": {
        *("validation_failed", "stale_revision", "start_over"),
        *("app_too_old", "device_revoked"),
    },
    "integrator": {"username_taken"},
    "duplicates": set[str](),
    "files": set[str](),
    "imports": set[str](),
    "meetings": {"not_found"},
    "poverty": set[str](),
    "privacy": {"nobody_to_anonymise"},
}
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PROBLEM = re.compile(r'"type": ?"urn:hoiso:problem:(\w+)"')
# Fetched from a registry: not the server's.
_OF_OTHERS = re.compile(r"^npx .*$", re.MULTILINE)


# What a reader chooses instead on the reformed demo.
_REFORMED = re.compile(r"^(\w+)=\S+ +# with the reforms of 2025: (\S+)$", re.MULTILINE)


def script(guide: str, demo: Demo) -> str:
    """The commands of a guide, for this server and its password."""
    text = (ROOT / f"docs/guides/{guide}.md").read_text("utf-8")
    commands = _OF_OTHERS.sub("", "\n".join(_BLOCK.findall(text)))
    commands = commands.replace("http://127.0.0.1:8000", demo.address)
    if demo.reformed:
        commands = _REFORMED.sub(r"\1=\2", commands)
    return re.sub(r"^PASSWORD=\.\.\..*$", f"PASSWORD={PASSWORD}", commands, flags=re.MULTILINE)


@pytest.mark.parametrize("demo", ["of 2024"], indirect=True)
@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("guide", REFUSED)
def test_a_guide_runs_as_it_is_written(demo: Demo, tmp_path: Path, guide: str, shell: str) -> None:
    _run(demo, tmp_path, guide, shell)


@pytest.mark.parametrize("demo", ["reformed"], indirect=True)
@pytest.mark.parametrize("guide", REFUSED)
def test_a_guide_runs_after_the_reforms(demo: Demo, tmp_path: Path, guide: str) -> None:
    _run(demo, tmp_path, guide, "sh")


def _run(demo: Demo, tmp_path: Path, guide: str, shell: str) -> None:
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    ran = subprocess.run(
        [shell, "-uc", script(guide, demo)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    assert "unbound variable" not in ran.stderr, ran.stderr
    assert "parameter not set" not in ran.stderr, ran.stderr
    assert set(_PROBLEM.findall(ran.stdout)) <= REFUSED[guide], ran.stdout[-2_000:]
