"""How much programs ask: counted in memory, written now and then."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.models.identity.clients import ClientUsage
from app.services.identity import usage
from app.services.identity.usage import UsageMeter
from tests.accounts.accounts import pointers, refusal
from tests.accounts.test_clients import NAME, entered, from_address, opened
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api, counted, writing


@pytest.fixture
def program(officer: Api, unit_id: Ids) -> Json:
    return entered(officer, unit_id)


def path_of(program: Json) -> str:
    return f"/v1/accounts/{program['id']}/usage"


def rows_of(database: Database) -> list[ClientUsage]:
    with writing(database) as session:
        return list(session.exec(select(ClientUsage)).all())


def test_by_day_and_operation(
    api: Api, officer: Api, database: Database, unit_id: Ids, program: Json
) -> None:
    mine = from_address(opened(api, program["client_secret"]), "192.0.2.7")
    sent = sum(len(mine.get("/v1/members?limit=3").content) for _ in range(3))
    head = mine.request("HEAD", "/v1/members?limit=3")
    assert head.content == b""
    refused = mine.get(f"/v1/households/{uuid4()}")
    refusal(refused, 404, "not_found")
    officer.get("/v1/members")
    items = done(officer.get(path_of(program)))["items"]
    today = local_today().isoformat()
    assert items == [
        {"day": today, "operation": name, "requests": times, "refused": bad, "bytes": size}
        for name, times, bad, size in (
            ("get_household", 1, 1, len(refused.content)),
            ("list_members", 4, 0, sent),
            ("sign_in", 1, 0, 0),
        )
    ]
    [secret] = done(officer.get(f"/v1/accounts/{program['id']}/credentials"))["items"]
    assert secret["last_used_from"] == "192.0.2.7"
    assert secret["last_used_at"]
    assert secret["revision"] == 1
    # A second batch is added to the first.
    mine.get("/v1/members?limit=3")
    items = done(officer.get(path_of(program)))["items"]
    assert {each["operation"]: each["requests"] for each in items}["list_members"] == 5


def test_a_request_writes_nothing(api: Api, database: Database, program: Json) -> None:
    mine = opened(api, program["client_secret"])
    mine.get("/v1/me")
    with counted(database) as statements:
        mine.get("/v1/me")
    assert [each for each in statements if not each.lstrip().upper().startswith("SELECT")] == []
    assert rows_of(database) == []


def test_by_period(officer: Api, database: Database, program: Json) -> None:
    days = [local_today() - timedelta(days=ago) for ago in (0, 1, 5)]
    with writing(database) as session:
        row = {"account_id": UUID(program["id"]), "requests": 1, "refused": 0, "bytes": 9}
        session.execute(
            sa.insert(ClientUsage),
            [row | {"day": day, "operation": name} for day in days for name in ("a", "b")],
        )
    path = path_of(program)
    found = done(officer.get(f"{path}?from={days[2]}&to={days[1]}"))["items"]
    assert [(each["day"], each["operation"]) for each in found] == [
        (day.isoformat(), name) for day in days[1:] for name in ("a", "b")
    ]
    first = done(officer.get(f"{path}?limit=4"))
    rest = done(officer.get(f"{path}?limit=4&cursor={first['next_cursor']}"))
    assert len(first["items"]) + len(rest["items"]) == 6
    assert pointers(officer.get(f"{path}?since=x")) == [("/since", "unknown_field")]
    assert officer.get(path, headers={"accept": "text/csv"}).status_code == 200


def test_kept_for_so_many_days(database: Database, program: Json) -> None:
    with writing(database) as session:
        row = {"account_id": UUID(program["id"]), "requests": 1, "refused": 0, "bytes": 9}
        days = [local_today() - timedelta(days=ago) for ago in (0, 400, 401)]
        session.execute(
            sa.insert(ClientUsage), [row | {"day": day, "operation": "a"} for day in days]
        )
    assert usage.forget_due(database) == 1
    assert sorted(each.day for each in rows_of(database)) == sorted(days[:2])


def test_what_cannot_be_written_is_kept(
    app: FastAPI, database: Database, program: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter, account_id = serving(app).usage, UUID(program["id"])
    meter.note(account_id, None, "list_members", "x", refused=False, bytes_=5)

    def fails(*_: object) -> None:
        raise OperationalError("away", None, Exception())

    with monkeypatch.context() as away:
        away.setattr(usage, "_write", fails)
        with pytest.raises(OperationalError):
            meter.flush()
    meter.note(account_id, None, "list_members", "x", refused=True, bytes_=2)
    meter.flush()
    [row] = rows_of(database)
    assert (row.requests, row.refused, row.bytes) == (2, 1, 7)
    meter.flush()
    assert rows_of(database) == [row]


def test_a_program_that_is_gone_costs_no_other_its_figures(
    database: Database, program: Json
) -> None:
    meter = UsageMeter(database)
    for account_id in (uuid4(), UUID(program["id"])):
        meter.note(account_id, uuid4(), "get_me", "x", refused=False)
    meter.flush()
    assert [str(row.account_id) for row in rows_of(database)] == [program["id"]]


def test_written_when_the_server_stops(database: Database, program: Json) -> None:
    with UsageMeter(database) as meter:
        meter.note(UUID(program["id"]), None, "get_me", "x", refused=False)
        assert rows_of(database) == []
    assert [row.operation for row in rows_of(database)] == ["get_me"]


def test_people_are_not_counted(api: Api, database: Database, app: FastAPI) -> None:
    api.as_("phuongvi").get("/v1/me")
    serving(app).usage.flush()
    assert rows_of(database) == []
    assert NAME not in str(rows_of(database))
