"""Two requests at once: one id makes one row, and a constraint is answered with its own problem."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from httpx2 import Response
from sqlmodel import SQLModel, col, func, select

from app.clock import local_today
from app.db import Database
from app.models.attendance.cards import MemberCard
from app.models.cadres.trainings import Training
from app.models.events.events import Event, Room
from app.models.groups.groups import Participation
from app.models.households.households import Household, HouseholdPerson
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.support.escape_paths import EscapePath, EscapeStep
from app.models.support.loans import LoanFigure
from app.models.support.visits import HouseholdVisit
from app.services.kernel import created_once
from tests.helpers.answers import Json, refused
from tests.helpers.cadres import Ids, free_members, made
from tests.helpers.client import Api, writing
from tests.helpers.databases import ON_POSTGRESQL
from tests.helpers.homes import decide, home
from tests.helpers.meetings import announced


class Case(NamedTuple):
    """A request that creates one row of `model`; `other` is what makes it another request."""

    sender: str
    path: str
    body: Json
    other: Json
    model: type[SQLModel]


class World(NamedTuple):
    api: Api
    database: Database
    unit_id: Ids

    def member(self, number: int = 0) -> str:
        return str(free_members(self.database, self.unit_id["phuongvi-1"])[number].id)


@pytest.fixture
def world(api: Api, database: Database, unit_id: Ids) -> World:
    return World(api, database, unit_id)


def training(world: World) -> Case:
    body = {"kind": "language", "name": "Tiếng Anh"}
    return Case(
        "phuongvi", f"/v1/members/{world.member()}/trainings", body, {"level": "B1"}, Training
    )


def household(world: World) -> Case:
    people = [{"member_id": world.member(), "relation": "head"}]
    body = {"branch_id": world.unit_id["phuongvi-1"], "opened_on": "2024-01-01", "people": people}
    return Case("phuongvi", "/v1/households", body, {"address": "Khu 2"}, Household)


def visit(world: World) -> Case:
    household_id = home(world.database, world.unit_id["phuongvi-1"])
    body = {"visited_on": local_today().isoformat(), "visitors": ["Bà Lan"], "note": "Mái dột"}
    other = {"note": "Đã lợp lại mái"}
    path = f"/v1/households/{household_id}/visits"
    return Case("phuongvi-1", path, body, other, HouseholdVisit)


def escape_path(world: World) -> Case:
    household_id = home(world.database, world.unit_id["phuongvi-1"])
    decide(world.database, household_id, "poor", "2024-01-01")
    step = {"title": "Vay vốn", "due_on": local_today().isoformat(), "responsible": "Bà Lan"}
    return Case(
        "phuongvi-1",
        f"/v1/households/{household_id}/escape-paths",
        {"target_on": "2099-12-31", "opened_on": local_today().isoformat(), "steps": [step]},
        {"target_on": "2098-12-31"},
        EscapePath,
    )


def loan_figure(world: World) -> Case:
    body = {
        "unit_id": world.unit_id["phuongvi"],
        "scheme": "vbsp",
        "as_of": "2026-01-31",
        "source": "NHCSXH huyện",
        "groups": 4,
        "borrowers": 160,
        "outstanding_vnd": 8_000_000_000,
        "overdue_vnd": 34_000_000,
    }
    return Case("phuongvi", "/v1/loan-figures", body, {"groups": 5}, LoanFigure)


def participation(world: World) -> Case:
    group = made(
        world.api.as_("phuongvi").post(
            "/v1/units",
            json={
                "level": "group",
                "group_kind": "team",
                "parent_id": world.unit_id["phuongvi-1"],
                "name": "Tổ 1",
                "opened_on": "2020-01-01",
            },
        )
    )
    body = {"member_id": world.member()}
    other = {"member_id": world.member(1)}
    path = f"/v1/groups/{group['id']}/participations"
    return Case("phuongvi-1", path, body, other, Participation)


def event(world: World) -> Case:
    body = {"title": "Sinh hoạt", "kind": "meeting", "sessions": []}
    return Case("phuongvi-1", "/v1/events", body, {"title": "Tập huấn"}, Event)


def room(world: World) -> Case:
    _, session_id = announced(world.api.as_("phuongvi"))
    path = f"/v1/sessions/{session_id}/rooms"
    return Case("phuongvi", path, {"name": "Hội trường"}, {"name": "Nhà văn hóa"}, Room)


def delegation(world: World) -> Case:
    with writing(world.database) as session:
        deputy = session.exec(
            select(Account.member_id).where(col(Account.username) == "phuongvi-1")
        ).one()
    body = {
        "member_id": str(deputy),
        "unit_id": world.unit_id["phuongvi"],
        "rights": ["members:read"],
        "valid_to": local_today().isoformat(),
    }
    return Case(
        "phuongvi", "/v1/delegations", body, {"rights": ["members:read", "units:read"]}, Grant
    )


CASES = [
    training,
    household,
    visit,
    escape_path,
    loan_figure,
    participation,
    event,
    room,
    delegation,
]
# Nothing that two of these requests lock makes one wait for the other before it inserts.
UNLOCKED = [training, loan_figure]


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Neither of two requests inserts before both have found that there is no such row; where one
    has to wait for the other before that, it does. Returns what refused each insert."""
    both, insert = Barrier(2), created_once.refused_by
    found: list[str | None] = []

    def wait_and_insert(*args: Any) -> str | None:
        with suppress(BrokenBarrierError):
            both.wait(0.2)
        found.append(insert(*args))
        return found[-1]

    monkeypatch.setattr(created_once, "refused_by", wait_and_insert)
    return found


@pytest.fixture
def send(
    world: World, refusals: list[str | None]
) -> Iterator[Callable[[Case, Json, Json], list[Response]]]:
    """Both bodies at once, the answer of the one that came first before the other's."""
    with ThreadPoolExecutor(2) as pool:

        def both(case: Case, one: Json, other: Json) -> list[Response]:
            headers = world.api.as_(case.sender).headers
            senders = [Api(world.api.app, headers) for _ in range(2)]
            post = [
                pool.submit(s.post, case.path, json=b)
                for s, b in zip(senders, (one, other), strict=True)
            ]
            answers = [each.result() for each in post]
            return sorted(answers, key=lambda answer: answer.status_code != 201)

        yield both


Send = Callable[[Case, Json, Json], list[Response]]


def count(database: Database, model: type[Any]) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(model)).one()


@pytest.mark.race
@pytest.mark.parametrize("make", CASES)
def test_one_id_makes_one_row(
    world: World, send: Send, refusals: list[str | None], make: Callable[[World], Case]
) -> None:
    case = make(world)
    before = count(world.database, case.model)
    body = case.body | {"id": str(uuid4())}
    first, second = send(case, body, body)
    assert (first.status_code, second.status_code) == (201, 200), second.text
    assert second.json() == first.json()
    assert first.json()["id"] == body["id"]
    if ON_POSTGRESQL and make in UNLOCKED:
        assert f"pk_{case.model.__tablename__}" in refusals
    other = world.api.as_(case.sender).post(case.path, json=body | case.other)
    refused(other, 409, "id_taken")
    assert count(world.database, case.model) == before + 1


@pytest.mark.race
@pytest.mark.parametrize("make", UNLOCKED)
def test_of_two_requests_with_one_id_one_is_refused(
    world: World, send: Send, make: Callable[[World], Case]
) -> None:
    case = make(world)
    before = count(world.database, case.model)
    body = case.body | {"id": str(uuid4())}
    first, second = send(case, body, body | case.other)
    assert first.status_code == 201, first.text
    refused(second, 409, "id_taken")
    assert count(world.database, case.model) == before + 1


class TestConstraints:
    """What is unique beside the id has a problem of its own."""

    @pytest.mark.race
    @pytest.mark.parametrize(
        ("make", "code"),
        [
            (loan_figure, "loan_figure_exists"),
            (participation, "participation_exists"),
            (escape_path, "path_open"),
        ],
    )
    def test_the_second_is_told_what_is_taken(
        self, world: World, send: Send, make: Callable[[World], Case], code: str
    ) -> None:
        case = make(world)
        first, second = send(case, case.body, case.body)
        assert first.status_code == 201, first.text
        refused(second, 409, code)
        assert count(world.database, case.model) == 1

    @pytest.mark.race
    def test_a_username(self, world: World, send: Send) -> None:
        body = {
            "username": "lan",
            "display_name": "Nguyễn Thị Lan",
            "unit_id": world.unit_id["phuongvi"],
        }
        case = Case("phuongvi", "/v1/accounts", body, {}, Account)
        before = count(world.database, Account)
        first, second = send(case, body | {"id": str(uuid4())}, body | {"id": str(uuid4())})
        assert first.status_code == 201, first.text
        refused(second, 409, "username_taken")
        assert count(world.database, Account) == before + 1

    @pytest.mark.race
    def test_a_person_is_in_one_household(self, world: World, send: Send) -> None:
        case, before = household(world), count(world.database, HouseholdPerson)
        first, second = send(case, case.body, case.body | {"address": "Khu 2"})
        assert first.status_code == 201, first.text
        refused(second, 409, "person_in_household")
        assert count(world.database, HouseholdPerson) == before + 1

    def test_the_id_of_a_step(self, world: World) -> None:
        """The path it came with is not stored either."""
        case, taken = escape_path(world), str(uuid4())
        body = case.body | {"steps": [case.body["steps"][0] | {"id": taken}]}
        head = world.api.as_(case.sender)
        made(head.post(case.path, json=body))
        other = escape_path(world)
        refused(head.post(other.path, json=body), 409, "id_taken")
        assert (count(world.database, EscapePath), count(world.database, EscapeStep)) == (1, 1)

    @pytest.mark.race
    def test_a_member_has_one_good_card(self, world: World, send: Send) -> None:
        path = f"/v1/members/{world.member()}/card"
        first, second = send(Case("phuongvi-1", path, {}, {}, MemberCard), {}, {})
        assert (first.status_code, second.status_code) == (201, 200), second.text
        assert second.json()["id"] == first.json()["id"]
        assert count(world.database, MemberCard) == 1
