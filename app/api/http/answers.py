"""JSON answers as ready bytes: rows go to the wire without a model in between.

Tests hold every answer to its declared model instead (tests/helpers/client.py).
"""

from typing import Any

import orjson


def json_bytes(value: Any) -> bytes:
    """UTF-8 JSON; ids, dates and enums as the contract writes them, instants in UTC with Z."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)
