"""The receivers of the integrators' guide verify what we send, and nothing else."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from tests.conftest import ROOT
from tests.helpers.answers import Json
from tests.helpers.cadres import done, made
from tests.helpers.client import Api

GUIDE = (ROOT / "docs/guides/integrator.md").read_text("utf-8").partition("\n## Webhooks\n")[2]
SECTION = GUIDE.partition("\n## Codes and crosswalks\n")[0]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_it_listens(port: int) -> None:
    over = time.monotonic() + 30
    while time.monotonic() < over:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("the receiver of the guide does not listen")


@pytest.mark.parametrize(
    ("language", "program_of", "name"),
    [("python", sys.executable, "receiver.py"), ("js", "node", "receiver.mjs")],
)
def test_a_receiver_of_the_guide_runs_as_it_is_written(
    tmp_path: Path,
    program: Api,
    to_this_machine: None,
    change: Callable[[str], None],
    send: Callable[[], int],
    language: str,
    program_of: str,
    name: str,
) -> None:
    runs = shutil.which(program_of)
    if runs is None:
        pytest.skip(f"{program_of} is not installed")
    [code] = re.findall(rf"^```{language}\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    (tmp_path / name).write_text(code, "utf-8")
    port = _free_port()
    body = {"url": f"http://127.0.0.1:{port}/", "kinds": ["member"]}
    hook: Json = made(program.post("/v1/webhooks", json=body))
    receiver = subprocess.Popen(
        [runs, name],
        cwd=tmp_path,
        env={**os.environ, "PORT": str(port), "SECRET": hook["secret"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        _until_it_listens(port)
        change("Khu 1")
        change("Khu 2")
        assert send() == 2
        path = f"/v1/webhooks/{hook['id']}"
        assert done(program.get(path))["waiting"] is None
        forged = {"webhook-id": "1", "webhook-timestamp": str(int(time.time()))}
        forged["webhook-signature"] = "v1,Zm9yZ2Vk"
        answer = httpx2.post(f"http://127.0.0.1:{port}/", content=b"{}", headers=forged)
        assert answer.status_code == 401
    finally:
        receiver.kill()
        said, _ = receiver.communicate()
    first, second = [line.split() for line in said.splitlines()]
    assert first[0] == str(hook["seq"])
    assert (second[0], second[2]) == (first[1], "member.updated")
