"""The rules of the house that no linter knows: who may import whom, and what a route must have."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlmodel import SQLModel

from app.api.http.routing import routes_of
from app.services.duplicates.pointers import POINTERS
from tests.helpers.client import Api

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "app").rglob("*.py"))

ROUTERS = {
    "access",
    "accounts",
    "anonymisations",
    "appointments",
    "attendance",
    "attendance_statistics",
    "auth",
    "branches",
    "career",
    "changes",
    "code_lists",
    "consents",
    "delegations",
    "duplicates",
    "merges",
    "correction_requests",
    "erasures",
    "calendars",
    "event_sessions",
    "events",
    "minutes",
    "notifications",
    "rsvps",
    "exports",
    "groups",
    "health",
    "imports",
    "households",
    "poverty",
    "poverty_flows",
    "poverty_work",
    "escape_paths",
    "support",
    "jobs",
    "me",
    "own_record",
    "members",
    "memberships",
    "personal_data",
    "privacy_requests",
    "processing_limits",
    "signed_codes",
    "trainings",
    "transfers",
    "units",
}
# The flat modules from the bottom up: each imports those before it, and none of the layers.
FLAT = (
    "clock",
    "text",
    "problem_texts",
    "errors",
    "workbooks",
    "logs",
    "security",
    "vault",
    "config",
    "jobs",
    "db",
)
PACKAGES = {"app.api", "app.services", "app.models", "app.workbooks"}
TOP = {"app.main", "app.cli", "app.cli_demo", "app.cli_import"}
MODEL_LIBRARIES = {"sqlmodel", "sqlalchemy", "pydantic", "uuid_utils"}
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
    "/health/live",
    "/health/ready",
    "/.well-known/jwks.json",
    "/.well-known/card-keys.json",
    "/metrics",
    # What the hosts made public, and calendars by the secret in their address.
    "/v1/events/{event_id}/share",
    "/v1/calendars/{token}.ics",
    "/docs",
    "/redoc",
    "/openapi.json",
}
# Whose table it is: others ask the service.
OWNERS = {
    # Status and branch follow from her spells: who writes them keeps both in step.
    "Member": {"members", "memberships"},
    "Membership": {"memberships", "membership_corrections"},
    "Transfer": {"transfers", "memberships", "membership_corrections"},
    "Account": {"accounts", "signin", "bootstrap"},
    "Grant": {"accounts", "delegations", "grants"},
    "Appointment": {"appointments"},
    "Training": {"trainings"},
    "AuthSession": {"signin"},
    "RefreshToken": {"signin"},
    "IdempotentAnswer": {"idempotency"},
    "Import": {"imports"},
    "Job": {"jobs"},
    "Participation": {"groups"},
    "CorrectionRequest": {"corrections"},
    "DuplicatePair": {"duplicates"},
    "Merge": {"merges"},
    "Consent": {"consents"},
    "PrivacyRequest": {"privacy_requests"},
    "ProcessingLimit": {"processing_limits"},
    "Capture": {"captures", "capture_acts"},
    "Attendance": {"attendance_facts"},
    "MemberCard": {"member_cards"},
    "Event": {"events", "event_scope", "event_sessions"},
    "EventSession": {"event_scope", "event_sessions"},
    "Room": {"rooms"},
    "Rsvp": {"rsvps"},
    "SessionMinutes": {"minutes"},
    "Reminder": {"reminders"},
    "Notification": {"reminders"},
    "CalendarLink": {"calendars"},
    "Support": {"support"},
    "HouseholdVisit": {"visits"},
    "LoanFigure": {"loan_figures"},
    "EscapePath": {"escape_paths"},
    "EscapeStep": {"escape_paths"},
    "EscapeCheck": {"escape_paths"},
}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(module, name) of every import; `from app import logs` is an import of app.logs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module is not None
            for alias in node.names:
                inner = node.module == "app" or node.module in PACKAGES
                yield (f"{node.module}.{alias.name}", "") if inner else (node.module, alias.name)


# Heavy libraries that few requests need: they load with the first one, and `serve` starts faster.
LATE = {
    "app.workbooks.writing": "xlsxwriter",
    "app.workbooks.template": "xlsxwriter",
    "app.services.events.calendars": "icalendar",
    "app.services.attendance.codes": "segno",
}


def refusal(importer: str, module: str, name: str) -> str | None:
    """Why this module may not import that; None when it may."""
    library = module.partition(".")[0]
    layer = importer.split(".")[1] if importer.count(".") else ""
    if library in ("jose", "passlib"):
        return None if importer == "app.security" else "tokens and hashes live in app.security"
    if library == "dbos":
        return None if importer == "app.jobs" else "durable jobs are delivered by app.jobs"
    if importer in TOP:
        return None
    if layer == "api":
        return _of_api(importer, module, name)
    if layer == "services":
        if library in ("fastapi", "starlette") or module.startswith("app.api"):
            return "a service knows nothing of HTTP"
        return "that is above" if module in TOP else None
    if layer == "models":
        ours = module.startswith("app.models") or module in ("app.clock", "app.text")
        known = ours or library in MODEL_LIBRARIES or library in sys.stdlib_module_names
        return None if known else "a model stands on the clock, the text and its libraries alone"
    if library == "app":
        below = {f"app.{each}" for each in FLAT[: FLAT.index(layer)]}
        within = module.rpartition(".")[0] == f"app.{layer}"
        return None if within or module in below else "flat modules import downwards only"
    return None


def _of_api(importer: str, module: str, name: str) -> str | None:
    router = module.removeprefix("app.api.").partition(".")[0]
    if module.startswith("app.api.") and router in ROUTERS:
        return "nobody but main imports a router"
    if module in TOP:
        return "that is above"
    library = module.partition(".")[0]
    asks = library in ("sqlalchemy", "sqlmodel") and name in STATEMENTS
    # Readiness is the one question that no service answers.
    if asks and (importer, name) != ("app.api.kernel.health", "text"):
        return "no SQL in the API"
    return "no SQL in the API" if library in ("sqlalchemy", "sqlmodel") and name == "" else None


class TestImports:
    @pytest.mark.parametrize("path", SOURCES, ids=name_of)
    def test_point_downwards(self, path: Path) -> None:
        importer = name_of(path)
        wrong = [
            f"{module} {name}: {why}"
            for module, name in imports_of(tree_of(path))
            if (why := refusal(importer, module, name))
        ]
        assert wrong == []

    @pytest.mark.parametrize(
        ("importer", "line"),
        [
            ("app.api.members.members", "from sqlmodel import select"),
            ("app.api.members.members", "import sqlalchemy as sa"),
            ("app.api.members.members", "from sqlalchemy import text"),
            ("app.api.members.members", "from app.api import units"),
            ("app.api.http.paging", "from app.api.members.members import router"),
            ("app.api.http.deps", "from jose import jwt"),
            ("app.api.http.deps", "from app.main import create_app"),
            ("app.services.members.record", "from fastapi import Request"),
            ("app.services.members.record", "from starlette.requests import Request"),
            ("app.services.members.record", "from app.api.http.problems import pointer"),
            ("app.services.members.record", "from app.cli import app"),
            ("app.services.identity.signin", "import passlib.hash"),
            ("app.services.kernel.jobs", "from dbos import DBOS"),
            ("app.models.members.members", "from app.services import access"),
            ("app.models.members.members", "from app.errors import Problem"),
            ("app.models.members.members", "from app.config import Settings"),
            ("app.models.members.members", "import fastapi"),
            ("app.errors", "from app.db import Database"),
            ("app.workbooks.reading", "from app.models.members.members import Member"),
            ("app.workbooks.reading", "from app.config import Settings"),
            ("app.errors", "from app.workbooks import reading"),
            ("app.security", "from app.config import Settings"),
            ("app.db", "from app.models.members.members import Member"),
            ("app.config", "from app.services import signin"),
        ],
    )
    def test_that_point_upwards_would_be_found(self, importer: str, line: str) -> None:
        [(module, name)] = imports_of(ast.parse(line))
        assert refusal(importer, module, name) is not None

    @pytest.mark.parametrize("path", SOURCES, ids=name_of)
    def test_stand_at_the_top_of_their_file(self, path: Path) -> None:
        if name_of(path) in ("app.cli", "app.jobs"):
            return  # what only one command needs, and dbos, load then: `serve` starts faster
        late = LATE.get(name_of(path))
        inner = [
            node.lineno
            for function in ast.walk(tree_of(path))
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
            if late not in {name.partition(".")[0] for name, _ in imports_of(node)}
        ]
        assert inner == []

    def test_every_module_has_its_place(self) -> None:
        flat = {path.stem for path in SOURCES if path.parent.name == "app"}
        packages = {path.parent.name for path in SOURCES if path.parent.parent.name == "app"}
        flat |= packages - {"api", "models", "services"}
        assert flat == {"__init__", *FLAT, *(name.removeprefix("app.") for name in TOP)}
        folders = {path.parent.relative_to(ROOT / "app").parts for path in SOURCES}
        assert folders == {(), ("api",), ("models",), ("services",), ("workbooks",)}
        api = {path.stem for path in SOURCES if path.parent.name == "api"}
        assert api >= ROUTERS


class TestCode:
    @pytest.mark.parametrize("path", SOURCES, ids=name_of)
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

    @pytest.mark.parametrize("path", SOURCES, ids=name_of)
    def test_conditions_are_sql_and_not_python(self, path: Path) -> None:
        assert list(python_conditions(tree_of(path))) == []

    @pytest.mark.parametrize(
        "condition", ["M.left is None", "not M.active", "M.a == 1 and M.b == 2", "x or M.a == 1"]
    )
    def test_python_conditions_would_be_found(self, condition: str) -> None:
        assert list(python_conditions(ast.parse(f"select(M).where({condition})"))) == [1]
        assert list(python_conditions(ast.parse(f"s.where(sa.and_({condition}, y))"))) == [1]

    @pytest.mark.parametrize("path", SOURCES, ids=name_of)
    def test_tables_are_asked_by_their_own_service(self, path: Path) -> None:
        strangers = [
            f"{entity} in line {line}"
            for entity, line in fetched_entities(tree_of(path))
            if path.stem not in OWNERS[entity]
        ]
        assert strangers == []

    @pytest.mark.parametrize(
        "fetch",
        [
            "select(Member)",
            "sa.select(Member).where(x)",
            "session.get(Member, 1)",
            "session.get_one(Member, 1)",
            "select(Unit, Member)",
        ],
    )
    def test_strangers_would_be_found(self, fetch: str) -> None:
        assert list(fetched_entities(ast.parse(fetch))) == [("Member", 1)]


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


def fetched_entities(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Whole entities that are selected or got: `select(Member)`, not `select(Member.id)`."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        function = call.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name in ("select", "get", "get_one"):
            for argument in call.args:
                if isinstance(argument, ast.Name) and argument.id in OWNERS:
                    yield argument.id, call.lineno


class TestPointers:
    def test_every_foreign_key_to_a_member_is_on_the_list_of_the_merge(self) -> None:
        keys = {
            (table.name, key.parent.name)
            for table in SQLModel.metadata.tables.values()
            for key in table.foreign_keys
            if key.column.table.name == "member"
        }
        assert keys == {pointer.place for pointer in POINTERS}

    def test_what_is_repointed_can_be_brought_back(self) -> None:
        """The journal of a merge finds a row again by its id."""
        repointed = [pointer for pointer in POINTERS if pointer.merge is not None]
        assert [each.place for each in repointed if "id" not in each.model.model_fields] == []


class TestRoutes:
    def test_say_that_they_honour_if_match_where_they_read_it(self, app: FastAPI) -> None:
        honoured = {route.operation_id for route in routes_of(app) if route.if_match}
        assert len(honoured) > 20
        reading = {
            function.name
            for path in SOURCES
            for function in ast.walk(tree_of(path))
            if isinstance(function, ast.FunctionDef)
            and function.decorator_list
            and "expected_revision(" in ast.unparse(function)
        }
        assert honoured == reading

    def test_are_walked_in_full(self, app: FastAPI) -> None:
        paths = {route.path for route in routes_of(app)}
        assert len(paths) > 20
        assert {path for path in paths if not path.startswith("/v1/")} <= PUBLIC

    def test_need_a_token_or_are_on_the_list(self, app: FastAPI, api: Api) -> None:
        asked = 0
        for route in routes_of(app):
            if route.path in PUBLIC:
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
            assert ("actor" in names) == (route.path not in PUBLIC), route.path

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
            assert first == second
            named.append(route.path)
        assert set(named) == {
            "/v1/members",
            "/v1/members/{member_id}/transfers",
            "/v1/households",
            "/v1/households/{household_id}/support",
            "/v1/households/{household_id}/visits",
            "/v1/households/{household_id}/escape-paths",
            "/v1/loan-figures",
            "/v1/households/{household_id}/split",
            "/v1/households/{household_id}/assessments",
            "/v1/households/{household_id}/poverty-status",
            "/v1/members/{member_id}/trainings",
            "/v1/groups/{group_id}/participations",
            "/v1/me/corrections",
            "/v1/me/consents",
            "/v1/me/privacy-requests",
            "/v1/members/{member_id}/consents",
            "/v1/members/{member_id}/privacy-requests",
            "/v1/members/{member_id}/processing-limits",
            "/v1/members/{member_id}/legal-holds",
            "/v1/appointments",
            "/v1/delegations",
            "/v1/accounts",
            "/v1/events",
            "/v1/events/{event_id}/sessions",
            "/v1/sessions/{session_id}/rooms",
            "/v1/sessions/{session_id}/reminders",
        }

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
