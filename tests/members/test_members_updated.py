"""Members: who sees whom, in which order, and what a record may become."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx2 import Response

from app.api.http.server import serving
from app.db import Database
from app.models.kernel.changes import Change
from app.text import sort_key
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, counted
from tests.helpers.reading import Reading
from tests.members.members import NDJSON, count_of, error_of, stored


class TestUpdateMember:
    def test_is_a_merge_patch(self, officer: Api, database: Database, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        before = officer.get(path).json()
        answer = officer.patch(
            path,
            json={"full_name": "Lê Thị Ánh", "phone": "0987654321"},
            headers={"content-type": "application/merge-patch+json"},
        )
        after = before | {"full_name": "Lê Thị Ánh", "phone": "+84987654321", "revision": 2}
        assert officer.get(path).json() == after
        del after["not_dated"]
        assert (answer.status_code, answer.json()) == (200, after | {"warnings": []})
        row = stored(database, someone["id"])
        assert row is not None
        assert (row.sort_key, row.search_key) == (
            sort_key("Lê Thị Ánh"),
            " le=0le{ thi=5thi anh=4anh /anh=4anh ",
        )

    def test_null_empties_what_may_be_empty(self, officer: Api, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        filled = {"joined_on": "2020-01-01", "phone": "0912345678", "ethnicity": "02"}
        assert officer.patch(path, json=filled | {"religion": "other"}).json()["revision"] == 2
        empty = {"joined_on": None, "phone": None, "ethnicity": None, "religion": None}
        shown = officer.patch(path, json=empty).json()
        assert {name: shown[name] for name in empty} == empty
        assert shown["revision"] == 3

    def test_joining_before_birth_is_refused_from_either_side(
        self, officer: Api, database: Database, someone: Json
    ) -> None:
        path = f"/v1/members/{someone['id']}"
        officer.patch(path, json={"birth_date": "1970-06", "joined_on": "1990-01-01"})
        for sent in ({"birth_date": "1991"}, {"joined_on": "1969-12-31"}):
            error = error_of(officer.patch(path, json=sent))
            assert (error["pointer"], error["code"]) == ("/joined_on", "joined_before_birth")
        row = stored(database, someone["id"])
        assert row is not None
        assert (row.birth_date, row.birth_year, row.joined_on, row.revision) == (
            "1970-06",
            1970,
            "1990-01-01",
            2,
        )

    def test_what_changes_nothing_keeps_the_revision(
        self, officer: Api, database: Database, someone: Json
    ) -> None:
        path = f"/v1/members/{someone['id']}"
        before = officer.get(path).json()
        del before["not_dated"]  # what was written is of today
        logged = count_of(database, Change)
        same = {name: before[name] for name in ("full_name", "birth_date", "phone", "joined_on")}
        for sent in ({}, same):
            answer = officer.patch(path, json=sent)
            assert (answer.status_code, answer.json()) == (200, before | {"warnings": []})
        assert count_of(database, Change) == logged


class TestRefusedToUpdate(Reading):
    @pytest.mark.parametrize("field", ["full_name", "birth_date", "gender", "kind"])
    def test_null_is_refused_where_a_value_must_be(
        self, officer: Api, database: Database, someone: Json, field: str
    ) -> None:
        error = error_of(officer.patch(f"/v1/members/{someone['id']}", json={field: None}))
        assert error["pointer"] == f"/{field}"
        assert error["code"] == "not_null"
        row = stored(database, someone["id"])
        assert row is not None
        assert row.revision == 1

    @pytest.mark.parametrize(
        ("field", "value", "code"),
        [
            ("branch_id", 7, "unknown_field"),
            ("status", "left", "unknown_field"),
            ("id", "0192f0c1-7c4e-7000-8000-000000000001", "unknown_field"),
            ("revision", 5, "unknown_field"),
            ("masked", [], "unknown_field"),
            ("full_name", "Lan 3", "name_has_digits"),
            ("birth_date", "1899", "birth_too_early"),
            ("phone", "1", "phone_invalid"),
            ("ethnicity", "99", "ethnicity_unknown"),
            ("joined_on", "0000-00-00", "date_invalid"),
        ],
    )
    def test_refuses_a_wrong_value_by_name(
        self, officer: Api, database: Database, someone: Json, field: str, value: object, code: str
    ) -> None:
        error = error_of(officer.patch(f"/v1/members/{someone['id']}", json={field: value}))
        assert (error["in"], error["pointer"], error["code"]) == ("body", f"/{field}", code)
        row = stored(database, someone["id"])
        assert row is not None
        assert (row.revision, row.full_name) == (1, someone["full_name"])

    @pytest.mark.parametrize("field", ["ethnicity", "religion"])
    @pytest.mark.parametrize("value", ["01", "none", None])
    def test_what_she_may_not_see_a_head_may_not_overwrite(
        self, head: Api, database: Database, someone: Json, field: str, value: str | None
    ) -> None:
        valid = {"ethnicity": "01", "religion": "none"}[field] if value else None
        before = stored(database, someone["id"])
        sent = {"full_name": "Đã Đổi", field: valid}
        answer = head.patch(f"/v1/members/{someone['id']}", json=sent)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert answer.json()["required_right"] == f"members:{field}"
        [error] = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == (f"/{field}", "masked_field")
        assert stored(database, someone["id"]) == before

    @pytest.mark.parametrize("username", ["phuongvi-2", "tienluong"])
    def test_a_foreign_member_reads_like_none_at_all(
        self, api: Api, database: Database, someone: Json, username: str
    ) -> None:
        caller = api.as_(username)
        for member_id in (someone["id"], str(uuid4())):
            answer = caller.patch(f"/v1/members/{member_id}", json={"birth_date": "1950"})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        row = stored(database, someone["id"])
        assert row is not None
        assert row.revision == 1

    def test_an_auditor_reads_and_does_not_write(
        self, api: Api, database: Database, someone: Json
    ) -> None:
        answer = api.as_("auditor").patch(
            f"/v1/members/{someone['id']}", json={"birth_date": "1950"}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert answer.json()["required_right"] == "members:write"
        row = stored(database, someone["id"])
        assert row is not None
        assert row.birth_date == someone["birth_date"]

    @pytest.mark.parametrize("username", ["admin", "member"])
    def test_who_sees_no_member_is_not_told_which_exist(
        self, api: Api, someone: Json, username: str
    ) -> None:
        caller = api.as_(username)
        for member_id in (someone["id"], str(uuid4())):
            answer = caller.patch(f"/v1/members/{member_id}", json={"birth_date": "1950"})
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
            assert answer.json()["required_right"] == "members:read"

    @pytest.mark.parametrize(
        "given", ["", ",", "1", "W/1", '"1', "garbage", '"1" "2"', '"1",2', '"1",*']
    )
    def test_what_is_no_tag_is_refused(
        self, officer: Api, database: Database, someone: Json, given: str
    ) -> None:
        answer = officer.patch(
            f"/v1/members/{someone['id']}", json={"birth_date": "1950"}, headers={"if-match": given}
        )
        error = error_of(answer)
        assert (error["in"], error["pointer"], error["code"]) == (
            "header",
            "/if-match",
            "wrong_format",
        )
        row = stored(database, someone["id"])
        assert row is not None
        assert row.revision == 1


class TestIfMatch:
    def test_a_stale_revision_is_told_the_current_one(
        self, officer: Api, database: Database, someone: Json
    ) -> None:
        path = f"/v1/members/{someone['id']}"
        officer.patch(path, json={"birth_date": "1950"}, headers={"if-match": '"1"'})
        for stale in ('"1"', '"3"', '"abc"', '"1-00000000"', '"99999999999999"', '"-2"', '""'):
            answer = officer.patch(path, json={"birth_date": "1960"}, headers={"if-match": stale})
            assert (answer.status_code, answer.json()["code"]) == (412, "stale_revision")
            assert answer.json()["current_revision"] == 2
        row = stored(database, someone["id"])
        assert row is not None
        assert (row.birth_date, row.revision) == ("1950", 2)

    def test_a_star_is_any_revision(self, officer: Api, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        answer = officer.patch(path, json={"birth_date": "1950"}, headers={"if-match": "*"})
        assert (answer.status_code, answer.json()["revision"]) == (200, 2)

    @pytest.mark.parametrize(
        "given",
        ['"7", "1"', '"1","7"', ', "1" ,, "x",', 'W/"7", "1"', '"7,8", "1-0a1b2c3d"'],
    )
    def test_one_of_several_tags_is_enough(self, officer: Api, someone: Json, given: str) -> None:
        path = f"/v1/members/{someone['id']}"
        answer = officer.patch(path, json={"birth_date": "1950"}, headers={"if-match": given})
        assert (answer.status_code, answer.json()["revision"]) == (200, 2)

    def test_tags_on_several_lines_are_one_list(self, officer: Api, someone: Json) -> None:
        lines = [*officer.headers.items(), ("if-match", '"7"'), ("if-match", '"1"')]
        path = f"/v1/members/{someone['id']}"
        answer = officer.client.patch(path, json={"birth_date": "1950"}, headers=lines)
        assert (answer.status_code, answer.json()["revision"]) == (200, 2)

    @pytest.mark.parametrize("given", ['"7", "8"', 'W/"1"', 'W/"1", "7"', '"7,1"', '"1-x"'])
    def test_no_tag_of_the_current_revision_is_stale(
        self, officer: Api, database: Database, someone: Json, given: str
    ) -> None:
        path = f"/v1/members/{someone['id']}"
        answer = officer.patch(path, json={"birth_date": "1950"}, headers={"if-match": given})
        assert (answer.status_code, answer.json()["code"]) == (412, "stale_revision")
        assert answer.json()["current_revision"] == 1
        row = stored(database, someone["id"])
        assert row is not None
        assert (row.birth_date, row.revision) == (someone["birth_date"], 1)

    @pytest.mark.race
    def test_of_two_at_once_one_is_stale(
        self, api: Api, app: FastAPI, database: Database, someone: Json
    ) -> None:
        headers = api.as_("phuongvi").headers | {"if-match": '"1"'}
        start = Barrier(2)

        def patch(year: str) -> Response:
            caller = Api(app, headers)
            start.wait()
            return caller.patch(f"/v1/members/{someone['id']}", json={"birth_date": year})

        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(patch, ["1941", "1942"]))
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        [done] = [answer.json() for answer in answers if answer.status_code == 200]
        row = stored(database, someone["id"])
        assert row is not None
        assert (row.birth_date, row.revision) == (done["birth_date"], 2)

    def test_a_change_changes_the_tag(self, officer: Api, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        before = officer.get(path).headers["etag"]
        changed = officer.patch(path, json={"birth_date": "1950"})
        assert changed.headers["etag"].startswith('"2-')
        after = officer.get(path, headers={"if-none-match": before})
        assert (after.status_code, after.json()["birth_date"]) == (200, "1950")
        assert after.headers["etag"] == changed.headers["etag"]

    def test_a_masked_tag_is_good_for_if_match(self, head: Api, someone: Json) -> None:
        path = f"/v1/members/{someone['id']}"
        tag = head.get(path).headers["etag"]
        answer = head.patch(path, json={"birth_date": "1951"}, headers={"if-match": tag})
        assert (answer.status_code, answer.json()["revision"]) == (200, 2)


class TestStatements(Reading):
    """A list of 50 costs the database no more statements than a list of 2."""

    @pytest.fixture(autouse=True)
    def warm_tokens(self, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(serving(app).signin.settings, "token_recheck_seconds", 60.0)

    @pytest.mark.parametrize("username", ["phuongvi-1", "phuongvi", "camkhe", "phutho", "auditor"])
    def test_a_list_is_one_whatever_its_length(
        self, api: Api, database: Database, username: str
    ) -> None:
        caller = api.as_(username)
        caller.get("/v1/me")
        for limit in (2, 50):
            with counted(database) as statements:
                assert len(caller.get(f"/v1/members?limit={limit}").json()["items"]) <= limit
            assert len(statements) == 1, statements

    def test_a_filtered_list_is_the_same_for_2_and_50(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        caller = api.as_("phutho")
        caller.get("/v1/me")
        found = []
        for limit in (2, 50):
            with counted(database) as statements:
                caller.get(f"/v1/members?limit={limit}&unit={unit_id['phuongvi']}")
            found.append(len(statements))
        assert found == [2, 2]

    @pytest.mark.parametrize("username", ["phuongvi-1", "phuongvi", "camkhe", "phutho"])
    def test_one_member_is_one(
        self, api: Api, database: Database, someone: Json, username: str
    ) -> None:
        caller = api.as_(username)
        caller.get("/v1/me")
        with counted(database) as statements:
            assert caller.get(f"/v1/members/{someone['id']}").json()["id"] == someone["id"]
        assert len(statements) == 1, statements

    def test_a_whole_list_is_one_a_chunk(
        self, api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.api.http.paging._CHUNK", 100)
        caller = api.as_("phutho")
        caller.get("/v1/me")
        with counted(database) as statements:
            lines = caller.get("/v1/members", headers=NDJSON).content.splitlines()
        assert len(lines) == 400
        pages = [each for each in statements if "FROM member" in each]
        assert len(pages) == 5, statements  # the fifth finds the end
        audit = [each for each in statements if "export_record" in each]
        assert [each.split()[0] for each in audit] == ["INSERT", "UPDATE"]
