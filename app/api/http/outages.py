"""A database that is busy or away is answered with 503, wherever it is asked."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import logs
from app.errors import Problem


@contextmanager
def busy_is_503() -> Iterator[None]:
    """The database away, a full pool or a lock waited for too long: try again, nothing is lost."""
    try:
        yield
    except (OperationalError, PoolTimeout) as error:
        raise busy(error) from error


def busy(error: OperationalError | PoolTimeout) -> Problem:
    """503, and the cause in the log."""
    cause = getattr(error, "orig", None) or error
    logs.warning("database_unavailable", error=type(cause).__name__)
    return Problem("unavailable", retry_after=1)
