"""JSON as we write it, and its values, walked without recursion: a deep one is no deeper for it."""

import re
from collections.abc import Iterator
from typing import Any

import orjson

# A place in a value: its key, the place around it, how deep it is. A deep value makes no long copies.
Place = tuple["Place", str | int, int] | None

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def json_bytes(value: Any) -> bytes:
    """UTF-8 JSON; ids, dates and enums as the contract writes them, instants in UTC with Z."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def json_line(value: Any) -> bytes:
    """The same, with the end of a line."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


def walk(value: Any) -> Iterator[tuple[Place, Any]]:
    """Each value in a value, and each key at the place that it names."""
    waiting: list[tuple[Place, Any]] = [(None, value)]
    while waiting:
        place, found = waiting.pop()
        yield place, found
        if isinstance(found, list):
            below = depth(place) + 1
            waiting.extend(((place, number, below), item) for number, item in enumerate(found))
        elif isinstance(found, dict):
            below = depth(place) + 1
            for key, item in found.items():
                waiting.append(((place, key, below), item))
                yield (place, key, below), key


def depth(place: Place) -> int:
    return 0 if place is None else place[2]


def path(place: Place) -> list[str | int]:
    parts: list[str | int] = []
    while place is not None:
        place, part, _ = place
        parts.append(part)
    return parts[::-1]


def nuls(value: Any) -> Iterator[Place]:
    """The texts and keys with U+0000 in them."""
    return (place for place, found in walk(value) if isinstance(found, str) and "\0" in found)


def cut(text: bytes, deepest: int) -> bytes:
    """JSON without what is deeper than so many levels: there is a 0 in its place. What is malformed
    remains so."""
    kept: list[bytes] = []
    level = since = 0
    for token in _TOKEN.finditer(text):
        if token[0] in b"[{":
            level += 1
            if level == deepest + 1:
                kept.append(text[since : token.start()])
        elif token[0] in b"]}":
            level -= 1
            if level == deepest:
                kept.append(b"0")
                since = token.end()
    return b"".join([*kept, text[since:]] if level <= deepest else kept)
