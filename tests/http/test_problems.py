"""Bad input of every kind has its documented problem, and nothing a client sends is a 500."""

import json
import string
from collections.abc import Iterator
from datetime import date
from typing import Any, get_args
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx2 import Response

from app.api.http.context import preferred_language
from app.api.http.routing import Route, routes_of
from app.db import Database
from app.errors import FIELD_ERRORS, PROBLEMS, FieldError, Place, Problem, pointer
from app.problem_texts import Language
from app.services.members import lists, record
from app.services.units import reading
from tests.helpers.client import Api
from tests.helpers.reading import Reading

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
# What people share and calendars subscribe to: others add parameters to its address.
PAGES = {"/v1/calendars/{token}.ics", "/v1/events/{event_id}/share", "/p/{code}"}


def problem_of(response: Response, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["code"]) == (status, code), response.text[:500]
    assert problem["type"] == f"urn:hoiso:problem:{code}"
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem


def errors_of(response: Response) -> list[tuple[str, str, str]]:
    found = problem_of(response, 422, "validation_failed")["errors"]
    return [(error["in"], error["pointer"], error["code"]) for error in found]


class TestJsonBodies(Reading):
    def post(self, head: Api, content: bytes, **headers: str) -> Response:
        return head.post("/v1/members", content=content, headers=JSON | headers)

    @pytest.mark.parametrize(
        "content",
        [
            b"{",
            b'{"full_name": }',
            b"{'full_name': 1}",
            b'{"full_name": "a\nb"}',
            b'{"full_name": "\x01"}',
            b'{"full_name": "\\u12"}',
            b'{"a": 1,}',
            b'{"a": 1} {"b": 2}',
            b"full_name=Lan",
            b"\xff\xfe",
            b'{"full_name": "\xff"}',
            b'{"full_name": "\xc3"}',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"branch_id": ' + b"9" * 5_000 + b"}",
            b'{"full_name": "a\0b"}',
            b"\0",
            '{"full_name": "Lan"}'.encode("utf-16"),
            '{"full_name": "Lan"}'.encode("utf-32"),
            '{"full_name": "a\\u0000b"}'.encode("utf-16-le"),
        ],
        ids=lambda content: repr(content[:24]),
    )
    def test_what_is_no_json_is_malformed(self, head: Api, content: bytes) -> None:
        problem = problem_of(self.post(head, content), 400, "malformed_request")
        assert "errors" not in problem

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"", "required"),
            (b"null", "not_null"),
            (b"[]", "wrong_type"),
            (b"[1, 2]", "wrong_type"),
            (b'"Lan"', "wrong_type"),
            (b"7", "wrong_type"),
            (b"true", "wrong_type"),
            (b"NaN", "wrong_type"),
        ],
    )
    def test_what_is_no_object_is_refused_as_a_whole(
        self, head: Api, content: bytes, code: str
    ) -> None:
        assert errors_of(self.post(head, content)) == [("body", "", code)]

    @pytest.mark.parametrize("media_type", ["text/plain", "text/json", "multipart/form-data", "x"])
    def test_another_type_of_content_is_told_which_is_expected(
        self, head: Api, media_type: str
    ) -> None:
        answer = self.post(head, b"{}", **{"content-type": media_type})
        problem = problem_of(answer, 415, "unsupported_media_type")
        assert "application/json" in problem["detail"]

    def test_json_without_its_content_type_is_told_so(self, head: Api) -> None:
        answer = head.post("/v1/members", content=b'{"full_name": "Lan"}')
        assert "application/json" in problem_of(answer, 415, "unsupported_media_type")["detail"]

    @pytest.mark.parametrize(
        "media_type",
        ["application/json; charset=utf-8", "application/merge-patch+json", "APPLICATION/JSON"],
    )
    def test_json_goes_by_many_names(self, head: Api, media_type: str) -> None:
        answer = self.post(head, b'{"nope": 1}', **{"content-type": media_type})
        assert ("body", "/nope", "unknown_field") in errors_of(answer)

    def test_every_wrong_field_is_listed_with_its_pointer(self, head: Api) -> None:
        sent = {"full_name": 7, "birth_date": "x", "phone": "1", "a/b~c": 1, "branch_id": 9.5}
        assert sorted(errors_of(self.post(head, json.dumps(sent).encode()))) == [
            ("body", "/a~1b~0c", "unknown_field"),
            ("body", "/birth_date", "date_invalid"),
            ("body", "/branch_id", "wrong_type"),
            ("body", "/full_name", "wrong_type"),
            ("body", "/joined_on", "required"),
            ("body", "/phone", "phone_invalid"),
        ]

    def test_a_place_in_a_list_is_a_number(self, api: Api) -> None:
        answer = api.as_("phutho").post(
            "/v1/accounts",
            json={
                "username": "thu-nghiem",
                "display_name": "Thử",
                "unit_id": 1,
                "grants": [{"unit_id": 1, "role": "auditor"}, {"unit_id": 1, "role": "queen"}],
            },
        )
        assert errors_of(answer) == [("body", "/grants/1/role", "not_in_list")]

    def test_of_a_hundred_unknown_fields_fifty_are_named(self, head: Api) -> None:
        sent = {f"x{number}": 1 for number in range(100)}
        problem = self.post(head, json.dumps(sent).encode()).json()
        assert len(problem["errors"]) == 50
        assert "103" in problem["detail"]  # and the three that are required

    @pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e400"])
    def test_numbers_beyond_all_numbers(self, head: Api, value: bytes) -> None:
        found = errors_of(self.post(head, b'{"branch_id": ' + value + b"}"))
        assert ("body", "/branch_id", "wrong_type") in found

    @pytest.mark.parametrize(
        ("value", "code"),
        [
            (b"99999999999999999999999999", "too_large"),
            (b"-99999999999999999999999999", "too_small"),
            (b"-1", "too_small"),
            (b"1e3", None),
            (b'"9"', None),
        ],
    )
    def test_huge_and_odd_integers(self, head: Api, value: bytes, code: str | None) -> None:
        found = errors_of(self.post(head, b'{"branch_id": ' + value + b"}"))
        assert [error[2] for error in found if error[1] == "/branch_id"] == ([code] if code else [])

    @pytest.mark.parametrize("depth", [2, 500, 900])
    def test_a_deep_body_is_refused_like_a_flat_one(self, head: Api, depth: int) -> None:
        found = errors_of(self.post(head, b'{"x": ' + b"[" * depth + b"]" * depth + b"}"))
        assert ("body", "/x", "unknown_field") in found

    def test_a_key_given_twice_counts_once(self, head: Api) -> None:
        found = errors_of(self.post(head, b'{"branch_id": "x", "branch_id": "y"}'))
        assert found.count(("body", "/branch_id", "wrong_type")) == 1


class TestNul(Reading):
    """PostgreSQL stores no U+0000: it is refused at the door on both databases."""

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ({"full_name": "a\0b"}, ["/full_name"]),
            ({"full_name": "\0"}, ["/full_name"]),
            ({"nope\0": 1}, ["/nope\0"]),
            ({"x": {"y": [1, "a", "\0"]}}, ["/x/y/2"]),
            ({"x": {"y\0": {"z": "\0"}}}, ["/x/y\0", "/x/y\0/z"]),
            (["\0", "\0"], ["/0", "/1"]),
            ("\0", [""]),
        ],
    )
    def test_in_a_json_body_is_found_wherever_it_is(
        self, head: Api, body: object, pointers: list[str]
    ) -> None:
        answer = head.post("/v1/members", json=body)
        assert sorted(errors_of(answer)) == [("body", at, "nul_character") for at in pointers]

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/v1/units", {"name": "a\0", "level": "branch", "parent_id": 1}),
            ("PATCH", "/v1/units/1", {"address": "\0"}),
            ("PATCH", "/v1/units/1", {"phone": "09\0"}),
            ("POST", "/v1/units/1/close", {"effective_on": "2024-01-02", "decree": "x\0"}),
            ("POST", "/v1/accounts", {"username": "abc\0", "display_name": "x", "unit_id": 1}),
            ("POST", "/v1/me/password", {"current_password": "\0", "new_password": "x"}),
            ("PATCH", "/v1/members/0192f0c1-7c4e-7000-8000-000000000001", {"religion": "\0"}),
        ],
    )
    def test_on_every_route_that_takes_a_body(
        self, api: Api, method: str, path: str, body: dict[str, Any]
    ) -> None:
        [(place, _, code)] = errors_of(api.as_("phutho").request(method, path, json=body))
        assert (place, code) == ("body", "nul_character")

    def test_spelt_out_it_is_but_text(self, head: Api) -> None:
        found = errors_of(head.post("/v1/members", json={"full_name": "\\u0000"}))
        assert ("body", "/full_name", "name_has_digits") in found

    def test_a_thousand_are_counted_and_fifty_named(self, head: Api) -> None:
        problem = head.post("/v1/members", json=["\0"] * 1000).json()
        assert (len(problem["errors"]), "1000" in problem["detail"]) == (50, True)

    def test_at_the_bottom_of_a_deep_body(self, head: Api) -> None:
        content = b"[" * 800 + b'"\\u0000"' + b"]" * 800
        answer = head.post("/v1/members", content=content, headers=JSON)
        assert errors_of(answer) == [("body", "/0" * 800, "nul_character")]

    def test_in_malformed_json_is_malformed(self, head: Api) -> None:
        answer = head.post("/v1/members", content=b'{"\\u0000"', headers=JSON)
        problem_of(answer, 400, "malformed_request")

    @pytest.mark.parametrize("field", ["username", "password", "device", "scope"])
    @pytest.mark.parametrize("as_files", [False, True])
    def test_in_a_form(self, api: Api, field: str, as_files: bool) -> None:
        form = {"grant_type": "password", "username": "phutho", "password": "x"} | {field: "a\0b"}
        if as_files:
            parts = {name: (None, value) for name, value in form.items()}
            answer = api.post("/v1/auth/token", files=parts)
        else:
            answer = api.post("/v1/auth/token", data=form)
        code = "control_character" if field == "device" else "nul_character"
        assert errors_of(answer) == [("body", f"/{field}", code)]

    def test_in_a_token_to_revoke(self, api: Api) -> None:
        answer = api.post("/v1/auth/revoke", data={"token": "\0"})
        assert errors_of(answer) == [("body", "/token", "nul_character")]

    @pytest.mark.parametrize(
        "query", ["fields=%00", "x%00=1", "cursor=a%00b", "%00", "unit=1&branch=%00"]
    )
    def test_in_a_query(self, head: Api, query: str) -> None:
        assert errors_of(head.get(f"/v1/members?{query}")) == [("query", "", "nul_character")]

    def test_in_a_path(self, head: Api) -> None:
        for path in ("/v1/members/%00", "/v1/units/1%00", "/%00", "/docs/static/%00"):
            problem_of(head.get(path), 404, "not_found")


class TestText(Reading):
    @pytest.mark.parametrize("content", [b'"\\ud800"', b'"a\\udfffb"', b'"\xed\xa0\x80"'])
    def test_half_a_character_is_no_text(self, head: Api, content: bytes) -> None:
        answer = head.post("/v1/members", content=b'{"full_name": ' + content + b"}", headers=JSON)
        assert ("body", "/full_name", "text_invalid") in errors_of(answer)

    def test_half_a_character_in_an_unknown_key(self, head: Api) -> None:
        for content in (b'{"\\ud800": 1}', b'{"a\\udc00b": {"c": 1}}'):
            answer = head.post("/v1/members", content=content, headers=JSON)
            assert ("body", "", "text_invalid") in errors_of(answer)

    def test_a_whole_pair_of_halves_is_a_character(self, head: Api) -> None:
        content = b'{"full_name": "\\ud83d\\ude00"}'
        answer = head.post("/v1/members", content=content, headers=JSON)
        assert ("body", "/full_name", "name_has_symbols") in errors_of(answer)

    @pytest.mark.parametrize("character", ["\x01", "\x08", "\x1b", "\x1f"])
    def test_control_characters(self, api: Api, character: str) -> None:
        answer = api.as_("phutho").patch("/v1/units/1", json={"address": f"khu{character}1"})
        assert errors_of(answer) == [("body", "/address", "control_character")]

    @pytest.mark.parametrize("query", ["fields=%FF", "fields=%ED%A0%80", "fields=%C3%28"])
    def test_a_query_that_is_not_utf8(self, head: Api, query: str) -> None:
        assert errors_of(head.get(f"/v1/members?{query}")) == [("query", "/fields", "not_in_list")]

    def test_a_path_that_is_not_utf8(self, head: Api) -> None:
        assert errors_of(head.get("/v1/members/%FF")) == [("path", "/member_id", "id_invalid")]

    def test_a_long_parameter(self, head: Api) -> None:
        found = errors_of(head.get(f"/v1/members?fields={'a' * 501}&cursor={'b' * 1001}"))
        assert found == [("query", "/fields", "too_long"), ("query", "/cursor", "too_long")]


class TestForms(Reading):
    @pytest.mark.parametrize("path", ["/v1/auth/token", "/v1/auth/revoke"])
    @pytest.mark.parametrize("media_type", ["application/json", "text/plain", ""])
    def test_json_where_a_form_belongs(self, api: Api, path: str, media_type: str) -> None:
        headers = {"content-type": media_type} if media_type else {}
        answer = api.post(path, content=b'{"grant_type": "password"}', headers=headers)
        problem = problem_of(answer, 415, "unsupported_media_type")
        assert "application/x-www-form-urlencoded" in problem["detail"]

    def test_says_what_is_missing_and_what_is_unknown(self, api: Api) -> None:
        answer = api.post("/v1/auth/token", data={"grant": "password"})
        assert sorted(errors_of(answer)) == [
            ("body", "/grant", "unknown_field"),
            ("body", "/grant_type", "required"),
        ]
        answer = api.post("/v1/auth/token", data={"grant_type": "magic"})
        assert errors_of(answer) == [("body", "/grant_type", "not_in_list")]

    @pytest.mark.parametrize("content", [b"%", b"&&&", b"=", b"grant_type", b"%zz=%"])
    def test_broken_forms(self, api: Api, content: bytes) -> None:
        answer = api.post("/v1/auth/token", content=content, headers=FORM)
        found = errors_of(answer)
        assert "/grant_type" in {at for _, at, _ in found}

    @pytest.mark.parametrize("path", ["/v1/auth/token", "/v1/auth/revoke"])
    @pytest.mark.parametrize(
        "content",
        [
            b"token=%ff%fe",
            b"\xff=\xff",
            "token=Máy".encode("latin-1"),
            "token=Máy".encode("utf-16"),
            b"token=%ed%a0%80",  # half a character
            b"token=\xc3",
            b"token=%C3&device=%A1",
        ],
    )
    def test_a_form_is_utf8(self, api: Api, path: str, content: bytes) -> None:
        answer = api.post(path, content=content, headers=FORM)
        problem_of(answer, 400, "malformed_request")

    def test_broken_multipart(self, api: Api) -> None:
        for media_type in ("multipart/form-data", "multipart/form-data; boundary=x"):
            headers = {"content-type": media_type}
            answer = api.post("/v1/auth/token", content=b"--y\r\n\r\n", headers=headers)
            problem_of(answer, 400, "malformed_request")

    def test_a_file_is_no_text(self, api: Api) -> None:
        answer = api.post("/v1/auth/token", files={"grant_type": ("x.txt", b"password")})
        assert [at for _, at, _ in errors_of(answer)] == ["/grant_type"]


class TestSize(Reading):
    LIMIT = 1_048_576

    def test_a_body_of_the_limit_is_read(self, head: Api) -> None:
        content = b"{}".ljust(self.LIMIT)
        assert len(errors_of(head.post("/v1/members", content=content, headers=JSON))) == 3

    @pytest.mark.parametrize("path", ["/v1/members", "/v1/auth/token", "/v1/auth/revoke"])
    def test_a_byte_more_is_not(self, head: Api, path: str) -> None:
        answer = head.post(path, content=b" " * (self.LIMIT + 1), headers=JSON)
        assert str(self.LIMIT) in problem_of(answer, 413, "body_too_large")["detail"]

    @pytest.mark.parametrize("path", ["/v1/members", "/v1/auth/token", "/v1/auth/sessions"])
    def test_nor_is_one_that_does_not_say_its_length(self, head: Api, path: str) -> None:
        def chunks() -> Iterator[bytes]:
            for _ in range(17):
                yield b" " * 65_536

        method = "DELETE" if path.endswith("sessions") else "POST"
        content_type = FORM if path.endswith("token") else JSON
        answer = head.request(method, path, content=chunks(), headers=content_type)
        problem_of(answer, 413, "body_too_large")

    @pytest.mark.parametrize(
        ("length", "status", "code"),
        [
            ("-1", 400, "malformed_request"),
            ("abc", 400, "malformed_request"),
            ("1e3", 400, "malformed_request"),
            ("2, 2", 400, "malformed_request"),
            ("9" * 30, 413, "body_too_large"),
            ("9" * 5000, 413, "body_too_large"),
            ("1048577", 413, "body_too_large"),
        ],
    )
    def test_a_wrong_length(self, head: Api, length: str, status: int, code: str) -> None:
        headers = JSON | {"content-length": length}
        problem_of(head.post("/v1/members", content=b"{}", headers=headers), status, code)


class TestAddresses(Reading):
    @pytest.mark.parametrize(
        "path", ["/", "/v1", "/v1/", "/v1/nope", "/v1/members/", "/V1/members", "/v1//members"]
    )
    def test_an_unknown_path(self, head: Api, path: str) -> None:
        assert problem_of(head.get(path), 404, "not_found")["instance"] == path

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", "/v1/members", "GET, POST"),
            ("PUT", "/v1/members/0192f0c1-7c4e-7000-8000-000000000001", "DELETE, GET, PATCH"),
            ("POST", "/health/live", "GET"),
            ("GET", "/v1/auth/token", "POST"),
            ("PATCH", "/v1/auth/sessions", "DELETE, GET"),
            ("OPTIONS", "/v1/units", "GET, POST"),
            ("TRACE", "/v1/units/1", "GET, PATCH"),
            ("BREW", "/v1/units/1", "GET, PATCH"),
        ],
    )
    def test_a_method_the_address_does_not_take(
        self, head: Api, method: str, path: str, allowed: str
    ) -> None:
        answer = head.request(method, path)
        assert method in problem_of(answer, 405, "method_not_allowed")["detail"]
        assert answer.headers["allow"] == allowed

    @pytest.mark.parametrize(
        ("path", "pointer_", "code"),
        [
            ("/v1/units/0", "/unit_id", "too_small"),
            ("/v1/units/-1", "/unit_id", "too_small"),
            ("/v1/units/2147483648", "/unit_id", "too_large"),
            ("/v1/units/99999999999999999999999999", "/unit_id", "too_large"),
            ("/v1/units/" + "9" * 5000, "/unit_id", "too_large"),
            ("/v1/units/one", "/unit_id", "wrong_type"),
            ("/v1/accounts/one", "/account_id", "id_invalid"),
            ("/v1/members/" + "a" * 5000, "/member_id", "id_invalid"),
        ],
    )
    def test_a_path_of_the_wrong_shape(self, api: Api, path: str, pointer_: str, code: str) -> None:
        assert errors_of(api.as_("phutho").get(path)) == [("path", pointer_, code)]


class TestLanguages(Reading):
    @pytest.mark.parametrize(
        ("accept", "language"),
        [
            ("", "vi"),
            ("vi", "vi"),
            ("en", "en"),
            ("EN", "en"),
            ("en-GB", "en"),
            ("en-US,en;q=0.9,vi;q=0.8", "en"),
            ("vi-VN,vi;q=0.9,en;q=0.8", "vi"),
            ("en;q=0.5, vi;q=0.5", "vi"),
            ("en;q=0", "vi"),
            ("vi;q=0.1, en;q=0.2", "en"),
            ("fr, de", "vi"),
            ("fr, en;q=0.3", "en"),
            ("*", "vi"),
            ("en;q=abc", "vi"),
            ("en;q=nan", "vi"),
            (";;;,,,=q", "vi"),
            ("en;q=1;q=2", "vi"),
            ("x" * 5000, "vi"),
        ],
    )
    def test_the_header_decides(self, accept: str, language: str) -> None:
        assert preferred_language(accept) == language

    def test_texts_follow_it_and_codes_do_not(self, api: Api) -> None:
        vi = api.get("/v1/members").json()
        en = api.get("/v1/members", headers={"accept-language": "en"}).json()
        assert (vi["title"], en["title"]) == ("Chưa đăng nhập", "Not signed in")
        assert vi["code"] == en["code"] == "not_authenticated"

    def test_errors_and_hints_too(self, head: Api) -> None:
        answer = head.get("/v1/members?kind=vip", headers={"accept-language": "en"})
        [error] = answer.json()["errors"]
        assert error["detail"] == "Not one of the allowed values."
        assert error["hint"] == "Take one of the values in allowed."
        assert error["allowed"] == ["regular", "honorary"]


def named_in(template: str) -> dict[str, Any]:
    """The parameters of a text, each with a value of its form."""
    parsed = string.Formatter().parse(template)
    return {name: date(2025, 7, 1) if form else "3" for _, name, form, _ in parsed if name}


class TestTexts:
    @pytest.mark.parametrize("code", PROBLEMS)
    def test_a_problem_says_the_same_in_both_languages(self, code: str) -> None:
        kind = PROBLEMS[code]
        assert named_in(kind.detail["vi"]) == named_in(kind.detail["en"])
        problem = Problem(code, **named_in(kind.detail["vi"]))
        for language in get_args(Language):
            body = problem.render(language=language, instance="/v1/x", request_id="r")
            assert (body["status"], body["code"]) == (kind.status, code)
            assert body["title"]
            # An address in a text may have a place of its own: /accounts/{id}/reset.
            assert "{" not in body["detail"].replace("/{id}/", "/")
            assert body["detail"].endswith(".")

    @pytest.mark.parametrize("code", FIELD_ERRORS)
    def test_so_does_a_field_error(self, code: str) -> None:
        kind = FIELD_ERRORS[code]
        hint = kind.hint or {"vi": "", "en": ""}
        for texts in (kind.detail, hint):
            assert named_in(texts["vi"]) == named_in(texts["en"])
        for language in get_args(Language):
            named = named_in(kind.detail["vi"]) | named_in(hint["vi"])
            body = FieldError("body", "/x", code, named).render(language)
            assert body["detail"].endswith(".")
            assert all("{" not in text for text in body.values())
            assert ("hint" in body) == (kind.hint is not None)

    @pytest.mark.parametrize(
        ("params", "told"),
        [
            ({"level": "branch", "parent_level": "group"}, "cấp chi hội không thể trực thuộc"),
            ({"level": "Branch", "parent_level": "x"}, "cấp Branch không thể trực thuộc"),
        ],
    )
    def test_our_words_are_told_in_vietnamese(self, params: dict[str, Any], told: str) -> None:
        problem = Problem("unit_level_order", **params)
        assert told in problem.render(language="vi", instance="/", request_id="r")["detail"]
        english = problem.render(language="en", instance="/", request_id="r")["detail"]
        assert params["level"] in english

    def test_a_unit_of_such_a_name_keeps_it(self) -> None:
        problem = Problem("grant_exists", role="head", unit="client")
        told = problem.render(language="vi", instance="/", request_id="r")["detail"]
        assert "tại client" in told

    def test_every_status_is_one_the_conventions_name(self) -> None:
        named = {
            400,
            401,
            403,
            404,
            405,
            408,
            409,
            410,
            412,
            413,
            415,
            416,
            422,
            426,
            428,
            429,
            431,
            500,
            503,
        }
        assert {kind.status for kind in PROBLEMS.values()} <= named

    def test_places_are_the_parts_of_a_request(self) -> None:
        assert set(get_args(Place)) == {"body", "query", "path", "header"}

    def test_a_pointer_is_escaped(self) -> None:
        assert pointer(["grants", 0, "a/b~c"]) == "/grants/0/a~1b~0c"
        assert pointer([]) == ""


class TestServerErrors:
    """A fault of the server is answered with a request id and nothing else."""

    def test_shows_an_id_and_logs_where_but_not_whom(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("secret of the house: Hà Thị Lan +84912345678")

        monkeypatch.setattr(lists, "list_members", fail)
        caller = api.as_("phuongvi-1")
        path = "/v1/members?fields=full_name"
        answer = caller.get(path, headers={"x-request-id": "abcd1234"})
        problem = problem_of(answer, 500, "internal")
        shown = {"type", "title", "status", "detail", "code", "instance", "request_id"}
        assert problem.keys() == shown
        assert problem["request_id"] == "abcd1234"
        assert "secret" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert (line["level"], line["event"]) == ("error", "unhandled")
        assert line["request_id"] == "abcd1234"
        [cause] = line["exception"]
        assert cause["type"] == "RuntimeError"
        assert cause["places"][-1].endswith(" fail")
        for personal in ("secret", "Lan", "84912345678", "full_name", "Bearer"):
            assert personal not in json.dumps(line, ensure_ascii=False)

    def test_undoes_what_was_half_done(
        self, api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(record, "read", fail)
        caller = api.as_("phuongvi-1")
        unit_id = caller.get("/v1/members?limit=1").json()["items"][0]["branch_id"]
        body = {"full_name": "Hà Mới", "birth_date": "1990", "joined_on": None}
        before = len(caller.get("/v1/members?limit=200").json()["items"])
        answer = caller.post("/v1/members", json=body | {"branch_id": unit_id})
        problem_of(answer, 500, "internal")
        assert len(caller.get("/v1/members?limit=200").json()["items"]) == before

    def test_is_english_for_the_english(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise KeyError

        monkeypatch.setattr(reading, "list_units", fail)
        answer = api.as_("phutho").get("/v1/units", headers={"accept-language": "en"})
        assert problem_of(answer, 500, "internal")["title"] == "Server error"


class TestEveryRoute(Reading):
    """The kernel stands in front of every route, not only of those with tests of their own."""

    def addresses(self, app: FastAPI) -> Iterator[tuple[Route, str]]:
        for route in routes_of(app):
            path = route.path.replace("{unit_id}", "1")
            for name in route.param_convertors:
                path = path.replace("{" + name + "}", str(uuid4()))
            yield route, path

    def test_refuses_an_unknown_parameter(self, app: FastAPI, api: Api) -> None:
        """Reads and writes alike, before anything is done; public pages ignore what others add."""
        caller = api.as_("phutho")
        ignoring = set()
        for route, path in self.addresses(app):
            answer = caller.request(route.method, f"{path}?nope=1")
            if route.path in PAGES:
                ignoring.add(route.path)
                problem_of(answer, 404, "not_found")
            else:
                assert ("query", "/nope", "unknown_field") in errors_of(answer), path
        assert ignoring == PAGES

    def test_refuses_malformed_json_wherever_it_takes_any(self, app: FastAPI, api: Api) -> None:
        caller = api.as_("phutho")
        asked = 0
        for route, path in self.addresses(app):
            if route.fastapi.body_field is not None and not route.takes_form:
                answer = caller.request(route.method, path, content=b"{", headers=JSON)
                problem_of(answer, 400, "malformed_request")
                asked += 1
        assert asked >= 9
