"""How much random work a test does: little in the suite, `HOISO_SOAK` times as much in `make soak`.

The suite does the same on every run. A soak draws anew, from `HOISO_SOAK_SEED`: the same seed draws
the same again.
"""

import os

import hypothesis
import pytest

TIMES = int(os.environ.get("HOISO_SOAK", "1"))
SEED = int(os.environ.get("HOISO_SOAK_SEED", "1"))


def longer(number: int) -> int:
    """So many examples, files or turns of the suite."""
    return number * TIMES


def seeds(number: int) -> range:
    return range(SEED, SEED + longer(number))


def load_profile() -> None:
    """The suite's examples are the same on every run: what passes here passes there."""
    hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
    hypothesis.settings.register_profile("soak", deadline=None, print_blob=True)
    hypothesis.settings.load_profile("same" if TIMES == 1 else "soak")


def has_long_form(item: pytest.Item) -> bool:
    """It draws, or races: in a soak it does more."""
    draws = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    return draws or any(item.get_closest_marker(name) for name in ("drawn", "race"))


def repeat_races(metafunc: pytest.Metafunc) -> None:
    """A race that was won once may be lost the next time."""
    if TIMES > 1 and metafunc.definition.get_closest_marker("race"):
        metafunc.fixturenames.append("turn_of_race")
        metafunc.parametrize("turn_of_race", range(TIMES))
