"""The change log over HTTP: what is in it, who reads which part of it, and the history of one."""

import pytest
from sqlmodel import select

from app.db import Database
from app.models.members.members import Member
from tests.helpers.answers import UnitIds, pointed, refused
from tests.helpers.client import Api, counted, writing
from tests.helpers.reading import Reading
from tests.kernel.changes import account, done, head, read, someone

HEAD_MASKED = ["ethnicity", "religion", "party", "party_joined_on"]


MASKED = ["phone", "citizen_id", "id_card", *HEAD_MASKED]


# What is logged of a branch besides its accounts.
OF_A_BRANCH = {"unit", "member", "membership", "appointment"}


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
        assert [change["seq"] for change in read(officer, f"&after={last - 3}")] == [
            last - 2,
            last - 1,
            last,
        ]
        assert read(officer, f"&after={last}") == []
        assert len(read(officer, "&after=0")) == last

    @pytest.mark.parametrize(("entity", "count"), [("unit", 12), ("account", 16), ("grant", 16)])
    def test_by_entity(self, api: Api, entity: str, count: int) -> None:
        log = read(api.as_("phutho"), f"&kinds={entity}")
        assert {change["entity"] for change in log} == {entity}
        assert len(log) == count

    def test_by_one_entity(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        member = someone(officer, unit_id["phuongvi-1"])
        [change] = read(officer, f"&kinds=member&entity_id={member['id']}")
        assert (change["entity_id"], change["operation"]) == (member["id"], "created")
        assert change["after"]["full_name"] == member["full_name"]
        assert read(officer, f"&kinds=unit&entity_id={member['id']}") == []

    def test_by_unit_is_the_unit_and_all_below_it(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        in_commune = [unit_id[f"phuongvi-{number}"] for number in (1, 2, 3, 4)]
        log = read(officer, f"&unit={unit_id['phuongvi']}&kinds=member")
        assert {change["unit_id"] for change in log} == set(in_commune)
        one = read(officer, f"&unit={in_commune[0]}")
        assert {change["unit_id"] for change in one} == {in_commune[0]}
        assert {change["entity"] for change in one} == OF_A_BRANCH | {"account", "grant"}
        assert len(read(officer, f"&unit={unit_id['camkhe']}&kinds=unit")) == 11

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("colour=red", "/colour", "unknown_field"),
            ("kinds=password", "/kinds/0", "not_in_list"),
            ("kinds=unit,password", "/kinds/1", "not_in_list"),
            ("after=-1", "/after", "too_small"),
            (f"after={2**63}", "/after", "too_large"),
            ("after=now", "/after", "wrong_type"),
            ("epoch=1", "/epoch", "id_invalid"),
            ("since_time=2026-11-28", "/since_time", "instant_invalid"),
            ("since_time=0001-01-01T00:00:00%2B07:00", "/since_time", "instant_invalid"),
            ("since_time=9999-12-31T00:00:00Z", "/since_time", "instant_out_of_range"),
            ("account=phutho", "/account", "id_invalid"),
            ("unit=0", "/unit", "too_small"),
            ("entity_id=" + 37 * "a", "/entity_id", "too_long"),
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
        assert read(api.as_("admin"), "&kinds=member") == []

    def test_a_filter_never_widens_the_scope(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        reader = api.as_("phuongvi-1")
        stranger = someone(api.as_("phutho"), unit_id["tienluong-1"])
        for query in (f"&kinds=member&entity_id={stranger['id']}", "&kinds=account"):
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
        log = read(api.as_(who), f"&kinds=member&unit={unit_id['phuongvi-1']}")
        assert {tuple(change["masked"]) for change in log} == {tuple(masked)}
        for name in set(MASKED) - {"id_card"}:  # nobody of the demo has an old card
            values = {change["after"][name] for change in log}
            assert (values == {None}) is (name in masked)
        assert None not in {change["after"]["full_name"] for change in log}

    def test_other_entities_have_nothing_to_mask(self, api: Api) -> None:
        for entity in ("unit", "account", "grant"):
            log = read(api.as_("auditor"), f"&kinds={entity}")
            assert {tuple(change["masked"]) for change in log} == {()}


class TestChangesOfOneActor:
    def test_by_actor(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        for who in ("phuongvi", "phutho"):
            path = f"/v1/units/{unit_id['phuongvi']}"
            done(api.as_(who).patch(path, json={"phone": who}))
        officer = api.as_("phutho")
        for who in ("phuongvi", "phutho"):
            [change] = read(officer, f"&account={account(database, who).id}")
            assert change["after"] == {"phone": who}
        assert read(officer, f"&account={account(database, 'camkhe').id}") == []


class TestHistory:
    def test_every_value_a_field_ever_had(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, since = api.as_("phuongvi"), head(database)
        path = f"/v1/units/{unit_id['phuongvi']}"
        for phone in ("1", "2", None):
            done(officer.patch(path, json={"phone": phone}))
        done(officer.patch(path, json={"address": "Khu 1"}))
        body = done(officer.get(f"/v1/changes/history?entity=unit&entity_id={unit_id['phuongvi']}"))
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
        path = f"/v1/changes/history?entity=member&entity_id={member['id']}"
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
            refused(reader.get(f"{path}?entity={entity}&entity_id={entity_id}"), 404, "not_found")
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
        path = f"/v1/changes/history?entity=member&entity_id={member['id']}"
        refused(api.as_("admin").get(path), 404, "not_found")

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("entity_id=1", "/entity", "required"),
            ("entity=unit", "/entity_id", "required"),
            ("entity=feed&entity_id=1", "/entity", "not_in_list"),
            ("entity=unit&entity_id=1&after=1", "/after", "unknown_field"),
        ],
    )
    def test_refuses_what_it_does_not_know(
        self, api: Api, query: str, pointer: str, code: str
    ) -> None:
        pointed(api.as_("phutho").get(f"/v1/changes/history?{query}"), pointer, code)

    def test_requires_login_and_the_right(self, api: Api) -> None:
        path = "/v1/changes/history?entity=unit&entity_id=1"
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
        log = read(officer, f"&kinds=grant&entity_id={grant['id']}")
        assert [(c["operation"], c["revision"]) for c in log] == [("created", 1), ("deleted", 2)]

    def test_an_id_in_capitals_is_the_same_id(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        one = someone(officer, unit_id["phuongvi-1"])["id"]
        assert read(officer, f"&kinds=member&entity_id={one.upper()}") == (
            read(officer, f"&kinds=member&entity_id={one}")
        )

    def test_a_unit_has_what_happened_in_it_and_not_what_happened_where_its_branch_went(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        officer, branch = api.as_("phutho"), unit_id["phuongvi-2"]
        one = someone(officer, branch)["id"]
        move = {"parent_id": unit_id["tienluong"], "effective_on": "2026-01-01"}
        assert officer.post(f"/v1/units/{branch}/moves", json=move).status_code == 200
        patch = officer.patch(f"/v1/members/{one}", json={"phone": "0912345678"})
        assert patch.status_code == 200
        told = f"&kinds=member&entity_id={one}"
        before = read(officer, f"&unit={unit_id['phuongvi']}{told}")
        after = read(officer, f"&unit={unit_id['tienluong']}{told}")
        assert [change["operation"] for change in before] == ["created"]
        assert [change["operation"] for change in after] == ["updated"]
        moved = f"&kinds=unit&entity_id={branch}&unit="
        assert [c["operation"] for c in read(officer, f"{moved}{unit_id['phuongvi']}")] == [
            "created",
            "left_scope",
        ]
        [came] = read(officer, f"{moved}{unit_id['tienluong']}")
        assert came["operation"] == "entered_scope"
