"""Units: the tree as each role sees it, as of any day, and the acts that change it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from httpx2 import Response
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.accounts import Account
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import (
    UnitClosure,
    UnitEdge,
    UnitIdentifier,
)
from app.models.members.members import Member, MemberStatus
from app.services.kernel import changes
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, as_written, writing
from tests.helpers.reading import Reading
from tests.helpers.when_run import WhenRun
from tests.units.units import (
    acting,
    add_member,
    admitted,
    ago,
    closed,
    moved,
    opened,
    people,
    unit_row,
    written,
)


class TestCloseUnit:
    def test_closes_after_its_last_day(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        body = closed(officer, old, ago(10))
        assert (body["closed_on"], body["revision"]) == (ago(10), 2)
        assert body["successors"] == [
            {
                "unit": None,
                "kind": "abolish",
                "effective_on": ago(9),
                "decree": None,
                "inferred": False,
            }
        ]
        last = local_today() - timedelta(days=10)
        with writing(database) as session:
            for last_day, column in (
                (UnitEdge.valid_to, UnitEdge.unit_id),
                (UnitIdentifier.valid_to, UnitIdentifier.unit_id),
                (UnitClosure.valid_to, UnitClosure.descendant_id),
            ):
                ends = session.exec(select(col(last_day)).where(col(column) == old)).all()
                assert set(ends) == {last}

    def test_names_its_successors(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        heirs = [unit_id["phuongvi-1"], unit_id["phuongvi-2"]]
        body = closed(
            officer, old, ago(10), *heirs, kind="split", decree="12/QĐ-HPN", inferred=True
        )
        facts = {
            "kind": "split",
            "effective_on": ago(9),
            "decree": "12/QĐ-HPN",
            "inferred": True,
        }
        assert body["successors"] == [
            facts | {"unit": {"id": heir, "level": "branch", "name": f"Chi hội khu {number}"}}
            for number, heir in enumerate(heirs, 1)
        ]
        heir = officer.get(f"/v1/units/{heirs[0]}").json()
        assert heir["predecessors"] == [
            facts | {"unit": {"id": old, "level": "branch", "name": "Chi hội khu 5"}}
        ]

    def test_members_who_left_do_not_keep_it_open(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        member = add_member(database, old, status=MemberStatus.transferring)
        body = {"effective_on": ago(9)}
        refused(officer.post(f"/v1/units/{old}/close", json=body), 409, "unit_in_use")
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            session.get_one(Member, member.id).status = MemberStatus.deceased
        assert closed(officer, old, ago(10))["closed_on"] == ago(10)

    @pytest.mark.parametrize(
        ("day", "status", "code"),
        [
            ("2020-01-01", 409, "unit_not_open_yet"),
            (WhenRun(ago, -2), 422, "validation_failed"),
        ],
    )
    def test_within_its_lifetime_until_today(
        self,
        api: Api,
        database: Database,
        unit_id: UnitIds,
        day: str,
        status: int,
        code: str,
    ) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        before = written(database)
        refused(officer.post(f"/v1/units/{old}/close", json={"effective_on": day}), status, code)
        assert written(database) == before
        assert unit_row(database, old).closed_on is None

    def test_once(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        closed(officer, old, ago(10))
        before = written(database)
        for day in (ago(9), ago(10), ago(11)):
            answer = officer.post(f"/v1/units/{old}/close", json={"effective_on": day})
            refused(answer, 409, "unit_closed")
        assert written(database) == before

    def test_not_before_what_is_recorded_of_the_days_after(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        renamed = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        officer.patch(f"/v1/units/{renamed}", json={"name": "Mới", "effective_on": ago(10)})
        relocated = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 6")
        moved(officer, relocated, unit_id["tienluong"], ago(10))
        joined = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 7")
        body = {"branch_id": joined, "full_name": "Hà Thị Mơ", "birth_date": "1980"}
        she = officer.post("/v1/members", json=body | {"joined_on": ago(10)}).json()["id"]
        left = {"reason": "moved_away", "effective_on": ago(10)}
        assert officer.post(f"/v1/members/{she}/departures", json=left).status_code == 201
        parent = opened(officer, "commune", unit_id["camkhe"], "Xã cũ")
        closed(officer, opened(officer, "branch", parent, "Chi hội khu 1"), ago(10))
        heir = opened(officer, "commune", unit_id["camkhe"], "Xã kế")
        closed(officer, opened(officer, "commune", unit_id["camkhe"], "Xã trước"), ago(11), heir)
        for old in (renamed, relocated, joined, parent, heir):
            path, before = f"/v1/units/{old}/close", written(database)
            answer = officer.post(path, json={"effective_on": ago(10)})
            detail = refused(answer, 409, "unit_date_conflict")["detail"]
            assert as_written(ago(10)) in detail
            assert written(database) == before
            closed(officer, old, ago(10))

    def test_a_successor_is_in_sight_another_and_open_the_day_after(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        ended = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 6")
        closed(officer, ended, ago(10))
        late = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 7", opened_on=ago(8))
        before, path, good = written(database), f"/v1/units/{old}/close", unit_id["phuongvi-1"]

        def attempt(*heirs: int) -> Response:
            return officer.post(path, json={"effective_on": ago(9), "successor_ids": heirs})

        pointed(attempt(good, unit_id["tienluong-1"]), "/successor_ids/1", "unit_unknown")
        pointed(attempt(999_999), "/successor_ids/0", "unit_unknown")
        pointed(attempt(old), "/successor_ids/0", "invalid")
        pointed(attempt(good, good), "/successor_ids/1", "invalid")
        pointed(attempt(0), "/successor_ids/0", "too_small")
        refused(attempt(ended), 409, "unit_closed")
        refused(attempt(late), 409, "unit_not_open_yet")
        assert written(database) == before
        assert unit_row(database, old).closed_on is None


class TestCloseUnitRefuses(Reading):
    def test_not_while_members_or_child_units_are_in_it(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, before = api.as_("phutho"), written(database)
        full = officer.post(
            f"/v1/units/{unit_id['phuongvi-1']}/close", json={"effective_on": ago(-1)}
        )
        assert "0 đơn vị con" in refused(full, 409, "unit_in_use")["detail"]
        parent = officer.post(
            f"/v1/units/{unit_id['phuongvi']}/close", json={"effective_on": ago(-1)}
        )
        assert "4 đơn vị con" in refused(parent, 409, "unit_in_use")["detail"]
        assert written(database) == before

    def test_out_of_scope_is_not_found_and_in_scope_without_the_right_forbidden(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        before, body = written(database), {"effective_on": ago(-1)}
        officer, head = api.as_("phuongvi"), api.as_("phuongvi-1")
        refused(
            officer.post(f"/v1/units/{unit_id['tienluong-1']}/close", json=body), 404, "not_found"
        )
        own = head.post(f"/v1/units/{unit_id['phuongvi-1']}/close", json=body)
        assert refused(own, 403, "forbidden")["required_right"] == "units:write"
        assert written(database) == before


class TestFactsOfAClosedUnit:
    @pytest.fixture
    def ended(self, api: Api, unit_id: UnitIds) -> int:
        """A branch whose last day was ten days ago."""
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        closed(officer, old, ago(10))
        return old

    def test_a_member_is_admitted_until_the_last_day(
        self, api: Api, database: Database, unit_id: UnitIds, ended: int
    ) -> None:
        officer, before = api.as_("phuongvi"), people(database, ended)
        body = {"branch_id": ended, "full_name": "Hà Thị Mơ", "birth_date": "1980"}
        for day in (ago(0), ago(10), ago(11), None):
            answer = officer.post("/v1/members", json=body | {"joined_on": day})
            refused(answer, 409, "unit_closed")
        assert people(database, ended) == before == []
        last = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 6")
        closed(officer, last, ago(0))
        answer = officer.post("/v1/members", json=body | {"branch_id": last, "joined_on": ago(0)})
        assert answer.status_code == 201
        assert [str(member.id) for member in people(database, last)] == [answer.json()["id"]]

    def test_a_grant_is_given_until_the_last_day(
        self, api: Api, database: Database, unit_id: UnitIds, ended: int
    ) -> None:
        officer = api.as_("phuongvi")
        with writing(database) as session:
            account_id = session.exec(
                select(Account.id).where(col(Account.username) == "phuongvi-2")
            ).one()
        path = f"/v1/accounts/{account_id}/grants"
        grant = {"unit_id": ended, "role": "branch_head"}
        refused(officer.post(path, json=grant), 409, "unit_closed")
        last = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 6")
        closed(officer, last, ago(0))
        given = officer.post(path, json=grant | {"unit_id": last})
        assert given.status_code == 201
        assert last in [held["unit"]["id"] for held in given.json()["grants"]]

    def test_no_unit_opens_in_it_or_moves_into_it(
        self, api: Api, database: Database, unit_id: UnitIds, ended: int
    ) -> None:
        officer = api.as_("phuongvi")
        group = opened(officer, "group", unit_id["phuongvi-1"], "Tổ 1")
        before = written(database)
        for day in (ago(9), ago(10), ago(11)):
            body: Json = {"level": "group", "group_kind": "team", "name": "Tổ 2"}
            body |= {"parent_id": ended, "opened_on": day}
            refused(officer.post("/v1/units", json=body), 409, "unit_closed")
            move = {"parent_id": ended, "effective_on": day}
            refused(officer.post(f"/v1/units/{group}/moves", json=move), 409, "unit_closed")
        assert written(database) == before

    @pytest.mark.race
    def test_an_admission_under_way_is_waited_for(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        """Whoever commits first, no member stands in a branch that was closed before."""
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        member = {"branch_id": old, "full_name": "Hà Thị Mơ", "birth_date": "1980"}
        start = Barrier(2)

        def admit() -> Response:
            head = api.as_("phuongvi")
            start.wait()
            return head.post("/v1/members", json=member | {"joined_on": ago(0)})

        def close() -> Response:
            head = api.as_("phuongvi")
            start.wait()
            return head.post(f"/v1/units/{old}/close", json={"effective_on": ago(0)})

        with ThreadPoolExecutor(2) as threads:
            admission, closing = threads.submit(admit), threads.submit(close)
        outcome = (admission.result().status_code, closing.result().status_code)
        row = unit_row(database, old)
        rows = people(database, old)
        assert (outcome, len(rows), row.closed_on is None) == (
            ((201, 409), 1, True) if rows else ((409, 200), 0, False)
        )

    @pytest.mark.race
    def test_a_closing_waits_for_a_member_not_yet_committed(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phuongvi")
        old = opened(officer, "branch", unit_id["phuongvi"], "Chi hội khu 5")
        path, actor = f"/v1/units/{old}/close", acting(database, "phuongvi")
        with ThreadPoolExecutor(1) as threads:
            with writing(database) as session:
                admitted(session, actor, old)
                closing = threads.submit(officer.post, path, json={"effective_on": ago(0)})
                with pytest.raises(TimeoutError):
                    closing.result(timeout=0.2)
            answer = closing.result()
        refused(answer, 409, "unit_in_use")
        assert unit_row(database, old).closed_on is None
