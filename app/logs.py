"""JSON lines on standard output, without personal data: what happened, never to whom.

The standard library, not structlog: that imports rich and pygments at every start.
"""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson

_logger = logging.getLogger("hoiso")


class JsonLine(logging.Formatter):
    """One line an event. An exception shows its type and places: its message may quote a row."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = _places(record.exc_info[1])
        return orjson.dumps(line, option=orjson.OPT_UTC_Z, default=str).decode()


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


class _ToStdout(logging.StreamHandler[Any]):
    """Standard output as it is when the line is written, not when logging was set up."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


def configure(level: str) -> None:
    # A full disk or a closed pipe must not become an error of the request.
    logging.raiseExceptions = False
    handler = _ToStdout()
    handler.setFormatter(JsonLine())
    _logger.handlers = [handler]
    _logger.setLevel(level.upper())
    _logger.propagate = False


def info(event: str, **fields: Any) -> None:
    if _logger.isEnabledFor(logging.INFO):
        _logger.info(event, extra={"fields": fields})


def warning(event: str, **fields: Any) -> None:
    _logger.warning(event, extra={"fields": fields})


def exception(event: str, error: BaseException, **fields: Any) -> None:
    """An error, with its type and places."""
    _logger.error(event, exc_info=error, extra={"fields": fields})
