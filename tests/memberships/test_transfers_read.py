"""Transfers: who may ask and answer, what each answer does, and what silence does."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account, AccountStatus
from app.models.kernel.changes import Change, ChangeSource
from app.models.members.members import MemberStatus
from app.models.memberships.transfers import Transfer
from app.services.kernel import changes, upkeep
from app.services.memberships import tacit
from app.services.memberships.transfers import OVERDUE
from app.services.units.rows import being_reorganised
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.cadres import done
from tests.helpers.client import Api, counted, writing
from tests.memberships.transfers import (
    TACIT_DAYS,
    ago,
    member_row,
    spells,
    stored,
    transfer_row,
)


class TestReading:
    def test_both_sides_see_it_and_nobody_else(
        self, api: Api, source: Api, target: Api, consented: Json, path: str
    ) -> None:
        one = f"/v1/transfers/{consented['id']}"
        for who in (source, target, *map(api.as_, ("phuongvi", "tienluong", "auditor"))):
            assert who.get(one).json() == consented
            assert who.get("/v1/transfers").json()["items"] == [consented]
            assert who.get(path).json()["items"] == [consented]
        stranger = api.as_("phuongvi-2")
        assert stranger.get("/v1/transfers").json() == {"items": [], "next_cursor": None}
        refused(stranger.get(one), 404, "not_found")
        refused(stranger.get(path), 404, "not_found")
        refused(stranger.get(f"/v1/members/{uuid4()}/transfers"), 404, "not_found")
        for url in (one, path, "/v1/transfers"):
            answer = api.as_("admin").get(url)
            assert refused(answer, 403, "forbidden")["required_right"] == "members:read"

    @pytest.mark.parametrize(
        "act", ["accept", "refuse", "cancel", "departures"], ids=lambda act: f"after_{act}"
    )
    def test_what_is_corrected_afterwards_is_told_to_who_sees_her(
        self, source: Api, target: Api, mover: Json, consented: Json, path: str, act: str
    ) -> None:
        url = f"/v1/transfers/{consented['id']}"
        member = f"/v1/members/{mover['id']}"
        corrections = [{"full_name": "Hà Thị Một", "birth_date": "1961"}]
        corrections += [{"full_name": "Hà Thị Hai", "birth_date": "1962"}]

        def told(who: Api) -> list[tuple[str, int]]:
            found = [who.get(url).json()]
            for listed in ("/v1/transfers", path):
                found += who.get(listed).json()["items"]
            return [(item["full_name"], item["birth_year"]) for item in found]

        # While it is under way both sides must know who is meant.
        assert source.patch(member, json=corrections[0]).is_success
        assert told(source) == told(target) == [("Hà Thị Một", 1961)] * 3
        seeing, other = (target, source) if act == "accept" else (source, target)
        done = {
            "accept": lambda: target.post(f"{url}/accept"),
            "refuse": lambda: target.post(f"{url}/refuse", json={"reason": "Không"}),
            "cancel": lambda: source.post(f"{url}/cancel"),
            "departures": lambda: source.post(f"{member}/departures", json={"reason": "resigned"}),
        }
        assert done[act]().is_success
        assert seeing.patch(member, json=corrections[1]).is_success
        assert told(seeing) == [("Hà Thị Hai", 1962)] * 3
        assert told(other) == [("Hà Thị Một", 1961)] * 3
        if act == "refuse":
            again = other.post(f"{url}/refuse", json={"reason": "Không"}).json()
            assert again["full_name"] == "Hà Thị Một"

    def test_its_tag_is_its_revision(self, source: Api, target: Api, consented: Json) -> None:
        one = f"/v1/transfers/{consented['id']}"
        tag = source.get(one).headers["etag"]
        assert source.get(one, headers={"if-none-match": tag}).status_code == 304
        target.post(f"{one}/accept")
        assert source.get(one, headers={"if-none-match": tag}).status_code == 200

    def test_by_unit_state_and_direction(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        made: dict[tuple[str, str], str] = {}
        ways = [
            ("phuongvi-1", "phuongvi-2"),
            ("phuongvi-1", "tienluong-1"),
            ("tienluong-2", "phuongvi-2"),
        ]
        for start, end in ways:
            head = api.as_(start)
            for member in head.get("/v1/members?limit=200").json()["items"]:
                body = {"to_branch_id": unit_id[end]}
                answer = head.post(f"/v1/members/{member['id']}/transfers", json=body)
                if answer.status_code == 201:
                    made[start, end] = answer.json()["id"]
                    break
        one, two, three = (made[way] for way in ways)
        api.as_("tienluong-1").post(f"/v1/transfers/{two}/accept")

        def ids(who: Api, query: str) -> list[str]:
            answer = who.get(f"/v1/transfers?{query}")
            assert answer.status_code == 200, answer.text
            return [item["id"] for item in answer.json()["items"]]

        phuongvi, tienluong = unit_id["phuongvi"], unit_id["tienluong"]
        assert ids(officer, "") == [three, two, one]
        assert ids(officer, f"unit={phuongvi}&direction=out") == [two, one]
        assert ids(officer, f"unit={phuongvi}&direction=in") == [three, one]
        assert ids(officer, f"unit={tienluong}") == [three, two]
        assert ids(officer, "state=accepted") == [two]
        assert ids(officer, f"unit={tienluong}&direction=in&state=consented") == []
        assert ids(api.as_("tienluong"), "direction=in") == [two]
        assert ids(api.as_("tienluong"), "direction=out") == [three]
        assert ids(api.as_("phuongvi-2"), f"unit={unit_id['phuongvi-2']}") == [three, one]
        for query, pointer, code in (
            ("unit=999999", "/unit", "unit_unknown"),
            ("direction=up", "/direction", "not_in_list"),
            ("state=new", "/state", "not_in_list"),
            ("order=old", "/order", "unknown_field"),
        ):
            pointed(officer.get(f"/v1/transfers?{query}"), pointer, code)
        pages, url = [], "/v1/transfers?limit=1"
        while url:
            answer = officer.get(url)
            pages += [item["id"] for item in answer.json()["items"]]
            url = answer.headers.get("link", "").partition(">")[0].lstrip("<")
        assert pages == [three, two, one]

    def test_a_list_costs_the_same_whatever_it_holds(
        self, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        officer, auditor = api.as_("phuongvi"), api.as_("auditor")
        costs = []
        for _ in range(2):
            members = api.as_("phuongvi-1").get("/v1/members?limit=6").json()["items"]
            for member in members:
                url = f"/v1/members/{member['id']}/transfers"
                officer.post(url, json={"to_branch_id": unit_id["phuongvi-2"]})
            with counted(database) as statements:
                assert auditor.get("/v1/transfers").status_code == 200
            costs.append(len(statements))
        assert costs == [3, 3]  # who asks, her grants, the page


class TestTargets:
    URL = "/v1/transfers/targets"

    def test_are_all_open_branches_in_sight_or_not(
        self, api: Api, source: Api, unit_id: UnitIds
    ) -> None:
        officer = api.as_("tienluong")
        new = {"level": "branch", "name": "Chi hội khu 9", "parent_id": unit_id["tienluong"]}
        branch = officer.post("/v1/units", json=new | {"opened_on": ago(20)}).json()["id"]
        items = source.get(self.URL).json()["items"]
        branches = {id_ for name, id_ in unit_id.items() if "-" in name}
        assert {item["id"] for item in items} == branches | {branch}
        assert [item["name"] for item in items] == sorted(item["name"] for item in items)
        assert items[-1] == {
            "id": branch,
            "name": "Chi hội khu 9",
            "commune_id": unit_id["tienluong"],
            "commune_name": "Xã Tiên Lương",
            "province_name": officer.get(f"/v1/units/{branch}").json()["ancestors"][0]["name"],
        }
        officer.post(f"/v1/units/{branch}/close", json={"effective_on": ago(0)})
        assert {item["id"] for item in source.get(self.URL).json()["items"]} == branches

    def test_are_found_and_named_in_a_transfer(
        self, source: Api, path: str, unit_id: UnitIds
    ) -> None:
        def ids(query: str) -> list[int]:
            return [item["id"] for item in source.get(f"{self.URL}?{query}").json()["items"]]

        of_commune = [unit_id[f"tienluong-{number}"] for number in (1, 2, 3, 4)]
        assert ids("q=tien luong") == ids(f"commune={unit_id['tienluong']}") == of_commune
        assert ids("q=Khu 2 Tiên Lương") == [unit_id["tienluong-2"]]
        assert ids(f"q=khu 2&commune={unit_id['phuongvi']}") == [unit_id["phuongvi-2"]]
        assert ids("q=%25") == ids("commune=999999") == []
        answer = source.post(path, json={"to_branch_id": ids("q=khu 2 tien luong")[0]})
        assert answer.json()["to_branch_name"] == "Chi hội khu 2"
        communes = [answer.json()[f"{side}_commune_name"] for side in ("from", "to")]
        assert communes == ["Xã Phượng Vĩ", "Xã Tiên Lương"]

    def test_come_in_pages_at_the_same_price(self, source: Api, database: Database) -> None:
        pages, costs, url = [], [], f"{self.URL}?limit=3"
        while url:
            with counted(database) as statements:
                answer = source.get(url)
            costs.append(len(statements))
            pages += answer.json()["items"]
            url = answer.headers.get("link", "").partition(">")[0].lstrip("<")
        assert pages == source.get(self.URL).json()["items"]
        assert costs == [3, 3, 3]  # who asks, her grants, the page

    def test_are_for_who_may_transfer_somebody(self, api: Api) -> None:
        for username in ("auditor", "member", "admin"):
            body = refused(api.as_(username).get(self.URL), 403, "forbidden")
            assert body["required_right"] == "members:write"
        pointed(api.as_("camkhe").get(f"{self.URL}?under=1"), "/under", "unknown_field")


class TestTacitApproval:
    def due(self, database: Database, transfer_id: str, days: int = 0) -> None:
        """So much time has passed that it is due since `days`."""
        with writing(database) as session:
            session.execute(
                sa.update(Transfer)
                .where(col(Transfer.id) == UUID(transfer_id))
                .values(due_on=local_today() - timedelta(days=days))
            )

    def test_silence_is_consent_and_then_acceptance(
        self, target: Api, mover: Json, requested: Json, unit_id: UnitIds, database: Database
    ) -> None:
        assert tacit.approve_due(database) == 0
        self.due(database, requested["id"], -1)
        assert tacit.approve_due(database) == 0  # due tomorrow
        self.due(database, requested["id"])
        assert tacit.approve_due(database) == 1
        row = transfer_row(database, requested["id"])
        assert (row.state, row.consented_by) == ("consented", None)
        assert row.consented_at is not None
        # The target, too, has the whole time.
        assert row.due_on == local_today() + timedelta(days=TACIT_DAYS)
        assert tacit.approve_due(database) == 0
        assert member_row(database, mover["id"]).status is MemberStatus.transferring
        self.due(database, requested["id"], 3)
        assert tacit.approve_due(database) == 1
        row = transfer_row(database, requested["id"])
        assert (row.state, row.accepted_by, row.due_on) == ("accepted", None, None)
        assert (row.effective_on, member_row(database, mover["id"]).branch_id) == (
            local_today(),
            unit_id["tienluong-1"],
        )
        before = stored(database)
        assert tacit.approve_due(database) == 0
        assert stored(database) == before
        with writing(database) as session:
            last = session.exec(
                select(Change)
                .where(col(Change.entity) == "transfer")
                .order_by(col(Change.id).desc())
                .limit(1)
            ).one()
        assert (last.source, last.source_ref, last.account_id) == (
            ChangeSource.job,
            "tacit_approval",
            None,
        )
        # A late answer finds it done.
        path = f"/v1/transfers/{requested['id']}/accept"
        assert target.post(path).json()["state"] == "accepted"

    def test_what_can_no_longer_be_done_is_refused_with_the_reason(
        self, api: Api, source: Api, mover: Json, path: str, unit_id: UnitIds, database: Database
    ) -> None:
        officer = api.as_("tienluong")
        new = {"level": "branch", "name": "Chi hội khu 9", "parent_id": unit_id["tienluong"]}
        branch = officer.post("/v1/units", json=new | {"opened_on": ago(20)}).json()["id"]
        made = source.post(path, json={"to_branch_id": branch}).json()
        officer.post(f"/v1/units/{branch}/close", json={"effective_on": ago(0)})
        self.due(database, made["id"])
        assert tacit.approve_due(database) == 1
        body = source.get(f"/v1/transfers/{made['id']}").json()
        assert (body["state"], body["refused_side"]) == ("refused", None)
        assert "Chi hội khu 9" in body["refusal_reason"]
        assert member_row(database, mover["id"]).status is MemberStatus.active
        assert tacit.approve_due(database) == 0

    @pytest.mark.parametrize("lost", ["disabled", "role", "restricted"])
    def test_silence_does_not_decide_for_those_who_may_not(
        self, api: Api, source: Api, mover: Json, requested: Json, database: Database, lost: str
    ) -> None:
        """Who asked may no longer, or nobody may change her record: it waits as it is."""
        officer = api.as_("phuongvi")
        limits = f"/v1/members/{mover['id']}/processing-limits"
        if lost == "restricted":
            officer.post(limits, json={"kind": "restriction"})
        self.due(database, requested["id"])
        self.lose(database, lost, True)
        before = stored(database)
        for _ in range(2):
            assert tacit.approve_due(database) == 0
            assert stored(database) == before
        notices = done(source.get("/v1/me/notifications"))["items"]
        told = [(each["title"], each["link"]) for each in notices if each["kind"] == OVERDUE.name]
        # Nobody decides on a record that is restricted, so nobody is asked to.
        asked = (OVERDUE.vi, f"/v1/transfers/{requested['id']}")
        assert told == ([] if lost == "restricted" else [asked])
        self.lose(database, lost, False)
        if lost == "restricted":
            [limit] = officer.get(limits).json()["items"]
            path = f"/v1/processing-limits/{limit['id']}/lift"
            assert officer.post(path, json={"note": "Theo yêu cầu"}).is_success
        assert tacit.approve_due(database) == 1
        assert transfer_row(database, requested["id"]).state == "consented"

    def lose(self, database: Database, lost: str, gone: bool) -> None:
        with writing(database) as session:
            of_head = select(Account).where(col(Account.username) == "tienluong-1")
            account = session.exec(of_head).one()
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            if lost == "disabled":
                account.status = AccountStatus.disabled if gone else AccountStatus.active
            if lost == "role":
                until = local_today() - timedelta(days=1) if gone else None
                for grant in session.exec(select(Grant).where(col(Grant.account_id) == account.id)):
                    grant.valid_to = until
            session.flush()

    def test_one_that_fails_does_not_hold_up_the_others(
        self,
        requested: Json,
        consented_elsewhere: str,
        database: Database,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.due(database, requested["id"], 2)
        self.due(database, consented_elsewhere, 1)
        with writing(database) as session:
            spoiled = "UPDATE transfer SET requested_side = 'nobody' WHERE state = 'requested'"
            session.execute(sa.text(spoiled))
        assert tacit.approve_due(database) == 1
        assert transfer_row(database, consented_elsewhere).state == "accepted"
        [line] = [line for line in capsys.readouterr().out.splitlines() if "tacit" in line]
        assert '"level":"error"' in line
        assert requested["id"] in line
        # The rest of what is due is done as well.
        upkeep.do_due(database)
        with writing(database) as session:
            mended = "UPDATE transfer SET requested_side = 'target' WHERE requested_side = 'nobody'"
            session.execute(sa.text(mended))
        assert transfer_row(database, requested["id"]).state == "requested"
        assert tacit.approve_due(database) == 1

    def test_what_is_being_reorganised_waits_for_the_next_run(
        self,
        requested: Json,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.due(database, requested["id"])
        with monkeypatch.context() as patched:

            def busy(*_: object) -> None:
                raise being_reorganised()

            patched.setattr(tacit, "hold_by_asking", busy)
            assert tacit.approve_due(database) == 0
        assert "tacit" not in capsys.readouterr().out
        assert tacit.approve_due(database) == 1

    def test_switched_off_it_waits_for_ever(
        self, requested: Json, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.due(database, requested["id"])
        monkeypatch.setattr(database.settings, "transfer_tacit_days", 0)
        assert tacit.approve_due(database) == 0
        assert transfer_row(database, requested["id"]).state == "requested"

    @pytest.mark.race
    def test_many_workers_at_once_approve_once(
        self, requested: Json, mover: Json, database: Database
    ) -> None:
        self.due(database, requested["id"])
        start = Barrier(3)

        def work(_: int) -> int:
            start.wait()
            return tacit.approve_due(database)

        with ThreadPoolExecutor(3) as pool:
            assert sum(pool.map(work, range(3))) == 1
        assert transfer_row(database, requested["id"]).state == "consented"
        assert len(spells(database, mover["id"])) == 1

    def test_the_worker_and_a_server_on_sqlite_do_it(
        self,
        requested: Json,
        consented_elsewhere: str,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(upkeep, "FIRST_AFTER_SECONDS", 0)
        self.due(database, requested["id"])
        upkeep.do_due(database)
        assert transfer_row(database, requested["id"]).state == "consented"
        self.due(database, consented_elsewhere)
        with upkeep.in_server(database):
            if database.on_sqlite:
                for _ in range(100):
                    if transfer_row(database, consented_elsewhere).state == "accepted":
                        break
                    time.sleep(0.05)
        expected = "accepted" if database.on_sqlite else "consented"
        assert transfer_row(database, consented_elsewhere).state == expected

    @pytest.fixture
    def consented_elsewhere(self, api: Api, unit_id: UnitIds) -> str:
        head = api.as_("phuongvi-3")
        member = head.get("/v1/members?limit=1").json()["items"][0]
        body = {"to_branch_id": unit_id["tienluong-3"]}
        made = head.post(f"/v1/members/{member['id']}/transfers", json=body)
        transfer_id: str = made.json()["id"]
        return transfer_id
