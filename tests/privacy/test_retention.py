"""What is kept how long: as published, as overridden, and as the housekeeping does it."""

from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel, col

from app.clock import utc_now
from app.db import Database
from app.models.base import new_id
from app.models.kernel.export_log import ExportFormat, ExportRecord
from app.models.privacy.erasures import Anonymisation, AnonymisationState
from app.models.privacy.rules import RequestKind
from app.services.kernel import upkeep
from app.services.privacy import anonymisations, retention, rules
from tests.conftest import make_settings
from tests.helpers.client import Api, writing


@pytest.fixture
def exported(database: Database) -> None:
    """One export of each of these ages, in days."""
    with writing(database) as session:
        session.add_all(
            ExportRecord(
                account_id=new_id(),
                at=utc_now() - timedelta(days=age),
                request_id=str(age),
                path="/v1/members",
                filters={},
                fields=[],
                format=ExportFormat.csv,
            )
            for age in (10, 729, 731)
        )


def ages(database: Database) -> list[str]:
    with database.reading() as db:
        statement = sa.select(col(ExportRecord.request_id)).order_by(col(ExportRecord.at).desc())
        return list(db.execute(statement).scalars())


@pytest.mark.usefixtures("exported")
class TestForget:
    def test_what_is_older(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "_BATCH", 1)
        upkeep.do_due(database)
        assert ages(database) == ["10", "729"]

    def test_by_the_setting(self, database: Database) -> None:
        database.settings.retention["export_record"] = 5
        assert retention.forget_due(database) == 3
        assert ages(database) == []


def test_periods_are_published_with_their_reasons(api: Api, database: Database) -> None:
    items = api.as_("member").get("/v1/privacy/retention").json()["items"]
    days = {item["code"]: item["days"] for item in items}
    assert days["access_read"] == database.settings.access_log_days
    assert (days["export_record"], days["member"]) == (730, None)
    assert all(item["reason_vi"] and item["reason_en"] for item in items)
    settings = make_settings("sqlite:///x.db", retention={"export_record": 365}, job_days=3)
    found = {item.code: item.days for item in retention.periods(settings).items}
    assert (found["export_record"], found["job"]) == (365, 3)
    assert found.keys() <= SQLModel.metadata.tables.keys()


def test_days_in_lieu_are_in_a_folder_of_the_server(tmp_path: Path) -> None:
    """They are announced each year."""
    (tmp_path / "holidays.yaml").write_text(
        "source: announced\nyears:\n  - {year: 2026, confirmed: true, days: [2026-06-02]}\n"
    )
    book = rules.rule_book(tmp_path)
    due = book.due(RequestKind.access, date(2026, 6, 1), with_processors=False)
    assert due.answer_on == date(2026, 6, 4)
    assert book.published.holidays_source == "announced"
    assert book.purposes == rules.rule_book().purposes  # what is not in the folder is ours


def test_a_proposal_nobody_approves_lapses(
    api: Api, database: Database, unit_id: dict[str, int]
) -> None:
    province = api.as_("phutho")
    policy = {"unit_id": unit_id["phutho"], "months": 24, "most": 9, "decision_number": "1"}
    made = province.post("/v1/privacy/anonymisation-policies", json=policy).json()
    runs = [
        Anonymisation(
            id=new_id(),
            unit_id=unit_id["phuongvi"],
            policy_id=UUID(made["id"]),
            left_before=date(2024, 1, 1),
            most=1,
            state=AnonymisationState.proposed,
            found=1,
            proposed_by=new_id(),
            proposed_at=utc_now() - timedelta(days=age),
        )
        for age in (29, 31)
    ]
    with writing(database) as session:
        session.execute(sa.insert(Anonymisation), [run.model_dump() for run in runs])
    assert anonymisations.lapse(database) == 1
    states = [province.get(f"/v1/privacy/anonymisations/{run.id}").json()["state"] for run in runs]
    assert states == ["proposed", "cancelled"]
