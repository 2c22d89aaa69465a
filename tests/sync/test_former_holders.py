"""What was noted by who has lost the unit, or the record, is kept for those who have it now."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.clock import local_today, utc_now
from app.db import Database
from app.models.attendance.attendance import Attendance, Capture
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import hold, members_of
from tests.helpers.client import Api, writing
from tests.helpers.operations import edit, known, operation, push
from tests.sync.acts import granted

INBOX = "/v1/sync/inbox"


def lose(database: Database, username: str, days_ago: int) -> None:
    """The grants of an account ended so many days ago."""
    last = local_today() - timedelta(days=days_ago)
    of = sa.select(col(Account.id)).where(col(Account.username) == username)
    with writing(database) as session:
        session.execute(
            sa.update(Grant)
            .where(col(Grant.account_id).in_(of))
            .values(valid_to=last, valid_from=last - timedelta(days=100))
        )


def entries(api: Api) -> list[Json]:
    found: list[Json] = api.get(INBOX).json()["items"]
    return found


@pytest.fixture
def session_id(database: Database, unit_id: UnitIds) -> UUID:
    return hold(database, [unit_id["phuongvi-1"]])


@pytest.fixture
def capture(database: Database, unit_id: UnitIds, session_id: UUID) -> Json:
    [member_id, *_] = members_of(database, unit_id["phuongvi-1"])
    patch = {"session_id": str(session_id), "kind": "roster", "member_id": str(member_id)}
    return operation("capture.add", str(uuid4()), patch)


def received(database: Database, record_id: str) -> None:
    """The record was made two months ago, so her phone may have it."""
    with writing(database) as session:
        of_record = sa.update(Change).where(col(Change.entity_id) == record_id)
        session.execute(of_record.values(at=utc_now() - timedelta(days=60)))


class TestFacts:
    def test_wait_for_the_successor_who_accepts_them_as_hers(
        self, head: Api, officer: Api, capture: Json, session_id: UUID, database: Database
    ) -> None:
        received(database, str(session_id))
        lose(database, "phuongvi-1", 3)
        [answer] = push(head, capture)
        assert (answer["verdict"], answer["waits_for"]) == ("held", "decision")
        assert answer["problem"]["code"] == "decision_awaited"
        assert (answer["revision"], answer["others"], answer["warnings"]) == (None, [], [])
        assert entries(head) == []
        [entry] = entries(officer)
        assert (entry["kind"], entry["entity_id"]) == ("capture.add", str(session_id))
        assert entry["sent"] == capture["patch"]
        with writing(database) as session:
            assert session.get(Capture, UUID(capture["id"])) is None
        done = officer.post(f"{INBOX}/{entry['id']}/accept", json={})
        assert done.status_code == 200, done.text
        with writing(database) as session:
            kept = session.get(Capture, UUID(capture["id"]))
            sender = session.exec(
                select(Account.id).where(col(Account.username) == "phuongvi-1")
            ).one()
            fact = session.exec(select(Attendance)).one()
            change = session.exec(
                select(Change).where(col(Change.source_ref) == capture["op_id"])
            ).one()
        assert kept is not None
        assert (kept.account_id, change.account_id, fact.member_id) == (
            sender,
            sender,
            kept.member_id,
        )
        told = known(head, capture)
        assert (told["verdict"], told["warnings"], told["revision"]) == ("applied", [], None)

    def test_not_longer_than_30_days(
        self, head: Api, officer: Api, capture: Json, session_id: UUID, database: Database
    ) -> None:
        received(database, str(session_id))
        lose(database, "phuongvi-1", 31)
        [answer] = push(head, capture)
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "forbidden")
        lose(database, "phuongvi-1", 30)
        [answer] = push(head, capture | {"op_id": str(uuid4())})
        assert answer["verdict"] == "held"
        assert len(entries(officer)) == 1

    def test_not_of_what_her_phone_never_had(
        self, head: Api, officer: Api, capture: Json, database: Database
    ) -> None:
        lose(database, "phuongvi-1", 3)  # the session was made today
        [answer] = push(head, capture)
        assert answer["verdict"] == "refused"
        assert entries(officer) == []

    def test_not_from_who_never_had_the_unit(
        self, api: Api, officer: Api, capture: Json, session_id: UUID, database: Database
    ) -> None:
        received(database, str(session_id))
        lose(database, "phuongvi-2", 3)
        [answer] = push(api.as_("phuongvi-2"), capture)
        assert answer["verdict"] == "refused"
        assert entries(officer) == []

    def test_all_else_is_refused_for_a_clear_reason(
        self, head: Api, officer: Api, someone: Json, database: Database
    ) -> None:
        received(database, someone["id"])
        lose(database, "phuongvi-1", 3)
        [answer] = push(head, edit(someone, address="Khu 1"))
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "unit_lost")
        assert entries(officer) == []


class TestMoved:
    @pytest.fixture
    def moved(self, officer: Api, someone: Json, unit_id: UnitIds) -> Json:
        path = f"/v1/members/{someone['id']}/transfers"
        answer = officer.post(path, json={"to_branch_id": unit_id["phuongvi-2"]})
        assert answer.status_code == 201, answer.text
        return someone

    def test_her_unsent_edit_waits_in_the_new_branch(
        self, api: Api, head: Api, moved: Json, unit_id: UnitIds
    ) -> None:
        sent = edit(moved, address="Khu 1", phone="0912345678")
        [answer] = push(head, sent)
        assert (answer["verdict"], answer["waits_for"]) == ("held", "decision")
        assert entries(head) == []
        successor = api.as_("phuongvi-2")
        [entry] = entries(successor)
        assert (entry["unit"]["id"], entry["present"]["address"]) == (
            unit_id["phuongvi-2"],
            moved["address"],
        )
        done = successor.post(f"{INBOX}/{entry['id']}/accept", json={"fields": ["address"]})
        assert done.status_code == 200, done.text
        now = successor.get(f"/v1/members/{moved['id']}").json()
        assert (now["address"], now["phone"]) == ("Khu 1", moved["phone"])
        told = known(head, sent)
        assert (told["verdict"], told["warnings"], told["revision"]) == ("applied", [], None)

    def test_of_fields_that_she_saw(self, head: Api, moved: Json, officer: Api) -> None:
        [answer] = push(head, edit(moved, religion="none"))
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "not_found")
        assert entries(officer) == []

    def test_where_others_moved_to_is_not_hers(self, api: Api, moved: Json, officer: Api) -> None:
        [answer] = push(api.as_("tienluong-1"), edit(moved, address="Khu 1"))
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "not_found")
        assert entries(officer) == []

    def test_what_left_before_her_grant_began_is_not_hers(
        self, api: Api, moved: Json, officer: Api, database: Database, unit_id: UnitIds
    ) -> None:
        granted(database, "tienluong-1", unit_id["phuongvi-1"], "branch_head")
        newcomer = api.as_("tienluong-1")
        with writing(database) as session:
            of_move = sa.update(Change).where(col(Change.entity_id) == moved["id"])
            session.execute(of_move.values(at=utc_now() - timedelta(days=2)))
        [answer] = push(newcomer, edit(moved, address="Khu 1"))
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "not_found")
        assert entries(officer) == []


class TestRecords:
    def test_what_was_merged_is_changed_in_the_kept_one(
        self, head: Api, officer: Api, unit_id: UnitIds
    ) -> None:
        body = {
            "branch_id": unit_id["phuongvi-1"],
            "full_name": "Đặng Thị Kim Thoa",
            "birth_date": "1971",
            "joined_on": None,
        }
        kept, gone = (officer.post("/v1/members", json=body).json() for _ in range(2))
        merge = {"other_id": gone["id"], "reason": "Nhập hai lần"}
        assert officer.post(f"/v1/members/{kept['id']}/merges", json=merge).status_code == 201
        [answer] = push(head, edit(gone, address="Khu 1"))
        assert (answer["verdict"], answer["merged_into"]) == ("merged", kept["id"])
        assert [each["code"] for each in answer["warnings"]] == ["record_merged"]
        assert head.get(f"/v1/members/{kept['id']}").json()["address"] == "Khu 1"
