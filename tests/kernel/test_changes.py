"""The change log over HTTP: what is in it, who reads which part of it, and the history of one."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import Response
from sqlmodel import col, select

from app.clock import local_today, utc_now
from app.db import Database
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change, ChangeSource, Feed, FeedHead
from app.models.members.members import Member
from app.services.kernel import changes, sequencer
from tests.helpers.client import PASSWORD, Api, counted, writing
from tests.helpers.reading import Reading

UnitIds = dict[str, int]
Json = dict[str, Any]
TODAY = local_today()
HEAD_MASKED = ["ethnicity", "religion", "party", "party_joined_on"]
MASKED = ["phone", "citizen_id", "id_card", *HEAD_MASKED]
# What is logged of a branch besides its accounts.
OF_A_BRANCH = {"unit", "member", "membership", "appointment"}


def refused(answer: Response, status: int, code: str) -> Json:
    body: Json = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    return body


def pointed(answer: Response, pointer: str, code: str) -> None:
    body = refused(answer, 422, "validation_failed")
    assert [(error["pointer"], error["code"]) for error in body["errors"]] == [(pointer, code)]


def done(answer: Response) -> Json:
    assert answer.is_success, answer.text
    body: Json = answer.json()
    return body


def head(database: Database) -> int:
    sequencer.settle(database)
    with writing(database) as session:
        return session.exec(select(FeedHead.seq)).one()


def read(api: Api, query: str = "") -> list[Json]:
    """The whole list, page by page."""
    body = done(api.get(f"/v1/changes?limit=200{query}"))
    items: list[Json] = body["items"]
    while body["next_cursor"] is not None:
        body = done(api.get(f"/v1/changes?limit=200{query}&cursor={body['next_cursor']}"))
        items += body["items"]
    return items


def account(database: Database, username: str) -> Account:
    with writing(database) as session:
        return session.exec(select(Account).where(col(Account.username) == username)).one()


def someone(api: Api, branch_id: int) -> Json:
    member: Json = done(api.get(f"/v1/members?branch={branch_id}&limit=1"))["items"][0]
    return member


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
        [change] = read(officer, f"&since={since}")
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
        day = (TODAY - timedelta(days=9)).isoformat()
        body = {"level": "branch", "name": "Chi hội khu 5", "opened_on": "2020-01-01"}
        new = done(officer.post("/v1/units", json=body | {"parent_id": unit_id["phuongvi"]}))
        path = f"/v1/units/{new['id']}"
        done(officer.patch(path, json={"name": "Chi hội mới", "effective_on": "2021-01-01"}))
        move = {"parent_id": unit_id["tienluong"], "effective_on": "2022-01-01"}
        done(officer.post(f"{path}/moves", json=move))
        done(officer.post(f"{path}/close", json={"closed_on": day}))
        log = read(officer, f"&since={since}")
        assert {(c["entity"], c["entity_id"], c["unit_id"]) for c in log} == {
            ("unit", str(new["id"]), new["id"])
        }
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
                },
            ),
            ("updated", 2, {"name": "Chi hội khu 5"}, {"name": "Chi hội mới"}),
            *(
                (side, 3, {"parent_id": unit_id["phuongvi"]}, {"parent_id": unit_id["tienluong"]})
                for side in ("left_scope", "entered_scope")
            ),
            ("updated", 4, {"closed_on": None}, {"closed_on": day}),
        ]
        with writing(database) as session:
            rows = session.exec(
                select(Feed).where(col(Feed.seq) > since).order_by(col(Feed.seq))
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
        created, spell, updated = read(api.as_("phuongvi"), f"&since={since}")
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
        log = read(officer, f"&since={since}")
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
            "valid_from": TODAY.isoformat(),
            "valid_to": None,
            "granted_by": log[0]["account_id"],
            "appointment_id": None,
            "parent_id": None,
            "rights": None,
        }
        assert (log[4]["before"]["status"], log[4]["after"]["status"]) == ("invited", "disabled")

    def test_no_secret_is_ever_in_it(
        self, api: Api, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        officer = api.as_("phuongvi")
        body = {"username": "moi", "display_name": "Hà Thị Mơ", "unit_id": unit_id["phuongvi-1"]}
        new = done(officer.post("/v1/accounts", json=body))
        reset = done(officer.post(f"/v1/accounts/{new['id']}/reset"))
        client = {"kind": "client", "username": "may-chu", "display_name": "Máy chủ"}
        machine = done(officer.post("/v1/accounts", json=body | client))
        own = api.as_("phuongvi-1")
        password = "mat-khau-moi-2026"
        change = {"current_password": PASSWORD, "new_password": password}
        assert own.post("/v1/me/password", json=change).is_success
        with writing(database) as session:
            stored = [
                secret
                for row in session.exec(select(Account))
                for secret in (row.password_hash, row.secret_digest, row.code_digest)
                if secret is not None
            ]
            rows = session.exec(select(Change).where(col(Change.source) == ChangeSource.api)).all()
            logged = json.dumps([(row.before, row.after) for row in rows])
        shown = [new["code"], reset["code"], machine["client_secret"], password, PASSWORD]
        assert len(stored) > 3
        assert [secret for secret in (*shown, *stored) if secret in logged] == []
        log = read(officer, f"&since={since}&entity=account")
        secrets = ("password_hash", "secret_digest", "code_digest")
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


class TestListChanges(Reading):
    def test_the_order_is_gapless_from_the_first_change_on(
        self, api: Api, database: Database
    ) -> None:
        log = read(api.as_("phutho"))
        assert [change["seq"] for change in log] == list(range(1, head(database) + 1))
        assert {change["source"] for change in log} == {"demo"}

    @pytest.mark.parametrize("limit", [7, 100])
    def test_pages_joined_are_the_whole_list(self, api: Api, unit_id: UnitIds, limit: int) -> None:
        officer = api.as_("phutho")
        query = f"unit={unit_id['phuongvi-1']}&limit={limit}"
        body = done(officer.get(f"/v1/changes?{query}"))
        items = body["items"]
        while body["next_cursor"] is not None:
            body = done(officer.get(f"/v1/changes?{query}&cursor={body['next_cursor']}"))
            items += body["items"]
        assert items == read(officer, f"&unit={unit_id['phuongvi-1']}")
        assert len(items) > limit or limit == 100

    def test_since_the_last_seq_seen_comes_the_rest(self, api: Api, database: Database) -> None:
        officer, last = api.as_("phutho"), head(database)
        assert [change["seq"] for change in read(officer, f"&since={last - 3}")] == [
            last - 2,
            last - 1,
            last,
        ]
        assert read(officer, f"&since={last}") == []
        assert read(officer, f"&since={2**63 - 1}") == []
        assert len(read(officer, "&since=0")) == last

    @pytest.mark.parametrize(("entity", "count"), [("unit", 12), ("account", 15), ("grant", 15)])
    def test_by_entity(self, api: Api, entity: str, count: int) -> None:
        log = read(api.as_("phutho"), f"&entity={entity}")
        assert {change["entity"] for change in log} == {entity}
        assert len(log) == count

    def test_by_one_entity(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        member = someone(officer, unit_id["phuongvi-1"])
        [change] = read(officer, f"&entity=member&id={member['id']}")
        assert (change["entity_id"], change["operation"]) == (member["id"], "created")
        assert change["after"]["full_name"] == member["full_name"]
        assert read(officer, f"&entity=unit&id={member['id']}") == []

    def test_by_unit_is_the_unit_and_all_below_it(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        in_commune = [unit_id[f"phuongvi-{number}"] for number in (1, 2, 3, 4)]
        log = read(officer, f"&unit={unit_id['phuongvi']}&entity=member")
        assert {change["unit_id"] for change in log} == set(in_commune)
        one = read(officer, f"&unit={in_commune[0]}")
        assert {change["unit_id"] for change in one} == {in_commune[0]}
        assert {change["entity"] for change in one} == OF_A_BRANCH | {"account", "grant"}
        assert len(read(officer, f"&unit={unit_id['camkhe']}&entity=unit")) == 11

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("colour=red", "/colour", "unknown_field"),
            ("entity=password", "/entity", "not_in_list"),
            ("since=-1", "/since", "too_small"),
            (f"since={2**63}", "/since", "too_large"),
            ("since=now", "/since", "wrong_type"),
            ("actor=phutho", "/actor", "id_invalid"),
            ("unit=0", "/unit", "too_small"),
            ("id=" + 37 * "a", "/id", "too_long"),
            ("limit=201", "/limit", "too_large"),
            ("cursor=abc", "/cursor", "cursor_invalid"),
            ("fields=password_hash", "/fields", "not_in_list"),
        ],
    )
    def test_refuses_what_it_does_not_know(
        self, api: Api, query: str, pointer: str, code: str
    ) -> None:
        pointed(api.as_("phutho").get(f"/v1/changes?{query}"), pointer, code)

    def test_requires_login_and_the_right(self, api: Api) -> None:
        refused(api.get("/v1/changes"), 401, "not_authenticated")
        body = refused(api.as_("member").get("/v1/changes"), 403, "forbidden")
        assert body["required_right"] == "changes:read"

    def test_costs_the_same_for_few_changes_and_many(self, api: Api, database: Database) -> None:
        officer = api.as_("phutho")
        with counted(database) as few:
            officer.get("/v1/changes?limit=2")
        with counted(database) as many:
            officer.get("/v1/changes?limit=200")
        assert len(many) == len(few)


class TestWhoReadsWhat(Reading):
    def test_a_branch_head_reads_her_branch_and_no_accounts(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        log = read(api.as_("phuongvi-1"))
        assert {change["unit_id"] for change in log} == {unit_id["phuongvi-1"]}
        assert {change["entity"] for change in log} == OF_A_BRANCH

    def test_a_commune_officer_reads_her_commune(self, api: Api, unit_id: UnitIds) -> None:
        log = read(api.as_("phuongvi"))
        expected = {unit for slug, unit in unit_id.items() if slug.startswith("phuongvi")}
        assert {change["unit_id"] for change in log} == expected
        assert {change["entity"] for change in log} == OF_A_BRANCH | {"account", "grant"}

    def test_a_district_officer_reads_her_communes(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        log = read(api.as_("camkhe"))
        assert {change["unit_id"] for change in log} == set(unit_id.values()) - {unit_id["phutho"]}
        members = [change for change in log if change["entity"] == "member"]
        with writing(database) as session:
            assert len(members) == len(session.exec(select(Member.id)).all())

    def test_the_administrator_reads_no_members(self, api: Api, unit_id: UnitIds) -> None:
        log = read(api.as_("admin"))
        assert {change["entity"] for change in log} == {"unit", "account", "grant"}
        assert {change["unit_id"] for change in log} == set(unit_id.values())
        assert read(api.as_("admin"), "&entity=member") == []

    def test_a_filter_never_widens_the_scope(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        reader = api.as_("phuongvi-1")
        stranger = someone(api.as_("phutho"), unit_id["tienluong-1"])
        for query in (f"&entity=member&id={stranger['id']}", "&entity=account"):
            assert read(reader, query) == []
        for unit in (unit_id["tienluong"], 2_000_000_000):
            refused = reader.get(f"/v1/changes?unit={unit}")
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["code"] == "unit_unknown"

    @pytest.mark.parametrize(
        ("who", "masked"),
        [
            ("phuongvi", []),
            ("phuongvi-1", HEAD_MASKED),
            ("auditor", MASKED),
        ],
    )
    def test_what_is_masked_in_a_member_is_masked_in_her_changes(
        self, api: Api, unit_id: UnitIds, who: str, masked: list[str]
    ) -> None:
        log = read(api.as_(who), f"&entity=member&unit={unit_id['phuongvi-1']}")
        assert {tuple(change["masked"]) for change in log} == {tuple(masked)}
        for name in set(MASKED) - {"id_card"}:  # nobody of the demo has an old card
            values = {change["after"][name] for change in log}
            assert (values == {None}) is (name in masked)
        assert None not in {change["after"]["full_name"] for change in log}

    def test_other_entities_have_nothing_to_mask(self, api: Api) -> None:
        for entity in ("unit", "account", "grant"):
            log = read(api.as_("auditor"), f"&entity={entity}")
            assert {tuple(change["masked"]) for change in log} == {()}


class TestChangesOfOneActor:
    def test_by_actor(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        for who in ("phuongvi", "phutho"):
            path = f"/v1/units/{unit_id['phuongvi']}"
            done(api.as_(who).patch(path, json={"phone": who}))
        officer = api.as_("phutho")
        for who in ("phuongvi", "phutho"):
            [change] = read(officer, f"&actor={account(database, who).id}")
            assert change["after"] == {"phone": who}
        assert read(officer, f"&actor={account(database, 'camkhe').id}") == []


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
        left, entered = read(api.as_("phutho"), f"&since={last - 2}")
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
        [change] = read(api.as_(who), f"&since={head(database) - 2}")
        assert (change["operation"], change["entity_id"]) == (operation, member["id"])

    def test_next_door_reads_neither(self, api: Api, database: Database, member: Json) -> None:
        assert read(api.as_("phuongvi-2"), f"&since={head(database) - 2}") == []

    def test_the_old_branch_reads_nothing_of_her_life_in_the_new_one(
        self, api: Api, database: Database, member: Json
    ) -> None:
        since = head(database)
        answer = api.as_("tienluong-1").patch(
            f"/v1/members/{member['id']}", json={"full_name": "Hà Thị Mơ"}
        )
        assert done(answer)["revision"] == 3
        assert read(api.as_("phuongvi-1"), f"&since={since}") == []
        [change] = read(api.as_("tienluong-1"), f"&since={since}")
        assert change["after"] == {"full_name": "Hà Thị Mơ"}

    def test_her_history_tells_the_move_once(
        self, api: Api, unit_id: UnitIds, member: Json
    ) -> None:
        path = f"/v1/changes/history?entity=member&id={member['id']}"
        body = done(api.as_("phutho").get(path))
        [branch] = [field for field in body["fields"] if field["field"] == "branch_id"]
        assert [value["value"] for value in branch["values"]] == [
            unit_id["phuongvi-1"],
            unit_id["tienluong-1"],
        ]
        assert body["revision"] == 2


class TestHistory:
    def test_every_value_a_field_ever_had(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, since = api.as_("phuongvi"), head(database)
        path = f"/v1/units/{unit_id['phuongvi']}"
        for phone in ("1", "2", None):
            done(officer.patch(path, json={"phone": phone}))
        done(officer.patch(path, json={"address": "Khu 1"}))
        body = done(officer.get(f"/v1/changes/history?entity=unit&id={unit_id['phuongvi']}"))
        assert {n: body[n] for n in ("entity", "entity_id", "revision", "masked")} == {
            "entity": "unit",
            "entity_id": str(unit_id["phuongvi"]),
            "revision": 5,
            "masked": [],
        }
        fields = {field["field"]: field["values"] for field in body["fields"]}
        assert [value["value"] for value in fields["phone"]] == [None, "1", "2", None]
        assert [value["seq"] for value in fields["phone"][1:]] == [since + 1, since + 2, since + 3]
        own = str(account(database, "phuongvi").id)
        assert [value["account_id"] for value in fields["phone"]] == [None, own, own, own]
        times = [value["at"] for value in fields["phone"]]
        assert times == sorted(times)
        assert [value["value"] for value in fields["address"]] == [None, "Khu 1"]
        assert [value["value"] for value in fields["name"]] == ["Xã Phượng Vĩ"]

    def test_masks_what_the_reader_may_not_see(self, api: Api, unit_id: UnitIds) -> None:
        member = someone(api.as_("phutho"), unit_id["phuongvi-1"])
        path = f"/v1/changes/history?entity=member&id={member['id']}"
        body = done(api.as_("auditor").get(path))
        fields = {field["field"]: field["values"] for field in body["fields"]}
        assert body["masked"] == MASKED
        assert [[value["value"] for value in fields[name]] for name in MASKED] == [[None]] * 7
        assert fields["full_name"][0]["value"] == member["full_name"]

    def test_out_of_scope_looks_like_nothing(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        stranger = someone(api.as_("phutho"), unit_id["tienluong-1"])
        reader, path = api.as_("phuongvi-1"), "/v1/changes/history"
        nobody = "0192f0c1-0000-7000-8000-000000000000"
        bodies = [
            refused(reader.get(f"{path}?entity={entity}&id={entity_id}"), 404, "not_found")
            for entity, entity_id in (
                ("member", nobody),
                ("member", stranger["id"]),
                ("unit", unit_id["phuongvi"]),
                ("account", account(database, "phuongvi-1").id),
            )
        ]
        told = [{n: body[n] for n in ("title", "detail", "status", "type")} for body in bodies]
        assert told == [told[0]] * 4

    def test_the_administrator_has_no_history_of_members(self, api: Api, unit_id: UnitIds) -> None:
        member = someone(api.as_("phutho"), unit_id["phuongvi-1"])
        path = f"/v1/changes/history?entity=member&id={member['id']}"
        refused(api.as_("admin").get(path), 404, "not_found")

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("id=1", "/entity", "required"),
            ("entity=unit", "/id", "required"),
            ("entity=feed&id=1", "/entity", "not_in_list"),
            ("entity=unit&id=1&since=1", "/since", "unknown_field"),
        ],
    )
    def test_refuses_what_it_does_not_know(
        self, api: Api, query: str, pointer: str, code: str
    ) -> None:
        pointed(api.as_("phutho").get(f"/v1/changes/history?{query}"), pointer, code)

    def test_requires_login_and_the_right(self, api: Api) -> None:
        path = "/v1/changes/history?entity=unit&id=1"
        refused(api.get(path), 401, "not_authenticated")
        body = refused(api.as_("member").get(path), 403, "forbidden")
        assert body["required_right"] == "changes:read"


class TestWhatFollowersRelyOn:
    def test_the_end_of_a_grant_is_later_than_its_beginning(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phutho")
        [auditor] = done(officer.get("/v1/accounts?q=auditor"))["items"]
        [grant] = auditor["grants"]
        done(officer.delete(f"/v1/accounts/{auditor['id']}/grants/{grant['id']}"))
        log = read(officer, f"&entity=grant&id={grant['id']}")
        assert [(c["operation"], c["revision"]) for c in log] == [("created", 1), ("deleted", 2)]

    def test_an_id_in_capitals_is_the_same_id(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        one = someone(officer, unit_id["phuongvi-1"])["id"]
        assert read(officer, f"&entity=member&id={one.upper()}") == (
            read(officer, f"&entity=member&id={one}")
        )
        assert officer.get(f"/v1/changes/history?entity=member&id={one.upper()}").status_code == 200

    def test_a_unit_has_what_happened_in_it_and_not_what_happened_where_its_branch_went(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        officer, branch = api.as_("phutho"), unit_id["phuongvi-2"]
        one = someone(officer, branch)["id"]
        move = {"parent_id": unit_id["tienluong"], "effective_on": "2026-01-01"}
        assert officer.post(f"/v1/units/{branch}/moves", json=move).status_code == 200
        patch = officer.patch(f"/v1/members/{one}", json={"phone": "0912345678"})
        assert patch.status_code == 200
        told = f"&entity=member&id={one}"
        before = read(officer, f"&unit={unit_id['phuongvi']}{told}")
        after = read(officer, f"&unit={unit_id['tienluong']}{told}")
        assert [change["operation"] for change in before] == ["created", "left_scope"]
        assert [change["operation"] for change in after] == ["entered_scope", "updated"]
