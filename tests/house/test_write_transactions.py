"""What takes its time is done before a write transaction, in which all other writers would wait."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.db import Database
from app.security.passwords import PasswordHasher
from app.services.attendance import online_reports
from app.services.events import recurrence
from app.services.kernel import idempotency
from app.workbooks import reading, rows, writing
from tests.helpers.answers import UnitIds
from tests.helpers.client import PASSWORD, Api
from tests.helpers.meetings import acted, announced, made

COSTLY: dict[str, tuple[Any, str]] = {
    "a password hashed": (PasswordHasher, "hash"),
    "a password checked": (PasswordHasher, "verify"),
    "a rule followed": (recurrence, "expanded"),
    "a report of participants read": (online_reports, "read"),
    "a body digested": (idempotency, "digest"),
    "a workbook read": (reading, "read"),
    "rows understood": (rows, "take"),
    "a workbook written": (writing, "write_back"),
}


class Watch:
    """Which costly functions were called, and which of them inside a write transaction."""

    def __init__(self) -> None:
        self.called: set[str] = set()
        self.inside: set[str] = set()
        self._of_thread = threading.local()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._of_thread.open = True
        try:
            yield
        finally:
            self._of_thread.open = False

    def watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **values: Any) -> Any:
            self.called.add(name)
            if getattr(self._of_thread, "open", False):
                self.inside.add(name)
            return function(*args, **values)

        return run


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    made_ = Watch()
    writing_ = Database.writing

    @contextmanager
    def writing_watched(self: Database) -> Iterator[Any]:
        with writing_(self) as session, made_.transaction():
            yield session

    monkeypatch.setattr(Database, "writing", writing_watched)
    for name, (owner, function) in COSTLY.items():
        monkeypatch.setattr(owner, function, made_.watched(name, getattr(owner, function)))
    return made_


def test_nothing_costly_is_done_inside(
    watch: Watch, api: Api, head: Api, unit_id: UnitIds, work: Callable[[], int]
) -> None:
    new = {"current_password": PASSWORD, "new_password": "mot mat khau moi 2026"}
    assert api.as_("member").post("/v1/me/password", json=new).status_code == 204
    event = made(head, sessions=[])
    rule = {
        "rule": "FREQ=WEEKLY;COUNT=4",
        "starts_at": "2027-01-17T19:00:00+07:00",
        "ends_at": "2027-01-17T21:00:00+07:00",
    }
    acted(head, f"/v1/events/{event['id']}/recurrence", rule)
    _, session_id = announced(head)
    report = "Name,Duration (Minutes)\nTrần Thị Mơ,60\n"
    answer = head.post(
        f"/v1/sessions/{session_id}/online-report",
        content=report.encode(),
        headers={"content-type": "text/csv", "idempotency-key": "k"},
    )
    assert answer.status_code == 200, answer.text
    sent = head.post(
        f"/v1/imports?kind=members&unit={unit_id['phuongvi-1']}&file_name=a.csv",
        content="Họ và tên,Ngày sinh\nTrần Thị Mơ,1970\n".encode(),
        headers={"content-type": "text/csv"},
    )
    assert sent.status_code == 201, sent.text
    assert work() >= 1
    assert head.get(f"/v1/imports/{sent.json()['id']}/file").status_code == 200
    assert watch.called == set(COSTLY)
    assert watch.inside == set()
