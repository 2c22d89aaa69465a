"""Searching and filtering members: as one types, in every scope, and never past a mask."""

import json
from unicodedata import normalize
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from sqlmodel import select

from app.db import Database
from app.models.kernel.changes import ChangeSource
from app.models.members.members import (
    MemberIdentifier,
    NameEntry,
)
from app.services.kernel import changes
from app.services.members import names as name_dictionary
from app.services.members import search as member_search
from app.text import search_key, sort_key
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, writing
from tests.members.search.member_search import (
    HOA,
    SCOPES,
    WORLD,
    OwnDatabase,
    error_of,
    in_scope,
    names_of,
    search,
)

# What is typed; who has it as typed, marks and all; who comes after them.
EVERYBODY = [name for unit in WORLD.values() for name in unit if name != "Ksor Nga Hoa"]
SEARCHES: list[tuple[str, list[str], list[str]]] = [
    ("ksor hoa", ["Ksor Thị Hoà", "Ksor Thị Hoàn", *HOA], []),
    ("hoa ksor", ["Ksor Thị Hoà", *HOA], []),
    ("  HOA   KSOR ", ["Ksor Thị Hoà", *HOA], []),
    ("ksor thi hoa", ["Ksor Thị Hoà", "Ksor Thị Hoàn", *HOA], []),
    ("thi hoa ksor", ["Ksor Thị Hoà", *HOA], []),
    ("ho ksor", [], []),
    ("ksor ho", ["Ksor Thị Hoà", "Ksor Thị Hoàn", *HOA], []),
    ("Hoà ksor", ["Ksor Thị Hoà"], HOA),
    ("Hòa ksor", ["Ksor Thị Hoà"], HOA),
    ("HOÀ KSOR", ["Ksor Thị Hoà"], HOA),
    (normalize("NFD", "Hoà ksor"), ["Ksor Thị Hoà"], HOA),
    ("Ho\u200bà\u2060 ksor\ufeff", ["Ksor Thị Hoà"], HOA),
    ("ksor Hoà", ["Ksor Thị Hoà", "Ksor Thị Hoàn"], HOA),
    ("ksor Hoạ", [], ["Ksor Thị Hoà", "Ksor Thị Hoàn", *HOA]),
    ("ksor vĩ", ["Ksor Vĩ", "Ksor Vỹ"], []),
    ("ksor vy", ["Ksor Vĩ", "Ksor Vỹ"], []),
    ("ksor đào", ["Đặng Ksor Đào"], ["Đỗ Ksor Dao"]),
    ("ksor \u00d0ào", ["Đặng Ksor Đào"], ["Đỗ Ksor Dao"]),
    ("ksor dao", ["Đặng Ksor Đào", "Đỗ Ksor Dao"], []),
    ("Đ ksor", ["Đặng Ksor Đào", "Đỗ Ksor Dao"], []),
    ("D ksor", ["Đặng Ksor Đào", "Đỗ Ksor Dao"], []),
    ("K T Hoa", ["Ksor Thị Hoà", "Ksor Thị Hoàn", *HOA], []),
    ("K.T.H.", ["Ksor Thị Hoà", "Ksor Thị Hoàn", *HOA], []),
    ("K N T Sinh", ["Ksor Nguyễn Thị Sinh"], []),
    ("s t n k", ["Ksor Nguyễn Thị Sinh"], []),
    ("N N Ksor", ["Ksor Nguyễn Nga"], []),
    ("n nguyen ksor", ["Ksor Nguyễn Nga"], []),
    ("n nga ksor", ["Ksor Nguyễn Nga"], []),
    ("ksor ksor", [], []),
    ("hhen ksor", ["H'Hen Ksor"], []),
    ("h\u2019hen KSOR", ["H'Hen Ksor"], []),
    ("ksor-lê", ["Ksor-Lê Thị Hoa"], []),
    ("le ksor", ["Ksor-Lê Thị Hoa"], []),
    ("ks_r", [], []),
    ("ks%", EVERYBODY, []),
    ("k%r hoa", [], []),
    ("\\ksor lê\\", ["Ksor-Lê Thị Hoa"], []),
    ("ksor'; --", ["H'Hen Ksor"], [name for name in EVERYBODY if name != "H'Hen Ksor"]),
    ("ksor 李", [], []),
    ("ｋｓｏｒ lê", ["Ksor-Lê Thị Hoa"], []),
]


class TestManyNumbers(OwnDatabase):
    def test_a_number_that_is_everybodys_is_refused(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, unit_id: dict[str, int]
    ) -> None:
        officer = api.as_("phuongvi")
        for number in range(3):
            body = {"branch_id": unit_id["phuongvi-1"], "full_name": f"Hà Thị {'ABC'[number]}a"}
            body |= {"birth_date": "1970", "joined_on": None, "phone": "0912345678"}
            assert officer.post("/v1/members", json=body).status_code == 201
        monkeypatch.setattr(member_search, "_MOST_NUMBERED", 2)
        error = error_of(officer.get("/v1/members?q=0912345678"))
        assert (error["pointer"], error["code"]) == ("/q", "search_too_many")
        monkeypatch.setattr(member_search, "_MOST_NUMBERED", 3)
        assert len(search(officer, "0912345678")) == 3


class TestWords:
    @pytest.mark.parametrize("username", SCOPES)
    def test_find_whom_they_should_in_every_scope(self, api: Api, username: str) -> None:
        caller = api.as_(username)
        for q, as_typed, others in SEARCHES:
            found = search(caller, q)
            expected = in_scope(username, as_typed) + in_scope(username, others)
            assert (q, [name for name in found if "Ksor" in name]) == (q, expected)
            assert found == expected or "ksor" not in q.lower()

    @pytest.mark.parametrize("username", SCOPES)
    @pytest.mark.parametrize(
        ("q", "size"), [("ksor", 2), ("Hoà ksor", 1), ("Hoà", 3), ("n t h", 9)]
    )
    def test_pages_hold_each_once_in_the_order_of_one_page(
        self, api: Api, username: str, q: str, size: int
    ) -> None:
        caller = api.as_(username)
        whole = caller.get(f"/v1/members?limit=200&q={quote(q)}").json()["items"]
        paged: list[Json] = []
        answer = caller.get(f"/v1/members?limit={size}&q={quote(q)}")
        while "link" in answer.headers and len(paged) < len(whole):
            paged += answer.json()["items"]
            answer = caller.get(answer.headers["link"].split(">")[0].lstrip("<"))
        paged += answer.json()["items"]
        assert [item["id"] for item in paged[: len(whole)]] == [item["id"] for item in whole]
        assert len({item["id"] for item in paged}) == len(paged)

    @pytest.mark.parametrize("username", SCOPES)
    def test_a_common_word_finds_exactly_who_has_it(
        self, api: Api, database: Database, username: str
    ) -> None:
        caller = api.as_(username)
        accept = {"accept": "application/x-ndjson"}
        everybody = caller.get("/v1/members?fields=id,full_name", headers=accept).text.splitlines()
        expected = [row for row in everybody if " thi" in search_key(json.loads(row)["full_name"])]
        assert 0 < len(expected) < len(everybody)
        found = caller.get("/v1/members?fields=id,full_name&q=thi", headers=accept)
        assert found.text.splitlines() == expected

    def test_a_name_no_longer_borne_finds_nobody(self, api: Api, database: Database) -> None:
        gone = "Ksor Không Ai"
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            row = {"sort_key": sort_key(gone), "search_key": search_key(gone)}
            name_dictionary.remember(session, [row])
            assert session.get(NameEntry, sort_key(gone)) is not None
        assert search(api.as_("phutho"), "ksor khong ai") == []

    def test_a_cursor_of_one_search_opens_no_other(self, api: Api) -> None:
        caller = api.as_("phutho")
        cursor = caller.get("/v1/members?limit=1&q=ksor").json()["next_cursor"]
        error = error_of(caller.get(f"/v1/members?limit=1&q=thi&cursor={cursor}"))
        assert (error["pointer"], error["code"]) == ("/cursor", "cursor_invalid")

    @pytest.mark.parametrize(
        ("q", "code"),
        [
            ("", "search_empty"),
            ("   ", "search_empty"),
            ("%_%", "search_empty"),
            ("...", "search_empty"),
            ("\u200b", "search_empty"),
            ("❤", "search_empty"),
            ("123", "search_digits"),
            ("hoa 1", "search_digits"),
            ("a b c d e f g h i", "search_words"),
            ("a" * 101, "too_long"),
        ],
    )
    def test_what_cannot_be_searched_for_is_said(self, api: Api, q: str, code: str) -> None:
        error = error_of(api.as_("phuongvi-1").get(f"/v1/members?q={quote(q)}"))
        assert (error["in"], error["pointer"], error["code"]) == ("query", "/q", code)

    @pytest.mark.parametrize("q", ["a b c d e f g h", "x x x x x x x x", "a" * 100, "ß\u0301x"])
    def test_the_longest_searches_are_answered(self, api: Api, q: str) -> None:
        assert search(api.as_("phutho"), q) == []

    def test_requires_sign_in_and_the_right(self, api: Api) -> None:
        answer = api.get("/v1/members?q=hoa")
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        answer = api.as_("admin").get("/v1/members?q=hoa")
        assert (answer.status_code, answer.json()["required_right"]) == (403, "members:read")


class TestNewNames(OwnDatabase):
    """A search finds a name from the moment it is written."""

    def test_a_name_that_is_new_is_found_by_each_of_its_words(
        self, api: Api, unit_id: dict[str, int]
    ) -> None:
        officer = api.as_("phuongvi")
        body = {"branch_id": unit_id["phuongvi-1"], "full_name": "Quàng Thị Xuyến Chi"}
        made = officer.post("/v1/members", json=body | {"birth_date": "1970", "joined_on": None})
        officer.patch(f"/v1/members/{made.json()['id']}", json={"full_name": "Quàng Thị Nhược Chi"})
        caller = api.as_("phutho")
        for q in ("quang nhuoc", "nhuoc quang", "chi nhuo", "Nhược"):
            assert "Quàng Thị Nhược Chi" in search(caller, q)
        assert search(caller, "quang xuyen") == []

    def test_admitted_and_renamed(self, api: Api, unit_id: UnitIds) -> None:
        body = {
            "branch_id": unit_id["phuongvi-1"],
            "full_name": "Rơ Châm Xuyến",
            "birth_date": "1990",
            "joined_on": None,
        }
        head, province = api.as_("phuongvi-1"), api.as_("phutho")
        made = head.post("/v1/members", json=body).json()
        for caller in (head, province):
            assert search(caller, "ro cham xu") == ["Rơ Châm Xuyến"]
        head.patch(f"/v1/members/{made['id']}", json={"full_name": "Rơ Châm Yến"})
        for caller in (head, province):
            assert search(caller, "ro cham xu") == []
            assert search(caller, "ro cham ye") == ["Rơ Châm Yến"]

    def test_a_new_phone_is_found_and_the_old_one_no_more(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        body = {
            "branch_id": unit_id["phuongvi-1"],
            "full_name": "Rơ Châm Xuyến",
            "birth_date": "1990",
            "joined_on": None,
            "phone": "0987000111",
        }
        made = officer.post("/v1/members", json=body).json()
        assert search(officer, "0987000111") == ["Rơ Châm Xuyến"]
        officer.patch(f"/v1/members/{made['id']}", json={"phone": "0987000222"})
        assert search(officer, "0987000111") == []
        assert search(officer, "0987000222") == ["Rơ Châm Xuyến"]


class TestNumbers:
    @pytest.mark.parametrize("username", ["phuongvi-1", "phuongvi", "camkhe", "phutho"])
    @pytest.mark.parametrize(
        "q",
        [
            "ksor ...45678",
            "ksor \u2026345678",
            "2345678",
            "12345678",
            "0912345678",
            "0912 345 678",
            "0912.345.678",
            "+84912345678",
            "+84 912 345 678",
            "84912345678",
            "912345678",
            "ksor 5678 thi",
            "hoa 345678",
        ],
    )
    def test_a_phone_whole_or_by_its_end_finds_all_who_share_it(
        self, api: Api, username: str, q: str
    ) -> None:
        ends = q == "2345678" or q.startswith(("ksor ...", "ksor \u2026"))
        expected = ["Ksor Thị Hoà", "Ksor Thị Hóa", *(["Ksor Vỹ"] if ends else [])]
        assert search(api.as_(username), q) == in_scope(username, expected)

    def test_a_plus_that_the_address_turned_into_a_space(self, api: Api) -> None:
        found = names_of(api.as_("phuongvi-1").get("/v1/members?q=+84912345678"))
        assert found == ["Ksor Thị Hoà"]

    @pytest.mark.parametrize("q", ["01692345678", "0169 234 5678", "0392345678", "392345678"])
    def test_an_old_mobile_number_finds_the_new_one(self, api: Api, q: str) -> None:
        assert search(api.as_("phutho"), q) == ["Ksor Vỹ"]

    @pytest.mark.parametrize("username", ["phuongvi", "camkhe", "phutho"])
    @pytest.mark.parametrize("q", ["025168001234", "001234", "68001234", "132012399", "12399"])
    def test_an_identity_number_whole_or_by_its_end(self, api: Api, username: str, q: str) -> None:
        assert search(api.as_(username), q) == ["Ksor Thị Hoà"]

    def test_the_last_four_of_a_citizen_id(self, api: Api) -> None:
        found = search(api.as_("phutho"), "ksor 1234")
        assert found == sorted(["Ksor Thị Hoà", "Ksor Thị Hoa", "Ksor Thị Hóa"], key=sort_key)

    @pytest.mark.parametrize(
        "q", ["0912345679", "912345", "025168", "9912345678", "0251680012345", "1" * 90]
    )
    def test_another_number_finds_nobody(self, api: Api, q: str) -> None:
        assert search(api.as_("phutho"), q) == []

    def test_words_and_digits_must_both_fit(self, api: Api) -> None:
        assert search(api.as_("phutho"), "vy 345678") == ["Ksor Vỹ"]
        assert search(api.as_("phutho"), "vy 12345678") == []

    def test_marks_rank_first_among_who_has_the_number(self, api: Api) -> None:
        found = search(api.as_("phutho"), "Hóa 1234")
        assert found == ["Ksor Thị Hóa", "Ksor Thị Hoa", "Ksor Thị Hoà"]

    def test_without_the_right_anywhere_it_is_named(self, api: Api) -> None:
        for username, q, right in (
            ("auditor", "345678", "members:phone"),
            ("auditor", "025168001234", "members:citizen_id"),
            ("reader", "025168001234", "members:citizen_id"),
        ):
            answer = api.as_(username).get(f"/v1/members?q={q}")
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (403, "forbidden")
            assert problem["required_right"] == right
            assert "items" not in problem

    def test_a_masked_number_is_not_told_by_a_search(self, api: Api) -> None:
        head = api.as_("reader")
        [shown] = head.get(f"/v1/members?q={quote('Hoà ksor thị')}").json()["items"]
        assert shown["citizen_id"] is None
        assert "citizen_id" in shown["masked"]
        assert search(head, "ksor 1234") == []
        assert search(head, "ksor 001234") == []
        assert search(head, "132012399") == []
        assert search(head, "ksor 5678") == ["Ksor Thị Hoà"]

    def test_only_where_the_right_is_held(self, api: Api) -> None:
        assert search(api.as_("two-hats"), "ksor 1234") == ["Ksor Thị Hóa"]
        found = search(api.as_("two-hats"), "0912345678")
        assert found == ["Ksor Thị Hoà", "Ksor Thị Hóa"]

    def test_digests_that_collide_are_opened_and_compared(
        self, api: Api, database: Database
    ) -> None:
        """Five digits are looked up by four."""
        assert search(api.as_("phutho"), "ksor 45678") != search(api.as_("phutho"), "ksor 95678")
        assert search(api.as_("phutho"), "ksor 95678") == []
        with writing(database) as session:
            rows = session.exec(select(sa.func.count()).select_from(MemberIdentifier)).one()
        assert rows > 300

    def test_pages(self, api: Api) -> None:
        caller = api.as_("phutho")
        first = caller.get("/v1/members?limit=2&q=ksor%201234")
        rest = caller.get(first.headers["link"].split(">")[0].lstrip("<"))
        assert names_of(first) + names_of(rest) == search(caller, "ksor 1234")
        assert len(names_of(rest)) == 1
