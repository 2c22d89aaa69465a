"""Suspected duplicates: at the form, by question, in the inbox; what an officer learns of a member out of scope."""

from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col, func, select

from app.db import Database
from app.models.duplicates.duplicates import DuplicatePair
from app.models.kernel.changes import Change
from app.models.kernel.idempotency import IdempotentAnswer
from app.models.members.members import Member
from app.services.kernel.limits import Limit
from app.services.members import elsewhere
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.cadres import done, forbidden, made
from tests.helpers.client import Api, counted, writing

REJECT = {"prefer": "duplicates=reject"}
NAME, BORN = "Đặng Thị Kim Thoa", "1971-04-09"
NUMBERS = {"phone": "0912345678", "citizen_id": "025171000123"}


def pairs(database: Database) -> list[DuplicatePair]:
    with writing(database) as session:
        return list(session.exec(select(DuplicatePair).order_by(col(DuplicatePair.id))).all())


def people(database: Database) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(Member)).one()


def codes(candidate: Json) -> list[str]:
    return [reason["code"] for reason in candidate["reasons"]]


@pytest.fixture
def neighbour(api: Api) -> Api:
    """Officer of another commune."""
    return api.as_("tienluong")


@pytest.fixture
def body(unit_id: UnitIds) -> Json:
    return {
        "branch_id": unit_id["phuongvi-1"],
        "full_name": NAME,
        "birth_date": BORN,
        "joined_on": None,
    }


@pytest.fixture
def known(officer: Api, body: Json) -> Json:
    return made(officer.post("/v1/members", json=body | NUMBERS))


class TestForm:
    def test_a_suspicion_is_stored_told_and_put_into_the_inbox(
        self, officer: Api, database: Database, body: Json, known: Json
    ) -> None:
        assert known["duplicates"] == []
        again = body | {"full_name": "Dang Thi Kim Thoa", "birth_date": "1971"}
        answer = officer.post("/v1/members", json=again)
        shown = made(answer)
        assert answer.headers["preference-applied"] == "duplicates=flag"
        assert ("/full_name", "duplicate_suspected") in [
            (each["pointer"], each["code"]) for each in shown["warnings"]
        ]
        [told] = shown["duplicates"]
        assert (told["member_id"], told["full_name"], told["masked"]) == (known["id"], NAME, False)
        assert codes(told) == ["name_without_tones", "birth_year_same", "branch_same"]
        assert told["reasons"][0]["text_vi"] == "Cùng họ tên khi bỏ dấu"
        assert told["reasons"][0]["text_en"] == "Same name without tones"
        assert told["score"] == sum(reason["points"] for reason in told["reasons"]) == 69
        [pair] = pairs(database)
        assert {pair.member_a, pair.member_b} == {UUID(known["id"]), UUID(shown["id"])}
        assert (str(pair.id), pair.score, pair.state) == (told["pair_id"], 69, "open")

    @pytest.mark.parametrize(
        "prefer", ["duplicates=reject", 'respond-async, Duplicates="reject"; x=1']
    )
    def test_is_refused_where_the_client_asks_for_it(
        self, officer: Api, database: Database, body: Json, known: Json, prefer: str
    ) -> None:
        before = people(database)
        answer = officer.post("/v1/members", json=body, headers={"prefer": prefer})
        problem = refused(answer, 409, "duplicate_suspected")
        [told] = problem["candidates"]
        assert (told["member_id"], told["pair_id"]) == (known["id"], None)
        assert people(database) == before
        assert pairs(database) == []

    def test_reject_admits_who_is_not_suspected(self, officer: Api, body: Json) -> None:
        answer = officer.post("/v1/members", json=body, headers=REJECT)
        made(answer)
        assert answer.headers["preference-applied"] == "duplicates=reject"

    def test_an_unknown_preference_is_no_error(self, officer: Api, body: Json) -> None:
        made(officer.post("/v1/members", json=body, headers={"prefer": "duplicates=perhaps, x"}))

    def test_the_same_request_again_says_the_same(
        self, officer: Api, database: Database, body: Json, known: Json
    ) -> None:
        sent = body | {"id": str(uuid4())}
        first = made(officer.post("/v1/members", json=sent))
        again = officer.post("/v1/members", json=sent, headers=REJECT)
        assert done(again)["duplicates"] == first["duplicates"] != []
        assert len(pairs(database)) == 1

    def test_who_may_not_admit_is_told_of_nobody(
        self, api: Api, body: Json, known: Json, unit_id: UnitIds
    ) -> None:
        forbidden(
            api.as_("auditor").post("/v1/members", json=body, headers=REJECT), "members:write"
        )
        stranger = api.as_("tienluong-1").post("/v1/members", json=body, headers=REJECT)
        pointed(stranger, "/branch_id", "unit_unknown")

    def test_of_another_commune_only_whom_to_ask_is_told(
        self, neighbour: Api, known: Json, body: Json, unit_id: UnitIds
    ) -> None:
        there = body | {"branch_id": unit_id["tienluong-1"]}
        [told] = made(neighbour.post("/v1/members", json=there))["duplicates"]
        assert told["masked"]
        assert told["unit"] == {
            "id": unit_id["phuongvi"],
            "level": "commune",
            "name": "Xã Phượng Vĩ",
        }
        assert codes(told) == ["name_without_tones", "birth_date_same"]
        hidden = ("member_id", "full_name", "birth_date", "branch_id", "status")
        assert [told[name] for name in hidden] == [None] * 5


class TestMatch:
    def ask(self, api: Api, **more: object) -> list[Json]:
        sent = {"full_name": NAME, "birth_date": BORN} | more
        found: list[Json] = done(api.post("/v1/members/match", json=sent))["candidates"]
        return found

    def test_finds_and_stores_nothing(
        self, officer: Api, database: Database, known: Json, body: Json
    ) -> None:
        [told] = self.ask(officer, branch_id=body["branch_id"])
        assert (told["member_id"], told["pair_id"]) == (known["id"], None)
        answer = officer.post(
            "/v1/members/match",
            json={"full_name": NAME, "birth_date": BORN},
            headers={"idempotency-key": "ask"},
        )
        assert "idempotent-replayed" not in answer.headers
        assert pairs(database) == []
        with writing(database) as session:
            kept = session.exec(select(func.count()).select_from(IdempotentAnswer)).one()
        assert kept == 0

    def test_by_a_number_alone(self, officer: Api, known: Json) -> None:
        [told] = self.ask(
            officer, full_name="Hà Văn Khác", birth_date=None, citizen_id=NUMBERS["citizen_id"]
        )
        assert (told["member_id"], codes(told)) == (known["id"], ["citizen_id_same"])

    def test_what_a_number_tells_is_noted(self, api: Api, officer: Api, known: Json) -> None:
        self.ask(api.as_("camkhe"), citizen_id=NUMBERS["citizen_id"], phone=NUMBERS["phone"])
        log = done(officer.get(f"/v1/members/{known['id']}/access-log"))["items"]
        [noted] = [each for each in log if each["how"] == "list"]
        assert noted["fields"] == ["citizen_id", "phone"]

    @pytest.mark.parametrize(
        "guess",
        [
            {"birth_date": "1971"},
            {"birth_date": "1971-04-10"},
            {"birth_date": None},
            {"full_name": "Đặng Thị Kim Thoan"},
            {"full_name": "Lê Thị Khác", "phone": NUMBERS["phone"]},
            {"birth_date": "1970", "citizen_id": "025171000124"},
        ],
    )
    def test_is_no_oracle_for_who_is_not_seen(
        self, neighbour: Api, known: Json, unit_id: UnitIds, guess: Json
    ) -> None:
        assert self.ask(neighbour, branch_id=unit_id["tienluong-1"], **guess) == []

    @pytest.mark.parametrize(
        ("proof", "told_of"),
        [
            ({}, ["name_without_tones", "birth_date_same"]),
            (
                {"birth_date": None, "phone": NUMBERS["phone"]},
                ["name_without_tones", "phone_same"],
            ),
            (
                {"full_name": "Lê Thị Khác", "citizen_id": NUMBERS["citizen_id"]},
                ["citizen_id_same"],
            ),
        ],
    )
    def test_tells_of_her_what_was_stated_in_full(
        self, neighbour: Api, known: Json, proof: Json, told_of: list[str]
    ) -> None:
        found = self.ask(neighbour, **proof)
        assert [codes(each) for each in found] == [told_of]

    def test_a_branch_head_is_told_of_her_neighbours_by_proof_only(
        self, api: Api, known: Json, unit_id: UnitIds
    ) -> None:
        head = api.as_("phuongvi-2")
        assert self.ask(head, branch_id=unit_id["phuongvi-2"], birth_date="1971") == []
        [told] = self.ask(head, branch_id=unit_id["phuongvi-2"])
        assert (told["masked"], told["unit"]["id"]) == (True, unit_id["phuongvi"])

    def test_too_many_questions_are_429(
        self, neighbour: Api, known: Json, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(elsewhere, "_PEOPLE", Limit.of("look", "2 per hour"))
        for born in ("1970", "1971", "1971"):  # the same person again is not counted again
            self.ask(neighbour, birth_date=born)
        answer = neighbour.post("/v1/members/match", json={"full_name": NAME})
        assert int(answer.headers["retry-after"]) > 0
        refused(answer, 429, "rate_limited")

    def test_after_too_many_the_form_still_admits_and_tells_of_nobody(
        self, neighbour: Api, known: Json, body: Json, unit_id: UnitIds,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.setattr(elsewhere, "_PEOPLE", Limit.of("look", "1 per hour"))
        self.ask(neighbour)
        there = body | {"branch_id": unit_id["tienluong-1"]}
        refused(neighbour.post("/v1/members", json=there, headers=REJECT), 429, "rate_limited")
        item = made(neighbour.post("/v1/members", json=there))
        assert item["duplicates"] == []
        assert "not_compared_elsewhere" in {each["code"] for each in item["warnings"]}

    def test_all_doors_draw_on_one_budget_and_the_officer_is_told(
        self, api: Api, neighbour: Api, known: Json, body: Json, unit_id: UnitIds,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.setattr(elsewhere, "_PEOPLE", Limit.of("look", "1 per hour"))
        there = {"full_name": "Lê Thị Mới", "birth_date": "1990", "joined_on": None}
        mine = made(
            neighbour.post(
                "/v1/members",
                json=body | there | dict.fromkeys(NUMBERS) | {"branch_id": unit_id["tienluong-1"]},
            )
        )
        path, number = f"/v1/members/{mine['id']}", {"citizen_id": NUMBERS["citizen_id"]}

        def warned(value: Json) -> set[str]:
            answer = done(neighbour.patch(path, json=value))
            return {each["code"] for each in answer["warnings"] if each["pointer"] == "/citizen_id"}

        assert "citizen_id_known" in warned(number)
        # Used up: known or not, the answer is the same, and it says so.
        unknown = {"citizen_id": "025190009999"}
        assert "not_compared_elsewhere" in warned(unknown) & warned(number)
        assert "citizen_id_known" not in warned(number)
        refused(neighbour.post("/v1/members/match", json={"full_name": NAME}), 429, "rate_limited")
        told = [
            each
            for name in ("phutho", "phutho-2", "camkhe")
            for each in done(api.as_(name).get("/v1/me/notifications"))["items"]
            if each["kind"] == "look_ups_used_up"
        ]
        assert len(told) == 1
        assert told[0]["unit"]["id"] == unit_id["tienluong"]

    def test_needs_the_right_to_admit(self, api: Api) -> None:
        for reader in ("auditor", "admin", "member"):
            answer = api.as_(reader).post("/v1/members/match", json={"full_name": NAME})
            forbidden(answer, "members:write")

    def test_bad_input_is_pointed_at(self, officer: Api) -> None:
        answer = officer.post("/v1/members/match", json={"full_name": "X1", "birth": "1971"})
        found = {
            (e["pointer"], e["code"]) for e in refused(answer, 422, "validation_failed")["errors"]
        }
        assert found == {("/full_name", "name_has_digits"), ("/birth", "unknown_field")}


@pytest.fixture
def pair(officer: Api, body: Json, known: Json) -> Json:
    """Two records of one branch."""
    twin = made(officer.post("/v1/members", json=body | {"birth_date": "1971"}))
    return done(officer.get(f"/v1/duplicates/{twin['duplicates'][0]['pair_id']}"))


@pytest.fixture
def across(neighbour: Api, known: Json, body: Json, unit_id: UnitIds) -> Json:
    """Her record in another commune, as its officer sees the pair."""
    made(neighbour.post("/v1/members", json=body | {"branch_id": unit_id["tienluong-1"]}))
    [found] = done(neighbour.get("/v1/duplicates"))["items"]
    item: Json = found
    return item


class TestInbox:
    def test_lists_pairs_with_both_records(self, officer: Api, known: Json, pair: Json) -> None:
        [item] = done(officer.get("/v1/duplicates"))["items"]
        assert item == pair
        assert known["id"] in (pair["member_id"], pair["other_id"])
        assert pair["full_name"] == pair["other_full_name"] == NAME
        assert {pair["birth_date"], pair["other_birth_date"]} == {"1971", BORN}
        assert (pair["state"], pair["may_merge"], pair["decided_by"]) == ("open", True, None)

    def test_is_seen_from_each_side_the_other_masked(
        self, api: Api, officer: Api, across: Json, unit_id: UnitIds
    ) -> None:
        assert across["branch_id"] == unit_id["tienluong-1"]
        assert across["other_unit"]["name"] == "Xã Phượng Vĩ"
        [mine] = done(officer.get("/v1/duplicates"))["items"]
        assert mine["branch_id"] == unit_id["phuongvi-1"]
        for item in (across, mine):
            told = [
                item[name] for name in item if name.startswith("other_") and name != "other_unit"
            ]
            assert told == [None] * 6
            assert codes(item) == ["name_without_tones", "birth_date_same"]
            assert not item["may_merge"]
        [both] = done(api.as_("camkhe").get("/v1/duplicates"))["items"]
        assert both["may_merge"]
        assert None not in (both["other_id"], both["other_full_name"], both["other_branch_name"])
        assert codes(both) == ["name_same", "birth_date_same"]

    def test_a_pair_that_proves_nothing_is_for_who_sees_both(
        self, api: Api, officer: Api, known: Json, body: Json, unit_id: UnitIds
    ) -> None:
        there = body | {"branch_id": unit_id["phuongvi-2"], "birth_date": "1971"}
        made(officer.post("/v1/members", json=there))
        assert len(done(officer.get("/v1/duplicates"))["items"]) == 1
        for head in ("phuongvi-1", "phuongvi-2"):
            assert done(api.as_(head).get("/v1/duplicates"))["items"] == []

    def test_is_narrowed_and_exported(
        self, officer: Api, pair: Json, unit_id: UnitIds, api: Api
    ) -> None:
        path = "/v1/duplicates"
        assert done(officer.get(f"{path}?unit={unit_id['phuongvi-1']}"))["items"] == [pair]
        assert done(officer.get(f"{path}?unit={unit_id['phuongvi-2']}"))["items"] == []
        answer = officer.get(f"{path}?unit={unit_id['tienluong']}")
        assert refused(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/unit"
        answer = officer.get(f"{path}?format=csv")
        assert answer.status_code == 200
        assert pair["id"] in answer.text
        assert done(api.as_("tienluong").get(path))["items"] == []
        refused(api.as_("tienluong").get(f"{path}/{pair['id']}"), 404, "not_found")

    def test_is_counted_as_it_is_listed(
        self, api: Api, officer: Api, pair: Json, unit_id: UnitIds
    ) -> None:
        path = "/v1/duplicates/count"
        counted_here = done(officer.get(f"{path}?unit={unit_id['phuongvi-1']}"))
        assert (counted_here["open"], counted_here["distinct"]) == (1, 0)
        assert counted_here["unit"]["id"] == unit_id["phuongvi-1"]
        assert done(officer.get(f"{path}?unit={unit_id['phuongvi-2']}"))["open"] == 0
        assert done(api.as_("tienluong").get(path))["open"] == 0
        done(officer.post(f"/v1/duplicates/{pair['id']}/distinct", json={}))
        assert done(officer.get(path)) == {"unit": None, "open": 0, "distinct": 1}
        forbidden(api.as_("admin").get(path), "members:read")

    def test_is_narrowed_by_score(self, officer: Api, pair: Json) -> None:
        path = "/v1/duplicates?min_score="
        assert done(officer.get(f"{path}{pair['score']}"))["items"] == [pair]
        assert done(officer.get(f"{path}{pair['score'] + 1}"))["items"] == []

    def test_is_paged_by_score(self, officer: Api, known: Json, body: Json) -> None:
        for born in ("1971", "1970", "1972", BORN):
            made(officer.post("/v1/members", json=body | {"birth_date": born}))
        everything = done(officer.get("/v1/duplicates?limit=200"))["items"]
        scores = [item["score"] for item in everything]
        assert scores == sorted(scores, reverse=True)
        assert len(everything) > 4
        seen: list[Json] = []
        cursor: str | None = ""
        while cursor is not None:
            page = done(officer.get(f"/v1/duplicates?limit=2{cursor and f'&cursor={cursor}'}"))
            seen += page["items"]
            cursor = page["next_cursor"]
        assert seen == everything

    def test_costs_the_same_whatever_its_length(
        self, officer: Api, database: Database, known: Json, body: Json
    ) -> None:
        costs = []
        for born in ("1971", "1970"):
            made(officer.post("/v1/members", json=body | {"birth_date": born}))
            with counted(database) as statements:
                done(officer.get("/v1/duplicates"))
            costs.append(len(statements))
        assert costs == [4, 4]


class TestDistinct:
    def test_is_remembered(self, officer: Api, database: Database, pair: Json, known: Json) -> None:
        path = f"/v1/duplicates/{pair['id']}"
        item = done(officer.post(f"{path}/distinct", json={"note": "Chị em họ"}))
        assert (item["state"], item["note"], item["revision"]) == ("distinct", "Chị em họ", 2)
        assert item["decided_by"] is not None
        assert done(officer.post(f"{path}/distinct", json={})) == item  # the same act again
        assert done(officer.get("/v1/duplicates"))["items"] == []
        assert done(officer.get("/v1/duplicates?state=distinct"))["items"] == [item]
        asked = {"full_name": NAME, "birth_date": BORN, "branch_id": pair["branch_id"]}
        found = done(officer.post("/v1/members/match", json=asked | {"member_id": known["id"]}))
        assert found["candidates"] == []
        with writing(database) as session:
            entity = sa.select(col(Change.after)).where(col(Change.entity) == "duplicate_pair")
            [after] = session.execute(entity).scalars()
        # Who reads the log may see one of the two only: that there is a note is all it says.
        assert (after["state"], after["note"]) == ("distinct", "set")
        assert not {"score", "decided_by"} & after.keys()

    def test_can_be_taken_back(self, officer: Api, pair: Json) -> None:
        path = f"/v1/duplicates/{pair['id']}"
        done(officer.post(f"{path}/distinct", json={"note": "x"}))
        item = done(officer.post(f"{path}/reopen"))
        assert item == pair | {"revision": 3}

    def test_a_branch_head_decides_of_her_own_branch(self, api: Api, pair: Json) -> None:
        head = api.as_("phuongvi-1")
        shown = done(head.get(f"/v1/duplicates/{pair['id']}"))
        assert not shown["may_merge"]
        done(head.post(f"/v1/duplicates/{pair['id']}/distinct", json={}))

    def test_of_two_communes_is_for_who_looks_after_both(
        self, api: Api, neighbour: Api, across: Json
    ) -> None:
        path = f"/v1/duplicates/{across['id']}/distinct"
        forbidden(neighbour.post(path, json={}), "members:write")
        forbidden(api.as_("auditor").post(path, json={}), "members:write")
        refused(api.as_("phuongvi-2").post(path, json={}), 404, "not_found")
        assert done(api.as_("camkhe").post(path, json={}))["state"] == "distinct"
        [mine] = done(neighbour.get("/v1/duplicates?state=distinct"))["items"]
        assert (mine["decided_by"], mine["note"]) == (None, None)


class TestOtherDoors:
    def test_a_transfer_meets_her_other_record(
        self, api: Api, neighbour: Api, database: Database, known: Json, body: Json,
        unit_id: UnitIds,
    ) -> None:  # fmt: skip
        there = body | {"branch_id": unit_id["tienluong-1"], "birth_date": "1971"}
        made(neighbour.post("/v1/members", json=there))
        assert pairs(database) == []
        district = api.as_("camkhe")
        path = f"/v1/members/{known['id']}/transfers"
        made(district.post(path, json={"to_branch_id": unit_id["tienluong-1"]}))
        [pair] = pairs(database)
        assert UUID(known["id"]) in (pair.member_a, pair.member_b)

    def test_so_does_a_readmission(
        self, api: Api, neighbour: Api, database: Database, known: Json, body: Json,
        unit_id: UnitIds,
    ) -> None:  # fmt: skip
        there = body | {"branch_id": unit_id["tienluong-1"], "birth_date": "1971"}
        made(neighbour.post("/v1/members", json=there))
        district = api.as_("camkhe")
        path = f"/v1/members/{known['id']}"
        made(district.post(f"{path}/departures", json={"reason": "moved_away"}))
        back = {"branch_id": unit_id["tienluong-1"]}
        made(district.post(f"{path}/readmissions", json=back))
        assert len(pairs(database)) == 1
