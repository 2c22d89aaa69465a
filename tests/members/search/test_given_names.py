"""The given name: where it stands in a name, in the order of a list, and first in a search."""

from collections.abc import Iterator
from urllib.parse import quote
from uuid import UUID

import pytest
from sqlmodel import Session, col, select

from app.db import Database
from app.models.households.households import Household
from app.models.kernel.access import Role
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import Member, NameEntry
from app.services.kernel import changes
from tests.conftest import make_settings
from tests.helpers.answers import Json, pointed
from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api, writing
from tests.helpers.databases import Clones
from tests.helpers.rows import add_account, add_member

# Nobody else of the demo is a Krông.
CALLED_HOA = ["Krông Hoa", "Krông Thị Hòa"]
HOA_ELSEWHERE = ["Krông Hoa An", "Krông Hoá Thị Bình"]
BEGUN_SO = ["Krông Thị Hoan", "Krông Hoàng"]
ETHNIC = {"H'Hen Krông": "H'Hen", "H' Lơ\u0306k Krông": None, "Krông Y-Bhăm": None}


@pytest.fixture(scope="module")
def world(clones: Clones) -> Iterator[Database]:
    """For tests that only read; in a branch of the demo, and seen from a commune and a province."""
    with clones.clone() as url:
        database = Database(make_settings(url))
        with writing(database) as session:
            fill(session)
        yield database
        database.close()


def fill(session: Session) -> None:
    changes.attribute(session, changes.Origin(ChangeSource.cli))
    branch = session.exec(
        select(Unit).where(col(Unit.level) == UnitLevel.branch).order_by(col(Unit.id))
    ).first()
    assert branch is not None
    assert branch.commune_id is not None
    for name in (*CALLED_HOA, *HOA_ELSEWHERE, *BEGUN_SO):
        add_member(session, branch, name)
    for name, given in ETHNIC.items():
        add_member(session, branch, name, given_name=given)
    scopes = {"b": branch.id, "c": branch.commune_id, "p": branch.province_id or 0}
    for name, unit in scopes.items():
        add_account(session, f"sees-{name}", {unit: Role.province_officer})


@pytest.fixture
def database(world: Database) -> Database:
    return world


def found(api: Api, q: str, limit: int = 200) -> list[str]:
    path, names = f"/v1/members?limit={limit}&q={quote(q)}", []
    while path:
        answer = api.get(path)
        names += [item["full_name"] for item in done(answer)["items"]]
        path = answer.headers.get("link", "").partition(">")[0].lstrip("<")
    return [name for name in names if "Krông" in name]


@pytest.mark.parametrize("username", ["sees-b", "sees-c", "sees-p"])
class TestOrder:
    @pytest.mark.parametrize("limit", [1, 200])
    @pytest.mark.parametrize("q", ["hoa", "krông hoa", "HOA"])
    def test_is_the_given_name_then_the_word_elsewhere_then_what_begins_so(
        self, api: Api, username: str, q: str, limit: int
    ) -> None:
        caller = api.as_(username)
        assert found(caller, q, limit) == [*CALLED_HOA, *HOA_ELSEWHERE, *BEGUN_SO]

    def test_with_marks_typed_those_who_have_them_come_first(self, api: Api, username: str) -> None:
        expected = [
            "Krông Thị Hòa",  # called Hoà
            "Krông Hoàng",  # begins with Hoà
            "Krông Hoa An",
            "Krông Hoá Thị Bình",
            "Krông Hoa",
            "Krông Thị Hoan",
        ]
        assert found(api.as_(username), "hoà") == expected

    @pytest.mark.parametrize("q", ["Hen Krông", "h'hen", "H' Hen", "hhen", "H’HEN KRÔNG", "H`Hen"])
    def test_an_apostrophe_is_no_obstacle(self, api: Api, username: str, q: str) -> None:
        assert "H'Hen Krông" in found(api.as_(username), q)

    @pytest.mark.parametrize(
        ("q", "name"),
        [
            ("lok", "H' Lơ\u0306k Krông"),
            ("H'Lok", "H' Lơ\u0306k Krông"),
            ("lơ\u0306k krong", "H' Lơ\u0306k Krông"),
            ("bham", "Krông Y-Bhăm"),
            ("Y–Bhăm", "Krông Y-Bhăm"),
        ],
    )
    def test_letters_without_a_composed_form_are_found_bare(
        self, api: Api, username: str, q: str, name: str
    ) -> None:
        assert found(api.as_(username), q) == [name]

    def test_a_given_name_that_is_told_comes_first_and_is_listed_by(
        self, api: Api, username: str
    ) -> None:
        caller = api.as_(username)
        assert found(caller, "hen")[0] == "H'Hen Krông"
        listed = [n for n in found(caller, "krong") if n in ("H'Hen Krông", "Krông Thị Hoan")]
        assert listed == ["H'Hen Krông", "Krông Thị Hoan"]


class TestField:
    @pytest.fixture
    def database(self, clones: Clones) -> Iterator[Database]:
        with clones.clone() as url:
            made = Database(make_settings(url))
            yield made
            made.close()

    def body(self, unit_id: Ids, **fields: object) -> Json:
        return {
            "branch_id": unit_id["phuongvi-1"],
            "full_name": "H'Hen Niê",
            "birth_date": "1992",
            "joined_on": None,
        } | fields

    def test_order_and_search_follow_it(self, api: Api, database: Database, unit_id: Ids) -> None:
        head = api.as_("phuongvi-1")
        new = head.post("/v1/members", json=self.body(unit_id)).json()
        path = f"/v1/members/{new['id']}"
        household = {"branch_id": unit_id["phuongvi-1"]} | {
            "people": [{"member_id": new["id"], "relation": "head"}]
        }
        home = head.post("/v1/households", json=household).json()
        keys = [self.keys(database, new["id"], home["id"])]
        changed = done(head.patch(path, json={"given_name": "h'hen"}))
        assert (changed["given_name"], changed["revision"]) == ("H'Hen", new["revision"] + 2)
        keys.append(self.keys(database, new["id"], home["id"]))
        assert [member for member, _ in keys] == [house for _, house in keys]
        assert [member[:3] for member, _ in keys] == ["nie", "h/h"]
        assert done(head.get("/v1/members?q=hen&limit=1"))["items"][0]["id"] == new["id"]

        renamed = done(head.patch(path, json={"full_name": "Niê Thị Lan"}))
        assert (renamed["given_name"], renamed["warnings"][0]["code"]) == (
            None,
            "given_name_dropped",
        )
        assert self.keys(database, new["id"], home["id"])[0].startswith("lan!")
        with writing(database) as session:
            assert session.get(NameEntry, keys[1][0]) is not None

    @staticmethod
    def keys(database: Database, member_id: str, household_id: str) -> tuple[str, str]:
        with writing(database) as session:
            member = session.get_one(Member, UUID(member_id))
            household = session.get_one(Household, UUID(household_id))
            return member.sort_key, household.sort_key

    @pytest.mark.parametrize("given", ["Hoa", "H'Hen N", "Hen", "Niê H'Hen"])
    def test_is_a_part_of_the_name(self, api: Api, unit_id: Ids, given: str) -> None:
        head = api.as_("phuongvi-1")
        answer = head.post("/v1/members", json=self.body(unit_id, given_name=given))
        pointed(answer, "/given_name", "given_name_not_in_name")
        new = head.post("/v1/members", json=self.body(unit_id, given_name="Niê")).json()
        path = f"/v1/members/{new['id']}"
        answer = head.patch(path, json={"given_name": given})
        pointed(answer, "/given_name", "given_name_not_in_name")
        assert done(head.get(path))["given_name"] == "Niê"
        assert done(head.patch(path, json={"given_name": None}))["given_name"] is None
