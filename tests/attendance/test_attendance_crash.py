"""kill -9 of the server in the middle of a burst of captures: what it acknowledged is there, and
when the phones have sent again, exactly what they captured."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from uuid import UUID

import pytest
from sqlmodel import col, select

from app.db import Database
from app.models.attendance.attendance import Attendance, Capture
from tests.helpers.answers import Json
from tests.helpers.captures import hold, members_of, tapped
from tests.helpers.client import Api, writing
from tests.helpers.processes import Server

PHONES, BATCHES, SIZE = 4, 12, 8


def send(server: Server, path: str, headers: dict[str, str], body: Json) -> Json | None:
    """The answer; None when there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        content = {"content-type": "application/json"} | headers
        connection.request("POST", path, json.dumps(body), content)
        answer = connection.getresponse()
        data = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    assert answer.status == 200, data
    found: Json = json.loads(data)
    return found


@pytest.mark.race
def test_facts_are_the_acknowledged_captures(
    api: Api, database: Database, unit_id: dict[str, int]
) -> None:
    branch = unit_id["phuongvi-2"]
    meeting = hold(database, [branch])
    roster = members_of(database, branch)
    headers = api.as_("phuongvi").headers
    path = f"/v1/sessions/{meeting}/captures"
    server = Server(database.settings.database_url)
    acknowledged: dict[str, Json] = {}
    enough, killed, guard = Event(), Event(), Lock()

    def phone(number: int) -> list[tuple[Json, Json]]:
        """Sends its batches one after another, each until it is answered."""
        told = []
        for batch in range(BATCHES):
            first = (number * 7 + batch * SIZE) % len(roster)
            people = (roster * 2)[first : first + SIZE]
            body = {"items": [tapped(each) for each in people], "device_id": f"phone {number}"}
            while (answer := send(server, path, headers, body)) is None:
                killed.wait(timeout=60)
                time.sleep(0.05)
            with guard:
                acknowledged.update({each["id"]: each for each in answer["items"]})
                if len(acknowledged) > PHONES * SIZE:
                    enough.set()
            told.append((body, answer))
        return told

    try:
        with ThreadPoolExecutor(PHONES) as pool:
            phones = [pool.submit(phone, number) for number in range(PHONES)]
            assert enough.wait(timeout=60)
            with guard:
                before = set(acknowledged)
            server.kill()
            assert before <= stored(database)
            server.start_again()
            killed.set()
            told = [each for done in phones for each in done.result(timeout=90)]
        for body, answer in told[:: PHONES * 3]:
            assert send(server, path, headers, body) == answer
    finally:
        server.kill()
    assert stored(database) == set(acknowledged)
    assert len(acknowledged) == PHONES * BATCHES * SIZE
    with writing(database) as session:
        facts = session.exec(
            select(Attendance.member_id).where(col(Attendance.session_id) == meeting)
        ).all()
    captured = {UUID(each["member_id"]) for each in acknowledged.values()}
    assert sorted(facts) == sorted(captured)
    assert sum(each["attendance"] == "new" for each in acknowledged.values()) == len(captured)


def stored(database: Database) -> set[str]:
    with writing(database) as session:
        return {str(capture_id) for capture_id in session.exec(select(Capture.id))}
