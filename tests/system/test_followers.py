"""Two followers written from the integrators' guide alone stay equal to the server, however often they die."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from app.db import Database
from tests.conftest import ROOT
from tests.feed.follower import answered
from tests.helpers.answers import UnitIds
from tests.helpers.branch_world import BranchWorld, live_on
from tests.helpers.client import Api
from tests.helpers.sockets import behind_a_socket
from tests.sync.acts import Acts
from tests.system.running import output_of

FOLLOWERS = Path(__file__).parent / "followers"
NODE = ROOT / "openapi/node_modules"
DIED = 9
_OPTIONS = (
    *("--strict", "--noUncheckedIndexedAccess", "--target", "es2022"),
    *("--module", "nodenext", "--moduleResolution", "nodenext"),
    *("--lib", "es2022,dom,dom.asynciterable", "--types", "node"),
)


def in_python(_: Path) -> tuple[str, ...]:
    return sys.executable, str(FOLLOWERS / "follower.py")


def in_typescript(folder: Path) -> tuple[str, ...]:
    types = ("--typeRoots", NODE / "@types")
    source = FOLLOWERS / "follower.mts"
    output_of(NODE / ".bin/tsc", *_OPTIONS, *types, "--outDir", folder, source, cwd=folder)
    return "node", str(folder / "follower.mjs")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", [in_python, in_typescript])
def test_a_follower_by_the_guide_stays_equal(
    api: Api,
    database: Database,
    unit_id: UnitIds,
    work: Callable[[], int],
    tmp_path: Path,
    language: Callable[[Path], tuple[str, ...]],
) -> None:
    command, reader, random = language(tmp_path), api.as_("phuongvi"), Random(3)
    kept = tmp_path / "copy.json"
    acts = Acts(api, database, unit_id, seed=3)
    token = reader.headers["authorization"].removeprefix("Bearer ")
    with behind_a_socket(api) as socket:

        def follow(*deaths: str) -> int:
            given = (*command, socket.address, token, str(kept), *deaths)
            ran = subprocess.run(given, capture_output=True, text=True, timeout=60, check=False)
            assert ran.returncode in (0, DIED), ran.stderr[-3_000:]
            return ran.returncode

        died = [follow("2")]
        live_on(BranchWorld(api, database, unit_id, work))
        for _ in range(6):
            for _ in range(6):
                acts.one()
            died.append(follow(str(random.randint(1, 3))))
        assert died.count(DIED) >= 3
        assert follow() == 0
    rows = json.loads(kept.read_text("utf-8"))["rows"].values()
    found = {(row["entity"], row["entity_id"]): row["state"] for row in rows}
    expected = answered(reader)
    assert found.keys() == expected.keys()
    for key, state in expected.items():
        assert found[key] == state, key
