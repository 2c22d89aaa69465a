"""A cell of our own export that holds an object: a unit, a member, a term."""

from typing import Any

import orjson


def in_text(text: str) -> dict[str, Any] | None:
    """The object that a text is in JSON; None where it is something else."""
    if not text.startswith("{"):
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def plain(value: Any) -> str | int | None:
    """Text or a number; other values are not taken over."""
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None
