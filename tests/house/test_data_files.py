"""Dated data: which version holds on a day."""

from datetime import date
from typing import NamedTuple

import pytest

from app.data_files import all_on, holds_on


class Version(NamedTuple):
    valid_from: date
    valid_to: date | None


OLD = Version(date(2022, 1, 1), date(2026, 12, 31))
NEW = Version(date(2027, 1, 1), None)


@pytest.mark.parametrize(
    ("day", "held"),
    [
        (date(2021, 12, 31), []),
        (date(2022, 1, 1), [OLD]),
        (date(2026, 12, 31), [OLD]),
        (date(2027, 1, 1), [NEW]),
        (date(2099, 1, 1), [NEW]),
    ],
)
def test_both_days_belong_to_it(day: date, held: list[Version]) -> None:
    assert all_on([OLD, NEW], day) == held
    assert [holds_on(each, day) for each in (OLD, NEW)] == [each in held for each in (OLD, NEW)]
