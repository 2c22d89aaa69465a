"""A chunk that breaks off, and one that comes twice: every line is done once, whoever sends it again."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from app.db import Database
from app.models.imports.bulk import BulkQuery, BulkSet
from app.models.imports.imports import Import
from app.models.imports.rows import ImportRow
from app.models.kernel.changes import Change, ChangeSource
from app.models.kernel.sessions import AuthSession
from app.services.imports import bulk, bulk_sets
from app.services.kernel import actors
from app.services.kernel.changes import Origin
from tests.conftest import make_settings
from tests.helpers.cadres import Ids
from tests.helpers.client import Api, writing
from tests.helpers.races import at_commit
from tests.imports.test_bulk import count, lines_of, push, said, verdicts_of, women
from tests.imports.test_imports import everyone


def _killed(database: Database, unit: int, body: bytes, place: str, calls: int) -> None:
    """A sender in a process of its own, killed as it has called `place` of `bulk_sets` so many times."""
    with writing(database) as session:
        newest = select(AuthSession.id).order_by(col(AuthSession.created_at).desc()).limit(1)
        session_id = session.exec(newest).one()
    if (process := os.fork()) == 0:
        try:
            setattr(bulk_sets, place, _dying(getattr(bulk_sets, place), calls))
            _send(Database(make_settings(database.settings.database_url)), session_id, unit, body)
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def _dying(work: Callable[..., Any], calls: int) -> Callable[..., Any]:
    left, put = iter(range(calls - 1, -1, -1)), bulk_sets.put

    def call(*args: Any) -> Any:
        result = work(*args) if work is put else None  # nobody is compared before it dies
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


def _send(database: Database, session_id: UUID, unit: int, body: bytes) -> None:
    actor = database.read_primary(lambda db: actors.load_actor(db, session_id))
    assert actor is not None
    author = Origin(ChangeSource.api, account_id=actor.account_id)
    query = BulkQuery(unit=unit, batch="k")
    work = bulk.begin(database, actor, "members", query, author, "vi")
    for lines in work.cut(body):
        work.take(lines)
    work.take(work.rest(), is_last=True)


def _logged(database: Database) -> Counter[UUID]:
    """How often each record was entered by a batch, as the log has it."""
    with writing(database) as session:
        ids = session.exec(
            select(Change.entity_id).where(
                col(Change.entity) == "member", col(Change.source_ref).like("import % line %")
            )
        ).all()
    return Counter(map(UUID, ids))


def test_a_sender_that_is_killed_has_done_whole_sets_and_goes_on(
    officer: Api, database: Database, unit_id: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "at_once", lambda _: 4)
    unit, body = unit_id["phuongvi"], lines_of(*women(unit_id["phuongvi-1"], 11))
    before = everyone(database)
    # With all of the second set written, and nothing of it committed.
    _killed(database, unit, body, "put", 2)
    assert (count(database, BulkSet), count(database, ImportRow)) == (1, 4)
    assert len(everyone(database)) == len(before) + 4
    assert len(_logged(database)) == 4
    found, end = verdicts_of(officer.get("/v1/bulk/members?batch=k"))
    assert (len(found), end["done"]) == (4, False)
    # With all sets committed, and nobody compared with those who came.
    _killed(database, unit, body, "settle", 1)
    assert count(database, BulkSet) == 3
    answer = push(officer, unit, body, batch="k")
    assert said(answer) == ["created"] * 11
    again, end = verdicts_of(answer)
    assert again[:4] == found
    assert (end["done"], end["created"]) == (True, 11)
    after = everyone(database)
    mine = {UUID(each["id"]) for each in again}
    assert after.keys() - before.keys() == mine
    assert {id_: after[id_] for id_ in before} == before
    assert _logged(database) == dict.fromkeys(mine, 1)
    with writing(database) as session:
        assert all(session.exec(select(BulkSet.settled)).all())
        [made] = session.exec(select(Import)).all()
    assert made.summary is not None
    assert made.summary["created"] == 11


def test_a_chunk_that_comes_while_it_is_written_is_written_once(
    officer: Api, database: Database, unit_id: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "at_once", lambda _: 4)
    unit, body = unit_id["phuongvi"], lines_of(*women(unit_id["phuongvi-1"], 11))
    before = everyone(database)

    def send() -> Any:
        return push(officer, unit, body, batch="two")

    one, two = at_commit(database, send, send)
    _is_one(database, one, two, len(before))


@pytest.mark.race
def test_two_who_open_a_batch_at_once(officer: Api, database: Database, unit_id: Ids) -> None:
    unit, body = unit_id["phuongvi"], lines_of(*women(unit_id["phuongvi-1"], 11))
    before = everyone(database)
    with ThreadPoolExecutor(2) as threads:
        sent = [threads.submit(push, officer, unit, body, batch="two") for _ in range(2)]
        one, two = (each.result() for each in sent)
    _is_one(database, one, two, len(before))


def _is_one(database: Database, one: Any, two: Any, before: int) -> None:
    first, end = verdicts_of(one)
    assert (first, end) == verdicts_of(two)
    assert [each["verdict"] for each in first] == ["created"] * 11
    assert (end["done"], end["created"]) == (True, 11)
    assert count(database, Import) == 1
    assert count(database, ImportRow) == 11
    assert len(everyone(database)) == before + 11
    assert _logged(database) == {UUID(each["id"]): 1 for each in first}
