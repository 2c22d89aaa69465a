"""Imports as they are kept: listed at one price, forgotten in time, sealed anew, one at a time."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from app.clock import utc_now
from app.db import Database
from app.models.imports.imports import Import, ImportPart
from app.models.imports.rows import ImportRow
from app.services.imports import store
from app.services.kernel import key_rotation, upkeep
from tests.conftest import make_settings
from tests.helpers.answers import refused
from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api, counted, writing
from tests.imports.test_imports import (
    HEADER,
    Work,
    applied,
    everyone,
    previewed,
    rows_of,
    summary,
    women,
    xlsx,
)

OLD = "data-keys-of-the-tests-0123456789abcdef"
NEW = "new-data-keys-of-the-tests-9876543210fedcba"


@contextmanager
def opened_with(database: Database, *keys: str) -> Iterator[Database]:
    url = database.settings.database_url
    with closing(Database(make_settings(url, data_keys=",".join(keys)))) as other:
        yield other


def cost(database: Database, api: Api, path: str) -> int:
    done(api.get(path))  # whoever asks is known by now
    with counted(database) as statements:
        done(api.get(path))
    return len(statements)


class TestLists:
    def test_cost_the_same_whatever_their_length(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        paths = ("/v1/imports", "/v1/imports/{}", "/v1/imports/{}/rows")
        prices = []
        for count in (2, 40):
            item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(count)))
            prices.append([cost(database, officer, path.format(item["id"])) for path in paths])
        assert prices[0] == prices[1]
        assert max(prices[1]) <= 8

    def test_are_paged_filtered_and_taken_as_files(
        self, officer: Api, unit_id: Ids, work: Work
    ) -> None:
        rows = women(5)
        rows[4][3] = "12"
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        url = f"/v1/imports/{item['id']}/rows"
        first = done(officer.get(f"{url}?limit=3"))
        rest = done(officer.get(f"{url}?limit=3&cursor={first['next_cursor']}"))
        assert [r["number"] for r in first["items"] + rest["items"]] == [2, 3, 4, 5, 6]
        assert rest["next_cursor"] is None
        for query, count in (("outcome=error", 1), (f"unit={unit_id['phuongvi-2']}", 0)):
            assert len(done(officer.get(f"{url}?{query}"))["items"]) == count
        assert officer.get(f"{url}?format=csv").text.count("\n") == 6
        for query, count in (
            ("state=ready", 1),
            ("state=applied", 0),
            ("kind=members", 1),
            (f"unit={unit_id['phuongvi-1']}", 0),
        ):
            assert len(done(officer.get(f"/v1/imports?{query}"))["items"]) == count


class TestForgetting:
    def test_files_go_in_time_and_an_old_file_still_makes_nothing_twice(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        content = xlsx(HEADER, women(3))
        item = previewed(officer, work, unit_id["phuongvi"], content)
        applied(officer, work, item["id"])
        kept = previewed(officer, work, unit_id["phuongvi-1"], content)
        long_ago = utc_now() - timedelta(days=database.settings.import_days + 1)
        with writing(database) as session:
            session.execute(sa.update(Import).values(updated_at=long_ago))
        assert store.forget_old(database) == 2
        assert store.forget_old(database) == 0
        url = f"/v1/imports/{item['id']}"
        told = done(officer.get(url))
        assert (told["file_kept"], told["state"], told["columns"]) == (False, "applied", [])
        assert told["summary"] == summary(created=3)
        refused(officer.get(f"{url}/file"), 409, "import_forgotten")
        with writing(database) as session:
            assert session.exec(select(ImportPart.id)).all() == []
            assert set(session.exec(select(ImportRow.content)).all()) == {None}
        refused(officer.post(f"/v1/imports/{kept['id']}/apply", json={}), 409, "import_forgotten")
        again = previewed(officer, work, unit_id["phuongvi"], content)
        assert again["summary"] == summary(same=3)

    def test_is_done_by_housekeeping(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(1)))
        upkeep.do_due(database)
        assert done(officer.get(f"/v1/imports/{item['id']}"))["file_kept"]


def test_is_sealed_anew_when_keys_are_rotated(
    officer: Api, database: Database, unit_id: Ids, work: Work
) -> None:
    content = xlsx(HEADER, women(2))
    item = previewed(officer, work, unit_id["phuongvi"], content)
    applied(officer, work, item["id"])
    with opened_with(database, NEW, OLD) as both:
        key_rotation.rotate(both)
    with opened_with(database, NEW) as after, after.reading() as db:
        import_id = db.execute(sa.select(col(Import.id))).scalar_one()
        assert store.file_of(db, import_id) == content
        rows = db.execute(
            sa.select(col(ImportRow.content), col(ImportRow.unit_id), col(ImportRow.entity_id))
        ).all()
        keys = [(row.unit_id, store.content_of(row.content)["fingerprint"]) for row in rows]
        known = store.earlier(item["kind"])(db, keys)
        assert {entity for entity, _ in known.values()} == {row.entity_id for row in rows}


def test_a_row_decided_while_it_is_applied_is_refused(
    officer: Api, database: Database, unit_id: Ids, work: Work
) -> None:
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(1)))
    url = f"/v1/imports/{item['id']}"
    assert officer.post(f"{url}/apply", json={}).status_code == 202
    for path in ("", "/rows/2"):
        refused(officer.patch(url + path, json={}), 409, "import_not_editable")
    refused(officer.post(f"{url}/undo"), 409, "import_not_applied")
    work()
    refused(officer.patch(f"{url}/rows/2", json={}), 409, "import_not_editable")


def test_a_record_changed_since_the_preview_is_not_overwritten(
    officer: Api, database: Database, unit_id: Ids, work: Work
) -> None:
    known = [m for m in everyone(database).values() if m["branch_id"] == unit_id["phuongvi-1"]][:2]
    rows = [
        [m["full_name"], m["birth_date"], "", f"091122233{n}", "", str(m["id"])]
        for n, m in enumerate(known)
    ]
    content = xlsx([*HEADER, "Mã"], rows)
    item = previewed(officer, work, unit_id["phuongvi"], content)
    whole = previewed(officer, work, unit_id["phuongvi"], content)
    assert item["summary"] == summary(updated=2)
    done(officer.patch(f"/v1/members/{known[0]['id']}", json={"phone": "0911000999"}))
    # As a whole nothing is written then.
    answer = officer.post(f"/v1/imports/{whole['id']}/apply", json={"atomic": True})
    work()
    problem: Any = done(officer.get(answer.headers["location"]))["problem"]
    assert problem["code"] == "import_row_refused"
    assert done(officer.get(f"/v1/imports/{whole['id']}"))["state"] == "ready"
    assert everyone(database)[known[1]["id"]]["phone"] == known[1]["phone"]
    item = applied(officer, work, item["id"])
    assert item["summary"] == summary(updated=1, error=1)
    [row] = rows_of(officer, item["id"], "&outcome=error")
    assert [p["code"] for p in row["problems"]] == ["record_changed"]
    assert everyone(database)[known[0]["id"]]["phone"] == "+84911000999"
    assert everyone(database)[known[1]["id"]]["phone"] == "+84911222331"
