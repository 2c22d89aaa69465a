"""Which statements on rows about people fix the province, and why the others need not."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.sql import visitors
from sqlmodel import col

from app.api.http.routing import routes_of
from app.db import Database
from app.models.base import new_id, table_of
from app.models.members.members import Member
from app.services.kernel.manifest import manifest
from app.services.kernel.provinces import owned_by_people
from tests.helpers.answers import UnitIds
from tests.helpers.branch_world import BranchWorld, live_on
from tests.helpers.client import Api
from tests.helpers.databases import ON_POSTGRESQL

PROVINCE, PLACE, KEY, NOTHING = "province", "place", "key", "nothing"
# By what a statement finds rows that does not fix the province, and why it may.
MAY = {
    PLACE: "a commune and a branch stand in one province: their index has the rows",
    KEY: "an id, or a digest of a number, finds its row wherever it stands",
}
_PLACES = {"unit_id", "branch_id", "commune_id", "district_id", "from_branch_id", "to_branch_id"}
_DIGESTS = {"exact", "last4", "last6"}


def kind_of(columns: set[str]) -> str:
    """By what rows are found that are compared by these columns."""
    if "province_id" in columns:
        return PROVINCE
    if columns & _PLACES:
        return PLACE
    keys = {name for name in columns if name == "id" or name.endswith("_id")}
    return KEY if keys | columns & _DIGESTS else NOTHING


class Statements:
    """The tables about people that each operation asks, and by what it finds their rows."""

    def __init__(self) -> None:
        self.operation: str | None = None
        self.found: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._about = {
            str(model.__tablename__)
            for model in owned_by_people(manifest())
            if "province_id" in table_of(model).columns
        }

    def note(self, _: Any, clause: Any, *__: Any) -> None:
        if self.operation is None or isinstance(clause, sa.TextClause | sa.Insert):
            return
        compared: dict[str, set[str]] = defaultdict(set)
        for each in visitors.iterate(clause):
            if isinstance(each, sa.Column) and each.table is not None:
                compared[_name(each.table)] |= set()
            elif isinstance(each, sa.BinaryExpression):
                for side in visitors.iterate(each):
                    if isinstance(side, sa.Column) and side.table is not None:
                        compared[_name(side.table)].add(side.name)
        for table in compared.keys() & self._about:
            self.found[self.operation, table].add(kind_of(compared[table]))


def _name(table: Any) -> str:
    return str(getattr(getattr(table, "element", table), "name", ""))


@pytest.fixture
def statements(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Statements]:
    noted = Statements()
    plain = Api.request

    def request(self: Api, method: str, path: str, **values: Any) -> Any:
        route = self._route(method, path)
        noted.operation = route.operation_id if route is not None else None
        answer = plain(self, method, path, **values)
        noted.operation = None
        return answer

    monkeypatch.setattr(Api, "request", request)
    engines = (database.reader, database.writer)
    for engine in engines:
        sa.event.listen(engine, "before_execute", noted.note)
    yield noted
    for engine in engines:
        sa.event.remove(engine, "before_execute", noted.note)


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        (col(Member.province_id) == 1, PROVINCE),
        (sa.and_(col(Member.id) == new_id(), col(Member.province_id) == 1), PROVINCE),
        (sa.tuple_(col(Member.commune_id), col(Member.sort_key)) > (1, "a"), PLACE),
        (col(Member.household_id).in_([new_id()]), KEY),
        (col(Member.full_name) == "Hoa", NOTHING),
    ],
)
def test_what_a_statement_finds_rows_by(where: sa.ColumnElement[bool], kind: str) -> None:
    statements = Statements()
    statements.operation = "list_members"
    statements.note(None, sa.select(col(Member.full_name)).where(where))
    assert statements.found == {("list_members", "member"): {kind}}


@pytest.mark.skipif(ON_POSTGRESQL, reason="they are the same as on SQLite")
def test_each_fixes_the_province_or_has_a_reason(
    app: FastAPI,
    api: Api,
    database: Database,
    unit_id: UnitIds,
    work: Callable[[], int],
    statements: Statements,
) -> None:
    live_on(BranchWorld(api, database, unit_id, work))
    for username in ("phutho", "phuongvi", "phuongvi-1"):
        reader = api.as_(username)
        for route in routes_of(app):
            if route.method == "GET" and "{" not in route.path and not route.public:
                reader.get(route.path)
    found = statements.found
    assert len(found) > 150
    assert {PROVINCE, PLACE} <= found["list_members", "member"]
    without = {asked: kinds - MAY.keys() - {PROVINCE} for asked, kinds in found.items()}
    assert {asked: kinds for asked, kinds in without.items() if kinds} == {}
