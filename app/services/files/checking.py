"""The check of the operator: the files that the database names, against what the store has."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from app.db import Database, chunks
from app.services.files import keeping
from app.services.files.keeping import Lost
from app.services.files.protocol import Store
from app.services.files.stores import store_of


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """The files whose bytes are not there; how many objects are there that no file names: they are
    removed within the hour, but after a restore, or beside a database without files."""

    lost: list[Lost]
    unnamed: int


def check(database: Database) -> StoreCheck:
    """Look for what the database names, and at what the store has."""
    store = store_of(database.settings)
    with database.reading() as db:
        absent = [name for name in keeping.names(db) if not store.size(name)]
    return StoreCheck(lost=_lost(database, absent), unnamed=sum(_unnamed(database, store)))


def _lost(database: Database, absent: list[UUID]) -> list[Lost]:
    """What has been deleted meanwhile is not lost."""
    with database.reading() as db:
        return [lost for chunk in chunks(absent) for lost in keeping.holders(db, chunk)]


def _unnamed(database: Database, store: Store) -> Iterator[int]:
    names = keeping.settled(store)
    while chunk := list(islice(names, keeping.CHUNK)):
        with database.reading() as db:
            yield len(keeping.unnamed(db, chunk))
