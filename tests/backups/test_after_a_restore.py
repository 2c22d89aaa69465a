"""After a restore nobody is signed in, and what was due in the lost days asks first."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col
from typer.testing import CliRunner

from app import cli
from app.clock import local_today, utc_now
from app.config import get_settings
from app.db import Database
from app.models.events.reminders import Reminder
from app.models.kernel.accounts import Account
from app.models.kernel.epochs import Epoch
from app.models.kernel.jobs import Job
from app.models.memberships.transfers import Transfer
from app.services.backups.reopening import Reopened, reopen
from app.services.events import reminders
from app.services.kernel import due, job_workers
from app.services.kernel.due import Due
from app.services.kernel.manifest import manifest
from app.services.memberships import tacit
from tests.backups.backups import settings_of
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, writing
from tests.helpers.meetings import announced, at, items

WHO = "Phòng Công nghệ, 3/12"


def reopened(database: Database) -> Reopened:
    """As `hoiso restore` does when the rows are there."""
    done = reopen(database, [], taken_at=utc_now() - timedelta(hours=8))
    database.sender.forget(list(done.job_ids))
    return done


@pytest.fixture
def hoiso(database: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    settings = settings_of(database.settings.database_url)
    monkeypatch.setenv("HOISO_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("data_keys", "jwt_secret"):
        monkeypatch.setenv(f"HOISO_{name.upper()}", getattr(settings, name).get_secret_value())

    def run(*arguments: str, code: int = 0) -> str:
        get_settings.cache_clear()
        result = CliRunner().invoke(cli.app, arguments)
        get_settings.cache_clear()
        assert result.exit_code == code, result.output
        return result.output

    return run


def waits_for_the_operator(output: str) -> dict[str, int]:
    """How many of each kind, of what `hoiso due` shows."""
    rows = [line.split("│") for line in output.splitlines()]
    kinds = [due.kind for due in manifest().due]
    return {row[1].strip(): int(row[3]) for row in rows if len(row) > 3 and row[1].strip() in kinds}


class TestSignedOut:
    def test_everybody_signs_in_again_and_codes_are_void(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        province = api.as_("phutho")
        body = {"username": "moi.vao", "display_name": "Mới", "unit_id": unit_id["phuongvi"]}
        invited = province.post("/v1/accounts", json=body)
        assert invited.status_code == 201, invited.text
        reopened(database)
        assert province.get("/v1/me").status_code == 401
        form = {"grant_type": "password", "username": "moi.vao", "password": invited.json()["code"]}
        assert api.post("/v1/auth/token", data=form).status_code == 401
        with database.reading() as db:
            codes = sa.select(col(Account.id)).where(col(Account.code_digest).is_not(None))
            assert db.execute(codes).all() == []
        assert api.as_("phutho").get("/v1/me").status_code == 200


class TestDue:
    @pytest.fixture
    def reminder(self, api: Api, database: Database) -> Json:
        """Its time came in the days that were lost."""
        _, session_id = announced(api.as_("phuongvi-1"))
        path = f"/v1/sessions/{session_id}/reminders"
        made: Json = api.as_("phuongvi-1").post(path, json={"send_at": at(6)}).json()
        self.was_due(database, UUID(made["id"]))
        return made

    def was_due(self, database: Database, reminder_id: UUID) -> None:
        with writing(database) as session:
            earlier = utc_now() - timedelta(minutes=1)
            of_it = col(Reminder.id) == reminder_id
            session.connection().execute(sa.update(Reminder).where(of_it).values(send_at=earlier))

    def test_reminders(
        self, api: Api, database: Database, reminder: Json, hoiso: Callable[..., str]
    ) -> None:
        reopened(database)
        assert reminders.send_due(database) == 0
        assert waits_for_the_operator(hoiso("due"))["reminder"] == 1
        # What becomes due later does not wait.
        _, session_id = announced(api.as_("phuongvi-1"))
        path = f"/v1/sessions/{session_id}/reminders"
        later = api.as_("phuongvi-1").post(path, json={}).json()
        assert later["job_id"] is not None
        hoiso("go-on", WHO)
        assert reminders.send_due(database) == 1
        assert reminders.send_due(database) == 0
        assert "nothing waits" in hoiso("due")
        assert "nothing waits" in hoiso("go-on", WHO)
        with database.reading() as db:
            last = sa.select(col(Epoch.went_on_by)).order_by(col(Epoch.number).desc())
            assert db.execute(last).scalars().first() == WHO

    def test_reminders_that_are_dropped(
        self, database: Database, reminder: Json, hoiso: Callable[..., str]
    ) -> None:
        reopened(database)
        assert "is not one of" in hoiso("go-on", WHO, "--drop", "transfer", code=2)
        hoiso("go-on", WHO, "--drop", "reminder")
        assert reminders.send_due(database) == 0
        with database.reading() as db:
            assert db.execute(sa.select(col(Reminder.id))).all() == []

    def test_jobs(
        self, api: Api, database: Database, work: Callable[[], int], hoiso: Callable[..., str]
    ) -> None:
        """One was queued, one was being done."""
        head = api.as_("phuongvi-1")
        announced(head)
        announced(head)
        with writing(database) as session:
            first = session.execute(sa.select(col(Job.id)).order_by(col(Job.id))).scalars().first()
            session.execute(sa.update(Job).where(col(Job.id) == first).values(state="running"))
        assert len(reopened(database).job_ids) == 2
        assert work() == 0
        assert job_workers.send_lost_again(database) == 0
        assert waits_for_the_operator(hoiso("due"))["job"] == 2
        announced(api.as_("phuongvi-1"))
        assert work() == 1
        hoiso("go-on", WHO)
        assert self.deliveries(database) == 3
        assert work() == 2

    def deliveries(self, database: Database) -> int:
        table = "workflow_status" if database.on_sqlite else "dbos.workflow_status"
        with database.reading() as db:
            return int(db.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one())

    def test_jobs_that_are_dropped(
        self, api: Api, database: Database, work: Callable[[], int], hoiso: Callable[..., str]
    ) -> None:
        announced(api.as_("phuongvi-1"))
        reopened(database)
        hoiso("go-on", WHO, "--drop", "job")
        assert work() == 0
        [job] = items(api.as_("phuongvi-1"), "/v1/jobs")
        assert (job["state"], job["problem"]["code"]) == ("failed", "job_dropped")

    def test_tacit_approvals(
        self, api: Api, database: Database, unit_id: UnitIds, hoiso: Callable[..., str]
    ) -> None:
        """It may have been refused in the days that were lost."""
        source = api.as_("phuongvi-1")
        [mover] = items(source, "/v1/members?limit=1")
        body = {"to_branch_id": unit_id["tienluong-1"]}
        asked = source.post(f"/v1/members/{mover['id']}/transfers", json=body)
        assert asked.status_code == 201, asked.text
        with writing(database) as session:
            session.execute(sa.update(Transfer).values(due_on=local_today()))
        reopened(database)
        assert tacit.approve_due(database) == 0
        hoiso("go-on", WHO)
        assert tacit.approve_due(database) == 1


@pytest.mark.race
def test_two_who_say_go_have_it_done_once(database: Database) -> None:
    reopened(database)
    calls: list[Future[bool]] = []

    def say() -> bool:
        with database.writing() as session:
            return due.go_on(session, [counted_once], WHO, ())

    def release(*_: object) -> None:
        calls.append(pool.submit(say))
        wait(calls, timeout=0.3)

    counted_once = Due("it", "what is done once", lambda *_: 1, release)
    with ThreadPoolExecutor(3) as pool:
        assert say() is True
        assert [call.result() for call in calls] == [False]


class TestSaid:
    def test_in_the_inbox_of_those_who_run_accounts(
        self, api: Api, database: Database, hoiso: Callable[..., str]
    ) -> None:
        def told(who: str) -> list[Any]:
            found = items(api.as_(who), "/v1/me/notifications")
            return [each for each in found if each["kind"] == "server_restored"]

        epoch = reopened(database).epoch
        [notice] = told("admin")
        assert (notice["entity_id"], notice["title"][:27]) == (
            str(epoch),
            "Máy chủ đã được khôi phục t",
        )
        assert told("phuongvi") == []
        hoiso("go-on", WHO)
        assert told("admin") == []

    def test_answers_of_the_lost_hours_are_gone(self, api: Api, database: Database) -> None:
        """A request that is sent again is done again, and its answer says since when none is known."""

        def change(key: str, address: str) -> Any:
            officer = api.as_("phuongvi")
            [member] = items(officer, "/v1/members?limit=1")
            path = f"/v1/members/{member['id']}"
            headers = {"idempotency-key": key}
            return officer.patch(path, json={"address": address}, headers=headers)

        assert "idempotency-lost-since" not in change("of before", "Khu 1").headers
        reopened(database)
        replayed = change("of before", "Khu 1").headers
        assert replayed["idempotent-replayed"] == "true"
        assert "idempotency-lost-since" not in replayed
        again = change("of the lost hours", "Khu 2")
        assert again.status_code == 200
        with database.reading() as db:
            [taken_at] = db.execute(
                sa.select(col(Epoch.taken_at)).where(col(Epoch.taken_at).is_not(None))
            ).scalars()
        assert taken_at is not None
        assert again.headers["idempotency-lost-since"] == taken_at.isoformat()
        with writing(database) as session:
            session.execute(sa.update(Epoch).values(began_at=utc_now() - timedelta(days=2)))
        assert "idempotency-lost-since" not in change("of later", "Khu 3").headers
