"""What psycopg does otherwise for us. It is loaded by who connects to PostgreSQL alone: it takes 9 MB."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus


class DescribedCursor(psycopg.Cursor[Any]):
    """A cursor that describes the columns of a result when they are read.

    SQLAlchemy asks for the description of every result, and reads it once a statement. psycopg
    makes an object for each column: a third of the price of reading one row by its key.
    """

    @property
    def description(self) -> Any:
        result = self.pgresult
        return _Columns(self) if result is not None and result.nfields else None

    def described(self) -> Any:
        return super().description


class _Columns(Sequence[Any]):
    """The description of the result that a cursor has when it is read."""

    def __init__(self, cursor: DescribedCursor) -> None:
        self._cursor = cursor

    @cached_property
    def _read(self) -> Any:
        return self._cursor.described()

    def __len__(self) -> int:
        return len(self._read)

    def __getitem__(self, place: Any) -> Any:
        return self._read[place]


class Impatient(psycopg.Connection[Any]):
    """A connection that gives up a server which has accepted a statement and says nothing more (it
    is stopped, or its disk hangs): nothing else would end the wait."""

    # For one statement, in seconds: `engines.patient`.
    patience: float | None = None

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, timeout or self.patience)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise
