"""The rules of the house that no linter knows. Who may import whom stands in pyproject.toml."""

import ast
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlmodel import SQLModel

from app.api.http.routing import Route, routes_of
from app.services.kernel.manifest import manifest
from tests.helpers.client import Api

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "app").rglob("*.py"))
ROUTERS = sorted((ROOT / "app" / "api").glob("*/*.py"))

# What builds a statement; types and errors of the libraries are welcome everywhere.
STATEMENTS = {
    "select",
    "insert",
    "update",
    "delete",
    "text",
    "exists",
    "union",
    "union_all",
    "func",
}
# Routes that need no token (api.md, Auth); /metrics has a rule of its own.
PUBLIC = {
    "/v1/auth/token",
    "/v1/auth/revoke",
    # A phone whose session has ended says that it has wiped itself.
    "/v1/devices/wiped",
    "/v1/auth/providers",
    "/v1/auth/oidc/nonce",
    "/health/live",
    "/health/ready",
    "/.well-known/jwks.json",
    "/.well-known/card-keys.json",
    "/metrics",
    # What the hosts made public, and calendars by the secret in their address.
    "/v1/events/{event_id}/share",
    "/p/{code}",
    "/v1/calendars/{token}.ics",
    # Files by links that end.
    "/v1/file-links/{secret}",
    "/docs",
    "/redoc",
    "/openapi.json",
}
# Heavy libraries that few requests need: they load with the first one, and `serve` starts faster.
LATE = {
    "app.text": {"phonenumbers", "rapidfuzz"},
    "app.db.engines": {"app.db.of_psycopg"},
    "app.workbooks.grids": {"python_calamine"},
    "app.workbooks.new_books": {"xlsxwriter"},
    "app.workbooks.template": {"xlsxwriter"},
    "app.services.events.calendars": {"icalendar"},
    "app.api.http.pictures": {"segno"},
    "app.services.files.pictures": {"PIL", "pillow_heif"},
    "app.services.exports.writing": {"app"},  # Parquet, which brings a library of 10 MB
    "app.services.files.stores": {"app"},  # buckets, which need an extra
}


def is_public(route: Route) -> bool:
    """OPTIONS says what the server is able to do, and nothing of anybody."""
    return route.path in PUBLIC or route.method == "OPTIONS"


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@lru_cache(maxsize=8)
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(module, name) of every import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            for alias in node.names:
                yield node.module, alias.name


def lines_of_capabilities() -> dict[str, int]:
    """On which line of the contract of import-linter each capability stands, the lowest being 0."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [layers] = [
        contract["layers"]
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract.get("containers") == ["app.services", "app.models"]
    ]
    return {
        name.strip(" ()"): line
        for line, names in enumerate(reversed(layers))
        for name in names.split("|")
    }


LINES = lines_of_capabilities()


def above(importer: str, module: str) -> bool:
    """A router imports the service of a capability on a higher line, or of another on its own.

    What is in api/http is for all routers: it knows what stands below the members.
    """
    _, layer, imported = (*module.split("."), "", "")[:3]
    if layer != "services" or imported == importer:
        return False
    return LINES[imported] >= LINES["members" if importer == "http" else importer]


def builds_statements(module: str, name: str) -> bool:
    library = module.partition(".")[0]
    return library in ("sqlalchemy", "sqlmodel") and (name in STATEMENTS or name == "")


class TestRouters:
    @pytest.mark.parametrize("path", ROUTERS, ids=name_of)
    def test_ask_their_own_and_lower_services(self, path: Path) -> None:
        importer = path.parent.name
        found = {module for module, _ in imports_of(tree_of(path)) if above(importer, module)}
        assert found == set()

    @pytest.mark.parametrize(
        ("importer", "module"),
        [
            ("members", "app.services.duplicates.pairs"),
            ("members", "app.services.households"),
            ("events", "app.services.poverty.flows"),
            ("http", "app.services.members.merged"),
        ],
    )
    def test_that_asked_others_would_be_found(self, importer: str, module: str) -> None:
        assert above(importer, module)

    @pytest.mark.parametrize("path", ROUTERS, ids=name_of)
    def test_build_no_statements(self, path: Path) -> None:
        found = {each for each in imports_of(tree_of(path)) if builds_statements(*each)}
        if name_of(path) == "app.api.kernel.health":
            found -= {
                ("sqlalchemy", "text")
            }  # readiness is the one question that no service answers
        assert found == set()

    @pytest.mark.parametrize(
        "line",
        ["from sqlmodel import select", "import sqlalchemy as sa", "from sqlalchemy import text"],
    )
    def test_that_built_statements_would_be_found(self, line: str) -> None:
        [(module, name)] = imports_of(ast.parse(line))
        assert builds_statements(module, name)


# By class: the rules look at one file after each other, and it is read once.
EACH_SOURCE = pytest.mark.parametrize("path", SOURCES, ids=name_of, scope="class")


class TestCode:
    @EACH_SOURCE
    def test_imports_at_the_top_of_the_file(self, path: Path) -> None:
        if name_of(path) in ("app.cli", "app.jobs"):
            return  # what only one command needs, and dbos, load then: `serve` starts faster
        late = LATE.get(name_of(path), set())
        inner = [
            node.lineno
            for function in ast.walk(tree_of(path))
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
            if not late
            & {each for name, _ in imports_of(node) for each in (name, name.partition(".")[0])}
        ]
        assert inner == []

    @EACH_SOURCE
    def test_reads_the_time_from_the_clock(self, path: Path) -> None:
        if name_of(path) == "app.clock":
            return
        told = {"now", "utcnow", "today"}
        calls = [
            node.lineno
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Attribute)
            and node.attr in told
            and isinstance(node.value, ast.Name)
            and node.value.id in ("datetime", "date", "dt")
        ]
        assert calls == []

    @EACH_SOURCE
    def test_conditions_are_sql_and_not_python(self, path: Path) -> None:
        assert list(python_conditions(tree_of(path))) == []

    @pytest.mark.parametrize(
        "condition", ["M.left is None", "not M.active", "M.a == 1 and M.b == 2", "x or M.a == 1"]
    )
    def test_python_conditions_would_be_found(self, condition: str) -> None:
        assert list(python_conditions(ast.parse(f"select(M).where({condition})"))) == [1]
        assert list(python_conditions(ast.parse(f"s.where(sa.and_({condition}, y))"))) == [1]


def python_conditions(tree: ast.AST) -> Iterator[int]:
    """Lines where `is`, `and`, `or` or `not` stand in a .where(...): Python decides them at once."""
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
            continue
        if call.func.attr not in ("where", "filter", "having"):
            continue
        for argument in call.args:
            for node in ast.walk(argument):
                compares = isinstance(node, ast.Compare) and any(
                    isinstance(operator, ast.Is | ast.IsNot | ast.In | ast.NotIn)
                    for operator in node.ops
                )
                negates = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
                if compares or negates or isinstance(node, ast.BoolOp):
                    yield call.lineno


class TestPointers:
    def test_every_foreign_key_to_a_member_is_on_the_list_of_the_merge(self) -> None:
        keys = {
            (table.name, key.parent.name)
            for table in SQLModel.metadata.tables.values()
            for key in table.foreign_keys
            if key.column.table.name == "member"
        }
        # These name a member without a foreign key.
        soft = {
            ("access_read", "member_id"),
            ("duplicate_pair", "member_a"),
            ("duplicate_pair", "member_b"),
            ("file", "used_by"),
            ("household", "head_id"),
            ("support", "child_id"),
        }
        assert {pointer.place for pointer in manifest().pointers} == keys | soft, (
            "say in `pointers` of the capability that owns the table what a merge does to its rows"
        )

    def test_what_stays_lets_the_record_go(self) -> None:
        """But for the receipt of an erasure: who was erased is merged with nobody."""
        left = {pointer.place for pointer in manifest().pointers if pointer.merge is None}
        refusing = {
            (table.name, key.parent.name)
            for table in SQLModel.metadata.tables.values()
            for key in table.foreign_keys
            if key.column.table.name == "member" and key.ondelete not in ("CASCADE", "SET NULL")
        }
        assert left & refusing == {("erasure", "member_id")}

    def test_what_is_repointed_can_be_brought_back(self) -> None:
        """The journal of a merge finds a row again by its id."""
        repointed = [pointer for pointer in manifest().pointers if pointer.merge is not None]
        assert [each.place for each in repointed if "id" not in each.model.model_fields] == []


class TestRoutes:
    def test_say_that_they_honour_if_match_where_they_read_it(self, app: FastAPI) -> None:
        honoured = {route.operation_id for route in routes_of(app) if route.if_match}
        assert len(honoured) > 20
        reading = {
            function.name
            for path in SOURCES
            if "expected_revisions" in path.read_text(encoding="utf-8")
            for function in ast.walk(tree_of(path))
            if isinstance(function, ast.FunctionDef)
            and function.decorator_list
            and "expected_revisions(" in ast.unparse(function)
        }
        assert honoured == reading

    def test_are_walked_in_full(self, app: FastAPI) -> None:
        paths = {route.path for route in routes_of(app)}
        assert len(paths) > 20
        assert {path for path in paths if not path.startswith("/v1/")} <= PUBLIC

    def test_need_a_token_or_are_on_the_list(self, app: FastAPI, api: Api) -> None:
        asked = 0
        for route in routes_of(app):
            if is_public(route):
                continue
            path = route.path.replace("{unit_id}", "1")
            for name in route.param_convertors:
                path = path.replace("{" + name + "}", str(uuid4()))
            answer = api.request(route.method, path)
            assert answer.status_code == 401, (route.method, path)
            assert answer.json()["code"] == "not_authenticated"
            answer = api.request(route.method, path, headers={"authorization": "Bearer x"})
            assert answer.json()["code"] == "invalid_token"
            asked += 1
        assert asked >= 25

    def test_depend_on_the_actor(self, app: FastAPI) -> None:
        for route in routes_of(app):
            names = {dependency.name for dependency in route.fastapi.dependant.dependencies}
            assert ("actor" in names) != is_public(route), route.path

    def test_are_named_after_their_function(self, app: FastAPI) -> None:
        names = [route.operation_id for route in routes_of(app) if route.include_in_schema]
        assert len(set(names)) == len(names)
        for route in routes_of(app):
            if route.include_in_schema:
                assert route.operation_id == route.endpoint.__name__
                assert route.operation_id == route.operation_id.strip("_").lower()

    def test_that_take_an_id_document_its_second_coming(self, app: FastAPI) -> None:
        contract = app.openapi()
        named = []
        for route in routes_of(app):
            body = route.fastapi.body_field
            if route.path == "/v1/me/check-ins":
                continue  # a verdict, the same for the second as for the first
            if body is None or "id" not in getattr(body.field_info.annotation, "model_fields", {}):
                continue
            responses = contract["paths"][route.path]["post"]["responses"]
            first, second = (responses[status]["content"] for status in ("201", "200"))
            assert first.keys() == second.keys()
            assert all(first[kind]["schema"] == second[kind]["schema"] for kind in first)
            named.append(route.path)
        assert len(named) > 20

    def test_are_documented(self, app: FastAPI) -> None:
        contract = app.openapi()
        for route in routes_of(app):
            if not route.include_in_schema:
                continue
            assert len(route.tags) == 1, route.path
            assert (route.endpoint.__doc__ or "").rstrip().endswith("."), route.path
            operation = contract["paths"][route.path][route.method.lower()]
            success = operation["responses"][str(route.status_code)]
            # A model, a file, or an answer that is documented to be empty.
            content = success.get("content", {})
            modelled = route.response_model is not None
            assert bool(content) if modelled else "application/json" not in content, route.path

    def test_tags_are_those_of_the_contract(self, app: FastAPI) -> None:
        used = {tag for route in routes_of(app) if route.include_in_schema for tag in route.tags}
        assert used == {tag["name"] for tag in app.openapi()["tags"]}
