"""Code lists and the like on phones: those of the release, with its next one those that differ."""

import pytest

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Right
from app.models.kernel.code_lists import CODE_LISTS
from app.services.kernel.manifest import manifest
from tests.helpers.answers import Json
from tests.helpers.client import Api
from tests.helpers.phone import Phone, fresh_slice
from tests.kernel.changes import done
from tests.sync.test_hidden_kinds import may_only

# Of each kind: where the API lists it.
LISTS = {
    "code_list": "/v1/code-lists",
    "post": "/v1/posts",
    "poverty_standard": "/v1/poverty-standards",
    "support_programme": "/v1/support-programmes?limit=200",
}


@pytest.fixture
def phone(head: Api) -> Phone:
    made = Phone(head)
    made.pull()
    return made


@pytest.fixture
def renamed(monkeypatch: pytest.MonkeyPatch) -> str:
    """A release in which one list says something else."""
    changed = CODE_LISTS["education"].model_copy(update={"version": "another"})
    monkeypatch.setitem(CODE_LISTS, "education", changed)
    return "education"


def sums(phone: Phone) -> dict[str, str]:
    theirs = done(phone.api.get("/v1/sync/checksums", params={"kinds": ",".join(LISTS)}))["items"]
    return {each["kind"]: each["checksum"] for each in theirs}


def test_every_kind_is_compared() -> None:
    assert manifest().sync_data.keys() == LISTS.keys()


@pytest.mark.parametrize("name", LISTS)
def test_rows_are_those_of_the_list(phone: Phone, name: str) -> None:
    kind = manifest().sync_data[name]
    expected = {
        row[kind.key]: {field: row[field] for field in row.keys() - kind.derived}
        for row in done(phone.api.get(LISTS[name]))["items"]
    }
    rows = phone.rows[name]
    assert {key: rows[key] for key in expected} == expected
    ended = [row["valid_to"] for key, row in rows.items() if key not in expected]
    assert all(day < local_today().isoformat() for day in ended)


def test_they_come_first_and_once(phone: Phone) -> None:
    kinds = [item["kind"] for item in phone.items]
    first = {*kinds[: sum(len(phone.rows[name]) for name in LISTS)]}
    assert first == LISTS.keys()
    assert phone.pull() == []


def test_another_release_sends_what_it_says(phone: Phone, renamed: str) -> None:
    items = phone.pull()
    assert {item["kind"] for item in items} == {"code_list"}
    assert phone.rows["code_list"][renamed]["version"] == "another"
    assert phone.slice == fresh_slice(phone.api)
    assert phone.pull() == []


def test_also_on_a_walk_that_is_not_at_its_end(head: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = Phone(head)
    phone.max_bytes = 10_000
    assert phone.take(done(phone.ask())) is False
    changed = CODE_LISTS["gender"].model_copy(update={"version": "another"})
    monkeypatch.setitem(CODE_LISTS, "gender", changed)
    phone.pull()
    assert phone.slice == fresh_slice(head)


def test_sums_are_of_what_they_say(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = {kind: text for (kind, _), text in phone.checksums().items() if kind in LISTS}
    assert sums(phone) == mine
    changed = CODE_LISTS["kind"].model_copy(update={"version": "another"})
    monkeypatch.setitem(CODE_LISTS, "kind", changed)
    assert {kind for kind, text in sums(phone).items() if text != mine[kind]} == {"code_list"}


def test_who_has_no_right_gets_them(head: Api, database: Database) -> None:
    may_only(database, "phuongvi-1", [Right.units_read])
    phone = Phone(head, kinds="code_list,post")
    phone.pull()
    assert phone.rows.keys() == {"code_list", "post"}
    may_only(database, "phuongvi-1", [])
    assert Phone(head, kinds="code_list").ask().status_code == 200
    assert Phone(head).ask().status_code == 403


def test_watermelon_has_the_key_as_id(head: Api) -> None:
    query = {"kinds": ",".join(LISTS), "dialect": "watermelon"}
    tables: Json = done(head.get("/v1/sync/changes", params=query))["changes"]
    plan = {each["kind"]: each for each in done(head.get("/v1/sync/plan"))["kinds"]}
    for name in LISTS:
        kind = manifest().sync_data[name]
        for row in tables[name]["updated"]:
            assert row["id"] == row.get(kind.key, row["id"])
            assert row.keys() - {"id"} == plan[name]["columns"].keys()
        assert plan[name]["rows"] == len(tables[name]["updated"])
