"""Whatever happens, a follower of exports has what a whole export has."""

import pytest

from app.db import Database
from tests.exports.asking import Work
from tests.exports.test_since import Follower
from tests.helpers import soak
from tests.helpers.answers import UnitIds
from tests.helpers.client import Api
from tests.sync.acts import Acts

KINDS = ["unit", "member", "participation", "appointment", "household", "assessment"]
KINDS += ["event", "session", "rsvp", "visit", "support", "loan_figure", "attendance"]


@pytest.mark.drawn
@pytest.mark.parametrize("seed", soak.seeds(1))
def test_random_days(api: Api, database: Database, work: Work, unit_id: UnitIds, seed: int) -> None:
    acts = Acts(api, database, unit_id, seed)
    followers = [Follower(api.as_(name), work, kinds=KINDS) for name in ("phuongvi", "phuongvi-1")]
    for each in followers:
        each.follow()
    for _ in range(3):
        for _ in range(12):
            acts.one()
        for each in followers:
            each.follow()
            each.equals_a_whole_one()
