"""A database that is busy or away is answered with 503, wherever it is asked."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import logs
from app.db.storage import StorageFault, fault_of
from app.errors import Problem


@contextmanager
def busy_is_503() -> Iterator[None]:
    """The database away, a full pool or a lock waited for too long: try again, nothing is lost."""
    try:
        yield
    except (OperationalError, PoolTimeout) as error:
        raise busy(error) from error


def busy(error: OperationalError | PoolTimeout) -> Problem:
    """503, and the cause in the log. A full disk has its own name: waiting does not help there."""
    fault = fault_of(error)
    if fault is not None:
        logs.warning(fault.value)
        return _storage_problem(fault)
    cause = getattr(error, "orig", None) or error
    logs.warning("database_unavailable", error=type(cause).__name__)
    return Problem("unavailable", retry_after=1)


def _storage_problem(fault: StorageFault) -> Problem:
    if fault is StorageFault.full:
        return Problem("storage_full", retry_after=60)
    return Problem("storage_read_only", retry_after=60)
