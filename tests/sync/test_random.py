"""Phones pull while everything happens: after each calm, each has what the server would give it anew."""

import pytest

from app.db import Database
from tests.helpers import soak
from tests.helpers.answers import UnitIds
from tests.helpers.client import Api
from tests.helpers.phone import Phone, differing, fresh_slice
from tests.sync.acts import PHONES, Acts

STEPS = 24
CALM_EVERY = 12


@pytest.mark.drawn
@pytest.mark.parametrize("seed", soak.seeds(1))
def test_slices_are_those_of_a_new_phone(
    api: Api, database: Database, unit_id: UnitIds, seed: int
) -> None:
    acts = Acts(api, database, unit_id, seed)
    phones = [Phone(api.as_(username)) for username in PHONES]
    for step in range(STEPS):
        acts.one()
        phone = acts.random.choice(phones)
        if step % 3 == 0:
            phone.max_bytes = acts.random.choice([20_000, 60_000, 1_000_000])
            answer = phone.ask()
            if answer.status_code == 200:
                phone.take(answer.json())
        if step % CALM_EVERY == CALM_EVERY - 1:
            for phone in list(phones):
                if phone.ask().status_code == 401:  # her account went with her record
                    phones.remove(phone)
                    continue
                phone.pull(between=acts.one)
                phone.pull()
                assert phone.started_over == []
                assert differing(phone, fresh_slice(phone.api)) == [], step
    assert len(acts.done) > 12, acts.done
