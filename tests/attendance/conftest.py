"""A branch that has met three times."""

from datetime import timedelta
from uuid import UUID

import pytest

from app.clock import utc_now
from app.db import Database
from tests.helpers.answers import UnitIds
from tests.helpers.captures import hold, members_of, send, tapped
from tests.helpers.client import Api


@pytest.fixture
def branch(unit_id: UnitIds) -> int:
    return unit_id["phuongvi-1"]


@pytest.fixture
def roster(database: Database, branch: int) -> list[UUID]:
    return members_of(database, branch)


@pytest.fixture
def three_meetings(head: Api, database: Database, branch: int, roster: list[UUID]) -> list[UUID]:
    """Ten, twenty and ten came to the last three; one was never held and does not count."""
    now = utc_now().replace(microsecond=0)
    held = []
    for days, people in ((63, roster[:10]), (33, roster[:20]), (3, roster[10:20])):
        began = now - timedelta(days=days)
        held.append(hold(database, [branch], starts_at=began))
        send(head, held[-1], [tapped(each, began) for each in people])
    hold(database, [branch], starts_at=now - timedelta(days=1), state="planned")
    return held
