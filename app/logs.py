"""JSON lines on standard output, without personal data: what happened, never to whom.

Written directly: a line through the logging module cost 8 % of a small read, and structlog
imports rich and pygments at every start.
"""

import sys
import traceback
from typing import Any

import orjson

from app.clock import utc_now

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_threshold = _LEVELS.index("INFO")


def configure(level: str) -> None:
    """Write lines of this level and above: DEBUG, INFO, WARNING or ERROR."""
    global _threshold  # noqa: PLW0603  # standard output is one for the process, so is its level
    _threshold = _LEVELS.index(level.upper())


def info(event: str, **fields: Any) -> None:
    if _threshold <= 1:
        _write("info", event, fields)


def warning(event: str, **fields: Any) -> None:
    if _threshold <= 2:
        _write("warning", event, fields)


def exception(event: str, error: BaseException, **fields: Any) -> None:
    """An error, with its type and places: its message may quote a row, so it stays out."""
    _write("error", event, fields | {"exception": _places(error)})


def _write(level: str, event: str, fields: dict[str, Any]) -> None:
    line = {"timestamp": utc_now(), "level": level, "event": event, **fields}
    try:
        sys.stdout.write(orjson.dumps(line, option=_OPTIONS, default=str).decode())
        sys.stdout.flush()
    except (OSError, ValueError):
        # A full disk or a closed pipe must not become an error of the request.
        return


_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE


def _places(error: BaseException) -> list[dict[str, Any]]:
    """The error and what it came from, outermost first."""
    chain: list[dict[str, Any]] = []
    seen: BaseException | None = error
    while seen is not None and len(chain) < 10:
        frames = traceback.extract_tb(seen.__traceback__)
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        chain.append({"type": type(seen).__name__, "places": places})
        seen = seen.__cause__ or seen.__context__
    return chain
