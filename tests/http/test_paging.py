"""Cursors and whole lists: the same on every list, whatever is in it."""

import csv
import io
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.requests import Request

from app.api.http.paging import Cursors
from app.api.http.server import serving
from app.db import Database
from app.models.base import ListQuery
from app.models.members.lists import MemberQuery
from app.security.sealing import Sealer
from app.services.kernel.list_files import safe_cell
from app.text import name_key, sort_key
from tests.helpers.client import Api, counted
from tests.helpers.reading import Reading

LISTS = (
    "/v1/members",
    "/v1/units",
    "/v1/units/1/children",
    "/v1/branches",
    "/v1/accounts",
    "/v1/changes",
)


@pytest.fixture
def officer(api: Api) -> Api:
    return api.as_("phutho")


@pytest.fixture
def cursor(officer: Api) -> str:
    found: str = officer.get("/v1/members?limit=2&status=active").json()["next_cursor"]
    return found


def refused(response: Response) -> None:
    assert response.status_code == 422, response.text[:300]
    [error] = response.json()["errors"]
    found = (error["in"], error["pointer"], error["code"])
    assert found == ("query", "/cursor", "cursor_invalid")


def pages(api: Api, path: str, limit: int) -> list[dict[str, Any]]:
    joined = "&" if "?" in path else "?"
    answer = api.get(f"{path}{joined}limit={limit}")
    items: list[dict[str, Any]] = answer.json()["items"]
    while (cursor := answer.json()["next_cursor"]) is not None:
        assert len(answer.json()["items"]) == limit
        answer = api.get(f"{path}{joined}limit={limit}&cursor={cursor}")
        items += answer.json()["items"]
    return items


class TestEveryList(Reading):
    @pytest.mark.parametrize("path", LISTS)
    def test_is_the_same_in_pages_and_as_a_stream(self, officer: Api, path: str) -> None:
        path = f"{path}?kinds=grant" if path == "/v1/changes" else path
        listed = pages(officer, path, 200)
        assert pages(officer, path, 3) == listed
        lines = officer.get(path, headers={"accept": "application/x-ndjson"}).content.splitlines()
        assert [json.loads(line) for line in lines] == listed
        as_fields = f"{path}{'&' if '?' in path else '?'}headings=api"
        text = officer.get(as_fields, headers={"accept": "text/csv"}).content.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len(rows) == len(listed) + 1
        assert rows[0] == list(listed[0])

    @pytest.mark.parametrize("path", LISTS)
    def test_refuses_bad_parameters(self, officer: Api, path: str) -> None:
        for query, pointer, code in (
            ("limit=0", "/limit", "too_small"),
            ("limit=201", "/limit", "too_large"),
            ("limit=", "/limit", "wrong_type"),
            ("page=2", "/page", "unknown_field"),
            ("fields=nope", "/fields", "not_in_list"),
            ("cursor=nope", "/cursor", "cursor_invalid"),
        ):
            answer = officer.get(f"{path}?{query}")
            [error] = answer.json()["errors"]
            assert (answer.status_code, error["pointer"], error["code"]) == (422, pointer, code)

    @pytest.mark.parametrize("path", LISTS)
    def test_takes_no_cursor_of_another_list(self, officer: Api, cursor: str, path: str) -> None:
        refused(officer.get(f"{path}?limit=2&cursor={cursor}"))

    @pytest.mark.parametrize("path", LISTS)
    def test_needs_a_token(self, api: Api, path: str) -> None:
        for accept in ("application/json", "text/csv", "application/x-ndjson"):
            answer = api.get(path, headers={"accept": accept})
            assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


class TestCursors(Reading):
    path = "/v1/members?status=active&cursor="

    def test_is_good_for_its_list(self, officer: Api, cursor: str) -> None:
        both = officer.get("/v1/members?limit=4&status=active").json()["items"]
        second = officer.get(f"{self.path}{cursor}&limit=2").json()["items"]
        assert second == both[2:]

    def test_limit_and_fields_may_change_on_the_way(self, officer: Api, cursor: str) -> None:
        all_ids = [
            i["id"] for i in officer.get("/v1/members?limit=7&status=active").json()["items"]
        ]
        answer = officer.get(f"{self.path}{cursor}&limit=5&fields=id")
        assert [item["id"] for item in answer.json()["items"]] == all_ids[2:]

    @pytest.mark.parametrize(
        "query", ["", "status=left", "status=active&kind=regular", "status=active&unit=1"]
    )
    def test_of_another_filter_is_refused(self, officer: Api, cursor: str, query: str) -> None:
        refused(officer.get(f"/v1/members?{query}&cursor={cursor}"))

    def test_tampered_with_is_refused_at_every_byte(self, officer: Api, cursor: str) -> None:
        data = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        for place in range(len(data)):
            bent = bytearray(data)
            bent[place] ^= 1
            refused(officer.get(f"{self.path}{urlsafe_b64encode(bent).decode().rstrip('=')}"))

    def test_truncated_or_lengthened_is_refused(self, officer: Api, cursor: str) -> None:
        for length in (1, 2, 11, 15, 16, 17, len(cursor) - 1):
            refused(officer.get(f"{self.path}{cursor[:length]}"))
        refused(officer.get(f"{self.path}{cursor}AAAA"))

    @pytest.mark.parametrize(
        "given",
        ["", " ", "0", "null", "[]", "é", "=====", "-" * 999, "a b", "../..", "'; --", "😀", "%%"],
    )
    def test_what_is_none_is_refused(self, officer: Api, given: str) -> None:
        refused(officer.get(f"{self.path}{quote(given)}"))

    def test_of_another_key_is_refused(self, officer: Api, app: FastAPI) -> None:
        def forged(sealer: Sealer) -> str:
            scope = {"type": "http", "path": "/v1/members", "headers": [], "query_string": b""}
            request = Request(scope | {"app": app, "server": ("testserver", 80)})
            made = Cursors(request, MemberQuery.model_validate({"status": "active"}))
            made.sealer = sealer
            return made.write(("a", UUID(int=7)))

        refused(officer.get(f"{self.path}{forged(Sealer(bytes(32)))}"))
        assert officer.get(f"{self.path}{forged(serving(app).cursors)}").status_code == 200

    def test_tells_nobody_whose_name_it_holds(self, officer: Api) -> None:
        for path, name in (
            ("/v1/members?limit=1", "full_name"),
            ("/v1/accounts?limit=1", "username"),
            ("/v1/branches?limit=1", "name"),
        ):
            answer = officer.get(path)
            cursor = answer.json()["next_cursor"]
            assert answer.headers["link"].count(cursor) == 1
            assert len(cursor) < 200
            data = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            shown = str(answer.json()["items"][0][name])
            for key in (
                shown,
                sort_key(shown),
                name_key(shown),
                shown.split(maxsplit=1)[0].lower(),
            ):
                assert key.encode() not in data
            assert b'["' not in data

    def test_remembers_text_numbers_and_ids(self, app: FastAPI) -> None:
        scope = {"type": "http", "path": "/x", "headers": [], "query_string": b"", "app": app}
        cursors = Cursors(Request(scope), ListQuery())
        instant = datetime(2024, 2, 29, 23, 59, 59, 999_999, UTC)
        for key in (
            ("đ\x1f", UUID(int=1)),
            ("", 7),
            (2**60,),
            ('"[]', "u"),
            (instant.date(), instant, None, UUID(int=1)),
        ):
            assert cursors.read(cursors.write(key)) == key


class TestAccept(Reading):
    @pytest.mark.parametrize(
        ("accept", "given"),
        [
            ("", "application/json"),
            ("*/*", "application/json"),
            ("application/json", "application/json"),
            ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
            ("text/csv", "text/csv; charset=utf-8"),
            ("text/csv; header=present, */*;q=0.1", "text/csv; charset=utf-8"),
            ("application/x-ndjson", "application/x-ndjson"),
            ("Text/CSV;Q=0.5", "text/csv; charset=utf-8"),
            ("application/json, text/csv;q=0.1", "application/json"),
            ("application/json, text/csv", "application/json"),
            ("text/csv;q=0", "application/json"),
            ("text/csv; header=present; q=0.2, application/*;q=0.3", "application/json"),
            ("*/*;q=0.5, application/json;q=0.1, text/csv;q=0.2", "text/csv; charset=utf-8"),
            ("text/csv;q=0.5, application/x-ndjson", "application/x-ndjson"),
            ("text/csv-schema", "application/json"),
            ("text/csv;q=much, */*;q=0.9", "text/csv; charset=utf-8"),
        ],
    )
    def test_chooses_the_form(self, officer: Api, accept: str, given: str) -> None:
        answer = officer.get("/v1/branches", headers={"accept": accept})
        assert answer.headers["content-type"] == given

    def test_the_head_of_a_stream_is_not_the_whole_list(
        self, officer: Api, database: Database
    ) -> None:
        wanted = {"accept": "text/csv"}
        whole = officer.get("/v1/members", headers=wanted)
        with counted(database) as statements:
            answer = officer.request("HEAD", "/v1/members", headers=wanted)
        assert (answer.status_code, answer.content) == (200, b"")
        for name in ("content-type", "content-disposition"):
            assert answer.headers[name] == whole.headers[name]
        assert len([s for s in statements if "FROM member" in s]) == 1

    def test_a_stream_ignores_where_a_page_would_begin(self, officer: Api, cursor: str) -> None:
        path = f"/v1/members?status=active&cursor={cursor}&limit=2&fields=id"
        lines = officer.get(path, headers={"accept": "application/x-ndjson"}).content.splitlines()
        assert len(lines) == 400


class TestCellsOfAnyType:
    @pytest.mark.parametrize(
        ("value", "cell"),
        [
            (None, ""),
            ("", ""),
            (0, "0"),
            (-1, "'-1"),
            (True, "true"),
            ("Hà Nội", "Hà Nội"),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+84912345678", "'+84912345678"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\t=1", "'\t'=1"),
            ("\r=1", "'\r'=1"),
            ("a;=1", "a;'=1"),
            ("a\n+1", "a\n'+1"),
            ("＝1+1", "'＝1+1"),
            (" @x", "' @x"),
            ("a=1", "a=1"),
            (["=a", "b"], "'=a b"),
            ([], ""),
            ([{"a": 1}], '[{"a":1}]'),
            ({"a": "=1"}, '{"a":"=1"}'),
            (datetime(2024, 1, 2, 3, 4, tzinfo=UTC), "2024-01-02T03:04:00Z"),
        ],
    )
    def test_is_text_and_no_formula(self, value: object, cell: str) -> None:
        assert safe_cell(value) == cell
