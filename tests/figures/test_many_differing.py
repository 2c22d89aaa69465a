"""Of a past day more records may differ from today's than a statement can bind values."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.clock import local_today
from app.models.base import new_id
from app.services.figures import explaining
from app.services.figures.counting import Differing
from tests.helpers.answers import UnitIds
from tests.helpers.captures import members_of
from tests.helpers.client import Api

# SQLite binds 32,766, PostgreSQL 65,535.
MANY = 70_000


def differing(keys: list[UUID], sign: int) -> Iterator[Differing]:
    return (Differing(0, 1, key, "members.total", sign) for key in keys)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_figure_is_explained_all_the_same(
    api: Api, unit_id: UnitIds, database: Any, monkeypatch: pytest.MonkeyPatch, sign: int
) -> None:
    """Those that are not in the unit make no difference to its rows; one that is in it does."""
    unit, officer = unit_id["phuongvi-1"], api.as_("phuongvi")
    day = local_today() - timedelta(days=1)
    path = f"/v1/figures/members.total/explain?unit={unit}&period={day}..{day}&limit=200"
    before = {each["entity_id"] for each in officer.get(path).json()["items"]}
    her = members_of(database, unit)[0]
    assert str(her) in before
    others = [new_id() for _ in range(MANY)]
    monkeypatch.setattr(explaining, "differing", lambda *_: differing([her, *others], sign))
    answer = officer.get(path)
    assert answer.status_code == 200, answer.text
    after = {each["entity_id"] for each in answer.json()["items"]}
    assert after == (before if sign > 0 else before - {str(her)})
