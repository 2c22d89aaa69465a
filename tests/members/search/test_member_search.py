"""Searching and filtering members: as one types, in every scope, and never past a mask."""

from collections.abc import Callable
from urllib.parse import quote
from uuid import UUID

import pytest
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.base import new_id
from app.models.kernel.units import Unit
from app.models.members.members import (
    Education,
    Gender,
    Member,
    MemberKind,
    PartyStatus,
    Qualification,
    Religion,
)
from app.services.members import names as name_dictionary
from app.services.units.units import CURRENT_MEMBERS
from app.text import fold
from tests.helpers.answers import UnitIds
from tests.helpers.client import Api, counted, writing
from tests.members.search.member_search import (
    HOA,
    SCOPES,
    OwnDatabase,
    error_of,
    in_scope,
    names_of,
    search,
)


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


def age(member: Member) -> int:
    return local_today().year - member.birth_year


FILTERS: list[tuple[str, Callable[[Member], bool]]] = [
    ("gender=male", lambda m: m.gender is Gender.male),
    ("age_from=60", lambda m: age(m) >= 60),
    ("age_to=35", lambda m: age(m) <= 35),
    ("age_from=40&age_to=40", lambda m: age(m) == 40),
    ("joined_from=2001-03-08&joined_to=2001-03-08", lambda m: m.joined_on == "2001-03-08"),
    ("joined_from=2015-01-01", lambda m: m.joined_on is not None and m.joined_on >= "2015"),
    ("joined_to=1990-12-31", lambda m: m.joined_on is not None and m.joined_on < "1991"),
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
        # Above the communes one counts how many names have the words: nobody is called Thị. In the
        # communes nobody is found, then more than a page, then a page of those who have the word.
        # Where fewer than a page are called by the last word, once more for all the others.
        by_dictionary = username not in ("phuongvi-1", "phuongvi", "camkhe")
        words = plain + by_dictionary
        expected = dict.fromkeys(costs, words if by_dictionary else plain + 2)
        few = {f"&q={quote('Hoạ ksor')}": words + 1, "&core=true": plain}
        assert costs == expected | few

    def test_a_number_costs_one_look_up(self, api: Api, database: Database) -> None:
        caller = api.as_("phutho")
        with counted(database) as plain:
            caller.get("/v1/members")
        with counted(database) as searched:
            caller.get("/v1/members?q=ksor%201234")
        assert len(searched) == len(plain) + 1
