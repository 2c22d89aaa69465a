"""The change log over HTTP: what is in it, who reads which part of it, and the history of one."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from app.clock import local_today, utc_now
from app.db import Database
from app.models.identity.clients import ClientSecret
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change, ChangeSource, Feed
from app.models.members.members import Member
from app.services.kernel import changes
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import PASSWORD, Api, writing
from tests.helpers.programs import ABOUT
from tests.kernel.changes import account, done, head, read, someone


def move_member(database: Database, member_id: str, branch_id: int, commune_id: int) -> None:
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.job))
        member = session.get_one(Member, UUID(member_id), with_for_update=True)
        member.branch_id, member.commune_id = branch_id, commune_id


class TestWhatIsLogged:
    @pytest.fixture
    def since(self, database: Database) -> int:
        return head(database)

    def test_a_change_says_who_when_where_and_what(
        self, api: Api, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi']}"
        before = utc_now()
        answer = officer.patch(path, json={"phone": "1", "address": "Khu 1"})
        [change] = read(officer, f"&after={since}")
        at = change.pop("at")
        assert before.isoformat() <= at.replace("Z", "+00:00") <= utc_now().isoformat()
        assert change == {
            "seq": since + 1,
            "operation": "updated",
            "entity": "unit",
            "entity_id": str(unit_id["phuongvi"]),
            "revision": 2,
            "unit_id": unit_id["phuongvi"],
            "account_id": str(account(database, "phuongvi").id),
            "device": "test",
            "request_id": answer.headers["x-request-id"],
            "source": "api",
            "source_ref": None,
            "before": {"phone": None, "address": None},
            "after": {"phone": "1", "address": "Khu 1"},
            "masked": [],
        }
        with writing(database) as session:
            row = session.exec(
                select(Change).where(col(Change.request_id) == answer.headers["x-request-id"])
            ).one()
        sessions = done(officer.get("/v1/auth/sessions"))["items"]
        assert str(row.session_id) in [item["id"] for item in sessions]

    def test_the_life_of_a_unit(
        self, api: Api, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        officer = api.as_("phutho")
        day, after = ((local_today() - timedelta(days=days)).isoformat() for days in (9, 8))
        body = {"level": "branch", "name": "Chi hội khu 5", "opened_on": "2020-01-01"}
        new = done(officer.post("/v1/units", json=body | {"parent_id": unit_id["phuongvi"]}))
        path = f"/v1/units/{new['id']}"
        done(officer.patch(path, json={"name": "Chi hội mới", "effective_on": "2021-01-01"}))
        move = {"parent_id": unit_id["tienluong"], "effective_on": "2022-01-01"}
        done(officer.post(f"{path}/moves", json=move))
        done(officer.post(f"{path}/close", json={"effective_on": after}))
        log = read(officer, f"&kinds=unit&after={since}")
        assert {(c["entity_id"], c["unit_id"]) for c in log} == {(str(new["id"]), new["id"])}
        # Each act is a reorganisation of its own.
        acts = read(officer, f"&kinds=reorganisation&after={since}")
        assert [c["operation"] for c in acts] == ["created"] * 4
        assert [(c["operation"], c["revision"], c["before"], c["after"]) for c in log] == [
            (
                "created",
                1,
                None,
                {
                    "level": "branch",
                    "name": "Chi hội khu 5",
                    "code": None,
                    "area_type": None,
                    "group_kind": None,
                    "parent_id": unit_id["phuongvi"],
                    "opened_on": "2020-01-01",
                    "closed_on": None,
                    "phone": None,
                    "email": None,
                    "address": None,
                    "effective_on": "2020-01-01",
                },
            ),
            (
                "updated",
                2,
                {"name": "Chi hội khu 5"},
                {"name": "Chi hội mới", "effective_on": "2021-01-01"},
            ),
            *(
                (
                    side,
                    3,
                    {"parent_id": unit_id["phuongvi"]},
                    {"parent_id": unit_id["tienluong"], "effective_on": "2022-01-01"},
                )
                for side in ("left_scope", "entered_scope")
            ),
            ("updated", 4, {"closed_on": None}, {"closed_on": day, "effective_on": after}),
        ]
        with writing(database) as session:
            rows = session.exec(
                select(Feed)
                .where(col(Feed.seq) > since, col(Feed.entity) == "unit")
                .order_by(col(Feed.seq))
            ).all()
            kept = session.exec(
                select(Change.operation).where(col(Change.entity_id) == str(new["id"]))
            ).all()
        old, now = unit_id["phuongvi"], unit_id["tienluong"]
        assert [row.commune_id for row in rows] == [old, old, old, now, now]
        assert {row.branch_id for row in rows} == {new["id"]}
        assert sorted(kept) == ["created", "moved", "updated", "updated"]

    def test_the_life_of_a_member(self, api: Api, unit_id: UnitIds, since: int) -> None:
        leader = api.as_("phuongvi-1")
        body = {
            "branch_id": unit_id["phuongvi-1"],
            "full_name": "Hà Thị Mơ",
            "birth_date": "1980-05",
            "joined_on": "2010-03-08",
            "phone": "0912345678",
        }
        new = done(leader.post("/v1/members", json=body))
        path = f"/v1/members/{new['id']}"
        done(leader.patch(path, json={"full_name": "Hà Thị Mận", "birth_date": "1981"}))
        created, spell, updated = read(api.as_("phuongvi"), f"&after={since}")
        assert (spell["entity"], spell["operation"]) == ("membership", "created")
        assert (spell["after"]["member_id"], spell["after"]["valid_from"]) == (
            new["id"],
            "2010-03-08",
        )
        assert (created["operation"], created["before"]) == ("created", None)
        assert created["after"] == {
            "branch_id": unit_id["phuongvi-1"],
            "commune_id": unit_id["phuongvi"],
            "province_id": unit_id["phutho"],
            "full_name": "Hà Thị Mơ",
            "birth_date": "1980-05",
            "gender": "female",
            "kind": "regular",
            "status": "active",
            "joined_on": "2010-03-08",
            "core": False,
            "phone": "+84912345678",
            "address": None,
            "given_name": None,
            "hometown": None,
            "citizen_id": None,
            "id_card": None,
            "ethnicity": None,
            "religion": None,
            "party": None,
            "party_joined_on": None,
            "education": None,
            "qualification": None,
            "occupation": None,
            "household_id": None,
            "photo": None,
            "restricted": False,
        }
        assert (updated["operation"], updated["revision"]) == ("updated", 2)
        assert updated["before"] == {"full_name": "Hà Thị Mơ", "birth_date": "1980-05"}
        assert updated["after"] == {"full_name": "Hà Thị Mận", "birth_date": "1981"}

    def test_the_life_of_an_account_and_its_grants(
        self, api: Api, unit_id: UnitIds, since: int
    ) -> None:
        officer = api.as_("phuongvi")
        body = {"username": "moi", "display_name": "Hà Thị Mơ", "unit_id": unit_id["phuongvi-1"]}
        new = done(officer.post("/v1/accounts", json=body))
        path = f"/v1/accounts/{new['id']}"
        done(officer.patch(path, json={"display_name": "Hà Thị Mận"}))
        grant = {"unit_id": unit_id["phuongvi-1"], "role": "branch_head"}
        [held] = done(officer.post(f"{path}/grants", json=grant))["grants"]
        done(officer.delete(f"{path}/grants/{held['id']}"))
        done(officer.post(f"{path}/disable"))
        log = read(officer, f"&after={since}")
        assert [(c["entity"], c["operation"], c["entity_id"]) for c in log] == [
            ("account", "created", new["id"]),
            ("account", "updated", new["id"]),
            ("grant", "created", held["id"]),
            ("grant", "deleted", held["id"]),
            ("account", "updated", new["id"]),
        ]
        assert {c["unit_id"] for c in log} == {unit_id["phuongvi-1"]}
        assert log[1]["before"] == {"display_name": "Hà Thị Mơ"}
        assert log[1]["after"] == {"display_name": "Hà Thị Mận"}
        given, ended = log[2], log[3]
        assert (given["before"], ended["after"]) == (None, None)
        assert given["after"] == ended["before"]
        assert given["after"] == {
            "account_id": new["id"],
            "unit_id": unit_id["phuongvi-1"],
            "role": "branch_head",
            "valid_from": local_today().isoformat(),
            "valid_to": None,
            "granted_by": log[0]["account_id"],
            "appointment_id": None,
            "parent_id": None,
            "rights": None,
            "reads_past": False,
        }
        assert (log[4]["before"]["status"], log[4]["after"]["status"]) == ("invited", "disabled")

    def test_no_secret_is_ever_in_it(
        self, api: Api, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        officer = api.as_("phuongvi")
        body = {"username": "moi", "display_name": "Hà Thị Mơ", "unit_id": unit_id["phuongvi-1"]}
        new = done(officer.post("/v1/accounts", json=body))
        reset = done(officer.post(f"/v1/accounts/{new['id']}/reset"))
        client = ABOUT | {"username": "may-chu", "display_name": "Máy chủ"}
        machine = done(officer.post("/v1/accounts", json=body | client))
        own = api.as_("phuongvi-1")
        password = "mat-khau-moi-2026"
        change = {"current_password": PASSWORD, "new_password": password}
        assert own.post("/v1/me/password", json=change).is_success
        with writing(database) as session:
            stored = [
                secret
                for row in session.exec(select(Account))
                for secret in (row.password_hash, row.code_digest)
                if secret is not None
            ]
            stored += session.exec(select(ClientSecret.digest)).all()
            rows = session.exec(select(Change).where(col(Change.source) == ChangeSource.api)).all()
            logged = json.dumps([(row.before, row.after) for row in rows])
        shown = [new["code"], reset["code"], machine["client_secret"], password, PASSWORD]
        assert len(stored) > 3
        assert [secret for secret in (*shown, *stored) if secret in logged] == []
        log = read(officer, f"&after={since}&kinds=account&kinds=client_secret")
        secrets = ("password_hash", "digest", "code_digest")
        told = {c["after"].get(name) for c in log for name in secrets}
        assert told == {None, "set"}

    @pytest.mark.parametrize(
        ("entity", "derived"),
        [
            ("unit", {"name_key", "province_id", "district_id", "commune_id", "branch_id"}),
            ("member", {"sort_key", "search_key", "birth_year"}),
            ("account", set[str]()),
            ("grant", set[str]()),
        ],
    )
    def test_nothing_derived_is_in_it(
        self, api: Api, database: Database, entity: str, derived: set[str]
    ) -> None:
        derived |= {"id", "revision", "created_at", "updated_at"}
        with writing(database) as session:
            rows = session.exec(select(Change).where(col(Change.entity) == entity)).all()
        assert rows
        assert {name for row in rows for name in row.after or {}} & derived == set()

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("units", {"phone": None, "email": None, "address": None}),
            ("units", {"name": "Chi hội khu 1"}),
            ("members", None),
            ("units", {}),
        ],
    )
    def test_equal_values_are_no_change(
        self,
        api: Api,
        database: Database,
        unit_id: UnitIds,
        since: int,
        path: str,
        body: Json | None,
    ) -> None:
        officer = api.as_("phuongvi")
        own_id: Any = unit_id["phuongvi-1"]
        if body is None:
            member = someone(officer, unit_id["phuongvi-1"])
            own_id, body = member["id"], {n: member[n] for n in ("full_name", "phone", "religion")}
        answer = done(officer.patch(f"/v1/{path}/{own_id}", json=body))
        assert answer["revision"] == 1
        assert head(database) == since

    def test_what_failed_is_no_change(
        self, api: Api, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        officer = api.as_("phuongvi")
        grants = [
            {"unit_id": unit_id["phuongvi-1"], "role": "branch_head"},
            {"unit_id": unit_id["tienluong-1"], "role": "branch_head"},
        ]
        body = {"username": "moi", "display_name": "Hà Thị Mơ", "unit_id": unit_id["phuongvi-1"]}
        answer = officer.post("/v1/accounts", json=body | {"grants": grants})
        pointed(answer, "/grants/1/unit_id", "unit_unknown")
        taken = {"level": "commune", "name": "Xã", "code": "08344", "opened_on": "2020-01-01"}
        district = {"parent_id": unit_id["camkhe"]}
        refused(api.as_("phutho").post("/v1/units", json=taken | district), 409, "code_taken")
        with writing(database) as session:
            found = session.exec(select(Account).where(col(Account.username) == "moi")).all()
            logged = session.exec(
                select(Change).where(col(Change.source) == ChangeSource.api)
            ).all()
        assert (found, logged) == ([], [])
        assert head(database) == since

    def test_a_replayed_request_is_no_second_change(
        self, api: Api, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/units/{unit_id['phuongvi']}"
        for _ in range(2):
            key = {"idempotency-key": "once"}
            assert done(officer.patch(path, json={"phone": "1"}, headers=key))["revision"] == 2
        assert head(database) == since + 1


class TestMovedMember:
    @pytest.fixture
    def member(self, api: Api, database: Database, unit_id: UnitIds) -> Json:
        """Someone who went from the first branch of Phượng Vĩ to the first of Tiên Lương."""
        found = someone(api.as_("phutho"), unit_id["phuongvi-1"])
        move_member(database, found["id"], unit_id["tienluong-1"], unit_id["tienluong"])
        return found

    def test_leaves_one_scope_and_enters_the_other(
        self, api: Api, database: Database, unit_id: UnitIds, member: Json
    ) -> None:
        last = head(database)
        left, entered = read(api.as_("phutho"), f"&after={last - 2}")
        change = {
            "before": {"branch_id": unit_id["phuongvi-1"], "commune_id": unit_id["phuongvi"]},
            "after": {"branch_id": unit_id["tienluong-1"], "commune_id": unit_id["tienluong"]},
            "revision": 2,
            "entity_id": member["id"],
        }
        for row, operation, branch in (
            (left, "left_scope", "phuongvi-1"),
            (entered, "entered_scope", "tienluong-1"),
        ):
            assert {name: row[name] for name in change} == change
            assert (row["operation"], row["unit_id"]) == (operation, unit_id[branch])
        with writing(database) as session:
            rows = session.exec(
                select(Feed).where(col(Feed.seq) > last - 2).order_by(col(Feed.seq))
            ).all()
        assert [(r.province_id, r.commune_id, r.branch_id) for r in rows] == [
            (unit_id["phutho"], unit_id[commune], unit_id[f"{commune}-1"])
            for commune in ("phuongvi", "tienluong")
        ]
        assert rows[0].change_id == rows[1].change_id

    @pytest.mark.parametrize(
        ("who", "operation"),
        [
            ("phuongvi-1", "left_scope"),
            ("phuongvi", "left_scope"),
            ("tienluong-1", "entered_scope"),
            ("tienluong", "entered_scope"),
        ],
    )
    def test_each_side_reads_its_own_half(
        self, api: Api, database: Database, member: Json, who: str, operation: str
    ) -> None:
        [change] = read(api.as_(who), f"&after={head(database) - 2}")
        assert (change["operation"], change["entity_id"]) == (operation, member["id"])

    def test_next_door_reads_neither(self, api: Api, database: Database, member: Json) -> None:
        assert read(api.as_("phuongvi-2"), f"&after={head(database) - 2}") == []

    def test_the_old_branch_reads_nothing_of_her_life_in_the_new_one(
        self, api: Api, database: Database, member: Json
    ) -> None:
        since = head(database)
        answer = api.as_("tienluong-1").patch(
            f"/v1/members/{member['id']}", json={"full_name": "Hà Thị Mơ"}
        )
        assert done(answer)["revision"] == 3
        assert read(api.as_("phuongvi-1"), f"&after={since}") == []
        [change] = read(api.as_("tienluong-1"), f"&after={since}")
        assert change["after"] == {"full_name": "Hà Thị Mơ"}

    def test_her_history_tells_the_move_once(
        self, api: Api, unit_id: UnitIds, member: Json
    ) -> None:
        path = f"/v1/changes/history?entity=member&entity_id={member['id']}"
        body = done(api.as_("phutho").get(path))
        [branch] = [field for field in body["fields"] if field["field"] == "branch_id"]
        assert [value["value"] for value in branch["values"]] == [
            unit_id["phuongvi-1"],
            unit_id["tienluong-1"],
        ]
        assert body["revision"] == 2
