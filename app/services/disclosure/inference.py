"""What a reader of rounded figures can conclude who knows that they add up.

A figure published as 10 was between 6 and 14. Where figures have to add up, some of these values
may be impossible. A table is safe while several values remain possible for each figure.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from app.services.disclosure.rounding import BASE

K = TypeVar("K", bound=Hashable)
Range = tuple[int, int]
# The figures times their signs add up to zero.
Equation = Sequence[tuple[K, int]]


def possible(published: Mapping[K, int], equations: Iterable[Equation[K]]) -> dict[K, Range]:
    """The least and the largest value that each figure can have had.

    Ranges are narrowed until no equation narrows another: exact where equations form no circles.
    Figures that contradict each other leave an empty range, and end it.
    """
    equations = list(equations)
    ranges = {key: _before_rounding(figure) for key, figure in published.items()}
    narrowed = True
    while narrowed:
        narrowed = False
        for equation in equations:
            for key, range_ in _narrowed(ranges, equation):
                narrowed = True
                ranges[key] = range_
                if range_[0] > range_[1]:
                    return ranges
    return ranges


def _before_rounding(figure: int) -> Range:
    return max(0, figure - BASE + 1), figure + BASE - 1


def _narrowed(ranges: Mapping[K, Range], equation: Equation[K]) -> list[tuple[K, Range]]:
    terms = [_times(ranges[key], sign) for key, sign in equation]
    least, largest = sum(low for low, _ in terms), sum(high for _, high in terms)
    found = []
    for (key, sign), (low, high) in zip(equation, terms, strict=True):
        # The term is the others' sum, with the other sign.
        allowed = _times((max(low, high - largest), min(high, low - least)), sign)
        if allowed != ranges[key]:
            found.append((key, allowed))
    return found


def _times(range_: Range, sign: int) -> Range:
    low, high = range_
    return (low, high) if sign > 0 else (-high, -low)
