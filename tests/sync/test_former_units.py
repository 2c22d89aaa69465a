"""What was noted by who has lost the unit by a reorganisation is kept for those who have it now."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today, utc_now
from app.db import Database
from app.models.attendance.attendance import Capture
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change
from app.models.support.visits import HouseholdVisit
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import done
from tests.helpers.captures import hold, members_of
from tests.helpers.client import Api, writing
from tests.helpers.homes import home
from tests.helpers.operations import edit, known, operation, push
from tests.kernel.changes import head as sequenced
from tests.reorganisations.branches import Branches
from tests.sync.acts import granted, move_unit

INBOX = "/v1/sync/inbox"


def entries(api: Api) -> list[Json]:
    found: list[Json] = done(api.get(INBOX))["items"]
    return found


def is_held(answer: Json) -> None:
    assert (answer["verdict"], answer["waits_for"]) == ("held", "decision")
    # Nothing of the unit is shown.
    assert (answer["revision"], answer["others"], answer["warnings"]) == (None, [], [])


def refused_for(answer: Json) -> tuple[str, str]:
    return answer["verdict"], answer["problem"]["code"]


def capture_of(database: Database, branch: int) -> Json:
    """Of a meeting that was held in the branch."""
    patch = {"kind": "roster", "member_id": str(members_of(database, branch)[0])}
    return operation(
        "capture.add", str(uuid4()), patch | {"session_id": str(hold(database, [branch]))}
    )


def visit_of(household_id: UUID) -> Json:
    patch = {"household_id": str(household_id), "visited_on": local_today().isoformat()}
    return operation(
        "visit.add", str(uuid4()), patch | {"note": "Đã đến thăm", "visitors": ["Chi hội trưởng"]}
    )


def long_ago(database: Database) -> None:
    """All that the log knows was sixty days before."""
    with writing(database) as session:
        session.execute(sa.update(Change).values(at=utc_now() - timedelta(days=60)))


def end_grants(database: Database, username: str, last_day: int) -> None:
    with writing(database) as session:
        of = sa.select(col(Account.id)).where(col(Account.username) == username)
        last = local_today() - timedelta(days=last_day)
        session.execute(
            sa.update(Grant)
            .where(col(Grant.account_id).in_(of))
            .values(valid_to=last, valid_from=last - timedelta(days=200))
        )


class Moved:
    """A branch that came from one commune to another; what the old one's officer has noted of it."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        self.api, self.database = api, database
        self.old, self.new = api.as_("phuongvi"), api.as_("tienluong")
        self.branch = unit_id["phuongvi-1"]
        self.member: Json = done(self.old.get(f"/v1/members?branch={self.branch}&limit=1"))[
            "items"
        ][0]
        self.capture = capture_of(database, self.branch)
        self.visit = visit_of(home(database, self.branch))
        long_ago(database)
        assert move_unit(api, self.branch, unit_id["tienluong"]).status_code == 200


@pytest.fixture
def moved(api: Api, database: Database, unit_id: UnitIds) -> Moved:
    return Moved(api, database, unit_id)


class TestMoved:
    @pytest.mark.parametrize("in_order", [False, True], ids=["at-once", "in-order-of-the-log"])
    def test_what_the_officer_of_before_noted_waits_where_the_branch_is_now(
        self, moved: Moved, *, in_order: bool
    ) -> None:
        if in_order:
            sequenced(moved.database)
        changed = edit(moved.member, address="Khu 1")
        answers = push(moved.old, changed, moved.capture, moved.visit)
        for answer in answers:
            is_held(answer)
        assert entries(moved.old) == []
        waiting = {each["kind"]: each for each in entries(moved.new)}
        assert set(waiting) == {"member.update", "capture.add", "visit.add"}
        assert waiting["member.update"]["unit"]["id"] == moved.branch
        with writing(moved.database) as session:
            assert session.get(Capture, UUID(moved.capture["id"])) is None
            assert session.get(HouseholdVisit, UUID(moved.visit["id"])) is None
        for entry in waiting.values():
            done(moved.new.post(f"{INBOX}/{entry['id']}/accept", json={}))
        assert done(moved.new.get(f"/v1/members/{moved.member['id']}"))["address"] == "Khu 1"
        with writing(moved.database) as session:
            assert session.get(Capture, UUID(moved.capture["id"])) is not None
            assert session.get(HouseholdVisit, UUID(moved.visit["id"])) is not None
        assert [
            known(moved.old, each)["verdict"] for each in (changed, moved.capture, moved.visit)
        ] == ["applied"] * 3

    def test_where_it_never_stood_nobody_is_heard(self, moved: Moved) -> None:
        elsewhere = moved.api.as_("tienluong-1")
        for answer in push(elsewhere, edit(moved.member, address="Khu 1"), moved.visit):
            assert answer["verdict"] == "refused"
        assert entries(moved.new) == []

    def test_nor_from_the_branch_beside_it(self, moved: Moved) -> None:
        [answer] = push(moved.api.as_("phuongvi-2"), edit(moved.member, address="Khu 1"))
        assert refused_for(answer) == ("refused", "not_found")

    def test_not_who_came_to_the_old_commune_later(
        self, moved: Moved, database: Database, unit_id: UnitIds
    ) -> None:
        with writing(database) as session:
            of_move = sa.update(Change).where(
                col(Change.entity) == "unit", col(Change.entity_id) == str(moved.branch)
            )
            session.execute(of_move.values(at=utc_now() - timedelta(days=2)))
        granted(database, "tienluong-2", unit_id["phuongvi"], "commune_officer")
        [answer] = push(moved.api.as_("tienluong-2"), edit(moved.member, address="Khu 1"))
        assert refused_for(answer) == ("refused", "not_found")

    def test_not_longer_than_30_days(self, moved: Moved, database: Database) -> None:
        sequenced(database)
        of_move = sa.update(Change).where(
            col(Change.entity) == "unit", col(Change.entity_id) == str(moved.branch)
        )
        for days, verdict in ((31, "refused"), (30, "held")):
            with writing(database) as session:
                session.execute(of_move.values(at=utc_now() - timedelta(days=days)))
            [answer] = push(moved.old, edit(moved.member, address=f"Khu {days}"))
            assert answer["verdict"] == verdict

    def test_whose_grant_ended_before_it_moved_states_facts(
        self, moved: Moved, database: Database
    ) -> None:
        end_grants(database, "phuongvi", 3)
        changed, captured, visited = push(
            moved.old, edit(moved.member, address="Khu 1"), moved.capture, moved.visit
        )
        is_held(captured)
        is_held(visited)
        assert refused_for(changed) == ("refused", "unit_lost")
        assert {each["kind"] for each in entries(moved.new)} == {"capture.add", "visit.add"}

    def test_what_is_wrong_waits_for_nobody(self, moved: Moved, api: Api) -> None:
        """The district had the record in both communes, and has it still."""
        district = api.as_("camkhe")
        [answer] = push(
            district, moved.visit | {"patch": moved.visit["patch"] | {"visited_on": "2999-01-01"}}
        )
        assert answer["verdict"] == "refused"
        assert entries(moved.new) == []


class TestMerged:
    """A branch that ended: its head has no unit any more."""

    def test_what_the_head_noted_waits_in_the_branch_that_took_over(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        branches = Branches(api, database, unit_id)
        head = api.as_("phuongvi-1")
        member: Json = done(head.get("/v1/members?limit=1"))["items"][0]
        capture = capture_of(database, branches.gone)
        visit = visit_of(home(database, branches.gone))
        long_ago(database)
        branches.apply(branches.merge())
        changed, captured, visited = push(head, edit(member, address="Khu 1"), capture, visit)
        is_held(captured)
        is_held(visited)
        assert refused_for(changed) == ("refused", "unit_lost")
        heir = api.as_("phuongvi-2")
        found = {each["kind"]: each for each in entries(heir)}
        assert found["visit.add"]["unit"]["id"] == branches.heir
        done(heir.post(f"{INBOX}/{found['visit.add']['id']}/accept", json={}))
        with writing(database) as session:
            kept = session.get(HouseholdVisit, UUID(visit["id"]))
            assert kept is not None
            assert kept.note == visit["patch"]["note"]
        assert known(head, visit)["verdict"] == "applied"

    def test_of_a_commune_that_ended_too(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        branch, gone, heir = unit_id["phuongvi-1"], unit_id["phuongvi"], unit_id["tienluong"]
        officer = api.as_("phuongvi")
        visit = visit_of(home(database, branch))
        member: Json = done(officer.get(f"/v1/members?branch={branch}&limit=1"))["items"][0]
        long_ago(database)
        branches = Branches(api, database, unit_id)
        merge = {"op": "merge", "unit_ids": [gone, heir], "into_id": heir}
        branches.apply(branches.draft(merge))
        changed, visited = push(officer, edit(member, address="Khu 1"), visit)
        is_held(visited)
        assert refused_for(changed) == ("refused", "unit_lost")
        [entry] = entries(api.as_("tienluong"))
        assert (entry["kind"], entry["unit"]["id"]) == ("visit.add", branch)
        other = api.as_("phuongvi-2")
        assert entries(other) == []
