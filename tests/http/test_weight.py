"""What goes over the network: compressed where asked, and nothing for whoever has it already."""

import gzip
import json
from collections.abc import Callable

import pytest
import zstandard
from fastapi import FastAPI
from httpx2 import Response
from starlette.responses import PlainTextResponse

from app.api.http.compression import Compression
from tests.helpers.client import PASSWORD, Api
from tests.helpers.in_process import client_of
from tests.helpers.reading import Reading

LIST = "/v1/members?limit=50"
UNPACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "zstd": lambda raw: zstandard.ZstdDecompressor().decompressobj().decompress(raw),
}


def asked(api: Api, path: str, encoding: str, **headers: str) -> tuple[Response, bytes]:
    """The answer as it came, before the client opens it."""
    with api.client.stream(
        "GET", path, headers={**api.headers, "accept-encoding": encoding, **headers}
    ) as answer:
        return answer, b"".join(answer.iter_raw())


class TestCompression(Reading):
    @pytest.fixture
    def officer(self, api: Api) -> Api:
        return api.as_("phuongvi")

    @pytest.mark.parametrize(
        ("encoding", "coding"),
        [
            ("gzip", "gzip"),
            ("br, GZIP;q=0.5", "gzip"),
            ("gzip;q=1.0, identity", "gzip"),
            ("gzip, zstd;q=0.9", "gzip"),
            ("gzip;q=0.5, ZSTD", "zstd"),
            ("gzip, deflate, br, zstd", "zstd"),
            ("*", "zstd"),
        ],
    )
    def test_a_list_is_packed_where_asked(self, officer: Api, encoding: str, coding: str) -> None:
        plain, whole = asked(officer, LIST, "identity")
        answer, raw = asked(officer, LIST, encoding)
        assert answer.headers["content-encoding"] == coding
        assert int(answer.headers["content-length"]) == len(raw) < len(whole) / 3
        assert UNPACKED[coding](raw) == whole
        assert answer.headers["etag"] == plain.headers["etag"]
        for each in (plain, answer):
            assert each.headers["vary"].count("Accept-Encoding") == 1

    @pytest.mark.parametrize(
        "encoding", ["identity", "", "br", "gzip;q=0", "*;q=0", "gzip; q=0.000"]
    )
    def test_and_not_where_it_is_not(self, officer: Api, encoding: str) -> None:
        answer, raw = asked(officer, LIST, encoding)
        assert "content-encoding" not in answer.headers
        assert json.loads(raw)["items"]

    @pytest.mark.parametrize("coding", ["gzip", "zstd"])
    @pytest.mark.parametrize("form", ["csv", "ndjson"])
    def test_a_file_is_packed_as_it_goes_out(self, officer: Api, form: str, coding: str) -> None:
        path = f"/v1/members?format={form}"
        _, whole = asked(officer, path, "identity")
        answer, raw = asked(officer, path, coding)
        assert answer.headers["content-encoding"] == coding
        assert "content-length" not in answer.headers
        assert len(raw) < len(whole) / 3
        assert UNPACKED[coding](raw) == whole

    def test_what_is_packed_already_is_left_alone(self, officer: Api) -> None:
        answer, raw = asked(officer, "/v1/members?format=xlsx", "gzip")
        assert "content-encoding" not in answer.headers
        assert raw.startswith(b"PK")

    def test_what_is_short_is_left_alone(self, officer: Api) -> None:
        answer, _ = asked(officer, "/health/live", "gzip")
        assert "content-encoding" not in answer.headers

    @pytest.mark.parametrize(("cache", "packed"), [("no-store", False), ("no-cache", True)])
    def test_secrets_are_never_packed(self, cache: str, packed: bool) -> None:
        """What no cache may keep is a token or a code (`test_a_secret_has_none`)."""
        secret = PlainTextResponse("secret" * 1_000, headers={"cache-control": cache})
        answer = client_of(Compression(secret)).get("/", headers={"accept-encoding": "gzip"})
        assert ("content-encoding" in answer.headers) is packed
        assert answer.text == "secret" * 1_000

    def test_a_head_tells_of_the_same_answer(self, officer: Api) -> None:
        answer = officer.client.head(LIST, headers={**officer.headers, "accept-encoding": "gzip"})
        assert (answer.status_code, answer.content) == (200, b"")


class TestTags(Reading):
    @pytest.mark.parametrize(
        "path",
        [
            "/v1/me",
            "/v1/units",
            "/v1/branches",
            "/v1/members?limit=5",
            "/v1/members/count",
            "/v1/code-lists",
            "/v1/access/roles",
            "/v1/posts",
            "/v1/poverty-standards",
            "/v1/privacy/retention",
        ],
    )
    def test_who_has_it_already_is_told_so(self, api: Api, path: str) -> None:
        officer = api.as_("phuongvi")
        first = officer.get(path)
        assert first.status_code == 200, first.text
        tag = first.headers["etag"]
        again = officer.get(path, headers={**officer.headers, "if-none-match": f'"old", {tag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert "content-type" not in again.headers
        lines = [*officer.headers.items(), ("if-none-match", '"old"'), ("if-none-match", tag)]
        assert officer.client.get(path, headers=lines).status_code == 304
        other = officer.get(path, headers={**officer.headers, "if-none-match": '"old"'})
        assert (other.status_code, other.headers["etag"]) == (200, tag)
        assert other.content == first.content

    def test_what_another_sees_has_another_tag(self, api: Api) -> None:
        tags = {
            api.as_(name).get("/v1/units").headers["etag"] for name in ("phuongvi", "tienluong")
        }
        assert len(tags) == 2

    def test_a_refusal_has_none(self, api: Api) -> None:
        assert "etag" not in api.get("/v1/units").headers

    def test_a_secret_has_none(self, api: Api, app: FastAPI) -> None:
        client = client_of(app)
        form = {"grant_type": "password", "username": "phuongvi", "password": PASSWORD}
        answer = client.post("/v1/auth/token", data=form)
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers


def test_a_change_has_another_tag(api: Api) -> None:
    officer = api.as_("phuongvi")
    before = officer.get(LIST)
    first = before.json()["items"][0]
    officer.patch(f"/v1/members/{first['id']}", json={"address": "Khu 7"})
    after = officer.get(LIST, headers={**officer.headers, "if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
