"""WatermelonDB itself, on a phone of a branch head, against a live server."""

from pathlib import Path

from tests.conftest import ROOT
from tests.helpers.client import PASSWORD
from tests.system.running import Stage, free_port, output_of, ready, until

CLIENT = ROOT / "openapi/client-check"


def test_a_head_s_day_with_watermelondb(stage: Stage, tmp_path: Path) -> None:
    """Nothing written offline is lost, and in the end the phone has what a new one gets."""
    # Beside node_modules, where Node finds what it imports.
    made = CLIENT / "generated/watermelon"
    options = ("--project", "tsconfig.watermelon.json", "--outDir", made)
    output_of(ROOT / "openapi/node_modules/.bin/tsc", *options, cwd=CLIENT)
    port = free_port()
    stage.hoiso("server", "serve", HOISO_PORT=str(port))
    address = f"http://127.0.0.1:{port}"
    until(lambda: ready(address), 60)
    day = ("node", made / "watermelon-day.js", address, "phuongvi-1", "phuongvi", PASSWORD)
    assert "nothing lost" in output_of(*day, cwd=tmp_path)
