"""No small figure is shown, and none can be computed from the others."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.services.disclosure.withholding import FEWEST, hidden

PARTS = st.lists(st.lists(st.integers(0, 12), min_size=3, max_size=3), min_size=2, max_size=5)


@settings(max_examples=200, deadline=None)
@given(PARTS)
def test_every_line_hides_none_or_two(parts: list[list[int]]) -> None:
    """Rows whose last column is the sum of the others, under a row of totals."""
    rows = [[*row, sum(row)] for row in parts]
    rows.insert(0, [sum(column) for column in zip(*rows, strict=True)])
    found = hidden(rows, has_total=True)
    for place, row in enumerate(rows):
        for column, value in enumerate(row):
            assert (place, column) in found or not 0 < value < FEWEST
    for place in range(len(rows)):
        assert len([cell for cell in found if cell[0] == place]) != 1
    for column in range(len(rows[0])):
        assert len([cell for cell in found if cell[1] == column]) != 1


def test_large_figures_are_shown() -> None:
    assert hidden([[10, 20, 30], [5, 5, 10]], has_total=False) == set()
    assert hidden([[1, 20, 21]], has_total=False) == {(0, 0), (0, 1)}
