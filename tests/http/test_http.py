"""What stands around every answer: ids, headers, docs, logs, metrics."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx2 import Response
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.http.middleware import Kernel
from app.api.http.server import serving
from app.db import Database
from app.main import create_app
from tests.conftest import make_settings
from tests.helpers.client import PASSWORD, Api
from tests.helpers.in_process import client_of
from tests.helpers.reading import Reading

Build = Callable[..., Api]


@pytest.fixture(scope="module")
def _build() -> Iterator[Callable[[Database, tuple[tuple[str, Any], ...]], FastAPI]]:
    @cache
    def build(database: Database, settings: tuple[tuple[str, Any], ...]) -> FastAPI:
        return create_app(make_settings(database.settings.database_url, **dict(settings)))

    made: list[FastAPI] = []

    def remembered(database: Database, settings: tuple[tuple[str, Any], ...]) -> FastAPI:
        app = build(database, settings)
        made.append(app)
        return app

    yield remembered
    for app in made:
        serving(app).database.close()


@pytest.fixture
def build(
    untouched: Database, _build: Callable[[Database, tuple[tuple[str, Any], ...]], FastAPI]
) -> Build:
    """A server with other settings."""

    def make(**settings: Any) -> Api:
        return Api(_build(untouched, tuple(settings.items())))

    return make


class TestRequestIds(Reading):
    def test_is_given(self, api: Api) -> None:
        one, other = (api.get("/health/live").headers["x-request-id"] for _ in range(2))
        assert one != other
        assert UUID(one).version == 7

    @pytest.mark.parametrize(
        "given", ["abcd1234", "A-b_9" * 4, "x" * 64, "0192f0c1-7c4e-7000-8000-000000000001"]
    )
    def test_is_kept(self, api: Api, given: str) -> None:
        answer = api.get("/v1/members", headers={"x-request-id": given})
        assert answer.headers["x-request-id"] == answer.json()["request_id"] == given

    @pytest.mark.parametrize(
        "given", ["", "short", "x" * 65, "a b c d e", "<script>alert", "Hà Thị Lan", "abcd1234;x"]
    )
    def test_of_the_wrong_shape_is_replaced(self, api: Api, given: str) -> None:
        answer = api.get("/v1/members", headers={"x-request-id": given.encode()})
        assert UUID(answer.headers["x-request-id"]).version == 7
        assert given == "" or given not in answer.text

    def test_is_the_trace_where_there_is_one(self, api: Api) -> None:
        trace = "0af7651916cd43dd8448eb211c80319c"
        answer = api.get("/health/live", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        assert answer.headers["x-request-id"] == trace
        both = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "x-request-id": "mine-1234"}
        assert api.get("/health/live", headers=both).headers["x-request-id"] == "mine-1234"

    @pytest.mark.parametrize(
        "given", ["00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "00-1-2-3", "x" * 5000]
    )
    def test_is_no_broken_trace(self, api: Api, given: str) -> None:
        answer = api.get("/health/live", headers={"traceparent": given})
        assert UUID(answer.headers["x-request-id"]).version == 7

    def test_is_in_the_change_it_made(self, api: Api) -> None:
        changes = api.as_("phutho").get("/v1/changes?limit=1").json()["items"]
        assert changes[0]["request_id"] is None  # the demo came from no request


class TestHeaders(Reading):
    def test_on_an_answer_of_the_api(self, api: Api) -> None:
        answer = api.as_("phuongvi-1").get("/v1/me")
        for name, value in {
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "same-origin",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "cache-control": "private, no-cache",
            "vary": "Authorization, Accept, Accept-Encoding, Accept-Language",
        }.items():
            assert answer.headers[name] == value
        assert "strict-transport-security" not in answer.headers
        assert "server" not in answer.headers

    @pytest.mark.parametrize(
        ("path", "status"), [("/v1/members", 401), ("/v1/nope", 404), ("/v1/units?x=1", 401)]
    )
    def test_on_an_error_as_well(self, api: Api, path: str, status: int) -> None:
        answer = api.get(path)
        assert answer.status_code == status
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["vary"] == "Authorization, Accept, Accept-Encoding, Accept-Language"

    @pytest.mark.parametrize("path", ["/health/live", "/metrics", "/.well-known/jwks.json"])
    def test_outside_v1_are_the_same(self, api: Api, path: str) -> None:
        headers = api.get(path).headers
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "private, no-cache"

    def test_on_what_the_kernel_itself_refuses(self, api: Api) -> None:
        answer = api.get("/v1/members?x=%00")
        assert (answer.status_code, answer.headers["x-frame-options"]) == (422, "DENY")

    def test_tokens_and_one_time_codes_are_never_stored(self, api: Api) -> None:
        form = {"grant_type": "password", "username": "phuongvi", "password": PASSWORD}
        answer = api.post("/v1/auth/token", data=form)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")

    def test_https_is_asked_for_in_production_only(self, build: Build) -> None:
        answer = build(environment="production").get("/v1/me")
        assert answer.headers["strict-transport-security"] == "max-age=31536000"

    def test_every_401_says_how_to_sign_in(self, api: Api) -> None:
        bearer, basic = 'Bearer realm="hoiso"', 'Basic realm="hoiso"'
        person = {"grant_type": "password", "username": "phuongvi", "password": "wrong"}
        client = {"grant_type": "client_credentials", "client_id": "x", "client_secret": "wrong"}
        token = {"grant_type": "refresh_token", "refresh_token": "wrong"}
        for answer, code, challenge in (
            (api.get("/v1/me"), "not_authenticated", bearer),
            (self.with_(api, "Basic eDp5"), "not_authenticated", bearer),
            (self.with_(api, "Bearer x"), "invalid_token", f'{bearer}, error="invalid_token"'),
            (api.post("/v1/auth/token", data=person), "bad_credentials", bearer),
            (api.post("/v1/auth/token", data=token), "refresh_refused", bearer),
            (api.post("/v1/auth/token", data=client), "bad_credentials", basic),
        ):
            assert (answer.status_code, answer.json()["code"]) == (401, code)
            assert answer.headers["www-authenticate"] == challenge

    def with_(self, api: Api, authorization: str) -> Response:
        return api.get("/v1/me", headers={"authorization": authorization})


class TestHead(Reading):
    @pytest.mark.parametrize("path", ["/health/live", "/v1/members", "/v1/units/1", "/v1/nope"])
    def test_is_answered_like_get_without_the_body(self, api: Api, path: str) -> None:
        caller = api.as_("phutho")
        headers = {**caller.headers, "accept-encoding": "identity"}
        whole = caller.get(path, headers=headers)
        answer = caller.client.head(path, headers=headers)
        assert (answer.status_code, answer.content) == (whole.status_code, b"")
        for name in ("content-type", "content-length", "etag"):
            assert answer.headers.get(name) == whole.headers.get(name)

    def test_knows_the_tag(self, api: Api) -> None:
        caller = api.as_("phutho")
        tag = caller.get("/v1/units/1").headers["etag"]
        headers = caller.headers | {"if-none-match": tag}
        answer = caller.client.head("/v1/units/1", headers=headers)
        assert (answer.status_code, answer.headers["etag"]) == (304, tag)

    def test_of_what_has_no_get_is_refused(self, api: Api) -> None:
        answer = api.client.head("/v1/auth/token")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


class TestBrokenOff(Reading):
    def kernel(self, inner: ASGIApp) -> Kernel:
        return Kernel(inner, log_requests=True, https_only=False)

    def run(self, kernel: Kernel, scope: dict[str, Any], *messages: Message) -> list[Message]:
        sent: list[Message] = []
        waiting = iter(messages)

        async def receive() -> Message:
            return next(waiting)

        async def send(message: Message) -> None:
            sent.append(message)

        asyncio.run(kernel({"type": "http", "query_string": b"", **scope}, receive, send))
        return sent

    def test_by_a_client_who_hangs_up_is_no_error_of_ours(
        self, app: FastAPI, api: Api, capsys: pytest.CaptureFixture[str]
    ) -> None:
        token = api.as_("phuongvi-1").headers["authorization"].encode()
        headers = [(b"authorization", token), (b"content-type", b"application/json")]
        scope = {"method": "POST", "path": "/v1/members", "headers": headers, "app": app}
        capsys.readouterr()
        part = {"type": "http.request", "body": b'{"full', "more_body": True}
        sent = self.run(self.kernel(app.router), scope, part, {"type": "http.disconnect"})
        [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert (line["event"], line["level"], line["status"]) == ("request", "info", 499)
        assert sent == []

    def test_by_us_after_it_began_is_logged_and_counted(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async def broken(_: Scope, __: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise RuntimeError

        with pytest.raises(RuntimeError):
            self.run(self.kernel(broken), {"method": "GET", "path": "/v1/x", "headers": []})
        unhandled, request = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert (unhandled["event"], unhandled["level"]) == ("unhandled", "error")
        assert (request["event"], request["status"]) == ("request", 200)


class TestCors(Reading):
    ORIGIN = "https://phunu.example"

    def test_is_off_by_default(self, api: Api) -> None:
        answer = api.get("/health/live", headers={"origin": self.ORIGIN})
        assert "access-control-allow-origin" not in answer.headers
        preflight = {"origin": self.ORIGIN, "access-control-request-method": "GET"}
        answer = api.request("OPTIONS", "/v1/members", headers=preflight)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")

    def test_lets_in_the_origins_of_the_setting_and_no_other(self, build: Build) -> None:
        api = build(cors_origins=f"{self.ORIGIN}, https://two.example")
        answer = api.get("/v1/members", headers={"origin": self.ORIGIN})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == self.ORIGIN
        exposed = answer.headers["access-control-expose-headers"]
        assert {name.strip() for name in exposed.split(",")} == {
            "accept-ranges",
            "content-disposition",
            "content-range",
            "content-location",
            "etag",
            "idempotency-lost-since",
            "idempotent-replayed",
            "link",
            "location",
            "preference-applied",
            "retry-after",
            "tus-extension",
            "tus-max-size",
            "tus-resumable",
            "tus-version",
            "upload-expires",
            "upload-length",
            "upload-offset",
            "x-request-id",
        }
        assert "Origin" in answer.headers["vary"]
        assert "Authorization" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers
        other = api.get("/v1/members", headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers

    def test_answers_a_preflight(self, build: Build) -> None:
        api = build(cors_origins=f"{self.ORIGIN}, https://two.example")
        asked = {
            "origin": self.ORIGIN,
            "access-control-request-method": "PATCH",
            "access-control-request-headers": "authorization, if-match, idempotency-key",
        }
        answer = api.client.options("/v1/members", headers=asked)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == self.ORIGIN
        assert "PATCH" in answer.headers["access-control-allow-methods"]
        wrong = api.client.options(
            "/v1/members", headers=asked | {"origin": "https://evil.example"}
        )
        assert "access-control-allow-origin" not in wrong.headers


class TestDocs(Reading):
    @pytest.mark.parametrize("path", ["/docs", "/redoc"])
    def test_pages_come_whole_from_this_server(self, api: Api, path: str) -> None:
        page = api.get(path)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "/openapi.json" in page.text
        assert not re.search(r"https?:|//[a-z]", page.text), page.text
        files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(files) >= 2
        for file in files:
            assert api.get(file).status_code == 200, file
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "http" not in policy

    def test_the_contract_is_served(self, api: Api, app: FastAPI) -> None:
        answer = api.get("/openapi.json")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == app.openapi()
        assert answer.json()["openapi"].startswith("3.1")

    def test_may_be_switched_off(self, build: Build) -> None:
        api = build(docs=False)
        for path in ("/docs", "/redoc", "/docs/static/favicon.png"):
            answer = api.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        api.app.openapi = lambda: {"openapi": "3.1.0"}  # type: ignore[method-assign]  # FastAPI's hook
        assert api.get("/openapi.json").json() == {"openapi": "3.1.0"}
        assert api.get("/health/live").json() == {"status": "ok"}


class TestLogs(Reading):
    def lines(self, captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
        return [json.loads(line) for line in captured.readouterr().out.splitlines()]

    def test_one_line_a_request(self, build: Build, capsys: pytest.CaptureFixture[str]) -> None:
        api = build(log_requests=True).as_("phuongvi-1")
        capsys.readouterr()
        answer = api.get("/v1/members?limit=1", headers={"x-request-id": "abcd1234"})
        [line] = self.lines(capsys)
        assert (line["event"], line["level"]) == ("request", "info")
        assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/members", 200)
        assert (line["request_id"], line["ms"] > 0) == (answer.headers["x-request-id"], True)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"])

    def test_names_routes_and_no_person(
        self, build: Build, capsys: pytest.CaptureFixture[str]
    ) -> None:
        nobody = build(log_requests=True)
        api = nobody.as_("phuongvi-1")
        member = api.get("/v1/members?limit=1").json()["items"][0]
        capsys.readouterr()
        form = {"grant_type": "password", "username": "ha.thi.lan", "password": "mat-khau"}
        nobody.post("/v1/auth/token", data=form)
        api.get(f"/v1/members/{member['id']}?fields=full_name")
        api.get("/v1/members?fields=Hà-Thị-Lan&cursor=0912345678")
        api.patch(f"/v1/members/{member['id']}", json={"full_name": "Hà Thị Lan 0912345678"})
        api.get("/v1/members/ha-thi-lan")
        api.get("/nowhere/ha-thi-lan")
        api.request("HATHILAN", "/v1/members")
        written = capsys.readouterr().out
        for personal in (
            *("ha.thi.lan", "ha-thi-lan", "HATHILAN", "Lan", "mat-khau", "0912345678", "full_name"),
            *(member["id"], member["full_name"], member["phone"], "Bearer", "eyJ"),
        ):
            assert personal not in written
        routes = [json.loads(line)["route"] for line in written.splitlines()]
        assert routes == [
            "/v1/auth/token",
            "/v1/members/{member_id}",
            "/v1/members",
            "/v1/members/{member_id}",
            "/v1/members/{member_id}",
            "unmatched",
            "/v1/members",
        ]

    def test_may_be_switched_off(self, build: Build, capsys: pytest.CaptureFixture[str]) -> None:
        build(log_requests=False).get("/health/live")
        assert capsys.readouterr().out == ""


class TestMetrics(Reading):
    def metrics(self, app: FastAPI) -> dict[tuple[str, ...], float]:
        """Requests counted, by method, route and status."""
        text = client_of(app, ("127.0.0.1", 9)).get("/metrics").text
        return {
            (s.labels["method"], s.labels["route"], s.labels["status"]): s.value
            for family in text_string_to_metric_families(text)
            for s in family.samples
            if s.name == "hoiso_request_seconds_count"
        }

    def test_count_requests_by_route(self, app: FastAPI, api: Api) -> None:
        caller = api.as_("phuongvi-1")
        before = self.metrics(app)
        for _ in range(3):
            caller.get(f"/v1/members/{uuid4()}")
        caller.get("/v1/members?x=1")
        after = self.metrics(app)
        for key, more in (
            (("GET", "/v1/members/{member_id}", "404"), 3),
            (("GET", "/v1/members", "422"), 1),
        ):
            assert after[key] - before.get(key, 0) == more

    def test_grow_with_no_clients_invention(self, app: FastAPI, api: Api) -> None:
        for number in range(5):
            api.get(f"/nowhere/{number}")
            api.request(f"METHOD{number}", "/v1/members")
        found = self.metrics(app)
        assert not any("nowhere" in key[1] or "METHOD" in key[0] for key in found)
        assert ("GET", "unmatched", "404") in found
        assert ("other", "/v1/members", "405") in found

    @pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1"])
    def test_are_for_this_machine(self, app: FastAPI, address: str) -> None:
        answer = client_of(app, (address, 9)).get("/metrics")
        assert answer.status_code == 200
        assert "hoiso_request_seconds_bucket" in answer.text

    @pytest.mark.parametrize("address", ["10.0.0.7", "192.168.1.2", "8.8.8.8", "2001:db8::1", "x"])
    def test_are_for_nobody_else(self, app: FastAPI, address: str) -> None:
        answer = client_of(app, (address, 9)).get("/metrics")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "hoiso_request" not in answer.text

    def test_are_not_for_whoever_came_through_a_proxy(self, app: FastAPI) -> None:
        client = client_of(app, ("127.0.0.1", 9))
        answer = client.get("/metrics", headers={"x-forwarded-for": "8.8.8.8"})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    @pytest.mark.parametrize("environment", ["production", "test"])
    def test_are_for_nobody_in_production_without_a_token(
        self, build: Build, environment: str
    ) -> None:
        app = build(environment=environment).app
        answer = client_of(app, ("127.0.0.1", 9)).get("/metrics")
        assert answer.status_code == (404 if environment == "production" else 200)

    def test_are_for_the_token_where_there_is_one(self, build: Build) -> None:
        app = build(metrics_token="metrics-token-of-the-tests").app
        for address in ("127.0.0.1", "8.8.8.8"):
            client = client_of(app, (address, 9))
            for headers, status in (
                ({}, 404),
                ({"authorization": "Bearer wrong"}, 404),
                ({b"authorization": b"Bearer \xff\xff"}, 404),
                ({"authorization": "Bearer metrics-token-of-the-tests"}, 200),
            ):
                assert client.get("/metrics", headers=headers).status_code == status
