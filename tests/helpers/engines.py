"""Statements are compiled once a run, not once a database.

SQLAlchemy keeps compiled statements by dialect, and each engine has a dialect of its own: with a
database for each test, compiling was a third of the run, and what was kept grew without end.
"""

from typing import Any

from sqlalchemy.engine import Dialect, Engine

from app.db import Database

_CACHES: dict[tuple[Any, ...], Any] = {}
_ALIKE: dict[type[Dialect], type[Dialect]] = {}


def share_compiled(database: Database) -> Database:
    """Let this database use what the ones before it compiled. Sealed columns are opened by the
    vault of their dialect: databases with other keys share nothing."""
    keys = database.settings.data_keys
    assert keys is not None
    for name, engine in (("reader", database.reader), ("writer", database.writer)):
        _share(engine, (name, keys.get_secret_value()))
    return database


def _share(engine: Engine, key: tuple[str, str]) -> None:
    plain = type(engine.dialect)
    alike = _ALIKE.setdefault(plain, _alike(plain))
    engine.dialect.__class__ = alike
    engine.dialect.shared_key = key  # type: ignore[attr-defined]  # read by the two methods below
    engine._compiled_cache = _CACHES.setdefault((plain, key), engine._compiled_cache)


def _alike(plain: type[Dialect]) -> type[Dialect]:
    """A dialect that equals all others of its kind."""

    def equal(self: Any, other: object) -> bool:
        key: object = self.shared_key
        return type(self) is type(other) and key == getattr(other, "shared_key", None)

    members = {
        "__eq__": equal,
        "__hash__": lambda _: hash(plain),
        "supports_statement_cache": True,  # not inherited
    }
    return type(plain.__name__, (plain,), members)
