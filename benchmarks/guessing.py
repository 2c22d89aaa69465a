"""What people who guess passwords cost those who work: a member list while 40 connections sign in."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from app.services.demo.plan import Scale
from benchmarks import servers
from benchmarks.databases import SQLiteFiles, postgresql, working_folder
from benchmarks.load import percentile, pinned, two_cores
from benchmarks.run import fill, sign_in, start_hoiso
from benchmarks.servers import Server

GUESSERS = 40
SECONDS = 10.0
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Guessing:
    """Forty connections, each at another address and another name with every guess."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: Counter[int] = Counter()
        self._ended = threading.Event()

    @contextmanager
    def going_on(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._guess, args=(n,)) for n in range(GUESSERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _guess(self, number: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            guess = 0
            while not self._ended.is_set():
                guess += 1
                name = f"phuongvi-{number}-{guess}"
                form = {"grant_type": "password", "username": name, "password": f"guess-{guess}"}
                # Believed: the server takes this machine for its proxy.
                address = {"x-forwarded-for": f"10.{number}.{guess >> 8 & 255}.{guess & 255}"}
                connection.request("POST", "/v1/auth/token", urlencode(form), FORM | address)
                answer = connection.getresponse()
                answer.read()
                self.answers[answer.status] += 1


def lists(server: Server, token: str) -> list[float]:
    """Milliseconds of a member list, asked again and again on one connection."""
    taken = []
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            began = time.perf_counter()
            connection.request(
                "GET", "/v1/members?limit=50", headers={"authorization": f"Bearer {token}"}
            )
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"a list is answered {answer.status}")
            taken.append((time.perf_counter() - began) * 1000)
            time.sleep(0.02)
    return taken


def measure(url: str, folder: Path) -> None:
    core, other = two_cores()
    fill(url, folder, Scale.small)
    server = start_hoiso(url, core, folder)
    try:
        server.wait_until(servers.is_ready)
        token = sign_in(server)
        with pinned(other):
            told("alone", lists(server, token))
            guessing = Guessing(server.port)
            with guessing.going_on():
                time.sleep(1)
                told(f"{GUESSERS} guess", lists(server, token))
            rate = {status: round(n / SECONDS, 1) for status, n in guessing.answers.items()}
            print("guesses a second, by status:", rate)
    finally:
        server.stop()


def told(when: str, taken: list[float]) -> None:
    shares = ", ".join(f"p{share} {percentile(taken, share / 100):.1f}" for share in (50, 95, 99))
    print(f"{when}: {len(taken)} lists, ms {shares}")


def main(only: Annotated[str, typer.Option(help="sqlite or postgresql")] = "sqlite") -> None:
    with working_folder() as folder:
        if only == "sqlite":
            measure(SQLiteFiles(folder).create("guessing"), folder)
        else:
            with postgresql(folder) as server:
                measure(server.create("guessing"), folder)


if __name__ == "__main__":
    typer.run(main)
