"""Delegations: some of one's rights, for a time, to a deputy, and never further."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
import time_machine
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import col, func, select

from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.models.cadres.appointments import ROLES_OF_POSTS
from app.models.kernel.access import NOT_DELEGABLE, ROLE_RIGHTS, Grant, Right, Role
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.changes import Change
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import (
    Ids,
    account,
    done,
    forbidden,
    free_members,
    grants_of,
    invited,
    made,
    post_of,
)
from tests.helpers.client import Api, counted, writing
from tests.helpers.programs import ABOUT
from tests.helpers.reading import Reading
from tests.helpers.when_run import WhenRun

PATH = "/v1/delegations"


def day(offset: int) -> str:
    return (local_today() + timedelta(days=offset)).isoformat()


def count(database: Database, model: type[Any]) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(model)).one()


def delegated(api: Api, deputy: UUID | None, unit_id: int, **more: object) -> Response:
    body = {
        "member_id": str(deputy),
        "unit_id": unit_id,
        "rights": ["members:read", "units:read"],
        "valid_to": day(30),
    }
    return api.post(PATH, json=body | more)


def rights(api: Api, username: str) -> list[str]:
    found: list[str] = done(api.as_(username).get("/v1/me"))["rights"]
    return found


@pytest.fixture
def deputy(database: Database) -> UUID:
    """The member behind the account `member`, who holds no right."""
    member_id = account(database, "member").member_id
    assert member_id is not None
    return member_id


class TestRequiresLogin(Reading):
    def test_every_endpoint(self, api: Api) -> None:
        for method, path in (("GET", PATH), ("POST", PATH), ("DELETE", f"{PATH}/{uuid4()}")):
            refused(api.request(method, path), 401, "not_authenticated")


class TestCreateDelegation:
    def test_hands_on_some_rights_at_once(
        self, api: Api, database: Database, unit_id: Ids, deputy: UUID
    ) -> None:
        head, giver = api.as_("phuongvi-1"), account(database, "phuongvi-1")
        receiver = account(database, "member")
        [parent] = grants_of(database, giver.id)
        forbidden(api.as_("member").get("/v1/members?limit=1"), "members:read")
        item = made(delegated(head, deputy, unit_id["phuongvi-1"]))
        assert item == {
            "id": item["id"],
            "unit": {"id": unit_id["phuongvi-1"], "level": "branch", "name": "Chi hội khu 1"},
            "rights": ["members:read", "units:read"],
            "giver": {
                "account_id": str(giver.id),
                "member_id": str(giver.member_id),
                "name": giver.display_name,
            },
            "deputy": {
                "account_id": str(receiver.id),
                "member_id": str(deputy),
                "name": receiver.display_name,
            },
            "valid_from": day(0),
            "valid_to": day(30),
            "in_force": True,
            "revision": 1,
        }
        stored = grants_of(database, receiver.id)[-1]
        assert (stored.role, stored.parent_id, stored.granted_by) == (
            Role.delegate,
            parent.id,
            giver.id,
        )
        assert stored.rights == ["members:read", "units:read"]
        read = api.as_("member").get("/v1/members?limit=200")
        assert {one["branch_id"] for one in done(read)["items"]} == {unit_id["phuongvi-1"]}
        assert rights(api, "member") == ["members:read", "units:read"]
        denied = api.as_("member").patch(f"/v1/members/{deputy}", json={"birth_date": "1980"})
        forbidden(denied, "members:write")
        shown = done(api.as_("member").get("/v1/me"))["grants"][-1]
        assert (shown["role"], shown["rights"]) == ("delegate", ["members:read", "units:read"])
        by = done(api.as_("member").get(f"/v1/access/explain?right=members:read&member={deputy}"))
        assert by["by_grant"]["id"] == item["id"]

    def test_a_smaller_unit_than_the_grant(
        self, api: Api, database: Database, unit_id: Ids, deputy: UUID
    ) -> None:
        made(delegated(api.as_("camkhe"), deputy, unit_id["tienluong-3"]))
        read = api.as_("member").get("/v1/members?limit=200")
        assert {one["branch_id"] for one in done(read)["items"]} == {unit_id["tienluong-3"]}

    def test_sent_twice_with_an_id_makes_one(
        self, api: Api, database: Database, unit_id: Ids, deputy: UUID
    ) -> None:
        head, mine = api.as_("phuongvi-1"), str(uuid4())
        item = made(delegated(head, deputy, unit_id["phuongvi-1"], id=mine))
        before = count(database, Change)
        again = delegated(head, deputy, unit_id["phuongvi-1"], id=mine)
        assert (again.status_code, again.json()) == (200, item)
        [own] = grants_of(database, account(database, "phuongvi-1").id)
        for differing in (
            delegated(head, deputy, unit_id["phuongvi-1"], id=mine, rights=["members:read"]),
            delegated(head, deputy, unit_id["phuongvi-1"], id=mine, valid_to=day(31)),
            delegated(api.as_("phuongvi"), deputy, unit_id["phuongvi-1"], id=mine),
            delegated(head, deputy, unit_id["phuongvi-1"], id=str(own.id)),
        ):
            refused(differing, 409, "id_taken")
        assert count(database, Change) == before

    @pytest.mark.parametrize(
        ("sent", "pointer", "code"),
        [
            ({"rights": []}, "/rights", "too_short"),
            ({"rights": ["members:eat"]}, "/rights/0", "not_in_list"),
            ({"rights": ["members:read", "accounts:read"]}, "/rights/1", "right_not_delegable"),
            ({"rights": ["accounts:write"]}, "/rights/0", "right_not_delegable"),
            ({"rights": ["accounts:grant"]}, "/rights/0", "right_not_delegable"),
            ({"rights": ["appointments:write"]}, "/rights/0", "right_not_delegable"),
            ({"valid_from": WhenRun(day, -1)}, "/valid_from", "date_in_past"),
            (
                {"valid_from": WhenRun(day, 5), "valid_to": WhenRun(day, 4)},
                "/valid_to",
                "dates_reversed",
            ),
            (
                {"valid_from": WhenRun(day, 5), "valid_to": WhenRun(day, 371)},
                "/valid_to",
                "too_large",
            ),
            ({"valid_to": "9999-12-31"}, "/valid_to", "date_too_late"),
            ({"valid_to": None}, "/valid_to", "not_null"),
            ({"unit_id": 999_999}, "/unit_id", "unit_unknown"),
            ({"member_id": str(uuid4())}, "/member_id", "member_unknown"),
            ({"role": "admin"}, "/role", "unknown_field"),
        ],
    )
    def test_fields_wrong(
        self,
        api: Api,
        database: Database,
        unit_id: Ids,
        deputy: UUID,
        sent: Json,
        pointer: str,
        code: str,
    ) -> None:
        before = count(database, Change)
        body: Json = {"unit_id": unit_id["phuongvi"], "deputy": deputy} | sent
        answer = delegated(api.as_("phuongvi"), **body)
        pointed(answer, pointer, code)
        assert count(database, Change) == before

    def test_a_group_is_no_place_for_rights(
        self, api: Api, database: Database, unit_id: Ids, deputy: UUID
    ) -> None:
        team = {
            "level": "group",
            "group_kind": "team",
            "name": "Tổ 1",
            "parent_id": unit_id["phuongvi-1"],
            "opened_on": day(-9),
        }
        group = made(api.as_("phuongvi").post("/v1/units", json=team))["id"]
        before = count(database, Grant)
        answer = delegated(api.as_("phuongvi"), deputy, group)
        pointed(answer, "/unit_id", "unit_level_wrong")
        assert "chi hội" in answer.text
        assert count(database, Grant) == before

    def test_for_a_year_at_most(self, api: Api, unit_id: Ids, deputy: UUID) -> None:
        longest = delegated(api.as_("phuongvi"), deputy, unit_id["phuongvi"], valid_to=day(365))
        assert made(longest)["valid_to"] == day(365)
        longer = delegated(api.as_("phuongvi"), deputy, unit_id["phuongvi"], valid_to=day(366))
        pointed(longer, "/valid_to", "too_large")

    def test_only_what_she_holds_there(
        self, api: Api, database: Database, unit_id: Ids, deputy: UUID
    ) -> None:
        head = api.as_("phuongvi-1")
        sensitive = delegated(
            head, deputy, unit_id["phuongvi-1"], rights=["members:read", "members:religion"]
        )
        pointed(sensitive, "/rights/1", "right_not_held")
        # Over the commune she has another role, which changes nothing.
        made(
            api.as_("camkhe").post(
                f"/v1/accounts/{account(database, 'phuongvi-1').id}/grants",
                json={"unit_id": unit_id["phuongvi"], "role": "auditor"},
            )
        )
        above = delegated(head, deputy, unit_id["phuongvi"], rights=["members:write"])
        pointed(above, "/rights/0", "right_not_held")
        assert len(grants_of(database, account(database, "member").id)) == 1

    def test_roles_of_posts_are_each_within_a_greater_one(self) -> None:
        ordered = sorted(ROLES_OF_POSTS, key=lambda role: len(ROLE_RIGHTS[role]))
        for less, more in pairwise(ordered):
            assert ROLE_RIGHTS[less] - NOT_DELEGABLE <= ROLE_RIGHTS[more]

    @pytest.mark.parametrize(
        ("role", "kind"),
        [
            (Role.auditor, AccountKind.person),
            (Role.admin, AccountKind.person),
            (Role.integration_reader, AccountKind.client),
            (Role.commune_officer, AccountKind.client),
        ],
    )
    def test_only_holders_of_posts(
        self,
        api: Api,
        database: Database,
        unit_id: Ids,
        deputy: UUID,
        role: Role,
        kind: AccountKind,
    ) -> None:
        giver = account(database, "auditor").id
        with writing(database) as session:
            of_giver = col(Grant.account_id) == giver
            session.execute(sa.update(Grant).where(of_giver).values(role=role))
            session.execute(sa.update(Account).where(col(Account.id) == giver).values(kind=kind))
        before = count(database, Grant)
        answer = delegated(api.as_("auditor"), deputy, unit_id["phuongvi-1"], rights=["units:read"])
        if role is Role.admin:  # sees no member at all
            forbidden(answer, "members:read")
        else:
            refused(answer, 403, "only_posts_delegate")
        assert count(database, Grant) == before

    def test_what_was_handed_on_goes_no_further(
        self, api: Api, database: Database, unit_id: Ids, deputy: UUID
    ) -> None:
        made(delegated(api.as_("phuongvi-1"), deputy, unit_id["phuongvi-1"]))
        other = account(database, "phuongvi-1").member_id
        answer = delegated(api.as_("member"), other, unit_id["phuongvi-1"])
        refused(answer, 403, "only_posts_delegate")

    def test_who_can_be_the_deputy(
        self, api: Api, database: Database, unit_id: Ids, deputy: UUID
    ) -> None:
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
        forbidden(delegated(api.as_("member"), deputy, branch), "members:read")
        nobody = free_members(database, branch)[0]
        pointed(delegated(officer, nobody.id, branch), "/member_id", "member_without_account")
        foreign = account(database, "tienluong-1").member_id
        pointed(delegated(officer, foreign, branch), "/member_id", "member_unknown")
        herself = account(database, "phuongvi").member_id
        pointed(delegated(officer, herself, branch), "/member_id", "not_yourself")
        with writing(database) as session:
            session.execute(
                sa.update(Account)
                .where(col(Account.member_id) == deputy)
                .values(status=AccountStatus.disabled)
            )
        pointed(delegated(officer, deputy, branch), "/member_id", "member_without_account")

    def test_whoever_armed_the_deputy_must_hold_as_much(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        invited(officer, "lan", unit_id["phuongvi"], member_id=str(member.id))
        above = api.as_("camkhe")
        refused(delegated(above, member.id, unit_id["camkhe"]), 409, "reset_first")
        assert made(delegated(above, member.id, unit_id["phuongvi"]))["in_force"] is True


class TestWhenItIsInForce:
    def test_from_its_first_day_to_its_last(self, api: Api, unit_id: Ids, deputy: UUID) -> None:
        first, last = local_today() + timedelta(days=2), local_today() + timedelta(days=4)
        days = {"valid_from": first.isoformat(), "valid_to": last.isoformat()}
        item = made(delegated(api.as_("phuongvi-1"), deputy, unit_id["phuongvi-1"], **days))
        assert item["in_force"] is False

        def at(day: date, hour: int) -> Response:
            local = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
            with time_machine.travel(local - timedelta(hours=7), tick=False):
                return api.as_("member").get("/v1/members?limit=1")

        forbidden(at(first - timedelta(days=1), 23), "members:read")
        assert done(at(first, 0))["items"]
        assert done(at(last, 23))["items"]
        forbidden(at(last + timedelta(days=1), 0), "members:read")

    def test_only_while_the_givers_own_grant_is(
        self, api: Api, database: Database, unit_id: Ids, deputy: UUID
    ) -> None:
        made(delegated(api.as_("phuongvi-1"), deputy, unit_id["phuongvi-1"]))
        officer = api.as_("phuongvi")
        head = post_of(officer, unit_id["phuongvi-1"], "branch_head")
        assert rights(api, "member") == ["members:read", "units:read"]
        done(officer.post(f"/v1/appointments/{head['id']}/end", json={"reason": "dismissed"}))
        assert rights(api, "member") == []
        assert done(api.as_("member").get(PATH))["items"] == []
        path = f"/v1/accounts/{account(database, 'member').id}"
        assert [one["role"] for one in done(officer.get(path))["grants"]] == ["member"]

    def test_gone_with_it(self, api: Api, database: Database, unit_id: Ids, deputy: UUID) -> None:
        officer = account(database, "phutho")
        item = made(
            delegated(api.as_("phutho"), deputy, unit_id["phuongvi-1"], rights=["members:read"])
        )
        [grant] = grants_of(database, officer.id)
        assert rights(api, "member") == ["members:read"]
        done(api.as_("phutho").delete(f"/v1/accounts/{officer.id}/grants/{grant.id}"))
        assert rights(api, "member") == []
        with writing(database) as session:
            logged = session.exec(
                select(Change).where(
                    col(Change.entity_id) == item["id"], col(Change.operation) == "deleted"
                )
            ).one()
        assert logged.before is not None
        assert logged.before["rights"] == ["members:read"]

    @pytest.mark.parametrize("act", ["disable", "reset"])
    def test_it_ends_with_the_account_and_its_secret(
        self, api: Api, database: Database, unit_id: Ids, deputy: UUID, act: str
    ) -> None:
        made(delegated(api.as_("phuongvi"), deputy, unit_id["phuongvi"]))
        giver, receiver = account(database, "phuongvi"), api.as_("member")
        assert done(receiver.get("/v1/members?limit=1"))["items"]
        done(api.as_("phutho").post(f"/v1/accounts/{giver.id}/{act}"))
        forbidden(receiver.get("/v1/members?limit=1"), "members:read")
        assert done(receiver.get(PATH))["items"] == []
        if act == "disable":
            done(api.as_("phutho").post(f"/v1/accounts/{giver.id}/enable"))
            forbidden(receiver.get("/v1/members?limit=1"), "members:read")

    def test_its_cached_token_is_forgotten_with_the_givers(
        self,
        api: Api,
        app: FastAPI,
        database: Database,
        unit_id: Ids,
        deputy: UUID,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        made(delegated(api.as_("phuongvi"), deputy, unit_id["phuongvi"]))
        monkeypatch.setattr(serving(app).signin.settings, "token_recheck_seconds", 4.0)
        receiver, giver = api.as_("member"), account(database, "phuongvi")
        assert done(receiver.get("/v1/members?limit=1"))["items"]
        done(api.as_("phutho").post(f"/v1/accounts/{giver.id}/disable"))
        forbidden(receiver.get("/v1/members?limit=1"), "members:read")


class TestListDelegations:
    def test_given_by_me_and_to_me(
        self, api: Api, database: Database, unit_id: Ids, deputy: UUID
    ) -> None:
        head = api.as_("phuongvi-1")
        first = made(delegated(head, deputy, unit_id["phuongvi-1"]))
        coming = made(
            delegated(head, deputy, unit_id["phuongvi-1"], valid_from=day(40), valid_to=day(50))
        )
        to_her = made(
            delegated(
                api.as_("phuongvi"),
                account(database, "phuongvi-1").member_id,
                unit_id["phuongvi-2"],
            )
        )
        assert done(head.get(PATH))["items"] == [first, coming, to_her]
        assert done(api.as_("member").get(PATH))["items"] == [first, coming]
        assert done(api.as_("phuongvi").get(PATH))["items"] == [to_her]
        assert done(api.as_("tienluong").get(PATH))["items"] == []
        pages = []
        cursor = ""
        while True:
            page = done(head.get(f"{PATH}?limit=1{cursor}"))
            pages += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert pages == [first, coming, to_her]
        with time_machine.travel(datetime.now(UTC) + timedelta(days=32), tick=False):
            later = done(api.as_("phuongvi-1").get(PATH))["items"]
        assert [item["id"] for item in later] == [coming["id"]]
        pointed(head.get(f"{PATH}?unit=1"), "/unit", "unknown_field")

    def test_costs_one_query(
        self, api: Api, database: Database, unit_id: Ids, deputy: UUID
    ) -> None:
        head = api.as_("phuongvi-1")
        taken = []
        for _ in range(2):
            made(delegated(head, deputy, unit_id["phuongvi-1"]))
            with counted(database) as statements:
                done(head.get(PATH))
            taken.append(len(statements))
        with counted(database) as statements:
            done(head.get("/v1/posts"))
        assert taken == [len(statements) + 1] * 2


class TestEndDelegation:
    def test_by_the_giver_at_once(
        self, api: Api, database: Database, unit_id: Ids, deputy: UUID
    ) -> None:
        head = api.as_("phuongvi-1")
        item = made(delegated(head, deputy, unit_id["phuongvi-1"]))
        receiver = api.as_("member")
        assert done(receiver.get("/v1/members?limit=1"))["items"]
        answer = head.delete(f"{PATH}/{item['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        forbidden(receiver.get("/v1/members?limit=1"), "members:read")
        assert len(grants_of(database, account(database, "member").id)) == 1
        refused(head.delete(f"{PATH}/{item['id']}"), 404, "not_found")

    def test_by_an_officer_who_grants_over_the_unit(
        self, api: Api, database: Database, unit_id: Ids, deputy: UUID
    ) -> None:
        item = made(delegated(api.as_("phuongvi-1"), deputy, unit_id["phuongvi-1"]))
        path = f"{PATH}/{item['id']}"
        before = grants_of(database, account(database, "member").id)
        for name in ("tienluong", "phuongvi-2", "auditor"):
            refused(api.as_(name).delete(path), 404, "not_found")
        forbidden(api.as_("member").delete(path), "accounts:grant")
        assert grants_of(database, account(database, "member").id) == before
        assert api.as_("phuongvi").delete(path).content == b""
        assert grants_of(database, account(database, "member").id) == before[:-1]

    def test_no_other_grant_ends_here(self, api: Api, database: Database) -> None:
        [grant] = grants_of(database, account(database, "auditor").id)
        refused(api.as_("phutho").delete(f"{PATH}/{grant.id}"), 404, "not_found")
        assert grants_of(database, account(database, "auditor").id) == [grant]


class TestWhatWasDelegatedIsNotHersToGive:
    @pytest.fixture
    def admin(self, api: Api, database: Database, unit_id: Ids) -> Api:
        """Who runs accounts, with all rights over members of a commune for today."""
        member = free_members(database, unit_id["phuongvi-2"])[0]
        path = f"/v1/accounts/{account(database, 'admin').id}"
        done(api.as_("phutho").patch(path, json={"member_id": str(member.id)}))
        all_of_members = [right.value for right in Right if right.value.startswith("members:")]
        more = ["units:read", "appointments:read", "changes:read"]
        today = {"rights": all_of_members + more, "valid_to": day(0)}
        made(delegated(api.as_("phuongvi"), member.id, unit_id["phuongvi"], **today))
        mine = api.as_("admin")
        assert done(mine.get("/v1/members?limit=1"))["items"]
        return mine

    def test_no_role_no_way_in_and_no_record(
        self, api: Api, admin: Api, database: Database, unit_id: Ids
    ) -> None:
        before = (count(database, Account), count(database, Grant))
        role = {"unit_id": unit_id["phuongvi"], "role": "integration_writer"}
        head = account(database, "phuongvi-1")
        stranger = free_members(database, unit_id["phuongvi-1"])[0]
        new = {"username": "lan", "display_name": "Lan", "unit_id": unit_id["phuongvi"]}
        for path, body in (
            ("/v1/accounts", new | ABOUT | {"grants": [role]}),
            ("/v1/accounts", new | {"member_id": str(stranger.id)}),
            (
                f"/v1/accounts/{account(database, 'admin').id}/grants",
                {"unit_id": unit_id["phuongvi-1"], "role": "branch_head"},
            ),
            (f"/v1/accounts/{head.id}/reset", {}),
        ):
            answer = admin.post(path, json=body) if body else admin.post(path)
            right = refused(answer, 403, "grant_exceeds_own")["required_right"]
            assert right.partition(":")[0] in ("members", "appointments")
        assert (count(database, Account), count(database, Grant)) == before
        assert account(database, "phuongvi-1") == head

    def test_nor_does_it_vouch_for_whom_she_invited(
        self, api: Api, admin: Api, database: Database, unit_id: Ids
    ) -> None:
        new = invited(admin, "lan", unit_id["phuongvi"])
        role = {"unit_id": unit_id["phuongvi-1"], "role": "auditor"}
        answer = api.as_("phuongvi").post(f"/v1/accounts/{new['id']}/grants", json=role)
        refused(answer, 409, "reset_first")
        assert grants_of(database, new["id"]) == []


class TestTheWayIn:
    def test_who_resets_the_deputy_must_hold_what_was_handed_on(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        """Looked after by her commune, she stands in for one of the district."""
        person = account(database, "phuongvi-2")
        item = delegated(
            api.as_("camkhe"),
            person.member_id,
            unit_id["tienluong"],
            rights=[Right.members_ethnicity.value],
        )
        made(item)
        path = f"/v1/accounts/{person.id}/reset"
        told = refused(api.as_("phuongvi").post(path), 403, "grant_exceeds_own")
        assert told["required_right"] == "members:ethnicity"
        assert done(api.as_("camkhe").post(path))["code"]
