"""What it costs to send an event to a webhook.

    python -m benchmarks.webhooks

The small demo; so many changes of members, one after the other, wait for one webhook of the officer of a commune. The receiver is a
process of its own that answers 204 on one connection, without TLS. A figure is CPU time of the process that sends: it reads the
feed, signs, sends, and commits each try with the position (on SQLite the database is in it). Beside it the same events as a page of
the feed, read and written as JSON.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table
from sqlmodel import col

from app.clock import utc_now
from app.db import Database
from app.json_values import json_bytes
from app.models.feed.events import FeedQuery
from app.models.kernel.changes import ChangeSource
from app.models.members.members import Member
from app.models.webhooks.endpoints import (
    WebhookEndpoint,
    WebhookPosition,
    WebhookSigning,
    WebhookState,
)
from app.services.capabilities import install
from app.services.demo.plan import Scale
from app.services.feed import feed
from app.services.kernel import changes, sequencer
from app.services.kernel.access import Actor
from app.services.kernel.following import newest
from app.services.webhooks import keys, owners, senders
from benchmarks.databases import Databases, SQLiteFiles, postgresql, working_folder
from benchmarks.reorganisations import actor_of, empty, load

OFFICER = "phuongvi"
TARGET_MS = 2.0
console = Console(width=100)
_RECEIVER = """
import socket
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
while True:
    connection, _ = listening.accept()
    waiting = b""
    while data := connection.recv(65536):
        waiting += data
        while b"\\r\\n\\r\\n" in waiting:
            head, _, rest = waiting.partition(b"\\r\\n\\r\\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\\r\\n")[0])
            if len(rest) < length:
                break
            waiting = rest[length:]
            connection.sendall(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
"""


@contextmanager
def receiving() -> Iterator[str]:
    """The address of a receiver that takes everything."""
    receiver = subprocess.Popen(
        [sys.executable, "-c", _RECEIVER], stdout=subprocess.PIPE, text=True
    )
    assert receiver.stdout is not None  # it is a pipe
    try:
        yield f"http://127.0.0.1:{receiver.stdout.readline().strip()}/hook"
    finally:
        receiver.kill()
        receiver.communicate()


def register(database: Database, url: str) -> Actor:
    """A webhook of the officer from here on: in the product it is a program's."""
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.demo))
        owner, now = actor_of(session, OFFICER), utc_now()
        endpoint = WebhookEndpoint(
            account_id=owner.account_id,
            url=url,
            kinds=["member"],
            description="",
            state=WebhookState.enabled,
            confirmed=owners.rights_of(owner),
            created_at=now,
            updated_at=now,
        )
        session.add(endpoint)
        session.flush()
        end = newest(session)
        session.add(
            WebhookPosition(
                endpoint_id=endpoint.id,
                seq=end.seq,
                sent_seq=end.seq,
                epoch=end.epoch,
                next_at=now,
            )
        )
        session.flush()
        keys.add(session, endpoint.id, WebhookSigning.hmac_sha256)
    return owner


def change(database: Database, owner: Actor, events: int) -> None:
    """So many changes of members in the commune of the owner."""
    own = sa.select(col(Member.id)).where(col(Member.commune_id) == owner.grants[0].commune_id)
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.demo))
        ids = list(session.execute(own.order_by(col(Member.id))).scalars())
        for number in range(events):
            member = session.get_one(Member, ids[number % len(ids)])
            member.address = f"Khu {number}, {events}"
            session.flush()
    sequencer.settle(database)


def spent(work: Callable[[], object]) -> float:
    """CPU time of this process, in ms."""
    began = time.process_time()
    work()
    return 1000 * (time.process_time() - began)


def report(name: str, database: Database, events: int) -> None:
    database.settings.webhook_allowed_networks = [ip_network("127.0.0.0/8")]
    with receiving() as url:
        owner = register(database, url)
        with database.reading() as db:
            begun = newest(db)
        change(database, owner, 20)
        assert senders.work_off(database) == 20  # once, so that statements are compiled
        change(database, owner, events)
        sent = spent(lambda: _all_sent(database, events))

    def told() -> None:
        after = begun.seq + 20
        with database.reading() as db:
            for _ in range(0, events, 100):
                query = FeedQuery.model_validate(
                    {"after": after, "kinds": ["member"], "limit": 100}
                )
                page = feed.page(db, owner, query)
                json_bytes(page)
                after = page["seq"]

    read = spent(told)
    table = Table(title=f"{name}: {events} events")
    for column in ("", "ms of CPU an event"):
        table.add_column(column, justify="right" if column else "left")
    late = "" if sent / events < TARGET_MS else f"  * {TARGET_MS} at most"
    table.add_row("sent to a webhook", f"{sent / events:.2f}{late}")
    table.add_row("read as pages of the feed", f"{read / events:.2f}")
    console.print(table)


def _all_sent(database: Database, events: int) -> None:
    tries = senders.work_off(database)
    assert tries == events, tries


def main(
    events: Annotated[int, typer.Option(help="So many wait.")] = 500,
    only: Annotated[str, typer.Option(help="sqlite or postgresql.")] = "",
) -> None:
    """Fill each database, then send."""
    install()
    with ExitStack() as stack:
        folder: Path = stack.enter_context(working_folder())
        for name in [only] if only else ["sqlite", "postgresql"]:
            databases: Databases = (
                SQLiteFiles(folder) if name == "sqlite" else stack.enter_context(postgresql(folder))
            )
            database = stack.enter_context(closing(empty(databases)))
            load(database, Scale.small)
            sequencer.settle(database)
            report(name, database, events)


if __name__ == "__main__":
    typer.run(main)
