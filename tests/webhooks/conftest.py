"""A program of the commune Phượng Vĩ, a receiver, and a webhook between them."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest

from app.db import Database
from app.services.webhooks import senders
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import made
from tests.helpers.client import Api
from tests.webhooks.receiver import Receiver, receiving

PROGRAM = "so-noi-vu"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def to_this_machine(database: Database) -> None:
    """The operator allows the network in which the receivers of tests are."""
    database.settings.webhook_allowed_networks = [ip_network("127.0.0.0/8")]


@pytest.fixture
def program_id(officer: Api, unit_id: UnitIds) -> str:
    grant = {"unit_id": unit_id["phuongvi"], "role": "integration_reader"}
    body = {"kind": "client", "username": PROGRAM, "display_name": "Sở Nội vụ", "grants": [grant]}
    body |= {"purpose": "Đối chiếu danh sách hội viên", "contact": "Phòng Công nghệ thông tin"}
    account = made(officer.post("/v1/accounts", json=body | {"unit_id": unit_id["phuongvi"]}))
    found: str = account["id"]
    return found


@pytest.fixture
def program(api: Api, program_id: str) -> Api:
    return api.as_(PROGRAM)


@pytest.fixture
def hook(program: Api, receiver: Receiver, to_this_machine: None) -> Json:
    return made(program.post("/v1/webhooks", json={"url": receiver.url, "kinds": ["member"]}))


@pytest.fixture
def someone(head: Api) -> Json:
    found: Json = head.get("/v1/members?limit=1").json()["items"][0]
    return found


@pytest.fixture
def change(officer: Api, someone: Json) -> Callable[[str], None]:
    """Changes the address of somebody: one event."""

    def to(address: str) -> None:
        answer = officer.patch(f"/v1/members/{someone['id']}", json={"address": address})
        assert answer.status_code == 200, answer.text

    return to


@pytest.fixture
def send(database: Database) -> Callable[[], int]:
    """Sends all that is due, in this thread; says how many tries it took."""
    return lambda: senders.work_off(database)
