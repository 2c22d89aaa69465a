"""Round the figures of a distribution at random, so that neither one of them nor the difference of
two reveals anything about one person.

Random rounding to base 5, as Statistics Canada publishes its censuses.
"""

from collections.abc import Mapping

from app.vault import Vault

BASE = 5
# Of rounded figures: nobody is shown to be one of fewer than 5.
_LEAST_SHOWN = 10


def rounded(people: int, draw: int) -> int:
    """To a multiple of 5, above or below: the nearer one the more often. A difference of one
    person may always be none at all."""
    fives, rest = divmod(people, BASE)
    return BASE * (fives + (draw % BASE < rest))


def distribution(
    vault: Vault, name: str, figures: Mapping[str | None, int]
) -> dict[str | None, int]:
    """Each figure rounded by a draw that only the same figures draw again: asking once more shows
    nothing more, and after any change all of them may differ."""
    drawn_by = f"{name}:{list(figures.values())}"
    return {
        value: rounded(people, vault.digest(f"{drawn_by}:{value}", "count"))
        for value, people in figures.items()
    }


def too_small(figures: Mapping[str | None, int]) -> set[str | None]:
    """The values whose rounded figures are not shown."""
    return {value for value, figure in figures.items() if figure < _LEAST_SHOWN}


def nearest(people: int) -> int:
    """A total, which is not drawn: the nearest multiple of 5."""
    return BASE * round(people / BASE)
