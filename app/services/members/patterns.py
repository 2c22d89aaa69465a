"""What is typed in a search as LIKE patterns on the stored keys, of which there are few numbers.

Each number of words would be a statement of its own to prepare, so what is missing is filled up
with patterns that change nothing. They stand last: a name that does not fit is out before them.
"""

from typing import Any, NamedTuple

import sqlalchemy as sa

from app.services.members.search import Typed

_EVERY, _NONE = "%", ""
# Patterns of words, and of one tier of marks: most names have up to four words.
_FEW, _MOST = 4, 10
# Groups of words that begin alike, in up to six orders each.
_GROUPS, _ORDERS = 4, 6
_TIERS = 4


class Sizes(NamedTuple):
    """How many patterns a statement has."""

    words: int = 0
    groups: int = 0
    tiers: int = 0


def sizes(typed: Typed, rank: int | None) -> Sizes:
    """For the names of one rank; of no rank: for all that have the words."""
    if not typed.words:
        return Sizes()
    marks = [] if rank is None else [tier.patterns for tier in typed.tiers]
    few = max(map(len, (typed.words, *marks))) <= _FEW
    alike = any(len(group) > 1 for group in typed.words)
    return Sizes(
        words=_FEW if few else _MOST,
        groups=_GROUPS if alike else 0,
        tiers=0 if rank is None else _TIERS,
    )


def bound(typed: Typed, rank: int | None) -> dict[str, str]:
    """The patterns by the names that `fits` gives them."""
    size = sizes(typed, rank)
    words = [group[0] for group in typed.words if len(group) == 1]
    alike = [group for group in typed.words if len(group) > 1]
    patterns = _named("word", _filled(words, size.words, _EVERY))
    for n, group in enumerate(_filled(alike, size.groups, (_EVERY,))):
        patterns |= _named(f"group_{n}", _filled(group, _ORDERS, group[0]))
    if rank is not None:
        # Who has the marks of the last rank has none of any tier.
        own = typed.tiers[rank].patterns if rank < len(typed.tiers) else ()
        patterns |= _named("own", _filled(own, size.words, _EVERY))
        higher = [tier.patterns for tier in typed.tiers[:rank]]
        for n, tier in enumerate(_filled(higher, size.tiers, (_NONE,))):
            patterns |= _named(f"tier_{n}", _filled(tier, size.words, _EVERY))
    return patterns


def _filled(given: Any, size: int, filling: Any) -> list[Any]:
    return [*given, *[filling] * (size - len(given))]


def _named(name: str, patterns: list[str]) -> dict[str, str]:
    return {f"{name}_{n}": pattern for n, pattern in enumerate(patterns)}


def fits(key: Any, size: Sizes) -> list[sa.ColumnElement[bool]]:
    """The stored key has all the words typed, and the marks of its rank but not of a higher one."""

    def like(name: str, number: int) -> list[sa.ColumnElement[bool]]:
        return [key.like(sa.bindparam(f"{name}_{n}", type_=sa.String)) for n in range(number)]

    conditions = like("word", size.words)
    conditions += [sa.or_(*like(f"group_{n}", _ORDERS)) for n in range(size.groups)]
    if size.tiers:
        conditions += like("own", size.words)
        # A tier need not lie within the next: initials in order, and a whole last word out of order.
        tiers = (like(f"tier_{n}", size.words) for n in range(size.tiers))
        conditions += [sa.not_(sa.and_(*tier)) for tier in tiers]
    return conditions
