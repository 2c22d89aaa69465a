"""The contract is what the server does: schemathesis over every operation, as everyone.

Each generated request is sent as the province's officer, and every second one then again, as nobody
or in another role, in turn; each answer must be one that the contract documents. Of those that are
malformed every sixth is, once each role has sent two: one is refused like the other. What every list
takes is generated for a few lists: the others read it by the same model (test_every_list.py), and get
a little of it with what else is generated. A soak leaves none out.
"""

import ast
import inspect
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args
from urllib.parse import quote

import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis.internal import lambda_sources
from pydantic import BaseModel
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events
from schemathesis.python import asgi
from sqlalchemy import make_url
from starlette.types import Message, Receive, Scope, Send

from app.api.http import contract
from app.api.http.problems import MEDIA_TYPE
from app.api.http.routers import routers_of
from app.api.http.routing import Route, routes_of
from app.api.http.server import Server, serve_with
from app.db import Database
from app.errors import FIELD_ERRORS, PROBLEMS, Place
from app.models.base import Input, Output
from app.services.capabilities import CAPABILITIES
from app.services.kernel import jobs
from app.services.kernel.manifest import manifest
from tests.conftest import make_settings, units_by_name
from tests.helpers.branch_world import BranchWorld, live_on
from tests.helpers.client import Api
from tests.helpers.databases import ON_POSTGRESQL, Clones, in_memory
from tests.helpers.engines import share_compiled
from tests.helpers.in_process import run
from tests.helpers.list_queries import as_every_list, lists
from tests.helpers.real_ids import Found, RealIds, ids_in
from tests.helpers.soak import SEED, TIMES, longer

ROOT = Path(__file__).parents[2]
ROLES = ("phutho", "nobody", "phuongvi", "phuongvi-1", "auditor", "admin", "member")
ROUTES = [
    route
    for capability in CAPABILITIES
    for router in routers_of(capability)
    for route in router.routes
    if route.include_in_schema
]
FILE_FORMAT = re.compile(rb"(?<![^&])format=(csv|xlsx|ndjson)(?![^&])")
EVERY_OPERATION = [name for route in ROUTES for name in route.operation_ids]
# The database hardly differs between operations, and PostgreSQL takes three times as long: every ninth.
OPERATIONS = EVERY_OPERATION[:: 9 if ON_POSTGRESQL else 1]
LISTS = {
    name: as_every_list(query) for route, query in lists(ROUTES) for name in route.operation_ids
}
FUZZED_IN_FULL = set(LISTS if TIMES > 1 else [*LISTS][::24])
# Sent with what is generated, in turn.
OF_EVERY_LIST = (
    b"",
    b"limit=1",
    b"",
    b"limit=200&headings=api",
    b"",
    b"fields=-",
    b"",
    b"cursor=-",
)
LEFT_OUT = {
    # A schema does not say that a unit must be in scope, a name without digits, a day not to come.
    "positive_data_acceptance",
    # Every route without a token, and with a false one: tests/house/test_architecture.py.
    "ignored_auth",
    # Needs two accounts and a map of who owns what: tests of each capability has them for each resource.
    "object_level_authorization",
    # See `answer_conforms`.
    "response_schema_conformance",
    # Of stateful runs; here every operation has a database of its own.
    "use_after_free",
    "ensure_resource_availability",
}
# Asked by secrets that nobody generates; of jobs, by the account alone that asked for them; by names
# among many: of a campaign, of a purpose, of an entity of the log, of a figure.
NOT_THERE = {
    *("get_share_card", "get_event_page", "get_calendar", "get_job", "get_history"),
    *("list_campaign_work", "list_campaign_coverage", "list_consent_standings", "count_consents"),
    "get_figure_picture",
    # Nobody of the demo has sent a file.
    *("get_file_content", "get_member_photo", "get_own_photo", "open_file_link"),
    "get_session_picture",
    # Of a member's own account, which is one of seven that ask.
    "list_own_processing_limits",
    # Nobody of the demo has pushed anything.
    *("get_operation", "get_sync_inbox_item"),
    # Nobody of the demo has had anything exported.
    *("get_export", "get_export_file"),
    # Of programs, which few accounts are, and of editions among many.
    *("list_credentials", "list_usage", "list_crosswalk"),
    # Nobody of the demo has events sent.
    "list_webhook_attempts",
}
# A malformed item gets its verdict, and the rest of its batch is stored: 200.
LEFT_OUT_OF = {
    "capture": {"negative_data_rejection"},
    "bulk_upsert": {"negative_data_rejection"},
    "push_operations": {"negative_data_rejection"},
    # Another version of tus is a 412, whatever else is wrong.
    "create_file": {"negative_data_rejection", "missing_required_header"},
    "append_to_file": {"negative_data_rejection", "missing_required_header"},
}
ASKED_BY_SECRET = (
    *("/v1/events/{event_id}/share", "/v1/calendars/{token}.ics", "/p/{code}"),
    "/v1/file-links/{secret}",
)
TUS = ("/v1/files", "/v1/files/{file_id}")


@schemathesis.check
def answer_conforms(
    context: schemathesis.CheckContext,
    response: schemathesis.Response,
    case: schemathesis.Case[Any],
) -> None:
    """In place of `response_schema_conformance`: an answer to `fields` leaves the others out."""
    if "fields" not in (case.query or {}):
        schemathesis.checks.response_schema_conformance(context, response, case)


CONFORMS = (
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_headers_conformance,
    answer_conforms,
)


class Caller:
    """The application as one caller after another sees it; tokens are made when they are needed.

    Generated ids are of nothing: two requests in three get those of what is there, in the path, in
    the body or in both.
    """

    def __init__(
        self, app: FastAPI, template: str, found: Found, more: Sequence[bytes] = (b"",)
    ) -> None:
        self.app, self.template = app, template
        self.more = cycle(more)
        self.real_ids = RealIds(found)
        self.answered: set[int | None] = set()
        self.where = cycle([(), ("path",), ("path", "body")])
        self.role = ROLES[0]
        self.others = cycle(ROLES[1:])
        self.cases = 0
        self.asked: Counter[str] = Counter()
        self.tokens: dict[str, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kept = [header for header in scope["headers"] if header[0] != b"authorization"]
        # The types of files are described in words (api/http/paging.py): they have tests of their own.
        query = FILE_FORMAT.sub(b"", scope["query_string"])
        where = next(self.where)
        if "path" in where:
            path = self.real_ids.in_path(self.template, scope["path"])
            scope = {**scope, "path": path, "raw_path": quote(path).encode()}
            query = self.real_ids.in_query(query) if _IDS_ALONE.fullmatch(query) else query
        query = b"&".join(filter(None, (query, next(self.more))))
        if "body" in where and JSON in kept:
            body = self.real_ids.in_body(await _body(receive))
            kept = [header for header in kept if header[0] != b"content-length"]
            kept.append((b"content-length", b"%d" % len(body)))
            receive = _sent_again(body)
        headers = [*kept, *self.authorization()]
        scope = {**scope, "headers": headers, "query_string": query}

        async def watched(message: Message) -> None:
            self.answered.add(message.get("status"))
            if message.get("status") == 401:
                self.tokens.pop(self.role, None)  # the session is over: by this operation, perhaps
            await send(message)

        await self.app(scope, receive, watched)

    def each_role_asked(self, times: int) -> bool:
        return all(self.asked[role] >= times for role in ROLES[1:])

    def authorization(self) -> list[tuple[bytes, bytes]]:
        if self.role == "nobody":
            return []
        if self.role not in self.tokens:
            headers = Api(self.app).as_(self.role).headers
            self.tokens[self.role] = headers["authorization"].encode()
        return [(b"authorization", self.tokens[self.role])]


@schemathesis.serializer("application/offset+octet-stream", "application/x-ndjson")
def piece_of_a_file(_: Any, value: Any) -> Any:
    return value


# Only where nothing else is asked: what is wrong in a query stays as it was generated.
_IDS_ALONE = re.compile(rb"(limit=[0-9]+&)?(unit|member|branch|household|event)=[^&]+")
JSON = (b"content-type", b"application/json")


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _sent_again(body: bytes) -> Receive:
    messages = iter([{"type": "http.request", "body": body}])

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return receive


@schemathesis.check
def another_role_is_answered_as_documented(
    _: schemathesis.CheckContext, answer: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    caller = case.operation.app
    assert isinstance(caller, Caller)
    caller.cases += 1
    often_refused = answer.status_code == 422 and caller.each_role_asked(2)
    if caller.cases % (6 if often_refused else 2) and TIMES == 1:
        return
    caller.role = next(caller.others)
    case.validate_response(case.call(), checks=[*CONFORMS])
    caller.asked[caller.role] += 1
    caller.role = ROLES[0]


@pytest.fixture(scope="module")
def lived_in(clones: Clones, shared_app: FastAPI, shared_server: Server) -> Iterator[Clones]:
    """Where something of every kind is there; on PostgreSQL, where few ask, members and units are."""
    if ON_POSTGRESQL:
        yield clones
        return

    def live(url: str) -> None:
        with clones.clone() as plain:
            shutil.copy(make_url(plain).database or "", make_url(url).database or "")
        database = Database(make_settings(url))
        serve_with(shared_app, replace(shared_server, database=database))
        ids = units_by_name(database)
        live_on(BranchWorld(Api(shared_app), database, ids, lambda: jobs.work_off(database)))
        database.close()

    with TemporaryDirectory(prefix="hoiso-lived-in-", dir=in_memory()) as name:
        yield Clones(Path(name), None, live)


@pytest.fixture(scope="module")
def lambdas_read_once() -> Iterator[None]:
    """Hypothesis keeps what it read of the source of a lambda for one thread, and the engine takes a
    new thread for each operation: a third of the time went into reading them again.
    """
    with pytest.MonkeyPatch.context() as patch:
        for cache in ("AST_LAMBDAS_CACHE", "LAMBDA_DIGEST_DESCRIPTION_CACHE"):
            patch.setattr(lambda_sources, cache, {})
        yield


class OwnLoop:
    """In place of the engine's event loop in a thread of its own, for which it waits twice a request."""

    def call(self, work: Callable[[], Any]) -> Any:
        made = work()
        return run(made) if inspect.iscoroutine(made) else made


@contextmanager
def answered_where_asked() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asgi, "_get_portal", OwnLoop)
        # What a server does beside its answers would go on for ever.
        patch.setattr(asgi, "_start_lifespan", lambda _: None)
        yield


@pytest.fixture(scope="module")
def found(lived_in: Clones) -> Found:
    """The same in every copy."""
    with lived_in.clone() as url, closing(Database(make_settings(url))) as database:
        return ids_in(database)


@pytest.mark.usefixtures("lambdas_read_once", "trusted_tokens")
class TestEveryOperation:
    def test_of_the_contract_is_asked(self, app: FastAPI) -> None:
        documented = [operation["operationId"] for *_, operation in operations(app.openapi())]
        assert sorted(documented) == sorted(EVERY_OPERATION)

    @pytest.fixture
    def database(self, lived_in: Clones) -> Iterator[Database]:
        with lived_in.clone() as url:
            made = share_compiled(Database(make_settings(url)))
            yield made
            made.close()

    @pytest.fixture(autouse=True)
    def no_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """requests would look through the whole environment twice for each request."""
        monkeypatch.setattr(requests.sessions, "get_environ_proxies", lambda *_, **__: {})

    @pytest.mark.drawn
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_does_what_the_contract_says(self, app: FastAPI, found: Found, operation: str) -> None:
        assert fuzzed(app, operation, found) == []


def fuzzed(app: FastAPI, operation: str, found: Found) -> list[str]:
    """What an operation does that the contract does not say, asked by every role; `found` is there."""
    left_out = LEFT_OUT | LEFT_OUT_OF.get(operation, set())
    document = part_of(app.openapi(), operation)
    shared = LISTS.get(operation, set()) if operation not in FUZZED_IN_FULL else set()
    if shared:
        document = without_parameters(document, shared)
    schema = schemathesis.openapi.from_dict(document, config=settings(left_out))
    [path] = document["paths"]
    caller = Caller(app, path, found, OF_EVERY_LIST if shared else (b"",))
    schema.app = caller
    failures = []
    asked = 0
    with answered_where_asked():
        for event in engine.from_schema(schema.include(operation_id=operation)).execute():
            assert not isinstance(event, events.NonFatalError | events.FatalError), event
            if isinstance(event, events.ScenarioFinished):
                asked += len(event.recorder.cases)
                failures += failures_of(event)
    assert asked >= 12, failures
    assert set(caller.asked) == set(ROLES[1:])
    if not ON_POSTGRESQL and set(document["paths"][path]) <= {"get", "head"}:
        assert 200 in caller.answered or operation.removesuffix("_headers") in NOT_THERE, operation
    return failures


def settings(left_out: set[str]) -> SchemathesisConfig:
    checks: dict[str, Any] = {name: {"enabled": False} for name in left_out}
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "generation": {
                "max-examples": longer(4),
                "deterministic": TIMES == 1,
                "database": "none",
            },
            "phases": {"stateful": {"enabled": False}},
            # It would look for them in this file, where the application it asks is defined.
            "analysis": {"constants": {"enabled": False}},
            "checks": checks,
        }
    )


def failures_of(event: events.ScenarioFinished) -> list[str]:
    return [
        f"{check.name}: {check.failure_info.failure.title}: {check.failure_info.failure.message}"
        f"\n{check.failure_info.code_sample}"
        for checks in event.recorder.checks.values()
        for check in checks
        if check.failure_info is not None
    ]


def documents(app: FastAPI) -> dict[str, dict[str, Any]]:
    """The contract and its subsets by name."""
    whole = app.openapi()
    return {"openapi": whole} | {name: contract.subset(whole, name) for name in contract.SUBSETS}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def part_of(document: dict[str, Any], operation_id: str) -> dict[str, Any]:
    """The contract of the path of an operation: engines read it in a tenth of the time."""
    [paths] = [
        {path: item}
        for path, item in document["paths"].items()
        if operation_id in [operation["operationId"] for operation in item.values()]
    ]
    components = document["components"] | {"schemas": schemas_in(document, paths)}
    return document | {"paths": paths, "components": components}


def without_parameters(document: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """The same operations, which do not take these parameters of the query."""

    def takes(parameter: dict[str, Any]) -> bool:
        return parameter.get("in") != "query" or parameter["name"] not in names

    paths = {
        path: {
            method: operation | {"parameters": list(filter(takes, operation["parameters"]))}
            for method, operation in item.items()
        }
        for path, item in document["paths"].items()
    }
    return document | {"paths": paths}


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def schemas_in(document: dict[str, Any], root: Any) -> dict[str, dict[str, Any]]:
    """The named schemas reached from a part of the document."""
    found: dict[str, dict[str, Any]] = {}
    waiting = list(references(root))
    while waiting:
        _, kind, group, name = waiting.pop().split("/")
        if group == "schemas" and name not in found:
            found[name] = document[kind][group][name]
            waiting += references(found[name])
    return found


def every(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in base.__subclasses__():
        yield each
        yield from every(each)


def declared(app: FastAPI) -> dict[tuple[str, str], Route]:
    """The routes by method and path, as the document names them."""
    routes = {(route.method.lower(), route.path_format): route for route in routes_of(app)}
    heads = {("head", path): route for (_, path), route in routes.items() if route.head}
    return routes | heads


# Where no policy says whom a run would anonymise; figures that are not published; a follower whose
# position does not fit.
REFUSES_READERS = (
    *("/v1/privacy/leavers", "/v1/poverty-status"),
    *("/v1/changes", "/v1/feed", "/v1/sync/changes"),
    *("/v1/accounts/{account_id}/credentials", "/v1/accounts/{account_id}/usage"),
)


class TestErrors:
    def test_are_problems_and_name_their_codes(self, app: FastAPI) -> None:
        named: set[str] = set()
        for method, path, operation in operations(app.openapi()):
            for status, answer in operation["responses"].items():
                if int(status) < 400:
                    assert method != "head" or "content" not in answer, path
                    continue
                schema = answer["content"][MEDIA_TYPE]["schema"]
                assert schema == {"$ref": "#/components/schemas/ProblemBody"}, path
                codes = answer["description"].split(" | ")
                assert all(PROBLEMS[code].status == int(status) for code in codes), path
                named |= set(codes)
        # What no operation answers: a method that it is not, and the server before it has a request.
        unanswered = {"method_not_allowed", "head_too_large", "request_too_slow"}
        # Why a job ended that was not gone on with after a restore.
        unanswered.add("job_dropped")
        assert named == set(PROBLEMS) - unanswered

    def test_are_documented_wherever_they_may_come(self, app: FastAPI) -> None:
        routes = declared(app)
        for method, path, operation in operations(app.openapi()):
            route = routes[method, path]
            wanted = {"400", "422", "429", "500", "503"}
            if operation["security"]:
                wanted |= {"401", "403", "404"}
            if path in ASKED_BY_SECRET:
                wanted |= {"404"}
            if method == "get" and path in REFUSES_READERS:
                wanted |= {"409"}
            if method not in ("get", "head"):
                wanted |= {"413", "415"}
            if route.writes and contract.conflicts_of(route):
                wanted |= {"409"}
            if route.refuses_old_apps:
                wanted |= {"426"}
            if route.if_match or (path in TUS and method != "options"):  # another version
                wanted |= {"412"}
            if path.startswith(("/v1/files/", "/v1/file-links/")) or path.endswith(
                ("/photo", "/session-pictures/{picture_id}/content", "/files/{name}")
            ):
                wanted |= {"410"}
            if "206" in operation["responses"]:
                wanted |= {"416"}
            errors = {status for status in operation["responses"] if int(status) >= 400}
            assert errors - {"401"} == wanted - {"401"}, path
            assert ("401" in errors) == ("401" in wanted or path == "/v1/auth/token"), path

    def test_have_all_codes_in_their_schema(self, app: FastAPI) -> None:
        schemas = app.openapi()["components"]["schemas"]
        assert schemas["ProblemBody"]["properties"]["code"]["enum"] == sorted(PROBLEMS)
        assert schemas["FieldProblem"]["properties"]["code"]["enum"] == sorted(FIELD_ERRORS)
        places = schemas["FieldProblem"]["properties"]["in"]["enum"]
        assert set(places) == set(get_args(Place))


class TestSchemas:
    def test_of_requests_forbid_what_they_do_not_name(self, app: FastAPI) -> None:
        document = app.openapi()
        bodies = [op["requestBody"] for *_, op in operations(document) if "requestBody" in op]
        sent = schemas_in(document, bodies)
        assert len(sent) > 10
        for name, schema in sent.items():
            assert "enum" in schema or schema["additionalProperties"] is False, name

    def test_of_answers_say_what_is_always_there(self, app: FastAPI) -> None:
        document = app.openapi()
        answers = [
            answer
            for *_, operation in operations(document)
            for status, answer in operation["responses"].items()
            if int(status) < 400
        ]
        given = schemas_in(document, answers)
        assert len(given) > 20
        for name, schema in given.items():
            assert set(schema.get("properties", ())) == set(schema.get("required", ())), name
            for field, shape in schema.get("properties", {}).items():
                assert "default" not in shape, (name, field)

    def test_keep_to_the_two_bases(self) -> None:
        for schema in every(Input):
            assert schema.model_config["extra"] == "forbid", schema
        for schema in every(Output):
            assert all(field.is_required() for field in schema.model_fields.values()), schema

    def test_are_named_and_described(self, app: FastAPI) -> None:
        for _, path, operation in operations(app.openapi()):
            assert operation["summary"], path
            assert operation["description"].endswith("."), path
            for parameter in operation["parameters"]:
                if "$ref" not in parameter:
                    assert parameter["description"].endswith("."), (path, parameter["name"])
                    assert parameter["schema"], path


class TestDocuments:
    @pytest.mark.parametrize("name", ["openapi", *contract.SUBSETS])
    def test_refer_to_nothing_that_is_not_there(self, app: FastAPI, name: str) -> None:
        document = documents(app)[name]
        found = set(references(document))
        assert found
        for reference in found:
            _, kind, group, component = reference.split("/")
            assert component in document[kind][group], reference

    @pytest.mark.parametrize("name", list(contract.SUBSETS))
    def test_of_a_kind_of_client_are_parts_of_the_whole(self, app: FastAPI, name: str) -> None:
        whole, part = app.openapi(), documents(app)[name]
        tags = {tag for tag, clients in manifest().audience.items() if name in clients}
        assert tags <= manifest().tags.keys()
        for method, path, operation in operations(part):
            assert operation == whole["paths"][path][method]
            assert set(operation["tags"]) <= tags
        kept = {operation["operationId"] for *_, operation in operations(part)}
        wanted = {
            op["operationId"]
            for *_, op in operations(whole)
            if {*op["tags"]} & {*tags} and (name != "mobile" or "x-phone" in op)
        }
        assert kept == wanted
        assert part["components"]["securitySchemes"] == whole["components"]["securitySchemes"]

    def test_list_the_headers_of_a_safe_retry(self, app: FastAPI) -> None:
        routes = declared(app)
        for method, path, operation in operations(app.openapi()):
            route = routes[method, path]
            names = {p["$ref"].split("/")[-1] for p in operation["parameters"] if "$ref" in p}
            wanted = {"AcceptLanguage"}
            if method != "get" and route.replayed:
                wanted.add("IdempotencyKey")
            if route.if_match:
                wanted.add("IfMatch")
            if route.refuses_old_apps:
                wanted.add("AppVersion")
            assert names == wanted, path

    def test_show_that_lists_stream(self, app: FastAPI) -> None:
        lists = [
            operation
            for *_, operation in operations(app.openapi())
            if {"cursor", "limit"} <= {p.get("name") for p in operation["parameters"]}
        ]
        assert len(lists) > 20
        for operation in lists:
            told = operation["responses"]["200"]["description"]
            assert "text/csv" in told
            assert "application/x-ndjson" in told


class TestNames:
    def test_of_schemas_are_plain(self, app: FastAPI) -> None:
        """A module's path or `-Input` in a name means that two classes share it."""
        names = app.openapi()["components"]["schemas"]
        assert names
        assert [name for name in names if "__" in name or "-" in name] == []

    def test_of_classes_are_given_once(self) -> None:
        """No two parts of the application have a class of the same name, in any layer."""
        files = sorted((ROOT / "app").rglob("*.py"))
        found = Counter(
            node.name
            for file in files
            for node in ast.parse(file.read_text(encoding="utf-8")).body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        )
        assert len(found) > 500
        assert [name for name, times in found.items() if times > 1] == []
