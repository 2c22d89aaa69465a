"""What the digits of a citizen id say of its holder (circular 07/2016/TT-BCA; domain facts, 4.1).

After the three of the province one is even for men and odd for women, two a century from 1900 on; then
come the last two of the year of birth. It has no check digit.
"""

from typing import Final

_CENTURY: Final = {digit: 1900 + 100 * (digit // 2) for digit in range(6)}


def birth_year(number: str) -> int | None:
    """The year of birth that these 12 digits say; None of a century that is not given out yet."""
    century = _CENTURY.get(int(number[3]))
    return None if century is None else century + int(number[4:6])


def is_of_woman(number: str) -> bool:
    return int(number[3]) % 2 == 1
