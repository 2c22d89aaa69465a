"""What psycopg does otherwise for us. It is loaded by who connects to PostgreSQL alone: it takes 9 MB."""

from typing import Any, ClassVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus


class DescribedCursor(psycopg.Cursor[Any]):
    """A cursor that describes the same columns once.

    SQLAlchemy asks for the description of every result, and psycopg makes an object a column
    each time: a third of the price of reading one row by its key.
    """

    _described: ClassVar[dict[tuple[Any, ...], list[Any]]] = {}

    @property
    def description(self) -> list[Any] | None:
        result = self.pgresult
        if result is None or not result.nfields:
            return None
        key = tuple((result.fname(n), result.ftype(n)) for n in range(result.nfields))
        found = self._described.get(key)
        if found is None:
            columns = super().description or []
            found = [(c.name, c.type_code, None, None, None, None, None) for c in columns]
            if len(self._described) < 1_000:
                self._described[key] = found
        return found


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
