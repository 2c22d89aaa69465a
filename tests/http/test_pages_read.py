"""A list of 50 costs the same in a small union and in a large one: queries, and pages read.

On PostgreSQL the pages are those that EXPLAIN counts for the very statements the service sends.
SQLite tells no pages; there the steps of its virtual machine are counted, which each row costs.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import Session, col, select

from app.api.http.server import serving
from app.db import Database
from app.models.base import new_id
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.lists import MemberQuery
from app.models.members.members import Member, NameEntry, NameWord
from app.services.demo.plan import DemoPlan, DemoUnit
from app.services.kernel import actors, changes
from app.services.members import lists
from app.services.members import names as name_dictionary
from app.text import search_key, sort_key
from tests.conftest import make_settings
from tests.helpers.client import Api, utc_now, writing
from tests.helpers.databases import ON_POSTGRESQL, Clones
from tests.helpers.rows import add_unit
from tests.helpers.serving import give

BRANCH_SIZE = 75
BRANCHES = 4  # of a commune
SIZES = {"small": 1_000, "large": 30_000}
# Half as much again for deeper indexes, and as much as looking each of a page's rows up may differ.
FACTOR, CONSTANT = 1.5, 60 if ON_POSTGRESQL else 4_000
SCOPES = {
    "branch": "phuongvi-1",
    "commune": "phuongvi",
    "province": "phutho",
    "everything": "admin",
}
REQUESTS = [
    "",
    "q=nguyen",
    "q=huong",
    "q=thi%20nguyen",
    f"q={quote('Thị')}",
    "q=n%20t",
    "gender=female",
]
DEEP = "from the middle"
MANY_WORDS = "q=nguyen%20thi%20huong"  # which few have in the small union
EVERYONE = "SELECT full_name FROM member ORDER BY full_name LIMIT 50"

Statement = tuple[str, Any]


def enlarge(session: Session, members: int) -> None:
    """More communes, each of four branches, in the province of the demo."""
    changes.attribute(session, changes.Origin(ChangeSource.cli))
    province = session.exec(select(Unit).where(col(Unit.level) == UnitLevel.province)).one()
    top = add_unit(session, UnitLevel.central, "Trung ương", None)
    account_id = session.exec(select(Account.id).where(col(Account.username) == "admin")).one()
    session.add(
        Grant(
            account_id=account_id,
            unit_id=top.id,
            role=Role.province_officer,
            valid_from=date(2024, 1, 1),
            created_at=utc_now(),
            updated_at=utc_now(),
        )
    )
    rows: list[dict[str, Any]] = []
    for number in range(members // BRANCH_SIZE // BRANCHES):
        commune = add_unit(session, UnitLevel.commune, f"Xã {number}", province)
        for part in range(BRANCHES):
            branch = add_unit(session, UnitLevel.branch, f"Chi hội {part}", commune)
            rows += people_of(branch)
    Random(5).shuffle(rows)
    names = {row["sort_key"]: row["search_key"] for row in rows}
    known = set(session.exec(select(NameEntry.sort_key)).all())
    entries = [{"sort_key": k, "search_key": v} for k, v in names.items() if k not in known]
    session.flush()
    session.connection().execute(sa.insert(Member), rows)
    session.connection().execute(sa.insert(NameEntry), entries)
    session.connection().execute(sa.insert(NameWord), name_dictionary.words_of(entries))


def people_of(branch: Unit) -> list[dict[str, Any]]:
    planned = DemoUnit(
        id=branch.id,
        level=UnitLevel.branch,
        slug=f"more-{branch.id}",
        name=branch.name,
        opened_on=branch.opened_on,
        members=BRANCH_SIZE,
    )
    now = utc_now()
    return [
        person._asdict()
        | {
            "id": new_id(),
            "province_id": branch.province_id,
            "commune_id": branch.commune_id,
            "branch_id": branch.id,
            "sort_key": sort_key(person.full_name),
            "search_key": search_key(person.full_name),
            "phone": None,
            "created_at": now,
            "updated_at": now,
        }
        for person in DemoPlan(3, ()).people(planned)
    ]


@contextmanager
def union_of(clones: Clones, members: int) -> Iterator[Database]:
    with clones.clone() as url:
        database = Database(make_settings(url))
        with writing(database) as session:
            enlarge(session, members)
        with database.writer.connect() as connection:
            settled = connection.execution_options(isolation_level="AUTOCOMMIT")
            settled.exec_driver_sql("VACUUM ANALYZE" if ON_POSTGRESQL else "ANALYZE")
        yield database
        database.close()


@contextmanager
def sent(database: Database) -> Iterator[list[Statement]]:
    """The statements a block sends, with what is bound to them."""
    statements: list[Statement] = []

    def note(*args: Any) -> None:
        statements.append((args[2], args[3]))

    sa.event.listen(database.reader, "before_cursor_execute", note)
    yield statements
    sa.event.remove(database.reader, "before_cursor_execute", note)


def cost(database: Database, statements: list[Statement]) -> int:
    """Pages touched by the statements on PostgreSQL, steps of the machine on SQLite."""
    with database.reading() as connection:
        raw: Any = connection.connection.driver_connection
        if not ON_POSTGRESQL:
            return sum(steps(raw, *statement) for statement in statements)
        return sum(pages(raw, *statement) for statement in statements)


def explained(raw: Any, statement: str, parameters: Any) -> dict[str, Any]:
    """The topmost node of the plan, as it ran."""
    explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
    raw.execute(explain, parameters)  # what planning reads of the catalogue is read once
    [(plan,)] = raw.execute(explain, parameters).fetchall()
    root: dict[str, Any] = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return root


def pages(raw: Any, statement: str, parameters: Any) -> int:
    root = explained(raw, statement, parameters)
    return int(root["Shared Hit Blocks"] + root["Shared Read Blocks"])


def few_guessed(database: Database, statements: list[Statement]) -> bool:
    """PostgreSQL expects that few of the names that it reads fit, or that few bear one of them: it would
    read all, and sort them."""

    def unpinned(node: dict[str, Any]) -> bool:
        """An index of another order may serve it, by its second column (PostgreSQL 18)."""
        by = node.get("Index Cond", "")
        own = "sort_key" in by and "ROW(" not in by and "province_id" not in by
        return own or any(map(unpinned, node.get("Plans", [])))

    def guesses(node: dict[str, Any]) -> bool:
        below = node.get("Plans", [])
        if node["Node Type"] == "Subquery Scan" and node["Alias"] == "name":
            return bool(node["Plan Rows"] * 4 < below[0]["Plan Rows"])
        if node["Node Type"] == "Subquery Scan" and node["Alias"] == "who":
            return unpinned(below[0])
        return any(map(guesses, below))

    if not ON_POSTGRESQL:
        return False  # there it shows in the steps
    with database.reading() as connection:
        raw: Any = connection.connection.driver_connection
        return any(guesses(explained(raw, *statement)) for statement in statements)


def steps(raw: Any, statement: str, parameters: Any) -> int:
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    raw.set_progress_handler(step, 1)
    try:
        raw.execute(statement, parameters).fetchall()
    finally:
        raw.set_progress_handler(None, 0)
    return taken


# By scope and request: queries sent, what they cost, rows shown, whether few were guessed.
Costs = dict[tuple[str, str], tuple[int, int, int, bool]]


def told(database: Database, statements: list[Statement], rows: int) -> tuple[int, int, int, bool]:
    read = cost(database, statements)
    return len(statements), read, rows, few_guessed(database, statements)


def from_the_middle(database: Database, username: str) -> tuple[int, int, int, bool]:
    """A page after the member in the middle of the list."""
    with database.reading() as db:
        of_name = sa.select(col(Account.id)).where(col(Account.username) == username)
        actor = actors.load_actor_of_job(db, db.execute(of_name).scalar_one(), new_id(), None)
        assert actor is not None
        page = lists.list_members(actor, MemberQuery())
        keys = [key for key, _ in page(db, None, 100_000)]
        with sent(database) as statements:
            rows = page(db, keys[len(keys) // 2], 50)
    return told(database, statements, len(rows))


@pytest.fixture(scope="module")
def costs(clones: Clones, shared_app: FastAPI) -> dict[str, Costs]:
    found: dict[str, Costs] = {}
    # Beyond the bound at both sizes, as a million members are beyond the real one: below it a
    # search costs less.
    patch = pytest.MonkeyPatch()
    patch.setattr(name_dictionary, "FEW", 100)
    for size, members in SIZES.items():
        found[size] = {}
        with union_of(clones, members) as database:
            give(shared_app, database=database)
            serving(shared_app).signin.verified.clear()
            for scope, username in SCOPES.items():
                caller = Api(shared_app).as_(username)
                for request in [*REQUESTS, *([MANY_WORDS] if size == "large" else [])]:
                    with sent(database) as statements:
                        answer = caller.get(f"/v1/members?limit=50&{request}")
                    assert answer.status_code == 200, answer.text
                    rows = len(answer.json()["items"])
                    found[size][scope, request] = told(database, statements, rows)
                found[size][scope, DEEP] = from_the_middle(database, username)
            everyone = cost(database, [(EVERYONE, ())])
            found[size]["everything", EVERYONE] = (1, everyone, 50, True)
    patch.undo()
    return found


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("request_", [*REQUESTS, DEEP])
def test_a_list_of_fifty_costs_the_same_at_both_sizes(
    costs: dict[str, Costs], scope: str, request_: str
) -> None:
    queries, small, rows, _ = costs["small"][scope, request_]
    queries_of_large, large, rows_of_large, guessed = costs["large"][scope, request_]
    assert rows == rows_of_large > 0
    assert queries_of_large == queries
    assert small > 0
    assert large <= small * FACTOR + CONSTANT
    assert not guessed


@pytest.mark.parametrize("scope", ["province", "everything"])
def test_the_page_is_full_where_the_size_differs(costs: dict[str, Costs], scope: str) -> None:
    assert {rows for (s, _), (_, _, rows, _) in costs["small"].items() if s == scope} == {50}


@pytest.mark.parametrize("scope", ["province", "everything"])
def test_many_words_are_not_taken_for_few_names(costs: dict[str, Costs], scope: str) -> None:
    *_, guessed = costs["large"][scope, MANY_WORDS]
    assert not guessed


def test_reading_everyone_would_be_seen(costs: dict[str, Costs]) -> None:
    """The measure tells a list that grows with the union."""
    small, large = (costs[size]["everything", EVERYONE][1] for size in SIZES)
    assert large > small * FACTOR + CONSTANT
