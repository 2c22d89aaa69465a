"""Rounded figures say nothing about one person."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from app.services.disclosure.rounding import rounded


class TestRounded:
    @given(st.integers(0, 2_000), st.integers(-(2**63), 2**63 - 1))
    def test_is_the_multiple_of_5_above_or_below(self, people: int, draw: int) -> None:
        figure = rounded(people, draw)
        assert figure % 5 == 0
        assert abs(figure - people) < 5

    def test_the_nearer_one_is_drawn_more_often(self) -> None:
        assert [sum(rounded(n, draw) == 10 for draw in range(5)) for n in range(5, 11)] == [
            *range(6)
        ]

    def test_one_person_more_may_always_be_none_more(self) -> None:
        """Whatever two figures are seen before and after, some number of people gives both."""
        seen = [{rounded(people, draw) for draw in range(5)} for people in range(60)]
        for people in range(50):
            for before, after in product(seen[people], seen[people + 1]):
                assert any({before, after} <= figures for figures in seen)
