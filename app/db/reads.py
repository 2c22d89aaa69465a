"""Reads of one server of a database: on connections that threads keep, or on those of the pool."""

import threading
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakSet

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from app.db.engines import end

T = TypeVar("T")


class Reads:
    """A read is done once more where the server had cut its connection (it was restarted)."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._of_thread = threading.local()
        self._all_kept: WeakSet[_Kept] = WeakSet()

    def kept(self, job: Callable[[Connection], T]) -> T:
        """On the connection that this thread keeps.

        Getting one from the pool and giving it back costs as much as a small read itself. After an
        error it is given back, so that a broken one is met once.
        """
        return _again_when_cut(lambda: self._on_kept(job))

    def apart(self, job: Callable[[Connection], T]) -> T:
        """On a connection of the pool: for threads that are not the endpoints'."""

        def read() -> T:
            with self.engine.connect() as connection:
                return job(connection)

        return _again_when_cut(read)

    def _on_kept(self, job: Callable[[Connection], T]) -> T:
        kept: _Kept | None = getattr(self._of_thread, "kept", None)
        if kept is None:
            kept = self._of_thread.kept = _Kept(self.engine.connect())
            self._all_kept.add(kept)
        try:
            return job(kept.connection)
        except BaseException:
            self._of_thread.kept = None
            kept.give_back()
            raise

    def close(self) -> None:
        for kept in list(self._all_kept):
            kept.give_back()
        # Threads that live on keep nothing of this database.
        self._of_thread = threading.local()
        end(self.engine)


def _again_when_cut(read: Callable[[], T]) -> T:
    try:
        return read()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    return read()


class _Kept:
    """A connection for as long as its thread lives."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def give_back(self) -> None:
        self.connection.close()

    def __del__(self) -> None:
        self.give_back()
