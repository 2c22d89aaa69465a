"""Searching and filtering members: as one types, in every scope, and never past a mask."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any
from unicodedata import normalize
from urllib.parse import quote
from uuid import UUID

import pytest
import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import Session, col, select

from app.clock import local_today
from app.db import Database
from app.models.base import new_id
from app.models.groups.groups import Participation
from app.models.kernel.access import Role
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import (
    Education,
    Gender,
    Member,
    MemberIdentifier,
    MemberKind,
    MemberStatus,
    NameEntry,
    PartyStatus,
    Qualification,
    Religion,
)
from app.services.kernel import changes
from app.services.members import names as name_dictionary
from app.services.members import search as member_search
from app.services.units.units import CURRENT_MEMBERS
from app.text import fold, search_key, sort_key, unit_sort_key
from tests.conftest import make_settings
from tests.helpers.client import Api, counted, utc_now, writing
from tests.helpers.databases import Clones
from tests.helpers.rows import add_account, add_member, add_unit

Json = dict[str, Any]
UnitIds = dict[str, int]

# Nobody else of the demo is a Ksor.
WORLD: dict[str, list[str]] = {
    "phuongvi-1": [
        "Ksor Thị Hoà",
        "Ksor Thị Hoàn",
        "Ksor Vĩ",
        "Ksor Nguyễn Thị Sinh",
        "Ksor Nga Hoa",
        "Ksor Nguyễn Nga",
    ],
    "phuongvi-3": ["Ksor Thị Hoa", "Đặng Ksor Đào"],
    "tienluong-1": ["Ksor Thị Hóa", "Ksor Vỹ", "H'Hen Ksor"],
    "tienluong-2": ["Đỗ Ksor Dao", "Ksor-Lê Thị Hoa"],
}
# The plans of a search: a branch, a commune, communes merged, a province, everybody.
SCOPES = {
    "phuongvi-1": ["phuongvi-1"],
    "phuongvi": ["phuongvi-1", "phuongvi-3"],
    "camkhe": list(WORLD),
    "phutho": list(WORLD),
    "trunguong": list(WORLD),
}
IN_FULL: dict[str, Json] = {
    "Ksor Thị Hoà": {
        "phone": "+84912345678",
        "citizen_id": "025168001234",
        "id_card": "132012399",
        "birth_year": 1968,
        "birth_date": "1968",
        "joined_on": date(2001, 3, 8),
        "core": True,
        "education": Education.primary,
        "qualification": Qualification.none,
        "ethnicity": "04",
        "religion": Religion.catholic,
        "party": PartyStatus.member,
        "household_id": UUID(int=7),
    },
    "Ksor Thị Hoa": {
        "citizen_id": "025168991234",
        "birth_year": 1969,
        "birth_date": "1969",
        "joined_on": date(2001, 3, 9),
        "education": Education.primary,
        "household_id": UUID(int=7),
    },
    "Ksor Thị Hóa": {
        "phone": "+84912345678",
        "citizen_id": "025168881234",
        "ethnicity": "04",
        "education": Education.upper_secondary,
    },
    "Ksor Vỹ": {"phone": "+84392345678", "gender": Gender.male, "kind": MemberKind.honorary},
    "Ksor Nga Hoa": {"status": MemberStatus.left, "phone": "+84933345678"},
}


def fill(session: Session) -> None:
    changes.attribute(session, changes.Origin(ChangeSource.cli))
    units = session.exec(select(Unit)).all()
    communes = {"Xã Phượng Vĩ": "phuongvi", "Xã Tiên Lương": "tienluong"}
    slugs = {u.id: communes[u.name] for u in units if u.name in communes}
    by_slug = {
        f"{slugs[u.commune_id]}-{u.name.split()[-1]}": u
        for u in units
        if u.level is UnitLevel.branch and u.commune_id in slugs
    }
    for slug, names in WORLD.items():
        for name in names:
            add_member(session, by_slug[slug], name, **IN_FULL.get(name, {}))
    top = add_unit(session, UnitLevel.central, "Trung ương Hội", None)
    commune = next(u.id for u in units if u.name == "Xã Tiên Lương")
    add_account(session, "trunguong", {top.id: Role.province_officer})
    # A reader sees phones and no identity numbers.
    reads = {by_slug["phuongvi-1"].id: Role.integration_reader}
    add_account(session, "reader", reads)
    add_account(session, "two-hats", reads | {commune: Role.commune_officer})
    add_groups(session, by_slug["phuongvi-1"])


def add_groups(session: Session, branch: Unit) -> None:
    """A club of the branch, in which one takes part, one did, and one will."""
    now = utc_now()
    club = Unit(
        level=UnitLevel.group,
        name="CLB Dân vũ",
        name_key="clb dan vu",
        sort_key=unit_sort_key("CLB Dân vũ"),
        parent_id=branch.id,
        province_id=branch.province_id,
        district_id=branch.district_id,
        commune_id=branch.commune_id,
        branch_id=branch.id,
        opened_on=date(2020, 1, 1),
        created_at=now,
        updated_at=now,
    )
    session.add(club)
    session.flush()
    today, day = local_today(), timedelta(days=1)
    for name, since, until in (
        ("Ksor Thị Hoà", date(2021, 1, 1), today),
        ("Ksor Vĩ", date(2021, 1, 1), today - day),
        ("Ksor Nguyễn Nga", today + day, None),
    ):
        member_id = session.exec(select(Member.id).where(col(Member.full_name) == name)).one()
        session.add(
            Participation(
                group_id=club.id,
                member_id=member_id,
                province_id=branch.province_id or 0,
                valid_from=since,
                valid_to=until,
                created_at=now,
                updated_at=now,
            )
        )
    session.flush()


@pytest.fixture(scope="module")
def filled(clones: Clones) -> Iterator[Database]:
    with clones.clone() as url:
        made = Database(make_settings(url))
        with writing(made) as session:
            fill(session)
        yield made
        made.close()


@pytest.fixture
def database(filled: Database) -> Database:
    """One for the whole module: its tests change nothing but sessions."""
    return filled


def names_of(answer: Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["full_name"] for item in answer.json()["items"]]


def search(api: Api, q: str, filters: str = "") -> list[str]:
    return names_of(api.get(f"/v1/members?limit=200&q={quote(q)}{filters}"))


def error_of(answer: Response) -> Json:
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    found: Json = error
    return found


def in_scope(username: str, names: Sequence[str]) -> list[str]:
    known = {name for unit in SCOPES[username] for name in WORLD[unit]}
    return sorted(known & set(names), key=sort_key)


HOA = ["Ksor Thị Hoa", "Ksor Thị Hóa", "Ksor-Lê Thị Hoa"]
# What is typed; who has it as typed, marks and all; who comes after them.
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
    ("ks%", [name for unit in WORLD.values() for name in unit if name != "Ksor Nga Hoa"], []),
    ("k%r hoa", [], []),
    ("\\ksor lê\\", ["Ksor-Lê Thị Hoa"], []),
    ("ksor'; --", [name for unit in WORLD.values() for name in unit if name != "Ksor Nga Hoa"], []),
    ("ksor 李", [], []),
    ("ｋｓｏｒ lê", ["Ksor-Lê Thị Hoa"], []),
]


class OwnDatabase:
    """Base of test classes that write."""

    @pytest.fixture
    def database(self, clones: Clones) -> Iterator[Database]:
        with clones.clone() as url:
            made = Database(make_settings(url))
            yield made
            made.close()


class TestRanks(OwnDatabase):
    """What is typed as a whole comes before what only begins so."""

    def add(self, officer: Api, unit_id: dict[str, int], *names: str) -> None:
        for name in names:
            body = {"branch_id": unit_id["phuongvi-1"], "full_name": name, "birth_date": "1970"}
            made = officer.post("/v1/members", json=body | {"joined_on": None})
            assert made.status_code == 201, made.text

    @pytest.mark.parametrize("username", ["phuongvi-1", "phuongvi", "phutho"])
    def test_a_whole_word_with_its_marks_before_one_it_begins(
        self, api: Api, unit_id: dict[str, int], username: str
    ) -> None:
        self.add(
            api.as_("phuongvi"), unit_id,
            "Hoàng Ksơr An", "Ksơr Thị Hoà", "Ksơr Thị Hoàn", "Ksơr Thị Hoa", "Ksơr Thị Hòa",
        )  # fmt: skip
        found = search(api.as_(username), "Hoà")
        ours = [name for name in found if "Ksơr" in name]
        assert ours == [
            "Ksơr Thị Hoà", "Ksơr Thị Hòa",
            "Hoàng Ksơr An", "Ksơr Thị Hoàn",
            "Ksơr Thị Hoa",
        ]  # fmt: skip

    @pytest.mark.parametrize("username", ["phuongvi-1", "phuongvi", "phutho"])
    def test_initials_in_their_order_before_any_other(
        self, api: Api, unit_id: dict[str, int], username: str
    ) -> None:
        self.add(
            api.as_("phuongvi"), unit_id,
            "Hoạ Thị Ngọc Ánh", "Ngữ Thị Hoạ", "Ngữ Thị Hoạt", "Thị Ngữ Hoạ", "Ngữ Hoạ",
        )  # fmt: skip
        found = search(api.as_(username), "N T Hoạ")
        ours = [name for name in found if "Hoạ" in name]
        assert ours == ["Ngữ Thị Hoạ", "Ngữ Thị Hoạt", "Hoạ Thị Ngọc Ánh", "Thị Ngữ Hoạ"]

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_pages_go_through_the_ranks(
        self, api: Api, unit_id: dict[str, int], limit: int
    ) -> None:
        names = ["Ksơr Hoà", "Ksơr Hoàn", "Ksơr Hoa", "Ksơr Hoá", "Hoàng Ksơr"]
        self.add(api.as_("phuongvi"), unit_id, *names)
        caller = api.as_("phutho")
        path: str | None = f"/v1/members?limit={limit}&q={quote('ksơr Hoà')}"
        found: list[str] = []
        while path:
            answer = caller.get(path)
            found += names_of(answer)
            path = answer.headers.get("link", "").split(">")[0].lstrip("<") or None
        assert found == ["Ksơr Hoà", "Ksơr Hoàn", "Hoàng Ksơr", "Ksơr Hoa", "Ksơr Hoá"]

    @pytest.mark.parametrize("username", ["phuongvi-1", "phutho"])
    @pytest.mark.parametrize("limit", [1, 2, 200])
    def test_nobody_stands_in_two_of_them(
        self, api: Api, unit_id: dict[str, int], username: str, limit: int
    ) -> None:
        names = ["Ngữ Ksơr Hoà", "Ngữ Ksơr Hoàn", "Hoà Ksơr Ngữ", "Hoàn Ksơr Ngữ", "Ngữ Ksơr Hoa"]
        self.add(api.as_("phuongvi"), unit_id, *names)
        caller = api.as_(username)
        path: str | None = f"/v1/members?limit={limit}&q={quote('N K Hoà')}"
        found: list[str] = []
        while path:
            answer = caller.get(path)
            found += names_of(answer)
            path = answer.headers.get("link", "").split(">")[0].lstrip("<") or None
        assert found == names


class TestDictionary:
    """Above the communes a rare word is looked up, a frequent one is met soon: the same is found."""

    @pytest.mark.parametrize("few", [1, 2, 5, 4_000])
    @pytest.mark.parametrize(
        "q", ["ksor", "ksor hoa", "thi", "nguyen thi", "Ksor Thị Hoà", "n t h"]
    )
    def test_finds_the_same_by_a_word_and_by_all_names(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, q: str, few: int
    ) -> None:
        caller = api.as_("phutho")
        expected = search(caller, q)
        monkeypatch.setattr(name_dictionary, "FEW", few)
        assert search(caller, q) == expected != []


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


def age(member: Member) -> int:
    return local_today().year - member.birth_year


FILTERS: list[tuple[str, Callable[[Member], bool]]] = [
    ("gender=male", lambda m: m.gender is Gender.male),
    ("age_from=60", lambda m: age(m) >= 60),
    ("age_to=35", lambda m: age(m) <= 35),
    ("age_from=40&age_to=40", lambda m: age(m) == 40),
    ("joined_from=2001-03-08&joined_to=2001-03-08", lambda m: m.joined_on == date(2001, 3, 8)),
    ("joined_from=2015-01-01", lambda m: m.joined_on is not None and m.joined_on.year >= 2015),
    ("joined_to=1990-12-31", lambda m: m.joined_on is not None and m.joined_on.year <= 1990),
    ("core=true", lambda m: m.core),
    ("core=false", lambda m: not m.core),
    ("party=member", lambda m: m.party is PartyStatus.member),
    ("ethnicity=04", lambda m: m.ethnicity == "04"),
    ("ethnicity=muong", lambda m: m.ethnicity == "04"),
    ("religion=catholic", lambda m: m.religion is Religion.catholic),
    ("education=primary", lambda m: m.education is Education.primary),
    ("qualification=none", lambda m: m.qualification is Qualification.none),
    ("kind=honorary&gender=male", lambda m: m.kind is MemberKind.honorary and m.gender == "male"),
    ("household=00000000-0000-0000-0000-000000000007", lambda m: m.household_id == UUID(int=7)),
]


class TestFilters:
    @pytest.mark.parametrize("words", ["", "ksor", "Hoà"])
    @pytest.mark.parametrize("username", ["phuongvi", "camkhe", "phutho", "trunguong"])
    def test_keep_who_fits_and_nobody_else(
        self, api: Api, database: Database, username: str, words: str
    ) -> None:
        with writing(database) as session:
            everybody = session.exec(select(Member)).all()
            unit = session.exec(select(Unit.id).where(col(Unit.name) == "Xã Phượng Vĩ")).one()
        caller = api.as_(username)
        for filters, fits in FILTERS:
            expected = {
                str(m.id)
                for m in everybody
                if m.status in CURRENT_MEMBERS
                and fits(m)
                and (username != "phuongvi" or m.commune_id == unit)
                and (not words or f" {fold(words)}" in m.search_key)
            }
            q = f"&q={quote(words)}" if words else ""
            answer = caller.get(f"/v1/members?limit=200&{filters}{q}")
            found = answer.json()["items"]
            while "link" in answer.headers:
                answer = caller.get(answer.headers["link"].split(">")[0].lstrip("<"))
                found += answer.json()["items"]
            assert (filters, {item["id"] for item in found}) == (filters, expected)
            assert len(found) == len(expected)

    def test_status_reaches_who_has_left(self, api: Api) -> None:
        assert search(api.as_("phutho"), "ksor nga hoa") == []
        assert search(api.as_("phutho"), "ksor nga hoa", "&status=left") == ["Ksor Nga Hoa"]
        assert search(api.as_("phutho"), "0933345678", "&status=left") == ["Ksor Nga Hoa"]
        assert search(api.as_("phutho"), "0933345678") == []

    def test_units_narrow_a_search(self, api: Api, unit_id: UnitIds) -> None:
        province = api.as_("phutho")
        for unit, parameter in (("phuongvi-1", "branch"), ("phuongvi", "commune")):
            found = search(province, "ksor thi hoa", f"&{parameter}={unit_id[unit]}")
            assert found == in_scope(unit, ["Ksor Thị Hoà", "Ksor Thị Hoàn", *HOA])
        found = search(province, "0912345678", f"&unit={unit_id['tienluong']}")
        assert found == ["Ksor Thị Hóa"]

    @pytest.mark.parametrize(
        ("query", "right"),
        [
            ("ethnicity=04", "members:ethnicity"),
            ("religion=none", "members:religion"),
            ("party=member", "members:party"),
        ],
    )
    @pytest.mark.parametrize("username", ["auditor", "phuongvi-1"])
    def test_a_sensitive_filter_needs_its_right(
        self, api: Api, username: str, query: str, right: str
    ) -> None:
        answer = api.as_(username).get(f"/v1/members?q=ksor&{query}")
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (403, "forbidden")
        assert problem["required_right"] == right

    def test_a_sensitive_filter_shows_only_where_its_right_is_held(self, api: Api) -> None:
        assert search(api.as_("two-hats"), "ksor", "&ethnicity=04") == ["Ksor Thị Hóa"]
        everybody = search(api.as_("two-hats"), "ksor thi")
        assert {"Ksor Thị Hoà", "Ksor Thị Hóa"} <= set(everybody)

    def test_group_is_who_takes_part_today(self, api: Api, database: Database) -> None:
        with writing(database) as session:
            group = session.exec(select(Unit.id).where(col(Unit.name) == "CLB Dân vũ")).one()
        for username in ("phuongvi-1", "phutho"):
            answer = api.as_(username).get(f"/v1/members?group={group}")
            assert names_of(answer) == ["Ksor Thị Hoà"]
        assert search(api.as_("phutho"), "vi", f"&group={group}") == []
        error = error_of(api.as_("tienluong-1").get(f"/v1/members?group={group}"))
        assert (error["pointer"], error["code"]) == ("/group", "unit_unknown")

    def test_group_checks_the_level(self, api: Api, unit_id: UnitIds) -> None:
        error = error_of(api.as_("phutho").get(f"/v1/members?group={unit_id['phuongvi-1']}"))
        assert (error["pointer"], error["code"]) == ("/group", "unit_level_wrong")

    def test_a_household_elsewhere_is_nobodys(self, api: Api) -> None:
        answer = api.as_("tienluong").get(f"/v1/members?household={UUID(int=7)}")
        assert answer.json() == {"items": [], "next_cursor": None}
        answer = api.as_("phuongvi-1").get(f"/v1/members?household={UUID(int=7)}")
        assert names_of(answer) == ["Ksor Thị Hoà"]
        answer = api.as_("phutho").get(f"/v1/members?household={new_id()}")
        assert answer.json() == {"items": [], "next_cursor": None}

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("age_from=40&age_to=39", "/age_to", "range_reversed"),
            ("joined_from=2020-01-02&joined_to=2020-01-01", "/joined_to", "dates_reversed"),
            ("age_from=-1", "/age_from", "too_small"),
            ("age_to=131", "/age_to", "too_large"),
            ("age_from=x", "/age_from", "wrong_type"),
            ("joined_from=2020-02-30", "/joined_from", "date_invalid"),
            ("joined_from=0", "/joined_from", "date_invalid"),
            ("gender=other", "/gender", "not_in_list"),
            ("education=phd", "/education", "not_in_list"),
            ("qualification=x", "/qualification", "not_in_list"),
            ("ethnicity=99", "/ethnicity", "ethnicity_unknown"),
            ("religion=x", "/religion", "not_in_list"),
            ("party=x", "/party", "not_in_list"),
            ("core=maybe", "/core", "wrong_type"),
            ("household=x", "/household", "id_invalid"),
            ("group=0", "/group", "too_small"),
            ("group=2147483647", "/group", "unit_unknown"),
        ],
    )
    def test_a_bad_filter_is_named(self, api: Api, query: str, pointer: str, code: str) -> None:
        error = error_of(api.as_("phutho").get(f"/v1/members?{query}"))
        assert (error["in"], error["pointer"], error["code"]) == ("query", pointer, code)


class TestQueries:
    """Besides the one that asks who is there, which every request has."""

    @pytest.mark.parametrize("username", SCOPES)
    def test_a_search_costs_no_more_than_a_list_but_for_its_ranks(
        self, api: Api, database: Database, username: str
    ) -> None:
        caller = api.as_(username)
        costs = {}
        for query in ("", "&q=thi", f"&q={quote('Thị')}", f"&q={quote('Hoạ ksor')}", "&core=true"):
            with counted(database) as statements:
                caller.get(f"/v1/members?limit=5{query}")
            costs[query] = len(statements)
        plain = costs.pop("")
        # Above the communes, one that counts how many names have the words. Where fewer than a page
        # have the marks as typed, once more for the others.
        words = plain + (username not in ("phuongvi-1", "phuongvi", "camkhe"))
        expected = dict.fromkeys(costs, words) | {"&core=true": plain}
        assert costs == expected | {f"&q={quote('Hoạ ksor')}": words + 1}

    def test_a_number_costs_one_look_up(self, api: Api, database: Database) -> None:
        caller = api.as_("phutho")
        with counted(database) as plain:
            caller.get("/v1/members")
        with counted(database) as searched:
            caller.get("/v1/members?q=ksor%201234")
        assert len(searched) == len(plain) + 1
