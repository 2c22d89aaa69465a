"""The database: engines, sessions, transactions, and the few differences of SQLite and PostgreSQL."""

from app.db.database import (
    Database,
    NotInstalled,
    SessionListener,
    follow_sessions,
    keep_vault,
    sender_of,
    settings_of,
    vault_of,
)
from app.db.engines import ENDPOINT_THREADS, REQUEST_LOCK_SECONDS, make_file
from app.db.replica import ReplicaState
from app.db.statements import (
    AnySelect,
    Changed,
    Columns,
    chunks,
    constraint_name,
    insert_many,
    insert_new,
    on_sqlite,
    one_moment,
    take_time,
    upsert,
    wait_for_locks,
)

__all__ = [
    "ENDPOINT_THREADS",
    "REQUEST_LOCK_SECONDS",
    "AnySelect",
    "Changed",
    "Columns",
    "Database",
    "NotInstalled",
    "ReplicaState",
    "SessionListener",
    "chunks",
    "constraint_name",
    "follow_sessions",
    "insert_many",
    "insert_new",
    "keep_vault",
    "make_file",
    "on_sqlite",
    "one_moment",
    "sender_of",
    "settings_of",
    "take_time",
    "upsert",
    "vault_of",
    "wait_for_locks",
]
