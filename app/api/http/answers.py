"""JSON answers as ready bytes: rows go to the wire without a model in between.

Tests hold every answer to its declared model instead (tests/helpers/client.py).
"""

from typing import Any
from urllib.parse import quote

import orjson


def json_bytes(value: Any) -> bytes:
    """UTF-8 JSON; ids, dates and enums as the contract writes them, instants in UTC with Z."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def attachment(name: str) -> dict[str, str]:
    """The header that saves an answer under this name (RFC 6266), in letters that any client reads
    and as it is (RFC 8187). What does not print, such as the end of a line, is left out."""
    shown = "".join(character for character in name if character.isprintable())
    plain = "".join(c for c in shown if c.isascii() and c not in '"\\%').strip(" .") or "file"
    disposition = f'attachment; filename="{plain}"'
    if plain != shown:
        disposition += f"; filename*=UTF-8''{quote(shown, safe='')}"
    return {"Content-Disposition": disposition}
