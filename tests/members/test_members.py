"""Members: who sees whom, in which order, and what a record may become."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import col, func, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.changes import Change, ChangeSource
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.services.kernel import changes
from app.text import sort_key
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, as_written, writing
from tests.helpers.homes import home
from tests.helpers.reading import Reading
from tests.members.members import HEAD_MASKED, count_of, error_of, everyone, stored


def body_of(unit_id: UnitIds, **overrides: Any) -> Json:
    minimum = {
        "branch_id": unit_id["phuongvi-1"],
        "full_name": "Hà Thị Mới",
        "birth_date": "1988",
        "joined_on": None,
    }
    return minimum | overrides


@pytest.fixture
def stranger(api: Api) -> Json:
    """A member of another commune."""
    found: Json = api.as_("tienluong").get("/v1/members?limit=1").json()["items"][0]
    return found


class TestGetMember(Reading):
    def test_requires_sign_in(self, api: Api, someone: Json) -> None:
        answer = api.get(f"/v1/members/{someone['id']}")
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")

    def test_is_what_the_list_shows(self, head: Api, someone: Json) -> None:
        assert head.get(f"/v1/members/{someone['id']}").json() == someone

    @pytest.mark.parametrize("username", ["phuongvi-2", "phuongvi-1", "phuongvi"])
    def test_a_foreign_member_reads_like_none_at_all(
        self, api: Api, stranger: Json, username: str
    ) -> None:
        caller = api.as_(username)
        one = caller.get(f"/v1/members/{stranger['id']}").json()
        none = caller.get(f"/v1/members/{uuid4()}").json()
        for problem in (one, none):
            del problem["request_id"], problem["instance"]
        assert one == none
        assert (one["status"], one["code"]) == (404, "not_found")

    def test_the_next_branch_is_foreign_to_a_head_and_not_to_her_officer(
        self, api: Api, officer: Api, someone: Json
    ) -> None:
        neighbour = api.as_("phuongvi-2").get(f"/v1/members/{someone['id']}")
        assert (neighbour.status_code, neighbour.json()["code"]) == (404, "not_found")
        assert officer.get(f"/v1/members/{someone['id']}").json()["id"] == someone["id"]

    @pytest.mark.parametrize("given", ["7", "me", "00000000-0000-0000-0000-00000000000g"])
    def test_what_is_no_id_is_said_to_be_none(self, head: Api, given: str) -> None:
        error = error_of(head.get(f"/v1/members/{given}"))
        assert (error["in"], error["pointer"], error["code"]) == (
            "path",
            "/member_id",
            "id_invalid",
        )


def _tag(api: Api, path: str) -> str:
    tag: str = api.get(path).headers["etag"]
    return tag


class TestTags(Reading):
    def test_the_tag_begins_with_the_revision_and_gives_304(
        self, officer: Api, someone: Json
    ) -> None:
        path = f"/v1/members/{someone['id']}"
        first = officer.get(path)
        tag = first.headers["etag"]
        assert tag.startswith('"1-')
        for known in (tag, f"W/{tag}", f'"7", {tag}', "*"):
            again = officer.get(path, headers={"if-none-match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
        for other in ('"1"', '"2"', tag.replace("1", "11", 1), "1-", ""):
            again = officer.get(path, headers={"if-none-match": other})
            assert (again.status_code, again.json()) == (200, first.json())

    def test_callers_of_one_view_share_it_and_others_do_not(self, api: Api, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        names = ("phuongvi", "camkhe", "phutho", "phuongvi-1", "auditor")
        tags = {name: api.as_(name).get(path).headers["etag"] for name in names}
        assert tags["phuongvi"] == tags["camkhe"] == tags["phutho"]
        assert len(set(tags.values())) == 3
        assert all(tag.startswith('"1') for tag in tags.values())
        auditor = api.as_("auditor").get(path, headers={"if-none-match": tags["phutho"]})
        assert auditor.json()["phone"] is None

    def test_chosen_fields_are_another_representation(self, officer: Api, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        tag = officer.get(f"{path}?fields=id,full_name").headers["etag"]
        assert (
            len({tag, officer.get(f"{path}?fields=id").headers["etag"], _tag(officer, path)}) == 3
        )
        again = officer.get(f"{path}?fields=full_name,id", headers={"if-none-match": tag})
        assert again.status_code == 304


# What each field refuses, and how it is reported.
WRONG: dict[str, list[tuple[object, str]]] = {
    "birth_date": [
        ("1899", "birth_too_early"),
        ("1899-12-31", "birth_too_early"),
        ("0000", "date_invalid"),
        ("00/00/1955", "date_invalid"),
        ("17/05/1968", "date_invalid"),
        ("1968-13", "date_invalid"),
        ("1968-00", "date_invalid"),
        ("1968-5", "date_invalid"),
        ("1968-05-1", "date_invalid"),
        ("2023-02-29", "date_invalid"),
        ("1900-02-29", "date_invalid"),
        ("1968-05-17T00:00", "date_invalid"),
        ("1968-05-17-01", "date_invalid"),
        ("-1968", "date_invalid"),
        ("+1968", "date_invalid"),
        (" 1968", "date_invalid"),
        ("１９６８", "date_invalid"),
        ("68", "date_invalid"),
        ("", "date_invalid"),
        (1968, "wrong_type"),
        (None, "not_null"),
    ],
    "joined_on": [
        ("1968", "joined_before_birth"),
        ("1899", "date_too_early"),
        ("2020-13", "date_invalid"),
        ("2023-02-29", "date_invalid"),
        ("2020-01-01T10:00:00", "date_invalid"),
        ("2020-01-01T00:00:00", "date_invalid"),
        ("2020-01-01T00:00:00Z", "date_invalid"),
        ("20200101", "date_invalid"),
        ("86400", "date_invalid"),
        (86400, "wrong_type"),
        (True, "wrong_type"),
        ("1987-12-31", "joined_before_birth"),
    ],
    "full_name": [
        ("", "name_empty"),
        ("  \u200b ", "name_empty"),
        ("---", "name_empty"),
        ("Y", "name_too_short"),
        ("Y.", "name_too_short"),
        ("Lan 😀", "name_has_symbols"),
        ("Lan 2", "name_has_digits"),
        ("Lan <b>", "name_has_symbols"),
        ("=1+1", "name_has_digits"),
        ("Роса", "name_has_symbols"),
        ("a" * 121, "name_too_long"),
        ("a" * 301, "too_long"),
        (7, "wrong_type"),
        (["Lan"], "wrong_type"),
        (None, "not_null"),
    ],
    "phone": [
        ("12345", "phone_invalid"),
        ("09123456789012", "phone_invalid"),
        ("", "phone_invalid"),
        ("0" * 41, "too_long"),
        (912345678, "wrong_type"),
    ],
    "gender": [
        ("other", "not_in_list"),
        (None, "not_null"),
    ],
    "kind": [
        ("Regular", "not_in_list"),
    ],
    "ethnicity": [
        ("00", "ethnicity_unknown"),
        ("56", "ethnicity_unknown"),
        ("1", "ethnicity_unknown"),
        ("Klingon", "ethnicity_unknown"),
        ("", "ethnicity_unknown"),
        ("x" * 61, "ethnicity_unknown"),
        (1, "wrong_type"),
    ],
    "citizen_id": [
        ("25168001234", "citizen_id_invalid"),
        ("0251680012345", "citizen_id_invalid"),
        ("02516800123a", "citizen_id_invalid"),
        ("132012345", "citizen_id_invalid"),
        ("", "citizen_id_invalid"),
        ("0" * 21, "too_long"),
        (25168001234, "wrong_type"),
    ],
    "id_card": [
        ("025168001234", "id_card_invalid"),
        ("13201234", "id_card_invalid"),
        (132012345, "wrong_type"),
    ],
    "party": [
        ("yes", "not_in_list"),
    ],
    "party_joined_on": [
        ("2020-05-19", "party_date_alone"),
        ("2020-5-19", "date_invalid"),
        ("2020", "party_date_alone"),
    ],
    "education": [
        ("12/12", "not_in_list"),
    ],
    "photo": [
        ("javascript:alert(1)", "wrong_format"),
        ("http://example.org/a.jpg", "wrong_format"),
        ("/etc/passwd", "wrong_format"),
        ("", "wrong_format"),
    ],
    "address": [
        ("", "too_short"),
        ("x" * 301, "too_long"),
    ],
    "core": [
        ("perhaps", "wrong_type"),
        (None, "not_null"),
    ],
    "household_id": [
        ("7", "id_invalid"),
    ],
    "religion": [
        ("jedi", "not_in_list"),
    ],
    "id": [
        ("7", "id_invalid"),
        (7, "id_invalid"),
    ],
    "branch_id": [
        ("x", "wrong_type"),
        (1.5, "wrong_type"),
        (True, "wrong_type"),
        (0, "too_small"),
        (2**31, "too_large"),
        (None, "required"),
    ],
    "status": [
        ("left", "unknown_field"),
    ],
    "sort_key": [
        ("a", "unknown_field"),
    ],
    "revision": [
        (9, "unknown_field"),
    ],
    "hasOwnProperty": [
        (1, "unknown_field"),
    ],
}


class TestCreateMember:
    def test_in_ones_only_branch_without_naming_it(
        self, head: Api, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        body = body_of(unit_id, id=str(uuid4()))
        del body["branch_id"]
        made = head.post("/v1/members", json=body)
        assert (made.status_code, made.json()["branch_id"]) == (201, unit_id["phuongvi-1"])
        with writing(database) as session:
            stored_row = session.get_one(Member, UUID(body["id"]))
            assert stored_row.branch_id == unit_id["phuongvi-1"]
        again = head.post("/v1/members", json=body | {"branch_id": unit_id["phuongvi-1"]})
        assert (again.status_code, again.json()["id"]) == (200, body["id"])
        # Who holds several branches has to name one.
        error = error_of(api.as_("phuongvi").post("/v1/members", json=body | {"id": str(uuid4())}))
        assert (error["pointer"], error["code"]) == ("/branch_id", "required")

    def test_with_the_fewest_fields(self, head: Api, database: Database, unit_id: UnitIds) -> None:
        answer = head.post("/v1/members", json=body_of(unit_id))
        assert answer.status_code == 201
        shown = answer.json()
        assert answer.headers["location"] == f"/v1/members/{shown['id']}"
        assert answer.headers["etag"] == head.get(answer.headers["location"]).headers["etag"]
        assert shown == {
            "id": shown["id"],
            "full_name": "Hà Thị Mới",
            "birth_date": "1988",
            "gender": "female",
            "kind": "regular",
            "status": "active",
            "branch_id": unit_id["phuongvi-1"],
            "commune_id": unit_id["phuongvi"],
            "province_id": unit_id["phutho"],
            "joined_on": None,
            "given_name": None,
            "core": False,
            "phone": None,
            "citizen_id": None,
            "id_card": None,
            "address": None,
            "hometown": None,
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
            "revision": 1,
            "masked": HEAD_MASKED,
            "duplicates": [],
            "warnings": [],
        }
        row = stored(database, shown["id"])
        assert row is not None
        assert (row.sort_key, row.search_key) == (
            sort_key("Hà Thị Mới"),
            " ha=1ha thi=5thi moi=4mo|i /moi=4mo|i ",
        )
        assert row.birth_year == 1988
        assert UUID(shown["id"]).version == 7
        assert shown["id"] in {item["id"] for item in everyone(head)}

    def test_with_every_field(self, officer: Api, database: Database, unit_id: UnitIds) -> None:
        own = str(uuid4())
        sent = body_of(
            unit_id,
            id=own,
            given_name="Thị Mới",
            birth_date="1990-02-28",
            gender="male",
            kind="honorary",
            joined_on="2015-03-08",
            core=True,
            phone="0912 345 678",
            citizen_id="025 090 001234",
            id_card="132.012.345",
            address="Khu 1, xã Phượng Vĩ",
            hometown="Xã Tiên Lương",
            ethnicity="Mường",
            religion="catholic",
            party="member",
            party_joined_on="2019-05-19",
            education="upper_secondary",
            qualification="college",
            occupation="Giáo viên mầm non",
            household_id=str(home(database, unit_id["phuongvi-1"])),
            photo="members/2026/0192f0c1.jpg",
        )
        shown = officer.post("/v1/members", json=sent).json()
        kept = {
            "phone": "+84912345678",
            "citizen_id": "025090001234",
            "id_card": "132012345",
            "ethnicity": "04",
        }
        assert {name: shown[name] for name in sent} == sent | kept
        assert (shown["masked"], shown["warnings"]) == ([], [])
        row = stored(database, own)
        assert row is not None
        assert {name: getattr(row, name) for name in kept} == kept
        assert (row.joined_on, row.party_joined_on) == ("2015-03-08", "2019-05-19")

    def test_is_in_the_change_log_once(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        shown = head.post("/v1/members", json=body_of(unit_id)).json()
        with writing(database) as session:
            [change] = session.exec(
                select(Change).where(col(Change.entity_id) == shown["id"])
            ).all()
        assert (change.entity, change.operation.value, change.revision) == ("member", "created", 1)

    def test_takes_the_edges_of_time(self, head: Api, unit_id: UnitIds) -> None:
        today = local_today()
        for born, joined in (
            ("1900", None),
            (today.isoformat(), today.isoformat()),
            (f"{today:%Y-%m}", None),
            (str(today.year), today.isoformat()),
            ("2024-02-29", "2024-01-01"),  # partial dates of birth: only the years compare
            ("1970", str(today.year)),
            ("1970-03", f"{today:%Y-%m}"),
        ):
            answer = head.post(
                "/v1/members", json=body_of(unit_id, birth_date=born, joined_on=joined)
            )
            assert answer.status_code == 201, answer.text
            assert (answer.json()["birth_date"], answer.json()["joined_on"]) == (born, joined)

    def test_may_have_joined_the_union_before_her_branch_was_opened(
        self, head: Api, unit_id: UnitIds
    ) -> None:
        body = body_of(unit_id, birth_date="1950", joined_on="1970-03-08")
        answer = head.post("/v1/members", json=body)
        assert (answer.status_code, answer.json()["joined_on"]) == (201, "1970-03-08")

    def test_cleans_the_name_as_people_type_it(self, head: Api, unit_id: UnitIds) -> None:
        decomposed = "  Hoa\u0300ng  Thi\u0323   Đi\u0323nh "
        shown = head.post("/v1/members", json=body_of(unit_id, full_name=decomposed)).json()
        assert shown["full_name"] == "Hoàng Thị Định"
        assert shown["warnings"] == []

    @pytest.mark.parametrize(
        ("typed", "kept", "codes"),
        [
            ("trần thị mơ", "Trần Thị Mơ", ["name_case_set"]),
            ("LÊ THỊ SEN", "Lê Thị Sen", ["name_case_set"]),
            ("Ðào Thị Lan", "Đào Thị Lan", ["name_look_alike"]),
            ("H`Hen Niê", "H'Hen Niê", ["name_look_alike"]),
            ("Y–Bhăm Ênuôl", "Y-Bhăm Ênuôl", ["name_look_alike"]),
            ("Lan\u200b Anh", "Lan Anh", ["name_had_invisible"]),
            ("𝐋𝐚𝐧 anh", "Lan Anh", ["name_look_alike", "name_case_set"]),
        ],
    )
    def test_repairs_the_name_and_says_so(
        self, head: Api, unit_id: UnitIds, typed: str, kept: str, codes: list[str]
    ) -> None:
        made = head.post("/v1/members", json=body_of(unit_id, full_name=typed)).json()
        assert made["full_name"] == kept
        said = [each for each in made["warnings"] if each["pointer"] == "/full_name"]
        assert [each["code"] for each in said] == codes
        assert all(kept in each["detail"] for each in said)

        path = f"/v1/members/{made['id']}"
        other = head.patch(path, json={"full_name": "Người Khác"}).json()
        assert [each["pointer"] for each in other["warnings"]] == []
        again = head.patch(path, json={"full_name": typed}).json()
        assert (again["full_name"], again["revision"]) == (kept, made["revision"] + 2)
        assert [each["code"] for each in again["warnings"]] == codes
        assert head.get(path).json()["full_name"] == kept

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("0912345678", "+84912345678"),
            ("84912345678", "+84912345678"),
            ("912345678", "+84912345678"),
            ("0912.345.678", "+84912345678"),
            ("+84 (0)912-345-678", "+84912345678"),
            ("01662345678", "+84362345678"),
            ("00841662345678", "+84362345678"),
            ("０９１２３４５６７８", "+84912345678"),
        ],
    )
    def test_normalises_the_phone(self, head: Api, unit_id: UnitIds, typed: str, kept: str) -> None:
        shown = head.post("/v1/members", json=body_of(unit_id, phone=typed)).json()
        assert shown["phone"] == kept

    def test_takes_identity_numbers_of_full_width(self, officer: Api, unit_id: UnitIds) -> None:
        numbers = {"citizen_id": "０２５１９００００１２３", "id_card": "１３２０１２３４５"}
        shown = officer.post("/v1/members", json=body_of(unit_id, **numbers)).json()
        assert (shown["citizen_id"], shown["id_card"]) == ("025190000123", "132012345")

    def test_a_closed_branch_admits_nobody(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        yesterday = local_today() - timedelta(days=1)
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            session.get_one(Unit, unit_id["phuongvi-1"]).closed_on = yesterday
        for joined_on in (None, local_today().isoformat(), "2020-01-01"):
            answer = head.post("/v1/members", json=body_of(unit_id, joined_on=joined_on))
            assert (answer.status_code, answer.json()["code"]) == (409, "unit_closed")
            assert as_written(yesterday) in answer.json()["detail"]
        assert count_of(database) == 400


class TestRefusedToCreate(Reading):
    @pytest.mark.parametrize("missing", ["full_name", "birth_date", "joined_on"])
    def test_says_what_is_missing(
        self, head: Api, database: Database, unit_id: UnitIds, missing: str
    ) -> None:
        sent = body_of(unit_id)
        del sent[missing]
        error = error_of(head.post("/v1/members", json=sent))
        assert (error["pointer"], error["code"]) == (f"/{missing}", "required")
        assert count_of(database) == 400

    @pytest.mark.parametrize("field", WRONG)
    def test_refuses_a_wrong_value_by_name(
        self, officer: Api, database: Database, unit_id: UnitIds, field: str
    ) -> None:
        for value, code in WRONG[field]:
            error = error_of(officer.post("/v1/members", json=body_of(unit_id) | {field: value}))
            found = (error["in"], error["pointer"], error["code"])
            assert found == ("body", f"/{field}", code), value
        assert count_of(database) == 400

    def test_refuses_the_future(self, head: Api, database: Database, unit_id: UnitIds) -> None:
        tomorrow = (local_today() + timedelta(days=1)).isoformat()
        for field, value, code in (
            ("birth_date", tomorrow, "birth_in_future"),
            ("birth_date", "9" * 20, "date_invalid"),
            ("birth_date", "１９６８", "date_invalid"),
            ("birth_date", "1968-0", "date_invalid"),
            ("birth_date", str(local_today().year + 1), "birth_in_future"),
            ("joined_on", tomorrow, "date_in_future"),
        ):
            error = error_of(head.post("/v1/members", json=body_of(unit_id) | {field: value}))
            assert (error["pointer"], error["code"]) == (f"/{field}", code)
        assert count_of(database) == 400

    def test_a_head_admits_to_no_other_branch(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        sent = body_of(unit_id, branch_id=unit_id["phuongvi-2"])
        foreign = error_of(head.post("/v1/members", json=sent))
        none = error_of(head.post("/v1/members", json=sent | {"branch_id": 2**31 - 1}))
        assert foreign == none
        assert (foreign["pointer"], foreign["code"]) == ("/branch_id", "unit_unknown")
        assert count_of(database) == 400

    def test_only_a_branch_has_members(self, officer: Api, unit_id: UnitIds) -> None:
        sent = body_of(unit_id, branch_id=unit_id["phuongvi"])
        error = error_of(officer.post("/v1/members", json=sent))
        assert (error["pointer"], error["code"]) == ("/branch_id", "unit_level_wrong")
        assert "chi hội" in error["hint"]

    @pytest.mark.parametrize(("username", "seen"), [("auditor", True), ("admin", True)])
    def test_who_sees_the_branch_without_the_right_is_told(
        self, api: Api, database: Database, unit_id: UnitIds, username: str, seen: bool
    ) -> None:
        answer = api.as_(username).post("/v1/members", json=body_of(unit_id))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert answer.json()["required_right"] == "members:write"
        names = [granter["unit"]["id"] for granter in answer.json()["units"]]
        assert names == [unit_id["phuongvi"], unit_id["camkhe"], unit_id["phutho"]]
        assert count_of(database) == 400


class TestOwnId:
    def test_sent_twice_is_one_member(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        sent = body_of(unit_id, id=str(uuid4()), phone="0912345678", joined_on="2010-10-20")
        first = head.post("/v1/members", json=sent)
        again = head.post("/v1/members", json=sent | {"phone": "+84 912 345 678"})
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert again.json()["id"] == sent["id"]
        assert again.headers["location"] == first.headers["location"]
        assert again.headers["etag"] == first.headers["etag"]
        assert count_of(database) == 401

    def test_other_content_is_refused_and_nothing_changes(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        sent = body_of(unit_id, id=str(uuid4()))
        head.post("/v1/members", json=sent)
        answer = head.post("/v1/members", json=sent | {"full_name": "Hà Thị Cũ"})
        assert (answer.status_code, answer.json()["code"]) == (409, "id_taken")
        row = stored(database, sent["id"])
        assert row is not None
        assert (row.full_name, row.revision) == ("Hà Thị Mới", 1)
        assert count_of(database) == 401

    def test_of_a_foreign_member_says_no_more_than_taken(
        self, head: Api, database: Database, unit_id: UnitIds, stranger: Json
    ) -> None:
        copied = {
            name: stranger[name]
            for name in ("id", "full_name", "birth_date", "gender", "kind", "joined_on")
        }
        answer = head.post("/v1/members", json=body_of(unit_id) | copied)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "id_taken")
        assert set(problem) == {
            "type", "title", "status", "detail", "code", "instance", "request_id",
        }  # fmt: skip
        assert stranger["full_name"] not in answer.text
        row = stored(database, stranger["id"])
        assert row is not None
        assert row.branch_id == stranger["branch_id"]

    def test_does_not_tell_what_a_masked_field_holds(
        self, head: Api, officer: Api, unit_id: UnitIds
    ) -> None:
        sent = body_of(unit_id, id=str(uuid4()), ethnicity="04", religion="buddhist")
        first = officer.post("/v1/members", json=sent)
        assert first.status_code == 201
        right = head.post("/v1/members", json=sent)
        wrong = head.post("/v1/members", json=sent | {"ethnicity": "01", "religion": "none"})
        assert right.status_code == wrong.status_code == 200
        assert (
            right.json()
            == wrong.json()
            == first.json()
            | {
                "ethnicity": None,
                "religion": None,
                "masked": HEAD_MASKED,
            }
        )

    @pytest.mark.race
    @pytest.mark.parametrize("differing", [False, True])
    def test_of_two_at_once_one_member_comes(
        self, api: Api, app: FastAPI, database: Database, unit_id: UnitIds, differing: bool
    ) -> None:
        headers = api.as_("phuongvi-1").headers
        sent = body_of(unit_id, id=str(uuid4()))
        bodies = [sent, sent | ({"full_name": "Hà Thị Khác"} if differing else {})]
        start = Barrier(2)

        def post(body: Json) -> Response:
            caller = Api(app, headers)
            start.wait()
            return caller.post("/v1/members", json=body)

        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(post, bodies))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == ([201, 409] if differing else [200, 201])
        if differing:
            codes = {a.json().get("code") for a in answers}
            assert codes == {None, "id_taken"}
        else:
            assert answers[0].json() == answers[1].json()
        assert count_of(database) == 401
        with writing(database) as session:
            logged = session.exec(
                select(func.count()).where(col(Change.entity_id) == sent["id"])
            ).one()
        assert logged == 1


def test_every_key_is_in_the_order_people_know() -> None:
    names = ["Lò Thị A", "Hà Thị An", "Hà Thị Bình", "Vì Thị Bình", "Hà Thị Đào"]
    assert all(one < two for one, two in pairwise(map(sort_key, names)))
