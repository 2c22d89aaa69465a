"""An export is of one moment, while others write: exactly the changes up to its number."""

import threading
from collections import defaultdict

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import col

from app.db import Database
from app.models.kernel.changes import Change, Feed
from app.services.exports import making
from app.services.kernel import sequencer
from tests.exports.asking import Work, exported, rows_of
from tests.helpers.answers import Json
from tests.helpers.client import Api, writing
from tests.kernel.changes import done

WRITERS = 8


def written_up_to(database: Database, seq: int) -> dict[str, str]:
    """The address of each member as the log has it at a number."""
    found: dict[str, str] = {}
    statement = (
        sa.select(col(Feed.entity_id), col(Change.after))
        .join(Change, col(Change.id) == col(Feed.change_id))
        .where(col(Feed.entity) == "member", col(Feed.seq) <= seq)
        .order_by(col(Feed.seq))
    )
    sequencer.settle(database)
    with writing(database) as session:
        for id_, after in session.execute(statement):
            if after and "address" in after:
                found[id_] = after["address"]
    return found


def test_under_eight_writers_it_is_the_state_at_its_number(
    app: FastAPI, officer: Api, database: Database, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "_PAGE", 2)
    members = done(officer.get("/v1/members?limit=100"))["items"]
    turns: defaultdict[int, list[Json]] = defaultdict(list)
    for place, member in enumerate(members):
        turns[place % WRITERS].append(member)
    stop = threading.Event()
    failed: list[str] = []

    def write(number: int, api: Api) -> None:
        count = 0
        while not stop.is_set():
            for member in turns[number]:
                count += 1
                path, body = f"/v1/members/{member['id']}", {"address": f"{number}-{count}"}
                answer = api.patch(path, json=body)
                if answer.status_code not in (200, 503):
                    failed.append(answer.text)

    apis = [Api(app).as_("phuongvi") for _ in range(WRITERS)]
    threads = [
        threading.Thread(target=write, args=(number, api)) for number, api in enumerate(apis)
    ]
    for thread in threads:
        thread.start()
    try:
        manifests = [exported(officer, work, kinds=["member"]) for _ in range(3)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed
    for manifest in manifests:
        rows = rows_of(officer, manifest, "member")
        said = {id_: row["address"] for id_, row in rows.items() if row["address"]}
        logged = written_up_to(database, manifest["seq"])
        assert said == {id_: text for id_, text in logged.items() if id_ in rows and text}
    assert len({manifest["seq"] for manifest in manifests}) > 1
