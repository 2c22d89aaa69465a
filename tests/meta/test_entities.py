"""What the API says of its entities is held against its contract, its exports, its answers and its
refusals."""

import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from app.api.http.routing import Route, routes_of
from app.db import Database
from app.models.kernel.access import ROLE_RIGHTS, Right, Role
from app.services.kernel.manifest import manifest
from tests.exports.asking import content, exported
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.bodies import body_of, smallest
from tests.helpers.client import Api
from tests.helpers.reading import Reading
from tests.helpers.real_ids import RealIds, ids_in
from tests.kernel.changes import done
from tests.sync.test_hidden_kinds import may_only

OFFICER = "phutho"


@pytest.fixture(scope="module")
def contract(shared_app: FastAPI) -> Json:
    return shared_app.openapi()


def described(api: Api) -> dict[str, Json]:
    """Every entity, by its name."""
    found = done(api.get("/v1/meta"))["entities"]
    return {each["name"]: done(api.get(each["link"])) for each in found}


def component(contract: Json, schema: Json) -> Json:
    """The properties of a body, by the contract."""
    name = schema["$ref"].rpartition("/")[2]
    found: Json = contract["components"]["schemas"][name]
    return found


def branch_of(contract: Json, schema: Json) -> Json:
    """Of a value that may be null, what it is otherwise."""
    whole = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    if len(whole) != 1:
        return {}
    return component(contract, whole[0]) if "$ref" in whole[0] else whole[0]


def bodies(contract: Json, entity: Json, method: str) -> list[Json]:
    """What requests of this method have."""
    sent = [
        contract["paths"][each["path"]][method]["requestBody"]["content"]["application/json"]
        for each in entity["operations"]
        if each["method"] == method.upper()
    ]
    return [component(contract, each["schema"]) for each in sent]


class TestEntities(Reading):
    def test_all_that_is_followed_or_exported_is_there(self, api: Api) -> None:
        found = done(api.as_(OFFICER).get("/v1/meta"))
        of = {each["name"]: each for each in found["entities"]}
        feed = {each["kinds"]["feed"] for each in of.values()} - {None}
        exports = {each["kinds"]["export"] for each in of.values()} - {None}
        assert feed == manifest().news.keys()
        assert exports == manifest().sync.keys()
        for each in of.values():
            assert each["title_vi"] != each["name"], each
            fields = done(api.as_(OFFICER).get(each["link"]))["fields"]
            assert [f["name"] for f in fields if f["title_vi"] == f["name"]] == [], each
            assert each["right"] == manifest().by_entity[each["name"]][1].read_right

    def test_fields_are_written_when_the_contract_says_so(self, api: Api, contract: Json) -> None:
        writes = 0
        for name, entity in described(api.as_(OFFICER)).items():
            for member, method in (("create", "post"), ("change", "patch")):
                sent = bodies(contract, entity, method)
                required = {field for body in sent for field in body.get("required", ())}
                known = {field for body in sent for field in body["properties"]}
                said = {field["name"]: field[member] for field in entity["fields"]}
                assert {f for f, when in said.items() if when == "required"} == required, name
                assert {f for f, when in said.items() if when != "never"} == known, name
                writes += len(known)
        assert writes > 100

    def test_limits_are_those_of_the_contract(self, api: Api, contract: Json) -> None:
        """Of requests that make a record, else of those that change it."""
        compared = 0
        names = {"maxLength": "max_length", "minLength": "min_length", "pattern": "pattern"}
        names |= {"minimum": "minimum", "maximum": "maximum"}
        for entity in described(api.as_(OFFICER)).values():
            fields = {field["name"]: field for field in entity["fields"]}
            for body in bodies(contract, entity, "post") or bodies(contract, entity, "patch"):
                for name, schema in body["properties"].items():
                    limits = branch_of(contract, schema)
                    for keyword, member in names.items():
                        if keyword in limits:
                            assert fields[name][member] == limits[keyword], (entity["name"], name)
                            compared += 1
                    if "enum" in limits:
                        assert fields[name]["codes"] == limits["enum"], (entity["name"], name)
                        compared += 1
        assert compared > 60

    def test_what_answers_have_is_described(self, api: Api) -> None:
        """Every list of a kind, as it is answered: no field is unknown, and no text is of another type."""
        of_type: dict[str, type | tuple[type, ...]] = {
            **dict.fromkeys(("string", "date", "date-time", "uuid", "email", "uri"), str),
            "integer": int,
            "number": (int, float),
            "boolean": bool,
            "array": list,
            "object": dict,
            "any": object,
        }
        caller, seen = api.as_(OFFICER), 0
        for entity in described(caller).values():
            fields = {field["name"]: field for field in entity["fields"]}
            for row in self.rows(caller, entity):
                for name in row.keys() & fields.keys():
                    field, value = fields[name], row[name]
                    if value is None:
                        assert field["nullable"], (entity["name"], name)
                    else:
                        assert isinstance(value, of_type[field["type"]]), (entity["name"], name)
                        assert field["codes"] is None or value in field["codes"], (name, value)
                    seen += 1
        assert seen > 200

    def rows(self, caller: Api, entity: Json) -> Iterator[Json]:
        """The first rows of its list."""
        lists = (each["path"] for each in entity["operations"] if each["method"] == "GET")
        whole = next((path for path in lists if "{" not in path), None)
        if whole is not None:
            yield from done(caller.get(whole, params={"limit": 50}))["items"]

    def test_a_reader_without_the_right_finds_the_field_masked(self, api: Api) -> None:
        """`head` reads members without the rights of origin and views; `phuongvi` has them all."""
        [one] = done(api.as_("phuongvi-1").get("/v1/members?limit=1"))["items"]
        grants = done(api.as_("phuongvi-1").get("/v1/me"))["grants"]
        rights = {right for grant in grants for right in ROLE_RIGHTS[Role(grant["role"])]}
        fields = described(api.as_(OFFICER))["member"]["fields"]
        hidden = {f["name"] for f in fields if f["shown_by"] and f["shown_by"] not in rights}
        assert hidden == set(one["masked"]) != set()
        whole = done(api.as_("phuongvi").get(f"/v1/members/{one['id']}"))
        assert whole["masked"] == []

    def test_codes_have_their_list(self, api: Api) -> None:
        fields = {f["name"]: f for f in described(api.as_(OFFICER))["member"]["fields"]}
        lists = {
            each["name"]: each for each in done(api.as_(OFFICER).get("/v1/code-lists"))["items"]
        }
        for name in ("gender", "kind", "status", "religion", "party", "education"):
            assert fields[name]["code_list"] == "/v1/code-lists"
            assert sorted(fields[name]["codes"]) == sorted(i["code"] for i in lists[name]["items"])
        assert (fields["ethnicity"]["codes"], fields["ethnicity"]["code_list"]) == (
            None,
            "/v1/code-lists",
        )
        assert fields["full_name"]["code_list"] is None

    def test_its_tag_saves_the_body(self, api: Api) -> None:
        for path in ("/v1/meta", "/v1/meta/member"):
            caller = api.as_(OFFICER)
            first = caller.get(path)
            again = caller.get(path, headers={"if-none-match": first.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            other = caller.get(path, headers={"if-none-match": '"0"'})
            assert (other.status_code, other.json()) == (200, first.json())

    @pytest.mark.parametrize("name", ["members", "x" * 400, "%C4%91"])
    def test_another_name_is_refused_with_those_that_there_are(self, api: Api, name: str) -> None:
        answer = api.as_(OFFICER).get(f"/v1/meta/{name}")
        pointed(answer, "/entity", "not_in_list")
        assert "member" in answer.json()["errors"][0]["allowed"]

    def test_what_nobody_follows_is_not_described(self, api: Api) -> None:
        refused(api.as_(OFFICER).get("/v1/meta/account"), 404, "not_found")

    def test_nobody_reads_it_unsigned(self, api: Api) -> None:
        for path in ("/v1/meta", "/v1/meta/member", "/v1/code-lists/commune/crosswalk"):
            refused(api.get(path), 401, "not_authenticated")


def sent_by_curl(api: Api, command: str) -> Any:
    """What curl would send, by the test client."""
    base, words = (
        "http://server",
        shlex.split(command.replace("$BASE", "http://server").replace("$TOKEN", "t")),
    )
    assert words[:2] == ["curl", "-s"]
    [url] = [word for word in words[2:] if word.startswith(base)]
    options = [word for word in words[2:] if word != url]
    given: dict[str, list[str]] = {}
    for option, value in zip(options[::2], options[1::2], strict=True):
        given.setdefault(option, []).append(value)
    assert given.keys() <= {"-H", "-d"}
    headers = dict(each.split(": ", 1) for each in given["-H"])
    assert headers.pop("authorization") == "Bearer t"
    path = url.removeprefix(base)
    if "-d" in given:
        return api.post(path, content=given["-d"][0], headers=headers)
    return api.get(path, headers=headers)


def test_each_example_runs_as_it_is_written(api: Api) -> None:
    for name, entity in described(api.as_(OFFICER)).items():
        answer = sent_by_curl(api.as_(OFFICER), entity["example"])
        assert answer.status_code in (200, 202), (name, answer.text)


def test_rows_of_exports_have_the_fields_that_are_said_to_be_there(
    api: Api, work: Callable[[], int]
) -> None:
    caller = api.as_(OFFICER)
    entities = described(caller)
    made = {file["kind"]: file for file in exported(caller, work)["files"]}
    for entity in entities.values():
        kind = entity["kinds"]["export"]
        said = {field["name"] for field in entity["fields"] if field["export"]}
        assert bool(said) == (kind is not None)
        if kind is not None:
            for line in content(caller, made[kind]).splitlines()[:1]:
                assert json.loads(line).keys() == said, kind


def test_states_of_the_feed_have_the_fields_that_are_said_to_be_there(api: Api) -> None:
    caller = api.as_(OFFICER)
    said = {
        name: {field["name"] for field in entity["fields"] if field["feed"]}
        for name, entity in described(caller).items()
    }
    seen = set()
    for event in done(caller.get("/v1/feed?limit=1000"))["items"]:
        data = event["data"]
        if data["state"] is not None:
            assert data["state"].keys() | set(data["masked"]) == said[data["entity"]], data[
                "entity"
            ]
            seen.add(data["entity"])
    assert {"unit", "member", "membership"} <= seen


def test_a_writer_without_the_right_is_refused_with_it(api: Api, database: Database) -> None:
    """Each operation that makes or changes a record, for who has every right but the one it names."""
    routes = {(route.method, route.path_format): route for route in routes_of(api.app)}
    ids, asked = RealIds(ids_in(database)), set()
    writes = [
        (each["right"], routes[each["method"], each["path"]])
        for entity in described(api.as_(OFFICER)).values()
        for each in entity["operations"]
        if each["method"] != "GET"
    ]
    for right in sorted({right for right, _ in writes}):
        may_only(database, OFFICER, [each for each in Right if each != right])
        caller = api.as_(OFFICER)
        for _, route in (each for each in writes if each[0] == right):
            answer = tried(caller, route, ids)
            if route.operation_id == "create_event":
                # Where she may write no unit is hers: the refusal is of the field.
                pointed(answer, "/host_unit_ids", "host_not_yours")
            elif answer is not None:
                body = refused(answer, 403, "forbidden")
                assert body["required_right"] == right, route.path
                asked.add(route.operation_id)
    assert len(asked) >= 10, asked


def tried(caller: Api, route: Route, ids: RealIds) -> Any:
    """The answer to the smallest request; None where there is nothing that it could be about."""
    wanted = [part[1:-1] for part in route.path_format.split("/") if part.startswith("{")]
    if not ids.kinds.issuperset(wanted):
        return None
    zeros = "/".join("1" if part.startswith("{") else part for part in route.path_format.split("/"))
    schema = body_of(route).model_json_schema()
    sent = json.loads(ids.in_body(json.dumps(smallest(schema, schema)).encode()))
    return caller.request(route.method, ids.in_path(route.path_format, zeros), json=sent)
