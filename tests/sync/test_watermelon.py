"""Pages for WatermelonDB: the same rows by table, flat, each id once."""

import json
import re
from typing import Any

from app.services.kernel.manifest import manifest
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api
from tests.helpers.phone import Phone
from tests.kernel.changes import done

_ID = re.compile(r"[A-Za-z0-9_.-]+")


class Tables:
    """A phone with tables, as WatermelonDB applies changes to them."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.cursor: str | None = None
        self.rows: dict[str, dict[str, Json]] = {kind: {} for kind in manifest().on_phones}

    def ask(self, **query: Any) -> Json:
        query |= {"dialect": "watermelon"}
        if self.cursor is not None:
            query["cursor"] = self.cursor
        answer = self.api.get("/v1/sync/changes", params=query)
        assert answer.status_code == 200, answer.text
        page: Json = answer.json()
        self.cursor = page["cursor"]
        for table, changes in page["changes"].items():
            self._apply(table, changes)
        return page

    def pull(self, **query: Any) -> list[Json]:
        pages = [self.ask(**query)]
        while not pages[-1]["checkpoint"]:
            pages.append(self.ask(**query))
        return pages

    def _apply(self, table: str, changes: Json) -> None:
        assert changes["created"] == []
        ids = [row["id"] for row in changes["updated"]] + changes["deleted"]
        assert len(ids) == len(set(ids))
        assert all(_ID.fullmatch(each) for each in ids)
        self.rows[table] |= {row["id"]: row for row in changes["updated"]}
        for each in changes["deleted"]:
            self.rows[table].pop(each, None)


def plain(key: str, row: Json, columns: Json) -> Json:
    """A row of the protocol as it has to stand in a table."""

    def flat(value: Any, name: str) -> Any:
        if value is None or isinstance(value, str) or columns[name] != "string":
            return value
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    return {"id": key} | {name: flat(row[name], name) for name in columns}


def columns_of(api: Api) -> dict[str, Json]:
    plan = api.get("/v1/sync/plan").json()
    return {kind["kind"]: kind["columns"] for kind in plan["kinds"]}


def test_the_tables_hold_what_another_phone_holds(api: Api) -> None:
    for username in ("phuongvi-1", "camkhe", "auditor"):
        mine = api.as_(username)
        tables, phone = Tables(mine), Phone(mine)
        [page] = tables.pull(max_bytes=8_000_000)
        phone.pull()
        assert page["items"] == []
        assert page["timestamp"] > 0
        columns = columns_of(mine)
        expected = {
            kind: {key: plain(key, row, columns[kind]) for key, row in rows.items()}
            for kind, rows in phone.slice.items()
        }
        assert {kind: rows for kind, rows in tables.rows.items() if rows} == expected


def test_the_columns_are_those_of_the_kinds(head: Api) -> None:
    """Each is a field that phones get, of a type that WatermelonDB has, and of a name it allows."""
    plan = head.get("/v1/sync/plan").json()
    for kind in plan["kinds"]:
        assert set(kind["columns"]) == set(kind["fields"]) - {"id"}
        assert set(kind["columns"].values()) <= {"string", "number", "boolean"}
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in kind["columns"])
        assert kind["columns"].get("revision", "number") == "number"
    members = {kind["kind"]: kind["columns"] for kind in plan["kinds"]}["member"]
    assert members["full_name"] == members["branch_id"] == members["masked"] == "string"
    assert members["core"] == "boolean"


def test_values_are_of_the_type_of_their_column(head: Api) -> None:
    types: dict[str, tuple[type, ...]]
    types = {"string": (str,), "number": (int, float), "boolean": (bool,)}
    tables = Tables(head)
    tables.pull()
    for kind, columns in columns_of(head).items():
        for row in tables.rows[kind].values():
            assert row.keys() == {"id", *columns}
            for name, column in columns.items():
                assert row[name] is None or isinstance(row[name], types[column]), (kind, name)


def test_what_she_admits_herself_comes_as_updated(head: Api, unit_id: UnitIds) -> None:
    tables = Tables(head)
    tables.pull()
    body = {"full_name": "Hà Thị Mới", "birth_date": "1990", "joined_on": "2015"}
    new = done(head.post("/v1/members", json=body | {"branch_id": unit_id["phuongvi-1"]}))
    [page] = tables.pull()
    assert [row["id"] for row in page["changes"]["member"]["updated"]] == [new["id"]]
    assert tables.rows["member"][new["id"]]["full_name"] == "Hà Thị Mới"


def test_one_who_comes_and_goes_is_there_once_and_gone(
    head: Api, officer: Api, unit_id: UnitIds
) -> None:
    """Changed and transferred between two pulls: the tombstone wins, with what hangs on her."""
    tables = Tables(head)
    tables.pull()
    answer_rows = [row["member_id"] for row in tables.rows["rsvp"].values()]
    somebody = answer_rows[0] if answer_rows else next(iter(tables.rows["member"]))
    done(head.patch(f"/v1/members/{somebody}", json={"address": "Khu 1, nhà mới"}))
    body = {"to_branch_id": unit_id["phuongvi-2"], "reason": "Chuyển nhà"}
    done(officer.post(f"/v1/members/{somebody}/transfers", json=body))
    [page] = tables.pull()
    assert somebody in page["changes"]["member"]["deleted"]
    assert somebody not in tables.rows["member"]
    assert all(row["member_id"] != somebody for row in tables.rows["rsvp"].values())


def test_pages_that_are_not_the_last_say_so(head: Api) -> None:
    whole, paged = Tables(head), Tables(head)
    whole.pull()
    pages = paged.pull(max_bytes=10_000)
    assert len(pages) > 3
    assert [page["checkpoint"] for page in pages] == [False] * (len(pages) - 1) + [True]
    assert paged.rows == whole.rows


def test_a_cursor_is_good_in_both(head: Api) -> None:
    tables, phone = Tables(head), Phone(head)
    tables.pull()
    phone.cursor = tables.cursor
    assert phone.pull() == []


def test_a_bad_cursor_and_an_unknown_dialect(head: Api) -> None:
    asked = {"dialect": "watermelon", "cursor": "x"}
    problem = refused(head.get("/v1/sync/changes", params=asked), 409, "start_over")
    assert problem["reason"] == "unreadable"
    answer = head.get("/v1/sync/changes", params={"dialect": "pouch"})
    pointed(answer, "/dialect", "not_in_list")


def test_without_a_dialect_nothing_else_is_there(head: Api) -> None:
    page = head.get("/v1/sync/changes").json()
    assert (page["changes"], page["timestamp"]) == (None, None)
