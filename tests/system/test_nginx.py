"""Hội Số behind a real nginx, configured as the operator's guide says."""

import os
import stat
import subprocess
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests.helpers.client import PASSWORD
from tests.system import packages
from tests.system.guide import block
from tests.system.running import Process, Stage, free_port, ready, until

pytestmark = [pytest.mark.needs("nginx-light"), pytest.mark.timeout(240)]
_LIMIT = 40
_CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/hoiso-upstream.conf;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


@dataclass
class Site:
    """nginx before two servers: on the ports 8001 and 8002 of the guide, or others here."""

    stage: Stage
    folder: Path
    address: str
    ports: dict[int, int]
    servers: dict[int, Process] = field(default_factory=dict)

    def serve(self, port: int) -> None:
        self.servers[port] = self.stage.hoiso(
            f"server-{port}",
            *("serve", "--port", str(port)),
            HOISO_LOGIN_ATTEMPTS_PER_ADDRESS=f"{_LIMIT} per hour",
        )

    def of_here(self, text: str) -> str:
        """The text of the guide with the places of this test."""
        for of_guide, port in self.ports.items():
            text = text.replace(str(of_guide), str(port))
        return text.replace("/etc/nginx/conf.d", str(self.folder))


@pytest.fixture(scope="module")
def site(stage: Stage) -> Site:
    folder, port = stage.folder, free_port()
    site = Site(stage, folder, f"http://127.0.0.1:{port}", {8001: free_port(), 8002: free_port()})
    (folder / "hoiso-upstream.conf").write_text(
        site.of_here(block("nginx", "# /etc/nginx/conf.d/hoiso-upstream.conf"))
    )
    configuration = folder / "nginx.conf"
    location = block("nginx", "location /")
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, location=location))
    for each in site.ports.values():
        site.serve(each)
    for each in site.ports.values():
        until(partial(ready, f"http://127.0.0.1:{each}"), 90)
    program = packages.program("nginx-light")
    assert program is not None
    stage.start("nginx", program, "-p", str(folder), "-c", str(configuration))
    until(lambda: ready(site.address), 10)
    return site


def sign_in(address: str, source: str, forwarded: str) -> int:
    """Signs in with a wrong password from an address of this machine, claiming another."""
    with httpx2.Client(transport=httpx2.HTTPTransport(local_address=source)) as client:
        return client.post(
            f"{address}/v1/auth/token",
            data={"grant_type": "password", "username": forwarded, "password": PASSWORD},
            headers={"x-forwarded-for": forwarded},
            timeout=20,
        ).status_code


def test_only_nginx_is_believed_about_addresses(site: Site) -> None:
    """The limit of sign-ins counts the client's true address, whatever the client claims."""
    direct = f"http://127.0.0.1:{site.ports[8001]}"
    past = [sign_in(direct, "127.0.0.2", f"10.0.0.{n}") for n in range(_LIMIT + 1)]
    assert 429 not in past[:_LIMIT]
    assert past[_LIMIT] == 429
    # Through nginx the address of this client has used all its attempts, that of another has not.
    through = [sign_in(site.address, "127.0.0.2", f"10.0.1.{n}") for n in range(4)]
    assert 429 in through
    assert sign_in(site.address, "127.0.0.3", "127.0.0.2") != 429


def test_a_rolling_restart_loses_no_request(site: Site) -> None:
    script = site.folder / "hoiso-restart"
    script.write_text(site.of_here(block("sh", "#!/bin/sh\n# hoiso-restart")))
    commands = site.folder / "commands"
    commands.mkdir()
    nginx = packages.program("nginx-light")
    _command(
        commands / "nginx",
        f'exec {nginx} -p {site.folder} -c {site.folder}/nginx.conf "$@" 2>/dev/null',
    )
    # The manager of services is this test: it restarts what it is asked to.
    _command(
        commands / "systemctl",
        f"touch {commands}/asked-$2; until [ -e {commands}/done-$2 ]; do sleep 0.1; done",
    )
    before = {port: server.running.pid for port, server in site.servers.items()}
    ended = threading.Event()
    answers: list[int | str] = []

    def ask() -> None:
        n = 0
        while not ended.is_set():
            n += 1
            try:
                if n % 2:
                    answer = httpx2.get(f"{site.address}/health/ready", timeout=30)
                else:
                    answer = httpx2.post(f"{site.address}/v1/auth/revoke", data={"token": "x"})
            except httpx2.TransportError as error:
                answers.append(repr(error))
            else:
                answers.append(answer.status_code)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    path = f"{commands}:{os.environ['PATH']}"
    running = subprocess.Popen(["sh", str(script)], env={**os.environ, "PATH": path})
    try:
        for port in site.ports.values():
            asked = commands / f"asked-hoiso@{port}"
            until(partial(_found, asked), 60)
            site.servers[port].stop()
            site.serve(port)
            (commands / f"done-hoiso@{port}").touch()
        assert running.wait(timeout=120) == 0
    finally:
        running.kill()
        ended.set()
        for asker in askers:
            asker.join()
    assert set(answers) == {200}, {answer: answers.count(answer) for answer in set(answers)}
    assert len(answers) > 20
    assert all(server.running.pid != before[port] for port, server in site.servers.items())


def _found(path: Path) -> Path | None:
    return path if path.exists() else None


def _command(file: Path, body: str) -> None:
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
