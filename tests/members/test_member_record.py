"""What a record holds besides the name: sealed at rest, doubted in the answer, masked by right."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col, func, select

from app.clock import local_today
from app.db import Database, vault_of
from app.models.members.members import (
    Education,
    Gender,
    Identifier,
    Member,
    MemberIdentifier,
    MemberKind,
    MemberStatus,
    NameEntry,
    PartyStatus,
    Qualification,
    Religion,
)
from app.models.members.spells import DepartureReason
from app.text import search_key, sort_key
from tests.helpers.answers import Json, UnitIds, pointed
from tests.helpers.client import Api, writing
from tests.helpers.reading import Reading

PHONE, CITIZEN_ID = "+84912345678", "000168001234"


def body_of(unit_id: UnitIds, **more: Any) -> Json:
    return {
        "branch_id": unit_id["phuongvi-1"],
        "full_name": "Hà Thị Mới",
        "birth_date": "1968",
        "joined_on": "1990-03-08",
    } | more


def as_stored(database: Database, member_id: str) -> Json:
    """The row as the database itself holds it."""
    table = SQL_MEMBER
    with writing(database) as session:
        row = session.connection().execute(
            sa.select(table).where(table.c.id == _raw(database, member_id))
        )
        return dict(row.one()._mapping)


SQL_MEMBER = sa.table("member", *(sa.column(n) for n in ("id", "phone", "citizen_id", "id_card")))


def _raw(database: Database, member_id: str) -> object:
    return UUID(member_id).bytes if database.on_sqlite else UUID(member_id)


def found_by(database: Database, member_id: str) -> dict[str, tuple[int, int, int]]:
    with writing(database) as session:
        rows = session.exec(
            select(MemberIdentifier).where(col(MemberIdentifier.member_id) == UUID(member_id))
        ).all()
    return {str(row.kind): (row.exact, row.last6, row.last4) for row in rows}


def digests(database: Database, kind: Identifier, value: str) -> tuple[int, int, int]:
    with writing(database) as session:
        vault = vault_of(session)
    parts = {"exact": value, "last6": value[-6:], "last4": value[-4:]}
    exact, last6, last4 = (vault.digest(part, f"{kind}:{name}") for name, part in parts.items())
    return exact, last6, last4


class TestAtRest:
    def test_identifiers_are_sealed_in_the_table_the_log_and_the_kept_answer(
        self, officer: Api, database: Database, unit_id: UnitIds
    ) -> None:
        sent = body_of(unit_id, phone=PHONE, citizen_id=CITIZEN_ID, id_card="132012345")
        answer = officer.post("/v1/members", json=sent, headers={"idempotency-key": "k"})
        member = answer.json()
        assert (member["phone"], member["citizen_id"]) == (PHONE, CITIZEN_ID)
        row = as_stored(database, member["id"])
        with writing(database) as session:
            everything = [
                str(line)
                for name in ("change", "idempotent_answer", "member_identifier")
                for line in session.connection().execute(sa.text(f"SELECT * FROM {name}"))
            ]
        for number in (PHONE, PHONE[3:], CITIZEN_ID, "132012345"):
            assert all(number not in str(value) for value in row.values())
            assert not any(number in line for line in everything)

    def test_her_history_is_opened_for_who_may_see_it(
        self, api: Api, officer: Api, unit_id: UnitIds
    ) -> None:
        member = officer.post("/v1/members", json=body_of(unit_id, phone=PHONE)).json()
        officer.patch(f"/v1/members/{member['id']}", json={"phone": "0987654321"})
        path = f"/v1/changes/history?entity=member&entity_id={member['id']}"
        [phones] = [f for f in officer.get(path).json()["fields"] if f["field"] == "phone"]
        assert [each["value"] for each in phones["values"]] == [PHONE, "+84987654321"]
        answer = api.as_("auditor").get(path)
        [hidden] = [f for f in answer.json()["fields"] if f["field"] == "phone"]
        assert [each["value"] for each in hidden["values"]] == [None, None]
        assert "phone" in answer.json()["masked"]

    def test_digests_follow_what_they_are_of(
        self, officer: Api, database: Database, unit_id: UnitIds
    ) -> None:
        member = officer.post("/v1/members", json=body_of(unit_id, phone=PHONE)).json()
        path = f"/v1/members/{member['id']}"
        assert found_by(database, member["id"]) == {
            "phone": digests(database, Identifier.phone, PHONE)
        }
        officer.patch(path, json={"phone": "0987654321", "citizen_id": CITIZEN_ID})
        assert found_by(database, member["id"]) == {
            "phone": digests(database, Identifier.phone, "+84987654321"),
            "citizen_id": digests(database, Identifier.citizen_id, CITIZEN_ID),
        }
        officer.patch(path, json={"phone": None})
        assert set(found_by(database, member["id"])) == {"citizen_id"}

    def test_a_phone_may_be_shared(self, officer: Api, unit_id: UnitIds) -> None:
        for name in ("Hà Thị Một", "Hà Thị Hai"):
            sent = body_of(unit_id, full_name=name, phone=PHONE)
            answer = officer.post("/v1/members", json=sent)
            assert (answer.status_code, answer.json()["warnings"]) == (201, [])

    def test_the_name_is_in_the_dictionary_once(
        self, officer: Api, database: Database, unit_id: UnitIds
    ) -> None:
        for name in ("Quách Thị Ngân Hà", "QUÁCH Thị Ngân Hà"):
            officer.post("/v1/members", json=body_of(unit_id, full_name=name))
        made = officer.post("/v1/members", json=body_of(unit_id)).json()
        officer.patch(f"/v1/members/{made['id']}", json={"full_name": "Quách Thị Ngân Hoà"})
        with writing(database) as session:
            entries = session.exec(
                select(NameEntry).where(col(NameEntry.search_key).startswith(" quach="))
            ).all()
        assert {(entry.sort_key, entry.search_key) for entry in entries} == {
            (sort_key(name), search_key(name))
            for name in ("Quách Thị Ngân Hà", "Quách Thị Ngân Hoà")
        }


class TestWarnings:
    def warned(self, answer: Any) -> list[tuple[str, str]]:
        assert answer.status_code == 201, answer.text
        return [(each["pointer"], each["code"]) for each in answer.json()["warnings"]]

    @pytest.mark.parametrize(
        ("number", "more", "codes"),
        [
            ("000168001234", {}, []),
            ("000167001234", {}, ["citizen_id_birth_year"]),
            ("000068001234", {}, ["citizen_id_gender"]),
            ("000301001234", {}, ["citizen_id_birth_year"]),
            ("000301001234", {"birth_date": "2001", "joined_on": "2020-01-01"}, []),
            ("000068001234", {"gender": "male", "kind": "honorary"}, []),
            ("000968001234", {}, ["citizen_id_century"]),
            ("999168001234", {}, []),  # the province is of birth registration: never doubted
        ],
    )
    def test_of_the_structure_of_a_citizen_id(
        self, officer: Api, unit_id: UnitIds, number: str, more: Json, codes: list[str]
    ) -> None:
        sent = body_of(unit_id, citizen_id=number) | more
        found = self.warned(officer.post("/v1/members", json=sent))
        assert found == [("/citizen_id", code) for code in codes]

    def test_that_another_record_has_the_number_without_saying_whose(
        self, api: Api, officer: Api, unit_id: UnitIds
    ) -> None:
        officer.post("/v1/members", json=body_of(unit_id, citizen_id=CITIZEN_ID))
        elsewhere = body_of(unit_id, citizen_id=CITIZEN_ID, full_name="Lê Thị Khác")
        elsewhere["branch_id"] = unit_id["tienluong-1"]
        answer = api.as_("tienluong").post("/v1/members", json=elsewhere)
        assert self.warned(answer) == [
            ("/citizen_id", "citizen_id_known"),
            ("/full_name", "duplicate_suspected"),
        ]
        assert "Hà Thị Mới" not in answer.text

    def test_of_a_man_who_is_no_honorary_member_and_of_joining_too_young(
        self, officer: Api, unit_id: UnitIds
    ) -> None:
        man = body_of(unit_id, gender="male")
        assert self.warned(officer.post("/v1/members", json=man)) == [("/kind", "man_not_honorary")]
        girl = body_of(unit_id, full_name="Lê Thị Trẻ", joined_on="1985-01-01")
        found = self.warned(officer.post("/v1/members", json=girl))
        assert found == [("/joined_on", "joined_under_age")]

    def test_are_told_in_the_readers_language(self, officer: Api, unit_id: UnitIds) -> None:
        sent = body_of(unit_id, citizen_id="000167001234")
        vietnamese = officer.post("/v1/members", json=sent).json()["warnings"][0]
        english = officer.post(
            "/v1/members",
            json=sent | {"citizen_id": "000167001235"},
            headers={"accept-language": "en"},
        ).json()["warnings"][0]
        assert "1967" in vietnamese["detail"]
        assert vietnamese["detail"].startswith("Số định danh")
        assert english["detail"].startswith("The citizen id says born in 1967")

    def test_do_not_tell_what_a_masked_number_holds(
        self, api: Api, officer: Api, unit_id: UnitIds
    ) -> None:
        writer = api.as_("phuongvi-1")
        member = officer.post("/v1/members", json=body_of(unit_id, citizen_id=CITIZEN_ID)).json()
        answer = writer.patch(f"/v1/members/{member['id']}", json={"birth_date": "1969"})
        assert [w["code"] for w in answer.json()["warnings"]] == ["citizen_id_birth_year"]

    def test_do_not_keep_anything_from_being_stored(
        self, officer: Api, database: Database, unit_id: UnitIds
    ) -> None:
        sent = body_of(unit_id, citizen_id="000967001234", gender="male")
        made = officer.post("/v1/members", json=sent).json()
        with writing(database) as session:
            row = session.get_one(Member, UUID(made["id"]))
        assert (row.citizen_id, row.gender.value) == ("000967001234", "male")


class TestConsistency:
    def test_only_a_party_member_has_a_day_of_joining_the_party(
        self, officer: Api, database: Database, unit_id: UnitIds
    ) -> None:
        sent = body_of(unit_id, party="member", party_joined_on="1995-05-19")
        made = officer.post("/v1/members", json=sent).json()
        path = f"/v1/members/{made['id']}"
        for change in ({"party": "none"}, {"party": None}):
            answer = officer.patch(path, json=change)
            [error] = answer.json()["errors"]
            assert (error["pointer"], error["code"]) == ("/party_joined_on", "party_date_alone")
        cleared = officer.patch(path, json={"party": "none", "party_joined_on": None})
        assert (cleared.json()["party"], cleared.json()["revision"]) == ("none", 2)

    def test_a_religion_not_declared_is_not_none(self, officer: Api, unit_id: UnitIds) -> None:
        kinds = [None, "none", "undeclared"]
        shown = [
            officer.post("/v1/members", json=body_of(unit_id, religion=kind)).json()["religion"]
            for kind in kinds
        ]
        assert shown == kinds

    @pytest.mark.parametrize(
        ("typed", "code"),
        [("04", "04"), ("Mường", "04"), ("MƯỜNG", "04"), ("Hoa", "06"), ("Cao Lan", "13"),
         ("H'Mông", "08"), ("Mèo", "08"), ("Ê-đê", "11"), ("kinh", "01"), ("Người nước ngoài", "55"),
         ("K`Ho", "15"), ("Bru – Vân Kiều", "22"), ("Cơtu", "25"), ("Mán", "09"), ("Trại", "17"),
         ("Trầu", "30"), ("Mọn", "23"), ("dân tộc Tày", "02")],
    )  # fmt: skip
    def test_an_ethnic_group_is_understood_by_name(
        self, officer: Api, unit_id: UnitIds, typed: str, code: str
    ) -> None:
        made = officer.post("/v1/members", json=body_of(unit_id, ethnicity=typed))
        assert made.json()["ethnicity"] == code

    @pytest.mark.parametrize("typed", ["Xá", "Mả", "Hoà Bình", "Mảng Bi"])
    def test_a_group_that_is_not_sure_is_refused(
        self, officer: Api, unit_id: UnitIds, typed: str
    ) -> None:
        answer = officer.post("/v1/members", json=body_of(unit_id, ethnicity=typed))
        pointed(answer, "/ethnicity", "ethnicity_unknown")

    @pytest.mark.parametrize(
        ("typed", "code"),
        [("catholic", "catholic"), ("Đạo Công giáo", "catholic"), ("CG", "catholic"),
         ("Islam", "muslim"), ("Không tôn giáo", "none"), ("Không khai", "undeclared")],
    )  # fmt: skip
    def test_a_religion_is_understood_by_name(
        self, officer: Api, unit_id: UnitIds, typed: str, code: str
    ) -> None:
        made = officer.post("/v1/members", json=body_of(unit_id, religion=typed)).json()
        assert made["religion"] == code
        answer = officer.patch(f"/v1/members/{made['id']}", json={"religion": "Đạo"})
        pointed(answer, "/religion", "not_in_list")


class TestPhoto:
    @pytest.mark.parametrize(
        "photo",
        ["a/2026/her.jpg", "a..b/c...jpg", "https://a.vn/p/her.jpg?v=1", "https://a.vn/%C3%A0.jpg"],
    )
    def test_is_a_key_or_an_address(self, officer: Api, unit_id: UnitIds, photo: str) -> None:
        made = officer.post("/v1/members", json=body_of(unit_id, photo=photo))
        assert (made.status_code, made.json()["photo"]) == (201, photo)

    @pytest.mark.parametrize(
        "photo",
        [
            "a/../../etc/passwd",
            "a/..",
            "https://a.vn/../x",
            "https://a.vn/%2E%2e/x",
            "https://a.vn/..\\x",
            "https://a.vn/..%5Cx",
            "https://a.vn/\x01",
            "https://a.vn/\ufffe",
            "https://a.vn/%00",
            "https://a.vn/\u202egpj.exe",
            "http://a.vn/x",
        ],
    )
    def test_leads_nowhere_else(
        self, officer: Api, unit_id: UnitIds, database: Database, photo: str
    ) -> None:
        member = officer.post("/v1/members", json=body_of(unit_id, photo="a/1.jpg")).json()
        answers = (
            officer.post("/v1/members", json=body_of(unit_id, photo=photo)),
            officer.patch(f"/v1/members/{member['id']}", json={"photo": photo}),
        )
        for answer in answers:
            [error] = answer.json()["errors"]
            assert (answer.status_code, error["pointer"]) == (422, "/photo")
            assert error["code"] == "wrong_format"
        with writing(database) as session:
            assert session.get_one(Member, UUID(member["id"])).photo == "a/1.jpg"


class TestMaskedFields(Reading):
    def test_patching_several_names_each_of_them(self, api: Api, database: Database) -> None:
        head = api.as_("phuongvi-1")
        member = head.get("/v1/members?limit=1").json()["items"][0]
        sent = {"full_name": "Đã Đổi Tên", "party": "none", "party_joined_on": None}
        answer = head.patch(f"/v1/members/{member['id']}", json=sent)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (403, "forbidden")
        assert problem["required_right"] == "members:party"
        assert [(e["pointer"], e["code"]) for e in problem["errors"]] == [
            ("/party", "masked_field"),
            ("/party_joined_on", "masked_field"),
        ]
        with writing(database) as session:
            row = session.get_one(Member, UUID(member["id"]))
        assert (row.full_name, row.revision) == (member["full_name"], 1)


class TestCodeLists(Reading):
    def test_have_both_languages_and_a_source(self, api: Api) -> None:
        lists = {
            each["name"]: each for each in api.as_("member").get("/v1/code-lists").json()["items"]
        }
        ethnic = lists["ethnicity"]
        assert [item["code"] for item in ethnic["items"]] == [f"{n:02}" for n in range(1, 56)]
        assert (ethnic["version"], ethnic["items"][3]["vi"]) == ("2008", "Mường")
        for each in lists.values():
            assert each["source"]
            assert all(item["vi"] and item["en"] for item in each["items"])

    def test_hold_every_value_a_field_may_have(self, api: Api) -> None:
        lists = {
            each["name"]: each for each in api.as_("member").get("/v1/code-lists").json()["items"]
        }
        for enum, name in (
            (Religion, "religion"),
            (Gender, "gender"),
            (MemberKind, "kind"),
            (MemberStatus, "status"),
            (PartyStatus, "party"),
            (Education, "education"),
            (Qualification, "qualification"),
            (DepartureReason, "departure_reason"),
        ):
            assert [item["code"] for item in lists[name]["items"]] == [each.value for each in enum]


class TestDemo(Reading):
    def test_nobody_real_can_have_its_numbers(self, database: Database) -> None:
        with writing(database) as session:
            numbers = session.exec(select(Member.citizen_id)).all()
            known = session.exec(
                select(func.count()).where(col(MemberIdentifier.kind) == Identifier.citizen_id)
            ).one()
        given = [number for number in numbers if number]
        assert 0.9 < len(given) / len(numbers) < 1
        assert {number[:3] for number in given} == {"000"}
        assert known == len(given)

    def test_its_numbers_raise_no_doubt(self, api: Api) -> None:
        for member in api.as_("phuongvi").get("/v1/members?limit=200").json()["items"]:
            if member["citizen_id"]:
                year = (
                    1900
                    + 100 * (int(member["citizen_id"][3]) // 2)
                    + int(member["citizen_id"][4:6])
                )
                assert year == int(member["birth_date"][:4]) <= local_today().year
