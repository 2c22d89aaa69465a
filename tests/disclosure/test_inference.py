"""What rounded figures that add up tell."""

from app.services.disclosure.inference import possible


class TestPossible:
    def test_a_sum_narrows_its_parts(self) -> None:
        ranges = possible(
            {"total": 5, "one": 0, "other": 10}, [[("total", -1), ("one", 1), ("other", 1)]]
        )
        assert ranges == {"total": (6, 9), "one": (0, 3), "other": (6, 9)}

    def test_figures_that_contradict_each_other_have_no_value(self) -> None:
        """They do not keep it busy for ever: an empty range ends it."""
        equal, differing = [("a", 1), ("b", -1)], [("a", 1), ("b", -1), ("c", 1)]
        ranges = possible({"a": 10, "b": 10, "c": 10}, [equal, differing])
        assert any(least > largest for least, largest in ranges.values())
