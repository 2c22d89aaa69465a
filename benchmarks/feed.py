"""One reader of the feed, from the first event to the newest: what an event costs.

    python -m benchmarks.feed
    python -m benchmarks.feed --only postgresql
    python -m benchmarks.feed --check

The small demo, whose members are each changed a few times. The reader asks for pages of 200; the server runs as in
production, with its access log. CPU is that of the server's process.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
import typer

from app.services.demo.plan import Scale
from benchmarks import servers
from benchmarks.databases import Databases, SQLiteFiles, postgresql, working_folder
from benchmarks.load import cpu_reader, two_cores
from benchmarks.run import PASSWORD, fill, hoiso_environment
from benchmarks.servers import Server

# An officer of the province, who reads all kinds.
READER = "phutho"
CHANGES = 3


def measure(name: str, url: str, folder: Path, rounds: int) -> None:
    """With no rounds, only that a follower has the rows that there are."""
    fill(url, folder, Scale.small)
    environment = hoiso_environment(url, folder)
    arguments = ["-m", "app.cli", "serve", "--port", "{port}"]
    server = servers.start("hoiso", arguments, environment, core=two_cores()[0], folder=folder)
    try:
        server.wait_until(servers.is_ready)
        reader = Reader(server)
        reader.change_all()
        reader.ensure_equal()
        print(f"{name}: a follower has the rows that there are")
        spent = sorted(reader.milliseconds() for _ in range(rounds))
        if spent:
            print(f"{name}: {spent[len(spent) // 2]:.3f} ms of CPU an event")
    finally:
        server.stop()


class Reader:
    """Reads the feed of the province, with all its kinds."""

    def __init__(self, server: Server) -> None:
        self.server = server
        form = {"grant_type": "password", "username": READER, "password": PASSWORD}
        status, answer = server.ask(
            "POST",
            "/v1/auth/token",
            body=urlencode(form).encode(),
            content_type="application/x-www-form-urlencoded",
        )
        if status != 200:
            raise SystemExit(f"{READER} cannot sign in: {status} {answer}")
        self.token = str(answer["access_token"])

    def get(self, path: str) -> Any:
        status, answer = self.server.ask("GET", path, token=self.token)
        if status != 200:
            raise SystemExit(f"GET {path}: {status} {answer}")
        return answer

    def change_all(self) -> None:
        members = self.get("/v1/members?limit=200")["items"]
        for number in range(CHANGES):
            for each in members:
                body = orjson.dumps({"address": f"Khu {number}"})
                self.server.ask("PATCH", f"/v1/members/{each['id']}", token=self.token, body=body)

    def pages(self) -> Iterator[Any]:
        after, more = 0, True
        while more:
            page = self.get(f"/v1/feed?after={after}&limit=200")
            yield page
            after, more = page["seq"], page["more"]

    def ensure_equal(self) -> None:
        """The last state of each row is what there is of it."""
        events = [each["data"] for page in self.pages() for each in page["items"]]
        states = {(each["entity"], each["entity_id"]): each["state"] for each in events}
        for kind in {entity for entity, _ in states}:
            after: str | None = ""
            while after is not None:
                page = self.get(f"/v1/feed/rows?kind={kind}" + (f"&after={after}" if after else ""))
                for row in page["items"]:
                    kept = states.get((kind, row["entity_id"]), row["state"])
                    if kept != row["state"]:
                        raise SystemExit(f"{kind} {row['entity_id']}: {kept} is not {row['state']}")
                after = page["next"]

    def milliseconds(self) -> float:
        """CPU of the server for an event, read from the first one on."""
        cpu = cpu_reader(self.server.process.pid)
        before = cpu()
        events = sum(len(page["items"]) for page in self.pages())
        return (cpu() - before) / 1e6 / events


def main(
    only: Annotated[str, typer.Option(help="sqlite or postgresql")] = "sqlite",
    rounds: Annotated[int, typer.Option(help="The feed is read so often.")] = 7,
    check: Annotated[bool, typer.Option("--check", help="Measure nothing.")] = False,
) -> None:
    """Fill a database, change its members, and read all events."""
    with ExitStack() as stack:
        folder = stack.enter_context(working_folder())
        databases: Databases = (
            SQLiteFiles(folder) if only == "sqlite" else stack.enter_context(postgresql(folder))
        )
        measure(only, databases.create("feed"), folder, 0 if check else rounds)


if __name__ == "__main__":
    typer.run(main)
