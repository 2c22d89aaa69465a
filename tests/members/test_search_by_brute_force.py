"""Searches of every scope find whom reading all names one by one finds, in the same order."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote
from uuid import UUID

import pytest
from sqlmodel import Session, col, select

from app.db import Database
from app.models.kernel.access import Role
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import Member, MemberStatus
from app.services.kernel import changes
from app.services.members import names as name_dictionary
from app.services.members import pages, search
from app.services.units.units import CURRENT_MEMBERS
from app.text import fold, search_words, sort_key
from tests.conftest import make_settings
from tests.helpers.client import Api, writing
from tests.helpers.databases import Clones
from tests.helpers.rows import add_account, add_member, add_unit

SURNAMES = ("Nguyễn", "Ngô", "Trần", "Đỗ", "Đặng", "H'Hen", "Lê")
MIDDLES = ("Thị", "Thị Thu", "Thuý", "Ngọc", "Nguyệt Nga", "Minh Thị Ngọc Bích")
GIVEN = ("Hoà", "Hoa", "Hoàn", "Hoàng", "Hạnh", "Thỏa", "Thoa", "Nga", "Ý", "An")
BRANCHES, PEOPLE = 3, 12  # of a commune, of a branch
PAGES = 3  # of what a search finds
QUERIES = 16


class World(NamedTuple):
    database: Database
    everybody: Sequence[Member]
    scopes: dict[str, list[Unit]]


def random_name(rng: random.Random) -> str:
    return f"{rng.choice(SURNAMES)} {rng.choice(MIDDLES)} {rng.choice(GIVEN)}"


def fill(session: Session) -> dict[str, list[Unit]]:
    """Beside the province of the demo another one, of three communes; an account for each scope."""
    changes.attribute(session, changes.Origin(ChangeSource.cli))
    rng = random.Random(7)
    top = add_unit(session, UnitLevel.central, "Trung ương Hội", None)
    there = add_unit(session, UnitLevel.province, "Tỉnh khác", top)
    communes = [add_unit(session, UnitLevel.commune, f"Xã {n}", there) for n in range(3)]
    branches = [
        add_unit(session, UnitLevel.branch, f"Chi hội {n}", commune)
        for commune in communes
        for n in range(BRANCHES)
    ]
    units = session.exec(select(Unit).order_by(col(Unit.id))).all()
    here, district = (
        next(unit for unit in units if unit.level is level)
        for level in (UnitLevel.province, UnitLevel.district)
    )
    known = [u for u in units if u.level is UnitLevel.branch and u.province_id == here.id]
    for branch in (*branches, *known):
        for _ in range(PEOPLE):
            status = rng.choice((*MemberStatus, *[MemberStatus.active] * 8))
            add_member(session, branch, random_name(rng), status=status)
    scopes = {
        "branch": branches[:1],
        "branches": [branches[0], branches[1], branches[4]],
        "commune": communes[:1],
        "communes": communes[1:],
        "commune-and-branch": [communes[0], branches[-1]],
        "communes-far-apart": [communes[0], next(u for u in units if u.name == "Xã Tiên Lương")],
        "district": [district],
        "district-and-province": [district, there],
        "province": [there],
        "provinces": [here, there],
        "everybody": [top],
    }
    for name, held in scopes.items():
        add_account(session, name, {unit.id: Role.province_officer for unit in held})
    return scopes


@pytest.fixture(scope="module")
def world(clones: Clones) -> Iterator[World]:
    with clones.clone() as url:
        database = Database(make_settings(url))
        with writing(database) as session:
            scopes = fill(session)
        with writing(database) as session:
            everybody = session.exec(select(Member)).all()
        yield World(database, everybody, scopes)
        database.close()


@pytest.fixture
def database(world: World) -> Database:
    """One for the whole module: its tests only read."""
    return world.database


def typed_by_people() -> list[str]:
    """What is typed for random names: whole, folded, unfinished, in another order, initials."""
    rng = random.Random(11)
    found = ["", "Hoà", "hoa", "thi", "N T H", "n n", "zzz"]
    while len(found) < QUERIES:
        words = random_name(rng).split()
        kept = rng.sample(words, rng.randint(1, min(4, len(words))))
        if rng.random() < 0.5:
            kept = [fold(word) for word in kept]
        if rng.random() < 0.4:
            kept[-1] = kept[-1][: rng.randint(1, len(kept[-1]))]
        if rng.random() < 0.2:
            kept = [word[:1] for word in kept[:-1]] + kept[-1:]
        found.append(" ".join(kept))
    return found


def stands_in(member: Member, unit: Unit) -> bool:
    own = {member.province_id, member.commune_id, member.branch_id}
    if unit.level is UnitLevel.district:
        return member.province_id == unit.province_id
    return unit.level is UnitLevel.central or unit.id in own


def has(name: Sequence[tuple[str, str | None]], typed: Sequence[tuple[str, bool]]) -> bool:
    """Each word typed is a word of the name, whole or only begun, and each another one."""
    if not typed:
        return True
    (word, whole), *others = typed
    return any(
        (bare == word if whole else bare.startswith(word))
        and has([*name[:n], *name[n + 1 :]], others)
        for n, (bare, _) in enumerate(name)
    )


def by_brute_force(world: World, scope: str, q: str) -> list[UUID]:
    typed = search.read(q) if q else None
    found = [
        member
        for member in world.everybody
        if member.status in CURRENT_MEMBERS
        and any(stands_in(member, unit) for unit in world.scopes[scope])
        and (typed is None or has(search_words(member.full_name), typed.folded))
    ]
    order = [
        (typed.rank(m.full_name, m.given_name) if typed else 0, sort_key(m.full_name), m.id)
        for m in found
    ]
    return [member_id for _, _, member_id in sorted(order)]


def in_pages(api: Api, q: str, limit: int) -> list[UUID]:
    path = f"/v1/members?limit={limit}&fields=id" + (f"&q={quote(q)}" if q else "")
    found: list[UUID] = []
    while path:
        answer = api.get(path)
        assert answer.status_code == 200, answer.text
        found += [UUID(item["id"]) for item in answer.json()["items"]]
        path = answer.headers.get("link", "").partition(">")[0].lstrip("<")
    return found


@pytest.mark.parametrize(
    ("most_cost", "few"),
    [(pages.MOST_COST, name_dictionary.FEW), (0, name_dictionary.FEW), (0, 1)],
)
def test_every_scope_finds_whom_it_should(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch, most_cost: int, few: int
) -> None:
    """Through the units and through the dictionary, by its rarest word and by all its names."""
    monkeypatch.setattr(name_dictionary, "FEW", few)
    monkeypatch.setattr(pages, "MOST_COST", most_cost)
    for scope in world.scopes:
        caller = api.as_(scope)
        for q in typed_by_people():
            expected = by_brute_force(world, scope, q)
            found = in_pages(caller, q, limit=len(expected) // PAGES + 1)
            assert (scope, q, found) == (scope, q, expected)


def test_the_queries_find_somebody_in_most_scopes(world: World) -> None:
    """The comparison is one of people, not of empty lists."""
    for scope in world.scopes:
        found = [len(by_brute_force(world, scope, q)) for q in typed_by_people()]
        assert sum(number > 0 for number in found) > QUERIES / 3, scope
        assert max(found) > PAGES
