"""One's own entry of a member, taken back within a day: she was never there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.clock import utc_now
from app.db import Database
from app.models.kernel.changes import Change
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.cadres import done, made
from tests.helpers.captures import hold, send, tapped
from tests.helpers.client import Api, writing
from tests.helpers.tables import changed, everything

NAME = "Đặng Thị Kim Thoa"


def entered(api: Api, branch_id: int, **more: object) -> Json:
    body = {
        "branch_id": branch_id,
        "full_name": NAME,
        "birth_date": "1971",
        "joined_on": "2015-03-08",
    }
    return made(api.post("/v1/members", json=body | more))


@pytest.fixture
def branch(unit_id: UnitIds) -> int:
    return unit_id["phuongvi-1"]


def reason(answer: Any) -> str:
    [error] = refused(answer, 409, "entry_stays")["errors"]
    code: str = error["code"]
    return code


@dataclass(frozen=True)
class Built:
    """Who may build on an entry, and which one."""

    head: Api
    officer: Api
    path: str
    branch: int
    database: Database


class TestWithdrawal:
    def test_leaves_nothing_but_the_change_log(
        self, head: Api, branch: int, database: Database
    ) -> None:
        first = entered(head, branch, phone="0912345678", citizen_id="025171000123")
        before = everything(database)
        days = f"/v1/members/count?unit={branch}&as_of="
        counts = [done(head.get(days + day))["people"] for day in ("2016-01-01", "2026-11-01")]
        double = entered(head, branch, phone="0912345678", birth_date="1971-04-09")
        path = f"/v1/members/{double['id']}"
        done(head.patch(path, json={"address": "Khu 3"}))  # her own correction is no obstacle
        assert head.delete(path).status_code == 204
        assert changed(before, everything(database)) == {}
        assert [
            done(head.get(days + day))["people"] for day in ("2016-01-01", "2026-11-01")
        ] == counts
        refused(head.get(path), 404, "not_found")
        refused(head.delete(path), 404, "not_found")
        found = done(head.get("/v1/members?q=0912345678"))["items"]
        assert [each["id"] for each in found] == [first["id"]]
        with writing(database) as session:
            log = sa.select(col(Change.operation)).where(col(Change.entity_id) == double["id"])
            told = session.execute(log.order_by(col(Change.revision))).scalars().all()
        assert told == ["created", "updated", "deleted"]

    def test_of_anothers_entry_is_refused(
        self, api: Api, head: Api, officer: Api, branch: int
    ) -> None:
        path = f"/v1/members/{entered(officer, branch)['id']}"
        assert reason(head.delete(path)) == "entry_of_another"
        assert done(head.get(path))["full_name"] == NAME
        refused(api.as_("tienluong-1").delete(path), 404, "not_found")
        refused(api.as_("auditor").delete(path), 403, "forbidden")
        assert officer.delete(path).status_code == 204

    def test_is_for_a_day(self, head: Api, branch: int, database: Database) -> None:
        one, other = entered(head, branch), entered(head, branch)
        for member, hours in ((one, 23), (other, 25)):
            with writing(database) as session:
                session.execute(
                    sa.update(Change)
                    .where(col(Change.entity_id) == member["id"])
                    .values(at=utc_now() - timedelta(hours=hours))
                )
        assert head.delete(f"/v1/members/{one['id']}").status_code == 204
        assert reason(head.delete(f"/v1/members/{other['id']}")) == "entry_too_old"

    @pytest.mark.parametrize(
        ("code", "build"),
        [
            ("entry_changed", lambda it: it.officer.patch(it.path, json={"address": "Khu 9"})),
            (
                "record_in_use",
                lambda it: it.officer.post(
                    f"{it.path}/trainings", json={"kind": "language", "name": "Tiếng Anh"}
                ),
            ),
            (
                "record_in_use",
                lambda it: send(
                    it.officer, hold(it.database, [it.branch]), [tapped(UUID(it.path[-36:]))]
                ),
            ),
            (
                "record_has_history",
                lambda it: it.head.post(f"{it.path}/departures", json={"reason": "moved_away"}),
            ),
        ],
        ids=["changed", "trained", "attended", "left"],
    )
    def test_stays_once_somebody_has_built_on_it(
        self,
        head: Api,
        officer: Api,
        branch: int,
        database: Database,
        code: str,
        build: Callable[[Built], Any],
    ) -> None:
        path = f"/v1/members/{entered(head, branch)['id']}"
        build(Built(head, officer, path, branch, database))
        before = everything(database)
        assert reason(head.delete(path)) == code
        assert changed(before, everything(database)) == {}
