"""A streaming replica of PostgreSQL: it answers what it has all of, and nothing else
(docs/decisions/0043)."""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, TypeVar

from prometheus_client import Gauge
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import logs
from app.config import Settings
from app.db.engines import REPLICA_SECONDS, patient
from app.db.reads import Reads

T = TypeVar("T")
# How far the log is on the disk of the primary, in bytes: each commit that was answered is in it.
_WRITTEN = "SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint"
_REPLAYED = "SELECT (pg_last_wal_replay_lsn() - '0/0')::bigint"
_STANDING = "SELECT pg_is_in_recovery(), system_identifier FROM pg_control_system()"
_SERVER = "SELECT system_identifier FROM pg_control_system()"
_SHORTEST_PAUSE_SECONDS = 0.0005
_gauge = Gauge("hoiso_replica_in_use", "1 while reads go to the replica, 0 while it is left out.")


class ReplicaState(StrEnum):
    in_use = "in_use"
    starting = "starting"
    unreachable = "unreachable"
    # It does not get what was committed within HOISO_REPLICA_WAIT_MS.
    behind = "behind"
    # It has been promoted, or never was one.
    no_standby = "no_standby"
    # A copy of another database, or of this one as it was before a restore.
    other_history = "other_history"


class ReplicaSilent(Exception):
    """The replica has not answered: the primary is to be asked."""


class Way(Protocol):
    """`Reads.kept` or `Reads.apart`."""

    def __call__(self, reads: Reads, job: Callable[[Connection], T], /) -> T: ...


class Replica:
    """Reads that see all that was committed before they began, whoever committed it.

    While the replica cannot be used no read waits for it: `look` finds out when it can be again.
    """

    def __init__(self, engine: Engine, primary: Reads, settings: Settings) -> None:
        self.state = ReplicaState.starting
        self.engine = engine
        self._reads = Reads(engine)
        self._primary = primary
        self._wait_seconds = settings.replica_wait_ms / 1_000
        # Its own limit ends a statement before.
        self._longest_seconds = settings.statement_timeout_ms / 1_000 + REPLICA_SECONDS

    def read(self, way: Way, job: Callable[[Connection], T]) -> T:
        """The answer of the replica; `ReplicaSilent` when the primary is to be asked instead."""
        if self.state is not ReplicaState.in_use:
            raise ReplicaSilent
        try:
            position = way(self._primary, _written)
            return way(self._reads, lambda db: job(self._at(db, position)))
        except (DBAPIError, PoolTimeout) as error:
            if _is_away(error):
                self._become(ReplicaState.unreachable)
            # One that the replica ended itself: its replay goes before long reads.
            raise ReplicaSilent from error

    def look(self) -> None:
        """Whether it can be used now. An error of SQLAlchemy while the primary is away."""
        self._become(self._found())

    def close(self) -> None:
        self._reads.close()

    def _at(self, db: Connection, position: int) -> Connection:
        patient(db, REPLICA_SECONDS)
        if not self._reaches(db, position):
            self._become(ReplicaState.behind)
            raise ReplicaSilent
        patient(db, self._longest_seconds)
        return db

    def _reaches(self, db: Connection, position: int) -> bool:
        """Whether it has everything up to this position, soon enough."""
        until = time.monotonic() + self._wait_seconds
        pause = _SHORTEST_PAUSE_SECONDS
        while _number(db, _REPLAYED) < position:
            if time.monotonic() >= until:
                return False
            time.sleep(pause)
            pause *= 2
        return True

    def _found(self) -> ReplicaState:
        server = self._primary.apart(lambda db: _number(db, _SERVER))
        try:
            return self._reads.apart(lambda db: self._standing(db, server))
        except (DBAPIError, PoolTimeout):
            return ReplicaState.unreachable

    def _standing(self, db: Connection, server: int) -> ReplicaState:
        in_recovery, copied = db.exec_driver_sql(_STANDING).one()
        if not in_recovery:
            return ReplicaState.no_standby
        replayed = _number(db, _REPLAYED)
        # Asked after it: a replica of this primary is never ahead.
        position = self._primary.apart(_written)
        if copied != server or replayed > position:
            return ReplicaState.other_history
        return ReplicaState.in_use if self._reaches(db, position) else ReplicaState.behind

    def _become(self, state: ReplicaState) -> None:
        if state is self.state:
            return
        self.state = state
        _gauge.set(state is ReplicaState.in_use)
        if state is ReplicaState.in_use:
            logs.info("replica_in_use")
        else:
            logs.warning("replica_left_out", reason=state.value)


def _written(db: Connection) -> int:
    return _number(db, _WRITTEN)


def _number(db: Connection, statement: str) -> int:
    return int(db.exec_driver_sql(statement).scalar_one())


def _is_away(error: DBAPIError | PoolTimeout) -> bool:
    """No server has answered, or it ends all its connections (class 57P of PostgreSQL's codes)."""
    if isinstance(error, PoolTimeout):
        return False
    code = getattr(error.orig, "sqlstate", None)
    return code is None or str(code).startswith("57P")
