"""What hangs on households comes, moves and goes with them: visits, support, assessments; and loans."""

import pytest

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Right
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api
from tests.helpers.phone import Phone, fresh_slice
from tests.kernel.changes import done
from tests.sync.test_hidden_kinds import may_only

KINDS = ("visit", "support", "assessment", "loan_figure")


@pytest.fixture
def officer(api: Api) -> Api:
    return api.as_("camkhe")


@pytest.fixture
def home(officer: Api, unit_id: UnitIds) -> str:
    person = {"full_name": "Hà Thị Mười", "gender": "female", "relation": "head"}
    body = {"branch_id": unit_id["phuongvi-1"], "opened_on": "2020-01-01", "people": [person]}
    return f"/v1/households/{done(officer.post('/v1/households', json=body))['id']}"


@pytest.fixture
def phone(head: Api, home: str) -> Phone:
    made = Phone(head)
    made.pull()
    return made


def ops(phone: Phone) -> list[tuple[str, str]]:
    """What the next pull does; the phone has then what one has that begins now."""
    items = [item for item in phone.pull() if item["kind"] in KINDS]
    fresh = fresh_slice(phone.api)
    for kind in KINDS:
        assert phone.slice.get(kind) == fresh.get(kind), kind
    sums = done(phone.api.get("/v1/sync/checksums"))["items"]
    theirs = {(each["kind"], each["unit_id"]): each["checksum"] for each in sums}
    assert theirs == phone.checksums()
    return [(item["kind"], item["op"]) for item in items]


def assessed(api: Api, home: str, **more: object) -> str:
    body: Json = {"assessed_on": local_today().isoformat(), "source": "union_visit"}
    body |= {"answers": {}, "income_per_person": 900_000}
    made = done(api.post(f"{home}/assessments", json=body | more))
    return str(made["id"])


def visited(api: Api, home: str) -> None:
    body = {"visited_on": local_today().isoformat(), "visitors": ["Lan"], "note": "Cần sửa mái"}
    done(api.post(f"{home}/visits", json=body))


def given(api: Api, home: str) -> str:
    body = {"kind": "gift", "given_on": local_today().isoformat(), "value_vnd": 500_000}
    return str(done(api.post(f"{home}/support", json=body))["id"])


def test_what_is_written_comes(phone: Phone, head: Api, officer: Api, home: str) -> None:
    visited(head, home)
    support = given(head, home)
    first = assessed(head, home)
    assert ops(phone) == [(kind, "upsert") for kind in ("assessment", "visit", "support")]
    done(officer.post(f"/v1/support/{support}/approve"))
    second = assessed(head, home, corrects_id=first)
    assert ops(phone) == [(kind, "upsert") for kind in ("assessment", "assessment", "support")]
    assert phone.rows["assessment"][first]["corrected_by"] == second
    assert phone.rows["support"][support]["state"] == "approved"
    [note] = [row["note"] for row in phone.rows["visit"].values()]
    assert note == "Cần sửa mái"


def test_it_moves_with_the_household(
    phone: Phone, api: Api, head: Api, officer: Api, home: str, unit_id: UnitIds
) -> None:
    for write in (visited, given, assessed):
        write(head, home)
    assert {op for _, op in ops(phone)} == {"upsert"}
    there = Phone(api.as_("tienluong-1"))
    there.pull()
    move = {"branch_id": unit_id["tienluong-1"], "address": "Khu 3"}
    done(officer.post(f"{home}/move", json=move))
    assert sorted(ops(phone)) == [(kind, "left_scope") for kind in sorted(KINDS[:3])]
    assert sorted(ops(there)) == [(kind, "entered_scope") for kind in sorted(KINDS[:3])]


def test_it_is_closed_with_the_household_and_no_other_change_brings_it(
    phone: Phone, head: Api, home: str
) -> None:
    visited(head, home)
    ops(phone)
    done(head.patch(home, json={"merit": True}))
    assert ops(phone) == []
    done(head.post(f"{home}/close", json={}))
    assert ops(phone) == [("visit", "left_scope")]


def test_each_has_its_right(phone: Phone, head: Api, home: str, database: Database) -> None:
    for write in (visited, given, assessed):
        write(head, home)
    ops(phone)
    may_only(database, "phuongvi-1", [Right.units_read, Right.members_read, Right.support_read])
    assert {kind for kind, op in ops(phone) if op == "left_scope"} == {"assessment", "visit"}
    assert phone.rows["support"]


def test_figures_of_loans(phone: Phone, officer: Api, api: Api, unit_id: UnitIds) -> None:
    body = {"unit_id": unit_id["phuongvi-1"], "scheme": "vbsp", "as_of": local_today().isoformat()}
    body |= {"source": "NHCSXH", "groups": 1, "borrowers": 30, "outstanding_vnd": 900_000_000}
    figure = done(officer.post("/v1/loan-figures", json=body))
    elsewhere = body | {"unit_id": unit_id["tienluong-1"]}
    done(officer.post("/v1/loan-figures", json=elsewhere))
    assert ops(phone) == [("loan_figure", "upsert")]
    done(officer.patch(f"/v1/loan-figures/{figure['id']}", json={"borrowers": 31}))
    assert ops(phone) == [("loan_figure", "upsert")]
    assert phone.rows["loan_figure"][figure["id"]]["borrowers"] == 31
