"""Posts: who holds which since when, and the rights that follow."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import col, select

from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change
from app.models.kernel.sessions import AuthSession, RevokedReason
from app.models.members.members import Member
from tests.cadres.appointments import day, ended, items, rights, transfer
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import (
    Ids,
    account,
    appoint,
    done,
    forbidden,
    free_members,
    grants_of,
    invited,
    made,
    post_of,
)
from tests.helpers.client import Api, writing
from tests.helpers.programs import ABOUT


class TestRightsFollowThePost:
    def test_a_chairs_term_ends_and_her_rights_end_that_minute(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, commune = api.as_("camkhe"), unit_id["phuongvi"]
        last = local_today() + timedelta(days=30)
        chair = post_of(officer, commune, "chair")
        path = f"/v1/appointments/{chair['id']}"
        done(officer.patch(path, json={"valid_to": last.isoformat()}))

        def at(day: date, hour: int, minute: int) -> Response:
            # Days are days in Vietnam: seven hours ahead of UTC.
            local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
            with time_machine.travel(local - timedelta(hours=7), tick=False):
                return api.as_("phuongvi").get("/v1/members?limit=1")

        assert done(at(last, 23, 59))["items"]
        forbidden(at(last + timedelta(days=1), 0, 0), "members:read")

    def test_ended_today_they_end_now(self, api: Api, database: Database, unit_id: Ids) -> None:
        chair_herself, officer = api.as_("phuongvi"), api.as_("camkhe")
        assert done(chair_herself.get("/v1/members?limit=1"))["items"]
        chair = post_of(officer, unit_id["phuongvi"], "chair")
        ended(officer, chair["id"], reason="dismissed")
        forbidden(chair_herself.get("/v1/members?limit=1"), "members:read")
        [grant] = grants_of(database, account(database, "phuongvi").id)
        assert grant.valid_to == local_today() - timedelta(days=1)

    def test_the_cached_token_is_forgotten_too(
        self,
        api: Api,
        app: FastAPI,
        database: Database,
        unit_id: Ids,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(serving(app).signin.settings, "token_recheck_seconds", 4.0)
        chair_herself, officer = api.as_("phuongvi"), api.as_("camkhe")
        chair = post_of(officer, unit_id["phuongvi"], "chair")
        assert done(chair_herself.get("/v1/members?limit=1"))["items"]
        ended(officer, chair["id"])
        forbidden(chair_herself.get("/v1/members?limit=1"), "members:read")

    def test_ended_later_they_end_then(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer = api.as_("camkhe")
        chair = post_of(officer, unit_id["phuongvi"], "chair")
        ended(officer, chair["id"], effective_on=day(3))
        [grant] = grants_of(database, account(database, "phuongvi").id)
        assert grant.valid_to == local_today() + timedelta(days=2)
        assert done(api.as_("phuongvi").get("/v1/members?limit=1"))["items"]

    def test_a_new_post_brings_its_role_and_a_mistake_takes_it_back(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, holder = api.as_("phuongvi"), account(database, "member")
        head = post_of(officer, unit_id["phuongvi-1"], "branch_head")
        ended(officer, head["id"], effective_on=day(-1))
        assert rights(api, "member") == []
        mine = made(
            appoint(
                officer,
                str(holder.member_id),
                unit_id["phuongvi-1"],
                "branch_head",
                valid_to=day(10),
            )
        )
        grant = grants_of(database, holder.id)[-1]
        assert (str(grant.appointment_id), grant.role.value) == (mine["id"], "branch_head")
        assert (grant.valid_from, grant.valid_to) == (
            local_today(),
            local_today() + timedelta(days=10),
        )
        assert grant.granted_by == account(database, "phuongvi").id
        assert "members:write" in rights(api, "member")
        [shown] = [
            one for one in done(api.as_("member").get("/v1/me"))["grants"] if one["appointment_id"]
        ]
        assert shown["appointment_id"] == mine["id"]
        path = f"/v1/appointments/{mine['id']}"
        done(officer.patch(path, json={"valid_to": day(20), "valid_from": day(-1)}))
        grant = grants_of(database, holder.id)[-1]
        assert grant.valid_from == local_today() - timedelta(days=1)
        assert grant.valid_to == local_today() + timedelta(days=20)
        done(officer.patch(path, json={"valid_from": day(0)}))
        ended(officer, mine["id"], reason="mistake")
        assert [one.appointment_id for one in grants_of(database, holder.id)] == [None]
        assert rights(api, "member") == []

    def test_a_post_without_a_role_brings_none(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        holder = account(database, "member")
        before = grants_of(database, holder.id)
        made(appoint(api.as_("phuongvi"), str(holder.member_id), unit_id["phuongvi"]))
        assert grants_of(database, holder.id) == before

    def test_whoever_invited_her_may_hold_the_way_in_still(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        """The admin invited her; the commune says whose account it is, after a reset of its own."""
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        new = invited(api.as_("admin"), "lan", unit_id["phuongvi"])
        link = {"member_id": str(member.id)}
        path = f"/v1/accounts/{new['id']}"
        refused(officer.patch(path, json=link), 409, "reset_first")
        done(officer.post(f"{path}/reset"))
        assert done(officer.patch(path, json=link))["member_id"] == str(member.id)
        # Invited by a branch's officer above: the admin cannot take over her account again.
        told = refused(api.as_("admin").post(f"{path}/reset"), 403, "grant_exceeds_own")
        assert told["required_right"] == "members:citizen_id"
        assert made(appoint(officer, member, unit_id["phuongvi"], "vice_chair"))["id"]
        assert [grant.role.value for grant in grants_of(database, new["id"])] == ["commune_officer"]

    def test_nobody_appoints_to_more_than_she_holds(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        """A commune officer knows the account's code; the post is of the district."""
        member = free_members(database, unit_id["phuongvi-2"])[0]
        above, officer = api.as_("camkhe"), api.as_("phuongvi")
        new = invited(officer, "lan", unit_id["phuongvi"], member_id=str(member.id))
        answer = appoint(above, member, unit_id["camkhe"], "chair")
        refused(answer, 409, "reset_first")
        assert items(above.get(f"/v1/appointments?member={member.id}")) == []
        assert grants_of(database, new["id"]) == []

    def test_a_grant_of_a_post_is_not_ended_by_itself(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        holder = account(database, "phuongvi-1")
        [grant] = grants_of(database, holder.id)
        path = f"/v1/accounts/{holder.id}/grants/{grant.id}"
        told = refused(api.as_("phuongvi").delete(path), 409, "grant_follows_post")
        assert told["appointment_id"] == str(grant.appointment_id)
        assert grants_of(database, holder.id) == [grant]


class TestAccountsOfMembers:
    def test_a_new_account_gets_the_roles_of_her_posts(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        past = {"valid_from": day(-50), "valid_to": day(-20)}
        made(appoint(officer, member, unit_id["phuongvi"], "vice_chair", **past))
        held = made(appoint(officer, member, unit_id["phuongvi"], "vice_chair"))
        made(appoint(officer, member, unit_id["phuongvi"]))
        new = invited(officer, "lan", unit_id["phuongvi"], member_id=str(member.id))
        assert new["member_id"] == str(member.id)
        [grant] = grants_of(database, new["id"])
        assert (str(grant.appointment_id), grant.role.value) == (held["id"], "commune_officer")
        assert [one["appointment_id"] for one in new["grants"]] == [held["id"]]

    def test_sent_twice_it_is_one_account(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        made(appoint(officer, member, unit_id["phuongvi"], "vice_chair"))
        body = {
            "id": str(uuid4()),
            "username": "lan",
            "display_name": "Lan",
            "unit_id": unit_id["phuongvi"],
            "member_id": str(member.id),
        }
        first = made(officer.post("/v1/accounts", json=body))
        again = done(officer.post("/v1/accounts", json=body))
        assert again == first | {"code": None, "code_expires_at": None}
        other = free_members(database, unit_id["phuongvi-2"])[0]
        changed = body | {"member_id": str(other.id)}
        refused(officer.post("/v1/accounts", json=changed), 409, "id_taken")

    @pytest.mark.race
    def test_a_post_given_in_the_same_moment_is_not_missed(
        self, app: FastAPI, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phuongvi")
        for number, member in enumerate(free_members(database, unit_id["phuongvi-2"])[:4]):
            new = invited(officer, f"lan{number}", unit_id["phuongvi"])
            start = threading.Barrier(2)

            def link(new: Json = new, member: Member = member, start: Any = start) -> Response:
                mine = Api(app, officer.headers)
                start.wait()
                body = {"member_id": str(member.id)}
                return mine.patch(f"/v1/accounts/{new['id']}", json=body)

            def give(member: Member = member, start: Any = start) -> Response:
                mine = Api(app, officer.headers)
                start.wait()
                return appoint(mine, member, unit_id["phuongvi"], "vice_chair")

            with ThreadPoolExecutor(2) as pool:
                linked, given = pool.submit(link), pool.submit(give)
            done(linked.result())
            post = made(given.result())
            [grant] = grants_of(database, new["id"])
            assert str(grant.appointment_id) == post["id"]

    def test_a_member_has_one_account(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, owner = api.as_("phuongvi"), account(database, "member")
        body = {
            "username": "lan",
            "display_name": "Lan",
            "unit_id": unit_id["phuongvi"],
            "member_id": str(owner.member_id),
        }
        refused(officer.post("/v1/accounts", json=body), 409, "member_has_account")
        new = invited(officer, "lan", unit_id["phuongvi"])
        link = officer.patch(f"/v1/accounts/{new['id']}", json={"member_id": str(owner.member_id)})
        refused(link, 409, "member_has_account")
        assert account(database, "lan").member_id is None

    def test_an_account_never_becomes_anothers(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, owner = api.as_("phuongvi"), account(database, "member")
        path, other = f"/v1/accounts/{owner.id}", free_members(database, unit_id["phuongvi-1"])[0]
        refused(officer.patch(path, json={"member_id": str(other.id)}), 409, "account_linked")
        same = done(officer.patch(path, json={"member_id": str(owner.member_id)}))
        assert same["member_id"] == str(owner.member_id)
        assert account(database, "member").member_id == owner.member_id

    def test_whose_account_it_may_be(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        foreign = free_members(database, unit_id["tienluong-1"])[0]
        body = {"username": "lan", "display_name": "Lan", "unit_id": unit_id["phuongvi"]}
        unseen = officer.post("/v1/accounts", json=body | {"member_id": str(foreign.id)})
        pointed(unseen, "/member_id", "member_unknown")
        by_admin = api.as_("admin").post("/v1/accounts", json=body | {"member_id": str(member.id)})
        forbidden(by_admin, "members:read")
        program = officer.post("/v1/accounts", json=body | ABOUT | {"member_id": str(member.id)})
        refused(program, 409, "wrong_account_kind")
        new = invited(officer, "lan", unit_id["phuongvi"])
        same = done(officer.patch(f"/v1/accounts/{new['id']}", json={"member_id": None}))
        assert (same["member_id"], same["revision"]) == (None, new["revision"])

    def test_nobody_links_her_own(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, stranger = api.as_("camkhe"), free_members(database, unit_id["tienluong-2"])[0]
        own = account(database, "camkhe")
        link = officer.patch(f"/v1/accounts/{own.id}", json={"member_id": str(stranger.id)})
        refused(link, 409, "own_account")
        assert account(database, "camkhe") == own
        refused(officer.get("/v1/me/member"), 404, "no_own_record")
        linked = account(database, "phuongvi")
        unlink = api.as_("phuongvi").patch(f"/v1/accounts/{linked.id}", json={"member_id": None})
        refused(unlink, 409, "own_account")
        assert account(database, "phuongvi") == linked

    def test_a_wrong_link_is_taken_back_with_what_came_by_it(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        head = account(database, "phuongvi-1")
        by_hand = {"unit_id": unit_id["phuongvi-2"], "role": "auditor"}
        made(api.as_("phuongvi").post(f"/v1/accounts/{head.id}/grants", json=by_hand))
        handed_on = {
            "member_id": str(head.member_id),
            "unit_id": unit_id["phuongvi-3"],
            "rights": ["members:read"],
            "valid_to": day(9),
        }
        made(api.as_("phuongvi").post("/v1/delegations", json=handed_on))
        path, empty = f"/v1/accounts/{head.id}", {"member_id": None}
        forbidden(api.as_("auditor").patch(path, json=empty), "accounts:write")
        refused(api.as_("tienluong").patch(path, json=empty), 404, "not_found")
        told = refused(api.as_("admin").patch(path, json=empty), 403, "grant_exceeds_own")
        assert told["required_right"] == "members:citizen_id"
        assert account(database, "phuongvi-1") == head
        shown = done(api.as_("phuongvi").patch(path, json=empty))
        assert shown["member_id"] is None
        assert [one["role"] for one in shown["grants"]] == ["auditor"]
        refused(api.as_("phuongvi-1").get("/v1/me/member"), 404, "no_own_record")
        # Her posts are hers still, and bring their roles to the account that is.
        new = invited(api.as_("phuongvi"), "lan", unit_id["phuongvi"])
        link = {"member_id": str(head.member_id)}
        right = done(api.as_("phuongvi").patch(f"/v1/accounts/{new['id']}", json=link))
        assert [one["role"] for one in right["grants"]] == ["branch_head"]

    def test_a_delegation_is_no_role_to_grant(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        path = f"/v1/accounts/{account(database, 'member').id}/grants"
        body = {"unit_id": unit_id["phuongvi-1"], "role": "delegate"}
        pointed(api.as_("phuongvi").post(path, json=body), "/role", "not_in_list")


class TestWhatEndsWithSomethingElse:
    def test_a_closed_unit_has_no_cadres_and_no_officers(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        body = {
            "level": "branch",
            "name": "Chi hội 9",
            "parent_id": unit_id["phuongvi"],
            "opened_on": day(-100),
        }
        branch = made(officer.post("/v1/units", json=body))["id"]
        new = invited(officer, "lan", branch, member_id=str(member.id))
        held = made(appoint(officer, member, branch, "branch_head", valid_from=day(-50)))
        coming = made(appoint(officer, member, branch, "branch_deputy", valid_from=day(50)))
        helper = account(database, "member")
        role = {"unit_id": branch, "role": "auditor"}
        made(officer.post(f"/v1/accounts/{helper.id}/grants", json=role))
        later = role | {"role": "branch_head", "valid_from": day(20)}
        made(officer.post(f"/v1/accounts/{helper.id}/grants", json=later))
        kept = grants_of(database, helper.id)[0]
        assert "members:write" in rights(api, "lan")
        done(officer.post(f"/v1/units/{branch}/close", json={"effective_on": day(-2)}))
        head = done(officer.get(f"/v1/appointments/{held['id']}"))
        assert (head["valid_to"], head["reason"]) == (day(-3), "reorganised")
        deputy = done(officer.get(f"/v1/appointments/{coming['id']}"))
        assert (deputy["valid_from"], deputy["valid_to"]) == (day(50), day(49))
        [grant] = grants_of(database, new["id"])
        assert grant.valid_to == local_today() - timedelta(days=3)
        assert rights(api, "lan") == []
        # One of today had not begun by the last day, nor had the one of later: they never were.
        assert grants_of(database, helper.id) == [kept]

    def test_leaving_the_union_ends_all_her_posts_and_rights(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, chair = api.as_("camkhe"), account(database, "phuongvi")
        assert chair.member_id is not None
        also = made(appoint(officer, str(chair.member_id), unit_id["phuongvi"], "staff"))
        left = {"reason": "moved_away"}
        made(officer.post(f"/v1/members/{chair.member_id}/departures", json=left))
        hers = items(officer.get(f"/v1/appointments?all=true&member={chair.member_id}"))
        assert {(one["post"], one["reason"]) for one in hers} == {
            ("chair", "left_union"),
            ("staff", "left_union"),
        }
        assert [one["valid_to"] for one in hers] == [day(-1), day(-1)]
        assert done(officer.get(f"/v1/appointments/{also['id']}"))["ended_on"] == day(-1)
        assert rights(api, "phuongvi") == []

    def test_leaving_the_branch_ends_those_of_the_branch(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, head = api.as_("phuongvi"), account(database, "phuongvi-1")
        assert head.member_id is not None
        made(appoint(officer, str(head.member_id), unit_id["phuongvi"]))
        team = {
            "level": "group",
            "group_kind": "team",
            "name": "Tổ 1",
            "parent_id": unit_id["phuongvi-1"],
            "opened_on": day(-9),
        }
        group = made(officer.post("/v1/units", json=team))["id"]
        made(appoint(officer, str(head.member_id), group, "team_head"))
        moved = {"to_branch_id": unit_id["phuongvi-2"], "reason": "Lấy chồng"}
        made(officer.post(f"/v1/members/{head.member_id}/transfers", json=moved))
        hers = items(officer.get(f"/v1/appointments?member={head.member_id}"))
        assert [one["post"] for one in hers] == ["committee_member"]
        assert rights(api, "phuongvi-1") == []
        with writing(database) as session:
            grants = session.exec(select(Grant).where(col(Grant.account_id) == head.id)).all()
        assert [grant.valid_to for grant in grants] == [local_today() - timedelta(days=1)]

    def test_expelled_she_keeps_no_right_by_hand_or_by_delegation(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, expelled = api.as_("phuongvi"), account(database, "member")
        made(delegated(officer, expelled, unit_id["phuongvi"]))
        role = {"unit_id": unit_id["phuongvi-1"], "role": "branch_head", "valid_from": day(-9)}
        made(officer.post(f"/v1/accounts/{expelled.id}/grants", json=role))
        assert "members:write" in rights(api, "member")
        departure = {"reason": "expelled"}
        made(officer.post(f"/v1/members/{expelled.member_id}/departures", json=departure))
        her = api.as_("member")
        other = free_members(database, unit_id["phuongvi-1"])[0]
        forbidden(her.get("/v1/members"), "members:read")
        patch = her.patch(f"/v1/members/{other.id}", json={"address": "Khu 1"})
        forbidden(patch, "members:read")
        # The delegation of today had not begun by yesterday: it never was.
        assert {one.valid_to for one in grants_of(database, expelled.id)} == {
            local_today() - timedelta(days=1)
        }
        assert len(grants_of(database, expelled.id)) == 2
        assert done(her.get("/v1/me/member"))["status"] == "left"
        assert account(database, "member").status == "active"

    def test_in_another_commune_she_holds_nothing_of_the_old_one(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        moving, above = account(database, "member"), api.as_("camkhe")
        stays = made(delegated(above, moving, unit_id["camkhe"], rights=["units:read"]))
        made(delegated(api.as_("phuongvi"), moving, unit_id["phuongvi"]))
        made(delegated(above, moving, unit_id["tienluong-2"]))
        role = {"unit_id": unit_id["phuongvi-2"], "role": "auditor"}
        made(above.post(f"/v1/accounts/{moving.id}/grants", json=role))
        transfer(above, moving, unit_id["tienluong-1"])
        shown = done(api.as_("member").get("/v1/me"))
        assert [one["id"] for one in shown["grants"]] == [stays["id"]]
        assert shown["unit"]["id"] == unit_id["tienluong-1"]
        with writing(database) as session:
            logged = session.exec(
                select(Change).where(
                    col(Change.entity_id) == str(moving.id), col(Change.operation) == "moved"
                )
            ).one()
        assert (logged.before, logged.after) == (
            {"unit_id": unit_id["phuongvi-1"]},
            {"unit_id": unit_id["tienluong-1"]},
        )

    def test_within_the_commune_she_keeps_what_reaches_her(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        moving, officer = account(database, "member"), api.as_("phuongvi")
        stays = made(delegated(officer, moving, unit_id["phuongvi"]))
        made(delegated(officer, moving, unit_id["phuongvi-1"]))
        made(delegated(officer, moving, unit_id["phuongvi-3"]))
        role = {"unit_id": unit_id["phuongvi-3"], "role": "auditor"}
        made(officer.post(f"/v1/accounts/{moving.id}/grants", json=role))
        transfer(officer, moving, unit_id["phuongvi-2"])
        shown = done(api.as_("member").get("/v1/me"))["grants"]
        assert [(one["id"], one["role"]) for one in shown] == [
            (stays["id"], "delegate"),
            (shown[1]["id"], "auditor"),
        ]

    def test_a_chair_who_moves_to_another_commune_is_its_chair_no_more(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        chair, above = account(database, "phuongvi"), api.as_("camkhe")
        district = made(appoint(above, str(chair.member_id), unit_id["camkhe"]))
        transfer(above, chair, unit_id["tienluong-1"])
        hers = items(above.get(f"/v1/appointments?all=true&member={chair.member_id}"))
        assert {one["post"]: one["reason"] for one in hers} == {
            "chair": "transferred",
            "committee_member": None,
        }
        assert done(above.get(f"/v1/appointments/{district['id']}"))["ended_on"] is None
        assert rights(api, "phuongvi") == []

    def test_nobody_signs_in_for_the_dead(self, api: Api, database: Database, unit_id: Ids) -> None:
        dead, her = account(database, "phuongvi-1"), api.as_("phuongvi-1")
        made(
            api.as_("phuongvi").post(
                f"/v1/members/{dead.member_id}/death", json={"died_on": day(0)}
            )
        )
        refused(her.get("/v1/me"), 401, "invalid_token")
        assert account(database, "phuongvi-1").status == "disabled"
        with writing(database) as session:
            reasons = session.exec(
                select(AuthSession.revoked_reason).where(col(AuthSession.account_id) == dead.id)
            ).all()
        assert set(reasons) == {RevokedReason.account_disabled}

    @pytest.mark.parametrize("armed_by", ["phuongvi", "camkhe"])
    def test_a_code_of_who_sees_her_no_more_is_void(
        self, api: Api, database: Database, unit_id: Ids, armed_by: str
    ) -> None:
        member = free_members(database, unit_id["phuongvi-2"])[0]
        new = invited(api.as_(armed_by), "lan", unit_id["phuongvi"], member_id=str(member.id))
        lan = account(database, "lan")
        transfer(api.as_("camkhe"), lan, unit_id["phuongvi-3"])
        assert account(database, "lan").code_digest == lan.code_digest
        transfer(api.as_("camkhe"), lan, unit_id["tienluong-1"])
        by_code = {"grant_type": "password", "username": "lan", "password": new["code"]}
        answer = api.post("/v1/auth/token", data=by_code)
        if armed_by == "camkhe":
            assert done(answer)["scope"] == ""
            return
        refused(answer, 401, "bad_credentials")
        stored = account(database, "lan")
        assert (stored.code_digest, stored.code_expires_at) == (None, None)
        path = f"/v1/accounts/{new['id']}/reset"
        refused(api.as_("phuongvi").post(path), 404, "not_found")
        code = done(api.as_("tienluong").post(path))["code"]
        assert done(api.post("/v1/auth/token", data=by_code | {"password": code}))["scope"] == ""

    @pytest.mark.race
    def test_at_once_with_a_transfer_and_a_reset(
        self, app: FastAPI, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-2"]
        for number, member in enumerate(free_members(database, branch)[:6]):
            new = invited(officer, f"lan{number}", branch, member_id=str(member.id))
            moved = {"to_branch_id": unit_id["phuongvi-3"], "reason": "Lấy chồng"}
            calls: list[tuple[str, Json]] = [
                (
                    "/v1/appointments",
                    {
                        "member_id": str(member.id),
                        "unit_id": branch,
                        "post": "branch_deputy",
                        "basis": "elected",
                    },
                ),
                (f"/v1/members/{member.id}/transfers", moved),
                (f"/v1/accounts/{new['id']}/reset", {}),
            ]
            start = threading.Barrier(len(calls))

            def send(call: tuple[str, Json], start: threading.Barrier = start) -> Response:
                mine = Api(app, officer.headers)
                start.wait()
                return mine.post(call[0], json=call[1]) if call[1] else mine.post(call[0])

            with ThreadPoolExecutor(len(calls)) as pool:
                answers = list(pool.map(send, calls))
            assert [answer.status_code for answer in answers] == [201, 201, 200]


def delegated(api: Api, deputy: Account, unit: int, **more: object) -> Response:
    body = {"member_id": str(deputy.member_id), "unit_id": unit, "valid_to": day(300)}
    body["rights"] = ["units:read", "members:read"]
    return api.post("/v1/delegations", json=body | more)


class TestHeadOfABranch:
    def test_is_who_holds_the_post(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-2"]

        def head() -> Json | None:
            found = items(officer.get("/v1/branches"))
            shown: Json | None = next(one["head"] for one in found if one["id"] == branch)
            return shown

        ended(officer, post_of(officer, branch, "branch_head")["id"])
        assert head() is None
        member = free_members(database, branch)[0]
        made(appoint(officer, member, branch, "branch_head"))
        expected = {"account_id": None, "member_id": str(member.id), "name": member.full_name}
        assert head() == expected
        new = invited(officer, "lan", branch, member_id=str(member.id))
        assert head() == expected | {"account_id": new["id"]}
