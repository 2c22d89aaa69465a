"""A disk that is full or read-only has an error of its own: it does not pass by itself."""

import sqlite3
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from prometheus_client import Gauge
from sqlalchemy.engine import Engine, ExceptionContext
from sqlalchemy.exc import DBAPIError, OperationalError


class StorageFault(StrEnum):
    full = "storage_full"
    read_only = "storage_read_only"


_OF_SQLITE = {
    sqlite3.SQLITE_FULL: StorageFault.full,
    sqlite3.SQLITE_READONLY: StorageFault.read_only,
}
# Classes 53 and 25 of PostgreSQL's error codes: disk_full, read_only_sql_transaction.
_OF_POSTGRESQL = {"53100": StorageFault.full, "25006": StorageFault.read_only}
_gauge = Gauge("hoiso_storage_fault", "1 while writing fails for this cause.", ("fault",))


def fault_of(error: BaseException | None) -> StorageFault | None:
    """What is wrong with the disk, if that is why a statement failed."""
    if isinstance(error, DBAPIError):
        error = error.orig
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return _OF_SQLITE.get(code & 0xFF)
    return _OF_POSTGRESQL.get(str(getattr(error, "sqlstate", None)))


class Storage:
    """Whether the last transaction that was to be written met a fault of the disk."""

    def __init__(self, writer: Engine) -> None:
        self.fault: StorageFault | None = None
        sa.event.listen(writer, "handle_error", self._on_error, retval=True)

    def works(self) -> None:
        """A transaction has been written."""
        if self.fault is not None:
            _gauge.labels(self.fault).set(0)
            self.fault = None

    def _on_error(self, context: ExceptionContext) -> BaseException | None:
        fault = fault_of(context.original_exception)
        if fault is None:
            return None
        if fault is not self.fault:
            self.works()
            self.fault = fault
            _gauge.labels(fault).set(1)
        # One kind on both databases: PostgreSQL calls a read-only one an internal error.
        original: Any = context.original_exception
        return OperationalError(context.statement, None, original, hide_parameters=True)
