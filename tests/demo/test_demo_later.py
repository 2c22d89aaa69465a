"""The past meetings of the demo as a job: the server answers meanwhile, and says what is missing."""

from collections.abc import Callable, Mapping

import pytest
from sqlmodel import col, func, select

from app.db import Database
from app.models.attendance.attendance import Attendance
from app.models.events.events import Event
from app.models.kernel.changes import ChangeSource
from app.services.demo import introductions, meetings, past
from app.services.demo.draws import DEFAULT_SEED
from app.services.kernel import changes
from tests.helpers.answers import Json
from tests.helpers.client import Api, writing


@pytest.fixture
def count(api: Api, unit_id: Mapping[str, int]) -> Callable[[], Json]:
    def counted() -> Json:
        path = f"/v1/units/{unit_id['camkhe']}/attendance"
        answer = api.as_("camkhe").get(path, params={"from": "2020-01-01"})
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    return counted


def stored(database: Database) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(Attendance)).one()


def test_counts_say_that_they_are_not_whole_until_it_is_done(
    database: Database, work: Callable[[], int], count: Callable[[], Json]
) -> None:
    assert count()["loading"] is False
    with database.writing() as session:
        past.later(session)
    before = count()
    assert (before["loading"], before["participations"]) == (True, 0)
    assert work() == 1
    after = count()
    assert after["loading"] is False
    assert after["participations"] == stored(database) > 0


def test_begun_again_after_a_crash_it_goes_on_where_it_was(
    database: Database, work: Callable[[], int]
) -> None:
    """A commune is one transaction: those that were committed stay, and are not held twice."""
    with database.writing() as session:
        past.later(session)
        changes.attribute(session, changes.Origin(ChangeSource.demo))
        communes = list(past.communes_met(session))
        meetings.hold(session, *communes[0], DEFAULT_SEED)
    first = stored(database)
    assert work() == 1
    assert stored(database) > first > 0
    with writing(database) as session:
        contests = select(func.count()).where(col(Event.title) == meetings.CONTEST.title)
        assert session.exec(contests).one() == len(communes)


def test_accounts_are_introduced_with_the_names_of_their_units(database: Database) -> None:
    with writing(database) as session:
        shown = {each.username: each.unit for each in introductions.introduced(session)}
    assert shown["phuongvi"] == "Xã Phượng Vĩ"
    assert shown["phuongvi-1"] == "Chi hội khu 1, Xã Phượng Vĩ"
