"""Who writes to a record while an import is taken back: nothing that was answered with success is lost."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from httpx2 import Response

from app.db import Database
from app.models.support.visits import HouseholdVisit
from app.services.imports import writing
from app.services.members import batches
from tests.helpers.answers import Json, refused
from tests.helpers.branch_world import ago
from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api
from tests.helpers.client import writing as writing_to
from tests.imports import test_imports as of_members
from tests.imports.test_import_households import HEADER, homes, previewed
from tests.imports.test_imports import Work, applied, rows_of, summary, xlsx

# Long enough for a request that nothing keeps waiting.
_SECONDS = 0.3


@contextmanager
def meanwhile(
    patched: pytest.MonkeyPatch, module: Any, name: str, write: Callable[[], Response]
) -> Iterator[list[Future[Response]]]:
    """Another writes once nothing was found in the way of an undo, before this function of it is called;
    the answer."""
    undo, found = getattr(module, name), []

    def called(*args: Any) -> Any:
        found.append(pool.submit(write))
        wait(found, timeout=_SECONDS)
        return undo(*args)

    with ThreadPoolExecutor(1) as pool:
        patched.setattr(module, name, called)
        yield found


@pytest.mark.race
def test_a_visit_to_a_household_that_is_being_taken_back(
    api: Api, database: Database, unit_id: Ids, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = api.as_("phuongvi")
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, homes(1)))
    applied(officer, work, item["id"])
    home = rows_of(officer, item["id"])[0]["entity_id"]
    visit = {"visited_on": ago(0), "visitors": ["Bà Lan"]}
    with meanwhile(
        monkeypatch,
        writing,
        "undo_each",
        lambda: officer.post(f"/v1/households/{home}/visits", json=visit),
    ) as visited:
        assert officer.post(f"/v1/imports/{item['id']}/undo").status_code == 202
        work()
    refused(visited[0].result(), 404, "not_found")
    assert done(officer.get(f"/v1/imports/{item['id']}"))["state"] == "undone"
    with writing_to(database) as session:
        visits = sa.select(sa.func.count()).select_from(HouseholdVisit)
        assert session.execute(visits).scalar_one() == 0


@pytest.mark.race
def test_a_correction_of_a_household_whose_correction_is_being_taken_back(
    api: Api, unit_id: Ids, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer, unit, rows = api.as_("phuongvi"), unit_id["phuongvi"], homes(1)
    item = previewed(officer, work, unit, xlsx(HEADER, rows))
    applied(officer, work, item["id"])
    home = f"/v1/households/{rows_of(officer, item['id'])[0]['entity_id']}"
    rows[0][HEADER.index("Hội đánh giá")] = "giàu"
    item = previewed(officer, work, unit, xlsx(HEADER, rows))
    assert item["summary"] == summary(updated=1)
    applied(officer, work, item["id"])
    body: Json = {"union_label": "well_off"}
    with meanwhile(
        monkeypatch, writing, "undo_each", lambda: officer.patch(home, json=body)
    ) as corrected:
        assert officer.post(f"/v1/imports/{item['id']}/undo").status_code == 202
        work()
    assert done(corrected[0].result())["union_label"] == "well_off"
    assert done(officer.get(home))["union_label"] == "well_off"


@pytest.mark.race
def test_a_correction_of_a_member_whose_correction_is_being_taken_back(
    api: Api, unit_id: Ids, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer, unit, rows = api.as_("phuongvi"), unit_id["phuongvi"], of_members.women(1)
    header = [*of_members.HEADER, "Địa chỉ"]
    item = of_members.previewed(officer, work, unit, xlsx(header, [[*rows[0], "Khu 1"]]))
    applied(officer, work, item["id"])
    member = f"/v1/members/{rows_of(officer, item['id'])[0]['entity_id']}"
    known = ["Mã", *header], [[member.rpartition("/")[2], *rows[0], "Khu 2"]]
    item = of_members.previewed(officer, work, unit, xlsx(*known))
    assert item["summary"] == summary(updated=1)
    applied(officer, work, item["id"])
    with meanwhile(
        monkeypatch, batches, "withdraw", lambda: officer.patch(member, json={"address": "Khu 3"})
    ) as corrected:
        assert officer.post(f"/v1/imports/{item['id']}/undo").status_code == 202
        work()
    assert done(corrected[0].result())["address"] == "Khu 3"
    assert done(officer.get(member))["address"] == "Khu 3"
