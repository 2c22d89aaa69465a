"""One line of curl gets the file: who accepts its type is led to it."""

import json
import threading

import pytest

from app.db import Database
from tests.exports.asking import Work, content, exported
from tests.helpers.answers import Json, pointed
from tests.helpers.client import Api
from tests.kernel.changes import done

NDJSON = {"accept": "application/x-ndjson"}


def test_the_file_itself(officer: Api, database: Database, work: Work) -> None:
    """curl -sL sends the same headers to where it is led, by GET."""
    timer = threading.Timer(1.0, work)
    timer.start()
    try:
        answer = officer.post(
            "/v1/exports",
            json={"kinds": ["member"]},
            headers=NDJSON | {"prefer": "wait=60"},
            follow_redirects=False,
        )
    finally:
        timer.join()
    assert answer.status_code == 303, answer.text
    file = officer.get(answer.headers["location"], headers=NDJSON)
    assert file.headers["content-type"].startswith("application/x-ndjson")
    rows = [json.loads(line) for line in file.content.splitlines()]
    [listed] = done(officer.get("/v1/exports"))["items"]
    manifest = done(officer.get(f"/v1/exports/{listed['id']}"))
    assert len(rows) == manifest["files"][0]["rows"] > 0
    # And later, by its manifest.
    again = officer.get(f"/v1/exports/{listed['id']}", headers=NDJSON, follow_redirects=False)
    assert (again.status_code, again.headers["location"]) == (303, answer.headers["location"])


@pytest.mark.parametrize(
    ("accept", "form"), [("text/csv", "csv"), ("application/vnd.apache.parquet", "parquet")]
)
def test_what_is_accepted_is_the_format(officer: Api, work: Work, accept: str, form: str) -> None:
    asked = officer.post("/v1/exports", json={"kinds": ["unit"]}, headers={"accept": accept})
    assert asked.status_code == 202  # not ready yet: the manifest
    assert asked.json()["format"] == form
    work()
    led = officer.get(asked.headers["location"], headers={"accept": accept}, follow_redirects=False)
    assert led.headers["location"].endswith(f"unit.{form}")
    assert officer.get(led.headers["location"]).headers["content-type"].startswith(accept)


def test_not_ready_in_time_and_whoever_takes_json(officer: Api, work: Work) -> None:
    body = {"kinds": ["unit"]}
    asked = officer.post("/v1/exports", json=body, headers=NDJSON | {"prefer": "wait=1"})
    assert (asked.status_code, asked.json()["state"]) == (202, "making")
    work()
    for accept in ("*/*", "application/json", "application/json, application/x-ndjson;q=0.5"):
        assert officer.get(asked.headers["location"], headers={"accept": accept}).json()["files"]


def test_a_file_is_of_one_kind(officer: Api, work: Work) -> None:
    mark = exported(officer, work, kinds=["unit"])["watermark"]
    bodies: list[Json] = [{}, {"kinds": ["unit", "member"]}, {"kinds": ["unit"], "since": mark}]
    for body in bodies:
        answer = officer.post("/v1/exports", json=body, headers=NDJSON)
        pointed(answer, "/kinds", "one_kind_a_file")
    assert len(done(officer.get("/v1/exports"))["items"]) == 1
    several = exported(officer, work, kinds=["unit", "member"])
    answer = officer.get(f"/v1/exports/{several['id']}", headers=NDJSON)
    assert answer.status_code == 200
    for file in answer.json()["files"]:
        content(officer, file)
