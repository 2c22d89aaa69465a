"""A member looked up by the citizen id alone: by whom, who is found, and what is noted of it."""

from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import Response

from app.db import Database
from app.models.members.members import Identifier, MemberIdentifier
from app.services.kernel.limits import Limit
from app.services.members import elsewhere
from app.vault import Vault
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.cadres import done, forbidden, invited, made
from tests.helpers.client import Api, writing
from tests.helpers.programs import ABOUT
from tests.kernel.test_key_rotation import NEW, OLD, opened_with, served_from

NUMBER = "025171000123"
NAME = "Đặng Thị Kim Thoa"


def ask(api: Api, number: str = NUMBER, **more: object) -> Response:
    return api.post("/v1/members/match", json={"citizen_id": number} | more)


def found(api: Api, number: str = NUMBER) -> list[Json]:
    candidates: list[Json] = done(ask(api, number))["candidates"]
    return candidates


def ids(api: Api) -> list[str]:
    return [each["member_id"] for each in found(api)]


def admitted(api: Api, branch_id: int, **more: object) -> Json:
    body = {"branch_id": branch_id, "full_name": NAME, "birth_date": "1971", "joined_on": None}
    return made(api.post("/v1/members", json=body | more))


@pytest.fixture
def her(officer: Api, unit_id: UnitIds) -> Json:
    return admitted(officer, unit_id["phuongvi-1"], citizen_id=NUMBER)


@pytest.fixture
def program(api: Api, unit_id: UnitIds) -> Api:
    """It may read members and their citizen ids in the commune, and write nothing."""
    commune = unit_id["phuongvi"]
    rights = ["members:citizen_id", "members:read", "units:read"]
    grant = {"unit_id": commune, "role": "program", "rights": rights}
    invited(api.as_("phuongvi"), "may-tinh", commune, **ABOUT, grants=[grant])
    return api.as_("may-tinh")


class TestWhoAsks:
    @pytest.mark.parametrize("reader", ["phuongvi", "phuongvi-1", "camkhe"])
    def test_officers_and_the_head_find_her(self, api: Api, her: Json, reader: str) -> None:
        [one] = found(api.as_(reader))
        assert (one["member_id"], one["full_name"], one["masked"]) == (her["id"], NAME, False)
        assert [reason["code"] for reason in one["reasons"]] == ["citizen_id_same"]

    def test_so_does_a_program_that_writes_nothing(self, program: Api, her: Json) -> None:
        assert ids(program) == [her["id"]]
        assert found(program, "025171000124") == []

    @pytest.mark.parametrize("reader", ["auditor", "admin", "member"])
    def test_who_may_not_read_the_number_does_not(self, api: Api, her: Json, reader: str) -> None:
        forbidden(ask(api.as_(reader)), "members:citizen_id")

    def test_nor_does_who_writes_without_that_right(
        self, api: Api, her: Json, unit_id: UnitIds
    ) -> None:
        commune = unit_id["phuongvi"]
        grant = {"unit_id": commune, "role": "integration_writer"}
        invited(api.as_("phuongvi"), "may-ghi", commune, **ABOUT, grants=[grant])
        writer = api.as_("may-ghi")
        forbidden(ask(writer), "members:citizen_id")
        assert done(ask(writer, full_name="Lê Thị Khác"))["candidates"] == []

    def test_too_many_people_are_429_whichever_way_they_are_asked_about(
        self, program: Api, her: Json, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(elsewhere, "_PEOPLE", Limit.of("look", "2 per hour"))
        for number in ("025171000124", NUMBER, NUMBER):  # once, however often
            found(program, number)
        for more in ({}, {"full_name": NAME}):
            answer = ask(program, "025171000125", **more)
            assert int(answer.headers["retry-after"]) > 0
            refused(answer, 429, "rate_limited")


class TestWhoIsFound:
    def test_of_another_commune_a_program_finds_nobody(
        self, api: Api, program: Api, unit_id: UnitIds
    ) -> None:
        admitted(api.as_("tienluong"), unit_id["tienluong-1"], citizen_id=NUMBER)
        assert found(program) == []
        assert done(ask(program, full_name=NAME, birth_date="1971"))["candidates"] == []

    def test_of_another_branch_a_head_learns_what_a_match_by_name_tells(
        self, api: Api, her: Json, unit_id: UnitIds
    ) -> None:
        head = api.as_("phuongvi-2")
        [one] = found(head)
        assert [one] == done(ask(head, full_name="Lê Thị Khác"))["candidates"]
        assert (one["masked"], one["unit"]["id"]) == (True, unit_id["phuongvi"])
        hidden = ("member_id", "full_name", "birth_date", "branch_id", "status", "pair_id")
        assert {one[name] for name in hidden} == {None}

    def test_of_a_merged_record_the_one_that_was_kept(
        self, officer: Api, program: Api, her: Json, unit_id: UnitIds
    ) -> None:
        kept = admitted(officer, unit_id["phuongvi-1"])
        merge = {"other_id": her["id"], "reason": "Nhập hai lần"}
        made(officer.post(f"/v1/members/{kept['id']}/merges", json=merge))
        assert ids(program) == [kept["id"]]

    def test_nobody_who_was_erased(self, api: Api, officer: Api, her: Json) -> None:
        path, province = f"/v1/members/{her['id']}", api.as_("phutho")
        made(officer.post(f"{path}/departures", json={"reason": "moved_away"}))
        asked = {"kind": "erase", "channel": "in_person"}
        request = made(officer.post(f"{path}/privacy-requests", json=asked))["id"]
        done(officer.post(f"/v1/privacy/requests/{request}/acknowledge"))
        digest = done(province.post(f"{path}/erasure", json={"dry_run": True}))["digest"]
        body = {"dry_run": False, "request_id": request, "digest": digest}
        assert ids(province) == [her["id"]]
        done(province.post(f"{path}/erasure", json=body))
        assert found(province) == found(officer) == []

    def test_whose_digest_is_of_an_older_key(
        self, app: FastAPI, database: Database, her: Json
    ) -> None:
        with opened_with(database, NEW, OLD) as rotating:
            with writing(rotating) as session:
                row = session.get_one(MemberIdentifier, (UUID(her["id"]), Identifier.citizen_id))
                assert row.exact == Vault([OLD]).digest(NUMBER, "citizen_id:exact")
            assert ids(served_from(app, rotating).as_("phuongvi")) == [her["id"]]


class TestQuestion:
    def test_what_it_told_is_noted(self, officer: Api, program: Api, her: Json) -> None:
        found(program)
        found(program, "025171000124")
        log = done(officer.get(f"/v1/members/{her['id']}/access-log"))["items"]
        [noted] = [each for each in log if each["reader"] == "Nguyễn Thị Lan"]
        assert (noted["fields"], noted["how"]) == (["citizen_id"], "list")

    @pytest.mark.parametrize("number", ["02517100012", "0251710001234", "02517100012x"])
    def test_a_malformed_number_is_pointed_at(self, program: Api, number: str) -> None:
        pointed(ask(program, number), "/citizen_id", "citizen_id_invalid")

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"citizen_id": None},
            {"phone": "0912345678"},
            {"id_card": "131234567"},
            {"citizen_id": NUMBER, "birth_date": "1971"},
        ],
    )
    def test_nothing_else_goes_without_the_name(self, officer: Api, body: Json) -> None:
        pointed(officer.post("/v1/members/match", json=body), "/full_name", "required")

    def test_the_number_has_no_place_in_an_address(self, officer: Api, her: Json) -> None:
        answer = officer.post(f"/v1/members/match?citizen_id={NUMBER}", json={"full_name": NAME})
        [error] = refused(answer, 422, "validation_failed")["errors"]
        assert (error["pointer"], error["code"]) == ("/citizen_id", "unknown_field")
